//! Convolution: windows of many pixels side by side, sixteen channels times four of them at once.

use super::depthwise::store;
use super::requant::Eight;
use crate::int8::layer::{Conv, Memory};
use crate::int8::{Channel, Packed, TAPS_27};
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// Output channels and pixels of a tile.
const CHANNELS: usize = 16;
const PIXELS: usize = 4;

/// Most taps of a window.
const MAX_TAPS: usize = 2304;
/// Vectors of unpacked weights of [`CHANNELS`] channels: two for each pair of taps.
const MAX_WEIGHTS: usize = MAX_TAPS;
/// Words of windows that are widened before they are multiplied; a row may write 7 words further.
const MAX_ACTS: usize = 8192;
const SLACK: usize = 8;
/// Bytes up to which an image is copied into its padding first, so that all windows lie inside.
const MAX_FRAME: usize = 32768;
const _: () = assert!(MAX_ACTS >= PIXELS * MAX_TAPS / 2);

type Acts = [MaybeUninit<u32>; MAX_ACTS + SLACK];
type Unpacked = [MaybeUninit<__m256i>; MAX_WEIGHTS];

/// See [`crate::int8::layer::conv`].
pub(crate) fn run<M: Memory>(conv: &Conv<'_>, image: usize, memory: &mut M) -> Option<()> {
    let taps = taps(conv)?;
    let [in_h, in_w, in_c] = conv.input;
    let [out_h, out_w, out_c] = conv.output;
    let pixels = out_h.checked_mul(out_w)?;
    // A single window is a product of a matrix and a vector, which has a routine.
    if !super::available() || pixels < 2 || taps > MAX_TAPS {
        return None;
    }
    let words = taps / 2;
    let tile = (MAX_ACTS / words).min(pixels.next_multiple_of(PIXELS)) / PIXELS * PIXELS;
    let input_len = in_h.checked_mul(in_w)?.checked_mul(in_c)?;
    let start = image.checked_mul(input_len)?;
    let inputs = start..start.checked_add(input_len)?;
    memory.input().get(inputs.clone())?;
    let first = image.checked_mul(pixels)?.checked_mul(out_c)?;
    let outputs = first..first.checked_add(pixels.checked_mul(out_c)?)?;
    memory.output().get(outputs.clone())?;

    let mut frame = [MaybeUninit::uninit(); MAX_FRAME];
    let framed = pad(conv, memory.input().get(inputs.clone())?, &mut frame);
    let mut acts: Acts = [MaybeUninit::uninit(); MAX_ACTS + SLACK];
    let mut unpacked: Unpacked = [MaybeUninit::uninit(); MAX_WEIGHTS];
    let tiles = pixels.div_ceil(tile);
    for step in 0..tiles {
        // What grows in place is done from the last pixel to the first.
        let number = if out_c > in_c { tiles - 1 - step } else { step };
        let from = number * tile;
        let n = (pixels - from).min(tile);
        let (shape, input) = match &framed {
            Some((shape, image)) => (shape, *image),
            None => (conv, memory.input().get(inputs.clone())?),
        };
        // SAFETY: the processor has AVX2.
        unsafe { gather(shape, input, from, n, &mut acts) };
        let out = memory.output().get_mut(outputs.clone())?;
        let out = out.get_mut(from * out_c..(from + n) * out_c)?;
        // SAFETY: the processor has AVX2; `gather` wrote `n` windows of `words` words.
        unsafe { product(&conv.packed, words, &acts, out_c, out, &mut unpacked) };
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

/// A copy of the image in its padding, and the convolution on it without padding; `None` when windows
/// are single pixels or the copy is too long.
fn pad<'f, 'c>(
    conv: &Conv<'c>,
    image: &[i8],
    frame: &'f mut [MaybeUninit<i8>; MAX_FRAME],
) -> Option<(Conv<'c>, &'f [i8])> {
    let [_, in_w, in_c] = conv.input;
    let [out_h, out_w, _] = conv.output;
    let [pad_top, pad_left] = conv.pad;
    let ([stride_h, stride_w], [kernel_h, kernel_w]) = (conv.stride, conv.kernel);
    let reach = |outputs: usize, stride: usize, kernel: usize| {
        let last = outputs.checked_sub(1)?.checked_mul(stride)?;
        last.checked_add(kernel)
    };
    let h = reach(out_h, stride_h, kernel_h)?;
    let w = reach(out_w, stride_w, kernel_w)?;
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
fn gather(conv: &Conv<'_>, image: &[i8], from: usize, n: usize, acts: &mut Acts) {
    let [_, out_w, _] = conv.output;
    let [_, _, in_c] = conv.input;
    let mut to = acts.as_mut_slice();
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
    let [(a, a9), (b, b9), (c, c9)] = rows.map(|row| {
        let &[b0, b1, b2, b3, b4, b5, b6, b7, ninth] = row;
        let eight = [b0, b1, b2, b3, b4, b5, b6, b7].map(|x| x as u8);
        (i64::from_le_bytes(eight), ninth)
    });
    // Widening takes 0 and 2, then 1 and 3.
    let last = u32::from_le_bytes([a9, c9, b9, 0].map(|x| x as u8));
    widen_16(_mm_set_epi64x(b, a), 16, to);
    widen_16(_mm_set_epi64x(i64::from(last), c), TAPS_27 - 16, to);
}

/// Widens `len` bytes, a multiple of four, to the front of `to`, of which they are taken off.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(from: &[i8], len: usize, to: &mut &mut [MaybeUninit<u32>]) {
    let mut left = len;
    let mut at = 0;
    while left > 0 {
        let mut last = [0; 16];
        let rest = from.get(at..).unwrap_or_default();
        let sixteen = match rest.first_chunk::<16>() {
            Some(sixteen) => sixteen,
            None => {
                for (last, &x) in last.iter_mut().zip(rest) {
                    *last = x;
                }
                &last
            }
        };
        let used = left.min(16);
        // SAFETY: sixteen bytes are read.
        let bytes = unsafe { _mm_loadu_si128(sixteen.as_ptr().cast()) };
        widen_16(bytes, used, to);
        at += used;
        left -= used;
    }
}

/// Widens the first `used` of sixteen bytes: of each four first 0 and 2, then 1 and 3.
#[inline]
#[target_feature(enable = "avx2")]
fn widen_16(bytes: __m128i, used: usize, to: &mut &mut [MaybeUninit<u32>]) {
    let order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    let wide = _mm256_cvtepi8_epi16(_mm_shuffle_epi8(bytes, order));
    let words = core::mem::take(to);
    if let Some(eight) = words.first_chunk_mut::<8>() {
        // SAFETY: eight words are written.
        unsafe { _mm256_storeu_si256(eight.as_mut_ptr().cast(), wide) };
    }
    *to = words.get_mut(used / 2..).unwrap_or_default();
}

/// All channels of the windows in `acts`, of `words` words each, as many as `out` has pixels.
///
/// # Safety
/// These windows are written.
#[target_feature(enable = "avx2")]
unsafe fn product(
    packed: &Packed<'_>,
    words: usize,
    acts: &Acts,
    out_c: usize,
    out: &mut [i8],
    unpacked: &mut Unpacked,
) {
    let pixels = out.len() / out_c.max(1);
    let block_words = CHANNELS / 2 * words;
    let mut weights = packed.weights;
    for (block, channels) in packed.channels.chunks(CHANNELS).enumerate() {
        let (own, rest) = weights.split_at(weights.len().min(block_words));
        weights = rest;
        // SAFETY: a layer has at most `MAX_TAPS` taps, which is two vectors for each word.
        unsafe { unpack(own, channels.len() / 4, words, unpacked) };
        let tile = Tile {
            weights: unpacked.as_ptr().cast(),
            words,
            even: Eight::new(every_second(channels, 0), packed.sign),
            odd: Eight::new(every_second(channels, 1), packed.sign),
        };
        let first = block * CHANNELS;
        let len = (out_c - first).min(CHANNELS);
        let mut pixel = 0;
        while pixel < pixels {
            // SAFETY: windows of these pixels were written.
            let from = unsafe { acts.as_ptr().cast::<i32>().add(pixel * words) };
            let n = (pixels - pixel).min(PIXELS);
            // SAFETY: as above; `unpack` wrote the weights.
            let done = unsafe {
                match n {
                    1 => tile.run::<1>(from),
                    2 => tile.run::<2>(from),
                    3 => tile.run::<3>(from),
                    _ => tile.run::<4>(from),
                }
            };
            for (i, values) in done.iter().take(n).enumerate() {
                let at = (pixel + i) * out_c + first;
                store(*values, len, out.get_mut(at..).unwrap_or_default());
            }
            pixel += n;
        }
    }
}

/// Channels `first`, `first + 2`, and so on.
fn every_second(channels: &[Channel], first: usize) -> [Option<&Channel>; 8] {
    core::array::from_fn(|i| channels.get(2 * i + first))
}

/// Brings the weights of up to four groups into one vector for each pair of taps, followed by one with
/// their lower bytes.
///
/// # Safety
/// `words` is at most half of [`MAX_WEIGHTS`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn unpack(weights: &[u32], groups: usize, words: usize, to: &mut Unpacked) {
    let group = |i: usize| -> &[[u32; 2]] {
        let own = weights.get(2 * i * words..).filter(|_| i < groups);
        let own = own.and_then(|own| own.get(..2 * words));
        own.unwrap_or_default().as_chunks().0
    };
    let groups = [group(0), group(1), group(2), group(3)];
    let mut put = |pair: usize, both: __m256i| {
        let odd = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(both));
        // SAFETY: the caller promises that two vectors a word fit.
        unsafe {
            let to = to.as_mut_ptr().cast::<__m256i>().add(2 * pair);
            to.write(both);
            to.add(1).write(odd);
        }
    };
    let mut pair = 0;
    while let [Some(a), Some(b), Some(c), Some(d)] =
        groups.map(|g| g.get(pair..).and_then(|g| g.first_chunk::<4>()))
    {
        // SAFETY: each array has 32 bytes.
        let [a, b, c, d] = [a, b, c, d].map(|g| unsafe { _mm256_loadu_si256(g.as_ptr().cast()) });
        let (ab0, ab1) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
        let (cd0, cd1) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
        put(pair, _mm256_permute2x128_si256::<0x20>(ab0, cd0));
        put(pair + 1, _mm256_permute2x128_si256::<0x20>(ab1, cd1));
        put(pair + 2, _mm256_permute2x128_si256::<0x31>(ab0, cd0));
        put(pair + 3, _mm256_permute2x128_si256::<0x31>(ab1, cd1));
        pair += 4;
    }
    for pair in pair..words {
        let [a, b, c, d] = groups.map(|g| g.get(pair).copied().unwrap_or_default());
        let at = |[low, high]: [u32; 2]| i64::from(low) | i64::from(high) << 32;
        put(pair, _mm256_setr_epi64x(at(a), at(b), at(c), at(d)));
    }
}

