//! Bounds-checked reader of `.tflite` models.
//!
//! [`Model::from_bytes`] turns a file into plain Rust values: tensors with
//! shapes, types, quantisation and constant data, and operators with typed
//! options, for all subgraphs. Everything else in the crate serves it:
//!
//! | module | holds |
//! |---|---|
//! | `flatbuffer` | tables, vectors and scalars of a FlatBuffer, every offset checked |
//! | `model` | the model's tables as [`Model`], [`Tensor`], [`Quant`] |
//! | `options` | [`Operator`] and the options of the operators that Otolith runs |
//! | `flexbuffer` | the numbers among a custom operator's options |
//! | `builtin` | the builtin operator codes and their names |
//! | `hint` | what to change in Keras or the converter when an operator is unsupported |
//! | `validate` | what must hold between the tables before a [`Model`] is handed out |
//! | `error` | [`ModelError`] |
//!
//! # Why an own reader
//!
//! The format needs four shapes of access (scalar, string, vector, table), and
//! a model needs about forty fields, so the whole reader is a few hundred lines
//! without generated code. A generated accessor trusts the buffer unless a
//! verifier ran first, and the verifier of the `flatbuffers` crate refuses
//! files that TFLite Micro runs: it insists on the alignment of vectors. This
//! reader is strict where memory or arithmetic is at stake, and lenient exactly
//! where TFLite Micro is:
//!
//! - vectors may start at odd offsets, since everything is read byte by byte;
//! - `quantized_dimension` is ignored where there is one scale or the tensor
//!   has at most one dimension;
//! - a bias may be absent or have index -1.
//!
//! # Invariants of a [`Model`]
//!
//! Every tensor index is in range; every shape that an operator or the graph's
//! interface names is positive; no tensor takes more than
//! [`MAX_TENSOR_BYTES`]; constant data has exactly the size that its shape and
//! type need; scales are finite and positive; operators are in an order in
//! which each input is defined before it is used, and every tensor is written
//! at most once.
#![forbid(unsafe_code)]

mod builtin;
mod error;
mod flatbuffer;
mod flexbuffer;
mod hint;
mod model;
mod options;
mod validate;

pub use builtin::BuiltinOp;
pub use error::ModelError;
pub use hint::hint;
pub use model::{DType, Model, Quant, Subgraph, Tensor};
pub use options::{Activation, OpCode, Operator, Options, Padding};
pub use validate::{MAX_RANK, MAX_TENSOR_BYTES, MAX_TOTAL_BYTES};
