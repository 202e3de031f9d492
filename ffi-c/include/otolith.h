/*
 * Otolith: sensor samples in, features and decisions out.
 *
 * Licence: MIT or Apache-2.0, at your choice.
 *
 * A plan, written by `otolith compile`, says what is computed; a runner executes it in memory
 * that you give it. The contract of every function:
 *
 * Memory    No heap, no global state, no stdio, no errno. The library writes to the runner, to
 *           the arena and to the outputs of the call, and nowhere else.
 * Ownership You own everything. Plan, operator list and arena must stay where they are for as
 *           long as the runner is used; they are not copied. Nothing needs to be freed.
 * Errors    Every function that can fail answers with a status, OTO_OK or a negative code whose
 *           number never changes. Outputs are written only with OTO_OK. NULL, wrong alignment,
 *           short or overlapping memory, damaged or foreign plans are answered with a code. What
 *           no library can check is yours: that a pointer has behind it what its type and length
 *           say, and that nobody else writes to the runner, arena, plan or operator list.
 * Threads   Functions on different runners may run at the same time, in any threads and
 *           interrupts. Calls on one runner must not overlap: protect it, or use it from one
 *           context.
 * Interrupts  Every function may be called from an interrupt: none waits or locks. Init and push
 *           do real work, though: an interrupt should store samples and a thread should push
 *           them.
 * Numbers   The same plan and samples give the same bytes on every machine, however the samples
 *           are cut into pushes. Plans with OTO_NUMERIC_F32 use the FPU registers, if the library
 *           was built for a core with an FPU.
 * Stack     No recursion and no arrays of variable length. Figures are in docs/firmware.md.
 *
 * C99, C11, C++98 and later. Define nothing before including it.
 */
#ifndef OTOLITH_H
#define OTOLITH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library that this header belongs to. */
#define OTO_VERSION_MAJOR 0
#define OTO_VERSION_MINOR 1
#define OTO_VERSION_PATCH 0

/* Version of the interface; it changes when a program must be compiled again. The functions that
 * take it refuse another one with OTO_ERR_ABI. */
#define OTO_ABI_VERSION 3u

/* Version of the plan format that this library reads. */
#define OTO_PLAN_VERSION 1

/* Alignment of plans and arenas in bytes. */
#define OTO_PLAN_ALIGN 8u
#define OTO_ARENA_ALIGN 8u

/* Aligns the object whose declaration follows: `OTO_ALIGNED(8) static uint8_t arena[LEN];`. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define OTO_ALIGNED(n) alignas(n)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define OTO_ALIGNED(n) _Alignas(n)
#elif defined(__GNUC__)
#define OTO_ALIGNED(n) __attribute__((aligned(n)))
#else
#error "OTO_ALIGNED is not known for this compiler: use C11 or C++11, or add it here"
#endif

/* ---- Status ---------------------------------------------------------------------------------- */

/* A status. A fixed type, because the size of an enum depends on compiler options. */
typedef int32_t oto_status;

enum oto_status_code {
    OTO_OK = 0,
    /* A pointer is NULL that must not be, in a list of operators too. */
    OTO_ERR_NULL = -1,
    /* This header and the library are of different ABI versions. */
    OTO_ERR_ABI = -2,
    /* The runner was not initialised, or was copied or moved after it. */
    OTO_ERR_NOT_INIT = -3,
    /* A length is larger than the address space. */
    OTO_ERR_LENGTH = -4,
    /* The oto_runner is not aligned to 8 bytes, as its type is. */
    OTO_ERR_RUNNER_MISALIGNED = -5,
    /* The samples are not aligned to their type. */
    OTO_ERR_SAMPLES_MISALIGNED = -6,
    /* The arena overlaps the plan, the runner or the samples. */
    OTO_ERR_OVERLAP = -7,

