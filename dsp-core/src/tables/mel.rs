//! Mel filter banks.

use crate::config::choices;
use crate::graph::{Filter, FilterBank};

choices! {
    /// How frequency maps to mel.
    pub(crate) enum MelScale {
        /// `2595 log10(1 + f / 700)`. HTK, Kaldi, TensorFlow, python_speech_features.
        Htk = "htk",
        /// Linear below 1 kHz (`3 f / 200`), logarithmic above. Slaney's Auditory Toolbox, librosa.
        Slaney = "slaney",
    }
}

choices! {
    /// On which axis the triangles are straight, and where their corners lie.
    pub(crate) enum FilterShape {
        /// Triangles straight in hertz, corners at exact frequencies. librosa.
        Hz = "hz",
        /// Triangles straight in mel, corners at exact frequencies. TensorFlow, Kaldi.
        Mel = "mel",
        /// Triangles straight in bins, corners rounded to bins: `floor((n_fft + 1) f / rate)`.
        /// python_speech_features.
        Bins = "bins",
        /// As `bins`, with the uppermost corner 0.001 Hz lower, and a bin that is the peak of a
        /// filter has weight 1 even where a flank has no width. Edge Impulse, version 4.
        BinsBelow = "bins_below",
        /// As `bins_below`, but corners are `floor((n_fft / 2 + 2) f / rate)`: all filters lie in
        /// the lower half of the spectrum and weigh about half the frequencies they are named
        /// after. Edge Impulse, versions 1 to 3.
        BinsSqueezed = "bins_squeezed",
    }
}

choices! {
    /// What each filter is divided by.
    pub(crate) enum FilterNorm {
        /// Nothing: the peak is 1.
        None = "none",
        /// Half its width in hertz, so that filters have equal area. librosa's `slaney`.
        Slaney = "slaney",
        /// The sum of its weights.
        L1 = "l1",
        /// The root of the sum of its squared weights.
        L2 = "l2",
        /// Its largest weight.
        Max = "max",
    }
}

/// What a mel filter bank depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MelBank {
    /// Sample rate in hertz.
    pub(crate) rate_hz: f64,
    /// FFT length.
    pub(crate) n_fft: usize,
    /// Filters.
    pub(crate) n_mels: usize,
    /// Lower corner of the first filter in hertz.
    pub(crate) f_min_hz: f64,
    /// Upper corner of the last filter in hertz.
    pub(crate) f_max_hz: f64,
    /// How frequency maps to mel.
    pub(crate) scale: MelScale,
    /// Shape of the filters.
    pub(crate) shape: FilterShape,
    /// Normalisation of the filters.
    pub(crate) norm: FilterNorm,
}

/// Frequency at which the Slaney scale turns logarithmic, and its mel value.
const SLANEY_BREAK_HZ: f64 = 1000.0;
const SLANEY_BREAK_MEL: f64 = 15.0;

/// Mel per unit of `ln(f / 1000)` on the Slaney scale: 27 steps from 1 kHz to 6.4 kHz.
fn slaney_log_slope() -> f64 {
    27.0 / libm::log(6.4)
}

impl MelScale {
    /// Mel value of a frequency in hertz.
    pub(crate) fn mel(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * libm::log10(1.0 + hz / 700.0),
            Self::Slaney if hz < SLANEY_BREAK_HZ => 3.0 * hz / 200.0,
            Self::Slaney => SLANEY_BREAK_MEL + slaney_log_slope() * libm::log(hz / SLANEY_BREAK_HZ),
        }
    }

    /// Frequency in hertz of a mel value.
    pub(crate) fn hz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (libm::pow(10.0, mel / 2595.0) - 1.0),
            Self::Slaney if mel < SLANEY_BREAK_MEL => 200.0 * mel / 3.0,
            Self::Slaney => {
                SLANEY_BREAK_HZ * libm::exp((mel - SLANEY_BREAK_MEL) / slaney_log_slope())
            }
        }
    }
}

impl MelBank {
    /// Corner frequencies in mel: filter `m` spans corners `m` to `m + 2`.
    fn corners_mel(&self) -> Vec<f64> {
        let low = self.scale.mel(self.f_min_hz);
        let step = (self.scale.mel(self.f_max_hz) - low) / (self.n_mels + 1) as f64;
        (0..self.n_mels + 2)
            .map(|i| low + i as f64 * step)
            .collect()
    }

    /// Corners rounded to bins.
    fn corner_bins(&self, corners_hz: &[f64]) -> Vec<f64> {
        let (bins, lowered) = match self.shape {
            FilterShape::BinsSqueezed => (self.n_fft / 2 + 2, 0.001),
            FilterShape::BinsBelow => (self.n_fft + 1, 0.001),
            _ => (self.n_fft + 1, 0.0),
        };
        let last = corners_hz.len() - 1;
        corners_hz
            .iter()
            .enumerate()
            .map(|(i, &hz)| if i == last { hz - lowered } else { hz })
            .map(|hz| (bins as f64 * hz / self.rate_hz).floor())
            .collect()
    }

