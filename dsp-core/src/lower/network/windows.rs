//! Layers with a sliding window: convolutions and poolings.

use super::multiplier::{Multiplier, clamp, int8_clamp};
use super::packed::Conv;
use super::{Kernels, Lowering, single_scale};
use crate::plan_builder::TensorId;
use otolith_classifier::ops::{conv, depthwise, packed, pool};
use otolith_dsp_nostd::format::Elem;
use otolith_tflite::{Activation, DType, Operator, Options, Padding, Tensor};

/// Elements of a convolution's scratch: enough for several windows of a usual layer, and small
/// beside its activations (2 KiB). A layer whose window is longer gets one window.
const SCRATCH_LEN: usize = 1024;

/// Elements before the input that a window needs along one axis, after checking that the output
/// has the size that the padding gives.
pub(super) fn pad(
    padding: Padding,
    [input, output]: [usize; 2],
    kernel: usize,
    stride: usize,
    dilation: usize,
) -> Result<i32, String> {
    let reach = (kernel - 1) * dilation + 1;
    let expected = match padding {
        Padding::Same => input.div_ceil(stride),
        Padding::Valid if reach > input => {
            return Err(format!(
                "a window of {reach} does not fit an input of {input}"
            ));
        }
        Padding::Valid => (input - reach) / stride + 1,
    };
    if output != expected {
        return Err(format!(
            "its output has {output} positions where {padding:?} padding gives {expected}"
        ));
    }
    let total = ((output - 1) * stride + reach).saturating_sub(input);
    Ok((total / 2) as i32)
}

/// The four dimensions of an image tensor.
pub(super) fn image(tensor: &Tensor) -> Result<[usize; 4], String> {
    tensor.shape.as_slice().try_into().map_err(|_| {
        let (name, shape) = (&tensor.name, &tensor.shape);
        format!("tensor \"{name}\" has shape {shape:?}, allowed are 4 dimensions")
    })
}

pub(super) fn only_int8(tensors: &[&Tensor]) -> Result<(), String> {
    match tensors.iter().find(|t| t.dtype != DType::I8) {
        None => Ok(()),
        Some(t) => Err(format!(
            "tensor \"{}\" is {}, allowed is int8: convert with full int8 quantisation \
             (representative_dataset, TFLITE_BUILTINS_INT8)",
            t.name, t.dtype
        )),
    }
}

pub(super) fn constant<'t>(tensor: &'t Tensor, what: &str) -> Result<&'t [u8], String> {
    tensor
        .data
        .as_deref()
        .ok_or_else(|| format!("the {what} are not constant"))
}

/// What turns the sums of a layer into its outputs.
pub(super) struct Requantisation {
    pub(super) bias: Vec<i32>,
    /// One for each channel, or one for all.
    multipliers: Vec<Multiplier>,
    pub(super) input_zero_point: i32,
    pub(super) output_zero_point: i32,
    pub(super) min: i32,
    pub(super) max: i32,
}

impl Requantisation {
    /// The multiplier of channel `c`, as `q * 2^(shift - 31)`.
    pub(super) fn multiplier(&self, c: usize) -> (i32, i32) {
        let Multiplier { q, shift } = self.multipliers[c % self.multipliers.len()];
        (q, shift)
    }
}

/// What a layer with weights multiplies, for its tables.
pub(super) struct Weighted<'t> {
    pub(super) input: &'t Tensor,
    pub(super) weights: &'t Tensor,
    pub(super) bias: Option<&'t Tensor>,
    pub(super) output: &'t Tensor,
    pub(super) activation: Activation,
    /// Number of output channels.
    pub(super) channels: usize,
    /// For each weight, its output channel is `(index / inner) % channels`.
    pub(super) inner: usize,
}

