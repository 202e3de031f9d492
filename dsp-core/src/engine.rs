//! One way to run a graph over recordings, in any numeric.
//!
//! `reference` and `host` compute features with the [executor](crate::executor) and run the
//! classifier as a plan of its own; `f32` and `fixed` run the device's plan, bit for bit.

mod decide;
mod device;
mod trace;
mod values;

use crate::deploy::{Deploy, DeviceNumeric, Precision};
use crate::error::{EngineError, LowerError};
use crate::executor::{Executor, GraphError, Real, Samples, condition};
use crate::graph::{Graph, HeadModel, Mode};
use crate::lower;
use crate::plan_builder::PlanBytes;
use decide::Decider;
use device::{Device, classification, run_plan};
use otolith_dsp_nostd::Op;
use std::sync::LazyLock;

pub use device::feature_scale;
pub use trace::StageTrace;
pub use values::Values;

/// Every operator there is: what host programs link.
pub fn all_ops() -> &'static [&'static Op] {
    static OPS: LazyLock<Vec<&'static Op>> =
        LazyLock::new(|| [otolith_dsp_nostd::ops::ALL, otolith_classifier::ALL].concat());
    &OPS
}

/// In what arithmetic features are computed. Networks are int8 in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numeric {
    /// f64 on the host: the truth.
    Reference,
    /// f32 on the host, fast; bits are not promised.
    Host,
    /// The device's f32 plan: the device's own bits.
    F32,
    /// The device's integer plan: the device's own bits.
    Fixed(Precision),
}

impl Numeric {
    /// All numerics.
    pub const ALL: [Self; 5] = [
        Self::Reference,
        Self::Host,
        Self::F32,
        Self::Fixed(Precision::Full),
        Self::Fixed(Precision::Light),
    ];

    /// The name in files and on the command line, which leaves the precision of `fixed` to
    /// `deploy.precision`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Host => "host",
            Self::F32 => "f32",
            Self::Fixed(_) => "fixed",
        }
    }

    /// The numeric called `name`, with the precision that `deploy` states.
    pub fn named(name: &str, deploy: &Deploy) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|numeric| numeric.name() == name)
            .map(|numeric| match numeric {
                Self::Fixed(_) => Self::Fixed(deploy.precision),
                other => other,
            })
    }

    /// The numeric of the device that `deploy` describes.
    pub fn of_device(deploy: &Deploy) -> Self {
        match deploy.numeric {
            DeviceNumeric::F32 => Self::F32,
            DeviceNumeric::Fixed => Self::Fixed(deploy.precision),
        }
    }
}

/// The features of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// Windows; 1 for streams and whole clips.
    pub windows: usize,
    /// Rows in each window.
    pub rows: usize,
    /// Values in each row.
    pub row_len: usize,
    /// `windows * rows * row_len` values.
    pub values: Values,
}

/// What the classifier said once.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// Samples of the recording that were heard, at most its length.
    pub samples: u64,
    /// Average score of each label: from 0 to 1 for a classifier, at least 0 for an anomaly score,
    /// any number for a regression.
    pub scores: Vec<f32>,
    /// The label that was decided for and its score, if any.
    pub decision: Option<(usize, f32)>,
}

/// Runs one graph in one numeric.
pub struct Engine {
    numeric: Numeric,
    graph: Graph,
    pad_tail: bool,
    front: Front,
    /// The network alone, fed with rows, for the executor's features.
    head: Option<PlanBytes>,
}

enum Front {
    /// One executor for each chain.
    Reference(Vec<Executor<f64>>),
    Host(Vec<Executor<f32>>),
    Device(Device),
}

impl Engine {
    /// Prepares `graph`. With `pad_tail`, samples at the end of a recording that no window has
    /// covered get a last window, filled up with zeros.
    ///
    /// # Errors
    /// [`LowerError`] when the graph has no plan in this numeric.
    pub fn new(graph: &Graph, numeric: Numeric, pad_tail: bool) -> Result<Self, LowerError> {
        let inconsistent = |e: GraphError| LowerError::new(e.stage, e.why);
        let front = match numeric {
            Numeric::Reference => Front::Reference(executors(graph).map_err(inconsistent)?),
            Numeric::Host => Front::Host(executors(graph).map_err(inconsistent)?),
            Numeric::F32 => Front::Device(Device::new(graph, None)?),
            Numeric::Fixed(precision) => Front::Device(Device::new(graph, Some(precision))?),
        };
        let network = graph.head.as_ref().and_then(|head| head.model.network());
        let head = match (&front, network) {
            (Front::Device(_), _) | (_, None) => None,
            (_, Some(_)) => Some(lower::lower_head(graph)?),
        };
        Ok(Self {
            numeric,
            graph: graph.clone(),
            pad_tail,
            front,
            head,
        })
    }

