//! Convolutions, plain and depthwise.

use super::packed::Conv;
use super::weighted::{Requantisation, Weighted, int8, no_weight_zero_points};
use super::{Kernels, Lowering};
use crate::plan_builder::TensorId;
use otolith_classifier::ops::{conv, depthwise, packed};
use otolith_dsp_nostd::format::Elem;
use otolith_tflite::{DType, Operator, Options, Padding, Tensor};

/// Elements of a convolution's scratch: enough for several windows of a usual layer. A layer whose window is
/// longer gets one window.
const SCRATCH_LEN: usize = 1024;
/// How much smaller the scratch is than the layer's input and output together, when it holds several windows.
const SCRATCH_SHARE: usize = 8;

/// How a kernel slides over an image, `[down, right]`.
pub(super) struct Slide {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    padding: Padding,
}

impl Slide {
    /// What the options of a convolution or pooling say.
    pub(super) fn of(options: &Options, kernel: [usize; 2]) -> Result<Self, String> {
        let (padding, stride, dilation) = match *options {
            Options::Conv2D {
                padding,
                stride_h,
                stride_w,
                dilation_h,
                dilation_w,
                ..
            }
            | Options::DepthwiseConv2D {
                padding,
                stride_h,
                stride_w,
                dilation_h,
                dilation_w,
                ..
            } => (padding, [stride_h, stride_w], [dilation_h, dilation_w]),
            Options::Pool2D {
                padding,
                stride_h,
                stride_w,
                ..
            } => (padding, [stride_h, stride_w], [1; 2]),
            _ => return Err("its options are missing".into()),
        };
        Ok(Self {
            kernel,
            stride,
            dilation,
            padding,
        })
    }

    /// Rows above and columns at the left of an input that the first window covers, after checking that the
    /// output has the size that the padding gives.
    pub(super) fn pads(&self, input: [usize; 2], output: [usize; 2]) -> Result<[i32; 2], String> {
        let axis = |i: usize| self.pad(i, input[i], output[i]);
        Ok([axis(0)?, axis(1)?])
    }

    fn pad(&self, axis: usize, input: usize, output: usize) -> Result<i32, String> {
        let stride = self.stride[axis];
        let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
        let expected = match self.padding {
            Padding::Same => input.div_ceil(stride),
            Padding::Valid if reach > input => {
                return Err(format!(
                    "a window of {reach} does not fit an input of {input}"
                ));
            }
            Padding::Valid => (input - reach) / stride + 1,
        };
        if output != expected {
            let padding = self.padding;
            return Err(format!(
                "its output has {output} positions where {padding:?} padding gives {expected}"
            ));
        }
        let total = ((output - 1) * stride + reach).saturating_sub(input);
        Ok((total / 2) as i32)
    }

    /// The parameters of a layer of `groups` groups.
    fn params(
        &self,
        [batch, in_h, in_w, in_c]: [usize; 4],
        [_, out_h, out_w, out_c]: [usize; 4],
        groups: usize,
        requant: &Requantisation,
    ) -> Result<conv::Params, String> {
        let [pad_top, pad_left] = self.pads([in_h, in_w], [out_h, out_w])?;
        let [kernel_h, kernel_w] = self.kernel.map(|k| k as i32);
        let [stride_h, stride_w] = self.stride.map(|s| s as i32);
        let [dilation_h, dilation_w] = self.dilation.map(|d| d as i32);
        Ok(conv::Params {
            batch: batch as i32,
            in_h: in_h as i32,
            in_w: in_w as i32,
            in_c: in_c as i32,
            out_h: out_h as i32,
            out_w: out_w as i32,
            out_c: out_c as i32,
            kernel_h,
            kernel_w,
            stride_h,
            stride_w,
            dilation_h,
            dilation_w,
            pad_top,
            pad_left,
            groups: groups as i32,
            input_zero_point: requant.input_zero_point,
            output_zero_point: requant.output_zero_point,
            min: requant.min,
            max: requant.max,
        })
    }
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

impl Lowering<'_, '_> {
    pub(super) fn conv_2d(
        &mut self,
        name: &str,
        op: &Operator,
        options: &Options,
    ) -> Result<(), String> {
        let &Options::Conv2D { activation, .. } = options else {
            return Err("its options are missing".into());
        };
        let (input, weights, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let y = self.new_output(op)?;
        only_int8(&[input, weights, output])?;
        let (from, to) = (image(input)?, image(output)?);
        let [out_c, kernel_h, kernel_w, group_c] = image(weights)?;
        let [batch, .., in_c] = from;
        let whole = in_c % group_c == 0 && out_c % (in_c / group_c) == 0;
        if !whole || [to[0], to[3]] != [batch, out_c] {
            return Err(shapes(&[input, weights, output]));
        }
        no_weight_zero_points(weights)?;
        let layer = Weighted {
            input,
            weights,
            bias: self.optional(op, 2),
            output,
            activation,
            channels: out_c,
            inner: kernel_h * kernel_w * group_c,
        };
        let requant = self.requantisation(&layer)?;
        let slide = Slide::of(options, [kernel_h, kernel_w])?;
        let params = slide.params(from, to, in_c / group_c, &requant)?;
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
        let activations = layer.input.n_elements() + layer.output.n_elements();
        let len = SCRATCH_LEN.min(activations / SCRATCH_SHARE / size_of::<i16>());
        let windows = (len / window).clamp(1, conv::MAX_WINDOWS.min(pixels));
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
        let &Options::DepthwiseConv2D { activation, .. } = options else {
            return Err("its options are missing".into());
        };
        let (input, weights, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let y = self.new_output(op)?;
        only_int8(&[input, weights, output])?;
        let (from, to) = (image(input)?, image(output)?);
        let [one, kernel_h, kernel_w, out_c] = image(weights)?;
        let [batch, .., in_c] = from;
        if one != 1 || out_c % in_c != 0 || [to[0], to[3]] != [batch, out_c] {
            return Err(shapes(&[input, weights, output]));
        }
        no_weight_zero_points(weights)?;
        let layer = Weighted {
            input,
            weights,
            bias: self.optional(op, 2),
            output,
            activation,
            channels: out_c,
            inner: 1,
        };
        let requant = self.requantisation(&layer)?;
        let slide = Slide::of(options, [kernel_h, kernel_w])?;
        // Each input channel is a group.
        let params = slide.params(from, to, in_c, &requant)?;
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
            &by_channel(&params).encode(),
        );
        Ok(())
    }
}

/// A convolution of as many groups as input channels as a depthwise one.
fn by_channel(p: &conv::Params) -> depthwise::Params {
    depthwise::Params {
        batch: p.batch,
        in_h: p.in_h,
        in_w: p.in_w,
        in_c: p.in_c,
        out_h: p.out_h,
        out_w: p.out_w,
        multiplier: p.out_c / p.in_c,
        kernel_h: p.kernel_h,
        kernel_w: p.kernel_w,
        stride_h: p.stride_h,
        stride_w: p.stride_w,
        dilation_h: p.dilation_h,
        dilation_w: p.dilation_w,
        pad_top: p.pad_top,
        pad_left: p.pad_left,
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
        padded: 0,
        input_zero_point: p.input_zero_point,
        saturates: 0,
        min: p.min,
        max: p.max,
    }
}

/// The sizes of a depthwise convolution for the packed operators.
fn packed_taps(p: &conv::Params) -> packed::taps::Params {
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

pub(super) fn shapes(tensors: &[&Tensor]) -> String {
    let list: Vec<String> = tensors.iter().map(|t| format!("{:?}", t.shape)).collect();
    format!("the shapes {} do not fit together", list.join(", "))
}
