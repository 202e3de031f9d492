//! `BATCH_MATMUL_I8`.

use crate::odometer::extent;
use crate::params::{I8_MAX, I8_MIN, MAX_COUNT, MAX_DIM, SHIFT_MAX, SHIFT_MIN, expect_count, size};
use crate::requant::mbqm;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Matrix products, one for each entry of a batch.
///
/// `y[b,i,j] = clamp(mbqm(sum over k of (a[b,i,k] - a_zero_point) * (b[b,k,j] - b_zero_point),
/// multiplier, shift) + output_zero_point)`. Both matrices are given by strides, so that either
/// may be transposed or shared by the whole batch.
///
/// Operands: a i8; b i8; output i8 `[batch, rows, columns]`. Source: TFLite's
/// `reference_ops::BatchMatMul`.
pub const BATCH_MATMUL_I8: Op = Op {
    code: 0x02a5,
    name: "BATCH_MATMUL_I8",
    check,
    run,
};

params! {
    /// Parameters of [`BATCH_MATMUL_I8`].
    Params {
        /// Products.
        batch in 1, MAX_DIM;
        /// Rows of a and of the output.
        rows in 1, MAX_DIM;
        /// Columns of a and rows of b; at most 2^15, so that no sum overflows.
        inner in 1, 32768;
        /// Columns of b and of the output.
        columns in 1, MAX_DIM;
        /// Stride of a from one product to the next, 0 for the same matrix.
        a_batch in 0, MAX_COUNT;
        /// Stride of a from row to row.
        a_row in 1, MAX_COUNT;
        /// Stride of a along the inner axis.
        a_inner in 1, MAX_COUNT;
        /// Stride of b from one product to the next, 0 for the same matrix.
        b_batch in 0, MAX_COUNT;
        /// Stride of b along the inner axis.
        b_inner in 1, MAX_COUNT;
        /// Stride of b from column to column.
        b_column in 1, MAX_COUNT;
        /// Zero point of a.
        a_zero_point in I8_MIN, I8_MAX;
        /// Zero point of b.
        b_zero_point in I8_MIN, I8_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Multiplier of the sums.
        multiplier in 0, i32::MAX;
        /// Its shift.
        shift in SHIFT_MIN, SHIFT_MAX;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let p = Params::checked(step)?;
    let a = extent(
        &[p.batch, p.rows, p.inner],
        &[p.a_batch, p.a_row, p.a_inner],
    );
    if a != Some(step.count_of::<i8>(0)?) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    let strides = [p.b_batch, p.b_inner, p.b_column];
    if extent(&[p.batch, p.inner, p.columns], &strides) != Some(step.count_of::<i8>(1)?) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    let output = [p.batch, p.rows, p.columns];
    expect_count(step.count_of_output::<i8>(2)?, &output, 2)?;
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(1, 2)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (a, b, output) = io.read2_write::<i8, i8, i8>(0, 1, 2)?;
    let columns = size(p.columns).max(1);
    let product = (size(p.rows) * columns).max(1);
    for (n, output) in output.chunks_exact_mut(product).enumerate() {
        for (i, output) in output.chunks_exact_mut(columns).enumerate() {
            let line = a.get(n * size(p.a_batch) + i * size(p.a_row)..);
            let line = line.unwrap_or_default();
            for (j, y) in output.iter_mut().enumerate() {
                let column = b.get(n * size(p.b_batch) + j * size(p.b_column)..);
                let line = line.iter().step_by(size(p.a_inner).max(1));
                let column = column.unwrap_or_default();
                let column = column.iter().step_by(size(p.b_inner).max(1));
                let terms = line.zip(column).take(size(p.inner));
                let sum = terms.fold(0i32, |sum, (&a, &b)| {
                    let (a, b) = (i32::from(a) - p.a_zero_point, i32::from(b) - p.b_zero_point);
                    sum.wrapping_add(a * b)
                });
                let scaled = mbqm(sum, p.multiplier, p.shift);
                let scaled = scaled.wrapping_add(p.output_zero_point);
                *y = scaled.clamp(I8_MIN, I8_MAX) as i8;
            }
        }
    }
    Ok(())
}
