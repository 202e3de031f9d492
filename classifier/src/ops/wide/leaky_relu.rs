//! `LEAKY_RELU_I16`.

use crate::params::{SHIFT_MAX, SHIFT_MIN};
use crate::requant::mbqm;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Rectifier with a slope on either side:
/// `y = clamp(mbqm(x, positive) )` for `x >= 0`, else `clamp(mbqm(x, negative))`.
///
/// The plain rectifiers (RELU, RELU6, RELU_N1_TO_1) are this operator with their limits as the
/// clamp.
///
/// Operands: input i16 `[n]`; output i16 `[n]`. Source: TFLite's
/// `reference_ops::QuantizeLeakyRelu`.
pub const LEAKY_RELU_I16: Op = Op {
    code: 0x0298,
    name: "LEAKY_RELU_I16",
    check,
    run,
};

params! {
    /// Parameters of [`LEAKY_RELU_I16`].
    Params {
        /// Multiplier of values from 0 up.
        positive_multiplier in 0, i32::MAX;
        /// Its shift.
        positive_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of negative values; negative for a negative slope.
        negative_multiplier in -i32::MAX, i32::MAX;
        /// Its shift.
        negative_shift in SHIFT_MIN, SHIFT_MAX;
        /// Smallest output.
        min in -32768, 32767;
        /// Largest output.
        max in -32768, 32767;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    Params::checked(step)?;
    if step.count_of_output::<i16>(1)? != step.count_of::<i16>(0)? {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<i16, i16>(0, 1)?;
    for (y, &x) in output.iter_mut().zip(input) {
        let (q, s) = match x >= 0 {
            true => (p.positive_multiplier, p.positive_shift),
            false => (p.negative_multiplier, p.negative_shift),
        };
        *y = mbqm(i32::from(x), q, s).max(p.min).min(p.max) as i16;
    }
    Ok(())
}
