//! Classifiers at the end of a pipeline: the model, and the decision behind it.

use super::layers::float_bits;
use super::multiplier::Multiplier;
use super::{append, single_scale};
use crate::error::LowerError;
use crate::graph::Head;
use crate::plan_builder::{PlanBuilder, TensorId};
use otolith_classifier::ops::{decide, quantize};
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_tflite::{BuiltinOp, DType, Model, OpCode, Tensor};

/// Appends a head to the decision section: the model, fed with `features`, and the decision.
/// Declares scores and decision as the plan's outputs.
///
/// # Errors
/// [`LowerError`] for a model that cannot run, or that is no classifier with the head's labels.
pub fn add_head(plan: &mut PlanBuilder, head: &Head, features: TensorId) -> Result<(), LowerError> {
    let name = &head.name;
    let fault = |why: String| LowerError::new(name.clone(), why);
    let model = network(head)?;
    plan.set_kernels(head.kernels);
    let ([_], &[output]) = (model.inputs.as_slice(), model.outputs.as_slice()) else {
        let (i, o) = (model.inputs.len(), model.outputs.len());
        return Err(fault(format!(
            "the model has {i} inputs and {o} outputs, a classifier has one of each"
        )));
    };
    int8_only(head, model)?;
    let output = int8_scores(model, output);
    let tensor = &model.tensors[output];
    let labels = head.labels.len();
    if tensor.dtype != DType::I8 || tensor.n_elements() != labels {
        return Err(fault(format!(
            "the model's output is {} of shape {:?}, but the pipeline names {labels} labels: \
             give one label for each int8 score",
            tensor.dtype, tensor.shape
        )));
    }
    let features = match plan.elem(features) {
        Elem::F32 if head.codes => {
            let input = format!("{name}.input");
            let len = plan.shape(features).iter().product();
            let codes = plan.tensor(&input, Elem::I8, &[len]);
            let op = &quantize::QUANTIZE_F32_I8;
            let params = float_bits((1.0, 0));
            plan.step(Section::Decision, op, &input, &[features, codes], &params);
            codes
        }
        _ => features,
    };
    let section = Section::Decision;
    let scores = append(plan, section, name, model, &[features], &[output], &[])?;
    let &[scores] = scores.as_slice() else {
        return Err(fault("the model has no output".into()));
    };
    add_decide(plan, head, tensor, scores)
}

/// The network of a head that has one.
fn network(head: &Head) -> Result<&Model, LowerError> {
    let why = "its model is no network";
    let network = head.model.network();
    network.ok_or_else(|| LowerError::new(head.name.clone(), why))
}

/// Scale and zero point with which features become the model's int8 input.
pub(in crate::lower) fn int8_input(head: &Head) -> Result<(f64, i32), LowerError> {
    let fault = |why: String| LowerError::new(head.name.clone(), why);
    let model = network(head)?;
    let &[input] = model.inputs.as_slice() else {
        let n = model.inputs.len();
        return Err(fault(format!(
            "the model has {n} inputs, a classifier has one"
        )));
    };
    int8_only(head, model)?;
    let tensor = &model.tensors[input];
    if tensor.dtype != DType::I8 {
        return Err(fault(format!(
            "the model's input is {}, a fixed plan feeds int8: convert with \
             inference_input_type=tf.int8",
            tensor.dtype
        )));
    }
    if head.codes {
        return Ok((1.0, 0));
    }
    let (scale, zero_point) = single_scale(tensor).map_err(fault)?;
    Ok((f64::from(scale), zero_point))
}

/// Whether a classifier computes its scores in floats.
pub(crate) fn is_float(model: &Model) -> bool {
    let output = model
        .outputs
        .first()
        .map(|&output| int8_scores(model, output));
    output.is_some_and(|output| model.tensors[output].dtype == DType::F32)
}

/// Refuses float classifiers, which only the host runs.
fn int8_only(head: &Head, model: &Model) -> Result<(), LowerError> {
    if !is_float(model) {
        return Ok(());
    }
    let why = "the model computes in float32, the device runs int8 networks only: convert with full \
               int8 quantisation (a representative data set and TFLITE_BUILTINS_INT8), or run it on \
               the host with `--numeric host` or `--numeric reference`";
    Err(LowerError::new(head.name.clone(), why))
}

/// The int8 tensor behind the DEQUANTIZE of a model with float scores, else `output` itself.
fn int8_scores(model: &Model, output: usize) -> usize {
    let dequantize = OpCode::Builtin(BuiltinOp::DEQUANTIZE);
    model
        .operators
        .iter()
        .find(|op| op.outputs.contains(&output) && op.code == dequantize)
        .and_then(|op| op.inputs.first().copied().flatten())
        .unwrap_or(output)
}

fn add_decide(
    plan: &mut PlanBuilder,
    head: &Head,
    tensor: &Tensor,
    input: TensorId,
) -> Result<(), LowerError> {
    let settings = &head.decide;
    let name = &settings.name;
    let fault = |why: String| LowerError::new(name.clone(), why);
    let n = head.labels.len();
    let (scale, zero_point) = single_scale(tensor).map_err(&fault)?;
    let q15 = Multiplier::new(f64::from(scale) * 32768.0);
    if q15.shift > 16 {
        let why =
            format!("the scores' scale {scale} is not that of probabilities: end with softmax");
        return Err(fault(why));
    }
    if !(1..=64).contains(&settings.average) || settings.fires.len() != n {
        let (average, fires) = (settings.average, settings.fires.len());
        return Err(fault(format!(
            "average = {average} with {fires} entries for {n} labels: allowed are 1 to 64 and one \
             entry for each label"
        )));
    }
    let fires: Vec<i8> = settings.fires.iter().map(|&f| i8::from(f)).collect();
    let fires = plan.table(&format!("{name}.fires"), &[n], &fires);
    let ring = plan.state(&format!("{name}.ring"), Elem::I8, &[settings.average, n]);
    let counters = plan.state(&format!("{name}.counters"), Elem::I32, &[4]);
    let scores = plan.tensor(&format!("{name}.scores"), Elem::I16, &[n]);
    let decision = plan.tensor(&format!("{name}.decision"), Elem::I32, &[2]);
    let params = decide::Params {
        labels: n as i32,
        average: settings.average as i32,
        zero_point,
        multiplier: q15.q,
        shift: q15.shift,
        threshold: libm::round(settings.threshold.clamp(0.0, 1.0) * 32768.0) as i32,
        refractory: i32::try_from(settings.refractory)
            .unwrap_or(i32::MAX)
            .min(i32::MAX - 1),
    };
    plan.step(
        Section::Decision,
        &decide::DECIDE_I8,
        name,
        &[input, fires, ring, counters, scores, decision],
        &params.encode(),
    );
    plan.decision(scores, decision, &head.labels);
    Ok(())
}
