//! Layers without a sliding window.

use super::multiplier::{Multiplier, int8_clamp};
use super::packed::Conv;
use super::weighted::{Weighted, int8};
use super::windows::{only_int8, shapes};
use super::{Kernels, Lowering, single_scale};
use otolith_classifier::ops::packed::add::ADD_LINEAR_I8;
use otolith_classifier::ops::packed::{self, conv};
use otolith_classifier::ops::{add, fully_connected, quantize, softmax};
use otolith_classifier::requant::mbqm;
use otolith_tflite::{Activation, DType, Operator, Tensor};

/// Parameters of the operators between floats and integers.
pub(super) fn float_bits((scale, zero_point): (f32, i32)) -> [u32; quantize::FloatParams::WORDS] {
    let scale_bits = scale.to_bits() as i32;
    quantize::FloatParams {
        scale_bits,
        zero_point,
    }
    .encode()
}

/// Inputs beyond which a fully connected layer of one row is summed in parts.
const LONG: usize = 1024;

impl Lowering<'_, '_> {
    pub(super) fn fully_connected(
        &mut self,
        name: &str,
        op: &Operator,
        activation: Activation,
        weights_format: u8,
    ) -> Result<(), String> {
        let (input, weights, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let y = self.new_output(op)?;
        only_int8(&[input, weights, output])?;
        if weights_format != 0 {
            return Err("its weights are shuffled, allowed is the default format".into());
        }
        let &[n_out, n_in] = weights.shape.as_slice() else {
            return Err(shapes(&[input, weights, output]));
        };
        let rows = input.n_elements() / n_in;
        if input.n_elements() % n_in != 0 || output.n_elements() != rows * n_out {
            return Err(shapes(&[input, weights, output]));
        }
        let layer = Weighted {
            input,
            weights,
            bias: self.optional(op, 2),
            output,
            activation,
            channels: n_out,
            inner: n_in,
        };
        let requant = self.requantisation(&layer)?;
        let zero_points = weights.quant.as_ref().map_or(&[][..], |q| &q.zero_points);
        let weights_zero_point = match zero_points {
            &[z] if (-128..=127).contains(&z) => z as i32,
            many if many.iter().all(|&z| z == 0) => 0,
            _ => return Err("its weights have zero points per channel, allowed is 0".into()),
        };
        let params = fully_connected::Params {
            rows: rows as i32,
            n_in: n_in as i32,
            n_out: n_out as i32,
            input_zero_point: single_scale(input)?.1,
            weights_zero_point,
            output_zero_point: requant.output_zero_point,
            min: requant.min,
            max: requant.max,
        };
        let x = self.input(op, 0)?;
        if weights_zero_point == 0 && self.kernels == Kernels::Packed {
            let weights = int8(weights)?;
            let conv = Conv {
                p: pixels(&params),
                weights: &weights,
            };
            // Long sums may overflow in one part, and would need a long scratch.
            if rows == 1
                && n_in > LONG
                && self.packed_split(name, [x, y], &layer, &requant, &weights)
                || self.packed_conv(name, [x, y], &layer, &requant, conv)
            {
                return Ok(());
            }
        }
        let w = self.weights(name, weights)?;
        let [bias, multipliers, shifts] = self.tables(name, &requant);
        let operands = [x, w, bias, multipliers, shifts, y];
        self.step(
            &fully_connected::FULLY_CONNECTED_I8,
            name,
            &operands,
            &params.encode(),
        );
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        name: &str,
        op: &Operator,
        activation: Activation,
    ) -> Result<(), String> {
        let (a, b, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let y = self.new_output(op)?;
        only_int8(&[a, b, output])?;
        let [(a_scale, a_zero), (b_scale, b_zero)] = [single_scale(a)?, single_scale(b)?];
        let (scale, zero_point) = single_scale(output)?;
        let (min, max) = int8_clamp(activation, scale, zero_point)
            .ok_or_else(|| format!("the fused activation {activation:?} is not run: use ReLU"))?;
        let twice = 2.0 * f64::from(a_scale).max(f64::from(b_scale));
        let bits = libm::ldexp(1.0, add::LEFT_SHIFT as i32);
        let a_factor = Multiplier::new(f64::from(a_scale) / twice);
        let b_factor = Multiplier::new(f64::from(b_scale) / twice);
        let out_factor = Multiplier::new(twice / (bits * f64::from(scale)));
        if out_factor.shift > 30 {
            return Err("the output's scale is too small for its inputs'".into());
        }
        let Broadcast { dims, a: sa, b: sb } = Broadcast::new(&a.shape, &b.shape, &output.shape)
            .ok_or_else(|| shapes(&[a, b, output]))?;
        let params = add::Params {
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
            a_zero_point: a_zero,
            a_multiplier: a_factor.q,
            a_shift: a_factor.shift,
            b_zero_point: b_zero,
            b_multiplier: b_factor.q,
            b_shift: b_factor.shift,
            output_multiplier: out_factor.q,
            output_shift: out_factor.shift,
            output_zero_point: zero_point,
            min,
            max,
        };
        let same = [a, b].iter().all(|t| t.n_elements() == output.n_elements());
        let linear = linear_sum(&params).filter(|_| same);
        let (a, b) = (self.input(op, 0)?, self.input(op, 1)?);
        match linear {
            Some(p) => self.step_in_place(&ADD_LINEAR_I8, name, &[a, b, y], &p.encode()),
            None => self.step(&add::ADD_I8, name, &[a, b, y], &params.encode()),
        }
        Ok(())
    }

    pub(super) fn softmax(&mut self, name: &str, op: &Operator, beta: f32) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let y = self.new_output(op)?;
        if input.dtype == DType::I16 {
            return self.softmax_i16(name, op, beta, y);
        }
        let wide = output.dtype == DType::I16;
        only_int8(&[input])?;
        if !wide {
            only_int8(&[output])?;
        }
        if input.shape != output.shape {
            return Err(shapes(&[input, output]));
        }
        let found = single_scale(output)?;
        if wide && (found.1 != -32768 || !near(found.0, 1.0 / 65536.0)) {
            return Err(format!(
                "its output has scale {} and zero point {}, allowed is 1/65536 and -32768",
                found.0, found.1
            ));
        }
        if !wide && found != (1.0 / 256.0, -128) {
            return Err(format!(
                "its output has scale {} and zero point {}, allowed is 1/256 and -128",
                found.0, found.1
            ));
        }
        let (scale, _) = single_scale(input)?;
        let real = f64::from(beta) * f64::from(scale) * libm::ldexp(1.0, 26);
        if !(1.0..).contains(&real) {
            return Err(format!(
                "beta {beta} times the input's scale {scale} is too small"
            ));
        }
        let Multiplier { q, shift } = Multiplier::new(real.min(libm::ldexp(1.0, 31) - 1.0));
        let n = input.shape.last().copied().unwrap_or(1);
        if n > 4095 {
            return Err(format!("{n} values in a row, allowed are at most 4095"));
        }
        let params = softmax::Params {
            rows: (input.n_elements() / n) as i32,
            n: n as i32,
            multiplier: q,
            // With a shift of 31 only the maximum itself is above diff_min = 0, and 0 is 0
            // whatever it is shifted by.
            shift: shift.min(30),
            diff_min: (-libm::floor(31.0 * libm::ldexp(1.0, 26 - shift))).max(-255.0) as i32,
        };
        let x = self.input(op, 0)?;
        let kernel = match wide {
            true => &softmax::SOFTMAX_I8_I16,
            false => &softmax::SOFTMAX_I8,
        };
        self.step(kernel, name, &[x, y], &params.encode());
        Ok(())
    }

    /// QUANTIZE and DEQUANTIZE.
    pub(super) fn convert(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let y = self.new_output(op)?;
        if input.n_elements() != output.n_elements() {
            return Err(shapes(&[input, output]));
        }
        let (kernel, params) = match (input.dtype, output.dtype) {
            (DType::F32, DType::I8) => (
                &quantize::QUANTIZE_F32_I8,
                float_bits(single_scale(output)?).to_vec(),
            ),
            (DType::I8, DType::F32) => (
                &quantize::DEQUANTIZE_I8_F32,
                float_bits(single_scale(input)?).to_vec(),
            ),
            (DType::I16, DType::F32) => (
                &quantize::DEQUANTIZE_I16_F32,
                float_bits(single_scale(input)?).to_vec(),
            ),
            (DType::I8, DType::I8) => (&quantize::QUANTIZE_I8_I8, requantize(input, output)?),
            (DType::I16, DType::I8) => (&quantize::QUANTIZE_I16_I8, requantize(input, output)?),
            (DType::I8, DType::U8) => (&quantize::QUANTIZE_I8_U8, requantize(input, output)?),
            (DType::I16, DType::I16) => (&quantize::QUANTIZE_I16_I16, requantize(input, output)?),
            (DType::I16, DType::I32) => (&quantize::QUANTIZE_I16_I32, requantize(input, output)?),
            (DType::I32, DType::I16) => (&quantize::QUANTIZE_I32_I16, requantize(input, output)?),
            (DType::I8, DType::I16) => (&quantize::QUANTIZE_I8_I16, requantize(input, output)?),
            (DType::I8, DType::I32) => (&quantize::QUANTIZE_I8_I32, requantize(input, output)?),
            (DType::I32, DType::I8) => (&quantize::QUANTIZE_I32_I8, requantize(input, output)?),
            (from, to) => {
                return Err(format!(
                    "{from} to {to} is not run: convert with full int8 quantisation and \
                     inference_input_type=tf.int8"
                ));
            }
        };
        let x = self.input(op, 0)?;
        self.step(kernel, name, &[x, y], &params);
        Ok(())
    }

    /// RESHAPE and its kin: the same bytes under another shape, or another type of that size.
    pub(super) fn reshape(&mut self, op: &Operator) -> Result<(), String> {
        let output = self.result(op);
        let x = self.input(op, 0)?;
        let given = self.plan.elem(x);
        let elem = super::elem(output.dtype).filter(|elem| elem.size() == given.size());
        let elem = elem.unwrap_or(given);
        let view = self.plan.view(&output.name, x, 0, elem, &output.shape);
        self.tensors[op.outputs[0]] = Some(view);
        self.borrowed[op.outputs[0]] = self.borrowed[Self::index(op, 0)?];
        Ok(())
    }
}

/// Whether a scale is within a thousandth of the one that an operator needs.
pub(super) fn near(found: f32, allowed: f32) -> bool {
    (found - allowed).abs() <= 0.001 * allowed
}

fn requantize(input: &Tensor, output: &Tensor) -> Result<Vec<u32>, String> {
    let (input_scale, input_zero_point) = single_scale(input)?;
    let (output_scale, output_zero_point) = single_scale(output)?;
    let Multiplier { q, shift } = Multiplier::new(f64::from(input_scale) / f64::from(output_scale));
    if shift > 30 {
        return Err("the output's scale is too small for its input's".into());
    }
    let params = quantize::Params {
        input_zero_point,
        output_zero_point,
        multiplier: q,
        shift,
    };
    Ok(params.encode().to_vec())
}

/// A fully connected layer as a convolution of one pixel: each row of the input is one.
fn pixels(p: &fully_connected::Params) -> conv::Params {
    conv::Params {
        batch: 1,
        in_h: p.rows,
        in_w: 1,
        in_c: p.n_in,
        out_h: p.rows,
        out_w: 1,
        out_c: p.n_out,
        kernel_h: 1,
        kernel_w: 1,
        stride_h: 1,
        stride_w: 1,
        pad_top: 0,
        pad_left: 0,
        row_bytes: 0,
        nine: 0,
        padded: 0,
        input_zero_point: p.input_zero_point,
        saturates: 0,
        min: p.min,
        max: p.max,
    }
}

/// The same sum with one multiplication for each input, if one is found that agrees for all 65,536 pairs
/// of inputs.
fn linear_sum(p: &add::Params) -> Option<packed::add::Params> {
    let factor = |q: i32, shift: i32| f64::from(q) * libm::ldexp(1.0, shift - 31);
    let out =
        factor(p.output_multiplier, p.output_shift) * libm::ldexp(1.0, add::LEFT_SHIFT as i32);
    let a_real = factor(p.a_multiplier, p.a_shift) * out;
    let b_real = factor(p.b_multiplier, p.b_shift) * out;
    // What the operator computes, without the clamp.
    let scaled =
        |x: i32, zero: i32, q: i32, shift: i32| mbqm((x - zero) << add::LEFT_SHIFT, q, shift);
    let a: Vec<i32> = (-128..128)
        .map(|x| scaled(x, p.a_zero_point, p.a_multiplier, p.a_shift))
        .collect();
    let b: Vec<i32> = (-128..128)
        .map(|x| scaled(x, p.b_zero_point, p.b_multiplier, p.b_shift))
        .collect();
    let outputs: Vec<i64> = a
        .iter()
        .flat_map(|a| b.iter().map(move |b| a + b))
        .map(|sum| {
            let y = mbqm(sum, p.output_multiplier, p.output_shift) + p.output_zero_point;
            i64::from(y.clamp(-128, 127))
        })
        .collect();
    for shift in (12..=23).rev() {
        let centre = [a_real, b_real].map(|real| libm::round(libm::ldexp(real, shift)) as i64);
        let products = 128 * (centre[0] + centre[1] + 4);
        if centre.iter().any(|&m| m + 2 > 1 << 23) || products > i64::from(i32::MAX) {
            continue;
        }
        let room = i64::from(i32::MAX) - products;
        for (da, db) in (-2..=2).flat_map(|da| (-2..=2).map(move |db| (da, db))) {
            let factors = [centre[0] + da, centre[1] + db];
            if let Some(constant) = constant_of(&outputs, factors, shift, room) {
                return Some(packed::add::Params {
                    a_factor: factors[0] as i32,
                    b_factor: factors[1] as i32,
                    constant,
                    shift,
                    min: p.min,
                    max: p.max,
                });
            }
        }
    }
    None
}

/// A constant of at most `room` with which `(a * factors[0] + b * factors[1] + constant) >> shift`, saturated,
/// gives all outputs.
fn constant_of(outputs: &[i64], factors: [i64; 2], shift: i32, room: i64) -> Option<i32> {
    let (mut low, mut high) = (-room, room);
    for (a, row) in (-128..128).zip(outputs.chunks(256)) {
        for (b, &y) in (-128..128).zip(row) {
            let sum = a * factors[0] + b * factors[1];
            if y > -128 {
                low = low.max((y << shift) - sum);
            }
            if y < 127 {
                high = high.min(((y + 1) << shift) - 1 - sum);
            }
        }
        if low > high {
            return None;
        }
    }
    Some(((low + high) / 2) as i32)
}

/// Dimensions of a sum, adjacent ones merged, with the strides of both inputs.
pub(super) struct Broadcast {
    pub(super) dims: [i32; 5],
    pub(super) a: [i32; 5],
    pub(super) b: [i32; 5],
}

impl Broadcast {
    /// numpy's rule: shapes are aligned at their last dimension, and sizes are equal or 1.
    pub(super) fn new(a: &[usize], b: &[usize], output: &[usize]) -> Option<Self> {
        let rank = output.len().max(1);
        let aligned = |shape: &[usize]| -> Option<Vec<usize>> {
            let missing = rank.checked_sub(shape.len())?;
            Some([vec![1; missing], shape.to_vec()].concat())
        };
        let (a, b, output) = (aligned(a)?, aligned(b)?, aligned(output)?);
        let fits = (0..rank).all(|i| {
            a[i].max(b[i]) == output[i] && [a[i], b[i]].iter().all(|&d| d == 1 || d == output[i])
        });
        if !fits {
            return None;
        }
        // (size, a is broadcast, b is broadcast), innermost first, merged while both agree.
        let mut groups: Vec<(usize, bool, bool)> = Vec::new();
        for i in (0..rank).rev() {
            if output[i] == 1 {
                continue;
            }
            let axis = (output[i], a[i] == 1, b[i] == 1);
            match groups.last_mut() {
                Some(last) if (last.1, last.2) == (axis.1, axis.2) => last.0 *= axis.0,
                _ => groups.push(axis),
            }
        }
        if groups.len() > 5 {
            return None;
        }
        let mut result = Self {
            dims: [1; 5],
            a: [0; 5],
            b: [0; 5],
        };
        let (mut a_stride, mut b_stride) = (1, 1);
        for (i, &(size, a_fixed, b_fixed)) in groups.iter().enumerate() {
            result.dims[4 - i] = size as i32;
            if !a_fixed {
                result.a[4 - i] = a_stride;
                a_stride *= size as i32;
            }
            if !b_fixed {
                result.b[4 - i] = b_stride;
                b_stride *= size as i32;
            }
        }
        Some(result)
    }
}
