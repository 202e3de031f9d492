//! Windows that are copied one by one.

use super::MAX_TAPS;
use super::widen::{covered, widen, widen_16};
use crate::int8::TAPS_27;
use crate::int8::layer::Conv;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// Bytes up to which an image is copied into its padding first, so that all windows lie inside.
pub(super) const MAX_FRAME: usize = 32768;

/// A copy of the image in its padding, and the convolution on it without padding; `None` when windows
/// are single pixels or the copy is too long.
pub(super) fn pad<'f, 'c>(
    conv: &Conv<'c>,
    image: &[i8],
    frame: &'f mut [MaybeUninit<i8>; MAX_FRAME],
) -> Option<(Conv<'c>, &'f [i8])> {
    let [_, in_w, in_c] = conv.input;
    let [pad_top, pad_left] = conv.pad;
    let [h, w] = covered(conv)?;
    let line = w.checked_mul(in_c)?;
    // Rows are read sixteen bytes at a time.
    let len = h.checked_mul(line)?.checked_add(conv.row_bytes + 16)?;
    if conv.kernel == [1; 2] || len > MAX_FRAME || in_w * in_c == 0 {
        return None;
    }
    let frame = frame.get_mut(..len)?;
    frame.fill(MaybeUninit::new(conv.padding));
    // SAFETY: these bytes were written just now.
    let frame = unsafe { &mut *(frame as *mut [MaybeUninit<i8>] as *mut [i8]) };
    let rows = image.chunks_exact(in_w * in_c);
    for (from, to) in rows.zip(frame.chunks_exact_mut(line).take(h).skip(pad_top)) {
        // The last columns may be out of every window's reach.
        let to = to.get_mut(pad_left * in_c..).unwrap_or_default();
        let n = to.len().min(from.len());
        if let (Some(to), Some(from)) = (to.get_mut(..n), from.get(..n)) {
            to.copy_from_slice(from);
        }
    }
    let shape = Conv {
        input: [h, w, in_c],
        pad: [0; 2],
        ..*conv
    };
    Some((shape, frame))
}

/// Widens the windows of `n` pixels from output pixel `from` on.
#[target_feature(enable = "avx2")]
pub(super) fn gather(
    conv: &Conv<'_>,
    image: &[i8],
    from: usize,
    n: usize,
    words: &mut [MaybeUninit<u32>],
) {
    let [_, out_w, _] = conv.output;
    let [_, _, in_c] = conv.input;
    let mut to = words;
    let pointwise = [conv.kernel, conv.stride] == [[1; 2]; 2]
        && conv.pad == [0; 2]
        && conv.row_bytes == in_c
        && conv.output[1] == conv.input[1];
    if pointwise {
        // Windows lie one behind the other.
        let bytes = image.get(from * in_c..).unwrap_or_default();
        widen(bytes, n * in_c, &mut to);
        return;
    }
    let padded = conv.pad == [0; 2] && covered(conv) == Some([conv.input[0], conv.input[1]]);
    if conv.nine && padded {
        windows_27(conv, image, from, n, to);
        return;
    }
    let mut patch = [0; MAX_TAPS + 16];
    let (mut oy, mut ox) = (from / out_w.max(1), from % out_w.max(1));
    for _ in 0..n {
        if conv.nine {
            window_27(conv, image, [oy, ox], &mut to);
        } else {
            window(conv, image, [oy, ox], &mut patch, &mut to);
        }
        ox += 1;
        if ox == out_w {
            (oy, ox) = (oy + 1, 0);
        }
    }
}

/// Columns of the kernel that are on the image when its first one is at `x` of the padded image, and
/// the column of the image that the first of them meets.
#[inline]
fn columns(conv: &Conv<'_>, x: usize) -> (core::ops::Range<usize>, usize) {
    let [_, in_w, _] = conv.input;
    let ([_, kernel_w], [_, pad_left]) = (conv.kernel, conv.pad);
    let left = pad_left.saturating_sub(x).min(kernel_w);
    let right = (in_w + pad_left).saturating_sub(x).min(kernel_w);
    (left..right.max(left), (x + left).saturating_sub(pad_left))
}

