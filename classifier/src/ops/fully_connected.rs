//! `FULLY_CONNECTED_I8`.

use super::{check_requant, requant};
use crate::params::{I8_MAX, I8_MIN, MAX_COUNT, expect_count, size};
use crate::requant::{Channel, Requant};
use crate::window::pairs;
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

/// Outputs whose accumulators are kept at once, and the inputs that are widened for them.
const BLOCK: usize = 8;
const TAPS: usize = 64;

/// The kernel: with `x' = x - input_zero_point`, the sum of `x' * (w - weights_zero_point)` is the
/// sum of `x' * w` less `weights_zero_point` times the sum of `x'`.
fn fully_connected(
    p: &Params,
    input: &[i8],
    weights: &[i8],
    requant: &Requant<'_>,
    output: &mut [i8],
) {
    let n_in = size(p.n_in).max(1);
    let rows = output.chunks_exact_mut(size(p.n_out).max(1));
    for (x, out) in pairs(input.chunks_exact(n_in), rows) {
        let total = x.iter().fold(0i32, |sum, &x| {
            sum.wrapping_add(i32::from(x) - p.input_zero_point)
        });
        let offset = total.wrapping_mul(p.weights_zero_point);
        let blocks = pairs(out.chunks_mut(BLOCK), weights.chunks((BLOCK * n_in).max(1)));
        for (i, (out, weights)) in blocks.enumerate() {
            let mut acc = [0i32.wrapping_sub(offset); BLOCK];
            for (start, x) in pairs((0..n_in).step_by(TAPS), x.chunks(TAPS)) {
                let mut wide = [0i16; TAPS];
                for (wide, &x) in wide.iter_mut().zip(x) {
                    *wide = i16::from(x) - p.input_zero_point as i16;
                }
                for (acc, w) in pairs(&mut acc, weights.chunks_exact(n_in)) {
                    let w = w.get(start..).unwrap_or_default();
                    *acc = acc.wrapping_add(dot(&wide, w));
                }
            }
            let mut channels = [Channel::default(); BLOCK];
            requant.channels(i * BLOCK, &mut channels);
            requant.outputs(&channels, &acc, out);
        }
    }
}

/// `sum of x * w` over as many taps as both have; the rest of `x` is 0.
#[inline(always)]
fn dot(x: &[i16; TAPS], w: &[i8]) -> i32 {
    let sum = |x: &[i16], w: &[i8]| {
        x.iter().zip(w).fold(0, |sum: i32, (&x, &w)| {
            sum.wrapping_add(i32::from(x) * i32::from(w))
        })
    };
    // A constant length lets the compiler unroll the loop.
    match w.first_chunk::<TAPS>() {
        Some(w) => sum(x, w),
        None => sum(x, w),
    }
}