    /* The plan is not aligned to OTO_PLAN_ALIGN. */
    OTO_ERR_PLAN_MISALIGNED = -10,
    /* The plan is cut short. */
    OTO_ERR_PLAN_TRUNCATED = -11,
    /* The bytes are not an Otolith plan. */
    OTO_ERR_PLAN_MAGIC = -12,
    /* The plan's format is not OTO_PLAN_VERSION. */
    OTO_ERR_PLAN_VERSION = -13,
    /* The plan is damaged: its hash does not match. */
    OTO_ERR_PLAN_HASH = -14,
    /* The plan contradicts itself. */
    OTO_ERR_PLAN_INVALID = -15,
    /* An operator refuses a step of the plan. */
    OTO_ERR_PLAN_REFUSED = -16,
    /* The plan needs an operator that is not in the list. */
    OTO_ERR_MISSING_OP = -17,

    /* The arena is shorter than oto_plan_info.arena_len. */
    OTO_ERR_ARENA_TOO_SMALL = -20,
    /* The arena is not aligned to OTO_ARENA_ALIGN. */
    OTO_ERR_ARENA_MISALIGNED = -21,

    /* The plan does not take samples of this type. */
    OTO_ERR_SAMPLE_TYPE = -30,
    /* A step could not run: something overwrote the runner, arena or plan. */
    OTO_ERR_FAULT = -31,
    /* The plan has no such input. */
    OTO_ERR_NO_INPUT = -32
};

/* What a status means, in English. Never NULL; constant text. */
const char *oto_status_str(oto_status status);

/* The version of the library, such as "0.1.0". Never NULL; constant text. */
const char *oto_version(void);

/* ---- Operators ------------------------------------------------------------------------------- */

/* An operator. Only its address is used: a list of addresses tells init which operators a program
 * links. `otolith compile` writes the list that a plan needs, NAME_OPS; the linker then drops the
 * other operators (gcc and clang: -ffunction-sections is in the library, add -Wl,--gc-sections). */
typedef struct oto_op oto_op;

