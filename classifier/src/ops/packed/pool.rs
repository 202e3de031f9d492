//! `GLOBAL_AVERAGE_POOL_I8`.

use super::{MISFIT, clamp};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_i8, expect_i8_output, size};
use otolith_dsp_arch::int8;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Average of each channel over all pixels: `y[c] = clamp(round(sum of x[i, c] / pixels))`, ties away from
/// zero: the numbers of `AVERAGE_POOL_2D_I8` with one window.
///
/// Operands: input i8 `[pixels, channels]`; output i8 `[channels]`. Source: as for
/// `AVERAGE_POOL_2D_I8`.
pub const GLOBAL_AVERAGE_POOL_I8: Op = Op {
    code: 0x0235,
    name: "GLOBAL_AVERAGE_POOL_I8",
    check,
    run,
};

/// Pixels whose sums fit 16 bits.
const PART: usize = 255;

params! {
    /// Parameters of [`GLOBAL_AVERAGE_POOL_I8`].
    Params {
        /// Pixels.
        pixels in 1, MAX_DIM;
        /// Channels, a multiple of eight.
        channels in 8, MAX_DIM;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let p = Params::checked(step)?;
    if p.channels % 8 != 0 {
        return Err(Fault::BadParam { param: 1 });
    }
    expect_i8(step, 0, &[p.pixels, p.channels])?;
    expect_i8_output(step, 1, &[p.channels])?;
    step.expect_disjoint(0, 1)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<i8, i8>(0, 1)?;
    let (pixels, channels) = (size(p.pixels), size(p.channels));
    for (block, out) in output.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let mut sums = [0; 8];
        let (mut at, mut left) = (8 * block, pixels);
        while left > 0 {
            let part = left.min(PART);
            let input = input.get(at..).ok_or(MISFIT)?;
            int8::add_pixels(input, channels, part, &mut sums).ok_or(MISFIT)?;
            at += part * channels;
            left -= part;
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            let magnitude = sum.unsigned_abs() + p.pixels as u32 / 2;
            let mean = magnitude.checked_div(p.pixels as u32).unwrap_or(0) as i32;
            *out = if sum < 0 { -mean } else { mean } as i8;
        }
    }
    clamp(output, p.min, p.max);
    Ok(())
}
