//! Layers with a memory: SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM.

use super::multiplier::Multiplier;
use super::weighted::{constant, int32};
use super::wide::bounded;
use super::windows::{only_int8, shapes};
use super::{Lowering, single_scale};
use otolith_classifier::ops::{lstm, svdf};
use otolith_dsp_nostd::format::Elem;
use otolith_tflite::{Activation, DType, Operator, Options, Tensor};

/// Inputs of an LSTM by their positions in the operator.
mod input {
    /// Input weights of the gates input, forget, cell, output.
    pub(super) const WEIGHTS: usize = 1;
    /// Recurrent weights of the same gates.
    pub(super) const RECURRENT: usize = 5;
    /// Peephole weights of three gates.
    pub(super) const PEEPHOLE: usize = 9;
    /// Biases of the four gates.
    pub(super) const BIAS: usize = 12;
    /// Projection weights and bias.
    pub(super) const PROJECTION: usize = 16;
    /// The output of the step before.
    pub(super) const HIDDEN: usize = 18;
    /// The cells.
    pub(super) const CELL: usize = 19;
    /// Layer normalisation of the four gates.
    pub(super) const NORMALISATION: usize = 20;
}

impl Lowering<'_, '_> {
    pub(super) fn svdf(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let Options::Svdf { rank, activation } = op.options else {
            return Err("its options are missing".into());
        };
        let (x, features, times) = (
            self.tensor(op, 0)?,
            self.tensor(op, 1)?,
            self.tensor(op, 2)?,
        );
        let (state, output) = (self.tensor(op, 4)?, self.result(op));
        let y = self.new_output(op)?;
        only_int8(&[x, features, output])?;
        if !matches!(activation, Activation::None | Activation::Relu) {
            return Err(format!(
                "the fused activation {activation:?} is not run: use ReLU"
            ));
        }
        let wrong = || shapes(&[x, features, times, state, output]);
        let (&[batch, n_in], &[filters, width], &[filters2, memory]) = (
            x.shape.as_slice(),
            features.shape.as_slice(),
            times.shape.as_slice(),
        ) else {
            return Err(wrong());
        };
        let fits = width == n_in
            && filters2 == filters
            && filters % rank == 0
            && state.n_elements() == batch * filters * memory
            && output.n_elements() == batch * (filters / rank);
        if !fits {
            return Err(wrong());
        }
        if !state.is_variable {
            return Err("its state is not a variable".into());
        }
        let (elem, kernel) = match (times.dtype, state.dtype) {
            (DType::I16, DType::I16) => (Elem::I16, &svdf::SVDF_I8),
            (DType::I8, DType::I8) => (Elem::I8, &svdf::SVDF_I8_STATE_I8),
            (w, s) => {
                return Err(format!(
                    "its time weights are {w} and its state is {s}, allowed is int16 or int8 for \
                     both"
                ));
            }
        };
        let units = filters / rank;
        let bias = match op.inputs.get(3).copied().flatten() {
            Some(index) => int32(&self.model.tensors[index], units)?,
            None => vec![0; units],
        };
        let ((x_scale, x_zero), (s_scale, s_zero)) = (single_scale(x)?, single_scale(state)?);
        let ((f_scale, f_zero), (t_scale, t_zero)) =
            (single_scale(features)?, single_scale(times)?);
        let (y_scale, y_zero) = single_scale(output)?;
        if f_zero != 0 || t_zero != 0 || (elem == Elem::I16 && s_zero != 0) {
            return Err("its weights or state have a zero point, allowed is 0".into());
        }
        // The reference multiplies and divides in f32 here.
        let to_state = bounded(f64::from(x_scale * f_scale / s_scale))?;
        let to_output = bounded(f64::from(s_scale * t_scale / y_scale))?;
        let params = svdf::Params {
            batch: batch as i32,
            n_in: n_in as i32,
            filters: filters as i32,
            rank: rank as i32,
            memory: memory as i32,
            input_zero_point: x_zero,
            state_zero_point: s_zero,
            state_multiplier: to_state.q,
            state_shift: to_state.shift,
            output_multiplier: to_output.q,
            output_shift: to_output.shift,
            output_zero_point: y_zero,
        };
        let time_name = format!("{name}.time");
        let data = constant(times, "time weights")?;
        let times_id = match elem {
            Elem::I16 => {
                let values = data.as_chunks::<2>().0.iter();
                let values: Vec<i16> = values.map(|&b| i16::from_le_bytes(b)).collect();
                self.plan.table(&time_name, &times.shape, &values)
            }
            _ => {
                let values: Vec<i8> = data.iter().map(|&b| b as i8).collect();
                self.plan.table(&time_name, &times.shape, &values)
            }
        };
        let x = self.input(op, 0)?;
        let features = self.weights(name, features)?;
        let bias = self.plan.table(&format!("{name}.bias"), &[units], &bias);
        let shape = [batch, filters, memory];
        let state = self.plan.state(&format!("{name}.state"), elem, &shape);
        let operands = [x, features, times_id, bias, state, y];
        self.step(kernel, name, &operands, &params.encode());
        Ok(())
    }

