//! The DSP operators, one file each: kernels are plain functions on slices, wrapped as [`Op`]s.
//!
//! Float kernels use scalar arithmetic in source order, no fused multiply-add, `libm` and
//! `microfft`; that is what makes their bits the same on every machine.
//!
//! | codes | what |
//! |---|---|
//! | `0x0101..=0x010f` | samples and frames |
//! | `0x0110..=0x011f` | spectrum |
//! | `0x0120..=0x012f` | log-mel and cepstrum |
//! | `0x0130..=0x013f` | all rows together |
//! | `0x0140 + log2 n` | real FFT of n points |
//! | `0x0160..=0x0164` | statistics, filters and spectra of a window |
//! | `0x0168 + log2 n` | power spectrum of a window's segments of n points |
//! | `0x0175..=0x0176` | filters and decimations of the running samples |
//! | `0x0150..=0x015f` | normalisation over rows, recursions from row to row |
//! | `0x0180..=0x018f` | signals and features of a window of motion |
//! | `0x0200..` | network operators: the `classifier` crate |
//! | `0x0300..` | integer operators: [`fixed`] |
//!
//! "In place" means one operand that is read and written.

pub mod conditioning;
pub mod emphasis;
pub mod filter;
pub mod fixed;
pub mod frame;
pub mod log;
pub mod matrix;
pub mod mel;
pub mod motion;
pub mod noise;
pub mod pcen;
pub mod recursion;
pub mod rfft;
pub mod rows;
pub mod running;
pub mod segments;
pub mod shape;
pub mod sliding;
pub mod spectrum;
pub mod statistics;
pub mod vector;
pub mod window;

use crate::op::Op;

