//! Matrix times each row: the DCT with its normalisation and lifter.

use crate::error::Fault;
use crate::op::{Io, Op, Step};

/// `y[r][i] = sum_j m[i][j] x[r][j]` for every row `r`.
///
/// Operands: x (`f32[n_rows * cols]`), m (`f32[out * cols]` table, row by row), y
/// (`f32[n_rows * out]`, written). Parameters: cols. Sums run upwards.
pub const MATRIX_F32: Op = Op {
    code: 0x0122,
    name: "MATRIX_F32",
    check,
    run,
};

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let &[cols] = step.params()?;
    let cols = cols as usize;
    let x = step.count_of::<f32>(0)?;
    let m = step.table::<f32>(1)?.len();
    let y = step.count_of_output::<f32>(2)?;
    if cols == 0 || !x.is_multiple_of(cols) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if !m.is_multiple_of(cols) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if (x / cols).checked_mul(m / cols) != Some(y) {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 2)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[cols] = io.step.params()?;
    let cols = (cols as usize).max(1);
    let m = io.step.table::<f32>(1)?;
    let (x, y) = io.read_write::<f32, f32>(0, 2)?;
    let out = (m.len() / cols).max(1);
    for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(out)) {
        for (y, m) in y.iter_mut().zip(m.chunks_exact(cols)) {
            *y = m.iter().zip(x).fold(0.0, |sum, (m, x)| sum + m * x);
        }
    }
    Ok(())
}
