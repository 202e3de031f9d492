//! `COPY_I8`.

use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// The same bytes in another place, for graphs whose output is one of their inputs.
///
/// Operands: input i8; output i8 of the same length. No parameters.
pub const COPY_I8: Op = Op {
    code: 0x0208,
    name: "COPY_I8",
    check,
    run,
};

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let [] = step.params::<0>()?;
    if step.count_of_output::<i8>(1)? != step.count_of::<i8>(0)? {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let (input, output) = io.read_write::<i8, i8>(0, 1)?;
    for (y, &x) in output.iter_mut().zip(input) {
        *y = x;
    }
    Ok(())
}
