//! `SOFTMAX_I16`.

use crate::params::{MAX_COUNT, SHIFT_MAX, SHIFT_MIN, expect_count, size};
use crate::requant::mbqm;
use crate::window::pairs;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Entries of a table: 512 steps of 128 over all int16 values.
pub const TABLE: usize = 513;

/// Normalised exponentials of each row of int16: `y / 32768 = exp(x) / sum(exp(x))`.
///
/// With `d = x - max(row)`, `e = exp_table(clamp(mbqm(d, multiplier, shift) + 32767))` (so that
/// the table's range stands for -10 to 0) and `s = sum(e)`, the reciprocal of `s` is taken from
/// the second table at its leading 16 bits, and `y = clamp(e * r >> (31 - clz(s)), 0, 32767)`
/// with rounding.
///
/// Operands: input i16 `[rows, n]`; exp i16 `[513]`, of values from -10 to 0; reciprocal i16
/// `[513]`, of `1 / (1 + x)` for x from 0 to 1; output i16 `[rows, n]`. Source: TFLite's
/// `reference_ops::SoftmaxInt16`.
pub const SOFTMAX_I16: Op = Op {
    code: 0x029b,
    name: "SOFTMAX_I16",
    check,
    run,
};

params! {
    /// Parameters of [`SOFTMAX_I16`].
    Params {
        /// Rows.
        rows in 1, MAX_COUNT;
        /// Values in a row.
        n in 1, 65535;
        /// Multiplier: scale and beta, over 10 / 65535.
        multiplier in 0, i32::MAX;
        /// Its shift.
        shift in SHIFT_MIN, SHIFT_MAX;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let p = Params::checked(step)?;
    expect_count(step.count_of::<i16>(0)?, &[p.rows, p.n], 0)?;
    for operand in [1, 2] {
        let table = step.table::<i16>(operand)?;
        let operand = operand as u8;
        if table.len() != TABLE {
            return Err(Fault::WrongLength { operand });
        }
        if table.iter().any(|&x| x < 0) {
            return Err(Fault::BadTable { operand });
        }
    }
    expect_count(step.count_of_output::<i16>(3)?, &[p.rows, p.n], 3)?;
    step.expect_disjoint(0, 3)
}

/// The table at `x`, interpolated.
fn look_up(table: &[i16], x: i32) -> i32 {
    let at = (256 + (x >> 7)).max(0) as usize;
    let entry = |i: usize| i32::from(table.get(i).copied().unwrap_or(0));
    let (base, next) = (entry(at), entry(at + 1));
    base + (((next - base) * (x & 0x7f) + 64) >> 7)
}

/// Clamps to an int16.
fn narrow(x: i32) -> i32 {
    x.clamp(-32768, 32767)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (exp, reciprocal) = (io.step.table::<i16>(1)?, io.step.table::<i16>(2)?);
    let (input, output) = io.read_write::<i16, i16>(0, 3)?;
    let n = size(p.n).max(1);
    for (x, y) in pairs(input.chunks_exact(n), output.chunks_exact_mut(n)) {
        let max = x.iter().fold(i16::MIN, |max, &x| max.max(x));
        // At most 65535 terms below 2^15.
        let mut sum = 0i32;
        for (y, &x) in y.iter_mut().zip(x) {
            let difference = i32::from(x) - i32::from(max);
            let scaled = mbqm(difference, p.multiplier, p.shift);
            let e = look_up(exp, narrow(scaled.wrapping_add(32767)));
            sum = sum.wrapping_add(e);
            *y = e as i16;
        }
        let zeros = sum.leading_zeros();
        let leading = (sum
            .wrapping_shl(zeros.saturating_sub(1))
            .wrapping_add(1 << 13))
            >> 14;
        let factor = look_up(reciprocal, narrow(leading - (1 << 15) - (1 << 16)));
        // The largest value gives e = 32767, so that the sum has at least 15 bits.
        let shift = 31u32.saturating_sub(zeros).max(1);
        let half = 1i64.wrapping_shl(shift - 1);
        for y in y {
            let product = i64::from(*y) * i64::from(factor) + half;
            *y = product.wrapping_shr(shift).clamp(0, 32767) as i16;
        }
    }
    Ok(())
}
