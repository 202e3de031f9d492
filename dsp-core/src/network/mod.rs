//! The reference interpreter of networks: runs a [`Model`] node by node, plainly and slowly.
//!
//! It shares no code with the device's operators, so that the two check each other, and it runs
//! float models, which no plan can hold. An integer tensor is computed by the formulas of TFLite
//! Micro's reference kernels, which `docs/NUMERICS.md` states, in `i64`; a float tensor in `f32`
//! or `f64`. [`Arithmetic::Dequantised`] computes the same network over the real numbers that its
//! integers stand for, which shows what quantisation costs.
//!
//! | module | holds |
//! |---|---|
//! | `node` | one operator with its tensors |
//! | `rescale` | fixed-point factors and fused activations |
//! | `windows` | convolutions and pools |
//! | `dense` | fully connected layers |
//! | `elementwise` | operators of two tensors with broadcasting, and of one |
//! | `functions` | logistic, tanh and softmax, in fixed point and real |
//! | `reduce` | means, sums and extremes over axes |
//! | `resize` | images of another size |
//! | `movement` | operators that only move elements |
//! | `signal` | TensorFlow Lite Micro's operators in front of a network |
//! | `compare` | comparisons and masks |
//! | `batches` | blocks of pixels as batches |
//! | `convert` | between number formats |
//! | `macs` | how much a network computes |
//! | `recurrent` | LSTM over a sequence, SVDF |
//! | [`verify`] | the device's plan against the interpreter, layer by layer |

mod batches;
mod compare;
mod convert;
mod dense;
mod elementwise;
mod functions;
mod macs;
mod movement;
mod node;
mod recurrent;
mod reduce;
mod rescale;
mod resize;
mod signal;
pub mod verify;
mod windows;

use crate::executor::Real;
pub use macs::macs;
use node::Node;
use otolith_tflite::{DType, Model, OpCode, Operator, Tensor, hint};
use thiserror::Error;

/// How integer tensors are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// As integers, equal bit for bit to the device.
    Exact,
    /// As the real numbers `scale * (q - zero_point)` that they stand for: constants are
    /// dequantised, and nothing is rounded or saturated after them.
    Dequantised,
}

/// The elements of a tensor in C order.
#[derive(Clone, Debug, PartialEq)]
pub enum Values<F> {
    /// Of an integer tensor.
    Integers(Vec<i64>),
    /// Of a float tensor, and of a quantised one in [`Arithmetic::Dequantised`].
    Reals(Vec<F>),
}

