//! Statistics of a window of floats.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::larger;
use crate::statistic::{Statistic, sort};

/// Statistics of a window, one value for each parameter.
///
/// Operands: x (`f32[n]`, n from 1 to [`Statistic::MAX_LEN`]), scratch (`f32[n]`, written; it may
/// have any length when no statistic [needs the order](Statistic::is_ordered)), y (`f32[m]`,
/// written). Parameters: m words of [`Statistic::encode`], m at least 1.
///
/// The mean is `m0 + sum (x - m0) / n` with `m0 = sum x / n`, so that a large offset costs no
/// digits of the deviations. A window counts as constant when its variance is at most
/// `(1e-6 mean)^2`.
pub const STATISTICS_F32: Op = Op {
    code: 0x0160,
    name: "STATISTICS_F32",
    check: check_statistics,
    run: |io| {
        let step = io.step;
        let (x, scratch, y) = io.read_write2::<f32, f32, f32>(0, 1, 2)?;
        statistics(x, scratch, y, step.all_params());
        Ok(())
    },
};

fn check_statistics(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let n = step.count_of::<f32>(0)?;
    let y = step.count_of_output::<f32>(2)?;
    check_list(step, n, y, step.count_of_output::<f32>(1)?)
}

/// What the float operator and the integer one ask of lengths and parameters.
pub(crate) fn check_list(
    step: &Step<'_>,
    n: usize,
    outputs: usize,
    scratch: usize,
) -> Result<(), Fault> {
    if !(1..=Statistic::MAX_LEN).contains(&n) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    let words = step.all_params();
    if outputs == 0 || words.len() != outputs {
        return Err(Fault::WrongLength { operand: 2 });
    }
    for (i, &word) in words.iter().enumerate() {
        let statistic = Statistic::decode(word, n).ok_or(Fault::BadParam { param: i as u8 })?;
        if statistic.is_ordered() && scratch != n {
            return Err(Fault::WrongLength { operand: 1 });
        }
    }
    step.expect_disjoint(0, 1)?;
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(1, 2)
}

fn statistics(x: &[f32], scratch: &mut [f32], y: &mut [f32], words: &[u32]) {
    let n = x.len() as f32;
    let rough = sum(x.iter().copied()) / n;
    let rest = sum(x.iter().map(|x| x - rough)) / n;
    let mean = rough + rest;
    let moments = Moments::of(x, rough, rest);
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
        *to = match statistic {
            Statistic::Mean => mean,
            Statistic::RootMeanSquare => libm::sqrtf(mean_square(x)),
            Statistic::Deviation => moments.deviation(),
            Statistic::Variance => moments.variance(),
            Statistic::SampleVariance => moments.variance() * n / larger(1.0, n - 1.0),
            Statistic::Skew => moments.skew(mean),
            Statistic::Kurtosis => moments.kurtosis(mean),
            Statistic::KurtosisOrZero if mean_square(x) == 0.0 => 0.0,
            Statistic::KurtosisOrZero => moments.kurtosis(mean),
            Statistic::Minimum => smallest(x),
            Statistic::Maximum => x.iter().copied().fold(f32::NEG_INFINITY, larger),
            Statistic::Range => x.iter().copied().fold(f32::NEG_INFINITY, larger) - smallest(x),
            Statistic::MeanMagnitude => sum(x.iter().map(|x| x.abs())) / n,
            Statistic::MeanSquare => mean_square(x),
            Statistic::ZeroCrossings => crossings(x, 0.0) as f32 / n,
            Statistic::MeanCrossings => crossings(x, mean) as f32 / n,
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
    }
    if deviation_wanted {
        let median = quantile(scratch, Statistic::place(scratch.len(), 128));
        for value in scratch.iter_mut() {
            *value = (*value - median).abs();
        }
        sort(scratch);
        let deviation = quantile(scratch, Statistic::place(scratch.len(), 128));
        for (to, statistic) in y.iter_mut().zip(list()) {
            if statistic == Some(Statistic::MedianDeviation) {
                *to = deviation;
            }
        }
    }
}

/// Central moments, in units of the largest deviation: the powers of tiny ones would vanish.
struct Moments {
    unit: f32,
    second: f32,
    third: f32,
    fourth: f32,
}

impl Moments {
    fn of(x: &[f32], rough: f32, rest: f32) -> Self {
        let n = x.len() as f32;
        let deviation = |x: f32| (x - rough) - rest;
        let largest = x.iter().map(|&x| deviation(x).abs()).fold(0.0, larger);
        let unit = if largest > 0.0 { largest } else { 1.0 };
        let (mut second, mut third, mut fourth) = (0.0, 0.0, 0.0);
        for &x in x {
            let d = deviation(x) / unit;
            let square = d * d;
            second += square;
            third += square * d;
            fourth += square * square;
        }
        Self {
            unit,
            second: second / n,
            third: third / n,
            fourth: fourth / n,
        }
    }

    fn variance(&self) -> f32 {
        self.second * self.unit * self.unit
    }

    fn deviation(&self) -> f32 {
        libm::sqrtf(self.second) * self.unit
    }

    fn is_constant(&self, mean: f32) -> bool {
        self.deviation() <= 1e-6 * mean.abs()
    }

    fn skew(&self, mean: f32) -> f32 {
        if self.is_constant(mean) {
            return 0.0;
        }
        self.third / (self.second * libm::sqrtf(self.second))
    }

    fn kurtosis(&self, mean: f32) -> f32 {
        if self.is_constant(mean) {
            return -3.0;
        }
        self.fourth / (self.second * self.second) - 3.0
    }
}

fn sum(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |sum, x| sum + x)
}

fn mean_square(x: &[f32]) -> f32 {
    sum(x.iter().map(|x| x * x)) / x.len() as f32
}

fn smallest(x: &[f32]) -> f32 {
    x.iter()
        .copied()
        .fold(f32::INFINITY, |min, x| if x < min { x } else { min })
}

fn crossings(x: &[f32], level: f32) -> u32 {
    let mut above = x.iter().map(|&x| x > level);
    let mut last = above.next().unwrap_or(false);
    let mut count = 0u32;
    for now in above {
        count = count.wrapping_add(u32::from(now != last));
        last = now;
    }
    count
}

/// The value at a place in 1/256 of sorted values.
fn quantile(sorted: &[f32], place: u32) -> f32 {
    let index = (place >> 8) as usize;
    let low = sorted.get(index).copied().unwrap_or(0.0);
    match sorted.get(index.wrapping_add(1)) {
        Some(&high) if place & 0xff != 0 => low + (high - low) * ((place & 0xff) as f32 / 256.0),
        _ => low,
    }
}

/// Entropy of a histogram of sorted values: a bin's values are neighbours.
fn entropy(sorted: &[f32], bins: u32) -> f32 {
    let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
        return 0.0;
    };
    if min >= max {
        return 0.0;
    }
    let (n, scale) = (sorted.len() as f32, bins as f32 / (max - min));
    let (mut entropy, mut count, mut last) = (0.0, 0.0f32, 0u32);
    let share = |count: f32| {
        let p = count / n;
        if count > 0.0 { p * libm::logf(p) } else { 0.0 }
    };
    for &x in sorted {
        // A cast saturates; the last bin is closed.
        let bin = ((x - min) * scale) as u32;
        let bin = if bin >= bins { bins - 1 } else { bin };
        if bin != last {
            entropy -= share(count);
            (count, last) = (0.0, bin);
        }
        count += 1.0;
    }
    entropy - share(count)
}

#[cfg(test)]
pub(crate) mod tests;
