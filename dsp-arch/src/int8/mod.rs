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

impl Window<'_> {
    /// Whether `rows` rows of `len` bytes lie inside.
    #[inline]
    fn holds(&self, rows: usize, len: usize) -> Option<()> {
        // Sizes of slices: the products fit 64 bits on every processor with addresses of 32.
        let last = (rows.checked_sub(1)? as u64).checked_mul(self.stride as u64)?;
        (last.checked_add(len as u64)? <= self.bytes.len() as u64).then_some(())
    }
}

/// Widens two windows of `rows` rows of `4 * words` bytes into `acts`, interleaved: four words for
/// each four bytes. `None` when `acts` has not `4 * rows * words` words or a window is too short.
#[inline]
pub fn gather2(
    windows: [Window<'_>; 2],
    rows: usize,
    words: usize,
    acts: &mut [u32],
) -> Option<()> {
    let [a, b] = windows;
    let len = words.checked_mul(4)?;
    a.holds(rows, len)?;
    b.holds(rows, len)?;
    if words == 0 || Some(acts.len()) != len.checked_mul(rows) || a.stride < len || b.stride < len {
        return None;
    }
    target::gather2(windows, rows, words, acts);
    Some(())
}

/// Widens one window, as [`gather2`]: two words for each four bytes.
#[inline]
pub fn gather1(window: Window<'_>, rows: usize, words: usize, acts: &mut [u32]) -> Option<()> {
    let len = words.checked_mul(4)?;
    window.holds(rows, len)?;
    if words == 0 || Some(2 * acts.len()) != len.checked_mul(rows) || window.stride < len {
        return None;
    }
    target::gather1(window, rows, words, acts);
    Some(())
}

/// Taps of a gathered 3 x 3 window of three channels, the last one without meaning.
pub const TAPS_27: usize = 28;

/// Widens two windows of 3 x 3 pixels of three channels: the first eight bytes of each row as
/// [`gather2`] does, then pairs of the ninth bytes of rows 0 and 1, and of row 2 beside a value
/// without meaning, which a weight of 0 must meet.
#[inline]
pub fn gather2_27(windows: [Window<'_>; 2], acts: &mut [u32; TAPS_27]) -> Option<()> {
    let [a, b] = windows;
    a.holds(3, 9)?;
    b.holds(3, 9)?;
    target::gather2_27(windows, acts);
    Some(())
}

/// Widens one window of 3 x 3 pixels of three channels for [`gemv`], in the order of [`gather2_27`].
#[inline]
pub fn gather1_27(window: Window<'_>, acts: &mut [u32; TAPS_27 / 2]) -> Option<()> {
    window.holds(3, 9)?;
    target::gather1_27(window, acts);
    Some(())
}

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

impl Packed<'_> {
    /// The number of groups, when weights for `pairs` pairs of taps are there.
    #[inline]
    fn groups(&self, pairs: usize) -> Option<usize> {
        let groups = self.channels.len() / 4;
        let words = groups.checked_mul(pairs)?.checked_mul(2)?;
        let whole = self.channels.len().is_multiple_of(4) && groups > 0;
        (whole && words == self.weights.len()).then_some(groups)
    }
}

/// All channels of the two windows in `acts`, into the fronts of `outputs`. `None` when the lengths do
/// not fit together, the number of pairs is odd, or there are no taps.
#[inline]
pub fn gemm2(packed: &Packed<'_>, acts: &[u32], outputs: [&mut [i8]; 2]) -> Option<()> {
    let pairs = acts.len() / 2;
    let groups = packed.groups(pairs)?;
    if pairs < 2 || !acts.len().is_multiple_of(4) || outputs.iter().any(|o| o.len() < 4 * groups) {
        return None;
    }
    target::gemm2(packed, acts, outputs);
    Some(())
}

/// All channels of the window in `acts`, into the front of `output`. `None` when the lengths do not fit
/// together, the number of pairs is odd, or there are fewer than four pairs of taps.
#[inline]
pub fn gemv(packed: &Packed<'_>, acts: &[u32], output: &mut [i8]) -> Option<()> {
    let groups = packed.groups(acts.len())?;
    if acts.len() < 4 || !acts.len().is_multiple_of(2) || output.len() < 4 * groups {
        return None;
    }
    target::gemv(packed, acts, output);
    Some(())
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
    let last = lines.line.checked_mul(count.checked_sub(1)?)?;
    let last = last.checked_add(lines.pixel.checked_mul(lines.pixels.checked_sub(1)?)?)?;
    let written = lines.words.checked_mul(count)?.checked_add(at)?;
    let need = lines.plane.checked_mul(4)?;
    if last.checked_add(4)? > input.len() || written > lines.plane || need > planes.len() {
        return None;
    }
    target::depthwise_3x3_lines(lines, input, count, planes, at);
    Some(())
}

/// Weights of four channels: for each channel and kernel line a word with the bytes `w0 w1 w1 w2`, the
/// first one lowest.
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
    let steps = march.outputs.div_ceil(2);
    let words = match march.stride {
        1 => steps.checked_add(1)?,
        2 => steps.checked_mul(2)?.checked_add(1)?,
        _ => return None,
    };
    let last = march.count.checked_sub(1)?;
    let down = last.checked_mul(march.stride)?.checked_mul(words)?;
    let end = march
        .lines
        .iter()
        .max()?
        .checked_add(down)?
        .checked_add(words)?;
    let need = march.plane.checked_mul(4)?;
    let out = last.checked_mul(march.line)?;
    let out = out.checked_add(march.pixel.checked_mul(march.outputs.checked_sub(1)?)?)?;
    let fits = words == march.words && end <= march.plane && need <= planes.len();
    if !fits || march.outputs < 2 || out.checked_add(4)? > output.len() {
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
    let last = count.checked_sub(1)?;
    let read = last
        .checked_mul(taps.step)?
        .checked_add(furthest)?
        .checked_add(4)?;
    let written = last.checked_mul(taps.output_step)?.checked_add(4)?;
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
    let last = step.checked_mul(pixels.checked_sub(1)?)?;
    if pixels > 255 || last.checked_add(8)? > input.len() {
        return None;
    }
    Some(target::sums(input, step, pixels))
}
