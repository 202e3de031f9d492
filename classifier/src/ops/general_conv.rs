//! `CONV_2D_I16` and `TRANSPOSE_CONV_I8`: one small kernel for layers that are not worth a fast one.
//!
//! A transposed convolution is a convolution whose input has zeros between its elements and whose
//! kernel is turned by half a circle. Lowering turns the kernel; [`Params::upsample_h`] says how
//! far the input's elements lie apart.

use super::check_requant;
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, size};
use crate::requant::{mbqm, mbqm64};
use crate::window::{pairs, row};
use otolith_dsp_nostd::format::{Elem, Element};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Convolution of int16 activations with int8 weights, plain or grouped, of an input that may be
/// upsampled with zeros.
///
/// `y[b,oy,ox,o] = clamp(mbqm64(bias[o] + sum over ky,kx,i of x[b, iy, ix, g*n_i + i] *
/// w[o,ky,kx,i], o))` with `iy = (oy*stride_h - pad_top + ky*dilation_h) / upsample_h`, `ix`
/// likewise, `n_i = in_c / groups` and `g = o / (out_c / groups)`. Taps outside the input, and
/// those where a division leaves a rest, are left out. Both zero points are 0.
///
/// With a bias of 32 bits the accumulator has 32 bits too, which wrap, and
/// [`mbqm`] takes the place of `mbqm64`, as in the reference.
///
/// Lowering writes CONV_2D, DEPTHWISE_CONV_2D (as many groups as input channels),
/// FULLY_CONNECTED (a kernel of one pixel) and TRANSPOSE_CONV of int16 as this operator.
///
/// Operands: input i16 `[batch, in_h, in_w, in_c]`; weights i8 `[out_c, kernel_h, kernel_w, n_i]`;
/// bias `[out_c]`, i64 with multipliers i32 from 0 to 32767 and shifts i8 from -31 to 14, or i32
/// with multipliers from 0 and shifts from -31 to 30; both `[out_c]` or `[1]`; output i16 `[batch, out_h, out_w, out_c]`. Source: TFLite's
/// `reference_integer_ops::ConvPerChannel` for int16.
pub const CONV_2D_I16: Op = Op {
    code: 0x0290,
    name: "CONV_2D_I16",
    check: |step| {
        check_requant_wide(step)?;
        check::<i16>(step, (i32::from(i16::MIN), i32::from(i16::MAX)))
    },
    run: run_i16,
};

/// Transposed convolution of int8: the formula of [`CONV_2D_I16`] with `x - input_zero_point` in
/// place of `x`, [`mbqm`] in place of
/// [`mbqm64`], and `output_zero_point` added before the clamp.
///
/// Operands: input i8; weights i8; bias i32; multipliers i32 and shifts i8; output i8, in the
/// shapes of [`CONV_2D_I16`]. Source: TFLite's `reference_integer_ops::TransposeConv`.
pub const TRANSPOSE_CONV_I8: Op = Op {
    code: 0x0291,
    name: "TRANSPOSE_CONV_I8",
    check: |step| {
        let p = Params::checked(step)?;
        check_requant(step, 2, size(p.out_c))?;
        check::<i8>(step, (I8_MIN, I8_MAX))
    },
    run: run_i8,
};

params! {
    /// Parameters of [`CONV_2D_I16`] and [`TRANSPOSE_CONV_I8`].
    Params {
        /// Images.
        batch in 1, MAX_DIM;
        /// Input height.
        in_h in 1, MAX_DIM;
        /// Input width.
        in_w in 1, MAX_DIM;
        /// Input channels, a multiple of `groups`.
        in_c in 1, MAX_DIM;
        /// Output height.
        out_h in 1, MAX_DIM;
        /// Output width.
        out_w in 1, MAX_DIM;
        /// Output channels, a multiple of `groups`.
        out_c in 1, MAX_DIM;
        /// Kernel height.
        kernel_h in 1, MAX_DIM;
        /// Kernel width.
        kernel_w in 1, MAX_DIM;
        /// Vertical step.
        stride_h in 1, MAX_DIM;
        /// Horizontal step.
        stride_w in 1, MAX_DIM;
        /// Vertical distance of taps.
        dilation_h in 1, MAX_DIM;
        /// Horizontal distance of taps.
        dilation_w in 1, MAX_DIM;
        /// Rows of padding above.
        pad_top in 0, MAX_DIM;
        /// Columns of padding at the left.
        pad_left in 0, MAX_DIM;
        /// Vertical distance of the input's elements; 1 for a plain convolution.
        upsample_h in 1, MAX_DIM;
        /// Horizontal distance of the input's elements.
        upsample_w in 1, MAX_DIM;
        /// Groups of channels that do not see each other.
        groups in 1, MAX_DIM;
        /// Zero point of the input; 0 for int16.
        input_zero_point in I8_MIN, I8_MAX;
        /// Zero point of the output; 0 for int16.
        output_zero_point in I8_MIN, I8_MAX;
        /// Smallest output.
        min in -32768, 32767;
        /// Largest output.
        max in -32768, 32767;
    }
}

