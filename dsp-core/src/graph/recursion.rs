//! Stages that carry something from row to row. They start anew with each window, clip or stream.

/// Per-channel energy normalisation, for each value `x[t]` of row `t` (Wang et al., "Trainable
/// Frontend For Robust and Far-Field Keyword Spotting", 2017):
///
/// `m[t] = (1 - smoothing) m[t-1] + smoothing x[t]`,
/// `y = (x / (epsilon + m)^gain + bias)^power - bias^power`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pcen {
    /// Share of a row in the smoothed energy, above 0 and at most 1.
    pub smoothing: f64,
    /// Exponent of the smoothed energy.
    pub gain: f64,
    /// Added before the root.
    pub bias: f64,
    /// Exponent of the root, above 0 and at most 1.
    pub power: f64,
    /// Smallest smoothed energy, above 0.
    pub epsilon: f64,
    /// `m[-1]`; without it the values of the first row.
    pub start: Option<f64>,
}

/// Spectral subtraction, for each value `x[t]` of row `t`, with `noise[-1] = 0`:
///
/// `noise[t] = noise[t-1] + smoothing (x - noise[t-1])`,
/// `y = max(x - factor noise[t], remaining x)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseSubtraction {
    /// Share of a row in the noise, above 0 and at most 1.
    pub smoothing: f64,
    /// How often the noise is subtracted.
    pub factor: f64,
    /// Share of the energy that always remains.
    pub remaining: f64,
}

/// Normalisation by running mean and variance, for each value `x[t]` of row `t`, with
/// `a = max(alpha, 1 / (t + 1))`:
///
/// `d = x - m[t-1]`, `m[t] = m[t-1] + a d`, `v[t] = (1 - a) (v[t-1] + a d^2)`,
/// `y = (x - m[t]) / (sqrt(v[t]) + epsilon)`.
///
/// The first `1 / alpha` rows count alike, and older rows fade from then on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunningNormalisation {
    /// Weight of the newest row, above 0 and at most 1.
    pub alpha: f64,
    /// Whether to divide by the standard deviation.
    pub variance: bool,
    /// Added to the standard deviation.
    pub epsilon: f64,
}
