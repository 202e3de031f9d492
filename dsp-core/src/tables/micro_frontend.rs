//! Tables of TensorFlow's micro-frontend.
//!
//! Its implementations compute the same formulas in other precisions, and one rounds where the
//! others truncate. Some table entries differ by one unit, which features show, so each has its
//! own way here.

use std::f64::consts::PI;

use crate::config::choices;
use otolith_dsp_nostd::ops::fixed::micro::bank::WEIGHT_Q;
use otolith_dsp_nostd::ops::fixed::micro::log::CORRECTIONS;
use otolith_dsp_nostd::ops::fixed::micro::noise::NOISE_Q;
use otolith_dsp_nostd::ops::fixed::micro::window::WINDOW_Q;

choices! {
    /// Implementation of the micro-frontend whose integers the features are. They differ in the
    /// last bit of some tables.
    pub(crate) enum Library {
        /// The micro-frontend library of TensorFlow: the training of micro_speech and of
        /// microWakeWord, `audio_microfrontend`.
        TensorFlow = "tensorflow",
        /// The copy of that library with tables in single precision: ESPHome's micro_wake_word on
        /// the device, pymicro-features.
        EspHome = "esphome",
        /// The signal operators of TensorFlow Lite Micro: micro_speech's
        /// `audio_preprocessor_int8.tflite`.
        Tflm = "tflm",
    }
}

impl Library {
    /// Q12, rounded; `0.5 - 0.5 cos(2 pi (i + 1/2) / len)`.
    pub(crate) fn window(self, len: usize) -> Vec<i16> {
        let one = f64::from(1 << WINDOW_Q);
        let value = |i: usize| {
            let at = i as f64 + 0.5;
            match self {
                Self::TensorFlow => {
                    let turn = f64::from((PI * 2.0 / f64::from(len as f32)) as f32);
                    let value = (0.5 - 0.5 * libm::cos(turn * at)) as f32;
                    libm::floor(f64::from(value) * one + 0.5)
                }
                Self::EspHome => {
                    let turn = PI as f32 * 2.0 / len as f32;
                    let cos = libm::cos(f64::from(turn * at as f32)) as f32;
                    let value = (0.5 - 0.5 * cos) * one as f32 + 0.5;
                    libm::floor(value.into())
                }
                Self::Tflm => {
                    let value = 0.5 - 0.5 * libm::cos(PI * 2.0 / len as f64 * at);
                    libm::rint(value * one)
                }
            }
        };
        (0..len).map(|i| value(i) as i16).collect()
    }

    /// HTK's mel scale with its natural logarithm.
    fn mel(self, hz: f32) -> f32 {
        match self {
            Self::TensorFlow | Self::Tflm => (1127.0 * libm::log1p(f64::from(hz) / 700.0)) as f32,
            Self::EspHome => 1127.0 * libm::log1pf(hz / 700.0),
        }
    }

    /// A share of 1 in Q14, truncated.
    pub(crate) fn share(self, share: f64) -> u16 {
        let one = f64::from(1 << NOISE_Q);
        match self {
            Self::TensorFlow | Self::EspHome => (share as f32 * one as f32) as u16,
            Self::Tflm => (share * one) as u16,
        }
    }

    /// Q12 weights of the falling and the rising filter, where the falling one has `weight`.
    fn weights(self, weight: f32) -> [u16; 2] {
        let one = f64::from(1 << WEIGHT_Q);
        match self {
            Self::TensorFlow => [f64::from(weight), 1.0 - f64::from(weight)]
                .map(|w| libm::floor(w * one + 0.5) as u16),
            Self::EspHome => {
                [weight, 1.0 - weight].map(|w| libm::floorf(w * one as f32 + 0.5) as u16)
            }
            Self::Tflm => [f64::from(weight), 1.0 - f64::from(weight)].map(|w| (w * one) as u16),
        }
    }
}

/// Filters of a bank, as runs of bins in which one filter falls and the next one rises.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segments {
    pub(crate) first_bin: usize,
    pub(crate) lengths: Vec<u16>,
    pub(crate) rising: Vec<u16>,
    pub(crate) falling: Vec<u16>,
}

/// Triangles that are equally wide in mel, with corners at `f_min_hz` and `f_max_hz`, over the bins
/// of an FFT of `n_fft` points.
///
/// Segment i ends at the peak of filter i - 1, which lies `i + 1` spacings above `f_min_hz` (of
/// `channels + 1`). Bins up to half a bin above `f_min_hz` are left out.
pub(crate) fn segments(
    library: Library,
    channels: usize,
    (f_min_hz, f_max_hz): (f64, f64),
    rate_hz: f64,
    n_fft: usize,
) -> Segments {
    let (f_min, f_max) = (f_min_hz as f32, f_max_hz as f32);
    let bins = n_fft / 2;
    let bin_hz = rate_hz / n_fft as f64;
    let hz = |bin: usize| match library {
        Library::Tflm => (bin as f64 * bin_hz) as f32,
        _ => bin as f32 * bin_hz as f32,
    };
    let first_bin = match library {
        Library::TensorFlow => (1.5 + f64::from(f_min / bin_hz as f32)) as usize,
        Library::EspHome => (1.5 + f_min / bin_hz as f32) as usize,
        // Half a bin goes to the even one.
        Library::Tflm => libm::rint(1.0 + f_min_hz / bin_hz) as usize,
    };
    let low = library.mel(f_min);
    let spacing = (library.mel(f_max) - low) / (channels + 1) as f32;
    let mut table = Segments {
        first_bin,
        lengths: Vec::new(),
        rising: Vec::new(),
        falling: Vec::new(),
    };
    let (mut bin, mut start) = (first_bin, low);
    for segment in 0..=channels {
        let end = low + spacing * (segment + 1) as f32;
        let from = bin;
        while bin <= bins && library.mel(hz(bin)) <= end {
            let weight = (end - library.mel(hz(bin))) / (end - start);
            let [falling, rising] = library.weights(weight.clamp(0.0, 1.0));
            table.falling.push(falling);
            table.rising.push(rising);
            bin += 1;
        }
        table.lengths.push((bin - from) as u16);
        start = end;
    }
    table
}

