//! The bars that integer blocks and stages are held to.

use otolith_benches::accuracy::{BLOCKS, few};
use otolith_fixtures::shared_dir;

/// Least decibels of a spectral block on recordings.
const BAR: f64 = 50.0;

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
            if m.all_db < BAR || m.all_db.is_nan() {
                missed.push(format!("{}, {}: {:.1} dB", m.block, m.signal, m.all_db));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
