//! Integer features: transform, filter bank, logarithm, matrix, and moves of samples.
//!
//! The portable kernels are those of `otolith-dsp-nostd`, which count overflows in its tests. Each
//! function here runs the routine of the target in their place and gives the same bits, or says
//! that the target has none for these lengths: then nothing was done.

#[cfg(otolith_arm_dsp)]
mod fft;
#[cfg(otolith_arm_dsp)]
mod log;
#[cfg(otolith_arm_dsp)]
mod matrix;
#[cfg(otolith_arm_dsp)]
mod mel;
pub mod memory;

/// Whether the target has the routines of this module.
pub const AVAILABLE: bool = cfg!(otolith_arm_dsp);

/// A complex number: real and imaginary part.
pub type Complex = [i32; 2];

/// Where the `R` butterflies of a transform's first stage go: `i` with its base-4 digits in reverse
/// order, for each `i` below `R`, a power of 4.
#[derive(Clone, Copy, Debug)]
pub struct Places<const R: usize>([u16; R]);

impl<const R: usize> Places<R> {
    /// The places.
    pub const REVERSED: Self = {
        assert!(R.is_power_of_two() && R.trailing_zeros().is_multiple_of(2) && R <= 1 << 16);
        let mut places = [0; R];
        let mut i = 0;
        while i < R {
            let (mut rest, mut place, mut step) = (i, 0, R / 4);
            while step > 0 {
                place += (rest & 3) * step;
                rest >>= 2;
                step /= 4;
            }
            #[allow(clippy::indexing_slicing, reason = "at compile time")]
            {
                places[i] = place as u16;
            }
            i += 1;
        }
        Self(places)
    };

    /// The places, each below `R`.
    pub const fn as_array(&self) -> &[u16; R] {
        &self.0
    }
}

/// Bits of the longest sample, without the sign: 0 for 0 and -1. `None` without a routine.
#[inline(always)]
pub fn bits_i16(x: &[i16]) -> Option<i32> {
    #[cfg(otolith_arm_dsp)]
    {
        let marks = fft::marks(x);
        // Bit 16 also takes bit 15 of the lower half, which is its sign; bit 0 is the sample's own.
        let marks = (marks >> 16 | marks) & 0xffff;
        Some(31 - (marks | 1).leading_zeros() as i32)
    }
    #[cfg(not(otolith_arm_dsp))]
    {
        let _ = x;
        None
    }
}

/// Whether the target has routines for the transform of `n` real points.
pub const fn transforms(n: usize) -> bool {
    AVAILABLE && matches!(n, 256 | 512 | 1024)
}

/// Weighs the first `n = 2 out.len()` samples, shifts them by the block exponent and runs the first
/// stage of their transform: `(x w) >> 16 >> exponent`, or `((x << -exponent) w) >> 16` for negative
/// ones (-15 to 31), then butterflies of 4 legs where `n / 2` is a power of 4, else of 2, without
/// twiddle factors, butterfly `i` to place `places[i]`.
///
/// `half` (Q31) is the window up to its middle, `w[i] = half[mirror - i]` behind it, `mirror` being
/// `n` or `n - 1`. Without a routine for n ([`transforms`]), or when fewer than n samples or window
/// values are there, nothing is done.
#[inline(always)]
pub fn first_stage<const R: usize>(
    x: &[i16],
    half: &[i32],
    mirror: usize,
    exponent: i32,
    places: &Places<R>,
    out: &mut [Complex],
) -> bool {
    #[cfg(otolith_arm_dsp)]
    return fft::first(x, half, mirror, exponent, places, out);
    #[cfg(not(otolith_arm_dsp))]
    {
        let _ = (x, half, mirror, exponent, places, out);
        false
    }
}

