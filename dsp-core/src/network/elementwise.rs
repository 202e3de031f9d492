//! Operators of two tensors with broadcasting, and of one.

use super::Values;
use super::functions::one_over_one_plus;
use super::node::{Node, scale};
use super::rescale::{Rescale, activate, clamp, clamp_of, divide_by_power, high_product, limits};
use crate::executor::Real;
use otolith_tflite::{Activation, DType, Options};

/// For each element of `output`, its place in a tensor of shape `input` by numpy's rule: shapes
/// are aligned at their last dimension, and a dimension of 1 is repeated.
pub(super) fn broadcast(input: &[usize], output: &[usize]) -> Option<Vec<usize>> {
    let missing = output.len().checked_sub(input.len())?;
    let mut places = vec![0];
    let mut stride = 1;
    // From the last dimension to the first: each one repeats what is there.
    for (axis, &size) in output.iter().enumerate().rev() {
        let own = axis.checked_sub(missing).map_or(1, |axis| input[axis]);
        if own != 1 && own != size {
            return None;
        }
        let step = if own == 1 { 0 } else { stride };
        places = (0..size)
            .flat_map(|i| places.iter().map(move |place| i * step + place))
            .collect();
        stride *= own;
    }
    Some(places)
}

/// Applies `combine` to each pair of elements.
fn pairs<F: Real, T: Copy>(
    node: &Node<'_, F>,
    a: &[T],
    b: &[T],
    combine: impl Fn(T, T) -> T,
) -> Result<Vec<T>, String> {
    let output = &node.output().shape;
    let places = |i| -> Result<Vec<usize>, String> {
        broadcast(&node.input(i)?.shape, output).ok_or_else(|| node.shapes())
    };
    let (left, right) = (places(0)?, places(1)?);
    let places = left.into_iter().zip(right);
    Ok(places.map(|(i, j)| combine(a[i], b[j])).collect())
}

fn activation<F: Real>(node: &Node<'_, F>) -> Activation {
    match node.op.options {
        Options::Add { activation }
        | Options::Sub { activation }
        | Options::Mul { activation }
        | Options::Div { activation } => activation,
        _ => Activation::None,
    }
}

fn finish_reals<F: Real>(node: &Node<'_, F>, values: Vec<F>) -> Result<Values<F>, String> {
    let activation = activation(node);
    let values = values.into_iter().map(|x| activate(activation, x));
    Ok(Values::Reals(values.collect::<Result<_, _>>()?))
}

/// Whether an operator works on plain numbers of int32.
fn is_plain<F: Real>(node: &Node<'_, F>) -> bool {
    let output = node.output();
    output.dtype == DType::I32 && output.quant.is_none()
}

/// An operator on plain numbers, whose results keep 32 bits.
fn plain<F: Real>(
    node: &Node<'_, F>,
    combine: impl Fn(i64, i64) -> i64,
) -> Result<Values<F>, String> {
    let limits = match activation(node) {
        Activation::None => (i64::MIN, i64::MAX),
        Activation::Relu => (0, i64::MAX),
        Activation::Relu6 => (0, 6),
        Activation::ReluN1To1 => (-1, 1),
        other => return Err(format!("the fused activation {other:?} is not run")),
    };
    let results = pairs(node, node.integers(0)?, node.integers(1)?, |a, b| {
        clamp(i64::from(combine(a, b) as i32), limits)
    })?;
    Ok(Values::Integers(results))
}

/// Quotient.
pub(super) fn div<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        let quotients = pairs(node, &node.reals(0)?, &node.reals(1)?, |a, b| a / b)?;
        return finish_reals(node, quotients);
    }
    if is_plain(node) {
        return plain(node, |a, b| if b == 0 { 0 } else { a / b });
    }
    let output = node.output();
    let [(a, _), (b, _), (y, zero_point)] = [
        scale(node.input(0)?)?,
        scale(node.input(1)?)?,
        scale(output)?,
    ];
    // The quotient of the scales is taken in f32.
    let factor = Rescale::new(f64::from(a / (b * y)));
    let limits = clamp_of(activation(node), output)?;
    let quotients = pairs(node, &node.offset(0)?, &node.offset(1)?, |a, b| {
        clamp(quotient(a, b, factor) + zero_point, limits)
    })?;
    Ok(Values::Integers(quotients))
}

/// `a / b` times a factor: the reciprocal of b in 31 bits, times a with all of its bits, times the factor.
/// 0 for `b = 0`, which the reference kernels do not allow.
fn quotient(a: i64, b: i64, factor: Rescale) -> i64 {
    if b == 0 {
        return 0;
    }
    let (a, b) = (a * b.signum(), b.abs());
    // b is 2^bits (1 + fraction), with the fraction in Q0.31.
    let bits = b.ilog2() as i32;
    let fraction = (b << (31 - bits)) - (1 << 31);
    let reciprocal = one_over_one_plus(fraction);
    let headroom = match a {
        ..0 => (a as i32).leading_ones() as i32 - 1,
        _ => (a as i32).leading_zeros() as i32 - 1,
    };
    let product = high_product(a << headroom, reciprocal);
    let rounded = high_product(product, factor.q);
    match bits + headroom - factor.shift {
        exponent @ 0..32 => divide_by_power(rounded, exponent),
        // Less than half a unit.
        _ => 0,
    }
}

