//! The steps of a chain, and the tables and choices that they carry.

use super::{MicroFrontend, NoiseSubtraction, Pcen, RunningNormalisation, Section};
use otolith_dsp_nostd::motion::GroupStatistic;
use otolith_dsp_nostd::spectral::{Segments, SpectralShape};
use otolith_dsp_nostd::statistic::Statistic;

/// One step of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Block id and stage, such as `features.mel`.
    pub name: String,
    /// Values in the output vector.
    pub len: usize,
    /// What it does.
    pub kind: StageKind,
}

/// What a stage does. `x` is its input vector, `y` its output vector.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StageKind {
    /// `y = x - mean(x)`.
    RemoveMean,
    /// Pre-emphasis inside the frame: `y[n] = x[n] - c x[n-1]` for `n > 0`;
    /// `y[0] = x[0] - c x[0]`.
    PreEmphasis(f64),
    /// Keeps `ln(max(sum x^2, floor))` aside for [`StageKind::ReplaceFirst`]; `y = x`.
    LogEnergy {
        /// Smallest energy.
        floor: f64,
    },
    /// Keeps `ln(max(sum x, floor))` aside for [`StageKind::ReplaceFirst`]; `y = x`. After
    /// [`StageKind::Power`]: the energy of the spectrum's bins.
    LogSum {
        /// Smallest sum.
        floor: f64,
    },
    /// `y[n] = x[n] w[n]`.
    Window(Vec<f64>),
    /// Spectrum of `x`, zero-padded to `n_fft`: the `n_fft / 2 + 1` complex bins `0..=n_fft/2`,
    /// without scaling. The next stage is [`StageKind::Power`] or [`StageKind::Magnitude`];
    /// `len` counts bins.
    Rfft {
        /// FFT length.
        n_fft: usize,
    },
    /// `y[k] = scale |x[k]|^2`.
    Power {
        /// Factor.
        scale: f64,
    },
    /// `y[k] = scale |x[k]|`.
    Magnitude {
        /// Factor.
        scale: f64,
    },
    /// `y[m] = sum_k w[m][k] x[k]` with sparse weights.
    Mel(FilterBank),
    /// Logarithm with a floor.
    Log(Log),
    /// `y = clamp((x + add) * mul, min, max)`.
    Affine {
        /// Added first.
        add: f64,
        /// Then multiplied.
        mul: f64,
        /// Smallest output.
        min: f64,
        /// Largest output.
        max: f64,
    },
    /// `y[i] = (x[i] + add[i]) * mul[i]`: normalisation with constants from a training set.
    Columns {
        /// Added first.
        add: Vec<f64>,
        /// Then multiplied, above 0.
        mul: Vec<f64>,
    },
    /// `y[i] = sum_j m[i][j] x[j]`: DCT with its normalisation and the lifter folded in.
    Matrix(Matrix),
    /// `y = wrapped(round(steps x)) / steps`, ties to even, for `x` from 0 to 1: as many levels as
    /// steps. `steps` itself, which is one level too many, becomes 0 if `wraps`, else
    /// `steps - 1`.
    Quantise {
        /// Number of levels.
        steps: usize,
        /// Whether the top wraps around to 0, as a cast to unsigned bytes does.
        wraps: bool,
    },
    /// `y = x` but for `y[0]`, the value that [`StageKind::LogEnergy`] or
    /// [`StageKind::LogSum`] kept.
    ReplaceFirst,
    /// `y` is `x` and one more value, which [`StageKind::LogEnergy`] or [`StageKind::LogSum`]
    /// kept.
    InsertEnergy {
        /// Whether it comes behind the others, or before them.
        last: bool,
    },
    /// Per-channel energy normalisation; carries energies from row to row.
    Pcen(Pcen),
    /// Spectral subtraction; carries the noise from row to row.
    SubtractNoise(NoiseSubtraction),
    /// Normalisation by running mean and variance, which it carries from row to row.
    StandardiseRunning(RunningNormalisation),
    /// From a frame of 16-bit samples to features, all in integers. The only stage of its frames.
    MicroFrontend(Box<MicroFrontend>),
    /// `y[i] = x[first + i * step]`: one axis of a window, or some of its values.
    Select {
        /// Index of the first value.
        first: usize,
        /// Distance between two values.
        step: usize,
    },
    /// `y[i]` is statistic `i` of `x`.
    Statistics(Vec<Statistic>),
    /// A cascade of second-order sections over the vector, the first one first.
    Sos {
        /// The sections.
        sections: Vec<Section>,
        /// Whether the filter starts settled for a constant equal to `x[0]`, instead of at rest.
        steady: bool,
    },
    /// One filter of a wavelet's level: `y[o] = sum_j h[j] x[2 o + 1 - j]`, x mirrored about its
    /// edges. The `(n + taps - 1) / 2` outputs are the level's approximation or detail.
    Wavelet(Vec<f64>),
    /// One power spectrum from those of the vector's segments: bins `0..=n_fft/2` of
    /// `scale * combine |DFT(w x)|^2`.
    SegmentPower {
        /// FFT length; zeros fill up a segment.
        n_fft: usize,
        /// Where the segments are, and what is done with them.
        segments: Segments,
        /// The window, as long as a segment.
        window: Vec<f64>,
        /// Factor.
        scale: f64,
    },
    /// `y[i]` is shape `i` of the power spectrum `x`.
    SpectralShape {
        /// Frequency of `x[0]` in Hz.
        first_hz: f64,
        /// Distance of two bins in Hz.
        step_hz: f64,
        /// What is taken.
        shapes: Vec<SpectralShape>,
    },
    /// The highest local maxima of the power spectrum `x`, the highest first: frequency and
    /// `sqrt(x)` of each in turn; zeros where there are fewer than `len / 2`.
    Peaks {
        /// Frequency of `x[0]` in Hz.
        first_hz: f64,
        /// Distance of two bins in Hz.
        step_hz: f64,
        /// Smallest `sqrt(x)` of a peak.
        threshold: f64,
    },
    /// `x` is `parts` vectors of equal length, one after the other;
    /// `y[i] = sqrt(sum_p x_p[i]^2)`.
    Norm {
        /// Number of parts, at most 3.
        parts: usize,
    },
    /// `y[i] = scale (x[i+1] - x[i])`: one value less.
    Difference {
        /// Factor, such as the sample rate for a derivative over time.
        scale: f64,
    },
    /// First-order Butterworth low-pass that is settled at the mean of `x`:
    /// `l[n] = (1 - 2 k) l[n-1] + k (x[n] + x[n-1])` with `l[-1] = x[-1] = mean(x)`.
    LowPass {
        /// `t / (1 + t)` with `t = tan(pi f / rate)` for the cut-off `f`; from 0 to 0.5.
        k: f64,
        /// `y = l`, or, with `rest`, what it leaves: `y = x - l`.
        rest: bool,
    },
    /// `x` is `parts` vectors of equal length, one after the other; `y[i]` is number `i` about
    /// them.
    Group {
        /// Number of parts, at most 3.
        parts: usize,
        /// What is computed.
        list: Vec<GroupStatistic>,
    },
    /// Where the autocorrelation of `x` has its peak. With `d = x - mean(x)` and
    /// `r[k] = sum_i d[i] d[i+k] / sum_i d[i]^2`: the largest `r[k]` of all lags, the first of
    /// equal ones. `y` is `k seconds` and `r[k]`, two zeros for a constant.
    Autocorrelation {
        /// Smallest lag, at least 1.
        first: usize,
        /// Largest lag, below the number of values.
        last: usize,
        /// Time between two values.
        seconds: f64,
    },
    /// Every branch gets `x`; `y` is what they give, one after the other. An empty branch gives
    /// `x` itself. Branches may fork again.
    Fork(Vec<Vec<Stage>>),
    /// All rows: `y = max(x, max over all rows of x - range)`.
    TopRange {
        /// Largest distance from the maximum.
        range: f64,
    },
    /// All rows: `y = x - max over all rows of x`.
    SubtractTop,
    /// All rows: `y = (x - min) / (max - min)` over all values of all rows; 0 where they are
    /// equal.
    MinMax,
    /// All rows: per column, divide by `std + epsilon`; the mean stays.
    DivideByDeviation {
        /// Rows over which the deviation is taken.
        span: Span,
        /// Added to the standard deviation.
        epsilon: f64,
    },
    /// All rows: per column, subtract the mean and, with `variance`, divide by
    /// `std + epsilon`.
    Standardise {
        /// Rows over which mean and variance are taken.
        span: Span,
        /// Whether to divide by the standard deviation.
        variance: bool,
        /// Added to the standard deviation.
        epsilon: f64,
    },
    /// All rows: appends derivatives over time to each row.
    Deltas {
        /// 1 appends deltas, 2 deltas and delta-deltas.
        order: u8,
        /// Rows on each side.
        reach: usize,
        /// How derivatives of the second order are formed.
        method: DeltaMethod,
        /// What stands before the first and after the last row.
        edges: DeltaEdges,
    },
}

