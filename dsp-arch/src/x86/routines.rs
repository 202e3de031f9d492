//! The routines of [`crate::int8`] for x86-64: those that a layer is not done with at once.
//!
//! Where plain Rust vectorises well it is the twin's, compiled for AVX2.

use super::requant::{Eight, Sixteen, load, store};
use crate::int8::{Linear, Packed, Sign, Taps, portable};
use core::arch::x86_64::*;

pub(crate) use portable::{
    depthwise_3x3_lines, depthwise_3x3_march, depthwise_3x3_weights, gather1, gather1_27, gather2,
    gather2_27, gemm2,
};

/// See [`portable::gemv`].
pub(crate) fn gemv(packed: &Packed<'_>, acts: &[u32], output: &mut [i8]) {
    if super::available() {
        // SAFETY: the processor has AVX2.
        unsafe { gemv_avx2(packed, acts, output) }
    } else {
        portable::gemv(packed, acts, output);
    }
}

/// [`gemv`], whose output may end before the last group of channels does.
#[target_feature(enable = "avx2")]
pub(super) fn gemv_avx2(packed: &Packed<'_>, acts: &[u32], output: &mut [i8]) {
    let group_words = 2 * acts.len();
    let mut weights = packed.weights;
    for (channels, out) in packed.channels.chunks(16).zip(output.chunks_mut(16)) {
        let mut groups: [&[u32]; 4] = [&[]; 4];
        for group in groups.iter_mut().take(channels.len() / 4) {
            let (own, rest) = weights.split_at(weights.len().min(group_words));
            (*group, weights) = (own, rest);
        }
        let [both, low] = dots(groups, acts);
        let [values, _] = Sixteen::new(channels, Sign::Matters).outputs([both; 2], [low; 2]);
        store(values, out.len().min(channels.len()), out);
    }
}

/// Most vectors whose `256 * S_odd` a lane holds: each adds two products of at most 256 * 2^14.
const MAX_VECTORS: usize = 255;

/// `256 * S_even + S_odd` and `S_odd` of the pairs of channels of four groups. Groups may be absent.
#[inline]
#[target_feature(enable = "avx2")]
fn dots(groups: [&[u32]; 4], acts: &[u32]) -> [__m256i; 2] {
    let twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    let zero = _mm256_setzero_si256();
    let (mut both, mut odd) = ([zero; 4], [zero; 4]);
    // An absent group is another one once more; its sums are not used.
    let [first, ..] = groups;
    let mut groups = groups;
    for group in &mut groups {
        if group.is_empty() {
            *group = first;
        }
    }
    if groups.iter().any(|group| group.len() != 2 * acts.len()) {
        return [zero; 2];
    }
    let whole = acts.len() / 4;
    let mut from = 0;
    while from < whole {
        let to = whole.min(from + MAX_VECTORS);
        let mut low = [zero; 4];
        for i in from..to {
            // SAFETY: there are `whole` times four words, and twice as many weights.
            let x = unsafe { _mm_loadu_si128(acts.as_ptr().add(4 * i).cast()) };
            let x = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(x), twice);
            for ((group, both), low) in groups.iter().zip(&mut both).zip(&mut low) {
                // SAFETY: as above.
                let w = unsafe { _mm256_loadu_si256(group.as_ptr().add(8 * i).cast()) };
                *both = _mm256_add_epi32(*both, _mm256_madd_epi16(w, x));
                // The lower bytes in the upper place are 256 times the odd weights.
                let v = _mm256_slli_epi16::<8>(w);
                *low = _mm256_add_epi32(*low, _mm256_madd_epi16(v, x));
            }
        }
        for (odd, low) in odd.iter_mut().zip(low) {
            *odd = _mm256_add_epi32(*odd, _mm256_srai_epi32::<8>(low));
        }
        from = to;
    }
    let last_acts = acts.get(4 * whole..).unwrap_or_default();
    if !last_acts.is_empty() {
        let mut x = [0; 8];
        for (to, &x) in x.as_chunks_mut::<2>().0.iter_mut().zip(last_acts) {
            *to = [x as i32; 2];
        }
        for ((group, both), odd) in groups.iter().zip(&mut both).zip(&mut odd) {
            let mut w = [0; 8];
            let rest = group.get(8 * whole..).unwrap_or_default();
            w.iter_mut().zip(rest).for_each(|(to, &w)| *to = w as i32);
            let (w, x) = (load(&w), load(&x));
            let v = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w));
            *both = _mm256_add_epi32(*both, _mm256_madd_epi16(w, x));
            *odd = _mm256_add_epi32(*odd, _mm256_madd_epi16(v, x));
        }
    }
    [fold(both), fold(odd)]
}

/// The sums of the four groups' lanes: of all even ones, and of all odd ones.
#[inline]
#[target_feature(enable = "avx2")]
fn fold([a, b, c, d]: [__m256i; 4]) -> __m256i {
    let ab = _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let cd = _mm256_add_epi32(_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
    let front = _mm256_permute2x128_si256::<0x20>(ab, cd);
    _mm256_add_epi32(front, _mm256_permute2x128_si256::<0x31>(ab, cd))
}

/// Runs a twin's body as it is compiled for AVX2, where the processor has that.
macro_rules! compiled {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            $(#[$doc])*
            pub(crate) fn $name($($argument: $type),*) $(-> $result)? {
                #[target_feature(enable = "avx2")]
                fn wide($($argument: $type),*) $(-> $result)? {
                    portable::$name($($argument),*)
                }
                if super::available() {
                    // SAFETY: the processor has AVX2.
                    unsafe { wide($($argument),*) }
                } else {
                    portable::$name($($argument),*)
                }
            }
        )*
    };
}

