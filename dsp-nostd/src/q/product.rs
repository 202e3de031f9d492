//! Products of the integer operators, each with one rounding.
//!
//! Cores without a long multiplication (ARMv6-M) compute the same values from 16-bit halves: a
//! call of the compiler's 64-bit multiplication would cost them five times as much. The two
//! forms are tested against each other.

/// Whether the core has a 32 x 32 -> 64 bit multiplication. Of the Arm cores, those without it
/// are the ones without atomic instructions.
#[cfg(all(target_arch = "arm", not(target_has_atomic = "32")))]
pub use short::{mul_i16, mul_q32, mul_u16, square_sum};

#[cfg(not(all(target_arch = "arm", not(target_has_atomic = "32"))))]
pub use long::{mul_i16, mul_q32, mul_u16, square_sum};

#[cfg(any(test, not(all(target_arch = "arm", not(target_has_atomic = "32")))))]
mod long {
    /// `a b / 2^32`, rounded to nearest, ties up.
    #[inline(always)]
    pub const fn mul_q32(a: i32, b: i32) -> i32 {
        ((a as i64 * b as i64 + (1 << 31)) >> 32) as i32
    }

    /// `floor(a b / 2^16)`. The result must fit: `|a b| < 2^47`.
    #[inline(always)]
    pub const fn mul_i16(a: i32, b: i16) -> i32 {
        ((a as i64 * b as i64) >> 16) as i32
    }

    /// `floor(p a / 2^16)`. The result must fit: `p a < 2^80`.
    #[inline(always)]
    pub const fn mul_u16(p: u64, a: u16) -> u64 {
        let a = (a as u32) << 16;
        (p >> 32)
            .wrapping_mul(a as u64)
            .wrapping_add((p as u32 as u64 * a as u64) >> 32)
    }

    /// `re^2 + im^2`, exact.
    #[inline(always)]
    pub const fn square_sum(re: i32, im: i32) -> u64 {
        (re as i64 * re as i64) as u64 + (im as i64 * im as i64) as u64
    }
}

#[cfg(any(test, all(target_arch = "arm", not(target_has_atomic = "32"))))]
#[cfg_attr(test, allow(unreachable_pub))]
mod short {
    /// `a b / 2^32`, rounded to nearest, ties up.
    #[inline(always)]
    pub const fn mul_q32(a: i32, b: i32) -> i32 {
        let (a1, a0, b1, b0) = (a >> 16, a & 0xffff, b >> 16, b & 0xffff);
        // The columns of the product from the right, each with the carry of the one before.
        let low = (a0 as u32).wrapping_mul(b0 as u32) >> 16;
        let middle = a1.wrapping_mul(b0).wrapping_add(low as i32);
        let other = a0.wrapping_mul(b1).wrapping_add(middle & 0xffff);
        let high = a1.wrapping_mul(b1).wrapping_add(middle >> 16);
        high.wrapping_add(((other >> 15).wrapping_add(1)) >> 1)
    }

    /// `floor(a b / 2^16)`. The result must fit: `|a b| < 2^47`.
    #[inline(always)]
    pub const fn mul_i16(a: i32, b: i16) -> i32 {
        let b = b as i32;
        let high = (a >> 16).wrapping_mul(b);
        high.wrapping_add((a & 0xffff).wrapping_mul(b) >> 16)
    }

    /// `floor(p a / 2^16)`. The result must fit: `p a < 2^80`.
    #[inline(always)]
    pub const fn mul_u16(p: u64, a: u16) -> u64 {
        let (a, low, high) = (a as u32, p as u32, (p >> 32) as u32);
        let p0 = ((low & 0xffff) * a) >> 16;
        let (p1, p2, p3) = ((low >> 16) * a, (high & 0xffff) * a, (high >> 16) * a);
        (p0 as u64 + p1 as u64)
            .wrapping_add((p2 as u64) << 16)
            .wrapping_add((p3 as u64) << 32)
    }

    /// `re^2 + im^2`, exact.
    #[inline(always)]
    pub const fn square_sum(re: i32, im: i32) -> u64 {
        square(re) + square(im)
    }

    const fn square(x: i32) -> u64 {
        let x = x.unsigned_abs();
        let (high, low) = (x >> 16, x & 0xffff);
        // high <= 2^15, so that the middle column fits 32 bits.
        (((high * high) as u64) << 32 | (low * low) as u64) + (((high * low) as u64) << 17)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_forms_are_one_product(a: i32, b: i32, c: i16, u: u16, p in 0u64..1 << 63) {
            let exact = (i128::from(a) * i128::from(b) + (1 << 31)) >> 32;
            prop_assert_eq!(i128::from(long::mul_q32(a, b)), exact);
            prop_assert_eq!(i128::from(short::mul_q32(a, b)), exact);
            let floor = (i64::from(a) * i64::from(c)) >> 16;
            prop_assert_eq!(i64::from(long::mul_i16(a, c)), floor);
            prop_assert_eq!(i64::from(short::mul_i16(a, c)), floor);
            let floor = (u128::from(p) * u128::from(u)) >> 16;
            prop_assert_eq!(u128::from(long::mul_u16(p, u)), floor);
            prop_assert_eq!(u128::from(short::mul_u16(p, u)), floor);
            let sum = i128::from(a).pow(2) + i128::from(b).pow(2);
            prop_assert_eq!(i128::from(long::square_sum(a, b)), sum);
            prop_assert_eq!(i128::from(short::square_sum(a, b)), sum);
        }
    }

    #[test]
    fn both_forms_agree_at_the_ends() {
        let ends = [
            i32::MIN,
            i32::MIN + 1,
            -65536,
            -1,
            0,
            1,
            65535,
            65536,
            i32::MAX,
        ];
        for a in ends {
            for b in ends {
                if (a, b) != (i32::MIN, i32::MIN) {
                    assert_eq!(long::mul_q32(a, b), short::mul_q32(a, b), "{a} {b}");
                }
                assert_eq!(long::square_sum(a, b), short::square_sum(a, b), "{a} {b}");
            }
            for c in [i16::MIN, -1, 0, 1, i16::MAX] {
                assert_eq!(long::mul_i16(a, c), short::mul_i16(a, c), "{a} {c}");
            }
        }
    }
}
