//! `DEPTHWISE_TAPS_PACKED_I8`.

use super::{MISFIT, channels, check_channels, clamp};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, size};
use otolith_dsp_arch::int8::{self, Taps};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Convolution of each channel by itself with any kernel, of four channels at a time: the numbers
/// of `DEPTHWISE_CONV_2D_I8`.
///
/// Operands: input i8 `[in_h, in_w, channels]`; weights u32 `[channels / 4, pairs, 2]`, for each two
/// taps `t` and `u` words with the bytes `t0 t1 u0 u1` and `t2 t3 u2 u3`, numbered by channel, with zeros for
/// a tap that is not there; channels i32, four for each channel; tables u32, scratch of eight words for each
/// pair of taps; window i8, scratch of eight bytes for each pair; output i8 `[out_h, out_w, channels]`.
///
/// Source: as for `DEPTHWISE_CONV_2D_I8`.
pub const DEPTHWISE_TAPS_PACKED_I8: Op = Op {
    code: 0x0232,
    name: "DEPTHWISE_TAPS_PACKED_I8",
    check,
    run,
};

params! {
    /// Parameters of [`DEPTHWISE_TAPS_PACKED_I8`].
    Params {
        /// Input height.
        in_h in 1, MAX_DIM;
        /// Input width.
        in_w in 1, MAX_DIM;
        /// Channels, a multiple of four.
        channels in 4, MAX_DIM;
        /// Output height.
        out_h in 1, MAX_DIM;
        /// Output width.
        out_w in 1, MAX_DIM;
        /// Kernel height.
        kernel_h in 1, 255;
        /// Kernel width.
        kernel_w in 1, 255;
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
        /// Zero point of the input, which padding holds.
        input_zero_point in I8_MIN, I8_MAX;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

impl Params {
    fn pairs(&self) -> usize {
        (size(self.kernel_h) * size(self.kernel_w)).div_ceil(2)
    }

    fn vertical(&self) -> Side {
        Side::new(
            [self.in_h, self.out_h, self.kernel_h, self.stride_h],
            [self.dilation_h, self.pad_top],
        )
    }

    fn horizontal(&self) -> Side {
        Side::new(
            [self.in_w, self.out_w, self.kernel_w, self.stride_w],
            [self.dilation_w, self.pad_left],
        )
    }
}

/// One axis: input, kernel, stride, dilation, padding in front, and the outputs whose windows lie
/// inside the input.
#[derive(Clone, Copy)]
struct Side {
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    pad: usize,
    inside: [usize; 2],
}

impl Side {
    fn new(sizes: [i32; 4], more: [i32; 2]) -> Self {
        let ([input, output, kernel, stride], [dilation, pad]) = (sizes.map(size), more.map(size));
        let reach = kernel.saturating_sub(1) * dilation + 1;
        let first = (pad + stride - 1).checked_div(stride).unwrap_or(0);
        let end = match (input + pad).checked_sub(reach) {
            Some(last) => last.checked_div(stride).unwrap_or(0) + 1,
            None => 0,
        };
        let end = end.min(output);
        Self {
            input,
            kernel,
            stride,
            dilation,
            pad,
            inside: [first.min(end), end],
        }
    }

    fn is_inside(&self, output: usize) -> bool {
        let [first, end] = self.inside;
        first <= output && output < end
    }

    /// Where tap `tap` of output `output` lies, if that is inside.
    fn at(&self, output: usize, tap: usize) -> Option<usize> {
        let at = (output * self.stride + tap * self.dilation).checked_sub(self.pad)?;
        (at < self.input).then_some(at)
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let p = Params::checked(step)?;
    if p.channels % 4 != 0 {
        return Err(Fault::BadParam { param: 2 });
    }
    expect_count(step.count_of::<i8>(0)?, &[p.in_h, p.in_w, p.channels], 0)?;
    let words = [p.channels / 4, p.pairs() as i32, 2];
    expect_count(step.table::<u32>(1)?.len(), &words, 1)?;
    check_channels(step, 2, size(p.channels))?;
    let tables = [8, p.pairs() as i32];
    expect_count(step.count_of_output::<u32>(3)?, &tables, 3)?;
    expect_count(step.count_of_output::<i8>(4)?, &tables, 4)?;
    let output = [p.out_h, p.out_w, p.channels];
    expect_count(step.count_of_output::<i8>(5)?, &output, 5)?;
    for (a, b) in [(0, 3), (0, 4), (0, 5), (3, 4), (3, 5), (4, 5)] {
        step.expect_disjoint(a, b)?;
    }
    Ok(())
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let weights = io.step.table::<u32>(1)?.as_chunks::<2>().0;
    let channels = channels(&io.step, 2)?.as_chunks::<4>().0;
    let (input, tables, window, output) = io.read_write3::<i8, u32, i8, i8>(0, 3, 4, 5)?;
    let (offsets, expanded) = tables.split_at_mut_checked(4 * p.pairs()).ok_or(MISFIT)?;
    let layer = Layer {
        p: &p,
        n: size(p.channels),
        y: p.vertical(),
        x: p.horizontal(),
    };
    layer.offsets(offsets);
    let mut rest = weights;
    for (block, channels) in channels.iter().enumerate() {
        let (weights, later) = rest.split_at_checked(p.pairs()).ok_or(MISFIT)?;
        rest = later;
        for (to, &[low, high]) in expanded.as_chunks_mut::<4>().0.iter_mut().zip(weights) {
            *to = [
                halves(low),
                halves(low >> 8),
                halves(high),
                halves(high >> 8),
            ];
        }
        let (offsets, within) = offsets.split_at_checked(2 * p.pairs()).ok_or(MISFIT)?;
        let inside = Taps {
            offsets,
            weights: expanded,
            channels,
            step: layer.x.stride * layer.n,
            output_step: layer.n,
        };
        let border = Taps {
            offsets: within,
            ..inside
        };
        let done = layer.block(4 * block, [&inside, &border], input, window, output);
        done.ok_or(MISFIT)?;
    }
    clamp(output, p.min, p.max);
    Ok(())
}

/// Bytes 0 and 2 of a word as 16-bit numbers.
fn halves(word: u32) -> u32 {
    let [low, _, high, _] = word.to_le_bytes();
    let wide = |byte: u8| u32::from(i16::from(byte as i8) as u16);
    wide(low) | wide(high) << 16
}

struct Layer<'a> {
    p: &'a Params,
    /// Channels.
    n: usize,
    y: Side,
    x: Side,
}

impl Layer<'_> {
    /// Writes where taps lie in the input, then where they lie in a window of their own.
    fn offsets(&self, offsets: &mut [u32]) {
        let half = offsets.len() / 2;
        let (mut ky, mut kx) = (0, 0);
        for (i, offset) in offsets.iter_mut().enumerate() {
            if i >= half {
                *offset = 4 * (i - half) as u32;
                continue;
            }
            // Behind the last tap there may be one whose weights are 0.
            let y = if ky < self.y.kernel { ky } else { 0 };
            let line = y * self.y.dilation * self.x.input;
            *offset = ((line + kx * self.x.dilation) * self.n) as u32;
            kx += 1;
            if kx == self.x.kernel {
                (ky, kx) = (ky + 1, 0);
            }
        }
    }

    /// All outputs of the four channels from `first` on.
    fn block(
        &self,
        first: usize,
        [inside, border]: [&Taps<'_>; 2],
        input: &[i8],
        window: &mut [i8],
        output: &mut [i8],
    ) -> Option<()> {
        let out_w = size(self.p.out_w);
        for oy in 0..size(self.p.out_h) {
            let within = self.y.is_inside(oy);
            let mut ox = 0;
            while ox < out_w {
                let to = output.get_mut((oy * out_w + ox) * self.n + first..)?;
                let [_, end] = self.x.inside;
                if within && self.x.is_inside(ox) {
                    let y = oy * self.y.stride - self.y.pad;
                    let x = ox * self.x.stride - self.x.pad;
                    let from = input.get((y * self.x.input + x) * self.n + first..)?;
                    int8::depthwise_taps(inside, from, end - ox, to)?;
                    ox = end;
                } else {
                    self.fill(input, [oy, ox], first, window)?;
                    int8::depthwise_taps(border, window, 1, to)?;
                    ox += 1;
                }
            }
        }
        Some(())
    }

    /// Copies four channels of a window that leaves the input.
    fn fill(
        &self,
        input: &[i8],
        [oy, ox]: [usize; 2],
        first: usize,
        window: &mut [i8],
    ) -> Option<()> {
        let padding = [self.p.input_zero_point as i8; 4];
        let mut cells = window.as_chunks_mut::<4>().0.iter_mut();
        for ky in 0..self.y.kernel {
            for kx in 0..self.x.kernel {
                let cell = cells.next()?;
                *cell = match (self.y.at(oy, ky), self.x.at(ox, kx)) {
                    (Some(y), Some(x)) => {
                        let at = (y * self.x.input + x) * self.n + first;
                        *input.get(at..)?.first_chunk()?
                    }
                    _ => padding,
                };
            }
        }
        Some(())
    }
}