impl<F: Real> Values<F> {
    /// The elements of a tensor of type `dtype` from its bytes, little endian. `None` for types
    /// that the interpreter does not know; a rest of less than one element is left out.
    pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Option<Self> {
        fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
            let (elements, _) = bytes.as_chunks::<N>();
            elements.iter().map(|&element| read(element)).collect()
        }
        Some(Self::Integers(match dtype {
            DType::F32 => {
                return Some(Self::Reals(each(bytes, |b| {
                    F::from_sample(f32::from_le_bytes(b))
                })));
            }
            DType::I8 => each(bytes, |b| i8::from_le_bytes(b).into()),
            DType::U8 | DType::Bool => each(bytes, |b| u8::from_le_bytes(b).into()),
            DType::I16 => each(bytes, |b| i16::from_le_bytes(b).into()),
            DType::I32 => each(bytes, |b| i32::from_le_bytes(b).into()),
            DType::U32 => each(bytes, |b| u32::from_le_bytes(b).into()),
            // The upper half of the range keeps its bits.
            DType::I64 | DType::U64 => each(bytes, i64::from_le_bytes),
            DType::Other(_) => return None,
        }))
    }

    /// The bytes of a tensor of type `dtype` that holds these elements. Integers keep their low
    /// bytes.
    pub fn to_bytes(&self, dtype: DType) -> Vec<u8> {
        match self {
            Self::Reals(reals) => {
                let floats = reals.iter().map(|x| x.to_f64() as f32);
                floats.flat_map(f32::to_le_bytes).collect()
            }
            Self::Integers(integers) => {
                let size = dtype.size().unwrap_or(8);
                let bytes = |x: &i64| x.to_le_bytes().into_iter().take(size);
                integers.iter().flat_map(bytes).collect()
            }
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(integers) => integers.len(),
            Self::Reals(reals) => reals.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The real numbers that these elements of `tensor` stand for.
    pub fn to_f64(&self, tensor: &Tensor) -> Vec<f64> {
        match self {
            Self::Reals(reals) => reals.iter().map(|x| x.to_f64()).collect(),
            Self::Integers(integers) => dequantised(tensor, integers),
        }
    }
}

/// `scale * (q - zero_point)` of each element, by channel where the tensor has a scale for each;
/// the integers themselves without a scale.
fn dequantised(tensor: &Tensor, integers: &[i64]) -> Vec<f64> {
    let Some(quant) = &tensor.quant else {
        return integers.iter().map(|&q| q as f64).collect();
    };
    let inner: usize = tensor.shape.iter().skip(quant.dimension + 1).product();
    let channels = quant.scales.len().max(1);
    let real = |(i, &q): (usize, &i64)| {
        let channel = i / inner.max(1) % channels;
        let zero = quant.zero_points.get(channel).copied().unwrap_or(0);
        f64::from(quant.scales.get(channel).copied().unwrap_or(1.0)) * (q - zero) as f64
    };
    integers.iter().enumerate().map(real).collect()
}

/// A network that the interpreter cannot run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// Not what the graph's inputs take.
    #[error("the inputs are {found} tensors or hold {found} elements, but the model takes {need}")]
    Inputs {
        /// Tensors, or elements of one.
        found: usize,
        /// What the model takes.
        need: usize,
    },
    /// An operator that the interpreter does not run, or not in this form.
    #[error("operator {index} {name} {shape:?}: {why}")]
    Operator {
        /// Index of the operator in the model.
        index: usize,
        /// Its name.
        name: String,
        /// Shape of its first output.
        shape: Vec<usize>,
        /// What is not supported, and what to do about it.
        why: String,
    },
}

/// Runs a model node by node and keeps every tensor. `F` is the type of float tensors: `f32` as
/// the model was made for, or `f64`.
#[derive(Clone, Debug)]
pub struct Interpreter<'m, F> {
    model: &'m Model,
    arithmetic: Arithmetic,
    values: Vec<Option<Values<F>>>,
}

impl<'m, F: Real> Interpreter<'m, F> {
    /// An interpreter of `model`.
    pub fn new(model: &'m Model, arithmetic: Arithmetic) -> Self {
        let mut interpreter = Self {
            model,
            arithmetic,
            values: vec![None; model.tensors.len()],
        };
        interpreter.reset();
        interpreter
    }

    /// Forgets all runs: variables hold zero again.
    pub fn reset(&mut self) {
        let tensors = self.model.tensors.iter();
        self.values = tensors
            .map(|tensor| {
                let zeros;
                let bytes: &[u8] = match &tensor.data {
                    Some(data) => data,
                    None if tensor.is_variable => {
                        zeros = vec![0; tensor.n_elements() * tensor.dtype.size()?];
                        &zeros
                    }
                    None => return None,
                };
                let values = Values::from_bytes(tensor.dtype, bytes)?;
                Some(match (self.arithmetic, values, &tensor.quant) {
                    (Arithmetic::Dequantised, Values::Integers(integers), Some(_))
                        if !tensor.is_variable =>
                    {
                        let reals = dequantised(tensor, &integers);
                        Values::Reals(reals.into_iter().map(F::of).collect())
                    }
                    (Arithmetic::Dequantised, Values::Integers(integers), Some(_)) => {
                        Values::Reals(vec![F::default(); integers.len()])
                    }
                    (_, values, _) => values,
                })
            })
            .collect();
    }

