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
use otolith_dsp_arch::dsp;

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

fn folded(x: &mut [i32], m: &[i16], mean: i32, shift: u32, y: &mut [i32]) {
    let Some((first, y)) = y.split_first_mut() else {
        return;
    };
    let sum = match dsp::folded(x, m, y) {
        Some(sum) => sum,
        None => folded_portable(x, m, y),
    };
    *first = q::shr_i32(i64::from(sum) * i64::from(mean), shift);
}

/// [`dsp::folded`] on any target: what its routines are compared with. Returns the sum of x.
#[inline(never)]
pub fn folded_portable(x: &mut [i32], m: &[i16], y: &mut [i32]) -> i32 {
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
    let (mut x, mut next): (&[i32], &[i32]) = (differences, sums);
    let mut from = 0usize;
    for y in y {
        let to = from.wrapping_add(half);
        let Some(row) = m.get(from..to) else {
            return sum;
        };
        from = to;
        *y = dot(x, row);
        (x, next) = (next, x);
    }
    sum
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    use std::vec::Vec;
    extern crate std;

    proptest! {
        #[test]
        fn products_are_those_of_the_formula(
            x in prop::collection::vec(-(1i32 << 16)..1 << 16, 12),
            m in prop::collection::vec(-300i16..300, 18),
            mean in prop::collection::vec(any::<i32>(), 3),
        ) {
            let mut probe = Probe::default();
            let operands = [
                probe.tensor(&x),
                probe.table(&m),
                probe.table(&mean),
                probe.tensor(&[0i32; 6]),
            ];
            probe.run(&MATRIX_I32, &operands, &[6, 33]).expect("runs");
            let found = probe.get::<i32>(operands[3]);
            for (r, row) in x.chunks(6).enumerate() {
                let sum: f64 = row.iter().map(|&x| f64::from(x)).sum();
                for i in 0..3 {
                    let dot: f64 = (0..6).map(|j| f64::from(row[j]) * f64::from(m[6 * i + j])).sum();
                    let exact = dot + sum * f64::from(mean[i]) / 2f64.powi(33);
                    prop_assert!((f64::from(found[3 * r + i]) - exact).abs() <= 0.501);
                }
            }
        }

        #[test]
        fn folding_changes_nothing(
            x in prop::collection::vec(-(1i32 << 16)..1 << 16, 10),
            halves in prop::collection::vec(-300i16..300, 15),
            mean in 1i32..,
        ) {
            // Rows 1 and 3 are antisymmetric, row 2 is symmetric.
            let mut whole: Vec<i16> = std::vec![0; 10];
            for (k, half) in halves.chunks(5).enumerate() {
                let sign = if k % 2 == 0 { -1 } else { 1 };
                whole.extend(half);
                whole.extend(half.iter().rev().map(|c| sign * c));
            }
            let mut probe = Probe::default();
            let plain = [
                probe.tensor(&x),
                probe.table(&whole),
                probe.table(&[mean, 0, 0, 0]),
                probe.tensor(&[0i32; 4]),
            ];
            let folded = [probe.tensor(&x), probe.table(&halves), probe.tensor(&[0i32; 4])];
            probe.run(&MATRIX_I32, &plain, &[10, 20]).expect("runs");
            probe.run(&MATRIX_FOLDED_I32, &folded, &[mean as u32, 20]).expect("runs");
            prop_assert_eq!(probe.get::<i32>(plain[3]), probe.get::<i32>(folded[2]));
        }
    }

    #[test]
    fn checks_refuse_what_does_not_fit() {
        let mut probe = Probe::default();
        let (x, y) = (probe.tensor(&[0i32; 6]), probe.tensor(&[0i32; 2]));
        let (m, mean) = (probe.table(&[0i16; 12]), probe.table(&[0i32; 2]));
        assert_eq!(probe.check(&MATRIX_I32, &[x, m, mean, y], &[6, 0]), Ok(()));
        let check = |operands: [u32; 4], params: [u32; 2]| {
            probe.check(&MATRIX_I32, &operands, &params).is_err()
        };
        assert!(check([x, m, mean, y], [0, 0]) && check([x, m, mean, y], [4, 0]));
        assert!(check([x, m, mean, y], [6, 63]) && check([x, m, mean, x], [6, 0]));
        let half = probe.table(&[0i16; 3]);
        assert_eq!(
            probe.check(&MATRIX_FOLDED_I32, &[x, half, y], &[1, 2]),
            Ok(())
        );
        assert!(
            probe
                .check(&MATRIX_FOLDED_I32, &[x, m, y], &[1, 2])
                .is_err()
        );
        assert!(
            probe
                .check(&MATRIX_FOLDED_I32, &[y, half, x], &[1, 2])
                .is_err()
        );
    }
}
