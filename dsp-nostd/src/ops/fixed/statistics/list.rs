//! Any statistics of a window of integers.

use super::{Moments, Real, WideSum};
use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::fixed::log::log2;
use crate::ops::statistics::check_list;
use crate::q;
use crate::statistic::{Statistic, sort};

/// Statistics of a window, one value for each parameter.
///
/// Operands: x (`i32[n]`, n from 1 to [`Statistic::MAX_LEN`]), scratch (`i32[n]`, written; it may
/// have any length when no statistic [needs the order](Statistic::is_ordered)), y (`i32[m]`,
/// written). Parameters: m words of [`Statistic::encode`], m at least 1.
///
/// | statistics | format | error at most |
/// |---|---|---|
/// | mean, mean magnitude | that of x | 1/2 |
/// | root mean square, standard deviation | that of x | 1/2 and 2^-28 of it |
/// | minimum, maximum, places | that of x, saturating | exact; between neighbours 1/2 |
/// | range, quartile range, median deviation | that of x, saturating | 1 |
/// | variances, mean square | squares of x, `2^-31` | 1/2 and 2^-27 of it |
/// | skew, kurtosis | Q16 | as [`STATISTICS_I32`](super::STATISTICS_I32) |
/// | crossings | count, not divided | exact; at the mean rounded to the format of x |
/// | entropy | Q16, in bits | 2^-11 |
pub const STATISTIC_LIST_I32: Op = Op {
    code: 0x03e1,
    name: "STATISTIC_LIST_I32",
    check: check_statistics,
    run: |io| {
        let step = io.step;
        let (x, scratch, y) = io.read_write2::<i32, i32, i32>(0, 1, 2)?;
        statistics(x, scratch, y, step.all_params());
        Ok(())
    },
};

/// Fraction bits of ratios.
const RATIO_Q: u32 = 16;

fn check_statistics(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let n = step.count_of::<i32>(0)?;
    let y = step.count_of_output::<i32>(2)?;
    check_list(step, n, y, step.count_of_output::<i32>(1)?)
}

fn statistics(x: &[i32], scratch: &mut [i32], y: &mut [i32], words: &[u32]) {
    let n = x.len() as i64;
    let min = x.iter().copied().min().unwrap_or(0);
    let max = x.iter().copied().max().unwrap_or(0);
    let mean = q::div(x.iter().map(|&x| i64::from(x)).sum(), n);
    let moments = Moments::of(x, min, max);
    let list = || words.iter().map(|&word| Statistic::decode(word, x.len()));
    if list().flatten().any(Statistic::is_ordered) {
        for (to, &from) in scratch.iter_mut().zip(x) {
            *to = from;
        }
        sort(scratch);
    }
    let mut deviation_wanted = false;
    for (to, statistic) in y.iter_mut().zip(list()) {
        let Some(statistic) = statistic else { continue };
        let value = match statistic {
            Statistic::Mean => mean,
            Statistic::RootMeanSquare => mean_square(x).sqrt().to_fixed(0),
            Statistic::Deviation => moments.deviation.to_fixed(0),
            Statistic::Variance => squared(moments.deviation, n, n),
            Statistic::SampleVariance if n > 1 => squared(moments.deviation, n, n - 1),
            Statistic::SampleVariance => 0,
            Statistic::MeanSquare => mean_square(x).to_fixed(-31),
            Statistic::Skew => moments.skew,
            Statistic::KurtosisOrZero if min == 0 && max == 0 => 0,
            Statistic::Kurtosis | Statistic::KurtosisOrZero if min == max => -3 << RATIO_Q,
            Statistic::Kurtosis | Statistic::KurtosisOrZero => moments.kurtosis,
            Statistic::Minimum => i64::from(min),
            Statistic::Maximum => i64::from(max),
            Statistic::Range => i64::from(max) - i64::from(min),
            Statistic::MeanMagnitude => {
                q::div(x.iter().map(|x| i64::from(x.unsigned_abs())).sum(), n)
            }
            Statistic::ZeroCrossings => crossings(x, 0),
            Statistic::MeanCrossings => crossings(x, mean),
            Statistic::Quantile(place) => quantile(scratch, place),
            Statistic::QuartileRange => {
                let lower = Statistic::place(scratch.len(), 64);
                let upper = Statistic::place(scratch.len(), 192);
                quantile(scratch, upper) - quantile(scratch, lower)
            }
            Statistic::Entropy(bins) => entropy(scratch, bins),
            // The scratch is wanted in order until the others are done.
            Statistic::MedianDeviation => {
                deviation_wanted = true;
                continue;
            }
        };
        *to = q::narrow_i32(value);
    }
    if deviation_wanted {
        let median = quantile(scratch, Statistic::place(scratch.len(), 128));
        for value in scratch.iter_mut() {
            *value = q::narrow_i32((i64::from(*value) - median).abs());
        }
        sort(scratch);
        let deviation = quantile(scratch, Statistic::place(scratch.len(), 128));
        for (to, statistic) in y.iter_mut().zip(list()) {
            if statistic == Some(Statistic::MedianDeviation) {
                *to = q::narrow_i32(deviation);
            }
        }
    }
}

fn mean_square(x: &[i32]) -> Real {
    let mut squares = WideSum::default();
    for &x in x {
        squares.add_square(i64::from(x));
    }
    squares.total().over(Real::of(x.len() as u64))
}

/// `2^-31 deviation^2 times / over`.
fn squared(deviation: Real, times: i64, over: i64) -> i64 {
    let square = deviation.times(deviation);
    if times == over {
        return square.to_fixed(-31);
    }
    square
        .times(Real::of(times as u64))
        .over(Real::of(over as u64))
        .to_fixed(-31)
}

