//! Power spectrum of a real frame, in integers.
//!
//! Each length is an operator of its own, as for the `f32` transform, so that firmware links the
//! lengths that it uses and every distance is a constant. All of them are one radix-4 transform
//! of `n / 2` complex points, with one radix-2 stage where that is no power of 4; data are 32
//! bits wide, tables 32 (`T32`) or 16 (`T16`).
//!
//! A frame's samples are multiplied with the window and shifted right by the block exponent `d`,
//! so that every loud frame uses the same bits; each radix-4 stage but an untwiddled first one
//! halves. The powers are those of the bins `0..=n/2`,
//!
//! `P[k] = |X[k]|^2 2^(2 (g - d - s))`, `X[k] = sum_t w[t] x[t] exp(-2 pi i k t / n)`
//!
//! with `g = 15` for `i16` samples and -1 for `i32` samples (in units of the integers x), and `s`
//! the number of halving stages, [`halvings`]. Lowering chooses `bits` such that nothing
//! overflows; `docs/NUMERICS.md` has the argument.

mod kernel;
pub mod portable;
pub mod segments;

use crate::error::Fault;
use crate::format::{Elem, Element};
use crate::op::{Io, Op, Step};
use kernel::{Complex, Sample, Table, Window, first_stage, split_power, stage};
use otolith_dsp_arch::dsp::Places;

/// Parameters of the `RFFT_POWER_*` operators: six words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RfftParams {
    /// First sample of frame 0 in x.
    pub start: u32,
    /// Samples between the starts of two frames.
    pub hop: u32,
    /// Samples in a frame, at most the FFT length; zeros follow.
    pub frame_len: u32,
    /// The window's second half is `w[n] = w[mirror - n]`: `frame_len` for a periodic window,
    /// `frame_len - 1` for a symmetric one.
    pub mirror: u32,
    /// Bits that samples keep: a frame whose longest sample has `L` bits beside the sign is
    /// shifted right by the block exponent `d = max(L - bits, -left)`.
    pub bits: u32,
    /// Furthest shift to the left, at most 12.
    pub left: u32,
}

impl RfftParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 6] {
        [
            self.start,
            self.hop,
            self.frame_len,
            self.mirror,
            self.bits,
            self.left,
        ]
    }

    fn decode(&[start, hop, frame_len, mirror, bits, left]: &[u32; 6]) -> Self {
        Self {
            start,
            hop,
            frame_len,
            mirror,
            bits,
            left,
        }
    }
}

macro_rules! rfft_power {
    ($($x:ty, $t:ty, $code:literal {
        $($name:ident $log2:literal $n:literal $h:literal $first:literal [$($q:literal)*];)*
    })*) => {$($(
        #[doc = concat!("Power spectrum of ", stringify!($n), " points from `", stringify!($x),
            "` samples, with `", stringify!($t), "` tables.")]
        ///
        #[doc = concat!("Operands: x (`", stringify!($x), "`), window (`", stringify!($t),
            "[n/2 + 1]` table, the first half), twiddles (`", stringify!($t),
            "[6 (n/8 - 1)]` table), split (`", stringify!($t), "[2 (n/4 - 1)]` table),")]
        /// power (`u64[n/2 + 1]`, written), exponent (`i32[1]`, written). Parameters:
        /// [`RfftParams`]. See the [module](self) for the formula.
        pub const $name: Op = Op {
            code: $code + $log2,
            name: stringify!($name),
            check: check::<$x, $t, $n>,
            run: |io| run::<$x, $t, $n, $h, $first, { $h / $first }, { $h / 4 - 1 }, { $h / 2 - 1 }>(
                io,
                &const { Places::<{ $h / $first }>::REVERSED },
                |x, twiddles| {
                    $(stage::<$t, $q, { 4 * $q }, { $h / 4 / $q }, { $h / 4 - 1 }>(x, twiddles);)*
                },
            ),
        };
    )*)*

    /// The operator for `i16` samples and 32-bit tables, and so on.
    const OPS: [[&Op; 9]; 4] = [$([$(&$name),*]),*];
    };
}

