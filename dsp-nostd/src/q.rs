//! The rounding law of the DSP operators: the only place that shifts right or narrows.
//!
//! * [`shr`]: `floor(x / 2^n + 1/2)`, that is add half, then shift arithmetically. Ties go up.
//!   [`mul_q32`] and [`mul_u64_q32`] round a product the same way, [`div`] and [`div_i32`] a quotient.
//! * [`half`], [`mul_i16`] round down: inside an FFT, where the bias of half a unit was measured not
//!   to matter and the rounding would cost an instruction.
//!   [`shr_rest`] rounds down and keeps the rest, for recursive filters; [`shr_floor`] brings a
//!   number to the bits that a product can take. [`sqrt`] is the floor of the square root.
//! * [`narrow_i32`], [`narrow_i16`], [`narrow_i8`], [`limit_i32`], [`sub_i32`], [`shr_wide`]:
//!   saturate.
//! * [`add`], [`sub`], [`add_u64`]: sums whose headroom the plan's maker has proven. They wrap, so
//!   that a hostile plan gives wrong numbers and nothing worse.
//! * [`f32_to_i16`]: nearest, ties away from zero, saturating; NaN gives 0.
//!
//! With the `checked` feature, each value that saturates and each sum that wraps is counted.
//!
//! The int8 network operators follow the TFLite reference's rounding instead; it has its own one
//! home in the `classifier` crate.

mod product;

pub use product::{mul_exact, mul_i16, mul_q32, square_sum};

/// `x / 2^n` rounded to nearest, ties up: `(x + 2^(n-1)) >> n`. `n` is taken modulo 64; `n = 0`
/// returns `x`. The sum wraps, which callers exclude by their headroom.
#[inline(always)]
pub const fn shr(x: i64, n: u32) -> i64 {
    if n == 0 {
        return x;
    }
    x.wrapping_add(1i64.wrapping_shl(n - 1)).wrapping_shr(n)
}

