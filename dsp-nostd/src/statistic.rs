//! Statistics of a window, as plans name them.

/// One statistic of `n` values. `d` are deviations from the mean; moments are population moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Statistic {
    /// `sum x / n`.
    Mean,
    /// `sqrt(sum x^2 / n)`.
    RootMeanSquare,
    /// Standard deviation, `sqrt(sum d^2 / n)`.
    Deviation,
    /// `sum d^2 / n`.
    Variance,
    /// `sum d^2 / (n - 1)`; 0 for one value.
    SampleVariance,
    /// `(sum d^3 / n) / deviation^3`; 0 for a constant window.
    Skew,
    /// Excess kurtosis `(sum d^4 / n) / deviation^4 - 3`; -3 for a constant window.
    Kurtosis,
    /// [`Kurtosis`](Self::Kurtosis), but 0 for a window of zeros.
    KurtosisOrZero,
    /// The smallest value.
    Minimum,
    /// The largest value.
    Maximum,
    /// Largest less smallest.
    Range,
    /// `sum |x| / n`.
    MeanMagnitude,
    /// `sum x^2 / n`.
    MeanSquare,
    /// Neighbours of which one is positive and one is not, divided by `n`.
    ZeroCrossings,
    /// Neighbours of which one is above the mean and one is not, divided by `n`.
    MeanCrossings,
    /// The value at a place among the sorted ones, in 1/256 from 0 to `256 (n - 1)`, linear
    /// between neighbours. The median is at `128 (n - 1)`.
    Quantile(u32),
    /// Median of `|x - median|`.
    MedianDeviation,
    /// Upper quartile less lower quartile, linear between neighbours.
    QuartileRange,
    /// `-sum p ln p` over a histogram with this many equal bins from minimum to maximum, where `p`
    /// is a bin's share of the values; 0 for a constant window.
    Entropy(u32),
}

impl Statistic {
    /// Values of a window at most: places of [`Quantile`](Self::Quantile) have 24 bits.
    pub const MAX_LEN: usize = 1 << 16;

    /// The parameter word: a code in the low byte, a number above it.
    pub const fn encode(self) -> u32 {
        match self {
            Self::Mean => 0,
            Self::RootMeanSquare => 1,
            Self::Deviation => 2,
            Self::Variance => 3,
            Self::SampleVariance => 4,
            Self::Skew => 5,
            Self::Kurtosis => 6,
            Self::KurtosisOrZero => 7,
            Self::Minimum => 8,
            Self::Maximum => 9,
            Self::Range => 10,
            Self::MeanMagnitude => 11,
            Self::MeanSquare => 12,
            Self::ZeroCrossings => 13,
            Self::MeanCrossings => 14,
            Self::Quantile(place) => 15 | place << 8,
            Self::MedianDeviation => 16,
            Self::QuartileRange => 17,
            Self::Entropy(bins) => 18 | bins << 8,
        }
    }

    /// What a parameter word says about `n` values; `None` for anything else.
    pub fn decode(word: u32, n: usize) -> Option<Self> {
        let number = word >> 8;
        let plain = match word & 0xff {
            0 => Self::Mean,
            1 => Self::RootMeanSquare,
            2 => Self::Deviation,
            3 => Self::Variance,
            4 => Self::SampleVariance,
            5 => Self::Skew,
            6 => Self::Kurtosis,
            7 => Self::KurtosisOrZero,
            8 => Self::Minimum,
            9 => Self::Maximum,
            10 => Self::Range,
            11 => Self::MeanMagnitude,
            12 => Self::MeanSquare,
            13 => Self::ZeroCrossings,
            14 => Self::MeanCrossings,
            15 => {
                let last = (n as u32).checked_sub(1)?;
                return (number <= last << 8).then_some(Self::Quantile(number));
            }
            16 => Self::MedianDeviation,
            17 => Self::QuartileRange,
            18 => {
                return (1..=4096)
                    .contains(&number)
                    .then_some(Self::Entropy(number));
            }
            _ => return None,
        };
        (number == 0).then_some(plain)
    }

    /// Whether it needs the values in order, and with them the scratch operand.
    pub const fn is_ordered(self) -> bool {
        matches!(
            self,
            Self::Quantile(_) | Self::MedianDeviation | Self::QuartileRange | Self::Entropy(_)
        )
    }

    /// The place of a quantile from 0 to 1 of `n` values, to the nearest 1/256.
    pub const fn place(n: usize, quantile_256ths: u32) -> u32 {
        (n as u32).saturating_sub(1).saturating_mul(quantile_256ths)
    }
}

/// Sorts in ascending order (Shell's method with Ciura's gaps): in place, without recursion, and
/// faster than its square for any window of [`Statistic::MAX_LEN`].
pub(crate) fn sort<T: Copy + PartialOrd>(x: &mut [T]) {
    for gap in [
        44842, 19930, 8858, 3937, 1750, 701, 301, 132, 57, 23, 10, 4, 1,
    ] {
        for i in gap..x.len() {
            let Some(&moving) = x.get(i) else { break };
            let mut at = i;
            while let Some(before) = at.checked_sub(gap) {
                match x.get(before) {
                    Some(&larger) if larger > moving => {
                        if let Some(to) = x.get_mut(at) {
                            *to = larger;
                        }
                        at = before;
                    }
                    _ => break,
                }
            }
            if let Some(to) = x.get_mut(at) {
                *to = moving;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    extern crate std;

    proptest! {
        #[test]
        fn sorting_is_that_of_the_standard_library(
            mut x in prop::collection::vec(any::<i32>(), 0..3000), small in 0u32..32,
        ) {
            for x in &mut x {
                *x >>= small;
            }
            let mut expected = x.clone();
            expected.sort_unstable();
            sort(&mut x);
            prop_assert_eq!(x, expected);
        }

        #[test]
        fn words_are_read_as_written(word: u32, n in 0usize..70000) {
            if let Some(statistic) = Statistic::decode(word, n) {
                prop_assert_eq!(statistic.encode(), word);
            }
        }
    }

    #[test]
    fn places_end_with_the_last_value() {
        assert_eq!(
            Statistic::decode(Statistic::Quantile(256).encode(), 2),
            Some(Statistic::Quantile(256))
        );
        assert_eq!(
            Statistic::decode(Statistic::Quantile(257).encode(), 2),
            None
        );
        assert_eq!(Statistic::decode(Statistic::Quantile(0).encode(), 0), None);
    }
}
