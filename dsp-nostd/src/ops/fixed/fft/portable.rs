//! The transform by its portable kernels on any target: what the routines of
//! [`otolith_dsp_arch::dsp`] are compared with.

use super::Tables;
use super::kernel::{Complex, Table, Window, stage};
use otolith_dsp_arch::dsp::Places;

/// A value of a 32-bit table (Q31), for which no routine is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plain(pub i32);

impl Table for Plain {
    #[inline(always)]
    fn weigh_i16(x: i16, w: Plain) -> i32 {
        i32::weigh_i16(x, w.0)
    }

    #[inline(always)]
    fn weigh_i32(x: i32, w: Plain) -> i32 {
        i32::weigh_i32(x, w.0)
    }

    #[inline(always)]
    fn turn(x: Complex, [c, s]: [Plain; 2]) -> Complex {
        i32::turn(x, [c.0, s.0])
    }
}

/// The tables of a transform of n points, as in the operators for `i16` samples and 32-bit tables.
#[derive(Clone, Copy, Debug)]
pub struct PlainTables<'t> {
    /// The window's first half, `n / 2 + 1` values.
    pub half: &'t [Plain],
    /// The window's second half is `w[i] = half[mirror - i]`.
    pub mirror: usize,
    /// Twiddle factors, `n / 8 - 1`.
    pub twiddles: &'t [[Plain; 6]],
    /// Twiddle factors of the split, `n / 4 - 1`.
    pub split: &'t [[Plain; 2]],
}

impl PlainTables<'_> {
    /// The powers of the samples `x`, which are shifted by the block exponent. `None` for a length
    /// that has no routine, or when a slice has another length.
    pub fn power(&self, x: &[i16], exponent: i32, power: &mut [u64]) -> Option<()> {
        macro_rules! transform {
            ($n:literal $h:literal $first:literal [$($q:literal)*]) => {
                Tables {
                    window: Window {
                        half: self.half,
                        mirror: self.mirror,
                    },
                    twiddles: self.twiddles.first_chunk::<{ $h / 4 - 1 }>()?,
                    split: self.split.first_chunk::<{ $h / 2 - 1 }>()?,
                    places: &const { Places::<{ $h / $first }>::REVERSED },
                }
                .transform::<i16, $n, $h, $first>(x, exponent, power, |x, twiddles| {
                    $(stage::<Plain, $q, { 4 * $q }, { $h / 4 / $q }, { $h / 4 - 1 }>(x, twiddles);)*
                })
            };
        }
        match power.len() {
            129 => transform!(256 128 2 [2 8 32]),
            257 => transform!(512 256 4 [4 16 64]),
            513 => transform!(1024 512 2 [2 8 32 128]),
            _ => None,
        }
    }
}
