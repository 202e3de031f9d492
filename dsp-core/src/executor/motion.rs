//! Stages of motion windows, computed in f64 in both numerics.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::GraphError;
use super::real::Real;
use super::slices::{Made, SliceOp};
use crate::graph::{GroupStatistic, Stage, StageKind};

/// The operation of `stage` on vectors of `input` values and the number of its outputs; `None` for
/// a stage of another kind.
pub(super) fn new<F: Real>(stage: &Stage, input: usize) -> Result<Option<Made<F>>, GraphError> {
    let parted = |parts: usize| {
        if parts == 0 || !input.is_multiple_of(parts) || input == 0 {
            return Err(GraphError::new(
                stage,
                format!("{input} values do not divide into {parts} parts"),
            ));
        }
        Ok(input / parts)
    };
    Ok(Some(match &stage.kind {
        StageKind::Norm { parts } => (Arc::new(Norm(parted(*parts)?)), input / parts),
        StageKind::Difference { scale } => (Arc::new(Difference(*scale)), input.saturating_sub(1)),
        StageKind::LowPass { k, rest } => (Arc::new(LowPass { k: *k, rest: *rest }), input),
        StageKind::Group { parts, list } => {
            let len = parted(*parts)?;
            let outside = list.iter().any(|statistic| match statistic {
                GroupStatistic::Correlation(a, b) => usize::from(*a.max(b)) >= *parts,
                GroupStatistic::Direction(part) => usize::from(*part) >= *parts,
                GroupStatistic::MagnitudeArea | GroupStatistic::Tilt => false,
            });
            if outside {
                return Err(GraphError::new(
                    stage,
                    "asks for a part that it does not have",
                ));
            }
            let list = list.clone();
            let outputs = list.len();
            (Arc::new(Group { len, list }), outputs)
        }
        StageKind::Autocorrelation {
            first,
            last,
            seconds,
        } => {
            if *first == 0 || first > last || *last >= input {
                return Err(GraphError::new(
                    stage,
                    format!("has lags from {first} to {last} of {input} values"),
                ));
            }
            let op = Autocorrelation {
                lags: *first..=*last,
                seconds: *seconds,
            };
            (Arc::new(op), 2)
        }
        _ => return Ok(None),
    }))
}

fn wide<F: Real>(x: &[F]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// `x - mean(x)`.
fn deviations(x: &[f64]) -> Vec<f64> {
    let mean = mean(x);
    x.iter().map(|x| x - mean).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Values in a part.
#[derive(Debug)]
struct Norm(usize);

impl<F: Real> SliceOp<F> for Norm {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        y.extend((0..self.0).map(|i| {
            let parts = x.chunks_exact(self.0).map(|part| part[i].to_f64());
            F::of(libm::sqrt(parts.map(|x| x * x).sum()))
        }));
    }
}

/// The factor.
#[derive(Debug)]
struct Difference(f64);

impl<F: Real> SliceOp<F> for Difference {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let difference = |pair: &[F]| F::of(self.0 * (pair[1].to_f64() - pair[0].to_f64()));
        y.extend(x.windows(2).map(difference));
    }
}

#[derive(Debug)]
struct LowPass {
    k: f64,
    rest: bool,
}

impl<F: Real> SliceOp<F> for LowPass {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let x = wide(x);
        let mut low = mean(&x);
        let mut before = low;
        y.extend(x.iter().map(|&x| {
            low = (1.0 - 2.0 * self.k) * low + self.k * (x + before);
            before = x;
            F::of(if self.rest { x - low } else { low })
        }));
    }
}

#[derive(Debug)]
struct Group {
    /// Values in a part.
    len: usize,
    list: Vec<GroupStatistic>,
}

impl<F: Real> SliceOp<F> for Group {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let x = wide(x);
        let parts: Vec<&[f64]> = x.chunks_exact(self.len).collect();
        let means: Vec<f64> = parts.iter().map(|part| mean(part)).collect();
        let norm = libm::sqrt(dot(&means, &means));
        y.extend(self.list.iter().map(|statistic| {
            F::of(match *statistic {
                GroupStatistic::MagnitudeArea => {
                    x.iter().map(|x| x.abs()).sum::<f64>() / self.len as f64
                }
                GroupStatistic::Correlation(a, b) => {
                    let part = |p: u8| deviations(parts[usize::from(p)]);
                    let (a, b) = (part(a), part(b));
                    let spread = libm::sqrt(dot(&a, &a)) * libm::sqrt(dot(&b, &b));
                    if spread > 0.0 {
                        dot(&a, &b) / spread
                    } else {
                        0.0
                    }
                }
                GroupStatistic::Direction(_) | GroupStatistic::Tilt if norm == 0.0 => 0.0,
                GroupStatistic::Direction(part) => means[usize::from(part)] / norm,
                GroupStatistic::Tilt => {
                    let (last, others) =
                        means.split_last().map_or((0.0, &[][..]), |(l, o)| (*l, o));
                    libm::atan2(libm::sqrt(dot(others, others)), last)
                }
            })
        }));
    }
}

#[derive(Debug)]
struct Autocorrelation {
    lags: RangeInclusive<usize>,
    seconds: f64,
}

impl<F: Real> SliceOp<F> for Autocorrelation {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let x = wide(x);
        let d = deviations(&x);
        let total = dot(&d, &d);
        // What the rounding of the mean leaves of a constant.
        let rounding = 1e-24 * dot(&x, &x);
        if total <= rounding {
            y.extend([F::zero(); 2]);
            return;
        }
        let (mut lag, mut most) = (0, f64::NEG_INFINITY);
        for k in self.lags.clone() {
            let r = dot(&d, &d[k..]);
            if r > most {
                (lag, most) = (k, r);
            }
        }
        y.extend([lag as f64 * self.seconds, most / total].map(F::of));
    }
}
