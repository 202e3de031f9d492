//! Numbers that describe a power spectrum.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::finite;
use crate::spectral::{SpectralShape, next_peak};

/// Describes a power spectrum by one value for each parameter behind the first two.
///
/// Operands: power (`f32[k]`, k at least 2), y (`f32[m]`, written). Parameters: frequency of bin 0
/// and distance of two bins (float bits), then m words of [`SpectralShape::encode`].
pub const SPECTRAL_SHAPE_F32: Op = Op {
    code: 0x0163,
    name: "SPECTRAL_SHAPE_F32",
    check: check_shape,
    run: |io| {
        let params = io.step.all_params();
        let Some((&[first, step], words)) = params.split_first_chunk::<2>() else {
            return Err(Fault::BadParam { param: 0 });
        };
        let (power, y) = io.read_write::<f32, f32>(0, 1)?;
        let hz = |k: usize| f32::from_bits(first) + f32::from_bits(step) * k as f32;
        for (to, &word) in y.iter_mut().zip(words) {
            if let Some(shape) = SpectralShape::decode(word) {
                *to = describe(power, shape, hz);
            }
        }
        Ok(())
    },
};

/// The highest peaks of a power spectrum: frequency and `sqrt(power)` of each, the highest first,
/// zeros where there are fewer.
///
/// Operands: power (`f32[k]`), y (`f32[2 * peaks]`, written). Parameters: frequency of bin 0,
/// distance of two bins, threshold (float bits). A peak is a bin behind a rise and before a fall,
/// a plateau's middle, with `sqrt(power) >= threshold`. Of equal peaks the lowest comes first.
pub const PEAKS_F32: Op = Op {
    code: 0x0164,
    name: "PEAKS_F32",
    check: check_peaks,
    run: |io| {
        let &[first, step, threshold] = io.step.params()?;
        let [first, step, threshold] = [first, step, threshold].map(f32::from_bits);
        let (power, y) = io.read_write::<f32, f32>(0, 1)?;
        y.fill(0.0);
        let (pairs, _) = y.as_chunks_mut::<2>();
        let mut from = 0;
        while let Some(at) = next_peak(power, from) {
            from = at;
            let height = libm::sqrtf(power.get(at).copied().unwrap_or(0.0));
            if height < threshold {
                continue;
            }
            // Pushed down the list until it meets one at least as high.
            let mut peak = [first + step * at as f32, height];
            for pair in pairs.iter_mut() {
                if peak[1] > pair[1] {
                    core::mem::swap(pair, &mut peak);
                }
            }
        }
        Ok(())
    },
};

fn describe(power: &[f32], shape: SpectralShape, hz: impl Fn(usize) -> f32) -> f32 {
    let sum = power.iter().fold(0.0, |sum, p| sum + p);
    if sum <= 0.0 {
        return match shape {
            SpectralShape::Centroid
            | SpectralShape::RollOff(_)
            | SpectralShape::DominantFrequency => hz(0),
            _ => 0.0,
        };
    }
    let mut dominant = (0, 0.0f32);
    for (k, &p) in power.iter().enumerate() {
        if p > dominant.1 {
            dominant = (k, p);
        }
    }
    match shape {
        SpectralShape::Centroid => {
            let weighted = power
                .iter()
                .enumerate()
                .fold(0.0, |sum, (k, p)| sum + hz(k) * p);
            weighted / sum
        }
        SpectralShape::RollOff(share) => {
            let limit = sum * (share as f32 / 256.0);
            let mut reached = 0.0;
            let at = power.iter().position(|p| {
                reached += p;
                reached >= limit
            });
            hz(at.unwrap_or(power.len().wrapping_sub(1)))
        }
        SpectralShape::Flatness => {
            if power.iter().any(|&p| p <= 0.0) {
                return 0.0;
            }
            let n = power.len() as f32;
            let logs = power.iter().fold(0.0, |sum, &p| sum + libm::logf(p));
            libm::expf(logs / n) / (sum / n)
        }
        SpectralShape::Entropy => {
            let entropy = power.iter().fold(0.0, |entropy, p| {
                let p = p / sum;
                if p > 0.0 {
                    entropy - p * libm::logf(p)
                } else {
                    entropy
                }
            });
            entropy / libm::logf(power.len() as f32)
        }
        SpectralShape::DominantFrequency => hz(dominant.0),
        SpectralShape::DominantPower => dominant.1,
    }
}

fn check_shape(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let k = step.count_of::<f32>(0)?;
    let params = step.all_params();
    let Some((_, words)) = params.split_first_chunk::<2>() else {
        return Err(Fault::BadParam { param: 0 });
    };
    check_shape_list(step, words, k, step.count_of_output::<f32>(1)?)?;
    for (i, &bits) in params.iter().take(2).enumerate() {
        finite(bits, i as u8)?;
    }
    Ok(())
}

