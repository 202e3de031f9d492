//! Operators that only move elements. Each states where its elements come from.

use super::Values;
use super::node::{Node, scale};
use crate::executor::Real;
use crate::network::Results;
use otolith_tflite::Options;

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
pub(super) fn moved<F: Real>(
    node: &Node<'_, F>,
    fill: Option<(i64, F)>,
    source: impl Fn(&[usize]) -> Vec<i64>,
) -> Result<Values<F>, String> {
    moved_to(node, 0, fill, source)
}

/// [`moved`] for the operator's output `which`.
fn moved_to<F: Real>(
    node: &Node<'_, F>,
    which: usize,
    fill: Option<(i64, F)>,
    source: impl Fn(&[usize]) -> Vec<i64>,
) -> Result<Values<F>, String> {
    let input = &node.input(0)?.shape;
    let output = &node.model.tensors[node.op.outputs[which]].shape;
    let places: Vec<Option<usize>> = (0..output.iter().product())
        .map(|at| place(input, &source(&indices(output, at))))
        .collect();
    if fill.is_none() && places.contains(&None) {
        return Err(node.shapes());
    }
    Ok(gather(node.values(0)?, &places, fill.unwrap_or_default()))
}

/// An axis that counts from the last when it is below 0.
fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let own = if axis < 0 { axis + rank as i64 } else { axis };
    let own = usize::try_from(own).ok().filter(|&own| own < rank);
    own.ok_or_else(|| format!("axis {axis} of {rank} dimensions"))
}

/// The dimensions of the input.
pub(super) fn shape<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let shape = node.input(0)?.shape.iter();
    Ok(Values::Integers(shape.map(|&d| d as i64).collect()))
}

/// One value everywhere.
pub(super) fn fill<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let places = vec![Some(0); node.output().n_elements()];
    match node.values(1)?.is_empty() {
        true => Err(node.shapes()),
        false => Ok(gather(node.values(1)?, &places, Default::default())),
    }
}

/// The number 0 everywhere.
pub(super) fn zeros_like<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let n = node.output().n_elements();
    if node.is_real() {
        return Ok(Values::Reals(vec![F::default(); n]));
    }
    // Bytes of 0, also where they stand for another number.
    Ok(Values::Integers(vec![0; n]))
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

pub(super) fn strided_slice<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::StridedSlice {
        begin_mask,
        ellipsis_mask,
        new_axis_mask,
        shrink_axis_mask,
        ..
    } = &node.op.options
    else {
        return Err("its options are missing".into());
    };
    if ellipsis_mask != 0 || new_axis_mask != 0 {
        return Err("ellipsis and new axes are not run".into());
    }
    let shape = &node.input(0)?.shape;
    let rank = shape.len();
    let (begin, strides) = (per_axis(node, 1, rank)?, per_axis(node, 3, rank)?);
    let starts = shape.iter().zip(begin.iter().zip(strides)).enumerate();
    let starts: Vec<i64> = starts
        .map(|(axis, (&size, (&begin, &stride)))| {
            let last = size as i64 - 1;
            match begin {
                _ if begin_mask >> axis & 1 == 1 => {
                    if stride > 0 {
                        0
                    } else {
                        last
                    }
                }
                ..0 => (begin + size as i64).max(0),
                begin => begin.min(last),
            }
        })
        .collect();
    let kept: Vec<usize> = (0..rank)
        .filter(|axis| shrink_axis_mask >> axis & 1 == 0)
        .collect();
    if kept.len() != node.output().shape.len() {
        return Err(node.shapes());
    }
    moved(node, None, |at| {
        let mut from = starts.clone();
        for (&axis, &index) in kept.iter().zip(at) {
            from[axis] += index as i64 * strides[axis];
        }
        from
    })
}

/// Inputs one behind the other along an axis.
pub(super) fn concatenation<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::Concatenation { axis, .. } = &node.op.options else {
        return Err("its options are missing".into());
    };
    joined(node, axis_of(axis.into(), node.output().shape.len())?)
}

/// Inputs side by side along an axis of their own.
pub(super) fn pack<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::Pack { axis } = &node.op.options else {
        return Err("its options are missing".into());
    };
    joined(node, axis_of(axis.into(), node.output().shape.len())?)
}

/// Inputs of equal size before `axis`, block by block.
fn joined<F: Real>(node: &Node<'_, F>, axis: usize) -> Result<Values<F>, String> {
    let blocks: usize = node.output().shape.iter().take(axis).product();
    let inputs = 0..node.op.inputs.len();
    let mut integers = Vec::new();
    let mut reals = Vec::new();
    for block in 0..blocks {
        for i in inputs.clone() {
            let len = node.input(i)?.n_elements() / blocks;
            let range = block * len..(block + 1) * len;
            match node.values(i)? {
                Values::Integers(x) => integers.extend_from_slice(&x[range]),
                Values::Reals(x) => reals.extend_from_slice(&x[range]),
            }
        }
    }
    let elements = node.output().n_elements();
    match (integers.len() == elements, reals.len() == elements) {
        (true, _) => Ok(Values::Integers(integers)),
        (_, true) => Ok(Values::Reals(reals)),
        _ => Err(node.shapes()),
    }
}

