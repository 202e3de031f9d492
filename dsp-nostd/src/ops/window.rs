//! Values of whole windows.

use crate::error::Fault;
use crate::op::{Op, Step};

/// `y[i] = x[first + i * step]`: one axis of a window whose axes lie side by side.
///
/// Operands: x (`f32`), y (`f32`, written). Parameters: first, step (at least 1); the last value
/// that y asks for lies in x.
pub const SELECT_F32: Op = Op {
    code: 0x010d,
    name: "SELECT_F32",
    check: |step| {
        check_select(
            step,
            step.count_of::<f32>(0)?,
            step.count_of_output::<f32>(1)?,
        )
    },
    run: |io| {
        let &[first, step] = io.step.params()?;
        let (x, y) = io.read_write::<f32, f32>(0, 1)?;
        select(x, y, first as usize, step as usize, |x| x);
        Ok(())
    },
};

/// Checks the operands and parameters of a selection of `outputs` of `inputs` values.
pub(super) fn check_select(step: &Step<'_>, inputs: usize, outputs: usize) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.expect_disjoint(0, 1)?;
    let &[first, distance] = step.params()?;
    if distance == 0 {
        return Err(Fault::BadParam { param: 1 });
    }
    let last = u64::from(distance) * (outputs as u64).saturating_sub(1) + u64::from(first);
    if last >= inputs as u64 {
        return Err(Fault::WrongLength { operand: 0 });
    }
    Ok(())
}

/// `y[i] = of(x[first + i * step])`, as far as x reaches.
pub(super) fn select<T: Copy, U>(
    x: &[T],
    y: &mut [U],
    first: usize,
    step: usize,
    of: impl Fn(T) -> U,
) {
    let mut rest = x.get(first..).unwrap_or(&[]);
    for to in y {
        let Some(&from) = rest.first() else { return };
        *to = of(from);
        rest = rest.get(step..).unwrap_or(&[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_axis_of_three() {
        let x: [u8; 12] = core::array::from_fn(|i| i as u8);
        let mut y = [0u8; 4];
        select(&x, &mut y, 1, 3, |x| x);
        assert_eq!(y, [1, 4, 7, 10]);
        let mut y = [0u16; 2];
        select(&x, &mut y, 11, 5, u16::from);
        assert_eq!(y, [11, 0]);
    }
}
