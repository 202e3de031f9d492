//! Block `anomaly`: how strange rows of features are.

use std::path::Path;

use super::model::{FeatureShape, HeadSpec, ModelFields};
use crate::ConfigError;
use crate::config::{Section, section};
use crate::estimator::ScoreKind;
use crate::graph::HeadModel;

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "How far rows of features are from those of the training set: one \
                                score, 0 for the most usual, larger for stranger ones. `decide` \
                                behind it reports scores of at least its threshold.";

section! {
    /// How strange rows of features are.
    pub(crate) struct Anomaly {
        /// Path of the `.json` file of k-means clusters or a Gaussian mixture, relative to the
        /// folder of the pipeline file.
        model: String { },
        /// Rows of features that the model sees at once.
        rows: Option<usize> { unit: "rows", range: Some((1.0, 65536.0)), derived: "the model's features, divided by the length of a row" },
        /// Rows between two scores, with `mode = "stream"`.
        hop_rows: Option<usize> { unit: "rows", range: Some((1.0, 65536.0)), derived: "a quarter of `rows`" },
    }
}

impl Anomaly {
    /// Loads the model and checks the fields against it. Paths of errors are names of fields.
    pub(crate) fn validate(
        &self,
        base_dir: &Path,
        shape: &FeatureShape,
    ) -> Result<HeadSpec, ConfigError> {
        let fields = ModelFields {
            model: &self.model,
            rows: self.rows,
            hop_rows: self.hop_rows,
        };
        let (model, rows, _) = fields.validate(base_dir, shape)?;
        let labels = match &model {
            HeadModel::Estimator(estimator) if estimator.score_kind() == ScoreKind::Anomaly => {
                estimator.labels().to_vec()
            }
            _ => {
                return Err(ConfigError::new(
                    "model",
                    format!("{:?}", self.model),
                    "it gives no anomaly score: expected the .json file of \"kmeans\" or \"gmm\", \
                     or a block of type \"classifier\"",
                ));
            }
        };
        let config = Self {
            rows: Some(rows.rows),
            hop_rows: (shape.mode == crate::graph::Mode::Stream).then_some(rows.hop_rows),
            ..self.clone()
        };
        Ok(HeadSpec {
            model,
            rows: rows.rows,
            hop_rows: rows.hop_rows,
            labels,
            fields: config.write(),
        })
    }
}
