//! Exact pruning: channels that are the same for every input are folded into the next layers.
//!
//! Interval analysis, layer by layer: with every input value anywhere between -128 and 127 (or where an
//! earlier channel was found constant, at that value), a channel's sum has a smallest and a largest
//! value. When both requantise to the same output the channel is a constant. A convolution behind it takes
//! its part into the bias; a depthwise convolution behind it makes another constant channel of it, or,
//! with padding, only if the constant is the zero point. What is left is a smaller model with the same
//! outputs for every input.

mod report;

pub use report::{Pruned, Reason, Removed};

use super::multiplier::{Multiplier, int8_clamp};
use crate::network::macs;
use otolith_classifier::requant::mbqm;
use otolith_tflite::{
    Activation, BuiltinOp, DType, Model, OpCode, Operator, Options, Padding, Tensor,
};
use std::sync::Arc;

/// A model without its constant channels, and the layers that are smaller in it. Outputs are equal for every
/// input.
pub fn prune(model: &Model) -> (Model, Vec<Pruned>) {
    let mut pruning = Pruning {
        model: model.clone(),
        constants: vec![None; model.tensors.len()],
        free: vec![false; model.tensors.len()],
    };
    for op in &model.operators {
        if let Some(layer) = Layer::of(model, op) {
            pruning.free[layer.output] = pruning.is_free(model, &layer);
            pruning.constants[layer.output] = pruning.constant_channels(&layer);
        }
    }
    match pruning.remove(model) {
        Some(removed) => (pruning.model, removed),
        None => (model.clone(), Vec::new()),
    }
}

/// For each channel, the value that it always has.
type Constants = Vec<Option<i8>>;

struct Pruning {
    model: Model,
    /// By tensor; `None` where nothing is known.
    constants: Vec<Option<Constants>>,
    /// By tensor: whether it may lose channels.
    free: Vec<bool>,
}

/// A layer that can lose channels.
struct Layer {
    input: usize,
    weights: usize,
    bias: usize,
    output: usize,
    depthwise: bool,
    padded: bool,
    activation: Activation,
    in_c: usize,
    out_c: usize,
    /// Weights of one output channel and one input channel.
    taps: usize,
}

impl Layer {
    /// A convolution without groups, or a depthwise one without multiplier, int8 throughout, with a bias
    /// of int32; `None` for every other operator.
    fn of(model: &Model, op: &Operator) -> Option<Self> {
        let (depthwise, padding, activation) = match (&op.code, &op.options) {
            (
                OpCode::Builtin(BuiltinOp::CONV_2D),
                &Options::Conv2D {
                    padding,
                    activation,
                    ..
                },
            ) => (false, padding, activation),
            (
                OpCode::Builtin(BuiltinOp::DEPTHWISE_CONV_2D),
                &Options::DepthwiseConv2D {
                    padding,
                    activation,
                    ..
                },
            ) => (true, padding, activation),
            _ => return None,
        };
        let at = |i: usize| op.inputs.get(i).copied().flatten();
        let (input, weights, bias, output) = (at(0)?, at(1)?, at(2)?, *op.outputs.first()?);
        let t = |i: usize| &model.tensors[i];
        let int8 = [input, weights, output]
            .iter()
            .all(|&i| t(i).dtype == DType::I8);
        let known = t(weights).data.is_some() && t(bias).data.is_some();
        let (&[_, _, _, in_c], &[n, h, w, k], &[_, _, _, out_c]) = (
            t(input).shape.as_slice(),
            t(weights).shape.as_slice(),
            t(output).shape.as_slice(),
        ) else {
            return None;
        };
        let fits = match depthwise {
            true => n == 1 && k == in_c && out_c == in_c,
            false => n == out_c && k == in_c,
        };
        let whole = t(bias).dtype == DType::I32 && t(bias).n_elements() == out_c;
        (int8 && known && fits && whole).then_some(Self {
            input,
            weights,
            bias,
            output,
            depthwise,
            padded: padding == Padding::Same && (h, w) != (1, 1),
            activation,
            in_c,
            out_c,
            taps: h * w,
        })
    }

