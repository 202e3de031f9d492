//! Signals derived from the axes of a window of integers, and numbers about them.

use crate::error::Fault;
use crate::motion::GroupStatistic;
use crate::op::Op;
use crate::ops::motion::{
    check_autocorrelation, check_difference, check_group, check_low_pass, check_norm,
};
use crate::ops::runs;
use crate::q;

/// Length of vectors whose parts lie one behind the other:
/// `y[i] = floor(sqrt(sum_p x_p[i]^2))`, saturating.
///
/// Operands: x (`i32[parts n]`), y (`i32[n]`, written). Parameters: parts, 1 to 3.
pub const NORM_I32: Op = Op {
    code: 0x03f4,
    name: "NORM_I32",
    check: |step| {
        check_norm(
            step,
            step.count_of::<i32>(0)?,
            step.count_of_output::<i32>(1)?,
        )
    },
    run: |io| {
        let (x, y) = io.read_write::<i32, i32>(0, 1)?;
        let n = y.len();
        for (i, y) in y.iter_mut().enumerate() {
            let parts = runs(x, n).filter_map(|part| part.get(i));
            // Three squares of at most 2^62.
            let sum = parts.fold(0u64, |sum, &x| sum.wrapping_add(square(x)));
            *y = q::narrow_i32(i64::from(q::sqrt(sum)));
        }
        Ok(())
    },
};

/// `y[i] = x[i+1] - x[i]`, saturating.
///
/// Operands: x (`i32[n + 1]`), y (`i32[n]`, written). No parameters. Exact where it fits.
pub const DIFFERENCE_I32: Op = Op {
    code: 0x03f5,
    name: "DIFFERENCE_I32",
    check: |step| {
        step.params::<0>()?;
        check_difference(
            step,
            step.count_of::<i32>(0)?,
            step.count_of_output::<i32>(1)?,
        )
    },
    run: |io| {
        let (x, y) = io.read_write::<i32, i32>(0, 1)?;
        for (y, pair) in y.iter_mut().zip(x.windows(2)) {
            if let &[before, now] = pair {
                *y = q::sub_i32(now, before);
            }
        }
        Ok(())
    },
};

/// First-order Butterworth low-pass that is settled at the window's mean, or what it leaves.
///
/// Operands: x (`i32[n]`), y (`i32[n]`, written). Parameters: m (below `2^21`), s (22 to 40), rest:
/// 0 for `y = l`, 1 for `y = x - l`, saturating. With `k = m 2^-s`, at most 0.5, and `l` in 8 more
/// bits than x, each step rounded:
/// `l[n] = l[n-1] + k ((x[n] + x[n-1]) - 2 l[n-1])`, `l[-1] = x[-1] = mean(x)`.
pub const LOW_PASS_I32: Op = Op {
    code: 0x03f6,
    name: "LOW_PASS_I32",
    check: |step| {
        let &[m, s, rest] = step.params()?;
        if m >= 1 << 21 {
            return Err(Fault::BadParam { param: 0 });
        }
        if !(22..=40).contains(&s) {
            return Err(Fault::BadParam { param: 1 });
        }
        check_low_pass(
            step,
            rest,
            step.count_of::<i32>(0)?,
            step.count_of_output::<i32>(1)?,
        )
        .map_err(|fault| match fault {
            Fault::BadParam { .. } => Fault::BadParam { param: 2 },
            other => other,
        })
    },
    run: |io| {
        let &[m, s, rest] = io.step.params()?;
        let (x, y) = io.read_write::<i32, i32>(0, 1)?;
        low_pass(x, y, i64::from(m), s, rest == 1);
        Ok(())
    },
};

/// Numbers about vectors whose parts lie one behind the other, one for each parameter behind the
/// first.
///
/// Operands: x (`i32[parts n]`), y (`i32[m]`, written). Parameters: parts, 1 to 3, then m words of
/// [`GroupStatistic::encode`]. Formats: the area that of x; correlations and directions Q30; the
/// tilt Q29 radians. Deviations are brought to 22 bits by the largest of their part, means to 30
/// bits by the largest of all; the angle is found by 28 turns of a CORDIC.
pub const GROUP_I32: Op = Op {
    code: 0x03f7,
    name: "GROUP_I32",
    check: |step| {
        check_group(
            step,
            step.count_of::<i32>(0)?,
            step.count_of_output::<i32>(1)?,
        )
    },
    run: |io| {
        let Some((&parts, words)) = io.step.all_params().split_first() else {
            return Err(Fault::BadParam { param: 0 });
        };
        let (x, y) = io.read_write::<i32, i32>(0, 1)?;
        group(x, parts, words, y);
        Ok(())
    },
};

