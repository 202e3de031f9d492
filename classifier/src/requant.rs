//! The TFLite rounding law: fixed-point multiplication as the reference kernels do it.
//!
//! A positive real factor `m` is kept as `(q, s)` with `m = q * 2^(s - 31)` and `q` in
//! `[2^30, 2^31)`, or `(0, 0)` for 0. [`mbqm`] multiplies by it with *two* roundings, which is
//! what microcontrollers run; a single rounding differs in about one output of a thousand.
//!
//! Source: gemmlowp's `fixedpoint.h` and TFLite's `MultiplyByQuantizedMultiplier`.

/// Saturating rounding doubling high multiplication: `a * b / 2^31`, to nearest.
///
/// The reference adds `2^30` (or `1 - 2^30` to a negative product) and divides truncating; that
/// is the same number as adding `2^30` and shifting arithmetically, for either sign. Only
/// `MIN * MIN` saturates.
#[inline(always)]
pub const fn srdhm(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// `x / 2^e` rounded to nearest, ties away from zero; 0 for `e > 31`.
#[inline(always)]
pub const fn rounding_divide_by_pot(x: i32, e: u32) -> i32 {
    if e > 31 {
        return 0;
    }
    let mask = (1i32 << e).wrapping_sub(1);
    let remainder = x & mask;
    let threshold = (mask >> 1) + (x < 0) as i32;
    (x >> e) + (remainder > threshold) as i32
}

/// `MultiplyByQuantizedMultiplier`: `x * q * 2^(s - 31)` with the reference's two roundings.
///
/// A left shift wraps, as in the reference.
#[inline(always)]
pub const fn mbqm(x: i32, q: i32, s: i32) -> i32 {
    let (left, right) = if s > 0 {
        (s as u32, 0)
    } else {
        (0, s.unsigned_abs())
    };
    rounding_divide_by_pot(srdhm(x.wrapping_shl(left), q), right)
}

/// `MultiplyByQuantizedMultiplier` of a 64-bit accumulator: `acc * q * 2^(s - 15)` with one
/// rounding, ties up.
///
/// `q` is the multiplier reduced to 15 bits, [`q15`] of that of [`mbqm`]; `s` is at most 14. The
/// reference's accumulators have at most 48 bits, so that the product does not wrap.
#[inline(always)]
pub const fn mbqm64(acc: i64, q: i32, s: i32) -> i32 {
    let total = 15u32.wrapping_sub(s as u32);
    let half = 1i64.wrapping_shl(total.wrapping_sub(1));
    let product = acc.wrapping_mul(q as i64).wrapping_add(half);
    product.wrapping_shr(total) as i32
}

/// A multiplier of [`mbqm`] reduced to 15 bits, as [`mbqm64`] takes it.
pub const fn q15(q: i32) -> i32 {
    if q < 0x7fff_0000 {
        (q + (1 << 15)) >> 16
    } else {
        0x7fff
    }
}

/// What turns the accumulators of a layer into its outputs:
/// `clamp(mbqm(acc + bias[c], multipliers[c], shifts[c]) + zero_point, min, max)`.
///
/// Multipliers and shifts are per output channel, or one for all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requant<'a> {
    /// Added to the accumulator, one per channel.
    pub(crate) bias: &'a [i32],
    /// One per channel, or one; none is negative.
    pub(crate) multipliers: &'a [i32],
    /// As many as multipliers, each from -31 to 30.
    pub(crate) shifts: &'a [i8],
    /// Zero point of the output.
    pub(crate) zero_point: i32,
    /// Smallest output: the clamp of a fused activation.
    pub(crate) min: i32,
    /// Largest output.
    pub(crate) max: i32,
}

/// One channel's bias and multiplier, unpacked: [`mbqm`] without its branches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Channel {
    bias: i32,
    q: i32,
    left: u8,
    right: u8,
    /// The bits that the right shift drops.
    mask: i32,
}

impl Channel {
    #[inline(always)]
    fn new(bias: i32, q: i32, shift: i8) -> Self {
        let (left, right) = if shift > 0 {
            (shift.unsigned_abs(), 0)
        } else {
            (0, shift.unsigned_abs())
        };
        Self {
            bias,
            q,
            left,
            right,
            mask: (1i64.wrapping_shl(u32::from(right)) - 1) as i32,
        }
    }

    /// The first rounding. A multiplier that is not negative cannot saturate.
    #[inline(always)]
    fn high(&self, acc: i32) -> i32 {
        let sum = acc
            .wrapping_add(self.bias)
            .wrapping_shl(u32::from(self.left));
        ((i64::from(sum) * i64::from(self.q) + (1 << 30)) >> 31) as i32
    }

    /// The second rounding, in 32 bits so that it vectorises.
    #[inline(always)]
    fn divide(&self, high: i32) -> i32 {
        let up = high & self.mask > (self.mask >> 1) + i32::from(high < 0);
        high.wrapping_shr(u32::from(self.right)) + i32::from(up)
    }
}

