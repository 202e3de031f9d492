//! Layers that are a function of one int8: each becomes a table.
//!
//! The tables are computed by the arithmetic of the reference kernels: in f32 where they use
//! tables of floats, in fixed point where they do. Float functions between a DEQUANTIZE and a
//! QUANTIZE become one table as well.

use super::multiplier::{Multiplier, int8_clamp};
use super::windows::{only_int8, shapes};
use super::{Lowering, single_scale};
use crate::plan_builder::TensorId;
use otolith_classifier::functions::{
    exp_of_negative, inverse_root, one_minus_over_one_plus, one_over_one_plus,
};
use otolith_classifier::ops::lookup;
use otolith_classifier::requant::{mbqm, q15, rounding_divide_by_pot};
use otolith_tflite::{Activation, BuiltinOp, DType, Model, OpCode, Operator, Options, Tensor};

/// A float tensor that is a function of an int8 tensor, by the int8's value plus 128.
#[derive(Clone)]
pub(super) struct Island {
    /// The int8 tensor of the plan.
    source: TensorId,
    values: Vec<f32>,
}

/// Scale and zero point of input and output.
#[derive(Clone, Copy)]
struct Scales {
    si: f32,
    zi: i32,
    so: f32,
    zo: i32,
}

impl Scales {
    /// The real value of an input.
    fn real(&self, x: i32) -> f32 {
        self.si * (x - self.zi) as f32
    }

    /// A table entry as the reference's float tables have it.
    fn entry(&self, real: f32) -> i32 {
        let scaled = libm::roundf(real * (1.0 / self.so));
        // The cast saturates.
        (scaled as i32).saturating_add(self.zo)
    }

    /// The factor from input to output, divided in f64.
    fn factor(&self) -> Multiplier {
        Multiplier::new(f64::from(self.si) / f64::from(self.so))
    }

    fn rescale(&self, x: i32) -> i32 {
        let Multiplier { q, shift } = self.factor();
        mbqm(x - self.zi, q, shift).saturating_add(self.zo)
    }
}

/// The factor that turns an input into Q4.27, and the input beyond which a sigmoid is flat.
fn sigmoid_input(scale: f32) -> (Multiplier, i32) {
    let factor = Multiplier::new(f64::from(scale) * libm::ldexp(1.0, 27));
    let radius = libm::floor(15.0 * libm::ldexp(1.0, 27 - factor.shift));
    (factor, radius as i32)
}

/// `1 / (1 + exp(-x))` with the output scale 1/256 and zero point -128.
fn logistic(scale: f32, x: i32) -> i32 {
    let (factor, radius) = sigmoid_input(scale);
    if x <= -radius {
        return -128;
    }
    if x >= radius {
        return 127;
    }
    let x = mbqm(x, factor.q, factor.shift);
    let positive = one_over_one_plus(exp_of_negative::<4>(-x.abs()));
    let y = match x {
        0 => 1 << 30,
        1.. => positive,
        _ => i32::MAX - positive,
    };
    rounding_divide_by_pot(y, 23) - 128
}

/// `tanh(x)` with the output scale 1/128 and zero point 0.
fn tanh(scale: f32, x: i32) -> i32 {
    let (factor, radius) = sigmoid_input(scale);
    if x <= -radius {
        return -128;
    }
    if x >= radius {
        return 127;
    }
    let x = mbqm(x, factor.q, factor.shift);
    // The same bits in Q5.26 are twice the value.
    let magnitude = one_minus_over_one_plus(exp_of_negative::<5>(-x.abs()));
    rounding_divide_by_pot(if x == 0 { 0 } else { magnitude * x.signum() }, 24)
}

/// TFLite's hard swish: `x * min(max(x + 3, 0), 6) / 6` in 16 bits.
fn hard_swish(s: &Scales, x: i32) -> i32 {
    let saturated = |x: i64| x.clamp(-32768, 32767) as i32;
    let high_mul = |a: i32, b: i32| saturated((i64::from(a) * i64::from(b) + (1 << 14)) >> 15);
    let high_scale = s.si / 128.0;
    let output = Multiplier::new(f64::from(high_scale / s.so));
    let relu = Multiplier::new(f64::from(high_scale / (3.0 / 32768.0)));
    let high = (x - s.zi) * 128;
    let scaled = high_mul(high, q15(output.q));
    let mut gate = high;
    if relu.shift > 0 {
        gate = saturated(i64::from(gate) << (relu.shift - 1).min(31));
    }
    gate = high_mul(gate, q15(relu.q));
    if relu.shift > 0 {
        gate = saturated(i64::from(gate) << 1);
    }
    if relu.shift < 0 {
        gate = rounding_divide_by_pot(gate, relu.shift.unsigned_abs());
    }
    let gate = (gate + 32768) >> 1;
    let product = saturated(i64::from(gate) * i64::from(scaled) / (1 << 15));
    rounding_divide_by_pot(product, (-output.shift).max(0) as u32) + s.zo
}

