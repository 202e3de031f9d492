//! `LOG_SOFTMAX_I8`.

use crate::functions::{exp_of_negative, ln_of_at_least_one};
use crate::params::{I8_MAX, I8_MIN, MAX_COUNT, SHIFT_MIN, expect_count, size};
use crate::requant::{mbqm, rounding_divide_by_pot};
use crate::window::pairs;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Logarithm of the softmax along the last axis, in gemmlowp's fixed point.
///
/// For a row `x` with maximum `m`: `d = (x - m) * s_in` in Q5.26 and
/// `y = round(16 * (d - ln(sum(exp(d))))) + 127`. The output's scale is 1/16, its zero point 127.
/// Elements far below the maximum give -128.
///
/// Operands: input i8 `[rows, n]`; output i8 `[rows, n]`. Parameters: [`Params`]. Source: TFLite's
/// `reference_integer_ops::LogSoftmax`.
pub const LOG_SOFTMAX_I8: Op = Op {
    code: 0x025d,
    name: "LOG_SOFTMAX_I8",
    check,
    run,
};

params! {
    /// Parameters of [`LOG_SOFTMAX_I8`].
    Params {
        /// Rows.
        rows in 1, MAX_COUNT;
        /// Values in a row: fewer than 2^12, so that the sum of exponentials fits Q12.19.
        n in 1, 4095;
        /// Multiplier that turns a difference into Q5.26.
        multiplier in 0, i32::MAX;
        /// Left shift of the multiplier.
        shift in 0, 30;
        /// Multiplier that turns Q5.26 into a difference.
        reverse_multiplier in 0, i32::MAX;
        /// Shift of the reverse multiplier.
        reverse_shift in SHIFT_MIN, 0;
        /// Smallest difference whose exponential is not taken for 0.
        diff_min in -255, 0;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let p = Params::checked(step)?;
    expect_count(step.count_of::<i8>(0)?, &[p.rows, p.n], 0)?;
    expect_count(step.count_of_output::<i8>(1)?, &[p.rows, p.n], 1)?;
    step.expect_disjoint(0, 1)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<i8, i8>(0, 1)?;
    let n = size(p.n).max(1);
    for (x, y) in pairs(input.chunks_exact(n), output.chunks_exact_mut(n)) {
        let max = x.iter().max().map_or(0, |&m| i32::from(m));
        let difference = |x: i8| i32::from(x) - max;
        let scaled = |d: i32| mbqm(d, p.multiplier, p.shift);
        let sum = x.iter().fold(0i32, |sum, &x| {
            let d = difference(x);
            if d < p.diff_min {
                return sum;
            }
            let e = exp_of_negative::<5>(scaled(d));
            sum.wrapping_add(rounding_divide_by_pot(e, 12))
        });
        let log_sum = ln_of_at_least_one(sum);
        let lowest = mbqm(
            log_sum.wrapping_add(i32::MIN),
            p.reverse_multiplier,
            p.reverse_shift,
        );
        let lowest = lowest.max(p.diff_min - 1);
        for (y, &x) in y.iter_mut().zip(x) {
            let d = difference(x);
            *y = if d > lowest {
                let q = rounding_divide_by_pot(scaled(d).wrapping_sub(log_sum), 22) + 127;
                q.clamp(I8_MIN, I8_MAX) as i8
            } else {
                i8::MIN
            };
        }
    }
    Ok(())
}
