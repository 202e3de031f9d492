//! Filter banks of the discrete wavelet transform, derived from the conditions that define them.
//!
//! With `P_L(y) = sum_(k < L) C(L-1+k, k) y^k` and `y = (2 - z - 1/z) / 4`, the half-band filter of
//! Daubechies is `((1+z)/2)^(2L) P_L(y)` (*Ten Lectures on Wavelets*, chapters 6 and 8). Each
//! family splits its roots in its own way. Coiflets solve their moment equations.
//!
//! Filters are ordered and normalised as in PyWavelets: each low-pass sums to `sqrt(2)`, both
//! filters of a bank have the same even length.

use std::f64::consts::SQRT_2;

use rustfft::num_complex::Complex64;

use super::polynomial::{product, roots, sqrt};
use crate::config::choices;

choices! {
    /// Wavelet of a decomposition. Numbers are vanishing moments; for biorthogonal ones
    /// (`bior`, spline or Cohen-Daubechies-Feauveau) those of reconstruction and decomposition.
    /// `rbio` swaps the two.
    pub(crate) enum Wavelet {
        /// Haar: differences of pairs.
        Haar = "haar",
        /// Daubechies, 4 taps.
        Db2 = "db2",
        /// Daubechies, 6 taps.
        Db3 = "db3",
        /// Daubechies, 8 taps.
        Db4 = "db4",
        /// Daubechies, 10 taps.
        Db5 = "db5",
        /// Daubechies, 12 taps.
        Db6 = "db6",
        /// Daubechies, 14 taps.
        Db7 = "db7",
        /// Daubechies, 16 taps.
        Db8 = "db8",
        /// Daubechies, 18 taps.
        Db9 = "db9",
        /// Daubechies, 20 taps.
        Db10 = "db10",
        /// Least asymmetric, 4 taps: the same as `db2`.
        Sym2 = "sym2",
        /// Least asymmetric, 6 taps: the same as `db3`.
        Sym3 = "sym3",
        /// Least asymmetric, 8 taps.
        Sym4 = "sym4",
        /// Least asymmetric, 10 taps.
        Sym5 = "sym5",
        /// Least asymmetric, 12 taps.
        Sym6 = "sym6",
        /// Least asymmetric, 14 taps.
        Sym7 = "sym7",
        /// Least asymmetric, 16 taps.
        Sym8 = "sym8",
        /// Least asymmetric, 18 taps.
        Sym9 = "sym9",
        /// Least asymmetric, 20 taps.
        Sym10 = "sym10",
        /// Coiflet, 6 taps.
        Coif1 = "coif1",
        /// Coiflet, 12 taps.
        Coif2 = "coif2",
        /// Coiflet, 18 taps.
        Coif3 = "coif3",
        /// Biorthogonal spline, 1 and 3.
        Bior13 = "bior1.3",
        /// Biorthogonal spline, 1 and 5.
        Bior15 = "bior1.5",
        /// Biorthogonal spline, 2 and 2.
        Bior22 = "bior2.2",
        /// Biorthogonal spline, 2 and 4.
        Bior24 = "bior2.4",
        /// Biorthogonal spline, 2 and 6.
        Bior26 = "bior2.6",
        /// Biorthogonal spline, 2 and 8.
        Bior28 = "bior2.8",
        /// Biorthogonal spline, 3 and 1.
        Bior31 = "bior3.1",
        /// Biorthogonal spline, 3 and 3.
        Bior33 = "bior3.3",
        /// Biorthogonal spline, 3 and 5.
        Bior35 = "bior3.5",
        /// Biorthogonal spline, 3 and 7.
        Bior37 = "bior3.7",
        /// Biorthogonal spline, 3 and 9.
        Bior39 = "bior3.9",
        /// Biorthogonal with nearly orthogonal filters of 7 and 9 taps.
        Bior44 = "bior4.4",
        /// Biorthogonal with nearly orthogonal filters of 11 and 9 taps.
        Bior55 = "bior5.5",
        /// Biorthogonal with nearly orthogonal filters of 11 and 17 taps.
        Bior68 = "bior6.8",
        /// Reverse of `bior1.3`.
        Rbio13 = "rbio1.3",
        /// Reverse of `bior1.5`.
        Rbio15 = "rbio1.5",
        /// Reverse of `bior2.2`.
        Rbio22 = "rbio2.2",
        /// Reverse of `bior2.4`.
        Rbio24 = "rbio2.4",
        /// Reverse of `bior2.6`.
        Rbio26 = "rbio2.6",
        /// Reverse of `bior2.8`.
        Rbio28 = "rbio2.8",
        /// Reverse of `bior3.1`.
        Rbio31 = "rbio3.1",
        /// Reverse of `bior3.3`.
        Rbio33 = "rbio3.3",
        /// Reverse of `bior3.5`.
        Rbio35 = "rbio3.5",
        /// Reverse of `bior3.7`.
        Rbio37 = "rbio3.7",
        /// Reverse of `bior3.9`.
        Rbio39 = "rbio3.9",
        /// Reverse of `bior4.4`.
        Rbio44 = "rbio4.4",
        /// Reverse of `bior5.5`.
        Rbio55 = "rbio5.5",
        /// Reverse of `bior6.8`.
        Rbio68 = "rbio6.8",
    }
}

