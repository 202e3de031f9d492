//! Energy of a frame, which is kept aside while its spectrum is made.

use super::log::LogRange;
use crate::ConfigError;
use crate::config::{choices, section};

choices! {
    /// Energy of a frame, as a natural logarithm.
    pub(crate) enum EnergyKind {
        /// None.
        None = "none",
        /// Sum of the frame's squares before pre-emphasis in the frame and window. Kaldi.
        Raw = "raw",
        /// Sum of the frame's squares after the window. Kaldi's `raw_energy=false`.
        Windowed = "windowed",
        /// Sum of the spectrum's bins. python_speech_features, Edge Impulse.
        Spectrum = "spectrum",
    }
}

choices! {
    /// Where a column stands in its row.
    pub(crate) enum EnergyPosition {
        /// First.
        First = "first",
        /// Last. HTK's order of columns.
        Last = "last",
    }
}

section! {
    /// Energy of each frame.
    pub(crate) struct Energy {
        /// Energy of a frame, as a natural logarithm. In `mfcc` it replaces coefficient 0, after
        /// the lifter; in `mel` it is one more column.
        energy: EnergyKind { default: "\"none\"" },
        /// Smallest energy, before its logarithm.
        energy_floor: f64 { range: Some((1e-30, 1e12)), default: "1e-10" },
        /// Where the column of the energy stands; in `mfcc` also that of a coefficient 0 which
        /// is not replaced.
        energy_position: EnergyPosition { default: "\"first\"" },
    }
}

/// Energy that the front end keeps aside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum KeptEnergy {
    Raw { floor: f64 },
    Windowed { floor: f64 },
    Spectrum { floor: f64 },
}

impl Energy {
    /// What is kept aside.
    pub(crate) fn kept(&self) -> Option<KeptEnergy> {
        let floor = self.energy_floor;
        match self.energy {
            EnergyKind::None => None,
            EnergyKind::Raw => Some(KeptEnergy::Raw { floor }),
            EnergyKind::Windowed => Some(KeptEnergy::Windowed { floor }),
            EnergyKind::Spectrum => Some(KeptEnergy::Spectrum { floor }),
        }
    }

    pub(crate) fn is_last(&self) -> bool {
        self.energy_position == EnergyPosition::Last
    }

    /// Energy belongs to a frame, so nothing before its column may look at all rows.
    pub(crate) fn validate(&self, log: &LogRange) -> Result<(), ConfigError> {
        if self.energy == EnergyKind::None || !log.looks_at_all_rows() {
            return Ok(());
        }
        Err(ConfigError::new(
            "energy",
            format!("{:?}", self.energy.name()),
            "it cannot be combined with `top_range` or `log_reference`: expected \"none\", or \
             `top_range = \"none\"` and `log_reference = \"one\"`",
        ))
    }
}