    /// The numeric.
    pub fn numeric(&self) -> Numeric {
        self.numeric
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The features of a recording, `samples` in `[-1, 1)`. A classifier is not run.
    ///
    /// # Errors
    /// [`EngineError`] when the recording is too short for one frame or one window, or a clip has
    /// no plan.
    pub fn features<'a>(
        &mut self,
        samples: impl Into<Samples<'a>>,
    ) -> Result<Features, EngineError> {
        self.features_of(&[samples.into()])
    }

    /// [`features`](Self::features) of a pipeline of several inputs: one recording for each, all
    /// beginning at the same time.
    ///
    /// # Errors
    /// Those of [`features`](Self::features), and [`EngineError::Inputs`].
    pub fn features_of(&mut self, inputs: &[Samples<'_>]) -> Result<Features, EngineError> {
        let row_len = self.graph.row_len();
        let heard = self.heard(inputs)?;
        let features = match &mut self.front {
            Front::Reference(executors) => {
                executed(executors, &self.graph, &heard).map(|(w, r, v)| (w, r, Values::F64(v)))
            }
            Front::Host(executors) => {
                executed(executors, &self.graph, &heard).map(|(w, r, v)| (w, r, Values::F32(v)))
            }
            Front::Device(device) => {
                let (events, values) = device.features(&self.graph, &padded_inputs(&heard))?;
                let per_event = values.len().checked_div(events).unwrap_or(0) / row_len;
                let (windows, rows) = match self.mode() {
                    Mode::Stream => (1, events),
                    _ => (events, per_event),
                };
                Some((windows, rows, values))
            }
        };
        match features {
            Some((windows, rows, values)) if windows * rows > 0 => Ok(Features {
                windows,
                rows,
                row_len,
                values,
            }),
            _ => Err(self.too_short(&heard)),
        }
    }

    /// What the classifier says over a recording, in the order of time.
    ///
    /// # Errors
    /// [`EngineError::NoClassifier`] without a classifier; otherwise as
    /// [`features`](Self::features).
    pub fn classify<'a>(
        &mut self,
        samples: impl Into<Samples<'a>>,
    ) -> Result<Vec<Classification>, EngineError> {
        self.classify_of(&[samples.into()])
    }

