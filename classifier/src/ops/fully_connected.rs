//! `FULLY_CONNECTED_I8`.

use super::{check_requant, requant};
use crate::params::{I8_MAX, I8_MIN, MAX_COUNT, expect_count, size};
use crate::requant::{Channel, Requant};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Matrix times vector, for each row of the input.
///
/// `y[b,o] = requant_o(sum over i of (x[b,i] - input_zero_point) * (w[o,i] -
/// weights_zero_point))`, in the fixed-point form of TFLite Micro (TFLite itself requantises in
/// f64 here).
///
/// Operands: input i8 `[rows, n_in]`; weights i8 `[n_out, n_in]`; bias i32 `[n_out]`; multipliers
/// i32 and shifts i8, `[n_out]` or `[1]`; output i8 `[rows, n_out]`. Source: TFLite's
/// `reference_integer_ops::FullyConnected` and `FullyConnectedPerChannel`.
pub const FULLY_CONNECTED_I8: Op = Op {
    code: 0x0202,
    name: "FULLY_CONNECTED_I8",
    check,
    run,
};

params! {
    /// Parameters of [`FULLY_CONNECTED_I8`].
    Params {
        /// Rows of the input.
        rows in 1, MAX_COUNT;
        /// Values in a row of the input.
        n_in in 1, MAX_COUNT;
        /// Values in a row of the output.
        n_out in 1, MAX_COUNT;
        /// Zero point of the input.
        input_zero_point in I8_MIN, I8_MAX;
        /// Zero point of the weights, 0 for per-channel weights.
        weights_zero_point in I8_MIN, I8_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let p = Params::checked(step)?;
    expect_count(step.count_of::<i8>(0)?, &[p.rows, p.n_in], 0)?;
    expect_count(step.table::<i8>(1)?.len(), &[p.n_out, p.n_in], 1)?;
    check_requant(step, 2, size(p.n_out))?;
    expect_count(step.count_of_output::<i8>(5)?, &[p.rows, p.n_out], 5)?;
    step.expect_disjoint(0, 5)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let weights = io.step.table::<i8>(1)?;
    let requant = requant(&io.step, 2, p.output_zero_point, p.min, p.max)?;
    let (input, output) = io.read_write::<i8, i8>(0, 5)?;
    fully_connected(&p, input, weights, &requant, output);
    Ok(())
}

/// Outputs whose accumulators are kept at once.
const BLOCK: usize = 8;

fn fully_connected(
    p: &Params,
    input: &[i8],
    weights: &[i8],
    requant: &Requant<'_>,
    output: &mut [i8],
) {
    let n_in = size(p.n_in).max(1);
    let rows = output.chunks_exact_mut(size(p.n_out).max(1));
    for (x, out) in input.chunks_exact(n_in).zip(rows) {
        let mut rows = weights.chunks_exact(n_in);
        for (i, out) in out.chunks_mut(BLOCK).enumerate() {
            let mut acc = [0i32; BLOCK];
            for (acc, w) in acc.iter_mut().zip(rows.by_ref().take(out.len())) {
                *acc = dot(x, w, p.input_zero_point, p.weights_zero_point);
            }
            let mut channels = [Channel::default(); BLOCK];
            requant.channels(i * BLOCK, &mut channels);
            requant.outputs(&channels, &acc, out);
        }
    }
}

/// `sum of (x - x_zero) * (w - w_zero)`; both factors fit 16 bits.
#[inline]
fn dot(x: &[i8], w: &[i8], x_zero: i32, w_zero: i32) -> i32 {
    let (x_zero, w_zero) = (x_zero as i16, w_zero as i16);
    x.iter().zip(w).fold(0, |sum: i32, (&x, &w)| {
        let (x, w) = (i16::from(x) - x_zero, i16::from(w) - w_zero);
        sum.wrapping_add(i32::from(x) * i32::from(w))
    })
}