impl StageKind {
    /// Whether the stage looks at all rows together.
    pub fn needs_all_rows(&self) -> bool {
        matches!(
            self,
            Self::TopRange { .. }
                | Self::SubtractTop
                | Self::MinMax
                | Self::DivideByDeviation { .. }
                | Self::Standardise { .. }
                | Self::Deltas { .. }
        )
    }
}

/// How derivatives over time are formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaMethod {
    /// Second derivatives are first derivatives of first derivatives.
    Repeated,
    /// The derivative of order `k` is that of the polynomial of degree `k` of least squares.
    Polynomial,
}

/// What stands before the first and after the last row for derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaEdges {
    /// Copies of the first and the last row.
    Nearest,
    /// Nothing: the first and last rows take the derivative of the nearest row that has all
    /// neighbours. Windows with fewer than `2 reach + 1` rows are treated as [`Self::Nearest`].
    Interp,
    /// The rows mirrored about the first and last, which are not repeated.
    Mirror,
    /// Zeros.
    Constant,
    /// The rows of the other end.
    Wrap,
}

/// Rows over which statistics are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// All rows of the window.
    Window,
    /// An odd number of rows around each row; rows outside are mirrored (numpy's `symmetric`).
    Sliding(usize),
}

/// Sparse filters: each has a run of consecutive bins.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterBank {
    /// One per output.
    pub filters: Vec<Filter>,
}

/// One filter: `weights[i]` belongs to bin `first + i`. It may be empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// First bin with a weight.
    pub first: usize,
    /// Weights of consecutive bins.
    pub weights: Vec<f64>,
}

/// `y = scale * log(floored x)` with the natural logarithm; `scale` turns it into another base
/// or decibels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Log {
    /// How small values are kept away from 0.
    pub floor: LogFloor,
    /// 1 for ln, `1 / ln 10` for log10, `10 / ln 10` for decibels of power.
    pub scale: f64,
}

/// How small values are kept away from 0 before a logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LogFloor {
    /// `x + epsilon`.
    Add(f64),
    /// `max(x, epsilon)`.
    Max(f64),
    /// `epsilon` where `x` is 0, else `x`.
    ReplaceZero(f64),
}

/// A dense matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub cols: usize,
    /// `rows * cols` values.
    pub values: Vec<f64>,
}
