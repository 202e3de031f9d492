//! From a model to network operators.
//!
//! [`network_plan`] makes a plan of a model alone; [`add_network`] appends a model to a plan that
//! is being built, and [`add_head`] a whole [`Head`](crate::graph::Head): the model and the decision behind it.
//! Operators and number formats are those of `docs/NUMERICS.md`, equal byte for byte to the
//! TFLite Micro reference kernels.

mod batches;
mod boundary;
mod compare;
mod dispatch;
mod elementwise;
mod fold;
mod general_conv;
mod head;
mod integer;
mod layers;
mod lookup;
mod matmul;
mod movement;
mod multiplier;
mod operands;
mod packed;
mod pool;
pub mod prune;
mod recurrent;
mod reduce;
mod resize;
mod signal;
mod variables;
mod weighted;
mod wide;
mod windows;

use crate::deploy::Kernels;
use crate::error::LowerError;
use crate::plan_builder::{ArenaUse, PlanBuilder, PlanBytes, TensorId};
use boundary::{declare_inputs, declare_outputs};
use lookup::Island;
use otolith_dsp_nostd::format::{Elem, Numeric, Section};
use otolith_tflite::{DType, Model, Operator, Tensor};
use std::collections::BTreeMap;
use variables::Variable;

pub use boundary::source_inputs;
pub use head::add_head;
pub(in crate::lower) use head::int8_input;
pub(crate) use head::is_float;

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
    network_alone(name, model, kernels)?.finish()
}

/// What the plan of [`network_plan_for`] needs of RAM.
///
/// # Errors
/// Those of [`network_plan`].
pub fn network_arena(name: &str, model: &Model, kernels: Kernels) -> Result<ArenaUse, LowerError> {
    Ok(network_alone(name, model, kernels)?.arena_use())
}

/// A plan of `model` alone, not yet laid out.
fn network_alone(name: &str, model: &Model, kernels: Kernels) -> Result<PlanBuilder, LowerError> {
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
    Ok(plan)
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
        // Truth values are bytes, 0 or 1.
        DType::I8 | DType::Bool => Elem::I8,
        DType::U8 => Elem::U8,
        DType::I16 => Elem::I16,
        DType::I32 => Elem::I32,
        DType::F32 => Elem::F32,
        DType::U32 => Elem::U32,
        DType::I64 => Elem::I64,
        DType::U64 => Elem::U64,
        DType::Other(_) => return None,
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
}
