//! Logistic, tanh and softmax, in fixed point and over real numbers.

use super::Values;
use super::node::{Node, scale};
use super::rescale::{Rescale, clamp, divide_by_power, high_product, limits};
use crate::executor::Real;
use otolith_tflite::{DType, Options};

/// 1 in Q0.31, saturated.
const ONE: i64 = i32::MAX as i64;

fn saturate(x: i64) -> i64 {
    clamp(x, limits(DType::I32))
}

/// `e^x` in Q0.31 for `x <= 0` with `integer_bits` before the point.
///
/// The fraction below a quarter goes through a polynomial of degree 4 about -1/8, each bit above
/// it through one product.
fn exp_of_negative(x: i64, integer_bits: u32) -> i64 {
    /// `e^-2^k` for k from -2, in Q0.31.
    const FACTORS: [i64; 7] = [
        1_672_461_947,
        1_302_514_674,
        790_015_084,
        290_630_308,
        39_332_535,
        720_401,
        242,
    ];
    if x == 0 {
        return ONE;
    }
    let fraction_bits = 31 - integer_bits;
    let quarter = 1i64 << (fraction_bits - 2);
    let fraction = (x & (quarter - 1)) - quarter;
    // e^-1/8 times the series at t = fraction + 1/8.
    let t = (fraction << integer_bits) + (1 << 28);
    let t2 = high_product(t, t);
    let t3 = high_product(t2, t);
    let t4 = high_product(t2, t2);
    let third = 715_827_883;
    let high_terms = divide_by_power(high_product(divide_by_power(t4, 2) + t3, third) + t2, 1);
    let of_eighth = 1_895_147_668;
    let mut result = saturate(of_eighth + high_product(of_eighth, t + high_terms));
    let remainder = fraction - x;
    for (k, factor) in FACTORS.iter().enumerate() {
        let bit = fraction_bits as usize - 2 + k;
        if bit < 31 && remainder >> bit & 1 == 1 {
            result = high_product(result, *factor);
        }
    }
    result
}

/// `1 / h` in Q2.29 for `h` from 1/2 to 1 in Q0.31: three steps of Newton's method.
fn reciprocal(h: i64) -> i64 {
    // 48/17 - 32/17 h.
    let mut y = 1_515_870_810 + high_product(h, -1_010_580_540);
    for _ in 0..3 {
        let error = (1 << 29) - high_product(h, y);
        y += saturate(high_product(y, error) << 2);
    }
    y
}

/// `(1 + x) / 2`, halves upwards, for `x` from 0 to 1 in Q0.31.
fn half_of_one_plus(x: i64) -> i64 {
    (x + ONE + 1) / 2
}

/// `1 / (1 + x)` in Q0.31.
pub(super) fn one_over_one_plus(x: i64) -> i64 {
    saturate(reciprocal(half_of_one_plus(x)) << 1)
}

/// `(1 - x) / (1 + x)` in Q0.31.
fn one_minus_over_one_plus(x: i64) -> i64 {
    saturate((reciprocal(half_of_one_plus(x)) - (1 << 29)) << 2)
}

/// `1 / (1 + e^-x)` in Q0.31 for `x` in Q4.27.
fn logistic_of(x: i64) -> i64 {
    if x == 0 {
        return 1 << 30;
    }
    let of_magnitude = one_over_one_plus(exp_of_negative(-x.abs(), 4));
    if x > 0 {
        of_magnitude
    } else {
        ONE - of_magnitude
    }
}

/// `tanh x` in Q0.31 for `x` in Q4.27.
fn tanh_of(x: i64) -> i64 {
    if x == 0 {
        return 0;
    }
    // The doubled number has one integer bit more.
    let of_magnitude = one_minus_over_one_plus(exp_of_negative(-x.abs(), 5));
    if x > 0 { of_magnitude } else { -of_magnitude }
}

/// A sigmoid function of int8: the input goes to Q4.27 and saturates beyond 15 of its units.
fn sigmoid<F: Real>(
    node: &Node<'_, F>,
    function: fn(i64) -> i64,
    output_bits: i32,
) -> Result<Values<F>, String> {
    let output = node.output();
    let (input_scale, _) = scale(node.input(0)?)?;
    let (_, zero_point) = scale(output)?;
    if node.input(0)?.dtype != DType::I8 || output.dtype != DType::I8 {
        return Err(format!("its output is {}, allowed is int8", output.dtype));
    }
    let factor = Rescale::new(f64::from(input_scale) * libm::ldexp(1.0, 27));
    let radius = libm::floor(15.0 * libm::ldexp(1.0, 27 - factor.shift)) as i64;
    let (low, high) = limits(DType::I8);
    let values = node.offset(0)?.into_iter().map(|x| {
        if x <= -radius {
            low
        } else if x >= radius {
            high
        } else {
            let y = divide_by_power(function(factor.apply(x)), 31 - output_bits);
            clamp(y + zero_point, (low, high))
        }
    });
    Ok(Values::Integers(values.collect()))
}

