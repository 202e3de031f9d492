//! From an [`Estimator`] to operators: what plans of both numerics have, and `f32` plans.

use crate::error::LowerError;
use crate::estimator::{
    Covariance, Estimator, Forest, Kind, Linear, Link, Logistic, Mixture, Node, ScoreKind,
};
use crate::graph::Head;
use crate::plan_builder::{PlanBuilder, TensorId};
use otolith_classifier::ops::{anomaly, decide, linear, tree};
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Element, Section};
use otolith_dsp_nostd::ops::fixed::scale;
use otolith_dsp_nostd::ops::matrix;

/// Appends an estimator that takes real numbers, and the decision behind it.
pub(super) fn f32(
    plan: &mut PlanBuilder,
    head: &Head,
    estimator: &Estimator,
    features: TensorId,
) -> Result<(), LowerError> {
    expect_features(plan, head, estimator, features)?;
    let name = &head.name;
    let n = estimator.n_features();
    let x = plan.view(&format!("{name}.features"), features, 0, Elem::F32, &[n]);
    let mut steps = Steps { plan, head };
    // u = (x - mean) / scale
    let (mean, scale) = match estimator.standardise() {
        Some(of) => (of.mean.clone(), of.scale.clone()),
        None => (vec![0.0; n], vec![1.0; n]),
    };
    let scores = match estimator.kind() {
        Kind::Forest(forest) => {
            let labels = estimator.labels().len();
            steps.forest(&tree::TREES_F32, forest, labels, x, |feature, threshold| {
                Ok(rounded_down(threshold * scale[feature] + mean[feature]))
            })?
        }
        Kind::Linear(linear) => steps.linear_f32(linear, x, &mean, &scale, value_unit(linear)),
        Kind::Logistic(logistic) => {
            let logits = steps.linear_f32(&logistic.linear, x, &mean, &scale, LOGIT);
            steps.probabilities(logistic, estimator.labels().len(), logits)
        }
        Kind::KMeans(_) | Kind::Mixture(_) => {
            let components = Components::of(estimator);
            let to_raw = |u: &Vec<f64>| -> Vec<f64> {
                let constants = mean.iter().zip(&scale);
                u.iter()
                    .zip(constants)
                    .map(|(u, (m, s))| u * s + m)
                    .collect()
            };
            let centres: Vec<f32> = components
                .means
                .iter()
                .flat_map(to_raw)
                .map(|x| x as f32)
                .collect();
            let weights: Vec<f32> = components
                .weights()
                .map(|(_, i, weight)| (weight / scale[i]) as f32)
                .collect();
            let count = components.means.len();
            let centres = steps.table("centres", &centres);
            let weights = steps.table("weights", &weights);
            let squares = steps
                .plan
                .tensor(&format!("{name}.squares"), Elem::I64, &[count]);
            let params = [u32::from(components.full)];
            let operands = [x, centres, weights, squares];
            steps.step(
                &anomaly::SQUARED_DISTANCES_F32,
                "distances",
                &operands,
                &params,
            );
            steps.anomaly(estimator, squares)?
        }
    };
    steps.decide(estimator, scores)
}

/// Bits below the unit of its scores with which a regression sums.
const VALUE_BITS: u32 = 12;

/// Real value of one unit of a regression's sums.
pub(super) fn value_unit(linear: &Linear) -> f64 {
    linear.unit() / f64::from(1 << VALUE_BITS)
}

/// Fails unless `features` holds what the estimator takes: recordings of any length do not.
pub(super) fn expect_features(
    plan: &PlanBuilder,
    head: &Head,
    estimator: &Estimator,
    features: TensorId,
) -> Result<(), LowerError> {
    let shape = plan.shape(features);
    let (found, n) = (shape.iter().product::<usize>(), estimator.n_features());
    if found == n {
        return Ok(());
    }
    let why = format!(
        "the model takes {n} features, the pipeline gives {found} of shape {shape:?}: change the \
         number of rows or of values in a row"
    );
    Err(LowerError::new(head.name.clone(), why))
}

/// Real value of one unit of a logit.
pub(super) const LOGIT: f64 = 1.0 / 65536.0;

/// The largest f32 that is not above `x`.
fn rounded_down(x: f64) -> f32 {
    let near = x as f32;
    if f64::from(near) > x {
        near.next_down()
    } else {
        near
    }
}

/// Centres of clusters or components, and the factors of their distances.
pub(super) struct Components<'a> {
    pub(super) means: &'a [Vec<f64>],
    factors: Vec<Vec<f64>>,
    /// Whether each has a triangular matrix of factors, or one for each feature.
    pub(super) full: bool,
}

