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
        let sums = sums(input, 8 * block, channels, pixels).ok_or(MISFIT)?;
        for (out, sum) in out.iter_mut().zip(sums) {
            let half = if sum > 0 {
                p.pixels / 2
            } else {
                -(p.pixels / 2)
            };
            *out = (sum + half).checked_div(p.pixels).unwrap_or(0) as i8;
        }
    }
    clamp(output, p.min, p.max);
    Ok(())
}

/// Sums of the eight channels from `at` on over all pixels.
fn sums(input: &[i8], at: usize, channels: usize, pixels: usize) -> Option<[i32; 8]> {
    let mut sums = [0; 8];
    let mut done = 0;
    while done < pixels {
        let n = (pixels - done).min(PART);
        let part = int8::sums(input.get(done * channels + at..)?, channels, n)?;
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += part;
        }
        done += n;
    }
    Some(sums)
}
