//! Inputs and outputs of a network: where the values of the pipeline enter and leave it.

use super::layers::float_bits;
use super::{Lowering, elem, single_scale};
use crate::error::LowerError;
use crate::plan_builder::{PlanBuilder, TensorId};
use otolith_classifier::ops::quantize;
use otolith_dsp_nostd::format::Elem;
use otolith_tflite::{BuiltinOp, DType, Model, OpCode, Operator, Tensor};

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

/// Declares the source for all inputs of the model and returns a view of each.
pub(super) fn declare_inputs(
    plan: &mut PlanBuilder,
    model: &Model,
) -> Result<Vec<TensorId>, LowerError> {
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
pub(super) fn declare_outputs(
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

impl Lowering<'_, '_> {
    pub(super) fn inputs(&mut self, inputs: &[TensorId]) -> Result<(), LowerError> {
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

    /// The plan's tensor for graph output `index`: in `place` if one is given, and a copy if it
    /// lies over an input or a constant.
    pub(super) fn output(
        &mut self,
        index: usize,
        place: Option<TensorId>,
    ) -> Result<TensorId, LowerError> {
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
