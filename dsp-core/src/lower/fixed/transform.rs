//! Tables and headroom of the integer FFT.

use crate::error::LowerError;
use otolith_dsp_nostd::ops::fixed::fft::halvings;
use std::f64::consts::PI;

/// Furthest that a sum may go: the end of `i32`, less what the stages' roundings can add.
const LIMIT: f64 = (1u64 << 31) as f64 - 1024.0;

/// Largest sum of powers: a floor of the same size may be added in 64 bits.
const MOST_POWER: f64 = (1u64 << 62) as f64;

/// An FFT of windowed frames, ready to be written as an operator.
pub(super) struct Transform {
    n_fft: usize,
    /// `w[0..=n_fft / 2]`.
    half: Vec<f64>,
    /// `w[n] = w[mirror - n]` in the second half.
    pub(super) mirror: usize,
    /// Bits that samples keep.
    pub(super) bits: i32,
    /// Real value of an integer of `X`, for a block exponent of 0: `X` is in units of samples in
    /// `[-1, 1)`.
    pub(super) unit: f64,
    /// `sum w^2`.
    pub(super) square_sum: f64,
}

impl Transform {
    /// Chooses how many bits the samples keep, such that no sum of the transform overflows.
    ///
    /// The samples of a frame are at most `2^v` after window and block exponent, times the window.
    /// A value behind some stages is a transform of every so-manieth input, so its modulus is at
    /// most the sum of their moduli, halved as often as there were halvings; the bins of the real
    /// signal are at most the sum of the window. The largest of these bounds must fit 32 bits.
    pub(super) fn new(
        stage: &str,
        window: Option<&[f64]>,
        frame_len: usize,
        n_fft: usize,
        wide_samples: bool,
    ) -> Result<Self, LowerError> {
        let fault = |why: String| LowerError::new(stage, why);
        if !n_fft.is_power_of_two() || !(16..=4096).contains(&n_fft) {
            return Err(fault(format!(
                "an FFT of {n_fft} points has no integer operator: set n_fft to a power of two \
                 from 16 to 4096"
            )));
        }
        let ones = vec![1.0; frame_len];
        let window = window.unwrap_or(&ones);
        let mirror = mirror(window).ok_or_else(|| {
            fault("its window is not symmetric, which the integer operator needs".into())
        })?;
        let at = |n: usize| window.get(n).copied().unwrap_or(0.0).abs();
        let points: Vec<f64> = (0..n_fft / 2)
            .map(|n| libm::hypot(at(2 * n), at(2 * n + 1)))
            .collect();
        let halvings = halvings(n_fft);
        let scale = |times: u32| 1.0 / f64::from(1u32 << times);
        // Stages, and the numbers of inputs that their outputs are made of.
        let mut worst: f64 = 0.0;
        let (mut group, mut halved) = ((n_fft / 2) >> (2 * halvings), 0);
        while group <= n_fft / 2 {
            let stride = n_fft / 2 / group;
            for first in 0..stride {
                let sum: f64 = points.iter().skip(first).step_by(stride).sum();
                worst = worst.max(sum * scale(halved));
            }
            group *= 4;
            halved += 1;
        }
        let total: f64 = (0..n_fft).map(at).sum();
        let even: f64 = (0..n_fft).step_by(2).map(at).sum();
        let twice = 2.0 * even.max(total - even);
        worst = worst.max(total.max(twice) * scale(halvings));
        let square_sum: f64 = window.iter().map(|w| w * w).sum();
        // By Parseval, the sum of the powers of all bins.
        let power = n_fft as f64 * square_sum * scale(2 * halvings);
        let room = libm::log2(LIMIT / worst).min(libm::log2(MOST_POWER / power) / 2.0);
        let room = libm::floor(room) as i32;
        // A 16-bit sample times a window value has 30 bits; a 32-bit one is halved.
        let bits = if wide_samples {
            (room + 1).min(30)
        } else {
            (room - 15).min(15)
        };
        if bits < 8 {
            return Err(fault(format!(
                "its headroom leaves {bits} bits of a sample, at least 8 are needed: take shorter \
                 frames"
            )));
        }
        let half_len = n_fft / 2 + 1;
        let half = (0..half_len)
            .map(|n| window.get(n).copied().unwrap_or(0.0))
            .collect();
        // Integers of X: 2^30 for full scale from 16-bit samples, 2^27 from Q28.
        let full_scale = if wide_samples { 27 } else { 30 };
        Ok(Self {
            n_fft,
            half,
            mirror,
            bits,
            unit: libm::exp2(f64::from(halvings) - f64::from(full_scale)),
            square_sum,
        })
    }

