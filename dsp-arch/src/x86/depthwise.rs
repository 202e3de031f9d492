//! 3 x 3 depthwise convolution, sixteen channels at once.
//!
//! For these channels three lines of the input, with padding at both ends, are kept widened to 16
//! bits: so the layer may work in place. Two taps make one
//! product.

use super::requant::{Eight, store};
use crate::int8::layer::{Depthwise3x3, Memory};
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// Channels of a block.
const CHANNELS: usize = 16;

/// Most pixels in a line, with padding at both ends.
const MAX_LINE: usize = 512;

/// Sixteen channels of a pixel.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Pixel([i16; CHANNELS]);

/// A line, with room that keeps neighbouring lines from sharing their places in the cache.
type Line = [MaybeUninit<Pixel>; MAX_LINE + 6];

/// See [`crate::int8::layer::depthwise_3x3`].
pub(crate) fn run<M: Memory>(layer: &Depthwise3x3<'_>, memory: &mut M) -> Option<()> {
    let [in_h, in_w] = layer.input;
    let [out_h, out_w] = layer.output;
    let groups = layer.weights.len();
    let n = groups.checked_mul(4)?;
    let reach = |outputs: usize| (outputs - 1) * layer.stride + 3;
    let usual = n > 0 && groups == layer.channels.len() && out_h > 0 && out_w > 0;
    let inputs = in_h.checked_mul(in_w)?.checked_mul(n)?;
    let outputs = out_h.checked_mul(out_w)?.checked_mul(n)?;
    let fits = memory.input().len() >= inputs && memory.output().len() >= outputs;
    let narrow = in_w + 2 <= MAX_LINE && reach(out_w.max(1)) <= MAX_LINE;
    if !super::available() || !usual || !fits || !narrow || layer.pad.iter().any(|&p| p > 1) {
        return None;
    }
    let padding = MaybeUninit::new(Pixel([i16::from(layer.padding); CHANNELS]));
    // A pixel behind the last window is read too, where it meets a weight of 0.
    let used = (reach(out_w) + 1).max(in_w + 2);
    let mut lines: [Line; 3] = [[MaybeUninit::uninit(); MAX_LINE + 6]; 3];
    for line in &mut lines {
        line.get_mut(..used)?.fill(padding);
    }
    for first in (0..n).step_by(CHANNELS) {
        // SAFETY: the processor has AVX2.
        let block = unsafe { Block::new(layer, first) };
        let mut next = 0;
        for oy in 0..out_h {
            let top = oy * layer.stride;
            // Lines of the padded input; each has the place of the one three before it.
            while next < top + 3 {
                let [pad_top, pad_left] = layer.pad;
                let line = lines.get_mut(next % 3)?;
                let iy = next.checked_sub(pad_top).filter(|&iy| iy < in_h);
                let from = iy.and_then(|iy| memory.input().get(iy * in_w * n + first..));
                match from {
                    // SAFETY: the processor has AVX2.
                    Some(from) => unsafe { widen(from, n, line.get_mut(pad_left..)?, in_w) },
                    None => line.get_mut(..reach(out_w))?.fill(padding),
                }
                // What a line of padding left at the left end stays.
                next += 1;
            }
            let at = oy * out_w * n + first;
            let out = memory.output().get_mut(at..)?;
            let [a, b, c] = [top, top + 1, top + 2].map(|y| {
                let line = lines.get(y % 3)?.get(..used)?;
                // SAFETY: this part of every line was filled.
                Some(unsafe { &*(line as *const [MaybeUninit<Pixel>] as *const [Pixel]) })
            });
            // SAFETY: the processor has AVX2.
            unsafe {
                match layer.stride {
                    1 => block.line::<1>([a?, b?, c?], out, n, out_w)?,
                    _ => block.line::<2>([a?, b?, c?], out, n, out_w)?,
                }
            }
        }
    }
    Some(())
}

/// Widens a line's sixteen channels, or as many as there are, `step` bytes from pixel to pixel.
#[target_feature(enable = "avx2")]
fn widen(from: &[i8], step: usize, to: &mut [MaybeUninit<Pixel>], pixels: usize) {
    for (i, to) in to.iter_mut().take(pixels).enumerate() {
        let from = from.get(i * step..).unwrap_or_default();
        match from.first_chunk::<CHANNELS>() {
            Some(from) => {
                // SAFETY: sixteen bytes are read and sixteen halves written.
                unsafe {
                    let wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(from.as_ptr().cast()));
                    _mm256_storeu_si256(to.as_mut_ptr().cast(), wide);
                }
            }
            None => {
                let mut last = [0; CHANNELS];
                for (to, &x) in last.iter_mut().zip(from) {
                    *to = i16::from(x);
                }
                to.write(Pixel(last));
            }
        }
    }
}

