//! `UNIDIRECTIONAL_SEQUENCE_LSTM_I8`.

use super::wide::sigmoid::{check_table, logistic, scaled, tanh};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, SHIFT_MAX, SHIFT_MIN, expect_count, size};
use crate::requant::mbqm;
use crate::window::{pairs, row};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// A layer of long short-term memory with int8 activations and an int16 cell.
///
/// At each time, for each gate `g` and cell `c`, `z = clamp16(clamp16(mbqm(bias_x + w_x x,
/// input_mul)) + clamp16(mbqm(bias_h + w_h (h + output_zero_point), recurrent_mul)))` in Q3.12.
/// With `i, f, o` the logistic function of the input, forget and output gate and `g` the
/// hyperbolic tangent of the cell gate, all in Q0.15:
/// `cell = clip(clamp16(clamp16(mbqm(f * cell, forget_mul)) + clamp16(mbqm(i * g, cell_mul))))`
/// and `y = clamp(mbqm(tanh(cell) * o, output_mul) + output_zero_point)`, which is the next `h`.
/// The biases hold the zero points: `bias_x = bias - input_zero_point * sum(w_x)` and
/// `bias_h = -output_zero_point * sum(w_h)`.
///
/// Gates stand in the order input, forget, cell, output.
///
/// Operands: input i8 `[batch, times, n_in]`; input weights i8 `[4, cells, n_in]`; recurrent
/// weights i8 `[4, cells, cells]`; input biases i32 `[4, cells]`; recurrent biases i32
/// `[4, cells]`; table u16 `[256]` of [`LOGISTIC_I16`](super::wide::sigmoid::LOGISTIC_I16); state
/// i16 `[batch, 2, cells]`: `h` less its zero point, then the cells, all 0 at the start; output i8
/// `[batch, times, cells]`. Source: TFLite Micro's `EvalLstm` with int8 activations.
pub const UNIDIRECTIONAL_SEQUENCE_LSTM_I8: Op = Op {
    code: 0x02a4,
    name: "UNIDIRECTIONAL_SEQUENCE_LSTM_I8",
    check,
    run,
};

params! {
    /// Parameters of [`UNIDIRECTIONAL_SEQUENCE_LSTM_I8`].
    Params {
        /// Sequences.
        batch in 1, MAX_DIM;
        /// Steps of time in a sequence.
        times in 1, MAX_DIM;
        /// Values in an input.
        n_in in 1, MAX_DIM;
        /// Cells, and values in an output.
        cells in 1, MAX_DIM;
        /// Multiplier of the input gate's inputs.
        input_input_multiplier in 0, i32::MAX;
        /// Its shift.
        input_input_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of the forget gate's inputs.
        input_forget_multiplier in 0, i32::MAX;
        /// Its shift.
        input_forget_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of the cell gate's inputs.
        input_cell_multiplier in 0, i32::MAX;
        /// Its shift.
        input_cell_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of the output gate's inputs.
        input_output_multiplier in 0, i32::MAX;
        /// Its shift.
        input_output_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of the input gate's feedback.
        recurrent_input_multiplier in 0, i32::MAX;
        /// Its shift.
        recurrent_input_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of the forget gate's feedback.
        recurrent_forget_multiplier in 0, i32::MAX;
        /// Its shift.
        recurrent_forget_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of the cell gate's feedback.
        recurrent_cell_multiplier in 0, i32::MAX;
        /// Its shift.
        recurrent_cell_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of the output gate's feedback.
        recurrent_output_multiplier in 0, i32::MAX;
        /// Its shift.
        recurrent_output_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of what the forget gate lets through.
        forget_multiplier in 0, i32::MAX;
        /// Its shift.
        forget_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of what the input gate lets in.
        cell_multiplier in 0, i32::MAX;
        /// Its shift.
        cell_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier of what the output gate lets out.
        output_multiplier in 0, i32::MAX;
        /// Its shift.
        output_shift in SHIFT_MIN, SHIFT_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Largest magnitude of a cell, or 0 for no limit.
        cell_clip in 0, 32767;
        /// Factor that brings a cell to units of 1/12288 for the tangent: as
        /// [`LOGISTIC_I16`](super::wide::sigmoid::LOGISTIC_I16).
        tanh_multiplier in 0, 32767;
        /// Bits to shift right behind it.
        tanh_shift in 0, 31;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(8)?;
    let p = Params::checked(step)?;
    expect_count(step.count_of::<i8>(0)?, &[p.batch, p.times, p.n_in], 0)?;
    expect_count(step.table::<i8>(1)?.len(), &[4, p.cells, p.n_in], 1)?;
    expect_count(step.table::<i8>(2)?.len(), &[4, p.cells, p.cells], 2)?;
    expect_count(step.table::<i32>(3)?.len(), &[4, p.cells], 3)?;
    expect_count(step.table::<i32>(4)?.len(), &[4, p.cells], 4)?;
    check_table(step, 5)?;
    expect_count(step.count_of_output::<i16>(6)?, &[p.batch, 2, p.cells], 6)?;
    let output = [p.batch, p.times, p.cells];
    expect_count(step.count_of_output::<i8>(7)?, &output, 7)?;
    step.expect_disjoint(0, 6)?;
    step.expect_disjoint(0, 7)?;
    step.expect_disjoint(6, 7)
}

/// Clamps to an int16.
fn narrow(x: i32) -> i32 {
    x.clamp(-32768, 32767)
}

/// Weights, biases and multipliers of all gates.
struct Gates<'a> {
    input_weights: &'a [i8],
    recurrent_weights: &'a [i8],
    input_bias: &'a [i32],
    recurrent_bias: &'a [i32],
    input_scales: [(i32, i32); 4],
    recurrent_scales: [(i32, i32); 4],
    cells: usize,
    output_zero_point: i32,
}

