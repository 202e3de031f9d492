//! `DEPTHWISE_CONV_2D_I8`.

use super::{check_requant, requant};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, size};
use crate::requant::Requant;
use crate::window::{Axis, row};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Convolution of each channel by itself, with `multiplier` outputs for each.
///
/// `y[b,oy,ox,i*multiplier+m] = requant(sum over ky,kx of (x[b, oy*stride_h - pad_top +
/// ky*dilation_h, ox*stride_w - pad_left + kx*dilation_w, i] - input_zero_point) *
/// w[ky,kx,i*multiplier+m])`, taps outside the input left out.
///
/// Operands: input i8 `[batch, in_h, in_w, in_c]`; weights i8 `[kernel_h, kernel_w, out_c]`; bias
/// i32 `[out_c]`; multipliers i32 and shifts i8, `[out_c]` or `[1]`; output i8
/// `[batch, out_h, out_w, out_c]` with `out_c = in_c * multiplier`. Source: TFLite's
/// `reference_integer_ops::DepthwiseConvPerChannel`.
pub const DEPTHWISE_CONV_2D_I8: Op = Op {
    code: 0x0201,
    name: "DEPTHWISE_CONV_2D_I8",
    check,
    run,
};

params! {
    /// Parameters of [`DEPTHWISE_CONV_2D_I8`].
    Params {
        /// Images.
        batch in 1, MAX_DIM;
        /// Input height.
        in_h in 1, MAX_DIM;
        /// Input width.
        in_w in 1, MAX_DIM;
        /// Input channels.
        in_c in 1, MAX_DIM;
        /// Output height.
        out_h in 1, MAX_DIM;
        /// Output width.
        out_w in 1, MAX_DIM;
        /// Outputs per input channel.
        multiplier in 1, MAX_DIM;
        /// Kernel height.
        kernel_h in 1, MAX_DIM;
        /// Kernel width.
        kernel_w in 1, MAX_DIM;
        /// Vertical step.
        stride_h in 1, MAX_DIM;
        /// Horizontal step.
        stride_w in 1, MAX_DIM;
        /// Vertical distance of taps.
        dilation_h in 1, MAX_DIM;
        /// Horizontal distance of taps.
        dilation_w in 1, MAX_DIM;
        /// Rows of padding above.
        pad_top in 0, MAX_DIM;
        /// Columns of padding at the left.
        pad_left in 0, MAX_DIM;
        /// Zero point of the input.
        input_zero_point in I8_MIN, I8_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

impl Params {
    fn vertical(&self) -> Axis {
        Axis {
            input: self.in_h,
            output: self.out_h,
            kernel: self.kernel_h,
            stride: self.stride_h,
            dilation: self.dilation_h,
            pad: self.pad_top,
        }
    }

    fn horizontal(&self) -> Axis {
        Axis {
            input: self.in_w,
            output: self.out_w,
            kernel: self.kernel_w,
            stride: self.stride_w,
            dilation: self.dilation_w,
            pad: self.pad_left,
        }
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let p = Params::checked(step)?;
    if !p.vertical().fits() || !p.horizontal().fits() {
        return Err(Fault::BadParam { param: 9 });
    }
    expect_count(
        step.count_of::<i8>(0)?,
        &[p.batch, p.in_h, p.in_w, p.in_c],
        0,
    )?;
    let weights = [p.kernel_h, p.kernel_w, p.in_c, p.multiplier];
    expect_count(step.table::<i8>(1)?.len(), &weights, 1)?;
    let output = [p.batch, p.out_h, p.out_w, p.in_c, p.multiplier];
    expect_count(step.count_of_output::<i8>(5)?, &output, 5)?;
    // No overflow: the output, which is at least as long, was counted.
    check_requant(step, 2, size(p.in_c) * size(p.multiplier))?;
    step.expect_disjoint(0, 5)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let weights = io.step.table::<i8>(1)?;
    let requant = requant(&io.step, 2, p.output_zero_point, p.min, p.max)?;
    let (input, output) = io.read_write::<i8, i8>(0, 5)?;
    depthwise_conv_2d(&p, input, weights, &requant, output);
    Ok(())
}

/// Channels whose accumulators are kept at once.
const BLOCK: usize = 32;

fn depthwise_conv_2d(
    p: &Params,
    input: &[i8],
    weights: &[i8],
    requant: &Requant<'_>,
    output: &mut [i8],
) {
    let in_c = size(p.in_c);
    let out_c = (in_c * size(p.multiplier)).max(1);
    let in_image = (size(p.in_h) * size(p.in_w) * in_c).max(1);
    let out_row = (size(p.out_w) * out_c).max(1);
    let out_image = (size(p.out_h) * out_row).max(1);
    let images = input.chunks_exact(in_image);
    for (image, out) in images.zip(output.chunks_exact_mut(out_image)) {
        for (oy, out) in out.chunks_exact_mut(out_row).enumerate() {
            for (ox, out) in out.chunks_exact_mut(out_c).enumerate() {
                let window = Window {
                    p,
                    image,
                    weights,
                    out_c,
                    y0: p.vertical().start(oy),
                    x0: p.horizontal().start(ox),
                };
                if p.multiplier == 1 {
                    for (i, out) in out.chunks_mut(BLOCK).enumerate() {
                        window.block(i * BLOCK, requant, out);
                    }
                } else {
                    let channels = out.chunks_exact_mut(size(p.multiplier).max(1));
                    for (channel, out) in channels.enumerate() {
                        window.channel(channel, requant, out);
                    }
                }
            }
        }
    }
}

/// The window of one output pixel.
struct Window<'a> {
    p: &'a Params,
    image: &'a [i8],
    weights: &'a [i8],
    out_c: usize,
    y0: i32,
    x0: i32,
}

impl Window<'_> {
    /// Calls `f` with the input channels and the weights of each tap inside the input.
    #[inline(always)]
    fn taps(&self, mut f: impl FnMut(&[i8], &[i8])) {
        let p = self.p;
        let (vertical, horizontal) = (p.vertical(), p.horizontal());
        let in_c = size(p.in_c);
        let kernel_w = size(p.kernel_w);
        for ky in 0..size(p.kernel_h) {
            let line = vertical
                .at(self.y0, ky)
                .and_then(|y| row(self.image, y, size(p.in_w) * in_c));
            let Some(line) = line else { continue };
            for kx in 0..kernel_w {
                let pixel = horizontal.at(self.x0, kx).and_then(|x| row(line, x, in_c));
                let weights = row(self.weights, ky * kernel_w + kx, self.out_c);
                if let (Some(pixel), Some(weights)) = (pixel, weights) {
                    f(pixel, weights);
                }
            }
        }
    }

    /// Channels `first..` with one output each.
    #[inline(always)]
    fn block(&self, first: usize, requant: &Requant<'_>, out: &mut [i8]) {
        let zero_point = self.p.input_zero_point as i16;
        let mut acc = [0i32; BLOCK];
        self.taps(|pixel, weights| {
            let pixel = pixel.get(first..).unwrap_or_default();
            let weights = weights.get(first..).unwrap_or_default();
            // Constant lengths let the compiler keep all accumulators in registers.
            match (pixel.first_chunk::<BLOCK>(), weights.first_chunk::<BLOCK>()) {
                (Some(pixel), Some(weights)) => accumulate(&mut acc, pixel, weights, zero_point),
                _ => accumulate(&mut acc, pixel, weights, zero_point),
            }
        });
        requant.apply(first, &acc, out);
    }

    /// All outputs of one input channel.
    #[inline(always)]
    fn channel(&self, channel: usize, requant: &Requant<'_>, out: &mut [i8]) {
        let from = channel * size(self.p.multiplier);
        for (i, out) in out.chunks_mut(BLOCK).enumerate() {
            let first = from + i * BLOCK;
            let mut acc = [0i32; BLOCK];
            self.taps(|pixel, weights| {
                let x = pixel.get(channel).map_or(0, |&x| i32::from(x)) - self.p.input_zero_point;
                let weights = weights.get(first..).unwrap_or_default();
                for (acc, &w) in acc.iter_mut().zip(weights) {
                    *acc = acc.wrapping_add(x * i32::from(w));
                }
            });
            requant.apply(first, &acc, out);
        }
    }
}

/// `acc += (x - zero_point) * w`. The factor is at most 255 and the weight 128 in magnitude, so
/// that the product fits 16 bits.
#[inline(always)]
fn accumulate(acc: &mut [i32; BLOCK], pixel: &[i8], weights: &[i8], zero_point: i16) {
    for ((acc, &x), &w) in acc.iter_mut().zip(pixel).zip(weights) {
        let product = (i16::from(x) - zero_point) * i16::from(w);
        *acc = acc.wrapping_add(i32::from(product));
    }
}
