//! Operators and the options of those that Otolith runs.

use crate::flatbuffer::Table;
use crate::flexbuffer;
use crate::model::tensor_index;
use crate::{BuiltinOp, ModelError};
use core::fmt;
use std::collections::BTreeMap;

/// Which operator is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OpCode {
    /// An operator of the schema.
    Builtin(BuiltinOp),
    /// An operator known only by its name.
    Custom(String),
}

impl fmt::Display for OpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpCode::Builtin(op) => op.fmt(f),
            OpCode::Custom(name) => write!(f, "CUSTOM \"{name}\""),
        }
    }
}

/// One operator of the subgraph.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// Which operator.
    pub code: OpCode,
    /// Version that the converter asks for.
    pub version: i32,
    /// Tensor indices; `None` for an input that is left out (-1 in the file).
    pub inputs: Vec<Option<usize>>,
    /// Tensor indices.
    pub outputs: Vec<usize>,
    /// The options in the form of the operator.
    pub options: Options,
    /// Byte of the file at which the operator's table starts.
    pub at: usize,
}

/// Options of an operator.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum Options {
    /// `CONV_2D`.
    Conv2D {
        /// How borders are treated.
        padding: Padding,
        /// Vertical step, at least 1.
        stride_h: usize,
        /// Horizontal step, at least 1.
        stride_w: usize,
        /// Vertical distance of taps, at least 1.
        dilation_h: usize,
        /// Horizontal distance of taps, at least 1.
        dilation_w: usize,
        /// Fused activation.
        activation: Activation,
    },
    /// `DEPTHWISE_CONV_2D`.
    DepthwiseConv2D {
        /// How borders are treated.
        padding: Padding,
        /// Vertical step, at least 1.
        stride_h: usize,
        /// Horizontal step, at least 1.
        stride_w: usize,
        /// Vertical distance of taps, at least 1.
        dilation_h: usize,
        /// Horizontal distance of taps, at least 1.
        dilation_w: usize,
        /// Output channels per input channel as declared; the weights' shape decides.
        depth_multiplier: i32,
        /// Fused activation.
        activation: Activation,
    },
    /// `AVERAGE_POOL_2D` and `MAX_POOL_2D`.
    Pool2D {
        /// How borders are treated.
        padding: Padding,
        /// Vertical step, at least 1.
        stride_h: usize,
        /// Horizontal step, at least 1.
        stride_w: usize,
        /// Height of the window, at least 1.
        filter_h: usize,
        /// Width of the window, at least 1.
        filter_w: usize,
        /// Fused activation.
        activation: Activation,
    },
    /// `FULLY_CONNECTED`.
    FullyConnected {
        /// Fused activation.
        activation: Activation,
        /// 0 for the plain row-major layout.
        weights_format: u8,
        /// The output keeps the input's leading dimensions.
        keep_num_dims: bool,
    },
    /// `SOFTMAX`.
    Softmax {
        /// Factor on the input.
        beta: f32,
    },
    /// `ADD`.
    Add {
        /// Fused activation.
        activation: Activation,
    },
    /// `SUB`.
    Sub {
        /// Fused activation.
        activation: Activation,
    },
    /// `MUL`.
    Mul {
        /// Fused activation.
        activation: Activation,
    },
    /// `LEAKY_RELU`.
    LeakyRelu {
        /// Slope of negative values.
        alpha: f32,
    },
    /// `TRANSPOSE_CONV`.
    TransposeConv {
        /// How borders are treated.
        padding: Padding,
        /// Vertical distance of the input's elements in the output, at least 1.
        stride_h: usize,
        /// Horizontal distance, at least 1.
        stride_w: usize,
        /// Fused activation.
        activation: Activation,
    },
    /// `SVDF`.
    Svdf {
        /// Filters that make up one output, at least 1.
        rank: usize,
        /// Fused activation.
        activation: Activation,
    },
    /// `UNIDIRECTIONAL_SEQUENCE_LSTM`.
    UnidirectionalSequenceLstm {
        /// Activation of the cell gate and of the cell's output.
        activation: Activation,
        /// Largest magnitude of a cell, 0 for no limit.
        cell_clip: f32,
        /// Largest magnitude of a projected output, 0 for no limit.
        proj_clip: f32,
        /// The sequence runs along the first dimension, not the second.
        time_major: bool,
    },
    /// `BATCH_MATMUL`.
    BatchMatMul {
        /// The first matrix is transposed.
        adj_x: bool,
        /// The second matrix is transposed.
        adj_y: bool,
    },
    /// `CALL_ONCE`.
    CallOnce {
        /// The subgraph that gives variables their first values; 1 is the first of
        /// [`Model::subgraphs`](crate::Model::subgraphs).
        subgraph: usize,
    },
    /// `VAR_HANDLE`.
    VarHandle {
        /// The variable's name, with its container: the same name is the same variable, in every
        /// subgraph.
        name: String,
    },
    /// `CONCATENATION`.
    Concatenation {
        /// Axis along which the inputs lie; below 0 it counts from the last.
        axis: i32,
        /// Fused activation.
        activation: Activation,
    },
    /// `PACK` and `UNPACK`.
    Pack {
        /// The axis that appears or disappears; below 0 it counts from the last.
        axis: i32,
    },
    /// `GATHER`.
    Gather {
        /// The axis that the indices count along; below 0 it counts from the last.
        axis: i32,
        /// Leading dimensions that input and indices share.
        batch_dims: i32,
    },
    /// `STRIDED_SLICE`. Bit i of a mask belongs to entry i of begin, end and strides.
    StridedSlice {
        /// The slice begins at the axis' first element.
        begin_mask: i32,
        /// The slice ends at the axis' last element.
        end_mask: i32,
        /// The entry stands for as many whole axes as are left.
        ellipsis_mask: i32,
        /// The entry adds an axis of size 1.
        new_axis_mask: i32,
        /// The axis disappears; its slice is one element.
        shrink_axis_mask: i32,
        /// Ends count from the begins.
        offset: bool,
    },
    /// `SPACE_TO_DEPTH` and `DEPTH_TO_SPACE`.
    Blocks {
        /// Height and width of a block, at least 1.
        size: usize,
    },
    /// `RESIZE_BILINEAR` and `RESIZE_NEAREST_NEIGHBOR`.
    Resize {
        /// The corner pixels of both images lie on each other.
        align_corners: bool,
        /// Pixels lie at half coordinates.
        half_pixel_centers: bool,
    },
    /// `MIRROR_PAD`.
    MirrorPad {
        /// The border repeats the outermost element.
        symmetric: bool,
    },
    /// `GELU`.
    Gelu {
        /// By the formula with the hyperbolic tangent.
        approximate: bool,
    },
    /// `RESHAPE`.
    Reshape {
        /// The new shape as declared, with at most one -1; empty if it comes as an input.
        new_shape: Vec<i32>,
    },
    /// `MEAN`, `SUM`, `REDUCE_PROD`, `REDUCE_MAX` and `REDUCE_MIN`.
    Reducer {
        /// The output keeps reduced dimensions with size 1.
        keep_dims: bool,
    },
    /// A custom operator.
    Custom {
        /// Its whole numbers and switches by name; empty where they are none or not readable.
        numbers: BTreeMap<String, i64>,
    },
    /// `DIV`.
    Div {
        /// Fused activation.
        activation: Activation,
    },
    /// An operator whose options are none or are not read.
    None,
}

