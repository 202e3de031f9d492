//! Powers with real exponents: logarithm and exponential to base 2, in Q24.

use super::log::scaled;

/// `2^32 / (32 + i)`, rounded.
const RECIPROCAL: [u32; 32] = {
    let mut table = [0; 32];
    let mut i = 0;
    while i < 32 {
        let d = 32 + i as u64;
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        {
            table[i] = (((1 << 32) + d / 2) / d) as u32;
        }
        i += 1;
    }
    table
};

/// `log2(1 + i / 32)` in Q30, rounded.
#[rustfmt::skip]
const LOG2: [u32; 32] = [
    0, 47667823, 93912511, 138816582, 182455581, 224898839, 266210141, 306448299, 345667660,
    383918542, 421247625, 457698295, 493310944, 528123241, 562170370, 595485245, 628098702,
    660039669, 691335320, 722011213, 752091421, 781598637, 810554283, 838978604, 866890747,
    894308843, 921250079, 947730758, 973766362, 999371606, 1024560487, 1049346328,
];

/// `2^(i / 32)` in Q31, rounded.
#[rustfmt::skip]
const EXP2: [u32; 32] = [
    2147483648, 2194507417, 2242560872, 2291666561, 2341847524, 2393127307, 2445529972, 2499080105,
    2553802834, 2609723834, 2666869345, 2725266179, 2784941738, 2845924021, 2908241642, 2971923842,
    3037000500, 3103502151, 3171459999, 3240905930, 3311872529, 3384393094, 3458501653, 3534232978,
    3611622603, 3690706840, 3771522796, 3854108391, 3938502376, 4024744348, 4112874773, 4202935003,
];

/// `ln 2` and its inverse, in Q32 and Q30.
const LN_2: u64 = 0xb172_17f8;
const INVERSE_LN_2: u64 = 0x5c55_1d95;

/// `a b 2^-32` of numbers below `2^32`.
const fn product(a: u64, b: u64) -> u64 {
    a.wrapping_mul(b) >> 32
}

/// `log2(x)` in Q24, for `x` above 0; at most `5e-7` off.
///
/// The upper five bits of the mantissa choose a table entry `c`, and `log2(x / c)` is the series of
/// `ln(1 + z)` up to `z^3`, `z < 1/32`.
pub(super) fn log2(x: u64) -> i32 {
    let zeros = x.leading_zeros() & 63;
    let mantissa = (x << zeros) >> 32;
    let i = (mantissa >> 26) as usize & 31;
    let (Some(&log), Some(&reciprocal)) = (LOG2.get(i), RECIPROCAL.get(i)) else {
        return 0;
    };
    // Q32, below 2^27.
    let z = product((mantissa & 0x3ff_ffff) << 6, u64::from(reciprocal));
    let z2 = product(z, z);
    let z3 = product(z2, z);
    let ln = (z + product(z3, 0x5555_5555)).wrapping_sub(z2 >> 1);
    // Q30, then Q24.
    let fraction = u64::from(log) + product(ln, INVERSE_LN_2);
    ((63 - zeros as i32) << 24) + ((fraction + 32) >> 6) as i32
}

/// `2^(x + q)` for x in Q24, rounded, at most `2^62`; before the rounding at most `3e-8` off,
/// relatively.
pub(super) fn exp2(x: i64, q: i32) -> u64 {
    let whole = (x >> 24).clamp(-200, 200) as i32;
    let Some(&base) = EXP2.get((x >> 19) as usize & 31) else {
        return 0;
    };
    // Q32: below ln(2) / 32.
    let z = product((x as u64 & 0x7_ffff) << 8, LN_2);
    let z2 = product(z, z);
    let z3 = product(z2, z);
    let factor = z + (z2 >> 1) + product(z3, 0x2aaa_aaab);
    // Q61, below 2^62.
    let base = u64::from(base) << 30;
    let mantissa = base + (base >> 32).wrapping_mul(factor);
    scaled(mantissa, whole.wrapping_add(q).wrapping_sub(61))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tables_are_their_formulas() {
        for i in 0..32 {
            let x = i as f64 / 32.0;
            assert_eq!(
                f64::from(LOG2[i]),
                ((1.0 + x).log2() * 2f64.powi(30)).round(),
                "{i}"
            );
            assert_eq!(
                f64::from(EXP2[i]),
                (x.exp2() * 2f64.powi(31)).round(),
                "{i}"
            );
        }
        assert_eq!(
            LN_2 as f64,
            (core::f64::consts::LN_2 * 2f64.powi(32)).round()
        );
        let inverse = 2f64.powi(30) / core::f64::consts::LN_2;
        assert_eq!(INVERSE_LN_2 as f64, inverse.round());
    }

    proptest! {
        #[test]
        fn logarithms_are_close(x in 1u64.., shift in 0u32..64) {
            let x = (x >> shift).max(1);
            let found = f64::from(log2(x)) * 2f64.powi(-24);
            prop_assert!((found - (x as f64).log2()).abs() < 5e-7, "{x} {found}");
        }

        #[test]
        fn exponentials_are_close(x in -(30i64 << 24)..(40i64 << 24), q in 0i32..31) {
            let exact = (x as f64 * 2f64.powi(-24) + f64::from(q)).exp2().min(2f64.powi(62));
            let found = exp2(x, q) as f64;
            prop_assert!((found - exact).abs() <= 0.5 + 3e-8 * exact, "{x} {q} {found} {exact}");
        }

        #[test]
        fn one_undoes_the_other(x in 1u64.., shift in 3u32..64) {
            let x = (x >> shift).max(1);
            let found = exp2(i64::from(log2(x)), 0) as f64;
            prop_assert!((found - x as f64).abs() <= 0.5 + 5e-7 * x as f64);
        }
    }

    #[test]
    fn the_ends_saturate() {
        assert_eq!(exp2(i64::MAX, 0), 1 << 62);
        assert_eq!(exp2(i64::MIN, 30), 0);
        assert_eq!(log2(1), 0);
    }
}
