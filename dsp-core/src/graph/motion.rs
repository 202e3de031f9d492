//! What stages of motion windows compute.

/// A number that several axes of a group give together. `x_p` is part `p`, `m_p` its mean over the
/// window, and `|m| = sqrt(sum_p m_p^2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupStatistic {
    /// Signal magnitude area: `sum_p sum_i |x_p[i]| / n`.
    MagnitudeArea,
    /// Pearson's correlation of two parts, -1 to 1; 0 where one of them is constant.
    Correlation(usize, usize),
    /// Cosine of the angle between the mean vector and an axis: `m_p / |m|`; 0 for `|m| = 0`.
    Direction(usize),
    /// Angle in radians, 0 to pi, between the mean vector and the last axis:
    /// `atan2(sqrt(sum of the other m_p^2), m_last)`; 0 for `|m| = 0`.
    Tilt,
}

/// A number about the bins `P[k]` of a power spectrum. Bin 0 takes no part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SpectrumStatistic {
    /// `k hz` of the largest bin, the first of equal ones; 0 when all bins are 0.
    PeakFrequency {
        /// Distance of two bins in hertz.
        hz: f64,
    },
    /// Power of the largest bin.
    PeakPower,
    /// Entropy of the shares `p = P[k] / sum P`, as a part of the largest possible one:
    /// `-sum p ln p / ln K` over `K` bins, 0 to 1; 0 when all bins are 0.
    Entropy,
}

/// Where the autocorrelation of a vector has its peak.
///
/// With `d = x - mean(x)` and `r[k] = sum_i d[i] d[i+k] / sum_i d[i]^2`: the largest `r[k]` of all
/// lags from `first` to `last`, the first of equal ones. The stage gives the lag, `k seconds`, and
/// `r[k]`; a constant vector has the lag 0 and the value 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutocorrelationPeak {
    /// Smallest lag in samples, at least 1.
    pub first: usize,
    /// Largest lag in samples, below the number of values.
    pub last: usize,
    /// Time between two samples.
    pub seconds: f64,
}
