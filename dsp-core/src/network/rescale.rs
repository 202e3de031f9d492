//! Fixed-point factors and fused activations.

use super::node::scale;
use crate::executor::Real;
use otolith_tflite::{Activation, DType, Tensor};

/// A positive factor `q * 2^(shift - 31)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rescale {
    pub(super) q: i64,
    pub(super) shift: i32,
}

impl Rescale {
    /// The nearest factor with 31 bits.
    pub(super) fn new(factor: f64) -> Self {
        if factor == 0.0 {
            return Self { q: 0, shift: 0 };
        }
        let (fraction, shift) = libm::frexp(factor);
        let q = libm::round(libm::ldexp(fraction, 31)) as i64;
        match (q, shift) {
            (q, shift) if q == 1 << 31 => Self {
                q: 1 << 30,
                shift: shift + 1,
            },
            (_, ..-31) => Self { q: 0, shift: 0 },
            _ => Self { q, shift },
        }
    }

    /// `x` times the factor, rounded twice: the product to 32 bits, halves upwards, then the
    /// shift, halves away from zero.
    pub(super) fn apply(self, x: i64) -> i64 {
        let shifted = (x << self.shift.max(0)) as i32;
        divide_by_power(high_product(shifted.into(), self.q), (-self.shift).max(0))
    }

    /// `x` of up to 48 bits times the factor with 15 bits, rounded once, halves upwards: the
    /// form for accumulators of 64 bits.
    pub(super) fn apply_wide(self, x: i64) -> i64 {
        let q = if self.q < 0x7FFF_0000 {
            (self.q + (1 << 15)) >> 16
        } else {
            0x7FFF
        };
        let total = 15 - self.shift;
        (x * q + (1 << (total - 1))) >> total
    }
}

/// `a b / 2^31`, halves upwards: the doubling high product of 32-bit numbers.
pub(super) fn high_product(a: i64, b: i64) -> i64 {
    if a == i64::from(i32::MIN) && b == a {
        return i32::MAX.into();
    }
    let product = a * b;
    let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
    (product + nudge) / (1 << 31)
}

/// `x / 2^exponent`, halves away from zero.
pub(super) fn divide_by_power(x: i64, exponent: i32) -> i64 {
    let mask = (1 << exponent) - 1;
    let threshold = (mask >> 1) + i64::from(x < 0);
    (x >> exponent) + i64::from(x & mask > threshold)
}

/// Smallest and largest integer of a type.
pub(super) fn limits(dtype: DType) -> (i64, i64) {
    match dtype {
        DType::I8 => (-128, 127),
        DType::U8 => (0, 255),
        DType::I16 => (-32768, 32767),
        DType::I32 => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}

/// Smallest and largest integer of `tensor` behind a fused activation.
pub(super) fn clamp_of(activation: Activation, tensor: &Tensor) -> Result<(i64, i64), String> {
    let (low, high) = limits(tensor.dtype);
    let (scale, zero_point) = scale(tensor)?;
    let quantised = |x: f32| zero_point + libm::roundf(x / scale) as i64;
    Ok(match activation {
        Activation::None => (low, high),
        Activation::Relu => (low.max(quantised(0.0)), high),
        Activation::Relu6 => (low.max(quantised(0.0)), high.min(quantised(6.0))),
        Activation::ReluN1To1 => (low.max(quantised(-1.0)), high.min(quantised(1.0))),
        other => return Err(format!("the fused activation {other:?} is not run")),
    })
}

/// Saturates as the reference kernels do, lower limit first.
pub(super) fn clamp(x: i64, (low, high): (i64, i64)) -> i64 {
    x.max(low).min(high)
}

/// A fused activation of a real number.
pub(super) fn activate<F: Real>(activation: Activation, x: F) -> Result<F, String> {
    let (low, high) = match activation {
        Activation::None => return Ok(x),
        Activation::Relu => (0.0, f64::INFINITY),
        Activation::Relu6 => (0.0, 6.0),
        Activation::ReluN1To1 => (-1.0, 1.0),
        other => return Err(format!("the fused activation {other:?} is not run")),
    };
    let (low, high) = (F::of(low), F::of(high));
    Ok(if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_have_31_bits() {
        assert_eq!(
            Rescale::new(1.0),
            Rescale {
                q: 1 << 30,
                shift: 1
            }
        );
        assert_eq!(Rescale::new(0.0), Rescale { q: 0, shift: 0 });
        let almost_one = Rescale::new(1.0 - 1e-12);
        assert_eq!(
            almost_one,
            Rescale {
                q: 1 << 30,
                shift: 1
            }
        );
        for factor in [1e-9, 0.0123, 0.7, 3.3, 1000.0] {
            let Rescale { q, shift } = Rescale::new(factor);
            let back = libm::ldexp(q as f64, shift - 31);
            assert!((back / factor - 1.0).abs() < 1e-9, "{factor}");
        }
    }

    #[test]
    fn products_round_halves_upwards_and_shifts_away_from_zero() {
        let half = Rescale::new(0.5);
        let found: Vec<i64> = (-3..=3).map(|x| half.apply(x)).collect();
        assert_eq!(found, [-1, -1, 0, 0, 1, 1, 2]);
        assert_eq!(divide_by_power(-6, 2), -2);
        assert_eq!(divide_by_power(6, 2), 2);
        // The form for wide accumulators rounds as the product.
        let found: Vec<i64> = (-3..=3).map(|x| half.apply_wide(x)).collect();
        assert_eq!(found, [-1, -1, 0, 0, 1, 1, 2]);
    }
}
