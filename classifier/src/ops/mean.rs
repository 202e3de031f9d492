//! `MEAN_I8` and `MEAN_I16`.

use super::Activation;
use crate::odometer::{Odometer, extent};
use crate::params::{I8_MAX, I8_MIN, MAX_COUNT, SHIFT_MAX, SHIFT_MIN, expect_count, size};
use crate::requant::mbqm;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Mean over any axes.
///
/// `y = clamp(mbqm(sum(x) - n * input_zero_point, multiplier, shift) + output_zero_point)` over
/// the `n` reduced elements of each output. Lowering folds the division by `n` into the
/// multiplier the way the reference does: with `(q, s)` for `s_in / s_out` and
/// `sh = min(floor(log2 n), 32, 31 + s)`, `multiplier = (q << sh) / n`, `shift = s - sh`.
///
/// The input's axes are given as up to three kept and three reduced ones, outermost first, each
/// with a size and a stride in elements; unused ones have size 1.
///
/// Operands: input i8; output i8 `[keep0, keep1, keep2]`. Source: TFLite's
/// `reference_integer_ops::QuantizedMeanOrSum`.
pub const MEAN_I8: Op = Op {
    code: 0x0206,
    name: "MEAN_I8",
    check: check::<i8>,
    run: run::<i8>,
};

/// [`MEAN_I8`] of int16, at most 2^15 elements. Operands: input i16; output i16.
pub const MEAN_I16: Op = Op {
    code: 0x0295,
    name: "MEAN_I16",
    check: check::<i16>,
    run: run::<i16>,
};

params! {
    /// Parameters of [`MEAN_I8`] and [`MEAN_I16`].
    Params {
        /// Size of the outermost kept axis.
        keep0 in 1, MAX_COUNT;
        /// Size of the next kept axis.
        keep1 in 1, MAX_COUNT;
        /// Size of the innermost kept axis.
        keep2 in 1, MAX_COUNT;
        /// Stride of kept axis 0.
        keep0_stride in 1, MAX_COUNT;
        /// Stride of kept axis 1.
        keep1_stride in 1, MAX_COUNT;
        /// Stride of kept axis 2.
        keep2_stride in 1, MAX_COUNT;
        /// Size of the outermost reduced axis. All reduced sizes together are at most 2^23, so
        /// that no sum overflows.
        reduce0 in 1, MAX_COUNT;
        /// Size of the next reduced axis.
        reduce1 in 1, MAX_COUNT;
        /// Size of the innermost reduced axis.
        reduce2 in 1, MAX_COUNT;
        /// Stride of reduced axis 0.
        reduce0_stride in 1, MAX_COUNT;
        /// Stride of reduced axis 1.
        reduce1_stride in 1, MAX_COUNT;
        /// Stride of reduced axis 2.
        reduce2_stride in 1, MAX_COUNT;
        /// Zero point of the input.
        input_zero_point in I8_MIN, I8_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Multiplier with the division by the number of elements.
        multiplier in 0, i32::MAX;
        /// Shift of the multiplier.
        shift in SHIFT_MIN, SHIFT_MAX;
    }
}

impl Params {
    fn kept(&self) -> [i32; 3] {
        [self.keep0, self.keep1, self.keep2]
    }

    fn kept_strides(&self) -> [i32; 3] {
        [self.keep0_stride, self.keep1_stride, self.keep2_stride]
    }

    fn reduced(&self) -> [i32; 3] {
        [self.reduce0, self.reduce1, self.reduce2]
    }

    fn reduced_strides(&self) -> [i32; 3] {
        [
            self.reduce0_stride,
            self.reduce1_stride,
            self.reduce2_stride,
        ]
    }
}

fn check<T: Activation>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let p = Params::checked(step)?;
    let too_many = p
        .reduced()
        .iter()
        .try_fold(1i64, |n, &d| n.checked_mul(i64::from(d)))
        .is_none_or(|n| n > T::MOST);
    if too_many {
        return Err(Fault::BadParam { param: 6 });
    }
    let input = step.count_of::<T>(0)?;
    let [k0, k1, k2] = p.kept();
    let [r0, r1, r2] = p.reduced();
    expect_count(input, &[k0, k1, k2, r0, r1, r2], 0)?;
    let [ks0, ks1, ks2] = p.kept_strides();
    let [rs0, rs1, rs2] = p.reduced_strides();
    if extent(&[k0, k1, k2, r0, r1, r2], &[ks0, ks1, ks2, rs0, rs1, rs2]) != Some(input) {
        return Err(Fault::BadParam { param: 3 });
    }
    expect_count(step.count_of_output::<T>(1)?, &[k0, k1, k2], 1)?;
    step.expect_disjoint(0, 1)
}

fn run<T: Activation>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<T, T>(0, 1)?;
    let [n0, n1, n2] = p.reduced().map(size);
    let [s0, s1, s2] = p.reduced_strides().map(size);
    let offset = p.reduced().iter().product::<i32>() * p.input_zero_point;
    let mut at = Odometer::new(p.kept().map(size), p.kept_strides().map(size));
    for out in output {
        let mut lines = Odometer::new([n0, n1], [s0, s1]);
        let mut sum = 0i32;
        for _ in 0..n0 * n1 {
            let line = input
                .get(at.offset() + lines.offset()..)
                .unwrap_or_default();
            let elements = line.iter().step_by(s2.max(1)).take(n2);
            sum = elements.fold(sum, |sum, &x| sum.wrapping_add(x.into()));
            lines.advance();
        }
        let mean = mbqm(sum.wrapping_sub(offset), p.multiplier, p.shift);
        let y = mean.wrapping_add(p.output_zero_point);
        *out = T::narrow(y.max(T::MIN).min(T::MAX));
        at.advance();
    }
    Ok(())
}