/// What both operators ask of lengths and words.
pub(crate) fn check_shape_list(
    step: &Step<'_>,
    words: &[u32],
    k: usize,
    outputs: usize,
) -> Result<(), Fault> {
    if !(2..=1 << 16).contains(&k) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if outputs == 0 || words.len() != outputs {
        return Err(Fault::WrongLength { operand: 1 });
    }
    let before = step.all_params().len() - words.len();
    for (i, &word) in words.iter().enumerate() {
        SpectralShape::decode(word).ok_or(Fault::BadParam {
            param: (before + i) as u8,
        })?;
    }
    step.expect_disjoint(0, 1)
}

fn check_peaks(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.count_of::<f32>(0)?;
    let y = step.count_of_output::<f32>(1)?;
    if y == 0 || !y.is_multiple_of(2) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)?;
    let params: &[u32; 3] = step.params()?;
    for (i, &bits) in params.iter().enumerate() {
        finite(bits, i as u8)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    extern crate std;
    use std::vec::Vec;

    fn shapes(power: &[f32]) -> Vec<f32> {
        let list = [
            SpectralShape::Centroid,
            SpectralShape::RollOff(128),
            SpectralShape::Flatness,
            SpectralShape::Entropy,
            SpectralShape::DominantFrequency,
            SpectralShape::DominantPower,
        ];
        let mut probe = Probe::default();
        let (x, y) = (probe.tensor(power), probe.tensor(&[9f32; 6]));
        let mut params = std::vec![2f32.to_bits(), 0.5f32.to_bits()];
        params.extend(list.map(SpectralShape::encode));
        probe.run(&SPECTRAL_SHAPE_F32, &[x, y], &params).unwrap();
        probe.get(y)
    }

    #[test]
    fn shapes_of_spectra_that_can_be_done_by_hand() {
        // Flat: all entropy, and the middle.
        let flat = shapes(&[2.0; 5]);
        for (got, expected) in flat.iter().zip([3.0, 3.0, 1.0, 1.0, 2.0, 2.0]) {
            assert!((got - expected).abs() < 1e-6, "{flat:?}");
        }
        // One line.
        assert_eq!(
            shapes(&[0.0, 0.0, 4.0, 0.0]),
            [3.0, 3.0, 0.0, 0.0, 3.0, 4.0]
        );
        assert_eq!(shapes(&[0.0; 4]), [2.0, 2.0, 0.0, 0.0, 2.0, 0.0]);
        // 1 and 4: geometric mean 2, arithmetic 2.5; H = -(0.2 ln 0.2 + 0.8 ln 0.8) / ln 2.
        let two = shapes(&[1.0, 4.0]);
        assert!(
            (two[2] - 0.8).abs() < 1e-6 && (two[3] - 0.721_928).abs() < 1e-5,
            "{two:?}"
        );
    }

    #[test]
    fn peaks_come_highest_first() {
        let mut probe = Probe::default();
        let power = probe.tensor(&[9f32, 1.0, 4.0, 0.0, 16.0, 16.0, 0.25, 0.36, 0.0, 4.0, 1.0]);
        let y = probe.tensor(&[7f32; 8]);
        let params = [0f32, 2.0, 0.7].map(f32::to_bits);
        probe.run(&PEAKS_F32, &[power, y], &params).unwrap();
        assert_eq!(
            probe.get::<f32>(y),
            [10.0, 4.0, 4.0, 2.0, 18.0, 2.0, 0.0, 0.0]
        );
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let (x, y) = (probe.tensor(&[0f32; 5]), probe.tensor(&[0f32; 2]));
        let one = probe.tensor(&[0f32]);
        let refused = |op: &Op, operands: &[u32], params: &[u32], fault| {
            assert_eq!(probe.check(op, operands, params), Err(fault));
        };
        let shape = &SPECTRAL_SHAPE_F32;
        refused(
            shape,
            &[one, y],
            &[0, 0, 0, 2],
            Fault::WrongLength { operand: 0 },
        );
        refused(
            shape,
            &[x, y],
            &[0, 0, 0],
            Fault::WrongLength { operand: 1 },
        );
        refused(shape, &[x, y], &[0, 0, 0, 9], Fault::BadParam { param: 3 });
        refused(
            shape,
            &[x, y],
            &[0, 0x7f80_0000, 0, 2],
            Fault::BadParam { param: 1 },
        );
        refused(
            &PEAKS_F32,
            &[x, one],
            &[0, 0, 0],
            Fault::WrongLength { operand: 1 },
        );
        refused(
            &PEAKS_F32,
            &[x, x],
            &[0, 0, 0],
            Fault::WrongLength { operand: 1 },
        );
    }
}
