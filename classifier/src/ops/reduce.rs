//! `REDUCE_MAX_I8`, `REDUCE_MIN_I8`, `ARG_MAX_I8` and `ARG_MIN_I8`.

use crate::odometer::{Odometer, extent};
use crate::params::{MAX_COUNT, expect_count, size};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Largest element over some axes. Input and output share scale and zero point.
///
/// The input's axes are given as for [`MEAN_I8`](super::mean::MEAN_I8).
///
/// Operands: input i8; output i8 `[keep0, keep1, keep2]`. Parameters: [`Params`]. Source:
/// TFLite Micro's `EvalMaxHelper`.
pub const REDUCE_MAX_I8: Op = Op {
    code: 0x0258,
    name: "REDUCE_MAX_I8",
    check,
    run: |io| run(io, i8::MIN, i8::max),
};

/// Smallest element over some axes.
///
/// Operands and parameters: as [`REDUCE_MAX_I8`].
pub const REDUCE_MIN_I8: Op = Op {
    code: 0x0259,
    name: "REDUCE_MIN_I8",
    check,
    run: |io| run(io, i8::MAX, i8::min),
};

/// Index of the largest element along an axis; of equal ones, the first.
///
/// Operands: input i8 `[outer, n, inner]`; output i32 `[outer, inner]`. Parameters:
/// [`ArgParams`]. Source: TFLite's `reference_ops::ArgMinMax`.
pub const ARG_MAX_I8: Op = Op {
    code: 0x025a,
    name: "ARG_MAX_I8",
    check: check_arg,
    run: |io| run_arg(io, |x, best| x > best),
};

/// Index of the smallest element along an axis; of equal ones, the first.
///
/// Operands and parameters: as [`ARG_MAX_I8`].
pub const ARG_MIN_I8: Op = Op {
    code: 0x025b,
    name: "ARG_MIN_I8",
    check: check_arg,
    run: |io| run_arg(io, |x, best| x < best),
};

params! {
    /// Parameters of [`REDUCE_MAX_I8`] and [`REDUCE_MIN_I8`].
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
        /// Size of the outermost reduced axis.
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
    }
}

params! {
    /// Parameters of [`ARG_MAX_I8`] and [`ARG_MIN_I8`].
    ArgParams {
        /// Product of the dimensions before the axis.
        outer in 1, MAX_COUNT;
        /// Size of the axis.
        n in 1, MAX_COUNT;
        /// Product of the dimensions behind the axis.
        inner in 1, MAX_COUNT;
    }
}

impl Params {
    fn kept(&self) -> ([i32; 3], [i32; 3]) {
        (
            [self.keep0, self.keep1, self.keep2],
            [self.keep0_stride, self.keep1_stride, self.keep2_stride],
        )
    }

    fn reduced(&self) -> ([i32; 3], [i32; 3]) {
        let strides = [
            self.reduce0_stride,
            self.reduce1_stride,
            self.reduce2_stride,
        ];
        ([self.reduce0, self.reduce1, self.reduce2], strides)
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let p = Params::checked(step)?;
    let (kept, kept_strides) = p.kept();
    let (reduced, reduced_strides) = p.reduced();
    let input = step.count_of::<i8>(0)?;
    let ([k0, k1, k2], [r0, r1, r2]) = (kept, reduced);
    expect_count(input, &[k0, k1, k2, r0, r1, r2], 0)?;
    let ([ks0, ks1, ks2], [rs0, rs1, rs2]) = (kept_strides, reduced_strides);
    if extent(&[k0, k1, k2, r0, r1, r2], &[ks0, ks1, ks2, rs0, rs1, rs2]) != Some(input) {
        return Err(Fault::BadParam { param: 3 });
    }
    expect_count(step.count_of_output::<i8>(1)?, &kept, 1)?;
    step.expect_disjoint(0, 1)
}

fn run(io: &mut Io<'_, '_>, start: i8, fold: impl Fn(i8, i8) -> i8) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<i8, i8>(0, 1)?;
    let (kept, kept_strides) = p.kept();
    let ([n0, n1, n2], [s0, s1, s2]) = (p.reduced().0.map(size), p.reduced().1.map(size));
    let mut at = Odometer::new(kept.map(size), kept_strides.map(size));
    for out in output {
        let mut lines = Odometer::new([n0, n1], [s0, s1]);
        let mut best = start;
        for _ in 0..n0.wrapping_mul(n1) {
            let from = at.offset().wrapping_add(lines.offset());
            let line = input.get(from..).unwrap_or_default();
            best = line
                .iter()
                .step_by(s2.max(1))
                .take(n2)
                .fold(best, |best, &x| fold(best, x));
            lines.advance();
        }
        *out = best;
        at.advance();
    }
    Ok(())
}

fn check_arg(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let p = ArgParams::checked(step)?;
    expect_count(step.count_of::<i8>(0)?, &[p.outer, p.n, p.inner], 0)?;
    expect_count(step.count_of_output::<i32>(1)?, &[p.outer, p.inner], 1)?;
    step.expect_disjoint(0, 1)
}

fn run_arg(io: &mut Io<'_, '_>, better: impl Fn(i8, i8) -> bool) -> Result<(), Fault> {
    let p = ArgParams::decode(io.step.params()?);
    let (input, output) = io.read_write::<i8, i32>(0, 1)?;
    let (n, inner) = (size(p.n), size(p.inner).max(1));
    for (o, line) in output.chunks_exact_mut(inner).enumerate() {
        let block = o.wrapping_mul(n).wrapping_mul(inner);
        for (i, out) in line.iter_mut().enumerate() {
            let column = input.get(block.wrapping_add(i)..).unwrap_or_default();
            let mut column = column.iter().step_by(inner).take(n).enumerate();
            let mut best = column.next().map_or((0, 0), |(i, &x)| (i, x));
            for (i, &x) in column {
                if better(x, best.1) {
                    best = (i, x);
                }
            }
            *out = best.0 as i32;
        }
    }
    Ok(())
}