/// The decomposition filters of a wavelet: of the same even length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DecompositionFilters {
    /// Low-pass, for the approximation.
    pub low: Vec<f64>,
    /// High-pass, for the detail.
    pub high: Vec<f64>,
}

/// What splits the half-band filter between the two low-passes.
enum Split {
    /// Roots in the unit circle.
    Daubechies(usize),
    /// From each set of roots (a real one, or a conjugate pair) those inside the unit circle, or
    /// where its bit is set those outside: the choice with the most linear phase.
    LeastAsymmetric(usize, u32),
    /// Moment equations, from a start to two decimals that says which of their solutions.
    Coiflet(&'static [f64]),
    /// Zeros at -1 of the reconstruction and of the decomposition filter; which set of roots goes
    /// to the reconstruction filter, where one does.
    Biorthogonal(usize, usize, Option<usize>),
}

impl Wavelet {
    /// The filters.
    pub(crate) fn filters(self) -> DecompositionFilters {
        let (split, reversed) = self.split();
        let (reconstruction, decomposition) = match split {
            Split::Daubechies(n) => orthogonal(spectral_factor(n, 0)),
            Split::LeastAsymmetric(n, outside) => orthogonal(spectral_factor(n, outside)),
            Split::Coiflet(start) => orthogonal(coiflet(start)),
            Split::Biorthogonal(reconstruction, decomposition, set) => {
                biorthogonal(reconstruction, decomposition, set)
            }
        };
        let (low, other) = if reversed {
            let backwards = |x: Vec<f64>| x.into_iter().rev().collect::<Vec<f64>>();
            (backwards(reconstruction), backwards(decomposition))
        } else {
            (decomposition, reconstruction)
        };
        let high = other
            .iter()
            .enumerate()
            .map(|(k, h)| if k % 2 == 0 { -h } else { *h })
            .collect();
        DecompositionFilters { low, high }
    }