impl Lowering<'_, '_> {
    pub(super) fn requantisation(&self, layer: &Weighted<'_>) -> Result<Requantisation, String> {
        let (input_scale, input_zero_point) = single_scale(layer.input)?;
        let (output_scale, output_zero_point) = single_scale(layer.output)?;
        let (min, max) =
            int8_clamp(layer.activation, output_scale, output_zero_point).ok_or_else(|| {
                format!(
                    "the fused activation {:?} is not run: use ReLU",
                    layer.activation
                )
            })?;
        let weights = &layer.weights;
        let Some(quant) = &weights.quant else {
            return Err("the weights have no scale: convert with full int8 quantisation".into());
        };
        let scales = &quant.scales;
        if scales.len() != 1 && scales.len() != layer.channels {
            let (got, need) = (scales.len(), layer.channels);
            return Err(format!(
                "the weights have {got} scales, allowed is 1 or {need}"
            ));
        }
        let bias = match layer.bias {
            Some(tensor) => int32(tensor, layer.channels)?,
            None => vec![0; layer.channels],
        };
        self.prove_headroom(layer, &bias, input_zero_point)?;
        let multipliers = scales
            .iter()
            .map(|&s| {
                let real = f64::from(input_scale) * f64::from(s) / f64::from(output_scale);
                Some(Multiplier::new(real)).filter(|m| m.shift <= 30)
            })
            .collect::<Option<Vec<_>>>()
            .ok_or("the output's scale is too small for its input's and weights'")?;
        Ok(Requantisation {
            bias,
            multipliers,
            input_zero_point,
            output_zero_point,
            min,
            max,
        })
    }

    /// The tables of the operators on plain weights: bias, multipliers, shifts.
    pub(super) fn tables(&mut self, name: &str, requant: &Requantisation) -> [TensorId; 3] {
        let multipliers = &requant.multipliers;
        let q: Vec<i32> = multipliers.iter().map(|m| m.q).collect();
        let shifts: Vec<i8> = multipliers.iter().map(|m| m.shift as i8).collect();
        let (n, bias) = ([q.len()], &requant.bias);
        let plan = &mut self.plan;
        [
            plan.table(&format!("{name}.bias"), &[bias.len()], bias),
            plan.table(&format!("{name}.multipliers"), &n, &q),
            plan.table(&format!("{name}.shifts"), &n, &shifts),
        ]
    }

    /// Fails when some input could make the 32-bit accumulator of a channel overflow.
    fn prove_headroom(
        &self,
        layer: &Weighted<'_>,
        bias: &[i32],
        input_zero_point: i32,
    ) -> Result<(), String> {
        let largest = i64::from((127 - input_zero_point).max(input_zero_point + 128));
        let zero = layer
            .weights
            .quant
            .as_ref()
            .and_then(|q| q.zero_points.first().copied())
            .unwrap_or(0);
        let mut reach: Vec<i64> = bias.iter().map(|&b| i64::from(b).abs()).collect();
        let weights = constant(layer.weights, "weights")?;
        for (i, &w) in weights.iter().enumerate() {
            let channel = (i / layer.inner) % layer.channels;
            reach[channel] += (i64::from(w as i8) - zero).abs() * largest;
        }
        match reach.iter().position(|&r| r > i64::from(i32::MAX)) {
            None => Ok(()),
            Some(channel) => Err(format!(
                "the sum of output channel {channel} can reach {}, more than 32 bits hold: split \
                 the layer or retrain with smaller weights",
                reach[channel]
            )),
        }
    }

    pub(super) fn weights(&mut self, name: &str, tensor: &Tensor) -> Result<TensorId, String> {
        let values = int8(tensor)?;
        Ok(self
            .plan
            .table(&format!("{name}.weights"), &tensor.shape, &values))
    }

