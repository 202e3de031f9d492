//! Layers with int16 activations and int8 weights.
//!
//! Poolings, means and softmax share the lowering of int8.

use super::layers::{Broadcast, near};
use super::multiplier::{Multiplier, clamp};
use super::windows::shapes;
use super::{Lowering, single_scale};
use crate::plan_builder::TensorId;
use otolith_classifier::ops::wide::{elementwise, leaky_relu, sigmoid, softmax};
use otolith_dsp_nostd::Op;
use otolith_tflite::{Activation, BuiltinOp, DType, Operator, Options, Tensor};

/// Limits of an int16.
pub(super) const LIMITS: (i32, i32) = (-32768, 32767);

pub(super) fn only_int16(tensors: &[&Tensor]) -> Result<(), String> {
    match tensors.iter().find(|t| t.dtype != DType::I16) {
        None => Ok(()),
        Some(t) => Err(format!(
            "tensor \"{}\" is {}, allowed is int16 beside int16: convert all activations to one \
             type",
            t.name, t.dtype
        )),
    }
}

/// The scale of an int16 activation, whose zero point must be 0.
pub(super) fn scale16(tensor: &Tensor) -> Result<f32, String> {
    match single_scale(tensor)? {
        (scale, 0) => Ok(scale),
        (_, zero_point) => Err(format!(
            "tensor \"{}\" has the zero point {zero_point}, allowed is 0 for int16",
            tensor.name
        )),
    }
}

fn activation_fault(activation: Activation) -> String {
    format!("the fused activation {activation:?} is not run: use ReLU")
}

impl Lowering<'_, '_> {
    /// Lowers an operator on int16 activations that has an operator of its own here; `None` for
    /// one that is lowered elsewhere.
    pub(super) fn wide(
        &mut self,
        name: &str,
        code: BuiltinOp,
        op: &Operator,
    ) -> Option<Result<(), String>> {
        let data = usize::from(code == BuiltinOp::TRANSPOSE_CONV) * 2;
        if self.tensor(op, data).ok()?.dtype != DType::I16 {
            return None;
        }
        Some(match (code, &op.options) {
            (BuiltinOp::CONV_2D | BuiltinOp::DEPTHWISE_CONV_2D | BuiltinOp::FULLY_CONNECTED, _) => {
                self.conv_i16(name, op)
            }
            (BuiltinOp::ADD, &Options::Add { activation }) => {
                self.sum_i16(name, op, activation, &elementwise::ADD_I16)
            }
            (BuiltinOp::SUB, &Options::Sub { activation }) => {
                self.sum_i16(name, op, activation, &elementwise::SUB_I16)
            }
            (BuiltinOp::MUL, &Options::Mul { activation }) => self.mul_i16(name, op, activation),
            (BuiltinOp::RELU, _) => self.relu_i16(name, op, Activation::Relu, 0.0),
            (BuiltinOp::RELU6, _) => self.relu_i16(name, op, Activation::Relu6, 0.0),
            (BuiltinOp::RELU_N1_TO_1, _) => self.relu_i16(name, op, Activation::ReluN1To1, 1.0),
            (BuiltinOp::LEAKY_RELU, &Options::LeakyRelu { alpha }) => {
                self.relu_i16(name, op, Activation::None, alpha)
            }
            (BuiltinOp::LOGISTIC, _) => self.sigmoid_i16(name, op, &sigmoid::LOGISTIC_I16),
            (BuiltinOp::TANH, _) => self.sigmoid_i16(name, op, &sigmoid::TANH_I16),
            _ => return None,
        })
    }

