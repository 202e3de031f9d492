//! What the stages of a plan leave behind, as real numbers.

use super::all_ops;
use super::device::push_all;
use crate::error::{EngineError, LowerError};
use crate::executor::Samples;
use crate::plan_builder::{PlanBytes, PlanNotes, StageFormat};
use otolith_dsp_nostd::format::Elem;

use otolith_dsp_nostd::{Plan, PlanInfo, Runner, Tensors};

/// The output of one stage over a recording, and how much of its integers' range it took.
#[derive(Clone, Debug, PartialEq)]
pub struct StageTrace {
    /// Name of the graph's stage.
    pub stage: String,
    /// Its values of all frames, as real numbers.
    pub values: Vec<f64>,
    /// Largest magnitude of the integers.
    pub largest: f64,
    /// Largest magnitude that the integers may have.
    pub limit: f64,
}

impl StageTrace {
    /// Bits between the largest integer and the limit, `log2(limit / largest)`; none when all
    /// were 0.
    pub fn headroom_bits(&self) -> Option<f64> {
        (self.largest > 0.0).then(|| libm::log2(self.limit / self.largest))
    }
}

/// Runs `plan` over `samples`, then zeros up to `padded` samples, and looks at the tensors that
/// its notes describe, one entry for each [`StageFormat`].
pub(super) fn trace(
    plan: &PlanBytes,
    samples: Samples<'_>,
    padded: usize,
) -> Result<Vec<StageTrace>, EngineError> {
    let info = PlanInfo::from_bytes(plan)?;
    let notes: PlanNotes = serde_json::from_slice(info.info())
        .map_err(|error| LowerError::new("plan", format!("its notes cannot be read: {error}")))?;
    trace_formats(plan, &notes.formats, samples, padded)
}

fn trace_formats(
    plan: &PlanBytes,
    formats: &[StageFormat],
    samples: Samples<'_>,
    padded: usize,
) -> Result<Vec<StageTrace>, EngineError> {
    let mut traces: Vec<StageTrace> = formats.iter().map(empty).collect();
    let mut look = |step: usize, tensors: &Tensors<'_>| {
        for (format, trace) in formats.iter().zip(&mut traces) {
            if format.step == step {
                take(format, tensors, trace);
            }
        }
    };
    let plan = Plan::from_bytes(plan, all_ops())?;
    let mut memory = vec![0u64; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut memory))?;
    match samples {
        Samples::F32(samples) => {
            let push = |r: &mut Runner<'_>, s: &[f32]| r.push_f32_observed(s, &mut look);
            push_all(&mut runner, samples, push, &mut |_, _| ())?;
        }
        Samples::I16(samples) => {
            let push = |r: &mut Runner<'_>, s: &[i16]| r.push_i16_observed(s, &mut look);
            push_all(&mut runner, samples, push, &mut |_, _| ())?;
        }
    }
    let zeros = vec![0i16; padded.saturating_sub(samples.len())];
    let push = |r: &mut Runner<'_>, s: &[i16]| r.push_i16_observed(s, &mut look);
    push_all(&mut runner, &zeros, push, &mut |_, _| ())?;
    Ok(traces)
}

fn empty(format: &StageFormat) -> StageTrace {
    StageTrace {
        stage: format.stage.clone(),
        values: Vec::new(),
        largest: 0.0,
        limit: format.limit,
    }
}

/// Appends what the tensor of `format` holds now.
fn take(format: &StageFormat, tensors: &Tensors<'_>, trace: &mut StageTrace) {
    let scalar = |tensor: usize| {
        let value = tensors.get::<i32>(tensor).and_then(|t| t.first());
        f64::from(value.copied().unwrap_or(0))
    };
    let mut factor = 1.0;
    if let Some((tensor, power)) = format.exponent {
        factor *= libm::exp2(scalar(tensor) * f64::from(power));
    }
    if let Some((tensor, power)) = format.peak {
        factor *= libm::pow(32768.0 / scalar(tensor), f64::from(power));
    }
    let integers = integers(tensors, format.tensor);
    let columns = format
        .scale
        .iter()
        .cycle()
        .zip(format.offset.iter().cycle());
    for (&integer, (scale, offset)) in integers.iter().zip(columns) {
        trace.largest = trace.largest.max(libm::fabs(integer));
        trace.values.push((integer * scale + offset) * factor);
    }
}

