//! Convolutions of int16, and transposed convolutions.

use super::multiplier::{Multiplier, clamp};
use super::weighted::{Weighted, constant, int32, no_weight_zero_points};
use super::wide::{LIMITS, only_int16, scale16};
use super::windows::{Slide, image, only_int8, shapes};
use super::{Lowering, single_scale};
use crate::plan_builder::TensorId;
use otolith_classifier::ops::general_conv::{CONV_2D_I16, Params, TRANSPOSE_CONV_I8};
use otolith_classifier::requant::q15;
use otolith_tflite::{Activation, BuiltinOp, DType, OpCode, Operator, Options, Padding, Tensor};

impl Lowering<'_, '_> {
    /// CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED of int16.
    pub(super) fn conv_i16(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, weights, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let y = self.new_output(op)?;
        only_int16(&[input, output])?;
        only_int8(&[weights])?;
        no_weight_zero_points(weights)?;
        let values = constant(weights, "weights")?;
        let (params, activation, filters) = match op.options {
            Options::Conv2D { activation, .. } => {
                let [out_c, kernel_h, kernel_w, group_c] = image(weights)?;
                let in_c = image(input)?[3];
                if in_c % group_c != 0 || out_c % (in_c / group_c) != 0 {
                    return Err(shapes(&[input, weights, output]));
                }
                let slide = Slide::of(&op.options, [kernel_h, kernel_w])?;
                let params = wide_params(&slide, [input, weights, output], out_c, in_c / group_c)?;
                (params, activation, values.to_vec())
            }
            Options::DepthwiseConv2D { activation, .. } => {
                let [one, kernel_h, kernel_w, out_c] = image(weights)?;
                let in_c = image(input)?[3];
                if one != 1 || out_c % in_c != 0 {
                    return Err(shapes(&[input, weights, output]));
                }
                let slide = Slide::of(&op.options, [kernel_h, kernel_w])?;
                let params = wide_params(&slide, [input, weights, output], out_c, in_c)?;
                // The channel comes last here and first in the operator.
                let taps = kernel_h * kernel_w;
                let filters = (0..out_c * taps).map(|i| values[(i % taps) * out_c + i / taps]);
                (params, activation, filters.collect())
            }
            Options::FullyConnected {
                activation,
                weights_format: 0,
                ..
            } => {
                let &[n_out, n_in] = weights.shape.as_slice() else {
                    return Err(shapes(&[input, weights, output]));
                };
                let rows = input.n_elements() / n_in;
                if input.n_elements() % n_in != 0 || output.n_elements() != rows * n_out {
                    return Err(shapes(&[input, weights, output]));
                }
                let mut params = plain([rows, 1, 1, n_in], [1, 1, n_out]);
                (params.kernel_h, params.kernel_w) = (1, 1);
                (params, activation, values.to_vec())
            }
            _ => return Err("its options are missing or its weights are shuffled".into()),
        };
        let code = OpCode::Builtin(BuiltinOp::DEPTHWISE_CONV_2D);
        let layer = Layer {
            input,
            weights,
            bias: self.optional(op, 2),
            output,
            activation,
            // Without a bias the reference's accumulator has 32 bits, but in depthwise layers.
            wide: op.code == code,
        };
        let tables = layer.tables(params.out_c as usize)?;
        let x = self.input(op, 0)?;
        self.wide_step(name, params, &filters, &tables, [x, y]);
        Ok(())
    }