impl<'a> Components<'a> {
    pub(super) fn of(estimator: &'a Estimator) -> Self {
        match estimator.kind() {
            Kind::Mixture(mixture) => Self {
                means: &mixture.means,
                factors: mixture.factors.clone(),
                full: mixture.covariance == Covariance::Full,
            },
            Kind::KMeans(clusters) => Self {
                means: &clusters.centres,
                factors: clusters
                    .radii
                    .iter()
                    .map(|radius| vec![1.0 / radius; estimator.n_features()])
                    .collect(),
                full: false,
            },
            _ => Self {
                means: &[],
                factors: Vec::new(),
                full: false,
            },
        }
    }

    /// The weights in the order of the operators: component, feature and factor.
    pub(super) fn weights(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let n = self.means.first().map_or(0, Vec::len);
        let features = move || (0..n).flat_map(move |j| (if self.full { 0 } else { j })..=j);
        self.factors
            .iter()
            .enumerate()
            .flat_map(move |(c, factors)| {
                features()
                    .zip(factors)
                    .map(move |(i, factor)| (c, i, *factor))
            })
    }
}

/// Steps of a head.
pub(super) struct Steps<'b, 'h> {
    pub(super) plan: &'b mut PlanBuilder,
    pub(super) head: &'h Head,
}

impl Steps<'_, '_> {
    fn name(&self, what: &str) -> String {
        format!("{}.{what}", self.head.name)
    }

    pub(super) fn step(
        &mut self,
        op: &'static Op,
        what: &str,
        tensors: &[TensorId],
        params: &[u32],
    ) {
        let name = self.name(what);
        self.plan
            .step(Section::Decision, op, &name, tensors, params);
    }

    pub(super) fn table<T: Element + bytemuck::NoUninit>(
        &mut self,
        what: &str,
        values: &[T],
    ) -> TensorId {
        let name = self.name(what);
        self.plan.table(&name, &[values.len()], values)
    }

    pub(super) fn output(&mut self, what: &str, elem: Elem, n: usize) -> TensorId {
        let name = self.name(what);
        self.plan.tensor(&name, elem, &[n])
    }

    /// Trees with the thresholds of `threshold`, which takes a feature and its threshold.
    pub(super) fn forest<T: Element + bytemuck::NoUninit + Default>(
        &mut self,
        op: &'static Op,
        forest: &Forest,
        labels: usize,
        x: TensorId,
        threshold: impl Fn(usize, f64) -> Result<T, LowerError>,
    ) -> Result<TensorId, LowerError> {
        let (mut feature, mut thresholds, mut right) = (Vec::new(), Vec::new(), Vec::new());
        let mut roots = Vec::with_capacity(forest.trees.len());
        let mut leaves: Vec<Vec<u16>> = Vec::new();
        let mut known = std::collections::HashMap::new();
        for tree in &forest.trees {
            roots.push(feature.len() as u32);
            for (i, node) in tree.nodes().iter().enumerate() {
                match node {
                    Node::Split {
                        feature: f,
                        threshold: t,
                        right: child,
                    } => {
                        feature.push(*f as i16);
                        thresholds.push(threshold(*f, *t)?);
                        right.push((child - i) as u16);
                    }
                    Node::Leaf(probabilities) => {
                        let said = forest.said(probabilities);
                        let q15: Vec<u16> = said
                            .iter()
                            .map(|p| libm::round(p * 32768.0) as u16)
                            .collect();
                        let index = *known.entry(q15.clone()).or_insert_with(|| {
                            leaves.push(q15);
                            leaves.len() - 1
                        });
                        let index = u16::try_from(index).map_err(|_| {
                            let why = "its trees have more than 65536 different leaves: limit \
                                       their depth, or set \"combine\": \"votes\"";
                            LowerError::new(self.head.name.clone(), why)
                        })?;
                        feature.push(-1);
                        thresholds.push(T::default());
                        right.push(index);
                    }
                }
            }
        }
        let tables = [
            x,
            self.table("feature", &feature),
            self.table("threshold", &thresholds),
            self.table("right", &right),
            self.table("roots", &roots),
            self.table("leaves", &leaves.concat()),
            self.output("probabilities", Elem::I32, labels),
        ];
        let params = tree::Params {
            labels: labels as i32,
        };
        self.step(op, "trees", &tables, &params.encode());
        let [.., y] = tables;
        Ok(y)
    }

