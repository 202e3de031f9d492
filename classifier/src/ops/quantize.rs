//! `QUANTIZE_*` and `DEQUANTIZE_*`: the boundaries between number formats.

use crate::params::{SHIFT_MAX, SHIFT_MIN};
use crate::requant::mbqm;
use otolith_dsp_nostd::format::Element;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Floats to int8: `y = clamp(round(x / scale) + zero_point, -128, 127)`, the division in f32,
/// ties away from zero; NaN gives the zero point.
///
/// Operands: input f32 `[n]`; output i8 `[n]`. Parameters: [`FloatParams`]. Source: TFLite's
/// `AffineQuantize`.
pub const QUANTIZE_F32_I8: Op = Op {
    code: 0x0210,
    name: "QUANTIZE_F32_I8",
    check: check_float::<f32, i8>,
    run: quantize_f32_i8,
};

/// int8 to another int8 scale:
/// `y = clamp(mbqm(x - input_zero_point, multiplier, shift) + output_zero_point, -128, 127)`.
///
/// Operands: input i8 `[n]`; output i8 `[n]`. Parameters: [`Params`]. Source: TFLite's
/// `Requantize`.
pub const QUANTIZE_I8_I8: Op = Op {
    code: 0x0211,
    name: "QUANTIZE_I8_I8",
    check: check::<i8, i8>,
    run: |io| run::<i8, i8>(io, |y| y.clamp(-128, 127) as i8),
};

/// int16 to int8; the formula is that of [`QUANTIZE_I8_I8`].
///
/// Operands: input i16 `[n]`; output i8 `[n]`. Parameters: [`Params`].
pub const QUANTIZE_I16_I8: Op = Op {
    code: 0x0212,
    name: "QUANTIZE_I16_I8",
    check: check::<i16, i8>,
    run: |io| run::<i16, i8>(io, |y| y.clamp(-128, 127) as i8),
};

/// int8 to uint8; the formula is that of [`QUANTIZE_I8_I8`] with the limits 0 and 255.
///
/// Operands: input i8 `[n]`; output u8 `[n]`. Parameters: [`Params`].
pub const QUANTIZE_I8_U8: Op = Op {
    code: 0x0213,
    name: "QUANTIZE_I8_U8",
    check: check::<i8, u8>,
    run: |io| run::<i8, u8>(io, |y| y.clamp(0, 255) as u8),
};

/// int16 to another int16 scale; the formula is that of [`QUANTIZE_I8_I8`] with the limits of
/// int16.
///
/// Operands: input i16 `[n]`; output i16 `[n]`. Parameters: [`Params`].
pub const QUANTIZE_I16_I16: Op = Op {
    code: 0x029c,
    name: "QUANTIZE_I16_I16",
    check: check::<i16, i16>,
    run: |io| run::<i16, i16>(io, narrow),
};

/// int16 to int32; the formula is that of [`QUANTIZE_I8_I8`] without limits.
///
/// Operands: input i16 `[n]`; output i32 `[n]`. Parameters: [`Params`].
pub const QUANTIZE_I16_I32: Op = Op {
    code: 0x029d,
    name: "QUANTIZE_I16_I32",
    check: check::<i16, i32>,
    run: |io| run::<i16, i32>(io, |y| y),
};

/// int32 to int16; the formula is that of [`QUANTIZE_I8_I8`] with the limits of int16.
///
/// Operands: input i32 `[n]`; output i16 `[n]`. Parameters: [`Params`].
pub const QUANTIZE_I32_I16: Op = Op {
    code: 0x029e,
    name: "QUANTIZE_I32_I16",
    check: check::<i32, i16>,
    run: |io| run::<i32, i16>(io, narrow),
};

/// int8 to int16; the formula is that of [`QUANTIZE_I8_I8`] with the limits of int16.
///
/// Operands: input i8 `[n]`; output i16 `[n]`. Parameters: [`Params`].
pub const QUANTIZE_I8_I16: Op = Op {
    code: 0x029f,
    name: "QUANTIZE_I8_I16",
    check: check::<i8, i16>,
    run: |io| run::<i8, i16>(io, narrow),
};

/// int8 to int32; the formula is that of [`QUANTIZE_I8_I8`] without limits.
///
/// Operands: input i8 `[n]`; output i32 `[n]`. Parameters: [`Params`].
pub const QUANTIZE_I8_I32: Op = Op {
    code: 0x02a0,
    name: "QUANTIZE_I8_I32",
    check: check::<i8, i32>,
    run: |io| run::<i8, i32>(io, |y| y),
};