    /// The window's first half.
    pub(super) fn window(&self) -> &[f64] {
        &self.half
    }

    /// `[c1, s1, c2, s2, c3, s3]` for each butterfly of the last stage but the first one.
    pub(super) fn twiddles(&self) -> Vec<f64> {
        let points = self.n_fft / 2;
        (1..points / 4)
            .flat_map(|j| [1, 2, 3].map(|leg| leg * j))
            .flat_map(|j| turn(j, points))
            .collect()
    }

    /// `[c, s]` of the bins from 1 on, below a quarter turn.
    pub(super) fn split(&self) -> Vec<f64> {
        (1..self.n_fft / 4)
            .flat_map(|k| turn(k, self.n_fft))
            .collect()
    }
}

/// `cos` and `sin` of `2 pi k / n`.
fn turn(k: usize, n: usize) -> [f64; 2] {
    let angle = 2.0 * PI * k as f64 / n as f64;
    [libm::cos(angle), libm::sin(angle)]
}

/// `m` such that `w[n] = w[m - n]` for all samples that have a partner: the length of a periodic
/// window, one less for a symmetric one.
fn mirror(window: &[f64]) -> Option<usize> {
    let len = window.len();
    [len, len.saturating_sub(1)].into_iter().find(|&mirror| {
        (0..len).all(|n| {
            let partner = mirror.checked_sub(n).and_then(|m| window.get(m));
            partner.is_none_or(|w| (w - window[n]).abs() < 1e-12)
        })
    })
}

/// Values as Q31.
pub(super) fn q31(values: &[f64]) -> Vec<i32> {
    let most = f64::from(i32::MAX);
    values
        .iter()
        .map(|x| libm::round(x * libm::exp2(31.0)).clamp(-most, most) as i32)
        .collect()
}

/// Values as Q15.
pub(super) fn q15(values: &[f64]) -> Vec<i16> {
    let most = f64::from(i16::MAX);
    values
        .iter()
        .map(|x| libm::round(x * 32768.0).clamp(-most, most) as i16)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::window::{WindowKind, WindowSymmetry, window};

    fn hann(len: usize, symmetry: WindowSymmetry) -> Vec<f64> {
        window(WindowKind::Hann, symmetry, len)
    }

    #[test]
    fn a_hann_frame_of_512_keeps_ten_bits() {
        let hann = hann(512, WindowSymmetry::Periodic);
        let transform = Transform::new("fft", Some(&hann), 512, 512, false).expect("fits");
        assert_eq!((transform.bits, transform.mirror), (10, 512));
        // A rectangle lets twice as much through.
        let transform = Transform::new("fft", None, 512, 512, false).expect("fits");
        assert_eq!(transform.bits, 9);
    }

    #[test]
    fn windows_mirror_about_their_middle() {
        assert_eq!(mirror(&hann(400, WindowSymmetry::Periodic)), Some(400));
        assert_eq!(mirror(&hann(400, WindowSymmetry::Symmetric)), Some(399));
        assert_eq!(mirror(&[0.1, 0.5, 0.2]), None);
    }

    #[test]
    fn lengths_without_an_operator_are_refused() {
        for n_fft in [8, 400, 8192] {
            assert!(Transform::new("fft", None, 8, n_fft, false).is_err());
        }
    }
}
