//! CSV files of sensors.
#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../cli/src/delimited.rs"]
mod delimited;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut table) = delimited::Delimited::open(bytes) else {
        return;
    };
    while let Ok(Some(_)) = table.next_line() {
        for column in 0..table.columns {
            let _ = (table.number(column), table.present(column), table.stamp(column));
        }
    }
});