    /// The derivation, and whether it is that of the reverse wavelet.
    fn split(self) -> (Split, bool) {
        use Split::{Biorthogonal, Coiflet, Daubechies, LeastAsymmetric};
        let plain = match self {
            Self::Haar => Daubechies(1),
            Self::Db2 => Daubechies(2),
            Self::Db3 => Daubechies(3),
            Self::Db4 => Daubechies(4),
            Self::Db5 => Daubechies(5),
            Self::Db6 => Daubechies(6),
            Self::Db7 => Daubechies(7),
            Self::Db8 => Daubechies(8),
            Self::Db9 => Daubechies(9),
            Self::Db10 => Daubechies(10),
            Self::Sym2 => LeastAsymmetric(2, 0),
            Self::Sym3 => LeastAsymmetric(3, 0),
            Self::Sym4 => LeastAsymmetric(4, 0b10),
            Self::Sym5 => LeastAsymmetric(5, 0b01),
            Self::Sym6 => LeastAsymmetric(6, 0b101),
            Self::Sym7 => LeastAsymmetric(7, 0b001),
            Self::Sym8 => LeastAsymmetric(8, 0b1010),
            Self::Sym9 => LeastAsymmetric(9, 0b0110),
            Self::Sym10 => LeastAsymmetric(10, 0b10101),
            Self::Coif1 => Coiflet(&[-0.07, 0.34, 0.85, 0.38, -0.07, -0.02]),
            Self::Coif2 => Coiflet(&[
                0.02, -0.04, -0.07, 0.39, 0.81, 0.42, -0.08, -0.06, 0.02, 0.01, 0.0, 0.0,
            ]),
            Self::Coif3 => Coiflet(&[
                0.0, 0.01, 0.02, -0.07, -0.06, 0.41, 0.79, 0.43, -0.07, -0.08, 0.03, 0.02, -0.01,
                0.0, 0.0, 0.0, 0.0, 0.0,
            ]),
            Self::Bior13 | Self::Rbio13 => Biorthogonal(1, 3, None),
            Self::Bior15 | Self::Rbio15 => Biorthogonal(1, 5, None),
            Self::Bior22 | Self::Rbio22 => Biorthogonal(2, 2, None),
            Self::Bior24 | Self::Rbio24 => Biorthogonal(2, 4, None),
            Self::Bior26 | Self::Rbio26 => Biorthogonal(2, 6, None),
            Self::Bior28 | Self::Rbio28 => Biorthogonal(2, 8, None),
            Self::Bior31 | Self::Rbio31 => Biorthogonal(3, 1, None),
            Self::Bior33 | Self::Rbio33 => Biorthogonal(3, 3, None),
            Self::Bior35 | Self::Rbio35 => Biorthogonal(3, 5, None),
            Self::Bior37 | Self::Rbio37 => Biorthogonal(3, 7, None),
            Self::Bior39 | Self::Rbio39 => Biorthogonal(3, 9, None),
            Self::Bior44 | Self::Rbio44 => Biorthogonal(4, 4, Some(0)),
            // Six and four zeros, although both are called 5.
            Self::Bior55 | Self::Rbio55 => Biorthogonal(6, 4, Some(0)),
            Self::Bior68 | Self::Rbio68 => Biorthogonal(6, 8, Some(1)),
        };
        (plain, self.name().starts_with("rbio"))
    }
}

/// An orthogonal wavelet's reconstruction low-pass, and its decomposition low-pass: the same
/// backwards.
fn orthogonal(reconstruction: Vec<f64>) -> (Vec<f64>, Vec<f64>) {
    let decomposition = reconstruction.iter().rev().copied().collect();
    (reconstruction, decomposition)
}

/// The roots of `P_L`, conjugates together.
fn root_sets(l: usize) -> Vec<Vec<Complex64>> {
    let mut binomials = vec![1.0];
    for k in 1..l {
        binomials.push(binomials[k - 1] * (l - 1 + k) as f64 / k as f64);
    }
    let mut sets: Vec<Vec<Complex64>> = Vec::new();
    for root in roots(&binomials) {
        match sets.last_mut() {
            Some(set) if root.im < 0.0 => set.push(root),
            _ => sets.push(vec![root]),
        }
    }
    sets
}

/// `((1+z)/2)^zeros` times the factors, with sum `sqrt(2)`.
fn low_pass(zeros: usize, factors: impl Iterator<Item = Vec<Complex64>>) -> Vec<f64> {
    let half = Complex64::new(0.5, 0.0);
    let mut filter = vec![Complex64::new(1.0, 0.0)];
    for _ in 0..zeros {
        filter = product(&filter, &[half, half]);
    }
    for factor in factors {
        filter = product(&filter, &factor);
    }
    let sum: f64 = filter.iter().map(|c| c.re).sum();
    filter.iter().map(|c| c.re * (SQRT_2 / sum)).collect()
}

/// A filter of `2 n` taps whose autocorrelation is the half-band filter. Each root `y` gives two
/// reciprocal roots `z`; a bit of `outside` takes the larger ones of a set.
fn spectral_factor(n: usize, outside: u32) -> Vec<f64> {
    let one = Complex64::new(1.0, 0.0);
    let sets = root_sets(n);
    let factors = sets.iter().enumerate().flat_map(|(i, set)| {
        set.iter().map(move |y| {
            let middle = one - y * 2.0;
            let distance = sqrt(middle * middle - one);
            let (a, b) = (middle + distance, middle - distance);
            let (inside, beyond) = if a.norm_sqr() < b.norm_sqr() {
                (a, b)
            } else {
                (b, a)
            };
            let z = if outside >> i & 1 == 1 {
                beyond
            } else {
                inside
            };
            vec![one, -z]
        })
    });
    low_pass(n, factors)
}

/// Reconstruction and decomposition low-pass, filled with zeros to the same even length. Filters of
/// odd length lie one tap apart, which is where perfect reconstruction has them.
fn biorthogonal(
    reconstruction: usize,
    decomposition: usize,
    set: Option<usize>,
) -> (Vec<f64>, Vec<f64>) {
    let sets = root_sets((reconstruction + decomposition) / 2);
    let filter = |zeros: usize, for_reconstruction: bool| {
        let chosen = sets
            .iter()
            .enumerate()
            .filter(|&(i, _)| (set == Some(i)) == for_reconstruction)
            .flat_map(|(_, set)| set);
        // y - y_k is proportional to 1 - (2 - 4 y_k) z + z^2.
        let one = Complex64::new(1.0, 0.0);
        low_pass(zeros, chosen.map(|y| vec![one, y * 4.0 - one * 2.0, one]))
    };
    let (reconstruction, decomposition) =
        (filter(reconstruction, true), filter(decomposition, false));
    let odd = decomposition.len() % 2;
    let len = reconstruction.len().max(decomposition.len()) + odd;
    let placed = |filter: Vec<f64>, middle: usize| {
        let mut placed = vec![0.0; len];
        let start = middle - filter.len() / 2;
        placed[start..start + filter.len()].copy_from_slice(&filter);
        placed
    };
    (
        placed(reconstruction, len / 2 - odd),
        placed(decomposition, len / 2),
    )
}

/// A coiflet of `6 K` taps from a rough start, by Gauss-Newton on its equations: orthonormal to its
/// even shifts, `2 K` vanishing moments of the wavelet, and of the scaling function about `2 K`.
fn coiflet(start: &[f64]) -> Vec<f64> {
    let n = start.len();
    let k = n / 6;
    // Powers of the position are nearly dependent, Chebyshev polynomials are not.
    let moments: Vec<Vec<f64>> = (0..2 * k)
        .map(|p| (0..n).map(|i| chebyshev(p, position(i, k))).collect())
        .collect();
    let mut h = start.to_vec();
    for _ in 0..20 {
        // Rows of the Jacobian, each with its residual.
        let mut rows: Vec<(Vec<f64>, f64)> = Vec::new();
        for shift in (0..n).step_by(2) {
            let mut row = vec![0.0; n];
            let mut residual = if shift == 0 { -1.0 } else { 0.0 };
            for i in 0..n - shift {
                residual += h[i] * h[i + shift];
                row[i] += h[i + shift];
                row[i + shift] += h[i];
            }
            rows.push((row, residual));
        }
        for (p, moment) in moments.iter().enumerate() {
            let alternating: Vec<f64> = moment
                .iter()
                .enumerate()
                .map(|(i, m)| if i % 2 == 0 { *m } else { -m })
                .collect();
            rows.push((alternating.clone(), dot(&alternating, &h)));
            let expected = SQRT_2 * chebyshev(p, 0.0);
            rows.push((moment.clone(), dot(moment, &h) - expected));
        }
        let mut normal = vec![vec![0.0; n + 1]; n];
        for (row, residual) in &rows {
            for i in 0..n {
                for j in 0..n {
                    normal[i][j] += row[i] * row[j];
                }
                normal[i][n] += row[i] * residual;
            }
        }
        for (h, step) in h.iter_mut().zip(solve(normal)) {
            *h -= step;
        }
    }
    h
}

/// Position of tap `i` of a coiflet of order `k`, 0 at the tap about which moments vanish.
fn position(i: usize, k: usize) -> f64 {
    (i as f64 - 2.0 * k as f64) / (4.0 * k as f64)
}

/// The Chebyshev polynomial of degree `p` at `x`.
fn chebyshev(p: usize, x: f64) -> f64 {
    let (mut value, mut next) = (1.0, x);
    for _ in 0..p {
        (value, next) = (next, 2.0 * x * next - value);
    }
    value
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solves a linear system whose right side is its last column, by elimination with row pivots.
fn solve(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let n = rows.len();
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))
            .unwrap_or(column);
        rows.swap(column, pivot);
        let (done, rest) = rows.split_at_mut(column + 1);
        let pivot = &done[column];
        for row in rest {
            let factor = row[column] / pivot[column];
            for (x, p) in row[column..].iter_mut().zip(&pivot[column..]) {
                *x -= factor * p;
            }
        }
    }
    let mut x = vec![0.0; n];
    for i in (0..n).rev() {
        let known = dot(&rows[i][i + 1..n], &x[i + 1..]);
        x[i] = (rows[i][n] - known) / rows[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use otolith_fixtures::Array;

    /// PyWavelets' banks, one after the other as in `Wavelet::ALL`: all low-passes, all high-passes.
    #[test]
    fn filters_are_those_of_pywavelets() {
        let path = otolith_fixtures::root().join("fixtures/golden/wavelets.npy");
        let golden = Array::read(&path).values;
        let mut rest = golden.as_slice();
        for wavelet in Wavelet::ALL {
            let filters = wavelet.filters();
            for filter in [&filters.low, &filters.high] {
                let (expected, behind) = rest.split_at(filter.len());
                rest = behind;
                let error = filter
                    .iter()
                    .zip(expected)
                    .fold(0.0f64, |error, (a, b)| error.max((a - b).abs()));
                assert!(error < 1e-9, "{}: {error:e}", wavelet.name());
            }
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn orthogonal_filters_are_orthonormal_to_their_even_shifts() {
        for wavelet in Wavelet::ALL {
            if wavelet.name().contains("bio") {
                continue;
            }
            let DecompositionFilters { low, high } = wavelet.filters();
            for shift in (0..low.len()).step_by(2) {
                let expected = if shift == 0 { 1.0 } else { 0.0 };
                for filter in [&low, &high] {
                    let correlation = dot(&filter[shift..], filter);
                    assert!((correlation - expected).abs() < 1e-10, "{}", wavelet.name());
                }
                assert!(dot(&low[shift..], &high).abs() < 1e-10);
            }
        }
    }
}