/// One axis: where a tap of an output falls in the input.
struct Axis {
    input: i32,
    output: i32,
    kernel: i32,
    stride: i32,
    dilation: i32,
    pad: i32,
    upsample: i32,
}

impl Axis {
    /// Whether no coordinate overflows.
    fn fits(&self) -> bool {
        let far = i64::from(self.output - 1) * i64::from(self.stride)
            + i64::from(self.kernel - 1) * i64::from(self.dilation);
        far <= i64::from(i32::MAX)
    }

    /// Input coordinate of `tap` of output `out`, `None` where there is no element.
    fn at(&self, out: usize, tap: usize) -> Option<usize> {
        let at = (out as i32)
            .wrapping_mul(self.stride)
            .wrapping_sub(self.pad)
            .wrapping_add((tap as i32).wrapping_mul(self.dilation));
        let at = match self.upsample {
            1 => at,
            n if at.checked_rem(n)? == 0 => at.checked_div(n)?,
            _ => return None,
        };
        (at >= 0 && at < self.input).then_some(at as usize)
    }
}

impl Params {
    fn vertical(&self) -> Axis {
        Axis {
            input: self.in_h,
            output: self.out_h,
            kernel: self.kernel_h,
            stride: self.stride_h,
            dilation: self.dilation_h,
            pad: self.pad_top,
            upsample: self.upsample_h,
        }
    }

    fn horizontal(&self) -> Axis {
        Axis {
            input: self.in_w,
            output: self.out_w,
            kernel: self.kernel_w,
            stride: self.stride_w,
            dilation: self.dilation_w,
            pad: self.pad_left,
            upsample: self.upsample_w,
        }
    }
}

/// Checks bias, multipliers and shifts at operands 2 to 4.
fn check_requant_wide(step: &Step<'_>) -> Result<(), Fault> {
    let p = Params::checked(step)?;
    if p.input_zero_point != 0 || p.output_zero_point != 0 {
        return Err(Fault::BadParam { param: 18 });
    }
    let channels = size(p.out_c);
    if step.tensor(2)?.elem == Elem::I32 {
        return check_requant(step, 2, channels);
    }
    let multipliers = step.table::<i32>(3)?;
    let shifts = step.table::<i8>(4)?;
    if step.table::<i64>(2)?.len() != channels {
        return Err(Fault::WrongLength { operand: 2 });
    }
    if multipliers.len() != channels && multipliers.len() != 1 {
        return Err(Fault::WrongLength { operand: 3 });
    }
    if shifts.len() != multipliers.len() {
        return Err(Fault::WrongLength { operand: 4 });
    }
    if !multipliers.iter().all(|q| (0..=0x7fff).contains(q)) {
        return Err(Fault::BadTable { operand: 3 });
    }
    if !shifts.iter().all(|s| (-31..=14).contains(s)) {
        return Err(Fault::BadTable { operand: 4 });
    }
    Ok(())
}

fn check<X: Element>(step: &Step<'_>, (lowest, highest): (i32, i32)) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let p = Params::checked(step)?;
    if p.in_c.checked_rem(p.groups) != Some(0) || p.out_c.checked_rem(p.groups) != Some(0) {
        return Err(Fault::BadParam { param: 17 });
    }
    if !p.vertical().fits() || !p.horizontal().fits() {
        return Err(Fault::BadParam { param: 9 });
    }
    if p.min < lowest || p.max > highest {
        return Err(Fault::BadParam { param: 20 });
    }
    let group_c = p.in_c.checked_div(p.groups).unwrap_or(0);
    let input = [p.batch, p.in_h, p.in_w, p.in_c];
    expect_count(step.count_of::<X>(0)?, &input, 0)?;
    let weights = [p.out_c, p.kernel_h, p.kernel_w, group_c];
    expect_count(step.table::<i8>(1)?.len(), &weights, 1)?;
    let output = [p.batch, p.out_h, p.out_w, p.out_c];
    expect_count(step.count_of_output::<X>(5)?, &output, 5)?;
    step.expect_disjoint(0, 5)
}

/// The value of a channel in a table that has one value for each channel or one for all.
fn of_channel<T: Copy + Default>(table: &[T], channel: usize) -> T {
    match table {
        &[one] => one,
        many => many.get(channel).copied().unwrap_or_default(),
    }
}

