//! Steps of the micro-frontend, which are integers in every numeric.

use super::Layout;
use crate::graph::{Chain, MicroFrontend, Mode, StageKind};
use crate::plan_builder::{Format, PlanBuilder, TensorId};
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::fixed::frame::{FRAME_I16, FrameParams};
use otolith_dsp_nostd::ops::fixed::micro::{bank, fft, gain, log, noise, window};
use otolith_dsp_nostd::ops::frame::Padding;

/// The micro-frontend that `chain` begins with, if it does.
pub(super) fn of(chain: &Chain) -> Option<&MicroFrontend> {
    match &chain.frame.first()?.kind {
        StageKind::MicroFrontend(front) => Some(front),
        _ => None,
    }
}

/// Adds the steps from the 16-bit source window to features in `u32`, of which the tensor is
/// returned.
///
/// The noise estimate is state. In a stream it runs on; a window is a recording of its own, as the
/// clips of a training set are, and starts without noise.
pub(super) fn features(
    plan: &mut PlanBuilder,
    chain: &Chain,
    front: &MicroFrontend,
    layout: &Layout,
    source: TensorId,
) -> TensorId {
    let name = chain.frame.first().map_or("", |stage| &stage.name);
    let mut steps = Steps { plan, name };
    let shift = steps.tensor("shift", Elem::I32, 1);
    let spectrum = steps.spectrum(chain, front, layout, source, shift);
    let channels = front.channels();
    let x = steps.tensor("amplitudes", Elem::U32, channels);
    let lengths = steps.table("filter_bank.lengths", &front.segments);
    let rising = steps.table("filter_bank.rising", &front.rising);
    let falling = steps.table("filter_bank.falling", &front.falling);
    let operands = [spectrum, lengths, rising, falling, shift, x];
    let first = front.first_bin as u32;
    let op = &bank::MICRO_FILTER_BANK_U32;
    steps.step(op, "filter_bank", &operands, &[first]);
    steps.format("filter_bank", x, 1.0);

    let smoothing = steps.table("noise_reduction.smoothing", &front.smoothing);
    let estimate = format!("{name}.noise");
    let estimate = steps.plan.state(&estimate, Elem::U32, &[channels]);
    let params = noise::NoiseParams {
        min_signal_remaining: front.min_signal_remaining,
        smoothing_bits: front.smoothing_bits,
        fresh: chain.source.mode != Mode::Stream,
    };
    let operands = [smoothing, x, estimate];
    let op = &noise::MICRO_NOISE_REDUCTION_U32;
    steps.step(op, "noise_reduction", &operands, &params.encode());
    steps.format("noise_reduction", x, 1.0);

    if let Some(pcan) = &front.pcan {
        let gains = steps.table("pcan.gains", &pcan.gains);
        let operands = [estimate, gains, x];
        steps.step(&gain::MICRO_PCAN_U32, "pcan", &operands, &[pcan.shift]);
        steps.format("pcan", x, libm::exp2(-f64::from(gain::OUTPUT_Q)));
    }
    if let Some(log) = &front.log {
        let corrections = steps.table("log.corrections", &log.corrections);
        let params = [log.correction_bits as u32, log.scale_shift];
        steps.step(&log::MICRO_LOG_U32, "log", &[x, corrections], &params);
        steps.format("log", x, libm::exp2(-f64::from(log.scale_shift)));
    }
    x
}

/// The steps of one micro-frontend.
struct Steps<'b, 'n> {
    plan: &'b mut PlanBuilder,
    name: &'n str,
}

impl Steps<'_, '_> {
    /// From the source window to the bins of a frame, and the shift of its samples.
    fn spectrum(
        &mut self,
        chain: &Chain,
        front: &MicroFrontend,
        layout: &Layout,
        source: TensorId,
        shift: TensorId,
    ) -> TensorId {
        let len = front.window.len();
        let frame = self.plan.tensor("frame", Elem::I16, &[len]);
        let params = FrameParams {
            start: layout.start as i32,
            hop: chain.framing.hop as u32,
            history: layout.history as u32,
            padding: Padding::Zero,
        };
        let operands = [source, frame];
        let section = Section::Frame;
        self.plan.step(
            section,
            &FRAME_I16,
            "input.frame",
            &operands,
            &params.encode(),
        );

        let table = self.table("window", &front.window);
        let weighted = self.tensor("weighted", Elem::I16, front.n_fft);
        let operands = [frame, table, weighted, shift];
        let op = &window::MICRO_WINDOW_I16;
        self.step(op, "window", &operands, &[front.peak as u32]);

        let twiddles = self.table("fft.twiddles", &front.twiddles);
        let split = self.table("fft.split", &front.split);
        let bins = self.tensor("bins", Elem::I16, front.n_fft + 2);
        let operands = [weighted, twiddles, split, bins];
        self.step(&fft::MICRO_RFFT_I16, "fft", &operands, &[]);
        let format = Format {
            exponent: Some((shift, -1)),
            limit: f64::from(i16::MAX),
            ..plain(1.0)
        };
        self.plan
            .format(section, &format!("{}.fft", self.name), bins, format);
        bins
    }

    fn step(&mut self, op: &'static Op, part: &str, operands: &[TensorId], params: &[u32]) {
        let name = format!("{}.{part}", self.name);
        self.plan.step(Section::Frame, op, &name, operands, params);
    }

    fn tensor(&mut self, part: &str, elem: Elem, len: usize) -> TensorId {
        let name = format!("{}.{part}", self.name);
        self.plan.tensor(&name, elem, &[len])
    }

    fn table<T: otolith_dsp_nostd::format::Element + bytemuck::NoUninit>(
        &mut self,
        part: &str,
        values: &[T],
    ) -> TensorId {
        let name = format!("{}.{part}", self.name);
        self.plan.table(&name, &[values.len()], values)
    }

    fn format(&mut self, part: &str, tensor: TensorId, scale: f64) {
        let name = format!("{}.{part}", self.name);
        self.plan
            .format(Section::Frame, &name, tensor, plain(scale));
    }
}

/// Unsigned integers with a scale.
fn plain(scale: f64) -> Format {
    Format {
        scale: vec![scale],
        offset: vec![0.0],
        exponent: None,
        peak: None,
        limit: f64::from(u32::MAX),
    }
}
