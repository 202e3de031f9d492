//! Signals derived from the axes of a window of floats, and numbers about them.

use crate::error::Fault;
use crate::motion::GroupStatistic;
use crate::op::{Op, Step};
use crate::ops::{finite, runs};

/// Length of vectors whose parts lie one behind the other: `y[i] = sqrt(sum_p x_p[i]^2)`.
///
/// Operands: x (`f32[parts n]`), y (`f32[n]`, written). Parameters: parts, 1 to 3. The squares are
/// added in the order of the parts.
pub const NORM_F32: Op = Op {
    code: 0x0180,
    name: "NORM_F32",
    check: |step| {
        check_norm(
            step,
            step.count_of::<f32>(0)?,
            step.count_of_output::<f32>(1)?,
        )
    },
    run: |io| {
        let (x, y) = io.read_write::<f32, f32>(0, 1)?;
        let n = y.len();
        for (i, y) in y.iter_mut().enumerate() {
            let parts = runs(x, n).filter_map(|part| part.get(i));
            *y = libm::sqrtf(parts.fold(0.0, |sum, x| sum + x * x));
        }
        Ok(())
    },
};

/// `y[i] = scale (x[i+1] - x[i])`.
///
/// Operands: x (`f32[n + 1]`), y (`f32[n]`, written). Parameters: scale (float bits).
pub const DIFFERENCE_F32: Op = Op {
    code: 0x0181,
    name: "DIFFERENCE_F32",
    check: |step| {
        let &[scale] = step.params()?;
        finite(scale, 0)?;
        check_difference(
            step,
            step.count_of::<f32>(0)?,
            step.count_of_output::<f32>(1)?,
        )
    },
    run: |io| {
        let &[scale] = io.step.params()?;
        let scale = f32::from_bits(scale);
        let (x, y) = io.read_write::<f32, f32>(0, 1)?;
        for (y, pair) in y.iter_mut().zip(x.windows(2)) {
            if let &[before, now] = pair {
                *y = scale * (now - before);
            }
        }
        Ok(())
    },
};

/// First-order Butterworth low-pass that is settled at the window's mean, or what it leaves:
/// `l[n] = l[n-1] + k ((x[n] + x[n-1]) - 2 l[n-1])`, `l[-1] = x[-1] = mean(x)`.
///
/// Operands: x (`f32[n]`), y (`f32[n]`, written). Parameters: k (float bits, 0 to 0.5), rest: 0
/// for `y = l`, 1 for `y = x - l`.
pub const LOW_PASS_F32: Op = Op {
    code: 0x0182,
    name: "LOW_PASS_F32",
    check: |step| {
        let &[k, rest] = step.params()?;
        if !(0.0..=0.5).contains(&f32::from_bits(k)) {
            return Err(Fault::BadParam { param: 0 });
        }
        check_low_pass(
            step,
            rest,
            step.count_of::<f32>(0)?,
            step.count_of_output::<f32>(1)?,
        )
    },
    run: |io| {
        let &[k, rest] = io.step.params()?;
        let k = f32::from_bits(k);
        let (x, y) = io.read_write::<f32, f32>(0, 1)?;
        let mut low = mean(x);
        let mut before = low;
        for (y, &x) in y.iter_mut().zip(x) {
            low += k * ((x + before) - 2.0 * low);
            before = x;
            *y = if rest == 1 { x - low } else { low };
        }
        Ok(())
    },
};

/// Numbers about vectors whose parts lie one behind the other, one for each parameter behind the
/// first.
///
/// Operands: x (`f32[parts n]`), y (`f32[m]`, written). Parameters: parts, 1 to 3, then m words of
/// [`GroupStatistic::encode`].
pub const GROUP_F32: Op = Op {
    code: 0x0183,
    name: "GROUP_F32",
    check: |step| {
        check_group(
            step,
            step.count_of::<f32>(0)?,
            step.count_of_output::<f32>(1)?,
        )
    },
    run: |io| {
        let Some((&parts, words)) = io.step.all_params().split_first() else {
            return Err(Fault::BadParam { param: 0 });
        };
        let (x, y) = io.read_write::<f32, f32>(0, 1)?;
        group(x, parts, words, y);
        Ok(())
    },
};

/// Lag and value of the autocorrelation's peak. With `d = x - mean(x)` and
/// `r[k] = sum_i d[i] d[i+k] / sum_i d[i]^2`: the largest `r[k]` for `first <= k <= last`, the
/// first of equal ones.
///
/// Operands: x (`f32[n]`), y (`f32[2]`, written: `k scale`, `r[k]`; both 0 where the sum of squares
/// is at most `1e-12 sum x^2`). Parameters: first (at least 1), last (below n), scale (float bits).
pub const AUTOCORRELATION_F32: Op = Op {
    code: 0x0184,
    name: "AUTOCORRELATION_F32",
    check: |step| {
        let &[first, last, scale] = step.params()?;
        finite(scale, 2)?;
        let (x, y) = (step.count_of::<f32>(0)?, step.count_of_output::<f32>(1)?);
        check_autocorrelation(step, (first, last), x, y)
    },
    run: |io| {
        let &[first, last, scale] = io.step.params()?;
        let (x, y) = io.read_write::<f32, f32>(0, 1)?;
        let [lag, peak] = autocorrelation(x, first as usize, last as usize);
        if let [to_lag, to_peak] = y {
            *to_lag = lag * f32::from_bits(scale);
            *to_peak = peak;
        }
        Ok(())
    },
};

