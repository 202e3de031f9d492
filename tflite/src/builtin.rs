//! The builtin operator codes of the TFLite schema and their names.

use core::fmt;

/// A builtin operator code of the TFLite schema.
///
/// Any code is representable, so that errors and `inspect` can name operators
/// that Otolith does not run; the constants are those that it reads options of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuiltinOp(pub i32);

impl BuiltinOp {
    /// Element-wise sum with broadcasting.
    pub const ADD: Self = Self(0);
    /// Average over a window.
    pub const AVERAGE_POOL_2D: Self = Self(1);
    /// Tensors one behind the other along an axis.
    pub const CONCATENATION: Self = Self(2);
    /// Convolution.
    pub const CONV_2D: Self = Self(3);
    /// Convolution of each channel by itself.
    pub const DEPTHWISE_CONV_2D: Self = Self(4);
    /// Channels spread over blocks of pixels.
    pub const DEPTH_TO_SPACE: Self = Self(5);
    /// Integers to floats.
    pub const DEQUANTIZE: Self = Self(6);
    /// The next integer below.
    pub const FLOOR: Self = Self(8);
    /// Matrix times vector.
    pub const FULLY_CONNECTED: Self = Self(9);
    /// Rows scaled to length 1.
    pub const L2_NORMALIZATION: Self = Self(11);
    /// `1 / (1 + exp(-x))`.
    pub const LOGISTIC: Self = Self(14);
    /// Largest value of a window.
    pub const MAX_POOL_2D: Self = Self(17);
    /// Element-wise product with broadcasting.
    pub const MUL: Self = Self(18);
    /// `max(x, 0)`.
    pub const RELU: Self = Self(19);
    /// `min(max(x, -1), 1)`.
    pub const RELU_N1_TO_1: Self = Self(20);
    /// `min(max(x, 0), 6)`.
    pub const RELU6: Self = Self(21);
    /// Same data, other shape.
    pub const RESHAPE: Self = Self(22);
    /// Image of another size, interpolated.
    pub const RESIZE_BILINEAR: Self = Self(23);
    /// Normalised exponentials.
    pub const SOFTMAX: Self = Self(25);
    /// Blocks of pixels gathered into channels.
    pub const SPACE_TO_DEPTH: Self = Self(26);
    /// Two filters in turn: over features, then over time.
    pub const SVDF: Self = Self(27);
    /// Hyperbolic tangent.
    pub const TANH: Self = Self(28);
    /// An operator that is named by a string.
    pub const CUSTOM: Self = Self(32);
    /// Borders of zeros.
    pub const PAD: Self = Self(34);
    /// Slices picked by index.
    pub const GATHER: Self = Self(36);
    /// Batches gathered into blocks of pixels.
    pub const BATCH_TO_SPACE_ND: Self = Self(37);
    /// Blocks of pixels spread over batches.
    pub const SPACE_TO_BATCH_ND: Self = Self(38);
    /// Axes in another order.
    pub const TRANSPOSE: Self = Self(39);
    /// Average over axes.
    pub const MEAN: Self = Self(40);
    /// Element-wise difference with broadcasting.
    pub const SUB: Self = Self(41);
    /// Element-wise quotient with broadcasting.
    pub const DIV: Self = Self(42);
    /// Removes dimensions of size one.
    pub const SQUEEZE: Self = Self(43);
    /// Long short-term memory over a sequence.
    pub const UNIDIRECTIONAL_SEQUENCE_LSTM: Self = Self(44);
    /// Part of a tensor, by first and last index and step.
    pub const STRIDED_SLICE: Self = Self(45);
    /// `exp(x)`.
    pub const EXP: Self = Self(47);
    /// Equal parts along an axis.
    pub const SPLIT: Self = Self(49);
    /// Logarithm of the normalised exponentials.
    pub const LOG_SOFTMAX: Self = Self(50);
    /// Elements in another type, as plain numbers.
    pub const CAST: Self = Self(53);
    /// A rectifier whose slope for negative values is a tensor.
    pub const PRELU: Self = Self(54);
    /// The larger of two elements.
    pub const MAXIMUM: Self = Self(55);
    /// Index of the largest element.
    pub const ARG_MAX: Self = Self(56);
    /// The smaller of two elements.
    pub const MINIMUM: Self = Self(57);
    /// `a < b`.
    pub const LESS: Self = Self(58);
    /// `-x`.
    pub const NEG: Self = Self(59);
    /// Borders of a given value.
    pub const PADV2: Self = Self(60);
    /// `a > b`.
    pub const GREATER: Self = Self(61);
    /// `a >= b`.
    pub const GREATER_EQUAL: Self = Self(62);
    /// `a <= b`.
    pub const LESS_EQUAL: Self = Self(63);
    /// Elements of one of two tensors, by a mask of their shape.
    pub const SELECT: Self = Self(64);
    /// Part of a tensor, by first index and size.
    pub const SLICE: Self = Self(65);
    /// `sin(x)`.
    pub const SIN: Self = Self(66);
    /// Convolution whose input is spread by the stride.
    pub const TRANSPOSE_CONV: Self = Self(67);
    /// A tensor repeated along its axes.
    pub const TILE: Self = Self(69);
    /// Adds a dimension of size one.
    pub const EXPAND_DIMS: Self = Self(70);
    /// `a = b`.
    pub const EQUAL: Self = Self(71);
    /// `a != b`.
    pub const NOT_EQUAL: Self = Self(72);
    /// `ln(x)`.
    pub const LOG: Self = Self(73);
    /// Sum over axes.
    pub const SUM: Self = Self(74);
    /// Square root.
    pub const SQRT: Self = Self(75);
    /// `1 / sqrt(x)`.
    pub const RSQRT: Self = Self(76);
    /// The dimensions of a tensor.
    pub const SHAPE: Self = Self(77);
    /// A tensor of one value.
    pub const FILL: Self = Self(94);
    /// A tensor of zeros.
    pub const ZEROS_LIKE: Self = Self(93);
    /// Index of the smallest element.
    pub const ARG_MIN: Self = Self(79);
    /// Product over axes.
    pub const REDUCE_PROD: Self = Self(81);
    /// Largest element over axes.
    pub const REDUCE_MAX: Self = Self(82);
    /// Tensors stacked along a new axis.
    pub const PACK: Self = Self(83);
    /// Slices of a tensor along an axis, which disappears.
    pub const UNPACK: Self = Self(88);
    /// Smallest element over axes.
    pub const REDUCE_MIN: Self = Self(89);
    /// `x * x`.
    pub const SQUARE: Self = Self(92);
    /// Image of another size, of the nearest pixels.
    pub const RESIZE_NEAREST_NEIGHBOR: Self = Self(97);
    /// A rectifier with a slope on either side.
    pub const LEAKY_RELU: Self = Self(98);
    /// `(a - b) * (a - b)` with broadcasting.
    pub const SQUARED_DIFFERENCE: Self = Self(99);
    /// Borders that mirror the tensor.
    pub const MIRROR_PAD: Self = Self(100);
    /// `|x|`.
    pub const ABS: Self = Self(101);
    /// Parts of given sizes along an axis.
    pub const SPLIT_V: Self = Self(102);
    /// The next integer above.
    pub const CEIL: Self = Self(104);
    /// Axes that run backwards.
    pub const REVERSE_V2: Self = Self(105);
    /// `cos(x)`.
    pub const COS: Self = Self(108);
    /// `x`, or `exp(x) - 1` below 0.
    pub const ELU: Self = Self(111);
    /// Floats to integers, or integers to another scale.
    pub const QUANTIZE: Self = Self(114);
    /// The nearest integer, halves to the even one.
    pub const ROUND: Self = Self(116);
    /// `x * min(max(x + 3, 0), 6) / 6`.
    pub const HARD_SWISH: Self = Self(117);
    /// Elements of one of two tensors, by a mask, with broadcasting.
    pub const SELECT_V2: Self = Self(123);
    /// Matrix products.
    pub const BATCH_MATMUL: Self = Self(126);
    /// Runs another subgraph before the first run.
    pub const CALL_ONCE: Self = Self(129);
    /// A tensor repeated to another shape.
    pub const BROADCAST_TO: Self = Self(130);
    /// Names a variable.
    pub const VAR_HANDLE: Self = Self(142);
    /// The value of a variable.
    pub const READ_VARIABLE: Self = Self(143);
    /// Gives a variable a value.
    pub const ASSIGN_VARIABLE: Self = Self(144);
    /// `x` times the normal distribution function of x.
    pub const GELU: Self = Self(150);

