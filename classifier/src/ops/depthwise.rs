//! `DEPTHWISE_CONV_2D_I8`.

use super::{check_requant, requant};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, size};
use crate::requant::{Channel, Requant};
use crate::window::{Axis, pairs, row};
use core::ops::Range;
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

/// Channels, and pixels, whose accumulators are kept at once.
const BLOCK: usize = 16;
const PIXELS: usize = 8;

/// The kernel: some channels at a time, all pixels of an image for them.
fn depthwise_conv_2d(
    p: &Params,
    input: &[i8],
    weights: &[i8],
    requant: &Requant<'_>,
    output: &mut [i8],
) {
    let multiplier = size(p.multiplier);
    let out_c = size(p.in_c) * multiplier;
    let in_image = (size(p.in_h) * size(p.in_w) * size(p.in_c)).max(1);
    let out_image = (size(p.out_h) * size(p.out_w) * out_c).max(1);
    let images = input.chunks_exact(in_image);
    for (image, out) in pairs(images, output.chunks_exact_mut(out_image)) {
        let layer = Layer {
            p,
            image,
            weights,
            requant,
            out_c,
        };
        if multiplier == 1 {
            for first in (0..out_c).step_by(BLOCK) {
                layer.block(first, first..out_c.min(first + BLOCK), out);
            }
        } else {
            for channel in 0..size(p.in_c) {
                let outputs = channel * multiplier..(channel + 1) * multiplier;
                for first in outputs.clone().step_by(BLOCK) {
                    layer.block(channel, first..outputs.end.min(first + BLOCK), out);
                }
            }
        }
    }
}

/// One image on its way through the layer.
struct Layer<'a> {
    p: &'a Params,
    image: &'a [i8],
    weights: &'a [i8],
    requant: &'a Requant<'a>,
    out_c: usize,
}

impl Layer<'_> {
    /// Outputs `outputs` of every pixel, at most [`BLOCK`], from input channels `from..`: one for
    /// each output, or with a depth multiplier one for all.
    #[inline(always)]
    fn block(&self, from: usize, outputs: Range<usize>, out: &mut [i8]) {
        let mut channels = [Channel::default(); BLOCK];
        self.requant.channels(outputs.start, &mut channels);
        let out_c = self.out_c.max(1);
        let full = self.p.multiplier == 1 && outputs.len() == BLOCK;
        let (mut oy, mut ox) = (0, 0);
        for out in out.chunks_mut((PIXELS * out_c).max(1)) {
            let mut sums = [[0i32; BLOCK]; PIXELS];
            for sums in sums.iter_mut().take(out.len() / out_c) {
                *sums = if full {
                    self.pixel::<true>(oy, ox, from, &outputs)
                } else {
                    self.pixel::<false>(oy, ox, from, &outputs)
                };
                ox += 1;
                if ox == size(self.p.out_w) {
                    (oy, ox) = (oy + 1, 0);
                }
            }
            for (i, channel) in outputs.clone().enumerate() {
                let at = |x: &[i32; BLOCK]| x.get(i).copied().unwrap_or(0);
                let mut column = sums.each_ref().map(at);
                let channel_of = channels.get(i).copied().unwrap_or_default();
                self.requant.column(&channel_of, &mut column);
                for (out, y) in pairs(out.chunks_exact_mut(out_c), column) {
                    if let Some(out) = out.get_mut(channel) {
                        *out = y as i8;
                    }
                }
            }
        }
    }

    /// The sums of one pixel over the taps inside the input, for the operands of
    /// [`Self::block`]; `FULL` for [`BLOCK`] channels with one output each.
    #[inline(never)]
    fn pixel<const FULL: bool>(
        &self,
        oy: usize,
        ox: usize,
        from: usize,
        outputs: &Range<usize>,
    ) -> [i32; BLOCK] {
        let p = self.p;
        let zero_point = p.input_zero_point as i16;
        let (vertical, horizontal) = (p.vertical(), p.horizontal());
        let (y0, x0) = (vertical.start(oy), horizontal.start(ox));
        let (in_c, kernel_w) = (size(p.in_c), size(p.kernel_w));
        let mut acc = [0i32; BLOCK];
        for ky in 0..size(p.kernel_h) {
            let line = vertical
                .at(y0, ky)
                .and_then(|y| row(self.image, y, size(p.in_w) * in_c));
            let Some(line) = line else { continue };
            for kx in 0..kernel_w {
                let Some(x) = horizontal.at(x0, kx) else {
                    continue;
                };
                let pixel = line.get(x * in_c + from..).unwrap_or_default();
                let weights = row(self.weights, ky * kernel_w + kx, self.out_c);
                let weights = weights
                    .and_then(|w| w.get(outputs.clone()))
                    .unwrap_or_default();
                if FULL {
                    // Constant lengths keep all accumulators in registers.
                    if let (Some(pixel), Some(weights)) =
                        (pixel.first_chunk::<BLOCK>(), weights.first_chunk::<BLOCK>())
                    {
                        accumulate(&mut acc, pixel, weights, zero_point);
                    }
                } else if p.multiplier == 1 {
                    accumulate(&mut acc, pixel, weights, zero_point);
                } else {
                    let x = pixel.first().map_or(0, |&x| i16::from(x) - zero_point);
                    for (acc, &w) in acc.iter_mut().zip(weights) {
                        *acc = acc.wrapping_add(i32::from(x * i16::from(w)));
                    }
                }
            }
        }
        acc
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
