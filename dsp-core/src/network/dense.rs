//! Fully connected layers.

use super::Values;
use super::node::{Node, scale};
use super::windows::{DATA_FIRST, Number, finish};
use crate::executor::Real;
use otolith_tflite::Options;

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
