//! Element-wise work on one frame or row, in place.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::{finite, larger};

/// `x = x - mean(x)`. Operands: x (`f32`, in place). No parameters.
pub const REMOVE_MEAN_F32: Op = Op {
    code: 0x0105,
    name: "REMOVE_MEAN_F32",
    check: |step| check_in_place::<0>(step).map(|_| ()),
    run: |io| {
        remove_mean(io.write(0)?);
        Ok(())
    },
};

/// Pre-emphasis inside the frame: `x[n] = x[n] - c x[n-1]`, `x[0] = x[0] - c x[0]`.
///
/// Operands: x (`f32`, in place). Parameters: c (float bits).
pub const PRE_EMPHASIS_F32: Op = Op {
    code: 0x0106,
    name: "PRE_EMPHASIS_F32",
    check: |step| check_in_place::<1>(step).and_then(|&[c]| finite(c, 0).map(|_| ())),
    run: |io| {
        let &[c] = io.step.params()?;
        pre_emphasis(io.write(0)?, f32::from_bits(c));
        Ok(())
    },
};

/// `e = ln(max(sum x^2, floor))`.
///
/// Operands: x (`f32`), e (`f32[1]`, written). Parameters: floor (float bits, positive).
pub const LOG_ENERGY_F32: Op = Op {
    code: 0x0107,
    name: "LOG_ENERGY_F32",
    check: check_log_energy,
    run: |io| {
        let &[floor] = io.step.params()?;
        let (x, e) = io.read_write::<f32, f32>(0, 1)?;
        let energy: f32 = x.iter().map(|x| x * x).fold(0.0, |sum, x| sum + x);
        e.fill(libm::logf(larger(energy, f32::from_bits(floor))));
        Ok(())
    },
};

/// `e = ln(max(sum x, floor))`; operands and parameters as for [`LOG_ENERGY_F32`].
pub const LOG_SUM_F32: Op = Op {
    code: 0x010c,
    name: "LOG_SUM_F32",
    check: check_log_energy,
    run: |io| {
        let &[floor] = io.step.params()?;
        let (x, e) = io.read_write::<f32, f32>(0, 1)?;
        let sum = x.iter().fold(0.0f32, |sum, x| sum + x);
        e.fill(libm::logf(larger(sum, f32::from_bits(floor))));
        Ok(())
    },
};

/// Multiplies with a window and zero-pads: `x[n] = x[n] w[n]`, and `x[n] = 0` behind the window.
///
/// Operands: x (`f32`, in place, at least as long as w), w (`f32` table). No parameters.
pub const WINDOW_F32: Op = Op {
    code: 0x0108,
    name: "WINDOW_F32",
    check: check_window,
    run: |io| {
        let window = io.step.table::<f32>(1)?;
        apply_window(io.write(0)?, window);
        Ok(())
    },
};

/// `x = clamp((x + add) * mul, min, max)`.
///
/// Operands: x (`f32`, in place). Parameters: add, mul, min, max (float bits; min and max may be
/// infinite).
pub const AFFINE_F32: Op = Op {
    code: 0x0109,
    name: "AFFINE_F32",
    check: check_affine,
    run: |io| {
        let &[add, mul, min, max] = io.step.params()?;
        let [add, mul, min, max] = [add, mul, min, max].map(f32::from_bits);
        for x in io.write::<f32>(0)? {
            let y = larger((*x + add) * mul, min);
            *x = if y > max { max } else { y };
        }
        Ok(())
    },
};

/// `x[i] = (x[i] + add[i mod n]) * mul[i mod n]`: constants for each column of rows of n values.
///
/// Operands: x (`f32[rows * n]`, in place), add (`f32[n]` table), mul (`f32[n]` table). No
/// parameters.
pub const COLUMNS_F32: Op = Op {
    code: 0x010e,
    name: "COLUMNS_F32",
    check: |step| {
        step.expect_operands(3)?;
        step.params::<0>()?;
        let len = step.count_of_output::<f32>(0)?;
        let (add, mul) = (step.table::<f32>(1)?, step.table::<f32>(2)?);
        if add.len() != mul.len() {
            return Err(Fault::WrongLength { operand: 2 });
        }
        if !len.is_multiple_of(add.len()) {
            return Err(Fault::WrongLength { operand: 0 });
        }
        if !add.iter().all(|x| x.is_finite()) {
            return Err(Fault::BadTable { operand: 1 });
        }
        if !mul.iter().all(|x| x.is_finite()) {
            return Err(Fault::BadTable { operand: 2 });
        }
        Ok(())
    },
    run: |io| {
        let (add, mul) = (io.step.table::<f32>(1)?, io.step.table::<f32>(2)?);
        let columns = add.iter().zip(mul).cycle();
        for (x, (add, mul)) in io.write::<f32>(0)?.iter_mut().zip(columns) {
            *x = (*x + add) * mul;
        }
        Ok(())
    },
};

/// `x = level(round(steps x)) / steps`, ties to even, for x from 0 to 1: `steps` itself, one level
/// too many, becomes 0 with `wraps`, else `steps - 1`.
///
/// Operands: x (`f32`, in place). Parameters: steps (2 to 65536), wraps (0 or 1).
pub const LEVELS_F32: Op = Op {
    code: 0x0156,
    name: "LEVELS_F32",
    check: |step| match check_in_place::<2>(step)? {
        [2..=0x1_0000, 0..=1] => Ok(()),
        [2..=0x1_0000, _] => Err(Fault::BadParam { param: 1 }),
        _ => Err(Fault::BadParam { param: 0 }),
    },
    run: |io| {
        let &[steps, wraps] = io.step.params()?;
        let steps = steps as f32;
        let top = if wraps == 1 { 0.0 } else { steps - 1.0 };
        for x in io.write::<f32>(0)? {
            let level = libm::rintf(*x * steps);
            *x = if level < steps { level } else { top } / steps;
        }
        Ok(())
    },
};

