//! Layers with weights: their constants, and the tables that turn sums into outputs.

use super::multiplier::{Multiplier, int8_clamp};
use super::{Lowering, single_scale};
use crate::plan_builder::TensorId;
use otolith_tflite::{Activation, DType, Tensor};

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
}

pub(super) fn constant<'t>(tensor: &'t Tensor, what: &str) -> Result<&'t [u8], String> {
    tensor
        .data
        .as_deref()
        .ok_or_else(|| format!("the {what} are not constant"))
}

/// The values of an int8 constant.
pub(super) fn int8(weights: &Tensor) -> Result<Vec<i8>, String> {
    let values = constant(weights, "weights")?.iter();
    Ok(values.map(|&b| b as i8).collect())
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

pub(super) fn no_weight_zero_points(weights: &Tensor) -> Result<(), String> {
    let zero_points = weights.quant.iter().flat_map(|q| &q.zero_points);
    match zero_points.into_iter().find(|&&z| z != 0) {
        None => Ok(()),
        Some(z) => Err(format!("its weights have the zero point {z}, allowed is 0")),
    }
}
