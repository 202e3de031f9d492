//! `AVERAGE_POOL_2D_*` and `MAX_POOL_2D_*`.

use super::Activation;
use crate::params::{I8_MIN, MAX_DIM, expect_count, size};
use crate::window::{Axis, pairs, row};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Average over a window, of the elements that lie inside the input.
///
/// `y = clamp(round(sum / n))` with the raw int8 values (input and output share scale and zero
/// point), ties away from zero, `n` the number of elements inside.
///
/// Operands: input i8 `[batch, in_h, in_w, channels]`; output i8
/// `[batch, out_h, out_w, channels]`. Source: TFLite's `reference_integer_ops::AveragePool`.
pub const AVERAGE_POOL_2D_I8: Op = Op {
    code: 0x0203,
    name: "AVERAGE_POOL_2D_I8",
    check: check::<i8>,
    run: |io| run::<i8>(io, 0, i32::wrapping_add, average),
};

/// Largest element of a window: `y = clamp(max)`.
///
/// Operands: as [`AVERAGE_POOL_2D_I8`]. Source: TFLite's `reference_integer_ops::MaxPool`.
pub const MAX_POOL_2D_I8: Op = Op {
    code: 0x0204,
    name: "MAX_POOL_2D_I8",
    check: check::<i8>,
    run: |io| run::<i8>(io, I8_MIN, i32::max, |max, _| max),
};

/// [`AVERAGE_POOL_2D_I8`] of int16. Operands: input i16; output i16.
pub const AVERAGE_POOL_2D_I16: Op = Op {
    code: 0x0296,
    name: "AVERAGE_POOL_2D_I16",
    check: check::<i16>,
    run: |io| run::<i16>(io, 0, i32::wrapping_add, average),
};

/// [`MAX_POOL_2D_I8`] of int16. Operands: input i16; output i16.
pub const MAX_POOL_2D_I16: Op = Op {
    code: 0x0297,
    name: "MAX_POOL_2D_I16",
    check: check::<i16>,
    run: |io| run::<i16>(io, -32768, i32::max, |max, _| max),
};

params! {
    /// Parameters of all poolings.
    Params {
        /// Images.
        batch in 1, MAX_DIM;
        /// Input height.
        in_h in 1, MAX_DIM;
        /// Input width.
        in_w in 1, MAX_DIM;
        /// Channels.
        channels in 1, MAX_DIM;
        /// Output height.
        out_h in 1, MAX_DIM;
        /// Output width.
        out_w in 1, MAX_DIM;
        /// Window height; height times width is at most 2^23 for int8 and 2^15 for int16, so
        /// that no sum overflows.
        kernel_h in 1, MAX_DIM;
        /// Window width.
        kernel_w in 1, MAX_DIM;
        /// Vertical step.
        stride_h in 1, MAX_DIM;
        /// Horizontal step.
        stride_w in 1, MAX_DIM;
        /// Rows of padding above, fewer than the window's.
        pad_top in 0, MAX_DIM;
        /// Columns of padding at the left, fewer than the window's.
        pad_left in 0, MAX_DIM;
        /// Smallest output.
        min in -32768, 32767;
        /// Largest output.
        max in -32768, 32767;
    }
}

impl Params {
    fn vertical(&self) -> Axis {
        Axis {
            input: self.in_h,
            output: self.out_h,
            kernel: self.kernel_h,
            stride: self.stride_h,
            dilation: 1,
            pad: self.pad_top,
        }
    }

    fn horizontal(&self) -> Axis {
        Axis {
            input: self.in_w,
            output: self.out_w,
            kernel: self.kernel_w,
            stride: self.stride_w,
            dilation: 1,
            pad: self.pad_left,
        }
    }
}

fn check<T: Activation>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let p = Params::checked(step)?;
    if i64::from(p.kernel_h) * i64::from(p.kernel_w) > T::MOST {
        return Err(Fault::BadParam { param: 6 });
    }
    if p.min < T::MIN || p.max > T::MAX {
        return Err(Fault::BadParam { param: 12 });
    }
    for axis in [p.vertical(), p.horizontal()] {
        if !axis.fits() || !axis.covers() {
            return Err(Fault::BadParam { param: 8 });
        }
    }
    let input = [p.batch, p.in_h, p.in_w, p.channels];
    expect_count(step.count_of::<T>(0)?, &input, 0)?;
    let output = [p.batch, p.out_h, p.out_w, p.channels];
    expect_count(step.count_of_output::<T>(1)?, &output, 1)?;
    step.expect_disjoint(0, 1)
}

/// Channels whose accumulators are kept at once.
const BLOCK: usize = 32;

/// Folds each window with `fold` from `start` on and turns the result and the number of elements
/// into the output with `finish`.
fn run<T: Activation>(
    io: &mut Io<'_, '_>,
    start: i32,
    fold: impl Fn(i32, i32) -> i32,
    finish: impl Fn(i32, i32) -> i32,
) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<T, T>(0, 1)?;
    let (vertical, horizontal) = (p.vertical(), p.horizontal());
    let channels = size(p.channels).max(1);
    let line_len = size(p.in_w) * channels;
    let in_image = (size(p.in_h) * line_len).max(1);
    let out_row = (size(p.out_w) * channels).max(1);
    let out_image = (size(p.out_h) * out_row).max(1);
    let images = input.chunks_exact(in_image);
    for (image, out) in pairs(images, output.chunks_exact_mut(out_image)) {
        for (oy, out) in out.chunks_exact_mut(out_row).enumerate() {
            let y0 = vertical.start(oy);
            for (ox, out) in out.chunks_exact_mut(channels).enumerate() {
                let x0 = horizontal.start(ox);
                for (i, out) in out.chunks_mut(BLOCK).enumerate() {
                    let mut acc = [start; BLOCK];
                    let mut n = 0;
                    for ky in 0..size(p.kernel_h) {
                        let line = vertical.at(y0, ky).and_then(|y| row(image, y, line_len));
                        let Some(line) = line else { continue };
                        for kx in 0..size(p.kernel_w) {
                            let Some(x) = horizontal.at(x0, kx) else {
                                continue;
                            };
                            let from = x * channels + i * BLOCK;
                            let pixel = line.get(from..).unwrap_or_default();
                            n += 1;
                            for (acc, &x) in acc.iter_mut().zip(pixel) {
                                *acc = fold(*acc, x.into());
                            }
                        }
                    }
                    for (out, &acc) in out.iter_mut().zip(&acc) {
                        *out = T::narrow(finish(acc, n).max(p.min).min(p.max));
                    }
                }
            }
        }
    }
    Ok(())
}

/// `sum / n`, ties away from zero.
fn average(sum: i32, n: i32) -> i32 {
    let n = n.max(1);
    let half = if sum > 0 { n / 2 } else { -(n / 2) };
    sum.wrapping_add(half) / n
}