    /// The weight of output channel `o`, input channel `i` and tap `t`.
    fn weight(&self, weights: &[u8], o: usize, i: usize, t: usize) -> i64 {
        let index = match self.depthwise {
            true => t * self.out_c + o,
            false => (o * self.taps + t) * self.in_c + i,
        };
        i64::from(weights[index] as i8)
    }

    /// Input channels that output channel `o` sees.
    fn seen(&self, o: usize) -> std::ops::Range<usize> {
        match self.depthwise {
            true => o..o + 1,
            false => 0..self.in_c,
        }
    }
}

fn scale(tensor: &Tensor) -> Option<(f32, i64)> {
    let quant = tensor.quant.as_ref()?;
    let (&[scale], &[zero_point]) = (quant.scales.as_slice(), quant.zero_points.as_slice()) else {
        return None;
    };
    (-128..=127)
        .contains(&zero_point)
        .then_some((scale, zero_point))
}

fn words(data: &[u8]) -> Vec<i32> {
    let words = data.as_chunks::<4>().0.iter();
    words.map(|&word| i32::from_le_bytes(word)).collect()
}

impl Pruning {
    /// Whether the output of a layer may lose channels: every reader is a layer that can, and nobody else sees
    /// it, its weights or its biases. A depthwise layer loses the channels of its input too.
    fn is_free(&self, model: &Model, layer: &Layer) -> bool {
        let uses = |tensor: usize| {
            let inputs = model.operators.iter().flat_map(|op| &op.inputs);
            inputs.filter(|&&input| input == Some(tensor)).count()
        };
        let readers = model.operators.iter();
        let mut readers = readers
            .filter(|op| op.inputs.contains(&Some(layer.output)))
            .map(|op| Layer::of(model, op).filter(|reader| reader.input == layer.output));
        let depthwise = readers
            .clone()
            .any(|reader| reader.is_some_and(|reader| reader.depthwise));
        readers.all(|reader| reader.is_some())
            && (!depthwise || uses(layer.output) == 1)
            && [layer.weights, layer.bias].iter().all(|&t| uses(t) == 1)
            && !model.outputs.contains(&layer.output)
            && (!layer.depthwise || self.free[layer.input])
    }

    /// Finds the constant channels of a layer's output.
    fn constant_channels(&self, layer: &Layer) -> Option<Constants> {
        let t = |i: usize| &self.model.tensors[i];
        let (input_scale, input_zero) = scale(t(layer.input))?;
        let (output_scale, output_zero) = scale(t(layer.output))?;
        let quant = t(layer.weights).quant.as_ref()?;
        let scales = &quant.scales;
        let zeros = quant.zero_points.iter().all(|&z| z == 0);
        if !zeros || (scales.len() != 1 && scales.len() != layer.out_c) {
            return None;
        }
        let (min, max) = int8_clamp(layer.activation, output_scale, output_zero as i32)?;
        let (weights, bias) = (
            t(layer.weights).data.as_ref()?,
            t(layer.bias).data.as_ref()?,
        );
        let bias = words(bias);
        let known = self.constants[layer.input].as_ref();
        let channel = |o: usize| {
            let (mut low, mut high) = (i64::from(bias[o]), i64::from(bias[o]));
            for i in layer.seen(o) {
                let constant = known.and_then(|k| k[i]).map(i64::from);
                for tap in 0..layer.taps {
                    let w = layer.weight(weights, o, i, tap);
                    let at = |x: i64| (x - input_zero) * w;
                    let (mut a, mut b) = match constant {
                        Some(x) => (at(x), at(x)),
                        None => (at(-128).min(at(127)), at(-128).max(at(127))),
                    };
                    // A tap may lie in the padding, where it adds nothing.
                    if layer.padded {
                        (a, b) = (a.min(0), b.max(0));
                    }
                    (low, high) = (low + a, high + b);
                }
            }
            let real = f64::from(input_scale) * f64::from(scales[o % scales.len()])
                / f64::from(output_scale);
            let Multiplier { q, shift } = Multiplier::new(real);
            let y = |acc: i64| -> Option<i32> {
                let scaled = mbqm(i32::try_from(acc).ok()?, q, shift);
                Some(scaled.saturating_add(output_zero as i32).max(min).min(max))
            };
            // Larger sums give larger outputs, unless a left shift wraps.
            let (a, b) = (y(low)?, y(high)?);
            (shift <= 0 && a == b).then_some(a as i8)
        };
        Some((0..layer.out_c).map(channel).collect())
    }

