//! Arithmetic on plain int32, without scales.

use crate::broadcast;
use otolith_dsp_nostd::format::{Elem, Element};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Sum of two int32 tensors with broadcasting, modulo 2^32: `y = a + b`.
///
/// Operands: a i32; b i32; output i32, which may lie exactly over an input of its shape.
/// Parameters: [`Geometry`](crate::broadcast::Geometry).
pub const ADD_I32: Op = Op {
    code: 0x02e8,
    name: "ADD_I32",
    check,
    run: |io| broadcast::run(io, i32::wrapping_add),
};

/// Difference: `y = a - b` modulo 2^32. Operands and parameters: as [`ADD_I32`].
pub const SUB_I32: Op = Op {
    code: 0x02e9,
    name: "SUB_I32",
    check,
    run: |io| broadcast::run(io, i32::wrapping_sub),
};

/// Product: `y = a b` modulo 2^32. Operands and parameters: as [`ADD_I32`].
pub const MUL_I32: Op = Op {
    code: 0x02ea,
    name: "MUL_I32",
    check,
    run: |io| broadcast::run(io, i32::wrapping_mul),
};

/// Quotient, rounded towards zero: `y = a / b`, modulo 2^32. A quotient by 0, which the reference
/// leaves open, is 0. Operands and parameters: as [`ADD_I32`].
pub const DIV_I32: Op = Op {
    code: 0x02eb,
    name: "DIV_I32",
    check,
    run: |io| broadcast::run(io, quotient),
};

/// The larger of two elements: `y = max(a, b)`. Operands and parameters: as [`ADD_I32`].
pub const MAXIMUM_I32: Op = Op {
    code: 0x02ec,
    name: "MAXIMUM_I32",
    check,
    run: |io| broadcast::run(io, |a: i32, b| a.max(b)),
};

/// The smaller of two elements: `y = min(a, b)`. Operands and parameters: as [`ADD_I32`].
pub const MINIMUM_I32: Op = Op {
    code: 0x02ed,
    name: "MINIMUM_I32",
    check,
    run: |io| broadcast::run(io, |a: i32, b| a.min(b)),
};

/// The same numbers in another type: sign extended, or their low bits.
///
/// Operands: x `[n]` and y `[n]`, each i8, i16 or i32. No parameters.
pub const CAST: Op = Op {
    code: 0x02f0,
    name: "CAST",
    check: check_cast,
    run: run_cast,
};

fn quotient(a: i32, b: i32) -> i32 {
    // The one quotient that does not fit is its own low bits.
    let unfit = if b == 0 { 0 } else { a };
    a.checked_div(b).unwrap_or(unfit)
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    match broadcast::check::<i32>(step)? {
        [] => Ok(()),
        _ => Err(Fault::BadParam { param: 15 }),
    }
}

/// A type that numbers are cast from and to.
trait Number: Element {
    fn widen(self) -> i32;
    fn low_bits(x: i32) -> Self;
}

macro_rules! number {
    ($($t:ty),*) => { $(
        impl Number for $t {
            #[inline(always)]
            fn widen(self) -> i32 {
                self.into()
            }
            #[inline(always)]
            fn low_bits(x: i32) -> Self {
                x as $t
            }
        }
    )* };
}
number!(i8, i16, i32);

fn check_cast(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.params::<0>()?;
    let count = |i: usize, output: bool| match (step.tensor(i)?.elem, output) {
        (Elem::I8, false) => step.count_of::<i8>(i),
        (Elem::I16, false) => step.count_of::<i16>(i),
        (_, false) => step.count_of::<i32>(i),
        (Elem::I8, true) => step.count_of_output::<i8>(i),
        (Elem::I16, true) => step.count_of_output::<i16>(i),
        (_, true) => step.count_of_output::<i32>(i),
    };
    if count(0, false)? != count(1, true)? {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

fn run_cast(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    match (io.step.tensor(0)?.elem, io.step.tensor(1)?.elem) {
        (Elem::I8, Elem::I8) => cast::<i8, i8>(io),
        (Elem::I8, Elem::I16) => cast::<i8, i16>(io),
        (Elem::I8, _) => cast::<i8, i32>(io),
        (Elem::I16, Elem::I8) => cast::<i16, i8>(io),
        (Elem::I16, Elem::I16) => cast::<i16, i16>(io),
        (Elem::I16, _) => cast::<i16, i32>(io),
        (_, Elem::I8) => cast::<i32, i8>(io),
        (_, Elem::I16) => cast::<i32, i16>(io),
        _ => cast::<i32, i32>(io),
    }
}

fn cast<X: Number, Y: Number>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let (x, y) = io.read_write::<X, Y>(0, 1)?;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = Y::low_bits(x.widen());
    }
    Ok(())
}
