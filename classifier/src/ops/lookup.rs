//! `LOOKUP_I8`.

use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Any function of one int8, as a table: `y = table[x]`.
///
/// Entry `x mod 256` of the table belongs to the value x: first 0 to 127, then -128 to -1. Host
/// code computes it by the arithmetic of the function's reference kernel.
///
/// Operands: input i8 `[n]`; table i8 `[256]`; output i8 `[n]`, which may lie exactly over the
/// input. No parameters.
pub const LOOKUP_I8: Op = Op {
    code: 0x0250,
    name: "LOOKUP_I8",
    check,
    run,
};

fn table<'p>(step: &Step<'p>) -> Result<&'p [i8; 256], Fault> {
    let table = step.table::<i8>(1)?;
    table
        .try_into()
        .map_err(|_| Fault::WrongLength { operand: 1 })
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let [] = step.params::<0>()?;
    table(step)?;
    if step.count_of_output::<i8>(2)? != step.count_of::<i8>(0)? {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_in_place_or_disjoint(0, 2)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let table = table(&io.step)?;
    let of = |x: i8| table.get(usize::from(x as u8)).copied().unwrap_or(0);
    if io.step.starts_together(0, 2)? {
        for y in io.write::<i8>(2)? {
            *y = of(*y);
        }
    } else {
        let (input, output) = io.read_write::<i8, i8>(0, 2)?;
        for (y, &x) in output.iter_mut().zip(input) {
            *y = of(x);
        }
    }
    Ok(())
}