/// Sum, or difference for `sign` -1.
pub(super) fn add<F: Real>(node: &Node<'_, F>, sign: i64) -> Result<Values<F>, String> {
    if node.is_real() {
        let sign = F::of(sign as f64);
        let sums = pairs(node, &node.reals(0)?, &node.reals(1)?, |a, b| a + sign * b)?;
        return finish_reals(node, sums);
    }
    if is_plain(node) {
        return plain(node, |a, b| a + sign * b);
    }
    let output = node.output();
    let [(a, _), (b, _), (y, zero_point)] = [
        scale(node.input(0)?)?,
        scale(node.input(1)?)?,
        scale(output)?,
    ];
    let [a, b, y] = [a, b, y].map(f64::from);
    // Both terms are brought to half the larger scale with spare bits behind the point.
    let bits = if output.dtype == DType::I16 { 15 } else { 20 };
    let twice = 2.0 * a.max(b);
    let [a, b] = [a, b].map(|scale| Rescale::new(scale / twice));
    let out = Rescale::new(twice / (libm::ldexp(1.0, bits) * y));
    let limits = clamp_of(activation(node), output)?;
    let sums = pairs(node, &node.offset(0)?, &node.offset(1)?, |x, y| {
        let sum = a.apply(x << bits) + sign * b.apply(y << bits);
        clamp(out.apply(sum) + zero_point, limits)
    })?;
    Ok(Values::Integers(sums))
}

/// `(a - b)^2`.
pub(super) fn squared_difference<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        let squares = pairs(node, &node.reals(0)?, &node.reals(1)?, |a, b| {
            (a - b) * (a - b)
        })?;
        return Ok(Values::Reals(squares));
    }
    let output = node.output();
    let [(a, _), (b, _), (y, zero_point)] = [
        scale(node.input(0)?)?,
        scale(node.input(1)?)?,
        scale(output)?,
    ];
    let [a, b, y] = [a, b, y].map(f64::from);
    // Both terms are brought to half the larger scale with seven bits behind the point.
    let twice = 2.0 * a.max(b);
    let [a, b] = [a, b].map(|scale| Rescale::new(scale / twice));
    let out = Rescale::new(twice * twice / (libm::ldexp(1.0, 14) * y));
    let limits = limits(output.dtype);
    let squares = pairs(node, &node.offset(0)?, &node.offset(1)?, |x, y| {
        let difference = a.apply(x << 7) - b.apply(y << 7);
        clamp(out.apply(difference * difference) + zero_point, limits)
    })?;
    Ok(Values::Integers(squares))
}

/// `a`, times `b` below 0.
pub(super) fn prelu<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        let values = pairs(node, &node.reals(0)?, &node.reals(1)?, |a, b| {
            if a < F::default() { a * b } else { a }
        })?;
        return Ok(Values::Reals(values));
    }
    let output = node.output();
    let [(a, _), (b, _), (y, zero_point)] = [
        scale(node.input(0)?)?,
        scale(node.input(1)?)?,
        scale(output)?,
    ];
    let identity = Rescale::new(f64::from(a) / f64::from(y));
    let slope = Rescale::new(f64::from(a) * f64::from(b) / f64::from(y));
    let limits = limits(output.dtype);
    let values = pairs(node, &node.offset(0)?, &node.offset(1)?, |a, b| {
        let scaled = match a {
            0.. => identity.apply(a),
            _ => slope.apply(a * b),
        };
        clamp(scaled + zero_point, limits)
    })?;
    Ok(Values::Integers(values))
}

pub(super) fn mul<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        let products = pairs(node, &node.reals(0)?, &node.reals(1)?, |a, b| a * b)?;
        return finish_reals(node, products);
    }
    if is_plain(node) {
        return plain(node, |a, b| a * b);
    }
    let output = node.output();
    let [(a, _), (b, _), (y, zero_point)] = [
        scale(node.input(0)?)?,
        scale(node.input(1)?)?,
        scale(output)?,
    ];
    let factor = Rescale::new(f64::from(a) * f64::from(b) / f64::from(y));
    let limits = clamp_of(activation(node), output)?;
    let products = pairs(node, &node.offset(0)?, &node.offset(1)?, |a, b| {
        clamp(factor.apply(a * b) + zero_point, limits)
    })?;
    Ok(Values::Integers(products))
}