    pub(super) fn conv_2d(
        &mut self,
        name: &str,
        op: &Operator,
        options: &Options,
    ) -> Result<(), String> {
        let &Options::Conv2D {
            padding,
            stride_h,
            stride_w,
            dilation_h,
            dilation_w,
            activation,
        } = options
        else {
            return Err("its options are missing".into());
        };
        let model = self.model;
        let (input, weights, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let y = self.new_output(op)?;
        only_int8(&[input, weights, output])?;
        let [batch, in_h, in_w, in_c] = image(input)?;
        let [out_c, kernel_h, kernel_w, group_c] = image(weights)?;
        let [out_batch, out_h, out_w, channels] = image(output)?;
        if out_batch != batch
            || channels != out_c
            || in_c % group_c != 0
            || out_c % (in_c / group_c) != 0
        {
            return Err(shapes(&[input, weights, output]));
        }
        no_weight_zero_points(weights)?;
        let layer = Weighted {
            input,
            weights,
            bias: op
                .inputs
                .get(2)
                .copied()
                .flatten()
                .map(|i| &model.tensors[i]),
            output,
            activation,
            channels: out_c,
            inner: kernel_h * kernel_w * group_c,
        };
        let requant = self.requantisation(&layer)?;
        let params = conv::Params {
            batch: batch as i32,
            in_h: in_h as i32,
            in_w: in_w as i32,
            in_c: in_c as i32,
            out_h: out_h as i32,
            out_w: out_w as i32,
            out_c: out_c as i32,
            kernel_h: kernel_h as i32,
            kernel_w: kernel_w as i32,
            stride_h: stride_h as i32,
            stride_w: stride_w as i32,
            dilation_h: dilation_h as i32,
            dilation_w: dilation_w as i32,
            pad_top: pad(padding, [in_h, out_h], kernel_h, stride_h, dilation_h)?,
            pad_left: pad(padding, [in_w, out_w], kernel_w, stride_w, dilation_w)?,
            groups: (in_c / group_c) as i32,
            input_zero_point: single_scale(input)?.1,
            output_zero_point: requant.output_zero_point,
            min: requant.min,
            max: requant.max,
        };
        let x = self.input(op, 0)?;
        let filters = int8(weights)?;
        self.conv_step(name, [x, y], &layer, &requant, &params, &filters);
        Ok(())
    }

    /// Appends a convolution of `x` with `filters`, output channels outermost, into `y`.
    fn conv_step(
        &mut self,
        name: &str,
        [x, y]: [TensorId; 2],
        layer: &Weighted<'_>,
        requant: &Requantisation,
        params: &conv::Params,
        filters: &[i8],
    ) {
        let plain = [params.groups, params.dilation_h, params.dilation_w] == [1; 3];
        if plain && self.kernels == Kernels::Packed {
            let conv = Conv {
                p: packed_conv(params),
                weights: filters,
            };
            if self.packed_conv(name, [x, y], layer, requant, conv) {
                return;
            }
        }
        let shape = [params.out_c, params.kernel_h, params.kernel_w];
        let [out_c, kernel_h, kernel_w] = shape.map(|d| d as usize);
        let group_c = (params.in_c / params.groups) as usize;
        let window = kernel_h * kernel_w * group_c;
        let pixels = (params.out_h * params.out_w) as usize;
        let windows = (SCRATCH_LEN / window).clamp(1, conv::MAX_WINDOWS.min(pixels));
        let shape = [out_c, kernel_h, kernel_w, group_c];
        let w = self.plan.table(&format!("{name}.weights"), &shape, filters);
        let [bias, multipliers, shifts] = self.tables(name, requant);
        let scratch_name = format!("{name}.windows");
        let scratch = self
            .plan
            .tensor(&scratch_name, Elem::I16, &[windows, window]);
        let operands = [x, w, bias, multipliers, shifts, scratch, y];
        self.step(&conv::CONV_2D_I8, name, &operands, &params.encode());
    }

    pub(super) fn depthwise_conv_2d(
        &mut self,
        name: &str,
        op: &Operator,
        options: &Options,
    ) -> Result<(), String> {
        let &Options::DepthwiseConv2D {
            padding,
            stride_h,
            stride_w,
            dilation_h,
            dilation_w,
            activation,
            ..
        } = options
        else {
            return Err("its options are missing".into());
        };
        let model = self.model;
        let (input, weights, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let y = self.new_output(op)?;
        only_int8(&[input, weights, output])?;
        let [batch, in_h, in_w, in_c] = image(input)?;
        let [one, kernel_h, kernel_w, out_c] = image(weights)?;
        let [out_batch, out_h, out_w, channels] = image(output)?;
        if one != 1 || out_batch != batch || channels != out_c || out_c % in_c != 0 {
            return Err(shapes(&[input, weights, output]));
        }
        no_weight_zero_points(weights)?;
        let layer = Weighted {
            input,
            weights,
            bias: op
                .inputs
                .get(2)
                .copied()
                .flatten()
                .map(|i| &model.tensors[i]),
            output,
            activation,
            channels: out_c,
            inner: 1,
        };
        let requant = self.requantisation(&layer)?;
        let params = depthwise::Params {
            batch: batch as i32,
            in_h: in_h as i32,
            in_w: in_w as i32,
            in_c: in_c as i32,
            out_h: out_h as i32,
            out_w: out_w as i32,
            multiplier: (out_c / in_c) as i32,
            kernel_h: kernel_h as i32,
            kernel_w: kernel_w as i32,
            stride_h: stride_h as i32,
            stride_w: stride_w as i32,
            dilation_h: dilation_h as i32,
            dilation_w: dilation_w as i32,
            pad_top: pad(padding, [in_h, out_h], kernel_h, stride_h, dilation_h)?,
            pad_left: pad(padding, [in_w, out_w], kernel_w, stride_w, dilation_w)?,
            input_zero_point: single_scale(input)?.1,
            output_zero_point: requant.output_zero_point,
            min: requant.min,
            max: requant.max,
        };
        let x = self.input(op, 0)?;
        let values = int8(weights)?;
        if in_c == 1 {
            // With one input channel it is a plain convolution, whose kernel is several times
            // faster: only the order of the weights differs.
            let taps = kernel_h * kernel_w;
            let filters: Vec<i8> = (0..out_c * taps)
                .map(|i| values[(i % taps) * out_c + i / taps])
                .collect();
            let layer = Weighted {
                inner: taps,
                ..layer
            };
            let params = conv_of_one_channel(&params);
            self.conv_step(name, [x, y], &layer, &requant, &params, &filters);
            return Ok(());
        }
        if self.kernels == Kernels::Packed && batch == 1 && out_c == in_c {
            let p = packed_taps(&params);
            if self.packed_depthwise(name, [x, y], &layer, &requant, &p, &values) {
                return Ok(());
            }
        }
        let w = self.weights(name, weights)?;
        let [bias, multipliers, shifts] = self.tables(name, &requant);
        let operands = [x, w, bias, multipliers, shifts, y];
        self.step(
            &depthwise::DEPTHWISE_CONV_2D_I8,
            name,
            &operands,
            &params.encode(),
        );
        Ok(())
    }

    pub(super) fn pool_2d(
        &mut self,
        name: &str,
        op: &Operator,
        options: &Options,
        max: bool,
    ) -> Result<(), String> {
        let &Options::Pool2D {
            padding,
            stride_h,
            stride_w,
            filter_h,
            filter_w,
            activation,
        } = options
        else {
            return Err("its options are missing".into());
        };
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let y = self.new_output(op)?;
        let wide = input.dtype == DType::I16 && output.dtype == DType::I16;
        if !wide {
            only_int8(&[input, output])?;
        }
        let [batch, in_h, in_w, channels] = image(input)?;
        let [out_batch, out_h, out_w, out_c] = image(output)?;
        if out_batch != batch || out_c != channels {
            return Err(shapes(&[input, output]));
        }
        let (scale, zero_point) = single_scale(output)?;
        if single_scale(input)? != (scale, zero_point) {
            return Err("its input and output have different scales, allowed is the same".into());
        }
        let limits = if wide { (-32768, 32767) } else { (-128, 127) };
        let (low, high) = clamp(activation, limits, scale, zero_point)
            .ok_or_else(|| format!("the fused activation {activation:?} is not run: use ReLU"))?;
        let params = pool::Params {
            batch: batch as i32,
            in_h: in_h as i32,
            in_w: in_w as i32,
            channels: channels as i32,
            out_h: out_h as i32,
            out_w: out_w as i32,
            kernel_h: filter_h as i32,
            kernel_w: filter_w as i32,
            stride_h: stride_h as i32,
            stride_w: stride_w as i32,
            pad_top: pad(padding, [in_h, out_h], filter_h, stride_h, 1)?,
            pad_left: pad(padding, [in_w, out_w], filter_w, stride_w, 1)?,
            min: low,
            max: high,
        };
        let x = self.input(op, 0)?;
        let kernel = match (max, wide) {
            (true, false) => &pool::MAX_POOL_2D_I8,
            (false, false) => &pool::AVERAGE_POOL_2D_I8,
            (true, true) => &pool::MAX_POOL_2D_I16,
            (false, true) => &pool::AVERAGE_POOL_2D_I16,
        };
        self.step(kernel, name, &[x, y], &params.encode());
        Ok(())
    }
}

/// A depthwise convolution of one channel as a convolution.
fn conv_of_one_channel(p: &depthwise::Params) -> conv::Params {
    conv::Params {
        batch: p.batch,
        in_h: p.in_h,
        in_w: p.in_w,
        in_c: 1,
        out_h: p.out_h,
        out_w: p.out_w,
        out_c: p.multiplier,
        kernel_h: p.kernel_h,
        kernel_w: p.kernel_w,
        stride_h: p.stride_h,
        stride_w: p.stride_w,
        dilation_h: p.dilation_h,
        dilation_w: p.dilation_w,
        pad_top: p.pad_top,
        pad_left: p.pad_left,
        groups: 1,
        input_zero_point: p.input_zero_point,
        output_zero_point: p.output_zero_point,
        min: p.min,
        max: p.max,
    }
}

/// The sizes of a convolution for the packed operator; how it is packed is filled in later.
fn packed_conv(p: &conv::Params) -> packed::conv::Params {
    packed::conv::Params {
        batch: p.batch,
        in_h: p.in_h,
        in_w: p.in_w,
        in_c: p.in_c,
        out_h: p.out_h,
        out_w: p.out_w,
        out_c: p.out_c,
        kernel_h: p.kernel_h,
        kernel_w: p.kernel_w,
        stride_h: p.stride_h,
        stride_w: p.stride_w,
        pad_top: p.pad_top,
        pad_left: p.pad_left,
        row_bytes: 0,
        nine: 0,
        input_zero_point: p.input_zero_point,
        saturates: 0,
        min: p.min,
        max: p.max,
    }
}

/// The sizes of a depthwise convolution for the packed operators.
fn packed_taps(p: &depthwise::Params) -> packed::taps::Params {
    packed::taps::Params {
        in_h: p.in_h,
        in_w: p.in_w,
        channels: p.in_c,
        out_h: p.out_h,
        out_w: p.out_w,
        kernel_h: p.kernel_h,
        kernel_w: p.kernel_w,
        stride_h: p.stride_h,
        stride_w: p.stride_w,
        dilation_h: p.dilation_h,
        dilation_w: p.dilation_w,
        pad_top: p.pad_top,
        pad_left: p.pad_left,
        input_zero_point: p.input_zero_point,
        min: p.min,
        max: p.max,
    }
}

/// The values of an int8 constant.
pub(super) fn int8(weights: &Tensor) -> Result<Vec<i8>, String> {
    let values = constant(weights, "weights")?.iter();
    Ok(values.map(|&b| b as i8).collect())
}

pub(super) fn shapes(tensors: &[&Tensor]) -> String {
    let list: Vec<String> = tensors.iter().map(|t| format!("{:?}", t.shape)).collect();
    format!("the shapes {} do not fit together", list.join(", "))
}

pub(super) fn no_weight_zero_points(weights: &Tensor) -> Result<(), String> {
    let zero_points = weights.quant.iter().flat_map(|q| &q.zero_points);
    match zero_points.into_iter().find(|&&z| z != 0) {
        None => Ok(()),
        Some(z) => Err(format!("its weights have the zero point {z}, allowed is 0")),
    }
}

/// The values of an int32 constant of `len` elements.
pub(super) fn int32(tensor: &Tensor, len: usize) -> Result<Vec<i32>, String> {
    let data = constant(tensor, "values of an int32 input")?;
    if tensor.dtype != DType::I32 || tensor.n_elements() != len {
        return Err(format!(
            "tensor \"{}\" is {} of shape {:?}, allowed is int32 of {len} elements",
            tensor.name, tensor.dtype, tensor.shape
        ));
    }
    let words = data.as_chunks::<4>().0.iter();
    Ok(words.map(|&word| i32::from_le_bytes(word)).collect())
}
