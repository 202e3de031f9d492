//! Runs a [`Chain`] of a graph on the host, in `f64` (the `reference` numeric) or `f32` (the `host`
//! numeric), with one generic body.
//!
//! * `conditioning`: a whole recording through filters and decimations, before all else;
//! * `signal`: samples as the frames see them, converted, scaled, pre-emphasised and padded;
//! * `block`: a block of frames through the frame stages;
//! * `spectrum`: the FFT of a frame and the power of its bins;
//! * `vector`: all other stages that map a vector to a vector;
//! * `recursion`: stages that carry something from row to row;
//! * `slices`: those of them that work on one vector at a time;
//! * `micro_frontend`: the one stage that is integers on the host too;
//! * `statistics`: statistics of a vector;
//! * `rows`: stages that look at all rows together;
//! * `real`: the two float types, and the logarithm.
//!
//! Frames are computed in blocks: each is transformed on its own, then the bins of all lie side
//! by side, so that filter bank, logarithm and DCT run over frames as vector code. Memory beside
//! input and output is one block.

mod block;
mod conditioning;
mod filters;
mod micro_frontend;
mod motion;
mod real;
mod recursion;
mod rows;
mod segments;
mod signal;
mod slices;
mod spectrum;
mod statistics;
#[cfg(test)]
mod tests;
mod vector;

use thiserror::Error;

pub use self::conditioning::condition;
pub use self::real::Real;
pub use self::signal::Samples;

use self::block::{FrameChain, LANES};
use self::recursion::ChainOp;
use self::rows::{Rows, RowsOp};
use self::signal::Signal;
use self::vector::{Lanes, VectorOp};
use crate::graph::{Chain, FrameCount, Framing, Gain, Mode, Padding, Source, Stage};

/// A graph that contradicts itself, which blocks never expand to.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{stage}: {why}")]
#[non_exhaustive]
pub struct GraphError {
    /// The stage, such as `features.rfft`.
    pub stage: String,
    /// What does not fit.
    pub why: String,
}

impl GraphError {
    fn new(stage: &Stage, why: impl Into<String>) -> Self {
        Self::at(&stage.name, why)
    }

    fn at(stage: &str, why: impl Into<String>) -> Self {
        Self {
            stage: stage.to_owned(),
            why: why.into(),
        }
    }
}

/// Rows of features, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Features<F> {
    /// Number of rows.
    pub rows: usize,
    /// Values in a row.
    pub row_len: usize,
    /// `rows * row_len` values.
    pub values: Vec<F>,
}

impl<F> Features<F> {
    /// The rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[F]> {
        self.values.chunks_exact(self.row_len)
    }
}

/// Computes the features of a chain.
///
/// ```
/// # use otolith_dsp_core::{executor::{Executor, GraphError}, graph::Chain};
/// # fn rows(chain: &Chain, samples: &[f32]) -> Result<(), GraphError> {
/// let mut host = Executor::<f32>::new(chain)?;
/// for window in host.windows(samples) {
///     println!("{} rows of {}", window.rows, window.row_len);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Executor<F> {
    source: Source,
    framing: Framing,
    frames: FrameChain<F>,
    row_ops: Vec<RowOp<F>>,
    row: Lanes<F, 1>,
    /// Values in the longest row between two row stages.
    stride: usize,
    row_len: usize,
    /// Names of frame stages, then of row stages.
    names: Vec<String>,
}

/// A stage on rows. One that works on each row gives rows of the length beside it.
#[derive(Clone, Debug)]
enum RowOp<F> {
    Each(ChainOp<F>, usize),
    All(RowsOp),
}

/// The output of each stage, frame after frame, row after row.
type Trace<F> = Vec<(String, Vec<F>)>;

impl<F: Real> Executor<F> {
    /// Prepares a chain: converts its tables and plans its FFT.
    ///
    /// # Errors
    /// [`GraphError`] when the stages do not fit together. No graph that comes from a validated
    /// pipeline does that.
    pub fn new(chain: &Chain) -> Result<Self, GraphError> {
        check_source(chain)?;
        let frames = FrameChain::new(chain)?;
        let mut len = frames.row_len();
        let mut stride = len;
        let mut row_ops = Vec::with_capacity(chain.rows.len());
        for stage in &chain.rows {
            row_ops.push(RowOp::new(stage, len)?);
            len = stage.len;
            stride = stride.max(len);
        }
        if len != chain.row_len {
            return Err(GraphError::at(
                "row_len",
                format!(
                    "is {}, but the last stage gives {len} values",
                    chain.row_len
                ),
            ));
        }
        let stages = chain.frame.iter().chain(&chain.rows);
        Ok(Self {
            source: chain.source.clone(),
            framing: chain.framing.clone(),
            frames,
            row_ops,
            row: Lanes::default(),
            stride,
            row_len: len,
            names: stages.map(|stage| stage.name.clone()).collect(),
        })
    }

