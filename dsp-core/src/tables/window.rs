//! Window functions.

use std::f64::consts::PI;

use crate::config::choices;

choices! {
    /// Shape of the window that each frame is multiplied with, at phase `p` from 0 to 1.
    pub(crate) enum WindowKind {
        /// All ones: no window.
        Rectangular = "rectangular",
        /// `0.5 - 0.5 cos(2 pi p)`.
        Hann = "hann",
        /// `0.54 - 0.46 cos(2 pi p)`.
        Hamming = "hamming",
        /// `0.42 - 0.5 cos(2 pi p) + 0.08 cos(4 pi p)`.
        Blackman = "blackman",
        /// Hann to the power of 0.85, Kaldi's default.
        Povey = "povey",
        /// Tukey: flanks of a Hann window over the first and last eighth, 1 between them. scipy's
        /// `("tukey", 0.25)`.
        Tukey = "tukey",
    }
}

choices! {
    /// Where the window's phase reaches 1.
    pub(crate) enum WindowSymmetry {
        /// One sample after the last: `p = n / N`. For spectra; librosa and TensorFlow.
        Periodic = "periodic",
        /// At the last sample: `p = n / (N - 1)`. Kaldi, numpy, python_speech_features.
        Symmetric = "symmetric",
    }
}

/// The `len` values of a window.
pub(crate) fn window(kind: WindowKind, symmetry: WindowSymmetry, len: usize) -> Vec<f64> {
    let period = match symmetry {
        WindowSymmetry::Periodic => len,
        WindowSymmetry::Symmetric => len.saturating_sub(1),
    };
    if period == 0 {
        return vec![1.0; len];
    }
    let cosine =
        |harmonic: f64, n: usize| libm::cos(2.0 * PI * harmonic * n as f64 / period as f64);
    (0..len)
        .map(|n| match kind {
            WindowKind::Rectangular => 1.0,
            WindowKind::Hann => 0.5 - 0.5 * cosine(1.0, n),
            WindowKind::Hamming => 0.54 - 0.46 * cosine(1.0, n),
            WindowKind::Blackman => 0.42 - 0.5 * cosine(1.0, n) + 0.08 * cosine(2.0, n),
            WindowKind::Povey => libm::pow(0.5 - 0.5 * cosine(1.0, n), 0.85),
            WindowKind::Tukey if 8 * n >= period && 8 * (period - n) >= period => 1.0,
            WindowKind::Tukey => 0.5 - 0.5 * cosine(4.0, n),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periodic_windows_are_symmetric_windows_one_longer() {
        for &kind in WindowKind::ALL {
            for len in [1, 2, 5, 400, 513] {
                let longer = window(kind, WindowSymmetry::Symmetric, len + 1);
                assert_eq!(window(kind, WindowSymmetry::Periodic, len), longer[..len]);
            }
        }
    }

    #[test]
    fn hann_windows_half_overlapped_sum_to_one() {
        let hann = window(WindowKind::Hann, WindowSymmetry::Periodic, 480);
        for n in 0..240 {
            assert!((hann[n] + hann[n + 240] - 1.0).abs() < 1e-15);
        }
    }
}
