//! `FULLY_CONNECTED_SPLIT_I8`.

use super::{MISFIT, channels, check_channels, clamp, sign};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, size};
use otolith_dsp_arch::int8::{self, Window};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Fully connected layer with many inputs on packed weights, in parts of `part` inputs: the numbers of
/// `FULLY_CONNECTED_I8`.
///
/// Sums of parts are added in 32 bits, so that each part alone must keep the bound of packed weights, and
/// the scratch is that of one part. Inputs are widened once for each four outputs.
///
/// Operands: input i8 `[n_in]`, `n_in` a multiple of four; weights u32, two words for each pair of inputs and
/// each four outputs; channels i32, four for each output, which are filled up to a multiple of four;
/// activations u32 `[part / 2]`, scratch; output i8 `[n_out]`.
///
/// Source: as for `FULLY_CONNECTED_I8`.
pub const FULLY_CONNECTED_SPLIT_I8: Op = Op {
    code: 0x0234,
    name: "FULLY_CONNECTED_SPLIT_I8",
    check,
    run,
};

params! {
    /// Parameters of [`FULLY_CONNECTED_SPLIT_I8`].
    Params {
        /// Inputs, a multiple of four.
        n_in in 8, MAX_DIM;
        /// Outputs.
        n_out in 1, MAX_DIM;
        /// Inputs of a part, a multiple of four. What is left for the last part is at least 8.
        part in 8, MAX_DIM;
        /// 1 when every negative sum becomes -128.
        saturates in 0, 1;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(5)?;
    let p = Params::checked(step)?;
    let last = p.n_in.checked_rem(p.part).unwrap_or(0);
    if p.n_in % 4 != 0 || p.part % 4 != 0 || (1..8).contains(&last) {
        return Err(Fault::BadParam { param: 2 });
    }
    expect_count(step.count_of::<i8>(0)?, &[p.n_in], 0)?;
    let slots = size(p.n_out).next_multiple_of(4);
    let words = [slots as i32 / 2, p.n_in / 2];
    expect_count(step.table::<u32>(1)?.len(), &words, 1)?;
    check_channels(step, 2, slots)?;
    expect_count(step.count_of_output::<u32>(3)?, &[p.part / 2], 3)?;
    expect_count(step.count_of_output::<i8>(4)?, &[p.n_out], 4)?;
    step.expect_disjoint(0, 3)?;
    step.expect_disjoint(0, 4)?;
    step.expect_disjoint(3, 4)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let weights = io.step.table::<u32>(1)?;
    let channels = channels(&io.step, 2)?.as_chunks::<4>().0;
    let (input, acts, output) = io.read_write2::<i8, u32, i8>(0, 3, 4)?;
    let (mut weights, mut to) = (weights, &mut *output);
    for channels in channels {
        let (mine, later) = weights.split_at_checked(size(p.n_in)).ok_or(MISFIT)?;
        weights = later;
        let sums = sums(&p, input, mine, acts).ok_or(MISFIT)?;
        let four = int8::requantise(sums, channels, sign(p.saturates));
        let (now, rest) = to.split_at_mut_checked(to.len().min(4)).ok_or(MISFIT)?;
        for (to, y) in now.iter_mut().zip(four) {
            *to = y;
        }
        to = rest;
    }
    clamp(output, p.min, p.max);
    Ok(())
}

/// The sums of four outputs over all parts.
fn sums(p: &Params, input: &[i8], weights: &[u32], acts: &mut [u32]) -> Option<[i32; 4]> {
    let mut sums = [0; 4];
    let (mut input, mut weights) = (input, weights);
    while !input.is_empty() {
        let (now, later) = input.split_at_checked(input.len().min(size(p.part)))?;
        let acts = acts.get_mut(..now.len() / 2)?;
        let window = Window {
            bytes: now,
            stride: now.len(),
        };
        int8::gather1(window, 1, now.len() / 4, acts)?;
        let (mine, rest) = weights.split_at_checked(now.len())?;
        int8::gemv_sums(mine, acts, &mut sums)?;
        (input, weights) = (later, rest);
    }
    Some(sums)
}