pub(super) fn logistic<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        let values = node.reals(0)?.into_iter();
        let values = values.map(|x| F::of(1.0 / (1.0 + libm::exp(-x.to_f64()))));
        return Ok(Values::Reals(values.collect()));
    }
    sigmoid(node, logistic_of, 8)
}

pub(super) fn tanh<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        let values = node.reals(0)?.into_iter();
        let values = values.map(|x| F::of(libm::tanh(x.to_f64())));
        return Ok(Values::Reals(values.collect()));
    }
    sigmoid(node, tanh_of, 7)
}

/// A function of int8 by a table: the input dequantised to f32, the result times the inverse of
/// the output's scale, rounded.
pub(super) fn lookup<F: Real>(node: &Node<'_, F>, name: &str) -> Result<Values<F>, String> {
    let function: fn(f64) -> f64 = match (name, &node.op.options) {
        ("EXP", _) => libm::exp,
        ("LOG", _) => libm::log,
        ("SQRT", _) => libm::sqrt,
        ("SQUARE", _) => |x| x * x,
        ("SIN", _) => libm::sin,
        ("COS", _) => libm::cos,
        ("NEG", _) => |x| -x,
        ("FLOOR", _) => libm::floor,
        ("CEIL", _) => libm::ceil,
        ("ROUND", _) => libm::rint,
        ("ELU", _) => |x| if x < 0.0 { libm::expm1(x) } else { x },
        ("GELU", Options::Gelu { approximate: false }) => {
            |x| 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))
        }
        ("GELU", _) => |x| {
            let inner = libm::sqrt(2.0 / std::f64::consts::PI) * (x + 0.044_715 * x * x * x);
            0.5 * x * (1.0 + libm::tanh(inner))
        },
        _ => return Err(format!("the function {name} is not run")),
    };
    if node.is_real() {
        let values = node.reals(0)?.into_iter();
        return Ok(Values::Reals(
            values.map(|x| F::of(function(x.to_f64()))).collect(),
        ));
    }
    let output = node.output();
    let ((input_scale, _), (y, zero_point)) = (scale(node.input(0)?)?, scale(output)?);
    let inverse = 1.0 / y;
    let values = node.offset(0)?.into_iter().map(|x| {
        let result = function((input_scale * x as f32).into()) as f32;
        let steps = libm::roundf(result * inverse) as i64;
        clamp(steps.saturating_add(zero_point), limits(output.dtype))
    });
    Ok(Values::Integers(values.collect()))
}

/// The magnitude.
pub(super) fn abs<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        let zero = F::default();
        let values = node.reals(0)?.into_iter();
        let values = values.map(|x| if x < zero { zero - x } else { x });
        return Ok(Values::Reals(values.collect()));
    }
    let output = node.output();
    let ((x, _), (y, zero_point)) = (scale(node.input(0)?)?, scale(output)?);
    let factor = Rescale::new(f64::from(x) / f64::from(y));
    let values = node.offset(0)?.into_iter().map(|x| {
        let scaled = factor.apply(x.abs()) + zero_point;
        clamp(scaled, limits(output.dtype))
    });
    Ok(Values::Integers(values.collect()))
}

/// `1 / sqrt(x)`; the largest number for 0.
pub(super) fn rsqrt<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    if node.is_real() {
        let values = node.reals(0)?.into_iter();
        let values = values.map(|x| F::of(1.0 / libm::sqrt(x.to_f64())));
        return Ok(Values::Reals(values.collect()));
    }
    let output = node.output();
    let ((x, _), (y, zero_point)) = (scale(node.input(0)?)?, scale(output)?);
    let (low, high) = limits(output.dtype);
    // The root and the product of the scales are taken in f32.
    let factor = Rescale::new(1.0 / f64::from(libm::sqrtf(x) * y));
    // The root keeps 20 bits behind the point.
    let values = node.offset(0)?.into_iter().map(|x| match x {
        0 => high,
        _ => {
            // Numbers below 0, which the reference kernels refuse, count as 1.
            let mut root = inverse_root(x.max(1));
            root.shift += 20;
            let mut factor = factor;
            factor.shift -= 20;
            clamp(factor.apply(root.apply(1)) + zero_point, (low, high))
        }
    });
    Ok(Values::Integers(values.collect()))
}