    /// Removes from each tensor the constant channels that everything behind it can do without.
    /// `None` when a bias does not fit.
    fn remove(&mut self, original: &Model) -> Option<Vec<Pruned>> {
        let mut keeps: Vec<Option<Vec<usize>>> = vec![None; original.tensors.len()];
        // From the last layer to the first, because a depthwise layer keeps its input's channels if it keeps
        // its output's.
        let layers = original.operators.iter().rev();
        for layer in layers.filter_map(|op| Layer::of(original, op)) {
            let keep = self.kept(original, &layer, &keeps);
            if keep.len() < layer.out_c {
                keeps[layer.output] = Some(keep);
            }
        }
        for op in &original.operators {
            if let Some(layer) = Layer::of(original, op) {
                self.rewrite(original, &layer, &keeps)?;
            }
        }
        for (tensor, keep) in self.model.tensors.iter_mut().zip(&keeps) {
            if let (Some(keep), Some(last)) = (keep, tensor.shape.last_mut()) {
                *last = keep.len();
            }
        }
        Some(self.pruned(original, &keeps))
    }

    /// The layers that are smaller than they were.
    fn pruned(&self, original: &Model, keeps: &[Option<Vec<usize>>]) -> Vec<Pruned> {
        let operators = original.operators.iter().enumerate();
        let pruned = operators.filter_map(|(index, op)| {
            let layer = Layer::of(original, op)?;
            let weight_bytes = [original, &self.model].map(|model| {
                let data = [layer.weights, layer.bias].map(|t| model.tensors[t].data.as_ref());
                data.into_iter().flatten().map(|data| data.len()).sum()
            });
            let keep = keeps[layer.output].as_ref();
            let gone = (0..layer.out_c).filter(|c| keep.is_some_and(|keep| !keep.contains(c)));
            let removed: Vec<Removed> = gone.map(|c| self.removed(original, &layer, c)).collect();
            let smaller = !removed.is_empty() || keeps[layer.input].is_some();
            smaller.then(|| Pruned {
                index,
                name: op.code.to_string(),
                channels: layer.out_c,
                removed,
                macs: [original, &self.model].map(|model| macs(model, op)),
                weight_bytes,
            })
        });
        pruned.collect()
    }

    /// Why channel `c` of a layer's output can go.
    fn removed(&self, original: &Model, layer: &Layer, c: usize) -> Removed {
        let value = self.constants[layer.output].as_ref().and_then(|k| k[c]);
        let readers = original.operators.iter();
        let summed = readers
            .filter_map(|op| Layer::of(original, op))
            .any(|reader| reader.input == layer.output && !reader.depthwise);
        let zero = scale(&original.tensors[layer.output]).map(|(_, zero)| zero);
        let reason = match value {
            Some(value) if summed && Some(i64::from(value)) == zero => Reason::ZeroPoint,
            Some(_) if summed => Reason::Folded,
            _ => Reason::Behind,
        };
        Removed {
            channel: c,
            value,
            reason,
        }
    }

