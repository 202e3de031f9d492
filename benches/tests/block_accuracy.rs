//! The bars that integer blocks and stages are held to.

use otolith_benches::accuracy::{BLOCKS, Block, MOTION_BLOCKS, Signal, few, movements};
use otolith_fixtures::shared_dir;

#[test]
fn spectral_blocks_keep_50_decibels() {
    let Some(shared) = shared_dir() else {
        return;
    };
    check(BLOCKS, &few(&shared));
}

#[test]
fn windows_of_motion_keep_60_decibels_in_statistics_and_50_in_spectra() {
    let Some(shared) = shared_dir() else {
        return;
    };
    check(MOTION_BLOCKS, &movements(&shared));
}

fn check(blocks: &[Block], signals: &[Signal]) {
    let mut missed = Vec::new();
    for block in blocks {
        let measured = block
            .measure(signals)
            .unwrap_or_else(|error| panic!("{}: {error}", block.name));
        assert_eq!(measured.len(), signals.len());
        for m in measured {
            // What is not a number misses as well.
            if m.all_db < block.least_db || m.all_db.is_nan() {
                missed.push(format!("{}, {}: {:.1} dB", m.block, m.signal, m.all_db));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
