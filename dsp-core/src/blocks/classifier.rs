//! Block `classifier`: a network that sees rows of features.

use std::path::Path;
use std::sync::Arc;

use otolith_tflite::Model;

use crate::ConfigError;
use crate::config::{Field, FieldValue, Kind, Mismatch, Node, Value, section};
use crate::graph::Mode;

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str =
    "A network in a `.tflite` file that sees rows of features and gives a score for each label.";

/// Names of a network's outputs.
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
    /// A network that sees rows of features.
    pub(crate) struct Classifier {
        /// Path of the `.tflite` file, relative to the folder of the pipeline file.
        model: String { },
        /// Rows of features that the network sees at once.
        rows: Option<usize> { unit: "rows", range: Some((1.0, 65536.0)), derived: "the network's input, divided by the length of a row" },
        /// Rows between two classifications, with `mode = "stream"`.
        hop_rows: Option<usize> { unit: "rows", range: Some((1.0, 65536.0)), derived: "a quarter of `rows`" },
        /// Names of the network's outputs, in order: a list, or the path of a text file with one
        /// name per line, relative to the folder of the pipeline file.
        labels: Labels { },
    }
}

/// A [`Classifier`] that has been checked against its network.
#[derive(Clone, Debug)]
pub(crate) struct ClassifierSpec {
    pub(crate) config: Classifier,
    pub(crate) model: Arc<Model>,
    pub(crate) rows: usize,
    pub(crate) hop_rows: usize,
    pub(crate) labels: Vec<String>,
}

/// What the features before a classifier give.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeatureShape {
    pub(crate) mode: Mode,
    /// Values in a row.
    pub(crate) row_len: usize,
    /// Rows in a window, when windows have a fixed length.
    pub(crate) window_rows: Option<usize>,
}

impl Classifier {
    /// Loads the network and checks the fields against it. Paths of errors are names of fields.
    pub(crate) fn validate(
        &self,
        base_dir: &Path,
        shape: FeatureShape,
    ) -> Result<ClassifierSpec, ConfigError> {
        let model = load_model(&base_dir.join(&self.model))
            .map_err(|why| ConfigError::new("model", format!("{:?}", self.model), why))?;
        let interface = Interface::of(&model)
            .map_err(|why| ConfigError::new("model", format!("{:?}", self.model), why))?;
        let rows = self.rows(shape, interface.n_inputs)?;
        if let Some(window_rows) = shape.window_rows
            && window_rows != rows
        {
            return Err(ConfigError::new(
                "rows",
                rows,
                format!(
                    "a window gives {window_rows} rows of features and the network sees {rows}: \
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
        let labels = self.labels(base_dir, interface.n_outputs)?;
        let config = Self {
            rows: Some(rows),
            hop_rows: (shape.mode == Mode::Stream).then_some(hop_rows),
            labels: Labels::List(labels.clone()),
            ..self.clone()
        };
        Ok(ClassifierSpec {
            config,
            model: Arc::new(model),
            rows,
            hop_rows,
            labels,
        })
    }

    fn rows(&self, shape: FeatureShape, n_inputs: usize) -> Result<usize, ConfigError> {
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

    fn labels(&self, base_dir: &Path, n_outputs: usize) -> Result<Vec<String>, ConfigError> {
        let (labels, shown) = match &self.labels {
            Labels::List(list) => (list.clone(), format!("{} labels", list.len())),
            Labels::Path(path) => {
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
        for (i, label) in labels.iter().enumerate() {
            if label.trim().is_empty() || labels[..i].contains(label) {
                return Err(ConfigError::new(
                    "labels",
                    format!("{label:?} as label {i}"),
                    "expected labels that differ and are not empty",
                ));
            }
        }
        Ok(labels)
    }
}

/// Reads a `.tflite` file. The only place that does.
fn load_model(path: &Path) -> Result<Model, String> {
    let bytes = std::fs::read(path).map_err(|error| {
        format!(
            "cannot read the file ({error}): expected the path of a `.tflite` file, relative to \
             the folder of the pipeline file"
        )
    })?;
    Model::from_bytes(&bytes).map_err(|error| format!("not a model that can be used: {error}"))
}

/// Values that go into a network and come out.
struct Interface {
    n_inputs: usize,
    n_outputs: usize,
}

impl Interface {
    fn of(model: &Model) -> Result<Self, String> {
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
        })
    }
}
