//! `DEPTHWISE_3X3_PACKED_I8`.

use super::{MISFIT, Memory, channels, check_channels, clamp, memory_one, sign};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, expect_i8, expect_i8_output, size};
use otolith_dsp_arch::int8::layer::{self, Memory as _};
use otolith_dsp_arch::int8::{self, Channel, Depthwise, Weights3x3};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// 3 x 3 convolution of each channel by itself, of four channels at a time: the numbers of
/// `DEPTHWISE_CONV_2D_I8`.
///
/// Lines of four channels are expanded into the scratch, then outputs are computed along a line, two at a
/// time. `along` says which way: 0 along a row, 1 along a column; weights are transposed to fit.
///
/// Operands: input i8 `[in_h, in_w, channels]`; weights u32 `[channels, 3]`, for each line of the kernel a
/// word with the bytes `w0 w1 w1 w2`, checked to hold `w1` twice; channels i32, four for each channel; scratch u32 of
/// [`scratch_len`] words, for all lines or for a ring of three; output i8 `[out_h, out_w,
/// channels]`, which may start where the input starts if [`may_share`] says so.
///
/// Source: as for `DEPTHWISE_CONV_2D_I8`.
pub const DEPTHWISE_3X3_PACKED_I8: Op = Op {
    code: 0x0231,
    name: "DEPTHWISE_3X3_PACKED_I8",
    check,
    run,
};

params! {
    /// Parameters of [`DEPTHWISE_3X3_PACKED_I8`].
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
        /// Step of the kernel, both ways.
        stride in 1, 2;
        /// Rows of padding above.
        pad_top in 0, 1;
        /// Columns of padding at the left.
        pad_left in 0, 1;
        /// 0: outputs are computed along a row, 1: along a column. There are at least two that way.
        along in 0, 1;
        /// 1 when the scratch holds a ring of three lines, 0 when it holds all.
        ring in 0, 1;
        /// Zero point of the input, which padding holds.
        input_zero_point in I8_MIN, I8_MAX;
        /// 1 when every negative sum becomes -128.
        saturates in 0, 1;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

impl Params {
    #[inline(never)]
    fn layer(&self) -> Depthwise {
        let n = size(self.channels);
        let pixel = [n, n];
        let row = [size(self.in_w) * n, size(self.out_w) * n];
        let rows = [size(self.in_h), size(self.out_h)];
        let columns = [size(self.in_w), size(self.out_w)];
        let pads = [size(self.pad_top), size(self.pad_left)];
        let (along, across, pad, pixel, line) = match self.along {
            0 => (columns, rows, [pads[1], pads[0]], pixel, row),
            _ => (rows, columns, pads, row, pixel),
        };
        Depthwise {
            along,
            across,
            pad,
            stride: size(self.stride),
            ring: self.ring == 1,
            pixel,
            line,
            padding: self.input_zero_point as i8,
            sign: sign(self.saturates),
        }
    }
}

/// Words of scratch for these parameters.
pub fn scratch_len(p: &Params) -> usize {
    p.layer().scratch_len()
}

/// Whether the output may start where the input starts: nothing is written over before it is read. Lines that
/// are expanded one by one are columns in memory when outputs run along columns, and a column of outputs lies
/// over its column of inputs only where both rows are equally long.
pub fn may_share(p: &Params) -> bool {
    let shrinks = p.out_w <= p.in_w && p.out_h <= p.in_h;
    let columns = p.stride == 1 && p.out_w == p.in_w;
    shrinks && (p.ring == 0 || p.along == 0 || columns)
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(5)?;
    let p = Params::checked(step)?;
    let layer = p.layer();
    // Padding behind is what the kernel reaches over the end, and never a whole kernel.
    let outside = |[input, output]: [usize; 2], pad| (output - 1) * layer.stride >= input + pad;
    let ([_, outputs], [pad_m, pad_l]) = (layer.along, layer.pad);
    if p.channels % 4 != 0 || outputs < 2 {
        return Err(Fault::BadParam { param: 2 });
    }
    if outside(layer.along, pad_m) || outside(layer.across, pad_l) {
        return Err(Fault::BadParam { param: 3 });
    }
    expect_i8(step, 0, &[p.in_h, p.in_w, p.channels])?;
    expect_count(step.table::<u32>(1)?.len(), &[p.channels, 3], 1)?;
    check_channels(step, 2, size(p.channels))?;
    if step.count_of_output::<u32>(3)? != layer.scratch_len() {
        return Err(Fault::WrongLength { operand: 3 });
    }
    expect_i8_output(step, 4, &[p.out_h, p.out_w, p.channels])?;
    if may_share(&p) && step.starts_together(0, 4)? {
        step.expect_disjoint(0, 3)?;
        return step.expect_disjoint(3, 4);
    }
    step.expect_apart(&[0, 3, 4])
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let weights = io
        .step
        .table::<u32>(1)?
        .as_chunks::<3>()
        .0
        .as_chunks::<4>()
        .0;
    let channels = channels(&io.step, 2)?.as_chunks::<4>().0;
    let (mut memory, scratch) = memory_one::<u32>(io, [0, 4], 3)?;
    let whole = layer::Depthwise3x3 {
        weights,
        channels,
        transposed: p.along == 1,
        input: [p.in_h, p.in_w].map(size),
        output: [p.out_h, p.out_w].map(size),
        stride: size(p.stride),
        pad: [p.pad_top, p.pad_left].map(size),
        padding: p.input_zero_point as i8,
        sign: sign(p.saturates),
    };
    if layer::depthwise_3x3(&whole, &mut memory).is_none() {
        depthwise(&p, weights, channels, &mut memory, scratch).ok_or(MISFIT)?;
    }
    clamp(memory.output(), p.min, p.max);
    Ok(())
}

pub(super) fn depthwise(
    p: &Params,
    weights: &[Weights3x3],
    channels: &[[Channel; 4]],
    memory: &mut Memory<'_>,
    scratch: &mut [u32],
) -> Option<()> {
    let layer = p.layer();
    let (input, output) = memory.parts();
    layer.prepare(scratch);
    for (block, four) in weights.iter().zip(channels).enumerate() {
        int8::depthwise_3x3(&layer, four, 4 * block, input, output, scratch)?;
    }
    Some(())
}
