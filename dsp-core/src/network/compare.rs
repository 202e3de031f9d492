//! Comparisons, and the choice between two tensors.

use super::Values;
use super::elementwise::broadcast;
use super::node::{Node, scale};
use super::rescale::Rescale;
use crate::executor::Real;
use std::cmp::Ordering;

/// Whether the order of two numbers is as the operator called `name` asks.
fn holds(name: &str, order: Option<Ordering>) -> Result<bool, String> {
    let Some(order) = order else {
        return Ok(name == "NOT_EQUAL");
    };
    Ok(match name {
        "EQUAL" => order.is_eq(),
        "NOT_EQUAL" => order.is_ne(),
        "GREATER" => order.is_gt(),
        "GREATER_EQUAL" => order.is_ge(),
        "LESS" => order.is_lt(),
        "LESS_EQUAL" => order.is_le(),
        _ => return Err(format!("{name} is no comparison")),
    })
}

pub(super) fn compare<F: Real>(node: &Node<'_, F>, name: &str) -> Result<Values<F>, String> {
    let output = &node.output().shape;
    let places = |i| -> Result<Vec<usize>, String> {
        broadcast(&node.input(i)?.shape, output).ok_or_else(|| node.shapes())
    };
    let places = places(0)?.into_iter().zip(places(1)?);
    let truths: Result<Vec<i64>, String> = match (node.values(0)?, node.values(1)?) {
        (Values::Integers(a), Values::Integers(b)) => {
            let side = |i: usize, values: &[i64]| -> Result<Vec<i64>, String> {
                if node.input(i)?.quant.is_none() {
                    return Ok(values.to_vec());
                }
                // Quantised numbers are compared as real ones with eight bits behind the point.
                let (scale, _) = scale(node.input(i)?)?;
                let factor = Rescale::new(scale.into());
                let values = node.offset(i)?.into_iter();
                Ok(values.map(|x| factor.apply(x << 8)).collect())
            };
            let (a, b) = (side(0, a)?, side(1, b)?);
            let truths = places.map(|(i, j)| holds(name, Some(a[i].cmp(&b[j]))).map(i64::from));
            truths.collect()
        }
        _ => {
            let (a, b) = (node.reals(0)?, node.reals(1)?);
            let truths = places.map(|(i, j)| holds(name, a[i].partial_cmp(&b[j])).map(i64::from));
            truths.collect()
        }
    };
    Ok(Values::Integers(truths?))
}

/// Input 1 where input 0 is true, else input 2.
pub(super) fn select<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let output = &node.output().shape;
    let places = |i| -> Result<Vec<usize>, String> {
        broadcast(&node.input(i)?.shape, output).ok_or_else(|| node.shapes())
    };
    let mask = node.integers(0)?;
    let (masks, a, b) = (places(0)?, places(1)?, places(2)?);
    let chosen = masks.into_iter().zip(a.into_iter().zip(b));
    let chosen = chosen.map(|(m, (i, j))| if mask[m] != 0 { (1, i) } else { (2, j) });
    if node.is_real() {
        let values = [node.reals(1)?, node.reals(2)?];
        return Ok(Values::Reals(
            chosen.map(|(which, i)| values[which - 1][i]).collect(),
        ));
    }
    if node.input(1)?.quant != node.output().quant || node.input(2)?.quant != node.output().quant {
        return Err("its inputs and output have different scales".into());
    }
    let values = [node.integers(1)?, node.integers(2)?];
    Ok(Values::Integers(
        chosen.map(|(which, i)| values[which - 1][i]).collect(),
    ))
}