/// A radix-4 stage of the transform of `n` real points, in place: the legs of a butterfly are `q`
/// of the `n / 2` complex points apart, each is halved. `twiddles[j n / (8 q) - 1]` are the factors
/// (Q31) of legs 1, 2 and 3 of butterfly `j`; there are at least `n / 8 - 1`.
#[inline(always)]
pub fn stage(x: &mut [Complex], twiddles: &[[i32; 6]], n: usize, q: usize) -> bool {
    #[cfg(otolith_arm_dsp)]
    return fft::stage(x, twiddles, n, q);
    #[cfg(not(otolith_arm_dsp))]
    {
        let _ = (x, twiddles, n, q);
        false
    }
}

/// From the transform of `h = power.len() - 1` complex points, each in the place of one power, to
/// the powers of the `h + 1` bins of the real signal. `twiddles[k - 1]` (Q31) is the factor of bin
/// `k`; there are at least `h / 2 - 1`.
#[inline(always)]
pub fn split_power(power: &mut [u64], twiddles: &[[i32; 2]]) -> bool {
    #[cfg(otolith_arm_dsp)]
    return fft::split(power, twiddles);
    #[cfg(not(otolith_arm_dsp))]
    {
        let _ = (power, twiddles);
        false
    }
}

/// Sums of a bank of triangles that share their edges: `y[m] = r[m] + sum_{segment m + 1} x - r[m + 1]`
/// with `r[m] = floor(sum_{segment m} a x / 2^16)`. Segment `m` is a run of `lengths[m]` of the
/// values x and weights a, one behind the other. Stops where x, the weights or the lengths end.
#[inline(always)]
pub fn triangles(x: &[u64], lengths: &[u16], weights: &[u16], y: &mut [u64]) -> bool {
    #[cfg(otolith_arm_dsp)]
    {
        mel::triangles(x, lengths, weights, y);
        true
    }
    #[cfg(not(otolith_arm_dsp))]
    {
        let _ = (x, lengths, weights, y);
        false
    }
}

/// How [`logs`] treats an energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logs {
    /// Energies up to here have the logarithm `floor`.
    pub floored: u64,
    /// Added to the other energies.
    pub added: u64,
    /// The floor's logarithm.
    pub floor: i32,
    /// Added to all logarithms.
    pub base: i32,
    /// Fraction bits of the logarithms, at most 16.
    pub q: u32,
}

/// Logarithms to base 2 with `q` fraction bits: the 32 segments of `log2(1 + i / 32)` in Q15,
/// interpolated and rounded. As many as `e` and `l` both have.
#[inline(always)]
pub fn logs(e: &[u64], l: &mut [i32], how: &Logs) -> bool {
    #[cfg(otolith_arm_dsp)]
    {
        log::logs(e, l, how);
        true
    }
    #[cfg(not(otolith_arm_dsp))]
    {
        let _ = (e, l, how);
        false
    }
}

/// Products with a matrix whose rows are antisymmetric and symmetric in turn: the halves of x become
/// sums and differences of mirrored values, row `k` of m (`x.len() / 2` values) is multiplied with
/// the differences for even `k`, with the sums for odd `k`. Everything wraps. As many rows as m and y
/// both have; `x.len()` is even. The sum of x, or `None` without a routine.
#[inline(always)]
pub fn folded(x: &mut [i32], m: &[i16], y: &mut [i32]) -> Option<i32> {
    #[cfg(otolith_arm_dsp)]
    return Some(matrix::folded(x, m, y));
    #[cfg(not(otolith_arm_dsp))]
    {
        let _ = (x, m, y);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_digit_reversed() {
        assert_eq!(Places::<4>::REVERSED.as_array(), &[0, 1, 2, 3]);
        let places = Places::<64>::REVERSED;
        assert_eq!(places.as_array()[0b00_01_10], 0b10_01_00);
        let mut sorted = *places.as_array();
        sorted.sort_unstable();
        assert!(
            sorted
                .iter()
                .enumerate()
                .all(|(i, &place)| i == usize::from(place))
        );
    }
}
