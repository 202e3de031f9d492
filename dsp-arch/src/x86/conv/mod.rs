//! Convolution: windows of many pixels side by side, sixteen channels times four of them at once.

mod product;
mod widen;
mod windows;

use self::product::{Unpacked, View, product};
use self::widen::{MAX_WORDS, SLACK, Words, frame};
use self::windows::{MAX_FRAME, gather, pad};
use super::routines::gemv_avx2;
use crate::int8::TAPS_27;
use crate::int8::layer::{Conv, Memory};
use core::mem::MaybeUninit;
use core::ops::Range;

/// Most taps of a window.
const MAX_TAPS: usize = 2304;
const _: () = assert!(MAX_WORDS >= 4 * MAX_TAPS / 2);

/// See [`crate::int8::layer::conv`].
pub(crate) fn run<M: Memory>(conv: &Conv<'_>, image: usize, memory: &mut M) -> Option<()> {
    let taps = taps(conv)?;
    let [in_h, in_w, in_c] = conv.input;
    let [out_h, out_w, out_c] = conv.output;
    let pixels = out_h.checked_mul(out_w)?;
    if !super::available() || pixels == 0 || taps > MAX_TAPS {
        return None;
    }
    let input_len = in_h.checked_mul(in_w)?.checked_mul(in_c)?;
    let start = image.checked_mul(input_len)?;
    let inputs = start..start.checked_add(input_len)?;
    memory.input().get(inputs.clone())?;
    let first = image.checked_mul(pixels)?.checked_mul(out_c)?;
    let outputs = first..first.checked_add(pixels.checked_mul(out_c)?)?;
    memory.output().get(outputs.clone())?;
    let words = taps / 2;
    if pixels == 1 {
        single(conv, words, memory, [inputs, outputs])
    } else {
        many(conv, words, memory, [inputs, outputs])
    }
}

/// A layer of one window: a product of a matrix and a vector.
fn single<M: Memory>(
    conv: &Conv<'_>,
    words: usize,
    memory: &mut M,
    [inputs, outputs]: [Range<usize>; 2],
) -> Option<()> {
    let mut acts = [MaybeUninit::uninit(); MAX_TAPS / 2 + 8];
    let input = memory.input().get(inputs)?;
    // SAFETY: the processor has AVX2.
    unsafe { gather(conv, input, 0, 1, &mut acts) };
    let acts = acts.get(..words)?;
    // SAFETY: `gather` wrote a window of `words` words.
    let acts = unsafe { &*(acts as *const [MaybeUninit<u32>] as *const [u32]) };
    let out = memory.output().get_mut(outputs)?;
    // SAFETY: the processor has AVX2.
    unsafe { gemv_avx2(&conv.packed, acts, out) };
    Some(())
}

/// A layer of many windows.
fn many<M: Memory>(
    conv: &Conv<'_>,
    length: usize,
    memory: &mut M,
    [inputs, outputs]: [Range<usize>; 2],
) -> Option<()> {
    let [out_h, out_w, out_c] = conv.output;
    let (pixels, in_c) = (out_h * out_w, conv.input[2]);
    let mut words: Words = [MaybeUninit::uninit(); MAX_WORDS + SLACK];
    let mut unpacked: Unpacked = [MaybeUninit::uninit(); MAX_TAPS];
    if conv.kernel != [1; 2] {
        let input = memory.input().get(inputs.clone())?;
        // SAFETY: the processor has AVX2.
        if let Some(view) = unsafe { frame(conv, input, &mut words) } {
            let out = memory.output().get_mut(outputs)?;
            let sizes = [pixels, out_c];
            // SAFETY: the processor has AVX2; `frame` wrote all windows.
            unsafe { product(&conv.packed, &view, &words, sizes, out, &mut unpacked) };
            return Some(());
        }
    }
    let mut copy = [MaybeUninit::uninit(); MAX_FRAME];
    let padded = pad(conv, memory.input().get(inputs.clone())?, &mut copy);
    let tile = (MAX_WORDS / length).min(pixels);
    let tiles = pixels.div_ceil(tile);
    for step in 0..tiles {
        // What grows in place is done from the last pixel to the first.
        let number = if out_c > in_c { tiles - 1 - step } else { step };
        let from = number * tile;
        let n = (pixels - from).min(tile);
        let (shape, input) = match &padded {
            Some((shape, image)) => (shape, *image),
            None => (conv, memory.input().get(inputs.clone())?),
        };
        // SAFETY: the processor has AVX2.
        unsafe { gather(shape, input, from, n, &mut words) };
        let out = memory.output().get_mut(outputs.clone())?;
        let out = out.get_mut(from * out_c..(from + n) * out_c)?;
        let view = View::dense(length);
        // SAFETY: the processor has AVX2; `gather` wrote `n` windows of `length` words.
        unsafe { product(&conv.packed, &view, &words, [n, out_c], out, &mut unpacked) };
    }
    Some(())
}

/// Taps of a window, when the tables have weights for them.
fn taps(conv: &Conv<'_>) -> Option<usize> {
    let [_, in_w, in_c] = conv.input;
    let [kernel_h, kernel_w] = conv.kernel;
    let taps = if conv.nine {
        ([kernel_h, kernel_w, in_c] == [3; 3]).then_some(TAPS_27)?
    } else {
        conv.row_bytes.checked_mul(kernel_h)?
    };
    let whole = taps % 4 == 0 && taps > 0 && (conv.nine || conv.row_bytes.is_multiple_of(4));
    let row = kernel_w.checked_mul(in_c)?;
    let fits = row <= conv.row_bytes || conv.nine;
    let channels = conv.packed.channels.len();
    let weights = (channels / 2).checked_mul(taps / 2)?;
    let tables = channels.is_multiple_of(4)
        && channels == conv.output[2].next_multiple_of(4)
        && weights == conv.packed.weights.len();
    let [pad_top, pad_left] = conv.pad;
    let padded = pad_top < kernel_h && pad_left < kernel_w;
    (whole && fits && tables && padded && in_w > 0).then_some(taps)
}
