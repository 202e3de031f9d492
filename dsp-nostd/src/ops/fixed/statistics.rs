//! Statistics of a window of integers.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::q;

mod list;

pub use list::STATISTIC_LIST_I32;

/// Eight statistics of a window.
///
/// Operands: x (`i32[n]`, n from 1 to [`MAX_LEN`]), y (`i32[8]`, written). No parameters. With
/// `d = x - mean(x)` and sums over the window, y holds:
///
/// | i | statistic | format | error at most |
/// |---|---|---|---|
/// | 0 | mean, `sum x / n` | that of x | 1/2 |
/// | 1 | root mean square, `sqrt(sum x^2 / n)` | that of x | 1/2 and 2^-28 of it |
/// | 2 | standard deviation, `sqrt(sum d^2 / n)` | that of x | 1/2 and 2^-28 of it |
/// | 3 | skew, `(sum d^3 / n) / std^3` | Q16 | 2^-13 r + 2^-16 |
/// | 4 | excess kurtosis, `k - 3` with `k = (sum d^4 / n) / std^4` | Q16 | 2^-13 r sqrt(k) + 2^-16 |
/// | 5 | minimum | that of x | exact |
/// | 6 | maximum | that of x | exact |
/// | 7 | zero crossings: neighbours of which one is negative and one is not | count | exact |
///
/// where `r = (max - min) / std`, which is 3 to 10 for most signals. All moments are population
/// moments (scipy's `bias=True`, `fisher=True`). A constant window has standard deviation, skew and
/// kurtosis 0. The deviations are brought to at least 30 bits by the window's range before they
/// are squared, and to 15 bits before they are raised further, so the errors hold for the loudest
/// and the quietest window alike.
pub const STATISTICS_I32: Op = Op {
    code: 0x0342,
    name: "STATISTICS_I32",
    check: check_statistics,
    run: |io| {
        let (x, y) = io.read_write::<i32, i32>(0, 1)?;
        for (to, from) in y.iter_mut().zip(statistics(x)) {
            *to = from;
        }
        Ok(())
    },
};

/// Most values of a window.
pub const MAX_LEN: usize = 1 << 16;

/// Number of statistics.
const COUNT: usize = 8;

/// Bits of the deviations whose third and fourth powers are summed.
const DEVIATION_BITS: u32 = 15;

fn check_statistics(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    if !(1..=MAX_LEN).contains(&step.count_of::<i32>(0)?) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if step.count_of_output::<i32>(1)? != COUNT {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)?;
    step.params::<0>().map(|_| ())
}

fn statistics(x: &[i32]) -> [i32; COUNT] {
    let n = x.len() as u64;
    let min = x.iter().copied().min().unwrap_or(0);
    let max = x.iter().copied().max().unwrap_or(0);
    let sum: i64 = x.iter().map(|&x| i64::from(x)).sum();
    let mut squares = WideSum::default();
    for &x in x {
        squares.add_square(i64::from(x));
    }
    let crossings = x.windows(2).filter(|pair| match pair {
        [a, b] => (*a < 0) != (*b < 0),
        _ => false,
    });
    let crossings = crossings.count() as i32;
    let moments = Moments::of(x, min, max);
    let root_mean_square = squares.total().over(Real::of(n)).sqrt();
    [
        q::narrow_i32(q::div(sum, n as i64)),
        q::narrow_i32(root_mean_square.to_fixed(0)),
        q::narrow_i32(moments.deviation.to_fixed(0)),
        q::narrow_i32(moments.skew),
        q::narrow_i32(moments.kurtosis),
        min,
        max,
        crossings,
    ]
}

/// What the deviations from the mean give; skew and kurtosis in Q16.
struct Moments {
    deviation: Real,
    skew: i64,
    kurtosis: i64,
}

impl Moments {
    const Q: i32 = 16;

