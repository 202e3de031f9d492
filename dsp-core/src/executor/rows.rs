//! Stages that look at all rows of a window together. They work in place on rows that lie
//! `stride` values apart.

use super::GraphError;
use super::real::{Real, max};
use super::vector::check_len;
use crate::graph::{Padding, Span, Stage, StageKind};

/// Rows of `len` values, `stride` values apart.
pub(super) struct Rows<'a, F> {
    pub(super) values: &'a mut [F],
    pub(super) stride: usize,
    pub(super) len: usize,
}

impl<F: Real> Rows<'_, F> {
    fn count(&self) -> usize {
        self.values.len() / self.stride
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[F]> + Clone {
        self.values
            .chunks_exact(self.stride)
            .map(|row| &row[..self.len])
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut [F]> {
        self.values
            .chunks_exact_mut(self.stride)
            .map(|row| &mut row[..self.len])
    }
}

/// A stage that looks at all rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowsOp {
    TopRange(f64),
    Standardise {
        span: Span,
        variance: bool,
        epsilon: f64,
    },
    Deltas {
        order: usize,
        reach: usize,
    },
}

impl RowsOp {
    /// The operation of `stage` on rows of `input` values; `None` for a stage of another kind.
    pub(super) fn new(stage: &Stage, input: usize) -> Result<Option<Self>, GraphError> {
        let (op, output) = match stage.kind {
            StageKind::TopRange { range } => (Self::TopRange(range), input),
            StageKind::Standardise {
                span,
                variance,
                epsilon,
            } => {
                if let Span::Sliding(n) = span
                    && n % 2 == 0
                {
                    return Err(GraphError::new(
                        stage,
                        format!("a span of {n} rows: it must be odd"),
                    ));
                }
                let op = Self::Standardise {
                    span,
                    variance,
                    epsilon,
                };
                (op, input)
            }
            StageKind::Deltas { order, reach } => {
                if order == 0 || reach == 0 {
                    return Err(GraphError::new(
                        stage,
                        format!("deltas of order {order} over {reach} rows: both start at 1"),
                    ));
                }
                let order = usize::from(order);
                (Self::Deltas { order, reach }, input * (1 + order))
            }
            _ => return Ok(None),
        };
        check_len(stage, output)?;
        Ok(Some(op))
    }

    pub(super) fn apply<F: Real>(self, rows: &mut Rows<'_, F>) {
        match self {
            Self::TopRange(range) => top_range(rows, F::of(range)),
            Self::Standardise {
                span: Span::Window,
                variance,
                epsilon,
            } => standardise_window(rows, variance, epsilon),
            Self::Standardise {
                span: Span::Sliding(n),
                variance,
                epsilon,
            } => standardise_sliding(rows, n, variance, epsilon),
            Self::Deltas { order, reach } => {
                let len = rows.len;
                rows.len = len * (1 + order);
                for from in (0..order).map(|k| k * len) {
                    deltas(rows, from, len, reach);
                }
            }
        }
    }
}

fn top_range<F: Real>(rows: &mut Rows<'_, F>, range: F) {
    let Some(&first) = rows.values.first() else {
        return;
    };
    let top = rows.iter().flatten().fold(first, |top, &x| max(x, top));
    for x in rows.iter_mut().flatten() {
        *x = max(*x, top - range);
    }
}

/// Mean and population variance of one column, gathered in f64 in every numeric: a long
/// recording's sum outgrows the digits of an f32.
#[derive(Clone, Copy, Debug, Default)]
struct Statistics {
    mean: f64,
    variance: f64,
}

impl Statistics {
    /// `(x - mean) / (deviation + epsilon)`; 0 where that divides by 0.
    fn standardised<F: Real>(self, x: F, variance: bool, epsilon: f64) -> F {
        let centred = x.to_f64() - self.mean;
        if !variance {
            return F::of(centred);
        }
        let divisor = self.variance.sqrt() + epsilon;
        F::of(if divisor == 0.0 {
            0.0
        } else {
            centred / divisor
        })
    }
}

fn statistics<F: Real, R: Iterator<Item = F> + Clone>(column: R, n: usize) -> Statistics {
    let n = n as f64;
    let mean = column.clone().map(F::to_f64).sum::<f64>() / n;
    let squares = column.map(|x| {
        let centred = x.to_f64() - mean;
        centred * centred
    });
    Statistics {
        mean,
        variance: squares.sum::<f64>() / n,
    }
}

fn standardise_window<F: Real>(rows: &mut Rows<'_, F>, variance: bool, epsilon: f64) {
    let count = rows.count();
    for column in 0..rows.len {
        let of = statistics(rows.iter().map(|row| row[column]), count);
        for row in rows.iter_mut() {
            row[column] = of.standardised(row[column], variance, epsilon);
        }
    }
}

fn standardise_sliding<F: Real>(rows: &mut Rows<'_, F>, span: usize, variance: bool, epsilon: f64) {
    let (count, len) = (rows.count(), rows.len);
    // Rows that are already overwritten, as they were. Mirroring never reaches back further than
    // the span.
    let mut past = vec![F::zero(); span * len];
    for t in 0..count {
        let kept = (t % span) * len;
        past[kept..kept + len].copy_from_slice(&rows.values[t * rows.stride..][..len]);
        for column in 0..len {
            let values: &[F] = rows.values;
            let stride = rows.stride;
            let past = &past;
            let around = (0..span).map(|i| {
                let at = (t + i) as isize - (span / 2) as isize;
                let row = Padding::Symmetric.index(at, count).unwrap_or(t);
                if row <= t {
                    past[(row % span) * len + column]
                } else {
                    values[row * stride + column]
                }
            });
            let of = statistics(around, span);
            let x = &mut rows.values[t * rows.stride + column];
            *x = of.standardised(*x, variance, epsilon);
        }
    }
}

/// Columns `from + len..from + 2 len` become the derivatives over time of `from..from + len`:
/// `d[t] = sum_i i (x[t + i] - x[t - i]) / (2 sum_i i^2)`, `i = 1..=reach`, which is the slope of
/// the line of least squares (librosa's `delta` away from the edges). Rows beyond the first and
/// the last are copies of them, as in HTK, python_speech_features and torchaudio.
fn deltas<F: Real>(rows: &mut Rows<'_, F>, from: usize, len: usize, reach: usize) {
    let (count, stride) = (rows.count(), rows.stride);
    let squares: f64 = (1..=reach).map(|i| (i * i) as f64).sum();
    let scale = F::of(0.5 / squares);
    for t in 0..count {
        let at = |row: usize| row * stride + from;
        for column in 0..len {
            let sum = (1..=reach).fold(F::zero(), |sum, i| {
                let after = rows.values[at((t + i).min(count - 1)) + column];
                let before = rows.values[at(t.saturating_sub(i)) + column];
                sum + F::of(i as f64) * (after - before)
            });
            rows.values[at(t) + len + column] = sum * scale;
        }
    }
}
