//! Matrix times each row: the DCT with its normalisation and lifter.
//!
//! Each row of the matrix is split into its mean and a rest that sums to 0. The rest is small
//! enough for 16-bit coefficients and does not see what is added to all inputs, such as the level
//! of a signal; the mean has a wide coefficient of its own, which only rows like the DCT's first
//! one need.

use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::ops::runs;
use crate::q;

/// `y[r][i] = sum_j m[i][j] x[r][j] + shr(mean[i] sum_j x[r][j], shift)` for every row `r`.
///
/// Operands: x (`i32[n_rows * cols]`), m (`i16[out * cols]` table, row by row), mean (`i32[out]`
/// table), y (`i32[n_rows * out]`, written). Parameters: cols, shift (at most 62). Sums wrap at 32
/// bits on the way; the result must fit.
pub const MATRIX_I32: Op = Op {
    code: 0x0323,
    name: "MATRIX_I32",
    check: check_matrix,
    run: run_matrix,
};

/// [`MATRIX_I32`] for one row and a matrix like that of DCT-II: its first row is constant, the others
/// sum to 0 and are antisymmetric and symmetric in turn, so that sums and differences of mirrored
/// inputs are formed first.
///
/// Operands: x (`i32[cols]`, overwritten), m (`i16[(out - 1) * cols / 2]` table: the first half of
/// each row but the first), y (`i32[out]`, written). Parameters: mean (of the first row), shift (at
/// most 62). `cols` is even.
pub const MATRIX_FOLDED_I32: Op = Op {
    code: 0x0324,
    name: "MATRIX_FOLDED_I32",
    check: check_folded,
    run: run_folded,
};

fn check_matrix(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let &[cols, shift] = step.params()?;
    let cols = cols as usize;
    let x = step.count_of::<i32>(0)?;
    let m = step.table::<i16>(1)?.len();
    let out = step.table::<i32>(2)?.len();
    if cols == 0 || !x.is_multiple_of(cols) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if out.checked_mul(cols) != Some(m) || m == 0 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if (x / cols).checked_mul(out) != Some(step.count_of_output::<i32>(3)?) {
        return Err(Fault::WrongLength { operand: 3 });
    }
    step.expect_disjoint(0, 3)?;
    if shift > 62 {
        return Err(Fault::BadParam { param: 1 });
    }
    Ok(())
}

fn run_matrix(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[cols, shift] = io.step.params()?;
    let m = io.step.table::<i16>(1)?;
    let mean = io.step.table::<i32>(2)?;
    let (x, mut y) = io.read_write::<i32, i32>(0, 3)?;
    for x in runs(x, cols as usize) {
        let (out, behind) = y.split_at_mut_checked(mean.len()).unwrap_or_default();
        y = behind;
        let sum = sum(x);
        for ((y, m), &mean) in out.iter_mut().zip(runs(m, cols as usize)).zip(mean) {
            *y = dot(x, m).wrapping_add(q::shr_i32(i64::from(sum) * i64::from(mean), shift));
        }
    }
    Ok(())
}

fn check_folded(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let cols = step.count_of_output::<i32>(0)?;
    let m = step.table::<i16>(1)?.len();
    let out = step.count_of_output::<i32>(2)?;
    if cols == 0 || !cols.is_multiple_of(2) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if out.saturating_sub(1).checked_mul(cols / 2) != Some(m) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 2)?;
    let &[_, shift] = step.params()?;
    if shift > 62 {
        return Err(Fault::BadParam { param: 1 });
    }
    Ok(())
}

fn run_folded(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[mean, shift] = io.step.params()?;
    let (m, x, y) = io.read_write2::<i16, i32, i32>(1, 0, 2)?;
    folded(x, m, mean as i32, shift, y);
    Ok(())
}

#[inline(never)]
fn folded(x: &mut [i32], m: &[i16], mean: i32, shift: u32, y: &mut [i32]) {
    let half = x.len() / 2;
    let (sums, differences) = x.split_at_mut_checked(half).unwrap_or_default();
    // The differences lie in the order of the inputs from the middle outwards; turn them round so
    // that both halves are read upwards.
    differences.reverse();
    let mut sum = 0i32;
    for (a, b) in sums.iter_mut().zip(differences.iter_mut()) {
        (*a, *b) = (a.wrapping_add(*b), a.wrapping_sub(*b));
        sum = sum.wrapping_add(*a);
    }
    let Some((first, y)) = y.split_first_mut() else {
        return;
    };
    *first = q::shr_i32(i64::from(sum) * i64::from(mean), shift);
    let (mut x, mut next): (&[i32], &[i32]) = (differences, sums);
    let mut from = 0usize;
    for y in y {
        let to = from.wrapping_add(half);
        let Some(row) = m.get(from..to) else {
            return;
        };
        from = to;
        *y = dot(x, row);
        (x, next) = (next, x);
    }
}

fn sum(x: &[i32]) -> i32 {
    x.iter().fold(0, |sum: i32, &x| sum.wrapping_add(x))
}

#[inline(always)]
fn dot(x: &[i32], m: &[i16]) -> i32 {
    let (x4, x_rest) = x.as_chunks::<4>();
    let (m4, m_rest) = m.as_chunks::<4>();
    let mut sum = 0i32;
    let mut add = |x: i32, m: i16| sum = sum.wrapping_add(x.wrapping_mul(i32::from(m)));
    for (&[a, b, c, d], &[e, f, g, h]) in x4.iter().zip(m4) {
        add(a, e);
        add(b, f);
        add(c, g);
        add(d, h);
    }
    if !x_rest.is_empty() {
        for (&x, &m) in x_rest.iter().zip(m_rest) {
            add(x, m);
        }
    }
    sum
}
