//! Operands of operators: from tensors of the model to tensors of the plan.

use super::{Lowering, elem};
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::Op;
use otolith_tflite::{DType, Operator, Tensor};

impl<'m> Lowering<'m, '_> {
    /// Appends a step of this network.
    pub(super) fn step(
        &mut self,
        op: &'static Op,
        name: &str,
        tensors: &[TensorId],
        params: &[u32],
    ) {
        self.plan.step(self.section, op, name, tensors, params);
    }

    /// [`step`](Self::step) with an operator whose last operand may start where the first one does.
    pub(super) fn step_in_place(
        &mut self,
        op: &'static Op,
        name: &str,
        tensors: &[TensorId],
        params: &[u32],
    ) {
        self.step(op, name, tensors, params);
        if let (Some(&x), Some(&y)) = (tensors.first(), tensors.last()) {
            self.plan.may_share(x, y);
        }
    }

    /// Index of input `i` of an operator.
    pub(super) fn index(op: &Operator, i: usize) -> Result<usize, String> {
        let given = op.inputs.get(i).copied().flatten();
        given.ok_or_else(|| format!("input {i} is missing"))
    }

    /// Input `i` of an operator in the model.
    pub(super) fn tensor(&self, op: &Operator, i: usize) -> Result<&'m Tensor, String> {
        Ok(&self.model.tensors[Self::index(op, i)?])
    }

    /// Input `i` of an operator in the model, where it may be left out.
    pub(super) fn optional(&self, op: &Operator, i: usize) -> Option<&'m Tensor> {
        let index = op.inputs.get(i).copied().flatten()?;
        self.model.tensors.get(index)
    }

    /// The first output of an operator in the model.
    pub(super) fn result(&self, op: &Operator) -> &'m Tensor {
        // The reader refuses operators without output.
        &self.model.tensors[op.outputs[0]]
    }

    /// Input `i` of an operator in the plan; a constant of int8, int16 or int32 becomes a
    /// table.
    pub(super) fn input(&mut self, op: &Operator, i: usize) -> Result<TensorId, String> {
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
    pub(super) fn new_output(&mut self, op: &Operator) -> Result<TensorId, String> {
        self.declare(op.outputs[0])
    }

    /// The plan's tensor that an operator writes for tensor `index` of the model.
    pub(super) fn declare(&mut self, index: usize) -> Result<TensorId, String> {
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
    pub(super) fn stand_in(&mut self, op: &Operator) {
        for &index in &op.outputs {
            let tensor = &self.model.tensors[index];
            if let (None, Some(elem)) = (self.tensors[index], elem(tensor.dtype)) {
                self.tensors[index] = Some(self.plan.tensor(&tensor.name, elem, &tensor.shape));
            }
        }
    }
}
