//! From windowed frames to spectra.

use super::frames::FramesSpec;
use super::{KeptEnergy, Stages};
use crate::ConfigError;
use crate::config::{choices, section};
use crate::graph::{Filter, FilterBank, StageKind};

choices! {
    /// What is taken from each FFT bin.
    pub(crate) enum SpectrumKind {
        /// `|X|^2`.
        Power = "power",
        /// `|X|`.
        Magnitude = "magnitude",
    }
}

choices! {
    /// What the spectrum is divided by.
    pub(crate) enum SpectrumNorm {
        /// Nothing.
        None = "none",
        /// The FFT length. python_speech_features, Edge Impulse.
        NFft = "n_fft",
        /// The window's energy, `sum w^2`, for powers; its root for magnitudes. torchaudio's
        /// `normalized=True`.
        Window = "window",
        /// Power per hertz on one side of the spectrum: divided by `rate_hz sum w^2`, and doubled
        /// but for 0 Hz and half the sample rate. scipy's `spectrogram` and `periodogram`.
        Density = "density",
    }
}

section! {
    /// From windowed frames to spectra: the FFT, of which bins 0 to `n_fft / 2` are used.
    pub(crate) struct Spectrum {
        /// What is taken from each FFT bin.
        spectrum: SpectrumKind { default: "\"power\"" },
        /// What the spectrum is divided by.
        spectrum_norm: SpectrumNorm { default: "\"none\"" },
    }
}

impl Spectrum {
    /// Checks the fields together. Paths of errors are names of fields.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.spectrum_norm == SpectrumNorm::Density && self.spectrum != SpectrumKind::Power {
            return Err(ConfigError::new(
                "spectrum_norm",
                "\"density\"",
                "a density is one of power: expected `spectrum = \"power\"`, or another norm",
            ));
        }
        Ok(())
    }

    /// Appends the stages; `energy` is kept aside on the way.
    pub(crate) fn expand(
        &self,
        stages: &mut Stages,
        frames: &FramesSpec,
        energy: Option<KeptEnergy>,
    ) {
        let n_fft = frames.n_fft;
        let bins = n_fft / 2 + 1;
        stages.push("rfft", bins, StageKind::Rfft { n_fft });
        let window: f64 = frames.window().iter().map(|w| w * w).sum();
        let (power, magnitude) = match self.spectrum_norm {
            SpectrumNorm::None => (1.0, 1.0),
            SpectrumNorm::NFft => (1.0 / n_fft as f64, 1.0 / n_fft as f64),
            SpectrumNorm::Window => (1.0 / window, 1.0 / window.sqrt()),
            SpectrumNorm::Density => (1.0 / (frames.rate_hz * window), 1.0),
        };
        match self.spectrum {
            SpectrumKind::Power => stages.push("power", bins, StageKind::Power { scale: power }),
            SpectrumKind::Magnitude => {
                stages.push("magnitude", bins, StageKind::Magnitude { scale: magnitude });
            }
        }
        if self.spectrum_norm == SpectrumNorm::Density {
            // A filter of one bin each, which every numeric has an operator for.
            let filters = (0..bins).map(|first| Filter {
                first,
                weights: vec![if first == 0 || 2 * first == n_fft {
                    1.0
                } else {
                    2.0
                }],
            });
            let bank = FilterBank {
                filters: filters.collect(),
            };
            stages.push("one_side", bins, StageKind::Mel(bank));
        }
        if let Some(KeptEnergy::Spectrum { floor }) = energy {
            stages.push("energy", bins, StageKind::LogSum { floor });
        }
    }
}
