//! Runs a [`Graph`] on the host, in `f64` (the `reference` numeric) or `f32` (the `host`
//! numeric), with one generic body.
//!
//! * [`signal`]: samples as the frames see them, converted, scaled, pre-emphasised and padded;
//! * [`spectrum`]: the FFT of a frame and the power of its bins;
//! * [`vector`]: all other stages that map a vector to a vector;
//! * [`rows`]: stages that look at all rows together;
//! * [`real`]: the two float types, and the logarithm.
//!
//! Frames are computed in blocks of [`LANES`]: each is transformed on its own, then the bins of
//! all lie side by side, so that filter bank, logarithm and DCT run over frames as vector code.
//! Memory beside input and output is one block.

mod real;
mod rows;
mod signal;
mod spectrum;
#[cfg(test)]
mod tests;
mod vector;

use std::ops::Range;

use thiserror::Error;

pub use self::real::Real;
pub use self::signal::Samples;

use self::rows::{Rows, RowsOp};
use self::signal::Signal;
use self::spectrum::Spectrum;
use self::vector::{Lanes, VectorOp};
use crate::graph::{Framing, Gain, Graph, Mode, Padding, Source, Stage, StageKind};

/// Frames in a block.
const LANES: usize = 16;

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

/// Computes the features of a graph; its classifier is not run.
///
/// ```
/// # use otolith_dsp_core::{executor::{Executor, GraphError}, graph::Graph};
/// # fn rows(graph: &Graph, samples: &[f32]) -> Result<(), GraphError> {
/// let mut host = Executor::<f32>::new(graph)?;
/// for window in host.windows(samples) {
///     println!("{} rows of {}", window.rows, window.row_len);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Executor<F> {
    source: Source,
    framing: Framing,
    /// Stages on a single frame, before the FFT.
    frame_ops: Vec<VectorOp<F>>,
    /// FFT, and power or magnitude.
    spectrum: Option<Spectrum<F>>,
    /// Bins that the stages after the spectrum look at.
    bins: Range<usize>,
    /// Stages on a block of frames, after the FFT.
    block_ops: Vec<VectorOp<F>>,
    row_ops: Vec<RowOp<F>>,
    /// Values in a row after the frame stages.
    frame_out: usize,
    /// Values in the longest row between two row stages.
    stride: usize,
    row_len: usize,
    /// Names of frame stages, then of row stages.
    names: Vec<String>,
    block: Block<F>,
}

/// A stage on rows, and the length of its output.
#[derive(Clone, Debug)]
enum RowOp<F> {
    Each(VectorOp<F>, usize),
    All(RowsOp, usize),
}

/// Buffers of one block of frames.
#[derive(Clone, Debug, Default)]
struct Block<F> {
    samples: Vec<F>,
    frame: Lanes<F, 1>,
    lanes: Lanes<F, LANES>,
}

/// The output of each stage, frame after frame, row after row.
type Trace<F> = Vec<(String, Vec<F>)>;

impl<F: Real> Executor<F> {
    /// Prepares a graph: converts its tables and plans its FFT.
    ///
    /// # Errors
    /// [`GraphError`] when the stages do not fit together. No graph that comes from a validated
    /// pipeline does that.
    pub fn new(graph: &Graph) -> Result<Self, GraphError> {
        check_source(graph)?;
        let mut executor = Self {
            source: graph.source.clone(),
            framing: graph.framing.clone(),
            frame_ops: Vec::new(),
            spectrum: None,
            bins: 0..0,
            block_ops: Vec::new(),
            row_ops: Vec::new(),
            frame_out: graph.framing.frame_len,
            stride: 0,
            row_len: graph.row_len,
            names: Vec::new(),
            block: Block::default(),
        };
        executor.add_frame_stages(&graph.frame)?;
        executor.add_row_stages(&graph.rows)?;
        Ok(executor)
    }

