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

mod framing;
mod head;
mod micro_frontend;
mod recursion;
mod signal;
mod stage;

pub use crate::tables::filter_design::Section;
pub use framing::{FrameCount, Framing, Padding, SignalPreEmphasis};
pub use head::{Decide, Head, HeadModel};
pub use micro_frontend::{MicroFrontend, MicroLog, MicroOutput, Pcan};
pub use otolith_dsp_nostd::motion::GroupStatistic;
pub use otolith_dsp_nostd::spectral::{Combine, Segments, SpectralShape};
pub use otolith_dsp_nostd::statistic::Statistic;
pub use recursion::{NoiseSubtraction, Pcen, RunningNormalisation};
pub(crate) use signal::Cascade;
pub use signal::{Conditioning, SignalKind, SignalStage};
pub use stage::{
    DeltaEdges, DeltaMethod, Filter, FilterBank, Log, LogFloor, Matrix, Span, Stage, StageKind,
};

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

    /// Whether the features are the int8 input of a model already.
    pub fn gives_codes(&self) -> bool {
        self.rows.is_empty()
            && matches!(
                self.frame.last().map(|stage| &stage.kind),
                Some(StageKind::MicroFrontend(front)) if front.output == MicroOutput::Codes
            )
    }
}
