//! Filters of a whole vector, computed in f64 in both numerics.

use super::real::Real;
use super::slices::SliceOp;
use crate::graph::Section;

/// [`crate::graph::StageKind::Sos`].
#[derive(Debug)]
pub(super) struct Sos {
    pub(super) sections: Vec<Section>,
    pub(super) steady: bool,
}

impl<F: Real> SliceOp<F> for Sos {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let mut values: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
        let mut constant = match values.first() {
            Some(&first) if self.steady => first,
            _ => 0.0,
        };
        for section in &self.sections {
            let ([b0, b1, b2], [a1, a2]) = (section.b, section.a);
            let settled = constant * section.gain_of_constants();
            let (mut s0, mut s1) = (settled - b0 * constant, b2 * constant - a2 * settled);
            for value in &mut values {
                let output = b0 * *value + s0;
                s0 = b1 * *value - a1 * output + s1;
                s1 = b2 * *value - a2 * output;
                *value = output;
            }
            constant = settled;
        }
        y.extend(values.into_iter().map(F::of));
    }
}

/// [`crate::graph::StageKind::Wavelet`].
#[derive(Debug)]
pub(super) struct WaveletFilter(pub(super) Vec<f64>);

impl<F: Real> SliceOp<F> for WaveletFilter {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let (n, period) = (x.len() as isize, 2 * x.len() as isize);
        let outputs = (x.len() + self.0.len() - 1) / 2;
        y.extend((0..outputs as isize).map(|o| {
            let sum: f64 = self
                .0
                .iter()
                .zip((0..=2 * o + 1).rev().chain((1..).map(|i| -i)))
                .map(|(h, at)| {
                    let folded = at.rem_euclid(period);
                    h * x[folded.min(period - 1 - folded).min(n - 1) as usize].to_f64()
                })
                .sum();
            F::of(sum)
        }));
    }
}