    fn add_frame_stages(&mut self, stages: &[Stage]) -> Result<(), GraphError> {
        let mut len = self.framing.frame_len;
        let mut energy = false;
        let mut stages = stages.iter();
        while let Some(stage) = stages.next() {
            self.names.push(stage.name.clone());
            if let StageKind::Rfft { n_fft } = stage.kind {
                if self.spectrum.is_some() {
                    return Err(GraphError::new(stage, "is the second FFT of the chain"));
                }
                let after = stages.next();
                self.spectrum = Some(Spectrum::new(stage, n_fft, after, len)?);
                self.names.extend(after.map(|after| after.name.clone()));
            } else if let Some(op) = VectorOp::new(stage, len)? {
                energy |= matches!(op, VectorOp::LogEnergy { .. } | VectorOp::LogSum { .. });
                if matches!(op, VectorOp::ReplaceFirst) && !energy {
                    return Err(GraphError::new(stage, "there is no log energy before it"));
                }
                match self.spectrum {
                    None => self.frame_ops.push(op),
                    Some(_) => self.block_ops.push(op),
                }
            } else {
                return Err(GraphError::new(stage, "is not a stage of a single frame"));
            }
            len = stage.len;
        }
        self.frame_out = len;
        if let Some(spectrum) = &self.spectrum {
            let needed = self.block_ops.first().and_then(VectorOp::inputs);
            self.bins = needed.unwrap_or(0..spectrum.bins().len());
        }
        Ok(())
    }

