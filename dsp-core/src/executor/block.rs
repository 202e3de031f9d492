//! Blocks of frames: from samples to the rows that the frame stages make.

use std::ops::Range;

use super::micro_frontend::MicroOp;
use super::recursion::ChainOp;
use super::signal::Signal;
use super::spectrum::Spectrum;
use super::vector::{Lanes, VectorOp};
use super::{GraphError, Real, Trace};
use crate::graph::{self, Stage, StageKind};

/// Frames in a block. A filter bank's sums of 16 `f32` fill two registers of AVX2, four of SSE2.
pub(super) const LANES: usize = 16;

/// The frame stages, and the buffers of one block.
pub(super) struct FrameChain<F> {
    frame_len: usize,
    hop: usize,
    start: isize,
    /// Stages on a single frame, before the FFT and its window.
    frame_ops: Vec<ChainOp<F>>,
    spectral: Option<Spectral<F>>,
    /// The stage that is alone where it is.
    micro: Option<MicroOp>,
    /// Values in a row.
    len: usize,
    /// Number of stages.
    stages: usize,
    samples: Vec<F>,
    frame: Lanes<F, 1>,
}

/// Window, FFT, and what follows it.
struct Spectral<F> {
    window: Vec<F>,
    /// Whether the window is a stage; otherwise it is all ones.
    window_is_stage: bool,
    spectrum: Spectrum<F>,
    /// Bins that the next stages look at.
    bins: Range<usize>,
    /// Stages on a block of frames.
    ops: Vec<ChainOp<F>>,
    lanes: Lanes<F, LANES>,
}

impl<F: Real> FrameChain<F> {
    pub(super) fn new(of: &graph::Chain) -> Result<Self, GraphError> {
        let (framing, stages, axes) = (&of.framing, &of.frame, of.source.axes);
        let mut chain = Self {
            frame_len: of.frame_values(),
            hop: framing.hop * axes,
            start: framing.start * axes as isize,
            frame_ops: Vec::new(),
            spectral: None,
            micro: None,
            len: of.frame_values(),
            stages: stages.len(),
            samples: Vec::new(),
            frame: Lanes::default(),
        };
        if let [stage] = stages.as_slice() {
            chain.micro = MicroOp::new(stage, chain.len)?;
            if chain.micro.is_some() {
                chain.len = stage.len;
                return Ok(chain);
            }
        }
        let mut energy = false;
        let mut stages = stages.iter();
        while let Some(stage) = stages.next() {
            if let StageKind::Rfft { n_fft } = stage.kind {
                chain.add_spectrum(stage, n_fft, stages.next())?;
            } else if let Some(op) = ChainOp::new(stage, chain.len)? {
                energy |= matches!(
                    op,
                    ChainOp::Vector(VectorOp::LogEnergy { .. } | VectorOp::LogSum { .. })
                );
                if matches!(
                    op,
                    ChainOp::Vector(VectorOp::ReplaceFirst | VectorOp::InsertEnergy { .. })
                ) && !energy
                {
                    return Err(GraphError::new(stage, "there is no log energy before it"));
                }
                match &mut chain.spectral {
                    None => chain.frame_ops.push(op),
                    Some(spectral) => spectral.ops.push(op),
                }
            } else {
                return Err(GraphError::new(stage, "is not a stage of a single frame"));
            }
            chain.len = stage.len;
        }
        if let Some(spectral) = &mut chain.spectral
            && let Some(bins) = spectral.ops.first().and_then(ChainOp::inputs)
        {
            spectral.bins = bins;
        }
        Ok(chain)
    }

    fn add_spectrum(
        &mut self,
        rfft: &Stage,
        n_fft: usize,
        after: Option<&Stage>,
    ) -> Result<(), GraphError> {
        if self.spectral.is_some() {
            return Err(GraphError::new(rfft, "is the second FFT of the chain"));
        }
        let spectrum = Spectrum::new(rfft, n_fft, after, self.len)?;
        // The window is applied on the way into the FFT.
        let window = self
            .frame_ops
            .pop_if(|op| matches!(op, ChainOp::Vector(VectorOp::Window(_))));
        self.spectral = Some(Spectral {
            window_is_stage: window.is_some(),
            window: match window {
                Some(ChainOp::Vector(VectorOp::Window(window))) => window,
                _ => vec![F::one(); self.len],
            },
            bins: 0..spectrum.len(),
            spectrum,
            ops: Vec::new(),
            lanes: Lanes::default(),
        });
        Ok(())
    }

    /// Values in a row.
    pub(super) fn row_len(&self) -> usize {
        self.len
    }

    /// Forgets all frames.
    pub(super) fn restart(&mut self) {
        let spectral = self.spectral.iter_mut().flat_map(|s| &mut s.ops);
        self.frame_ops
            .iter_mut()
            .chain(spectral)
            .for_each(ChainOp::restart);
    }

    /// Computes the frames from `first` on: as many as there are rows in `out`, which lie
    /// `stride` values apart.
    pub(super) fn run(
        &mut self,
        signal: &Signal<'_, F>,
        first: usize,
        out: &mut [F],
        stride: usize,
        mut trace: Option<&mut Trace<F>>,
    ) {
        run_block(self, signal, first, out, stride, &mut trace);
    }