/// `1 / sqrt(x)` as a factor, for `x` from 1: with `x = h 4^k`, five steps of Newton's method for the
/// root of `h`, which starts at 1 and is held with three bits in front of the point.
fn inverse_root(x: i64) -> Rescale {
    if x == 1 {
        return Rescale { q: ONE, shift: 0 };
    }
    let (mut h, mut pairs) = (x, 11);
    while h < 1 << 27 {
        h <<= 2;
        pairs -= 1;
    }
    // Numbers of 30 bits and more do not occur.
    let half = divide_by_power(h >> 1, 1);
    let mut root = 1 << 28;
    for _ in 0..5 {
        let cube = saturate(high_product(high_product(root, root), root) << 6);
        let step = high_product(3 << 27, root) - high_product(half, cube);
        root = saturate(step << 3);
    }
    let root_of_half = 1_518_500_250;
    let q = high_product(root, root_of_half);
    match pairs {
        ..0 => Rescale {
            q: q << -pairs,
            shift: 0,
        },
        _ => Rescale { q, shift: -pairs },
    }
}

pub(super) fn softmax<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::Softmax { beta } = &node.op.options else {
        return Err("its options are missing".into());
    };
    let input = node.input(0)?;
    let row = input.shape.last().copied().unwrap_or(1);
    if node.is_real() {
        let mut values = node.reals(0)?;
        for row in values.chunks_mut(row) {
            let largest = row.iter().fold(f64::NEG_INFINITY, |m, x| m.max(x.to_f64()));
            for x in row.iter_mut() {
                *x = F::of(libm::exp((x.to_f64() - largest) * f64::from(beta)));
            }
            let sum = row.iter().fold(F::default(), |sum, &x| sum + x);
            for x in row.iter_mut() {
                *x = *x / sum;
            }
        }
        return Ok(Values::Reals(values));
    }
    let output = node.output();
    if (input.dtype, output.dtype) != (DType::I8, DType::I8)
        || scale(output)? != (1.0 / 256.0, -128)
    {
        return Err("its output is not int8 with scale 1/256 and zero point -128".into());
    }
    let (input_scale, _) = scale(input)?;
    let factor = f64::from(beta) * f64::from(input_scale) * libm::ldexp(1.0, 26);
    let factor = Rescale::new(factor.min(libm::ldexp(1.0, 31) - 1.0));
    let smallest = -libm::floor(31.0 * libm::ldexp(1.0, 26 - factor.shift)) as i64;
    let mut values = Vec::new();
    for row in node.integers(0)?.chunks(row) {
        let largest = row.iter().copied().max().unwrap_or_default();
        // Q5.26 to Q0.31; the sum has 12 integer bits.
        let exp = |x: i64| {
            let difference = x - largest;
            (difference >= smallest).then(|| exp_of_negative(factor.apply(difference), 5))
        };
        let terms = row.iter().filter_map(|&x| exp(x));
        let sum: i64 = terms.map(|e| divide_by_power(e, 12)).sum();
        let headroom = (sum as u32).leading_zeros();
        let shifted = (sum << headroom) - (1 << 31);
        let inverse = one_over_one_plus(shifted);
        let shift = 12 - headroom as i32 + 31 - 8;
        values.extend(row.iter().map(|&x| match exp(x) {
            Some(e) => clamp(
                divide_by_power(high_product(inverse, e), shift) - 128,
                (-128, 127),
            ),
            None => -128,
        }));
    }
    Ok(Values::Integers(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every function against its definition in f64, at the precision of 31 bits less the error
    /// of its polynomials.
    #[test]
    fn fixed_point_functions_follow_their_definitions() {
        let q31 = libm::ldexp(1.0, 31);
        for step in 0..20_000 {
            let x = -f64::from(step) * 15.9 / 20_000.0;
            let fixed = (x * libm::ldexp(1.0, 27)) as i64;
            let x = fixed as f64 / libm::ldexp(1.0, 27);
            let near = |found: i64, want: f64, bound: f64| {
                let error = (found as f64 / q31 - want).abs();
                assert!(error < bound, "{x}: {found} for {want}");
            };
            near(exp_of_negative(fixed, 4), libm::exp(x), 1e-6);
            near(logistic_of(fixed), 1.0 / (1.0 + libm::exp(-x)), 1e-6);
            near(logistic_of(-fixed), 1.0 / (1.0 + libm::exp(x)), 1e-6);
            near(tanh_of(fixed), libm::tanh(x), 2e-6);
            near(tanh_of(-fixed), libm::tanh(-x), 2e-6);
        }
    }
}
