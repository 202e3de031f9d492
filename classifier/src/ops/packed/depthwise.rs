//! `DEPTHWISE_3X3_PACKED_I8`.

use super::{MISFIT, Memory, channels, check_channels, clamp, memory_one, sign};
use crate::params::{
    I8_MAX, I8_MIN, MAX_DIM, expect_apart, expect_count, expect_i8, expect_i8_output, size,
};
use otolith_dsp_arch::int8::layer::{self, Memory as _};
use otolith_dsp_arch::int8::{self, Channel, DEPTHWISE_3X3_RECORD, Lines, March, Weights3x3};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// 3 x 3 convolution of each channel by itself, of four channels at a time: the numbers of
/// `DEPTHWISE_CONV_2D_I8`.
///
/// Lines of four channels are expanded into the scratch, then outputs are computed along a line, two at a
/// time. `along` says which way: 0 along a row, 1 along a column; weights are transposed to fit.
///
/// Operands: input i8 `[in_h, in_w, channels]`; weights u32 `[channels, 3]`, for each line of the kernel a
/// word with the bytes `w0 w1 w1 w2`; channels i32, four for each channel; scratch u32 of
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

/// Sizes along the march (`_m`) and across it, in lines (`_l`).
#[derive(Clone, Copy)]
struct Way {
    in_m: usize,
    in_l: usize,
    out_m: usize,
    out_l: usize,
    pad_m: usize,
    pad_l: usize,
    stride: usize,
    /// Words of a line in a plane.
    words: usize,
    /// Lines for which there is room: a ring of three and one of padding, or all that outputs see.
    kept: usize,
}

impl Params {
    #[inline(never)]
    fn way(&self) -> Way {
        let rows = [self.in_h, self.out_h, self.pad_top].map(size);
        let columns = [self.in_w, self.out_w, self.pad_left].map(size);
        let (march, across) = match self.along {
            0 => (columns, rows),
            _ => (rows, columns),
        };
        let ([in_m, out_m, pad_m], [in_l, out_l, pad_l]) = (march, across);
        let stride = size(self.stride);
        let kept = match self.ring {
            1 => 4,
            _ => out_l.saturating_sub(1) * stride + 3,
        };
        Way {
            in_m,
            in_l,
            out_m,
            out_l,
            pad_m,
            pad_l,
            stride,
            words: stride * out_m.div_ceil(2) + 1,
            kept,
        }
    }
}

/// Words of scratch for these parameters.
pub fn scratch_len(p: &Params) -> usize {
    let way = p.way();
    DEPTHWISE_3X3_RECORD + 4 * way.kept * way.words
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
    let way = p.way();
    // Padding behind is what the kernel reaches over the end, and never a whole kernel.
    let outside =
        |input: usize, output: usize, pad: usize| (output - 1) * way.stride >= input + pad;
    if p.channels % 4 != 0 || way.out_m < 2 {
        return Err(Fault::BadParam { param: 2 });
    }
    if outside(way.in_m, way.out_m, way.pad_m) || outside(way.in_l, way.out_l, way.pad_l) {
        return Err(Fault::BadParam { param: 3 });
    }
    expect_i8(step, 0, &[p.in_h, p.in_w, p.channels])?;
    expect_count(step.table::<u32>(1)?.len(), &[p.channels, 3], 1)?;
    check_channels(step, 2, size(p.channels))?;
    let scratch = scratch_len(&p);
    expect_count(step.count_of_output::<u32>(3)?, &[scratch as i32], 3)?;
    expect_i8_output(step, 4, &[p.out_h, p.out_w, p.channels])?;
    expect_apart(step, &[[0, 3], [3, 4]])?;
    if !(may_share(&p) && step.starts_together(0, 4)?) {
        step.expect_disjoint(0, 4)?;
    }
    Ok(())
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
    let way = p.way();
    let (record, planes) = scratch.split_first_chunk_mut::<DEPTHWISE_3X3_RECORD>()?;
    let n = size(p.channels);
    let [in_row, out_row] = [p.in_w, p.out_w].map(|w| size(w) * n);
    let [step, line, out_step, out_line] = match p.along {
        0 => [n, in_row, n, out_row],
        _ => [in_row, n, out_row, n],
    };
    let lines = Lines {
        pixel: step,
        // The last pixels may be out of every kernel's reach.
        pixels: way.in_m.min(way.stride * (way.out_m - 1) + 3 - way.pad_m),
        lead: way.pad_m == 1,
        words: way.words,
        padding: p.input_zero_point as i8,
        line,
        plane: way.kept * way.words,
    };
    let ring = p.ring == 1;
    // Lines of outputs that are computed at once.
    let count = if ring { 1 } else { way.out_l };
    let mut march = March {
        lines: [0; 3],
        words: way.words,
        plane: lines.plane,
        stride: way.stride,
        outputs: way.out_m,
        count,
        pixel: out_step,
        line: out_line,
        sign: sign(p.saturates),
    };
    let padding = i16::from(p.input_zero_point as i8) as u16;
    planes.fill(u32::from(padding) << 16 | u32::from(padding));
    for (block, (weights, channels)) in weights.iter().zip(channels).enumerate() {
        int8::depthwise_3x3_weights(weights, channels, record);
        let (mut next, mut y) = (0, 0);
        while y < way.out_l {
            // A ring holds three lines of the input, each in the place of the one three before it, and one of
            // padding; else each line has its own place, and lines of padding are there already.
            let first = y * way.stride;
            let end = (first + (count - 1) * way.stride + 3 - way.pad_l).min(way.in_l);
            while next < end {
                let (n, place) = match ring {
                    true => (1, next % 3),
                    false => (end, way.pad_l),
                };
                let input = memory.input().get(4 * block + next * line..)?;
                int8::depthwise_3x3_lines(&lines, input, n, planes, place * way.words)?;
                next += n;
            }
            for (i, start) in march.lines.iter_mut().enumerate() {
                let seen = first + i;
                let place = match (ring, seen.checked_sub(way.pad_l)) {
                    (false, _) => seen,
                    (true, Some(line)) if line < way.in_l => line % 3,
                    (true, _) => 3,
                };
                *start = place * way.words;
            }
            let output = memory.output().get_mut(4 * block + y * out_line..)?;
            int8::depthwise_3x3_march(&march, planes, record, output)?;
            y += count;
        }
    }
    Some(())
}
