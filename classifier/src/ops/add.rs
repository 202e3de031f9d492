//! `ADD_I8`.

use crate::odometer::{Odometer, extent};
use crate::params::{I8_MAX, I8_MIN, MAX_COUNT, MAX_DIM, SHIFT_MAX, SHIFT_MIN, expect_count, size};
use crate::requant::mbqm;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Sum of two tensors with broadcasting.
///
/// With `r(x, z, m) = mbqm((x - z) << 20, m)`:
/// `y = clamp(mbqm(r(a, a_zero, a_mul) + r(b, b_zero, b_mul), out_mul) + out_zero)`.
///
/// The output has the dimensions `d0..d4` in C order; element `(i0..i4)` takes
/// `a[sum(i * a_stride)]` and `b[sum(i * b_stride)]`; a stride of 0 broadcasts.
///
/// Operands: a i8; b i8; output i8 `[d0, d1, d2, d3, d4]`. Source: TFLite's
/// `reference_integer_ops::Add` and `BroadcastAdd4DSlow`.
pub const ADD_I8: Op = Op {
    code: 0x0205,
    name: "ADD_I8",
    check,
    run,
};

/// Bits that both inputs are shifted left before they are scaled.
pub const LEFT_SHIFT: u32 = 20;

params! {
    /// Parameters of [`ADD_I8`].
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
        /// Zero point of a.
        a_zero_point in I8_MIN, I8_MAX;
        /// Multiplier of a.
        a_multiplier in 0, i32::MAX;
        /// Shift of a.
        a_shift in SHIFT_MIN, 0;
        /// Zero point of b.
        b_zero_point in I8_MIN, I8_MAX;
        /// Multiplier of b.
        b_multiplier in 0, i32::MAX;
        /// Shift of b.
        b_shift in SHIFT_MIN, 0;
        /// Multiplier of the sum.
        output_multiplier in 0, i32::MAX;
        /// Shift of the sum.
        output_shift in SHIFT_MIN, SHIFT_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
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

    #[inline(always)]
    fn sum(&self, a: i8, b: i8) -> i8 {
        let a = (i32::from(a) - self.a_zero_point) << LEFT_SHIFT;
        let b = (i32::from(b) - self.b_zero_point) << LEFT_SHIFT;
        let a = mbqm(a, self.a_multiplier, self.a_shift);
        let b = mbqm(b, self.b_multiplier, self.b_shift);
        let sum = mbqm(a.wrapping_add(b), self.output_multiplier, self.output_shift);
        let y = sum.wrapping_add(self.output_zero_point);
        y.max(self.min).min(self.max) as i8
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let p = Params::checked(step)?;
    let dims = p.dims();
    for (operand, strides) in [p.a_strides(), p.b_strides()].iter().enumerate() {
        if extent(&dims, strides) != Some(step.count_of::<i8>(operand)?) {
            return Err(Fault::WrongLength {
                operand: operand as u8,
            });
        }
    }
    expect_count(step.count_of_output::<i8>(2)?, &dims, 2)?;
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(1, 2)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (a, b, output) = io.read2_write::<i8, i8, i8>(0, 1, 2)?;
    let outer = |[d0, d1, d2, d3, _]: [i32; 5]| [d0, d1, d2, d3].map(size);
    let dims = outer(p.dims());
    let mut a_at = Odometer::new(dims, outer(p.a_strides()));
    let mut b_at = Odometer::new(dims, outer(p.b_strides()));
    for out in output.chunks_exact_mut(size(p.d4).max(1)) {
        let a = a.get(a_at.offset()..).unwrap_or_default();
        let b = b.get(b_at.offset()..).unwrap_or_default();
        let (a0, b0) = (
            a.first().copied().unwrap_or(0),
            b.first().copied().unwrap_or(0),
        );
        match (p.a4, p.b4) {
            (0, 0) => out.fill(p.sum(a0, b0)),
            (0, _) => out.iter_mut().zip(b).for_each(|(y, &b)| *y = p.sum(a0, b)),
            (_, 0) => out.iter_mut().zip(a).for_each(|(y, &a)| *y = p.sum(a, b0)),
            _ => {
                for ((y, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    *y = p.sum(a, b);
                }
            }
        }
        a_at.advance();
        b_at.advance();
    }
    Ok(())
}
