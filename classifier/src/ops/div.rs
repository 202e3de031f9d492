//! `DIV_I8`.

use crate::broadcast;
use crate::functions::one_over_one_plus;
use crate::params::{I8_MAX, I8_MIN, SHIFT_MIN};
use crate::requant::{rounding_divide_by_pot, srdhm};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Quotient of two tensors with broadcasting: `y = clamp(q + out_zero)` with q the quotient
/// `(a - a_zero) / (b - b_zero)` times `multiplier 2^(shift - 31)`.
///
/// The divisor's reciprocal has 31 bits, the dividend as many as it has room for; both products round to
/// nearest, the last shift with ties away from zero. A quotient by 0, which the reference leaves open, is
/// 0, and so is one below `2^-32`.
///
/// Operands: a i8; b i8; output i8, which may lie exactly over an input of its shape.
/// Parameters: [`Geometry`](crate::broadcast::Geometry), then [`Params`]. Source: TFLite's
/// `reference_ops::Div`.
pub const DIV_I8: Op = Op {
    code: 0x02f1,
    name: "DIV_I8",
    check,
    run,
};

/// Largest shift: the dividend has at least so many bits to spare.
pub const MAX_SHIFT: i32 = 22;

params! {
    /// The own parameters of [`DIV_I8`].
    Params {
        /// Zero point of a.
        a_zero_point in I8_MIN, I8_MAX;
        /// Zero point of b.
        b_zero_point in I8_MIN, I8_MAX;
        /// Multiplier of the quotient.
        multiplier in 0, i32::MAX;
        /// Shift of the quotient.
        shift in SHIFT_MIN, MAX_SHIFT;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

impl Params {
    /// The quotient of two numbers within 9 bits in units of the output.
    fn quotient(&self, a: i32, b: i32) -> i32 {
        if b == 0 {
            return 0;
        }
        let a = if b < 0 { -a } else { a };
        // The divisor is 2^bits (1 + fraction).
        let zeros = b.unsigned_abs().leading_zeros();
        let bits = 31 - zeros as i32;
        let fraction = b.unsigned_abs().wrapping_shl(zeros) & (i32::MAX as u32);
        let headroom = (a ^ (a >> 31)).leading_zeros() as i32 - 1;
        let dividend = a.wrapping_shl(headroom as u32);
        let product = srdhm(dividend, one_over_one_plus(fraction as i32));
        let product = srdhm(product, self.multiplier);
        match bits + headroom - self.shift {
            exponent @ 0..32 => rounding_divide_by_pot(product, exponent as u32),
            // Less than half a unit.
            _ => 0,
        }
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    Params::within(broadcast::check::<i8>(step)?).map(|_| ())
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(broadcast::own(&io.step)?);
    broadcast::run(io, |a: i8, b: i8| {
        let (a, b) = (i32::from(a) - p.a_zero_point, i32::from(b) - p.b_zero_point);
        let y = p.quotient(a, b).wrapping_add(p.output_zero_point);
        y.max(p.min).min(p.max) as i8
    })
}
