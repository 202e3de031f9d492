//! Stages that look at all rows of a window together. They work in place on rows that lie
//! `stride` values apart.

use super::GraphError;
use super::real::{Real, max, min};
use super::vector::check_len;
use crate::graph::{DeltaEdges, DeltaMethod, Padding, Span, Stage, StageKind};

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
    SubtractTop,
    MinMax,
    Standardise {
        span: Span,
        form: Standardised,
    },
    Deltas {
        order: usize,
        reach: usize,
        method: DeltaMethod,
        edges: DeltaEdges,
    },
}

/// What becomes of a value, with mean and standard deviation of its column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standardised {
    /// `x - mean`.
    Centred,
    /// `(x - mean) / (std + epsilon)`.
    Both { epsilon: f64 },
    /// `x / (std + epsilon)`.
    Divided { epsilon: f64 },
}

impl RowsOp {
    /// The operation of `stage` on rows of `input` values; `None` for a stage of another kind.
    pub(super) fn new(stage: &Stage, input: usize) -> Result<Option<Self>, GraphError> {
        let (op, output) = match stage.kind {
            StageKind::TopRange { range } => (Self::TopRange(range), input),
            StageKind::SubtractTop => (Self::SubtractTop, input),
            StageKind::MinMax => (Self::MinMax, input),
            StageKind::Standardise {
                span,
                variance,
                epsilon,
            } => {
                let form = if variance {
                    Standardised::Both { epsilon }
                } else {
                    Standardised::Centred
                };
                (Self::standardise(stage, span, form)?, input)
            }
            StageKind::DivideByDeviation { span, epsilon } => {
                let form = Standardised::Divided { epsilon };
                (Self::standardise(stage, span, form)?, input)
            }
            StageKind::Deltas {
                order,
                reach,
                method,
                edges,
            } => {
                if order == 0 || reach == 0 {
                    return Err(GraphError::new(
                        stage,
                        format!("deltas of order {order} over {reach} rows: both start at 1"),
                    ));
                }
                let order = usize::from(order);
                let op = Self::Deltas {
                    order,
                    reach,
                    method,
                    edges,
                };
                (op, input * (1 + order))
            }
            _ => return Ok(None),
        };
        check_len(stage, output)?;
        Ok(Some(op))
    }

    fn standardise(stage: &Stage, span: Span, form: Standardised) -> Result<Self, GraphError> {
        match span {
            Span::Sliding(n) if n % 2 == 0 => Err(GraphError::new(
                stage,
                format!("a span of {n} rows: it must be odd"),
            )),
            _ => Ok(Self::Standardise { span, form }),
        }
    }

    pub(super) fn apply<F: Real>(self, rows: &mut Rows<'_, F>) {
        match self {
            Self::TopRange(range) => top_range(rows, F::of(range)),
            Self::SubtractTop => subtract_top(rows),
            Self::MinMax => min_max(rows),
            Self::Standardise {
                span: Span::Window,
                form,
            } => standardise_window(rows, form),
            Self::Standardise {
                span: Span::Sliding(n),
                form,
            } => standardise_sliding(rows, n, form),
            Self::Deltas {
                order,
                reach,
                method,
                edges,
            } => {
                let len = rows.len;
                rows.len = len * (1 + order);
                for k in 0..order {
                    let (from, degree) = match method {
                        DeltaMethod::Repeated => (k * len, 1),
                        DeltaMethod::Polynomial => (0, k + 1),
                    };
                    let (weights, scale) = derivative(degree, reach);
                    let deltas = Deltas {
                        from,
                        to: (k + 1) * len,
                        len,
                        edges,
                        weights,
                        scale,
                    };
                    deltas.apply(rows);
                }
            }
        }
    }
}

/// The largest value of all rows.
fn top<F: Real>(rows: &Rows<'_, F>) -> Option<F> {
    rows.iter().flatten().copied().reduce(|top, x| max(x, top))
}

fn top_range<F: Real>(rows: &mut Rows<'_, F>, range: F) {
    if let Some(top) = top(rows) {
        for x in rows.iter_mut().flatten() {
            *x = max(*x, top - range);
        }
    }
}

fn subtract_top<F: Real>(rows: &mut Rows<'_, F>) {
    if let Some(top) = top(rows) {
        for x in rows.iter_mut().flatten() {
            *x = *x - top;
        }
    }
}

