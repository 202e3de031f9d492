//! Layers on plain integers, which have no scale.

use super::Lowering;
use super::windows::shapes;
use otolith_classifier::ops::integer;
use otolith_tflite::{Activation, BuiltinOp, DType, Operator, Options, Tensor};

/// Whether a tensor holds plain numbers of int32.
fn plain(tensor: &Tensor) -> bool {
    tensor.dtype == DType::I32 && tensor.quant.is_none()
}

impl Lowering<'_, '_> {
    /// Lowers an operator on plain int32; `None` for one that is lowered elsewhere.
    pub(super) fn integer(
        &mut self,
        name: &str,
        code: BuiltinOp,
        op: &Operator,
    ) -> Option<Result<(), String>> {
        let (kernel, activation) = match (code, &op.options) {
            (BuiltinOp::ADD, &Options::Add { activation }) => (&integer::ADD_I32, activation),
            (BuiltinOp::SUB, &Options::Sub { activation }) => (&integer::SUB_I32, activation),
            (BuiltinOp::MUL, &Options::Mul { activation }) => (&integer::MUL_I32, activation),
            (BuiltinOp::DIV, &Options::Div { activation }) => (&integer::DIV_I32, activation),
            (BuiltinOp::MAXIMUM, _) => (&integer::MAXIMUM_I32, Activation::None),
            (BuiltinOp::MINIMUM, _) => (&integer::MINIMUM_I32, Activation::None),
            _ => return None,
        };
        let tensors = [self.tensor(op, 0).ok()?, self.tensor(op, 1).ok()?];
        if !tensors.into_iter().chain([self.result(op)]).all(plain) {
            return None;
        }
        Some(match activation {
            Activation::None => self.combine(name, op, kernel, &[]),
            other => Err(format!(
                "the fused activation {other:?} is not run on int32: use Maximum"
            )),
        })
    }

    /// CAST between whole numbers.
    pub(super) fn cast(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        if input.n_elements() != output.n_elements() {
            return Err(shapes(&[input, output]));
        }
        let word = |dtype| matches!(dtype, DType::I32 | DType::U32);
        let signed = |dtype| matches!(dtype, DType::I8 | DType::I16 | DType::I32);
        if input.dtype == output.dtype || word(input.dtype) && word(output.dtype) {
            return self.reshape(op);
        }
        if !signed(input.dtype) || !signed(output.dtype) {
            return Err(format!(
                "it casts {} to {}, allowed are int8, int16 and int32",
                input.dtype, output.dtype
            ));
        }
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        self.step(&integer::CAST, name, &[x, y], &[]);
        Ok(())
    }
}
