//! One operator with its tensors.

use super::{Arithmetic, Values};
use crate::executor::Real;
use otolith_tflite::{DType, Model, Operator, Tensor};

/// An operator of a model and the values of all tensors before it.
pub(super) struct Node<'a, F> {
    pub(super) model: &'a Model,
    pub(super) op: &'a Operator,
    values: &'a [Option<Values<F>>],
    arithmetic: Arithmetic,
}

impl<'a, F: Real> Node<'a, F> {
    pub(super) fn new(
        model: &'a Model,
        op: &'a Operator,
        values: &'a [Option<Values<F>>],
        arithmetic: Arithmetic,
    ) -> Self {
        Self {
            model,
            op,
            values,
            arithmetic,
        }
    }

    /// Whether quantised tensors are held as real numbers.
    pub(super) fn is_dequantised(&self) -> bool {
        self.arithmetic == Arithmetic::Dequantised
    }

    /// Whether the first output is computed in real numbers.
    pub(super) fn is_real(&self) -> bool {
        let output = self.output();
        output.dtype == DType::F32 || self.is_dequantised() && output.quant.is_some()
    }

    /// Index of input `i` in the model; `None` where it is left out.
    pub(super) fn index(&self, i: usize) -> Option<usize> {
        self.op.inputs.get(i).copied().flatten()
    }

    /// Input `i`.
    pub(super) fn input(&self, i: usize) -> Result<&'a Tensor, String> {
        let index = self
            .index(i)
            .ok_or_else(|| format!("input {i} is missing"))?;
        Ok(&self.model.tensors[index])
    }

    /// The first output.
    pub(super) fn output(&self) -> &'a Tensor {
        // The reader refuses operators without output.
        &self.model.tensors[self.op.outputs[0]]
    }

    /// Values of input `i`.
    pub(super) fn values(&self, i: usize) -> Result<&'a Values<F>, String> {
        let tensor = self.input(i)?;
        let values = self.index(i).and_then(|index| self.values[index].as_ref());
        values.ok_or_else(|| format!("input {i} has no values of type {}", tensor.dtype))
    }

    /// Values of output `i` as the run before left them; `None` in the first run.
    pub(super) fn before(&self, i: usize) -> Option<&'a Values<F>> {
        self.values[*self.op.outputs.get(i)?].as_ref()
    }

    /// Values of input `i`, which is an integer tensor.
    pub(super) fn integers(&self, i: usize) -> Result<&'a [i64], String> {
        match self.values(i)? {
            Values::Integers(integers) => Ok(integers),
            Values::Reals(_) => Err(format!("input {i} is float, its output is not")),
        }
    }

    /// Values of input `i`, less its zero point.
    pub(super) fn offset(&self, i: usize) -> Result<Vec<i64>, String> {
        let (_, zero_point) = scale(self.input(i)?)?;
        Ok(self.integers(i)?.iter().map(|x| x - zero_point).collect())
    }

    /// Values of input `i` as real numbers: an integer constant of a float operator is
    /// dequantised.
    pub(super) fn reals(&self, i: usize) -> Result<Vec<F>, String> {
        Ok(match self.values(i)? {
            Values::Reals(reals) => reals.clone(),
            integers => {
                let reals = integers.to_f64(self.input(i)?);
                reals.into_iter().map(F::of).collect()
            }
        })
    }

    /// An error that names the shapes of inputs and output.
    pub(super) fn shapes(&self) -> String {
        let inputs = self.op.inputs.iter().flatten();
        let inputs: Vec<_> = inputs.map(|&i| &self.model.tensors[i].shape).collect();
        format!(
            "inputs of shapes {inputs:?} do not give an output of {:?}",
            self.output().shape
        )
    }

    /// Values of the parameters in input `i`, such as axes or sizes: a constant of int32.
    pub(super) fn parameters(&self, i: usize) -> Result<&'a [i64], String> {
        match self.input(i)?.dtype {
            DType::I32 | DType::I64 => self.integers(i),
            other => Err(format!("input {i} is {other}, allowed is int32")),
        }
    }
}

/// Scale and zero point of a tensor that has one of each.
pub(super) fn scale(tensor: &Tensor) -> Result<(f32, i64), String> {
    let quant = tensor.quant.as_ref();
    let single = quant.map(|q| (q.scales.as_slice(), q.zero_points.as_slice()));
    match single {
        Some((&[scale], &[zero_point])) => Ok((scale, zero_point)),
        _ => Err(format!(
            "tensor \"{}\" has no scale or several, allowed is one",
            tensor.name
        )),
    }
}
