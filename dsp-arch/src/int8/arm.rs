//! The routines for cores with Arm's DSP instructions (ARMv7E-M).
//!
//! The functions of the parent module have checked every length; here slices become the addresses
//! that a routine's context holds. A routine keeps its frame on the stack, uses no table and no
//! global, and touches what its context names, nothing else.

use super::{
    Channel, DEPTHWISE_3X3_RECORD, Linear, Lines, March, Packed, Taps, Weights3x3, Window, Windows,
};
use core::arch::global_asm;

global_asm!(
    include_str!("arm/gemm.s"),
    include_str!("arm/depthwise.s"),
    include_str!("arm/elements.s"),
    options(raw)
);

unsafe extern "C" {
    fn otolith_dsp_arch_gather1(
        row: *const i8,
        to: *mut u32,
        rows: usize,
        words: usize,
        skip: usize,
    );
    fn otolith_dsp_arch_conv(context: *mut usize);
    fn otolith_dsp_arch_gemv(context: *const usize);
    fn otolith_dsp_arch_gemv_sums(context: *const usize, sums: *mut i32);
    fn otolith_dsp_arch_dw3_weights(
        weights: *const Weights3x3,
        channels: *const Channel,
        to: *mut u32,
    );
    fn otolith_dsp_arch_dw3_lines(context: *mut usize);
    fn otolith_dsp_arch_dw3_march1(context: *const usize);
    fn otolith_dsp_arch_dw3_march2(context: *const usize);
    fn otolith_dsp_arch_dw_any(context: *const usize);
    fn otolith_dsp_arch_add(a: *const i8, b: *const i8, output: *mut i8, parameters: *const i32);
    fn otolith_dsp_arch_sums(input: *const i8, step: usize, pixels: usize, sums: *mut i32);
}

#[inline(always)]
pub(super) fn gather1(window: Window<'_>, rows: usize, words: usize, acts: &mut [u32]) {
    // A row may run into the next one.
    let skip = window.stride.wrapping_sub(4 * words);
    // SAFETY: the window holds the rows, and `acts` two words for each of their words.
    unsafe { otolith_dsp_arch_gather1(window.bytes.as_ptr(), acts.as_mut_ptr(), rows, words, skip) }
}

/// Bytes of the last group of four channels.
#[inline(always)]
fn last_group(windows: &Windows) -> usize {
    (windows.channels - 1) % 4 + 1
}

/// Address of the first window. Inputs in the output are read through its address.
#[inline(always)]
fn first(windows: &Windows, input: Option<&[i8]>, output: usize) -> usize {
    input.map_or(output, |input| input.as_ptr().addr()) + windows.from
}

/// Windows two by two.
#[inline(always)]
pub(super) fn pairs(
    packed: &Packed<'_>,
    windows: &Windows,
    input: Option<&[i8]>,
    acts: &mut [u32],
    output: &mut [i8],
) -> Option<()> {
    let channels = packed.channels.as_ptr_range();
    let acts_range = acts.as_mut_ptr_range();
    let to = output.as_mut_ptr().expose_provenance();
    let (mut from, mut to) = (first(windows, input, to), to + windows.to);
    let (mut step, mut out_step) = (windows.step, windows.channels);
    if input.is_none() && windows.grows() {
        from += (windows.count - 1) * step;
        to += (windows.count - 1) * out_step;
        (step, out_step) = (step.wrapping_neg(), out_step.wrapping_neg());
    }
    let (rows, skip) = match windows.nine {
        true => (0, windows.stride),
        // A row may run into the next one.
        false => (windows.rows, windows.stride.wrapping_sub(windows.row_bytes)),
    };
    for _ in 0..windows.lines {
        let mut context = [
            packed.weights.as_ptr().addr(),
            acts_range.start.expose_provenance(),
            channels.start.addr(),
            channels.end.addr(),
            to,
            last_group(windows),
            acts_range.end.addr(),
            acts.len() / 2,
            from,
            rows,
            windows.row_bytes / 4,
            skip,
            windows.count,
            step,
            out_step,
        ];
        // SAFETY: the input holds all windows, the output the channels of each, `acts` a word for each tap of two
        // windows, and weights two words for each pair of taps and group of channels. There are at least four
        // pairs of taps.
        unsafe { otolith_dsp_arch_conv(context.as_mut_ptr()) }
        from = from.wrapping_add(windows.line_step);
        to = to.wrapping_add(windows.count * windows.channels);
    }
    Some(())
}

/// One window by itself, with half of the activations.
#[inline(always)]
pub(super) fn single(
    packed: &Packed<'_>,
    windows: &Windows,
    input: Option<&[i8]>,
    acts: &mut [u32],
    output: &mut [i8],
) -> Option<()> {
    let window = Window {
        bytes: input.unwrap_or(output).get(windows.from..)?,
        stride: windows.stride,
    };
    gather1(window, windows.rows, windows.row_bytes / 4, acts);
    let channels = packed.channels.as_ptr_range();
    let acts = acts.as_ptr_range();
    let context = [
        packed.weights.as_ptr().addr(),
        acts.start.addr(),
        channels.start.addr(),
        channels.end.addr(),
        output
            .get_mut(windows.to..)?
            .as_mut_ptr()
            .expose_provenance(),
        last_group(windows),
        acts.end.addr(),
        windows.rows * windows.row_bytes / 4,
    ];
    // SAFETY: as for two windows; there are at least two blocks of two pairs.
    unsafe { otolith_dsp_arch_gemv(context.as_ptr()) }
    Some(())
}