fn rsqrt(s: &Scales, x: i32) -> i32 {
    const BITS: i32 = 20;
    if x == s.zi {
        return 127;
    }
    // The reference's root and product are in f32.
    let Multiplier { q, shift } = Multiplier::new(1.0 / f64::from(libm::sqrtf(s.si) * s.so));
    let (root, root_shift) = inverse_root(x - s.zi);
    let fraction = mbqm(1, root, root_shift + BITS);
    mbqm(fraction, q, shift - BITS).saturating_add(s.zo)
}

/// The real function of an operator that the reference computes by a table of floats, or that
/// may stand between DEQUANTIZE and QUANTIZE.
fn real_function(code: BuiltinOp, options: &Options) -> Option<Box<dyn Fn(f32) -> f32>> {
    let alpha = match *options {
        Options::LeakyRelu { alpha } => alpha,
        _ => 0.0,
    };
    let tanh_form = matches!(options, Options::Gelu { approximate: true });
    Some(match code {
        BuiltinOp::EXP => Box::new(libm::expf),
        BuiltinOp::LOG => Box::new(libm::logf),
        BuiltinOp::SQRT => Box::new(libm::sqrtf),
        BuiltinOp::RSQRT => Box::new(|x| 1.0 / libm::sqrtf(x)),
        BuiltinOp::SQUARE => Box::new(|x| x * x),
        BuiltinOp::SIN => Box::new(libm::sinf),
        BuiltinOp::COS => Box::new(libm::cosf),
        BuiltinOp::ABS => Box::new(f32::abs),
        BuiltinOp::NEG => Box::new(|x| -x),
        BuiltinOp::FLOOR => Box::new(libm::floorf),
        BuiltinOp::CEIL => Box::new(libm::ceilf),
        BuiltinOp::ROUND => Box::new(libm::rintf),
        BuiltinOp::RELU => Box::new(|x| x.max(0.0)),
        BuiltinOp::RELU6 => Box::new(|x| x.clamp(0.0, 6.0)),
        BuiltinOp::RELU_N1_TO_1 => Box::new(|x| x.clamp(-1.0, 1.0)),
        BuiltinOp::LEAKY_RELU => Box::new(move |x| if x > 0.0 { x } else { x * alpha }),
        BuiltinOp::LOGISTIC => Box::new(|x| 1.0 / (1.0 + libm::expf(-x))),
        BuiltinOp::TANH => Box::new(libm::tanhf),
        BuiltinOp::ELU => Box::new(|x| if x < 0.0 { libm::expm1f(x) } else { x }),
        BuiltinOp::HARD_SWISH => Box::new(|x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        BuiltinOp::GELU if tanh_form => Box::new(|x| {
            let root_of_2_over_pi = core::f32::consts::FRAC_2_SQRT_PI / core::f32::consts::SQRT_2;
            0.5 * x * (1.0 + libm::tanhf(root_of_2_over_pi * (x + 0.044715 * x * x * x)))
        }),
        BuiltinOp::GELU => {
            Box::new(|x| 0.5 * x * libm::erfcf(x * -core::f32::consts::FRAC_1_SQRT_2))
        }
        _ => return None,
    })
}

/// Whether each tensor of the model may stay a function of an int8 tensor: an operator makes it
/// that, and nobody needs its floats.
pub(super) fn islands(model: &Model) -> Vec<bool> {
    let mut inside: Vec<bool> = model
        .tensors
        .iter()
        .map(|t| t.dtype == DType::F32 && t.data.is_none())
        .collect();
    for &index in model.outputs.iter().chain(&model.inputs) {
        inside[index] = false;
    }
    // Readers come behind writers, so that a reader's own output is decided before its input.
    for op in model.operators.iter().rev() {
        let folds = |code: BuiltinOp| {
            let [output] = op.outputs.as_slice() else {
                return false;
            };
            match code {
                BuiltinOp::QUANTIZE => model.tensors[*output].dtype == DType::I8,
                BuiltinOp::RESHAPE | BuiltinOp::SQUEEZE | BuiltinOp::EXPAND_DIMS => inside[*output],
                _ => inside[*output] && real_function(code, &op.options).is_some(),
            }
        };
        let folds = matches!(op.code, OpCode::Builtin(code) if folds(code));
        if !folds {
            for &input in op.inputs.iter().flatten() {
                inside[input] = false;
            }
        }
    }
    inside
}

impl Lowering<'_, '_> {
    /// Appends a lookup of `f`, which takes and gives int8 values.
    fn lookup(&mut self, name: &str, [x, y]: [TensorId; 2], f: impl Fn(i32) -> i32) {
        // Entry i belongs to the value with the low eight bits i.
        let values: Vec<i8> = (0..=255u8)
            .map(|i| f(i32::from(i as i8)).clamp(-128, 127) as i8)
            .collect();
        let known = self.lookups.iter().find(|(table, _)| *table == values);
        let table = match known {
            Some(&(_, id)) => id,
            None => {
                let id = self.plan.table(&format!("{name}.table"), &[256], &values);
                self.lookups.push((values, id));
                id
            }
        };
        self.step_in_place(&lookup::LOOKUP_I8, name, &[x, table, y], &[]);
    }

    /// A new tensor with the elements of `x` in the scale of `output`.
    pub(super) fn rescaled(
        &mut self,
        name: &str,
        x: TensorId,
        input: &Tensor,
        output: &Tensor,
    ) -> Result<TensorId, String> {
        let scales = scales(input, output)?;
        let name = format!("{name}.rescaled");
        let elem = self.plan.elem(x);
        let y = self.plan.tensor(&name, elem, &input.shape);
        self.lookup(&name, [x, y], |x| scales.rescale(x));
        Ok(y)
    }

    /// A function of one int8 tensor.
    pub(super) fn unary(
        &mut self,
        name: &str,
        op: &Operator,
        code: BuiltinOp,
    ) -> Result<(), String> {
        let Some(real) = real_function(code, &op.options) else {
            return Err(otolith_tflite::hint(&op.code).into());
        };
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        only_int8(&[input, output])?;
        if input.n_elements() != output.n_elements() {
            return Err(shapes(&[input, output]));
        }
        let s = scales(input, output)?;
        let f: Box<dyn Fn(i32) -> i32> = match (code, &op.options) {
            (BuiltinOp::LOGISTIC, _) if (s.so, s.zo) == (1.0 / 256.0, -128) => {
                Box::new(move |x| logistic(s.si, x - s.zi))
            }
            (BuiltinOp::TANH, _) if (s.so, s.zo) == (1.0 / 128.0, 0) => {
                Box::new(move |x| tanh(s.si, x - s.zi))
            }
            (BuiltinOp::RELU, _) => rectifier(s, Activation::Relu),
            (BuiltinOp::RELU6, _) => rectifier(s, Activation::Relu6),
            (BuiltinOp::RELU_N1_TO_1, _) => rectifier(s, Activation::ReluN1To1),
            (BuiltinOp::LEAKY_RELU, &Options::LeakyRelu { alpha }) => {
                let negative =
                    Multiplier::new(f64::from(s.si) * f64::from(alpha) / f64::from(s.so));
                Box::new(move |x| match x - s.zi {
                    d if d >= 0 => s.rescale(x),
                    d => mbqm(d, negative.q, negative.shift).saturating_add(s.zo),
                })
            }
            (BuiltinOp::HARD_SWISH, _) => Box::new(move |x| hard_swish(&s, x)),
            (BuiltinOp::ABS, _) => {
                let Multiplier { q, shift } = s.factor();
                Box::new(move |x| mbqm((x - s.zi).abs(), q, shift).saturating_add(s.zo))
            }
            (BuiltinOp::RSQRT, _) => Box::new(move |x| rsqrt(&s, x)),
            _ => Box::new(move |x| s.entry(real(s.real(x)))),
        };
        if s.factor().shift > 30 {
            return Err("the output's scale is too small for its input's".into());
        }
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        self.lookup(name, [x, y], f);
        Ok(())
    }

    /// Takes an operator that works on a float function of an int8 tensor; `false` when it does
    /// not.
    pub(super) fn fold(
        &mut self,
        name: &str,
        op: &Operator,
        code: BuiltinOp,
    ) -> Result<bool, String> {
        let (Some(&Some(from)), &[to]) = (op.inputs.first(), op.outputs.as_slice()) else {
            return Ok(false);
        };
        let (input, output) = (&self.model.tensors[from], &self.model.tensors[to]);
        if code == BuiltinOp::DEQUANTIZE && input.dtype == DType::I8 && self.inside[to] {
            let (scale, zero_point) = single_scale(input)?;
            let values = (-128..128).map(|x| scale * (x - zero_point) as f32);
            self.islands[to] = Some(Island {
                source: self.input(op, 0)?,
                values: values.collect(),
            });
            return Ok(true);
        }
        let Some(island) = self.islands[from].clone() else {
            return Ok(false);
        };
        if code == BuiltinOp::QUANTIZE && output.dtype == DType::I8 {
            let (scale, zero_point) = single_scale(output)?;
            let y = self.new_output(op)?;
            self.lookup(name, [island.source, y], |x| {
                let real = island.values[(x + 128) as usize];
                (libm::roundf(real / scale) as i32).saturating_add(zero_point)
            });
            return Ok(true);
        }
        let reshapes = matches!(
            code,
            BuiltinOp::RESHAPE | BuiltinOp::SQUEEZE | BuiltinOp::EXPAND_DIMS
        );
        let values = match real_function(code, &op.options) {
            Some(f) => island.values.iter().map(|&x| f(x)).collect(),
            None if reshapes => island.values,
            None => return Ok(false),
        };
        let source = island.source;
        self.islands[to] = Some(Island { source, values });
        Ok(true)
    }
}

fn scales(input: &Tensor, output: &Tensor) -> Result<Scales, String> {
    let ((si, zi), (so, zo)) = (single_scale(input)?, single_scale(output)?);
    Ok(Scales { si, zi, so, zo })
}

/// A rectifier with the scales of its own.
fn rectifier(s: Scales, activation: Activation) -> Box<dyn Fn(i32) -> i32> {
    let (min, max) = int8_clamp(activation, s.so, s.zo).unwrap_or((-128, 127));
    Box::new(move |x| s.rescale(x).max(min).min(max))
}
