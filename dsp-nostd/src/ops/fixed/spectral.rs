//! Numbers about the power spectrum of a window, in integers.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::fixed::log::log2;
use crate::q;

/// A number about the bins of a power spectrum. Bin 0 takes no part, and the last bin counts half
/// as much as the others, as in a one-sided spectrum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpectrumStatistic {
    /// Index of the largest bin, the first of equal ones; 0 when all are 0.
    PeakBin,
    /// Power of the largest bin.
    PeakPower,
    /// Entropy of the shares of the bins, as a part of the largest possible one.
    Entropy,
    /// Sum over the bins from `first` to `end`, which is not in it.
    Band {
        /// First bin, at least 1.
        first: u16,
        /// Bin after the last.
        end: u16,
    },
}

impl SpectrumStatistic {
    /// The parameter word: a code in the two low bits, the bins above it.
    pub const fn encode(self) -> u32 {
        match self {
            Self::PeakBin => 0,
            Self::PeakPower => 1,
            Self::Entropy => 2,
            Self::Band { first, end } => 3 | (first as u32) << 2 | (end as u32) << 17,
        }
    }

    /// What a parameter word says about a number of bins; `None` for anything else.
    pub fn decode(word: u32, bins: usize) -> Option<Self> {
        match word {
            0 => Some(Self::PeakBin),
            1 => Some(Self::PeakPower),
            2 => Some(Self::Entropy),
            _ => {
                let (first, end) = ((word >> 2 & 0x7fff) as u16, (word >> 17) as u16);
                let inside = first > 0 && first < end && usize::from(end) <= bins;
                (word & 3 == 3 && inside).then_some(Self::Band { first, end })
            }
        }
    }
}

/// Numbers about a power spectrum, one for each parameter behind the first two.
///
/// Operands: power (`u64[k]`, k from 3 to 32767, their sum below 2^63), exponent (`i32[1]`, the
/// block exponent `d`), y (`i32[m]`, written). Parameters: shift `s` (-127 to 127), `1 / log2(k - 1)`
/// in Q30, then m words of [`SpectrumStatistic::encode`]. Powers are `P 2^(2 d - s)`, rounded,
/// saturating; the last bin is halved first. The entropy is in Q30; its error is at most 4e-4.
pub const SPECTRUM_STATISTICS_U64: Op = Op {
    code: 0x03fa,
    name: "SPECTRUM_STATISTICS_U64",
    check,
    run: |io| {
        let exponent = io.read::<i32>(1)?.first().copied().unwrap_or(0);
        let step = io.step;
        let Some((&[shift, inverse], words)) = step.all_params().split_first_chunk::<2>() else {
            return Err(Fault::BadParam { param: 0 });
        };
        let (power, y) = io.read_write::<u64, i32>(0, 2)?;
        let bins = Bins { power };
        // A plan that lies about its tensors must not overflow here.
        let down = (shift as i32).wrapping_sub((exponent << 16 >> 16).wrapping_mul(2));
        let peak = bins.peak();
        for (y, &word) in y.iter_mut().zip(words) {
            let Some(statistic) = SpectrumStatistic::decode(word, power.len()) else {
                continue;
            };
            *y = match statistic {
                SpectrumStatistic::PeakBin => peak.0 as i32,
                SpectrumStatistic::PeakPower => scaled(peak.1, down),
                SpectrumStatistic::Entropy => bins.entropy(inverse),
                SpectrumStatistic::Band { first, end } => {
                    let (first, end) = (usize::from(first), usize::from(end));
                    scaled(bins.sum(first, end), down)
                }
            };
        }
        Ok(())
    },
};

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let bins = step.count_of::<u64>(0)?;
    if !(3..=0x7fff).contains(&bins) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if step.count_of::<i32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    let y = step.count_of_output::<i32>(2)?;
    let Some((&[shift, inverse], words)) = step.all_params().split_first_chunk::<2>() else {
        return Err(Fault::BadParam { param: 0 });
    };
    if !(-127..=127).contains(&(shift as i32)) {
        return Err(Fault::BadParam { param: 0 });
    }
    if !(1..=1 << 30).contains(&inverse) {
        return Err(Fault::BadParam { param: 1 });
    }
    if y == 0 || words.len() != y {
        return Err(Fault::WrongLength { operand: 2 });
    }
    for (i, &word) in words.iter().enumerate() {
        let param = i as u8 + 2;
        SpectrumStatistic::decode(word, bins).ok_or(Fault::BadParam { param })?;
    }
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(1, 2)
}

/// `x 2^-down`, rounded, saturating.
fn scaled(x: u64, down: i32) -> i32 {
    let most = i32::MAX as u64;
    let y = if down >= 0 {
        match down.unsigned_abs() {
            down @ 0..64 => q::shr_u64(x, down),
            _ => 0,
        }
    } else if x == 0 {
        0
    } else if down.unsigned_abs() < x.leading_zeros() {
        x << down.unsigned_abs()
    } else {
        u64::MAX
    };
    q::narrow_i32(if y > most { most as i64 + 1 } else { y as i64 })
}

/// The bins of a one-sided spectrum.
struct Bins<'p> {
    power: &'p [u64],
}

