//! Block `decide`: when scores become a decision.

use crate::ConfigError;
use crate::config::{nearest, section};
use crate::estimator::ScoreKind;
use crate::graph;

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "When scores become a decision: the scores of the last \
                                classifications are averaged, and the best label is reported if \
                                it reaches the threshold and nothing was reported just before. \
                                Without this block every classification is a decision.";

section! {
    /// When scores become a decision.
    pub(crate) struct Decide {
        /// Classifications whose scores are averaged.
        average: usize { range: Some((1.0, 64.0)), default: "1" },
        /// Smallest average score of a decision: at most 1 behind a classifier, any allowed number
        /// behind an anomaly score.
        threshold: f64 { range: Some((0.0, 127.0)), default: "0.0" },
        /// Time after a decision in which there is no other. It is rounded up to whole
        /// classifications.
        refractory_ms: f64 { unit: "ms", range: Some((0.0, 3600000.0)), default: "0.0" },
        /// Labels that are never decided for, such as silence.
        ignore: Vec<String> { default: "[]" },
    }
}

impl Decide {
    /// Checks the fields against the labels and the meaning of their scores. `period_ms` lies between two classifications; it is
    /// `None` when each recording is classified once. Paths of errors are names of fields.
    pub(crate) fn validate(
        &self,
        id: &str,
        labels: &[String],
        scores: ScoreKind,
        period_ms: Option<f64>,
    ) -> Result<graph::Decide, ConfigError> {
        if scores == ScoreKind::Probability && self.threshold > 1.0 {
            return Err(ConfigError::new(
                "threshold",
                self.threshold,
                "expected a number from 0 to 1: the scores of a classifier are probabilities",
            ));
        }
        for name in &self.ignore {
            if !labels.contains(name) {
                let near = nearest(name, labels.iter().map(String::as_str));
                let hint = near.map_or(String::new(), |near| format!("did you mean {near:?}? "));
                return Err(ConfigError::new(
                    "ignore",
                    format!("{name:?}"),
                    format!(
                        "{hint}Expected labels of the classifier: {}",
                        labels.join(", ")
                    ),
                ));
            }
        }
        // Two decimal numbers whose quotient is whole may come out a little above it.
        let refractory = period_ms.map_or(0, |period| {
            (self.refractory_ms / period - 1e-9).ceil().max(0.0) as usize
        });
        Ok(graph::Decide {
            name: id.to_owned(),
            average: self.average,
            threshold: self.threshold,
            refractory,
            fires: labels
                .iter()
                .map(|label| !self.ignore.contains(label))
                .collect(),
        })
    }
}
