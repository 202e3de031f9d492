//! The reader of `.tflite` files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otolith_tflite::Model;

fuzz_target!(|bytes: &[u8]| {
    let _ = Model::from_bytes(bytes);
});
