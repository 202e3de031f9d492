//! The end of a graph: a classifier or an anomaly score, and the decision behind it.

use crate::estimator::{Estimator, ScoreKind};
use otolith_tflite::Model;
use std::sync::Arc;

/// Classifier or anomaly score, and decision, at the end of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Id of the classifier block.
    pub name: String,
    /// What gives the scores.
    pub model: HeadModel,
    /// The form of a network's weights on the device.
    pub kernels: crate::deploy::Kernels,
    /// Whether the features are the model's int8 input already, integers from -128 to 127. If not,
    /// they are real numbers that are quantised at the input's scale.
    pub codes: bool,
    /// Rows of features that the model sees.
    pub rows: usize,
    /// Rows between two decisions, in [`Mode::Stream`](super::Mode::Stream).
    pub row_hop: usize,
    /// Names of the outputs.
    pub labels: Vec<String>,
    /// When a score becomes a decision.
    pub decide: Decide,
}

impl Head {
    /// Whether its scores lead to decisions: those of a regression do not.
    pub fn decides(&self) -> bool {
        let estimator = self.model.estimator();
        estimator.is_none_or(|estimator| estimator.score_kind() != ScoreKind::Value)
    }
}

/// What gives the scores of a [`Head`].
#[derive(Clone, Debug, PartialEq)]
pub enum HeadModel {
    /// An int8 network.
    Network(Arc<Model>),
    /// Trees, a linear model or an anomaly score.
    Estimator(Arc<Estimator>),
}

impl HeadModel {
    /// The network, if it is one.
    pub fn network(&self) -> Option<&Model> {
        match self {
            Self::Network(model) => Some(model),
            Self::Estimator(_) => None,
        }
    }

    /// The estimator, if it is one.
    pub fn estimator(&self) -> Option<&Estimator> {
        match self {
            Self::Network(_) => None,
            Self::Estimator(estimator) => Some(estimator),
        }
    }
}

/// When scores become a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decide {
    /// Id of the block.
    pub name: String,
    /// Score vectors that are averaged.
    pub average: usize,
    /// Smallest average score: from 0 to 1, for anomaly scores up to 127.
    pub threshold: f64,
    /// Classifications for which a decision silences the next ones.
    pub refractory: usize,
    /// For each label, whether it may be decided for.
    pub fires: Vec<bool>,
}