/// `x[0] = e[0]`.
///
/// Operands: e (`f32[1]`), x (`f32`, in place). No parameters.
pub const REPLACE_FIRST_F32: Op = Op {
    code: 0x010a,
    name: "REPLACE_FIRST_F32",
    check: check_replace_first,
    run: |io| {
        let (e, x) = io.read_write::<f32, f32>(0, 1)?;
        if let (Some(to), Some(&from)) = (x.first_mut(), e.first()) {
            *to = from;
        }
        Ok(())
    },
};

/// `y = x`. Operands: x (`f32[n]`), y (`f32[n]`, written). No parameters.
pub const COPY_F32: Op = Op {
    code: 0x010b,
    name: "COPY_F32",
    check: check_copy,
    run: |io| {
        let (x, y) = io.read_write::<f32, f32>(0, 1)?;
        for (to, &from) in y.iter_mut().zip(x) {
            *to = from;
        }
        Ok(())
    },
};

fn check_copy(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    if step.count_of::<f32>(0)? != step.count_of_output::<f32>(1)? {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)?;
    step.params::<0>().map(|_| ())
}

fn check_in_place<'p, const N: usize>(step: &Step<'p>) -> Result<&'p [u32; N], Fault> {
    step.expect_operands(1)?;
    step.count_of_output::<f32>(0)?;
    step.params()
}

fn check_log_energy(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.count_of::<f32>(0)?;
    expect_scalar(step, 1)?;
    step.count_of_output::<f32>(1)?;
    step.expect_disjoint(0, 1)?;
    let &[floor] = step.params()?;
    if finite(floor, 0)? > 0.0 {
        Ok(())
    } else {
        Err(Fault::BadParam { param: 0 })
    }
}

fn check_window(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let x = step.count_of_output::<f32>(0)?;
    if step.table::<f32>(1)?.len() > x {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.params::<0>().map(|_| ())
}

fn check_affine(step: &Step<'_>) -> Result<(), Fault> {
    let &[add, mul, min, max] = check_in_place::<4>(step)?;
    finite(add, 0)?;
    finite(mul, 1)?;
    if f32::from_bits(min) <= f32::from_bits(max) {
        Ok(())
    } else {
        Err(Fault::BadParam { param: 2 })
    }
}

fn check_replace_first(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    expect_scalar(step, 0)?;
    step.count_of_output::<f32>(1)?;
    step.expect_disjoint(0, 1)?;
    step.params::<0>().map(|_| ())
}

fn expect_scalar(step: &Step<'_>, i: usize) -> Result<(), Fault> {
    if step.count_of::<f32>(i)? == 1 {
        Ok(())
    } else {
        Err(Fault::WrongLength { operand: i as u8 })
    }
}

fn remove_mean(x: &mut [f32]) {
    let sum = x.iter().fold(0.0f32, |sum, x| sum + x);
    let mean = sum / x.len() as f32;
    for x in x {
        *x -= mean;
    }
}

fn pre_emphasis(x: &mut [f32], c: f32) {
    let mut before = x.first().copied().unwrap_or(0.0);
    for x in x {
        let now = *x;
        *x = now - c * before;
        before = now;
    }
}

fn apply_window(x: &mut [f32], window: &[f32]) {
    let (inside, behind) = x.split_at_mut_checked(window.len()).unwrap_or_default();
    for (x, w) in inside.iter_mut().zip(window) {
        *x *= w;
    }
    behind.fill(0.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_mean_is_gone(mut x in prop::collection::vec(-1.0f32..1.0, 1..600)) {
            remove_mean(&mut x);
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
            prop_assert!(mean.abs() < 1e-4);
        }

        #[test]
        fn pre_emphasis_is_the_difference_equation(x in prop::collection::vec(-1.0f32..1.0, 1..99)) {
            let mut y = x.clone();
            pre_emphasis(&mut y, 0.97);
            for n in 0..x.len() {
                prop_assert_eq!(y[n], x[n] - 0.97 * x[n.saturating_sub(1)]);
            }
        }

        #[test]
        fn values_become_levels(x in 0.0f32..=1.0, steps in 2u32..300, wraps in 0u32..2) {
            let mut probe = Probe::default();
            let operands = [probe.tensor(&[x, 1.0])];
            probe.run(&LEVELS_F32, &operands, &[steps, wraps]).expect("runs");
            let levels = f64::from(steps);
            let top = if wraps == 1 { 0.0 } else { (levels - 1.0) / levels };
            let exact = (f64::from(x) * levels).round_ties_even() / levels;
            let exact = if exact < 1.0 { exact } else { top };
            let y = probe.get::<f32>(operands[0]);
            prop_assert!((f64::from(y[0]) - exact).abs() < 1e-6, "{} {}", y[0], exact);
            prop_assert!((f64::from(y[1]) - top).abs() < 1e-6);
        }

        #[test]
        fn a_window_pads_with_zeros(x in prop::collection::vec(-1.0f32..1.0, 8..64), n in 1usize..8) {
            let w: std::vec::Vec<f32> = (0..n).map(|i| i as f32 / 8.0).collect();
            let mut y = x.clone();
            apply_window(&mut y, &w);
            for i in 0..x.len() {
                prop_assert_eq!(y[i], if i < n { x[i] * w[i] } else { 0.0 });
            }
        }
    }
    extern crate std;
}
