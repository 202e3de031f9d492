//! `SVDF_I8` and `SVDF_I8_STATE_I8`: low-rank filters over time.

use crate::params::{I8_MAX, I8_MIN, MAX_COUNT, MAX_DIM, SHIFT_MAX, SHIFT_MIN, expect_count, size};
use crate::requant::mbqm;
use crate::window::{pairs, row};
use otolith_dsp_nostd::format::Element;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// A filter of rank `rank` over the newest `memory` inputs: a dot product with each new input,
/// kept as a state, then a dot product over time.
///
/// For each batch row and filter `f` the state moves one place towards the past, and its newest
/// value becomes `clamp(mbqm(sum over i of w_feature[f,i] * (x[i] - input_zero_point),
/// state_mul))`. Then, for each unit `u`, `y[u] = clamp(mbqm(bias[u] + sum over the filters f of
/// u and times t of w_time[f,t] * state[f,t], output_mul) + output_zero_point)`.
///
/// Operands: input i8 `[batch, n_in]`; feature weights i8 `[filters, n_in]`; time weights i16
/// `[filters, memory]`; bias i32 `[filters / rank]`; state i16 `[batch, filters, memory]`;
/// output i8 `[batch, filters / rank]`. Source: TFLite Micro's `EvalIntegerSvdfReference`.
pub const SVDF_I8: Op = Op {
    code: 0x02a2,
    name: "SVDF_I8",
    check: check::<i16>,
    run: run::<i16>,
};

/// [`SVDF_I8`] with time weights and state of int8. The state is kept less its zero point, as 8
/// bits that wrap, so that a state of zeros stands for 0.
///
/// Operands: as [`SVDF_I8`], time weights and state i8.
pub const SVDF_I8_STATE_I8: Op = Op {
    code: 0x02a3,
    name: "SVDF_I8_STATE_I8",
    check: check::<i8>,
    run: run::<i8>,
};

params! {
    /// Parameters of [`SVDF_I8`] and [`SVDF_I8_STATE_I8`].
    Params {
        /// Rows of the input.
        batch in 1, MAX_DIM;
        /// Values in a row of the input.
        n_in in 1, MAX_DIM;
        /// Filters, a multiple of `rank`.
        filters in 1, MAX_DIM;
        /// Filters that make up one output.
        rank in 1, MAX_DIM;
        /// Inputs that a filter sees.
        memory in 1, MAX_DIM;
        /// Zero point of the input.
        input_zero_point in I8_MIN, I8_MAX;
        /// Zero point of the state, 0 for a state of int16.
        state_zero_point in I8_MIN, I8_MAX;
        /// Multiplier from the first dot product to the state.
        state_multiplier in 0, i32::MAX;
        /// Its shift.
        state_shift in SHIFT_MIN, SHIFT_MAX;
        /// Multiplier from the second dot product to the output.
        output_multiplier in 0, i32::MAX;
        /// Its shift.
        output_shift in SHIFT_MIN, SHIFT_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
    }
}

/// A type that states are kept in.
trait State: Element + Into<i32> {
    const MIN: i32;
    const MAX: i32;
    /// The low bits of a number.
    fn wrap(x: i32) -> Self;
}

impl State for i8 {
    const MIN: i32 = I8_MIN;
    const MAX: i32 = I8_MAX;
    fn wrap(x: i32) -> Self {
        x as i8
    }
}

impl State for i16 {
    const MIN: i32 = i16::MIN as i32;
    const MAX: i32 = i16::MAX as i32;
    fn wrap(x: i32) -> Self {
        x as i16
    }
}

fn check<S: State>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let p = Params::checked(step)?;
    if p.filters.checked_rem(p.rank) != Some(0) {
        return Err(Fault::BadParam { param: 3 });
    }
    if S::MAX != I8_MAX && p.state_zero_point != 0 {
        return Err(Fault::BadParam { param: 6 });
    }
    let units = p.filters.checked_div(p.rank).unwrap_or(0);
    expect_count(step.count_of::<i8>(0)?, &[p.batch, p.n_in], 0)?;
    expect_count(step.table::<i8>(1)?.len(), &[p.filters, p.n_in], 1)?;
    expect_count(step.table::<S>(2)?.len(), &[p.filters, p.memory], 2)?;
    expect_count(step.table::<i32>(3)?.len(), &[units], 3)?;
    let state = [p.batch, p.filters, p.memory];
    if i64::from(p.batch) * i64::from(p.filters) > i64::from(MAX_COUNT) {
        return Err(Fault::BadParam { param: 2 });
    }
    expect_count(step.count_of_output::<S>(4)?, &state, 4)?;
    expect_count(step.count_of_output::<i8>(5)?, &[p.batch, units], 5)?;
    step.expect_disjoint(0, 4)?;
    step.expect_disjoint(0, 5)?;
    step.expect_disjoint(4, 5)
}

fn run<S: State>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let features = io.step.table::<i8>(1)?;
    let times = io.step.table::<S>(2)?;
    let bias = io.step.table::<i32>(3)?;
    let (input, state, output) = io.read_write2::<i8, S, i8>(0, 4, 5)?;
    let (n_in, memory) = (size(p.n_in).max(1), size(p.memory).max(1));
    let (filters, rank) = (size(p.filters).max(1), size(p.rank).max(1));
    let states = state.chunks_exact_mut((filters * memory).max(1));
    let inputs = pairs(input.chunks_exact(n_in), states);
    let outputs = output.chunks_exact_mut(bias.len().max(1));
    for ((x, states), out) in pairs(inputs, outputs) {
        let mut states = states.chunks_exact_mut(memory).enumerate();
        for (y, &bias) in out.iter_mut().zip(bias) {
            let mut sum = bias;
            for (f, state) in states.by_ref().take(rank) {
                let weights = row(features, f, n_in).unwrap_or_default();
                let newest = project(&p, x, weights);
                push(
                    state,
                    S::wrap(newest.max(S::MIN).min(S::MAX) - p.state_zero_point),
                );
                let times = row(times, f, memory).unwrap_or_default();
                for (&s, &w) in state.iter().zip(times) {
                    let s: i32 = s.into();
                    // Undoes the wrap around the zero point.
                    let s: i32 = S::wrap(s.wrapping_add(p.state_zero_point)).into();
                    let w: i32 = w.into();
                    sum = sum.wrapping_add((s - p.state_zero_point).wrapping_mul(w));
                }
            }
            let scaled = mbqm(sum, p.output_multiplier, p.output_shift);
            let scaled = scaled.wrapping_add(p.output_zero_point);
            *y = scaled.clamp(I8_MIN, I8_MAX) as i8;
        }
    }
    Ok(())
}

/// The new value of a filter's state, not yet clamped.
fn project(p: &Params, x: &[i8], weights: &[i8]) -> i32 {
    let sum = x.iter().zip(weights).fold(0i32, |sum, (&x, &w)| {
        sum.wrapping_add((i32::from(x) - p.input_zero_point) * i32::from(w))
    });
    mbqm(sum, p.state_multiplier, p.state_shift).wrapping_add(p.state_zero_point)
}

/// Moves all values one place to the front and puts `newest` behind them.
fn push<S: Copy>(state: &mut [S], newest: S) {
    let mut next = newest;
    for s in state.iter_mut().rev() {
        core::mem::swap(s, &mut next);
    }
}