extern const oto_op OTO_OP_PEAK_F32;
extern const oto_op OTO_OP_PEAK_I16_F32;
extern const oto_op OTO_OP_FRAME_F32;
extern const oto_op OTO_OP_FRAME_I16_F32;
extern const oto_op OTO_OP_EMPHASISE_F32;
extern const oto_op OTO_OP_EMPHASISE_I16_F32;
extern const oto_op OTO_OP_UNIT_GAIN_F32;
extern const oto_op OTO_OP_UNIT_GAIN_I16_F32;
extern const oto_op OTO_OP_CONDITION_F32;
extern const oto_op OTO_OP_CONDITION_I16_F32;
extern const oto_op OTO_OP_REMOVE_MEAN_F32;
extern const oto_op OTO_OP_PRE_EMPHASIS_F32;
extern const oto_op OTO_OP_LOG_ENERGY_F32;
extern const oto_op OTO_OP_WINDOW_F32;
extern const oto_op OTO_OP_AFFINE_F32;
extern const oto_op OTO_OP_REPLACE_FIRST_F32;
extern const oto_op OTO_OP_COPY_F32;
extern const oto_op OTO_OP_COLUMNS_F32;
extern const oto_op OTO_OP_SELECT_F32;
extern const oto_op OTO_OP_NORM_F32;
extern const oto_op OTO_OP_DIFFERENCE_F32;
extern const oto_op OTO_OP_LOW_PASS_F32;
extern const oto_op OTO_OP_GROUP_F32;
extern const oto_op OTO_OP_AUTOCORRELATION_F32;
extern const oto_op OTO_OP_POWER_F32;
extern const oto_op OTO_OP_MAGNITUDE_F32;
extern const oto_op OTO_OP_MEL_F32;
extern const oto_op OTO_OP_LOG_F32;
extern const oto_op OTO_OP_LOG_SUM_F32;
extern const oto_op OTO_OP_MATRIX_F32;
extern const oto_op OTO_OP_TOP_RANGE_F32;
extern const oto_op OTO_OP_STANDARDISE_F32;
extern const oto_op OTO_OP_DELTAS_F32;
extern const oto_op OTO_OP_SUBTRACT_TOP_F32;
extern const oto_op OTO_OP_MIN_MAX_F32;
extern const oto_op OTO_OP_LEVELS_F32;
extern const oto_op OTO_OP_STANDARDISE_SLIDING_F32;
extern const oto_op OTO_OP_STANDARDISE_RUNNING_F32;
extern const oto_op OTO_OP_PCEN_F32;
extern const oto_op OTO_OP_SUBTRACT_NOISE_F32;
extern const oto_op OTO_OP_RFFT_F32_16;
extern const oto_op OTO_OP_RFFT_F32_32;
extern const oto_op OTO_OP_RFFT_F32_64;
extern const oto_op OTO_OP_RFFT_F32_128;
extern const oto_op OTO_OP_RFFT_F32_256;
extern const oto_op OTO_OP_RFFT_F32_512;
extern const oto_op OTO_OP_RFFT_F32_1024;
extern const oto_op OTO_OP_RFFT_F32_2048;
extern const oto_op OTO_OP_RFFT_F32_4096;
extern const oto_op OTO_OP_STATISTICS_F32;
extern const oto_op OTO_OP_SOS_F32;
extern const oto_op OTO_OP_WAVELET_F32;
extern const oto_op OTO_OP_SPECTRAL_SHAPE_F32;
extern const oto_op OTO_OP_PEAKS_F32;
extern const oto_op OTO_OP_SEGMENT_POWER_F32_16;
extern const oto_op OTO_OP_SEGMENT_POWER_F32_32;
extern const oto_op OTO_OP_SEGMENT_POWER_F32_64;
extern const oto_op OTO_OP_SEGMENT_POWER_F32_128;
extern const oto_op OTO_OP_SEGMENT_POWER_F32_256;
extern const oto_op OTO_OP_SEGMENT_POWER_F32_512;
extern const oto_op OTO_OP_SEGMENT_POWER_F32_1024;
extern const oto_op OTO_OP_SEGMENT_POWER_F32_2048;
extern const oto_op OTO_OP_SEGMENT_POWER_F32_4096;
extern const oto_op OTO_OP_RFFT_POWER_I16_T32_16;
extern const oto_op OTO_OP_RFFT_POWER_I16_T32_32;
extern const oto_op OTO_OP_RFFT_POWER_I16_T32_64;
extern const oto_op OTO_OP_RFFT_POWER_I16_T32_128;
extern const oto_op OTO_OP_RFFT_POWER_I16_T32_256;
extern const oto_op OTO_OP_RFFT_POWER_I16_T32_512;
extern const oto_op OTO_OP_RFFT_POWER_I16_T32_1024;
extern const oto_op OTO_OP_RFFT_POWER_I16_T32_2048;
extern const oto_op OTO_OP_RFFT_POWER_I16_T32_4096;
extern const oto_op OTO_OP_RFFT_POWER_I16_T16_16;
extern const oto_op OTO_OP_RFFT_POWER_I16_T16_32;
extern const oto_op OTO_OP_RFFT_POWER_I16_T16_64;
extern const oto_op OTO_OP_RFFT_POWER_I16_T16_128;
extern const oto_op OTO_OP_RFFT_POWER_I16_T16_256;
extern const oto_op OTO_OP_RFFT_POWER_I16_T16_512;
extern const oto_op OTO_OP_RFFT_POWER_I16_T16_1024;
extern const oto_op OTO_OP_RFFT_POWER_I16_T16_2048;
extern const oto_op OTO_OP_RFFT_POWER_I16_T16_4096;
extern const oto_op OTO_OP_RFFT_POWER_I32_T32_16;
extern const oto_op OTO_OP_RFFT_POWER_I32_T32_32;
extern const oto_op OTO_OP_RFFT_POWER_I32_T32_64;
extern const oto_op OTO_OP_RFFT_POWER_I32_T32_128;
extern const oto_op OTO_OP_RFFT_POWER_I32_T32_256;
extern const oto_op OTO_OP_RFFT_POWER_I32_T32_512;
extern const oto_op OTO_OP_RFFT_POWER_I32_T32_1024;
extern const oto_op OTO_OP_RFFT_POWER_I32_T32_2048;
extern const oto_op OTO_OP_RFFT_POWER_I32_T32_4096;
extern const oto_op OTO_OP_RFFT_POWER_I32_T16_16;
extern const oto_op OTO_OP_RFFT_POWER_I32_T16_32;
extern const oto_op OTO_OP_RFFT_POWER_I32_T16_64;
extern const oto_op OTO_OP_RFFT_POWER_I32_T16_128;
extern const oto_op OTO_OP_RFFT_POWER_I32_T16_256;
extern const oto_op OTO_OP_RFFT_POWER_I32_T16_512;
extern const oto_op OTO_OP_RFFT_POWER_I32_T16_1024;
extern const oto_op OTO_OP_RFFT_POWER_I32_T16_2048;
extern const oto_op OTO_OP_RFFT_POWER_I32_T16_4096;
extern const oto_op OTO_OP_MAGNITUDE_U64;
extern const oto_op OTO_OP_MEL_U64;
extern const oto_op OTO_OP_FILTER_BANK_U64;
extern const oto_op OTO_OP_LOG2_U64;
extern const oto_op OTO_OP_MATRIX_I32;
extern const oto_op OTO_OP_MATRIX_FOLDED_I32;
extern const oto_op OTO_OP_SCALE_I32_I8;
extern const oto_op OTO_OP_SCALE_I32_I16;
extern const oto_op OTO_OP_SCALE_I32_I32;
extern const oto_op OTO_OP_SCALE_I16_I8;
extern const oto_op OTO_OP_SCALE_I16_I16;
extern const oto_op OTO_OP_FRAME_I16;
extern const oto_op OTO_OP_FRAME_I16_I32;
extern const oto_op OTO_OP_EMPHASISE_I16_I32;
extern const oto_op OTO_OP_FRAME_I32;
extern const oto_op OTO_OP_PEAK_I16;
extern const oto_op OTO_OP_CONDITION_I16_I32;
extern const oto_op OTO_OP_REMOVE_MEAN_I32;
extern const oto_op OTO_OP_PRE_EMPHASIS_I32;
extern const oto_op OTO_OP_ENERGY_I16;
extern const oto_op OTO_OP_ENERGY_I32;
extern const oto_op OTO_OP_SUM_U64;
extern const oto_op OTO_OP_REPLACE_FIRST_I32;
extern const oto_op OTO_OP_TOP_RANGE_I32;
extern const oto_op OTO_OP_STANDARDISE_I16;
extern const oto_op OTO_OP_DELTAS_I16;
extern const oto_op OTO_OP_STANDARDISE_SLIDING_I16;
extern const oto_op OTO_OP_SLIDING_MEAN_I32;
extern const oto_op OTO_OP_STANDARDISE_RUNNING_I16;
extern const oto_op OTO_OP_PCEN_U64;
extern const oto_op OTO_OP_SUBTRACT_NOISE_U64;
extern const oto_op OTO_OP_LEVEL_U64_I32;
extern const oto_op OTO_OP_MIN_MAX_I32;
extern const oto_op OTO_OP_SUBTRACT_TOP_I32;
extern const oto_op OTO_OP_LEVELS_I32;
extern const oto_op OTO_OP_BIQUAD_I32;
extern const oto_op OTO_OP_DECIMATE_I32;
extern const oto_op OTO_OP_STATISTICS_I32;
extern const oto_op OTO_OP_SOS_I32;
extern const oto_op OTO_OP_WAVELET_I32;
extern const oto_op OTO_OP_STATISTIC_LIST_I32;
extern const oto_op OTO_OP_POWER_I32;
extern const oto_op OTO_OP_POWER_SHAPE_I32;
extern const oto_op OTO_OP_SPECTRAL_SHAPE_I32;
extern const oto_op OTO_OP_PEAKS_U64;
extern const oto_op OTO_OP_SEGMENT_POWER_I32_16;
extern const oto_op OTO_OP_SEGMENT_POWER_I32_32;
extern const oto_op OTO_OP_SEGMENT_POWER_I32_64;
extern const oto_op OTO_OP_SEGMENT_POWER_I32_128;
extern const oto_op OTO_OP_SEGMENT_POWER_I32_256;
extern const oto_op OTO_OP_SEGMENT_POWER_I32_512;
extern const oto_op OTO_OP_SEGMENT_POWER_I32_1024;
extern const oto_op OTO_OP_SEGMENT_POWER_I32_2048;
extern const oto_op OTO_OP_SEGMENT_POWER_I32_4096;
extern const oto_op OTO_OP_MICRO_WINDOW_I16;
extern const oto_op OTO_OP_MICRO_RFFT_I16;
extern const oto_op OTO_OP_MICRO_FILTER_BANK_U32;
extern const oto_op OTO_OP_MICRO_NOISE_REDUCTION_U32;
extern const oto_op OTO_OP_MICRO_PCAN_U32;
extern const oto_op OTO_OP_MICRO_LOG_U32;
extern const oto_op OTO_OP_MICRO_OUTPUT_I8;
extern const oto_op OTO_OP_MICRO_OUTPUT_I16;
extern const oto_op OTO_OP_MICRO_OUTPUT_I32;
extern const oto_op OTO_OP_MICRO_OUTPUT_F32;
extern const oto_op OTO_OP_SELECT_I16_I32;
extern const oto_op OTO_OP_SELECT_I32;
extern const oto_op OTO_OP_NORM_I32;
extern const oto_op OTO_OP_DIFFERENCE_I32;
extern const oto_op OTO_OP_LOW_PASS_I32;
extern const oto_op OTO_OP_GROUP_I32;
extern const oto_op OTO_OP_AUTOCORRELATION_I32;
extern const oto_op OTO_OP_CONV_2D_I8;
extern const oto_op OTO_OP_DEPTHWISE_CONV_2D_I8;
extern const oto_op OTO_OP_FULLY_CONNECTED_I8;
extern const oto_op OTO_OP_AVERAGE_POOL_2D_I8;
extern const oto_op OTO_OP_MAX_POOL_2D_I8;
extern const oto_op OTO_OP_ADD_I8;
extern const oto_op OTO_OP_MEAN_I8;
extern const oto_op OTO_OP_SOFTMAX_I8;
extern const oto_op OTO_OP_QUANTIZE_F32_I8;
extern const oto_op OTO_OP_QUANTIZE_I8_I8;
extern const oto_op OTO_OP_QUANTIZE_I16_I8;
extern const oto_op OTO_OP_QUANTIZE_I8_U8;
extern const oto_op OTO_OP_DEQUANTIZE_I8_F32;
extern const oto_op OTO_OP_DEQUANTIZE_I16_F32;
extern const oto_op OTO_OP_DECIDE_I8;
extern const oto_op OTO_OP_CONV_2D_PACKED_I8;
extern const oto_op OTO_OP_DEPTHWISE_3X3_PACKED_I8;
extern const oto_op OTO_OP_DEPTHWISE_TAPS_PACKED_I8;
extern const oto_op OTO_OP_ADD_LINEAR_I8;
extern const oto_op OTO_OP_FULLY_CONNECTED_SPLIT_I8;
extern const oto_op OTO_OP_GLOBAL_AVERAGE_POOL_I8;
extern const oto_op OTO_OP_LOOKUP_I8;
extern const oto_op OTO_OP_SUB_I8;
extern const oto_op OTO_OP_SQUARED_DIFFERENCE_I8;
extern const oto_op OTO_OP_MUL_I8;
extern const oto_op OTO_OP_PRELU_I8;
extern const oto_op OTO_OP_MAXIMUM_I8;
extern const oto_op OTO_OP_MINIMUM_I8;
extern const oto_op OTO_OP_REDUCE_MAX_I8;
extern const oto_op OTO_OP_REDUCE_MIN_I8;
extern const oto_op OTO_OP_ARG_MAX_I8;
extern const oto_op OTO_OP_ARG_MIN_I8;
extern const oto_op OTO_OP_L2_NORMALIZATION_I8;
extern const oto_op OTO_OP_LOG_SOFTMAX_I8;
extern const oto_op OTO_OP_STRIDED_COPY_8;
extern const oto_op OTO_OP_STRIDED_COPY_16;
extern const oto_op OTO_OP_STRIDED_COPY_32;
extern const oto_op OTO_OP_FILL_8;
extern const oto_op OTO_OP_FILL_16;
extern const oto_op OTO_OP_GATHER_8;
extern const oto_op OTO_OP_GATHER_16;
extern const oto_op OTO_OP_GATHER_32;
extern const oto_op OTO_OP_RESIZE_BILINEAR_I8;
extern const oto_op OTO_OP_CONV_2D_I16;
extern const oto_op OTO_OP_TRANSPOSE_CONV_I8;
extern const oto_op OTO_OP_ADD_I16;
extern const oto_op OTO_OP_SUB_I16;
extern const oto_op OTO_OP_MUL_I16;
extern const oto_op OTO_OP_MEAN_I16;
extern const oto_op OTO_OP_AVERAGE_POOL_2D_I16;
extern const oto_op OTO_OP_MAX_POOL_2D_I16;
extern const oto_op OTO_OP_LEAKY_RELU_I16;
extern const oto_op OTO_OP_LOGISTIC_I16;
extern const oto_op OTO_OP_TANH_I16;
extern const oto_op OTO_OP_SOFTMAX_I16;
extern const oto_op OTO_OP_QUANTIZE_I16_I16;
extern const oto_op OTO_OP_QUANTIZE_I16_I32;
extern const oto_op OTO_OP_QUANTIZE_I32_I16;
extern const oto_op OTO_OP_QUANTIZE_I8_I16;
extern const oto_op OTO_OP_QUANTIZE_I8_I32;
extern const oto_op OTO_OP_QUANTIZE_I32_I8;
extern const oto_op OTO_OP_SVDF_I8;
extern const oto_op OTO_OP_SVDF_I8_STATE_I8;
extern const oto_op OTO_OP_UNIDIRECTIONAL_SEQUENCE_LSTM_I8;
extern const oto_op OTO_OP_BATCH_MATMUL_I8;
extern const oto_op OTO_OP_INITIAL_VALUE;
extern const oto_op OTO_OP_SOFTMAX_I8_I16;
extern const oto_op OTO_OP_TREES_I32;
extern const oto_op OTO_OP_TREES_F32;
extern const oto_op OTO_OP_LINEAR_I32;
extern const oto_op OTO_OP_TO_FIXED_F32_I32;
extern const oto_op OTO_OP_SOFTMAX_I32;
extern const oto_op OTO_OP_LOGISTIC_I32;
extern const oto_op OTO_OP_SQUARED_DISTANCES_I32;
extern const oto_op OTO_OP_SQUARED_DISTANCES_F32;
extern const oto_op OTO_OP_NEAREST_I64;
extern const oto_op OTO_OP_MIXTURE_I64;
extern const oto_op OTO_OP_DECIDE_I32;
extern const oto_op OTO_OP_SIGNAL_WINDOW_I16;
extern const oto_op OTO_OP_SIGNAL_AUTO_SCALE_I16;
extern const oto_op OTO_OP_SIGNAL_ENERGY_U32;
extern const oto_op OTO_OP_SIGNAL_FILTER_BANK_U64;
extern const oto_op OTO_OP_SIGNAL_SQUARE_ROOT_U32;
extern const oto_op OTO_OP_ADD_I32;
extern const oto_op OTO_OP_SUB_I32;
extern const oto_op OTO_OP_MUL_I32;
extern const oto_op OTO_OP_DIV_I32;
extern const oto_op OTO_OP_MAXIMUM_I32;
extern const oto_op OTO_OP_MINIMUM_I32;
extern const oto_op OTO_OP_CAST;
extern const oto_op OTO_OP_DIV_I8;
extern const oto_op OTO_OP_COMPARE_I8;
extern const oto_op OTO_OP_SELECT_8;