/// Parts of input `input` along an axis: the inverse of [`joined`].
fn divided<F: Real>(node: &Node<'_, F>, input: usize, axis: usize) -> Result<Results<F>, String> {
    let blocks: usize = node.input(input)?.shape.iter().take(axis).product();
    let len = node.input(input)?.n_elements() / blocks;
    let mut start = 0;
    let parts = node.op.outputs.iter().map(|&output| {
        let size = node.model.tensors[output].n_elements() / blocks;
        let places = (0..blocks).flat_map(|block| {
            let first = block * len + start;
            (first..first + size).map(Some)
        });
        let places: Vec<_> = places.collect();
        start += size;
        if start > len {
            return Err(node.shapes());
        }
        let values = gather(node.values(input)?, &places, Default::default());
        Ok((output, values))
    });
    parts.collect()
}

pub(super) fn unpack<F: Real>(node: &Node<'_, F>) -> Result<Results<F>, String> {
    let &Options::Pack { axis } = &node.op.options else {
        return Err("its options are missing".into());
    };
    divided(node, 0, axis_of(axis.into(), node.input(0)?.shape.len())?)
}

/// SPLIT has its axis first, SPLIT_V last.
pub(super) fn split<F: Real>(
    node: &Node<'_, F>,
    input: usize,
    axis: usize,
) -> Result<Results<F>, String> {
    let axis = node.parameters(axis)?.first().copied().unwrap_or_default();
    divided(node, input, axis_of(axis, node.input(input)?.shape.len())?)
}

/// Elements of input 0 along an axis, at the indices in input 1.
pub(super) fn gather_indices<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::Gather { axis, batch_dims } = &node.op.options else {
        return Err("its options are missing".into());
    };
    if batch_dims != 0 {
        return Err("dimensions that input and indices share are not run".into());
    }
    let axis = axis_of(axis.into(), node.input(0)?.shape.len())?;
    let (wanted, shape) = (node.parameters(1)?, &node.input(1)?.shape);
    moved(node, None, |at| {
        let (outer, rest) = at.split_at(axis);
        let (which, inner) = rest.split_at(shape.len());
        let which = which.iter().map(|&index| index as i64).collect::<Vec<_>>();
        let index = place(shape, &which).map_or(-1, |place| wanted[place]);
        let own = |part: &[usize]| part.iter().map(|&index| index as i64).collect::<Vec<_>>();
        [own(outer), vec![index], own(inner)].concat()
    })
}

pub(super) fn broadcast_to<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let (input, output) = (&node.input(0)?.shape, &node.output().shape);
    let places = super::elementwise::broadcast(input, output).ok_or_else(|| node.shapes())?;
    let places: Vec<_> = places.into_iter().map(Some).collect();
    Ok(gather(node.values(0)?, &places, Default::default()))
}

/// The input again and again along each axis.
pub(super) fn tile<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let shape = &node.input(0)?.shape;
    if node.output().shape.len() != shape.len() {
        return Err(node.shapes());
    }
    moved(node, None, |at| {
        let at = at.iter().zip(shape);
        at.map(|(&index, &size)| (index % size) as i64).collect()
    })
}

/// The axes of input 1 run backwards.
pub(super) fn reverse<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let shape = &node.input(0)?.shape;
    let mut backwards = vec![false; shape.len()];
    for &axis in node.parameters(1)? {
        backwards[axis_of(axis, shape.len())?] = true;
    }
    moved(node, None, |at| {
        let at = at.iter().zip(shape).zip(&backwards);
        at.map(|((&index, &size), &backwards)| {
            let (index, last) = (index as i64, size as i64 - 1);
            if backwards { last - index } else { index }
        })
        .collect()
    })
}

/// The border repeats the image backwards, with or without its outermost elements.
pub(super) fn mirror_pad<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::MirrorPad { symmetric } = &node.op.options else {
        return Err("its options are missing".into());
    };
    let shape = &node.input(0)?.shape;
    let pads = per_axis(node, 1, 2 * shape.len())?;
    let edge = i64::from(symmetric);
    moved(node, None, |at| {
        let axes = at.iter().zip(pads.chunks(2)).zip(shape);
        let mirrored = axes.map(|((&index, pad), &size)| {
            let (index, last) = (index as i64 - pad[0], size as i64 - 1);
            if index < 0 {
                -index - edge
            } else if index > last {
                2 * last - index + edge
            } else {
                index
            }
        });
        mirrored.collect()
    })
}

/// Blocks of an image become channels, or channels blocks.
pub(super) fn blocks<F: Real>(node: &Node<'_, F>, to_depth: bool) -> Result<Values<F>, String> {
    let &Options::Blocks { size } = &node.op.options else {
        return Err("its options are missing".into());
    };
    let (Some(&from), Some(&to)) = (node.input(0)?.shape.last(), node.output().shape.last()) else {
        return Err(node.shapes());
    };
    moved(node, None, |at| {
        let &[batch, y, x, channel] = at else {
            return Vec::new();
        };
        let source = if to_depth {
            let (block, channel) = (channel / from, channel % from);
            [
                batch,
                y * size + block / size,
                x * size + block % size,
                channel,
            ]
        } else {
            let block = y % size * size + x % size;
            [batch, y / size, x / size, block * to + channel]
        };
        source.map(|index| index as i64).to_vec()
    })
}
