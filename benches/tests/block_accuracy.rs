//! The bars that integer blocks and stages are held to.

use otolith_benches::accuracy::{BLOCKS, Block, MOTION_BLOCKS, Signal, few, movements};
use otolith_fixtures::shared_dir;

/// Blocks whose values are powers, or the range of powers: 32 bits at one scale for all windows
/// hold the power of recordings from full scale down to -20 dBFS. Below, a logarithm or a
/// magnitude keeps its digits.
const POWERS: [&str; 4] = [
    "mel energies",
    "mel, sliding mean, min-max",
    "spectrogram, power",
    "spectrogram, min-max",
];

/// Columns that hardly move are divided by a deviation of about a unit of 16 bits.
const STEADY: [(&str, &str, f64); 2] = [
    ("MFCC, running CMVN", "keywords -60 dBFS", 40.0),
    ("MFCC, running CMVN", "white noise -40 dBFS", 28.0),
];

/// Least decibels of a block on a signal.
fn bar(block: &Block, signal: &str) -> f64 {
    let quiet = ["-40 dBFS", "-60 dBFS"]
        .iter()
        .any(|db| signal.ends_with(db));
    if quiet && POWERS.contains(&block.name) {
        return 0.0;
    }
    let steady = STEADY
        .iter()
        .find(|(b, s, _)| *b == block.name && *s == signal);
    steady.map_or(block.least_db, |&(_, _, bar)| bar)
}

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
            if m.all_db < bar(block, &m.signal) || m.all_db.is_nan() {
                missed.push(format!("{}, {}: {:.1} dB", m.block, m.signal, m.all_db));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
