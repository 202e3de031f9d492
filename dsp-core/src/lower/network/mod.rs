//! From a model to network operators.
//!
//! [`network_plan`] makes a plan of a model alone; [`add_network`] appends a model to a plan that
//! is being built, and [`add_head`] a whole [`Head`]: the model and the decision behind it.
//! Operators and number formats are those of `docs/NUMERICS.md`, equal byte for byte to the
//! TFLite Micro reference kernels.

mod elementwise;
mod fold;
mod general_conv;
mod integer;
mod layers;
mod lookup;
mod matmul;
mod movement;
mod multiplier;
mod packed;
pub mod prune;
mod recurrent;
mod reduce;
mod resize;
mod signal;
mod variables;
mod wide;
mod windows;

use crate::deploy::Kernels;
use crate::error::LowerError;
use crate::graph::Head;
use crate::plan_builder::{PlanBuilder, PlanBytes, TensorId};
use layers::float_bits;
use lookup::Island;
use multiplier::Multiplier;
use otolith_classifier::ops::{decide, quantize};
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Numeric, Section};
use otolith_tflite::{
    Activation, BuiltinOp, DType, Model, OpCode, Operator, Options, Tensor, hint,
};
use std::collections::BTreeMap;
use variables::Variable;

/// An operator of a model that no plan can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Index of the operator in the model.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Shape of its first output.
    pub shape: Vec<usize>,
    /// What is not supported, and what to do about it.
    pub why: String,
}

/// Every operator of `model` that keeps it from running, in order; empty when it runs.
pub fn unsupported(model: &Model) -> Vec<Unsupported> {
    let mut plan = PlanBuilder::new("", Numeric::Fixed);
    let Ok(inputs) = declare_inputs(&mut plan, model) else {
        // The boundary is at fault, not an operator; lowering says so.
        return Vec::new();
    };
    let model = &fold::constants(model);
    let mut lowering = Lowering::new(&mut plan, Section::Decision, "", model);
    for (&index, input) in source_inputs(model).iter().zip(inputs) {
        lowering.tensors[index] = Some(input);
    }
    lowering.operators(&model.outputs)
}

/// The inputs that a plan takes, in the order of the graph's: all but those that only state the
/// output shape of a TRANSPOSE_CONV, on whose values nothing depends.
pub fn source_inputs(model: &Model) -> Vec<usize> {
    let transpose = OpCode::Builtin(BuiltinOp::TRANSPOSE_CONV);
    let states_shape = |input: usize| {
        let mut uses = model.operators.iter().flat_map(|op| {
            let inputs = op.inputs.iter().enumerate();
            inputs.map(move |(position, &index)| (op, position, index))
        });
        let of_shape = |(op, position, index): (&Operator, usize, Option<usize>)| {
            index != Some(input) || (op.code == transpose && position == 0)
        };
        let used = model
            .operators
            .iter()
            .any(|op| op.inputs.contains(&Some(input)));
        used && !model.outputs.contains(&input) && uses.all(of_shape)
    };
    let inputs = model.inputs.iter().copied();
    inputs.filter(|&input| !states_shape(input)).collect()
}

/// A plan that runs `model` alone: its source is the inputs, one behind the other in the order of
/// the graph's inputs, and its features are the outputs, in the order of the graph's outputs.
///
/// # Errors
/// [`LowerError`] lists every operator that is not supported. Inputs must be of one type, and so
/// must outputs.
pub fn network_plan(name: &str, model: &Model) -> Result<PlanBytes, LowerError> {
    network_plan_for(name, model, Kernels::default())
}

