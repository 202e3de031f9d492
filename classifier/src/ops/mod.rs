//! The operators, one file each: parameters, check, kernel.

pub mod add;
pub mod anomaly;
pub mod batch_matmul;
pub mod compare;
pub mod conv;
pub mod decide;
pub mod depthwise;
pub mod difference;
pub mod div;
pub mod extremum;
pub mod fully_connected;
pub mod gather;
pub mod general_conv;
pub mod initial;
pub mod integer;
pub mod l2_normalization;
pub mod linear;
pub mod log_softmax;
pub mod lookup;
pub mod lstm;
pub mod mean;
pub mod mul;
pub mod packed;
pub mod pool;
pub mod quantize;
pub mod reduce;
pub mod resize;
pub mod signal;
pub mod softmax;
pub mod strided_copy;
pub mod svdf;
pub mod tree;
pub mod wide;

use crate::params::{I8_MAX, I8_MIN, SHIFT_MAX, SHIFT_MIN};
use crate::requant::Requant;
use otolith_dsp_nostd::format::Element;
use otolith_dsp_nostd::{Fault, Step};

/// A type of activations, for kernels that are the same for all.
trait Activation: Element + Into<i32> {
    /// Smallest value.
    const MIN: i32;
    /// Largest value.
    const MAX: i32;
    /// As many values as a 32-bit sum has room for, with room for half as many units.
    const MOST: i64;
    /// The value of a number that was clamped.
    fn narrow(x: i32) -> Self;
}

impl Activation for i8 {
    const MIN: i32 = I8_MIN;
    const MAX: i32 = I8_MAX;
    const MOST: i64 = 1 << 23;
    #[inline(always)]
    fn narrow(x: i32) -> Self {
        x as i8
    }
}

impl Activation for i16 {
    const MIN: i32 = i16::MIN as i32;
    const MAX: i32 = i16::MAX as i32;
    const MOST: i64 = 1 << 15;
    #[inline(always)]
    fn narrow(x: i32) -> Self {
        x as i16
    }
}

/// Checks the tables `bias` (i32), `multipliers` (i32) and `shifts` (i8) at operands
/// `first..first + 3` of a step with `channels` outputs.
fn check_requant(step: &Step<'_>, first: usize, channels: usize) -> Result<(), Fault> {
    let bias = step.table::<i32>(first)?;
    let multipliers = step.table::<i32>(first + 1)?;
    let shifts = step.table::<i8>(first + 2)?;
    let wrong = |i: usize| Fault::WrongLength {
        operand: (first + i) as u8,
    };
    if bias.len() != channels {
        return Err(wrong(0));
    }
    if multipliers.len() != channels && multipliers.len() != 1 {
        return Err(wrong(1));
    }
    if shifts.len() != multipliers.len() {
        return Err(wrong(2));
    }
    if multipliers.iter().any(|&q| q < 0) {
        return Err(Fault::BadTable {
            operand: (first + 1) as u8,
        });
    }
    let allowed = |s: &i8| (SHIFT_MIN..=SHIFT_MAX).contains(&i32::from(*s));
    if !shifts.iter().all(allowed) {
        return Err(Fault::BadTable {
            operand: (first + 2) as u8,
        });
    }
    Ok(())
}

/// The tables that [`check_requant`] checked, with the output's zero point and clamp.
fn requant<'p>(
    step: &Step<'p>,
    first: usize,
    zero_point: i32,
    min: i32,
    max: i32,
) -> Result<Requant<'p>, Fault> {
    Ok(Requant {
        bias: step.table(first)?,
        multipliers: step.table(first + 1)?,
        shifts: step.table(first + 2)?,
        zero_point,
        min,
        max,
    })
}