    /// Parameters of an element-wise operator without its multipliers, and its operands.
    fn elementwise_i16(
        &mut self,
        op: &Operator,
        activation: Activation,
    ) -> Result<(elementwise::Params, [TensorId; 3]), String> {
        let (a, b, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let y = self.new_output(op)?;
        only_int16(&[a, b, output])?;
        let scale = scale16(output)?;
        let (min, max) =
            clamp(activation, LIMITS, scale, 0).ok_or_else(|| activation_fault(activation))?;
        let Broadcast { dims, a: sa, b: sb } = Broadcast::new(&a.shape, &b.shape, &output.shape)
            .ok_or_else(|| shapes(&[a, b, output]))?;
        let params = elementwise::Params {
            d0: dims[0],
            d1: dims[1],
            d2: dims[2],
            d3: dims[3],
            d4: dims[4],
            a0: sa[0],
            a1: sa[1],
            a2: sa[2],
            a3: sa[3],
            a4: sa[4],
            b0: sb[0],
            b1: sb[1],
            b2: sb[2],
            b3: sb[3],
            b4: sb[4],
            a_multiplier: 0,
            a_shift: 0,
            b_multiplier: 0,
            b_shift: 0,
            output_multiplier: 0,
            output_shift: 0,
            min,
            max,
        };
        Ok((params, [self.input(op, 0)?, self.input(op, 1)?, y]))
    }

    /// ADD and SUB.
    fn sum_i16(
        &mut self,
        name: &str,
        op: &Operator,
        activation: Activation,
        kernel: &'static Op,
    ) -> Result<(), String> {
        let (mut params, operands) = self.elementwise_i16(op, activation)?;
        let [a, b] = [scale16(self.tensor(op, 0)?)?, scale16(self.tensor(op, 1)?)?];
        let scale = scale16(self.result(op))?;
        let twice = 2.0 * f64::from(a).max(f64::from(b));
        let bits = libm::ldexp(1.0, elementwise::LEFT_SHIFT as i32);
        let a = Multiplier::new(f64::from(a) / twice);
        let b = Multiplier::new(f64::from(b) / twice);
        let sum = bounded(twice / (bits * f64::from(scale)))?;
        (params.a_multiplier, params.a_shift) = (a.q, a.shift);
        (params.b_multiplier, params.b_shift) = (b.q, b.shift);
        (params.output_multiplier, params.output_shift) = (sum.q, sum.shift);
        self.step(kernel, name, &operands, &params.encode());
        Ok(())
    }

    fn mul_i16(&mut self, name: &str, op: &Operator, activation: Activation) -> Result<(), String> {
        let (mut params, operands) = self.elementwise_i16(op, activation)?;
        let [a, b] = [scale16(self.tensor(op, 0)?)?, scale16(self.tensor(op, 1)?)?];
        let scale = scale16(self.result(op))?;
        // The reference multiplies and divides in f32 here.
        let product = bounded(f64::from(a * b / scale))?;
        (params.output_multiplier, params.output_shift) = (product.q, product.shift);
        self.step(&elementwise::MUL_I16, name, &operands, &params.encode());
        Ok(())
    }

    /// The rectifiers: slope 1 above 0, `slope` below it, and the limits of `activation`.
    fn relu_i16(
        &mut self,
        name: &str,
        op: &Operator,
        activation: Activation,
        slope: f32,
    ) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let y = self.new_output(op)?;
        only_int16(&[input, output])?;
        if input.n_elements() != output.n_elements() {
            return Err(shapes(&[input, output]));
        }
        let (from, to) = (scale16(input)?, scale16(output)?);
        let (min, max) =
            clamp(activation, LIMITS, to, 0).ok_or_else(|| activation_fault(activation))?;
        let positive = bounded(f64::from(from / to))?;
        let negative = bounded(f64::from(from * slope.abs() / to))?;
        let params = leaky_relu::Params {
            positive_multiplier: positive.q,
            positive_shift: positive.shift,
            negative_multiplier: if slope < 0.0 { -negative.q } else { negative.q },
            negative_shift: negative.shift,
            min,
            max,
        };
        let x = self.input(op, 0)?;
        let kernel = &leaky_relu::LEAKY_RELU_I16;
        self.step(kernel, name, &[x, y], &params.encode());
        Ok(())
    }

    /// LOGISTIC and TANH.
    fn sigmoid_i16(
        &mut self,
        name: &str,
        op: &Operator,
        kernel: &'static Op,
    ) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let y = self.new_output(op)?;
        only_int16(&[input, output])?;
        if input.n_elements() != output.n_elements() {
            return Err(shapes(&[input, output]));
        }
        let to = scale16(output)?;
        if !near(to, 1.0 / 32768.0) {
            return Err(format!("its output has the scale {to}, allowed is 1/32768"));
        }
        let (multiplier, shift) = table_units(scale16(input)?, kernel.code)
            .ok_or("the input's scale is above 4/3, which saturates: use a smaller one")?;
        let params = sigmoid::Params { multiplier, shift };
        let x = self.input(op, 0)?;
        let table = self.sigmoid_table();
        self.step(kernel, name, &[x, table, y], &params.encode());
        Ok(())
    }

    /// The table of the logistic function, one for the whole plan.
    pub(super) fn sigmoid_table(&mut self) -> TensorId {
        if let Some(table) = self.sigmoid_table {
            return table;
        }
        let values = logistic_table();
        let name = format!("{}.sigmoid", self.name);
        let table = self.plan.table(&name, &[values.len()], &values);
        self.sigmoid_table = Some(table);
        table
    }

    /// SOFTMAX from int16 to int16, into `y`.
    pub(super) fn softmax_i16(
        &mut self,
        name: &str,
        op: &Operator,
        beta: f32,
        y: TensorId,
    ) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        only_int16(&[input, output])?;
        if input.shape != output.shape {
            return Err(shapes(&[input, output]));
        }
        let to = scale16(output)?;
        if !near(to, 1.0 / 32768.0) {
            return Err(format!("its output has the scale {to}, allowed is 1/32768"));
        }
        let n = input.shape.last().copied().unwrap_or(1);
        if n > 65535 {
            return Err(format!("{n} values in a row, allowed are at most 65535"));
        }
        // The table's 65535 units stand for 10.
        let units = f64::from(scale16(input)?) * f64::from(beta) / (10.0 / 65535.0);
        let Multiplier { q, shift } = bounded(units)?;
        let params = softmax::Params {
            rows: (input.n_elements() / n) as i32,
            n: n as i32,
            multiplier: q,
            shift,
        };
        let exp = interpolated(libm::expf, -10.0, 0.0);
        let reciprocal = interpolated(|x| 1.0 / (1.0 + x), 0.0, 1.0);
        let shape = [softmax::TABLE];
        let exp = self.plan.table(&format!("{name}.exp"), &shape, &exp);
        let reciprocal = self
            .plan
            .table(&format!("{name}.reciprocal"), &shape, &reciprocal);
        let x = self.input(op, 0)?;
        let operands = [x, exp, reciprocal, y];
        self.step(&softmax::SOFTMAX_I16, name, &operands, &params.encode());
        Ok(())
    }
}

