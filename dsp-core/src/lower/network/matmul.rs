//! BATCH_MATMUL.

use super::wide::bounded;
use super::windows::{only_int8, shapes};
use super::{Lowering, single_scale};
use otolith_classifier::ops::batch_matmul::{BATCH_MATMUL_I8, Params};
use otolith_tflite::{Operator, Options};

impl Lowering<'_, '_> {
    pub(super) fn batch_matmul(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let Options::BatchMatMul { adj_x, adj_y } = op.options else {
            return Err("its options are missing".into());
        };
        let (a, b, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let y = self.new_output(op)?;
        only_int8(&[a, b, output])?;
        let wrong = || shapes(&[a, b, output]);
        let split = |shape: &[usize]| -> Option<(usize, usize, usize)> {
            let (&[first, last], outer) = (shape.last_chunk::<2>()?, shape.len() - 2);
            Some((shape[..outer].iter().product(), first, last))
        };
        let (a_batch, a_first, a_last) = split(&a.shape).ok_or_else(wrong)?;
        let (b_batch, b_first, b_last) = split(&b.shape).ok_or_else(wrong)?;
        let (batch, rows, columns) = split(&output.shape).ok_or_else(wrong)?;
        let (a_rows, inner) = if adj_x {
            (a_last, a_first)
        } else {
            (a_first, a_last)
        };
        let (b_inner, b_columns) = if adj_y {
            (b_last, b_first)
        } else {
            (b_first, b_last)
        };
        // A matrix is either shared by the whole batch, or there is one for each product.
        let outer = |shape: &[usize]| shape[..shape.len() - 2].to_vec();
        let batched = |n: usize, shape: &[usize]| n == 1 || outer(shape) == outer(&output.shape);
        let fits = a_rows == rows
            && b_columns == columns
            && b_inner == inner
            && batched(a_batch, &a.shape)
            && batched(b_batch, &b.shape)
            && batch == a_batch.max(b_batch);
        if !fits {
            return Err(wrong());
        }
        if inner > 32768 {
            return Err(format!(
                "its sums have {inner} terms, allowed are at most 32768"
            ));
        }
        let [(a_scale, a_zero), (b_scale, b_zero)] = [single_scale(a)?, single_scale(b)?];
        let (scale, zero_point) = single_scale(output)?;
        let factor = bounded(f64::from(a_scale) * f64::from(b_scale) / f64::from(scale))?;
        let strides = |transposed: bool, n: usize, first: usize, last: usize| {
            let step = if n == 1 { 0 } else { first * last };
            let (down, along) = if transposed { (1, last) } else { (last, 1) };
            (step as i32, down as i32, along as i32)
        };
        let (a_step, a_row, a_inner) = strides(adj_x, a_batch, a_first, a_last);
        let (b_step, b_down, b_along) = strides(adj_y, b_batch, b_first, b_last);
        let params = Params {
            batch: batch as i32,
            rows: rows as i32,
            inner: inner as i32,
            columns: columns as i32,
            a_batch: a_step,
            a_row,
            a_inner,
            b_batch: b_step,
            b_inner: b_down,
            b_column: b_along,
            a_zero_point: a_zero,
            b_zero_point: b_zero,
            output_zero_point: zero_point,
            multiplier: factor.q,
            shift: factor.shift,
        };
        let operands = [self.input(op, 0)?, self.input(op, 1)?, y];
        self.step(&BATCH_MATMUL_I8, name, &operands, &params.encode());
        Ok(())
    }
}
