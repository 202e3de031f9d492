//! From the bins of a 16-bit spectrum to the amplitude of each channel.

use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::q;

/// Square roots of the energies of a bank of triangles, with the window's shift undone.
///
/// Operands: spectrum (`i16[2 k]`, pairs of real and imaginary part), lengths (`u16[n + 1]` table),
/// rising weights (`u16` table, Q12, at most 4096), falling weights (the same), shift (`i32[1]`, 0
/// to 15), y (`u32[n]`, written). Parameters: first bin. Segment s is a run of `lengths[s]` bins,
/// one segment behind the other from the first bin on. Channel m, from 0, rises in segment m and
/// falls in segment m + 1: `y[m] = round(sqrt(e)) >> shift` with
/// `e = sum_{segment m} rising |X|^2 + sum_{segment m + 1} falling |X|^2`. A root of 65535 stays
/// where e is below 2^32.
pub const MICRO_FILTER_BANK_U32: Op = Op {
    code: 0x03d2,
    name: "MICRO_FILTER_BANK_U32",
    check,
    run,
};

/// Fraction bits of the weights.
pub const WEIGHT_Q: u32 = 12;

/// The filters of [`MICRO_FILTER_BANK_U32`].
#[derive(Clone, Copy, Debug)]
pub struct Bank<'a> {
    /// First bin of the first segment.
    pub first: usize,
    /// Bins in each segment.
    pub lengths: &'a [u16],
    /// Weights of the filter that has its peak at the end of a segment.
    pub rising: &'a [u16],
    /// Weights of the filter that has its peak at the start of it.
    pub falling: &'a [u16],
}

impl Bank<'_> {
    /// The amplitudes `y` of all channels.
    pub fn amplitudes(&self, spectrum: &[i16], shift: u32, y: &mut [u32]) {
        let (bins, _) = spectrum.as_chunks::<2>();
        let mut bins = bins.get(self.first..).unwrap_or(&[]);
        let (mut rising, mut falling) = (self.rising, self.falling);
        let mut segment = |len: u16| {
            let len = usize::from(len);
            let bins = split_off(&mut bins, len);
            sums(
                bins,
                split_off(&mut rising, len),
                split_off(&mut falling, len),
            )
        };
        let mut lengths = self.lengths.iter();
        // Nothing falls in the first segment.
        let (mut rising, _) = segment(lengths.next().copied().unwrap_or(0));
        for (y, &len) in y.iter_mut().zip(lengths) {
            let (next, falling) = segment(len);
            *y = root(rising.wrapping_add(falling)) >> (shift & 31);
            rising = next;
        }
    }
}

/// The first `n` elements, which `slice` loses; none if it has fewer.
fn split_off<'a, T>(slice: &mut &'a [T], n: usize) -> &'a [T] {
    let (first, rest) = slice.split_at_checked(n).unwrap_or((&[], slice));
    *slice = rest;
    first
}

/// Sums of a segment's energies with the weights of the rising and of the falling filter.
#[inline(always)]
fn sums(bins: &[[i16; 2]], rising: &[u16], falling: &[u16]) -> (u64, u64) {
    let (mut up, mut down) = (0u64, 0u64);
    for ((&bin, &rising), &falling) in bins.iter().zip(rising).zip(falling) {
        let energy = energy(bin);
        up = up.wrapping_add(q::mul_exact(energy, rising));
        down = down.wrapping_add(q::mul_exact(energy, falling));
    }
    (up, down)
}

/// `re^2 + im^2`, at most 2^31.
#[inline(always)]
fn energy(bin: [i16; 2]) -> u32 {
    let [re, im] = bin.map(|x| u32::from(x.unsigned_abs()));
    re * re + im * im
}

/// The square root, to nearest; downwards where it would not fit the width of half of x.
pub fn root(x: u64) -> u32 {
    let root = q::sqrt(x);
    let rest = x.wrapping_sub(u64::from(root).wrapping_mul(u64::from(root)));
    let most = if x >> 32 == 0 {
        u32::from(u16::MAX)
    } else {
        u32::MAX
    };
    if rest > u64::from(root) && root != most {
        root.wrapping_add(1)
    } else {
        root
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let bins = step.count_of::<i16>(0)? / 2;
    let lengths = step.table::<u16>(1)?;
    let total: usize = lengths.iter().map(|&n| usize::from(n)).sum();
    for operand in [2, 3] {
        let weights = step.table::<u16>(operand)?;
        let fault = operand as u8;
        if weights.len() != total {
            return Err(Fault::WrongLength { operand: fault });
        }
        if weights.iter().any(|&w| w > 1 << WEIGHT_Q) {
            return Err(Fault::BadTable { operand: fault });
        }
    }
    if step.count_of::<i32>(4)? != 1 {
        return Err(Fault::WrongLength { operand: 4 });
    }
    let channels = step.count_of_output::<u32>(5)?;
    if lengths.len() != channels + 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 5)?;
    step.expect_disjoint(4, 5)?;
    let &[first] = step.params()?;
    if (first as usize)
        .checked_add(total)
        .is_none_or(|end| end > bins)
    {
        return Err(Fault::BadParam { param: 0 });
    }
    Ok(())
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[first] = io.step.params()?;
    let bank = Bank {
        first: first as usize,
        lengths: io.step.table(1)?,
        rising: io.step.table(2)?,
        falling: io.step.table(3)?,
    };
    let (spectrum, shift, y) = io.read2_write::<i16, i32, u32>(0, 4, 5)?;
    let &shift = shift.first().ok_or(Fault::WrongLength { operand: 4 })?;
    bank.amplitudes(spectrum, shift as u32, y);
    Ok(())
}