impl Bins<'_> {
    /// The bins from `first` to before `end`, as they count.
    fn from(&self, first: usize, end: usize) -> impl Iterator<Item = u64> {
        let last = self.power.len().wrapping_sub(1);
        let some = self.power.get(first..end).unwrap_or(&[]);
        some.iter().enumerate().map(move |(i, &power)| {
            let half = u32::from(i.wrapping_add(first) == last);
            q::shr_u64(power, half)
        })
    }

    fn sum(&self, first: usize, end: usize) -> u64 {
        self.from(first, end).fold(0, u64::wrapping_add)
    }

    fn peak(&self) -> (usize, u64) {
        let (mut at, mut most) = (0, 0);
        for (i, power) in self.from(1, self.power.len()).enumerate() {
            if power > most {
                (at, most) = (i.wrapping_add(1), power);
            }
        }
        (at, most)
    }

    /// With `S = sum P` and K bins: `(log2 S - sum P log2 P / S) / log2 K` in Q30.
    fn entropy(&self, inverse: u32) -> i32 {
        let all = || self.from(1, self.power.len());
        let bits = 64 - all().fold(0, u64::wrapping_add).leading_zeros();
        // Sums of 40 bits: times a logarithm below 40 in Q16 they have 62.
        let (down, up) = (bits.saturating_sub(40), 40u32.saturating_sub(bits));
        let (mut sum, mut weighted) = (0i64, 0i64);
        for power in all() {
            let power = q::shr_u64(power << up, down);
            if power > 0 {
                sum += power as i64;
                weighted += power as i64 * i64::from(log2(power, 16));
            }
        }
        if sum == 0 {
            return 0;
        }
        let entropy = i64::from(log2(sum as u64, 16)) - q::div(weighted, sum);
        let share = q::shr(entropy * i64::from(inverse), 16);
        let share = if share < 0 { 0 } else { share };
        q::narrow_i32(if share > 1 << 30 { 1 << 30 } else { share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    fn run(power: &[u64], d: i32, s: i32, words: &[u32]) -> Vec<i32> {
        let mut probe = Probe::default();
        let operands = [
            probe.tensor(power),
            probe.tensor(&[d]),
            probe.tensor(&std::vec![7i32; words.len()]),
        ];
        let inverse = (2f64.powi(30) / ((power.len() - 1) as f64).log2()).round() as u32;
        let mut params = std::vec![s as u32, inverse];
        params.extend_from_slice(words);
        probe
            .run(&SPECTRUM_STATISTICS_U64, &operands, &params)
            .unwrap();
        probe.get(operands[2])
    }

    proptest! {
        #[test]
        fn numbers_follow_their_formulas(
            mut power in prop::collection::vec(0u64..1 << 50, 3..80), small in 0u32..45,
            d in -12i32..12, first in 1usize..40, width in 1usize..40,
        ) {
            for p in &mut power {
                *p >>= small;
            }
            let bins = power.len();
            let first = first.min(bins - 1);
            let end = (first + width).min(bins);
            let half = |k: usize| if k + 1 == bins { 0.5 } else { 1.0 };
            let exact: Vec<f64> = (0..bins).map(|k| power[k] as f64 * half(k)).collect();
            let sum: f64 = exact[1..].iter().sum();
            prop_assume!(sum > 0.0);
            let words = [
                SpectrumStatistic::PeakBin,
                SpectrumStatistic::PeakPower,
                SpectrumStatistic::Entropy,
                SpectrumStatistic::Band { first: first as u16, end: end as u16 },
            ].map(SpectrumStatistic::encode);
            // The largest sum gets 30 bits.
            let s = 2 * d + sum.log2().ceil() as i32 - 30;
            let unit = 2f64.powi(2 * d - s);
            let found = run(&power, d, s, &words);
            let most = exact[1..].iter().copied().fold(0.0, f64::max);
            prop_assert!((exact[found[0] as usize] - most).abs() <= 0.5);
            prop_assert!((f64::from(found[1]) - most * unit).abs() <= 1.0 + 0.5 * unit);
            let band: f64 = exact[first..end].iter().sum();
            prop_assert!((f64::from(found[3]) - band * unit).abs() <= 1.0 + 0.5 * unit);
            let shares = exact[1..].iter().map(|p| p / sum).filter(|&p| p > 0.0);
            let entropy = -shares.map(|p| p * p.ln()).sum::<f64>() / ((bins - 1) as f64).ln();
            let bound = 4e-4 + 2.0 / sum;
            prop_assert!((f64::from(found[2]) / 2f64.powi(30) - entropy).abs() <= bound, "{}", entropy);
        }
    }

    #[test]
    fn silence_and_floods() {
        let words = [
            0,
            1,
            2,
            SpectrumStatistic::Band { first: 1, end: 9 }.encode(),
        ];
        assert_eq!(run(&[0; 9], -12, -20, &words), [0; 4]);
        let found = run(&[1 << 58; 9], 12, -20, &words);
        assert_eq!((found[1], found[3]), (i32::MAX, i32::MAX));
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let power = probe.tensor(&[0u64; 9]);
        let (d, y) = (probe.tensor(&[0i32]), probe.tensor(&[0i32]));
        let op = &SPECTRUM_STATISTICS_U64;
        let refused = |operands: &[u32], params: &[u32], fault| {
            assert_eq!(probe.check(op, operands, params), Err(fault));
        };
        refused(
            &[power, power, y],
            &[0, 1, 0],
            Fault::WrongType { operand: 1 },
        );
        refused(&[power, d, y], &[128, 1, 0], Fault::BadParam { param: 0 });
        refused(&[power, d, y], &[0, 0, 0], Fault::BadParam { param: 1 });
        refused(&[power, d, y], &[0, 1], Fault::WrongLength { operand: 2 });
        refused(&[power, d, d], &[0, 1, 0], Fault::WrongPlace { operand: 2 });
        for (first, end) in [(0, 5), (5, 5), (5, 10)] {
            let band = SpectrumStatistic::Band { first, end }.encode();
            refused(&[power, d, y], &[0, 1, band], Fault::BadParam { param: 2 });
        }
    }
}