/// [`network_plan`] with weights in the form of `kernels`.
///
/// # Errors
/// Those of [`network_plan`].
pub fn network_plan_for(
    name: &str,
    model: &Model,
    kernels: Kernels,
) -> Result<PlanBytes, LowerError> {
    let mut plan = PlanBuilder::new(name, Numeric::Fixed);
    plan.set_kernels(kernels);
    let inputs = declare_inputs(&mut plan, model)?;
    let section = Section::Decision;
    if let &[index] = model.outputs.as_slice() {
        let outputs = add_network(&mut plan, section, name, model, &inputs)?;
        let shape = &model.tensors[index].shape;
        let output = outputs.first().copied();
        let output = output.ok_or_else(|| LowerError::new(name, "the model has no output"))?;
        plan.features(output, shape);
    } else {
        let (features, places) = declare_outputs(&mut plan, name, model)?;
        append(
            &mut plan,
            section,
            name,
            model,
            &inputs,
            &model.outputs,
            &places,
        )?;
        let shape = plan.shape(features).to_vec();
        plan.features(features, &shape);
    }
    plan.finish()
}

/// Appends the steps of `model` to `section` and returns its outputs.
///
/// `inputs` are the model's inputs in graph order: tensors of the same type and number of
/// elements. An f32 tensor for an int8 input is quantised with the input's scale.
///
/// # Errors
/// [`LowerError`] lists every operator that is not supported.
pub fn add_network(
    plan: &mut PlanBuilder,
    section: Section,
    name: &str,
    model: &Model,
    inputs: &[TensorId],
) -> Result<Vec<TensorId>, LowerError> {
    append(plan, section, name, model, inputs, &model.outputs, &[])
}

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
pub(super) fn int8_input(head: &Head) -> Result<(f64, i32), LowerError> {
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

/// Declares the source for all inputs of the model and returns a view of each.
fn declare_inputs(plan: &mut PlanBuilder, model: &Model) -> Result<Vec<TensorId>, LowerError> {
    let inputs = source_inputs(model);
    let tensors: Vec<&Tensor> = inputs.iter().map(|&i| &model.tensors[i]).collect();
    let dtype = tensors.first().map_or(DType::I8, |t| t.dtype);
    let allowed = matches!(dtype, DType::I8 | DType::I16 | DType::I32 | DType::F32);
    if !allowed || tensors.iter().any(|t| t.dtype != dtype) {
        let found: Vec<String> = tensors.iter().map(|t| t.dtype.to_string()).collect();
        let why = format!(
            "the inputs are {}: allowed are int8, int16, int32 or float32, the same for all; convert \
             with inference_input_type=tf.int8",
            found.join(", ")
        );
        return Err(LowerError::new("inputs", why));
    }
    let elem = elem(dtype).unwrap_or(Elem::I8);
    let len: usize = tensors.iter().map(|t| t.n_elements()).sum();
    let source = plan.source(elem, len, len, 0);
    let mut at = 0;
    let views = tensors.iter().map(|tensor| {
        let view = plan.view(&tensor.name, source, at, elem, &tensor.shape);
        at += tensor.n_elements() * elem.size();
        view
    });
    Ok(views.collect())
}

/// Declares one tensor for all outputs of the model, one behind the other, and a view of it for
/// each.
fn declare_outputs(
    plan: &mut PlanBuilder,
    name: &str,
    model: &Model,
) -> Result<(TensorId, Vec<TensorId>), LowerError> {
    let tensors: Vec<&Tensor> = model.outputs.iter().map(|&i| &model.tensors[i]).collect();
    let dtype = tensors.first().map(|t| t.dtype);
    let elem = dtype
        .filter(|&d| tensors.iter().all(|t| t.dtype == d))
        .and_then(elem);
    let Some(elem) = elem else {
        let found: Vec<String> = tensors.iter().map(|t| t.dtype.to_string()).collect();
        let why = format!(
            "the outputs are {}: allowed is one type for all, for example by \
             inference_output_type=tf.int8",
            found.join(", ")
        );
        return Err(LowerError::new(name, why));
    };
    let len = tensors.iter().map(|t| t.n_elements()).sum();
    let all = plan.tensor("outputs", elem, &[len]);
    let mut at = 0;
    let views = tensors.iter().map(|tensor| {
        let view = plan.view(&tensor.name, all, at, elem, &tensor.shape);
        at += tensor.n_elements() * elem.size();
        view
    });
    let views = views.collect();
    Ok((all, views))
}

/// Appends the steps that `outputs` need and returns their tensors: those of `places` where they
/// are given.
fn append(
    plan: &mut PlanBuilder,
    section: Section,
    name: &str,
    model: &Model,
    inputs: &[TensorId],
    outputs: &[usize],
    places: &[TensorId],
) -> Result<Vec<TensorId>, LowerError> {
    let (model, _) = &prune::prune(&fold::constants(model));
    let mut lowering = Lowering::new(plan, section, name, model);
    for (&index, &place) in outputs.iter().zip(places) {
        lowering.places[index].get_or_insert(place);
    }
    lowering.inputs(inputs)?;
    let faults = lowering.operators(outputs);
    if !faults.is_empty() {
        let lines: Vec<String> = faults
            .iter()
            .map(|f| {
                format!(
                    "\n  operator {} {} {:?}: {}",
                    f.index, f.name, f.shape, f.why
                )
            })
            .collect();
        let n = faults.len();
        let plural = if n == 1 { "operator" } else { "operators" };
        let why = format!("{n} {plural} of the model cannot run:{}", lines.concat());
        return Err(LowerError::new(name, why));
    }
    outputs
        .iter()
        .enumerate()
        .map(|(i, &index)| lowering.output(index, places.get(i).copied()))
        .collect()
}

/// The element type of a plan's tensor, if plans have it.
fn elem(dtype: DType) -> Option<Elem> {
    Some(match dtype {
        DType::I8 => Elem::I8,
        DType::U8 => Elem::U8,
        DType::I16 => Elem::I16,
        DType::I32 => Elem::I32,
        DType::F32 => Elem::F32,
        DType::U32 => Elem::U32,
        DType::I64 => Elem::I64,
        DType::U64 => Elem::U64,
        DType::Bool | DType::Other(_) => return None,
    })
}

/// Scale and zero point of a tensor that has one of each.
fn single_scale(tensor: &Tensor) -> Result<(f32, i32), String> {
    let name = &tensor.name;
    let Some(quant) = &tensor.quant else {
        return Err(format!(
            "tensor \"{name}\" has no scale: convert with full int8 quantisation"
        ));
    };
    let (&[scale], &[zero_point]) = (quant.scales.as_slice(), quant.zero_points.as_slice()) else {
        let n = quant.scales.len();
        return Err(format!("tensor \"{name}\" has {n} scales, allowed is one"));
    };
    let (low, high) = match tensor.dtype {
        DType::I8 => (-128, 127),
        DType::U8 => (0, 255),
        _ => (-32768, 32767),
    };
    if !(low..=high).contains(&zero_point) {
        return Err(format!(
            "tensor \"{name}\" has the zero point {zero_point}, allowed is {low} to {high}"
        ));
    }
    Ok((scale, zero_point as i32))
}

/// A model on its way into a plan.
struct Lowering<'m, 'b> {
    plan: &'b mut PlanBuilder,
    section: Section,
    name: &'m str,
    model: &'m Model,
    /// Tensors of the plan by index in the model.
    tensors: Vec<Option<TensorId>>,
    /// For each tensor of the model, whether it lies over an input or a constant.
    borrowed: Vec<bool>,
    /// Where a tensor of the model must end, if somebody waits for it in a certain place.
    places: Vec<Option<TensorId>>,
    /// Whether each tensor of the model may stay a function of an int8 tensor.
    inside: Vec<bool>,
    /// Those functions.
    islands: Vec<Option<Island>>,
    /// The tables of lookups so far, which layers share.
    lookups: Vec<(Vec<i8>, TensorId)>,
    /// The table of the logistic function, once a layer needs it.
    sigmoid_table: Option<TensorId>,
    /// Names of variables by the tensor of their handle.
    handles: BTreeMap<usize, String>,
    /// Variables by name.
    variables: BTreeMap<String, Variable>,
    /// The form of weights.
    kernels: Kernels,
}

impl<'m, 'b> Lowering<'m, 'b> {
    fn new(plan: &'b mut PlanBuilder, section: Section, name: &'m str, model: &'m Model) -> Self {
        let mut borrowed = vec![false; model.tensors.len()];
        for &index in &model.inputs {
            borrowed[index] = true;
        }
        let kernels = plan.kernels();
        Self {
            plan,
            section,
            name,
            model,
            tensors: vec![None; model.tensors.len()],
            borrowed,
            places: vec![None; model.tensors.len()],
            inside: lookup::islands(model),
            islands: vec![None; model.tensors.len()],
            lookups: Vec::new(),
            sigmoid_table: None,
            handles: BTreeMap::new(),
            variables: BTreeMap::new(),
            kernels,
        }
    }

    fn inputs(&mut self, inputs: &[TensorId]) -> Result<(), LowerError> {
        let model = self.model;
        let fault = |why: String| Err(LowerError::new(self.name, why));
        let model_inputs = source_inputs(model);
        if inputs.len() != model_inputs.len() {
            let (need, got) = (model_inputs.len(), inputs.len());
            return fault(format!(
                "the model has {need} inputs, the pipeline gives {got}"
            ));
        }
        for (&index, &input) in model_inputs.iter().zip(inputs) {
            let tensor = &model.tensors[index];
            let got: usize = self.plan.shape(input).iter().product();
            let shape = self.plan.shape(input).to_vec();
            if got != tensor.n_elements() {
                return fault(format!(
                    "the model takes {} values of shape {:?}, the pipeline gives {got} of shape \
                     {shape:?}: change the number of rows or of values in a row",
                    tensor.n_elements(),
                    tensor.shape
                ));
            }
            let given = self.plan.elem(input);
            let id = if elem(tensor.dtype) == Some(given) {
                input
            } else if given == Elem::F32 && tensor.dtype == DType::I8 {
                let scale = single_scale(tensor).map_err(|w| LowerError::new(self.name, w))?;
                let id = self.plan.tensor(&tensor.name, Elem::I8, &tensor.shape);
                let name = format!("{}.input", self.name);
                let params = float_bits(scale);
                let op = &quantize::QUANTIZE_F32_I8;
                self.plan
                    .step(self.section, op, &name, &[input, id], &params);
                id
            } else {
                return fault(format!(
                    "the model takes {}, the pipeline gives {given:?}: convert the model with \
                     inference_input_type=tf.int8",
                    tensor.dtype
                ));
            };
            self.tensors[index] = Some(id);
        }
        Ok(())
    }

    /// Lowers every operator that `outputs` need; returns those that cannot be.
    fn operators(&mut self, outputs: &[usize]) -> Vec<Unsupported> {
        let model = self.model;
        let mut needed = vec![false; model.tensors.len()];
        for &index in outputs {
            needed[index] = true;
        }
        // Operators that assign variables have no outputs; the next run needs what they do.
        // Tensors that were found constant need no operator.
        let runs = |op: &Operator, needed: &[bool]| {
            let wanted = |&o: &usize| needed[o] && model.tensors[o].data.is_none();
            op.outputs.is_empty() || op.outputs.iter().any(wanted)
        };
        for op in model.operators.iter().rev() {
            if runs(op, &needed) {
                for &input in op.inputs.iter().flatten() {
                    needed[input] = true;
                }
            }
        }
        self.place_assigned();
        let mut faults = Vec::new();
        for (index, op) in model.operators.iter().enumerate() {
            if !runs(op, &needed) {
                continue;
            }
            if let Err(why) = self.operator(index, op) {
                self.stand_in(op);
                let shape = op.outputs.first().map(|&o| model.tensors[o].shape.clone());
                faults.push(Unsupported {
                    index,
                    name: op.code.to_string(),
                    shape: shape.unwrap_or_default(),
                    why,
                });
            }
        }
        faults
    }

    fn operator(&mut self, index: usize, op: &Operator) -> Result<(), String> {
        let name = format!("{}.{index}.{}", self.name, op.code);
        let code = match &op.code {
            OpCode::Builtin(code) => code,
            OpCode::Custom(kind) => {
                let done = self.signal(&name, op, kind);
                return done.unwrap_or_else(|| Err(hint(&op.code).into()));
            }
        };
        if self.fold(&name, op, *code)? {
            return Ok(());
        }
        if let Some(done) = self.integer(&name, *code, op) {
            return done;
        }
        if let Some(done) = self.wide(&name, *code, op) {
            return done;
        }
        match (*code, &op.options) {
            (BuiltinOp::CAST, _) => self.cast(&name, op),
            (BuiltinOp::TRANSPOSE_CONV, _) => self.transpose_conv(&name, op),
            (BuiltinOp::BATCH_MATMUL, _) => self.batch_matmul(&name, op),
            (BuiltinOp::SVDF, _) => self.svdf(&name, op),
            (BuiltinOp::UNIDIRECTIONAL_SEQUENCE_LSTM, _) => self.lstm(&name, op),
            (BuiltinOp::VAR_HANDLE, _) => self.var_handle(op),
            (BuiltinOp::READ_VARIABLE, _) => self.read_variable(&name, index, op),
            (BuiltinOp::ASSIGN_VARIABLE, _) => self.assign_variable(&name, op),
            (BuiltinOp::CALL_ONCE, _) => self.call_once(&name, op),
            (BuiltinOp::CONV_2D, options @ Options::Conv2D { .. }) => {
                self.conv_2d(&name, op, options)
            }
            (BuiltinOp::DEPTHWISE_CONV_2D, options @ Options::DepthwiseConv2D { .. }) => {
                self.depthwise_conv_2d(&name, op, options)
            }
            (
                BuiltinOp::AVERAGE_POOL_2D | BuiltinOp::MAX_POOL_2D,
                options @ Options::Pool2D { .. },
            ) => self.pool_2d(&name, op, options, *code == BuiltinOp::MAX_POOL_2D),
            (
                BuiltinOp::FULLY_CONNECTED,
                &Options::FullyConnected {
                    activation,
                    weights_format,
                    ..
                },
            ) => self.fully_connected(&name, op, activation, weights_format),
            (BuiltinOp::ADD, &Options::Add { activation }) => self.add(&name, op, activation),
            (BuiltinOp::MEAN, Options::Reducer { .. }) => self.mean(&name, op),
            (BuiltinOp::SOFTMAX, &Options::Softmax { beta }) => self.softmax(&name, op, beta),
            (BuiltinOp::QUANTIZE | BuiltinOp::DEQUANTIZE, _) => self.convert(&name, op),
            (BuiltinOp::RESHAPE | BuiltinOp::SQUEEZE | BuiltinOp::EXPAND_DIMS, _) => {
                self.reshape(op)
            }
            _ => self.int8_operator(&name, op, *code),
        }
    }

    /// Operators without weights or windows.
    fn int8_operator(&mut self, name: &str, op: &Operator, code: BuiltinOp) -> Result<(), String> {
        match (code, &op.options) {
            (BuiltinOp::SUB, &Options::Sub { activation }) => {
                self.difference(name, op, activation, false)
            }
            (BuiltinOp::SQUARED_DIFFERENCE, _) => self.difference(name, op, Activation::None, true),
            (BuiltinOp::MUL, &Options::Mul { activation }) => self.mul(name, op, activation),
            (BuiltinOp::DIV, &Options::Div { activation }) => self.div(name, op, activation),
            (BuiltinOp::PRELU, _) => self.prelu(name, op),
            (BuiltinOp::MAXIMUM, _) => self.larger(name, op, false),
            (BuiltinOp::MINIMUM, _) => self.larger(name, op, true),
            (BuiltinOp::SUM, _) => self.sum(name, op),
            (BuiltinOp::REDUCE_MAX, _) => self.extremum(name, op, false),
            (BuiltinOp::REDUCE_MIN, _) => self.extremum(name, op, true),
            (BuiltinOp::ARG_MAX | BuiltinOp::ARG_MIN, _) => self.arg(name, op, code),
            (BuiltinOp::L2_NORMALIZATION, _) => self.l2_normalization(name, op),
            (BuiltinOp::LOG_SOFTMAX, _) => self.log_softmax(name, op),
            (BuiltinOp::TRANSPOSE, _) => self.transpose(name, op),
            (BuiltinOp::SLICE, _) => self.slice(name, op),
            (BuiltinOp::STRIDED_SLICE, options) => self.strided_slice(name, op, options),
            (BuiltinOp::SPLIT, _) => self.split_at(name, op, [1, 0]),
            (BuiltinOp::SPLIT_V, _) => self.split_at(name, op, [0, 2]),
            (BuiltinOp::UNPACK, &Options::Pack { axis }) => self.split(name, op, 0, axis),
            (
                BuiltinOp::CONCATENATION,
                &Options::Concatenation {
                    axis,
                    activation: Activation::None,
                },
            )
            | (BuiltinOp::PACK, &Options::Pack { axis }) => self.join(name, op, axis),
            (BuiltinOp::PAD | BuiltinOp::PADV2, _) => self.pad(name, op),
            (BuiltinOp::MIRROR_PAD, &Options::MirrorPad { symmetric }) => {
                self.mirror_pad(name, op, symmetric)
            }
            (BuiltinOp::GATHER, &Options::Gather { axis, batch_dims }) => {
                self.gather(name, op, axis, batch_dims)
            }
            (BuiltinOp::BROADCAST_TO, _) => self.broadcast_to(name, op),
            (BuiltinOp::TILE, _) => self.tile(name, op),
            (BuiltinOp::REVERSE_V2, _) => self.reverse(name, op),
            (BuiltinOp::SPACE_TO_DEPTH, &Options::Blocks { size }) => {
                self.blocks(name, op, size, false)
            }
            (BuiltinOp::DEPTH_TO_SPACE, &Options::Blocks { size }) => {
                self.blocks(name, op, size, true)
            }
            (
                BuiltinOp::RESIZE_NEAREST_NEIGHBOR,
                &Options::Resize {
                    align_corners,
                    half_pixel_centers,
                },
            ) => self.resize_nearest(name, op, align_corners, half_pixel_centers),
            (
                BuiltinOp::RESIZE_BILINEAR,
                &Options::Resize {
                    align_corners,
                    half_pixel_centers,
                },
            ) => self.resize_bilinear(name, op, align_corners, half_pixel_centers),
            _ => self.unary(name, op, code),
        }
    }

    /// Appends a step of this network.
    fn step(&mut self, op: &'static Op, name: &str, tensors: &[TensorId], params: &[u32]) {
        self.plan.step(self.section, op, name, tensors, params);
    }

    /// [`step`](Self::step) with an operator whose last operand may start where the first one does.
    fn step_in_place(&mut self, op: &'static Op, name: &str, tensors: &[TensorId], params: &[u32]) {
        self.step(op, name, tensors, params);
        if let (Some(&x), Some(&y)) = (tensors.first(), tensors.last()) {
            self.plan.may_share(x, y);
        }
    }

    /// Index of input `i` of an operator.
    fn index(op: &Operator, i: usize) -> Result<usize, String> {
        let given = op.inputs.get(i).copied().flatten();
        given.ok_or_else(|| format!("input {i} is missing"))
    }

    /// Input `i` of an operator in the model.
    fn tensor(&self, op: &Operator, i: usize) -> Result<&'m Tensor, String> {
        Ok(&self.model.tensors[Self::index(op, i)?])
    }

    /// The first output of an operator in the model.
    fn result(&self, op: &Operator) -> &'m Tensor {
        // The reader refuses operators without output.
        &self.model.tensors[op.outputs[0]]
    }

    /// Input `i` of an operator in the plan; a constant of
    /// int8, int16 or int32 becomes a table.
    fn input(&mut self, op: &Operator, i: usize) -> Result<TensorId, String> {
        let index = Self::index(op, i)?;
        if let Some(id) = self.tensors[index] {
            return Ok(id);
        }
        let tensor = &self.model.tensors[index];
        match &tensor.data {
            Some(data) if tensor.dtype == DType::I8 => {
                let values: Vec<i8> = data.iter().map(|&b| b as i8).collect();
                let id = self.plan.table(&tensor.name, &tensor.shape, &values);
                self.tensors[index] = Some(id);
                self.borrowed[index] = true;
                Ok(id)
            }
            Some(data) if tensor.dtype == DType::I16 => {
                let values = data.as_chunks::<2>().0.iter();
                let values: Vec<i16> = values.map(|&b| i16::from_le_bytes(b)).collect();
                let id = self.plan.table(&tensor.name, &tensor.shape, &values);
                self.tensors[index] = Some(id);
                self.borrowed[index] = true;
                Ok(id)
            }
            Some(data) if tensor.dtype == DType::I32 => {
                let values = data.as_chunks::<4>().0.iter();
                let values: Vec<i32> = values.map(|&b| i32::from_le_bytes(b)).collect();
                let id = self.plan.table(&tensor.name, &tensor.shape, &values);
                self.tensors[index] = Some(id);
                self.borrowed[index] = true;
                Ok(id)
            }
            Some(_) => Err(format!("input {i} is a constant of {}", tensor.dtype)),
            None => Err(format!("input {i} comes from an operator that cannot run")),
        }
    }

    /// The plan's tensor for the first output of an operator.
    fn new_output(&mut self, op: &Operator) -> Result<TensorId, String> {
        self.declare(op.outputs[0])
    }

    /// The plan's tensor that an operator writes for tensor `index` of the model.
    fn declare(&mut self, index: usize) -> Result<TensorId, String> {
        let tensor = &self.model.tensors[index];
        let Some(elem) = elem(tensor.dtype) else {
            return Err(format!("its output is {}", tensor.dtype));
        };
        let id = match self.places[index] {
            Some(place) => place,
            None => self.plan.tensor(&tensor.name, elem, &tensor.shape),
        };
        self.tensors[index] = Some(id);
        Ok(id)
    }

    /// Gives the outputs of an operator that cannot run a tensor each, so that the operators
    /// behind it are judged by themselves.
    fn stand_in(&mut self, op: &Operator) {
        for &index in &op.outputs {
            let tensor = &self.model.tensors[index];
            if let (None, Some(elem)) = (self.tensors[index], elem(tensor.dtype)) {
                self.tensors[index] = Some(self.plan.tensor(&tensor.name, elem, &tensor.shape));
            }
        }
    }

    /// The plan's tensor for graph output `index`: in `place` if one is given, and a copy if it
    /// lies over an input or a constant.
    fn output(&mut self, index: usize, place: Option<TensorId>) -> Result<TensorId, LowerError> {
        let tensor = &self.model.tensors[index];
        let name = format!("{}.output", self.name);
        let Some(id) = self.tensors[index] else {
            return Err(LowerError::new(name, "no operator writes this output"));
        };
        let there = place.is_none_or(|place| place == id);
        if there && !self.borrowed[index] {
            return Ok(id);
        }
        let copy = match place {
            Some(place) => place,
            None => {
                let elem = self.plan.elem(id);
                self.plan.tensor(&tensor.name, elem, &tensor.shape)
            }
        };
        self.strided_copy(&name, (id, 0), (copy, 0), &[(tensor.n_elements(), 1, 1)])
            .map_err(|why| LowerError::new(name, why))?;
        Ok(copy)
    }
}
