//! Stages of motion windows, computed in f64 in both numerics.

use std::fmt;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::GraphError;
use super::real::Real;
use super::slices::{Made, SliceOp};
use crate::graph::{AutocorrelationPeak, GroupStatistic, SpectrumStatistic, Stage, StageKind};

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
                GroupStatistic::Correlation(a, b) => a.max(b) >= parts,
                GroupStatistic::Direction(part) => part >= parts,
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
        StageKind::PowerSpectrum {
            n_fft,
            window,
            scale,
        } => {
            if window.len() != input || *n_fft < input {
                return Err(GraphError::new(
                    stage,
                    format!(
                        "an FFT of {n_fft} and a window of {} for {input} values",
                        window.len()
                    ),
                ));
            }
            let op = PowerSpectrum {
                window: window.clone(),
                scale: *scale,
                fft: FftPlanner::new().plan_fft_forward(*n_fft),
            };
            (Arc::new(op), n_fft / 2 + 1)
        }
        StageKind::Spectrum(list) => (Arc::new(Spectrum(list.clone())), list.len()),
        StageKind::Autocorrelation(peak) => {
            if peak.first == 0 || peak.first > peak.last || peak.last >= input {
                return Err(GraphError::new(
                    stage,
                    format!(
                        "has lags from {} to {} of {input} values",
                        peak.first, peak.last
                    ),
                ));
            }
            (Arc::new(Autocorrelation(*peak)), 2)
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
                    let (a, b) = (deviations(parts[a]), deviations(parts[b]));
                    let spread = libm::sqrt(dot(&a, &a)) * libm::sqrt(dot(&b, &b));
                    if spread > 0.0 {
                        dot(&a, &b) / spread
                    } else {
                        0.0
                    }
                }
                GroupStatistic::Direction(_) | GroupStatistic::Tilt if norm == 0.0 => 0.0,
                GroupStatistic::Direction(part) => means[part] / norm,
                GroupStatistic::Tilt => {
                    let (last, others) =
                        means.split_last().map_or((0.0, &[][..]), |(l, o)| (*l, o));
                    libm::atan2(libm::sqrt(dot(others, others)), last)
                }
            })
        }));
    }
}

struct PowerSpectrum {
    window: Vec<f64>,
    scale: f64,
    fft: Arc<dyn Fft<f64>>,
}

impl fmt::Debug for PowerSpectrum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PowerSpectrum({})", self.fft.len())
    }
}

impl<F: Real> SliceOp<F> for PowerSpectrum {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let x = deviations(&wide(x));
        let windowed = x
            .iter()
            .zip(&self.window)
            .map(|(x, w)| Complex::new(x * w, 0.0));
        let mut z: Vec<Complex<f64>> = windowed.collect();
        z.resize(self.fft.len(), Complex::default());
        self.fft.process(&mut z);
        let bins = z.iter().take(z.len() / 2 + 1);
        let last = self.fft.len() / 2;
        y.extend(bins.enumerate().map(|(k, bin)| {
            let times = if k == 0 || k == last { 1.0 } else { 2.0 };
            F::of(times * self.scale * bin.norm_sqr())
        }));
    }
}

#[derive(Debug)]
struct Spectrum(Vec<SpectrumStatistic>);

impl<F: Real> SliceOp<F> for Spectrum {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let x = wide(x);
        let bins = x.get(1..).unwrap_or(&[]);
        let (mut at, mut most) = (0, 0.0);
        for (k, &power) in x.iter().enumerate().skip(1) {
            if power > most {
                (at, most) = (k, power);
            }
        }
        y.extend(self.0.iter().map(|statistic| {
            F::of(match *statistic {
                SpectrumStatistic::PeakFrequency { hz } => at as f64 * hz,
                SpectrumStatistic::PeakPower => most,
                SpectrumStatistic::Entropy => entropy(bins),
            })
        }));
    }
}

/// Entropy of the shares of the values, as a part of the largest possible one.
fn entropy(bins: &[f64]) -> f64 {
    let sum: f64 = bins.iter().sum();
    if sum <= 0.0 || bins.len() < 2 {
        return 0.0;
    }
    let shares = bins.iter().map(|x| x / sum).filter(|&p| p > 0.0);
    -shares.map(|p| p * libm::log(p)).sum::<f64>() / libm::log(bins.len() as f64)
}

#[derive(Debug)]
struct Autocorrelation(AutocorrelationPeak);

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
        for k in self.0.first..=self.0.last {
            let r = dot(&d, &d[k..]);
            if r > most {
                (lag, most) = (k, r);
            }
        }
        y.extend([lag as f64 * self.0.seconds, most / total].map(F::of));
    }
}