    fn of(x: &[i32], min: i32, max: i32) -> Self {
        let range = (i64::from(max) - i64::from(min)) as u64;
        if range == 0 {
            return Self {
                deviation: Real::ZERO,
                skew: 0,
                kurtosis: 0,
            };
        }
        // Deviations with `up` fractional bits: the range has 30 bits or, as it comes, up to 32.
        let bits = 64 - range.leading_zeros();
        let up = 30u32.saturating_sub(bits);
        let down = bits + up - DEVIATION_BITS;
        let above_min = |x: i32| (i64::from(x) - i64::from(min)) << up;
        // At most 2^16 values below 2^32.
        let n = x.len() as i64;
        let mean = q::div(x.iter().map(|&x| above_min(x)).sum(), n);
        let (mut square, mut fourth) = (WideSum::default(), WideSum::default());
        let mut cube = 0i64;
        for &x in x {
            let d = above_min(x) - mean;
            square.add_square(d);
            // At most 2^15 in magnitude, so its square is at most 2^30 and the cubes sum up to
            // at most 2^61.
            let d = q::shr(d, down);
            fourth.add_square(d * d);
            cube += d * d * d;
        }
        let n = Real::of(n as u64);
        let (square, fourth) = (square.total(), fourth.total());
        // In units of 2^-up.
        let deviation = square.over(n).sqrt();
        let down = down as i32;
        // sum d^3 / (n std^3) = sqrt(n) sum d^3 / (sum d^2 sqrt(sum d^2))
        let skew = Real::of(cube.unsigned_abs())
            .scaled(3 * down)
            .times(n.sqrt())
            .over(square.times(square.sqrt()))
            .to_fixed(Self::Q);
        let kurtosis = fourth
            .scaled(4 * down)
            .times(n)
            .over(square.times(square))
            .to_fixed(Self::Q);
        Self {
            deviation: deviation.scaled(-(up as i32)),
            skew: if cube < 0 { -skew } else { skew },
            kurtosis: kurtosis - (3 << Self::Q),
        }
    }
}

/// An exact sum of squares beyond 64 bits: its upper halves and its lower ones.
#[derive(Clone, Copy, Default)]
struct WideSum {
    high: u64,
    low: u64,
}

impl WideSum {
    /// Adds `x^2`, for `|x| < 2^32`.
    #[inline(always)]
    fn add_square(&mut self, x: i64) {
        let x = x.unsigned_abs();
        let square = x.wrapping_mul(x);
        self.high += q::shr_floor(square, 32);
        self.low += square & LOW;
    }

    #[inline(never)]
    fn total(self) -> Real {
        let high = self.high + q::shr_floor(self.low, 32);
        if high > LOW {
            return Real::of(high).scaled(32);
        }
        Real::of(high << 32 | self.low & LOW)
    }
}

/// The lower half of 64 bits.
const LOW: u64 = u32::MAX as u64;

/// A number that is not negative, `mantissa 2^exponent`, with 32 bits: the mantissa is from 2^31
/// to 2^32 - 1, or 0. Every operation rounds down, by at most 2^-30 of the result. None is inlined:
/// they run a few times per window, and small code matters more.
#[derive(Clone, Copy)]
struct Real {
    mantissa: u64,
    exponent: i32,
}

impl Real {
    const ZERO: Self = Self {
        mantissa: 0,
        exponent: 0,
    };

    #[inline(never)]
    fn of(x: u64) -> Self {
        if x == 0 {
            return Self::ZERO;
        }
        let up = x.leading_zeros();
        Self {
            mantissa: q::shr_floor(x << up, 32),
            exponent: 32 - up as i32,
        }
    }

    /// `self 2^n`.
    fn scaled(self, n: i32) -> Self {
        Self {
            exponent: self.exponent + n,
            ..self
        }
    }

    #[inline(never)]
    fn times(self, other: Self) -> Self {
        let product = self.mantissa * other.mantissa;
        Self::of(product).scaled(self.exponent + other.exponent)
    }

    /// `self / other`; 0 where that divides by 0.
    #[inline(never)]
    fn over(self, other: Self) -> Self {
        let quotient = (self.mantissa << 31).checked_div(other.mantissa);
        Self::of(quotient.unwrap_or(0)).scaled(self.exponent - other.exponent - 31)
    }

    #[inline(never)]
    fn sqrt(self) -> Self {
        let up = if self.exponent & 1 == 0 { 32 } else { 31 };
        Self {
            mantissa: u64::from(q::sqrt(self.mantissa << up)),
            exponent: (self.exponent - up) / 2,
        }
    }

