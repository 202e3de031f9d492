//! WAV files.
#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../cli/src/riff.rs"]
mod riff;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = riff::open(bytes) else {
        return;
    };
    match reader.spec().sample_format {
        hound::SampleFormat::Int => reader.samples::<i32>().take_while(Result::is_ok).for_each(drop),
        hound::SampleFormat::Float => reader.samples::<f32>().take_while(Result::is_ok).for_each(drop),
    }
});
