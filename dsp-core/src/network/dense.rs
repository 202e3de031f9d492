//! Fully connected layers.

use super::Values;
use super::node::{Node, scale};
use super::rescale::{Rescale, clamp, limits};
use super::windows::{DATA_FIRST, Number, finish};
use crate::executor::Real;
use otolith_tflite::{DType, Options, Tensor};

/// Each row of `x` times each row of `weights`.
fn products<T: Number>(x: &[T], weights: &[T], n_in: usize) -> Vec<T> {
    let mut sums = Vec::new();
    for x in x.chunks(n_in) {
        for weights in weights.chunks(n_in) {
            let products = x.iter().zip(weights).map(|(&x, &w)| w * x);
            sums.push(products.fold(T::default(), |sum, product| sum + product));
        }
    }
    sums
}

pub(super) fn fully_connected<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::FullyConnected {
        activation,
        weights_format,
        ..
    } = &node.op.options
    else {
        return Err("its options are missing".into());
    };
    if weights_format != 0 {
        return Err("its weights are shuffled, allowed is the default format".into());
    }
    let &[n_out, n_in] = node.input(1)?.shape.as_slice() else {
        return Err(node.shapes());
    };
    let elements = node.input(0)?.n_elements();
    if elements % n_in != 0 || node.output().n_elements() != elements / n_in * n_out {
        return Err(node.shapes());
    }
    let sums = if node.is_real() {
        Values::Reals(products(&node.reals(0)?, &node.reals(1)?, n_in))
    } else {
        // Zero points of weights with a scale for each channel are 0.
        let weights = match scale(node.input(1)?) {
            Ok(_) => node.offset(1)?,
            Err(_) => node.integers(1)?.to_vec(),
        };
        Values::Integers(products(&node.offset(0)?, &weights, n_in))
    };
    finish(node, sums, activation, &DATA_FIRST)
}

/// Rows and columns of a matrix of the last two dimensions, as it is used.
fn matrix(tensor: &Tensor, transposed: bool) -> Option<(usize, usize)> {
    let &[.., rows, columns] = tensor.shape.as_slice() else {
        return None;
    };
    Some(if transposed {
        (columns, rows)
    } else {
        (rows, columns)
    })
}

/// Products of matrices, each pair of the same number by itself.
pub(super) fn batch_matmul<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::BatchMatMul { adj_x, adj_y } = &node.op.options else {
        return Err("its options are missing".into());
    };
    let (a, b, output) = (node.input(0)?, node.input(1)?, node.output());
    let sizes = matrix(a, adj_x).zip(matrix(b, adj_y));
    let Some(((rows, inner), (b_inner, columns))) = sizes else {
        return Err(node.shapes());
    };
    let batches = a.n_elements() / (rows * inner);
    if inner != b_inner
        || b.n_elements() != batches * inner * columns
        || output.n_elements() != batches * rows * columns
    {
        return Err(node.shapes());
    }
    // Both as rows of the inner dimension.
    fn rows_of<T: Copy>(x: &[T], rows: usize, inner: usize, stored_so: bool) -> Vec<T> {
        let matrices = x.chunks(rows * inner);
        let own = |matrix: &[T]| -> Vec<T> {
            let place = |i: usize| {
                if stored_so {
                    i
                } else {
                    i % inner * rows + i / inner
                }
            };
            (0..rows * inner).map(|i| matrix[place(i)]).collect()
        };
        matrices.flat_map(own).collect()
    }
    fn product<T: Number>(a: &[T], b: &[T], [rows, columns, inner]: [usize; 3]) -> Vec<T> {
        let pairs = a.chunks(rows * inner).zip(b.chunks(columns * inner));
        pairs.flat_map(|(a, b)| products(a, b, inner)).collect()
    }
    let sizes = [rows, columns, inner];
    if node.is_real() {
        let a = rows_of(&node.reals(0)?, rows, inner, !adj_x);
        let b = rows_of(&node.reals(1)?, columns, inner, adj_y);
        return Ok(Values::Reals(product(&a, &b, sizes)));
    }
    let a_rows = rows_of(&node.offset(0)?, rows, inner, !adj_x);
    let b_rows = rows_of(&node.offset(1)?, columns, inner, adj_y);
    let ((a, _), (b, _), (y, zero_point)) = (scale(a)?, scale(b)?, scale(output)?);
    let factor = Rescale::new(f64::from(a) * f64::from(b) / f64::from(y));
    let wide = output.dtype == DType::I16;
    let scaled = product(&a_rows, &b_rows, sizes).into_iter().map(|sum| {
        let scaled = if wide {
            factor.apply_wide(sum)
        } else {
            factor.apply(sum)
        };
        clamp(scaled + zero_point, limits(output.dtype))
    });
    Ok(Values::Integers(scaled.collect()))
}
