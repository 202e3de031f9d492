//! `SUB_I8` and `SQUARED_DIFFERENCE_I8`.

use super::add::LEFT_SHIFT;
use crate::broadcast;
use crate::params::{I8_MAX, I8_MIN, SHIFT_MAX, SHIFT_MIN};
use crate::requant::mbqm;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Difference of two tensors with broadcasting.
///
/// With `r(x, z, m) = mbqm((x - z) << 20, m)`:
/// `y = clamp(mbqm(r(a, a_zero, a_mul) - r(b, b_zero, b_mul), out_mul) + out_zero)`.
///
/// Operands: a i8; b i8; output i8, which may lie exactly over an input of its shape.
/// Parameters: [`Geometry`](crate::broadcast::Geometry), then [`Params`]. Source: TFLite's
/// `reference_ops::SubWithActivation`.
pub const SUB_I8: Op = Op {
    code: 0x0251,
    name: "SUB_I8",
    check,
    run: |io| run(io, LEFT_SHIFT, |difference| difference),
};

/// Square of the difference of two tensors with broadcasting.
///
/// With `r(x, z, m) = mbqm((x - z) << 7, m)` and `d = r(a, a_zero, a_mul) - r(b, b_zero, b_mul)`:
/// `y = clamp(mbqm(d * d, out_mul) + out_zero)`.
///
/// Operands and parameters: as [`SUB_I8`]. Source: TFLite Micro's `SquaredDifference`.
pub const SQUARED_DIFFERENCE_I8: Op = Op {
    code: 0x0252,
    name: "SQUARED_DIFFERENCE_I8",
    check,
    run: |io| run(io, SQUARE_LEFT_SHIFT, |d| d.wrapping_mul(d)),
};

/// Bits that both inputs of [`SQUARED_DIFFERENCE_I8`] are shifted left before they are scaled.
pub const SQUARE_LEFT_SHIFT: u32 = 7;

params! {
    /// The own parameters of [`SUB_I8`] and [`SQUARED_DIFFERENCE_I8`].
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
        /// Multiplier of the output.
        output_multiplier in 0, i32::MAX;
        /// Shift of the output.
        output_shift in SHIFT_MIN, SHIFT_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    Params::within(broadcast::check::<i8>(step)?).map(|_| ())
}

#[inline(always)]
fn run(io: &mut Io<'_, '_>, left: u32, power: impl Fn(i32) -> i32) -> Result<(), Fault> {
    let p = Params::decode(broadcast::own(&io.step)?);
    broadcast::run(io, |a: i8, b: i8| {
        let a = (i32::from(a) - p.a_zero_point) << left;
        let b = (i32::from(b) - p.b_zero_point) << left;
        let a = mbqm(a, p.a_multiplier, p.a_shift);
        let b = mbqm(b, p.b_multiplier, p.b_shift);
        let raw = power(a.wrapping_sub(b));
        let y = mbqm(raw, p.output_multiplier, p.output_shift).wrapping_add(p.output_zero_point);
        y.max(p.min).min(p.max) as i8
    })
}
