//! 3 x 3 depthwise convolution, sixteen channels at once.
//!
//! For these channels three lines of the input, with padding at both ends, are kept widened to 16
//! bits: so the layer may work in place. Two taps make one product.

use super::requant::{Eight, store};
use crate::int8::Channel;
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
    let used = reach(out_w).max(in_w + 2);
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
            unsafe { block.line([a?, b?, c?], layer.stride, out, n, out_w) };
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

/// Weights and parameters of sixteen channels. The lower half of a vector pair has channels 0 to 3
/// and 8 to 11, the upper one the others: the order in which AVX2 takes pairs apart.
struct Block {
    /// Taps 0 and 1, 2 and 3, and so on; the last alone.
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
        let (pairs, _) = taps.as_chunks::<2>();
        let mut vectors = [[_mm256_setzero_si256(); 2]; 5];
        for (to, [a, b]) in vectors.iter_mut().zip(pairs) {
            *to = interleave(load(a), load(b));
        }
        let channels = layer
            .channels
            .get(group..)
            .unwrap_or_default()
            .as_flattened();
        let at = |order: [usize; 8]| -> [Option<&Channel>; 8] { order.map(|i| channels.get(i)) };
        Self {
            weights: vectors,
            parameters: [
                Eight::new(at([0, 1, 2, 3, 8, 9, 10, 11]), layer.sign),
                Eight::new(at([4, 5, 6, 7, 12, 13, 14, 15]), layer.sign),
            ],
            channels: (4 * layer.weights.len() - first).min(CHANNELS),
        }
    }

    /// A line of outputs.
    #[target_feature(enable = "avx2")]
    fn line(
        &self,
        lines: [&[Pixel]; 3],
        stride: usize,
        out: &mut [i8],
        step: usize,
        outputs: usize,
    ) {
        let [w01, w23, w45, w67, w8] = self.weights;
        let [first, second] = self.parameters;
        let zero = _mm256_setzero_si256();
        for i in 0..outputs {
            let at = i * stride;
            let three = lines.map(|line| line.get(at..).and_then(|l| l.first_chunk::<3>()));
            let [Some([x0, x1, x2]), Some([x3, x4, x5]), Some([x6, x7, x8])] = three else {
                return;
            };
            let pairs = [
                (interleave(load(x0), load(x1)), w01),
                (interleave(load(x2), load(x3)), w23),
                (interleave(load(x4), load(x5)), w45),
                (interleave(load(x6), load(x7)), w67),
                (interleave(load(x8), zero), w8),
            ];
            let (mut low, mut high) = (zero, zero);
            for ([x, y], [w, v]) in pairs {
                low = _mm256_add_epi32(low, _mm256_madd_epi16(x, w));
                high = _mm256_add_epi32(high, _mm256_madd_epi16(y, v));
            }
            let low = first.requantise(_mm256_slli_epi32::<1>(low));
            let high = second.requantise(_mm256_slli_epi32::<1>(high));
            let words = _mm256_packs_epi32(low, high);
            let bytes = _mm256_packs_epi16(words, words);
            let bytes = _mm256_permute4x64_epi64::<0b1000>(bytes);
            let to = out.get_mut(i * step..).unwrap_or_default();
            store(_mm256_castsi256_si128(bytes), self.channels, to);
        }
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
