//! From windowed frames to spectra.

use super::{KeptEnergy, Stages};
use crate::config::{choices, section};
use crate::graph::StageKind;

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
    /// Appends the stages; `energy` is kept aside on the way.
    pub(crate) fn expand(&self, stages: &mut Stages, n_fft: usize, energy: Option<KeptEnergy>) {
        let bins = n_fft / 2 + 1;
        stages.push("rfft", bins, StageKind::Rfft { n_fft });
        let scale = match self.spectrum_norm {
            SpectrumNorm::None => 1.0,
            SpectrumNorm::NFft => 1.0 / n_fft as f64,
        };
        match self.spectrum {
            SpectrumKind::Power => stages.push("power", bins, StageKind::Power { scale }),
            SpectrumKind::Magnitude => {
                stages.push("magnitude", bins, StageKind::Magnitude { scale });
            }
        }
        if let Some(KeptEnergy::Spectrum { floor }) = energy {
            stages.push("energy", bins, StageKind::LogSum { floor });
        }
    }
}