impl Requant<'_> {
    /// The channels from `first` on, as many as fit `to`.
    #[inline]
    pub(crate) fn channels(&self, first: usize, to: &mut [Channel]) {
        let bias = self.bias.get(first..).unwrap_or_default();
        let pairs = to.iter_mut().zip(bias);
        match (self.multipliers, self.shifts) {
            (&[q], &[s]) => pairs.for_each(|(to, &bias)| *to = Channel::new(bias, q, s)),
            (multipliers, shifts) => {
                let multipliers = multipliers.get(first..).unwrap_or_default();
                let shifts = shifts.get(first..).unwrap_or_default();
                pairs
                    .zip(multipliers.iter().zip(shifts))
                    .for_each(|((to, &bias), (&q, &s))| *to = Channel::new(bias, q, s));
            }
        }
    }

    /// Writes outputs from their channels and accumulators.
    #[inline(always)]
    pub(crate) fn outputs(&self, channels: &[Channel], acc: &[i32], out: &mut [i8]) {
        for ((out, &acc), channel) in out.iter_mut().zip(acc).zip(channels) {
            *out = self.clamp(channel.divide(channel.high(acc))) as i8;
        }
    }

    /// Turns the accumulators of one channel at several pixels into its outputs.
    #[inline(never)]
    pub(crate) fn column<const N: usize>(&self, channel: &Channel, acc: &mut [i32; N]) {
        // Two loops: the 64-bit products are scalar, the rest is not.
        for acc in acc.iter_mut() {
            *acc = channel.high(*acc);
        }
        for acc in acc.iter_mut() {
            *acc = self.clamp(channel.divide(*acc));
        }
    }

    #[inline(always)]
    fn clamp(&self, scaled: i32) -> i32 {
        let y = scaled.wrapping_add(self.zero_point);
        y.max(self.min).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The reference's own form: a nudge towards the sign and a truncating division.
    fn srdhm_by_division(a: i32, b: i32) -> i32 {
        if a == i32::MIN && b == i32::MIN {
            return i32::MAX;
        }
        let product = i64::from(a) * i64::from(b);
        let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
        ((product + nudge) / (1 << 31)) as i32
    }

    fn extreme() -> impl Strategy<Value = i32> {
        prop_oneof![
            any::<i32>(),
            -70000i32..70000,
            Just(i32::MIN),
            Just(i32::MAX),
            Just(0),
            (0u32..31).prop_map(|s| 1 << s),
            (0u32..31).prop_map(|s| -(1 << s)),
        ]
    }

    proptest! {
        #[test]
        fn high_multiplication_is_the_reference_division(a in extreme(), b in extreme()) {
            prop_assert_eq!(srdhm(a, b), srdhm_by_division(a, b));
        }

        #[test]
        fn division_rounds_to_nearest_ties_away(x in extreme(), e in 0u32..=31) {
            let magnitude = i64::from(x).abs();
            let rounded = (magnitude + ((1i64 << e) >> 1)) >> e;
            let exact = if x < 0 { -rounded } else { rounded };
            prop_assert_eq!(i64::from(rounding_divide_by_pot(x, e)), exact);
        }

        #[test]
        fn the_branchless_form_is_mbqm(
            acc in extreme(),
            bias in extreme(),
            q in prop_oneof![Just(0), 1 << 30..=i32::MAX],
            shift in -31i8..=30,
            zero_point in -128i32..128,
        ) {
            let (bias, q, shift) = ([bias], [q], [shift]);
            let requant = Requant {
                bias: &bias, multipliers: &q, shifts: &shift, zero_point, min: -128, max: 127,
            };
            let mut channel = [Channel::default()];
            requant.channels(0, &mut channel);
            let mut out = [0];
            requant.outputs(&channel, &[acc], &mut out);
            let y = mbqm(acc.wrapping_add(bias[0]), q[0], i32::from(shift[0]));
            let y = y.wrapping_add(zero_point).clamp(-128, 127);
            prop_assert_eq!(i32::from(out[0]), y);
            let mut column = [acc; 3];
            requant.column(&channel[0], &mut column);
            prop_assert_eq!(column, [y; 3]);
        }
    }

    proptest! {
        /// One rounding of the exact product.
        #[test]
        fn wide_multiplication_rounds_once(
            acc in -(1i64 << 46)..1 << 46,
            q in 1 << 30..=i32::MAX,
            s in -31i32..=14,
        ) {
            let q = q15(q);
            let exact = i128::from(acc) * i128::from(q);
            let total = 15 - s;
            let rounded = (exact + (1i128 << (total - 1))) >> total;
            prop_assert_eq!(mbqm64(acc, q, s), rounded as i32);
        }
    }

    #[test]
    fn multipliers_reduced_to_15_bits() {
        assert_eq!(q15(1 << 30), 1 << 14);
        assert_eq!(q15(0x7fff_ffff), 0x7fff);
        assert_eq!(q15(0x7ffe_ffff), 0x7fff);
        assert_eq!(q15(0x7ffe_7fff), 0x7ffe);
    }

    #[test]
    fn two_roundings_differ_from_one() {
        // 3 * 0.5 = 1.5 -> 2, then 2 / 4 = 0.5 -> 1; a single rounding of 0.375 gives 0.
        assert_eq!(mbqm(3, 1 << 30, -2), 1);
        assert_eq!(mbqm(-3, 1 << 30, -2), 0);
    }
}
