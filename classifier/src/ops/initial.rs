//! `INITIAL_VALUE`.

use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Gives a state its value of the start, once after each reset.
///
/// A reset zeroes all state. A state that starts otherwise, such as int8 variables whose zero
/// point is not 0, has a flag beside it: while that is 0, the step copies the value and sets it.
///
/// Operands: value i8 `[n]` or `[1]`, which is repeated; state i8 `[n]`; flag i32 `[1]`, a state.
/// No parameters.
pub const INITIAL_VALUE: Op = Op {
    code: 0x02a6,
    name: "INITIAL_VALUE",
    check,
    run,
};

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let [] = step.params::<0>()?;
    let value = step.table::<i8>(0)?.len();
    if value != 1 && value != step.count_of_output::<i8>(1)? {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if step.count_of_output::<i32>(2)? != 1 {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(1, 2)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let value = io.step.table::<i8>(0)?;
    let (state, flag) = io.write2::<i8, i32>(1, 2)?;
    if flag.first() != Some(&0) {
        return Ok(());
    }
    flag.fill(1);
    match value {
        &[one] => state.fill(one),
        many => {
            for (state, &value) in state.iter_mut().zip(many) {
                *state = value;
            }
        }
    }
    Ok(())
}