    /// The schema's name, or `None` for a code that the schema does not define.
    pub fn name(self) -> Option<&'static str> {
        usize::try_from(self.0)
            .ok()
            .and_then(|i| NAMES.get(i).copied())
    }
}

impl fmt::Display for BuiltinOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "BUILTIN_{}", self.0),
        }
    }
}

/// Names by code.
#[rustfmt::skip]
const NAMES: [&str; 208] = [
    /*   0 */ "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED",
    /*  10 */ "HASHTABLE_LOOKUP", "L2_NORMALIZATION", "L2_POOL_2D", "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION", "LSTM", "MAX_POOL_2D", "MUL", "RELU",
    /*  20 */ "RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH", "CONCAT_EMBEDDINGS",
    /*  30 */ "SKIP_GRAM", "CALL", "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD", "UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE",
    /*  40 */ "MEAN", "SUB", "DIV", "SQUEEZE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN", "EXP", "TOPK_V2", "SPLIT",
    /*  50 */ "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU", "MAXIMUM", "ARG_MAX", "MINIMUM", "LESS", "NEG",
    /*  60 */ "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL", "SELECT", "SLICE", "SIN", "TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE",
    /*  70 */ "EXPAND_DIMS", "EQUAL", "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT", "SHAPE", "POW", "ARG_MIN",
    /*  80 */ "FAKE_QUANT", "REDUCE_PROD", "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT", "LOGICAL_AND", "LOGICAL_NOT", "UNPACK", "REDUCE_MIN",
    /*  90 */ "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL", "FLOOR_MOD", "RANGE", "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE",
    /* 100 */ "MIRROR_PAD", "ABS", "SPLIT_V", "UNIQUE", "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE",
    /* 110 */ "RANK", "ELU", "REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "IF", "WHILE",
    /* 120 */ "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM", "BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM", "CALL_ONCE",
    /* 130 */ "BROADCAST_TO", "RFFT2D", "CONV_3D", "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE",
    /* 140 */ "REDUCE_ALL", "CONV_3D_TRANSPOSE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL", "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL",
    /* 150 */ "GELU", "DYNAMIC_UPDATE_SLICE", "RELU_0_TO_1", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "ATAN2", "UNSORTED_SEGMENT_MIN", "SIGN", "BITCAST",
    /* 160 */ "BITWISE_XOR", "RIGHT_SHIFT", "STABLEHLO_LOGISTIC", "STABLEHLO_ADD", "STABLEHLO_DIVIDE", "STABLEHLO_MULTIPLY", "STABLEHLO_MAXIMUM", "STABLEHLO_RESHAPE", "STABLEHLO_CLAMP", "STABLEHLO_CONCATENATE",
    /* 170 */ "STABLEHLO_BROADCAST_IN_DIM", "STABLEHLO_CONVOLUTION", "STABLEHLO_SLICE", "STABLEHLO_CUSTOM_CALL", "STABLEHLO_REDUCE", "STABLEHLO_ABS", "STABLEHLO_AND", "STABLEHLO_COSINE", "STABLEHLO_EXPONENTIAL", "STABLEHLO_FLOOR",
    /* 180 */ "STABLEHLO_LOG", "STABLEHLO_MINIMUM", "STABLEHLO_NEGATE", "STABLEHLO_OR", "STABLEHLO_POWER", "STABLEHLO_REMAINDER", "STABLEHLO_RSQRT", "STABLEHLO_SELECT", "STABLEHLO_SUBTRACT", "STABLEHLO_TANH",
    /* 190 */ "STABLEHLO_SCATTER", "STABLEHLO_COMPARE", "STABLEHLO_CONVERT", "STABLEHLO_DYNAMIC_SLICE", "STABLEHLO_DYNAMIC_UPDATE_SLICE", "STABLEHLO_PAD", "STABLEHLO_IOTA", "STABLEHLO_DOT_GENERAL", "STABLEHLO_REDUCE_WINDOW", "STABLEHLO_SORT",
    /* 200 */ "STABLEHLO_WHILE", "STABLEHLO_GATHER", "STABLEHLO_TRANSPOSE", "DILATE", "STABLEHLO_RNG_BIT_GENERATOR", "REDUCE_WINDOW", "STABLEHLO_COMPOSITE", "COMPLEX",
];
