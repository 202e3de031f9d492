//! One way to run a graph over recordings, in any numeric.
//!
//! `reference` and `host` compute features with the [executor](crate::executor) and run the
//! classifier as a plan of its own, a float classifier by the
//! [reference interpreter](crate::network); `f32` and `fixed` run the device's plan, bit for bit.

mod decide;
mod device;
mod float_head;
mod heard;
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
use float_head::FloatHead;
use heard::{Heard, padded_inputs};
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

/// In what arithmetic features are computed. An int8 network is int8 in all of them; a float
/// network is computed like the features in `reference` and `host`, and the device refuses it.
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
    /// The classifier alone, fed with rows, for the executor's features.
    head: Option<Classifier>,
}

enum Classifier {
    /// Of an int8 network.
    Plan(PlanBytes),
    Float(FloatHead),
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
        let network = graph
            .head
            .as_ref()
            .filter(|head| head.model.network().is_some());
        let head = match (&front, network) {
            (Front::Device(_), _) | (_, None) => None,
            (_, Some(head)) if head.model.network().is_some_and(lower::network::is_float) => {
                Some(Classifier::Float(FloatHead::new(graph, head)?))
            }
            (_, Some(_)) => Some(Classifier::Plan(lower::lower_head(graph)?)),
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
            // Samples heard by the end of a classification's rows.
            let heard = |number: usize, rows: usize| {
                let samples = match self.mode() {
                    Mode::Stream => {
                        let last = (rows.max(1) - 1) * framing.hop;
                        (last + framing.frame_len).saturating_add_signed(framing.start)
                            * self.graph.first().decimation()
                    }
                    _ => spans.get(number).map_or(0, |&(_, end)| end),
                };
                (samples as u64).min(total)
            };
            let estimator = self.graph.head.as_ref().and_then(|head| match &head.model {
                HeadModel::Estimator(estimator) => Some((head, estimator)),
                HeadModel::Network(_) => None,
            });
            match (&self.head, estimator) {
                (Some(Classifier::Float(head)), _) => {
                    said = head.classify(&features.values, heard)?;
                }
                (Some(Classifier::Plan(head)), _) => {
                    let values = features.values.to_f32();
                    let values = Samples::from(values.as_slice());
                    run_plan(head, &[(values, 0)], |runner, event| {
                        let rows = runner.clock() as usize / row_len;
                        let samples = heard(said.len(), rows);
                        said.push(classification(runner, event, samples, score_scale));
                    })?;
                }
                (None, Some((head, estimator))) => {
                    let mut decider = Decider::new(head);
                    let hop = match self.mode() {
                        Mode::Stream => head.row_hop,
                        Mode::Window { .. } | Mode::Clip => head.rows,
                    };
                    let values = features.values.to_f64();
                    let windows = values.windows(head.rows * row_len);
                    for (i, x) in windows.step_by(hop * row_len).enumerate() {
                        let samples = heard(i, head.rows + i * hop);
                        said.push(decider.decide(estimator.scores(x), samples));
                    }
                }
                (None, None) => return Err(EngineError::NoClassifier),
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