/// Sixteen channels: their weights and parameters.
struct Tile {
    weights: *const __m256i,
    /// Words of a window.
    words: usize,
    even: Eight,
    odd: Eight,
}

impl Tile {
    /// Outputs of `N` windows.
    ///
    /// # Safety
    /// `weights` points to two vectors for each word, `acts` to `N` windows.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn run<const N: usize>(&self, acts: *const i32) -> [__m128i; PIXELS] {
        let mut both = [_mm256_setzero_si256(); N];
        let mut low = [_mm256_setzero_si256(); N];
        for i in 0..self.words {
            // SAFETY: the caller promises that they are there.
            let (w, v) = unsafe {
                let at = self.weights.add(2 * i);
                (at.read(), at.add(1).read())
            };
            for (p, (both, low)) in both.iter_mut().zip(&mut low).enumerate() {
                // SAFETY: as above.
                let x = _mm256_set1_epi32(unsafe { acts.add(p * self.words + i).read() });
                *both = _mm256_add_epi32(*both, _mm256_madd_epi16(w, x));
                *low = _mm256_add_epi32(*low, _mm256_madd_epi16(v, x));
            }
        }
        let mut out = [_mm_setzero_si128(); PIXELS];
        for ((out, &both), &low) in out.iter_mut().zip(&both).zip(&low) {
            let even = _mm256_srai_epi32::<7>(_mm256_sub_epi32(both, low));
            let even = self.even.requantise(even);
            let odd = self.odd.requantise(_mm256_slli_epi32::<1>(low));
            *out = interleave(even, odd);
        }
        out
    }
}

/// Saturates and puts even and odd channels side by side.
#[inline]
#[target_feature(enable = "avx2")]
fn interleave(even: __m256i, odd: __m256i) -> __m128i {
    let words = _mm256_packs_epi32(even, odd);
    let bytes = _mm256_packs_epi16(words, words);
    let order = _mm256_setr_epi8(
        0, 4, 1, 5, 2, 6, 3, 7, 8, 8, 8, 8, 8, 8, 8, 8, //
        0, 4, 1, 5, 2, 6, 3, 7, 8, 8, 8, 8, 8, 8, 8, 8,
    );
    let bytes = _mm256_shuffle_epi8(bytes, order);
    let bytes = _mm256_permute4x64_epi64::<0b1000>(bytes);
    _mm256_castsi256_si128(bytes)
}