    /// TRANSPOSE_CONV of int8 or int16. The output shape at input 0 is not read: it is that of the
    /// output, as in TFLite Micro.
    pub(super) fn transpose_conv(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let Options::TransposeConv {
            padding,
            stride_h,
            stride_w,
            activation,
        } = op.options
        else {
            return Err("its options are missing".into());
        };
        let (weights, input, output) = (self.tensor(op, 1)?, self.tensor(op, 2)?, self.result(op));
        let y = self.new_output(op)?;
        only_int8(&[weights])?;
        no_weight_zero_points(weights)?;
        let [batch, in_h, in_w, in_c] = image(input)?;
        let [out_c, kernel_h, kernel_w, weights_c] = image(weights)?;
        let [out_batch, out_h, out_w, channels] = image(output)?;
        if out_batch != batch || channels != out_c || weights_c != in_c {
            return Err(shapes(&[input, weights, output]));
        }
        let mut params = plain([batch, in_h, in_w, in_c], [out_h, out_w, out_c]);
        (params.kernel_h, params.kernel_w) = (kernel_h as i32, kernel_w as i32);
        (params.upsample_h, params.upsample_w) = (stride_h as i32, stride_w as i32);
        params.pad_top = transposed_pad(padding, [in_h, out_h], kernel_h, stride_h)?;
        params.pad_left = transposed_pad(padding, [in_w, out_w], kernel_w, stride_w)?;
        // Turned by half a circle.
        let values = constant(weights, "weights")?;
        let taps = kernel_h * kernel_w;
        let filters: Vec<u8> = (0..out_c * taps)
            .flat_map(|i| {
                let (channel, tap) = (i / taps, taps - 1 - i % taps);
                let at = (channel * taps + tap) * in_c;
                values[at..at + in_c].iter().copied()
            })
            .collect();
        if input.dtype == DType::I16 {
            only_int16(&[input, output])?;
            let layer = Layer {
                input,
                weights,
                bias: self.optional(op, 3),
                output,
                activation,
                wide: true,
            };
            let tables = layer.tables(out_c)?;
            let x = self.input(op, 2)?;
            self.wide_step(name, params, &filters, &tables, [x, y]);
            return Ok(());
        }
        only_int8(&[input, output])?;
        let layer = Weighted {
            input,
            weights,
            bias: self.optional(op, 3),
            output,
            activation,
            channels: out_c,
            inner: taps * in_c,
        };
        let requant = self.requantisation(&layer)?;
        params.input_zero_point = single_scale(input)?.1;
        params.output_zero_point = requant.output_zero_point;
        (params.min, params.max) = (requant.min, requant.max);
        let filters: Vec<i8> = filters.iter().map(|&b| b as i8).collect();
        let w = self
            .plan
            .table(&format!("{name}.weights"), &weights.shape, &filters);
        let x = self.input(op, 2)?;
        let [bias, multipliers, shifts] = self.tables(name, &requant);
        let operands = [x, w, bias, multipliers, shifts, y];
        self.step(&TRANSPOSE_CONV_I8, name, &operands, &params.encode());
        Ok(())
    }

    fn wide_step(
        &mut self,
        name: &str,
        mut params: Params,
        filters: &[u8],
        tables: &WideTables,
        [x, y]: [TensorId; 2],
    ) {
        (params.min, params.max) = tables.clamp;
        let filters: Vec<i8> = filters.iter().map(|&b| b as i8).collect();
        let plan = &mut self.plan;
        let w = plan.table(&format!("{name}.weights"), &[filters.len()], &filters);
        let bias_name = format!("{name}.bias");
        let bias = match &tables.bias {
            Bias::Narrow(bias) => plan.table(&bias_name, &[bias.len()], bias),
            Bias::Wide(bias) => plan.table(&bias_name, &[bias.len()], bias),
        };
        let n = [tables.multipliers.len()];
        let multipliers = plan.table(&format!("{name}.multipliers"), &n, &tables.multipliers);
        let shifts = plan.table(&format!("{name}.shifts"), &n, &tables.shifts);
        let operands = [x, w, bias, multipliers, shifts, y];
        self.step(&CONV_2D_I16, name, &operands, &params.encode());
    }
}

/// Parameters of a window of one pixel on an image, without clamp.
fn plain([batch, in_h, in_w, in_c]: [usize; 4], [out_h, out_w, out_c]: [usize; 3]) -> Params {
    Params {
        batch: batch as i32,
        in_h: in_h as i32,
        in_w: in_w as i32,
        in_c: in_c as i32,
        out_h: out_h as i32,
        out_w: out_w as i32,
        out_c: out_c as i32,
        kernel_h: 1,
        kernel_w: 1,
        stride_h: 1,
        stride_w: 1,
        dilation_h: 1,
        dilation_w: 1,
        pad_top: 0,
        pad_left: 0,
        upsample_h: 1,
        upsample_w: 1,
        groups: 1,
        input_zero_point: 0,
        output_zero_point: 0,
        min: LIMITS.0,
        max: LIMITS.1,
    }
}

