//! Plans of the device, run on the host.

use super::{Classification, Values, all_ops};
use crate::deploy::Precision;
use crate::error::{EngineError, LowerError};
use crate::executor::Samples;
use crate::graph::{Graph, Mode};
use crate::lower;
use crate::plan_builder::{PlanBytes, PlanNotes};
use otolith_dsp_nostd::format::{Elem, Place};
use otolith_dsp_nostd::{Decision, Event, Fault, Plan, PlanInfo, Pushed, Runner};

/// A graph's plans in one device numeric, lowered when they are needed.
pub(super) struct Device {
    /// That of a `fixed` plan; none for `f32`.
    precision: Option<Precision>,
    /// The whole plan; for clips, the plan of the last clip's length.
    whole: Option<(usize, PlanBytes)>,
    /// The plan that ends with features.
    features: Option<(usize, PlanBytes)>,
}

impl Device {
    /// Lowers the whole of `graph`, unless that takes the length of a clip.
    pub(super) fn new(graph: &Graph, precision: Option<Precision>) -> Result<Self, LowerError> {
        let mut device = Self {
            precision,
            whole: None,
            features: None,
        };
        if graph.first().source.mode != Mode::Clip {
            device.whole(graph, 0)?;
        }
        Ok(device)
    }

    /// The plan for recordings of `len` samples, which only clips depend on.
    pub(super) fn whole(&mut self, graph: &Graph, len: usize) -> Result<PlanBytes, LowerError> {
        cached(&mut self.whole, self.precision, graph, len)
    }

    /// The plan that ends with features.
    pub(super) fn featured(&mut self, graph: &Graph, len: usize) -> Result<PlanBytes, LowerError> {
        if graph.head.is_none() {
            return self.whole(graph, len);
        }
        let graph = Graph {
            head: None,
            ..graph.clone()
        };
        cached(&mut self.features, self.precision, &graph, len)
    }