fn crossings(x: &[i32], level: i64) -> i64 {
    let mut above = x.iter().map(|&x| i64::from(x) > level);
    let mut last = above.next().unwrap_or(false);
    let mut count = 0;
    for now in above {
        count += i64::from(now != last);
        last = now;
    }
    count
}

/// The value at a place in 1/256 of sorted values.
fn quantile(sorted: &[i32], place: u32) -> i64 {
    let (index, part) = ((place >> 8) as usize, i64::from(place & 0xff));
    let low = i64::from(sorted.get(index).copied().unwrap_or(0));
    match sorted.get(index.wrapping_add(1)) {
        Some(&high) if part != 0 => low + q::shr((i64::from(high) - low) * part, 8),
        _ => low,
    }
}

/// Entropy of a histogram of sorted values, in bits in Q16: a bin's values are neighbours.
fn entropy(sorted: &[i32], bins: u32) -> i64 {
    let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
        return 0;
    };
    let range = (i64::from(max) - i64::from(min)) as u64;
    if range == 0 {
        return 0;
    }
    // sum c log2 c; at most 2^16 values with logarithms of at most 2^20.
    let term =
        |count: i64| count * i64::from(log2(count.unsigned_abs() | u64::from(count == 0), RATIO_Q));
    let (mut sum, mut count, mut last) = (0, 0, 0);
    for &x in sorted {
        let above = (i64::from(x) - i64::from(min)) as u64;
        let bin = (above * u64::from(bins)).checked_div(range).unwrap_or(0);
        let bin = if bin >= u64::from(bins) {
            u64::from(bins) - 1
        } else {
            bin
        };
        if bin != last {
            sum += term(count);
            (count, last) = (0, bin);
        }
        count += 1;
    }
    sum += term(count);
    let n = sorted.len() as i64;
    i64::from(log2(n.unsigned_abs(), RATIO_Q)) - q::div(sum, n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use crate::ops::statistics::tests::{all, textbook};
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    fn run(x: &[i32], list: &[Statistic]) -> Vec<i32> {
        let mut probe = Probe::default();
        let words: Vec<u32> = list.iter().map(|s| s.encode()).collect();
        let operands = [
            probe.tensor(x),
            probe.tensor(&std::vec![0i32; x.len()]),
            probe.tensor(&std::vec![7i32; list.len()]),
        ];
        probe.run(&STATISTIC_LIST_I32, &operands, &words).unwrap();
        probe.get::<i32>(operands[2])
    }

    /// Whether a value lies on an edge between two bins, or within rounding of it.
    fn on_an_edge(x: &[i32], bins: u32) -> bool {
        let min = x.iter().copied().min().map_or(0.0, f64::from);
        let max = x.iter().copied().max().map_or(0.0, f64::from);
        x.iter().map(|&x| f64::from(x)).any(|x| {
            let place = (x - min) * f64::from(bins) / (max - min);
            x > min && x < max && (place - place.round()).abs() < 1e-9
        })
    }

    proptest! {
        #[test]
        fn statistics_follow_their_formulas(
            x in prop::collection::vec(any::<i32>(), 2..400), small in 0u32..28,
        ) {
            let x: Vec<i32> = x.into_iter().map(|x| x >> small).collect();
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let list = all(x.len());
            let range = textbook(&wide, Statistic::Range);
            let deviation = textbook(&wide, Statistic::Deviation);
            let spread = if range > 0.0 { range / deviation } else { 0.0 };
            let n = x.len() as f64;
            for (got, statistic) in run(&x, &list).into_iter().zip(&list) {
                let exact = textbook(&wide, *statistic);
                let (unit, bound) = match statistic {
                    Statistic::MeanSquare | Statistic::Variance | Statistic::SampleVariance => {
                        (2f64.powi(31), 0.6 + exact * 2f64.powi(-31 - 26))
                    }
                    Statistic::Skew => (2f64.powi(-16), 8.0 * spread + 1.0),
                    Statistic::Kurtosis | Statistic::KurtosisOrZero => {
                        (2f64.powi(-16), 8.0 * spread * (exact + 3.0).sqrt() + 1.0)
                    }
                    // A value on the edge of a bin is in one or the other: rounding decides in f64.
                    Statistic::Entropy(bins) if on_an_edge(&x, *bins) => continue,
                    Statistic::Entropy(_) => (std::f64::consts::LN_2 / 65536.0, 32.0),
                    Statistic::ZeroCrossings => (1.0 / n, 1e-6),
                    // The mean is rounded.
                    Statistic::MeanCrossings if range < 1000.0 => continue,
                    Statistic::MeanCrossings => (1.0 / n, 2.1),
                    Statistic::Range | Statistic::QuartileRange | Statistic::MedianDeviation => {
                        (1.0, 1.6 + exact * 1e-8)
                    }
                    _ => (1.0, 0.51 + exact.abs() * 1e-8),
                };
                let limited = (exact / unit).clamp(f64::from(i32::MIN), f64::from(i32::MAX));
                let error = (f64::from(got) - limited).abs();
                prop_assert!(error <= bound, "{:?}: {} {}", statistic, got, limited);
            }
        }
    }

    #[test]
    fn constant_windows() {
        let list = [
            Statistic::Skew,
            Statistic::Kurtosis,
            Statistic::KurtosisOrZero,
            Statistic::Entropy(100),
            Statistic::Deviation,
        ];
        assert_eq!(run(&[0; 9], &list), [0, -3 << 16, 0, 0, 0]);
        assert_eq!(run(&[i32::MIN; 5], &list), [0, -3 << 16, -3 << 16, 0, 0]);
    }
}
