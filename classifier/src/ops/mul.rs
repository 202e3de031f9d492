//! `MUL_I8` and `PRELU_I8`.

use crate::broadcast;
use crate::params::{I8_MAX, I8_MIN, SHIFT_MAX, SHIFT_MIN};
use crate::requant::mbqm;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Product of two tensors with broadcasting:
/// `y = clamp(mbqm((a - a_zero) * (b - b_zero), multiplier, shift) + out_zero)`.
///
/// Operands: a i8; b i8; output i8, which may lie exactly over an input of its shape.
/// Parameters: [`Geometry`](crate::broadcast::Geometry), then [`Params`]. Source: TFLite's
/// `reference_integer_ops::Mul`.
pub const MUL_I8: Op = Op {
    code: 0x0253,
    name: "MUL_I8",
    check: check_mul,
    run: run_mul,
};

/// Rectifier with a factor for negative values from a second tensor, with broadcasting:
/// with `x = a - a_zero`, `y = clamp(mbqm(x, positive_multiplier) + out_zero)` for `x >= 0`, else
/// `y = clamp(mbqm(x * (b - b_zero), multiplier) + out_zero)`.
///
/// Operands: a i8, the input; b i8, the factors; output i8, which may lie exactly over an input
/// of its shape. Parameters: [`Geometry`](crate::broadcast::Geometry), then [`PreluParams`].
/// Source: TFLite Micro's `PreluEval`.
pub const PRELU_I8: Op = Op {
    code: 0x0254,
    name: "PRELU_I8",
    check: check_prelu,
    run: run_prelu,
};

params! {
    /// The own parameters of [`MUL_I8`].
    Params {
        /// Zero point of a.
        a_zero_point in I8_MIN, I8_MAX;
        /// Zero point of b.
        b_zero_point in I8_MIN, I8_MAX;
        /// Multiplier of the product.
        multiplier in 0, i32::MAX;
        /// Shift of the product.
        shift in SHIFT_MIN, SHIFT_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

params! {
    /// The own parameters of [`PRELU_I8`].
    PreluParams {
        /// Zero point of a.
        a_zero_point in I8_MIN, I8_MAX;
        /// Zero point of b.
        b_zero_point in I8_MIN, I8_MAX;
        /// Multiplier of values that are not negative.
        positive_multiplier in 0, i32::MAX;
        /// Its shift.
        positive_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of the product of a negative value and its factor.
        multiplier in 0, i32::MAX;
        /// Its shift.
        shift in SHIFT_MIN, SHIFT_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
    }
}

fn check_mul(step: &Step<'_>) -> Result<(), Fault> {
    Params::within(broadcast::check::<i8>(step)?).map(|_| ())
}

fn run_mul(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(broadcast::own(&io.step)?);
    broadcast::run(io, |a: i8, b: i8| {
        let product = (i32::from(a) - p.a_zero_point) * (i32::from(b) - p.b_zero_point);
        let y = mbqm(product, p.multiplier, p.shift).wrapping_add(p.output_zero_point);
        y.max(p.min).min(p.max) as i8
    })
}

fn check_prelu(step: &Step<'_>) -> Result<(), Fault> {
    PreluParams::within(broadcast::check::<i8>(step)?).map(|_| ())
}

fn run_prelu(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = PreluParams::decode(broadcast::own(&io.step)?);
    broadcast::run(io, |a: i8, b: i8| {
        let x = i32::from(a) - p.a_zero_point;
        let scaled = if x >= 0 {
            mbqm(x, p.positive_multiplier, p.positive_shift)
        } else {
            mbqm(x * (i32::from(b) - p.b_zero_point), p.multiplier, p.shift)
        };
        let y = scaled.wrapping_add(p.output_zero_point);
        y.clamp(I8_MIN, I8_MAX) as i8
    })
}