    /// Number of events and the features of all of them.
    pub(super) fn features(
        &mut self,
        graph: &Graph,
        inputs: &[(Samples<'_>, usize)],
    ) -> Result<(usize, Values), EngineError> {
        let len = inputs.first().map_or(0, |(samples, _)| samples.len());
        let plan = self.featured(graph, len / graph.first().source.axes)?;
        let mut events = 0;
        if self.precision.is_none() {
            let mut values = Vec::new();
            run_plan(&plan, inputs, |runner, _| {
                events += 1;
                values.extend_from_slice(runner.features::<f32>().unwrap_or(&[]));
            })?;
            return Ok((events, Values::F32(values)));
        }
        let scale = feature_scale(&plan)?;
        if PlanInfo::from_bytes(&plan).is_ok_and(|info| features_are(&info, Elem::I32)) {
            let mut values = Vec::new();
            run_plan(&plan, inputs, |runner, _| {
                events += 1;
                values.extend_from_slice(runner.features::<i32>().unwrap_or(&[]));
            })?;
            return Ok((events, Values::I32 { values, scale }));
        }
        let mut values = Vec::new();
        run_plan(&plan, inputs, |runner, _| {
            events += 1;
            values.extend_from_slice(runner.features::<i16>().unwrap_or(&[]));
        })?;
        Ok((events, Values::I16 { values, scale }))
    }
}

fn cached(
    cache: &mut Option<(usize, PlanBytes)>,
    precision: Option<Precision>,
    graph: &Graph,
    len: usize,
) -> Result<PlanBytes, LowerError> {
    let key = match graph.first().source.mode {
        Mode::Clip => len,
        _ => 0,
    };
    if let Some((cached, plan)) = cache
        && *cached == key
    {
        return Ok(plan.clone());
    }
    let plan = match precision {
        None => lower::lower_f32(graph, Some(len))?,
        Some(precision) => lower::lower_fixed(graph, Some(len), precision)?,
    };
    *cache = Some((key, plan.clone()));
    Ok(plan)
}

/// Whether the plan's features have elements of type `elem`.
fn features_are(info: &PlanInfo<'_>, elem: Elem) -> bool {
    let id = usize::from(info.header().features);
    info.tensors()
        .get(id)
        .is_some_and(|record| record.elem == elem as u8)
}

/// Real value of one unit of each column of the `i16` or `i32` features of a `fixed` plan, one for each
/// column.
///
/// # Errors
/// [`LowerError`] when the plan's notes do not say it, which lowering excludes.
pub fn feature_scale(plan: &PlanBytes) -> Result<Vec<f64>, LowerError> {
    let unknown = || LowerError::new("plan", "it does not say how its features are scaled");
    let info = PlanInfo::from_bytes(plan).map_err(|e| LowerError::new("plan", e.to_string()))?;
    let notes: PlanNotes = serde_json::from_slice(info.info()).map_err(|_| unknown())?;
    let header = info.header();
    let records = info.tensors();
    let row_len = notes.feature_shape.last().copied().ok_or_else(unknown)?;
    // Rows are filled one by one: what holds for the row holds for all of them.
    let is_features = |tensor: usize| {
        tensor == usize::from(header.features)
            || header.features == header.rows
                && records
                    .get(tensor)
                    .is_some_and(|record| record.place == Place::Row as u8)
    };
    let format = notes
        .formats
        .iter()
        .rfind(|format| is_features(format.tensor));
    let integers = features_are(&info, Elem::I16) || features_are(&info, Elem::I32);
    match format {
        Some(format) if integers && !format.scale.is_empty() => {
            Ok(format.scale.iter().copied().cycle().take(row_len).collect())
        }
        _ => Err(unknown()),
    }
}

/// Runs a plan over the samples of each input, then zeros up to the number beside them; calls
/// `on_event` at each event.
pub(super) fn run_plan(
    plan: &PlanBytes,
    inputs: &[(Samples<'_>, usize)],
    mut on_event: impl FnMut(&Runner<'_>, Event),
) -> Result<(), EngineError> {
    let plan = Plan::from_bytes(plan, all_ops())?;
    let mut memory = vec![0u64; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut memory))?;
    let mut at = vec![0; inputs.len()];
    // An input that is ahead waits for the others: turn by turn until none takes more.
    loop {
        let before = at.clone();
        for (input, (&(samples, padded), at)) in inputs.iter().zip(&mut at).enumerate() {
            let rest = samples.slice(*at, samples.len());
            *at += match rest {
                Samples::F32(rest) => push_all(
                    &mut runner,
                    rest,
                    |runner, samples| runner.push_f32_to(input, samples),
                    &mut on_event,
                )?,
                Samples::I16(rest) => push_all(
                    &mut runner,
                    rest,
                    |runner, samples| runner.push_i16_to(input, samples),
                    &mut on_event,
                )?,
            };
            if *at >= samples.len() {
                let zeros = vec![0i16; padded.saturating_sub(*at)];
                *at += push_all(
                    &mut runner,
                    &zeros,
                    |runner, samples| runner.push_i16_to(input, samples),
                    &mut on_event,
                )?;
            }
        }
        if at == before {
            return Ok(());
        }
    }
}

/// Pushes `samples` until all are consumed or the input must wait; calls `on_event` at each
/// event. Returns how many were consumed.
pub(super) fn push_all<'a, T>(
    runner: &mut Runner<'a>,
    samples: &[T],
    mut push: impl FnMut(&mut Runner<'a>, &[T]) -> Result<Pushed, Fault>,
    on_event: &mut impl FnMut(&Runner<'a>, Event),
) -> Result<usize, EngineError> {
    let mut rest = samples;
    loop {
        let pushed = push(runner, rest)?;
        rest = &rest[pushed.consumed..];
        match pushed.event {
            Some(event) => on_event(runner, event),
            None => return Ok(samples.len() - rest.len()),
        }
    }
}

/// What a runner said; `scale` is the real value of one unit of its scores.
pub(super) fn classification(
    runner: &Runner<'_>,
    event: Event,
    samples: u64,
    scale: f64,
) -> Classification {
    let real = |x: f32| x * scale as f32;
    Classification {
        samples,
        scores: runner.scores().iter().map(|&s| real(s.into())).collect(),
        decision: match event {
            Event::Decision(Decision { label, score_q15 }) => {
                Some((label.into(), real(score_q15.into())))
            }
            _ => None,
        },
    }
}
