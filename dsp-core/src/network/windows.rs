//! Convolutions and pools, in integers and real numbers.

use super::Values;
use super::node::{Node, scale};
use super::rescale::{Rescale, activate, clamp, clamp_of};
use crate::executor::Real;
use otolith_tflite::{Activation, DType, Options, Padding, Tensor};
use std::ops::{Add, Mul};

/// A number that layers sum products of.
pub(super) trait Number:
    Copy + Default + PartialOrd + Add<Output = Self> + Mul<Output = Self>
{
}

impl<T: Copy + Default + PartialOrd + Add<Output = T> + Mul<Output = T>> Number for T {}

/// How a window moves over an image, along one axis.
#[derive(Clone, Copy)]
struct Axis {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    /// Zeros before the input.
    before: usize,
}

impl Axis {
    fn new(
        [input, output, kernel]: [usize; 3],
        stride: usize,
        dilation: usize,
        padding: Padding,
    ) -> Result<Self, String> {
        let reach = (kernel.max(1) - 1) * dilation + 1;
        let (need, before) = match padding {
            Padding::Same => {
                let output = input.div_ceil(stride);
                let total = (output.max(1) - 1) * stride + reach;
                (output, total.saturating_sub(input) / 2)
            }
            Padding::Valid => ((input + stride).saturating_sub(reach) / stride, 0),
        };
        if output != need {
            return Err(format!(
                "an input of {input} gives {need} outputs along one axis, the model states {output}"
            ));
        }
        Ok(Self {
            input,
            output,
            kernel,
            stride,
            dilation,
            before,
        })
    }

    /// Taps of the window at output `at` that lie inside the input, and their places there.
    fn taps(self, at: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..self.kernel).filter_map(move |tap| {
            let place = (at * self.stride + tap * self.dilation).checked_sub(self.before)?;
            (place < self.input).then_some((tap, place))
        })
    }
}

/// A window over images with several channels.
struct Windows {
    batches: usize,
    rows: Axis,
    columns: Axis,
}

impl Windows {
    /// Calls `visit` with each output place and the pairs (tap, input place) that are inside.
    fn each(&self, mut visit: impl FnMut(&[(usize, usize)])) {
        let (rows, columns) = (self.rows, self.columns);
        let mut taps = Vec::new();
        for batch in 0..self.batches {
            for y in 0..rows.output {
                for x in 0..columns.output {
                    taps.clear();
                    for (ky, row) in rows.taps(y) {
                        for (kx, column) in columns.taps(x) {
                            let place = (batch * rows.input + row) * columns.input + column;
                            taps.push((ky * columns.kernel + kx, place));
                        }
                    }
                    visit(&taps);
                }
            }
        }
    }
}

fn four<'a>(tensor: &'a Tensor, what: &str) -> Result<&'a [usize; 4], String> {
    let shape: Result<&[usize; 4], _> = tensor.shape.as_slice().try_into();
    shape.map_err(|_| {
        format!(
            "its {what} has shape {:?}, allowed are 4 dimensions",
            tensor.shape
        )
    })
}

/// Sums of products over windows: `weights[out][tap][channel]`, with as many groups of input
/// channels as the weights have fewer channels than the input.
fn convolve<T: Number>(
    windows: &Windows,
    (x, n_in): (&[T], usize),
    (weights, n_out): (&[T], usize),
) -> Vec<T> {
    let taps_per_filter = windows.rows.kernel * windows.columns.kernel;
    let depth = weights.len() / (n_out * taps_per_filter);
    let per_group = n_out / (n_in / depth);
    let mut sums = Vec::new();
    windows.each(|taps| {
        for out in 0..n_out {
            let first = out / per_group * depth;
            let mut sum = T::default();
            for &(tap, place) in taps {
                let w = &weights[(out * taps_per_filter + tap) * depth..][..depth];
                let x = &x[place * n_in + first..][..depth];
                for (&w, &x) in w.iter().zip(x) {
                    sum = sum + w * x;
                }
            }
            sums.push(sum);
        }
    });
    sums
}

