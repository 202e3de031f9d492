//! What spectra of a window are made into, as plans name it.

/// How the powers of several segments become one spectrum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Combine {
    /// The largest power of each bin.
    Maximum = 0,
    /// The mean of each bin's powers: Welch's method.
    Mean = 1,
}

/// The segments of a window: segment `i` begins at `i * hop` and zeros follow where the window
/// ends before it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Values in a segment: at most the FFT length.
    pub len: u32,
    /// Values between the starts of two segments; positive.
    pub hop: u32,
    /// Number of segments; each begins inside the window.
    pub count: u32,
    /// How they are combined.
    pub combine: Combine,
    /// Whether each segment's mean is subtracted before the window.
    pub remove_mean: bool,
    /// Whether all bins but the first and the last count twice.
    pub one_sided: bool,
}

impl Segments {
    /// The parameter words.
    pub const fn encode(self) -> [u32; 6] {
        [
            self.len,
            self.hop,
            self.count,
            self.combine as u32,
            self.remove_mean as u32,
            self.one_sided as u32,
        ]
    }

    /// What parameter words say about a window of `n` values and an FFT of `n_fft` points, or the
    /// position of the first that cannot be.
    pub(crate) fn decode(words: &[u32; 6], n: usize, n_fft: usize) -> Result<Self, u8> {
        let &[len, hop, count, combine, remove_mean, one_sided] = words;
        if !(1..=n_fft as u64).contains(&u64::from(len)) {
            return Err(0);
        }
        if hop == 0 {
            return Err(1);
        }
        let last = u64::from(hop) * u64::from(count.saturating_sub(1));
        if count == 0 || last >= n as u64 {
            return Err(2);
        }
        let flag = |word: u32, param: u8| match word {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(param),
        };
        Ok(Self {
            len,
            hop,
            count,
            combine: match combine {
                0 => Combine::Maximum,
                1 => Combine::Mean,
                _ => return Err(3),
            },
            remove_mean: flag(remove_mean, 4)?,
            one_sided: flag(one_sided, 5)?,
        })
    }

    /// The values of each segment that lie in the window.
    pub(crate) fn cut<'x, T>(&self, x: &'x [T]) -> impl Iterator<Item = &'x [T]> + use<'x, T> {
        let (len, hop) = (self.len as usize, self.hop as usize);
        (0..self.count as usize).map_while(move |i| {
            let rest = x.get(i.wrapping_mul(hop)..)?;
            Some(rest.get(..len).unwrap_or(rest))
        })
    }
}

/// A number that describes a spectrum of `k` bins with powers `P`; `p` is `P / sum P`. A spectrum
/// of zeros has the frequency of its first bin, and 0 in everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpectralShape {
    /// Centroid, `sum f p`.
    Centroid,
    /// The frequency of the first bin up to which the sum of p reaches this many 1/256.
    RollOff(u32),
    /// Geometric over arithmetic mean of the powers, from 0 to 1; 0 where one power is 0.
    Flatness,
    /// `-sum p ln p / ln k`, from 0 to 1.
    Entropy,
    /// The frequency of the largest power, the lowest of them.
    DominantFrequency,
    /// The largest power.
    DominantPower,
}

impl SpectralShape {
    /// The parameter word: a code in the low byte, a number above it.
    pub const fn encode(self) -> u32 {
        match self {
            Self::Centroid => 0,
            Self::RollOff(share) => 1 | share << 8,
            Self::Flatness => 2,
            Self::Entropy => 3,
            Self::DominantFrequency => 4,
            Self::DominantPower => 5,
        }
    }

    /// What a parameter word says; `None` for anything else.
    pub const fn decode(word: u32) -> Option<Self> {
        Some(match (word & 0xff, word >> 8) {
            (0, 0) => Self::Centroid,
            (1, share @ 1..=256) => Self::RollOff(share),
            (2, 0) => Self::Flatness,
            (3, 0) => Self::Entropy,
            (4, 0) => Self::DominantFrequency,
            (5, 0) => Self::DominantPower,
            _ => return None,
        })
    }
}

/// Position of the next local maximum of a series after position `from`, by the signs of its
/// slopes: behind a rise and before a fall, a plateau at its middle. The ends are none.
pub(crate) fn next_peak<T: Copy + PartialOrd>(x: &[T], from: usize) -> Option<usize> {
    let mut rise = None;
    let mut at = from;
    loop {
        let (&here, &next) = (x.get(at)?, x.get(at + 1)?);
        if next > here {
            rise = Some(at + 1);
        } else if here > next
            && let Some(first) = rise
        {
            // The middle of first..=at, the later one of two.
            return Some(first + (at - first).div_ceil(2));
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_between_a_rise_and_a_fall() {
        let x = [3, 1, 2, 1, 1, 4, 4, 4, 2, 5];
        assert_eq!(next_peak(&x, 0), Some(2));
        assert_eq!(next_peak(&x, 2), Some(6));
        assert_eq!(next_peak(&x, 7), None);
        assert_eq!(next_peak(&[1, 1, 1], 0), None);
    }

    #[test]
    fn segments_are_cut_where_the_window_ends() {
        let words = [4, 2, 3, 0, 0, 0];
        let segments = Segments::decode(&words, 6, 16).unwrap();
        assert_eq!(segments.encode(), words);
        let cut: [&[i32]; 3] = [&[0, 1, 2, 3], &[2, 3, 4, 5], &[4, 5]];
        assert!(segments.cut(&[0, 1, 2, 3, 4, 5]).eq(cut));
        for (word, bad) in [
            (0, 17),
            (0, 0),
            (1, 0),
            (2, 4),
            (2, 0),
            (3, 2),
            (4, 2),
            (5, 2),
        ] {
            let mut words = words;
            words[word] = bad;
            assert_eq!(
                Segments::decode(&words, 6, 16),
                Err(word as u8),
                "{word} {bad}"
            );
        }
    }
}