/// Taps of each product, row by row: the upper two of each column, then those of the last row, the last
/// one beside a weight of 0.
const PAIRS: [(usize, usize); 5] = [(0, 3), (1, 4), (2, 5), (6, 7), (8, 9)];

/// Weights and parameters of sixteen channels. The lower half of a vector pair has channels 0 to 3
/// and 8 to 11, the upper one the others: the order in which AVX2 takes pairs apart.
struct Block {
    /// The pairs of taps [`PAIRS`].
    weights: [[__m256i; 2]; 5],
    parameters: [Eight; 2],
    /// Channels that are there.
    channels: usize,
}

impl Block {
    #[target_feature(enable = "avx2")]
    fn new(layer: &Depthwise3x3<'_>, first: usize) -> Self {
        let group = first / 4;
        let mut taps = [Pixel([0; CHANNELS]); 10];
        let weights = layer.weights.get(group..).unwrap_or_default();
        for (channel, lines) in weights.iter().flatten().take(CHANNELS).enumerate() {
            for (i, word) in lines.iter().enumerate() {
                let [w0, w1, _, w2] = word.to_le_bytes().map(|byte| i16::from(byte as i8));
                for (j, w) in [w0, w1, w2].into_iter().enumerate() {
                    let tap = if layer.transposed {
                        3 * j + i
                    } else {
                        3 * i + j
                    };
                    if let Some(to) = taps.get_mut(tap).and_then(|tap| tap.0.get_mut(channel)) {
                        *to = w;
                    }
                }
            }
        }
        let mut vectors = [[_mm256_setzero_si256(); 2]; 5];
        for (to, (a, b)) in vectors.iter_mut().zip(PAIRS) {
            if let (Some(a), Some(b)) = (taps.get(a), taps.get(b)) {
                *to = interleave(load(a), load(b));
            }
        }
        let channels = layer
            .channels
            .get(group..)
            .unwrap_or_default()
            .as_flattened();
        let none = [0; 4];
        let at = |order: [usize; 8]| order.map(|i| channels.get(i).unwrap_or(&none));
        Self {
            weights: vectors,
            parameters: [
                Eight::new(at([0, 1, 2, 3, 8, 9, 10, 11]), layer.sign),
                Eight::new(at([4, 5, 6, 7, 12, 13, 14, 15]), layer.sign),
            ],
            channels: (4 * layer.weights.len() - first).min(CHANNELS),
        }
    }

    /// A line of outputs. What windows share is taken apart once.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn line<const STRIDE: usize>(
        &self,
        lines: [&[Pixel]; 3],
        out: &mut [i8],
        step: usize,
        outputs: usize,
    ) -> Option<()> {
        let [first, second, third] = lines;
        // The upper two pixels of a column; a pixel of the last row and the next one.
        let upper = |x: usize| Some(interleave(load(first.get(x)?), load(second.get(x)?)));
        let last = |x: usize| Some(interleave(load(third.get(x)?), load(third.get(x + 1)?)));
        let (mut upper0, mut upper1) = (upper(0)?, upper(1)?);
        let (mut last0, mut last1) = (last(0)?, last(1)?);
        let mut to = out;
        for i in 0..outputs {
            let at = i * STRIDE;
            if STRIDE > 1 {
                upper1 = upper(at + 1)?;
            }
            let (upper2, last2) = (upper(at + 2)?, last(at + 2)?);
            let words = self.sums([upper0, upper1, upper2, last0, last2]);
            let bytes = _mm256_packs_epi16(words, words);
            let bytes = _mm256_permute4x64_epi64::<0b1000>(bytes);
            store(_mm256_castsi256_si128(bytes), self.channels, to);
            to = to.get_mut(step..).unwrap_or_default();
            if STRIDE == 1 {
                (upper0, upper1) = (upper1, upper2);
                (last0, last1) = (last1, last2);
            } else {
                (upper0, last0) = (upper2, last2);
            }
        }
        Some(())
    }

    /// Outputs of a window, given the values of [`PAIRS`], as 16-bit numbers.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn sums(&self, values: [[__m256i; 2]; 5]) -> __m256i {
        let [first, second] = &self.parameters;
        let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        for ([x, y], [w, v]) in values.into_iter().zip(self.weights) {
            low = _mm256_add_epi32(low, _mm256_madd_epi16(x, w));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(y, v));
        }
        let low = first.requantise(_mm256_slli_epi32::<1>(low));
        let high = second.requantise(_mm256_slli_epi32::<1>(high));
        _mm256_packs_epi32(low, high)
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(pixel: &Pixel) -> __m256i {
    // SAFETY: a pixel has 32 bytes and their alignment.
    unsafe { _mm256_load_si256(pixel.0.as_ptr().cast()) }
}

/// Pairs of the numbers of `a` and `b`.
#[inline]
#[target_feature(enable = "avx2")]
fn interleave(a: __m256i, b: __m256i) -> [__m256i; 2] {
    [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)]
}
