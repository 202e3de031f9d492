//! The routines of [`crate::int8`] for x86-64: those that a layer is not done with at once.
//!
//! Where plain Rust vectorises well it is the twin's, compiled for AVX2.

use super::requant::Eight;
use crate::int8::{Channel, Linear, Packed, Sign, Taps, portable};
use core::arch::x86_64::*;

pub(crate) use portable::{
    depthwise_3x3_lines, depthwise_3x3_march, depthwise_3x3_weights, gather1, gather2, gather2_27,
    gemm2,
};

/// See [`crate::int8::gemv`].
pub(crate) fn gemv(packed: &Packed<'_>, acts: &[u32], output: &mut [i8]) {
    if super::available() {
        // SAFETY: the processor has AVX2.
        unsafe { gemv_avx2(packed, acts, output) }
    } else {
        portable::gemv(packed, acts, output);
    }
}

/// Two groups of four channels at once, four pairs of taps at once.
#[target_feature(enable = "avx2")]
fn gemv_avx2(packed: &Packed<'_>, acts: &[u32], output: &mut [i8]) {
    let group_words = 2 * acts.len();
    let mut weights = packed.weights;
    for (channels, out) in packed.channels.chunks(8).zip(output.chunks_mut(8)) {
        let (own, rest) = weights.split_at(weights.len().min(2 * group_words));
        weights = rest;
        let (first, second) = own.split_at(own.len().min(group_words));
        let order = [0, 2, 1, 3, 4, 6, 5, 7];
        let at = |i: usize| -> Option<&Channel> { channels.get(i) };
        let parameters = Eight::new(order.map(at), Sign::Matters);
        let sums = _mm256_set_m128i(group(second, acts), group(first, acts));
        let y = parameters.requantise(sums);
        let words = _mm256_packs_epi32(y, y);
        let bytes = _mm256_packs_epi16(words, words);
        let mut values = [[0i8; 4]; 8];
        // SAFETY: 32 bytes are written.
        unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), bytes) };
        let [[a0, a2, a1, a3], _, _, _, [b0, b2, b1, b3], ..] = values;
        for (out, y) in out.iter_mut().zip([a0, a1, a2, a3, b0, b1, b2, b3]) {
            *out = y;
        }
    }
}

/// Doubled sums of channels 0, 2, 1 and 3 of a group.
#[inline]
#[target_feature(enable = "avx2")]
fn group(weights: &[u32], acts: &[u32]) -> __m128i {
    let twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    let (mut both, mut low) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    let ((weights, last_weights), (acts, last_acts)) =
        (weights.as_chunks::<8>(), acts.as_chunks::<4>());
    let mut add = |w: &[u32; 8], x: &[u32; 4]| {
        // SAFETY: 32 and 16 bytes are read.
        let (w, x) = unsafe {
            let x = _mm_loadu_si128(x.as_ptr().cast());
            (_mm256_loadu_si256(w.as_ptr().cast()), x)
        };
        let x = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(x), twice);
        let v = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w));
        both = _mm256_add_epi32(both, _mm256_madd_epi16(w, x));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(v, x));
    };
    for (w, x) in weights.iter().zip(acts) {
        add(w, x);
    }
    let (mut w, mut x) = ([0; 8], [0; 4]);
    w.iter_mut().zip(last_weights).for_each(|(to, &w)| *to = w);
    x.iter_mut().zip(last_acts).for_each(|(to, &x)| *to = x);
    if !last_weights.is_empty() {
        add(&w, &x);
    }
    let fold = |sums: __m256i| {
        _mm_add_epi32(
            _mm256_castsi256_si128(sums),
            _mm256_extracti128_si256::<1>(sums),
        )
    };
    let (both, low) = (fold(both), fold(low));
    let sums = |x: __m128i| _mm_add_epi32(x, _mm_unpackhi_epi64(x, x));
    let (both, low) = (sums(both), sums(low));
    let even = _mm_srai_epi32::<7>(_mm_sub_epi32(both, low));
    _mm_unpacklo_epi64(even, _mm_slli_epi32::<1>(low))
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
    /// See [`crate::int8::depthwise_taps`].
    depthwise_taps(taps: &Taps<'_>, input: &[i8], count: usize, output: &mut [i8]);
    /// See [`crate::int8::add`].
    add(factors: &Linear, a: &[i8], b: &[i8], output: &mut [i8]);
    /// See [`crate::int8::add_to`].
    add_to(factors: &Linear, a: &mut [i8], b: &[i8]);
    /// See [`crate::int8::sums`].
    sums(input: &[i8], step: usize, pixels: usize) -> [i32; 8];
}
