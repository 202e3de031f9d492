//! Features in the types that plans use.

use crate::error::Fault;
use crate::op::{Io, Op, Step};

/// The model input of micro_speech and microWakeWord: `floor((256 x + 333) / 666) - 128`, from
/// -128 to 127.
///
/// Operands: x (`u32[n]`), y (`i8[n]`, written). No parameters. x above 65535 counts as 65535.
/// 666 is `25.6 * 26`, rounded: training divided features by 25.6, and the models' input took
/// values from 0 to 26.
pub const MICRO_OUTPUT_I8: Op = Op {
    code: 0x03d6,
    name: "MICRO_OUTPUT_I8",
    check: check::<i8>,
    run: |io| each(io, code),
};

/// The integers, at most 32767.
///
/// Operands: x (`u32[n]`), y (`i16[n]`, written). Parameters: codes (0 or 1). With codes, the values
/// of [`MICRO_OUTPUT_I8`].
pub const MICRO_OUTPUT_I16: Op = Op {
    code: 0x03d7,
    name: "MICRO_OUTPUT_I16",
    check: |step| {
        check_operands::<i16>(step)?;
        let &[codes] = step.params()?;
        check_codes(codes, 0)
    },
    run: |io| {
        let &[codes] = io.step.params()?;
        if codes != 0 {
            each(io, |x| i16::from(code(x)))
        } else {
            let most = i16::MAX as u32;
            each(io, |x| (if x > most { most } else { x }) as i16)
        }
    },
};

/// The integers, at most 65535.
///
/// Operands: x (`u32[n]`), y (`i32[n]`, written). No parameters.
pub const MICRO_OUTPUT_I32: Op = Op {
    code: 0x03d8,
    name: "MICRO_OUTPUT_I32",
    check: check::<i32>,
    run: |io| each(io, |x| i32::from(limited(x))),
};

/// The integers as floats, for plans with `f32` features.
///
/// Operands: x (`u32[n]`), y (`f32[n]`, written). Parameters: scale (f32 bits), codes (0 or 1).
/// `y = scale min(x, 65535)`, rounded once; with codes, the values of [`MICRO_OUTPUT_I8`] times
/// scale.
pub const MICRO_OUTPUT_F32: Op = Op {
    code: 0x03d9,
    name: "MICRO_OUTPUT_F32",
    check: |step| {
        check_operands::<f32>(step)?;
        let &[scale, codes] = step.params()?;
        crate::ops::finite(scale, 0)?;
        check_codes(codes, 1)
    },
    run: |io| {
        let &[scale, codes] = io.step.params()?;
        let scale = f32::from_bits(scale);
        if codes != 0 {
            each(io, |x| f32::from(code(x)) * scale)
        } else {
            each(io, |x| f32::from(limited(x)) * scale)
        }
    },
};

/// The model input for the feature `x`; see [`MICRO_OUTPUT_I8`].
pub fn code(x: u32) -> i8 {
    let code = (256 * u32::from(limited(x)) + 333) / 666;
    (if code > 255 { 127 } else { code as i32 - 128 }) as i8
}

/// The feature `x` in the 16 bits that the library gives it.
pub fn limited(x: u32) -> u16 {
    let most = u32::from(u16::MAX);
    (if x > most { most } else { x }) as u16
}

fn each<T: crate::format::Element>(
    io: &mut Io<'_, '_>,
    of: impl Fn(u32) -> T,
) -> Result<(), Fault> {
    let (x, y) = io.read_write::<u32, T>(0, 1)?;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = of(x);
    }
    Ok(())
}

fn check<T: crate::format::Element>(step: &Step<'_>) -> Result<(), Fault> {
    check_operands::<T>(step)?;
    step.params::<0>().map(|_| ())
}

fn check_operands<T: crate::format::Element>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    if step.count_of_output::<T>(1)? != step.count_of::<u32>(0)? {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

fn check_codes(codes: u32, param: u8) -> Result<(), Fault> {
    if codes > 1 {
        return Err(Fault::BadParam { param });
    }
    Ok(())
}
