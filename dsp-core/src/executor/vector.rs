//! Stages that map one vector to one vector, applied to `L` vectors at a time.
//!
//! `L` vectors lie side by side: value `i` of vector `l` is `x[i][l]`. So every loop over the
//! lanes is vector code without horizontal sums, and the same kernel serves a single vector with
//! `L = 1`.

use std::sync::Arc;

use super::GraphError;
use super::real::{Real, max, min};
use super::slices::{self, SliceOp};
use crate::graph::{FilterBank, LogFloor, Matrix, Stage, StageKind};

/// A stage with its tables in the executor's number format.
#[derive(Clone, Debug)]
pub(super) enum VectorOp<F> {
    RemoveMean,
    PreEmphasis(F),
    LogEnergy {
        floor: F,
    },
    LogSum {
        floor: F,
    },
    Window(Vec<F>),
    Mel(Vec<Run<F>>),
    Log {
        floor: LogFloor,
        epsilon: F,
        scale: F,
    },
    Columns {
        add: Vec<F>,
        mul: Vec<F>,
    },
    Affine {
        add: F,
        mul: F,
        min: F,
        max: F,
    },
    Matrix(Vec<F>),
    Quantise {
        steps: usize,
        wraps: bool,
    },
    ReplaceFirst,
    InsertEnergy {
        last: bool,
    },
    /// Computed one vector at a time.
    Slices(Arc<dyn SliceOp<F>>),
}

/// Weights of consecutive inputs.
#[derive(Clone, Debug)]
pub(super) struct Run<F> {
    first: usize,
    weights: Vec<F>,
}

impl<F: Real> VectorOp<F> {
    /// The operation of `stage` on vectors of `input` values; `None` for a stage of another kind.
    pub(super) fn new(stage: &Stage, input: usize) -> Result<Option<Self>, GraphError> {
        let convert = |values: &[f64]| values.iter().map(|&x| F::of(x)).collect();
        let (op, output) = match &stage.kind {
            StageKind::RemoveMean => (Self::RemoveMean, input),
            StageKind::PreEmphasis(c) => (Self::PreEmphasis(F::of(*c)), input),
            StageKind::LogEnergy { floor } => (
                Self::LogEnergy {
                    floor: F::of(*floor),
                },
                input,
            ),
            StageKind::LogSum { floor } => (
                Self::LogSum {
                    floor: F::of(*floor),
                },
                input,
            ),
            StageKind::Window(window) => (Self::Window(convert(window)), window.len()),
            StageKind::Mel(bank) => (Self::Mel(runs(stage, bank, input)?), bank.filters.len()),
            StageKind::Log(log) => {
                let (LogFloor::Add(epsilon)
                | LogFloor::Max(epsilon)
                | LogFloor::ReplaceZero(epsilon)) = log.floor;
                let op = Self::Log {
                    floor: log.floor,
                    epsilon: F::of(epsilon),
                    scale: F::of(log.scale),
                };
                (op, input)
            }
            StageKind::Columns { add, mul } => {
                if add.len() != input || mul.len() != input {
                    let (add, mul) = (add.len(), mul.len());
                    return Err(GraphError::new(
                        stage,
                        format!("{add} and {mul} constants for an input of {input}"),
                    ));
                }
                let op = Self::Columns {
                    add: convert(add),
                    mul: convert(mul),
                };
                (op, input)
            }
            StageKind::Affine { add, mul, min, max } => (
                Self::Affine {
                    add: F::of(*add),
                    mul: F::of(*mul),
                    min: F::of(*min),
                    max: F::of(*max),
                },
                input,
            ),
            StageKind::Matrix(Matrix { rows, cols, values }) => {
                if *cols != input || rows * cols != values.len() {
                    return Err(GraphError::new(
                        stage,
                        format!(
                            "a matrix of {rows} x {cols} with {} values for an input of {input}",
                            values.len()
                        ),
                    ));
                }
                (Self::Matrix(convert(values)), *rows)
            }
            StageKind::Quantise { steps, wraps } => (
                Self::Quantise {
                    steps: *steps,
                    wraps: *wraps,
                },
                input,
            ),
            StageKind::ReplaceFirst => (Self::ReplaceFirst, input),
            StageKind::InsertEnergy { last } => (Self::InsertEnergy { last: *last }, input + 1),
            _ => return Ok(slices::new(stage, input)?.map(Self::Slices)),
        };
        if matches!(op, Self::Window(_)) && output != input {
            return Err(GraphError::new(
                stage,
                format!("a window of {output} values for an input of {input}"),
            ));
        }
        check_len(stage, output)?;
        Ok(Some(op))
    }

