//! The float types of the executor.

use realfft::FftNum;

/// A float type that the executor computes with: `f64` is the `reference` numeric, `f32` the
/// `host` numeric.
pub trait Real: FftNum + PartialOrd + Default + sealed::Sealed {
    /// The nearest value.
    fn of(x: f64) -> Self;
    /// The same value.
    fn to_f64(self) -> f64;
    /// The same value.
    fn from_sample(x: f32) -> Self;
    /// The correctly rounded square root.
    fn sqrt(self) -> Self;
    /// Replaces each value by its natural logarithm: -inf for 0, NaN below 0.
    fn ln_in_place(values: &mut [Self]);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Real for f64 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn from_sample(x: f32) -> Self {
        f64::from(x)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }

    fn ln_in_place(values: &mut [Self]) {
        for x in values {
            *x = libm::log(*x);
        }
    }
}

impl Real for f32 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn from_sample(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn ln_in_place(values: &mut [Self]) {
        for x in values {
            *x = ln(*x);
        }
    }
}

/// `max(a, b)`; `b` when `a` is NaN. One instruction, unlike `f32::max`.
#[inline(always)]
pub(super) fn max<F: Real>(a: F, b: F) -> F {
    if a > b { a } else { b }
}

/// `min(a, b)`; `b` when `a` is NaN.
#[inline(always)]
pub(super) fn min<F: Real>(a: F, b: F) -> F {
    if a < b { a } else { b }
}

/// Natural logarithm without branches, so that loops over it become vector code: within 2 units
/// in the last place for all positive values, denormals included.
///
/// `x = m 2^e` with `m` in `[sqrt(1/2), sqrt(2))`, and with `s = (m - 1) / (m + 1)`
/// `ln m = 2 atanh(s) = 2 s + s^3 P(s^2)`; `P` is the Chebyshev interpolation of degree 2, whose
/// error is 3e-9 of the result.
#[inline(always)]
fn ln(x: f32) -> f32 {
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    // ln 2 in two parts; the product of the first with an exponent is exact.
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = (std::f64::consts::LN_2 - 355.0 / 512.0) as f32;

    let tiny = x < f32::MIN_POSITIVE;
    let bits = (if tiny { x * 8_388_608.0 } else { x }).to_bits();
    let exponent = (bits.wrapping_sub(SQRT_HALF_BITS) as i32) >> 23;
    let m = f32::from_bits(bits.wrapping_sub((exponent << 23) as u32));
    let e = (exponent - if tiny { 23 } else { 0 }) as f32;

    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let p = 0.666_666_87 + z * (0.399_887_8 + z * 0.295_799_5);
    let ln = e * LN_2_HIGH + (2.0 * s + (s * z * p + e * LN_2_LOW));

    let ln = if x == 0.0 { f32::NEG_INFINITY } else { ln };
    let ln = if x == f32::INFINITY { x } else { ln };
    if x >= 0.0 { ln } else { f32::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_logarithm_is_within_two_units_in_the_last_place() {
        // Every 97th positive float, from the smallest denormal to the largest number.
        for bits in (1..0x7f80_0000u32).step_by(97) {
            let x = f32::from_bits(bits);
            let exact = libm::log(f64::from(x));
            let ulp = (exact.abs() * f64::from(f32::EPSILON)).max(f64::from(f32::MIN_POSITIVE));
            let error = (f64::from(ln(x)) - exact).abs();
            assert!(error <= 2.0 * ulp, "ln({x:e}) = {} not {exact}", ln(x));
        }
    }

    #[test]
    fn the_own_logarithm_knows_the_special_values() {
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(0.0), f32::NEG_INFINITY);
        assert_eq!(ln(-0.0), f32::NEG_INFINITY);
        assert_eq!(ln(f32::INFINITY), f32::INFINITY);
        assert!(ln(-1.0).is_nan());
        assert!(ln(-1e-40).is_nan());
        assert!(ln(f32::NAN).is_nan());
        assert!(ln(f32::NEG_INFINITY).is_nan());
    }

    #[test]
    fn the_reference_logarithm_is_libm() {
        let mut x = [0.0, 1e-300, 0.5, 7.0];
        f64::ln_in_place(&mut x);
        assert_eq!(x[0], f64::NEG_INFINITY);
        assert_eq!(x[2], -std::f64::consts::LN_2);
        assert!((x[3] - 1.945_910_149_055_313_2).abs() < 1e-15);
    }
}