/// Lag and value of the autocorrelation's peak, as in
/// [`AUTOCORRELATION_F32`](crate::ops::motion::AUTOCORRELATION_F32), with deviations brought to
/// 22 bits by the largest of them.
///
/// Operands: x (`i32[n]`), y (`i32[2]`, written: `k`, `r[k]` in Q30; both 0 for a constant).
/// Parameters: first (at least 1), last (below n).
pub const AUTOCORRELATION_I32: Op = Op {
    code: 0x03f8,
    name: "AUTOCORRELATION_I32",
    check: |step| {
        let &[first, last] = step.params()?;
        let (x, y) = (step.count_of::<i32>(0)?, step.count_of_output::<i32>(1)?);
        check_autocorrelation(step, (first, last), x, y)
    },
    run: |io| {
        let &[first, last] = io.step.params()?;
        let (x, y) = io.read_write::<i32, i32>(0, 1)?;
        let [lag, peak] = autocorrelation(x, first as usize, last as usize);
        if let [to_lag, to_peak] = y {
            *to_lag = lag;
            *to_peak = peak;
        }
        Ok(())
    },
};

fn square(x: i32) -> u64 {
    let x = u64::from(x.unsigned_abs());
    x.wrapping_mul(x)
}

fn sum(x: &[i32]) -> i64 {
    // At most 2^16 values for statistics, and fewer than 2^27 in any tensor.
    x.iter().map(|&x| i64::from(x)).sum()
}

fn mean(x: &[i32]) -> i64 {
    q::div(sum(x), x.len() as i64)
}

fn low_pass(x: &[i32], y: &mut [i32], m: i64, s: u32, rest: bool) {
    let mut before = mean(x);
    let mut low = before << 8;
    for (y, &x) in y.iter_mut().zip(x) {
        // Both terms are at most 2^40, and m is below 2^21.
        let apart = ((i64::from(x) + before) << 8) - 2 * low;
        low += q::shr(apart * m, s);
        before = i64::from(x);
        let settled = q::shr(low, 8);
        *y = q::narrow_i32(if rest {
            i64::from(x) - settled
        } else {
            settled
        });
    }
}

/// Bits of the deviations that are multiplied with each other: sums of 2^16 products fit.
const DEVIATION_BITS: u32 = 22;

/// Deviations from the mean, in units that give the largest of them [`DEVIATION_BITS`].
#[derive(Clone, Copy)]
struct Deviations<'x> {
    x: &'x [i32],
    mean: i64,
    up: u32,
    down: u32,
}

impl<'x> Deviations<'x> {
    fn of(x: &'x [i32]) -> Self {
        let mean = mean(x);
        let most = x.iter().map(|&x| (i64::from(x) - mean).unsigned_abs());
        let bits = 64 - most.fold(0, u64::max).leading_zeros();
        Self {
            x,
            mean,
            up: DEVIATION_BITS.saturating_sub(bits),
            down: bits.saturating_sub(DEVIATION_BITS),
        }
    }

    /// The deviations from the `k`th on.
    fn from(self, k: usize) -> impl Iterator<Item = i64> + use<'x> {
        let later = self.x.get(k..).unwrap_or(&[]);
        later
            .iter()
            .map(move |&x| q::shr((i64::from(x) - self.mean) << self.up, self.down))
    }

    /// `sum_i self[i] other[i + k]`.
    fn product(self, other: Self, k: usize) -> i64 {
        self.from(0).zip(other.from(k)).map(|(a, b)| a * b).sum()
    }
}

/// `a / b` in Q30 for `|a| <= b`, b below 2^62; 0 for b = 0.
fn ratio(a: i64, b: u64) -> i32 {
    let down = (64 - b.leading_zeros()).saturating_sub(31);
    let (a, b) = (q::shr(a, down), q::shr_u64(b, down) as i64);
    within_one(q::div(a << 30, b))
}

/// `x` in Q30, from -1 to 1: what roots that are rounded down have made too large by a few units.
fn within_one(x: i64) -> i32 {
    const ONE: i64 = 1 << 30;
    if x > ONE {
        ONE as i32
    } else if x < -ONE {
        -ONE as i32
    } else {
        x as i32
    }
}