/// Sums of products over windows, each channel by itself: `weights[tap][channel]`.
fn convolve_channels<T: Number>(
    windows: &Windows,
    (x, n_in): (&[T], usize),
    (weights, n_out): (&[T], usize),
) -> Vec<T> {
    let multiplier = n_out / n_in;
    let mut sums = Vec::new();
    windows.each(|taps| {
        for out in 0..n_out {
            let mut sum = T::default();
            for &(tap, place) in taps {
                sum = sum + weights[tap * n_out + out] * x[place * n_in + out / multiplier];
            }
            sums.push(sum);
        }
    });
    sums
}

/// Which inputs of an operator are its data, weights and bias.
pub(super) struct Operands {
    pub(super) x: usize,
    pub(super) weights: usize,
    pub(super) bias: usize,
}

/// Of convolutions and fully connected layers.
pub(super) const DATA_FIRST: Operands = Operands {
    x: 0,
    weights: 1,
    bias: 2,
};

/// Of transposed convolutions, whose first input is the output's shape.
const SHAPE_FIRST: Operands = Operands {
    x: 2,
    weights: 1,
    bias: 3,
};

/// Adds bias and activation to sums, or brings integer sums to the output's scale.
pub(super) fn finish<F: Real>(
    node: &Node<'_, F>,
    sums: Values<F>,
    activation: Activation,
    operands: &Operands,
) -> Result<Values<F>, String> {
    let bias = node.index(operands.bias).map(|_| operands.bias);
    match sums {
        Values::Reals(mut sums) => {
            let bias = bias.map_or(Ok(vec![F::default()]), |i| node.reals(i))?;
            for (sum, &bias) in sums.iter_mut().zip(bias.iter().cycle()) {
                *sum = activate(activation, *sum + bias)?;
            }
            Ok(Values::Reals(sums))
        }
        Values::Integers(mut sums) => {
            let output = node.output();
            let bias = bias.map_or(Ok(&[0][..]), |i| node.integers(i))?;
            let limits = clamp_of(activation, output)?;
            let (_, zero_point) = scale(output)?;
            let factors = factors(node, operands)?;
            let channels = bias.iter().cycle().zip(factors.iter().cycle());
            for (sum, (&bias, factor)) in sums.iter_mut().zip(channels) {
                let scaled = match output.dtype {
                    DType::I16 => factor.apply_wide(*sum + bias),
                    _ => factor.apply(*sum + bias),
                };
                *sum = clamp(scaled + zero_point, limits);
            }
            Ok(Values::Integers(sums))
        }
    }
}

/// The factor from sums to outputs, of each channel or of all.
fn factors<F: Real>(node: &Node<'_, F>, operands: &Operands) -> Result<Vec<Rescale>, String> {
    let (input, _) = scale(node.input(operands.x)?)?;
    let (output, _) = scale(node.output())?;
    let weights = node.input(operands.weights)?.quant.as_ref();
    let scales = weights.map(|q| q.scales.as_slice()).unwrap_or_default();
    if scales.is_empty() {
        return Err("its weights have no scale".into());
    }
    let factor = |&w: &f32| Rescale::new(f64::from(input) * f64::from(w) / f64::from(output));
    Ok(scales.iter().map(factor).collect())
}

