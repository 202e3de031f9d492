//! Statistics of a window of integers that a plan chooses.

use crate::error::Fault;
use crate::op::Op;
use crate::ops::fixed::statistics::{Moments, Real, WideSum};
use crate::ops::statistics::check_list;
use crate::q;
use crate::statistic::{Statistic, sort};

/// Statistics of a window, one value for each parameter behind the first: the integer form of
/// [`STATISTICS_F32`](crate::ops::statistics::STATISTICS_F32).
///
/// Operands: x (`i32[n]`, n from 1 to [`Statistic::MAX_LEN`]), scratch (`i32[n]`, written; it may
/// have any length when no statistic [needs the order](Statistic::is_ordered)), y (`i32[m]`,
/// written). Parameters: shift (at most 62), then m words of [`Statistic::encode`], m at least 1.
///
/// | statistic | format | error at most |
/// |---|---|---|
/// | mean, root mean square, deviation, mean magnitude | that of x | 1/2 and 2^-28 of it |
/// | minimum, maximum, range | that of x | exact |
/// | quantiles | that of x | 1/2 |
/// | median deviation, quartile range | that of x | 1 |
/// | variances, mean square | `x^2 2^-shift` | 1/2 and 2^-27 of it |
/// | skew, kurtosis | Q16 | that of [`STATISTICS_I32`](super::statistics::STATISTICS_I32) |
/// | crossings | count | exact |
///
/// Everything saturates. The entropy of a histogram has no integer form.
pub const WINDOW_STATISTICS_I32: Op = Op {
    code: 0x03f9,
    name: "WINDOW_STATISTICS_I32",
    check: |step| {
        step.expect_operands(3)?;
        let n = step.count_of::<i32>(0)?;
        let y = step.count_of_output::<i32>(2)?;
        let Some((&shift, words)) = step.all_params().split_first() else {
            return Err(Fault::BadParam { param: 0 });
        };
        if shift > 62 {
            return Err(Fault::BadParam { param: 0 });
        }
        check_list(step, words, n, y, step.count_of_output::<i32>(1)?)?;
        let entropy =
            |&word: &u32| matches!(Statistic::decode(word, n), Some(Statistic::Entropy(_)));
        match words.iter().position(entropy) {
            Some(at) => Err(Fault::BadParam { param: at as u8 }),
            None => Ok(()),
        }
    },
    run: |io| {
        let step = io.step;
        let Some((&shift, words)) = step.all_params().split_first() else {
            return Err(Fault::BadParam { param: 0 });
        };
        let (x, scratch, y) = io.read_write2::<i32, i32, i32>(0, 1, 2)?;
        statistics(x, scratch, y, shift as i32, words);
        Ok(())
    },
};

fn statistics(x: &[i32], scratch: &mut [i32], y: &mut [i32], shift: i32, words: &[u32]) {
    let list = || words.iter().map(|&word| Statistic::decode(word, x.len()));
    if list().flatten().any(Statistic::is_ordered) {
        for (to, &from) in scratch.iter_mut().zip(x) {
            *to = from;
        }
        sort(scratch);
    }
    let n = Real::of(x.len() as u64);
    let min = x
        .iter()
        .copied()
        .fold(i32::MAX, |a, x| if x < a { x } else { a });
    let max = x
        .iter()
        .copied()
        .fold(i32::MIN, |a, x| if x > a { x } else { a });
    // At most 2^16 values.
    let sum: i64 = x.iter().map(|&x| i64::from(x)).sum();
    let mut squares = WideSum::default();
    for &x in x {
        squares.add_square(i64::from(x));
    }
    let squares = squares.total();
    let moments = Moments::of(x, min, max);
    let variance = moments.deviation.times(moments.deviation);
    let mut apart_wanted = false;
    for (to, statistic) in y.iter_mut().zip(list()) {
        let Some(statistic) = statistic else { continue };
        let value = match statistic {
            Statistic::Mean => q::div(sum, x.len() as i64),
            Statistic::RootMeanSquare => squares.over(n).sqrt().to_fixed(0),
            Statistic::Deviation => moments.deviation.to_fixed(0),
            Statistic::Variance => variance.to_fixed(-shift),
            Statistic::SampleVariance => {
                let others = (x.len() as u64).saturating_sub(1);
                variance.times(n).over(Real::of(others)).to_fixed(-shift)
            }
            Statistic::MeanSquare => squares.over(n).to_fixed(-shift),
            Statistic::Skew => moments.skew,
            Statistic::KurtosisOrZero if min == 0 && max == 0 => 0,
            Statistic::Kurtosis | Statistic::KurtosisOrZero if min == max => -3 << 16,
            Statistic::Kurtosis | Statistic::KurtosisOrZero => moments.kurtosis,
            Statistic::Minimum => i64::from(min),
            Statistic::Maximum => i64::from(max),
            Statistic::Range => i64::from(max) - i64::from(min),
            Statistic::MeanMagnitude => {
                let sum: i64 = x.iter().map(|&x| i64::from(x.unsigned_abs())).sum();
                q::div(sum, x.len() as i64)
            }
            Statistic::ZeroCrossings => crossings(x, |x| x > 0),
            Statistic::MeanCrossings => {
                // x > sum / n, exactly.
                let n = x.len() as i64;
                crossings(x, |x| i64::from(x) * n > sum)
            }
            Statistic::Quantile(place) => quantile(scratch, place),
            Statistic::QuartileRange => {
                let place = |part| Statistic::place(scratch.len(), part);
                quantile(scratch, place(192)) - quantile(scratch, place(64))
            }
            // The scratch is wanted in order until the others are done.
            Statistic::MedianDeviation => {
                apart_wanted = true;
                continue;
            }
            Statistic::Entropy(_) => 0,
        };
        *to = q::narrow_i32(value);
    }
    if apart_wanted {
        let half = Statistic::place(scratch.len(), 128);
        let median = quantile(scratch, half);
        for value in scratch.iter_mut() {
            let apart = i64::from(*value) - median;
            *value = q::narrow_i32(if apart < 0 { -apart } else { apart });
        }
        sort(scratch);
        let apart = q::narrow_i32(quantile(scratch, half));
        for (to, statistic) in y.iter_mut().zip(list()) {
            if statistic == Some(Statistic::MedianDeviation) {
                *to = apart;
            }
        }
    }
}

