//! Bytes to words of two values, in the order of the packed weights.

use super::product::View;
use crate::int8::layer::Conv;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// Words that are widened before they are multiplied; what is written may reach 7 words further.
pub(super) const MAX_WORDS: usize = 16384;
pub(super) const SLACK: usize = 8;

/// Widened words.
pub(super) type Words = [MaybeUninit<u32>; MAX_WORDS + SLACK];

/// Widens `len` bytes, a multiple of four, to the front of `to`, of which they are taken off. Zeros stand
/// for bytes that `from` has not.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn widen(from: &[i8], len: usize, to: &mut &mut [MaybeUninit<u32>]) {
    let (sixteens, rest) = from.get(..len).unwrap_or(from).as_chunks::<16>();
    let words = core::mem::take(to);
    let done = 8 * sixteens.len().min(words.len() / 8);
    for (from, to) in sixteens.iter().zip(words.as_chunks_mut::<8>().0) {
        // SAFETY: sixteen bytes are read.
        let bytes = unsafe { _mm_loadu_si128(from.as_ptr().cast()) };
        // SAFETY: eight words are written.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), wide(bytes)) };
    }
    *to = words.get_mut(done..).unwrap_or_default();
    let mut left = len.saturating_sub(2 * done);
    let mut rest = rest.iter();
    while left > 0 {
        let mut last = [0i8; 16];
        for (last, &x) in last.iter_mut().zip(&mut rest) {
            *last = x;
        }
        let used = left.min(16);
        // SAFETY: sixteen bytes are read.
        widen_16(unsafe { _mm_loadu_si128(last.as_ptr().cast()) }, used, to);
        left -= used;
    }
}

/// Widens the first `used` of sixteen bytes: of each four first 0 and 2, then 1 and 3.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn widen_16(bytes: __m128i, used: usize, to: &mut &mut [MaybeUninit<u32>]) {
    let words = core::mem::take(to);
    if let Some(eight) = words.first_chunk_mut::<8>() {
        // SAFETY: eight words are written.
        unsafe { _mm256_storeu_si256(eight.as_mut_ptr().cast(), wide(bytes)) };
    }
    *to = words.get_mut(used / 2..).unwrap_or_default();
}

#[inline]
#[target_feature(enable = "avx2")]
fn wide(bytes: __m128i) -> __m256i {
    let order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    _mm256_cvtepi8_epi16(_mm_shuffle_epi8(bytes, order))
}

/// Height and width that the windows cover.
pub(super) fn covered(conv: &Conv<'_>) -> Option<[usize; 2]> {
    let reach = |outputs: usize, stride: usize, kernel: usize| {
        let last = outputs.checked_sub(1)?.checked_mul(stride)?;
        last.checked_add(kernel)
    };
    let [out_h, out_w, _] = conv.output;
    let ([stride_h, stride_w], [kernel_h, kernel_w]) = (conv.stride, conv.kernel);
    Some([
        reach(out_h, stride_h, kernel_h)?,
        reach(out_w, stride_w, kernel_w)?,
    ])
}

/// The windows of an image that fits into `words` with its padding: they are widened where they lie,
/// once for all that share them. `None` for an image that does not, or whose pixels are not whole
/// words of four bytes.
#[target_feature(enable = "avx2")]
pub(super) fn frame(conv: &Conv<'_>, image: &[i8], words: &mut Words) -> Option<View> {
    let [in_h, in_w, in_c] = conv.input;
    let ([kernel_h, kernel_w], [pad_top, pad_left]) = (conv.kernel, conv.pad);
    let [h, w] = covered(conv)?;
    let line = w.checked_mul(in_c)? / 2;
    let whole = in_c > 0 && in_c % 4 == 0 && conv.row_bytes == kernel_w * in_c && !conv.nine;
    if !whole || h.checked_mul(line)? > MAX_WORDS {
        return None;
    }
    let two = u32::from(i16::from(conv.padding) as u16) * 0x1_0001;
    let padding = MaybeUninit::new(two);
    // The last columns may be out of every window's reach.
    let columns = in_w.min(w.saturating_sub(pad_left));
    let (left, right) = (pad_left * in_c / 2, (pad_left + columns) * in_c / 2);
    for y in 0..h {
        // Beyond the line lie lines that are not yet written.
        let to = words.get_mut(y * line..)?;
        let iy = y.checked_sub(pad_top).filter(|&iy| iy < in_h);
        let Some(iy) = iy else {
            to.get_mut(..line)?.fill(padding);
            continue;
        };
        to.get_mut(..left.min(line))?.fill(padding);
        if columns > 0 {
            let from = image.get(iy * in_w * in_c..)?;
            widen(from, columns * in_c, &mut to.get_mut(left..)?);
        }
        to.get_mut(right.min(line)..line)?.fill(padding);
    }
    Some(View {
        rows: kernel_h,
        row: conv.row_bytes / 2,
        line,
        step: conv.stride[1] * in_c / 2,
        down: conv.stride[0] * line,
        width: conv.output[1],
    })
}