/// Twiddle and split factors of a 16-bit real FFT of `n_fft` points.
pub(crate) fn fft_factors(n_fft: usize) -> (Vec<i16>, Vec<i16>) {
    let q15 = |x: f64| libm::floor(0.5 + 32767.0 * x) as i16;
    let half = n_fft / 2;
    let factor = |phase: f64| [q15(libm::cos(phase)), q15(libm::sin(phase))];
    let twiddles = (0..half).flat_map(|k| factor(-2.0 * PI * k as f64 / half as f64));
    let split = (1..=half / 2).flat_map(|k| factor(-PI * (k as f64 / half as f64 + 0.5)));
    (twiddles.collect(), split.collect())
}

/// `2^gain_bits (x 2^-input_bits + offset)^-strength` for a noise estimate x: its values at 0 and 1,
/// then parabolas through both ends and the middle of each octave.
pub(crate) fn gains(strength: f64, offset: f64, gain_bits: u32, input_bits: u32) -> Vec<i16> {
    let unit = libm::exp2(f64::from(gain_bits)) as f32;
    let gain = |x: u32| {
        let level = x as f32 / libm::exp2(f64::from(input_bits)) as f32 + offset as f32;
        let power = libm::pow(level.into(), -f64::from(strength as f32)) as f32;
        let gain = unit * power;
        if gain > f32::from(i16::MAX) {
            i32::from(i16::MAX)
        } else {
            (gain + 0.5) as i32
        }
    };
    let mut table = vec![gain(0) as i16, gain(1) as i16];
    for octave in 1..32u32 {
        let start = 1u32 << octave;
        let end = start.saturating_mul(2);
        let at_start = gain(start);
        let half = gain(start + start / 2) - at_start;
        let whole = gain(end) - at_start;
        let linear = 4 * half - whole;
        // As the origin's table, entries keep 16 bits.
        table.extend([at_start as i16, linear as i16, (whole - linear) as i16]);
    }
    table
}

/// `log2(1 + i / 128) - i / 128` in Q16, rounded.
pub(crate) fn log_corrections() -> Vec<u16> {
    let value = |i: usize| {
        let x = i as f64 / 128.0;
        libm::round((libm::log2(1.0 + x) - x) * 65536.0) as u16
    };
    (0..CORRECTIONS).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_hann_within_a_unit() {
        for library in Library::ALL {
            let window = library.window(480);
            for (i, &w) in window.iter().enumerate() {
                let exact = 4096.0 * libm::pow(libm::sin(PI * (i as f64 + 0.5) / 480.0), 2.0);
                assert!((f64::from(w) - exact).abs() <= 0.502, "{library:?} {i}");
            }
        }
    }

    #[test]
    fn filters_are_triangles_that_sum_to_one() {
        for library in Library::ALL {
            let bank = segments(*library, 40, (125.0, 7500.0), 16000.0, 512);
            assert_eq!(bank.first_bin, 5);
            assert_eq!(bank.lengths.len(), 41);
            let total: usize = bank.lengths.iter().map(|&n| usize::from(n)).sum();
            assert_eq!((bank.rising.len(), bank.falling.len()), (total, total));
            assert_eq!(bank.first_bin + total, 241, "7500 Hz is bin 240");
            let mel = |hz: f64| 1127.0 * libm::log1p(hz / 700.0);
            let spacing = (mel(7500.0) - mel(125.0)) / 41.0;
            let mut bin = 5;
            for (segment, &len) in bank.lengths.iter().enumerate() {
                for _ in 0..len {
                    let at = (mel(bin as f64 * 31.25) - mel(125.0)) / spacing - segment as f64;
                    let [up, down] = [&bank.rising, &bank.falling].map(|w| f64::from(w[bin - 5]));
                    assert!((0.0..=1.0).contains(&(at - 1e-5).max(0.0)), "{bin}");
                    assert!((up / 4096.0 - at).abs() < 3e-4, "{library:?} {bin}");
                    assert!(
                        (4095.0..=4097.0).contains(&(up + down)),
                        "{library:?} {bin}"
                    );
                    bin += 1;
                }
            }
        }
    }

    #[test]
    fn gains_follow_their_formula() {
        let table = gains(0.95, 80.0, 21, 7);
        let exact = |x: f64| libm::exp2(21.0) * libm::pow(x / 128.0 + 80.0, -0.95);
        assert_eq!(table.len(), 95);
        for octave in 1..32 {
            let parabola = &table[3 * octave - 1..][..3];
            let [y0, a1, a2] = [0, 1, 2].map(|i| f64::from(parabola[i]));
            for part in [0.0, 0.25, 0.5, 0.75] {
                let x = libm::exp2(octave as f64) * (1.0 + part);
                let found = y0 + a1 * part + a2 * part * part;
                assert!((found - exact(x)).abs() < 130.0, "{x} {found} {}", exact(x));
            }
        }
        // A gain that 16 bits do not hold is limited.
        assert_eq!(gains(0.0, 80.0, 21, 7)[0], i16::MAX);
    }
}
