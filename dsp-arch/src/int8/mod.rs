//! Layers of int8 networks on packed weights.
//!
//! # Packed weights of a dot product
//!
//! Output channels come in groups of four, taps in pairs. A group holds two words for each pair
//! `(i, j)` of taps, the first for its channels 0 and 1, the second for 2 and 3. Each half of a
//! word is `256 * w[even] + w[odd]`, the lower one of tap `i`, the upper one of tap `j`. Windows
//! of int8 are widened to words of two values in the same order: of each four bytes
//! `b0 b1 b2 b3` come `(b0, b2)` and `(b1, b3)`, and weights follow.
//!
//! With both, one multiplication of two pairs gives `256 * S_even + S_odd`, and another one with
//! the odd channel's weights alone gives `S_odd`. The first sum wraps at 32 bits; so
//! `|S_even| < 2^23` is needed, and even weights times 256 plus odd ones must fit 16 bits.
//!
//! # Channels
//!
//! Four words for each output channel: `bias2`, `multiplier`, `constant`, `shift`. With
//! `acc = bias2 + 2 * S` (wrapping) the output is
//! `sat8(high(acc * multiplier + t * 2^32 + 2^31) >> shift)` with `t = constant + (acc >> 31)`,
//! where `high` is the upper word of a 64-bit number. That is the reference's requantisation with
//! two roundings when `bias2 = 2 * (bias - zero_point_in * sum of w)`,
//! `constant = (zero_point_out << shift) + (1 << (shift - 1))`, `multiplier` is in
//! `[2^30, 2^31)`, `1 <= shift <= 22` and `|acc| < 2^31`. Where the output's zero point is -128
//! negative sums saturate anyway, and `t = constant` ([`Sign::Saturates`]) gives the same bytes.
//! Shifts count by their lowest five bits.

#[cfg(otolith_arm_dsp)]
mod arm;
mod depthwise;
#[cfg(not(otolith_arm_dsp))]
mod each;
#[cfg(any(test, otolith_core = "small"))]
mod lanes;
pub mod layer;
#[cfg(any(test, otolith_core = "small", otolith_core = "scalar"))]
mod planes;
pub mod portable;
#[cfg(any(test, otolith_core = "scalar"))]
mod scalar;
#[cfg(test)]
pub(crate) mod tests;
mod windows;

pub use depthwise::{Depthwise, depthwise_3x3};
pub use windows::{Windows, conv};

#[cfg(target_arch = "x86_64")]
use crate::x86::routines as target;
#[cfg(otolith_arm_dsp)]
use arm as target;
#[cfg(otolith_core = "small")]
use lanes as target;
#[cfg(not(any(
    otolith_arm_dsp,
    otolith_core = "small",
    otolith_core = "scalar",
    target_arch = "x86_64"
)))]
use portable as target;
#[cfg(otolith_core = "scalar")]
use scalar as target;

/// Parameters of an output channel: `bias2`, `multiplier`, `constant`, `shift`.
pub type Channel = [i32; 4];

/// Words of the scratch that holds the weights and parameters of four channels of a 3 x 3 depthwise
/// convolution.
pub const DEPTHWISE_3X3_RECORD: usize = 40;

/// Whether the sign of a sum matters to its rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It does.
    Matters,
    /// Every negative sum becomes -128.
    Saturates,
}

/// Where the rows of a window lie.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// From the first value of the window on.
    pub bytes: &'a [i8],
    /// Bytes from the start of a row to the start of the next.
    pub stride: usize,
}

/// Bytes from the first of `count` pieces of `len` bytes to behind the last, each `step` after the one before;
/// the largest number when there is none or they fit no memory.
#[inline(never)]
fn reach(count: usize, step: usize, len: usize) -> usize {
    match count.checked_sub(1) {
        Some(last) => last.saturating_mul(step).saturating_add(len),
        None => usize::MAX,
    }
}

/// Widens a window of `rows` rows of `4 * words` bytes into `acts`: two words for each four bytes. `None` when
/// `acts` has not `2 * rows * words` words or the window is too short.
#[inline]
pub fn gather1(window: Window<'_>, rows: usize, words: usize, acts: &mut [u32]) -> Option<()> {
    let len = words.checked_mul(4)?;
    let whole = Some(2 * acts.len()) == len.checked_mul(rows);
    if words == 0 || !whole || reach(rows, window.stride, len) > window.bytes.len() {
        return None;
    }
    target::gather1(window, rows, words, acts);
    Some(())
}

