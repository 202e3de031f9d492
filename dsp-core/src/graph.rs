//! What a pipeline computes, over real numbers: no number format yet.
//!
//! Blocks expand into a [`Graph`]; three consumers read it: the executor (`reference`, `host`),
//! the f32 lowering and the fixed-point lowering. All tables are f64.
//!
//! A graph is one [`Chain`] for each block of features, and a [`Head`], if any, that classifies
//! what they give. In a chain, the running samples may first be filtered and decimated
//! ([`Conditioning`]), then they are cut into frames ([`Source`], [`Framing`]); each frame
//! runs through the [`Chain::frame`] stages and becomes a row; the rows of one window or decision
//! run through the [`Chain::rows`] stages, which may look at all rows at once. Several chains work
//! on windows: their rows, one after the other, are one row of features.

mod micro_frontend;
mod recursion;
mod signal;

pub use crate::tables::filter_design::Section;
pub use micro_frontend::{MicroFrontend, MicroLog, MicroOutput, Pcan};
pub use otolith_dsp_nostd::motion::GroupStatistic;
pub use otolith_dsp_nostd::spectral::{Combine, Segments, SpectralShape};
pub use otolith_dsp_nostd::statistic::Statistic;
pub use recursion::{NoiseSubtraction, Pcen, RunningNormalisation};
pub(crate) use signal::Cascade;
pub use signal::{Conditioning, SignalKind, SignalStage};

use crate::estimator::{Estimator, ScoreKind};
use otolith_tflite::Model;
use std::sync::Arc;

/// A pipeline over real numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Name of the pipeline.
    pub name: String,
    /// One for each block of features, at least one. Several have windows ([`Mode::Window`]) that
    /// come at the same times.
    pub chains: Vec<Chain>,
    /// Classifier and decision.
    pub head: Option<Head>,
}

/// One block of features: from samples to rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// Which of the pipeline's inputs the samples come from, counted from 0.
    pub input: usize,
    /// Filters and decimations of the running samples, before anything else.
    pub signal: Option<Conditioning>,
    /// The samples that the framing sees: behind [`Chain::signal`].
    pub source: Source,
    /// How samples become frames.
    pub framing: Framing,
    /// What happens to each frame. Every stage maps one vector to one vector, so none of them is
    /// a [`StageKind`] that needs all rows.
    pub frame: Vec<Stage>,
    /// What happens to the rows together. Stages that map vectors are applied to each row.
    pub rows: Vec<Stage>,
    /// Values in a row of features, after all stages.
    pub row_len: usize,
    /// Names of the values of a row; empty when their index says it all.
    pub names: Vec<String>,
}

/// The samples that a chain takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Sample rate in hertz.
    pub rate_hz: f64,
    /// Values in each sample, one for each axis of a sensor: at least 1. All lengths, of windows
    /// and frames too, count samples; a frame of `n` samples is a vector of `n * axes` values,
    /// those of one sample side by side.
    pub axes: usize,
    /// Sample type at the input. With [`SampleType::I16`], float samples are rounded to 16 bits
    /// first, in every numeric.
    pub sample_type: SampleType,
    /// Streaming frames, windows, or whole recordings.
    pub mode: Mode,
    /// Factor that samples in `[-1, 1)` are multiplied with.
    pub gain: Gain,
}

/// Type of the samples at a pipeline's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleType {
    /// 16-bit integers, full scale 32768.
    I16,
    /// Floats, full scale 1.
    F32,
}

/// How a recording is divided before framing. Lengths in samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Frames come straight from an endless stream.
    Stream,
    /// A window of `len` samples every `hop` samples; each is framed on its own.
    Window {
        /// Samples in a window.
        len: usize,
        /// Samples between the starts of two windows.
        hop: usize,
    },
    /// Each recording is one window. On the device this needs a fixed length.
    Clip,
}

/// What samples in `[-1, 1)` are multiplied with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gain {
    /// A constant: 1, or 32768 for pipelines that work on the integers.
    Constant(f64),
    /// `1 / max |x|` of the window; 1 when that is 0.
    PeakMagnitude,
    /// `1 / max x` of the window; 1 when that is not positive.
    PeakMaximum,
    /// A constant, divided by 32768 in windows where a sample times the constant is beyond 1 in
    /// magnitude: integers are brought to full scale 1, floats are left alone.
    IntegersToUnit(f64),
}

