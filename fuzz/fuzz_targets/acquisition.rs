//! Acquisition files in JSON and CBOR.
#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../cli/src/acquisition.rs"]
mod acquisition;

fuzz_target!(|bytes: &[u8]| {
    if acquisition::is_acquisition(bytes) {
        let _ = acquisition::read(bytes);
    }
});
