//! Functions in gemmlowp's fixed point: exponential, reciprocal, logarithm, inverse root.
//!
//! A number in Qm.n has m bits in front of the point and n behind it, with m + n = 31. Source:
//! gemmlowp's `fixedpoint.h` and TFLite's `common.h`.

use crate::requant::{rounding_divide_by_pot, srdhm};

/// `exp(a)` in Q0.31 for `a <= 0` with `BITS` bits in front of the point: 4 or 5.
///
/// `a = r - k/4` with `r` in `[-1/4, 0)`; the polynomial gives `exp(r)`, then each bit of `k`
/// multiplies by its power of e.
pub fn exp_of_negative<const BITS: u32>(a: i32) -> i32 {
    if a == 0 {
        return i32::MAX;
    }
    let quarter = 1i32 << (29 - BITS);
    // exp(-2^k) in Q0.31 for k = -2..=4; bit k + 31 - BITS of the remainder selects it.
    const FACTORS: [i32; 7] = [
        1_672_461_947,
        1_302_514_674,
        790_015_084,
        290_630_308,
        39_332_535,
        720_401,
        242,
    ];
    let fraction = (a & (quarter - 1)) - quarter;
    let remainder = fraction.wrapping_sub(a);
    let mut result = exp_of_minus_quarter_to_zero(fraction << BITS);
    for (bit, &factor) in FACTORS.iter().enumerate().take(BITS as usize + 2) {
        if remainder & (quarter << bit) != 0 {
            result = srdhm(result, factor);
        }
    }
    result
}

/// `exp(a)` for `a` in `[-1/4, 0)`, all in Q0.31: the series of fourth order about -1/8.
fn exp_of_minus_quarter_to_zero(a: i32) -> i32 {
    const EXP_OF_MINUS_EIGHTH: i32 = 1_895_147_668;
    const THIRD: i32 = 715_827_883;
    let x = a + (1 << 28);
    let x2 = srdhm(x, x);
    let x3 = srdhm(x2, x);
    let x4 = srdhm(x2, x2);
    let x4_over_4 = rounding_divide_by_pot(x4, 2);
    let higher = rounding_divide_by_pot(srdhm(x4_over_4 + x3, THIRD) + x2, 1);
    EXP_OF_MINUS_EIGHTH + srdhm(EXP_OF_MINUS_EIGHTH, x + higher)
}

/// `1 / (1 + x)` for `x` in `[0, 1)`, both in Q0.31.
pub fn one_over_one_plus(x: i32) -> i32 {
    saturating_shl(two_over_one_plus(x), 1)
}

/// `(1 - x) / (1 + x)` for `x` in `[0, 1)`, both in Q0.31.
pub fn one_minus_over_one_plus(x: i32) -> i32 {
    saturating_shl(two_over_one_plus(x).wrapping_sub(1 << 29), 2)
}

/// `2 / (1 + x)` in Q2.29 for `x` in `[0, 1)` in Q0.31, by Newton's division on `(1 + x) / 2`.
fn two_over_one_plus(x: i32) -> i32 {
    // In Q2.29.
    const C_48_17: i32 = 1_515_870_810;
    const C_MINUS_32_17: i32 = -1_010_580_540;
    const ONE: i32 = 1 << 29;
    // (x + 1) / 2, ties away from zero.
    let half = ((x as u32).wrapping_add(1 << 31) >> 1) as i32;
    let mut y = C_48_17.wrapping_add(srdhm(half, C_MINUS_32_17));
    for _ in 0..3 {
        let correction = srdhm(y, ONE.wrapping_sub(srdhm(half, y)));
        y = y.wrapping_add(saturating_shl(correction, 2));
    }
    y
}

/// `ln(x)` in Q5.26 for `x >= 1` in Q12.19.
///
/// `x = 2^k r` with `r` about `sqrt(sqrt(1/2))` and k in quarters; the logarithm of r is a
/// rational function of its distance from there.
pub fn ln_of_at_least_one(x: i32) -> i32 {
    // All in Q0.31 but QUARTER, which is in Q6.25.
    const LN_2: i32 = 1_488_522_236;
    const FOURTH_ROOT_OF_HALF: i32 = 1_805_811_301;
    const ROOT_OF_HALF: i32 = 1_518_500_250;
    const ALPHA_N: i32 = 117_049_297;
    const ALPHA_D: i32 = 127_690_142;
    const ALPHA_I: i32 = 1_057_819_769;
    const ALPHA_F: i32 = 638_450_708;
    const QUARTER: i32 = 1 << 23;
    let power = |bits: i32| saturating_shl(12 - bits, 25);

    let zeros = x.leading_zeros() as i32;
    let filled = saturating_shl(x, (zeros - 1).max(0) as u32);
    let r_a = saturating_shl(srdhm(filled, ROOT_OF_HALF), 1);
    let power_a = power(zeros).saturating_add(QUARTER);
    let headroom = srdhm(x, ROOT_OF_HALF).leading_zeros() as i32 - 1;
    let r_b = saturating_shl(x, headroom.max(0) as u32);
    let power_b = power(headroom).saturating_sub(QUARTER);

    let r = r_a.min(r_b);
    let p = rounding_half_sum(r, FOURTH_ROOT_OF_HALF);
    let half = r.wrapping_sub(FOURTH_ROOT_OF_HALF);
    let q = half.wrapping_add(half);
    let square = srdhm(q, q);
    let numerator = srdhm(q, r).wrapping_add(srdhm(srdhm(q, square), ALPHA_N));
    let factor = ALPHA_I.wrapping_add(q).wrapping_add(srdhm(ALPHA_D, square));
    let denominator = srdhm(p, factor).wrapping_add(srdhm(ALPHA_F, q));
    let fraction = srdhm(
        rounding_divide_by_pot(numerator, 6),
        one_over_one_plus(denominator),
    );
    let whole = srdhm(power_a.max(power_b), LN_2);
    saturating_shl(whole.wrapping_add(fraction), 1)
}

