//! `COMPARE_I8` and `SELECT_8`.

use crate::broadcast;
use crate::params::{I8_MAX, I8_MIN, SHIFT_MIN};
use crate::requant::mbqm;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Whether two real numbers are in a relation, with broadcasting: 1 or 0. Each side is
/// `mbqm((x - zero) << 8, multiplier, shift)`, so that scales may differ.
///
/// Operands: a i8; b i8; output i8, which may lie exactly over an input of its shape.
/// Parameters: [`Geometry`](crate::broadcast::Geometry), then [`Params`]. Source: TFLite's
/// `reference_ops::ComparisonWithScaling`.
pub const COMPARE_I8: Op = Op {
    code: 0x02f2,
    name: "COMPARE_I8",
    check: check_compare,
    run: run_compare,
};

/// Replaces what a mask marks: `y = a` where the mask is not 0.
///
/// Operands: mask i8 `[n]`; a i8 `[n]`; y i8 `[n]`, in place. No parameters. Source: TFLite's
/// `reference_ops::Select`.
pub const SELECT_8: Op = Op {
    code: 0x02f3,
    name: "SELECT_8",
    check: check_select,
    run: run_select,
};

/// Bits that both sides of a comparison are shifted left before they are scaled.
const LEFT_SHIFT: u32 = 8;

/// A relation of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `a = b`.
    Equal = 0,
    /// `a != b`.
    NotEqual = 1,
    /// `a > b`.
    Greater = 2,
    /// `a >= b`.
    GreaterEqual = 3,
    /// `a < b`.
    Less = 4,
    /// `a <= b`.
    LessEqual = 5,
}

params! {
    /// The own parameters of [`COMPARE_I8`].
    Params {
        /// Zero point of a.
        a_zero_point in I8_MIN, I8_MAX;
        /// Multiplier of a.
        a_multiplier in 0, i32::MAX;
        /// Shift of a.
        a_shift in SHIFT_MIN, 0;
        /// Zero point of b.
        b_zero_point in I8_MIN, I8_MAX;
        /// Multiplier of b.
        b_multiplier in 0, i32::MAX;
        /// Shift of b.
        b_shift in SHIFT_MIN, 0;
        /// The [`Relation`].
        relation in 0, 5;
    }
}

fn check_compare(step: &Step<'_>) -> Result<(), Fault> {
    Params::within(broadcast::check::<i8>(step)?).map(|_| ())
}

fn run_compare(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(broadcast::own(&io.step)?);
    // Bit 0: below, bit 1: equal, bit 2: above.
    let holds = match p.relation {
        0 => 0b010,
        1 => 0b101,
        2 => 0b100,
        3 => 0b110,
        4 => 0b001,
        _ => 0b011u8,
    };
    broadcast::run(io, |a: i8, b: i8| {
        let a = (i32::from(a) - p.a_zero_point) << LEFT_SHIFT;
        let b = (i32::from(b) - p.b_zero_point) << LEFT_SHIFT;
        let a = mbqm(a, p.a_multiplier, p.a_shift);
        let b = mbqm(b, p.b_multiplier, p.b_shift);
        // 1, 2 or 4.
        let order = 1 << (u8::from(a >= b) + u8::from(a > b));
        i8::from(holds & order != 0)
    })
}

fn check_select(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    step.params::<0>()?;
    let n = step.count_of_output::<i8>(2)?;
    for operand in [0, 1] {
        if step.count_of::<i8>(operand)? != n {
            return Err(Fault::WrongLength {
                operand: operand as u8,
            });
        }
        step.expect_disjoint(operand, 2)?;
    }
    Ok(())
}

fn run_select(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let (mask, a, y) = io.read2_write::<i8, i8, i8>(0, 1, 2)?;
    for ((y, &a), &mask) in y.iter_mut().zip(a).zip(mask) {
        if mask != 0 {
            *y = a;
        }
    }
    Ok(())
}