/// How a window is laid over the borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Output size is the input size divided by the stride, rounded up.
    Same,
    /// Only windows that lie inside the input.
    Valid,
}

/// An activation fused into the operator before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// No activation.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, -1), 1)`.
    ReluN1To1,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// Another one of the schema, by its code.
    Other(u8),
}

impl Operator {
    pub(crate) fn read(
        table: &Table<'_, '_>,
        codes: &[(OpCode, i32)],
        n_tensors: usize,
    ) -> Result<Self, ModelError> {
        let found = table.u32(0, 0, "operator code index")?;
        let index = usize::try_from(found).ok().and_then(|i| codes.get(i));
        let Some((code, version)) = index.cloned() else {
            let what = "operator code index";
            return Err(ModelError::Index {
                what,
                at: table.at(),
                found: i64::from(found),
                count: codes.len(),
            });
        };
        let inputs = table
            .i32s(1, "operator input")?
            .into_iter()
            .map(|i| match i {
                -1 => Ok(None),
                i => tensor_index(i, "operator input", table.at(), n_tensors).map(Some),
            })
            .collect::<Result<_, _>>()?;
        let outputs = table
            .i32s(2, "operator output")?
            .into_iter()
            .map(|i| tensor_index(i, "operator output", table.at(), n_tensors))
            .collect::<Result<_, _>>()?;
        let options = match &code {
            OpCode::Builtin(op) => Options::read(*op, table)?,
            OpCode::Custom(_) => {
                let bytes = table.bytes(5, "custom options")?.unwrap_or_default();
                Options::Custom {
                    numbers: flexbuffer::scalars(bytes).unwrap_or_default(),
                }
            }
        };
        Ok(Operator {
            code,
            version,
            inputs,
            outputs,
            options,
            at: table.at(),
        })
    }
}

