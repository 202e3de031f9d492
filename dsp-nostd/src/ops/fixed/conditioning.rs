//! Filters and decimations of the running samples, in integers.

use super::filter::{SECTION, is_safe, run_section};
use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::conditioning::{Params, expect_apart, memory_of};

/// Filters and decimates what is new in the source window, axis by axis, and appends it to a
/// window of 32-bit values, as [`CONDITION_F32`](crate::ops::conditioning::CONDITION_F32) does.
///
/// Operands: source window (`i16`), coefficients (`i32[5 * sections]` table in Q30, as those of
/// [`BIQUAD_I32`](super::filter::BIQUAD_I32)), memory (`i32[5 * sections * axes + 1]`, in place, 0
/// at first), window (`i32`, in place). Parameters: shift, from 0 to 13: a sample enters as
/// `x 2^shift`, which is its format in Q(15 + shift); then those of [`Params`]. Sections and their
/// limits are those of [`BIQUAD_I32`](super::filter::BIQUAD_I32). Belongs in the window section.
pub const CONDITION_I16_I32: Op = Op {
    code: 0x0345,
    name: "CONDITION_I16_I32",
    check,
    run: |io| {
        let step = io.step;
        let shift = shift(&step)?;
        let params = Params::decode(step.all_params(), 1)?;
        let (coefficients, _) = step.table::<i32>(1)?.as_chunks::<SECTION>();
        let (source, memory, window) = io.read_write2::<i16, i32, i32>(0, 2, 3)?;
        let Some((seen, memory)) = memory.split_first_mut() else {
            return Err(Fault::WrongLength { operand: 2 });
        };
        let first = *seen == 0;
        *seen = 1;
        let (memory, _) = memory.as_chunks_mut::<SECTION>();
        let sections = params.sections();
        let read = |x: i16| i32::from(x) << shift;
        params.append(source, window, first, read, |axis, range, x| {
            let memory = memory_of(memory, axis, sections, range.clone());
            let coefficients = coefficients.get(range).unwrap_or_default();
            for (coefficients, memory) in coefficients.iter().zip(memory) {
                run_section(core::slice::from_mut(x), coefficients, memory);
            }
        });
        Ok(())
    },
};

/// The first parameter.
fn shift(step: &Step<'_>) -> Result<u32, Fault> {
    match step.all_params() {
        &[shift @ 0..=13, ..] => Ok(shift),
        _ => Err(Fault::BadParam { param: 0 }),
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    shift(step)?;
    let table = step.table::<i32>(1)?;
    let lengths = [
        step.count_of::<i16>(0)?,
        table.len(),
        step.count_of_output::<i32>(2)?,
        step.count_of_output::<i32>(3)?,
    ];
    Params::decode(step.all_params(), 1)?.check(lengths, SECTION)?;
    let (sections, _) = table.as_chunks::<SECTION>();
    if !sections.iter().all(is_safe) {
        return Err(Fault::BadTable { operand: 1 });
    }
    expect_apart(step)
}

#[cfg(test)]
mod tests;