pub(super) fn conv_2d<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::Conv2D {
        padding,
        stride_h,
        stride_w,
        dilation_h,
        dilation_w,
        activation,
    } = &node.op.options
    else {
        return Err("its options are missing".into());
    };
    let &[batches, in_h, in_w, n_in] = four(node.input(0)?, "input")?;
    let &[n_out, kernel_h, kernel_w, depth] = four(node.input(1)?, "filter")?;
    let &[out_batches, out_h, out_w, out_channels] = four(node.output(), "output")?;
    let grouped = depth > 0 && n_in % depth == 0 && n_out % (n_in / depth) == 0;
    if out_batches != batches || out_channels != n_out || !grouped {
        return Err(node.shapes());
    }
    let windows = Windows {
        batches,
        rows: Axis::new([in_h, out_h, kernel_h], stride_h, dilation_h, padding)?,
        columns: Axis::new([in_w, out_w, kernel_w], stride_w, dilation_w, padding)?,
    };
    let sums = if node.is_real() {
        let (x, w) = (node.reals(0)?, node.reals(1)?);
        Values::Reals(convolve(&windows, (&x, n_in), (&w, n_out)))
    } else {
        let (x, w) = (node.offset(0)?, node.integers(1)?);
        Values::Integers(convolve(&windows, (&x, n_in), (w, n_out)))
    };
    finish(node, sums, activation, &DATA_FIRST)
}

pub(super) fn depthwise_conv_2d<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::DepthwiseConv2D {
        padding,
        stride_h,
        stride_w,
        dilation_h,
        dilation_w,
        activation,
        ..
    } = &node.op.options
    else {
        return Err("its options are missing".into());
    };
    let &[batches, in_h, in_w, n_in] = four(node.input(0)?, "input")?;
    let &[_, kernel_h, kernel_w, n_out] = four(node.input(1)?, "filter")?;
    let &[out_batches, out_h, out_w, out_channels] = four(node.output(), "output")?;
    if out_batches != batches || out_channels != n_out || n_out % n_in != 0 {
        return Err(node.shapes());
    }
    let windows = Windows {
        batches,
        rows: Axis::new([in_h, out_h, kernel_h], stride_h, dilation_h, padding)?,
        columns: Axis::new([in_w, out_w, kernel_w], stride_w, dilation_w, padding)?,
    };
    let sums = if node.is_real() {
        let (x, w) = (node.reals(0)?, node.reals(1)?);
        Values::Reals(convolve_channels(&windows, (&x, n_in), (&w, n_out)))
    } else {
        let (x, w) = (node.offset(0)?, node.integers(1)?);
        Values::Integers(convolve_channels(&windows, (&x, n_in), (w, n_out)))
    };
    finish(node, sums, activation, &DATA_FIRST)
}

/// Spreads each input place over a window of the output: `weights[out][tap][channel]`.
fn spread<T: Number>(windows: &Windows, x: &[T], weights: &[T], n_out: usize) -> Vec<T> {
    // The windows are those of the convolution from the output to the input.
    let places = windows.rows.input * windows.columns.input * windows.batches;
    let taps_per_filter = windows.rows.kernel * windows.columns.kernel;
    let depth = weights.len() / (n_out * taps_per_filter);
    let mut sums = vec![T::default(); places * n_out];
    let mut pixels = x.chunks(depth);
    windows.each(|taps| {
        let pixel = pixels.next().unwrap_or_default();
        for &(tap, place) in taps {
            for out in 0..n_out {
                let weights = &weights[(out * taps_per_filter + tap) * depth..][..depth];
                let sum = &mut sums[place * n_out + out];
                for (&w, &x) in weights.iter().zip(pixel) {
                    *sum = *sum + w * x;
                }
            }
        }
    });
    sums
}

pub(super) fn transpose_conv<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let &Options::TransposeConv {
        padding,
        stride_h,
        stride_w,
        activation,
    } = &node.op.options
    else {
        return Err("its options are missing".into());
    };
    let &[batches, in_h, in_w, n_in] = four(node.input(2)?, "input")?;
    let &[n_out, kernel_h, kernel_w, depth] = four(node.input(1)?, "filter")?;
    let &[out_batches, out_h, out_w, out_channels] = four(node.output(), "output")?;
    if (out_batches, out_channels, depth) != (batches, n_out, n_in) {
        return Err(node.shapes());
    }
    let windows = Windows {
        batches,
        rows: Axis::new([out_h, in_h, kernel_h], stride_h, 1, padding)?,
        columns: Axis::new([out_w, in_w, kernel_w], stride_w, 1, padding)?,
    };
    let sums = if node.is_real() {
        Values::Reals(spread(&windows, &node.reals(2)?, &node.reals(1)?, n_out))
    } else {
        Values::Integers(spread(&windows, &node.offset(2)?, node.integers(1)?, n_out))
    };
    finish(node, sums, activation, &SHAPE_FIRST)
}