    /// [`classify`](Self::classify) for a pipeline of several inputs: one recording for each, all
    /// beginning at the same time. Samples that were heard are those of the first input.
    ///
    /// # Errors
    /// Those of [`classify`](Self::classify), and [`EngineError::Inputs`].
    pub fn classify_of(
        &mut self,
        inputs: &[Samples<'_>],
    ) -> Result<Vec<Classification>, EngineError> {
        let Some(head) = &self.graph.head else {
            return Err(EngineError::NoClassifier);
        };
        let head_rows = head.rows;
        let score_scale = head
            .model
            .estimator()
            .map_or(1.0 / 32768.0, |estimator| estimator.score_scale());
        let heard = self.heard(inputs)?;
        let Some(first) = heard.iter().find(|heard| heard.input == 0) else {
            return Err(EngineError::Inputs { found: 0, need: 1 });
        };
        let (axes, spans) = (first.axes, first.spans.clone());
        let moments = first.samples.len() / axes;
        let total = moments as u64;
        let mut said = Vec::new();
        if let Front::Device(device) = &mut self.front {
            let plan = device.whole(&self.graph, moments)?;
            run_plan(&plan, &padded_inputs(&heard), |runner, event| {
                let heard = runner.clock() / axes as u64;
                let heard = heard.min(total);
                said.push(classification(runner, event, heard, score_scale));
            })?;
        } else {
            let features = self.features_of(inputs)?;
            let row_len = features.row_len;
            let framing = &self.graph.first().framing;
            // Samples that were heard when so many rows made this decision.
            let heard = |rows: usize, decision: usize| {
                let samples = match self.mode() {
                    Mode::Stream => {
                        let last = (rows.max(1) - 1) * framing.hop;
                        (last + framing.frame_len).saturating_add_signed(framing.start)
                            * self.graph.first().decimation()
                    }
                    _ => spans.get(decision).map_or(0, |&(_, end)| end),
                };
                (samples as u64).min(total)
            };
            match self.graph.head.as_ref().map(|head| (head, &head.model)) {
                Some((head, HeadModel::Estimator(estimator))) => {
                    let mut decider = Decider::new(head, estimator);
                    let hop = match self.mode() {
                        Mode::Stream => head.row_hop,
                        Mode::Window { .. } | Mode::Clip => head.rows,
                    };
                    let values = features.values.to_f64();
                    let windows = values.windows(head.rows * row_len);
                    for (i, x) in windows.step_by(hop * row_len).enumerate() {
                        let samples = heard(head.rows + i * hop, i);
                        said.push(decider.classify(x, samples));
                    }
                }
                _ => {
                    let head = self.head.clone().ok_or(EngineError::NoClassifier)?;
                    let values = features.values.to_f32();
                    let values = Samples::from(values.as_slice());
                    run_plan(&head, &[(values, 0)], |runner, event| {
                        let rows = runner.clock() as usize / row_len;
                        let samples = heard(rows, said.len());
                        said.push(classification(runner, event, samples, score_scale));
                    })?;
                }
            }
        }
        if said.is_empty() {
            let framing = &self.graph.first().framing;
            return Err(match self.mode() {
                Mode::Stream => EngineError::TooShort {
                    samples: moments,
                    need: ((head_rows - 1) * framing.hop + framing.frame_len)
                        .saturating_add_signed(framing.start)
                        * self.graph.first().decimation(),
                    what: "one classification",
                },
                _ => self.too_short(&heard),
            });
        }
        Ok(said)
    }

    /// What the stages of the features leave behind over a recording, as real numbers, in the
    /// order of the plan's steps. Only `fixed` plans say how their integers stand for real
    /// numbers: empty for other numerics.
    ///
    /// # Errors
    /// As [`features`](Self::features).
    pub fn trace<'a>(
        &mut self,
        samples: impl Into<Samples<'a>>,
    ) -> Result<Vec<StageTrace>, EngineError> {
        let samples = samples.into();
        let heard = self.heard(&[samples])?;
        let axes = self.graph.first().source.axes;
        let padded = padded_inputs(&heard)
            .first()
            .map_or(0, |(_, padded)| *padded);
        match &mut self.front {
            Front::Device(device) => trace::trace(
                &device.featured(&self.graph, samples.len() / axes)?,
                samples,
                padded,
            ),
            Front::Reference(_) | Front::Host(_) => Ok(Vec::new()),
        }
    }

    fn mode(&self) -> Mode {
        self.graph.first().source.mode
    }

    /// What each chain hears of the recordings.
    fn heard<'s>(&self, inputs: &[Samples<'s>]) -> Result<Vec<Heard<'s>>, EngineError> {
        let need = self.graph.chains.iter().map(|c| c.input + 1).max();
        let need = need.unwrap_or(1);
        if inputs.len() != need {
            return Err(EngineError::Inputs {
                found: inputs.len(),
                need,
            });
        }
        let mut heard: Vec<Heard<'s>> = self
            .graph
            .chains
            .iter()
            .map(|chain| {
                let samples = inputs[chain.input];
                let axes = chain.source.axes;
                Heard {
                    input: chain.input,
                    samples,
                    axes,
                    spans: self.spans(chain.recording().mode, samples.len() / axes),
                }
            })
            .collect();
        // Windows that not every input has are not heard.
        let windows = heard.iter().map(|heard| heard.spans.len()).min();
        for heard in &mut heard {
            heard.spans.truncate(windows.unwrap_or(0));
        }
        Ok(heard)
    }

    /// Start and end of each window of a recording of `len` samples; the last end may lie behind
    /// the recording.
    fn spans(&self, mode: Mode, len: usize) -> Vec<(usize, usize)> {
        match mode {
            Mode::Stream | Mode::Clip => vec![(0, len)],
            Mode::Window { len: window, hop } => {
                let whole = len.checked_sub(window).map_or(0, |rest| 1 + rest / hop);
                let covered = if whole == 0 {
                    0
                } else {
                    (whole - 1) * hop + window
                };
                let padded = usize::from(self.pad_tail && covered < len && whole * hop < len);
                (0..whole + padded)
                    .map(|i| (i * hop, i * hop + window))
                    .collect()
            }
        }
    }

    fn too_short(&self, heard: &[Heard<'_>]) -> EngineError {
        // The input with the fewest windows.
        let shortest = heard
            .iter()
            .zip(&self.graph.chains)
            .min_by_key(|(heard, _)| heard.spans.len());
        let Some((heard, chain)) = shortest else {
            return EngineError::Inputs { found: 0, need: 1 };
        };
        let (need, what) = match chain.recording().mode {
            Mode::Window { len, .. } => (len, "one window"),
            _ => (chain.framing.frame_len * chain.decimation(), "one frame"),
        };
        EngineError::TooShort {
            samples: heard.samples.len() / heard.axes,
            need,
            what,
        }
    }
}