/* ---- Plans ----------------------------------------------------------------------------------- */

/* Number format of a plan: oto_plan_info.numeric. */
enum oto_numeric {
    OTO_NUMERIC_F32 = 1,
    OTO_NUMERIC_FIXED = 2
};

/* Type of samples and features: oto_plan_info.sample_elem and feature_elem. */
enum oto_elem {
    OTO_ELEM_I8 = 1,
    OTO_ELEM_U8 = 2,
    OTO_ELEM_I16 = 3,
    OTO_ELEM_U16 = 4,
    OTO_ELEM_I32 = 5,
    OTO_ELEM_U32 = 6,
    OTO_ELEM_F32 = 7,
    OTO_ELEM_I64 = 8,
    OTO_ELEM_U64 = 9
};

/* The numbers of a plan. */
typedef struct oto_plan_info {
    uint64_t hash;                 /* of the plan's contents: NAME_PLAN_HASH */
    uint64_t samples_per_decision; /* samples between two events, once the first has come */
    uint32_t plan_len;             /* bytes of the plan */
    uint32_t arena_len;            /* arena bytes that a runner needs */
    uint32_t arena_align;          /* alignment of the arena in bytes */
    uint32_t rate_millihertz;      /* sample rate, 16000000 for 16 kHz; 0: the input has no rate */
    uint32_t numeric;              /* enum oto_numeric */
    uint32_t sample_elem;          /* enum oto_elem, in which the plan keeps its samples */
    uint32_t feature_elem;         /* enum oto_elem; 0: no features output */
    uint32_t n_features;           /* features of one event */
    uint32_t n_labels;             /* labels, so scores; 0: no classifier */
    uint32_t n_ops;                /* operators that the plan needs */
} oto_plan_info;