/// How samples become frames. Lengths in samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Framing {
    /// Samples in a frame (before zero padding to the FFT length).
    pub frame_len: usize,
    /// Samples between the starts of two frames.
    pub hop: usize,
    /// Where frame 0 starts, relative to the first sample; negative: it starts in the padding.
    ///
    /// A frame that is centred inside a longer FFT is moved to the FFT's start, and `start`
    /// absorbs the difference: power and magnitude spectra do not see a circular shift.
    pub start: isize,
    /// Samples that a frame occupies when frames are counted: `frame_len`, or the FFT length for
    /// frames that are centred inside the FFT.
    pub extent: usize,
    /// Number of frames in a recording or window. A stream has the frames whose last sample has
    /// arrived, whatever this says.
    pub count: FrameCount,
    /// What stands outside the recording or window. A stream has only [`Padding::Zero`].
    pub padding: Padding,
    /// Pre-emphasis over the signal, before framing and padding.
    pub pre_emphasis: Option<SignalPreEmphasis>,
}

/// Pre-emphasis over a signal: `y[n] = x[n] - coefficient x[n - shift]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalPreEmphasis {
    /// Factor of the earlier sample.
    pub coefficient: f64,
    /// Distance of the earlier sample, at least 1.
    pub shift: usize,
    /// What stands before the first sample: zeros, or the window's own end.
    pub circular: bool,
}

/// How many frames `n` samples give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameCount {
    /// Frames that lie wholly inside: `1 + (n - extent) / hop`, none when `n < extent`.
    Inside,
    /// `(n - extent) / hop`: frames that a whole hop follows, none when `n < extent`.
    InsideHops,
    /// `1 + n / hop` (centred frames, as librosa with `center=True`).
    Centred,
    /// `n / hop` (centred frames without the last one, as Whisper).
    CentredHops,
    /// `1 + ceil((n - extent) / hop)`, at least 1: the last frame is padded at its end.
    Covering,
    /// `(n + hop / 2) / hop` (Kaldi with `snip_edges=false`).
    Rounded,
}

/// What stands outside a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Zeros.
    Zero,
    /// The signal mirrored about its first and last sample, which are not repeated
    /// (numpy's `reflect`).
    Reflect,
    /// The signal mirrored about its edges, the first and last sample repeated (numpy's
    /// `symmetric`, Kaldi's rule).
    Symmetric,
    /// The first and last sample repeated (numpy's `edge`).
    Edge,
}

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

/// Classifier or anomaly score, and decision, at the end of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Id of the classifier block.
    pub name: String,
    /// What gives the scores.
    pub model: HeadModel,
    /// The form of a network's weights on the device.
    pub kernels: crate::deploy::Kernels,
    /// Whether the features are the model's int8 input already, integers from -128 to 127. If not,
    /// they are real numbers that are quantised at the input's scale.
    pub codes: bool,
    /// Rows of features that the model sees.
    pub rows: usize,
    /// Rows between two decisions, in [`Mode::Stream`].
    pub row_hop: usize,
    /// Names of the outputs.
    pub labels: Vec<String>,
    /// When a score becomes a decision.
    pub decide: Decide,
}

impl Head {
    /// Whether its scores lead to decisions: those of a regression do not.
    pub fn decides(&self) -> bool {
        let estimator = self.model.estimator();
        estimator.is_none_or(|estimator| estimator.score_kind() != ScoreKind::Value)
    }
}

/// What gives the scores of a [`Head`].
#[derive(Clone, Debug, PartialEq)]
pub enum HeadModel {
    /// An int8 network.
    Network(Arc<Model>),
    /// Trees, a linear model or an anomaly score.
    Estimator(Arc<Estimator>),
}

impl HeadModel {
    /// The network, if it is one.
    pub fn network(&self) -> Option<&Model> {
        match self {
            Self::Network(model) => Some(model),
            Self::Estimator(_) => None,
        }
    }

    /// The estimator, if it is one.
    pub fn estimator(&self) -> Option<&Estimator> {
        match self {
            Self::Network(_) => None,
            Self::Estimator(estimator) => Some(estimator),
        }
    }
}

