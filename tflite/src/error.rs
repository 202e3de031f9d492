//! What can be wrong with a model file.

use thiserror::Error;

/// Why a `.tflite` file was refused: what was found, at which byte, and what
/// is allowed.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelError {
    /// The file does not start like a TFLite model.
    #[error(
        "not a TFLite model: bytes 4..8 must be \"TFL3\", found {found:02x?} in a file of {len} bytes; \
         pass the .tflite file that the TFLite converter wrote"
    )]
    Identifier {
        /// Bytes 4 to 7, as many as there are.
        found: Vec<u8>,
        /// Length of the file in bytes.
        len: usize,
    },
    /// The schema version is not 3.
    #[error(
        "schema version {found} at byte {at} is not supported: allowed is 3; convert the model again"
    )]
    Version {
        /// The version found.
        found: u32,
        /// Where it was read.
        at: usize,
    },
    /// Something lies outside the file, as in a truncated download.
    #[error(
        "{what} at byte {at} needs {need} bytes, but the file has {len}: \
         the file is truncated or damaged, copy or convert it again"
    )]
    OutOfBounds {
        /// The field being read.
        what: &'static str,
        /// First byte that was wanted.
        at: usize,
        /// Number of bytes wanted.
        need: u64,
        /// Length of the file in bytes.
        len: usize,
    },
    /// A field that every model needs is absent.
    #[error(
        "{what} is missing in the table at byte {at}: the file is damaged, convert the model again"
    )]
    Missing {
        /// The absent field.
        what: &'static str,
        /// The table that should hold it.
        at: usize,
    },
    /// A number exceeds what this reader accepts.
    #[error("{what} at byte {at} is {found}, allowed is at most {max}")]
    Limit {
        /// The field being read.
        what: &'static str,
        /// Where it was read.
        at: usize,
        /// The value found.
        found: u64,
        /// The largest allowed value.
        max: u64,
    },
    /// A field holds a value outside its range.
    #[error("{what} at byte {at} is {found}, allowed is {allowed}")]
    Value {
        /// The field being read.
        what: &'static str,
        /// Where it was read.
        at: usize,
        /// The value found.
        found: i64,
        /// The allowed values in words.
        allowed: &'static str,
    },
    /// An index points past the list it refers to.
    #[error(
        "{what} at byte {at} is {found}, but there are only {count}: allowed is 0 to {count} - 1"
    )]
    Index {
        /// The kind of index.
        what: &'static str,
        /// Where it was read.
        at: usize,
        /// The index found.
        found: i64,
        /// Length of the list.
        count: usize,
    },
    /// The same bytes are referred to so often that reading them all would
    /// take more memory than an honest file of this length can describe.
    #[error(
        "{what} at byte {at} repeats data of other tables beyond the limit for a file of {len} bytes: the file is damaged"
    )]
    Amplified {
        /// The field being read.
        what: &'static str,
        /// Where it was read.
        at: usize,
        /// Length of the file in bytes.
        len: usize,
    },
    /// A tensor contradicts itself.
    #[error("tensor {index} \"{name}\" at byte {at}: {why}")]
    Tensor {
        /// Index of the tensor in subgraph 0.
        index: usize,
        /// Its name in the file.
        name: String,
        /// Where its table starts.
        at: usize,
        /// What was found and what is allowed.
        why: String,
    },
    /// An operator contradicts the tensors that it names.
    #[error("operator {index} {name} at byte {at}: {why}")]
    Operator {
        /// Index of the operator in subgraph 0.
        index: usize,
        /// Its builtin or custom name.
        name: String,
        /// Where its table starts.
        at: usize,
        /// What was found and what is allowed.
        why: String,
    },
    /// A subgraph after the first is unusable.
    #[error("subgraph {index}: {why}")]
    Subgraph {
        /// Index of the subgraph in the file, from 1 on.
        index: usize,
        /// What was found and what is allowed.
        why: String,
    },
    /// The subgraph as a whole is unusable.
    #[error("subgraph 0: {why}")]
    Graph {
        /// What was found and what is allowed.
        why: String,
    },
}

impl ModelError {
    /// This error, of subgraph `index` after the first.
    pub(crate) fn in_subgraph(self, index: usize) -> Self {
        let why = match self {
            ModelError::Graph { why } => why,
            other => other.to_string(),
        };
        ModelError::Subgraph { index, why }
    }
}