/// What the operators for floats and for integers ask of parts and lengths.
pub(crate) fn check_norm(step: &Step<'_>, x: usize, y: usize) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let &[parts] = step.params()?;
    if !(1..=GroupStatistic::MAX_PARTS).contains(&parts) {
        return Err(Fault::BadParam { param: 0 });
    }
    if y == 0 || y.checked_mul(parts as usize) != Some(x) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

/// What both operators ask of lengths.
pub(crate) fn check_difference(step: &Step<'_>, x: usize, y: usize) -> Result<(), Fault> {
    step.expect_operands(2)?;
    if y == 0 || y.checked_add(1) != Some(x) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

/// What both operators ask of lengths and the flag.
pub(crate) fn check_low_pass(step: &Step<'_>, rest: u32, x: usize, y: usize) -> Result<(), Fault> {
    step.expect_operands(2)?;
    if rest > 1 {
        return Err(Fault::BadParam { param: 1 });
    }
    if y == 0 || y != x {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

/// What both operators ask of lengths and words.
pub(crate) fn check_group(step: &Step<'_>, x: usize, y: usize) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let Some((&parts, words)) = step.all_params().split_first() else {
        return Err(Fault::BadParam { param: 0 });
    };
    if !(1..=GroupStatistic::MAX_PARTS).contains(&parts) {
        return Err(Fault::BadParam { param: 0 });
    }
    let most = parts as usize * crate::statistic::Statistic::MAX_LEN;
    if x == 0 || x > most || !x.is_multiple_of(parts as usize) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if y == 0 || words.len() != y {
        return Err(Fault::WrongLength { operand: 1 });
    }
    for (i, &word) in words.iter().enumerate() {
        let param = i as u8 + 1;
        GroupStatistic::decode(word, parts).ok_or(Fault::BadParam { param })?;
    }
    step.expect_disjoint(0, 1)
}

/// What both operators ask of lengths and lags.
pub(crate) fn check_autocorrelation(
    step: &Step<'_>,
    (first, last): (u32, u32),
    x: usize,
    y: usize,
) -> Result<(), Fault> {
    step.expect_operands(2)?;
    if x > crate::statistic::Statistic::MAX_LEN {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if y != 2 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if first == 0 || first > last {
        return Err(Fault::BadParam { param: 0 });
    }
    if last as usize >= x {
        return Err(Fault::BadParam { param: 1 });
    }
    step.expect_disjoint(0, 1)
}

fn sum(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |sum, x| sum + x)
}

fn mean(x: &[f32]) -> f32 {
    sum(x.iter().copied()) / x.len() as f32
}

fn group(x: &[f32], parts: u32, words: &[u32], y: &mut [f32]) {
    let n = x.len().checked_div(parts as usize).unwrap_or(0);
    let part = |p: u8| runs(x, n).nth(usize::from(p)).unwrap_or(&[]);
    let norm = libm::sqrtf(sum(runs(x, n).map(|x| mean(x) * mean(x))));
    for (y, &word) in y.iter_mut().zip(words) {
        let Some(statistic) = GroupStatistic::decode(word, parts) else {
            continue;
        };
        *y = match statistic {
            GroupStatistic::MagnitudeArea => sum(x.iter().map(|x| x.abs())) / n as f32,
            GroupStatistic::Correlation(a, b) => correlation(part(a), part(b)),
            GroupStatistic::Direction(_) | GroupStatistic::Tilt if norm == 0.0 => 0.0,
            GroupStatistic::Direction(p) => mean(part(p)) / norm,
            GroupStatistic::Tilt => {
                let last = parts as usize - 1;
                let others = runs(x, n).take(last);
                let across = libm::sqrtf(sum(others.map(|x| mean(x) * mean(x))));
                libm::atan2f(across, runs(x, n).nth(last).map_or(0.0, mean))
            }
        };
    }
}

fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    let spread = libm::sqrtf(aa) * libm::sqrtf(bb);
    if spread > 0.0 { ab / spread } else { 0.0 }
}

fn autocorrelation(x: &[f32], first: usize, last: usize) -> [f32; 2] {
    let mean = mean(x);
    let product = |k: usize| {
        let later = x.get(k..).unwrap_or(&[]);
        sum(x.iter().zip(later).map(|(a, b)| (a - mean) * (b - mean)))
    };
    let total = product(0);
    if total <= 1e-12 * sum(x.iter().map(|x| x * x)) {
        return [0.0; 2];
    }
    let (mut lag, mut most) = (0, f32::NEG_INFINITY);
    for k in first..=last {
        let r = product(k);
        if r > most {
            (lag, most) = (k, r);
        }
    }
    [lag as f32, most / total]
}

#[cfg(test)]
pub(crate) mod tests;
