//! `ADD_I16`, `SUB_I16` and `MUL_I16`.

use crate::odometer::{Odometer, extent};
use crate::params::{MAX_COUNT, MAX_DIM, SHIFT_MAX, SHIFT_MIN, expect_count, size};
use crate::requant::mbqm;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Sum of two int16 tensors with broadcasting.
///
/// `y = clamp(mbqm(mbqm(a << 15, a_mul) + mbqm(b << 15, b_mul), out_mul))`.
///
/// The output has the dimensions `d0..d4` in C order; element `(i0..i4)` takes
/// `a[sum(i * a_stride)]` and `b[sum(i * b_stride)]`; a stride of 0 broadcasts.
///
/// Operands: a i16; b i16; output i16 `[d0, d1, d2, d3, d4]`. Source: TFLite's
/// `reference_ops::Add` for int16.
pub const ADD_I16: Op = Op {
    code: 0x0292,
    name: "ADD_I16",
    check,
    run: |io| {
        let p = Params::decode(io.step.params()?);
        run(io, |a, b| p.output(p.a(a).wrapping_add(p.b(b))))
    },
};

/// Difference of two int16 tensors: [`ADD_I16`] with the second term taken off.
///
/// Operands: as [`ADD_I16`]. Source: TFLite's `reference_ops::Sub` for int16.
pub const SUB_I16: Op = Op {
    code: 0x0293,
    name: "SUB_I16",
    check,
    run: |io| {
        let p = Params::decode(io.step.params()?);
        run(io, |a, b| p.output(p.a(a).wrapping_sub(p.b(b))))
    },
};

/// Product of two int16 tensors with broadcasting: `y = clamp(mbqm(a * b, out_mul))`. The
/// multipliers of a and b are not used.
///
/// Operands: as [`ADD_I16`]. Source: TFLite's `reference_integer_ops::Mul` for int16.
pub const MUL_I16: Op = Op {
    code: 0x0294,
    name: "MUL_I16",
    check,
    run: |io| {
        let p = Params::decode(io.step.params()?);
        run(io, |a, b| p.output(i32::from(a) * i32::from(b)))
    },
};

/// Bits that both inputs of a sum are shifted left before they are scaled.
pub const LEFT_SHIFT: u32 = 15;

params! {
    /// Parameters of [`ADD_I16`], [`SUB_I16`] and [`MUL_I16`].
    Params {
        /// Outermost dimension of the output.
        d0 in 1, MAX_DIM;
        /// Dimension 1.
        d1 in 1, MAX_DIM;
        /// Dimension 2.
        d2 in 1, MAX_DIM;
        /// Dimension 3.
        d3 in 1, MAX_DIM;
        /// Innermost dimension.
        d4 in 1, MAX_COUNT;
        /// Stride of a along dimension 0.
        a0 in 0, MAX_COUNT;
        /// Along dimension 1.
        a1 in 0, MAX_COUNT;
        /// Along dimension 2.
        a2 in 0, MAX_COUNT;
        /// Along dimension 3.
        a3 in 0, MAX_COUNT;
        /// Along dimension 4: 1, or 0 to broadcast.
        a4 in 0, 1;
        /// Stride of b along dimension 0.
        b0 in 0, MAX_COUNT;
        /// Along dimension 1.
        b1 in 0, MAX_COUNT;
        /// Along dimension 2.
        b2 in 0, MAX_COUNT;
        /// Along dimension 3.
        b3 in 0, MAX_COUNT;
        /// Along dimension 4: 1, or 0 to broadcast.
        b4 in 0, 1;
        /// Multiplier of a.
        a_multiplier in 0, i32::MAX;
        /// Shift of a.
        a_shift in SHIFT_MIN, 0;
        /// Multiplier of b.
        b_multiplier in 0, i32::MAX;
        /// Shift of b.
        b_shift in SHIFT_MIN, 0;
        /// Multiplier of the result.
        output_multiplier in 0, i32::MAX;
        /// Shift of the result.
        output_shift in SHIFT_MIN, SHIFT_MAX;
        /// Smallest output.
        min in -32768, 32767;
        /// Largest output.
        max in -32768, 32767;
    }
}

impl Params {
    fn dims(&self) -> [i32; 5] {
        [self.d0, self.d1, self.d2, self.d3, self.d4]
    }

    fn a_strides(&self) -> [i32; 5] {
        [self.a0, self.a1, self.a2, self.a3, self.a4]
    }

    fn b_strides(&self) -> [i32; 5] {
        [self.b0, self.b1, self.b2, self.b3, self.b4]
    }

    fn a(&self, a: i16) -> i32 {
        mbqm(i32::from(a) << LEFT_SHIFT, self.a_multiplier, self.a_shift)
    }

    fn b(&self, b: i16) -> i32 {
        mbqm(i32::from(b) << LEFT_SHIFT, self.b_multiplier, self.b_shift)
    }

    fn output(&self, raw: i32) -> i16 {
        let y = mbqm(raw, self.output_multiplier, self.output_shift);
        y.max(self.min).min(self.max) as i16
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let p = Params::checked(step)?;
    let dims = p.dims();
    for (operand, strides) in [p.a_strides(), p.b_strides()].iter().enumerate() {
        if extent(&dims, strides) != Some(step.count_of::<i16>(operand)?) {
            return Err(Fault::WrongLength {
                operand: operand as u8,
            });
        }
    }
    expect_count(step.count_of_output::<i16>(2)?, &dims, 2)?;
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(1, 2)
}

fn run(io: &mut Io<'_, '_>, combine: impl Fn(i16, i16) -> i16) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (a, b, output) = io.read2_write::<i16, i16, i16>(0, 1, 2)?;
    let mut a_at = Odometer::new(p.dims().map(size), p.a_strides().map(size));
    let mut b_at = Odometer::new(p.dims().map(size), p.b_strides().map(size));
    for y in output {
        let a = a.get(a_at.offset()).copied().unwrap_or(0);
        let b = b.get(b_at.offset()).copied().unwrap_or(0);
        *y = combine(a, b);
        a_at.advance();
        b_at.advance();
    }
    Ok(())
}
