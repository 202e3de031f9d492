//! Spectra of a vector's segments and what describes them, computed in f64 in both numerics.

use std::fmt;
use std::sync::Arc;

use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

use super::GraphError;
use super::real::Real;
use super::slices::SliceOp;
use crate::graph::{Combine, Segments, SpectralShape, Stage};

/// [`crate::graph::StageKind::SegmentPower`].
pub(super) struct SegmentPower {
    fft: Arc<dyn Fft<f64>>,
    segments: Segments,
    window: Vec<f64>,
    scale: f64,
}

impl fmt::Debug for SegmentPower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentPower")
            .field("n_fft", &self.fft.len())
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}

impl SegmentPower {
    pub(super) fn new(
        stage: &Stage,
        input: usize,
        n_fft: usize,
        segments: Segments,
        window: &[f64],
        scale: f64,
    ) -> Result<Self, GraphError> {
        let last = u64::from(segments.hop) * u64::from(segments.count.saturating_sub(1));
        let len = segments.len as usize;
        let fits = n_fft >= 2
            && n_fft.is_multiple_of(2)
            && (1..=n_fft).contains(&len)
            && window.len() == len
            && segments.hop > 0
            && segments.count > 0
            && last < input as u64;
        if !fits {
            return Err(GraphError::new(
                stage,
                format!(
                    "{segments:?} with a window of {} values and an FFT of {n_fft} do not fit an \
                     input of {input}",
                    window.len()
                ),
            ));
        }
        Ok(Self {
            fft: FftPlanner::new().plan_fft_forward(n_fft),
            segments,
            window: window.to_vec(),
            scale,
        })
    }
}

impl<F: Real> SliceOp<F> for SegmentPower {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let Segments { hop, count, .. } = self.segments;
        let n_fft = self.fft.len();
        let mut powers = vec![0.0f64; n_fft / 2 + 1];
        for i in 0..count as usize {
            let from = i * hop as usize;
            let segment = &x[from..x.len().min(from + self.window.len())];
            let mean = if self.segments.remove_mean {
                segment.iter().map(|x| x.to_f64()).sum::<f64>() / segment.len() as f64
            } else {
                0.0
            };
            let mut spectrum: Vec<Complex64> = segment
                .iter()
                .zip(&self.window)
                .map(|(x, w)| Complex64::new((x.to_f64() - mean) * w, 0.0))
                .collect();
            spectrum.resize(n_fft, Complex64::default());
            self.fft.process(&mut spectrum);
            for (power, bin) in powers.iter_mut().zip(&spectrum) {
                let new = bin.norm_sqr();
                *power = match self.segments.combine {
                    Combine::Maximum => power.max(new),
                    Combine::Mean => *power + new / f64::from(count),
                };
            }
        }
        let last = powers.len() - 1;
        y.extend(powers.iter().enumerate().map(|(k, power)| {
            let twice = self.segments.one_sided && k != 0 && k != last;
            F::of(power * self.scale * if twice { 2.0 } else { 1.0 })
        }));
    }
}

/// [`crate::graph::StageKind::SpectralShape`].
#[derive(Debug)]
pub(super) struct Shapes {
    /// Frequency of the first bin, and distance of two.
    pub(super) hz: [f64; 2],
    pub(super) shapes: Vec<SpectralShape>,
}

impl<F: Real> SliceOp<F> for Shapes {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let power: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
        let hz = |k: usize| self.hz[0] + self.hz[1] * k as f64;
        let sum: f64 = power.iter().sum();
        let dominant =
            power.iter().enumerate().fold(
                (0, 0.0),
                |best, (k, &p)| if p > best.1 { (k, p) } else { best },
            );
        y.extend(self.shapes.iter().map(|shape| {
            let is_frequency = matches!(
                shape,
                SpectralShape::Centroid
                    | SpectralShape::RollOff(_)
                    | SpectralShape::DominantFrequency
            );
            if sum <= 0.0 {
                return F::of(if is_frequency { hz(0) } else { 0.0 });
            }
            F::of(match shape {
                SpectralShape::Centroid => {
                    power
                        .iter()
                        .enumerate()
                        .map(|(k, p)| hz(k) * p)
                        .sum::<f64>()
                        / sum
                }
                SpectralShape::RollOff(share) => {
                    let limit = sum * f64::from(*share) / 256.0;
                    let mut reached = 0.0;
                    let at = power.iter().position(|p| {
                        reached += p;
                        reached >= limit
                    });
                    hz(at.unwrap_or(power.len() - 1))
                }
                SpectralShape::Flatness if power.iter().any(|&p| p <= 0.0) => 0.0,
                SpectralShape::Flatness => {
                    let n = power.len() as f64;
                    let logs: f64 = power.iter().map(|&p| libm::log(p)).sum();
                    libm::exp(logs / n) / (sum / n)
                }
                SpectralShape::Entropy => {
                    let shares = power.iter().map(|p| p / sum).filter(|&p| p > 0.0);
                    -shares.map(|p| p * libm::log(p)).sum::<f64>() / libm::log(power.len() as f64)
                }
                SpectralShape::DominantFrequency => hz(dominant.0),
                SpectralShape::DominantPower => dominant.1,
                _ => f64::NAN,
            })
        }));
    }
}

/// [`crate::graph::StageKind::Peaks`].
#[derive(Debug)]
pub(super) struct Peaks {
    /// Frequency of the first bin, and distance of two.
    pub(super) hz: [f64; 2],
    pub(super) threshold: f64,
    pub(super) count: usize,
}

impl<F: Real> SliceOp<F> for Peaks {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let power: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
        let mut peaks = Vec::new();
        let mut rise = None;
        for at in 0..power.len().saturating_sub(1) {
            if power[at + 1] > power[at] {
                rise = Some(at + 1);
            } else if power[at + 1] < power[at]
                && let Some(first) = rise.take()
            {
                let middle = first + (at - first).div_ceil(2);
                let height = libm::sqrt(power[middle]);
                if height >= self.threshold {
                    peaks.push([self.hz[0] + self.hz[1] * middle as f64, height]);
                }
            }
        }
        peaks.sort_by(|a, b| b[1].total_cmp(&a[1]));
        peaks.resize(self.count, [0.0; 2]);
        y.extend(peaks.into_iter().flatten().map(F::of));
    }
}
