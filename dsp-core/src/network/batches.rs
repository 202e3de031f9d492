//! SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND by their definitions.

use super::Values;
use super::movement::moved;
use super::node::{Node, scale};
use crate::executor::Real;

/// Block sizes, and the first of each pair of borders, for the axes behind the batch.
fn blocks<F: Real>(node: &Node<'_, F>) -> Result<(Vec<i64>, Vec<i64>), String> {
    let (sizes, borders) = (node.parameters(1)?, node.parameters(2)?);
    let rank = node.input(0)?.shape.len();
    let fits = borders.len() == 2 * sizes.len()
        && sizes.len() < rank
        && node.output().shape.len() == rank
        && sizes.iter().all(|&size| size > 0);
    let before = borders.iter().step_by(2).copied().collect();
    fits.then(|| (sizes.to_vec(), before))
        .ok_or_else(|| node.shapes())
}

pub(super) fn space_to_batch<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let (sizes, before) = blocks(node)?;
    let batches = node.input(0)?.shape[0] as i64;
    let zero = scale(node.output()).map_or(0, |(_, zero)| zero);
    moved(node, Some((zero, F::default())), |at| {
        let mut place: Vec<i64> = at.iter().map(|&index| index as i64).collect();
        let mut block = place[0] / batches;
        place[0] %= batches;
        for axis in (0..sizes.len()).rev() {
            let inside = block % sizes[axis];
            block /= sizes[axis];
            place[axis + 1] = place[axis + 1] * sizes[axis] + inside - before[axis];
        }
        place
    })
}

pub(super) fn batch_to_space<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let (sizes, before) = blocks(node)?;
    let batches = node.output().shape[0] as i64;
    moved(node, None, |at| {
        let mut place: Vec<i64> = at.iter().map(|&index| index as i64).collect();
        let mut block = 0;
        for axis in 0..sizes.len() {
            let whole = place[axis + 1] + before[axis];
            block = block * sizes[axis] + whole % sizes[axis];
            place[axis + 1] = whole / sizes[axis];
        }
        place[0] += block * batches;
        place
    })
}