compiled! {
    /// See [`crate::int8::gemv_sums`].
    gemv_sums(weights: &[u32], acts: &[u32], sums: &mut [i32; 4]);
    /// See [`crate::int8::add`].
    add(factors: &Linear, a: &[i8], b: &[i8], output: &mut [i8]);
    /// See [`crate::int8::add_to`].
    add_to(factors: &Linear, a: &mut [i8], b: &[i8]);
}

/// See [`crate::int8::sums`].
pub(crate) fn sums(input: &[i8], step: usize, pixels: usize) -> [i32; 8] {
    if super::available() {
        // SAFETY: the processor has AVX2.
        unsafe { sums_avx2(input, step, pixels) }
    } else {
        portable::sums(input, step, pixels)
    }
}

#[target_feature(enable = "avx2")]
fn sums_avx2(input: &[i8], step: usize, pixels: usize) -> [i32; 8] {
    let mut sums = _mm256_setzero_si256();
    for i in 0..pixels {
        if let Some(eight) = input
            .get(i * step..)
            .and_then(|from| from.first_chunk::<8>())
        {
            // SAFETY: eight bytes are read.
            let bytes = unsafe { _mm_loadl_epi64(eight.as_ptr().cast()) };
            sums = _mm256_add_epi32(sums, _mm256_cvtepi8_epi32(bytes));
        }
    }
    let mut found = [0; 8];
    // SAFETY: 32 bytes are written.
    unsafe { _mm256_storeu_si256(found.as_mut_ptr().cast(), sums) };
    found
}

/// See [`crate::int8::depthwise_taps`].
pub(crate) fn depthwise_taps(taps: &Taps<'_>, input: &[i8], count: usize, output: &mut [i8]) {
    if super::available() {
        // SAFETY: the processor has AVX2.
        unsafe { depthwise_taps_avx2(taps, input, count, output) }
    } else {
        portable::depthwise_taps(taps, input, count, output);
    }
}

/// Two windows at once.
#[target_feature(enable = "avx2")]
fn depthwise_taps_avx2(taps: &Taps<'_>, input: &[i8], count: usize, output: &mut [i8]) {
    let [a, b, c, d] = taps.channels;
    let channels = Eight::new([a, b, c, d, a, b, c, d], Sign::Matters);
    for i in (0..count).step_by(2) {
        // Where the second one is not there it is the first once more.
        let second = (i + 1).min(count - 1);
        let window = |i: usize| input.get(i * taps.step..).unwrap_or_default();
        let (x, y) = (window(i), window(second));
        let sums = _mm256_set_m128i(taps_sums(taps, y), taps_sums(taps, x));
        let values = channels.requantise(_mm256_slli_epi32::<1>(sums));
        let words = _mm256_packs_epi32(values, values);
        let bytes = _mm256_packs_epi16(words, words);
        let (x, y) = (
            _mm256_extract_epi32::<0>(bytes),
            _mm256_extract_epi32::<4>(bytes),
        );
        for (i, values) in [(i, x), (second, y)] {
            let to = output.get_mut(i * taps.output_step..).unwrap_or_default();
            if let Some(to) = to.first_chunk_mut::<4>() {
                *to = values.to_le_bytes().map(|byte| byte as i8);
            }
        }
    }
}

/// Sums of a window's four channels, two pairs of taps at once.
#[inline]
#[target_feature(enable = "avx2")]
fn taps_sums(taps: &Taps<'_>, window: &[i8]) -> __m128i {
    let four = |offset: u32| {
        let from = window.get(offset as usize..).unwrap_or_default();
        let from = from.first_chunk::<4>().copied().unwrap_or_default();
        i32::from_le_bytes(from.map(|x| x as u8))
    };
    let (fours, last) = taps.offsets.as_chunks::<4>();
    let (eights, last_weights) = taps.weights.as_chunks::<8>();
    let mut sums = _mm256_setzero_si256();
    for (&[t, u, v, w], weights) in fours.iter().zip(eights) {
        let first = _mm_setr_epi32(four(t), four(v), 0, 0);
        let second = _mm_setr_epi32(four(u), four(w), 0, 0);
        let x = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(first, second));
        // SAFETY: eight words are read.
        let weights = unsafe { _mm256_loadu_si256(weights.as_ptr().cast()) };
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(x, weights));
    }
    let sums = _mm_add_epi32(
        _mm256_castsi256_si128(sums),
        _mm256_extracti128_si256::<1>(sums),
    );
    if let (&[t, u], &[a, b, c, d]) = (last, last_weights) {
        let pair = _mm_unpacklo_epi8(_mm_cvtsi32_si128(four(t)), _mm_cvtsi32_si128(four(u)));
        let weights = _mm_setr_epi32(a as i32, b as i32, c as i32, d as i32);
        let x = _mm_cvtepi8_epi16(pair);
        return _mm_add_epi32(sums, _mm_madd_epi16(x, weights));
    }
    sums
}
