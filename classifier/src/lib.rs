//! int8 network operators, equal byte for byte to the TFLite Micro reference kernels.
//!
//! Each operator is an [`Op`] of a plan, so network layers and signal processing share one graph
//! and one arena. Host code (`otolith-dsp-core`) reads a model and writes the steps; everything
//! that needs a float or a search, such as multipliers and clamps, is done there.
//!
//! | module | what |
//! |---|---|
//! | [`broadcast`] | two tensors combined element by element |
//! | [`functions`] | exponential, reciprocal, logarithm, inverse root in fixed point |
//! | [`ops`] | the operators, one file each: parameters, check, kernel |
//! | [`requant`] | the TFLite rounding law: the one home of its fixed-point primitives |
//!
//! | code | operator | file |
//! |---|---|---|
//! | 0x0200 | `CONV_2D_I8` | `ops/conv.rs` |
//! | 0x0201 | `DEPTHWISE_CONV_2D_I8` | `ops/depthwise.rs` |
//! | 0x0202 | `FULLY_CONNECTED_I8` | `ops/fully_connected.rs` |
//! | 0x0203 | `AVERAGE_POOL_2D_I8` | `ops/pool.rs` |
//! | 0x0204 | `MAX_POOL_2D_I8` | `ops/pool.rs` |
//! | 0x0205 | `ADD_I8` | `ops/add.rs` |
//! | 0x0206 | `MEAN_I8` | `ops/mean.rs` |
//! | 0x0207 | `SOFTMAX_I8` | `ops/softmax.rs` |
//! | 0x0210 | `QUANTIZE_F32_I8` | `ops/quantize.rs` |
//! | 0x0211 | `QUANTIZE_I8_I8` | `ops/quantize.rs` |
//! | 0x0212 | `QUANTIZE_I16_I8` | `ops/quantize.rs` |
//! | 0x0213 | `QUANTIZE_I8_U8` | `ops/quantize.rs` |
//! | 0x0214 | `DEQUANTIZE_I8_F32` | `ops/quantize.rs` |
//! | 0x0215 | `DEQUANTIZE_I16_F32` | `ops/quantize.rs` |
//! | 0x0220 | `DECIDE_I8` | `ops/decide.rs` |
//! | 0x0230 | `CONV_2D_PACKED_I8` | `ops/packed/conv.rs` |
//! | 0x0231 | `DEPTHWISE_3X3_PACKED_I8` | `ops/packed/depthwise.rs` |
//! | 0x0232 | `DEPTHWISE_TAPS_PACKED_I8` | `ops/packed/taps.rs` |
//! | 0x0233 | `ADD_LINEAR_I8` | `ops/packed/add.rs` |
//! | 0x0234 | `FULLY_CONNECTED_SPLIT_I8` | `ops/packed/split.rs` |
//! | 0x0235 | `GLOBAL_AVERAGE_POOL_I8` | `ops/packed/pool.rs` |
//! | 0x0250 | `LOOKUP_I8` | `ops/lookup.rs` |
//! | 0x0251 | `SUB_I8` | `ops/difference.rs` |
//! | 0x0252 | `SQUARED_DIFFERENCE_I8` | `ops/difference.rs` |
//! | 0x0253 | `MUL_I8` | `ops/mul.rs` |
//! | 0x0254 | `PRELU_I8` | `ops/mul.rs` |
//! | 0x0255 | `MAXIMUM_I8` | `ops/extremum.rs` |
//! | 0x0256 | `MINIMUM_I8` | `ops/extremum.rs` |
//! | 0x0258 | `REDUCE_MAX_I8` | `ops/reduce.rs` |
//! | 0x0259 | `REDUCE_MIN_I8` | `ops/reduce.rs` |
//! | 0x025a | `ARG_MAX_I8` | `ops/reduce.rs` |
//! | 0x025b | `ARG_MIN_I8` | `ops/reduce.rs` |
//! | 0x025c | `L2_NORMALIZATION_I8` | `ops/l2_normalization.rs` |
//! | 0x025d | `LOG_SOFTMAX_I8` | `ops/log_softmax.rs` |
//! | 0x0260 | `STRIDED_COPY_8` | `ops/strided_copy.rs` |
//! | 0x0261 | `STRIDED_COPY_16` | `ops/strided_copy.rs` |
//! | 0x0262 | `STRIDED_COPY_32` | `ops/strided_copy.rs` |
//! | 0x0263 | `FILL_8` | `ops/strided_copy.rs` |
//! | 0x0264 | `FILL_16` | `ops/strided_copy.rs` |
//! | 0x0268 | `GATHER_8` | `ops/gather.rs` |
//! | 0x0269 | `GATHER_16` | `ops/gather.rs` |
//! | 0x026a | `GATHER_32` | `ops/gather.rs` |
//! | 0x026c | `RESIZE_BILINEAR_I8` | `ops/resize.rs` |
//! | 0x0290 | `CONV_2D_I16` | `ops/general_conv.rs` |
//! | 0x0291 | `TRANSPOSE_CONV_I8` | `ops/general_conv.rs` |
//! | 0x0292 | `ADD_I16` | `ops/wide/elementwise.rs` |
//! | 0x0293 | `SUB_I16` | `ops/wide/elementwise.rs` |
//! | 0x0294 | `MUL_I16` | `ops/wide/elementwise.rs` |
//! | 0x0295 | `MEAN_I16` | `ops/mean.rs` |
//! | 0x0296 | `AVERAGE_POOL_2D_I16` | `ops/pool.rs` |
//! | 0x0297 | `MAX_POOL_2D_I16` | `ops/pool.rs` |
//! | 0x0298 | `LEAKY_RELU_I16` | `ops/wide/leaky_relu.rs` |
//! | 0x0299 | `LOGISTIC_I16` | `ops/wide/sigmoid.rs` |
//! | 0x029a | `TANH_I16` | `ops/wide/sigmoid.rs` |
//! | 0x029b | `SOFTMAX_I16` | `ops/wide/softmax.rs` |
//! | 0x029c | `QUANTIZE_I16_I16` | `ops/quantize.rs` |
//! | 0x029d | `QUANTIZE_I16_I32` | `ops/quantize.rs` |
//! | 0x029e | `QUANTIZE_I32_I16` | `ops/quantize.rs` |
//! | 0x029f | `QUANTIZE_I8_I16` | `ops/quantize.rs` |
//! | 0x02a0 | `QUANTIZE_I8_I32` | `ops/quantize.rs` |
//! | 0x02a1 | `QUANTIZE_I32_I8` | `ops/quantize.rs` |
//! | 0x02a2 | `SVDF_I8` | `ops/svdf.rs` |
//! | 0x02a3 | `SVDF_I8_STATE_I8` | `ops/svdf.rs` |
//! | 0x02a4 | `UNIDIRECTIONAL_SEQUENCE_LSTM_I8` | `ops/lstm.rs` |
//! | 0x02a5 | `BATCH_MATMUL_I8` | `ops/batch_matmul.rs` |
//! | 0x02a6 | `INITIAL_VALUE` | `ops/initial.rs` |
//! | 0x02a7 | `SOFTMAX_I8_I16` | `ops/softmax.rs` |
//! | 0x02c0 | `TREES_I32` | `ops/tree.rs` |
//! | 0x02c1 | `TREES_F32` | `ops/tree.rs` |
//! | 0x02c2 | `LINEAR_I32` | `ops/linear.rs` |
//! | 0x02c3 | `TO_FIXED_F32_I32` | `ops/linear.rs` |
//! | 0x02c4 | `SOFTMAX_I32` | `ops/linear.rs` |
//! | 0x02c5 | `LOGISTIC_I32` | `ops/linear.rs` |
//! | 0x02c6 | `SQUARED_DISTANCES_I32` | `ops/anomaly.rs` |
//! | 0x02c7 | `SQUARED_DISTANCES_F32` | `ops/anomaly.rs` |
//! | 0x02c8 | `NEAREST_I64` | `ops/anomaly.rs` |
//! | 0x02c9 | `MIXTURE_I64` | `ops/anomaly.rs` |
//! | 0x02ca | `DECIDE_I32` | `ops/decide.rs` |
//! | 0x02e0 | `SIGNAL_WINDOW_I16` | `ops/signal/frame.rs` |
//! | 0x02e1 | `SIGNAL_AUTO_SCALE_I16` | `ops/signal/frame.rs` |
//! | 0x02e2 | `SIGNAL_ENERGY_U32` | `ops/signal/bank.rs` |
//! | 0x02e3 | `SIGNAL_FILTER_BANK_U64` | `ops/signal/bank.rs` |
//! | 0x02e4 | `SIGNAL_SQUARE_ROOT_U32` | `ops/signal/bank.rs` |
//! | 0x02e8 | `ADD_I32` | `ops/integer.rs` |
//! | 0x02e9 | `SUB_I32` | `ops/integer.rs` |
//! | 0x02ea | `MUL_I32` | `ops/integer.rs` |
//! | 0x02eb | `DIV_I32` | `ops/integer.rs` |
//! | 0x02ec | `MAXIMUM_I32` | `ops/integer.rs` |
//! | 0x02ed | `MINIMUM_I32` | `ops/integer.rs` |
//! | 0x02f0 | `CAST` | `ops/integer.rs` |
//! | 0x02f1 | `DIV_I8` | `ops/div.rs` |
//! | 0x02f2 | `COMPARE_I8` | `ops/compare.rs` |
//! | 0x02f3 | `SELECT_8` | `ops/compare.rs` |
//!
//! `RESHAPE` needs no operator: lowering gives the same bytes another shape.
//!
//! Invariants: no heap, no panic, no recursion, no `unsafe`, no floats but at the boundaries
//! (`QUANTIZE_F32_I8`, `DEQUANTIZE_*`). Accumulators are 32 bits and wrap as two's complement;
//! lowering refuses models whose weights could make them wrap.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[macro_use]
mod params;
pub mod broadcast;
pub mod functions;
mod odometer;
pub mod ops;
pub mod requant;
mod window;

