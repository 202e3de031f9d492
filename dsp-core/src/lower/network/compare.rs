//! Comparisons, and the choice between two tensors.

use super::movement::{CopyAxis, strides};
use super::multiplier::Multiplier;
use super::windows::{only_int8, shapes};
use super::{Lowering, single_scale};
use crate::plan_builder::TensorId;
use otolith_classifier::ops::compare::{self, Relation};
use otolith_dsp_nostd::format::Elem;
use otolith_tflite::{BuiltinOp, DType, Operator};

/// The relation that an operator tests.
pub(super) fn relation(code: BuiltinOp) -> Option<Relation> {
    Some(match code {
        BuiltinOp::EQUAL => Relation::Equal,
        BuiltinOp::NOT_EQUAL => Relation::NotEqual,
        BuiltinOp::GREATER => Relation::Greater,
        BuiltinOp::GREATER_EQUAL => Relation::GreaterEqual,
        BuiltinOp::LESS => Relation::Less,
        BuiltinOp::LESS_EQUAL => Relation::LessEqual,
        _ => return None,
    })
}

impl Lowering<'_, '_> {
    pub(super) fn compare(
        &mut self,
        name: &str,
        op: &Operator,
        relation: Relation,
    ) -> Result<(), String> {
        let (a, b, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        only_int8(&[a, b])?;
        if output.dtype != DType::Bool {
            return Err(format!("its output is {}, allowed is bool", output.dtype));
        }
        let [(a_scale, a_zero_point), (b_scale, b_zero_point)] =
            [single_scale(a)?, single_scale(b)?];
        let factor = |scale: f32| match Multiplier::new(f64::from(scale)) {
            Multiplier { q, shift } if shift <= 0 => Ok((q, shift)),
            _ => Err(format!(
                "an input has the scale {scale}, allowed is below 1"
            )),
        };
        let (a_multiplier, a_shift) = factor(a_scale)?;
        let (b_multiplier, b_shift) = factor(b_scale)?;
        let params = compare::Params {
            a_zero_point,
            a_multiplier,
            a_shift,
            b_zero_point,
            b_multiplier,
            b_shift,
            relation: relation as i32,
        };
        self.combine(name, op, &compare::COMPARE_I8, &params.encode())
    }

    /// SELECT and SELECT_V2: the second input where the first one is true, else the third.
    pub(super) fn choose(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (a, b, output) = (self.tensor(op, 1)?, self.tensor(op, 2)?, self.result(op));
        only_int8(&[a, b, output])?;
        self.same_scale(&[a, b, output])?;
        if self.tensor(op, 0)?.dtype != DType::Bool {
            return Err("its first input is no mask of bool".into());
        }
        let mask = self.spread(name, op, 0, None)?;
        let a = self.spread(name, op, 1, None)?;
        let y = self.new_output(op)?;
        self.spread(name, op, 2, Some(y))?;
        self.step(&compare::SELECT_8, name, &[mask, a, y], &[]);
        Ok(())
    }

    /// Input `i` repeated to the shape of the output: itself where it has that shape and need not be in
    /// `place`.
    fn spread(
        &mut self,
        name: &str,
        op: &Operator,
        i: usize,
        place: Option<TensorId>,
    ) -> Result<TensorId, String> {
        let (input, output) = (self.tensor(op, i)?, self.result(op));
        let x = self.input(op, i)?;
        if place.is_none() && input.n_elements() == output.n_elements() {
            return Ok(x);
        }
        let missing = output.shape.len().checked_sub(input.shape.len());
        let missing = missing.ok_or_else(|| shapes(&[input, output]))?;
        let given = [vec![1; missing], input.shape.clone()].concat();
        let sizes = given.iter().zip(&output.shape);
        if !sizes.clone().all(|(&d, &n)| d == n || d == 1) {
            return Err(shapes(&[input, output]));
        }
        let steps = strides(&given).into_iter().zip(strides(&output.shape));
        let axes: Vec<CopyAxis> = sizes
            .zip(steps)
            .map(|((&d, &n), (x, y))| (n, if d == 1 { 0 } else { x }, y))
            .collect();
        let y = place.unwrap_or_else(|| {
            let name = format!("{name}.{i}");
            self.plan.tensor(&name, Elem::I8, &output.shape)
        });
        self.strided_copy(name, (x, 0), (y, 0), &axes)?;
        Ok(y)
    }
}