    /// Inputs that the output depends on, when it is not all of them.
    pub(super) fn inputs(&self) -> Option<std::ops::Range<usize>> {
        let Self::Mel(runs) = self else { return None };
        let used = || runs.iter().filter(|run| !run.weights.is_empty());
        let first = used().map(|run| run.first).min().unwrap_or(0);
        let end = used().map(|run| run.first + run.weights.len()).max();
        Some(first..end.unwrap_or(first))
    }

    /// Applies the operation to the `L` vectors in `lanes.x`, which end there too. `energy` is
    /// what [`StageKind::LogEnergy`] or [`StageKind::LogSum`] keeps for each.
    #[inline(always)]
    pub(super) fn apply<const L: usize>(&self, lanes: &mut Lanes<F, L>, energy: &mut [F; L]) {
        let Lanes { x, y } = lanes;
        match self {
            Self::RemoveMean => {
                let n = F::of(x.len() as f64);
                let mean = sum(x, |x| x).map(|sum| sum / n);
                for x in x.iter_mut() {
                    for (x, &mean) in x.iter_mut().zip(&mean) {
                        *x = *x - mean;
                    }
                }
            }
            Self::PreEmphasis(c) => {
                for i in (0..x.len()).rev() {
                    let before = x[i.saturating_sub(1)];
                    for (x, &before) in x[i].iter_mut().zip(&before) {
                        *x = *x - *c * before;
                    }
                }
            }
            Self::LogEnergy { floor } => {
                *energy = sum(x, |x| x * x).map(|sum| max(sum, *floor));
                F::ln_in_place(energy);
            }
            Self::LogSum { floor } => {
                *energy = sum(x, |x| x).map(|sum| max(sum, *floor));
                F::ln_in_place(energy);
            }
            Self::Window(window) => {
                for (x, &w) in x.iter_mut().zip(window) {
                    for x in x {
                        *x = *x * w;
                    }
                }
            }
            Self::Mel(runs) => {
                y.resize(runs.len(), [F::zero(); L]);
                for (y, run) in y.iter_mut().zip(runs) {
                    *y = dot(&run.weights, &x[run.first..]);
                }
                std::mem::swap(x, y);
            }
            Self::Matrix(values) => {
                y.resize(values.len() / x.len(), [F::zero(); L]);
                for (y, row) in y.iter_mut().zip(values.chunks_exact(x.len())) {
                    *y = dot(row, x);
                }
                std::mem::swap(x, y);
            }
            Self::Log {
                floor,
                epsilon,
                scale,
            } => {
                let values = x.as_flattened_mut();
                match floor {
                    LogFloor::Add(_) => each(values, |x| x + *epsilon),
                    LogFloor::Max(_) => each(values, |x| max(x, *epsilon)),
                    LogFloor::ReplaceZero(_) => {
                        each(values, |x| if x == F::zero() { *epsilon } else { x });
                    }
                }
                F::ln_in_place(values);
                each(values, |x| x * *scale);
            }
            Self::Columns { add, mul } => {
                for ((x, &add), &mul) in x.iter_mut().zip(add).zip(mul) {
                    each(x, |x| (x + add) * mul);
                }
            }
            Self::Affine {
                add,
                mul,
                min: least,
                max: most,
            } => each(x.as_flattened_mut(), |x| {
                min(max((x + *add) * *mul, *least), *most)
            }),
            Self::Quantise { steps, wraps } => {
                let levels = *steps as f64;
                let top = if *wraps { 0.0 } else { levels - 1.0 };
                each(x.as_flattened_mut(), |x| {
                    let level = (x.to_f64() * levels).round_ties_even();
                    F::of(if level < levels { level } else { top } / levels)
                });
            }
            Self::InsertEnergy { last: true } => x.push(*energy),
            Self::InsertEnergy { last: false } => x.insert(0, *energy),
            Self::ReplaceFirst => {
                if let Some(first) = x.first_mut() {
                    *first = *energy;
                }
            }
            Self::Slices(op) => {
                let mut vector = Vec::with_capacity(x.len());
                let mut outputs = Vec::new();
                for lane in 0..L {
                    vector.clear();
                    vector.extend(x.iter().map(|x| x[lane]));
                    outputs.clear();
                    op.apply(&vector, &mut outputs);
                    y.resize(outputs.len(), [F::zero(); L]);
                    for (y, &output) in y.iter_mut().zip(&outputs) {
                        y[lane] = output;
                    }
                }
                std::mem::swap(x, y);
            }
        }
    }
}