/// Neighbours of which one is above and one is not.
fn crossings(x: &[i32], above: impl Fn(i32) -> bool) -> i64 {
    let mut sides = x.iter().map(|&x| above(x));
    let mut last = sides.next().unwrap_or(false);
    let mut count = 0i64;
    for now in sides {
        count += i64::from(now != last);
        last = now;
    }
    count
}

/// The value at a place in 1/256 of sorted values, rounded.
fn quantile(sorted: &[i32], place: u32) -> i64 {
    let index = (place >> 8) as usize;
    let low = i64::from(sorted.get(index).copied().unwrap_or(0));
    match sorted.get(index.wrapping_add(1)) {
        Some(&high) => low + q::shr((i64::from(high) - low) * i64::from(place & 0xff), 8),
        None => low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use crate::ops::statistics::tests::{all, textbook};
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    fn list(n: usize) -> Vec<Statistic> {
        let integer = |s: &Statistic| !matches!(s, Statistic::Entropy(_));
        all(n).into_iter().filter(integer).collect()
    }

    fn run(x: &[i32], list: &[Statistic], shift: u32) -> Vec<i32> {
        let mut probe = Probe::default();
        let words: Vec<u32> = core::iter::once(shift)
            .chain(list.iter().map(|s| s.encode()))
            .collect();
        let operands = [
            probe.tensor(x),
            probe.tensor(&std::vec![0i32; x.len()]),
            probe.tensor(&std::vec![7i32; list.len()]),
        ];
        probe
            .run(&WINDOW_STATISTICS_I32, &operands, &words)
            .unwrap();
        probe.get::<i32>(operands[2])
    }

    proptest! {
        #[test]
        fn statistics_follow_their_formulas(
            x in prop::collection::vec(-(1i32 << 29)..1 << 29, 2..400), small in 0u32..26,
            offset in -1000i32..1000,
        ) {
            let x: Vec<i32> = x.into_iter().map(|x| (x >> small) + offset).collect();
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let list = list(x.len());
            let range = textbook(&wide, Statistic::Range);
            let spread = range / textbook(&wide, Statistic::Deviation).max(1e-9);
            for (got, statistic) in run(&x, &list, 29).into_iter().zip(&list) {
                let exact = textbook(&wide, *statistic);
                let (unit, bound) = match statistic {
                    Statistic::Skew => (65536.0, 8.0 * spread + 1.0),
                    Statistic::Kurtosis | Statistic::KurtosisOrZero => {
                        (65536.0, 8.0 * spread * (exact + 3.0).sqrt() + 1.0)
                    }
                    Statistic::ZeroCrossings | Statistic::MeanCrossings => (x.len() as f64, 1e-6),
                    Statistic::Variance | Statistic::SampleVariance | Statistic::MeanSquare => {
                        (2f64.powi(-29), 0.6 + exact * 2f64.powi(-29 - 26))
                    }
                    _ => (1.0, 1.01 + exact.abs() * 2f64.powi(-28)),
                };
                let error = (f64::from(got) - exact * unit).abs();
                prop_assert!(error <= bound, "{:?}: {} {}", statistic, got, exact * unit);
            }
        }
    }

    #[test]
    fn constant_and_extreme_windows() {
        let list = [
            Statistic::Skew,
            Statistic::Kurtosis,
            Statistic::KurtosisOrZero,
        ];
        assert_eq!(run(&[0; 9], &list, 0), [0, -3 << 16, 0]);
        assert_eq!(run(&[981; 9], &list, 0), [0, -3 << 16, -3 << 16]);
        let extremes = [i32::MIN, i32::MAX].repeat(200);
        let list = [
            Statistic::Range,
            Statistic::MeanSquare,
            Statistic::MedianDeviation,
            Statistic::MeanCrossings,
        ];
        assert_eq!(run(&extremes, &list, 62), [i32::MAX, 1, i32::MAX, 399]);
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let x = probe.tensor(&[1i32, 2, 3]);
        let (two, scratch, y) = (
            probe.tensor(&[0i32; 2]),
            probe.tensor(&[0i32; 3]),
            probe.tensor(&[0i32]),
        );
        let op = &WINDOW_STATISTICS_I32;
        let refused = |operands: &[u32], params: &[u32], fault| {
            assert_eq!(probe.check(op, operands, params), Err(fault));
        };
        let mean = Statistic::Mean.encode();
        refused(&[x, scratch, y], &[63, mean], Fault::BadParam { param: 0 });
        refused(&[x, scratch, y], &[], Fault::BadParam { param: 0 });
        refused(&[x, scratch, y], &[0], Fault::WrongLength { operand: 2 });
        let entropy = Statistic::Entropy(100).encode();
        refused(
            &[x, scratch, y],
            &[0, entropy],
            Fault::BadParam { param: 0 },
        );
        let range = Statistic::QuartileRange.encode();
        refused(&[x, two, y], &[0, range], Fault::WrongLength { operand: 1 });
        assert_eq!(probe.check(op, &[x, two, y], &[0, mean]), Ok(()));
    }
}
