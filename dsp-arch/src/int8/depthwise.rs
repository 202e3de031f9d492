//! Four channels of a 3 x 3 depthwise convolution: lines are expanded, then the kernel marches along them.

use super::{Channel, DEPTHWISE_3X3_RECORD, Lines, March, Sign, Weights3x3, reach, target};

/// Lines of four channels, from input to output. The march goes along lines; `across` means from line to line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depthwise {
    /// Values along a line of the input, and of the output: at least two of them.
    pub along: [usize; 2],
    /// Lines of the input and of the output.
    pub across: [usize; 2],
    /// Padding in front of a line, and lines of padding in front: 0 or 1.
    pub pad: [usize; 2],
    /// Step of the kernel, both ways: 1 or 2.
    pub stride: usize,
    /// Whether the scratch is a ring of three lines and one of padding, or holds all lines.
    pub ring: bool,
    /// Bytes from a value to the next in its line, of the input and of the output.
    pub pixel: [usize; 2],
    /// Bytes from a line to the next, of the input and of the output.
    pub line: [usize; 2],
    /// What padding holds: the input's zero point.
    pub padding: i8,
    /// Whether the sign of sums matters.
    pub sign: Sign,
}

impl Depthwise {
    /// Words of a line in a plane.
    #[inline]
    fn words(&self) -> usize {
        let [_, outputs] = self.along;
        self.stride
            .saturating_mul(outputs.div_ceil(2))
            .saturating_add(1)
    }

    /// Lines for which a plane has room.
    #[inline]
    fn kept(&self) -> usize {
        let [_, outputs] = self.across;
        if self.ring {
            4
        } else {
            reach(outputs, self.stride, 3)
        }
    }

    /// Words of scratch.
    #[inline(never)]
    pub fn scratch_len(&self) -> usize {
        let plane = self.kept().saturating_mul(self.words());
        plane.saturating_mul(4).saturating_add(DEPTHWISE_3X3_RECORD)
    }

    /// Fills the scratch with padding, which stays there where no line of the input comes.
    #[inline]
    pub fn prepare(&self, scratch: &mut [u32]) {
        let padding = u32::from(i16::from(self.padding) as u16);
        scratch.fill(padding << 16 | padding);
    }
}

/// Computes the four channels from byte `at` of each pixel on. Without an `input` it lies in `output`: no line of
/// outputs may then lie over a line of inputs that is expanded later.
///
/// The scratch was prepared, or used for other channels of the same layer. `None` when something does not fit.
#[inline(never)]
pub fn depthwise_3x3(
    layer: &Depthwise,
    (weights, channels): (&Weights3x3, &[Channel; 4]),
    at: usize,
    input: Option<&[i8]>,
    output: &mut [i8],
    scratch: &mut [u32],
) -> Option<()> {
    let Depthwise { stride, ring, .. } = *layer;
    let ([in_m, out_m], [in_l, out_l]) = (layer.along, layer.across);
    let ([pad_m, pad_l], [in_line, out_line]) = (layer.pad, layer.line);
    let [in_pixel, out_pixel] = layer.pixel;
    let (words, kept) = (layer.words(), layer.kept());
    // The last pixels may be out of every kernel's reach.
    let pixels = in_m.min((reach(out_m, stride, 3)).wrapping_sub(pad_m));
    let read = reach(in_l, in_line, reach(pixels, in_pixel, 4)).saturating_add(at);
    let written = reach(out_l, out_line, reach(out_m, out_pixel, 4)).saturating_add(at);
    let fits = (1..=2).contains(&stride)
        && out_m >= 2
        && pad_m | pad_l <= 1
        && scratch.len() >= layer.scratch_len()
        && read <= input.map_or(output.len(), <[i8]>::len)
        && written <= output.len();
    if !fits {
        return None;
    }
    let (record, planes) = scratch.split_first_chunk_mut::<DEPTHWISE_3X3_RECORD>()?;
    target::depthwise_3x3_weights(weights, channels, record);
    let lines = Lines {
        pixel: in_pixel,
        pixels,
        lead: pad_m == 1,
        words,
        padding: layer.padding,
        line: in_line,
        plane: kept * words,
    };
    // Lines of outputs that are computed at once.
    let count = if ring { 1 } else { out_l };
    let mut march = March {
        lines: [0; 3],
        words,
        plane: lines.plane,
        stride,
        outputs: out_m,
        count,
        pixel: out_pixel,
        line: out_line,
        sign: layer.sign,
    };
    let (mut next, mut y) = (0, 0);
    while y < out_l {
        // In a ring each line has the place of the one three before it, and a fourth place is padding; else each
        // has its own place, and those of padding are never written.
        let first = y * stride;
        let end = (first + (count - 1) * stride + 3 - pad_l).min(in_l);
        while next < end {
            let (n, place) = if ring { (1, next % 3) } else { (end, pad_l) };
            let input = input.unwrap_or(output).get(at + next * in_line..)?;
            target::depthwise_3x3_lines(&lines, input, n, planes, place * words);
            next += n;
        }
        for (seen, start) in (first..).zip(&mut march.lines) {
            let line = seen.wrapping_sub(pad_l);
            let place = match ring {
                false => seen,
                true if line < in_l => line % 3,
                true => 3,
            };
            *start = place * words;
        }
        let output = output.get_mut(at + y * out_line..)?;
        target::depthwise_3x3_march(&march, planes, record, output);
        y += count;
    }
    Some(())
}
