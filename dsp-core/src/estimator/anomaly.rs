//! Anomaly scores of clusters and Gaussian mixtures.

/// Clusters of k-means.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    /// Centres, at least one.
    pub centres: Vec<Vec<f64>>,
    /// Radius of each cluster, above 0.
    pub radii: Vec<f64>,
}

impl KMeans {
    /// Distance to the nearest centre in units of its radius: the least of `|x - centre| /
    /// radius`.
    pub(super) fn score(&self, x: &[f64]) -> f64 {
        let distance = |centre: &Vec<f64>| {
            let squares = centre.iter().zip(x).map(|(c, x)| (x - c) * (x - c));
            squares.sum::<f64>().sqrt()
        };
        self.centres
            .iter()
            .zip(&self.radii)
            .map(|(centre, radius)| distance(centre) / radius)
            .fold(f64::INFINITY, f64::min)
    }
}

/// A mixture of Gaussians.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// Whether factors are diagonal or triangular.
    pub covariance: Covariance,
    /// Mean of each component.
    pub means: Vec<Vec<f64>>,
    /// Upper triangular Cholesky factor `P` of each component's inverse covariance, `inverse = P
    /// P'`: the diagonal, or column by column, `j + 1` values in column `j`.
    pub factors: Vec<Vec<f64>>,
    /// `ln(weight) + ln(det P) - n / 2 ln(2 pi)` of each component: the logarithm of its density
    /// at its mean.
    pub log_density: Vec<f64>,
}

/// Shape of the covariances of a mixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covariance {
    /// A variance for each feature.
    Diagonal,
    /// A whole matrix.
    Full,
}

impl Mixture {
    /// `ln sum_c weight[c] N(x; mean[c], covariance[c])`.
    pub fn log_likelihood(&self, x: &[f64]) -> f64 {
        let terms = self.means.iter().zip(&self.factors).zip(&self.log_density);
        log_sum_exp(terms.map(|((mean, factor), log)| {
            let mut squares = 0.0;
            let mut rest = factor.as_slice();
            for j in 0..mean.len() {
                let first = match self.covariance {
                    Covariance::Diagonal => j,
                    Covariance::Full => 0,
                };
                let (column, behind) = rest.split_at(j + 1 - first);
                rest = behind;
                let pairs = column.iter().zip(mean[first..].iter().zip(&x[first..]));
                let z: f64 = pairs.map(|(p, (m, x))| (x - m) * p).sum();
                squares += z * z;
            }
            log - 0.5 * squares
        }))
    }

    /// An upper bound of the log likelihood: what it would be at a point that is the mean of all
    /// components. Anomaly scores count down from it, so that none is negative.
    pub fn peak(&self) -> f64 {
        log_sum_exp(self.log_density.iter().copied())
    }
}

fn log_sum_exp(terms: impl Iterator<Item = f64>) -> f64 {
    let terms: Vec<f64> = terms.collect();
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + libm::log(terms.iter().map(|t| libm::exp(t - most)).sum())
}
