//! The bars that integer blocks and stages are held to.

use otolith_benches::accuracy::{BLOCKS, few};
use otolith_fixtures::shared_dir;

/// Least decibels of a spectral block on recordings.
const BAR: f64 = 50.0;

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

fn bar(block: &str, signal: &str) -> f64 {
    let quiet = ["-40 dBFS", "-60 dBFS"]
        .iter()
        .any(|db| signal.ends_with(db));
    if quiet && POWERS.contains(&block) {
        return 0.0;
    }
    let steady = STEADY.iter().find(|(b, s, _)| *b == block && *s == signal);
    steady.map_or(BAR, |&(_, _, bar)| bar)
}

#[test]
fn spectral_blocks_keep_50_decibels() {
    let Some(shared) = shared_dir() else {
        return;
    };
    let signals = few(&shared);
    let mut missed = Vec::new();
    for block in BLOCKS {
        let measured = block
            .measure(&signals)
            .unwrap_or_else(|error| panic!("{}: {error}", block.name));
        assert_eq!(measured.len(), signals.len());
        for m in measured {
            // What is not a number misses as well.
            if m.all_db < bar(m.block, &m.signal) || m.all_db.is_nan() {
                missed.push(format!("{}, {}: {:.1} dB", m.block, m.signal, m.all_db));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
