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
    let mask = (1i64 << e) - 1;
    let remainder = x as i64 & mask;
    let threshold = (mask >> 1) + (x < 0) as i64;
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

/// What turns the accumulators of a layer into its outputs:
/// `clamp(mbqm(acc + bias[c], multipliers[c], shifts[c]) + zero_point, min, max)`.
///
/// Multipliers and shifts are per output channel, or one for all.
#[derive(Clone, Copy, Debug)]
pub struct Requant<'a> {
    /// Added to the accumulator, one per channel.
    pub bias: &'a [i32],
    /// One per channel, or one.
    pub multipliers: &'a [i32],
    /// As many as multipliers.
    pub shifts: &'a [i8],
    /// Zero point of the output.
    pub zero_point: i32,
    /// Smallest output: the clamp of a fused activation.
    pub min: i32,
    /// Largest output.
    pub max: i32,
}

impl Requant<'_> {
    /// Writes the outputs of channels `first..` from their accumulators.
    #[inline]
    pub fn apply(&self, first: usize, acc: &[i32], out: &mut [i8]) {
        let bias = self.bias.get(first..).unwrap_or_default();
        let sums = acc.iter().zip(bias).map(|(a, b)| a.wrapping_add(*b));
        let pairs = out.iter_mut().zip(sums);
        match (self.multipliers, self.shifts) {
            (&[q], &[s]) => pairs.for_each(|(out, sum)| *out = self.output(sum, q, s)),
            (multipliers, shifts) => {
                let multipliers = multipliers.get(first..).unwrap_or_default();
                let shifts = shifts.get(first..).unwrap_or_default();
                pairs
                    .zip(multipliers.iter().zip(shifts))
                    .for_each(|((out, sum), (&q, &s))| *out = self.output(sum, q, s));
            }
        }
    }

    #[inline(always)]
    fn output(&self, sum: i32, q: i32, s: i8) -> i8 {
        let y = mbqm(sum, q, s as i32).wrapping_add(self.zero_point);
        y.max(self.min).min(self.max) as i8
    }
}