    /// Runs the model once. `inputs` are the bytes of the graph's inputs, little endian, in their
    /// order; [`tensor`](Self::tensor) then gives every tensor.
    ///
    /// # Errors
    /// [`NetworkError`] for inputs of another size, and for the first operator that the
    /// interpreter does not run.
    pub fn run(&mut self, inputs: &[&[u8]]) -> Result<(), NetworkError> {
        let model = self.model;
        let values = model.inputs.iter().zip(inputs).map(|(&index, bytes)| {
            let tensor = &model.tensors[index];
            let values = Values::<F>::from_bytes(tensor.dtype, bytes);
            let values = values.unwrap_or(Values::Integers(Vec::new()));
            match (self.arithmetic, values, &tensor.quant) {
                (Arithmetic::Dequantised, Values::Integers(integers), Some(_)) => {
                    let reals = dequantised(tensor, &integers);
                    Values::Reals(reals.into_iter().map(F::of).collect())
                }
                (_, values, _) => values,
            }
        });
        let values: Vec<_> = values.collect();
        self.run_values(values)
    }

    /// [`run`](Self::run) on values: integers for integer inputs in [`Arithmetic::Exact`], else
    /// reals.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub fn run_values(&mut self, inputs: Vec<Values<F>>) -> Result<(), NetworkError> {
        let model = self.model;
        if inputs.len() != model.inputs.len() {
            let (found, need) = (inputs.len(), model.inputs.len());
            return Err(NetworkError::Inputs { found, need });
        }
        for (&index, values) in model.inputs.iter().zip(inputs) {
            let (found, need) = (values.len(), model.tensors[index].n_elements());
            if found != need {
                return Err(NetworkError::Inputs { found, need });
            }
            self.values[index] = Some(values);
        }
        for (index, op) in model.operators.iter().enumerate() {
            let node = Node::new(model, op, &self.values, self.arithmetic);
            let results = operator(&node).map_err(|why| NetworkError::Operator {
                index,
                name: op.code.to_string(),
                // Operators that only act on variables have none.
                shape: op
                    .outputs
                    .first()
                    .map_or(Vec::new(), |&output| model.tensors[output].shape.clone()),
                why,
            })?;
            for (tensor, values) in results {
                self.values[tensor] = Some(values);
            }
        }
        Ok(())
    }

    /// The values of tensor `index`; `None` before the first run, and for a tensor that no
    /// operator writes.
    pub fn tensor(&self, index: usize) -> Option<&Values<F>> {
        self.values.get(index)?.as_ref()
    }

    /// The graph's first output.
    pub fn output(&self) -> Option<&Values<F>> {
        self.tensor(*self.model.outputs.first()?)
    }
}

/// The bytes that `op` writes when all it reads of `model` is constant; `None` when it cannot be
/// run.
pub(crate) fn constant_result(model: &Model, op: &Operator) -> Option<Vec<u8>> {
    let mut values: Vec<Option<Values<f32>>> = vec![None; model.tensors.len()];
    for &index in op.inputs.iter().flatten() {
        let tensor = &model.tensors[index];
        let data = tensor.data.as_deref();
        values[index] = data.and_then(|data| Values::from_bytes(tensor.dtype, data));
    }
    let node = Node::new(model, op, &values, Arithmetic::Exact);
    let (index, result) = operator(&node).ok()?.pop()?;
    let tensor = &model.tensors[index];
    let whole = result.len() == tensor.n_elements();
    whole.then(|| result.to_bytes(tensor.dtype))
}

/// What an operator writes: tensors of the model and their values.
type Results<F> = Vec<(usize, Values<F>)>;

