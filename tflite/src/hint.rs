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
        OpCode::Custom(name) if name.starts_with("Signal") => {
            return "of the signal operators those of audio_preprocessor_int8.tflite are run: put other signal \
                    processing into the pipeline's feature block";
        }
        OpCode::Custom(_) => {
            return "custom operators are not run: express the layer with standard Keras layers, and put signal \
                    processing into the pipeline's feature block";
        }
    };
    match op.name().unwrap_or("") {
        "RELU_0_TO_1" => "use ReLU or ReLU6 as activation",
        "POW" | "FLOOR_DIV" | "FLOOR_MOD" | "ATAN2" => {
            "multiply by a constant instead, or do the division in the feature block"
        }
        "LOGICAL_AND" | "LOGICAL_OR" | "LOGICAL_NOT" | "WHERE" => {
            "masks are not combined: use Maximum, Minimum or ReLU, and compare scores in the decide block"
        }
        "GATHER_ND" | "SCATTER_ND" | "ONE_HOT" | "EMBEDDING_LOOKUP" | "REVERSE_SEQUENCE" => {
            "use Gather with constant indices, or Reshape and slices"
        }
        "RANK" | "FILL" | "RANGE" | "ZEROS_LIKE" => {
            "give the model a fixed input shape (batch_size=1), so that the converter computes shapes itself"
        }
        "REDUCE_PROD" | "REDUCE_ANY" | "REDUCE_ALL" | "CUMSUM" | "L2_POOL_2D" => {
            "use GlobalAveragePooling, AveragePooling, MaxPooling, or sum, mean, max and min"
        }
        "TOPK_V2" => "remove it from the model: the decide block picks the label from the scores",
        "CAST" => "remove it from the model, and convert with inference_input_type=tf.int8",
        "ADD_N" => "use keras.layers.Add, which the converter turns into ADD",
        "LSTM"
        | "RNN"
        | "UNIDIRECTIONAL_SEQUENCE_RNN"
        | "BIDIRECTIONAL_SEQUENCE_LSTM"
        | "BIDIRECTIONAL_SEQUENCE_RNN" => RECURRENT,
        "IF" | "WHILE" | "CALL" | "HASHTABLE" | "HASHTABLE_FIND" | "HASHTABLE_LOOKUP" => DYNAMIC,
        "EXP" | "LOG" | "SIN" | "COS" | "SQRT" | "SQUARE" | "NEG" | "FLOOR" | "CEIL" | "ROUND"
        | "SIGN" | "RFFT2D" | "COMPLEX_ABS" => FLOAT_ISLAND,
        _ if op == BuiltinOp::CUSTOM => DYNAMIC,
        _ => {
            "convert with full int8 quantisation (a representative data set and TFLITE_BUILTINS_INT8), and build the \
             model from Conv, DepthwiseConv, Dense, pooling, Add, Reshape and Softmax layers"
        }
    }
}
