//! `L2_NORMALIZATION_I8`.

use crate::functions::inverse_root;
use crate::params::{I8_MAX, I8_MIN, MAX_COUNT, expect_count, size};
use crate::requant::mbqm;
use crate::window::pairs;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Rows scaled to length 1: with `d = x - input_zero_point`,
/// `y = clamp(mbqm(d, 128 / sqrt(sum(d * d))))`. The output's scale is 1/128, its zero point 0.
///
/// Operands: input i8 `[rows, n]`; output i8 `[rows, n]`. Parameters: [`Params`]. Source:
/// TFLite's `reference_integer_ops::L2Normalization`.
pub const L2_NORMALIZATION_I8: Op = Op {
    code: 0x025c,
    name: "L2_NORMALIZATION_I8",
    check,
    run,
};

params! {
    /// Parameters of [`L2_NORMALIZATION_I8`].
    Params {
        /// Rows.
        rows in 1, MAX_COUNT;
        /// Values in a row: at most 2^15 - 1, so that no sum of squares overflows.
        n in 1, 32767;
        /// Zero point of the input.
        input_zero_point in I8_MIN, I8_MAX;
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
        let square = x.iter().fold(0i32, |sum, &x| {
            let d = i32::from(x) - p.input_zero_point;
            sum.wrapping_add(d * d)
        });
        let (q, shift) = inverse_root(square);
        for (y, &x) in y.iter_mut().zip(x) {
            let scaled = mbqm(i32::from(x) - p.input_zero_point, q, shift + 7);
            *y = scaled.clamp(I8_MIN, I8_MAX) as i8;
        }
    }
    Ok(())
}