impl Options {
    fn read(op: BuiltinOp, operator: &Table<'_, '_>) -> Result<Self, ModelError> {
        // Member number of the operator's options in the schema's union.
        let member = match op {
            BuiltinOp::CONV_2D => 1,
            BuiltinOp::DEPTHWISE_CONV_2D => 2,
            BuiltinOp::AVERAGE_POOL_2D | BuiltinOp::MAX_POOL_2D => 5,
            BuiltinOp::FULLY_CONNECTED => 8,
            BuiltinOp::SOFTMAX => 9,
            BuiltinOp::ADD => 11,
            BuiltinOp::RESHAPE => 17,
            BuiltinOp::MEAN
            | BuiltinOp::SUM
            | BuiltinOp::REDUCE_PROD
            | BuiltinOp::REDUCE_MAX
            | BuiltinOp::REDUCE_MIN => 27,
            BuiltinOp::CONCATENATION => 10,
            BuiltinOp::RESIZE_BILINEAR => 15,
            BuiltinOp::SPACE_TO_DEPTH => 19,
            BuiltinOp::GATHER => 23,
            BuiltinOp::STRIDED_SLICE => 32,
            BuiltinOp::PACK => 59,
            BuiltinOp::UNPACK => 64,
            BuiltinOp::RESIZE_NEAREST_NEIGHBOR => 74,
            BuiltinOp::MIRROR_PAD => 77,
            BuiltinOp::DEPTH_TO_SPACE => 94,
            BuiltinOp::GELU => 116,
            BuiltinOp::SVDF => 6,
            BuiltinOp::MUL => 21,
            BuiltinOp::SUB => 28,
            BuiltinOp::DIV => 29,
            BuiltinOp::TRANSPOSE_CONV => 49,
            BuiltinOp::UNIDIRECTIONAL_SEQUENCE_LSTM => 71,
            BuiltinOp::LEAKY_RELU => 75,
            BuiltinOp::BATCH_MATMUL => 101,
            BuiltinOp::CALL_ONCE => 103,
            BuiltinOp::VAR_HANDLE => 111,
            _ => return Ok(Options::None),
        };
        let what = "builtin options";
        let found = operator.u8(3, 0, what)?;
        let table = match operator.table(4, what)? {
            Some(table) if found == member => table,
            Some(_) => {
                let allowed = "the options type of the operator";
                return Err(ModelError::Value {
                    what,
                    at: operator.at(),
                    found: i64::from(found),
                    allowed,
                });
            }
            // The converter leaves the options of a RESHAPE out when the shape is an input.
            None if op == BuiltinOp::RESHAPE => {
                return Ok(Options::Reshape {
                    new_shape: Vec::new(),
                });
            }
            None => {
                return Err(ModelError::Missing {
                    what,
                    at: operator.at(),
                });
            }
        };
        Ok(match op {
            BuiltinOp::CONV_2D => Options::Conv2D {
                padding: padding(&table)?,
                stride_w: positive(&table, 1, 0, "stride_w")?,
                stride_h: positive(&table, 2, 0, "stride_h")?,
                activation: activation(&table, 3)?,
                dilation_w: positive(&table, 4, 1, "dilation_w_factor")?,
                dilation_h: positive(&table, 5, 1, "dilation_h_factor")?,
            },
            BuiltinOp::DEPTHWISE_CONV_2D => Options::DepthwiseConv2D {
                padding: padding(&table)?,
                stride_w: positive(&table, 1, 0, "stride_w")?,
                stride_h: positive(&table, 2, 0, "stride_h")?,
                depth_multiplier: table.i32(3, 0, "depth_multiplier")?,
                activation: activation(&table, 4)?,
                dilation_w: positive(&table, 5, 1, "dilation_w_factor")?,
                dilation_h: positive(&table, 6, 1, "dilation_h_factor")?,
            },
            BuiltinOp::AVERAGE_POOL_2D | BuiltinOp::MAX_POOL_2D => Options::Pool2D {
                padding: padding(&table)?,
                stride_w: positive(&table, 1, 0, "stride_w")?,
                stride_h: positive(&table, 2, 0, "stride_h")?,
                filter_w: positive(&table, 3, 0, "filter_width")?,
                filter_h: positive(&table, 4, 0, "filter_height")?,
                activation: activation(&table, 5)?,
            },
            BuiltinOp::FULLY_CONNECTED => Options::FullyConnected {
                activation: activation(&table, 0)?,
                weights_format: table.u8(1, 0, "weights_format")?,
                keep_num_dims: table.u8(2, 0, "keep_num_dims")? != 0,
            },
            BuiltinOp::SOFTMAX => Options::Softmax {
                beta: table.f32(0, 0.0, "beta")?,
            },
            BuiltinOp::ADD => Options::Add {
                activation: activation(&table, 0)?,
            },
            BuiltinOp::SUB => Options::Sub {
                activation: activation(&table, 0)?,
            },
            BuiltinOp::DIV => Options::Div {
                activation: activation(&table, 0)?,
            },
            BuiltinOp::MUL => Options::Mul {
                activation: activation(&table, 0)?,
            },
            BuiltinOp::LEAKY_RELU => Options::LeakyRelu {
                alpha: table.f32(0, 0.0, "alpha")?,
            },
            BuiltinOp::TRANSPOSE_CONV => Options::TransposeConv {
                padding: padding(&table)?,
                stride_w: positive(&table, 1, 0, "stride_w")?,
                stride_h: positive(&table, 2, 0, "stride_h")?,
                activation: activation(&table, 3)?,
            },
            BuiltinOp::SVDF => Options::Svdf {
                rank: positive(&table, 0, 0, "rank")?,
                activation: activation(&table, 1)?,
            },
            BuiltinOp::UNIDIRECTIONAL_SEQUENCE_LSTM => Options::UnidirectionalSequenceLstm {
                activation: activation(&table, 0)?,
                cell_clip: table.f32(1, 0.0, "cell_clip")?,
                proj_clip: table.f32(2, 0.0, "proj_clip")?,
                time_major: table.u8(3, 0, "time_major")? != 0,
            },
            BuiltinOp::BATCH_MATMUL => Options::BatchMatMul {
                adj_x: table.u8(0, 0, "adj_x")? != 0,
                adj_y: table.u8(1, 0, "adj_y")? != 0,
            },
            BuiltinOp::CALL_ONCE => Options::CallOnce {
                subgraph: positive(&table, 0, 0, "init_subgraph_index")?,
            },
            BuiltinOp::VAR_HANDLE => Options::VarHandle {
                name: format!(
                    "{}/{}",
                    table.string(0, "container")?,
                    table.string(1, "shared_name")?
                ),
            },
            BuiltinOp::CONCATENATION => Options::Concatenation {
                axis: table.i32(0, 0, "axis")?,
                activation: activation(&table, 1)?,
            },
            BuiltinOp::PACK | BuiltinOp::UNPACK => Options::Pack {
                axis: table.i32(1, 0, "axis")?,
            },
            BuiltinOp::GATHER => Options::Gather {
                axis: table.i32(0, 0, "axis")?,
                batch_dims: table.i32(1, 0, "batch_dims")?,
            },
            BuiltinOp::STRIDED_SLICE => Options::StridedSlice {
                begin_mask: table.i32(0, 0, "begin_mask")?,
                end_mask: table.i32(1, 0, "end_mask")?,
                ellipsis_mask: table.i32(2, 0, "ellipsis_mask")?,
                new_axis_mask: table.i32(3, 0, "new_axis_mask")?,
                shrink_axis_mask: table.i32(4, 0, "shrink_axis_mask")?,
                offset: table.u8(5, 0, "offset")? != 0,
            },
            BuiltinOp::SPACE_TO_DEPTH | BuiltinOp::DEPTH_TO_SPACE => Options::Blocks {
                size: positive(&table, 0, 0, "block_size")?,
            },
            BuiltinOp::RESIZE_BILINEAR => Options::Resize {
                align_corners: table.u8(2, 0, "align_corners")? != 0,
                half_pixel_centers: table.u8(3, 0, "half_pixel_centers")? != 0,
            },
            BuiltinOp::RESIZE_NEAREST_NEIGHBOR => Options::Resize {
                align_corners: table.u8(0, 0, "align_corners")? != 0,
                half_pixel_centers: table.u8(1, 0, "half_pixel_centers")? != 0,
            },
            BuiltinOp::MIRROR_PAD => Options::MirrorPad {
                symmetric: table.u8(0, 0, "mode")? != 0,
            },
            BuiltinOp::GELU => Options::Gelu {
                approximate: table.u8(0, 0, "approximate")? != 0,
            },
            BuiltinOp::RESHAPE => Options::Reshape {
                new_shape: table.i32s(0, "new_shape")?,
            },
            _ => Options::Reducer {
                keep_dims: table.u8(0, 0, "keep_dims")? != 0,
            },
        })
    }
}

fn padding(table: &Table<'_, '_>) -> Result<Padding, ModelError> {
    let what = "padding";
    match table.u8(0, 0, what)? {
        0 => Ok(Padding::Same),
        1 => Ok(Padding::Valid),
        found => {
            let allowed = "0 (SAME) or 1 (VALID)";
            Err(ModelError::Value {
                what,
                at: table.at(),
                found: i64::from(found),
                allowed,
            })
        }
    }
}

fn activation(table: &Table<'_, '_>, index: usize) -> Result<Activation, ModelError> {
    Ok(match table.u8(index, 0, "fused activation")? {
        0 => Activation::None,
        1 => Activation::Relu,
        2 => Activation::ReluN1To1,
        3 => Activation::Relu6,
        other => Activation::Other(other),
    })
}

fn positive(
    table: &Table<'_, '_>,
    index: usize,
    default: i32,
    what: &'static str,
) -> Result<usize, ModelError> {
    let found = table.i32(index, default, what)?;
    match usize::try_from(found) {
        Ok(value) if (1..=65535).contains(&value) => Ok(value),
        _ => {
            let allowed = "1 to 65535";
            Err(ModelError::Value {
                what,
                at: table.at(),
                found: i64::from(found),
                allowed,
            })
        }
    }
}