#[inline(always)]
pub(super) fn gemv_sums(weights: &[u32], acts: &[u32], sums: &mut [i32; 4]) {
    let context = [
        weights.as_ptr().addr(),
        acts.as_ptr().addr(),
        acts.as_ptr_range().end.addr(),
        acts.len() / 2,
    ];
    // SAFETY: weights hold two words for each pair, of which there are an even number, at least four.
    unsafe { otolith_dsp_arch_gemv_sums(context.as_ptr(), sums.as_mut_ptr()) }
}

#[inline(always)]
pub(super) fn depthwise_3x3_weights(
    weights: &Weights3x3,
    channels: &[Channel; 4],
    record: &mut [u32; DEPTHWISE_3X3_RECORD],
) {
    // SAFETY: the routine reads twelve words and four channels and writes 40 words.
    unsafe { otolith_dsp_arch_dw3_weights(weights, channels.as_ptr(), record.as_mut_ptr()) }
}

#[inline(always)]
pub(super) fn depthwise_3x3_lines(
    lines: &Lines,
    input: &[i8],
    count: usize,
    planes: &mut [u32],
    at: usize,
) {
    let Some((pairs, left, behind)) = lines.split() else {
        return;
    };
    let Some(planes) = planes.get_mut(at..) else {
        return;
    };
    let mut context = [
        input.as_ptr().addr(),
        lines.pixel,
        planes.as_mut_ptr().expose_provenance(),
        4 * lines.plane,
        pairs,
        usize::from(lines.lead),
        usize::from(left),
        behind,
        usize::from(lines.padding as u8) * 0x0101_0101,
        count,
        lines.line,
        4 * lines.words,
    ];
    // SAFETY: the input holds four channels of the last pixel of the last line, and each plane all
    // words of all lines from `at` on.
    unsafe { otolith_dsp_arch_dw3_lines(context.as_mut_ptr()) }
}

#[inline(always)]
pub(super) fn depthwise_3x3_march(
    march: &March,
    planes: &[u32],
    record: &[u32; DEPTHWISE_3X3_RECORD],
    output: &mut [i8],
) {
    let base = planes.as_ptr().addr();
    let [a, b, c] = march.lines.map(|line| base + 4 * line);
    let lines = 4 * march.count * march.stride * march.words;
    let context = [
        a,
        b,
        c,
        record.as_ptr_range().start.addr(),
        record.as_ptr_range().end.addr(),
        output.as_mut_ptr().expose_provenance(),
        march.pixel,
        march.outputs / 2 * 4 * march.stride,
        4 * march.words,
        lines,
        (4 * march.plane).wrapping_sub(lines),
        march.line.wrapping_sub(march.pixel * march.outputs),
        march.outputs % 2,
    ];
    // Where the sign does not matter it does no harm.
    // SAFETY: each line under the kernel has its words in every plane, for all lines of outputs; the
    // output holds four channels of the last one; a line has at least two outputs.
    unsafe {
        match march.stride {
            1 => otolith_dsp_arch_dw3_march1(context.as_ptr()),
            _ => otolith_dsp_arch_dw3_march2(context.as_ptr()),
        }
    }
}

#[inline(always)]
pub(super) fn depthwise_taps(taps: &Taps<'_>, input: &[i8], count: usize, output: &mut [i8]) {
    let offsets = taps.offsets.as_ptr_range();
    let context = [
        input.as_ptr().addr(),
        offsets.start.addr(),
        taps.weights.as_ptr().addr(),
        offsets.end.addr(),
        taps.channels.as_ptr().addr(),
        output.as_mut_ptr().expose_provenance(),
        count,
        taps.step,
        taps.output_step,
    ];
    // SAFETY: the input holds the furthest tap of the last window, the output the last four values,
    // and there are four words of weights for each two offsets.
    unsafe { otolith_dsp_arch_dw_any(context.as_ptr()) }
}

#[inline(always)]
fn parameters(linear: &Linear, n: usize) -> [i32; 5] {
    let [a, b] = linear.factors;
    [a, b, linear.constant, linear.shift, (n / 4) as i32]
}

#[inline(always)]
pub(super) fn add(linear: &Linear, a: &[i8], b: &[i8], output: &mut [i8]) {
    let parameters = parameters(linear, output.len());
    // SAFETY: all three have the same length, a multiple of four.
    unsafe {
        otolith_dsp_arch_add(
            a.as_ptr(),
            b.as_ptr(),
            output.as_mut_ptr(),
            parameters.as_ptr(),
        )
    }
}

#[inline(always)]
pub(super) fn add_to(linear: &Linear, a: &mut [i8], b: &[i8]) {
    let parameters = parameters(linear, a.len());
    let output = a.as_mut_ptr();
    // SAFETY: as for `add`; four values are read before their four sums are written.
    unsafe { otolith_dsp_arch_add(output, b.as_ptr(), output, parameters.as_ptr()) }
}

#[inline(always)]
pub(super) fn sums(input: &[i8], step: usize, pixels: usize) -> [i32; 8] {
    let mut sums = [0; 8];
    // SAFETY: the last of the pixels has eight bytes in the input, and eight words are written.
    unsafe { otolith_dsp_arch_sums(input.as_ptr(), step, pixels, sums.as_mut_ptr()) }
    sums
}
