//! Block `decimate`: a lower sample rate.

use super::SignalSpec;
use crate::ConfigError;
use crate::config::{Section as _, Table, section};
use crate::graph::SignalKind;
use crate::tables::filter_design::{Band, Prototype, design};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "One of `factor` samples of each axis, behind a low-pass against \
                                aliases: Chebyshev I of order 8 with 0.05 dB of ripple up to 0.8 \
                                of the new half rate. Its memory runs on from window to window \
                                and is at rest at a recording's start. The blocks of features of \
                                the same input that stand behind it in the file hear its output, \
                                and their lengths count its samples.";

section! {
    /// By how much the rate is lowered.
    pub(crate) struct Decimate {
        /// Samples for one that is kept. Windows and their hops must be multiples of it. Several
        /// blocks multiply: 10 and 10 give 100.
        factor: usize { range: Some((2.0, 32.0)) },
    }
}

/// Reads and checks a block.
pub(crate) fn read(table: &Table, id: &str) -> Result<SignalSpec, ConfigError> {
    let config = Decimate::read(table, id)?;
    let prototype = Prototype::Chebyshev { ripple_db: 0.05 };
    // At a rate of 2, half of which is 1.
    let edge = Band::Low(0.8 / config.factor as f64);
    Ok(SignalSpec {
        kind: SignalKind::Decimate {
            sections: design(prototype, 8, edge, 2.0),
            factor: config.factor,
        },
        fields: config.write(),
    })
}
