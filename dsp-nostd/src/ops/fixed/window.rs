//! Values of whole windows of integers.

use crate::op::Op;
use crate::ops::window::{check_select, select};

/// `y[i] = x[first + i * step] 2^13`: one axis of a window of 16-bit samples in Q28.
///
/// Operands: x (`i16`), y (`i32`, written). Parameters: first, step (at least 1); the last value
/// that y asks for lies in x. Exact.
pub const SELECT_I16_I32: Op = Op {
    code: 0x0343,
    name: "SELECT_I16_I32",
    check: |step| {
        check_select(
            step,
            step.count_of::<i16>(0)?,
            step.count_of_output::<i32>(1)?,
        )
    },
    run: |io| {
        let &[first, step] = io.step.params()?;
        let (x, y) = io.read_write::<i16, i32>(0, 1)?;
        select(x, y, first as usize, step as usize, |x| i32::from(x) << 13);
        Ok(())
    },
};

/// `y[i] = x[first + i * step]`.
///
/// Operands: x (`i32`), y (`i32`, written). Parameters: first, step (at least 1); the last value
/// that y asks for lies in x. Exact.
pub const SELECT_I32: Op = Op {
    code: 0x0344,
    name: "SELECT_I32",
    check: |step| {
        check_select(
            step,
            step.count_of::<i32>(0)?,
            step.count_of_output::<i32>(1)?,
        )
    },
    run: |io| {
        let &[first, step] = io.step.params()?;
        let (x, y) = io.read_write::<i32, i32>(0, 1)?;
        select(x, y, first as usize, step as usize, |x| x);
        Ok(())
    },
};
