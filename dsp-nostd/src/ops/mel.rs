//! Sparse filter bank.

use crate::error::Fault;
use crate::op::{Io, Op, Step};

/// `y[m] = sum_i w[m][i] x[first[m] + i]`, each filter having a run of consecutive bins.
///
/// Operands: x (`f32`), first (`u16[n]` table), length (`u16[n]` table), weights (`f32` table,
/// all runs one behind the other), y (`f32[n]`, written). No parameters. Sums run upwards.
pub const MEL_F32: Op = Op {
    code: 0x0120,
    name: "MEL_F32",
    check,
    run,
};

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(5)?;
    let bins = step.count_of::<f32>(0)?;
    let first = step.table::<u16>(1)?;
    let length = step.table::<u16>(2)?;
    let weights = step.table::<f32>(3)?;
    if length.len() != first.len() {
        return Err(Fault::WrongLength { operand: 2 });
    }
    if step.count_of_output::<f32>(4)? != first.len() {
        return Err(Fault::WrongLength { operand: 4 });
    }
    step.expect_disjoint(0, 4)?;
    let mut total = 0usize;
    for (&first, &length) in first.iter().zip(length) {
        if usize::from(first) + usize::from(length) > bins {
            return Err(Fault::BadTable { operand: 1 });
        }
        total += usize::from(length);
    }
    if total != weights.len() {
        return Err(Fault::BadTable { operand: 2 });
    }
    step.params::<0>().map(|_| ())
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let first = io.step.table(1)?;
    let length = io.step.table(2)?;
    let weights = io.step.table(3)?;
    let (x, y) = io.read_write::<f32, f32>(0, 4)?;
    filter(x, first, length, weights, y);
    Ok(())
}

fn filter(x: &[f32], first: &[u16], length: &[u16], weights: &[f32], y: &mut [f32]) {
    let mut rest = weights;
    for ((y, &first), &length) in y.iter_mut().zip(first).zip(length) {
        let (w, later) = rest
            .split_at_checked(usize::from(length))
            .unwrap_or_default();
        rest = later;
        let x = x.get(usize::from(first)..).unwrap_or_default();
        *y = w.iter().zip(x).fold(0.0, |sum, (w, x)| sum + w * x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_weigh_their_runs() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let mut y = [9.0; 3];
        filter(
            &x,
            &[0, 1, 3],
            &[2, 3, 0],
            &[1.0, 1.0, 0.5, 1.0, 0.5],
            &mut y,
        );
        assert_eq!(y, [3.0, 6.0, 0.0]);
    }
}
