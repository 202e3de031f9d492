//! What to change in Keras or the converter when an operator is unsupported.

use crate::{BuiltinOp, OpCode};

const RECURRENT: &str = "this recurrent layer is not run: use keras.layers.LSTM, which the converter turns into one operator, or \
     a convolutional model (Conv1D, SeparableConv1D or DepthwiseConv2D over a window of frames)";
const FLOAT_ISLAND: &str = "this function stays outside the network: compute it in the feature pipeline, or train \
     the model without it";
const DYNAMIC: &str = "control flow and tables are not run: export a plain feed-forward model with a fixed batch of 1";

/// A sentence that says what to change in Keras or in the converter's call so
/// that the model no longer needs operator `code`.
pub fn hint(code: &OpCode) -> &'static str {
    let op = match code {
        OpCode::Builtin(op) => *op,
        OpCode::Custom(name) if name.starts_with("Flex") => {
            return "the converter fell back to TensorFlow ops: convert with \
                    target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8] and replace the layer it names";
        }
        OpCode::Custom(_) => {
            return "custom operators are not run: express the layer with standard Keras layers, and put signal \
                    processing into the pipeline's feature block";
        }
    };
    match op.name().unwrap_or("") {
        "RELU" | "RELU6" | "RELU_N1_TO_1" | "RELU_0_TO_1" => {
            "put the ReLU directly after a convolution, dense or add layer so that the converter fuses it"
        }
        "LOGISTIC" => {
            "end the model with Dense(2, softmax) instead of Dense(1, sigmoid); inside the model use ReLU"
        }
        "TANH" | "ELU" | "GELU" | "HARD_SWISH" | "LEAKY_RELU" | "PRELU" | "LOG_SOFTMAX" => {
            "use ReLU or ReLU6 as activation, and softmax at the end"
        }
        "PAD" | "PADV2" | "MIRROR_PAD" => {
            "use padding=\"same\" or \"valid\" in the convolution instead of ZeroPadding or padding=\"causal\""
        }
        "CONCATENATION" | "PACK" | "UNPACK" | "SPLIT" | "SPLIT_V" => {
            "use Add instead of Concatenate, and a single input and branch where possible"
        }
        "STRIDED_SLICE" | "SLICE" | "GATHER" | "GATHER_ND" | "TRANSPOSE" | "TILE"
        | "BROADCAST_TO" | "SHAPE" => {
            "give the model a fixed input shape (batch_size=1) in the layout that its first layer needs, and use \
             Reshape with constants instead of slicing or permuting"
        }
        "MUL" | "SUB" | "DIV" | "MAXIMUM" | "MINIMUM" | "SQUARED_DIFFERENCE" => {
            "let the converter fold BatchNormalization into the layer before it (no activation between them), and do \
             normalisation in the feature block"
        }
        "SUM" | "REDUCE_MAX" | "REDUCE_MIN" | "REDUCE_PROD" | "L2_POOL_2D" => {
            "use GlobalAveragePooling, AveragePooling or MaxPooling instead"
        }
        "ARG_MAX" | "ARG_MIN" | "TOPK_V2" | "CAST" => {
            "remove it from the model: the decide block picks the label from the scores"
        }
        "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" | "DEPTH_TO_SPACE" | "SPACE_TO_DEPTH" => {
            "upsampling is not run: classify at the resolution of the features"
        }
        "SPACE_TO_BATCH_ND" | "BATCH_TO_SPACE_ND" => {
            "the converter split a dilated convolution: convert with TensorFlow 2.16 or newer, or use dilation_rate=1"
        }
        "LSTM"
        | "RNN"
        | "UNIDIRECTIONAL_SEQUENCE_RNN"
        | "BIDIRECTIONAL_SEQUENCE_LSTM"
        | "BIDIRECTIONAL_SEQUENCE_RNN" => RECURRENT,
        "IF" | "WHILE" | "CALL" | "HASHTABLE" | "HASHTABLE_FIND" | "HASHTABLE_LOOKUP" => DYNAMIC,
        "ABS" | "EXP" | "LOG" | "SIN" | "COS" | "SQRT" | "RSQRT" | "SQUARE" | "POW" | "NEG"
        | "FLOOR" | "ROUND" | "CEIL" | "RFFT2D" | "COMPLEX_ABS" | "L2_NORMALIZATION" => {
            FLOAT_ISLAND
        }
        _ if op == BuiltinOp::CUSTOM => DYNAMIC,
        _ => {
            "convert with full int8 quantisation (a representative data set and TFLITE_BUILTINS_INT8), and build the \
             model from Conv, DepthwiseConv, Dense, pooling, Add, Reshape and Softmax layers"
        }
    }
}
