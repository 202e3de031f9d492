//! Products of widened windows with packed weights: sixteen channels times four pixels.

use super::super::requant::{Sixteen, store};
use super::MAX_TAPS;
use super::widen::Words;
use crate::int8::Packed;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// Output channels and pixels of a tile.
const CHANNELS: usize = 16;
const PIXELS: usize = 4;

/// Unpacked weights of [`CHANNELS`] channels: two vectors for each pair of taps.
pub(super) type Unpacked = [MaybeUninit<__m256i>; MAX_TAPS];

/// Where windows lie in widened words.
#[derive(Clone, Copy)]
pub(super) struct View {
    /// Rows of a window.
    pub(super) rows: usize,
    /// Words of a row: an even number.
    pub(super) row: usize,
    /// Words from a row to the next.
    pub(super) line: usize,
    /// Words from a window to the next in a line of outputs.
    pub(super) step: usize,
    /// Words from a line of outputs to the next.
    pub(super) down: usize,
    /// Windows in a line of outputs.
    pub(super) width: usize,
}

impl View {
    /// Windows of `words` words, one behind the other.
    pub(super) fn dense(words: usize) -> Self {
        Self {
            rows: 1,
            row: words,
            line: words,
            step: words,
            down: 0,
            width: usize::MAX,
        }
    }
}

/// All channels of the first `pixels` windows of `words` into `out`, `out_c` bytes from pixel to pixel.
///
/// # Safety
/// These windows are written, and `packed` has weights for their words.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn product(
    packed: &Packed<'_>,
    view: &View,
    words: &Words,
    [pixels, out_c]: [usize; 2],
    out: &mut [i8],
    unpacked: &mut Unpacked,
) {
    let length = view.rows * view.row;
    let mut weights = packed.weights;
    for (block, channels) in packed.channels.chunks(CHANNELS).enumerate() {
        let (own, rest) = weights.split_at(weights.len().min(CHANNELS / 2 * length));
        weights = rest;
        // SAFETY: a layer has at most `MAX_TAPS` taps, which is two vectors for each word.
        unsafe { unpack(own, channels.len() / 4, length, unpacked) };
        let tile = Tile {
            weights: unpacked.as_ptr().cast(),
            view,
            outputs: Sixteen::new(channels, packed.sign),
        };
        let first = block * CHANNELS;
        let n = out_c.saturating_sub(first).min(CHANNELS);
        let mut cursor = Cursor::default();
        let mut left = pixels;
        let mut to = out.get_mut(first..).unwrap_or_default();
        while left > 0 {
            let windows = cursor.tile(view, left);
            // SAFETY: windows of these pixels were written, `unpack` wrote the weights.
            let done = unsafe { tile.run(words.as_ptr().cast(), windows) };
            let used = left.min(PIXELS);
            left -= used;
            for (i, values) in done.into_iter().enumerate() {
                if i < used {
                    store(values, n, to);
                    to = to.get_mut(out_c..).unwrap_or_default();
                }
            }
        }
    }
}

/// Goes from window to window.
#[derive(Default)]
struct Cursor {
    x: usize,
    at: usize,
    line: usize,
}

impl Cursor {
    /// Words at which the next windows start, of which `left` are left. Those that are not there are the
    /// first one once more.
    #[inline]
    fn tile(&mut self, view: &View, left: usize) -> [usize; PIXELS] {
        if left >= PIXELS && view.width - self.x > PIXELS {
            let (at, step) = (self.at, view.step);
            self.x += PIXELS;
            self.at += PIXELS * step;
            return [at, at + step, at + 2 * step, at + 3 * step];
        }
        let mut windows = [self.next(view); PIXELS];
        for window in windows.iter_mut().take(left).skip(1) {
            *window = self.next(view);
        }
        windows
    }

    #[inline]
    fn next(&mut self, view: &View) -> usize {
        let at = self.at;
        self.x += 1;
        self.at += view.step;
        if self.x == view.width {
            self.line += view.down;
            (self.x, self.at) = (0, self.line);
        }
        at
    }
}

