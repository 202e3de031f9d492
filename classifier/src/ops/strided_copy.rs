//! `STRIDED_COPY_*` and `FILL_*`.

use crate::odometer::Odometer;
use crate::params::{MAX_COUNT, size};
use otolith_dsp_nostd::format::Element;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Copies a view of up to six dimensions into another view:
/// `y[y_offset + sum(i * y_stride)] = x[x_offset + sum(i * x_stride)]` for all `(i0..i5)`.
///
/// One operator for transposing, slicing, concatenating, padding and their kin: lowering finds
/// offsets and strides. Elements of the output outside the view keep their values.
///
/// Operands: input i8; output i8. Parameters: [`Params`].
pub const STRIDED_COPY_8: Op = Op {
    code: 0x0260,
    name: "STRIDED_COPY_8",
    check: check::<i8>,
    run: run::<i8>,
};

/// As [`STRIDED_COPY_8`] with elements i16.
pub const STRIDED_COPY_16: Op = Op {
    code: 0x0261,
    name: "STRIDED_COPY_16",
    check: check::<i16>,
    run: run::<i16>,
};

/// As [`STRIDED_COPY_8`] with elements i32.
pub const STRIDED_COPY_32: Op = Op {
    code: 0x0262,
    name: "STRIDED_COPY_32",
    check: check::<i32>,
    run: run::<i32>,
};

/// Sets all elements to one value: what is outside the copies of a padding.
///
/// Operands: output i8. Parameters: [`FillParams`].
pub const FILL_8: Op = Op {
    code: 0x0263,
    name: "FILL_8",
    check: check_fill::<i8>,
    run: |io| fill(io, |value| value as i8),
};

/// As [`FILL_8`] with elements i16.
pub const FILL_16: Op = Op {
    code: 0x0264,
    name: "FILL_16",
    check: check_fill::<i16>,
    run: |io| fill(io, |value| value as i16),
};

params! {
    /// Parameters of the `STRIDED_COPY_*` operators.
    Params {
        /// Outermost dimension.
        d0 in 1, MAX_COUNT;
        /// Dimension 1.
        d1 in 1, MAX_COUNT;
        /// Dimension 2.
        d2 in 1, MAX_COUNT;
        /// Dimension 3.
        d3 in 1, MAX_COUNT;
        /// Dimension 4.
        d4 in 1, MAX_COUNT;
        /// Innermost dimension.
        d5 in 1, MAX_COUNT;
        /// Index of the input's element `(0, .., 0)`.
        x_offset in 0, MAX_COUNT;
        /// Stride of the input along dimension 0; below 0 it runs backwards, 0 repeats.
        x0 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 1.
        x1 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 2.
        x2 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 3.
        x3 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 4.
        x4 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 5.
        x5 in -MAX_COUNT, MAX_COUNT;
        /// Index of the output's element `(0, .., 0)`.
        y_offset in 0, MAX_COUNT;
        /// Stride of the output along dimension 0.
        y0 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 1.
        y1 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 2.
        y2 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 3.
        y3 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 4.
        y4 in -MAX_COUNT, MAX_COUNT;
        /// Along dimension 5.
        y5 in -MAX_COUNT, MAX_COUNT;
    }
}

params! {
    /// Parameters of the `FILL_*` operators.
    FillParams {
        /// The value; its low bits count where the element is narrower.
        value in -32768, 32767;
    }
}

impl Params {
    fn dims(&self) -> [i32; 6] {
        [self.d0, self.d1, self.d2, self.d3, self.d4, self.d5]
    }

    fn x_strides(&self) -> [i32; 6] {
        [self.x0, self.x1, self.x2, self.x3, self.x4, self.x5]
    }

    fn y_strides(&self) -> [i32; 6] {
        [self.y0, self.y1, self.y2, self.y3, self.y4, self.y5]
    }

    /// Whether all indices of a view lie below `count`.
    fn inside(&self, offset: i32, strides: [i32; 6], count: usize) -> bool {
        let (mut low, mut high) = (i128::from(offset), i128::from(offset));
        for (dim, stride) in self.dims().into_iter().zip(strides) {
            let reach = i128::from(dim - 1) * i128::from(stride);
            low += reach.min(0);
            high += reach.max(0);
        }
        low >= 0 && usize::try_from(high).is_ok_and(|high| high < count)
    }
}

fn check<T: Element>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let p = Params::checked(step)?;
    if !p.inside(p.x_offset, p.x_strides(), step.count_of::<T>(0)?) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if !p.inside(p.y_offset, p.y_strides(), step.count_of_output::<T>(1)?) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

/// A stride as a wrapping offset.
fn wrapping(stride: i32) -> usize {
    stride as isize as usize
}

fn run<T: Element>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<T, T>(0, 1)?;
    let outer = |[s0, s1, s2, s3, s4, _]: [i32; 6]| [s0, s1, s2, s3, s4].map(wrapping);
    let dims = [p.d0, p.d1, p.d2, p.d3, p.d4].map(size);
    let (n, x_step, y_step) = (size(p.d5), wrapping(p.x5), wrapping(p.y5));
    let mut x_at = Odometer::new(dims, outer(p.x_strides()));
    let mut y_at = Odometer::new(dims, outer(p.y_strides()));
    let runs = dims.iter().fold(1usize, |n, &d| n.wrapping_mul(d));
    for _ in 0..runs {
        let mut x = x_at.offset().wrapping_add(size(p.x_offset));
        let mut y = y_at.offset().wrapping_add(size(p.y_offset));
        if x_step == 1 && y_step == 1 {
            let from = input.get(x..).unwrap_or_default();
            let to = output.get_mut(y..).unwrap_or_default();
            for (y, &x) in to.iter_mut().zip(from).take(n) {
                *y = x;
            }
        } else {
            for _ in 0..n {
                if let (Some(&from), Some(to)) = (input.get(x), output.get_mut(y)) {
                    *to = from;
                }
                x = x.wrapping_add(x_step);
                y = y.wrapping_add(y_step);
            }
        }
        x_at.advance();
        y_at.advance();
    }
    Ok(())
}

fn check_fill<T: Element>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(1)?;
    FillParams::checked(step)?;
    step.count_of_output::<T>(0).map(|_| ())
}

fn fill<T: Element>(io: &mut Io<'_, '_>, of: impl Fn(i32) -> T) -> Result<(), Fault> {
    let p = FillParams::decode(io.step.params()?);
    io.write::<T>(0)?.fill(of(p.value));
    Ok(())
}