/// `L` vectors, and room for what becomes of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes<F, const L: usize> {
    pub(super) x: Vec<[F; L]>,
    y: Vec<[F; L]>,
}

impl<F: Real, const L: usize> Lanes<F, L> {
    /// Makes the vectors `n` values long; what they hold is unspecified.
    pub(super) fn resize(&mut self, n: usize) {
        self.x.resize(n, [F::zero(); L]);
    }

    /// Vector `lane`.
    pub(super) fn lane(&self, lane: usize) -> impl Iterator<Item = F> {
        self.x.iter().map(move |x| x[lane])
    }
}

/// Fails unless `stage` says that its output has `len` values.
pub(super) fn check_len(stage: &Stage, len: usize) -> Result<(), GraphError> {
    if stage.len == len && len > 0 {
        return Ok(());
    }
    Err(GraphError::new(
        stage,
        format!("gives {len} values where {} are declared", stage.len),
    ))
}

fn runs<F: Real>(
    stage: &Stage,
    bank: &FilterBank,
    input: usize,
) -> Result<Vec<Run<F>>, GraphError> {
    let mut runs = Vec::with_capacity(bank.filters.len());
    for (m, filter) in bank.filters.iter().enumerate() {
        let end = filter.first.saturating_add(filter.weights.len());
        if end > input {
            return Err(GraphError::new(
                stage,
                format!("filter {m} ends at bin {end} of {input}"),
            ));
        }
        runs.push(Run {
            first: filter.first,
            weights: filter.weights.iter().map(|&w| F::of(w)).collect(),
        });
    }
    Ok(runs)
}

#[inline(always)]
fn each<F: Real>(values: &mut [F], f: impl Fn(F) -> F) {
    for x in values {
        *x = f(*x);
    }
}

/// `sum_i weights[i] x[i]` in each lane.
#[inline(always)]
fn dot<F: Real, const L: usize>(weights: &[F], x: &[[F; L]]) -> [F; L] {
    let mut sum = [F::zero(); L];
    for (&w, x) in weights.iter().zip(x) {
        for (sum, &x) in sum.iter_mut().zip(x) {
            *sum = *sum + w * x;
        }
    }
    sum
}

/// `sum_i of(x[i])` in each lane, as 16 interleaved partial sums: a single chain of additions
/// would wait for each of them, and lose accuracy on long vectors.
#[inline(always)]
fn sum<F: Real, const L: usize>(x: &[[F; L]], of: impl Fn(F) -> F) -> [F; L] {
    const PARTS: usize = 16;
    let mut parts = [[F::zero(); L]; PARTS];
    for x in x.chunks(PARTS) {
        for (part, x) in parts.iter_mut().zip(x) {
            for (part, &x) in part.iter_mut().zip(x) {
                *part = *part + of(x);
            }
        }
    }
    let mut sum = [F::zero(); L];
    for part in parts {
        for (sum, part) in sum.iter_mut().zip(part) {
            *sum = *sum + part;
        }
    }
    sum
}
