//! Layers that combine two tensors element by element.

use super::layers::Broadcast;
use super::multiplier::{Multiplier, int8_clamp};
use super::windows::{only_int8, shapes};
use super::{Lowering, single_scale};
use crate::plan_builder::PlanBuilder;
use otolith_classifier::broadcast::Geometry;
use otolith_classifier::ops::{add, difference, div, extremum, mul};
use otolith_dsp_nostd::Op;
use otolith_tflite::{Activation, Operator, Tensor};

const TOO_SMALL: &str = "the output's scale is too small for its inputs'";

/// The parameters that all operators on two tensors begin with.
fn geometry([a, b, output]: [&Tensor; 3]) -> Result<Vec<u32>, String> {
    let Broadcast { dims, a: sa, b: sb } =
        Broadcast::new(&a.shape, &b.shape, &output.shape).ok_or_else(|| shapes(&[a, b, output]))?;
    let [d0, d1, d2, d3, d4] = dims;
    let [a0, a1, a2, a3, a4] = sa;
    let [b0, b1, b2, b3, b4] = sb;
    #[rustfmt::skip]
    let geometry = Geometry { d0, d1, d2, d3, d4, a0, a1, a2, a3, a4, b0, b1, b2, b3, b4 };
    Ok(geometry.encode().to_vec())
}

