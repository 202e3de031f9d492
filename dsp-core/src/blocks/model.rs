//! The model of `classifier` and `anomaly`: its file, and the rows that it sees.

use std::path::Path;
use std::sync::Arc;

use otolith_tflite::Model;

use crate::ConfigError;
use crate::estimator::{Estimator, ScoreKind};
use crate::graph::{HeadModel, Mode};

/// What the features before a model give.
#[derive(Clone, Debug)]
pub(crate) struct FeatureShape {
    pub(crate) mode: Mode,
    /// Values in a row.
    pub(crate) row_len: usize,
    /// Rows in a window, when windows have a fixed length.
    pub(crate) window_rows: Option<usize>,
    /// Names of the values of a row.
    pub(crate) names: Vec<String>,
}

/// A block with a model that has been checked against the model and the features.
#[derive(Clone, Debug)]
pub(crate) struct HeadSpec {
    pub(crate) model: HeadModel,
    pub(crate) rows: usize,
    pub(crate) hop_rows: usize,
    pub(crate) labels: Vec<String>,
    /// Every field with its value, as TOML.
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl HeadSpec {
    /// What the scores mean.
    pub(crate) fn score_kind(&self) -> ScoreKind {
        let estimator = self.model.estimator();
        estimator.map_or(ScoreKind::Probability, Estimator::score_kind)
    }
}

/// Rows that a model sees, and between two of its answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    pub(crate) rows: usize,
    pub(crate) hop_rows: usize,
}

/// Fields of a block with a model.
pub(crate) struct ModelFields<'a> {
    pub(crate) model: &'a str,
    pub(crate) rows: Option<usize>,
    pub(crate) hop_rows: Option<usize>,
}

impl ModelFields<'_> {
    /// Loads the model, and checks its size against the features. Paths of errors are names of
    /// fields.
    pub(crate) fn validate(
        &self,
        base_dir: &Path,
        shape: &FeatureShape,
    ) -> Result<(HeadModel, Rows, usize), ConfigError> {
        let wrong = |why| ConfigError::new("model", format!("{:?}", self.model), why);
        let model = load(&base_dir.join(self.model)).map_err(wrong)?;
        let interface = Interface::of(&model).map_err(wrong)?;
        let rows = match &model {
            HeadModel::Network(_) => self.rows(shape, interface.n_inputs)?,
            HeadModel::Estimator(_) => self.feature_rows(shape, interface.n_inputs)?,
        };
        let what = interface.what;
        if let Some(window_rows) = shape.window_rows
            && window_rows != rows
        {
            return Err(ConfigError::new(
                "rows",
                rows,
                format!(
                    "a window gives {window_rows} rows of features and the {what} sees {rows}: \
                     change `window_ms` in `[input]`, or the features' hop or frame"
                ),
            ));
        }
        if let Some(hop_rows) = self.hop_rows
            && shape.mode != Mode::Stream
        {
            return Err(ConfigError::new(
                "hop_rows",
                hop_rows,
                "it has no meaning here, since each window is classified once: remove it, or use \
                 `mode = \"stream\"` in `[input]`",
            ));
        }
        let hop_rows = self.hop_rows.unwrap_or((rows / 4).max(1));
        Ok((model, Rows { rows, hop_rows }, interface.n_outputs))
    }

    fn rows(&self, shape: &FeatureShape, n_inputs: usize) -> Result<usize, ConfigError> {
        let row_len = shape.row_len;
        let whole = n_inputs.is_multiple_of(row_len).then(|| n_inputs / row_len);
        match (self.rows, whole) {
            (None, Some(rows)) if rows > 0 => Ok(rows),
            (Some(rows), Some(whole)) if rows == whole => Ok(rows),
            (Some(rows), Some(whole)) => Err(ConfigError::new(
                "rows",
                rows,
                format!(
                    "the network takes {n_inputs} values, which is {whole} rows of {row_len} \
                     features: expected {whole}, or other features"
                ),
            )),
            (rows, _) => Err(ConfigError::new(
                "rows",
                rows.map_or("no value".to_owned(), |rows| rows.to_string()),
                format!(
                    "the network takes {n_inputs} values, which is not a whole number of rows of \
                     {row_len} features: change the features (such as `n_coeffs` or `n_mels`) or \
                     the model"
                ),
            )),
        }
    }

    /// Rows of an estimator, whose features have names.
    fn feature_rows(&self, shape: &FeatureShape, n: usize) -> Result<usize, ConfigError> {
        let row_len = shape.row_len;
        let rows = self.rows.or(shape.window_rows).unwrap_or(n / row_len);
        if rows > 0 && rows.checked_mul(row_len) == Some(n) {
            return Ok(rows);
        }
        let names = &shape.names;
        let shown = match names.len() {
            0..=24 => names.join(", "),
            many => format!(
                "{}, ... {} ({many} in all)",
                names[..12].join(", "),
                names[many - 1]
            ),
        };
        Err(ConfigError::new(
            "model",
            format!("{:?} with {n} features", self.model),
            format!(
                "the pipeline gives {} in {} of {row_len}: {shown}. Expected as many in the \
                 model: train it on what `otolith features` writes for this pipeline, all rows of \
                 a window one after the other",
                rows.max(1) * row_len,
                match rows.max(1) {
                    1 => "a row".to_owned(),
                    rows => format!("{rows} rows"),
                },
            ),
        ))
    }
}

