//! Sums to outputs, eight channels at once.

use crate::int8::{Channel, Sign};
use core::arch::x86_64::*;

/// Parameters of eight channels, as vectors.
#[derive(Clone, Copy)]
pub(super) struct Eight {
    bias2: __m256i,
    multiplier: __m256i,
    /// The upper numbers of each pair, in the lower place.
    multiplier_odd: __m256i,
    constant: __m256i,
    shift: __m256i,
    /// All ones where the sign matters.
    sign: __m256i,
}

impl Eight {
    /// From eight channels; `None` stands for one that is not there.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(channels: [Option<&Channel>; 8], sign: Sign) -> Self {
        let mut words = [[0i32; 8]; 4];
        for (lane, channel) in channels.into_iter().enumerate() {
            if let Some(channel) = channel {
                for (words, &value) in words.iter_mut().zip(channel) {
                    if let Some(word) = words.get_mut(lane) {
                        *word = value;
                    }
                }
            }
        }
        let [bias2, multiplier, constant, shift] = words.map(|words| load(&words));
        Self {
            bias2,
            multiplier,
            multiplier_odd: _mm256_srli_epi64::<32>(multiplier),
            constant,
            shift: _mm256_and_si256(shift, _mm256_set1_epi32(31)),
            sign: _mm256_set1_epi32(match sign {
                Sign::Matters => -1,
                Sign::Saturates => 0,
            }),
        }
    }

    /// Outputs of the doubled sums, not yet saturated.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn requantise(&self, doubled: __m256i) -> __m256i {
        let acc = _mm256_add_epi32(doubled, self.bias2);
        let half = _mm256_set1_epi64x(1 << 31);
        let even = _mm256_mul_epi32(acc, self.multiplier);
        let odd = _mm256_mul_epi32(_mm256_srli_epi64::<32>(acc), self.multiplier_odd);
        let even = _mm256_srli_epi64::<32>(_mm256_add_epi64(even, half));
        let odd = _mm256_add_epi64(odd, half);
        let high = _mm256_blend_epi32::<0b1010_1010>(even, odd);
        let fix = _mm256_and_si256(_mm256_srai_epi32::<31>(acc), self.sign);
        let high = _mm256_add_epi32(high, _mm256_add_epi32(self.constant, fix));
        _mm256_srav_epi32(high, self.shift)
    }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load(words: &[i32; 8]) -> __m256i {
    // SAFETY: the array has 32 bytes.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}