/// Taps of a gathered 3 x 3 window of three channels, the last one without meaning.
pub const TAPS_27: usize = 28;

/// Weights of a layer as dot products, see the module's text.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    /// Two words for each pair of taps and each group of four channels, groups outermost.
    pub weights: &'a [u32],
    /// One for each output channel; a multiple of four.
    pub channels: &'a [Channel],
    /// Whether the sign of sums matters.
    pub sign: Sign,
}

/// Adds the dot products of one group of four channels with the window in `acts` to `sums`, wrapping. `None`
/// when the lengths do not fit together, the number of pairs is odd, or there are fewer than four.
#[inline]
pub fn gemv_sums(weights: &[u32], acts: &[u32], sums: &mut [i32; 4]) -> Option<()> {
    let pairs = acts.len();
    if pairs < 4 || !pairs.is_multiple_of(2) || weights.len() != 2 * pairs {
        return None;
    }
    target::gemv_sums(weights, acts, sums);
    Some(())
}

/// What sums of four channels become, as everywhere in this module.
#[inline]
pub fn requantise(sums: [i32; 4], channels: &[Channel; 4], sign: Sign) -> [i8; 4] {
    portable::requantise4(sums.map(|sum| sum.wrapping_shl(1)), channels, sign)
}

/// A line of a 3 x 3 depthwise convolution and its place in the planes of expanded values.
///
/// A plane holds the lines of one channel; a line is `words` words, each two neighbouring values
/// as 16-bit numbers, the lower half being the earlier one. With `lead`, the first value is
/// padding, so that word `j` is `(x[2j - 1], x[2j])`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// Bytes from a pixel to the next one in the line.
    pub pixel: usize,
    /// Pixels in a line.
    pub pixels: usize,
    /// Whether padding stands before the first pixel.
    pub lead: bool,
    /// Words of a line in a plane; what is behind the pixels is padding.
    pub words: usize,
    /// The padding: the input's zero point.
    pub padding: i8,
    /// Bytes from a line to the next one.
    pub line: usize,
    /// Words of a plane.
    pub plane: usize,
}

impl Lines {
    /// Pairs of pixels, whether one is left behind them, and words of padding behind that.
    #[inline]
    fn split(&self) -> Option<(usize, bool, usize)> {
        let rest = self.pixels.checked_sub(usize::from(self.lead))?;
        let used = usize::from(self.lead) + rest.div_ceil(2);
        Some((rest / 2, rest % 2 == 1, self.words.checked_sub(used)?))
    }
}

/// Expands `count` lines of four channels from the front of `input` into `planes`, from word `at` of each
/// of its four planes on. `None` when something does not fit.
#[inline]
pub fn depthwise_3x3_lines(
    lines: &Lines,
    input: &[i8],
    count: usize,
    planes: &mut [u32],
    at: usize,
) -> Option<()> {
    lines.split()?;
    let line = reach(lines.pixels, lines.pixel, 4);
    let written = reach(count, lines.words, lines.words).saturating_add(at);
    let fits = written <= lines.plane && lines.plane <= planes.len() / 4;
    if !fits || reach(count, lines.line, line) > input.len() {
        return None;
    }
    target::depthwise_3x3_lines(lines, input, count, planes, at);
    Some(())
}

/// Weights of four channels: for each channel and kernel line a word with the bytes `w0 w1 w1 w2`, the
/// first one lowest. Both middle bytes are one weight: of two different ones, as only damage makes them, a
/// processor may take either.
pub type Weights3x3 = [[u32; 3]; 4];

/// Brings weights and parameters of four channels into the form that the march takes: six words with the
/// doubled weights and the parameters, for each channel.
#[inline]
pub fn depthwise_3x3_weights(
    weights: &Weights3x3,
    channels: &[Channel; 4],
    record: &mut [u32; DEPTHWISE_3X3_RECORD],
) {
    target::depthwise_3x3_weights(weights, channels, record);
}