    /// Values in a row of features.
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// The features of each window of a recording. A stream or a clip is one window; with
    /// [`Mode::Window`], samples behind the last whole window are left out.
    pub fn windows<'a>(
        &'a mut self,
        samples: impl Into<Samples<'a>>,
    ) -> impl Iterator<Item = Features<F>> + 'a {
        let samples = samples.into();
        let (len, hop, count) = match self.source.mode {
            Mode::Stream | Mode::Clip => (samples.len(), 0, 1),
            Mode::Window { len, hop } => {
                let (len, hop) = (len * self.source.axes, hop * self.source.axes);
                let count = samples.len().checked_sub(len).map_or(0, |n| 1 + n / hop);
                (len, hop, count)
            }
        };
        (0..count).map(move |i| self.features(samples.slice(i * hop, i * hop + len)))
    }

    /// The features of `samples` as one window, clip or stream, whatever its length. A stream has
    /// the frames that end inside `samples`; the others have what [`Framing::count`] says.
    pub fn features<'a>(&mut self, samples: impl Into<Samples<'a>>) -> Features<F> {
        self.run(samples.into(), None)
    }

    /// The output of every stage for `samples` as one window, clip or stream: the stage's name,
    /// and its output for frame after frame or row after row. An FFT gives real and imaginary
    /// part of its bins in turn.
    pub fn trace<'a>(&mut self, samples: impl Into<Samples<'a>>) -> Vec<(String, Vec<F>)> {
        let mut trace = self.names.iter().map(|n| (n.clone(), vec![])).collect();
        self.run(samples.into(), Some(&mut trace));
        trace
    }

    fn run(&mut self, samples: Samples<'_>, mut trace: Option<&mut Trace<F>>) -> Features<F> {
        let signal = Signal::new(
            samples,
            self.source.sample_type,
            self.source.gain,
            self.framing.pre_emphasis,
            self.framing.padding,
        );
        let (rows, stride) = (
            self.frame_count(samples.len() / self.source.axes),
            self.stride,
        );
        self.frames.restart();
        let mut values = vec![F::zero(); rows * stride];
        for (i, out) in values.chunks_mut(LANES * stride).enumerate() {
            let trace = trace.as_deref_mut();
            self.frames.run(&signal, i * LANES, out, stride, trace);
        }
        self.run_rows(&mut values, trace);
        if stride != self.row_len {
            for row in 1..rows {
                let from = row * stride;
                values.copy_within(from..from + self.row_len, row * self.row_len);
            }
            values.truncate(rows * self.row_len);
        }
        Features {
            rows,
            row_len: self.row_len,
            values,
        }
    }

    fn frame_count(&self, n: usize) -> usize {
        let framing = &self.framing;
        match self.source.mode {
            Mode::Window { .. } | Mode::Clip => framing.frames(n),
            Mode::Stream => n
                .checked_add_signed(-framing.start)
                .and_then(|n| n.checked_sub(framing.frame_len))
                .map_or(0, |n| 1 + n / framing.hop),
        }
    }

    fn run_rows(&mut self, values: &mut [F], mut trace: Option<&mut Trace<F>>) {
        let mut rows = Rows {
            values,
            stride: self.stride,
            len: self.frames.row_len(),
        };
        let first = self.names.len() - self.row_ops.len();
        for (i, op) in self.row_ops.iter_mut().enumerate() {
            if let RowOp::Each(op, _) = op {
                op.restart();
            }
            op.apply(&mut rows, &mut self.row);
            if let Some(trace) = trace.as_deref_mut() {
                trace[first + i].1.extend(rows.iter().flatten());
            }
        }
    }
}

impl<F: Real> RowOp<F> {
    /// The operation of `stage` on rows of `input` values.
    fn new(stage: &Stage, input: usize) -> Result<Self, GraphError> {
        if let Some(op) = RowsOp::new(stage, input)? {
            return Ok(Self::All(op));
        }
        match ChainOp::new(stage, input)? {
            Some(ChainOp::Vector(
                VectorOp::LogEnergy { .. }
                | VectorOp::LogSum { .. }
                | VectorOp::ReplaceFirst
                | VectorOp::InsertEnergy { .. },
            ))
            | None => Err(GraphError::new(stage, "is not a stage of rows")),
            Some(op) => Ok(Self::Each(op, stage.len)),
        }
    }

    fn apply(&mut self, rows: &mut Rows<'_, F>, row: &mut Lanes<F, 1>) {
        match self {
            Self::All(op) => op.apply(rows),
            Self::Each(op, len) => {
                let from = rows.len;
                rows.len = from.max(*len);
                for values in rows.iter_mut() {
                    row.resize(from);
                    row.x.as_flattened_mut().copy_from_slice(&values[..from]);
                    op.apply(row, &mut [F::zero()]);
                    values[..*len].copy_from_slice(row.x.as_flattened());
                }
                rows.len = *len;
            }
        }
    }
}

fn check_source(chain: &Chain) -> Result<(), GraphError> {
    let (source, framing) = (&chain.source, &chain.framing);
    if framing.frame_len == 0 || framing.hop == 0 {
        return Err(GraphError::at(
            "framing",
            format!(
                "frames of {} samples every {}: both start at 1",
                framing.frame_len, framing.hop
            ),
        ));
    }
    if source.axes == 0 {
        return Err(GraphError::at("source", "samples have no axis"));
    }
    if source.axes > 1
        && (framing.pre_emphasis.is_some()
            || framing.start != 0
            || framing.count != FrameCount::Inside)
    {
        return Err(GraphError::at(
            "framing",
            "samples of several axes have no pre-emphasis and no padding",
        ));
    }
    match source.mode {
        Mode::Clip => Ok(()),
        Mode::Window { len, hop } if len > 0 && hop > 0 => Ok(()),
        Mode::Window { len, hop } => Err(GraphError::at(
            "window",
            format!("windows of {len} samples every {hop}: both start at 1"),
        )),
        Mode::Stream if framing.padding != Padding::Zero => Err(GraphError::at(
            "padding",
            "a stream has no end to mirror: its padding is zero",
        )),
        Mode::Stream if !matches!(source.gain, Gain::Constant(_)) => Err(GraphError::at(
            "gain",
            "a stream has no peak: its gain is a constant",
        )),
        Mode::Stream => Ok(()),
    }
}
