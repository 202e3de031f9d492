//! What windows of motion are made into, as plans name it.

/// A number that several parts give together. `x_p` is part `p` of `n` values, `m_p` its mean, and
/// `|m| = sqrt(sum_p m_p^2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupStatistic {
    /// Signal magnitude area: `sum_p sum_i |x_p[i]| / n`.
    MagnitudeArea,
    /// Pearson's correlation of two parts, -1 to 1; 0 where one of them is constant.
    Correlation(u8, u8),
    /// Cosine of the angle between the mean vector and an axis: `m_p / |m|`; 0 for `|m| = 0`.
    Direction(u8),
    /// Angle in radians, 0 to pi, between the mean vector and the last axis:
    /// `atan2(sqrt(sum of the other m_p^2), m_last)`; 0 for `|m| = 0`.
    Tilt,
}

impl GroupStatistic {
    /// Most parts of a group.
    pub const MAX_PARTS: u32 = 3;

    /// The parameter word: a code in the low byte, parts above it.
    pub const fn encode(self) -> u32 {
        match self {
            Self::MagnitudeArea => 0,
            Self::Correlation(a, b) => 1 | (a as u32) << 8 | (b as u32) << 16,
            Self::Direction(part) => 2 | (part as u32) << 8,
            Self::Tilt => 3,
        }
    }

    /// What a parameter word says about a number of parts; `None` for anything else.
    pub fn decode(word: u32, parts: u32) -> Option<Self> {
        let [code, a, b, rest] = word.to_le_bytes();
        let is_part = |part: u8| u32::from(part) < parts;
        match (code, a, b, rest) {
            (0, 0, 0, 0) => Some(Self::MagnitudeArea),
            (1, a, b, 0) if is_part(a) && is_part(b) => Some(Self::Correlation(a, b)),
            (2, part, 0, 0) if is_part(part) => Some(Self::Direction(part)),
            (3, 0, 0, 0) => Some(Self::Tilt),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_are_read_as_written(word in 0u32..1 << 20, parts in 1u32..4) {
            if let Some(statistic) = GroupStatistic::decode(word, parts) {
                prop_assert_eq!(statistic.encode(), word);
            }
        }
    }

    #[test]
    fn parts_that_are_not_there_are_refused() {
        let word = GroupStatistic::Correlation(0, 2).encode();
        assert_eq!(GroupStatistic::decode(word, 2), None);
        let found = GroupStatistic::decode(word, 3);
        assert_eq!(found, Some(GroupStatistic::Correlation(0, 2)));
    }
}