    /// The channels of a layer's output that stay: those that somebody needs, and so many more that they are
    /// a multiple of four, which packed kernels work on.
    fn kept(&self, model: &Model, layer: &Layer, keeps: &[Option<Vec<usize>>]) -> Vec<usize> {
        if !self.free[layer.output] {
            return (0..layer.out_c).collect();
        }
        let constants = self.constants[layer.output].as_ref();
        let zero = scale(&model.tensors[layer.output]).map(|(_, zero)| zero);
        let readers = model.operators.iter();
        let readers: Vec<Layer> = readers
            .filter_map(|op| Layer::of(model, op))
            .filter(|reader| reader.input == layer.output)
            .collect();
        let needed = |c: usize| {
            let constant = constants.and_then(|k| k[c]).map(i64::from);
            readers.iter().any(|reader| match reader.depthwise {
                // Its own channel must go too.
                true => {
                    let keep = keeps[reader.output].as_ref();
                    keep.is_none_or(|keep| keep.contains(&c))
                }
                // Where padding is, a constant adds nothing; only the zero point never does.
                false => constant.is_none() || (reader.padded && constant != zero),
            })
        };
        let (mut keep, spare): (Vec<usize>, Vec<usize>) =
            (0..layer.out_c).partition(|&c| needed(c));
        let target = keep.len().max(1).next_multiple_of(4).min(layer.out_c);
        let missing = target - keep.len();
        keep.extend(spare.into_iter().take(missing));
        keep.sort_unstable();
        keep
    }

    /// Takes channels out of a layer's weights and biases, and what removed inputs add into the biases.
    /// `None` when a bias does not fit.
    fn rewrite(
        &mut self,
        original: &Model,
        layer: &Layer,
        keeps: &[Option<Vec<usize>>],
    ) -> Option<()> {
        let (inputs, outputs) = (&keeps[layer.input], &keeps[layer.output]);
        if inputs.is_none() && outputs.is_none() {
            return Some(());
        }
        let tensors = &original.tensors;
        let weights = tensors[layer.weights].data.as_ref()?;
        let bias = tensors[layer.bias].data.as_ref()?;
        let all = |n: usize| (0..n).collect::<Vec<usize>>();
        let outputs = outputs.clone().unwrap_or_else(|| all(layer.out_c));
        let inputs = inputs.clone().unwrap_or_else(|| all(layer.in_c));
        let zero = scale(&tensors[layer.input]).map_or(0, |(_, zero)| zero);
        let constants = self.constants[layer.input].as_ref();
        let mut biases = words(bias);
        if !layer.depthwise {
            for (o, bias) in biases.iter_mut().enumerate() {
                for i in (0..layer.in_c).filter(|i| !inputs.contains(i)) {
                    let x = constants.and_then(|k| k[i]).map_or(zero, i64::from);
                    let sum: i64 = (0..layer.taps)
                        .map(|t| layer.weight(weights, o, i, t))
                        .sum();
                    *bias = i32::try_from(i64::from(*bias) + (x - zero) * sum).ok()?;
                }
            }
        }
        let byte = |o: usize, i: usize, t: usize| layer.weight(weights, o, i, t) as u8;
        let values: Vec<u8> = if layer.depthwise {
            let taps = 0..layer.taps;
            taps.flat_map(|t| outputs.iter().map(move |&o| byte(o, o, t)))
                .collect()
        } else {
            let mut values = Vec::new();
            for &o in &outputs {
                for t in 0..layer.taps {
                    values.extend(inputs.iter().map(|&i| byte(o, i, t)));
                }
            }
            values
        };
        let bias: Vec<u8> = outputs
            .iter()
            .flat_map(|&o| biases[o].to_le_bytes())
            .collect();
        let tensor = &mut self.model.tensors[layer.weights];
        if let [n, _, _, k] = tensor.shape.as_mut_slice() {
            match layer.depthwise {
                true => *k = outputs.len(),
                false => (*n, *k) = (outputs.len(), inputs.len()),
            }
        }
        tensor.data = Some(Arc::from(values));
        if let Some(quant) = &mut tensor.quant
            && quant.scales.len() == layer.out_c
        {
            quant.scales = outputs.iter().map(|&o| quant.scales[o]).collect();
            quant.zero_points = outputs
                .iter()
                .map(|&o| quant.zero_points.get(o).copied().unwrap_or(0))
                .collect();
        }
        let tensor = &mut self.model.tensors[layer.bias];
        tensor.shape = vec![outputs.len()];
        tensor.data = Some(Arc::from(bias));
        if let Some(quant) = &mut tensor.quant
            && quant.scales.len() == layer.out_c
        {
            quant.scales = outputs.iter().map(|&o| quant.scales[o]).collect();
            quant.zero_points = vec![0; outputs.len()];
        }
        Some(())
    }
}