rfft_power! {
    i16, i32, 0x0380 {
        RFFT_POWER_I16_T32_16 4 16 8 2 [2];
        RFFT_POWER_I16_T32_32 5 32 16 4 [4];
        RFFT_POWER_I16_T32_64 6 64 32 2 [2 8];
        RFFT_POWER_I16_T32_128 7 128 64 4 [4 16];
        RFFT_POWER_I16_T32_256 8 256 128 2 [2 8 32];
        RFFT_POWER_I16_T32_512 9 512 256 4 [4 16 64];
        RFFT_POWER_I16_T32_1024 10 1024 512 2 [2 8 32 128];
        RFFT_POWER_I16_T32_2048 11 2048 1024 4 [4 16 64 256];
        RFFT_POWER_I16_T32_4096 12 4096 2048 2 [2 8 32 128 512];
    }
    i16, i16, 0x0390 {
        RFFT_POWER_I16_T16_16 4 16 8 2 [2];
        RFFT_POWER_I16_T16_32 5 32 16 4 [4];
        RFFT_POWER_I16_T16_64 6 64 32 2 [2 8];
        RFFT_POWER_I16_T16_128 7 128 64 4 [4 16];
        RFFT_POWER_I16_T16_256 8 256 128 2 [2 8 32];
        RFFT_POWER_I16_T16_512 9 512 256 4 [4 16 64];
        RFFT_POWER_I16_T16_1024 10 1024 512 2 [2 8 32 128];
        RFFT_POWER_I16_T16_2048 11 2048 1024 4 [4 16 64 256];
        RFFT_POWER_I16_T16_4096 12 4096 2048 2 [2 8 32 128 512];
    }
    i32, i32, 0x03a0 {
        RFFT_POWER_I32_T32_16 4 16 8 2 [2];
        RFFT_POWER_I32_T32_32 5 32 16 4 [4];
        RFFT_POWER_I32_T32_64 6 64 32 2 [2 8];
        RFFT_POWER_I32_T32_128 7 128 64 4 [4 16];
        RFFT_POWER_I32_T32_256 8 256 128 2 [2 8 32];
        RFFT_POWER_I32_T32_512 9 512 256 4 [4 16 64];
        RFFT_POWER_I32_T32_1024 10 1024 512 2 [2 8 32 128];
        RFFT_POWER_I32_T32_2048 11 2048 1024 4 [4 16 64 256];
        RFFT_POWER_I32_T32_4096 12 4096 2048 2 [2 8 32 128 512];
    }
    i32, i16, 0x03b0 {
        RFFT_POWER_I32_T16_16 4 16 8 2 [2];
        RFFT_POWER_I32_T16_32 5 32 16 4 [4];
        RFFT_POWER_I32_T16_64 6 64 32 2 [2 8];
        RFFT_POWER_I32_T16_128 7 128 64 4 [4 16];
        RFFT_POWER_I32_T16_256 8 256 128 2 [2 8 32];
        RFFT_POWER_I32_T16_512 9 512 256 4 [4 16 64];
        RFFT_POWER_I32_T16_1024 10 1024 512 2 [2 8 32 128];
        RFFT_POWER_I32_T16_2048 11 2048 1024 4 [4 16 64 256];
        RFFT_POWER_I32_T16_4096 12 4096 2048 2 [2 8 32 128 512];
    }
}

/// The operator for this FFT length, if there is one: for `i32` samples or `i16`, with 32-bit
/// tables or 16-bit.
pub fn rfft_power(n: usize, wide_samples: bool, wide_tables: bool) -> Option<&'static Op> {
    let [i16_t32, i16_t16, i32_t32, i32_t16] = &OPS;
    let ops = match (wide_samples, wide_tables) {
        (false, true) => i16_t32,
        (false, false) => i16_t16,
        (true, true) => i32_t32,
        (true, false) => i32_t16,
    };
    if !n.is_power_of_two() {
        return None;
    }
    let index = n.trailing_zeros().checked_sub(4)?;
    ops.get(index as usize).copied()
}

/// Number of stages that halve in the transform of `n` points, a power of two from 16 on.
pub const fn halvings(n: usize) -> u32 {
    (n.trailing_zeros() - 2) / 2
}