/// When scores become a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decide {
    /// Id of the block.
    pub name: String,
    /// Score vectors that are averaged.
    pub average: usize,
    /// Smallest average score: from 0 to 1, for anomaly scores up to 127.
    pub threshold: f64,
    /// Classifications for which a decision silences the next ones.
    pub refractory: usize,
    /// For each label, whether it may be decided for.
    pub fires: Vec<bool>,
}

impl Graph {
    /// The first chain: the only one, but for graphs that join several.
    pub fn first(&self) -> &Chain {
        &self.chains[0]
    }

    /// Values in a row of features: those of the only chain, or the windows of all chains, one
    /// after the other.
    pub fn row_len(&self) -> usize {
        match self.chains.as_slice() {
            [only] => only.row_len,
            chains => chains
                .iter()
                .map(|chain| chain.window_rows().unwrap_or(1) * chain.row_len)
                .sum(),
        }
    }
}

impl Graph {
    /// Names of the values of a row of features: those of the blocks, where they have names, else
    /// the block's id and an index.
    pub fn names(&self) -> Vec<String> {
        let joined = self.chains.len() > 1;
        let mut names = Vec::new();
        for chain in &self.chains {
            let last = chain.rows.last().or(chain.frame.last());
            let block = last.map_or("features", |stage| {
                stage.name.split('.').next().unwrap_or(&stage.name)
            });
            let rows = chain.window_rows().filter(|_| joined).unwrap_or(1);
            for row in 0..rows {
                for column in 0..chain.row_len {
                    names.push(match (chain.names.get(column), rows > 1) {
                        (Some(name), false) => name.clone(),
                        (Some(name), true) => format!("{name}_{row}"),
                        (None, _) => format!("{block}_{}", row * chain.row_len + column),
                    });
                }
            }
        }
        names
    }
}

impl Chain {
    /// Rows in each window, for [`Mode::Window`].
    pub fn window_rows(&self) -> Option<usize> {
        match self.source.mode {
            Mode::Window { len, .. } => Some(self.framing.frames(len)),
            Mode::Stream | Mode::Clip => None,
        }
    }

    /// Values in the vector that the frame stages start from.
    pub fn frame_values(&self) -> usize {
        self.framing.frame_len * self.source.axes
    }
}

impl Chain {
    /// Whether the features are the int8 input of a model already.
    pub fn gives_codes(&self) -> bool {
        self.rows.is_empty()
            && matches!(
                self.frame.last().map(|stage| &stage.kind),
                Some(StageKind::MicroFrontend(front)) if front.output == MicroOutput::Codes
            )
    }
}

impl Framing {
    /// Number of frames in `n` samples.
    pub fn frames(&self, n: usize) -> usize {
        match self.count {
            FrameCount::Inside if n < self.extent => 0,
            FrameCount::Inside => 1 + (n - self.extent) / self.hop,
            FrameCount::InsideHops => n.saturating_sub(self.extent) / self.hop,
            FrameCount::Centred => 1 + n / self.hop,
            FrameCount::CentredHops => n / self.hop,
            FrameCount::Covering if n <= self.extent => 1,
            FrameCount::Covering => 1 + (n - self.extent).div_ceil(self.hop),
            FrameCount::Rounded => (n + self.hop / 2) / self.hop,
        }
    }
}

impl Padding {
    /// Index of the sample that stands at position `at` of a signal of `n` samples; `None` for a
    /// zero.
    pub fn index(self, at: isize, n: usize) -> Option<usize> {
        let len = n as isize;
        if (0..len).contains(&at) {
            return Some(at as usize);
        }
        if n == 0 {
            return None;
        }
        match self {
            Self::Zero => None,
            Self::Edge => Some(at.clamp(0, len - 1) as usize),
            Self::Reflect if n == 1 => Some(0),
            Self::Reflect => {
                let period = 2 * (len - 1);
                let folded = at.rem_euclid(period);
                Some(folded.min(period - folded) as usize)
            }
            Self::Symmetric => {
                let period = 2 * len;
                let folded = at.rem_euclid(period);
                Some(folded.min(period - 1 - folded) as usize)
            }
        }
    }
}
