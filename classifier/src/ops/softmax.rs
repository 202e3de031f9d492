//! `SOFTMAX_I8` and `SOFTMAX_I8_I16`.

use super::Activation;
use crate::functions::{exp_of_negative, one_over_one_plus};
use crate::params::{MAX_COUNT, expect_count, size};
use crate::requant::rounding_divide_by_pot;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Softmax along the last axis, in gemmlowp's fixed point.
///
/// For a row `x` with maximum `m`: `d = x - m`, `e = exp(d * beta * s_in)` in Q0.31,
/// `y = round(256 * e / sum(e)) - 128`. Elements with `d < diff_min` give -128. The output's
/// scale is 1/256 and its zero point -128.
///
/// Operands: input i8 `[rows, n]`; output i8 `[rows, n]`. Source: TFLite's
/// `reference_ops::Softmax` and gemmlowp's `fixedpoint.h`.
pub const SOFTMAX_I8: Op = Op {
    code: 0x0207,
    name: "SOFTMAX_I8",
    check: check::<i8>,
    run: run::<i8>,
};

/// [`SOFTMAX_I8`] with an int16 output, whose scale is 1/65536 and whose zero point is -32768:
/// `y = round(65536 * e / sum(e)) - 32768`, and -32768 below `diff_min`.
///
/// Operands: input i8 `[rows, n]`; output i16 `[rows, n]`.
pub const SOFTMAX_I8_I16: Op = Op {
    code: 0x02a7,
    name: "SOFTMAX_I8_I16",
    check: check::<i16>,
    run: run::<i16>,
};

params! {
    /// Parameters of [`SOFTMAX_I8`] and [`SOFTMAX_I8_I16`].
    Params {
        /// Rows.
        rows in 1, MAX_COUNT;
        /// Values in a row: fewer than 2^12, so that the sum of exponentials fits Q12.19.
        n in 1, 4095;
        /// Multiplier that turns a difference into Q5.26.
        multiplier in 0, i32::MAX;
        /// Left shift of the multiplier.
        shift in 0, 30;
        /// Smallest difference whose exponential is not taken for 0.
        diff_min in -255, 0;
    }
}

fn check<Y: Activation>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let p = Params::checked(step)?;
    expect_count(step.count_of::<i8>(0)?, &[p.rows, p.n], 0)?;
    expect_count(step.count_of_output::<Y>(1)?, &[p.rows, p.n], 1)?;
    step.expect_disjoint(0, 1)
}

fn run<Y: Activation>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<i8, Y>(0, 1)?;
    let n = size(p.n).max(1);
    let (mut inputs, mut outputs) = (input, output);
    while let (Some((x, more)), Some((y, rest))) =
        (inputs.split_at_checked(n), outputs.split_at_mut_checked(n))
    {
        softmax(&p, x, y);
        (inputs, outputs) = (more, rest);
    }
    Ok(())
}

fn softmax<Y: Activation>(p: &Params, x: &[i8], y: &mut [Y]) {
    let max = x.iter().fold(i8::MIN, |max, &x| max.max(x));
    // Q12.19
    let sum = x.iter().fold(0i32, |sum, &x| {
        sum.wrapping_add(rounding_divide_by_pot(p.exp(x, max), 12))
    });
    let zeros = sum.leading_zeros();
    // sum / 2^(31 - zeros) - 1, in Q0.31
    let excess = (sum as u32).wrapping_shl(zeros).wrapping_sub(1 << 31) as i32;
    let reciprocal = one_over_one_plus(excess);
    let exponent = (12 + 31 - 8 * size_of::<Y>() as u32).saturating_sub(zeros);
    for (y, &x) in y.iter_mut().zip(x) {
        let scaled = scale(p.exp(x, max), reciprocal);
        let q = rounding_divide_by_pot(scaled, exponent) + Y::MIN;
        *y = Y::narrow(q.min(Y::MAX));
    }
}

impl Params {
    /// `exp(x - max)` in Q0.31, 0 below the smallest difference.
    #[inline(never)]
    fn exp(&self, x: i8, max: i8) -> i32 {
        let d = i32::from(x) - i32::from(max);
        if d < self.diff_min {
            return 0;
        }
        exp_of_negative::<5>(scale(d.wrapping_shl(self.shift as u32), self.multiplier))
    }
}

/// [`srdhm`](crate::requant::srdhm) by a factor that is not negative: it cannot saturate.
#[inline(always)]
fn scale(x: i32, factor: i32) -> i32 {
    ((i64::from(x) * i64::from(factor) + (1 << 30)) >> 31) as i32
}