    /// Gets the samples of `count` frames, which then lie [`Self::distance`] apart.
    #[inline(always)]
    fn fetch(&mut self, signal: &Signal<'_, F>, first: usize, count: usize) {
        let distance = self.distance();
        let needed = distance * (count - 1) + self.frame_len;
        self.samples.resize(needed, F::zero());
        let at = |frame: usize| self.start + ((first + frame) * self.hop) as isize;
        if distance == self.hop {
            signal.fetch(at(0), &mut self.samples);
        } else {
            for (i, frame) in self.samples.chunks_exact_mut(distance).enumerate() {
                signal.fetch(at(i), frame);
            }
        }
    }

    /// Overlapping frames share their samples; between others there may be a long gap.
    fn distance(&self) -> usize {
        self.hop.min(self.frame_len)
    }
}

/// [`FrameChain::run`], compiled once more for AVX2. The operations are the same, and they are
/// not contracted, so only the FFT's results depend on the processor.
#[multiversion::multiversion(targets("x86_64+avx2"))]
fn run_block<F: Real>(
    chain: &mut FrameChain<F>,
    signal: &Signal<'_, F>,
    first: usize,
    out: &mut [F],
    stride: usize,
    trace: &mut Option<&mut Trace<F>>,
) {
    chain.fetch(signal, first, out.len() / stride);
    let distance = chain.distance();
    if let Some(micro) = &mut chain.micro {
        if first == 0 {
            micro.reset();
        }
        for (i, row) in out.chunks_exact_mut(stride).enumerate() {
            let row = &mut row[..chain.len];
            micro.apply(&chain.samples[i * distance..][..chain.frame_len], row);
            tap(trace, 0, row.iter().copied());
        }
        return;
    }
    let mut energy = [F::zero(); LANES];
    if let Some(spectral) = &mut chain.spectral {
        spectral.lanes.resize(spectral.spectrum.len());
    }
    for (i, row) in out.chunks_exact_mut(stride).enumerate() {
        let samples = &chain.samples[i * distance..][..chain.frame_len];
        let mut frame = samples;
        if !chain.frame_ops.is_empty() {
            let lane = &mut chain.frame;
            lane.resize(samples.len());
            lane.x.as_flattened_mut().copy_from_slice(samples);
            let mut kept = [F::zero()];
            for (stage, op) in chain.frame_ops.iter_mut().enumerate() {
                op.apply(lane, &mut kept);
                tap(trace, stage, lane.lane(0));
            }
            energy[i] = kept[0];
            frame = lane.x.as_flattened();
        }
        match &mut chain.spectral {
            Some(spectral) => spectral.enter(frame, i, chain.frame_ops.len(), trace),
            None => row[..frame.len()].copy_from_slice(frame),
        }
    }
    if let Some(spectral) = &mut chain.spectral {
        let first_stage = chain.stages - spectral.ops.len();
        spectral.leave(&mut energy, first_stage, out, stride, trace);
    }
}

impl<F: Real> Spectral<F> {
    /// From frame `i` of the block to the power of its bins.
    #[inline(always)]
    fn enter(
        &mut self,
        frame: &[F],
        i: usize,
        mut stage: usize,
        trace: &mut Option<&mut Trace<F>>,
    ) {
        self.spectrum.transform(frame, &self.window);
        let mut bins = self.bins.clone();
        if trace.is_some() {
            bins = 0..self.spectrum.len();
            if self.window_is_stage {
                let windowed = frame.iter().zip(&self.window).map(|(&x, &w)| x * w);
                tap(trace, stage, windowed);
                stage += 1;
            }
            let parts = bins.clone().flat_map(|k| {
                let bin = self.spectrum.bin(k);
                [bin.re, bin.im]
            });
            tap(trace, stage, parts);
        }
        self.spectrum.write(bins, &mut self.lanes.x, i);
        tap(trace, stage + 1, self.lanes.lane(i));
    }

    /// From the power of all frames' bins to their rows.
    #[inline(always)]
    fn leave(
        &mut self,
        energy: &mut [F; LANES],
        first_stage: usize,
        out: &mut [F],
        stride: usize,
        trace: &mut Option<&mut Trace<F>>,
    ) {
        for (i, op) in self.ops.iter_mut().enumerate() {
            op.apply(&mut self.lanes, energy);
            for lane in 0..out.len() / stride {
                tap(trace, first_stage + i, self.lanes.lane(lane));
            }
        }
        for (i, row) in out.chunks_exact_mut(stride).enumerate() {
            for (to, x) in row.iter_mut().zip(self.lanes.lane(i)) {
                *to = x;
            }
        }
    }
}

/// Adds what a stage gave to the trace, if there is one.
#[inline(always)]
fn tap<F: Real>(trace: &mut Option<&mut Trace<F>>, stage: usize, values: impl Iterator<Item = F>) {
    if let Some(trace) = trace {
        trace[stage].1.extend(values);
    }
}
