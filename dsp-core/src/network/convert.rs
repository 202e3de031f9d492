//! Between number formats.

use super::Values;
use super::node::{Node, scale};
use super::rescale::{Rescale, clamp, limits};
use crate::executor::Real;
use otolith_tflite::DType;

pub(super) fn quantize<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        return Ok(Values::Reals(node.reals(0)?));
    }
    let output = node.output();
    let (y, zero_point) = scale(output)?;
    let limits = limits(output.dtype);
    let quantised: Vec<i64> = match node.values(0)? {
        Values::Reals(reals) => {
            let quantised = reals.iter().map(|&x| {
                let steps = libm::round((x / F::from_sample(y)).to_f64());
                clamp((steps as i64).saturating_add(zero_point), limits)
            });
            quantised.collect()
        }
        Values::Integers(_) => {
            let (x, _) = scale(node.input(0)?)?;
            let factor = Rescale::new(f64::from(x) / f64::from(y));
            let values = node.offset(0)?.into_iter();
            let scaled = values.map(|x| clamp(factor.apply(x) + zero_point, limits));
            scaled.collect()
        }
    };
    Ok(Values::Integers(quantised))
}

pub(super) fn dequantize<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let input = node.input(0)?;
    if node.output().dtype != DType::F32 {
        return Err(format!(
            "its output is {}, allowed is float32",
            node.output().dtype
        ));
    }
    match node.values(0)? {
        Values::Reals(reals) => Ok(Values::Reals(reals.clone())),
        Values::Integers(integers) => {
            let (x, zero_point) = scale(input)?;
            // The product is rounded once, to the float type.
            let reals = integers
                .iter()
                .map(|q| F::from_sample(x) * F::of((q - zero_point) as f64));
            Ok(Values::Reals(reals.collect()))
        }
    }
}

/// The same numbers in another type: low bits of an integer, real numbers rounded towards zero.
pub(super) fn cast<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let to = node.output().dtype;
    match (node.values(0)?, to) {
        (Values::Integers(x), DType::F32) => {
            Ok(Values::Reals(x.iter().map(|&x| F::of(x as f64)).collect()))
        }
        (Values::Reals(x), DType::F32) => Ok(Values::Reals(x.clone())),
        (values, to) => {
            let whole: Vec<i64> = match values {
                Values::Integers(x) => x.clone(),
                Values::Reals(x) => x.iter().map(|x| x.to_f64() as i64).collect(),
            };
            let narrow = |x: &i64| {
                Ok(match to {
                    DType::I8 => i64::from(*x as i8),
                    DType::U8 => i64::from(*x as u8),
                    DType::I16 => i64::from(*x as i16),
                    DType::I32 => i64::from(*x as i32),
                    DType::U32 => i64::from(*x as u32),
                    DType::I64 | DType::U64 => *x,
                    other => return Err(format!("it casts to {other}")),
                })
            };
            let whole = whole.iter().map(narrow);
            Ok(Values::Integers(whole.collect::<Result<_, String>>()?))
        }
    }
}