fn run_i16(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let weights = io.step.table::<i8>(1)?;
    let (multipliers, shifts) = (io.step.table::<i32>(3)?, io.step.table::<i8>(4)?);
    let narrow = io.step.table::<i32>(2);
    let bias = match narrow {
        Ok(_) => &[],
        Err(_) => io.step.table::<i64>(2)?,
    };
    let (input, output) = io.read_write::<i16, i16>(0, 5)?;
    if let Ok(bias) = narrow {
        convolve(&p, input, weights, output, |channel, sum| {
            let acc = (sum as i32).wrapping_add(of_channel(bias, channel));
            let (q, s) = (
                of_channel(multipliers, channel),
                of_channel(shifts, channel),
            );
            mbqm(acc, q, i32::from(s)).max(p.min).min(p.max) as i16
        });
        return Ok(());
    }
    convolve(&p, input, weights, output, |channel, sum| {
        let acc = sum.wrapping_add(of_channel(bias, channel));
        let (q, s) = (
            of_channel(multipliers, channel),
            of_channel(shifts, channel),
        );
        mbqm64(acc, q, i32::from(s)).max(p.min).min(p.max) as i16
    });
    Ok(())
}

fn run_i8(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let weights = io.step.table::<i8>(1)?;
    let bias = io.step.table::<i32>(2)?;
    let (multipliers, shifts) = (io.step.table::<i32>(3)?, io.step.table::<i8>(4)?);
    let (input, output) = io.read_write::<i8, i8>(0, 5)?;
    convolve(&p, input, weights, output, |channel, sum| {
        let acc = (sum as i32).wrapping_add(of_channel(bias, channel));
        let (q, s) = (
            of_channel(multipliers, channel),
            of_channel(shifts, channel),
        );
        let y = mbqm(acc, q, i32::from(s)).wrapping_add(p.output_zero_point);
        y.max(p.min).min(p.max) as i8
    });
    Ok(())
}

/// The kernel: `output = finish(channel, sum)` for every output element.
fn convolve<X: Copy + Into<i32>, Y>(
    p: &Params,
    input: &[X],
    weights: &[i8],
    output: &mut [Y],
    finish: impl Fn(usize, i64) -> Y,
) {
    let (vertical, horizontal) = (p.vertical(), p.horizontal());
    let in_c = size(p.in_c);
    let group_in = in_c.checked_div(size(p.groups)).unwrap_or(0).max(1);
    let group_out = size(p.out_c).checked_div(size(p.groups)).unwrap_or(0);
    let line_len = size(p.in_w) * in_c;
    let in_image = (size(p.in_h) * line_len).max(1);
    let out_c = size(p.out_c).max(1);
    let out_row = (size(p.out_w) * out_c).max(1);
    let out_image = (size(p.out_h) * out_row).max(1);
    let filter = (size(p.kernel_h) * size(p.kernel_w) * group_in).max(1);
    let filter_row = (size(p.kernel_w) * group_in).max(1);
    let images = input.chunks_exact(in_image);
    for (image, out) in pairs(images, output.chunks_exact_mut(out_image)) {
        for (oy, out) in out.chunks_exact_mut(out_row).enumerate() {
            for (ox, out) in out.chunks_exact_mut(out_c).enumerate() {
                let filters = weights.chunks_exact(filter);
                let mut group = 0;
                let mut left = group_out;
                for (channel, (y, filter)) in pairs(out, filters).enumerate() {
                    if left == 0 {
                        (group, left) = (group + 1, group_out);
                    }
                    left -= 1;
                    let mut sum = 0i64;
                    for (ky, taps) in filter.chunks_exact(filter_row).enumerate() {
                        let line = vertical.at(oy, ky).and_then(|y| row(image, y, line_len));
                        let Some(line) = line else { continue };
                        for (kx, taps) in taps.chunks_exact(group_in).enumerate() {
                            let Some(x) = horizontal.at(ox, kx) else {
                                continue;
                            };
                            let cell = line.get(x * in_c + group * group_in..);
                            sum = sum.wrapping_add(dot(
                                cell.unwrap_or_default(),
                                taps,
                                p.input_zero_point,
                            ));
                        }
                    }
                    *y = finish(channel, sum);
                }
            }
        }
    }
}

/// `sum of (x - zero_point) * w` over the elements of `w`.
#[inline(always)]
fn dot<X: Copy + Into<i32>>(x: &[X], w: &[i8], zero_point: i32) -> i64 {
    x.iter().zip(w).fold(0, |sum: i64, (&x, &w)| {
        let x: i32 = x.into();
        sum.wrapping_add(i64::from((x - zero_point) * i32::from(w)))
    })
}