fn group(x: &[i32], parts: u32, words: &[u32], y: &mut [i32]) {
    let n = x.len().checked_div(parts as usize).unwrap_or(0);
    let part = |p: u8| runs(x, n).nth(usize::from(p)).unwrap_or(&[]);
    let means = Means::of(x, n);
    for (y, &word) in y.iter_mut().zip(words) {
        let Some(statistic) = GroupStatistic::decode(word, parts) else {
            continue;
        };
        *y = match statistic {
            GroupStatistic::MagnitudeArea => {
                let area: i64 = x.iter().map(|&x| i64::from(x.unsigned_abs())).sum();
                q::narrow_i32(q::div(area, n as i64))
            }
            GroupStatistic::Correlation(a, b) => correlation(part(a), part(b)),
            GroupStatistic::Direction(p) => means.direction(sum(part(p))),
            GroupStatistic::Tilt => {
                let last = parts as usize - 1;
                let squares = runs(x, n).take(last).map(|x| means.square(sum(x)));
                let across = i64::from(q::sqrt(squares.fold(0u64, u64::wrapping_add)));
                let along = means.scaled(runs(x, n).nth(last).map_or(0, sum));
                angle(across, along)
            }
        };
    }
}

/// Sums of the parts, brought to 30 bits by the largest.
struct Means {
    up: u32,
    down: u32,
    norm: u32,
}

impl Means {
    fn of(x: &[i32], n: usize) -> Self {
        let most = runs(x, n).map(|x| sum(x).unsigned_abs());
        let bits = 64 - most.fold(0, u64::max).leading_zeros();
        let mut means = Self {
            up: 30u32.saturating_sub(bits),
            down: bits.saturating_sub(30),
            norm: 0,
        };
        // Three squares of at most 2^60.
        let squares = runs(x, n).map(|x| means.square(sum(x)));
        means.norm = q::sqrt(squares.fold(0u64, u64::wrapping_add));
        means
    }

    fn scaled(&self, sum: i64) -> i64 {
        q::shr(sum << self.up, self.down)
    }

    fn square(&self, sum: i64) -> u64 {
        let scaled = self.scaled(sum).unsigned_abs();
        scaled.wrapping_mul(scaled)
    }

    fn direction(&self, sum: i64) -> i32 {
        within_one(q::div(self.scaled(sum) << 30, i64::from(self.norm)))
    }
}

fn correlation(a: &[i32], b: &[i32]) -> i32 {
    let (a, b) = (Deviations::of(a), Deviations::of(b));
    let root = |d: Deviations<'_>| u64::from(q::sqrt(d.product(d, 0).unsigned_abs()));
    ratio(a.product(b, 0), root(a) * root(b))
}

/// `atan(2^-i)` in Q29.
#[rustfmt::skip]
const ATAN: [i32; 28] = [
    421657428, 248918915, 131521918, 66762579, 33510843, 16771758, 8387925, 4194219, 2097141,
    1048575, 524288, 262144, 131072, 65536, 32768, 16384, 8192, 4096, 2048, 1024, 512, 256, 128, 64,
    32, 16, 8, 4,
];

/// `atan2(y, x)` in Q29 radians, 0 to pi, for `y >= 0` and both at most 2^31; 0 for two zeros.
fn angle(y: i64, x: i64) -> i32 {
    /// Pi in Q29.
    const PI: i32 = 1_686_629_713;
    if y == 0 && x == 0 {
        return 0;
    }
    let behind = x < 0;
    // More bits than the turns can round away.
    let (mut x, mut y) = ((x.unsigned_abs() << 16) as i64, y << 16);
    let mut turned = 0i32;
    for (i, &turn) in ATAN.iter().enumerate() {
        let (across, along) = (x >> i, y >> i);
        if y > 0 {
            (x, y, turned) = (x + along, y - across, turned + turn);
        } else {
            (x, y, turned) = (x - along, y + across, turned - turn);
        }
    }
    let turned = if turned < 0 { 0 } else { turned };
    if behind { PI - turned } else { turned }
}

fn autocorrelation(x: &[i32], first: usize, last: usize) -> [i32; 2] {
    let deviations = Deviations::of(x);
    let total = deviations.product(deviations, 0);
    if total <= 0 {
        return [0; 2];
    }
    let (mut lag, mut most) = (0, i64::MIN);
    for k in first..=last {
        let r = deviations.product(deviations, k);
        if r > most {
            (lag, most) = (k, r);
        }
    }
    [lag as i32, ratio(most, total as u64)]
}

#[cfg(test)]
mod tests;