fn min_max<F: Real>(rows: &mut Rows<'_, F>) {
    let lowest = rows.iter().flatten().copied().reduce(|low, x| min(x, low));
    let (Some(low), Some(high)) = (lowest, top(rows)) else {
        return;
    };
    for x in rows.iter_mut().flatten() {
        *x = if high > low {
            (*x - low) / (high - low)
        } else {
            F::zero()
        };
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
    /// `x` in the form that is asked for; 0 where it would be divided by 0.
    fn standardised<F: Real>(self, x: F, form: Standardised) -> F {
        let (value, epsilon) = match form {
            Standardised::Centred => return F::of(x.to_f64() - self.mean),
            Standardised::Both { epsilon } => (x.to_f64() - self.mean, epsilon),
            Standardised::Divided { epsilon } => (x.to_f64(), epsilon),
        };
        let divisor = self.variance.sqrt() + epsilon;
        F::of(if divisor == 0.0 { 0.0 } else { value / divisor })
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

fn standardise_window<F: Real>(rows: &mut Rows<'_, F>, form: Standardised) {
    let count = rows.count();
    for column in 0..rows.len {
        let of = statistics(rows.iter().map(|row| row[column]), count);
        for row in rows.iter_mut() {
            row[column] = of.standardised(row[column], form);
        }
    }
}

fn standardise_sliding<F: Real>(rows: &mut Rows<'_, F>, span: usize, form: Standardised) {
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
            *x = of.standardised(*x, form);
        }
    }
}

/// Weights of rows `-reach..=reach` for the derivative of order `degree` (1 or 2) of the
/// polynomial of that degree of least squares, and the factor of the sum. First: `i`, and
/// `1 / sum i^2`. Second, with `m` the mean of `i^2`: `i^2 - m`, and `2 / sum (i^2 - m)^2`.
fn derivative(degree: usize, reach: usize) -> (Vec<f64>, f64) {
    let reach = reach as i64;
    let powers = (-reach..=reach).map(|i| libm::pow(i as f64, degree as f64));
    let mean = powers.clone().sum::<f64>() / (2 * reach + 1) as f64;
    let weights: Vec<f64> = powers.map(|power| power - mean).collect();
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    (weights, degree as f64 / squares)
}

/// Columns `to..to + len` become a derivative over time of `from..from + len`:
/// `d[t] = scale sum_i w[i] x[t + i]`.
struct Deltas {
    from: usize,
    to: usize,
    len: usize,
    edges: DeltaEdges,
    /// Of rows `-reach..=reach`.
    weights: Vec<f64>,
    scale: f64,
}

impl Deltas {
    fn apply<F: Real>(&self, rows: &mut Rows<'_, F>) {
        let (count, stride) = (rows.count(), rows.stride);
        let width = self.weights.len();
        let reach = width / 2;
        for t in 0..count {
            let centre = match self.edges {
                DeltaEdges::Interp if count >= width => t.clamp(reach, count - 1 - reach),
                _ => t,
            };
            for column in 0..self.len {
                let value = |row: usize| rows.values[row * stride + self.from + column];
                let sum = (0..width).fold(F::zero(), |sum, i| {
                    let at = (centre + i) as isize - reach as isize;
                    match self.edges.row(at, count) {
                        Some(row) => sum + F::of(self.weights[i]) * value(row),
                        None => sum,
                    }
                });
                rows.values[t * stride + self.to + column] = sum * F::of(self.scale);
            }
        }
    }
}

impl DeltaEdges {
    /// The row that stands at position `at` of `count` rows; `None` for zeros.
    fn row(self, at: isize, count: usize) -> Option<usize> {
        match self {
            Self::Nearest | Self::Interp => Padding::Edge.index(at, count),
            Self::Mirror => Padding::Reflect.index(at, count),
            Self::Constant => Padding::Zero.index(at, count),
            Self::Wrap => Some(at.rem_euclid(count as isize) as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn apply(op: RowsOp, values: &[f64], len: usize) -> Vec<f64> {
        let mut values = values.to_vec();
        let mut rows = Rows {
            values: &mut values,
            stride: len,
            len,
        };
        op.apply(&mut rows);
        values
    }

    /// Derivative `order` of one column, which stands last in its rows.
    fn derivative_of(column: &[f64], order: usize, edges: DeltaEdges) -> Vec<f64> {
        let stride = order + 1;
        let mut values = vec![0.0; column.len() * stride];
        for (row, &x) in values.chunks_mut(stride).zip(column) {
            row[0] = x;
        }
        let mut rows = Rows {
            values: &mut values,
            stride,
            len: 1,
        };
        let op = RowsOp::Deltas {
            order,
            reach: 2,
            method: DeltaMethod::Polynomial,
            edges,
        };
        op.apply(&mut rows);
        values.chunks(stride).map(|row| row[order]).collect()
    }

    #[test]
    fn polynomials_have_their_exact_derivatives() {
        let t = |t: usize| t as f64;
        let parabola: Vec<f64> = (0..12)
            .map(|i| 3.0 * t(i) * t(i) - 5.0 * t(i) + 2.0)
            .collect();
        for (i, second) in derivative_of(&parabola, 2, DeltaEdges::Interp)
            .iter()
            .enumerate()
        {
            assert!((second - 6.0).abs() < 1e-12, "{i}: {second}");
        }
        let slopes = derivative_of(&parabola, 1, DeltaEdges::Nearest);
        for (i, slope) in slopes.iter().enumerate().take(10).skip(2) {
            assert!((slope - (6.0 * t(i) - 5.0)).abs() < 1e-12, "{i}: {slope}");
        }
        let line: Vec<f64> = (0..7).map(|i| 4.0 * t(i)).collect();
        assert_eq!(derivative_of(&line, 1, DeltaEdges::Interp), [4.0; 7]);
        // The definition at the first row: -2, -1, 1, 2 times the rows, by 10.
        let first = |edges| derivative_of(&line, 1, edges)[0];
        assert_eq!(first(DeltaEdges::Nearest), (4.0 + 2.0 * 8.0) / 10.0);
        assert_eq!(first(DeltaEdges::Mirror), 0.0);
        assert_eq!(first(DeltaEdges::Constant), (4.0 + 2.0 * 8.0) / 10.0);
        assert_eq!(first(DeltaEdges::Wrap), (4.0 + 16.0 - 24.0 - 40.0) / 10.0);
    }

    #[test]
    fn what_has_no_range_becomes_zero() {
        assert_eq!(apply(RowsOp::MinMax, &[7.0; 4], 2), [0.0; 4]);
        assert_eq!(apply(RowsOp::MinMax, &[], 2), [0.0; 0]);
        let form = Standardised::Divided { epsilon: 0.0 };
        let span = Span::Sliding(3);
        let op = RowsOp::Standardise { span, form };
        assert_eq!(apply(op, &[7.0; 4], 1), [0.0; 4]);
    }

    #[test]
    fn division_by_the_deviation_keeps_the_mean() {
        // Mirrored at the ends: deviations of (1, 1, 4), (1, 4, 7), (4, 7, 7).
        let form = Standardised::Divided { epsilon: 0.0 };
        let span = Span::Sliding(3);
        let op = RowsOp::Standardise { span, form };
        let found = apply(op, &[1.0, 4.0, 7.0], 1);
        let expected = [1.0 / 2f64.sqrt(), 4.0 / 6f64.sqrt(), 7.0 / 2f64.sqrt()];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    proptest! {
        #[test]
        fn min_max_does_not_see_gain_and_offset(
            x in prop::collection::vec(-1.0..1.0, 2..40),
            gain in 0.1..100.0,
            offset in -10.0..10.0,
        ) {
            let plain = apply(RowsOp::MinMax, &x, 1);
            let moved: Vec<f64> = x.iter().map(|x| gain * x + offset).collect();
            for (a, b) in plain.iter().zip(apply(RowsOp::MinMax, &moved, 1)) {
                prop_assert!((0.0..=1.0).contains(a));
                prop_assert!((a - b).abs() < 1e-6);
            }
        }

        #[test]
        fn the_largest_value_becomes_zero(x in prop::collection::vec(-1e3..1e3, 1..40)) {
            let y = apply(RowsOp::SubtractTop, &x, 1);
            prop_assert_eq!(y.iter().copied().fold(f64::MIN, f64::max), 0.0);
            for ((x0, y0), (x1, y1)) in x.iter().zip(&y).zip(x.iter().zip(&y).skip(1)) {
                prop_assert!(((x1 - x0) - (y1 - y0)).abs() < 1e-9);
            }
        }
    }
}
