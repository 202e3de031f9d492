//! Sums to outputs, eight and sixteen channels at once.

use crate::int8::{Channel, Sign};
use core::arch::x86_64::*;

/// Parameters of eight channels, as vectors.
#[derive(Clone, Copy)]
pub(super) struct Eight {
    bias2: __m256i,
    multiplier: __m256i,
    /// The upper numbers of each pair, in the lower place.
    multiplier_odd: __m256i,
    /// What is added to the products of the lower and of the upper numbers of each pair:
    /// `constant * 2^32 + 2^31`.
    round: __m256i,
    round_odd: __m256i,
    shift: __m256i,
    /// Sums below this count as negative.
    limit: __m256i,
}

impl Eight {
    /// From eight channels.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(channels: [&Channel; 8], sign: Sign) -> Self {
        let [c0, c1, c2, c3, c4, c5, c6, c7] = channels;
        // Four words each of channels i and i + 4; then words go beside their like.
        let (a, b) = (both(c0, c4), both(c1, c5));
        let (c, d) = (both(c2, c6), both(c3, c7));
        let (ab, ab_upper) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
        let (cd, cd_upper) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
        let multiplier = _mm256_unpackhi_epi64(ab, cd);
        let constant = _mm256_unpacklo_epi64(ab_upper, cd_upper);
        let shift = _mm256_unpackhi_epi64(ab_upper, cd_upper);
        let half = _mm256_set1_epi32(i32::MIN);
        Self {
            bias2: _mm256_unpacklo_epi64(ab, cd),
            multiplier,
            multiplier_odd: _mm256_shuffle_epi32::<0b11_11_01_01>(multiplier),
            round: _mm256_blend_epi32::<0b1010_1010>(half, _mm256_slli_epi64::<32>(constant)),
            round_odd: _mm256_blend_epi32::<0b1010_1010>(half, constant),
            shift: _mm256_and_si256(shift, _mm256_set1_epi32(31)),
            limit: _mm256_set1_epi32(match sign {
                Sign::Matters => 0,
                Sign::Saturates => i32::MIN,
            }),
        }
    }

    /// Outputs of the doubled sums, not yet saturated.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn requantise(&self, doubled: __m256i) -> __m256i {
        let acc = _mm256_add_epi32(doubled, self.bias2);
        let upper = _mm256_shuffle_epi32::<0b11_11_01_01>(acc);
        let even = _mm256_add_epi64(_mm256_mul_epi32(acc, self.multiplier), self.round);
        let odd = _mm256_mul_epi32(upper, self.multiplier_odd);
        let odd = _mm256_add_epi64(odd, self.round_odd);
        let even = _mm256_shuffle_epi32::<0b11_11_01_01>(even);
        let high = _mm256_blend_epi32::<0b1010_1010>(even, odd);
        let high = _mm256_add_epi32(high, _mm256_cmpgt_epi32(self.limit, acc));
        _mm256_srav_epi32(high, self.shift)
    }
}

/// Two channels, one in each half.
#[inline]
#[target_feature(enable = "avx2")]
fn both(low: &Channel, high: &Channel) -> __m256i {
    // SAFETY: a channel has 16 bytes.
    let (low, high) = unsafe {
        let low = _mm_loadu_si128(low.as_ptr().cast());
        (low, _mm_loadu_si128(high.as_ptr().cast()))
    };
    _mm256_set_m128i(high, low)
}

/// Parameters of sixteen channels whose weights share words by two.
#[derive(Clone, Copy)]
pub(super) struct Sixteen {
    even: Eight,
    odd: Eight,
}

impl Sixteen {
    /// From up to sixteen channels.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(channels: &[Channel], sign: Sign) -> Self {
        let mut all = [[0; 4]; 16];
        let sixteen = match channels.first_chunk::<16>() {
            Some(sixteen) => sixteen,
            None => {
                for (to, from) in all.iter_mut().zip(channels) {
                    *to = *from;
                }
                &all
            }
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = sixteen;
        Self {
            even: Eight::new([a, c, e, g, i, k, m, o], sign),
            odd: Eight::new([b, d, f, h, j, l, n, p], sign),
        }
    }

    /// Outputs of a pixel as 16-bit numbers: in each half four of even channels, then four of odd ones.
    /// `both` holds `256 * S_even + S_odd`, `low` holds `S_odd`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn words(&self, both: __m256i, low: __m256i) -> __m256i {
        let even = _mm256_srai_epi32::<7>(_mm256_sub_epi32(both, low));
        let even = self.even.requantise(even);
        let odd = self.odd.requantise(_mm256_slli_epi32::<1>(low));
        _mm256_packs_epi32(even, odd)
    }

    /// Outputs of two pixels.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn outputs(&self, both: [__m256i; 2], low: [__m256i; 2]) -> [__m128i; 2] {
        let ([both_a, both_b], [low_a, low_b]) = (both, low);
        let (a, b) = (self.words(both_a, low_a), self.words(both_b, low_b));
        let order = _mm256_setr_epi8(
            0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15, //
            0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15,
        );
        let bytes = _mm256_shuffle_epi8(_mm256_packs_epi16(a, b), order);
        let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(bytes);
        [
            _mm256_castsi256_si128(bytes),
            _mm256_extracti128_si256::<1>(bytes),
        ]
    }
}

/// Writes the first `n` of sixteen bytes to the front of `to`, as far as it goes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store(bytes: __m128i, n: usize, to: &mut [i8]) {
    if n == 16
        && let Some(to) = to.first_chunk_mut::<16>()
    {
        // SAFETY: sixteen bytes are written.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), bytes) };
    } else if n == 8
        && let Some(to) = to.first_chunk_mut::<8>()
    {
        // SAFETY: eight bytes are written.
        unsafe { _mm_storel_epi64(to.as_mut_ptr().cast(), bytes) };
    } else {
        store_some(bytes, n, to);
    }
}

#[target_feature(enable = "avx2")]
fn store_some(bytes: __m128i, n: usize, to: &mut [i8]) {
    let words = [
        _mm_extract_epi32::<0>(bytes),
        _mm_extract_epi32::<1>(bytes),
        _mm_extract_epi32::<2>(bytes),
        _mm_extract_epi32::<3>(bytes),
    ];
    for (i, (word, to)) in words.into_iter().zip(to.chunks_mut(4)).enumerate() {
        let left = n.saturating_sub(4 * i);
        let four = word.to_le_bytes().map(|byte| byte as i8);
        match to.first_chunk_mut::<4>() {
            Some(to) if left >= 4 => *to = four,
            _ => to
                .iter_mut()
                .zip(four)
                .take(left)
                .for_each(|(to, y)| *to = y),
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load(words: &[i32; 8]) -> __m256i {
    // SAFETY: the array has 32 bytes.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}
