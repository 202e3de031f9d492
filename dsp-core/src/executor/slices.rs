//! Stages that map one slice to another, one vector at a time: those of whole windows, which are
//! too large and too rare to compute many side by side.

use std::fmt::Debug;
use std::sync::Arc;

use super::filters::{Sos, WaveletFilter};
use super::motion;
use super::segments::{Peaks, SegmentPower, Shapes};
use super::statistics::Statistics;
use super::vector::{Lanes, VectorOp, check_len};
use super::{GraphError, Real};
use crate::graph::{Stage, StageKind};

/// A stage that maps one vector to another.
pub(super) trait SliceOp<F>: Debug + Send + Sync {
    /// Appends the output for `x` to `y`.
    fn apply(&self, x: &[F], y: &mut Vec<F>);
}

/// A stage on slices and the number of its outputs.
pub(super) type Made<F> = (Arc<dyn SliceOp<F>>, usize);

/// The operation of `stage` on vectors of `input` values; `None` for a stage of another kind.
pub(super) fn new<F: Real>(
    stage: &Stage,
    input: usize,
) -> Result<Option<Arc<dyn SliceOp<F>>>, GraphError> {
    let (op, output): Made<F> = match &stage.kind {
        StageKind::Select { first, step } => select(stage, *first, *step, input)?,
        StageKind::Statistics(list) => (Arc::new(Statistics(list.clone())), list.len()),
        StageKind::Sos { sections, steady } => {
            let filter = Sos {
                sections: sections.clone(),
                steady: *steady,
            };
            (Arc::new(filter), input)
        }
        StageKind::Wavelet(taps) => {
            let output = (input + taps.len()).saturating_sub(1) / 2;
            (Arc::new(WaveletFilter(taps.clone())), output)
        }
        StageKind::SegmentPower {
            n_fft,
            segments,
            window,
            scale,
        } => {
            let op = SegmentPower::new(stage, input, *n_fft, *segments, window, *scale)?;
            (Arc::new(op), n_fft / 2 + 1)
        }
        StageKind::SpectralShape {
            first_hz,
            step_hz,
            shapes,
        } => {
            let op = Shapes {
                hz: [*first_hz, *step_hz],
                shapes: shapes.clone(),
            };
            (Arc::new(op), shapes.len())
        }
        StageKind::Peaks {
            first_hz,
            step_hz,
            threshold,
        } => {
            let op = Peaks {
                hz: [*first_hz, *step_hz],
                threshold: *threshold,
                count: stage.len / 2,
            };
            (Arc::new(op), stage.len / 2 * 2)
        }
        StageKind::Fork(branches) => fork(stage, branches, input)?,
        _ => match motion::new(stage, input)? {
            Some(made) => made,
            None => return Ok(None),
        },
    };
    check_len(stage, output)?;
    Ok(Some(op))
}

#[derive(Debug)]
struct Select {
    first: usize,
    step: usize,
    count: usize,
}

fn select<F: Real>(
    stage: &Stage,
    first: usize,
    step: usize,
    input: usize,
) -> Result<Made<F>, GraphError> {
    let count = stage.len;
    let last = count
        .checked_sub(1)
        .and_then(|n| n.checked_mul(step)?.checked_add(first));
    if step == 0 || last.is_none_or(|last| last >= input) {
        return Err(GraphError::new(
            stage,
            format!("selects {count} values from {first} on, {step} apart, of {input}"),
        ));
    }
    Ok((Arc::new(Select { first, step, count }), count))
}

impl<F: Real> SliceOp<F> for Select {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        y.extend(x[self.first..].iter().step_by(self.step).take(self.count));
    }
}

#[derive(Debug)]
struct Fork<F> {
    branches: Vec<Vec<VectorOp<F>>>,
}

fn fork<F: Real>(
    stage: &Stage,
    branches: &[Vec<Stage>],
    input: usize,
) -> Result<Made<F>, GraphError> {
    let mut output = 0;
    let mut all = Vec::with_capacity(branches.len());
    for branch in branches {
        let mut ops = Vec::with_capacity(branch.len());
        let mut len = input;
        for stage in branch {
            match VectorOp::new(stage, len)? {
                Some(
                    VectorOp::LogEnergy { .. } | VectorOp::LogSum { .. } | VectorOp::ReplaceFirst,
                )
                | None => return Err(GraphError::new(stage, "is not a stage of a fork")),
                Some(op) => ops.push(op),
            }
            len = stage.len;
        }
        output += len;
        all.push(ops);
    }
    if all.is_empty() {
        return Err(GraphError::new(stage, "has no branch"));
    }
    Ok((Arc::new(Fork { branches: all }), output))
}

impl<F: Real> SliceOp<F> for Fork<F> {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let mut lane = Lanes::<F, 1>::default();
        for branch in &self.branches {
            lane.resize(x.len());
            lane.x.as_flattened_mut().copy_from_slice(x);
            for op in branch {
                op.apply(&mut lane, &mut [F::zero()]);
            }
            y.extend_from_slice(lane.x.as_flattened());
        }
    }
}