    fn linear_f32(
        &mut self,
        linear: &Linear,
        x: TensorId,
        mean: &[f64],
        scale: &[f64],
        unit: f64,
    ) -> TensorId {
        let rows = linear.weights.len();
        let folded =
            |row: &Vec<f64>| -> Vec<f64> { row.iter().zip(scale).map(|(w, s)| w / s).collect() };
        let weights: Vec<Vec<f64>> = linear.weights.iter().map(folded).collect();
        let bias: Vec<f32> = weights
            .iter()
            .zip(&linear.bias)
            .map(|(row, bias)| {
                (bias - row.iter().zip(mean).map(|(w, m)| w * m).sum::<f64>()) as f32
            })
            .collect();
        let flat: Vec<f32> = weights.concat().iter().map(|&w| w as f32).collect();
        let weights = self.table("weights", &flat);
        let bias = self.table("bias", &bias);
        let sums = self.output("sums", Elem::F32, rows);
        let cols = flat.len() / rows;
        self.step(
            &matrix::MATRIX_F32,
            "sums",
            &[x, weights, sums],
            &[cols as u32],
        );
        let logits = self.output("values", Elem::I32, rows);
        let scale = (1.0 / unit) as f32;
        let operands = [sums, bias, logits];
        self.step(
            &linear::TO_FIXED_F32_I32,
            "values",
            &operands,
            &[scale.to_bits()],
        );
        logits
    }

    /// Probabilities in Q15 from logits in Q16.
    pub(super) fn probabilities(
        &mut self,
        logistic: &Logistic,
        labels: usize,
        logits: TensorId,
    ) -> TensorId {
        let y = self.output("probabilities", Elem::I32, labels);
        let op = match logistic.link {
            Link::Softmax => &linear::SOFTMAX_I32,
            Link::Binary | Link::OneVsRest => &linear::LOGISTIC_I32,
        };
        self.step(op, "probabilities", &[logits, y], &[]);
        y
    }

    /// The anomaly score in Q8 from squared distances.
    pub(super) fn anomaly(
        &mut self,
        estimator: &Estimator,
        squares: TensorId,
    ) -> Result<TensorId, LowerError> {
        let y = self.output("score", Elem::I32, 1);
        let Kind::Mixture(mixture) = estimator.kind() else {
            self.step(&anomaly::NEAREST_I64, "score", &[squares, y], &[]);
            return Ok(y);
        };
        let weights = relative_weights(mixture);
        let weights = self.table("log_weights", &weights);
        self.step(&anomaly::MIXTURE_I64, "score", &[squares, weights, y], &[]);
        Ok(y)
    }

    /// The decision over scores in the unit of [`Estimator::score_scale`], and the plan's outputs.
    pub(super) fn decide(
        &mut self,
        estimator: &Estimator,
        input: TensorId,
    ) -> Result<(), LowerError> {
        let labels = &self.head.labels;
        let n = labels.len();
        let unit = estimator.score_scale();
        if estimator.score_kind() != ScoreKind::Probability {
            self.plan.score_scale(unit);
        }
        if estimator.score_kind() == ScoreKind::Value {
            let scores = self.output("scores", Elem::I16, n);
            let (mul, add) = (self.table("one", &[1i32]), self.table("zero", &[0i64]));
            let params = scale::ScaleParams {
                shift: VALUE_BITS,
                min: i32::from(i16::MIN),
                max: i32::from(i16::MAX),
            };
            let operands = [input, mul, add, scores];
            self.step(&scale::SCALE_I32_I16, "scores", &operands, &params.encode());
            self.plan.scores(scores, labels);
            return Ok(());
        }
        let settings = &self.head.decide;
        let name = &settings.name;
        let fires: Vec<i8> = settings.fires.iter().map(|&f| i8::from(f)).collect();
        let fires = self.plan.table(&format!("{name}.fires"), &[n], &fires);
        let ring = [settings.average, n];
        let ring = self.plan.state(&format!("{name}.ring"), Elem::I32, &ring);
        let counters = self
            .plan
            .state(&format!("{name}.counters"), Elem::I32, &[4]);
        let scores = self.plan.tensor(&format!("{name}.scores"), Elem::I16, &[n]);
        let decision = self
            .plan
            .tensor(&format!("{name}.decision"), Elem::I32, &[2]);
        let rule = decide::Rule {
            labels: n as i32,
            average: settings.average as i32,
            threshold: libm::round(settings.threshold.max(0.0) / unit).min(65535.0) as i32,
            refractory: i32::try_from(settings.refractory)
                .unwrap_or(i32::MAX)
                .min(i32::MAX - 1),
        };
        let operands = [input, fires, ring, counters, scores, decision];
        self.plan.step(
            Section::Decision,
            &decide::DECIDE_I32,
            name,
            &operands,
            &rule.encode(),
        );
        self.plan.decision(scores, decision, labels);
        Ok(())
    }
}

/// Logarithms of the components' densities at their means in Q16, below that of the peak.
fn relative_weights(mixture: &Mixture) -> Vec<i32> {
    let peak = mixture.peak();
    let q16 = |log: &f64| libm::round((log - peak) * 65536.0) as i32;
    mixture
        .log_density
        .iter()
        .map(|log| q16(log).min(0))
        .collect()
}
