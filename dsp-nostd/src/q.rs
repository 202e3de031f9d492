//! The rounding law of the DSP operators: the only place that shifts right or narrows.
//!
//! * [`shr`]: `floor(x / 2^n + 1/2)`, that is add half, then shift arithmetically. Ties go up.
//!   [`mul_q32`] rounds a product the same way.
//! * [`half`], [`mul_i16`], [`mul_u16`] round down: inside an FFT or a filter bank, where the bias
//!   of half a unit was measured not to matter and the rounding would cost an instruction.
//! * [`narrow_i16`], [`narrow_i8`]: saturate.
//! * [`add`], [`sub`]: sums whose headroom the plan's maker has proven. They wrap, so that a hostile
//!   plan gives wrong numbers and nothing worse.
//!
//! With the `checked` feature, each value that saturates and each sum that wraps is counted.
//! * [`f32_to_i16`]: nearest, ties away from zero, saturating; NaN gives 0.
//!
//! The int8 network operators follow the TFLite reference's rounding instead; it has its own one
//! home in the `classifier` crate.

mod product;

pub use product::{mul_i16, mul_q32, mul_u16, square_sum};

/// `x / 2^n` rounded to nearest, ties up: `(x + 2^(n-1)) >> n`. `n` is taken modulo 64; `n = 0`
/// returns `x`. The sum wraps, which callers exclude by their headroom.
#[inline(always)]
pub const fn shr(x: i64, n: u32) -> i64 {
    if n == 0 {
        return x;
    }
    x.wrapping_add(1i64.wrapping_shl(n - 1)).wrapping_shr(n)
}

/// [`shr`] for `u64`.
#[inline(always)]
pub const fn shr_u64(x: u64, n: u32) -> u64 {
    if n == 0 {
        return x;
    }
    x.wrapping_add(1u64.wrapping_shl(n - 1)).wrapping_shr(n)
}

/// `a + b`, which must fit.
#[inline(always)]
pub fn add(a: i32, b: i32) -> i32 {
    #[cfg(feature = "checked")]
    if a.checked_add(b).is_none() {
        saturated();
    }
    a.wrapping_add(b)
}

/// `a - b`, which must fit.
#[inline(always)]
pub fn sub(a: i32, b: i32) -> i32 {
    #[cfg(feature = "checked")]
    if a.checked_sub(b).is_none() {
        saturated();
    }
    a.wrapping_sub(b)
}

/// `a + b`, which must fit.
#[inline(always)]
pub fn add_u64(a: u64, b: u64) -> u64 {
    #[cfg(feature = "checked")]
    if a.checked_add(b).is_none() {
        saturated();
    }
    a.wrapping_add(b)
}

/// `floor(x / 2)`.
#[inline(always)]
pub const fn half(x: i32) -> i32 {
    x >> 1
}

/// Saturates to `-32768..=32767`.
#[inline(always)]
pub fn narrow_i16(x: i64) -> i16 {
    if x > i16::MAX as i64 {
        saturated();
        i16::MAX
    } else if x < i16::MIN as i64 {
        saturated();
        i16::MIN
    } else {
        x as i16
    }
}

/// Saturates to the range of `i32`.
#[inline(always)]
pub fn narrow_i32(x: i64) -> i32 {
    if x > i32::MAX as i64 {
        saturated();
        i32::MAX
    } else if x < i32::MIN as i64 {
        saturated();
        i32::MIN
    } else {
        x as i32
    }
}

/// Saturates to `-128..=127`.
#[inline(always)]
pub const fn narrow_i8(x: i64) -> i8 {
    if x > i8::MAX as i64 {
        i8::MAX
    } else if x < i8::MIN as i64 {
        i8::MIN
    } else {
        x as i8
    }
}

/// A sample in `[-1, 1)` as a 16-bit integer: `round(x * 32768)`, ties away from zero, saturating;
/// NaN gives 0.
#[inline]
pub fn f32_to_i16(x: f32) -> i16 {
    let scaled = libm::roundf(x * 32768.0);
    // A float to integer cast saturates and maps NaN to 0.
    scaled as i16
}

/// A 16-bit sample in `[-1, 1)`: `x / 32768`, exact.
#[inline(always)]
pub fn i16_to_f32(x: i16) -> f32 {
    f32::from(x) * (1.0 / 32768.0)
}

/// Counts a value that saturated or wrapped, in a `checked` build.
#[inline(always)]
fn saturated() {
    #[cfg(feature = "checked")]
    count::add();
}

#[cfg(feature = "checked")]
mod count {
    use core::sync::atomic::{AtomicU32, Ordering};

    static SATURATED: AtomicU32 = AtomicU32::new(0);

    pub(super) fn add() {
        SATURATED.fetch_add(1, Ordering::Relaxed);
    }

    /// Values that saturated in [`narrow_i16`](super::narrow_i16) or
    /// [`narrow_i32`](super::narrow_i32), and sums that wrapped in [`add`](super::add) and its like,
    /// in this process since the last [`reset_saturations`]. int8 values are not counted:
    /// quantisation saturates by design.
    pub fn saturations() -> u32 {
        SATURATED.load(Ordering::Relaxed)
    }

    /// Starts counting at 0 again.
    pub fn reset_saturations() {
        SATURATED.store(0, Ordering::Relaxed);
    }
}

#[cfg(feature = "checked")]
pub use count::{reset_saturations, saturations};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shr_is_the_floor_of_the_half_shifted_quotient(x in -(1i64 << 50)..(1i64 << 50), n in 0u32..48) {
            let exact = (x as f64 / 2f64.powi(n as i32) + 0.5).floor();
            prop_assert_eq!(shr(x, n) as f64, exact);
        }

        #[test]
        fn samples_survive_the_way_to_float_and_back(x: i16) {
            prop_assert_eq!(f32_to_i16(i16_to_f32(x)), x);
        }
    }

    #[test]
    fn float_samples_saturate() {
        assert_eq!(f32_to_i16(2.0), i16::MAX);
        assert_eq!(f32_to_i16(-2.0), i16::MIN);
        assert_eq!(f32_to_i16(f32::NAN), 0);
    }
}