    /// `self 2^q`, rounded; saturates well beyond 32 bits.
    #[inline(never)]
    fn to_fixed(self, q: i32) -> i64 {
        let mantissa = self.mantissa as i64;
        match self.exponent.saturating_add(q) {
            up @ 0..=30 => mantissa << up,
            31.. => i64::from(u32::MAX) << 30,
            down @ -40..0 => q::shr(mantissa, down.unsigned_abs()),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::Probe;
    use super::*;
    use otolith_fixtures::DspGoldens;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    const NAMES: [&str; COUNT] = [
        "mean",
        "rms",
        "std",
        "skew",
        "kurtosis",
        "min",
        "max",
        "crossings",
    ];

    fn textbook(x: &[i32]) -> [f64; COUNT] {
        let n = x.len() as f64;
        let min = f64::from(*x.iter().min().unwrap());
        // Powers of deviations from the mean, which lose nothing to a large offset.
        let above: Vec<f64> = x.iter().map(|&x| f64::from(x) - min).collect();
        let mean = above.iter().sum::<f64>() / n;
        let moment = |p: i32| above.iter().map(|x| (x - mean).powi(p)).sum::<f64>() / n;
        let deviation = moment(2).sqrt();
        let [skew, kurtosis] = if deviation == 0.0 {
            [0.0, 0.0]
        } else {
            [
                moment(3) / deviation.powi(3),
                moment(4) / deviation.powi(4) - 3.0,
            ]
        };
        let squares: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
        let crossings = x.windows(2).filter(|p| (p[0] < 0) != (p[1] < 0)).count();
        [
            min + mean,
            (squares / n).sqrt(),
            deviation,
            skew * 65536.0,
            kurtosis * 65536.0,
            min,
            f64::from(*x.iter().max().unwrap()),
            crossings as f64,
        ]
    }

    /// The error that the documentation allows to statistic `i`.
    fn allowed(i: usize, exact: &[f64; COUNT]) -> f64 {
        let [_, _, deviation, _, kurtosis, min, max, _] = *exact;
        let range = if max > min {
            (max - min) / deviation
        } else {
            0.0
        };
        let shape = 65536.0 / 8192.0 * range;
        match i {
            0 => 0.5 + 1e-6,
            1 | 2 => 0.5 + 1e-6 + 2f64.powi(-28) * exact[i],
            3 => shape + 1.0,
            4 => shape * (kurtosis / 65536.0 + 3.0).sqrt() + 1.0,
            _ => 0.0,
        }
    }

    fn check(x: &[i32]) {
        let exact = textbook(x);
        for (i, got) in statistics(x).into_iter().enumerate() {
            let limited = exact[i].clamp(f64::from(i32::MIN), f64::from(i32::MAX));
            let error = (f64::from(got) - limited).abs();
            let (name, n) = (NAMES[i], x.len());
            assert!(
                error <= allowed(i, &exact),
                "{name}: {got} {limited} of {n} values"
            );
        }
    }

    proptest! {
        #[test]
        fn statistics_follow_their_formulas(
            x in prop::collection::vec(any::<i32>(), 1..300), small in 0u32..32, offset: i32,
        ) {
            let x: Vec<i32> = x.into_iter().map(|x| x >> small).collect();
            check(&x);
            let shifted: Vec<i32> = x.iter().map(|x| x.saturating_add(offset)).collect();
            check(&shifted);
        }

        #[test]
        fn spikes_and_skewed_windows(
            n in 2usize..4000, at in 0usize..4000, spike: i32, floor in -3i32..3, power in 1i32..6,
        ) {
            let mut x = std::vec![floor; n];
            x[at % n] = spike;
            check(&x);
            let ramp: Vec<i32> = (0..n)
                .map(|t| ((t as f64 / n as f64).powi(power) * f64::from(spike)) as i32)
                .collect();
            check(&ramp);
        }
    }

    #[test]
    fn extremes() {
        for value in [i32::MIN, -1, 0, 7, i32::MAX] {
            for n in [1, 2, 999] {
                let constant = std::vec![value; n];
                check(&constant);
                let [mean, _, deviation, skew, kurtosis, ..] = statistics(&constant);
                assert_eq!([mean, deviation, skew, kurtosis], [value, 0, 0, 0]);
            }
        }
        let alternating = [i32::MIN, i32::MAX].repeat(MAX_LEN / 2);
        check(&alternating);
        assert_eq!(statistics(&alternating)[4], -2 << 16);
        check(&[0, 1].repeat(500));
        check(&[i32::MAX, i32::MAX - 1].repeat(500));
        // The largest skew and kurtosis.
        for (floor, spike) in [(0, 1), (i32::MIN, i32::MAX), (i32::MAX, i32::MIN)] {
            let mut x = std::vec![floor; MAX_LEN];
            x[5] = spike;
            check(&x);
        }
    }

    #[test]
    fn loud_and_quiet_windows_have_the_same_shape() {
        let shape: Vec<f64> = (0..500)
            .map(|t| (f64::from(t) * 0.37).sin().powi(3) + 0.2)
            .collect();
        for scale in [2e9, 2e6, 8192.0] {
            let x: Vec<i32> = shape.iter().map(|x| (x / 1.2 * scale) as i32).collect();
            let exact = textbook(&x);
            let unit = [1.0, 1.0, 1.0, 65536.0, 65536.0];
            for (i, got) in statistics(&x).into_iter().enumerate().take(5) {
                // 60 dB of the value, and of 1 where it has no unit.
                let error = (f64::from(got) - exact[i]).abs();
                assert!(
                    error <= exact[i].abs().max(unit[i]) * 1e-3,
                    "{scale} {i} {got}"
                );
            }
        }
    }

    #[test]
    fn statistics_of_scipy() {
        let Some(shared) = otolith_fixtures::shared_dir() else {
            return;
        };
        for case in DspGoldens::open(&shared).family("stats") {
            let input = case.input();
            let goldens = ["mean", "rms", "std", "skew", "kurtosis", "zc"];
            let goldens = goldens.map(|name| case.output(name).values);
            let channels = goldens[0].len();
            let biased = case.params()["bias"] == true;
            let fisher = case.params()["fisher"] == true;
            for channel in 0..channels {
                let x: Vec<f64> = input
                    .iter()
                    .skip(channel)
                    .step_by(channels)
                    .map(|&x| f64::from(x))
                    .collect();
                let peak = x.iter().fold(0.0f64, |peak, x| peak.max(x.abs()));
                let scale = f64::from(1 << 28) / peak;
                let x: Vec<i32> = x.iter().map(|x| (x * scale).round() as i32).collect();
                let [mean, rms, std, skew, kurtosis, _, _, crossings] =
                    statistics(&x).map(f64::from);
                let [m, r, d, s, k, zc] = goldens.clone().map(|golden| golden[channel]);
                for (got, golden) in [(mean, m), (rms, r), (std, d)] {
                    assert!(
                        (got - golden * scale).abs() <= 1.0,
                        "{} {channel}",
                        case.id()
                    );
                }
                // scipy's correction for small samples, undone.
                let n = x.len() as f64;
                let [s, k] = if biased {
                    [s, if fisher { k } else { k - 3.0 }]
                } else {
                    let excess = if fisher { k } else { k - 3.0 };
                    [
                        s * (n - 2.0) / (n * (n - 1.0)).sqrt(),
                        (excess * (n - 2.0) * (n - 3.0) / (n - 1.0) - 6.0) / (n + 1.0),
                    ]
                };
                let exact = textbook(&x);
                for (i, got, golden) in [(3, skew, s), (4, kurtosis, k)] {
                    let golden = golden * 65536.0;
                    let error = (got - golden).abs();
                    let bound = allowed(i, &exact);
                    assert!(error <= bound, "{} {channel}: {got} {golden}", case.id());
                }
                assert_eq!(crossings, zc, "{} {channel}", case.id());
            }
        }
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let x = probe.tensor(&[1i32, 2, 3]);
        let empty = probe.tensor::<i32>(&[]);
        let long = probe.tensor(&std::vec![0i32; MAX_LEN + 1]);
        let y = probe.tensor(&[0i32; COUNT]);
        let table = probe.table(&[0i32; COUNT]);
        let floats = probe.tensor(&[0f32; 3]);
        let refused = |operands: &[u32], params: &[u32], fault| {
            assert_eq!(probe.check(&STATISTICS_I32, operands, params), Err(fault));
        };
        refused(&[empty, y], &[], Fault::WrongLength { operand: 0 });
        refused(&[long, y], &[], Fault::WrongLength { operand: 0 });
        refused(&[floats, y], &[], Fault::WrongType { operand: 0 });
        refused(&[x, x], &[], Fault::WrongLength { operand: 1 });
        refused(&[x, table], &[], Fault::WrongPlace { operand: 1 });
        refused(&[y, y], &[], Fault::WrongPlace { operand: 1 });
        refused(&[x, y], &[1], Fault::BadParam { param: 0 });
        probe.run(&STATISTICS_I32, &[x, y], &[]).unwrap();
        let got = probe.get::<i32>(y);
        // sqrt(14 / 3) and sqrt(2 / 3) are 2.16 and 0.82; the kurtosis is -1.5.
        assert_eq!(got, [2, 2, 1, 0, -3 << 15, 1, 3, 0]);
    }
}
