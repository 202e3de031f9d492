//! From a frame to the power or magnitude of its bins.

use std::ops::Range;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::GraphError;
use super::real::Real;
use super::vector::check_len;
use crate::graph::{Stage, StageKind};

/// Real FFT and what follows it.
pub(super) struct Spectrum<F> {
    fft: Arc<dyn RealToComplex<F>>,
    frame: Vec<F>,
    bins: Vec<Complex<F>>,
    scratch: Vec<Complex<F>>,
    scale: F,
    root: bool,
}

impl<F: Real> Spectrum<F> {
    /// The stages `rfft` and `after` on frames of `input` values.
    pub(super) fn new(
        rfft: &Stage,
        n_fft: usize,
        after: Option<&Stage>,
        input: usize,
    ) -> Result<Self, GraphError> {
        if n_fft < input || n_fft == 0 {
            return Err(GraphError::new(
                rfft,
                format!("an FFT of {n_fft} for frames of {input}: it must be at least as long"),
            ));
        }
        check_len(rfft, n_fft / 2 + 1)?;
        let (scale, root) = match after.map(|stage| &stage.kind) {
            Some(StageKind::Power { scale }) => (*scale, false),
            Some(StageKind::Magnitude { scale }) => (*scale, true),
            _ => {
                return Err(GraphError::new(
                    rfft,
                    "must be followed by power or magnitude",
                ));
            }
        };
        if let Some(after) = after {
            check_len(after, rfft.len)?;
        }
        let fft = RealFftPlanner::<F>::new().plan_fft_forward(n_fft);
        Ok(Self {
            frame: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            scale: F::of(scale),
            root,
        })
    }

    /// Transforms a frame.
    #[inline(always)]
    pub(super) fn transform(&mut self, frame: impl ExactSizeIterator<Item = F>) {
        let (head, tail) = self.frame.split_at_mut(frame.len());
        for (to, x) in head.iter_mut().zip(frame) {
            *to = x;
        }
        tail.fill(F::zero());
        self.fft
            .process_with_scratch(&mut self.frame, &mut self.bins, &mut self.scratch)
            .expect("the buffers have the lengths that the plan asked for");
    }

    /// The bins of the last frame.
    pub(super) fn bins(&self) -> &[Complex<F>] {
        &self.bins
    }

    /// Writes power or magnitude of `range` of the last frame's bins into `lane` of `out`.
    #[inline(always)]
    pub(super) fn write<const L: usize>(
        &self,
        range: Range<usize>,
        out: &mut [[F; L]],
        lane: usize,
    ) {
        for (to, bin) in out[range.clone()].iter_mut().zip(&self.bins[range]) {
            let power = bin.re * bin.re + bin.im * bin.im;
            to[lane] = self.scale * if self.root { power.sqrt() } else { power };
        }
    }
}
