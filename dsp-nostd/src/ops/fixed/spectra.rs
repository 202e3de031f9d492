//! What a power spectrum in 64 bits with a block exponent becomes.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::fixed::log::log2;
use crate::ops::shape::check_shape_list;
use crate::q;
use crate::spectral::{SpectralShape, next_peak};

/// `y = power 2^(2 d - shift)`, rounded and saturating: powers in one unit for all windows.
///
/// Operands: power (`u64[n]`), exponent (`i32[1]`, the block exponent `d`), y (`i32[n]`, written).
/// Parameters: shift, from -127 to 127.
pub const POWER_I32: Op = Op {
    code: 0x03e3,
    name: "POWER_I32",
    check: |step| {
        check_power(step)?;
        let &[shift] = step.params()?;
        if !(-127..=127).contains(&(shift as i32)) {
            return Err(Fault::BadParam { param: 0 });
        }
        Ok(())
    },
    run: |io| {
        let &[shift] = io.step.params()?;
        let d = io.read::<i32>(1)?.first().copied().unwrap_or(0);
        let shift = (d << 16 >> 16).wrapping_mul(2).wrapping_sub(shift as i32);
        let (power, y) = io.read_write::<u64, i32>(0, 2)?;
        for (y, &power) in y.iter_mut().zip(power) {
            *y = scaled(power, shift);
        }
        Ok(())
    },
};

/// `y = round(power 2^-s)` with the s, of this window, that leaves the largest 30 bits: for what
/// does not depend on the scale.
///
/// Operands: power (`u64[n]`), exponent (`i32[1]`, not used), y (`i32[n]`, written). No parameters.
pub const POWER_SHAPE_I32: Op = Op {
    code: 0x03e4,
    name: "POWER_SHAPE_I32",
    check: |step| {
        check_power(step)?;
        step.params::<0>().map(|_| ())
    },
    run: |io| {
        let (power, y) = io.read_write::<u64, i32>(0, 2)?;
        let marks = power.iter().fold(1, |marks, power| marks | power);
        let shift = marks.leading_zeros() as i32 - 34;
        for (y, &power) in y.iter_mut().zip(power) {
            *y = scaled(power, shift);
        }
        Ok(())
    },
};

/// Describes a power spectrum by one value for each parameter.
///
/// Operands: power (`i32[k]`, not negative, k from 2 to 65536), y (`i32[m]`, written). Parameters:
/// m words of [`SpectralShape::encode`]. Frequencies are in bins: centroid in Q12, others whole.
/// Flatness is Q30, entropy in bits in Q16 (not divided by that of a flat spectrum); the dominant
/// power has the unit of the powers.
pub const SPECTRAL_SHAPE_I32: Op = Op {
    code: 0x03e5,
    name: "SPECTRAL_SHAPE_I32",
    check: |step| {
        step.expect_operands(2)?;
        let k = step.count_of::<i32>(0)?;
        check_shape_list(step, step.all_params(), k, step.count_of_output::<i32>(1)?)
    },
    run: |io| {
        let words = io.step.all_params();
        let (power, y) = io.read_write::<i32, i32>(0, 1)?;
        for (to, &word) in y.iter_mut().zip(words) {
            if let Some(shape) = SpectralShape::decode(word) {
                *to = q::narrow_i32(describe(power, shape));
            }
        }
        Ok(())
    },
};

/// The highest peaks of a power spectrum: bin and `sqrt(power) 2^(d - shift)` of each, the highest
/// first, zeros where there are fewer.
///
/// Operands: power (`u64[k]`), exponent (`i32[1]`, the block exponent `d`), y (`i32[2 * peaks]`,
/// written). Parameters: shift, from -31 to 31; threshold, the smallest height in y. A peak is a
/// bin behind a rise and before a fall, a plateau's middle. Of equal peaks the lowest comes first.
/// The root is rounded down.
pub const PEAKS_U64: Op = Op {
    code: 0x03e6,
    name: "PEAKS_U64",
    check: check_peaks,
    run: |io| {
        let &[shift, threshold] = io.step.params()?;
        let d = io.read::<i32>(1)?.first().copied().unwrap_or(0);
        let shift = (d << 16 >> 16).wrapping_sub(shift as i32);
        let (power, y) = io.read_write::<u64, i32>(0, 2)?;
        y.fill(0);
        let (pairs, _) = y.as_chunks_mut::<2>();
        let mut from = 0;
        while let Some(at) = next_peak(power, from) {
            from = at;
            let root = q::sqrt(power.get(at).copied().unwrap_or(0));
            let height = scaled(u64::from(root), shift);
            if height < threshold as i32 {
                continue;
            }
            // Pushed down the list until it meets one at least as high.
            let mut peak = [at as i32, height];
            for pair in pairs.iter_mut() {
                let ([_, listed], [_, new]) = (*pair, peak);
                if new > listed {
                    core::mem::swap(pair, &mut peak);
                }
            }
        }
        Ok(())
    },
};