/// Every operator of this crate. Firmware links the ones that its plans need instead.
pub const ALL: &[&Op] = &[
    &frame::PEAK_F32,
    &frame::PEAK_I16_F32,
    &frame::FRAME_F32,
    &frame::FRAME_I16_F32,
    &emphasis::EMPHASISE_F32,
    &emphasis::EMPHASISE_I16_F32,
    &emphasis::UNIT_GAIN_F32,
    &emphasis::UNIT_GAIN_I16_F32,
    &conditioning::CONDITION_F32,
    &conditioning::CONDITION_I16_F32,
    &vector::REMOVE_MEAN_F32,
    &vector::PRE_EMPHASIS_F32,
    &vector::LOG_ENERGY_F32,
    &vector::LOG_SUM_F32,
    &vector::WINDOW_F32,
    &vector::AFFINE_F32,
    &vector::REPLACE_FIRST_F32,
    &vector::COPY_F32,
    &vector::COLUMNS_F32,
    &window::SELECT_F32,
    &motion::NORM_F32,
    &motion::DIFFERENCE_F32,
    &motion::LOW_PASS_F32,
    &motion::GROUP_F32,
    &motion::AUTOCORRELATION_F32,
    &spectrum::POWER_F32,
    &spectrum::MAGNITUDE_F32,
    &mel::MEL_F32,
    &log::LOG_F32,
    &matrix::MATRIX_F32,
    &rows::TOP_RANGE_F32,
    &rows::STANDARDISE_F32,
    &rows::DELTAS_F32,
    &rows::SUBTRACT_TOP_F32,
    &rows::MIN_MAX_F32,
    &vector::LEVELS_F32,
    &sliding::STANDARDISE_SLIDING_F32,
    &running::STANDARDISE_RUNNING_F32,
    &pcen::PCEN_F32,
    &noise::SUBTRACT_NOISE_F32,
    &rfft::RFFT_F32_16,
    &rfft::RFFT_F32_32,
    &rfft::RFFT_F32_64,
    &rfft::RFFT_F32_128,
    &rfft::RFFT_F32_256,
    &rfft::RFFT_F32_512,
    &rfft::RFFT_F32_1024,
    &rfft::RFFT_F32_2048,
    &rfft::RFFT_F32_4096,
    &statistics::STATISTICS_F32,
    &filter::SOS_F32,
    &filter::WAVELET_F32,
    &shape::SPECTRAL_SHAPE_F32,
    &shape::PEAKS_F32,
    &segments::SEGMENT_POWER_F32_16,
    &segments::SEGMENT_POWER_F32_32,
    &segments::SEGMENT_POWER_F32_64,
    &segments::SEGMENT_POWER_F32_128,
    &segments::SEGMENT_POWER_F32_256,
    &segments::SEGMENT_POWER_F32_512,
    &segments::SEGMENT_POWER_F32_1024,
    &segments::SEGMENT_POWER_F32_2048,
    &segments::SEGMENT_POWER_F32_4096,
    &fixed::fft::RFFT_POWER_I16_T32_16,
    &fixed::fft::RFFT_POWER_I16_T32_32,
    &fixed::fft::RFFT_POWER_I16_T32_64,
    &fixed::fft::RFFT_POWER_I16_T32_128,
    &fixed::fft::RFFT_POWER_I16_T32_256,
    &fixed::fft::RFFT_POWER_I16_T32_512,
    &fixed::fft::RFFT_POWER_I16_T32_1024,
    &fixed::fft::RFFT_POWER_I16_T32_2048,
    &fixed::fft::RFFT_POWER_I16_T32_4096,
    &fixed::fft::RFFT_POWER_I16_T16_16,
    &fixed::fft::RFFT_POWER_I16_T16_32,
    &fixed::fft::RFFT_POWER_I16_T16_64,
    &fixed::fft::RFFT_POWER_I16_T16_128,
    &fixed::fft::RFFT_POWER_I16_T16_256,
    &fixed::fft::RFFT_POWER_I16_T16_512,
    &fixed::fft::RFFT_POWER_I16_T16_1024,
    &fixed::fft::RFFT_POWER_I16_T16_2048,
    &fixed::fft::RFFT_POWER_I16_T16_4096,
    &fixed::fft::RFFT_POWER_I32_T32_16,
    &fixed::fft::RFFT_POWER_I32_T32_32,
    &fixed::fft::RFFT_POWER_I32_T32_64,
    &fixed::fft::RFFT_POWER_I32_T32_128,
    &fixed::fft::RFFT_POWER_I32_T32_256,
    &fixed::fft::RFFT_POWER_I32_T32_512,
    &fixed::fft::RFFT_POWER_I32_T32_1024,
    &fixed::fft::RFFT_POWER_I32_T32_2048,
    &fixed::fft::RFFT_POWER_I32_T32_4096,
    &fixed::fft::RFFT_POWER_I32_T16_16,
    &fixed::fft::RFFT_POWER_I32_T16_32,
    &fixed::fft::RFFT_POWER_I32_T16_64,
    &fixed::fft::RFFT_POWER_I32_T16_128,
    &fixed::fft::RFFT_POWER_I32_T16_256,
    &fixed::fft::RFFT_POWER_I32_T16_512,
    &fixed::fft::RFFT_POWER_I32_T16_1024,
    &fixed::fft::RFFT_POWER_I32_T16_2048,
    &fixed::fft::RFFT_POWER_I32_T16_4096,
    &fixed::spectrum::MAGNITUDE_U64,
    &fixed::mel::MEL_U64,
    &fixed::mel::FILTER_BANK_U64,
    &fixed::log::LOG2_U64,
    &fixed::matrix::MATRIX_I32,
    &fixed::matrix::MATRIX_FOLDED_I32,
    &fixed::scale::SCALE_I32_I8,
    &fixed::scale::SCALE_I32_I16,
    &fixed::scale::SCALE_I32_I32,
    &fixed::scale::SCALE_I16_I8,
    &fixed::scale::SCALE_I16_I16,
    &fixed::frame::FRAME_I16,
    &fixed::frame::FRAME_I16_I32,
    &emphasis::EMPHASISE_I16_I32,
    &fixed::frame::FRAME_I32,
    &fixed::frame::PEAK_I16,
    &fixed::conditioning::CONDITION_I16_I32,
    &fixed::vector::REMOVE_MEAN_I32,
    &fixed::vector::PRE_EMPHASIS_I32,
    &fixed::vector::ENERGY_I16,
    &fixed::vector::ENERGY_I32,
    &fixed::vector::SUM_U64,
    &fixed::vector::REPLACE_FIRST_I32,
    &fixed::rows::TOP_RANGE_I32,
    &fixed::rows::STANDARDISE_I16,
    &fixed::rows::DELTAS_I16,
    &fixed::sliding::STANDARDISE_SLIDING_I16,
    &fixed::sliding::SLIDING_MEAN_I32,
    &fixed::running::STANDARDISE_RUNNING_I16,
    &fixed::pcen::PCEN_U64,
    &fixed::noise::SUBTRACT_NOISE_U64,
    &fixed::level::LEVEL_U64_I32,
    &fixed::level::MIN_MAX_I32,
    &fixed::level::SUBTRACT_TOP_I32,
    &fixed::level::LEVELS_I32,
    &fixed::filter::BIQUAD_I32,
    &fixed::filter::DECIMATE_I32,
    &fixed::statistics::STATISTICS_I32,
    &fixed::filter::SOS_I32,
    &fixed::filter::WAVELET_I32,
    &fixed::statistics::STATISTIC_LIST_I32,
    &fixed::spectra::POWER_I32,
    &fixed::spectra::POWER_SHAPE_I32,
    &fixed::spectra::SPECTRAL_SHAPE_I32,
    &fixed::spectra::PEAKS_U64,
    &fixed::fft::segments::SEGMENT_POWER_I32_16,
    &fixed::fft::segments::SEGMENT_POWER_I32_32,
    &fixed::fft::segments::SEGMENT_POWER_I32_64,
    &fixed::fft::segments::SEGMENT_POWER_I32_128,
    &fixed::fft::segments::SEGMENT_POWER_I32_256,
    &fixed::fft::segments::SEGMENT_POWER_I32_512,
    &fixed::fft::segments::SEGMENT_POWER_I32_1024,
    &fixed::fft::segments::SEGMENT_POWER_I32_2048,
    &fixed::fft::segments::SEGMENT_POWER_I32_4096,
    &fixed::micro::window::MICRO_WINDOW_I16,
    &fixed::micro::fft::MICRO_RFFT_I16,
    &fixed::micro::bank::MICRO_FILTER_BANK_U32,
    &fixed::micro::noise::MICRO_NOISE_REDUCTION_U32,
    &fixed::micro::gain::MICRO_PCAN_U32,
    &fixed::micro::log::MICRO_LOG_U32,
    &fixed::micro::output::MICRO_OUTPUT_I8,
    &fixed::micro::output::MICRO_OUTPUT_I16,
    &fixed::micro::output::MICRO_OUTPUT_I32,
    &fixed::micro::output::MICRO_OUTPUT_F32,
    &fixed::window::SELECT_I16_I32,
    &fixed::window::SELECT_I32,
    &fixed::motion::NORM_I32,
    &fixed::motion::DIFFERENCE_I32,
    &fixed::motion::LOW_PASS_I32,
    &fixed::motion::GROUP_I32,
    &fixed::motion::AUTOCORRELATION_I32,
];

/// A float parameter: its bits, which must be a finite number.
pub(crate) fn finite(bits: u32, param: u8) -> Result<f32, crate::Fault> {
    let value = f32::from_bits(bits);
    if value.is_finite() {
        Ok(value)
    } else {
        Err(crate::Fault::BadParam { param })
    }
}

/// The larger of two numbers; `a` when they compare equal or one is not a number. `f32::max`
/// leaves the sign of a zero open, which would not be the same bits everywhere.
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Consecutive whole runs of `n` elements; none when `n` is 0. Unlike `chunks_exact`, it leaves no
/// panic in the firmware when `n` is only known at run time.
pub(crate) fn runs<T>(slice: &[T], n: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = slice;
    core::iter::from_fn(move || {
        let (run, behind) = rest.split_at_checked(n)?;
        rest = behind;
        (!run.is_empty()).then_some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;

    #[test]
    fn no_two_operators_have_the_same_code() {
        let mut codes: std::vec::Vec<_> = ALL.iter().map(|op| (op.code, op.name)).collect();
        codes.sort_unstable();
        for pair in codes.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "{pair:?}");
        }
    }
}
