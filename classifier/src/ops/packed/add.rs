//! `ADD_LINEAR_I8`.

use super::{MISFIT, clamp};
use crate::params::{I8_MAX, I8_MIN};
use otolith_dsp_arch::int8::{self, Linear, portable};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Element-wise sum with one multiplication for each input:
/// `y[i] = clamp((a[i] * a_factor + b[i] * b_factor + constant) >> shift, min, max)`.
///
/// Lowering chooses it where all 65,536 pairs of inputs give what `ADD_I8` gives.
///
/// Operands: a i8, b i8, output i8, all of the same length; the output may start where `a` starts.
pub const ADD_LINEAR_I8: Op = Op {
    code: 0x0233,
    name: "ADD_LINEAR_I8",
    check,
    run,
};

/// Largest magnitude of a factor and of the constant: three products and sums then fit 32 bits.
const MAX: i32 = 1 << 22;

params! {
    /// Parameters of [`ADD_LINEAR_I8`].
    Params {
        /// Factor of `a`.
        a_factor in -MAX, MAX;
        /// Factor of `b`.
        b_factor in -MAX, MAX;
        /// Added to both.
        constant in -(1 << 30), 1 << 30;
        /// Bits dropped.
        shift in 0, 30;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    Params::checked(step)?;
    let n = step.count_of_output::<i8>(2)?;
    for operand in [0, 1] {
        if step.count_of::<i8>(operand)? != n {
            return Err(Fault::WrongLength {
                operand: operand as u8,
            });
        }
    }
    if !step.starts_together(0, 2)? {
        step.expect_disjoint(0, 2)?;
    }
    step.expect_disjoint(1, 2)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let linear = Linear {
        factors: [p.a_factor, p.b_factor],
        constant: p.constant,
        shift: p.shift,
    };
    if io.step.starts_together(0, 2)? {
        let (b, y) = io.read_write::<i8, i8>(1, 2)?;
        let whole = y.len() / 4 * 4;
        let (y4, y_rest) = y.split_at_mut_checked(whole).ok_or(MISFIT)?;
        let (b4, b_rest) = b.split_at_checked(whole).ok_or(MISFIT)?;
        if whole > 0 {
            int8::add_to(&linear, y4, b4).ok_or(MISFIT)?;
        }
        portable::add_to(&linear, y_rest, b_rest);
        clamp(y, p.min, p.max);
        return Ok(());
    }
    let (a, b, y) = io.read2_write::<i8, i8, i8>(0, 1, 2)?;
    let whole = y.len() / 4 * 4;
    let (y4, y_rest) = y.split_at_mut_checked(whole).ok_or(MISFIT)?;
    let (a4, a_rest) = a.split_at_checked(whole).ok_or(MISFIT)?;
    let (b4, b_rest) = b.split_at_checked(whole).ok_or(MISFIT)?;
    if whole > 0 {
        int8::add(&linear, a4, b4, y4).ok_or(MISFIT)?;
    }
    portable::add(&linear, a_rest, b_rest, y_rest);
    clamp(y, p.min, p.max);
    Ok(())
}