/// The larger or the smaller of two elements.
pub(super) fn extreme<F: Real>(node: &Node<'_, F>, larger: bool) -> Result<Values<F>, String> {
    fn pick<T: PartialOrd>(a: T, b: T, larger: bool) -> T {
        if (b > a) == larger { b } else { a }
    }
    if node.is_real() {
        let (a, b) = (node.reals(0)?, node.reals(1)?);
        return Ok(Values::Reals(pairs(node, &a, &b, |a, b| {
            pick(a, b, larger)
        })?));
    }
    let tensors = [node.input(0)?, node.input(1)?, node.output()];
    if tensors.iter().any(|t| t.quant != tensors[0].quant) {
        return Err("its inputs and output have different scales".into());
    }
    let (a, b) = (node.integers(0)?, node.integers(1)?);
    Ok(Values::Integers(pairs(node, a, b, |a, b| {
        pick(a, b, larger)
    })?))
}

pub(super) fn relu<F: Real>(node: &Node<'_, F>, name: &str) -> Result<Values<F>, String> {
    let activation = match name {
        "RELU" => Activation::Relu,
        "RELU6" => Activation::Relu6,
        _ => Activation::ReluN1To1,
    };
    if node.is_real() {
        let values = node.reals(0)?.into_iter().map(|x| activate(activation, x));
        return Ok(Values::Reals(values.collect::<Result<_, _>>()?));
    }
    let output = node.output();
    let ((x, _), (y, zero_point)) = (scale(node.input(0)?)?, scale(output)?);
    let factor = Rescale::new(f64::from(x) / f64::from(y));
    let limits = clamp_of(activation, output)?;
    let values = node.offset(0)?.into_iter();
    let values = values.map(|x| clamp(factor.apply(x) + zero_point, limits));
    Ok(Values::Integers(values.collect()))
}

/// `x`, times alpha below 0.
pub(super) fn leaky_relu<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let Options::LeakyRelu { alpha } = node.op.options else {
        return Err("its options are missing".into());
    };
    if node.is_real() {
        let slope = F::from_sample(alpha);
        let values = node.reals(0)?.into_iter();
        let values = values.map(|x| if x < F::default() { slope * x } else { x });
        return Ok(Values::Reals(values.collect()));
    }
    let output = node.output();
    let ((x, _), (y, zero_point)) = (scale(node.input(0)?)?, scale(output)?);
    let identity = Rescale::new(f64::from(x) / f64::from(y));
    let slope = Rescale::new(f64::from(x) * f64::from(alpha) / f64::from(y));
    let values = node.offset(0)?.into_iter().map(|x| {
        let scaled = if x < 0 {
            slope.apply(x)
        } else {
            identity.apply(x)
        };
        clamp(scaled + zero_point, limits(output.dtype))
    });
    Ok(Values::Integers(values.collect()))
}

/// `x * min(max(x + 3, 0), 6) / 6`.
pub(super) fn hard_swish<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        let values = node.reals(0)?.into_iter().map(|x| {
            let gate = activate(Activation::Relu6, x + F::of(3.0))?;
            Ok(x * gate / F::of(6.0))
        });
        return Ok(Values::Reals(values.collect::<Result<_, String>>()?));
    }
    let output = node.output();
    let ((x, _), (y, zero_point)) = (scale(node.input(0)?)?, scale(output)?);
    // Factors with 15 bits; the input has 7 spare bits, and the gate runs over 3 units.
    let narrow = |factor: f32| {
        let Rescale { q, shift } = Rescale::new(f64::from(factor));
        let q = if q < 0x7FFF_0000 {
            (q + (1 << 15)) >> 16
        } else {
            0x7FFF
        };
        (q, shift)
    };
    let fine = x / 128.0;
    let (out_q, out_shift) = narrow(fine / y);
    let (gate_q, gate_shift) = narrow(fine / (3.0 / 32768.0));
    let saturate = |x: i64| clamp(x, limits(DType::I16));
    let rounded = |a: i64, b: i64| saturate((a * b + (1 << 14)) >> 15);
    let values = node.offset(0)?.into_iter().map(|x| {
        let x = x * 128;
        let before = rounded(x, out_q);
        let mut gate = x;
        if gate_shift > 0 {
            gate = saturate(gate << (gate_shift - 1));
        }
        gate = rounded(gate, gate_q);
        if gate_shift > 0 {
            gate = saturate(gate << 1);
        }
        gate = divide_by_power(gate, (-gate_shift).max(0));
        let gate = (gate + 32768) >> 1;
        // The last product is truncated towards zero, not rounded.
        let product = saturate(gate * before / 32768);
        let product = divide_by_power(product, (-out_shift).max(0));
        clamp(product + zero_point, limits(output.dtype))
    });
    Ok(Values::Integers(values.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        assert_eq!(broadcast(&[3], &[2, 3]), Some(vec![0, 1, 2, 0, 1, 2]));
        assert_eq!(broadcast(&[2, 1], &[2, 3]), Some(vec![0, 0, 0, 1, 1, 1]));
        assert_eq!(broadcast(&[], &[2]), Some(vec![0, 0]));
        assert_eq!(broadcast(&[2], &[3]), None);
        assert_eq!(broadcast(&[1, 2], &[2]), None);
    }
}
