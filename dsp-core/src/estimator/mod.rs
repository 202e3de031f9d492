//! Models without a network: trees, linear models, clusters and mixtures, as scikit-learn fits
//! them, read from JSON. `docs/heads.md` describes the file.
//!
//! * `read`: the file, checked;
//! * `trees`: decision trees and random forests;
//! * `linear`: linear and logistic regression;
//! * `anomaly`: k-means and Gaussian mixtures.
//!
//! [`Estimator::scores`] is the truth in f64; lowering turns the same tables into operators of a
//! device.

mod anomaly;
mod linear;
mod read;
#[cfg(test)]
mod tests;
mod trees;

pub use anomaly::{Covariance, KMeans, Mixture};
pub use linear::{Linear, Link, Logistic};
pub use read::ReadError;
pub use trees::{Combine, Forest, Node, Tree};

/// A model that gives scores for a vector of features.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimator {
    n_features: usize,
    labels: Vec<String>,
    standardise: Option<Standardise>,
    kind: Kind,
}

/// `(x - mean) / scale` of each feature, before anything else.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardise {
    /// Subtracted first.
    pub mean: Vec<f64>,
    /// Then divided by, above 0.
    pub scale: Vec<f64>,
}

/// What computes the scores.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Decision tree or random forest: a probability for each label.
    Forest(Forest),
    /// Linear regression: a value for each label.
    Linear(Linear),
    /// Logistic regression: a probability for each label.
    Logistic(Logistic),
    /// Distance to the nearest cluster: one score.
    KMeans(KMeans),
    /// Distance from a mixture of Gaussians: one score.
    Mixture(Mixture),
}

/// What a score means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreKind {
    /// From 0 to 1.
    Probability,
    /// At least 0; larger is stranger.
    Anomaly,
    /// Any real number.
    Value,
}

impl Estimator {
    /// Features that it takes.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Names of the scores; `anomaly` for anomaly scores.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// What is done with the features first.
    pub fn standardise(&self) -> Option<&Standardise> {
        self.standardise.as_ref()
    }

    /// What computes the scores.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Name of the kind as in the file: `forest`, `linear`, `logistic`, `kmeans` or `gmm`.
    pub fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Forest(forest) if forest.trees.len() == 1 => "tree",
            Kind::Forest(_) => "forest",
            Kind::Linear(_) => "linear",
            Kind::Logistic(_) => "logistic",
            Kind::KMeans(_) => "kmeans",
            Kind::Mixture(_) => "gmm",
        }
    }

    /// What the scores mean.
    pub fn score_kind(&self) -> ScoreKind {
        match &self.kind {
            Kind::Forest(_) | Kind::Logistic(_) => ScoreKind::Probability,
            Kind::KMeans(_) | Kind::Mixture(_) => ScoreKind::Anomaly,
            Kind::Linear(_) => ScoreKind::Value,
        }
    }

    /// Real value of one unit of a device's scores: `1 / 32768` for probabilities, `1 / 256` for
    /// anomaly scores, and a power of two such that 16 bits hold the file's `range` for values.
    pub fn score_scale(&self) -> f64 {
        match &self.kind {
            Kind::Forest(_) | Kind::Logistic(_) => 1.0 / 32768.0,
            Kind::KMeans(_) | Kind::Mixture(_) => 1.0 / 256.0,
            Kind::Linear(linear) => linear.unit(),
        }
    }

    /// The scores of one vector of [`n_features`](Self::n_features) values, in f64.
    ///
    /// For a Gaussian mixture: how far the logarithm of the density lies below
    /// [`Mixture::peak`].
    pub fn scores(&self, features: &[f64]) -> Vec<f64> {
        debug_assert_eq!(features.len(), self.n_features);
        let standardised;
        let x = match &self.standardise {
            None => features,
            Some(Standardise { mean, scale }) => {
                let constants = mean.iter().zip(scale);
                let pairs = features.iter().zip(constants);
                standardised = pairs.map(|(x, (m, s))| (x - m) / s).collect::<Vec<_>>();
                &standardised
            }
        };
        match &self.kind {
            Kind::Forest(forest) => forest.probabilities(x, self.labels.len()),
            Kind::Linear(linear) => linear.values(x),
            Kind::Logistic(logistic) => logistic.probabilities(x),
            Kind::KMeans(clusters) => vec![clusters.score(x)],
            Kind::Mixture(mixture) => vec![mixture.peak() - mixture.log_likelihood(x)],
        }
    }
}
