//! `cargo xtask arena`: the RAM of the reference networks, beside lower bounds and TFLite Micro.

use crate::run::{Report, cargo};

/// Prints the table and compares it with `benches/snapshots/arena.txt`; `OTOLITH_UPDATE=1` writes it anew.
/// The measurements are a test of dsp-core.
pub(crate) fn check(report: &mut Report) {
    let words = "test --quiet -p otolith-dsp-core --test arena -- --nocapture";
    let mut test = cargo(&words.split(' ').collect::<Vec<_>>());
    report.check("arenas of the reference networks", &mut test);
}
