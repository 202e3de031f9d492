//! Per-channel energy normalisation.

use super::Stages;
use super::frames::FramesSpec;
use crate::config::{
    Choice, ChoiceOr, Field, FieldValue, Kind, Mismatch, Node, read_choice_or, section,
    write_number,
};
use crate::graph::{self, StageKind};

/// `"first"`, or an energy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PcenStart {
    First,
    At(f64),
}

impl FieldValue for PcenStart {
    const KIND: Kind = Kind::NumberOr(&[Choice {
        name: "first",
        doc: " The energies of the first frame.",
    }]);

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        Ok(match read_choice_or(node, field)? {
            ChoiceOr::Choice(_) => Self::First,
            ChoiceOr::Value(number) => Self::At(number),
        })
    }

    fn write(&self) -> Option<String> {
        Some(match self {
            Self::First => "\"first\"".to_owned(),
            Self::At(number) => write_number(*number),
        })
    }
}

section! {
    /// Per-channel energy normalisation, with `log = "pcen"`: each energy `E` is divided by a
    /// power of its own recent past, and compressed by a root.
    ///
    /// `M[t] = (1 - s) M[t-1] + s E[t]`,
    /// `(E / (pcen_eps + M)^pcen_gain + pcen_bias)^pcen_power - pcen_bias^pcen_power`, with
    /// `s = (sqrt(1 + 4 T^2) - 1) / (2 T^2)` and `T` frames in `pcen_time_s`. The past starts
    /// anew with each window. librosa's `pcen`.
    pub(crate) struct Pcen {
        /// Exponent of the smoothed energy: 1 removes the level of a steady sound.
        pcen_gain: f64 { range: Some((0.0, 4.0)), default: "0.98" },
        /// Added before the root. Larger values damp quiet sounds.
        pcen_bias: f64 { range: Some((0.0, 128.0)), default: "2.0" },
        /// Exponent of the root.
        pcen_power: f64 { range: Some((0.01, 1.0)), default: "0.5" },
        /// Time over which energies are smoothed.
        pcen_time_s: f64 { unit: "s", range: Some((0.001, 60.0)), default: "0.4" },
        /// Smallest smoothed energy, in units of the energies.
        pcen_eps: f64 { range: Some((1e-30, 1e6)), default: "1e-6" },
        /// Smoothed energy before the first frame, in units of the energies. librosa has 1.
        pcen_start: PcenStart { range: Some((0.0, 1e12)), default: "\"first\"" },
    }
}

impl Pcen {
    /// Appends the stage on rows of `len` energies.
    pub(crate) fn expand(&self, stages: &mut Stages, frames: &FramesSpec, len: usize) {
        let t = self.pcen_time_s * frames.rate_hz / frames.hop as f64;
        let kind = StageKind::Pcen(graph::Pcen {
            smoothing: (libm::sqrt(1.0 + 4.0 * t * t) - 1.0) / (2.0 * t * t),
            gain: self.pcen_gain,
            bias: self.pcen_bias,
            power: self.pcen_power,
            epsilon: self.pcen_eps,
            start: match self.pcen_start {
                PcenStart::First => None,
                PcenStart::At(energy) => Some(energy),
            },
        });
        stages.push("pcen", len, kind);
    }
}