fn check<X: Element, T: Element, const N: usize>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let samples = step.count_of::<X>(0)?;
    for (operand, len) in [(1, N / 2 + 1), (2, 6 * (N / 8 - 1)), (3, 2 * (N / 4 - 1))] {
        if step.table::<T>(operand)?.len() != len {
            return Err(Fault::WrongLength {
                operand: operand as u8,
            });
        }
    }
    if step.count_of_output::<u64>(4)? != N / 2 + 1 {
        return Err(Fault::WrongLength { operand: 4 });
    }
    if step.count_of_output::<i32>(5)? != 1 {
        return Err(Fault::WrongLength { operand: 5 });
    }
    step.expect_disjoint(0, 4)?;
    step.expect_disjoint(0, 5)?;
    step.expect_disjoint(4, 5)?;
    let params = RfftParams::decode(step.params()?);
    if params.left > 12 {
        return Err(Fault::BadParam { param: 5 });
    }
    let (start, frame_len) = (params.start as usize, params.frame_len as usize);
    if start.checked_add(frame_len).is_none_or(|end| end > samples) {
        return Err(Fault::BadParam { param: 0 });
    }
    if !(1..=N).contains(&frame_len) {
        return Err(Fault::BadParam { param: 2 });
    }
    if params.mirror != params.frame_len && params.mirror != params.frame_len - 1 {
        return Err(Fault::BadParam { param: 3 });
    }
    // A 16-bit sample is shifted by 16 - d bits, and has 15.
    let least = if X::ELEM == Elem::I16 { 3 } else { 1 };
    if !(least..=31).contains(&params.bits) {
        return Err(Fault::BadParam { param: 4 });
    }
    Ok(())
}

fn run<
    X,
    T,
    const N: usize,
    const H: usize,
    const F: usize,
    const R: usize,
    const W: usize,
    const P: usize,
>(
    io: &mut Io<'_, '_>,
    places: &Places<R>,
    stages: impl Fn(&mut [Complex], &[[T; 6]; W]),
) -> Result<(), Fault>
where
    X: Sample + Element,
    T: Table + Element,
{
    let params = RfftParams::decode(io.step.params()?);
    let short = |operand| Fault::WrongLength { operand };
    let start = (params.start as usize)
        .wrapping_add((io.frame() as usize).wrapping_mul(params.hop as usize));
    let end = start.wrapping_add(params.frame_len as usize);
    let window = Window {
        half: io.step.table::<T>(1)?,
        mirror: params.mirror as usize,
    };
    let (twiddles, _) = io.step.table::<T>(2)?.as_chunks::<6>();
    let twiddles = twiddles.first_chunk::<W>().ok_or(short(2))?;
    let (split, _) = io.step.table::<T>(3)?.as_chunks::<2>();
    let split = split.first_chunk::<P>().ok_or(short(3))?;
    let (x, power) = io.read_write::<X, u64>(0, 4)?;
    let x = x.get(start..end).ok_or(short(0))?;
    let (excess, limit) = (X::bits(x) - params.bits as i32, -(params.left as i32));
    let d = if excess > limit { excess } else { limit };
    let tables = Tables {
        window,
        twiddles,
        split,
        places,
    };
    tables
        .transform::<X, N, H, F>(x, d, power, stages)
        .ok_or(short(4))?;
    io.write::<i32>(5)?.fill(d);
    Ok(())
}

/// What a transform needs beside its samples.
struct Tables<'t, T, const R: usize, const W: usize, const P: usize> {
    window: Window<'t, T>,
    twiddles: &'t [[T; 6]; W],
    split: &'t [[T; 2]; P],
    places: &'t Places<R>,
}

impl<T: Table, const R: usize, const W: usize, const P: usize> Tables<'_, T, R, W, P> {
    /// The powers of `x`, whose block exponent is `d`; `None` when `power` has another length.
    #[inline(always)]
    fn transform<X: Sample, const N: usize, const H: usize, const F: usize>(
        self,
        x: &[X],
        d: i32,
        power: &mut [u64],
        stages: impl Fn(&mut [Complex], &[[T; 6]; W]),
    ) -> Option<()> {
        // The transform works where the powers will be: each is as wide as a complex number, low
        // word first as everywhere in a plan.
        let (_, bins) = power.split_last_mut()?;
        let bins: &mut [Complex] = bytemuck::try_cast_slice_mut(bins).ok()?;
        let bins: &mut [Complex; H] = bins.try_into().ok()?;
        first_stage::<X, T, N, H, F, R>(x, self.window, d, self.places, bins);
        stages(bins, self.twiddles);
        split_power::<T, H, P>(power, self.split)
    }
}

#[cfg(test)]
mod tests;