/// Checks the names of labels: they differ and are not empty.
pub(crate) fn check_labels(labels: &[String]) -> Result<(), ConfigError> {
    for (i, label) in labels.iter().enumerate() {
        if label.trim().is_empty() || labels[..i].contains(label) {
            return Err(ConfigError::new(
                "labels",
                format!("{label:?} as label {i}"),
                "expected labels that differ and are not empty",
            ));
        }
    }
    Ok(())
}

/// Reads the file of a model: an estimator's when it ends in `.json`, else a network's. The only
/// place that does.
fn load(path: &Path) -> Result<HeadModel, String> {
    let is_json = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("json"));
    let bytes = std::fs::read(path).map_err(|error| {
        format!(
            "cannot read the file ({error}): expected the path of a `.tflite` or `.json` file, \
             relative to the folder of the pipeline file"
        )
    })?;
    if is_json {
        let text = String::from_utf8(bytes).map_err(|_| "its text is not UTF-8".to_owned())?;
        let estimator = Estimator::from_json(&text)
            .map_err(|error| format!("not an estimator that can be used: {error}"))?;
        return Ok(HeadModel::Estimator(Arc::new(estimator)));
    }
    let model = Model::from_bytes(&bytes)
        .map_err(|error| format!("not a model that can be used: {error}"))?;
    Ok(HeadModel::Network(Arc::new(model)))
}

/// Values that go into a model and come out.
struct Interface {
    n_inputs: usize,
    n_outputs: usize,
    what: &'static str,
}

impl Interface {
    fn of(model: &HeadModel) -> Result<Self, String> {
        let model = match model {
            HeadModel::Network(model) => model,
            HeadModel::Estimator(estimator) => {
                return Ok(Self {
                    n_inputs: estimator.n_features(),
                    n_outputs: estimator.labels().len(),
                    what: "model",
                });
            }
        };
        let count = |indices: &[usize], what: &str| match indices {
            [index] => model
                .tensors
                .get(*index)
                .map(otolith_tflite::Tensor::n_elements)
                .ok_or_else(|| format!("its {what} does not exist")),
            _ => Err(format!(
                "it has {} {what}s: expected a network with one",
                indices.len()
            )),
        };
        Ok(Self {
            n_inputs: count(&model.inputs, "input")?,
            n_outputs: count(&model.outputs, "output")?,
            what: "network",
        })
    }
}