/// Lines of outputs of four channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct March {
    /// Word of a plane at which each of the three lines under the kernel starts.
    pub lines: [usize; 3],
    /// Words of a line in a plane: outputs in pairs, and one more for stride 1; twice the pairs of
    /// outputs, and one more, for stride 2.
    pub words: usize,
    /// Words of a plane.
    pub plane: usize,
    /// 1 or 2.
    pub stride: usize,
    /// Outputs in a line, at least 2.
    pub outputs: usize,
    /// Lines of outputs: each `stride` lines of a plane further.
    pub count: usize,
    /// Bytes from an output to the next one in its line.
    pub pixel: usize,
    /// Bytes from a line of outputs to the next.
    pub line: usize,
    /// Whether the sign of sums matters.
    pub sign: Sign,
}

/// Computes lines of outputs of four channels into the front of `output`. `None` when something does not
/// fit.
#[inline]
pub fn depthwise_3x3_march(
    march: &March,
    planes: &[u32],
    record: &[u32; DEPTHWISE_3X3_RECORD],
    output: &mut [i8],
) -> Option<()> {
    let stride = march.stride;
    let words = march
        .outputs
        .div_ceil(2)
        .saturating_mul(stride)
        .saturating_add(1);
    let seen = reach(march.count, stride.saturating_mul(words), words);
    let written = reach(
        march.count,
        march.line,
        reach(march.outputs, march.pixel, 4),
    );
    let inside = |&line: &usize| seen.saturating_add(line) <= march.plane;
    let fits = (1..=2).contains(&stride)
        && march.outputs >= 2
        && words == march.words
        && march.lines.iter().all(inside)
        && march.plane <= planes.len() / 4
        && written <= output.len();
    if !fits {
        return None;
    }
    target::depthwise_3x3_march(march, planes, record, output);
    Some(())
}

/// Outputs of four channels of a depthwise convolution with any kernel.
#[derive(Clone, Copy, Debug)]
pub struct Taps<'a> {
    /// Byte of a window at which each tap's four channels start; an even number of them.
    pub offsets: &'a [u32],
    /// For each two taps `t` and `u`, a word `(w[t], w[u])` for each of the four channels.
    pub weights: &'a [u32],
    /// Of the four channels.
    pub channels: &'a [Channel; 4],
    /// Bytes from a window to the next.
    pub step: usize,
    /// Bytes from an output to the next.
    pub output_step: usize,
}

/// `count` outputs from windows at the front of `input` into `output`. `None` when something does not fit.
#[inline]
pub fn depthwise_taps(
    taps: &Taps<'_>,
    input: &[i8],
    count: usize,
    output: &mut [i8],
) -> Option<()> {
    let furthest = *taps.offsets.iter().max()? as usize;
    let read = reach(count, taps.step, furthest.saturating_add(4));
    let written = reach(count, taps.output_step, 4);
    let pairs = taps.offsets.len() / 2;
    let fits = taps.offsets.len().is_multiple_of(2) && taps.weights.len() == 4 * pairs;
    if !fits || read > input.len() || written > output.len() {
        return None;
    }
    target::depthwise_taps(taps, input, count, output);
    Some(())
}

/// Factors of a sum: `y = (a * factors[0] + b * factors[1] + constant) >> shift`, saturated to 8
/// bits; wrapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Of `a` and of `b`.
    pub factors: [i32; 2],
    /// Added.
    pub constant: i32,
    /// 0 to 31.
    pub shift: i32,
}

/// `output[i]` from `a[i]` and `b[i]`. `None` when the lengths differ or are no multiple of four.
#[inline]
pub fn add(linear: &Linear, a: &[i8], b: &[i8], output: &mut [i8]) -> Option<()> {
    let n = output.len();
    if a.len() != n || b.len() != n || !n.is_multiple_of(4) || n == 0 {
        return None;
    }
    target::add(linear, a, b, output);
    Some(())
}

/// [`add`] with the sum over `a`'s place.
#[inline]
pub fn add_to(linear: &Linear, a: &mut [i8], b: &[i8]) -> Option<()> {
    let n = a.len();
    if b.len() != n || !n.is_multiple_of(4) || n == 0 {
        return None;
    }
    target::add_to(linear, a, b);
    Some(())
}

/// Sums of eight channels over `pixels` pixels, `step` bytes apart. `None` when something does not fit, or
/// for more than 255 pixels.
#[inline]
pub fn sums(input: &[i8], step: usize, pixels: usize) -> Option<[i32; 8]> {
    if pixels > 255 || reach(pixels, step, 8) > input.len() {
        return None;
    }
    Some(target::sums(input, step, pixels))
}