/// Parameters of a kernel that slides over an image, without clamp.
fn wide_params(
    slide: &Slide,
    [input, weights, output]: [&Tensor; 3],
    out_c: usize,
    groups: usize,
) -> Result<Params, String> {
    let [batch, in_h, in_w, in_c] = image(input)?;
    let [out_batch, out_h, out_w, channels] = image(output)?;
    if out_batch != batch || channels != out_c {
        return Err(shapes(&[input, weights, output]));
    }
    let mut params = plain([batch, in_h, in_w, in_c], [out_h, out_w, out_c]);
    [params.pad_top, params.pad_left] = slide.pads([in_h, in_w], [out_h, out_w])?;
    [params.kernel_h, params.kernel_w] = slide.kernel.map(|k| k as i32);
    [params.stride_h, params.stride_w] = slide.stride.map(|s| s as i32);
    [params.dilation_h, params.dilation_w] = slide.dilation.map(|d| d as i32);
    params.groups = groups as i32;
    Ok(params)
}

/// Padding of the convolution that a transposed convolution is: `kernel - 1` less what the
/// convolution from the output back to the input would pad.
fn transposed_pad(
    padding: Padding,
    [input, output]: [usize; 2],
    kernel: usize,
    stride: usize,
) -> Result<i32, String> {
    let back = match padding {
        Padding::Same => output.div_ceil(stride),
        Padding::Valid => (output + stride).saturating_sub(kernel) / stride,
    };
    if back != input {
        return Err(format!(
            "its input has {input} positions where {padding:?} padding and an output of {output} \
             give {back}"
        ));
    }
    let total = ((input - 1) * stride + kernel).saturating_sub(output);
    let before = match padding {
        Padding::Same => total / 2,
        Padding::Valid => 0,
    };
    Ok(kernel as i32 - 1 - before as i32)
}

enum Bias {
    Narrow(Vec<i32>),
    Wide(Vec<i64>),
}

struct WideTables {
    bias: Bias,
    multipliers: Vec<i32>,
    shifts: Vec<i8>,
    clamp: (i32, i32),
}

/// A layer of int16 with weights.
struct Layer<'t> {
    input: &'t Tensor,
    weights: &'t Tensor,
    bias: Option<&'t Tensor>,
    output: &'t Tensor,
    activation: Activation,
    /// The accumulator has 64 bits when there is no bias.
    wide: bool,
}

impl Layer<'_> {
    fn tables(&self, channels: usize) -> Result<WideTables, String> {
        let (from, to) = (scale16(self.input)?, scale16(self.output)?);
        let clamp = clamp(self.activation, LIMITS, to, 0).ok_or_else(|| {
            let activation = self.activation;
            format!("the fused activation {activation:?} is not run: use ReLU")
        })?;
        let bias = match self.bias {
            None if self.wide => Bias::Wide(vec![0; channels]),
            None => Bias::Narrow(vec![0; channels]),
            Some(bias) if bias.dtype == DType::I64 => Bias::Wide(int64(bias, channels)?),
            Some(bias) => Bias::Narrow(int32(bias, channels)?),
        };
        let quant = self.weights.quant.as_ref();
        let scales = quant.map_or(&[][..], |q| &q.scales);
        if scales.len() != 1 && scales.len() != channels {
            let got = scales.len();
            return Err(format!(
                "the weights have {got} scales, allowed is 1 or {channels}"
            ));
        }
        let wide = matches!(bias, Bias::Wide(_));
        let multipliers = scales
            .iter()
            .map(|&s| {
                let real = f64::from(from) * f64::from(s) / f64::from(to);
                let most = if wide { 14 } else { 30 };
                Some(Multiplier::new(real)).filter(|m| m.shift <= most)
            })
            .collect::<Option<Vec<_>>>()
            .ok_or("the output's scale is too small for its input's and weights'")?;
        Ok(WideTables {
            bias,
            multipliers: multipliers
                .iter()
                .map(|m| if wide { q15(m.q) } else { m.q })
                .collect(),
            shifts: multipliers.iter().map(|m| m.shift as i8).collect(),
            clamp,
        })
    }
}

/// The values of an int64 constant of `len` elements.
fn int64(tensor: &Tensor, len: usize) -> Result<Vec<i64>, String> {
    let data = constant(tensor, "values of the bias")?;
    if tensor.n_elements() != len {
        return Err(format!(
            "the bias has shape {:?}, allowed are {len} elements",
            tensor.shape
        ));
    }
    let words = data.as_chunks::<8>().0.iter();
    Ok(words.map(|&word| i64::from_le_bytes(word)).collect())
}