impl<'m> Lowering<'m, '_> {
    /// Fails unless all tensors share scale and zero point.
    pub(super) fn same_scale(&self, tensors: &[&Tensor]) -> Result<(), String> {
        let scales = tensors
            .iter()
            .map(|t| single_scale(t))
            .collect::<Result<Vec<_>, _>>()?;
        if scales.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(());
        }
        let list: Vec<String> = scales.iter().map(|(s, z)| format!("{s} and {z}")).collect();
        Err(format!(
            "its tensors have the scales and zero points {}, allowed is the same for all",
            list.join(", ")
        ))
    }

    /// Appends a step on two tensors.
    pub(super) fn combine(
        &mut self,
        name: &str,
        op: &Operator,
        kernel: &'static Op,
        own: &[u32],
    ) -> Result<(), String> {
        let geometry = geometry([self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op)])?;
        let (a, b) = (self.input(op, 0)?, self.input(op, 1)?);
        let y = self.new_output(op)?;
        let params = [geometry.as_slice(), own].concat();
        self.step(kernel, name, &[a, b, y], &params);
        // Views of one tensor may overlap each other: the output would then overlap one of them.
        if a == b || self.plan.root(a) != self.plan.root(b) {
            let count = |plan: &PlanBuilder, id| plan.shape(id).iter().product::<usize>();
            for x in [a, b] {
                if count(self.plan, x) == count(self.plan, y) {
                    self.plan.may_share(x, y);
                }
            }
        }
        Ok(())
    }

    /// The three tensors of an operator, all int8.
    fn operands(&self, op: &Operator) -> Result<[&'m Tensor; 3], String> {
        let tensors = [self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op)];
        only_int8(&tensors)?;
        Ok(tensors)
    }

    /// SUB, or SQUARED_DIFFERENCE with `squared`.
    pub(super) fn difference(
        &mut self,
        name: &str,
        op: &Operator,
        activation: Activation,
        squared: bool,
    ) -> Result<(), String> {
        let [a, b, output] = self.operands(op)?;
        let [(a_scale, a_zero_point), (b_scale, b_zero_point)] =
            [single_scale(a)?, single_scale(b)?];
        let (scale, zero_point) = single_scale(output)?;
        let (min, max) = clamp(activation, scale, zero_point)?;
        let twice = 2.0 * f64::from(a_scale).max(f64::from(b_scale));
        let a = Multiplier::new(f64::from(a_scale) / twice);
        let b = Multiplier::new(f64::from(b_scale) / twice);
        let real = if squared {
            let bits = libm::ldexp(1.0, 2 * difference::SQUARE_LEFT_SHIFT as i32);
            twice * twice / (bits * f64::from(scale))
        } else {
            twice / (libm::ldexp(1.0, add::LEFT_SHIFT as i32) * f64::from(scale))
        };
        let out = Multiplier::new(real);
        if out.shift > 30 {
            return Err(TOO_SMALL.into());
        }
        let params = difference::Params {
            a_zero_point,
            a_multiplier: a.q,
            a_shift: a.shift,
            b_zero_point,
            b_multiplier: b.q,
            b_shift: b.shift,
            output_multiplier: out.q,
            output_shift: out.shift,
            output_zero_point: zero_point,
            min,
            max,
        };
        let kernel = match squared {
            true => &difference::SQUARED_DIFFERENCE_I8,
            false => &difference::SUB_I8,
        };
        self.combine(name, op, kernel, &params.encode())
    }

    pub(super) fn mul(
        &mut self,
        name: &str,
        op: &Operator,
        activation: Activation,
    ) -> Result<(), String> {
        let [a, b, output] = self.operands(op)?;
        let [(a_scale, a_zero_point), (b_scale, b_zero_point)] =
            [single_scale(a)?, single_scale(b)?];
        let (scale, output_zero_point) = single_scale(output)?;
        let (min, max) = clamp(activation, scale, output_zero_point)?;
        let real = f64::from(a_scale) * f64::from(b_scale) / f64::from(scale);
        let Multiplier { q, shift } = Multiplier::new(real);
        if shift > 30 {
            return Err(TOO_SMALL.into());
        }
        let params = mul::Params {
            a_zero_point,
            b_zero_point,
            multiplier: q,
            shift,
            output_zero_point,
            min,
            max,
        };
        self.combine(name, op, &mul::MUL_I8, &params.encode())
    }

    pub(super) fn div(
        &mut self,
        name: &str,
        op: &Operator,
        activation: Activation,
    ) -> Result<(), String> {
        let [a, b, output] = self.operands(op)?;
        let [(a_scale, a_zero_point), (b_scale, b_zero_point)] =
            [single_scale(a)?, single_scale(b)?];
        let (scale, output_zero_point) = single_scale(output)?;
        let (min, max) = clamp(activation, scale, output_zero_point)?;
        // The reference divides these scales in f32.
        let Multiplier { q, shift } = Multiplier::new(f64::from(a_scale / (b_scale * scale)));
        if shift > div::MAX_SHIFT {
            return Err(TOO_SMALL.into());
        }
        let params = div::Params {
            a_zero_point,
            b_zero_point,
            multiplier: q,
            shift,
            output_zero_point,
            min,
            max,
        };
        self.combine(name, op, &div::DIV_I8, &params.encode())
    }

    pub(super) fn prelu(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let [a, b, output] = self.operands(op)?;
        let [(a_scale, a_zero_point), (b_scale, b_zero_point)] =
            [single_scale(a)?, single_scale(b)?];
        let (scale, output_zero_point) = single_scale(output)?;
        let positive = Multiplier::new(f64::from(a_scale) / f64::from(scale));
        let negative = f64::from(a_scale) * f64::from(b_scale) / f64::from(scale);
        let negative = Multiplier::new(negative);
        if positive.shift.max(negative.shift) > 30 {
            return Err(TOO_SMALL.into());
        }
        let params = mul::PreluParams {
            a_zero_point,
            b_zero_point,
            positive_multiplier: positive.q,
            positive_shift: positive.shift,
            multiplier: negative.q,
            shift: negative.shift,
            output_zero_point,
        };
        self.combine(name, op, &mul::PRELU_I8, &params.encode())
    }

    /// MAXIMUM, or MINIMUM with `least`.
    pub(super) fn larger(&mut self, name: &str, op: &Operator, least: bool) -> Result<(), String> {
        let tensors = self.operands(op)?;
        self.same_scale(&tensors)?;
        let kernel = match least {
            true => &extremum::MINIMUM_I8,
            false => &extremum::MAXIMUM_I8,
        };
        self.combine(name, op, kernel, &[])
    }
}

fn clamp(activation: Activation, scale: f32, zero_point: i32) -> Result<(i32, i32), String> {
    int8_clamp(activation, scale, zero_point)
        .ok_or_else(|| format!("the fused activation {activation:?} is not run: use ReLU"))
}
