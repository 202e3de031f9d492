//! Work that looks at all rows together, in place.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::{finite, larger};

/// `x = max(x, max(all x) - range)`.
///
/// Operands: x (`f32`, in place). Parameters: range (float bits, not negative).
pub const TOP_RANGE_F32: Op = Op {
    code: 0x0130,
    name: "TOP_RANGE_F32",
    check: check_top_range,
    run: |io| {
        let &[range] = io.step.params()?;
        top_range(io.write(0)?, f32::from_bits(range));
        Ok(())
    },
};

/// Per column, subtracts the mean over the rows and, with `variance`, divides by
/// `std + epsilon` (population standard deviation).
///
/// Operands: x (`f32[rows * cols]`, in place). Parameters: cols, variance (0 or 1), epsilon
/// (float bits, not negative).
pub const STANDARDISE_F32: Op = Op {
    code: 0x0131,
    name: "STANDARDISE_F32",
    check: check_standardise,
    run: |io| {
        let &[cols, variance, epsilon] = io.step.params()?;
        let epsilon = f32::from_bits(epsilon);
        standardise(io.write(0)?, cols as usize, variance == 1, epsilon);
        Ok(())
    },
};

fn check_top_range(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(1)?;
    step.count_of_output::<f32>(0)?;
    let &[range] = step.params()?;
    if finite(range, 0)? < 0.0 {
        return Err(Fault::BadParam { param: 0 });
    }
    Ok(())
}

fn check_standardise(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(1)?;
    let x = step.count_of_output::<f32>(0)?;
    let &[cols, variance, epsilon] = step.params()?;
    if cols == 0 || !x.is_multiple_of(cols as usize) {
        return Err(Fault::BadParam { param: 0 });
    }
    if variance > 1 {
        return Err(Fault::BadParam { param: 1 });
    }
    if finite(epsilon, 2)? < 0.0 {
        return Err(Fault::BadParam { param: 2 });
    }
    Ok(())
}

fn top_range(x: &mut [f32], range: f32) {
    let top = x.iter().fold(f32::NEG_INFINITY, |top, &x| larger(top, x));
    let floor = top - range;
    for x in x {
        *x = larger(*x, floor);
    }
}

fn standardise(x: &mut [f32], cols: usize, variance: bool, epsilon: f32) {
    let rows = x.len().checked_div(cols).unwrap_or(0) as f32;
    for column in 0..cols {
        let values = |x: &[f32], f: fn(f32) -> f32| {
            let column = x.iter().skip(column).step_by(cols);
            column.fold(0.0f32, |sum, &x| sum + f(x))
        };
        let mean = values(x, |x| x) / rows;
        for x in x.iter_mut().skip(column).step_by(cols) {
            *x -= mean;
        }
        if variance {
            let deviation = libm::sqrtf(values(x, |x| x * x) / rows) + epsilon;
            for x in x.iter_mut().skip(column).step_by(cols) {
                // A constant column is 0 already; without an epsilon it stays 0.
                if deviation > 0.0 {
                    *x /= deviation;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn top_range_keeps_the_top(mut x in prop::collection::vec(-200.0f32..0.0, 1..64)) {
            let before = x.clone();
            top_range(&mut x, 80.0);
            let top = before.iter().copied().fold(f32::MIN, f32::max);
            for (y, x) in x.iter().zip(&before) {
                prop_assert_eq!(*y, x.max(top - 80.0));
            }
        }

        #[test]
        fn standardised_columns_have_mean_0_and_deviation_1(
            mut x in prop::collection::vec(-10.0f32..10.0, 60..=60),
        ) {
            standardise(&mut x, 3, true, 0.0);
            for c in 0..3 {
                let column: Vec<f64> = x.iter().skip(c).step_by(3).map(|&x| f64::from(x)).collect();
                let mean = column.iter().sum::<f64>() / 20.0;
                let square = column.iter().map(|x| x * x).sum::<f64>() / 20.0;
                prop_assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn a_constant_column_becomes_zero() {
        let mut x = [3.0; 8];
        standardise(&mut x, 2, true, 0.0);
        assert_eq!(x, [0.0; 8]);
    }
}