/* Use oto_plan_info_get. */
oto_status oto_plan_info_get_abi(uint32_t abi, const uint8_t *plan, size_t plan_len,
                                 oto_plan_info *info);

/*
 * Checks the structure of a plan and reads its numbers; operators are not looked at. For plans
 * that are loaded at run time: for those compiled in, the generated header has the same numbers.
 *
 * plan, plan_len  the plan; plan_len may be more than it has. Aligned to OTO_PLAN_ALIGN.
 * info            written with OTO_OK.
 *
 * OTO_ERR_NULL, _ABI, _LENGTH, _PLAN_MISALIGNED, _PLAN_TRUNCATED, _PLAN_MAGIC, _PLAN_VERSION,
 * _PLAN_HASH, _PLAN_INVALID. Takes time in proportion to plan_len: every byte is hashed.
 */
static inline oto_status oto_plan_info_get(const uint8_t *plan, size_t plan_len,
                                           oto_plan_info *info)
{
    return oto_plan_info_get_abi(OTO_ABI_VERSION, plan, plan_len, info);
}

/*
 * Checks that a plan is the one that was written: its hash. For plans that were received or may
 * have changed in their memory; oto_runner_init does not hash.
 *
 * plan, plan_len  the plan; plan_len may be more than it has. Aligned to OTO_PLAN_ALIGN.
 *
 * OTO_ERR_NULL, _LENGTH, _PLAN_MISALIGNED, _PLAN_TRUNCATED, _PLAN_MAGIC, _PLAN_VERSION,
 * _PLAN_HASH, _PLAN_INVALID (its length). Takes time in proportion to plan_len.
 */
