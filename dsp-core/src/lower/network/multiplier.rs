//! Real factors and activations as the integers that the network operators take.

use otolith_tflite::Activation;

/// A factor `q * 2^(shift - 31)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Multiplier {
    pub(super) q: i32,
    pub(super) shift: i32,
}

impl Multiplier {
    /// TFLite's `QuantizeMultiplier`: `q` is the mantissa of `real` rounded to 31 bits, ties away
    /// from zero; factors below 2^-32 become 0.
    pub(super) fn new(real: f64) -> Self {
        if real == 0.0 {
            return Self { q: 0, shift: 0 };
        }
        let (fraction, mut shift) = libm::frexp(real);
        let mut q = libm::round(fraction * libm::ldexp(1.0, 31)) as i64;
        if q == 1 << 31 {
            q /= 2;
            shift += 1;
        }
        if shift < -31 {
            return Self { q: 0, shift: 0 };
        }
        Self { q: q as i32, shift }
    }
}

/// The clamp of a fused activation on an int8 output, `None` for an activation that cannot be
/// fused.
pub(super) fn int8_clamp(
    activation: Activation,
    scale: f32,
    zero_point: i32,
) -> Option<(i32, i32)> {
    let limits = (i32::from(i8::MIN), i32::from(i8::MAX));
    clamp(activation, limits, scale, zero_point)
}

/// The clamp of a fused activation on an output with the limits of its type.
pub(super) fn clamp(
    activation: Activation,
    (lowest, highest): (i32, i32),
    scale: f32,
    zero_point: i32,
) -> Option<(i32, i32)> {
    let quantized = |real: f32| zero_point.saturating_add(libm::roundf(real / scale) as i32);
    Some(match activation {
        Activation::None => (lowest, highest),
        Activation::Relu => (lowest.max(quantized(0.0)), highest),
        Activation::Relu6 => (lowest.max(quantized(0.0)), highest.min(quantized(6.0))),
        Activation::ReluN1To1 => (lowest.max(quantized(-1.0)), highest.min(quantized(1.0))),
        Activation::Other(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_multipliers() {
        let of = |m: f64| {
            let Multiplier { q, shift } = Multiplier::new(m);
            (q, shift)
        };
        assert_eq!(of(0.0), (0, 0));
        assert_eq!(of(1.0), (1 << 30, 1));
        assert_eq!(of(0.5), (1 << 30, 0));
        assert_eq!(of(0.75), (3 << 29, 0));
        // The mantissa rounds up to 1: one half with the next exponent.
        assert_eq!(of(1.0 - 1e-12), (1 << 30, 1));
        assert_eq!(of(1e-12), (0, 0));
    }

    proptest! {
        #[test]
        fn multipliers_are_within_half_a_unit(m in 1e-9f64..1e6) {
            let Multiplier { q, shift } = Multiplier::new(m);
            let value = f64::from(q) * libm::ldexp(1.0, shift - 31);
            prop_assert!((value / m - 1.0).abs() <= libm::ldexp(1.0, -31));
            prop_assert!(q >= 1 << 30);
        }
    }

    #[test]
    fn clamps_of_activations() {
        assert_eq!(int8_clamp(Activation::None, 0.1, 5), Some((-128, 127)));
        assert_eq!(int8_clamp(Activation::Relu, 0.1, 5), Some((5, 127)));
        assert_eq!(int8_clamp(Activation::Relu6, 0.1, -128), Some((-128, -68)));
        assert_eq!(int8_clamp(Activation::ReluN1To1, 0.25, 0), Some((-4, 4)));
        assert_eq!(int8_clamp(Activation::Other(4), 0.1, 0), None);
    }
}
