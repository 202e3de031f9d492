//! `SOFTMAX_I8` and `SOFTMAX_I8_I16`.

use super::Activation;
use crate::functions::{exp_of_negative, one_over_one_plus};
use crate::params::{MAX_COUNT, expect_count, size};
use crate::requant::{rounding_divide_by_pot, srdhm};
use crate::window::pairs;
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
    for (x, y) in pairs(input.chunks_exact(n), output.chunks_exact_mut(n)) {
        softmax(&p, x, y);
    }
    Ok(())
}

fn softmax<Y: Activation>(p: &Params, x: &[i8], y: &mut [Y]) {
    let max = x.iter().max().map_or(0, |&m| i32::from(m));
    let exp = |x: i8| {
        let d = i32::from(x) - max;
        let scaled = srdhm(d.wrapping_shl(p.shift as u32), p.multiplier);
        (d >= p.diff_min).then(|| exp_of_negative::<5>(scaled))
    };
    // Q12.19
    let sum = x.iter().filter_map(|&x| exp(x)).fold(0i32, |sum, e| {
        sum.wrapping_add(rounding_divide_by_pot(e, 12))
    });
    let zeros = sum.leading_zeros();
    // sum / 2^(31 - zeros) - 1, in Q0.31
    let excess = (sum as u32).wrapping_shl(zeros).wrapping_sub(1 << 31) as i32;
    let reciprocal = one_over_one_plus(excess);
    let exponent = (12 + 31 - 8 * size_of::<Y>() as u32).saturating_sub(zeros);
    for (y, &x) in y.iter_mut().zip(x) {
        *y = match exp(x) {
            Some(e) => {
                let q = rounding_divide_by_pot(srdhm(reciprocal, e), exponent) + Y::MIN;
                Y::narrow(q.max(Y::MIN).min(Y::MAX))
            }
            None => Y::narrow(Y::MIN),
        };
    }
}
