//! The micro-frontend on the host: the device's integer kernels, between floats.

use super::{GraphError, Real};
use crate::graph::{MicroFrontend, MicroOutput, Stage, StageKind};
use otolith_dsp_nostd::ops::fixed::micro::bank::Bank;
use otolith_dsp_nostd::ops::fixed::micro::noise::NoiseParams;
use otolith_dsp_nostd::ops::fixed::micro::output::{code, limited};
use otolith_dsp_nostd::ops::fixed::micro::{fft, gain, log, window};
use otolith_dsp_nostd::q;

/// A [`StageKind::MicroFrontend`] with its buffers and its noise estimate.
#[derive(Clone, Debug)]
pub(super) struct MicroOp {
    spec: MicroFrontend,
    noise: NoiseParams,
    frame: Vec<i16>,
    weighted: Vec<i16>,
    bins: Vec<i16>,
    amplitudes: Vec<u32>,
    estimate: Vec<u32>,
}

impl MicroOp {
    /// The operation of `stage` on frames of `input` samples; `None` for a stage of another kind.
    pub(super) fn new(stage: &Stage, input: usize) -> Result<Option<Self>, GraphError> {
        let StageKind::MicroFrontend(spec) = &stage.kind else {
            return Ok(None);
        };
        let channels = spec.channels();
        if spec.window.len() != input || input > spec.n_fft || stage.len != channels {
            return Err(GraphError::new(
                stage,
                format!(
                    "takes {} samples to {channels} channels, not {input} to {}",
                    spec.window.len(),
                    stage.len
                ),
            ));
        }
        Ok(Some(Self {
            noise: NoiseParams {
                min_signal_remaining: spec.min_signal_remaining,
                smoothing_bits: spec.smoothing_bits,
                fresh: false,
            },
            frame: vec![0; input],
            weighted: vec![0; spec.n_fft],
            bins: vec![0; spec.n_fft + 2],
            amplitudes: vec![0; channels],
            estimate: vec![0; channels],
            spec: (**spec).clone(),
        }))
    }

    /// Forgets the noise: the next frame is the first of a recording or window.
    pub(super) fn reset(&mut self) {
        self.estimate.fill(0);
    }

    /// The features of one frame of samples in `[-1, 1)`. Samples are rounded to 16 bits, which
    /// changes none that came from 16 bits.
    pub(super) fn apply<F: Real>(&mut self, frame: &[F], row: &mut [F]) {
        let spec = &self.spec;
        for (to, x) in self.frame.iter_mut().zip(frame) {
            *to = q::f32_to_i16(x.to_f64() as f32);
        }
        let shift = window::weigh(&self.frame, &spec.window, spec.peak, &mut self.weighted);
        fft::rfft(&self.weighted, &spec.twiddles, &spec.split, &mut self.bins);
        let bank = Bank {
            first: spec.first_bin,
            lengths: &spec.segments,
            rising: &spec.rising,
            falling: &spec.falling,
        };
        let x = &mut self.amplitudes;
        bank.amplitudes(&self.bins, shift, x);
        self.noise.reduce(&spec.smoothing, x, &mut self.estimate);
        if let Some(pcan) = &spec.pcan {
            gain::normalise(&self.estimate, &pcan.gains, pcan.shift, x);
        }
        if let Some(log) = &spec.log {
            log::logs(x, &log.corrections, log.correction_bits, log.scale_shift);
        }
        for (to, &x) in row.iter_mut().zip(&self.amplitudes) {
            *to = match spec.output {
                MicroOutput::Scaled(scale) => F::of(scale) * F::of(limited(x).into()),
                MicroOutput::Codes => F::of(code(x).into()),
            };
        }
    }
}