oto_status oto_plan_verify(const uint8_t *plan, size_t plan_len);

/* ---- Runners --------------------------------------------------------------------------------- */

/* Bytes of an oto_runner, the same for every core. */
#define OTO_RUNNER_SIZE 416

/* A runner. Opaque; it can be static, on the stack, or in a struct of yours. It must not be copied
 * or moved after init. */
typedef struct oto_runner {
    uint64_t opaque[OTO_RUNNER_SIZE / 8];
} oto_runner;

/* What a push made ready: oto_event.kind. */
enum oto_event_kind {
    /* All samples are consumed and nothing is ready. */
    OTO_EVENT_NONE = 0,
    /* Features are ready; the plan has no classifier. */
    OTO_EVENT_FEATURES = 1,
    /* The classifier ran and nothing was decided. */
    OTO_EVENT_SCORES = 2,
    /* A label was decided for. */
    OTO_EVENT_DECISION = 3
};

/* An event. The arrays lie in the arena and stay until the next call on the runner. */
typedef struct oto_event {
    uint64_t clock;         /* samples consumed since init or reset */
    int32_t kind;           /* enum oto_event_kind */
    int32_t label;          /* label of a decision; -1 with the other kinds */
    int32_t score_q15;      /* score of a decision, 32768 is 1.0; 0 with the other kinds */
    int32_t feature_elem;   /* type of the features, enum oto_elem; 0 when there are none */
    const void *features;   /* features, row by row; NULL when there are none */
    size_t n_features;
    const int16_t *scores;  /* scores, 32767 stands for 1.0; NULL when there are none */
    size_t n_scores;
} oto_event;