/// The logistic function in steps of 1/24, in units of 2^-16: each entry moved by half of what
/// linear interpolation is off in the middle of its step, and the last one the largest number.
fn logistic_table() -> Vec<u16> {
    let exact = |x: f64| 65536.0 / (1.0 + libm::exp(-x / 24.0));
    let mut table: Vec<u16> = (0..sigmoid::TABLE)
        .map(|i| {
            let x = i as f64;
            let between = (exact(x) + exact(x + 1.0)) / 2.0;
            libm::round(exact(x) + (exact(x + 0.5) - between) / 2.0) as u16
        })
        .collect();
    if let Some(last) = table.last_mut() {
        *last = u16::MAX;
    }
    table
}

/// The multiplier of a factor, if it fits.
pub(super) fn bounded(real: f64) -> Result<Multiplier, String> {
    let multiplier = Multiplier::new(real);
    match multiplier.shift <= 30 {
        true => Ok(multiplier),
        false => Err("the output's scale is too small for its input's".into()),
    }
}

/// Multiplier and shift that bring a scale to the units of 1/12288 of the logistic table, rounded
/// down as in the reference. Scales of 2^-12, and 2^-11 for the tangent, are exact.
fn table_units(scale: f32, code: u16) -> Option<(i32, i32)> {
    if scale == 1.0 / 4096.0 {
        return Some((3, 0));
    }
    if scale == 1.0 / 2048.0 && code == sigmoid::TANH_I16.code {
        return Some((6, 0));
    }
    let mut multiplier = f64::from(scale) * 4096.0 * 3.0;
    let mut shift = 0;
    while multiplier <= 32767.0 / 2.0 && shift <= 30 {
        shift += 1;
        multiplier *= 2.0;
    }
    (multiplier < 32768.0).then_some((multiplier as i32, shift))
}

/// A table of 512 steps of `function` from `low` to `high` in Q0.15, each entry moved by half of
/// what linear interpolation is off in the middle of its step. In f32, as in the reference.
fn interpolated(function: impl Fn(f32) -> f32, low: f32, high: f32) -> Vec<i16> {
    let steps = softmax::TABLE - 1;
    let step = (high - low) / steps as f32;
    let unit = 32768.0f32;
    let narrow = |x: f32| x.clamp(-unit, unit - 1.0) as i16;
    let mut table: Vec<i16> = (0..steps)
        .map(|i| {
            let x = low + i as f32 * step;
            let next = low + (i + 1) as f32 * step;
            let sample = libm::roundf(function(x) * unit);
            let middle = libm::roundf(function(x + step / 2.0) * unit);
            let between = libm::roundf((function(next) * unit + sample) / 2.0);
            narrow(sample - libm::roundf((between - middle) / 2.0))
        })
        .collect();
    table.push(narrow(libm::roundf(function(high) * unit)));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interpolation in the tables is within a few units of the functions in f64.
    #[test]
    fn tables_follow_their_functions() {
        let exp = interpolated(libm::expf, -10.0, 0.0);
        let reciprocal = interpolated(|x| 1.0 / (1.0 + x), 0.0, 1.0);
        assert_eq!((exp.len(), reciprocal.len()), (513, 513));
        for i in 0..512 {
            let middle = |t: &[i16]| (f64::from(t[i]) + f64::from(t[i + 1])) / 2.0;
            let at = (i as f64 + 0.5) / 512.0;
            let want = 32768.0 * libm::exp(10.0 * at - 10.0);
            assert!((middle(&exp) - want).abs() < 3.0, "exp {i}");
            let want = 32768.0 / (1.0 + at);
            assert!((middle(&reciprocal) - want).abs() < 3.0, "1/(1+x) {i}");
        }
    }

    #[test]
    fn scales_become_units_of_the_table() {
        let logistic = sigmoid::LOGISTIC_I16.code;
        assert_eq!(table_units(1.0 / 4096.0, logistic), Some((3, 0)));
        assert_eq!(
            table_units(1.0 / 2048.0, sigmoid::TANH_I16.code),
            Some((6, 0))
        );
        let (q, shift) = table_units(0.0001, logistic).unwrap();
        let units = f64::from(q) / libm::ldexp(1.0, shift);
        assert!((units / 1.2288 - 1.0).abs() < 1e-4);
        assert_eq!(table_units(3.0, logistic), None);
    }
}
