#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| otolith_fuzz::acquisition(bytes));