    pub(super) fn lstm(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let Options::UnidirectionalSequenceLstm {
            activation,
            cell_clip,
            proj_clip,
            time_major,
        } = op.options
        else {
            return Err("its options are missing".into());
        };
        let given = |i: usize| op.inputs.get(i).copied().flatten().is_some();
        if (input::PEEPHOLE..input::BIAS).any(given) {
            return Err("peephole connections are not run: use keras.layers.LSTM".into());
        }
        if (input::PROJECTION..input::HIDDEN).any(given) || proj_clip > 0.0 {
            return Err("a projection is not run: use keras.layers.LSTM".into());
        }
        if (input::NORMALISATION..input::NORMALISATION + 4).any(given) {
            return Err("layer normalisation is not run: use keras.layers.LSTM".into());
        }
        if activation != Activation::Other(4) {
            return Err(format!(
                "the activation {activation:?} is not run: use the default, tanh"
            ));
        }
        let (x, output) = (self.tensor(op, 0)?, self.result(op));
        let (hidden, cell) = (
            self.tensor(op, input::HIDDEN)?,
            self.tensor(op, input::CELL)?,
        );
        let y = self.new_output(op)?;
        only_int8(&[x, hidden, output])?;
        if cell.dtype != DType::I16 {
            return Err(format!("its cells are {}, allowed is int16", cell.dtype));
        }
        let &[a, b, n_in] = x.shape.as_slice() else {
            return Err(shapes(&[x, hidden, output]));
        };
        let (batch, times) = if time_major { (b, a) } else { (a, b) };
        if time_major && batch != 1 {
            return Err("several sequences side by side are not run: use time_major=False".into());
        }
        let cells = hidden.n_elements() / batch;
        let fits = hidden.n_elements() == batch * cells
            && cell.n_elements() == batch * cells
            && output.n_elements() == batch * times * cells;
        if !fits {
            return Err(shapes(&[x, hidden, cell, output]));
        }
        if !hidden.is_variable || !cell.is_variable {
            return Err("its state is not a variable".into());
        }
        let ((x_scale, x_zero), (h_scale, h_zero)) = (single_scale(x)?, single_scale(hidden)?);
        if single_scale(output)? != (h_scale, h_zero) {
            return Err("its output and its state have different scales".into());
        }
        let cell_scale = single_scale(cell)?.0;
        let power = libm::log2(f64::from(cell_scale));
        if power != libm::rint(power) || !(-15.0..=0.0).contains(&power) {
            return Err(format!(
                "its cells have the scale {cell_scale}, allowed is a power of two from 2^-15 to 1"
            ));
        }
        let from_input = self.gates(op, input::WEIGHTS, [cells, n_in], (x_scale, x_zero))?;
        let from_state = self.gates(op, input::RECURRENT, [cells, cells], (h_scale, h_zero))?;
        let mut biases = Vec::new();
        for gate in 0..4 {
            biases.extend(int32(self.tensor(op, input::BIAS + gate)?, cells)?);
        }
        let biases: Vec<i32> = biases
            .iter()
            .zip(&from_input.offsets)
            .map(|(b, o)| b.wrapping_add(*o))
            .collect();
        let unit = libm::ldexp(1.0, -15);
        let forget = bounded(unit * f64::from(cell_scale) / f64::from(cell_scale))?;
        let candidate = bounded(unit * unit / f64::from(cell_scale))?;
        let shown = bounded(unit * unit / f64::from(h_scale))?;
        let [ii, if_, ic, io] = from_input.multipliers;
        let [ri, rf, rc, ro] = from_state.multipliers;
        // The tangent's input: 2^(12 + power) units of 1/4096 for one of the cell.
        let shift = power as i32 + 12;
        let (tanh_multiplier, tanh_shift) = match shift {
            0.. => (3 << shift, 0),
            _ => (3, -shift),
        };
        let clip = f64::from(cell_clip) / f64::from(cell_scale);
        let params = lstm::Params {
            batch: batch as i32,
            times: times as i32,
            n_in: n_in as i32,
            cells: cells as i32,
            input_input_multiplier: ii.q,
            input_input_shift: ii.shift,
            input_forget_multiplier: if_.q,
            input_forget_shift: if_.shift,
            input_cell_multiplier: ic.q,
            input_cell_shift: ic.shift,
            input_output_multiplier: io.q,
            input_output_shift: io.shift,
            recurrent_input_multiplier: ri.q,
            recurrent_input_shift: ri.shift,
            recurrent_forget_multiplier: rf.q,
            recurrent_forget_shift: rf.shift,
            recurrent_cell_multiplier: rc.q,
            recurrent_cell_shift: rc.shift,
            recurrent_output_multiplier: ro.q,
            recurrent_output_shift: ro.shift,
            forget_multiplier: forget.q,
            forget_shift: forget.shift,
            cell_multiplier: candidate.q,
            cell_shift: candidate.shift,
            output_multiplier: shown.q,
            output_shift: shown.shift,
            output_zero_point: h_zero,
            cell_clip: if cell_clip > 0.0 {
                clip.min(32767.0) as i32
            } else {
                0
            },
            tanh_multiplier,
            tanh_shift,
        };
        let x = self.input(op, 0)?;
        let table = self.sigmoid_table();
        let plan = &mut self.plan;
        let weights = [4, cells, n_in];
        let weights = plan.table(&format!("{name}.weights"), &weights, &from_input.weights);
        let recurrent = [4, cells, cells];
        let recurrent = plan.table(
            &format!("{name}.recurrent"),
            &recurrent,
            &from_state.weights,
        );
        let bias = plan.table(&format!("{name}.bias"), &[4, cells], &biases);
        let offsets = &from_state.offsets;
        let offsets = plan.table(&format!("{name}.recurrent_bias"), &[4, cells], offsets);
        let state = plan.state(&format!("{name}.state"), Elem::I16, &[batch, 2, cells]);
        let operands = [x, weights, recurrent, bias, offsets, table, state, y];
        let kernel = &lstm::UNIDIRECTIONAL_SEQUENCE_LSTM_I8;
        self.step(kernel, name, &operands, &params.encode());
        Ok(())
    }