/// [`shr`] for results of 32 bits: the upper half of the sum is all that a shift by 32 or more needs.
#[inline(always)]
pub const fn shr_i32(x: i64, n: u32) -> i32 {
    let sum = x.wrapping_add((1i64 << (n & 63)) >> 1);
    match n.checked_sub(32) {
        Some(more) => ((sum >> 32) as i32).wrapping_shr(more),
        None => sum.wrapping_shr(n) as i32,
    }
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

/// [`i16_to_f32`], made of integer operations: the runner takes samples for plans of any numeric,
/// and a fixed plan's image must not link a float function for that.
#[inline]
pub fn i16_to_f32_bits(x: i16) -> f32 {
    let magnitude = u32::from(x.unsigned_abs());
    if magnitude == 0 {
        return 0.0;
    }
    // The leading one moves to bit 23, which the format leaves out; 1.0 has the exponent 127.
    let zeros = magnitude.leading_zeros();
    let fraction = magnitude.wrapping_shl(zeros.wrapping_sub(8)) & 0x007f_ffff;
    let exponent = 143u32.wrapping_sub(zeros);
    let sign = u32::from(x < 0);
    f32::from_bits(sign << 31 | exponent << 23 | fraction)
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

    /// Values that saturated, in [`narrow_i32`](super::narrow_i32) for example, and sums that
    /// wrapped in [`add`](super::add) and its like, in this process since the last
    /// [`reset_saturations`]. int8 values are not counted: quantisation saturates by design.
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

/// Saturates to `-limit..=limit`, for a limit that is not negative.
#[inline(always)]
pub fn limit_i32(x: i64, limit: i32) -> i32 {
    if x > limit as i64 {
        saturated();
        limit
    } else if x < -(limit as i64) {
        saturated();
        -limit
    } else {
        x as i32
    }
}

/// `a - b`, saturating.
#[inline(always)]
pub fn sub_i32(a: i32, b: i32) -> i32 {
    match a.checked_sub(b) {
        Some(difference) => difference,
        None => narrow_i32(a as i64 - b as i64),
    }
}

/// `x / 2^n` rounded down, and what that leaves: `x = quotient 2^n + rest`, `0 <= rest < 2^n`, for
/// kernels that add the rest to their next sum. `n` is below 63.
#[inline(always)]
pub const fn shr_rest(x: i64, n: u32) -> (i64, i64) {
    (x >> n, x & ((1 << n) - 1))
}

/// `x / 2^n` rounded down, for numbers that are brought to fewer bits than they have, but more than
/// their result needs. `n` is below 64.
#[inline(always)]
pub const fn shr_floor(x: u64, n: u32) -> u64 {
    x >> n
}

/// `x / d` rounded to nearest, ties up: `floor((x + floor(d / 2)) / d)`. 0 unless `d` is positive.
/// The sum saturates, which callers exclude by their headroom.
#[inline]
pub const fn div(x: i64, d: i64) -> i64 {
    if d <= 0 {
        return 0;
    }
    match x.saturating_add(d >> 1).checked_div_euclid(d) {
        Some(quotient) => quotient,
        None => 0,
    }
}

/// [`div`] in 32 bits, which cores without a 64-bit division run much faster.
#[inline]
pub const fn div_i32(x: i32, d: i32) -> i32 {
    if d <= 0 {
        return 0;
    }
    match x.saturating_add(d >> 1).checked_div_euclid(d) {
        Some(quotient) => quotient,
        None => 0,
    }
}

/// `(high 2^32 + low) / 2^n` rounded to nearest, ties up, saturating; `n` at most 32.
///
/// Two words hold a sum of many 64-bit numbers exactly: one gathers their upper halves, the other
/// their lower ones.
#[inline]
pub fn shr_wide(high: u64, low: u64, n: u32) -> u64 {
    let low = low.wrapping_add((1u64 << n) >> 1);
    let high = high.wrapping_add(low >> 32);
    let low = low & u32::MAX as u64;
    if high >> 32 >> n != 0 {
        saturated();
        return u64::MAX;
    }
    high << (32 - n) | low >> n
}

/// `x a / 2^32` rounded to nearest, ties up.
#[inline]
pub const fn mul_u64_q32(x: u64, a: u32) -> u64 {
    let (high, low, a) = (x >> 32, x & u32::MAX as u64, a as u64);
    high * a + ((low * a + (1 << 31)) >> 32)
}

/// `floor(sqrt(x))`, a bit at a time: no division and no multiplication.
#[inline(never)]
pub const fn sqrt(x: u64) -> u32 {
    let mut rest = x;
    let mut root = 0u64;
    let mut bit = 1u64 << 62;
    while bit > x {
        bit >>= 2;
    }
    while bit != 0 {
        let trial = root + bit;
        root >>= 1;
        if rest >= trial {
            rest -= trial;
            root += bit;
        }
        bit >>= 2;
    }
    root as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_ways_to_float_give_the_same_bits() {
        for x in i16::MIN..=i16::MAX {
            assert_eq!(i16_to_f32_bits(x).to_bits(), i16_to_f32(x).to_bits(), "{x}");
        }
    }

    proptest! {
        #[test]
        fn shr_is_the_floor_of_the_half_shifted_quotient(x in -(1i64 << 50)..(1i64 << 50), n in 0u32..48) {
            let exact = (x as f64 / 2f64.powi(n as i32) + 0.5).floor();
            prop_assert_eq!(shr(x, n) as f64, exact);
        }

        #[test]
        fn the_32_bit_shift_is_the_same(x: i32, more in 0u32..31, n in 0u32..32) {
            let x = i64::from(x) << more;
            prop_assert_eq!(shr_i32(x, more + n), shr(x, more + n) as i32);
        }

        #[test]
        fn samples_survive_the_way_to_float_and_back(x: i16) {
            prop_assert_eq!(f32_to_i16(i16_to_f32(x)), x);
        }
    }

    proptest! {
        #[test]
        fn division_rounds_ties_up(x in -(1i64 << 40)..(1i64 << 40), d in 1i64..100_000) {
            let exact = (2 * x + d).div_euclid(2 * d);
            prop_assert_eq!(div(x, d), exact);
            let x = x as i32 / 2;
            let exact = (2 * i64::from(x) + d).div_euclid(2 * d);
            prop_assert_eq!(i64::from(div_i32(x, d as i32)), exact);
        }

        #[test]
        fn wide_sums_shift_like_128_bits(high in 0u64..1 << 56, low: u64, n in 0u32..=32) {
            let low = low >> 8;
            let sum = (u128::from(high) << 32) + u128::from(low);
            let exact = (sum + ((1u128 << n) >> 1)) >> n;
            prop_assert_eq!(u128::from(shr_wide(high, low, n)), exact.min(u128::from(u64::MAX)));
        }

        #[test]
        fn long_products_are_rounded(x: u64, a: u32, n in 0u32..64) {
            let exact = (u128::from(x >> n) * u128::from(a) + (1 << 31)) >> 32;
            prop_assert_eq!(u128::from(mul_u64_q32(x >> n, a)), exact);
        }

        #[test]
        fn roots_are_floors(x: u64, n in 0u32..64) {
            let x = x >> n;
            let root = u128::from(sqrt(x));
            prop_assert!(root * root <= u128::from(x) && u128::from(x) < (root + 1) * (root + 1));
        }
    }

    #[test]
    fn division_by_nothing_is_nothing() {
        assert_eq!((div(5, 0), div(5, -2), div_i32(5, 0)), (0, 0, 0));
    }

    #[test]
    fn roots_at_the_ends() {
        assert_eq!((sqrt(0), sqrt(1), sqrt(u64::MAX)), (0, 1, u32::MAX));
    }

    #[test]
    fn float_samples_saturate() {
        assert_eq!(f32_to_i16(2.0), i16::MAX);
        assert_eq!(f32_to_i16(-2.0), i16::MIN);
        assert_eq!(f32_to_i16(f32::NAN), 0);
    }
}
