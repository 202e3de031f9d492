//! Which part of the lowering takes which operator.

use super::Lowering;
use super::compare::relation;
use otolith_tflite::{Activation, BuiltinOp, OpCode, Operator, Options, hint};

impl Lowering<'_, '_> {
    pub(super) fn operator(&mut self, index: usize, op: &Operator) -> Result<(), String> {
        let name = format!("{}.{index}.{}", self.name, op.code);
        let code = match &op.code {
            OpCode::Builtin(code) => code,
            OpCode::Custom(kind) => {
                let done = self.signal(&name, op, kind);
                return done.unwrap_or_else(|| Err(hint(&op.code).into()));
            }
        };
        if self.fold(&name, op, *code)? {
            return Ok(());
        }
        if let Some(done) = self.integer(&name, *code, op) {
            return done;
        }
        if let Some(done) = self.wide(&name, *code, op) {
            return done;
        }
        match (*code, &op.options) {
            (BuiltinOp::CAST, _) => self.cast(&name, op),
            (BuiltinOp::TRANSPOSE_CONV, _) => self.transpose_conv(&name, op),
            (BuiltinOp::BATCH_MATMUL, _) => self.batch_matmul(&name, op),
            (BuiltinOp::SVDF, _) => self.svdf(&name, op),
            (BuiltinOp::UNIDIRECTIONAL_SEQUENCE_LSTM, _) => self.lstm(&name, op),
            (BuiltinOp::VAR_HANDLE, _) => self.var_handle(op),
            (BuiltinOp::READ_VARIABLE, _) => self.read_variable(&name, index, op),
            (BuiltinOp::ASSIGN_VARIABLE, _) => self.assign_variable(&name, op),
            (BuiltinOp::CALL_ONCE, _) => self.call_once(&name, op),
            (BuiltinOp::CONV_2D, options @ Options::Conv2D { .. }) => {
                self.conv_2d(&name, op, options)
            }
            (BuiltinOp::DEPTHWISE_CONV_2D, options @ Options::DepthwiseConv2D { .. }) => {
                self.depthwise_conv_2d(&name, op, options)
            }
            (
                BuiltinOp::AVERAGE_POOL_2D | BuiltinOp::MAX_POOL_2D,
                options @ Options::Pool2D { .. },
            ) => self.pool_2d(&name, op, options, *code == BuiltinOp::MAX_POOL_2D),
            (
                BuiltinOp::FULLY_CONNECTED,
                &Options::FullyConnected {
                    activation,
                    weights_format,
                    ..
                },
            ) => self.fully_connected(&name, op, activation, weights_format),
            (BuiltinOp::ADD, &Options::Add { activation }) => self.add(&name, op, activation),
            (BuiltinOp::MEAN, Options::Reducer { .. }) => self.mean(&name, op),
            (BuiltinOp::SOFTMAX, &Options::Softmax { beta }) => self.softmax(&name, op, beta),
            (BuiltinOp::QUANTIZE | BuiltinOp::DEQUANTIZE, _) => self.convert(&name, op),
            (BuiltinOp::RESHAPE | BuiltinOp::SQUEEZE | BuiltinOp::EXPAND_DIMS, _) => {
                self.reshape(op)
            }
            _ => self.int8_operator(&name, op, *code),
        }
    }

    /// Operators without weights or windows.
    fn int8_operator(&mut self, name: &str, op: &Operator, code: BuiltinOp) -> Result<(), String> {
        match (code, &op.options) {
            (BuiltinOp::SUB, &Options::Sub { activation }) => {
                self.difference(name, op, activation, false)
            }
            (BuiltinOp::SQUARED_DIFFERENCE, _) => self.difference(name, op, Activation::None, true),
            (BuiltinOp::MUL, &Options::Mul { activation }) => self.mul(name, op, activation),
            (BuiltinOp::DIV, &Options::Div { activation }) => self.div(name, op, activation),
            (BuiltinOp::PRELU, _) => self.prelu(name, op),
            (BuiltinOp::MAXIMUM, _) => self.larger(name, op, false),
            (BuiltinOp::MINIMUM, _) => self.larger(name, op, true),
            (BuiltinOp::SUM, _) => self.sum(name, op),
            (BuiltinOp::REDUCE_MAX, _) => self.extremum(name, op, false),
            (BuiltinOp::REDUCE_MIN, _) => self.extremum(name, op, true),
            (BuiltinOp::ARG_MAX | BuiltinOp::ARG_MIN, _) => self.arg(name, op, code),
            (BuiltinOp::L2_NORMALIZATION, _) => self.l2_normalization(name, op),
            (BuiltinOp::LOG_SOFTMAX, _) => self.log_softmax(name, op),
            (BuiltinOp::TRANSPOSE, _) => self.transpose(name, op),
            (BuiltinOp::SLICE, _) => self.slice(name, op),
            (BuiltinOp::STRIDED_SLICE, options) => self.strided_slice(name, op, options),
            (BuiltinOp::SPLIT, _) => self.split_at(name, op, [1, 0]),
            (BuiltinOp::SPLIT_V, _) => self.split_at(name, op, [0, 2]),
            (BuiltinOp::UNPACK, &Options::Pack { axis }) => self.split(name, op, 0, axis),
            (
                BuiltinOp::CONCATENATION,
                &Options::Concatenation {
                    axis,
                    activation: Activation::None,
                },
            )
            | (BuiltinOp::PACK, &Options::Pack { axis }) => self.join(name, op, axis),
            (BuiltinOp::PAD | BuiltinOp::PADV2, _) => self.pad(name, op),
            (BuiltinOp::MIRROR_PAD, &Options::MirrorPad { symmetric }) => {
                self.mirror_pad(name, op, symmetric)
            }
            (BuiltinOp::GATHER, &Options::Gather { axis, batch_dims }) => {
                self.gather(name, op, axis, batch_dims)
            }
            (BuiltinOp::BROADCAST_TO, _) => self.broadcast_to(name, op),
            (BuiltinOp::SPACE_TO_BATCH_ND, _) => self.space_to_batch(name, op),
            (BuiltinOp::BATCH_TO_SPACE_ND, _) => self.batch_to_space(name, op),
            (BuiltinOp::TILE, _) => self.tile(name, op),
            (BuiltinOp::REVERSE_V2, _) => self.reverse(name, op),
            (BuiltinOp::SPACE_TO_DEPTH, &Options::Blocks { size }) => {
                self.blocks(name, op, size, false)
            }
            (BuiltinOp::DEPTH_TO_SPACE, &Options::Blocks { size }) => {
                self.blocks(name, op, size, true)
            }
            (
                BuiltinOp::RESIZE_NEAREST_NEIGHBOR,
                &Options::Resize {
                    align_corners,
                    half_pixel_centers,
                },
            ) => self.resize_nearest(name, op, align_corners, half_pixel_centers),
            (
                BuiltinOp::RESIZE_BILINEAR,
                &Options::Resize {
                    align_corners,
                    half_pixel_centers,
                },
            ) => self.resize_bilinear(name, op, align_corners, half_pixel_centers),
            (BuiltinOp::SELECT | BuiltinOp::SELECT_V2, _) => self.choose(name, op),
            _ => match relation(code) {
                Some(relation) => self.compare(name, op, relation),
                None => self.unary(name, op, code),
            },
        }
    }
}