/// Brings the weights of up to four groups into one vector for each pair of taps, followed by one with
/// their lower bytes.
///
/// # Safety
/// `words` is at most half of [`MAX_TAPS`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn unpack(weights: &[u32], groups: usize, words: usize, to: &mut Unpacked) {
    let group = |i: usize| -> &[[u32; 2]] {
        let own = weights.get(2 * i * words..).filter(|_| i < groups);
        let own = own.and_then(|own| own.get(..2 * words));
        own.unwrap_or_default().as_chunks().0
    };
    let [a, b, c, d] = [group(0), group(1), group(2), group(3)];
    let mut put = |pair: usize, both: __m256i| {
        let odd = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(both));
        // SAFETY: the caller promises that two vectors a word fit.
        unsafe {
            let to = to.as_mut_ptr().cast::<__m256i>().add(2 * pair);
            to.write(both);
            to.add(1).write(odd);
        }
    };
    let four = |i: usize, from: &[[u32; 2]]| match from.get(i..).and_then(|f| f.first_chunk::<4>())
    {
        // SAFETY: the array has 32 bytes.
        Some(four) => unsafe { _mm256_loadu_si256(four.as_ptr().cast()) },
        None => _mm256_setzero_si256(),
    };
    let mut pair = 0;
    while pair + 4 <= words {
        let (a, b, c, d) = (four(pair, a), four(pair, b), four(pair, c), four(pair, d));
        let (ab0, ab1) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
        let (cd0, cd1) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
        put(pair, _mm256_permute2x128_si256::<0x20>(ab0, cd0));
        put(pair + 1, _mm256_permute2x128_si256::<0x20>(ab1, cd1));
        put(pair + 2, _mm256_permute2x128_si256::<0x31>(ab0, cd0));
        put(pair + 3, _mm256_permute2x128_si256::<0x31>(ab1, cd1));
        pair += 4;
    }
    for pair in pair..words {
        let at = |from: &[[u32; 2]]| {
            let [low, high] = from.get(pair).copied().unwrap_or_default();
            i64::from(low) | i64::from(high) << 32
        };
        put(pair, _mm256_setr_epi64x(at(a), at(b), at(c), at(d)));
    }
}

/// Sixteen channels: their weights and parameters.
struct Tile<'v> {
    weights: *const __m256i,
    view: &'v View,
    outputs: Sixteen,
}

impl Tile<'_> {
    /// Outputs of the windows at these words of `words`.
    ///
    /// # Safety
    /// The windows are there, and `weights` points to two vectors for each word of a window.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn run(&self, words: *const i32, windows: [usize; PIXELS]) -> [__m128i; PIXELS] {
        let zero = _mm256_setzero_si256();
        let (mut both, mut low) = ([zero; PIXELS], [zero; PIXELS]);
        let mut weights = self.weights;
        for row in 0..self.view.rows {
            let start = row * self.view.line;
            let mut i = start;
            while i < start + self.view.row {
                for j in 0..2 {
                    // SAFETY: the caller promises that they are there; rows have even lengths.
                    let (w, v) = unsafe { (weights.read(), weights.add(1).read()) };
                    // SAFETY: as above.
                    weights = unsafe { weights.add(2) };
                    for ((both, low), &window) in both.iter_mut().zip(&mut low).zip(&windows) {
                        // SAFETY: as above.
                        let x = unsafe { words.add(window + i + j).read() };
                        let x = _mm256_set1_epi32(x);
                        *both = _mm256_add_epi32(*both, _mm256_madd_epi16(w, x));
                        *low = _mm256_add_epi32(*low, _mm256_madd_epi16(v, x));
                    }
                }
                i += 2;
            }
        }
        let ([b0, b1, b2, b3], [l0, l1, l2, l3]) = (both, low);
        let [y0, y1] = self.outputs.outputs([b0, b1], [l0, l1]);
        let [y2, y3] = self.outputs.outputs([b2, b3], [l2, l3]);
        [y0, y1, y2, y3]
    }
}