/* Use oto_runner_init. */
oto_status oto_runner_init_abi(uint32_t abi, oto_runner *runner, const uint8_t *plan,
                               size_t plan_len, const oto_op *const *ops, size_t n_ops,
                               void *arena, size_t arena_len);

/*
 * Makes a runner for a plan. Its structure and every step are checked: what init accepts runs. The
 * contents of tables and weights are not; oto_plan_verify finds damage in them.
 *
 * runner          what becomes a runner. Whatever it held is forgotten; an error leaves it alone.
 * plan, plan_len  NAME_PLAN, NAME_PLAN_LEN. Aligned to OTO_PLAN_ALIGN, in flash or RAM.
 * ops, n_ops      NAME_OPS, NAME_N_OPS: operators in any order, also more than the plan needs.
 * arena           NAME_ARENA_LEN bytes, aligned to OTO_ARENA_ALIGN, for this runner alone.
 *
 * Checks in this order: NULL, ABI version, alignment and length of the pointers, the plan
 * (OTO_ERR_PLAN_*, OTO_ERR_MISSING_OP), overlap, the arena (OTO_ERR_ARENA_*). How long the arena
 * should have been says oto_plan_info.arena_len.
 */
static inline oto_status oto_runner_init(oto_runner *runner, const uint8_t *plan,
                                         size_t plan_len, const oto_op *const *ops,
                                         size_t n_ops, void *arena, size_t arena_len)
{
    return oto_runner_init_abi(OTO_ABI_VERSION, runner, plan, plan_len, ops, n_ops, arena,
                               arena_len);
}