#[inline]
#[target_feature(enable = "avx2")]
fn window(
    conv: &Conv<'_>,
    image: &[i8],
    [oy, ox]: [usize; 2],
    patch: &mut [i8; MAX_TAPS + 16],
    to: &mut &mut [MaybeUninit<u32>],
) {
    let [in_h, in_w, in_c] = conv.input;
    let [kernel_h, kernel_w] = conv.kernel;
    let (y, x) = (oy * conv.stride[0], ox * conv.stride[1]);
    let (columns, column) = columns(conv, x);
    // Narrow rows are brought together first: they are widened sixteen bytes at a time.
    let narrow = conv.row_bytes < 16 && kernel_h * conv.row_bytes <= MAX_TAPS;
    let inside = y >= conv.pad[0] && y + kernel_h <= in_h + conv.pad[0];
    if narrow && inside && columns == (0..kernel_w) {
        let start = ((y - conv.pad[0]) * in_w + column) * in_c;
        let rest = image.get(start..).unwrap_or_default();
        if rest.len() >= (kernel_h - 1) * in_w * in_c + conv.row_bytes {
            return narrow_window(rest, in_w * in_c, kernel_h, conv.row_bytes / 4, to);
        }
    }
    for ky in 0..kernel_h {
        let iy = (y + ky).checked_sub(conv.pad[0]).filter(|&iy| iy < in_h);
        let line = iy.and_then(|iy| image.get((iy * in_w + column) * in_c..));
        let inside = columns == (0..kernel_w);
        if let Some(line) = line
            && inside
            && !narrow
            && line.len() >= conv.row_bytes.next_multiple_of(16)
        {
            widen(line, conv.row_bytes, to);
            continue;
        }
        let at = if narrow { ky * conv.row_bytes } else { 0 };
        let row = patch.get_mut(at..at + conv.row_bytes).unwrap_or_default();
        if let Some(line) = line
            && let Some(line) = line.get(..conv.row_bytes)
            && inside
        {
            for (to, four) in row.chunks_mut(4).zip(line.as_chunks::<4>().0) {
                if let Some(to) = to.first_chunk_mut() {
                    *to = *four;
                }
            }
        } else {
            row.fill(conv.padding);
            let len = columns.len() * in_c;
            if let Some(from) = line.and_then(|line| line.get(..len))
                && let Some(to) = row.get_mut(columns.start * in_c..)
                && let Some(to) = to.get_mut(..len)
            {
                to.copy_from_slice(from);
            }
        }
        if !narrow {
            widen(patch, conv.row_bytes, to);
        }
    }
    if narrow {
        widen(patch, kernel_h * conv.row_bytes, to);
    }
}

/// Widens `rows` rows of one to three words, `stride` bytes apart. Four words meet in a register: a load
/// that spans several stores would wait for all of them.
#[inline]
#[target_feature(enable = "avx2")]
fn narrow_window(
    bytes: &[i8],
    stride: usize,
    rows: usize,
    words: usize,
    to: &mut &mut [MaybeUninit<u32>],
) {
    if words == 2 {
        let eight = |row: usize| match bytes.get(row * stride..).and_then(|b| b.first_chunk::<8>())
        {
            // SAFETY: eight bytes are read.
            Some(eight) if row < rows => unsafe { _mm_loadl_epi64(eight.as_ptr().cast()) },
            _ => _mm_setzero_si128(),
        };
        for row in (0..rows).step_by(2) {
            let two = _mm_unpacklo_epi64(eight(row), eight(row + 1));
            widen_16(two, 8 * (rows - row).min(2), to);
        }
        return;
    }
    let (mut row, mut word) = (0, 0);
    let mut next = || {
        let four = bytes.get(row * stride + 4 * word..);
        let four = four.and_then(|four| four.first_chunk::<4>());
        word += 1;
        if word == words {
            (row, word) = (row + 1, 0);
        }
        four.map_or(0, |four| i32::from_le_bytes(four.map(|x| x as u8)))
    };
    let mut left = rows * words;
    while left > 0 {
        // Behind the last row there may be other bytes, which nothing takes.
        let four = _mm_setr_epi32(next(), next(), next(), next());
        let used = left.min(4);
        widen_16(four, 4 * used, to);
        left -= used;
    }
}

