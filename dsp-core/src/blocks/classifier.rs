//! Block `classifier`: a model that sees rows of features.

use std::path::Path;

use super::model::{FeatureShape, HeadSpec, ModelFields, check_labels};
use crate::ConfigError;
use crate::config::{Field, FieldValue, Kind, Mismatch, Node, Section, Value, section};
use crate::estimator::ScoreKind;
use crate::graph::{HeadModel, Mode};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "A model that sees rows of features and gives a score for each \
                                label: a network in a `.tflite` file, or a tree, forest, linear or \
                                logistic regression in a `.json` file (`docs/heads.md`).";

/// Names of a model's outputs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Labels {
    /// The names.
    List(Vec<String>),
    /// Path of a text file with one name per line.
    Path(String),
}

impl FieldValue for Labels {
    const KIND: Kind = Kind::TextListOrPath;

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        match &node.value {
            Value::Text(path) => Ok(Self::Path(path.clone())),
            _ => Vec::read(node, field).map(Self::List),
        }
    }

    fn write(&self) -> Option<String> {
        match self {
            Self::List(names) => names.write(),
            Self::Path(path) => path.write(),
        }
    }
}

section! {
    /// A model that sees rows of features.
    pub(crate) struct Classifier {
        /// Path of the `.tflite` or `.json` file, relative to the folder of the pipeline file.
        model: String { },
        /// Rows of features that the model sees at once.
        rows: Option<usize> { unit: "rows", range: Some((1.0, 65536.0)), derived: "the model's input, divided by the length of a row" },
        /// Rows between two classifications, with `mode = "stream"`.
        hop_rows: Option<usize> { unit: "rows", range: Some((1.0, 65536.0)), derived: "a quarter of `rows`" },
        /// Names of the model's outputs, in order: a list, or the path of a text file with one
        /// name per line, relative to the folder of the pipeline file. A network needs them.
        labels: Option<Labels> { derived: "those in the `.json` file" },
    }
}

impl Classifier {
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
        let (model, rows, n_outputs) = fields.validate(base_dir, shape)?;
        if let HeadModel::Estimator(estimator) = &model
            && estimator.score_kind() == ScoreKind::Anomaly
        {
            return Err(ConfigError::new(
                "model",
                format!("{:?}", self.model),
                "it gives an anomaly score and no labels: use a block of type \"anomaly\"",
            ));
        }
        let labels = match (&self.labels, &model) {
            (Some(labels), _) => labels.read(base_dir, n_outputs)?,
            (None, HeadModel::Estimator(estimator)) => estimator.labels().to_vec(),
            (None, HeadModel::Network(_)) => {
                return Err(ConfigError::new(
                    "labels",
                    "no value",
                    format!("the network has {n_outputs} outputs: expected one label for each"),
                ));
            }
        };
        let config = Self {
            rows: Some(rows.rows),
            hop_rows: (shape.mode == Mode::Stream).then_some(rows.hop_rows),
            labels: Some(Labels::List(labels.clone())),
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

impl Labels {
    fn read(&self, base_dir: &Path, n_outputs: usize) -> Result<Vec<String>, ConfigError> {
        let (labels, shown) = match self {
            Self::List(list) => (list.clone(), format!("{} labels", list.len())),
            Self::Path(path) => {
                let text = std::fs::read_to_string(base_dir.join(path)).map_err(|error| {
                    ConfigError::new(
                        "labels",
                        format!("{path:?}"),
                        format!(
                            "cannot read the file ({error}): give a list of labels, or the \
                                 path of a text file with one label per line"
                        ),
                    )
                })?;
                let list: Vec<String> = text
                    .lines()
                    .map(|line| line.trim().to_owned())
                    .filter(|line| !line.is_empty())
                    .collect();
                let shown = format!("{} labels in {path:?}", list.len());
                (list, shown)
            }
        };
        if labels.len() != n_outputs {
            return Err(ConfigError::new(
                "labels",
                shown,
                format!("the network has {n_outputs} outputs: expected one label for each"),
            ));
        }
        check_labels(&labels)?;
        Ok(labels)
    }
}