/// The elements of an integer tensor; those of 64 bits are rounded to f64.
fn integers(tensors: &Tensors<'_>, index: usize) -> Vec<f64> {
    macro_rules! read {
        ($elem:ty, $wide:expr) => {
            tensors
                .get::<$elem>(index)
                .map(|values| values.iter().map($wide).collect())
        };
    }
    let values = match tensors.elem(index) {
        Some(Elem::I8) => read!(i8, |&x| x.into()),
        Some(Elem::U8) => read!(u8, |&x| x.into()),
        Some(Elem::I16) => read!(i16, |&x| x.into()),
        Some(Elem::U16) => read!(u16, |&x| x.into()),
        Some(Elem::I32) => read!(i32, |&x| x.into()),
        Some(Elem::U32) => read!(u32, |&x| x.into()),
        Some(Elem::I64) => read!(i64, |&x| x as f64),
        Some(Elem::U64) => read!(u64, |&x| x as f64),
        Some(Elem::F32) | None => None,
    };
    values.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan_builder::PlanBuilder;
    use otolith_dsp_nostd::format::{Numeric, Section};
    use otolith_dsp_nostd::ops::frame::{FRAME_I16_F32, PEAK_I16_F32, PeakParams};
    use otolith_dsp_nostd::ops::frame::{FrameParams, Padding};

    /// Windows of 4 samples every 2, cut into 2 frames of 2: a step in the window section, and
    /// one in the frame section.
    fn plan() -> PlanBytes {
        let mut plan = PlanBuilder::new("traced", Numeric::F32);
        let source = plan.source(Elem::I16, 4, 2, 0);
        let (rows, row) = plan.rows(Elem::F32, 2, 2, 2, 2);
        let gain = plan.state("gain", Elem::F32, &[1]);
        plan.table::<i32>("exponent", &[1], &[-2]);
        plan.table::<i32>("peak", &[1], &[8192]);
        plan.table::<i8>("column", &[3], &[5, -7, 100]);
        let peak = PeakParams { magnitude: true }.encode();
        plan.step(
            Section::Window,
            &PEAK_I16_F32,
            "peak",
            &[source, gain],
            &peak,
        );
        let cut = FrameParams {
            start: 0,
            hop: 2,
            history: 0,
            padding: Padding::Zero,
            gain: 1.0,
            pre_emphasis: 0.0,
        };
        plan.step(
            Section::Frame,
            &FRAME_I16_F32,
            "cut",
            &[source, row],
            &cut.encode(),
        );
        plan.features(rows, &[2, 2]);
        plan.finish().expect("sound")
    }

    fn format(step: usize, tensor: usize) -> StageFormat {
        StageFormat {
            stage: "stage".into(),
            step,
            tensor,
            scale: vec![0.5, 2.0],
            offset: vec![0.0, 1.0],
            exponent: None,
            peak: None,
            limit: 800.0,
        }
    }

    #[test]
    fn integers_become_real_numbers_by_the_formula() {
        // Tensors in the order of `plan`: source, rows, row, gain, exponent, peak, column.
        let scaled = StageFormat {
            exponent: Some((4, 3)),
            peak: Some((5, 1)),
            ..format(1, 6)
        };
        let formats = [format(0, 0), scaled, format(1, 1)];
        let samples = [10i16, -20, 30, 40, 50, -60, 70];
        let found = trace_formats(&plan(), &formats, samples.as_slice().into(), 8).expect("runs");
        // One look at each window, the last one filled up with a zero.
        let window = |w: [f64; 4]| [w[0] * 0.5, w[1] * 2.0 + 1.0, w[2] * 0.5, w[3] * 2.0 + 1.0];
        let windows = [
            [10.0, -20.0, 30.0, 40.0],
            [30.0, 40.0, 50.0, -60.0],
            [50.0, -60.0, 70.0, 0.0],
        ];
        assert_eq!(found[0].values, windows.map(window).concat());
        assert_eq!(found[0].largest, 70.0);
        // Two looks in each of the 3 windows; 2^(-2 * 3) * (32768 / 8192) = 1 / 16.
        let column = [5.0 * 0.5, -7.0 * 2.0 + 1.0, 100.0 * 0.5].map(|x| x / 16.0);
        assert_eq!(found[1].values, column.repeat(6));
        assert_eq!(found[1].headroom_bits(), Some(3.0));
        // Floats have no such format.
        assert_eq!((found[2].values.len(), found[2].headroom_bits()), (0, None));
    }

    #[test]
    fn the_observed_run_has_the_events_of_the_ordinary_one() {
        let plan = plan();
        let samples: Vec<i16> = (0..50).map(|i| i * 31 % 17 - 8).collect();
        let run = |observed: bool| {
            let plan = Plan::from_bytes(&plan, all_ops()).expect("sound");
            let mut memory = vec![0u64; plan.arena_len().div_ceil(8)];
            let mut runner =
                Runner::new(plan, bytemuck::cast_slice_mut(&mut memory)).expect("arena");
            let (mut features, mut steps) = (Vec::new(), Vec::new());
            let push = |r: &mut Runner<'_>, s: &[i16]| match observed {
                true => r.push_i16_observed(s, &mut |step, _: &Tensors<'_>| steps.push(step)),
                false => r.push_i16(s),
            };
            push_all(&mut runner, &samples, push, &mut |runner, _| {
                features.extend_from_slice(runner.features::<f32>().expect("f32"));
            })
            .expect("runs");
            (features, steps)
        };
        let (plain, observed) = (run(false), run(true));
        assert_eq!(plain.0, observed.0);
        // Windows end with samples 4, 6, .. 50.
        assert_eq!(observed.1, [0, 1, 1].repeat(24));
    }
}