/// [`window_27`] of `n` windows from output pixel `from` on, all of which lie in the image.
#[target_feature(enable = "avx2")]
fn windows_27<'i>(
    conv: &Conv<'_>,
    image: &'i [i8],
    from: usize,
    n: usize,
    mut to: &mut [MaybeUninit<u32>],
) {
    const NOTHING: [i8; 9] = [0; 9];
    let out_w = conv.output[1].max(1);
    let line = 3 * conv.input[1];
    let (mut oy, mut ox, mut left) = (from / out_w, from % out_w, n);
    while left > 0 {
        let run = (out_w - ox).min(left);
        let row = |ky: usize| {
            let at = (oy * conv.stride[0] + ky) * line + 3 * ox * conv.stride[1];
            image.get(at..).unwrap_or_default()
        };
        let (a, b, c) = (row(0), row(1), row(2));
        for i in 0..run {
            let at = 3 * conv.stride[1] * i;
            let nine = |row: &'i [i8]| row.get(at..).and_then(|row| row.first_chunk());
            let rows = [nine(a), nine(b), nine(c)];
            nine_words(rows.map(|row| row.unwrap_or(&NOTHING)), &mut to);
        }
        left -= run;
        (oy, ox) = (oy + 1, 0);
    }
}

/// A window of 3 x 3 pixels of three channels, its taps as [`crate::int8::portable::gather2_27`] leaves
/// them.
#[inline]
#[target_feature(enable = "avx2")]
fn window_27(
    conv: &Conv<'_>,
    image: &[i8],
    [oy, ox]: [usize; 2],
    to: &mut &mut [MaybeUninit<u32>],
) {
    let [in_h, in_w, _] = conv.input;
    let (y, x) = (oy * conv.stride[0], ox * conv.stride[1]);
    let (columns, column) = columns(conv, x);
    // Through registers: a load that spans several stores would wait for all of them.
    let line = |ky: usize| image.get(((y + ky).wrapping_sub(conv.pad[0]) * in_w + column) * 3..);
    let inside = columns == (0..3) && y >= conv.pad[0] && y + 3 <= in_h + conv.pad[0];
    if inside
        && let [Some(a), Some(b), Some(c)] = [line(0), line(1), line(2)]
        && let [Some(a), Some(b), Some(c)] = [a, b, c].map(|row| row.first_chunk::<9>())
    {
        nine_words([a, b, c], to);
        return;
    }
    let mut rows = [[conv.padding; 9]; 3];
    for (ky, row) in rows.iter_mut().enumerate() {
        let iy = (y + ky).checked_sub(conv.pad[0]).filter(|&iy| iy < in_h);
        let line = iy.and_then(|iy| image.get((iy * in_w + column) * 3..));
        let Some(line) = line else { continue };
        if columns == (0..3) {
            if let Some(line) = line.first_chunk() {
                *row = *line;
            }
        } else if let Some(line) = line.get(..3 * columns.len())
            && let Some(row) = row.get_mut(3 * columns.start..3 * columns.end)
        {
            row.copy_from_slice(line);
        }
    }
    let [a, b, c] = &rows;
    nine_words([a, b, c], to);
}

/// Widens three rows of nine bytes: the first eight of each row, then the ninth ones.
#[inline]
#[target_feature(enable = "avx2")]
fn nine_words(rows: [&[i8; 9]; 3], to: &mut &mut [MaybeUninit<u32>]) {
    let [a, b, c] = rows;
    let &[.., a9] = a;
    let &[.., b9] = b;
    let &[.., c9] = c;
    // SAFETY: eight of nine bytes are read.
    let (a, b, c) = unsafe {
        let eight = |row: &[i8; 9]| _mm_loadl_epi64(row.as_ptr().cast());
        (eight(a), eight(b), eight(c))
    };
    // Widening takes 0 and 2, then 1 and 3.
    let last = _mm_cvtsi32_si128(i32::from_le_bytes([a9 as u8, c9 as u8, b9 as u8, 0]));
    widen_16(_mm_unpacklo_epi64(a, b), 16, to);
    widen_16(_mm_unpacklo_epi64(c, last), TAPS_27 - 16, to);
}