/// What a chain hears of a recording.
struct Heard<'s> {
    input: usize,
    samples: Samples<'s>,
    axes: usize,
    /// Start and end of each window, in samples of the recording.
    spans: Vec<(usize, usize)>,
}

/// The recording of each input, and how many values it has once zeros fill its last window.
fn padded_inputs<'s>(heard: &[Heard<'s>]) -> Vec<(Samples<'s>, usize)> {
    let inputs = heard.iter().map(|heard| heard.input + 1).max();
    (0..inputs.unwrap_or(0))
        .filter_map(|input| heard.iter().find(|heard| heard.input == input))
        .map(|heard| {
            let end = heard.spans.last().map_or(0, |&(_, end)| end);
            (heard.samples, end * heard.axes)
        })
        .collect()
}

fn executors<F: Real>(graph: &Graph) -> Result<Vec<Executor<F>>, GraphError> {
    graph.chains.iter().map(Executor::new).collect()
}

/// Windows, rows per window and values. Several executors give one row together.
fn executed<F: Real>(
    executors: &mut [Executor<F>],
    graph: &Graph,
    heard: &[Heard<'_>],
) -> Option<(usize, usize, Vec<F>)> {
    let mut all = Vec::new();
    let mut rows = 0;
    let joined = executors.len() > 1;
    let windows = heard.first().map_or(0, |heard| heard.spans.len());
    let conditioned: Vec<Option<Vec<f32>>> = graph
        .chains
        .iter()
        .zip(heard)
        .map(|(chain, heard)| {
            let end = heard.spans.last().map_or(0, |&(_, end)| end);
            condition(chain, heard.samples, end)
        })
        .collect();
    for window in 0..windows {
        for (i, (executor, heard)) in executors.iter_mut().zip(heard).enumerate() {
            let (start, end) = heard.spans[window];
            let factor = graph.chains[i].decimation();
            let (start, end) = (start / factor * heard.axes, end / factor * heard.axes);
            let samples = conditioned[i].as_ref().map_or(heard.samples, Samples::from);
            let features = if end <= samples.len() {
                executor.features(samples.slice(start, end))
            } else {
                // The same type again, so that the padded window has the bits of an unpadded one.
                match samples.slice(start, samples.len()) {
                    Samples::F32(part) => executor.features(&padded(part, end - start)),
                    Samples::I16(part) => executor.features(&padded(part, end - start)),
                }
            };
            rows = if joined { 1 } else { features.rows };
            if all.is_empty() {
                all = features.values;
            } else {
                all.extend(features.values);
            }
        }
    }
    (rows > 0).then_some((windows, rows, all))
}

/// `samples`, then zeros up to `len` samples.
fn padded<T: Copy + Default>(samples: &[T], len: usize) -> Vec<T> {
    let mut window = samples.to_vec();
    window.resize(len, T::default());
    window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pipeline;

    /// End of the last window of a recording of `n` samples.
    fn last_end(hop_ms: usize, pad_tail: bool, n: usize) -> usize {
        let text = format!(
            "[pipeline]\nname = \"tail\"\n[input]\nrate_hz = 1000\nmode = \"window\"\n\
             window_ms = 100\nwindow_hop_ms = {hop_ms}\n[[block]]\nid = \"features\"\n\
             type = \"mel\"\nframe_ms = 64\nhop_ms = 32\nn_mels = 4\n"
        );
        let pipeline = Pipeline::from_toml(&text, ".".as_ref(), &[]).expect("valid");
        let engine = Engine::new(pipeline.graph(), Numeric::Host, pad_tail).expect("sound");
        let mode = pipeline.graph().first().source.mode;
        engine.spans(mode, n).last().map_or(0, |&(_, end)| end)
    }

    #[test]
    fn the_tail_gets_a_padded_window_or_none() {
        for (n, end) in [(0, 0), (30, 100), (100, 100), (101, 140), (140, 140)] {
            assert_eq!(last_end(40, true, n), end, "{n}");
        }
        for (n, end) in [(30, 0), (100, 100), (139, 100), (140, 140)] {
            assert_eq!(last_end(40, false, n), end, "{n}");
        }
        // Windows with gaps: 150 lies in a gap, 250 in the second window.
        for (n, end) in [(99, 100), (150, 100), (200, 100), (201, 300), (301, 300)] {
            assert_eq!(last_end(200, true, n), end, "{n}");
        }
    }
}
