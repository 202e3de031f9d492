//! Means, sums and extremes over axes.

use super::Values;
use super::node::{Node, scale};
use super::rescale::{Rescale, clamp, limits};
use crate::executor::Real;
use otolith_tflite::DType;

/// The elements of input 0 that go into each element of the output.
fn groups<F: Real>(node: &Node<'_, F>) -> Result<Vec<Vec<usize>>, String> {
    let shape = &node.input(0)?.shape;
    let mut reduced = vec![false; shape.len()];
    for &axis in node.parameters(1)? {
        let own = if axis < 0 {
            axis + shape.len() as i64
        } else {
            axis
        };
        let slot = usize::try_from(own).ok().and_then(|i| reduced.get_mut(i));
        *slot.ok_or_else(|| format!("axis {axis} of {} dimensions", shape.len()))? = true;
    }
    let mut groups = vec![Vec::new(); node.output().n_elements()];
    for place in 0..shape.iter().product() {
        let (mut rest, mut group, mut stride) = (place, 0, 1);
        for (&size, &reduced) in shape.iter().zip(&reduced).rev() {
            if !reduced {
                group += rest % size * stride;
                stride *= size;
            }
            rest /= size;
        }
        groups
            .get_mut(group)
            .ok_or_else(|| node.shapes())?
            .push(place);
    }
    if groups.iter().any(Vec::is_empty) {
        return Err(node.shapes());
    }
    Ok(groups)
}

/// Sum of each group times `1 / divisor`, where the divisor is the group's size for a mean.
fn total<F: Real>(node: &Node<'_, F>, is_mean: bool) -> Result<Values<F>, String> {
    let groups = groups(node)?;
    let n = groups.first().map_or(1, Vec::len);
    let divisor = if is_mean { n } else { 1 };
    if node.is_real() {
        let x = node.reals(0)?;
        let sum = |group: &Vec<usize>| {
            let sum = group.iter().fold(F::default(), |sum, &i| sum + x[i]);
            sum / F::of(divisor as f64)
        };
        return Ok(Values::Reals(groups.iter().map(sum).collect()));
    }
    let output = node.output();
    let ((x, _), (y, zero_point)) = (scale(node.input(0)?)?, scale(output)?);
    let mut factor = Rescale::new(f64::from(x) / f64::from(y));
    // The division is folded into the factor, with as many more bits as fit.
    let more = divisor
        .ilog2()
        .min(32)
        .min((31 + factor.shift).max(0) as u32);
    factor.q = (factor.q << more) / divisor as i64;
    factor.shift -= more as i32;
    let x = node.offset(0)?;
    let sums = groups.iter().map(|group| {
        let sum: i64 = group.iter().map(|&i| x[i]).sum();
        clamp(factor.apply(sum) + zero_point, limits(output.dtype))
    });
    Ok(Values::Integers(sums.collect()))
}

pub(super) fn mean<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    total(node, true)
}

pub(super) fn sum<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    total(node, false)
}

/// Product of each group, of real or plain numbers.
pub(super) fn product<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let groups = groups(node)?;
    if node.is_real() {
        let x = node.reals(0)?;
        let one = F::of(1.0);
        let products = groups
            .iter()
            .map(|group| group.iter().fold(one, |p, &i| p * x[i]));
        return Ok(Values::Reals(products.collect()));
    }
    if node.output().quant.is_some() {
        return Err("products of quantised numbers are not run".into());
    }
    let x = node.integers(0)?;
    let products = groups.iter().map(|group| {
        let product = group.iter().fold(1i64, |p, &i| p.wrapping_mul(x[i]));
        match node.output().dtype {
            DType::I32 => i64::from(product as i32),
            _ => product,
        }
    });
    Ok(Values::Integers(products.collect()))
}

/// The largest or smallest element of each group.
pub(super) fn extreme<F: Real>(node: &Node<'_, F>, largest: bool) -> Result<Values<F>, String> {
    fn pick<T: Copy + Default + PartialOrd>(x: &[T], group: &[usize], largest: bool) -> T {
        let values = group.iter().map(|&i| x[i]);
        let picked = values.reduce(|a, b| if (b > a) == largest { b } else { a });
        picked.unwrap_or_default()
    }
    let groups = groups(node)?;
    if node.is_real() {
        let x = node.reals(0)?;
        let picked = groups.iter().map(|group| pick(&x, group, largest));
        return Ok(Values::Reals(picked.collect()));
    }
    if node.input(0)?.quant != node.output().quant {
        return Err("its input and output have different scales".into());
    }
    let x = node.integers(0)?;
    let picked = groups.iter().map(|group| pick(x, group, largest));
    Ok(Values::Integers(picked.collect()))
}

/// Index of the largest or smallest element along an axis, the first among equals.
pub(super) fn arg_extreme<F: Real>(node: &Node<'_, F>, largest: bool) -> Result<Values<F>, String> {
    fn first<T: Copy + PartialOrd>(x: &[T], group: &[usize], largest: bool) -> i64 {
        let elements = group.iter().enumerate();
        let best = elements.reduce(|a, b| {
            let (a_value, b_value) = (x[*a.1], x[*b.1]);
            let better = match largest {
                true => b_value > a_value,
                false => b_value < a_value,
            };
            if better { b } else { a }
        });
        best.map_or(0, |(index, _)| index as i64)
    }
    let groups = groups(node)?;
    let found = match node.values(0)? {
        Values::Integers(x) => groups.iter().map(|g| first(x, g, largest)).collect(),
        Values::Reals(x) => groups.iter().map(|g| first(x, g, largest)).collect(),
    };
    Ok(Values::Integers(found))
}