impl Gates<'_> {
    /// What goes into the activation of each gate of cell `c`, in Q3.12.
    fn sums(&self, c: usize, x: &[i8], h: &[i16]) -> [i32; 4] {
        let scales = pairs(self.input_scales, self.recurrent_scales);
        let mut sums = [0; 4];
        for (gate, (sum, (input, recurrent))) in pairs(&mut sums, scales).enumerate() {
            let at = gate * self.cells + c;
            let bias = self.input_bias.get(at).copied().unwrap_or(0);
            let weights = row(self.input_weights, at, x.len()).unwrap_or_default();
            let from_input = x.iter().zip(weights).fold(bias, |sum, (&x, &w)| {
                sum.wrapping_add(i32::from(x) * i32::from(w))
            });
            let bias = self.recurrent_bias.get(at).copied().unwrap_or(0);
            let weights = row(self.recurrent_weights, at, h.len()).unwrap_or_default();
            let from_state = h.iter().zip(weights).fold(bias, |sum, (&h, &w)| {
                let h = i32::from(h) + self.output_zero_point;
                sum.wrapping_add(h.wrapping_mul(i32::from(w)))
            });
            let (input, recurrent) = (
                narrow(mbqm(from_input, input.0, input.1)),
                narrow(mbqm(from_state, recurrent.0, recurrent.1)),
            );
            *sum = narrow(input + recurrent);
        }
        sums
    }
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let gates = Gates {
        input_weights: io.step.table(1)?,
        recurrent_weights: io.step.table(2)?,
        input_bias: io.step.table(3)?,
        recurrent_bias: io.step.table(4)?,
        input_scales: [
            (p.input_input_multiplier, p.input_input_shift),
            (p.input_forget_multiplier, p.input_forget_shift),
            (p.input_cell_multiplier, p.input_cell_shift),
            (p.input_output_multiplier, p.input_output_shift),
        ],
        recurrent_scales: [
            (p.recurrent_input_multiplier, p.recurrent_input_shift),
            (p.recurrent_forget_multiplier, p.recurrent_forget_shift),
            (p.recurrent_cell_multiplier, p.recurrent_cell_shift),
            (p.recurrent_output_multiplier, p.recurrent_output_shift),
        ],
        cells: size(p.cells),
        output_zero_point: p.output_zero_point,
    };
    let table = io.step.table::<u16>(5)?;
    let (input, state, output) = io.read_write2::<i8, i16, i8>(0, 6, 7)?;
    let (n_in, cells) = (size(p.n_in).max(1), size(p.cells).max(1));
    let times = size(p.times);
    let inputs = input.chunks_exact((times * n_in).max(1));
    let outputs = output.chunks_exact_mut((times * cells).max(1));
    let states = state.chunks_exact_mut(2 * cells);
    for ((x, y), state) in pairs(pairs(inputs, outputs), states) {
        let Some((h, cell)) = state.split_at_mut_checked(cells) else {
            continue;
        };
        for (x, y) in pairs(x.chunks_exact(n_in), y.chunks_exact_mut(cells)) {
            for (c, (y, cell)) in pairs(y.iter_mut(), cell.iter_mut()).enumerate() {
                let sums = gates.sums(c, x, h);
                *y = advance(&p, table, sums, cell);
            }
            for (h, &y) in h.iter_mut().zip(y.iter()) {
                *h = (i32::from(y) - p.output_zero_point) as i16;
            }
        }
    }
    Ok(())
}

/// Steps one cell and returns its output.
fn advance(p: &Params, table: &[u16], sums: [i32; 4], cell: &mut i16) -> i8 {
    let z = |sum: i32| scaled(sum as i16, 3, 0);
    let [input, forget, candidate, output] = sums;
    let input = i32::from(logistic(table, z(input)));
    let forget = i32::from(logistic(table, z(forget)));
    let candidate = i32::from(tanh(table, z(candidate)));
    let output = i32::from(logistic(table, z(output)));
    let kept = mbqm(
        forget * i32::from(*cell),
        p.forget_multiplier,
        p.forget_shift,
    );
    let new = mbqm(input * candidate, p.cell_multiplier, p.cell_shift);
    let mut sum = narrow(narrow(kept) + narrow(new));
    if p.cell_clip > 0 {
        sum = sum.max(-p.cell_clip).min(p.cell_clip);
    }
    *cell = sum as i16;
    let shown = i32::from(tanh(table, scaled(*cell, p.tanh_multiplier, p.tanh_shift)));
    let y = mbqm(shown * output, p.output_multiplier, p.output_shift);
    y.wrapping_add(p.output_zero_point).clamp(I8_MIN, I8_MAX) as i8
}
