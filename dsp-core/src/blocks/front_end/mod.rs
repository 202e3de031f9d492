//! From samples to spectra, mel energies and their logarithm: what `spectrogram`, `mel` and
//! `mfcc` share.
//!
//! | file | fields and stages |
//! |---|---|
//! | `frames` | scale, pre-emphasis, framing, window |
//! | `spectrum` | FFT, power or magnitude |
//! | `filters` | mel filters |
//! | `noise` | spectral subtraction |
//! | `pcen` | per-channel energy normalisation |
//! | `log` | logarithm, its range, mapping to 0..1 |
//! | `energy` | energy of a frame, which is kept aside |
//! | `lengths` | from milliseconds to samples |

pub(crate) mod energy;
pub(crate) mod filters;
pub(crate) mod frames;
mod lengths;
pub(crate) mod log;
pub(crate) mod noise;
mod padding;
pub(crate) mod pcen;
pub(crate) mod spectrum;

pub(crate) use energy::KeptEnergy;
pub(crate) use frames::both;
pub(crate) use lengths::whole_samples;

use crate::ConfigError;
use crate::config::{Section, Table, choices};
use crate::graph::{Stage, StageKind};
use crate::input::Input;
use filters::{MelFilters, MelFiltersSpec};
use frames::{Frames, FramesSpec};
use log::LogRange;
use noise::{Noise, SpectralSubtraction};
use pcen::Pcen;
use spectrum::Spectrum;

choices! {
    /// Off or on.
    pub(crate) enum Switch {
        /// No.
        Off = "off",
        /// Yes.
        On = "on",
    }
}

/// Stages of a block, which are named after it.
pub(crate) struct Stages {
    id: String,
    pub(crate) list: Vec<Stage>,
}

impl Stages {
    /// No stages, of the block `id`.
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            list: Vec::new(),
        }
    }

    /// Appends the stage `id.name` with `len` values in its output.
    pub(crate) fn push(&mut self, name: &str, len: usize, kind: StageKind) {
        self.list.push(Stage {
            name: format!("{}.{name}", self.id),
            len,
            kind,
        });
    }
}

/// Fields from samples to log-mel energies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FrontEnd {
    frames: Frames,
    spectrum: Spectrum,
    noise: Noise,
    filters: MelFilters,
    log: LogRange,
    pcen: Pcen,
}

/// A [`FrontEnd`] that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FrontEndSpec {
    pub(crate) frames: FramesSpec,
    pub(crate) spectrum: Spectrum,
    pub(crate) noise: Noise,
    pub(crate) filters: MelFiltersSpec,
    pub(crate) log: LogRange,
    pub(crate) pcen: Pcen,
}

impl FrontEnd {
    pub(crate) fn read(table: &Table, path: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            frames: Frames::read(table, path)?,
            spectrum: Spectrum::read(table, path)?,
            noise: Noise::read(table, path)?,
            filters: MelFilters::read(table, path)?,
            log: LogRange::read(table, path)?,
            pcen: Pcen::read(table, path)?,
        })
    }

    /// Checks the fields together, and fills in what follows from others. Paths of errors are
    /// names of fields.
    pub(crate) fn validate(&self, input: &Input) -> Result<FrontEndSpec, ConfigError> {
        let frames = self.frames.validate(input)?;
        self.spectrum.validate()?;
        let filters = self.filters.validate(&frames)?;
        self.log.validate(input)?;
        Ok(FrontEndSpec {
            frames,
            spectrum: self.spectrum.clone(),
            noise: self.noise.clone(),
            filters,
            log: self.log.clone(),
            pcen: self.pcen.clone(),
        })
    }
}

impl FrontEndSpec {
    /// Values in a row.
    pub(crate) fn n_mels(&self) -> usize {
        self.filters.config.n_mels
    }

    /// Appends the stages from a frame to its log-mel values; `energy` is kept aside on the way.
    pub(crate) fn expand(&self, stages: &mut Stages, energy: Option<KeptEnergy>) {
        self.frames.expand(stages, energy);
        let n_fft = self.frames.n_fft;
        self.spectrum.expand(stages, &self.frames, energy);
        self.noise
            .expand(stages, SpectralSubtraction::Spectrum, n_fft / 2 + 1);
        self.filters.expand(stages);
        self.noise
            .expand(stages, SpectralSubtraction::Mel, self.n_mels());
        if self.log.is_pcen() {
            self.pcen.expand(stages, &self.frames, self.n_mels());
        }
        self.log.expand(stages, self.n_mels());
    }

    /// Every field with its value, as TOML.
    pub(crate) fn write(&self) -> Vec<(&'static str, String)> {
        [
            self.frames.config.write(),
            self.spectrum.write(),
            self.noise.write(),
            self.filters.config.write(),
            self.log.write(),
            self.pcen.write(),
        ]
        .concat()
    }
}