fn operator<F: Real>(node: &Node<'_, F>) -> Result<Results<F>, String> {
    let code = &node.op.code;
    let builtin = match code {
        OpCode::Builtin(builtin) => builtin,
        OpCode::Custom(kind) => {
            return signal::signal(node, kind).unwrap_or_else(|| Err(hint(code).into()));
        }
    };
    let name = builtin.name().unwrap_or_default();
    let single = match name {
        "CONV_2D" => windows::conv_2d(node),
        "DEPTHWISE_CONV_2D" => windows::depthwise_conv_2d(node),
        "TRANSPOSE_CONV" => windows::transpose_conv(node),
        "AVERAGE_POOL_2D" => windows::average_pool_2d(node),
        "MAX_POOL_2D" => windows::max_pool_2d(node),
        "FULLY_CONNECTED" => dense::fully_connected(node),
        "ADD" => elementwise::add(node, 1),
        "SUB" => elementwise::add(node, -1),
        "MUL" => elementwise::mul(node),
        "DIV" => elementwise::div(node),
        "SQUARED_DIFFERENCE" => elementwise::squared_difference(node),
        "PRELU" => elementwise::prelu(node),
        "CAST" => convert::cast(node),
        "SHAPE" => movement::shape(node),
        "FILL" => movement::fill(node),
        "ZEROS_LIKE" => movement::zeros_like(node),
        "MAXIMUM" => elementwise::extreme(node, true),
        "MINIMUM" => elementwise::extreme(node, false),
        "RELU" | "RELU6" | "RELU_N1_TO_1" => elementwise::relu(node, name),
        "LEAKY_RELU" => elementwise::leaky_relu(node),
        "HARD_SWISH" => elementwise::hard_swish(node),
        "LOGISTIC" => functions::logistic(node),
        "TANH" => functions::tanh(node),
        "EXP" | "GELU" | "ELU" | "LOG" | "SQRT" | "SQUARE" | "SIN" | "COS" | "NEG" | "FLOOR"
        | "CEIL" | "ROUND" => functions::lookup(node, name),
        "ABS" => functions::abs(node),
        "RSQRT" => functions::rsqrt(node),
        "SOFTMAX" => functions::softmax(node),
        "MEAN" => reduce::mean(node),
        "SUM" => reduce::sum(node),
        "REDUCE_PROD" => reduce::product(node),
        "REDUCE_MAX" => reduce::extreme(node, true),
        "REDUCE_MIN" => reduce::extreme(node, false),
        "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => movement::reshape(node),
        "TRANSPOSE" => movement::transpose(node),
        "PAD" | "PADV2" => movement::pad(node),
        "SLICE" => movement::slice(node),
        "STRIDED_SLICE" => movement::strided_slice(node),
        "CONCATENATION" => movement::concatenation(node),
        "PACK" => movement::pack(node),
        "UNPACK" => return movement::unpack(node),
        "SPLIT" => return movement::split(node, 1, 0),
        "SPLIT_V" => return movement::split(node, 0, 2),
        "GATHER" => movement::gather_indices(node),
        "BROADCAST_TO" => movement::broadcast_to(node),
        "MIRROR_PAD" => movement::mirror_pad(node),
        "TILE" => movement::tile(node),
        "REVERSE_V2" => movement::reverse(node),
        "SPACE_TO_DEPTH" => movement::blocks(node, true),
        "DEPTH_TO_SPACE" => movement::blocks(node, false),
        "SPACE_TO_BATCH_ND" => batches::space_to_batch(node),
        "BATCH_TO_SPACE_ND" => batches::batch_to_space(node),
        "EQUAL" | "NOT_EQUAL" | "GREATER" | "GREATER_EQUAL" | "LESS" | "LESS_EQUAL" => {
            compare::compare(node, name)
        }
        "SELECT" | "SELECT_V2" => compare::select(node),
        "ARG_MAX" => reduce::arg_extreme(node, true),
        "ARG_MIN" => reduce::arg_extreme(node, false),
        "RESIZE_NEAREST_NEIGHBOR" => resize::nearest(node),
        "RESIZE_BILINEAR" => resize::bilinear(node),
        "BATCH_MATMUL" => dense::batch_matmul(node),
        "SVDF" => return recurrent::svdf(node),
        "UNIDIRECTIONAL_SEQUENCE_LSTM" => return recurrent::lstm(node),
        "QUANTIZE" => convert::quantize(node),
        "DEQUANTIZE" => convert::dequantize(node),
        _ => Err(format!(
            "the reference interpreter does not run {code} ({})",
            hint(code)
        )),
    };
    let single = single?;
    Ok(vec![(node.op.outputs[0], single)])
}
