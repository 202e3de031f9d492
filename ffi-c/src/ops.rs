//! One exported static per operator.
//!
//! An application lists the addresses of those that its plan needs (`otolith compile` writes the
//! list); `--gc-sections` drops the others together with their tables.

use otolith_classifier::ops as net;
use otolith_dsp_nostd::{Op, ops as dsp};

macro_rules! export {
    ($($symbol:ident = $op:path;)*) => {
        $(
            #[doc = concat!("[`", stringify!($op), "`], named `", stringify!($symbol), "` in C.")]
            #[unsafe(no_mangle)]
            pub static $symbol: Op = $op;
        )*

        /// The symbols of all operators, for the tests.
        pub const SYMBOLS: &[(&str, &Op)] = &[$((stringify!($symbol), &$op)),*];
    };
}

export! {
    OTO_OP_PEAK_F32 = dsp::frame::PEAK_F32;
    OTO_OP_PEAK_I16_F32 = dsp::frame::PEAK_I16_F32;
    OTO_OP_FRAME_F32 = dsp::frame::FRAME_F32;
    OTO_OP_FRAME_I16_F32 = dsp::frame::FRAME_I16_F32;
    OTO_OP_EMPHASISE_F32 = dsp::emphasis::EMPHASISE_F32;
    OTO_OP_EMPHASISE_I16_F32 = dsp::emphasis::EMPHASISE_I16_F32;
    OTO_OP_UNIT_GAIN_F32 = dsp::emphasis::UNIT_GAIN_F32;
    OTO_OP_UNIT_GAIN_I16_F32 = dsp::emphasis::UNIT_GAIN_I16_F32;
    OTO_OP_REMOVE_MEAN_F32 = dsp::vector::REMOVE_MEAN_F32;
    OTO_OP_PRE_EMPHASIS_F32 = dsp::vector::PRE_EMPHASIS_F32;
    OTO_OP_LOG_ENERGY_F32 = dsp::vector::LOG_ENERGY_F32;
    OTO_OP_LOG_SUM_F32 = dsp::vector::LOG_SUM_F32;
    OTO_OP_WINDOW_F32 = dsp::vector::WINDOW_F32;
    OTO_OP_AFFINE_F32 = dsp::vector::AFFINE_F32;
    OTO_OP_REPLACE_FIRST_F32 = dsp::vector::REPLACE_FIRST_F32;
    OTO_OP_COPY_F32 = dsp::vector::COPY_F32;
    OTO_OP_SELECT_F32 = dsp::window::SELECT_F32;
    OTO_OP_POWER_F32 = dsp::spectrum::POWER_F32;
    OTO_OP_MAGNITUDE_F32 = dsp::spectrum::MAGNITUDE_F32;
    OTO_OP_MEL_F32 = dsp::mel::MEL_F32;
    OTO_OP_LOG_F32 = dsp::log::LOG_F32;
    OTO_OP_MATRIX_F32 = dsp::matrix::MATRIX_F32;
    OTO_OP_TOP_RANGE_F32 = dsp::rows::TOP_RANGE_F32;
    OTO_OP_STANDARDISE_F32 = dsp::rows::STANDARDISE_F32;
    OTO_OP_DELTAS_F32 = dsp::rows::DELTAS_F32;
    OTO_OP_SUBTRACT_TOP_F32 = dsp::rows::SUBTRACT_TOP_F32;
    OTO_OP_MIN_MAX_F32 = dsp::rows::MIN_MAX_F32;
    OTO_OP_LEVELS_F32 = dsp::vector::LEVELS_F32;
    OTO_OP_STANDARDISE_SLIDING_F32 = dsp::sliding::STANDARDISE_SLIDING_F32;
    OTO_OP_STANDARDISE_RUNNING_F32 = dsp::running::STANDARDISE_RUNNING_F32;
    OTO_OP_PCEN_F32 = dsp::pcen::PCEN_F32;
    OTO_OP_SUBTRACT_NOISE_F32 = dsp::noise::SUBTRACT_NOISE_F32;
    OTO_OP_RFFT_F32_16 = dsp::rfft::RFFT_F32_16;
    OTO_OP_RFFT_F32_32 = dsp::rfft::RFFT_F32_32;
    OTO_OP_RFFT_F32_64 = dsp::rfft::RFFT_F32_64;
    OTO_OP_RFFT_F32_128 = dsp::rfft::RFFT_F32_128;
    OTO_OP_RFFT_F32_256 = dsp::rfft::RFFT_F32_256;
    OTO_OP_RFFT_F32_512 = dsp::rfft::RFFT_F32_512;
    OTO_OP_RFFT_F32_1024 = dsp::rfft::RFFT_F32_1024;
    OTO_OP_RFFT_F32_2048 = dsp::rfft::RFFT_F32_2048;
    OTO_OP_RFFT_F32_4096 = dsp::rfft::RFFT_F32_4096;
    OTO_OP_RFFT_POWER_I16_T32_16 = dsp::fixed::fft::RFFT_POWER_I16_T32_16;
    OTO_OP_RFFT_POWER_I16_T32_32 = dsp::fixed::fft::RFFT_POWER_I16_T32_32;
    OTO_OP_RFFT_POWER_I16_T32_64 = dsp::fixed::fft::RFFT_POWER_I16_T32_64;
    OTO_OP_RFFT_POWER_I16_T32_128 = dsp::fixed::fft::RFFT_POWER_I16_T32_128;
    OTO_OP_RFFT_POWER_I16_T32_256 = dsp::fixed::fft::RFFT_POWER_I16_T32_256;
    OTO_OP_RFFT_POWER_I16_T32_512 = dsp::fixed::fft::RFFT_POWER_I16_T32_512;
    OTO_OP_RFFT_POWER_I16_T32_1024 = dsp::fixed::fft::RFFT_POWER_I16_T32_1024;
    OTO_OP_RFFT_POWER_I16_T32_2048 = dsp::fixed::fft::RFFT_POWER_I16_T32_2048;
    OTO_OP_RFFT_POWER_I16_T32_4096 = dsp::fixed::fft::RFFT_POWER_I16_T32_4096;
    OTO_OP_RFFT_POWER_I16_T16_16 = dsp::fixed::fft::RFFT_POWER_I16_T16_16;
    OTO_OP_RFFT_POWER_I16_T16_32 = dsp::fixed::fft::RFFT_POWER_I16_T16_32;
    OTO_OP_RFFT_POWER_I16_T16_64 = dsp::fixed::fft::RFFT_POWER_I16_T16_64;
    OTO_OP_RFFT_POWER_I16_T16_128 = dsp::fixed::fft::RFFT_POWER_I16_T16_128;
    OTO_OP_RFFT_POWER_I16_T16_256 = dsp::fixed::fft::RFFT_POWER_I16_T16_256;
    OTO_OP_RFFT_POWER_I16_T16_512 = dsp::fixed::fft::RFFT_POWER_I16_T16_512;
    OTO_OP_RFFT_POWER_I16_T16_1024 = dsp::fixed::fft::RFFT_POWER_I16_T16_1024;
    OTO_OP_RFFT_POWER_I16_T16_2048 = dsp::fixed::fft::RFFT_POWER_I16_T16_2048;
    OTO_OP_RFFT_POWER_I16_T16_4096 = dsp::fixed::fft::RFFT_POWER_I16_T16_4096;
    OTO_OP_RFFT_POWER_I32_T32_16 = dsp::fixed::fft::RFFT_POWER_I32_T32_16;
    OTO_OP_RFFT_POWER_I32_T32_32 = dsp::fixed::fft::RFFT_POWER_I32_T32_32;
    OTO_OP_RFFT_POWER_I32_T32_64 = dsp::fixed::fft::RFFT_POWER_I32_T32_64;
    OTO_OP_RFFT_POWER_I32_T32_128 = dsp::fixed::fft::RFFT_POWER_I32_T32_128;
    OTO_OP_RFFT_POWER_I32_T32_256 = dsp::fixed::fft::RFFT_POWER_I32_T32_256;
    OTO_OP_RFFT_POWER_I32_T32_512 = dsp::fixed::fft::RFFT_POWER_I32_T32_512;
    OTO_OP_RFFT_POWER_I32_T32_1024 = dsp::fixed::fft::RFFT_POWER_I32_T32_1024;
    OTO_OP_RFFT_POWER_I32_T32_2048 = dsp::fixed::fft::RFFT_POWER_I32_T32_2048;
    OTO_OP_RFFT_POWER_I32_T32_4096 = dsp::fixed::fft::RFFT_POWER_I32_T32_4096;
    OTO_OP_RFFT_POWER_I32_T16_16 = dsp::fixed::fft::RFFT_POWER_I32_T16_16;
    OTO_OP_RFFT_POWER_I32_T16_32 = dsp::fixed::fft::RFFT_POWER_I32_T16_32;
    OTO_OP_RFFT_POWER_I32_T16_64 = dsp::fixed::fft::RFFT_POWER_I32_T16_64;
    OTO_OP_RFFT_POWER_I32_T16_128 = dsp::fixed::fft::RFFT_POWER_I32_T16_128;
    OTO_OP_RFFT_POWER_I32_T16_256 = dsp::fixed::fft::RFFT_POWER_I32_T16_256;
    OTO_OP_RFFT_POWER_I32_T16_512 = dsp::fixed::fft::RFFT_POWER_I32_T16_512;
    OTO_OP_RFFT_POWER_I32_T16_1024 = dsp::fixed::fft::RFFT_POWER_I32_T16_1024;
    OTO_OP_RFFT_POWER_I32_T16_2048 = dsp::fixed::fft::RFFT_POWER_I32_T16_2048;
    OTO_OP_RFFT_POWER_I32_T16_4096 = dsp::fixed::fft::RFFT_POWER_I32_T16_4096;
    OTO_OP_MAGNITUDE_U64 = dsp::fixed::spectrum::MAGNITUDE_U64;
    OTO_OP_MEL_U64 = dsp::fixed::mel::MEL_U64;
    OTO_OP_FILTER_BANK_U64 = dsp::fixed::mel::FILTER_BANK_U64;
    OTO_OP_LOG2_U64 = dsp::fixed::log::LOG2_U64;
    OTO_OP_MATRIX_I32 = dsp::fixed::matrix::MATRIX_I32;
    OTO_OP_MATRIX_FOLDED_I32 = dsp::fixed::matrix::MATRIX_FOLDED_I32;
    OTO_OP_SCALE_I32_I8 = dsp::fixed::scale::SCALE_I32_I8;
    OTO_OP_SCALE_I32_I16 = dsp::fixed::scale::SCALE_I32_I16;
    OTO_OP_SCALE_I32_I32 = dsp::fixed::scale::SCALE_I32_I32;
    OTO_OP_SCALE_I16_I8 = dsp::fixed::scale::SCALE_I16_I8;
    OTO_OP_SCALE_I16_I16 = dsp::fixed::scale::SCALE_I16_I16;
    OTO_OP_FRAME_I16 = dsp::fixed::frame::FRAME_I16;
    OTO_OP_FRAME_I16_I32 = dsp::fixed::frame::FRAME_I16_I32;
    OTO_OP_EMPHASISE_I16_I32 = dsp::emphasis::EMPHASISE_I16_I32;
    OTO_OP_PEAK_I16 = dsp::fixed::frame::PEAK_I16;
    OTO_OP_REMOVE_MEAN_I32 = dsp::fixed::vector::REMOVE_MEAN_I32;
    OTO_OP_PRE_EMPHASIS_I32 = dsp::fixed::vector::PRE_EMPHASIS_I32;
    OTO_OP_ENERGY_I16 = dsp::fixed::vector::ENERGY_I16;
    OTO_OP_ENERGY_I32 = dsp::fixed::vector::ENERGY_I32;
    OTO_OP_SUM_U64 = dsp::fixed::vector::SUM_U64;
    OTO_OP_REPLACE_FIRST_I32 = dsp::fixed::vector::REPLACE_FIRST_I32;
    OTO_OP_TOP_RANGE_I32 = dsp::fixed::rows::TOP_RANGE_I32;
    OTO_OP_STANDARDISE_I16 = dsp::fixed::rows::STANDARDISE_I16;
    OTO_OP_DELTAS_I16 = dsp::fixed::rows::DELTAS_I16;
    OTO_OP_STANDARDISE_SLIDING_I16 = dsp::fixed::sliding::STANDARDISE_SLIDING_I16;
    OTO_OP_SLIDING_MEAN_I32 = dsp::fixed::sliding::SLIDING_MEAN_I32;
    OTO_OP_STANDARDISE_RUNNING_I16 = dsp::fixed::running::STANDARDISE_RUNNING_I16;
    OTO_OP_PCEN_U64 = dsp::fixed::pcen::PCEN_U64;
    OTO_OP_SUBTRACT_NOISE_U64 = dsp::fixed::noise::SUBTRACT_NOISE_U64;
    OTO_OP_LEVEL_U64_I32 = dsp::fixed::level::LEVEL_U64_I32;
    OTO_OP_MIN_MAX_I32 = dsp::fixed::level::MIN_MAX_I32;
    OTO_OP_SUBTRACT_TOP_I32 = dsp::fixed::level::SUBTRACT_TOP_I32;
    OTO_OP_LEVELS_I32 = dsp::fixed::level::LEVELS_I32;
    OTO_OP_BIQUAD_I32 = dsp::fixed::filter::BIQUAD_I32;
    OTO_OP_DECIMATE_I32 = dsp::fixed::filter::DECIMATE_I32;
    OTO_OP_STATISTICS_I32 = dsp::fixed::statistics::STATISTICS_I32;
    OTO_OP_MICRO_WINDOW_I16 = dsp::fixed::micro::window::MICRO_WINDOW_I16;
    OTO_OP_MICRO_RFFT_I16 = dsp::fixed::micro::fft::MICRO_RFFT_I16;
    OTO_OP_MICRO_FILTER_BANK_U32 = dsp::fixed::micro::bank::MICRO_FILTER_BANK_U32;
    OTO_OP_MICRO_NOISE_REDUCTION_U32 = dsp::fixed::micro::noise::MICRO_NOISE_REDUCTION_U32;
    OTO_OP_MICRO_PCAN_U32 = dsp::fixed::micro::gain::MICRO_PCAN_U32;
    OTO_OP_MICRO_LOG_U32 = dsp::fixed::micro::log::MICRO_LOG_U32;
    OTO_OP_MICRO_OUTPUT_I8 = dsp::fixed::micro::output::MICRO_OUTPUT_I8;
    OTO_OP_MICRO_OUTPUT_I16 = dsp::fixed::micro::output::MICRO_OUTPUT_I16;
    OTO_OP_MICRO_OUTPUT_I32 = dsp::fixed::micro::output::MICRO_OUTPUT_I32;
    OTO_OP_MICRO_OUTPUT_F32 = dsp::fixed::micro::output::MICRO_OUTPUT_F32;
    OTO_OP_SELECT_I16_I32 = dsp::fixed::window::SELECT_I16_I32;
    OTO_OP_SELECT_I32 = dsp::fixed::window::SELECT_I32;
    OTO_OP_CONV_2D_I8 = net::conv::CONV_2D_I8;
    OTO_OP_DEPTHWISE_CONV_2D_I8 = net::depthwise::DEPTHWISE_CONV_2D_I8;
    OTO_OP_FULLY_CONNECTED_I8 = net::fully_connected::FULLY_CONNECTED_I8;
    OTO_OP_AVERAGE_POOL_2D_I8 = net::pool::AVERAGE_POOL_2D_I8;
    OTO_OP_MAX_POOL_2D_I8 = net::pool::MAX_POOL_2D_I8;
    OTO_OP_ADD_I8 = net::add::ADD_I8;
    OTO_OP_MEAN_I8 = net::mean::MEAN_I8;
    OTO_OP_SOFTMAX_I8 = net::softmax::SOFTMAX_I8;
    OTO_OP_COPY_I8 = net::copy::COPY_I8;
    OTO_OP_QUANTIZE_F32_I8 = net::quantize::QUANTIZE_F32_I8;
    OTO_OP_QUANTIZE_I8_I8 = net::quantize::QUANTIZE_I8_I8;
    OTO_OP_QUANTIZE_I16_I8 = net::quantize::QUANTIZE_I16_I8;
    OTO_OP_QUANTIZE_I8_U8 = net::quantize::QUANTIZE_I8_U8;
    OTO_OP_DEQUANTIZE_I8_F32 = net::quantize::DEQUANTIZE_I8_F32;
    OTO_OP_DEQUANTIZE_I16_F32 = net::quantize::DEQUANTIZE_I16_F32;
    OTO_OP_DECIDE_I8 = net::decide::DECIDE_I8;
}