/// Reduces each window of each channel with `reduce`.
fn pool<F: Real, T: Number>(
    node: &Node<'_, F>,
    x: &[T],
    reduce: impl Fn(&mut dyn Iterator<Item = T>, usize) -> T,
) -> Result<Vec<T>, String> {
    let &Options::Pool2D {
        padding,
        stride_h,
        stride_w,
        filter_h,
        filter_w,
        ..
    } = &node.op.options
    else {
        return Err("its options are missing".into());
    };
    let &[batches, in_h, in_w, channels] = four(node.input(0)?, "input")?;
    let &[out_batches, out_h, out_w, out_channels] = four(node.output(), "output")?;
    if (out_batches, out_channels) != (batches, channels) {
        return Err(node.shapes());
    }
    let windows = Windows {
        batches,
        rows: Axis::new([in_h, out_h, filter_h], stride_h, 1, padding)?,
        columns: Axis::new([in_w, out_w, filter_w], stride_w, 1, padding)?,
    };
    let mut pooled = Vec::new();
    windows.each(|taps| {
        for channel in 0..channels {
            let mut values = taps.iter().map(|&(_, place)| x[place * channels + channel]);
            pooled.push(reduce(&mut values, taps.len()));
        }
    });
    Ok(pooled)
}

fn pool_activation<F: Real>(node: &Node<'_, F>) -> Activation {
    match node.op.options {
        Options::Pool2D { activation, .. } => activation,
        _ => Activation::None,
    }
}

/// The fused activation of a pool, whose output has the input's scale.
fn finish_pool<F: Real>(node: &Node<'_, F>, pooled: Values<F>) -> Result<Values<F>, String> {
    let activation = pool_activation(node);
    Ok(match pooled {
        Values::Reals(pooled) => {
            let values = pooled.into_iter().map(|x| activate(activation, x));
            Values::Reals(values.collect::<Result<_, _>>()?)
        }
        Values::Integers(pooled) => {
            if scale(node.input(0)?)? != scale(node.output())? {
                return Err("its input and output have different scales".into());
            }
            let limits = clamp_of(activation, node.output())?;
            Values::Integers(pooled.into_iter().map(|x| clamp(x, limits)).collect())
        }
    })
}

pub(super) fn average_pool_2d<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let pooled = if node.is_real() {
        Values::Reals(pool(node, &node.reals(0)?, |values, n| {
            values.fold(F::default(), |sum, x| sum + x) / F::of(n as f64)
        })?)
    } else {
        Values::Integers(pool(node, node.integers(0)?, |values, n| {
            // Halves away from zero; division truncates.
            let (sum, n) = (values.sum::<i64>(), n as i64);
            (if sum > 0 { sum + n / 2 } else { sum - n / 2 }) / n
        })?)
    };
    finish_pool(node, pooled)
}

pub(super) fn max_pool_2d<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    fn largest<T: Number>(values: &mut dyn Iterator<Item = T>, _: usize) -> T {
        let larger = values.reduce(|a, b| if b > a { b } else { a });
        larger.unwrap_or_default()
    }
    let pooled = if node.is_real() {
        Values::Reals(pool(node, &node.reals(0)?, largest)?)
    } else {
        Values::Integers(pool(node, node.integers(0)?, largest)?)
    };
    finish_pool(node, pooled)
}
