//! Subtraction of steady noise from spectra or mel energies.

use super::Stages;
use crate::config::{choices, section};
use crate::graph::{NoiseSubtraction, StageKind};

choices! {
    /// Where steady noise is subtracted.
    pub(crate) enum SpectralSubtraction {
        /// Nowhere.
        None = "none",
        /// From each FFT bin, before the mel filters.
        Spectrum = "spectrum",
        /// From each mel energy, before the logarithm.
        Mel = "mel",
    }
}

section! {
    /// Spectral subtraction: an estimate of each band's noise follows its energy slowly and is
    /// subtracted from it. It starts at 0, and anew with each window.
    ///
    /// `noise[t] = noise[t-1] + noise_smoothing (E - noise[t-1])`,
    /// `max(E - noise_factor noise[t], min_remaining E)`.
    pub(crate) struct Noise {
        /// Where steady noise is subtracted.
        spectral_subtraction: SpectralSubtraction { default: "\"none\"" },
        /// Share of a frame in the estimate of the noise: with 0.025 and a hop of 10 ms it
        /// follows within 0.4 s.
        noise_smoothing: f64 { range: Some((0.0001, 1.0)), default: "0.025" },
        /// How often the estimate is subtracted.
        noise_factor: f64 { range: Some((0.0, 15.0)), default: "1.0" },
        /// Share of the energy that always remains.
        min_remaining: f64 { range: Some((0.0, 0.999)), default: "0.05" },
    }
}

impl Noise {
    /// Appends the stage on rows of `len` values, if this is `place`.
    pub(crate) fn expand(&self, stages: &mut Stages, place: SpectralSubtraction, len: usize) {
        if self.spectral_subtraction == place {
            let kind = StageKind::SubtractNoise(NoiseSubtraction {
                smoothing: self.noise_smoothing,
                factor: self.noise_factor,
                remaining: self.min_remaining,
            });
            stages.push("spectral_subtraction", len, kind);
        }
    }
}
