//! From spectra to mel energies.

use super::frames::{FramesSpec, Limits};
use super::{Stages, Switch};
use crate::ConfigError;
use crate::config::{choices, section};
use crate::graph::{FilterBank, StageKind};
use crate::tables::mel::{FilterNorm, FilterShape, MelBank, MelScale};

choices! {
    /// What happens when a filter contains no FFT bin.
    pub(crate) enum EmptyFilters {
        /// The pipeline is refused.
        Refuse = "refuse",
        /// The filter's output is 0, as librosa and TensorFlow do; `check` warns.
        Allow = "allow",
    }
}

section! {
    /// From spectra to mel energies: triangular filters that are equally spaced in mel.
    pub(crate) struct MelFilters {
        /// How frequency maps to mel.
        mel_scale: MelScale { default: "\"htk\"" },
        /// Number of mel filters.
        n_mels: usize { range: Some((1.0, 1024.0)), default: "40" },
        /// Lower corner of the first mel filter.
        f_min_hz: f64 { unit: "Hz", range: Some((0.0, 384000.0)), default: "20.0" },
        /// Upper corner of the last mel filter, at most half the sample rate.
        f_max_hz: Option<f64> { unit: "Hz", range: Some((0.0, 384000.0)), derived: "half the sample rate" },
        /// Whether `f_min_hz = 0` means 300 Hz, as in Edge Impulse's device code before version 4.
        low0_as_300: Switch { default: "\"off\"" },
        /// Shape of the mel filters and where their corners lie.
        filter_shape: FilterShape { default: "\"mel\"" },
        /// What each mel filter is divided by.
        filter_norm: FilterNorm { default: "\"none\"" },
        /// What happens when a mel filter contains no FFT bin.
        empty_filters: EmptyFilters { default: "\"refuse\"" },
    }
}

/// [`MelFilters`] that have been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MelFiltersSpec {
    /// The fields with every derived value filled in.
    pub(crate) config: MelFilters,
    bank: MelBank,
}

impl MelFilters {
    /// Checks the fields together. Paths of errors are names of fields.
    pub(crate) fn validate(&self, frames: &FramesSpec) -> Result<MelFiltersSpec, ConfigError> {
        let rate_hz = frames.rate_hz;
        let nyquist = rate_hz / 2.0;
        let f_max_hz = self.f_max_hz.unwrap_or(nyquist);
        if f_max_hz > nyquist {
            return Err(ConfigError::new(
                "f_max_hz",
                f_max_hz,
                format!("expected at most {nyquist} Hz, half of `input.rate_hz` = {rate_hz}"),
            ));
        }
        let f_min_hz = if self.low0_as_300 == Switch::On && self.f_min_hz == 0.0 {
            300.0
        } else {
            self.f_min_hz
        };
        if f_min_hz >= f_max_hz {
            return Err(ConfigError::new(
                "f_min_hz",
                f_min_hz,
                format!("expected less than `f_max_hz` = {f_max_hz}"),
            ));
        }
        if frames.config.limits == Limits::EdgeImpulse && self.n_mels < 2 {
            return Err(ConfigError::new(
                "n_mels",
                self.n_mels,
                "`limits = \"edge_impulse\"` expects at least 2 filters",
            ));
        }
        let spec = MelFiltersSpec {
            config: Self {
                f_min_hz,
                f_max_hz: Some(f_max_hz),
                ..self.clone()
            },
            bank: MelBank {
                rate_hz,
                n_fft: frames.n_fft,
                n_mels: self.n_mels,
                f_min_hz,
                f_max_hz,
                scale: self.mel_scale,
                shape: self.filter_shape,
                norm: self.filter_norm,
            },
        };
        if self.empty_filters == EmptyFilters::Refuse
            && let Some(warning) = spec.empty()
        {
            return Err(ConfigError::new(
                "n_mels",
                self.n_mels,
                format!(
                    "{warning}: use fewer filters, a larger `n_fft` or `f_min_hz`, or \
                     `empty_filters = \"allow\"`"
                ),
            ));
        }
        Ok(spec)
    }
}

impl MelFiltersSpec {
    /// The filter bank.
    pub(crate) fn bank(&self) -> FilterBank {
        self.bank.filters()
    }

    /// Says how many filters contain no FFT bin, if any.
    pub(crate) fn empty(&self) -> Option<String> {
        let bank = self.bank();
        let empty: Vec<usize> = (0..bank.filters.len())
            .filter(|&m| bank.filters[m].weights.is_empty())
            .collect();
        let first = empty.first()?;
        Some(format!(
            "{} of {} mel filters contain no FFT bin (the first is number {first}; bins are {} Hz \
             apart)",
            empty.len(),
            bank.filters.len(),
            self.bank.rate_hz / self.bank.n_fft as f64
        ))
    }

    /// Appends the stage.
    pub(crate) fn expand(&self, stages: &mut Stages) {
        stages.push("mel", self.config.n_mels, StageKind::Mel(self.bank()));
    }
}
