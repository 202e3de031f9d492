//! `MAXIMUM_I8` and `MINIMUM_I8`.

use crate::broadcast;
use otolith_dsp_nostd::{Fault, Op, Step};

/// The larger of two elements, with broadcasting: `y = max(a, b)`. All three tensors share scale
/// and zero point.
///
/// Operands: a i8; b i8; output i8, which may lie exactly over an input of its shape.
/// Parameters: [`Geometry`](crate::broadcast::Geometry). Source: TFLite's
/// `reference_ops::MaximumMinimumBroadcastSlow`.
pub const MAXIMUM_I8: Op = Op {
    code: 0x0255,
    name: "MAXIMUM_I8",
    check,
    run: |io| broadcast::run(io, |a: i8, b| a.max(b)),
};

/// The smaller of two elements, with broadcasting: `y = min(a, b)`.
///
/// Operands and parameters: as [`MAXIMUM_I8`].
pub const MINIMUM_I8: Op = Op {
    code: 0x0256,
    name: "MINIMUM_I8",
    check,
    run: |io| broadcast::run(io, |a: i8, b| a.min(b)),
};

fn check(step: &Step<'_>) -> Result<(), Fault> {
    match broadcast::check::<i8>(step)? {
        [] => Ok(()),
        _ => Err(Fault::BadParam { param: 15 }),
    }
}
