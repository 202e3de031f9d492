//! Layers whose weights are packed for processors that multiply pairs of 16-bit numbers.
//!
//! The tables are those of [`otolith_dsp_arch::int8`]: weights as pairs of channels, and four
//! words for each output channel. Lowering chooses these operators where it has proven that the
//! tables hold the layer; where it cannot, the operators on plain weights remain. The bits are the
//! same, and so is the contract.

pub mod add;
pub mod conv;
pub mod depthwise;
pub mod pool;
pub mod split;
pub mod taps;
#[cfg(test)]
mod tests;

use otolith_dsp_arch::int8::layer;
use otolith_dsp_arch::int8::{Channel, Sign};
use otolith_dsp_nostd::format::Element;
use otolith_dsp_nostd::{Fault, Io, Step};

/// Input and output of a layer: apart, or one over the other, from the same byte on.
enum Memory<'a> {
    Apart(&'a [i8], &'a mut [i8]),
    Together {
        bytes: &'a mut [i8],
        input: usize,
        output: usize,
    },
}

impl layer::Memory for Memory<'_> {
    #[inline]
    fn input(&self) -> &[i8] {
        match self {
            Memory::Apart(input, _) => input,
            Memory::Together { bytes, input, .. } => bytes.get(..*input).unwrap_or_default(),
        }
    }

    #[inline]
    fn output(&mut self) -> &mut [i8] {
        match self {
            Memory::Apart(_, output) => output,
            Memory::Together { bytes, output, .. } => bytes.get_mut(..*output).unwrap_or_default(),
        }
    }
}

impl Memory<'_> {
    /// The input, if it is not in the output, and the output.
    fn parts(&mut self) -> (Option<&[i8]>, &mut [i8]) {
        match self {
            Memory::Apart(input, output) => (Some(*input), &mut **output),
            Memory::Together { bytes, .. } => (None, &mut **bytes),
        }
    }
}

/// The memory of a layer with input `x` and output `y`, and its scratch at operands `s` and `t`.
fn memory<'io, S: Element, T: Element>(
    io: &'io mut Io<'_, '_>,
    [x, y]: [usize; 2],
    [s, t]: [usize; 2],
) -> Result<(Memory<'io>, &'io mut [S], &'io mut [T]), Fault> {
    if !io.step.starts_together(x, y)? {
        let (input, output, s, t) = io.read_write3::<i8, i8, S, T>(x, y, s, t)?;
        return Ok((Memory::Apart(input, output), s, t));
    }
    let (input, output) = (io.step.count_of::<i8>(x)?, io.step.count_of::<i8>(y)?);
    let larger = if input > output { x } else { y };
    let (bytes, s, t) = io.write3::<i8, S, T>(larger, s, t)?;
    let memory = Memory::Together {
        bytes,
        input,
        output,
    };
    Ok((memory, s, t))
}

/// [`memory`] with one scratch.
fn memory_one<'io, S: Element>(
    io: &'io mut Io<'_, '_>,
    [x, y]: [usize; 2],
    s: usize,
) -> Result<(Memory<'io>, &'io mut [S]), Fault> {
    if !io.step.starts_together(x, y)? {
        let (input, output, s) = io.read_write2::<i8, i8, S>(x, y, s)?;
        return Ok((Memory::Apart(input, output), s));
    }
    let (input, output) = (io.step.count_of::<i8>(x)?, io.step.count_of::<i8>(y)?);
    let larger = if input > output { x } else { y };
    let (bytes, s) = io.write2::<i8, S>(larger, s)?;
    let memory = Memory::Together {
        bytes,
        input,
        output,
    };
    Ok((memory, s))
}

/// Checks a table of `n` channels at operand `i`.
fn check_channels(step: &Step<'_>, i: usize, n: usize) -> Result<(), Fault> {
    let operand = i as u8;
    let (channels, rest) = step.table::<i32>(i)?.as_chunks::<4>();
    if channels.len() != n || !rest.is_empty() {
        return Err(Fault::WrongLength { operand });
    }
    // A number is at most 21 where neither it nor 10 more has bits above the lowest five.
    let bits = |&[_, _, _, shift]: &[i32; 4]| {
        let above_one = (shift as u32).wrapping_sub(1);
        above_one | above_one.wrapping_add(10)
    };
    let (fours, others) = channels.as_chunks::<4>();
    let fours = fours.iter().fold(0, |all, [a, b, c, d]| {
        all | bits(a) | bits(b) | bits(c) | bits(d)
    });
    if others
        .iter()
        .fold(fours, |all, channel| all | bits(channel))
        < 32
    {
        Ok(())
    } else {
        Err(Fault::BadTable { operand })
    }
}

/// The channels of a table.
fn channels<'p>(step: &Step<'p>, i: usize) -> Result<&'p [Channel], Fault> {
    Ok(step.table::<i32>(i)?.as_chunks().0)
}

/// Whether negative sums saturate, as a parameter says.
fn sign(saturates: i32) -> Sign {
    if saturates == 0 {
        Sign::Matters
    } else {
        Sign::Saturates
    }
}

/// Brings `out` into the range of a fused activation.
#[inline(never)]
fn clamp(out: &mut [i8], min: i32, max: i32) {
    if min > -128 || max < 127 {
        for y in out {
            *y = i32::from(*y).max(min).min(max) as i8;
        }
    }
}

/// A slice that does not fit its layer, which the check should have seen.
const MISFIT: Fault = Fault::WrongLength { operand: 0 };