fn check_power(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    if step.count_of::<i32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if step.count_of::<u64>(0)? != step.count_of_output::<i32>(2)? {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(1, 2)
}

fn check_peaks(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    step.count_of::<u64>(0)?;
    if step.count_of::<i32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    let y = step.count_of_output::<i32>(2)?;
    if y == 0 || !y.is_multiple_of(2) {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(1, 2)?;
    let &[shift, threshold] = step.params()?;
    if !(-31..=31).contains(&(shift as i32)) {
        return Err(Fault::BadParam { param: 0 });
    }
    if (threshold as i32) < 0 {
        return Err(Fault::BadParam { param: 1 });
    }
    Ok(())
}

/// `x 2^shift`, rounded and saturating.
fn scaled(x: u64, shift: i32) -> i32 {
    const MOST: u64 = i32::MAX as u64;
    let y = match shift {
        _ if x == 0 => 0,
        0..64 if shift.unsigned_abs() < x.leading_zeros() => x << shift,
        0.. => MOST + 1,
        -63..0 => q::shr_u64(x, shift.unsigned_abs()),
        _ => 0,
    };
    q::narrow_i32(if y > MOST { MOST as i64 + 1 } else { y as i64 })
}

fn describe(power: &[i32], shape: SpectralShape) -> i64 {
    // At most 2^16 values below 2^31.
    let sum: i64 = power.iter().map(|&p| i64::from(p)).sum();
    if sum <= 0 {
        return 0;
    }
    let n = power.len() as i64;
    match shape {
        SpectralShape::Centroid => {
            let weighted = power
                .iter()
                .enumerate()
                .fold(0i64, |sum, (k, &p)| sum + k as i64 * i64::from(p));
            // Below 2^63: the quotient's fraction comes from a division of what the whole leaves.
            let whole = weighted.checked_div(sum).unwrap_or(0);
            let rest = weighted - whole.wrapping_mul(sum);
            (whole << 12) + q::div(rest << 12, sum)
        }
        SpectralShape::RollOff(share) => {
            let limit = sum * i64::from(share);
            let mut reached = 0i64;
            let at = power.iter().position(|&p| {
                reached += i64::from(p);
                reached << 8 >= limit
            });
            at.unwrap_or(power.len().wrapping_sub(1)) as i64
        }
        SpectralShape::Flatness => {
            if power.iter().any(|&p| p <= 0) {
                return 0;
            }
            let logs: i64 = power
                .iter()
                .map(|&p| i64::from(log2(u64::from(p.unsigned_abs()), 16)))
                .sum();
            let mean =
                i64::from(log2(sum.unsigned_abs(), 16)) - i64::from(log2(n.unsigned_abs(), 16));
            exp2(mean - q::div(logs, n))
        }
        SpectralShape::Entropy => {
            // log2 S - sum p log2 p / S; logarithms below 2^21, powers in 31 bits.
            let weighted = power.iter().filter(|&&p| p > 0).fold(0i64, |sum, &p| {
                sum + q::shr(
                    i64::from(p) * i64::from(log2(u64::from(p.unsigned_abs()), 16)),
                    8,
                )
            });
            let rest = q::div(weighted, q::shr(sum, 8).max(1));
            i64::from(log2(sum.unsigned_abs(), 16)) - rest
        }
        SpectralShape::DominantFrequency | SpectralShape::DominantPower => {
            let (mut at, mut most) = (0, 0);
            for (k, &p) in power.iter().enumerate() {
                if p > most {
                    (at, most) = (k, p);
                }
            }
            if shape == SpectralShape::DominantPower {
                i64::from(most)
            } else {
                at as i64
            }
        }
    }
}

/// `2^-x` in Q30 for x in Q16, not negative; at most 1.
fn exp2(x: i64) -> i64 {
    /// `2^-(2^-k)` in Q31, for k from 1 to 16.
    const ROOTS: [u32; 16] = [
        1_518_500_250,
        1_805_811_301,
        1_969_251_188,
        2_056_437_387,
        2_101_467_502,
        2_124_350_982,
        2_135_885_998,
        2_141_676_973,
        2_144_578_345,
        2_146_030_505,
        2_146_756_953,
        2_147_120_270,
        2_147_301_951,
        2_147_392_798,
        2_147_438_222,
        2_147_460_935,
    ];
    if x <= 0 {
        return 1 << 30;
    }
    let mut y = 1u64 << 31;
    for (k, &root) in ROOTS.iter().enumerate() {
        if x >> (15 - k) & 1 == 1 {
            y = q::shr_u64(y * u64::from(root), 31);
        }
    }
    match x >> 16 {
        whole @ 0..40 => q::shr_u64(y, whole as u32 + 1) as i64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;

    proptest! {
        #[test]
        fn powers_of_two_are_those_of_the_formula(x in 0i64..20 << 16) {
            let exact = 2f64.powf(-(x as f64) / 65536.0) * 2f64.powi(30);
            prop_assert!((exp2(x) as f64 - exact).abs() <= 16.0);
        }

        #[test]
        fn shapes_follow_their_formulas(
            power in prop::collection::vec(1i32..1 << 30, 2..200), small in 0u32..20,
        ) {
            let power: std::vec::Vec<i32> = power.into_iter().map(|p| (p >> small).max(1)).collect();
            let p: std::vec::Vec<f64> = power.iter().map(|&p| f64::from(p)).collect();
            let (sum, n) = (p.iter().sum::<f64>(), p.len() as f64);
            let centroid = p.iter().enumerate().map(|(k, p)| k as f64 * p).sum::<f64>() / sum;
            let entropy = -p.iter().map(|p| p / sum * (p / sum).log2()).sum::<f64>();
            let flatness = (p.iter().map(|p| p.ln()).sum::<f64>() / n).exp() / (sum / n);
            for (shape, exact, bound) in [
                (SpectralShape::Centroid, centroid * 4096.0, 0.51),
                (SpectralShape::Entropy, entropy * 65536.0, 40.0 + 16.0 * 256.0 * n / sum * 65536.0),
                (SpectralShape::Flatness, flatness * 2f64.powi(30), 1e6),
            ] {
                let got = describe(&power, shape) as f64;
                prop_assert!((got - exact).abs() <= bound, "{:?} {} {}", shape, got, exact);
            }
        }

        #[test]
        fn powers_are_shifted_by_their_exponent(x: u64, small in 1u32..64, d in -12i32..16, shift in -20i32..60) {
            let x = x >> small;
            let mut probe = Probe::default();
            let operands = [probe.tensor(&[x]), probe.tensor(&[d]), probe.tensor(&[7i32])];
            probe.run(&POWER_I32, &operands, &[shift as u32]).unwrap();
            let exact = (x as f64) * 2f64.powi(2 * d - shift);
            let got = f64::from(probe.get::<i32>(operands[2])[0]);
            prop_assert!((got - exact.min(f64::from(i32::MAX))).abs() <= 0.5 + exact.min(4e9) * 1e-9);
        }
    }

    #[test]
    fn roots_of_two_are_exact() {
        for k in 1..=16 {
            let exact = 2f64.powf(-(2f64.powi(-k))) * 2f64.powi(31);
            let x = 1i64 << (16 - k);
            assert!((exp2(x) as f64 * 2.0 - exact).abs() < 2.5, "{k}");
        }
    }

    #[test]
    fn shapes_of_windows_use_all_bits() {
        let mut probe = Probe::default();
        let operands = [
            probe.tensor(&[4u64, 1 << 60, 3 << 40]),
            probe.tensor(&[5i32]),
            probe.tensor(&[0i32; 3]),
        ];
        probe.run(&POWER_SHAPE_I32, &operands, &[]).unwrap();
        assert_eq!(probe.get::<i32>(operands[2]), [0, 1 << 29, 1536]);
        let operands = [
            probe.tensor(&[0u64, 1, 0]),
            probe.tensor(&[5i32]),
            probe.tensor(&[0i32; 3]),
        ];
        probe.run(&POWER_SHAPE_I32, &operands, &[]).unwrap();
        assert_eq!(probe.get::<i32>(operands[2]), [0, 1 << 29, 0]);
    }

    #[test]
    fn peaks_come_highest_first() {
        let mut probe = Probe::default();
        let power = probe.tensor(&[9u64, 1, 4, 0, 16, 16, 0, 0, 0, 4, 1]);
        let (d, y) = (probe.tensor(&[1i32]), probe.tensor(&[7i32; 8]));
        probe
            .run(&PEAKS_U64, &[power, d, y], &[-2i32 as u32, 10])
            .unwrap();
        assert_eq!(probe.get::<i32>(y), [5, 32, 2, 16, 9, 16, 0, 0]);
    }
}