/// int32 to int8; the formula is that of [`QUANTIZE_I8_I8`].
///
/// Operands: input i32 `[n]`; output i8 `[n]`. Parameters: [`Params`].
pub const QUANTIZE_I32_I8: Op = Op {
    code: 0x02a1,
    name: "QUANTIZE_I32_I8",
    check: check::<i32, i8>,
    run: |io| run::<i32, i8>(io, |y| y.clamp(-128, 127) as i8),
};

/// int8 to floats: `y = scale * (x - zero_point)` in f32.
///
/// Operands: input i8 `[n]`; output f32 `[n]`. Parameters: [`FloatParams`]. Source: TFLite's
/// `Dequantize`.
pub const DEQUANTIZE_I8_F32: Op = Op {
    code: 0x0214,
    name: "DEQUANTIZE_I8_F32",
    check: check_float::<i8, f32>,
    run: dequantize::<i8>,
};

/// int16 to floats; the formula is that of [`DEQUANTIZE_I8_F32`].
///
/// Operands: input i16 `[n]`; output f32 `[n]`. Parameters: [`FloatParams`].
pub const DEQUANTIZE_I16_F32: Op = Op {
    code: 0x0215,
    name: "DEQUANTIZE_I16_F32",
    check: check_float::<i16, f32>,
    run: dequantize::<i16>,
};

params! {
    /// Parameters of the integer `QUANTIZE_*` operators.
    Params {
        /// Zero point of the input.
        input_zero_point in -32768, 32767;
        /// Zero point of the output.
        output_zero_point in -32768, 32767;
        /// Multiplier: scale of the input over scale of the output.
        multiplier in 0, i32::MAX;
        /// Shift of the multiplier.
        shift in SHIFT_MIN, SHIFT_MAX;
    }
}

params! {
    /// Parameters of the operators between floats and integers.
    FloatParams {
        /// Bits of the scale, an f32 that is finite and above 0.
        scale_bits in 1, 0x7f7f_ffff;
        /// Zero point of the integer side.
        zero_point in -32768, 32767;
    }
}

impl FloatParams {
    fn scale(&self) -> f32 {
        f32::from_bits(self.scale_bits as u32)
    }
}

fn check_lengths<X: Element, Y: Element>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    if step.count_of_output::<Y>(1)? != step.count_of::<X>(0)? {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

fn check<X: Element, Y: Element>(step: &Step<'_>) -> Result<(), Fault> {
    Params::checked(step)?;
    check_lengths::<X, Y>(step)
}

fn check_float<X: Element, Y: Element>(step: &Step<'_>) -> Result<(), Fault> {
    FloatParams::checked(step)?;
    check_lengths::<X, Y>(step)
}

fn run<X: Element + Into<i32>, Y: Element>(
    io: &mut Io<'_, '_>,
    clamp: impl Fn(i32) -> Y,
) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<X, Y>(0, 1)?;
    for (y, &x) in output.iter_mut().zip(input) {
        let x: i32 = x.into();
        let scaled = mbqm(x.wrapping_sub(p.input_zero_point), p.multiplier, p.shift);
        *y = clamp(scaled.wrapping_add(p.output_zero_point));
    }
    Ok(())
}

/// Clamps to an int16.
fn narrow(y: i32) -> i16 {
    y.clamp(-32768, 32767) as i16
}

fn quantize_f32_i8(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = FloatParams::decode(io.step.params()?);
    let (input, output) = io.read_write::<f32, i8>(0, 1)?;
    for (y, &x) in output.iter_mut().zip(input) {
        // A float to integer cast saturates and maps NaN to 0.
        let rounded = libm::roundf(x / p.scale()) as i32;
        *y = rounded.saturating_add(p.zero_point).clamp(-128, 127) as i8;
    }
    Ok(())
}

fn dequantize<X: Element + Into<i32>>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = FloatParams::decode(io.step.params()?);
    let (input, output) = io.read_write::<X, f32>(0, 1)?;
    for (y, &x) in output.iter_mut().zip(input) {
        let x: i32 = x.into();
        *y = p.scale() * (x - p.zero_point) as f32;
    }
    Ok(())
}
