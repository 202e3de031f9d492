//! From an [`Estimator`] to operators on the integers of the features.

use super::Values;
use super::columns::{Column, UNCLAMPED};
use crate::error::LowerError;
use crate::estimator::{Estimator, Kind, Linear};
use crate::graph::Head;
use crate::lower::estimator::{Components, LOGIT, Steps, expect_features, value_unit};
use crate::plan_builder::{PlanBuilder, TensorId};
use otolith_classifier::ops::{anomaly, linear, tree};
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::fixed::window;

/// Appends an estimator that takes the integers of features, and the decision behind it.
pub(super) fn add(
    plan: &mut PlanBuilder,
    head: &Head,
    estimator: &Estimator,
    values: Values,
) -> Result<(), LowerError> {
    expect_features(plan, head, estimator, values.tensor)?;
    let mut steps = Steps { plan, head };
    let (x, features) = features(&mut steps, estimator, values)?;
    let labels = estimator.labels().len();
    let scores = match estimator.kind() {
        // u <= t is i <= floor((t - offset) / scale): the same decision for every integer.
        Kind::Forest(forest) => steps.forest(&tree::TREES_I32, forest, labels, x, |f, t| {
            // A cast saturates.
            Ok(libm::floor((t - features[f].offset) / features[f].scale) as i32)
        })?,
        Kind::Linear(linear) => add_linear(&mut steps, linear, &features, x, value_unit(linear))?,
        Kind::Logistic(logistic) => {
            let logits = add_linear(&mut steps, &logistic.linear, &features, x, LOGIT)?;
            steps.probabilities(logistic, labels, logits)
        }
        Kind::KMeans(_) | Kind::Mixture(_) => {
            let squares = distances(&mut steps, &Components::of(estimator), &features, x)?;
            steps.anomaly(estimator, squares)?
        }
    };
    steps.decide(estimator, scores)
}

/// What an integer `i` of a feature stands for, standardised: `i * scale + offset`.
struct Feature {
    scale: f64,
    offset: f64,
}

/// The features in 32 bits, and what they stand for.
fn features(
    steps: &mut Steps<'_, '_>,
    estimator: &Estimator,
    values: Values,
) -> Result<(TensorId, Vec<Feature>), LowerError> {
    let name = &steps.head.name;
    let n = estimator.n_features();
    let fault = |why: &str| LowerError::new(name.clone(), why);
    let (x, unit) = match values.elem {
        Elem::I32 => {
            let name = format!("{name}.features");
            (
                steps.plan.view(&name, values.tensor, 0, Elem::I32, &[n]),
                1.0,
            )
        }
        Elem::I16 => {
            let x = steps.output("features", Elem::I32, n);
            steps.step(
                &window::SELECT_I16_I32,
                "features",
                &[values.tensor, x],
                &[0, 1],
            );
            (x, libm::exp2(-13.0))
        }
        _ => return Err(fault("features of 8 bits feed networks only")),
    };
    let plain = |c: &Column| c.clamp == UNCLAMPED && c.scale > 0.0;
    if !values.columns.iter().all(plain) {
        return Err(fault(
            "its features are still to be clamped, which has no integer operator here",
        ));
    }
    let columns = values.columns.iter().cycle().take(n);
    let features = columns.enumerate().map(|(i, column)| {
        let (mean, scale) = match estimator.standardise() {
            Some(of) => (of.mean[i], of.scale[i]),
            None => (0.0, 1.0),
        };
        Feature {
            scale: column.scale * unit / scale,
            offset: (column.offset - mean) / scale,
        }
    });
    Ok((x, features.collect()))
}

/// A weight as `mul / 2^shift`, with 31 bits of `mul` unless that takes a shift beyond 62; none
/// when it is 2^31 or more.
fn weight(w: f64) -> Option<(i32, i8)> {
    if w == 0.0 {
        return Some((0, 0));
    }
    let mut shift = (30.0 - libm::floor(libm::log2(w.abs()))).min(62.0);
    let mut mul = libm::round(w * libm::exp2(shift));
    if mul.abs() >= 2_147_483_648.0 {
        shift -= 1.0;
        mul = libm::round(w * libm::exp2(shift));
    }
    (shift >= 0.0 && w.is_finite()).then_some((mul as i32, shift as i8))
}

/// Adds tables of weights. Each comes with the index of its feature.
fn weights(
    steps: &mut Steps<'_, '_>,
    list: impl Iterator<Item = (usize, f64)>,
) -> Result<[TensorId; 2], LowerError> {
    let (mut muls, mut shifts) = (Vec::new(), Vec::new());
    for (feature, w) in list {
        let (mul, shift) = weight(w).ok_or_else(|| {
            let why = format!(
                "its weight for feature {feature} is too large for the steps of that feature's \
                 integers: scale the feature up, or train with more regularisation"
            );
            LowerError::new(steps.head.name.clone(), why)
        })?;
        muls.push(mul);
        shifts.push(shift);
    }
    Ok([
        steps.table("weights", &muls),
        steps.table("shifts", &shifts),
    ])
}

/// `bias + weights * features` in units of `unit`.
fn add_linear(
    steps: &mut Steps<'_, '_>,
    linear: &Linear,
    features: &[Feature],
    x: TensorId,
    unit: f64,
) -> Result<TensorId, LowerError> {
    let rows = linear.weights.len();
    let list = linear.weights.iter().flat_map(|row| {
        let pairs = row.iter().zip(features).enumerate();
        pairs.map(|(i, (w, feature))| (i, w * feature.scale / unit))
    });
    let [mul, shift] = weights(steps, list)?;
    let bias: Vec<i64> = linear
        .weights
        .iter()
        .zip(&linear.bias)
        .map(|(row, bias)| {
            let constant: f64 = row.iter().zip(features).map(|(w, f)| w * f.offset).sum();
            libm::round((bias + constant) / unit) as i64
        })
        .collect();
    let bias = steps.table("bias", &bias);
    let y = steps.output("values", Elem::I32, rows);
    steps.step(
        &linear::LINEAR_I32,
        "values",
        &[x, mul, shift, bias, y],
        &[],
    );
    Ok(y)
}

/// Squared distances to all components, in Q32.
fn distances(
    steps: &mut Steps<'_, '_>,
    components: &Components<'_>,
    features: &[Feature],
    x: TensorId,
) -> Result<TensorId, LowerError> {
    // A mean outside of what the integers reach saturates: no feature comes near it.
    let integer = |(mean, f): (&f64, &Feature)| libm::round((mean - f.offset) / f.scale) as i32;
    let centres: Vec<i32> = components
        .means
        .iter()
        .flat_map(|means| means.iter().zip(features).map(integer))
        .collect();
    let list = components
        .weights()
        .map(|(_, i, factor)| (i, factor * features[i].scale * 65536.0));
    let [mul, shift] = weights(steps, list)?;
    let centres = steps.table("centres", &centres);
    let y = steps.output("squares", Elem::I64, components.means.len());
    let params = [u32::from(components.full)];
    let operands = [x, centres, mul, shift, y];
    steps.step(
        &anomaly::SQUARED_DISTANCES_I32,
        "distances",
        &operands,
        &params,
    );
    Ok(y)
}