    fn add_row_stages(&mut self, stages: &[Stage]) -> Result<(), GraphError> {
        let mut len = self.frame_out;
        self.stride = len;
        for stage in stages {
            self.names.push(stage.name.clone());
            let op = match (RowsOp::new(stage, len)?, VectorOp::new(stage, len)?) {
                (Some(op), _) => RowOp::All(op, stage.len),
                (
                    _,
                    Some(
                        VectorOp::LogEnergy { .. }
                        | VectorOp::LogSum { .. }
                        | VectorOp::ReplaceFirst,
                    )
                    | None,
                ) => {
                    return Err(GraphError::new(stage, "is not a stage of rows"));
                }
                (_, Some(op)) => RowOp::Each(op, stage.len),
            };
            self.row_ops.push(op);
            len = stage.len;
            self.stride = self.stride.max(len);
        }
        if len != self.row_len {
            return Err(GraphError::at(
                "row_len",
                format!("is {}, but the last stage gives {len} values", self.row_len),
            ));
        }
        Ok(())
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
            self.framing.pre_emphasis.map(F::of),
            self.framing.padding,
        );
        let rows = self.frame_count(samples.len());
        let mut values = vec![F::zero(); rows * self.stride];
        for (i, out) in values.chunks_mut(LANES * self.stride).enumerate() {
            self.run_block(&signal, i * LANES, out, trace.as_deref_mut());
        }
        self.run_rows(&mut values, trace);
        if self.stride != self.row_len {
            for row in 1..rows {
                let from = row * self.stride;
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
        match self.source.mode {
            Mode::Window { .. } | Mode::Clip => self.framing.frames(n),
            Mode::Stream => {
                let Framing {
                    frame_len,
                    hop,
                    start,
                    ..
                } = self.framing;
                n.checked_add_signed(-start)
                    .and_then(|n| n.checked_sub(frame_len))
                    .map_or(0, |n| 1 + n / hop)
            }
        }
    }

    /// Computes the rows of the frames from `first` on that fit into `out`.
    fn run_block(
        &mut self,
        signal: &Signal<'_, F>,
        first: usize,
        out: &mut [F],
        mut trace: Option<&mut Trace<F>>,
    ) {
        let Framing {
            frame_len,
            hop,
            start,
            ..
        } = self.framing;
        let count = out.len() / self.stride;
        let block = &mut self.block;
        // Overlapping frames share their samples; between others there may be a long gap.
        let distance = hop.min(frame_len);
        block
            .samples
            .resize(distance * (LANES - 1) + frame_len, F::zero());
        let at = |frame: usize| start + ((first + frame) * hop) as isize;
        if distance == hop {
            let needed = distance * (count - 1) + frame_len;
            signal.fetch(at(0), &mut block.samples[..needed]);
        } else {
            for (i, frame) in block
                .samples
                .chunks_exact_mut(frame_len)
                .take(count)
                .enumerate()
            {
                signal.fetch(at(i), frame);
            }
        }

        let mut energy = [F::zero(); LANES];
        let bins = match (&self.spectrum, &trace) {
            (Some(spectrum), Some(_)) => 0..spectrum.bins().len(),
            _ => self.bins.clone(),
        };
        if let Some(spectrum) = &self.spectrum {
            block.lanes.resize(spectrum.bins().len());
        }
        for (i, row) in out.chunks_exact_mut(self.stride).enumerate() {
            let frame = &mut block.frame;
            frame.resize(frame_len);
            let samples = &block.samples[i * distance..][..frame_len];
            frame.x.as_flattened_mut().copy_from_slice(samples);
            let mut kept = [F::zero()];
            for (stage, op) in self.frame_ops.iter().enumerate() {
                op.apply(frame, &mut kept);
                if let Some(trace) = trace.as_deref_mut() {
                    trace[stage].1.extend(frame.lane(0));
                }
            }
            energy[i] = kept[0];
            if let Some(spectrum) = &mut self.spectrum {
                spectrum.transform(frame.x.as_flattened().iter().copied());
                spectrum.write(bins.clone(), &mut block.lanes.x, i);
                if let Some(trace) = trace.as_deref_mut() {
                    let stage = self.frame_ops.len();
                    let parts = spectrum.bins().iter().flat_map(|bin| [bin.re, bin.im]);
                    trace[stage].1.extend(parts);
                    trace[stage + 1].1.extend(block.lanes.lane(i));
                }
            } else {
                for (to, x) in row.iter_mut().zip(frame.lane(0)) {
                    *to = x;
                }
            }
        }
        if self.spectrum.is_none() {
            return;
        }
        for (i, op) in self.block_ops.iter().enumerate() {
            op.apply(&mut block.lanes, &mut energy);
            if let Some(trace) = trace.as_deref_mut() {
                let stage = self.frame_ops.len() + 2 + i;
                for lane in 0..count {
                    trace[stage].1.extend(block.lanes.lane(lane));
                }
            }
        }
        for (i, row) in out.chunks_exact_mut(self.stride).enumerate() {
            for (to, x) in row.iter_mut().zip(block.lanes.lane(i)) {
                *to = x;
            }
        }
    }

    fn run_rows(&mut self, values: &mut [F], mut trace: Option<&mut Trace<F>>) {
        let mut rows = Rows {
            values,
            stride: self.stride,
            len: self.frame_out,
        };
        let first = self.names.len() - self.row_ops.len();
        for (i, op) in self.row_ops.iter().enumerate() {
            match op {
                RowOp::All(op, len) => {
                    op.apply(&mut rows);
                    rows.len = *len;
                }
                RowOp::Each(op, len) => {
                    let from = rows.len;
                    rows.len = from.max(*len);
                    for row in rows.iter_mut() {
                        let lane = &mut self.block.frame;
                        lane.resize(from);
                        lane.x.as_flattened_mut().copy_from_slice(&row[..from]);
                        op.apply(lane, &mut [F::zero()]);
                        row[..*len].copy_from_slice(lane.x.as_flattened());
                    }
                    rows.len = *len;
                }
            }
            if let Some(trace) = trace.as_deref_mut() {
                trace[first + i].1.extend(rows.iter().flatten());
            }
        }
    }
}

fn check_source(graph: &Graph) -> Result<(), GraphError> {
    let Graph {
        source, framing, ..
    } = graph;
    if framing.frame_len == 0 || framing.hop == 0 {
        return Err(GraphError::at(
            "framing",
            format!(
                "frames of {} samples every {}: both start at 1",
                framing.frame_len, framing.hop
            ),
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