    /// The four gates' weights at inputs `first..first + 4`, on a vector with `(scale, zero)`.
    fn gates(
        &self,
        op: &Operator,
        first: usize,
        [rows, columns]: [usize; 2],
        (scale, zero): (f32, i32),
    ) -> Result<Gates, String> {
        let mut gates = Gates {
            weights: Vec::new(),
            offsets: Vec::new(),
            multipliers: [Multiplier { q: 0, shift: 0 }; 4],
        };
        for (gate, multiplier) in gates.multipliers.iter_mut().enumerate() {
            let tensor: &Tensor = self.tensor(op, first + gate)?;
            only_int8(&[tensor])?;
            if tensor.shape != [rows, columns] {
                return Err(format!(
                    "tensor \"{}\" has shape {:?}, allowed is {:?}",
                    tensor.name,
                    tensor.shape,
                    [rows, columns]
                ));
            }
            let (weights_scale, weights_zero) = single_scale(tensor)?;
            if weights_zero != 0 {
                return Err("its weights have a zero point, allowed is 0".into());
            }
            let values = constant(tensor, "weights")?.iter().map(|&b| b as i8);
            let values: Vec<i8> = values.collect();
            let product = f64::from(scale) * f64::from(weights_scale);
            // Gates work in Q3.12.
            *multiplier = bounded(product * 4096.0)?;
            gates.offsets.extend(values.chunks(columns).map(|row| {
                let sum: i32 = row.iter().map(|&w| i32::from(w)).sum();
                sum.wrapping_mul(zero).wrapping_neg()
            }));
            gates.weights.extend(values);
        }
        Ok(gates)
    }
}

/// The weights of the four gates on one vector.
struct Gates {
    weights: Vec<i8>,
    /// What the vector's zero point adds to each sum.
    offsets: Vec<i32>,
    multipliers: [Multiplier; 4],
}
