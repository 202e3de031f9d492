//! Operators that only move elements. Each states where its elements come from.

use super::Values;
use super::node::{Node, scale};
use crate::executor::Real;

/// The elements of `values` at `places`; `fill` where there is none.
pub(super) fn gather<F: Real>(
    values: &Values<F>,
    places: &[Option<usize>],
    fill: (i64, F),
) -> Values<F> {
    match values {
        Values::Integers(x) => {
            let moved = places.iter().map(|place| place.map_or(fill.0, |i| x[i]));
            Values::Integers(moved.collect())
        }
        Values::Reals(x) => {
            let moved = places.iter().map(|place| place.map_or(fill.1, |i| x[i]));
            Values::Reals(moved.collect())
        }
    }
}

/// Index along each axis of element `place` of a tensor.
fn indices(shape: &[usize], mut place: usize) -> Vec<usize> {
    let mut indices: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let index = place % size;
            place /= size;
            index
        })
        .collect();
    indices.reverse();
    indices
}

/// Place of the element with these indices; `None` when it lies outside.
fn place(shape: &[usize], indices: &[i64]) -> Option<usize> {
    let mut place = 0;
    for (&size, &index) in shape.iter().zip(indices) {
        let index = usize::try_from(index).ok().filter(|&i| i < size)?;
        place = place * size + index;
    }
    Some(place)
}

/// Moves elements of input 0: `source` gives the indices in the input for those in the output.
fn moved<F: Real>(
    node: &Node<'_, F>,
    fill: Option<(i64, F)>,
    source: impl Fn(&[usize]) -> Vec<i64>,
) -> Result<Values<F>, String> {
    let (input, output) = (&node.input(0)?.shape, &node.output().shape);
    let places: Vec<Option<usize>> = (0..output.iter().product())
        .map(|at| place(input, &source(&indices(output, at))))
        .collect();
    if fill.is_none() && places.contains(&None) {
        return Err(node.shapes());
    }
    Ok(gather(node.values(0)?, &places, fill.unwrap_or_default()))
}

pub(super) fn reshape<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    Ok(node.values(0)?.clone())
}

/// The parameters in input `i`, one for each of `rank` axes.
fn per_axis<'a, F: Real>(node: &Node<'a, F>, i: usize, rank: usize) -> Result<&'a [i64], String> {
    let values = node.parameters(i)?;
    match values.len() == rank {
        true => Ok(values),
        false => Err(format!(
            "input {i} has {} values, allowed are {rank}",
            values.len()
        )),
    }
}

pub(super) fn transpose<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let rank = node.input(0)?.shape.len();
    let order = per_axis(node, 1, rank)?;
    if node.output().shape.len() != rank || (0..rank as i64).any(|axis| !order.contains(&axis)) {
        return Err(node.shapes());
    }
    moved(node, None, |at| {
        let mut from = vec![0; rank];
        for (&axis, &index) in order.iter().zip(at) {
            from[axis as usize] = index as i64;
        }
        from
    })
}

/// PAD fills with the zero point, PADV2 with a given value.
pub(super) fn pad<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let rank = node.input(0)?.shape.len();
    let pads = per_axis(node, 1, 2 * rank)?;
    let fill = match (node.index(2).is_some(), node.is_real()) {
        (true, true) => (0, node.reals(2)?.first().copied().unwrap_or_default()),
        (true, false) => (
            node.integers(2)?.first().copied().unwrap_or_default(),
            F::default(),
        ),
        (false, true) => (0, F::default()),
        (false, false) => (
            scale(node.output()).map_or(0, |(_, zero)| zero),
            F::default(),
        ),
    };
    let (input, output) = (&node.input(0)?.shape, &node.output().shape);
    let sizes = input.iter().zip(pads.chunks(2));
    let sizes = sizes.map(|(&size, pad)| size as i64 + pad.iter().sum::<i64>());
    if !sizes.eq(output.iter().map(|&size| size as i64)) {
        return Err(node.shapes());
    }
    moved(node, Some(fill), |at| {
        let at = at.iter().zip(pads.chunks(2));
        at.map(|(&index, pad)| index as i64 - pad[0]).collect()
    })
}

pub(super) fn slice<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let rank = node.input(0)?.shape.len();
    let begin = per_axis(node, 1, rank)?;
    moved(node, None, |at| {
        let at = at.iter().zip(begin);
        at.map(|(&index, begin)| index as i64 + begin).collect()
    })
}