    /// The filters over bins `0..=n_fft / 2`.
    pub(crate) fn filters(&self) -> FilterBank {
        let corners_mel = self.corners_mel();
        let corners_hz: Vec<f64> = corners_mel.iter().map(|&mel| self.scale.hz(mel)).collect();
        let bin_hz = |k: usize| k as f64 * self.rate_hz / self.n_fft as f64;
        let bins = 0..self.n_fft / 2 + 1;
        // Positions of corners and bins on the axis on which the triangles are straight.
        let (corners, axis): (Vec<f64>, Vec<f64>) = match self.shape {
            FilterShape::Hz => (corners_hz.clone(), bins.map(bin_hz).collect()),
            FilterShape::Mel => (
                corners_mel,
                bins.map(|k| self.scale.mel(bin_hz(k))).collect(),
            ),
            FilterShape::Bins | FilterShape::BinsBelow | FilterShape::BinsSqueezed => (
                self.corner_bins(&corners_hz),
                bins.map(|k| k as f64).collect(),
            ),
        };
        let peaks_are_whole = matches!(
            self.shape,
            FilterShape::BinsBelow | FilterShape::BinsSqueezed
        );
        let filters = corners
            .windows(3)
            .zip(corners_hz.windows(3))
            .map(|(corner, hz)| {
                let peak = (peaks_are_whole && corner[0] < corner[2]).then_some(corner[1]);
                let height = |x: f64| {
                    if peak == Some(x) {
                        1.0
                    } else {
                        triangle(corner, x)
                    }
                };
                let weights: Vec<f64> = axis.iter().map(|&x| height(x)).collect();
                let divisor = match self.norm {
                    FilterNorm::None => 1.0,
                    FilterNorm::Slaney => (hz[2] - hz[0]) / 2.0,
                    FilterNorm::L1 => weights.iter().sum(),
                    FilterNorm::L2 => weights.iter().map(|w| w * w).sum::<f64>().sqrt(),
                    FilterNorm::Max => weights.iter().copied().fold(0.0, f64::max),
                };
                trimmed(&weights, divisor)
            })
            .collect();
        FilterBank { filters }
    }
}

/// Height at `x` of the triangle over `corner[0..3]`. Corners may coincide, then that flank is
/// a step, and its corner belongs to the other flank.
fn triangle(corner: &[f64], x: f64) -> f64 {
    if x <= corner[0] && x < corner[1] || x >= corner[2] {
        0.0
    } else if x < corner[1] {
        (x - corner[0]) / (corner[1] - corner[0])
    } else {
        (corner[2] - x) / (corner[2] - corner[1])
    }
}

/// The run from the first to the last weight that is not 0, divided.
fn trimmed(weights: &[f64], divisor: f64) -> Filter {
    let used = |w: &f64| *w > 0.0;
    match (
        weights.iter().position(used),
        weights.iter().rposition(used),
    ) {
        (Some(first), Some(last)) => Filter {
            first,
            weights: weights[first..=last].iter().map(|w| w / divisor).collect(),
        },
        _ => Filter {
            first: 0,
            weights: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_monotonic_and_invertible() {
        for scale in [MelScale::Htk, MelScale::Slaney] {
            let mut previous = f64::NEG_INFINITY;
            for i in 0..=480 {
                let hz = i as f64 * 50.0;
                let mel = scale.mel(hz);
                assert!(mel > previous);
                assert!((scale.hz(mel) - hz).abs() < 1e-8, "{hz}");
                previous = mel;
            }
        }
    }

    #[test]
    fn htk_scale_gives_1000_mel_at_1_khz() {
        assert!((MelScale::Htk.mel(1000.0) - 1000.0).abs() < 0.02);
        assert!((MelScale::Slaney.mel(1000.0) - 15.0).abs() < 1e-12);
    }

    #[test]
    fn neighbours_without_norm_add_up_to_one_between_the_first_and_last_peak() {
        for shape in [FilterShape::Hz, FilterShape::Mel, FilterShape::Bins] {
            let bank = MelBank {
                rate_hz: 16000.0,
                n_fft: 512,
                n_mels: 20,
                f_min_hz: 100.0,
                f_max_hz: 7000.0,
                scale: MelScale::Htk,
                shape,
                norm: FilterNorm::None,
            };
            let mut sum = [0.0; 257];
            for filter in bank.filters().filters {
                for (s, w) in sum[filter.first..].iter_mut().zip(&filter.weights) {
                    *s += w;
                }
            }
            for (bin, s) in sum.iter().enumerate().take(190).skip(10) {
                assert!((s - 1.0).abs() < 1e-12, "{shape:?} bin {bin}: {s}");
            }
        }
    }
}