/// `1 / sqrt(x)` as a multiplier and shift of [`mbqm`](crate::requant::mbqm):
/// `q * 2^(s - 31)`, about 28 bits exact. 0 counts as 1.
///
/// `x` is shifted by an even number of bits into `[2^27, 2^29)`; five Newton steps
/// `r = 1.5 r - 0.5 x r^3` from `r = 1` in Q3.28 follow, and a factor `sqrt(1/2)`. Source: TFLite's
/// `GetInvSqrtQuantizedMultiplierExp`.
pub fn inverse_root(x: i32) -> (i32, i32) {
    if x <= 1 {
        return (i32::MAX, 0);
    }
    const ONE: i32 = 1 << 28;
    const ONE_AND_HALF: i32 = 3 << 27;
    /// `sqrt(1/2)` in Q0.31.
    const HALF_ROOT: i32 = 1_518_500_250;
    let mut x = x;
    let mut right = 11;
    while x >= 1 << 29 {
        x /= 4;
        right += 1;
    }
    let pairs = ((x.leading_zeros() as i32 - 1) / 2 - 1).max(0);
    right -= pairs;
    x = x.wrapping_shl(2 * pairs as u32);
    let input = x >> 1;
    // Half of it, ties away from zero: x is positive.
    let half = (input >> 1) + (input & 1);
    let mut r = ONE;
    for _ in 0..5 {
        let cube = saturating_shl(srdhm(srdhm(r, r), r), 6);
        let step = srdhm(ONE_AND_HALF, r).wrapping_sub(srdhm(half, cube));
        r = saturating_shl(step, 3);
    }
    let mut q = srdhm(r, HALF_ROOT);
    if right < 0 {
        q = q.wrapping_shl(right.unsigned_abs());
        right = 0;
    }
    (q, -right)
}

/// `(a + b) / 2`, ties away from zero.
fn rounding_half_sum(a: i32, b: i32) -> i32 {
    let sum = i64::from(a) + i64::from(b);
    ((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i32
}

/// `x * 2^n`, saturating.
fn saturating_shl(x: i32, n: u32) -> i32 {
    let shifted = x.wrapping_shl(n);
    match shifted.wrapping_shr(n) == x {
        true => shifted,
        false => i32::MAX ^ (x >> 31),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: f64 = 2147483648.0;

    /// Miri is a thousand times slower, and one value does what all do with memory.
    const STEP: usize = if cfg!(miri) { 199 } else { 1 };

    // The series ends after the fourth power: its remainder is at most exp(-1/8) / 8^5 / 120.
    #[test]
    fn exponentials_are_close_to_the_real_ones() {
        for i in (0..4000).step_by(STEP) {
            let a = -(i * 134_217);
            let (four, five) = (exp_of_negative::<4>(a), exp_of_negative::<5>(a));
            let of = |bits: i32| libm::exp(f64::from(a) / libm::exp2(f64::from(31 - bits)));
            assert!((f64::from(four) / ONE - of(4)).abs() < 3e-7, "{a}");
            assert!((f64::from(five) / ONE - of(5)).abs() < 3e-7, "{a}");
        }
    }

    #[test]
    fn quotients_are_close_to_the_real_ones() {
        for i in (0..4000).step_by(STEP) {
            let x = i * 536_870;
            let real = f64::from(x) / ONE;
            let reciprocal = f64::from(one_over_one_plus(x)) / ONE;
            assert!((reciprocal - 1.0 / (1.0 + real)).abs() < 1e-8, "{x}");
            let ratio = f64::from(one_minus_over_one_plus(x)) / ONE;
            assert!((ratio - (1.0 - real) / (1.0 + real)).abs() < 1e-8, "{x}");
        }
    }

    #[test]
    fn logarithms_are_close_to_the_real_ones() {
        for i in (0..4000).step_by(STEP) {
            let x = (1 << 19) + i * i * 133;
            let found = f64::from(ln_of_at_least_one(x)) / 67108864.0;
            let exact = libm::log(f64::from(x) / 524288.0);
            assert!((found - exact).abs() < 1e-6, "{x}: {found} for {exact}");
        }
    }

    #[test]
    fn inverse_roots_are_close_to_the_real_ones() {
        for x in (2..5000)
            .step_by(STEP)
            .chain([1 << 20, (1 << 29) - 1, 1 << 29, i32::MAX])
        {
            let (q, s) = inverse_root(x);
            let value = f64::from(q) * libm::exp2(f64::from(s - 31));
            let exact = 1.0 / libm::sqrt(f64::from(x));
            assert!(
                (value / exact - 1.0).abs() < 1e-4,
                "{x}: {value} for {exact}"
            );
        }
    }
}
