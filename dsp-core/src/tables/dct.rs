//! Discrete cosine transforms as matrices, with the lifter folded in.

use std::f64::consts::{PI, SQRT_2};

use crate::config::choices;
use crate::graph::Matrix;

choices! {
    /// Type of the discrete cosine transform over the `M` mel values.
    pub(crate) enum DctType {
        /// DCT-I: `x[0] + (-1)^k x[M-1] + 2 sum x[m] cos(pi k m / (M - 1))`.
        One = "1",
        /// DCT-II: `2 sum x[m] cos(pi k (2 m + 1) / (2 M))`. What MFCC means by "the DCT".
        Two = "2",
        /// DCT-III: `x[0] + 2 sum x[m] cos(pi (2 k + 1) m / (2 M))`.
        Three = "3",
    }
}

choices! {
    /// Scale of the discrete cosine transform.
    pub(crate) enum DctNorm {
        /// As the formula of the type says (scipy's `norm=None`).
        None = "none",
        /// Orthonormal: the matrix times its transpose is the identity (scipy's `ortho`).
        Ortho = "ortho",
        /// Every row of DCT-II, the first one too, by `sqrt(1 / (2 M))`, as
        /// `tf.signal.mfccs_from_log_mel_spectrograms`. CMSIS-DSP has the same scale.
        Tf = "tf",
    }
}

choices! {
    /// Formula of the lifter, which weighs coefficient `k` with the lifter length `L`.
    pub(crate) enum Lifter {
        /// No lifter.
        None = "none",
        /// `1 + (L / 2) sin(pi k / L)`. HTK, Kaldi, python_speech_features.
        Htk = "htk",
        /// `1 + (L / 2) sin(pi (k + 1) / L)`. librosa.
        Librosa = "librosa",
    }
}

impl Lifter {
    /// Weight of coefficient `k` for the lifter length `length`.
    pub(crate) fn weight(self, length: f64, k: usize) -> f64 {
        let index = match self {
            Self::None => return 1.0,
            Self::Htk => k as f64,
            Self::Librosa => (k + 1) as f64,
        };
        1.0 + length / 2.0 * libm::sin(PI * index / length)
    }
}

/// `cos(pi * numerator / denominator)`, reduced to one turn first so that large numerators keep
/// all their bits.
fn cos_pi(numerator: usize, denominator: usize) -> f64 {
    libm::cos(PI * (numerator % (2 * denominator)) as f64 / denominator as f64)
}

/// The first `n_out` rows of the transform of `n_in` values. [`DctNorm::Tf`] is meant for
/// DCT-II; DCT-I needs `n_in >= 2`.
pub(crate) fn dct(kind: DctType, norm: DctNorm, n_in: usize, n_out: usize) -> Matrix {
    let m = n_in as f64;
    let last = n_in.saturating_sub(1).max(1);
    let half_at_ends = |i: usize| {
        if i == 0 || i == last {
            1.0 / SQRT_2
        } else {
            1.0
        }
    };
    let mut values = Vec::with_capacity(n_in * n_out);
    for k in 0..n_out {
        for n in 0..n_in {
            values.push(match (kind, norm) {
                (DctType::One, DctNorm::Ortho) => {
                    (2.0 / last as f64).sqrt()
                        * half_at_ends(k)
                        * half_at_ends(n)
                        * cos_pi(k * n, last)
                }
                (DctType::One, _) => {
                    let weight = if n == 0 || n == last { 1.0 } else { 2.0 };
                    weight * cos_pi(k * n, last)
                }
                (DctType::Two, norm) => {
                    let scale = match norm {
                        DctNorm::None => 2.0,
                        DctNorm::Ortho if k == 0 => (1.0 / m).sqrt(),
                        DctNorm::Ortho | DctNorm::Tf => (2.0 / m).sqrt(),
                    };
                    scale * cos_pi(k * (2 * n + 1), 2 * n_in)
                }
                (DctType::Three, norm) => {
                    let scale = match (norm, n) {
                        (DctNorm::Ortho, 0) => (1.0 / m).sqrt(),
                        (DctNorm::Ortho, _) => (2.0 / m).sqrt(),
                        (_, 0) => 1.0,
                        (_, _) => 2.0,
                    };
                    scale * cos_pi((2 * k + 1) * n, 2 * n_in)
                }
            });
        }
    }
    Matrix {
        rows: n_out,
        cols: n_in,
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ortho_matrices_are_orthonormal() {
        for &kind in DctType::ALL {
            for n in [2, 5, 40] {
                let matrix = dct(kind, DctNorm::Ortho, n, n);
                let row = |i: usize| &matrix.values[i * n..(i + 1) * n];
                for i in 0..n {
                    for j in 0..n {
                        let product: f64 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
                        let identity = if i == j { 1.0 } else { 0.0 };
                        assert!((product - identity).abs() < 1e-13, "{kind:?} {n} {i} {j}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_norm_a_constant_lands_in_the_first_coefficient_as_scipy_says() {
        for (kind, first) in [(DctType::One, 2.0 * 7.0), (DctType::Two, 2.0 * 8.0)] {
            let matrix = dct(kind, DctNorm::None, 8, 3);
            let sums: Vec<f64> = matrix.values.chunks(8).map(|r| r.iter().sum()).collect();
            assert!((sums[0] - first).abs() < 1e-12, "{kind:?} {sums:?}");
            assert!(sums[2].abs() < 1e-12, "{kind:?} {sums:?}");
        }
    }

    #[test]
    fn lifters_differ_by_one_index() {
        for k in 1..13 {
            let htk = Lifter::Htk.weight(22.0, k);
            assert_eq!(htk, Lifter::Librosa.weight(22.0, k - 1));
        }
        assert_eq!(Lifter::Htk.weight(22.0, 0), 1.0);
    }
}
