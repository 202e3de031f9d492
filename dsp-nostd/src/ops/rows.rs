//! Work that looks at all rows together.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::{finite, larger, runs};

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

/// `x = x - max(all x)`. Operands: x (`f32`, in place). No parameters.
pub const SUBTRACT_TOP_F32: Op = Op {
    code: 0x0154,
    name: "SUBTRACT_TOP_F32",
    check: check_all,
    run: |io| {
        let x = io.write::<f32>(0)?;
        let top = x.iter().fold(f32::NEG_INFINITY, |top, &x| larger(top, x));
        for x in x {
            *x -= top;
        }
        Ok(())
    },
};

/// `x = (x - min) / (max - min)` over all values; 0 where they are all the same.
///
/// Operands: x (`f32`, in place). No parameters.
pub const MIN_MAX_F32: Op = Op {
    code: 0x0155,
    name: "MIN_MAX_F32",
    check: check_all,
    run: |io| {
        min_max(io.write(0)?);
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

/// Appends derivatives over time to each row.
///
/// Operands: x (`f32[rows * cols]`), y (`f32[rows * cols * (1 + order)]`, written). Parameters:
/// cols, order (1 or 2), reach (1 to 32). A row of y is the row of x, its deltas and, with order
/// 2, their deltas: `d[t] = (sum_i i (x[t + i] - x[t - i])) (0.5 / sum_i i^2)`, `i = 1..=reach`,
/// where rows beyond the first and the last are copies of them.
pub const DELTAS_F32: Op = Op {
    code: 0x0132,
    name: "DELTAS_F32",
    check: check_deltas,
    run: |io| {
        let &[cols, order, reach] = io.step.params()?;
        let (x, y) = io.read_write(0, 1)?;
        append_deltas(x, y, cols as usize, order as usize, reach as usize);
        Ok(())
    },
};

fn check_all(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(1)?;
    step.count_of_output::<f32>(0)?;
    step.params::<0>().map(|_| ())
}

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

fn check_deltas(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let x = step.count_of::<f32>(0)?;
    let y = step.count_of_output::<f32>(1)?;
    step.expect_disjoint(0, 1)?;
    let &[cols, order, reach] = step.params()?;
    if !(1..=u32::from(u16::MAX)).contains(&cols) || !x.is_multiple_of(cols as usize) {
        return Err(Fault::BadParam { param: 0 });
    }
    if !(1..=2).contains(&order) {
        return Err(Fault::BadParam { param: 1 });
    }
    if !(1..=32).contains(&reach) {
        return Err(Fault::BadParam { param: 2 });
    }
    // A tensor has less than 2^28 values.
    if y != x * (1 + order as usize) {
        return Err(Fault::WrongLength { operand: 1 });
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

fn min_max(x: &mut [f32]) {
    let low = -x.iter().fold(f32::NEG_INFINITY, |top, &x| larger(top, -x));
    let high = x.iter().fold(f32::NEG_INFINITY, |top, &x| larger(top, x));
    let range = high - low;
    for x in x {
        *x = if range > 0.0 { (*x - low) / range } else { 0.0 };
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

fn append_deltas(x: &[f32], y: &mut [f32], cols: usize, order: usize, reach: usize) {
    let stride = cols * (1 + order);
    let rows = x.len().checked_div(cols).unwrap_or(0);
    for (row, values) in runs(x, cols).enumerate() {
        let to = y.iter_mut().skip(row * stride);
        for (to, &from) in to.zip(values) {
            *to = from;
        }
    }
    for from in (0..order).map(|k| k * cols) {
        for row in 0..rows {
            for column in from..from + cols {
                let delta = delta(y, row, rows, column, stride, reach);
                if let Some(to) = y.get_mut(row * stride + column + cols) {
                    *to = delta;
                }
            }
        }
    }
}

/// The delta of one column at one row.
fn delta(y: &[f32], row: usize, rows: usize, column: usize, stride: usize, reach: usize) -> f32 {
    let at = |row: usize| y.get(row * stride + column).copied().unwrap_or(0.0);
    let (mut sum, mut squares) = (0.0f32, 0.0f32);
    for i in 1..=reach {
        let after = row.saturating_add(i).min(rows.saturating_sub(1));
        let before = row.saturating_sub(i);
        let i = i as f32;
        sum += i * (at(after) - at(before));
        squares += i * i;
    }
    sum * (0.5 / squares)
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
        fn ranges_become_0_to_1(mut x in prop::collection::vec(-200.0f32..200.0, 1..64)) {
            let before = x.clone();
            min_max(&mut x);
            let low = before.iter().copied().fold(f32::MAX, f32::min);
            let high = before.iter().copied().fold(f32::MIN, f32::max);
            for (y, x) in x.iter().zip(&before) {
                let exact = if high > low {
                    (f64::from(*x) - f64::from(low)) / (f64::from(high) - f64::from(low))
                } else {
                    0.0
                };
                prop_assert!((f64::from(*y) - exact).abs() < 1e-6);
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

    proptest! {
        #[test]
        fn deltas_are_slopes(
            x in prop::collection::vec(-10.0f32..10.0, 2..60),
            order in 1usize..3,
            reach in 1usize..6,
        ) {
            let cols = 2;
            let x = &x[..x.len() / cols * cols];
            let stride = cols * (1 + order);
            let mut y = std::vec![f32::NAN; x.len() * (1 + order)];
            append_deltas(x, &mut y, cols, order, reach);
            let last = x.len() / cols - 1;
            let squares: f64 = (1..=reach).map(|i| (i * i) as f64).sum();
            for c in 0..cols {
                let mut exact: Vec<f64> =
                    x.iter().skip(c).step_by(cols).map(|&x| f64::from(x)).collect();
                for k in 0..=order {
                    for (t, exact) in exact.iter().enumerate() {
                        let got = f64::from(y[t * stride + k * cols + c]);
                        prop_assert!((got - exact).abs() < 1e-5, "{got} {exact}");
                    }
                    exact = (0..=last)
                        .map(|t| {
                            let slope = |i: usize| {
                                i as f64 * (exact[(t + i).min(last)] - exact[t.saturating_sub(i)])
                            };
                            (1..=reach).map(slope).sum::<f64>() / (2.0 * squares)
                        })
                        .collect();
                }
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