use otolith_dsp_nostd::Op;

/// All operators of this crate. An application that knows its plan lists only those it needs, so
/// that the linker drops the rest.
pub const ALL: &[&Op] = &[
    &ops::conv::CONV_2D_I8,
    &ops::depthwise::DEPTHWISE_CONV_2D_I8,
    &ops::fully_connected::FULLY_CONNECTED_I8,
    &ops::pool::AVERAGE_POOL_2D_I8,
    &ops::pool::MAX_POOL_2D_I8,
    &ops::add::ADD_I8,
    &ops::mean::MEAN_I8,
    &ops::softmax::SOFTMAX_I8,
    &ops::quantize::QUANTIZE_F32_I8,
    &ops::quantize::QUANTIZE_I8_I8,
    &ops::quantize::QUANTIZE_I16_I8,
    &ops::quantize::QUANTIZE_I8_U8,
    &ops::quantize::DEQUANTIZE_I8_F32,
    &ops::quantize::DEQUANTIZE_I16_F32,
    &ops::decide::DECIDE_I8,
    &ops::packed::conv::CONV_2D_PACKED_I8,
    &ops::packed::depthwise::DEPTHWISE_3X3_PACKED_I8,
    &ops::packed::taps::DEPTHWISE_TAPS_PACKED_I8,
    &ops::packed::add::ADD_LINEAR_I8,
    &ops::packed::split::FULLY_CONNECTED_SPLIT_I8,
    &ops::packed::pool::GLOBAL_AVERAGE_POOL_I8,
    &ops::lookup::LOOKUP_I8,
    &ops::difference::SUB_I8,
    &ops::difference::SQUARED_DIFFERENCE_I8,
    &ops::mul::MUL_I8,
    &ops::mul::PRELU_I8,
    &ops::extremum::MAXIMUM_I8,
    &ops::extremum::MINIMUM_I8,
    &ops::reduce::REDUCE_MAX_I8,
    &ops::reduce::REDUCE_MIN_I8,
    &ops::reduce::ARG_MAX_I8,
    &ops::reduce::ARG_MIN_I8,
    &ops::l2_normalization::L2_NORMALIZATION_I8,
    &ops::log_softmax::LOG_SOFTMAX_I8,
    &ops::strided_copy::STRIDED_COPY_8,
    &ops::strided_copy::STRIDED_COPY_16,
    &ops::strided_copy::STRIDED_COPY_32,
    &ops::strided_copy::FILL_8,
    &ops::strided_copy::FILL_16,
    &ops::gather::GATHER_8,
    &ops::gather::GATHER_16,
    &ops::gather::GATHER_32,
    &ops::resize::RESIZE_BILINEAR_I8,
    &ops::general_conv::CONV_2D_I16,
    &ops::general_conv::TRANSPOSE_CONV_I8,
    &ops::wide::elementwise::ADD_I16,
    &ops::wide::elementwise::SUB_I16,
    &ops::wide::elementwise::MUL_I16,
    &ops::mean::MEAN_I16,
    &ops::pool::AVERAGE_POOL_2D_I16,
    &ops::pool::MAX_POOL_2D_I16,
    &ops::wide::leaky_relu::LEAKY_RELU_I16,
    &ops::wide::sigmoid::LOGISTIC_I16,
    &ops::wide::sigmoid::TANH_I16,
    &ops::wide::softmax::SOFTMAX_I16,
    &ops::quantize::QUANTIZE_I16_I16,
    &ops::quantize::QUANTIZE_I16_I32,
    &ops::quantize::QUANTIZE_I32_I16,
    &ops::quantize::QUANTIZE_I8_I16,
    &ops::quantize::QUANTIZE_I8_I32,
    &ops::quantize::QUANTIZE_I32_I8,
    &ops::svdf::SVDF_I8,
    &ops::svdf::SVDF_I8_STATE_I8,
    &ops::lstm::UNIDIRECTIONAL_SEQUENCE_LSTM_I8,
    &ops::batch_matmul::BATCH_MATMUL_I8,
    &ops::initial::INITIAL_VALUE,
    &ops::softmax::SOFTMAX_I8_I16,
    &ops::tree::TREES_I32,
    &ops::tree::TREES_F32,
    &ops::linear::LINEAR_I32,
    &ops::linear::TO_FIXED_F32_I32,
    &ops::linear::SOFTMAX_I32,
    &ops::linear::LOGISTIC_I32,
    &ops::anomaly::SQUARED_DISTANCES_I32,
    &ops::anomaly::SQUARED_DISTANCES_F32,
    &ops::anomaly::NEAREST_I64,
    &ops::anomaly::MIXTURE_I64,
    &ops::decide::DECIDE_I32,
    &ops::signal::frame::SIGNAL_WINDOW_I16,
    &ops::signal::frame::SIGNAL_AUTO_SCALE_I16,
    &ops::signal::bank::SIGNAL_ENERGY_U32,
    &ops::signal::bank::SIGNAL_FILTER_BANK_U64,
    &ops::signal::bank::SIGNAL_SQUARE_ROOT_U32,
    &ops::integer::ADD_I32,
    &ops::integer::SUB_I32,
    &ops::integer::MUL_I32,
    &ops::integer::DIV_I32,
    &ops::integer::MAXIMUM_I32,
    &ops::integer::MINIMUM_I32,
    &ops::integer::CAST,
    &ops::div::DIV_I8,
    &ops::compare::COMPARE_I8,
    &ops::compare::SELECT_8,
];