/*
 * Takes samples until something is ready or all are consumed.
 *
 * samples, n  of one channel. 32767 is full scale for i16, 1.0f for f32: the
 *             same sound is `i16 / 32768.0f`. samples may be NULL when n is 0.
 * used        samples taken from the front: push the others in the next call.
 * event       what is ready. OTO_EVENT_NONE means that all are consumed and that nothing is
 *             ready, so push until you get it:
 *
 *   do {
 *       status = oto_runner_push_i16(&runner, samples, n, &used, &event);
 *       if (status != OTO_OK) { return status; }
 *       samples += used;
 *       n -= used;
 *       ... look at event ...
 *   } while (event.kind != OTO_EVENT_NONE);
 *
 * Most calls only store; the one with the last sample of a frame or window does the work of it.
 *
 * OTO_ERR_NULL, _NOT_INIT, _LENGTH, _RUNNER_MISALIGNED, _SAMPLES_MISALIGNED, _OVERLAP,
 * _SAMPLE_TYPE; OTO_ERR_FAULT, after which the runner needs a reset or init.
 */
oto_status oto_runner_push_i16(oto_runner *runner, const int16_t *samples, size_t n, size_t *used,
                               oto_event *event);

/* The same with float samples. A plan that keeps 16-bit samples rounds them to nearest (ties away
 * from zero) and saturates; NaN counts as 0. */
oto_status oto_runner_push_f32(oto_runner *runner, const float *samples, size_t n, size_t *used,
                               oto_event *event);

/*
 * The same for a plan of several inputs, such as audio and motion, each at its own rate. Input 0 is
 * the one that the functions above push to.
 *
 * A decision waits for a window of every input. An input that is a whole window ahead of the
 * others takes no more: then `used` is less than n and event is OTO_EVENT_NONE. Keep the rest until
 * the others have caught up.
 *
 * Those of oto_runner_push_i16; OTO_ERR_NO_INPUT.
 */
oto_status oto_runner_push_i16_to(oto_runner *runner, size_t input, const int16_t *samples,
                                  size_t n, size_t *used, oto_event *event);
oto_status oto_runner_push_f32_to(oto_runner *runner, size_t input, const float *samples, size_t n,
                                  size_t *used, oto_event *event);

/*
 * Forgets all samples, rows and decisions: the runner is as after init. Takes time in proportion
 * to the arena.
 *
 * OTO_ERR_NULL, _NOT_INIT, _RUNNER_MISALIGNED.
 */
oto_status oto_runner_reset(oto_runner *runner);

#ifdef __cplusplus
}
#endif

#endif
