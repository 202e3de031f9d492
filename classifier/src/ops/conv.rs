//! `CONV_2D_I8`.

use super::{check_requant, requant};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, size};
use crate::requant::Requant;
use crate::window::{Axis, row};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// 2-D convolution, plain or grouped.
///
/// `y[b,oy,ox,o] = requant_o(sum over ky,kx,i of (x[b, oy*stride_h - pad_top + ky*dilation_h,
/// ox*stride_w - pad_left + kx*dilation_w, g*n_i + i] - input_zero_point) * w[o,ky,kx,i])` with
/// `n_i = in_c / groups`, group `g = o / (out_c / groups)`, and taps outside the input left out.
///
/// Operands: input i8 `[batch, in_h, in_w, in_c]`; weights i8 `[out_c, kernel_h, kernel_w, n_i]`;
/// bias i32 `[out_c]`; multipliers i32 and shifts i8, `[out_c]` or `[1]`; scratch i16
/// `[kernel_h * kernel_w * n_i]`; output i8 `[batch, out_h, out_w, out_c]`. Source: TFLite's
/// `reference_integer_ops::ConvPerChannel`.
pub const CONV_2D_I8: Op = Op {
    code: 0x0200,
    name: "CONV_2D_I8",
    check,
    run,
};

params! {
    /// Parameters of [`CONV_2D_I8`].
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
        /// Groups of channels that do not see each other.
        groups in 1, MAX_DIM;
        /// Zero point of the input.
        input_zero_point in I8_MIN, I8_MAX;
        /// Zero point of the output.
        output_zero_point in I8_MIN, I8_MAX;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
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
        }
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(7)?;
    let p = Params::checked(step)?;
    if p.in_c % p.groups != 0 || p.out_c % p.groups != 0 {
        return Err(Fault::BadParam { param: 15 });
    }
    if !p.vertical().fits() || !p.horizontal().fits() {
        return Err(Fault::BadParam { param: 9 });
    }
    let group_c = p.in_c / p.groups;
    expect_count(
        step.count_of::<i8>(0)?,
        &[p.batch, p.in_h, p.in_w, p.in_c],
        0,
    )?;
    let weights = [p.out_c, p.kernel_h, p.kernel_w, group_c];
    expect_count(step.table::<i8>(1)?.len(), &weights, 1)?;
    check_requant(step, 2, size(p.out_c))?;
    let patch = [p.kernel_h, p.kernel_w, group_c];
    expect_count(step.count_of_output::<i16>(5)?, &patch, 5)?;
    let output = [p.batch, p.out_h, p.out_w, p.out_c];
    expect_count(step.count_of_output::<i8>(6)?, &output, 6)?;
    step.expect_disjoint(0, 5)?;
    step.expect_disjoint(0, 6)?;
    step.expect_disjoint(5, 6)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let weights = io.step.table::<i8>(1)?;
    let requant = requant(&io.step, 2, p.output_zero_point, p.min, p.max)?;
    let (input, patch, output) = io.read_write2::<i8, i16, i8>(0, 5, 6)?;
    conv_2d(&p, input, weights, &requant, patch, output);
    Ok(())
}

/// The kernel: gathers the window of each output pixel into `patch`, with the zero point taken
/// off and zeros for the padding, then takes the dot product with each filter.
fn conv_2d(
    p: &Params,
    input: &[i8],
    weights: &[i8],
    requant: &Requant<'_>,
    patch: &mut [i16],
    output: &mut [i8],
) {
    let in_image = (size(p.in_h) * size(p.in_w) * size(p.in_c)).max(1);
    let out_row = (size(p.out_w) * size(p.out_c)).max(1);
    let out_image = (size(p.out_h) * out_row).max(1);
    let groups = size(p.groups).max(1);
    let group_out = (size(p.out_c) / groups).max(1);
    let group_weights = (group_out * patch.len()).max(1);
    let images = input.chunks_exact(in_image);
    for (image, out) in images.zip(output.chunks_exact_mut(out_image)) {
        for (oy, out) in out.chunks_exact_mut(out_row).enumerate() {
            let pixels = out.chunks_exact_mut(size(p.out_c).max(1));
            for (ox, out) in pixels.enumerate() {
                let filters = weights.chunks_exact(group_weights);
                let parts = out.chunks_exact_mut(group_out).zip(filters);
                for (group, (out, filters)) in parts.enumerate() {
                    gather(p, image, oy, ox, group, patch);
                    pixel(patch, filters, requant, group * group_out, out);
                }
            }
        }
    }
}

/// Copies the window of output `(oy, ox)` that `group` sees, widened.
#[inline]
fn gather(p: &Params, image: &[i8], oy: usize, ox: usize, group: usize, patch: &mut [i16]) {
    let in_c = size(p.in_c);
    let cell_len = (in_c / size(p.groups).max(1)).max(1);
    let line_len = size(p.in_w) * in_c;
    let (vertical, horizontal) = (p.vertical(), p.horizontal());
    let (y0, x0) = (vertical.start(oy), horizontal.start(ox));
    let zero_point = p.input_zero_point as i16;
    let widen = |to: &mut [i16], from: &[i8]| {
        for (to, &x) in to.iter_mut().zip(from) {
            *to = i16::from(x) - zero_point;
        }
    };
    let lines = patch.chunks_exact_mut((cell_len * size(p.kernel_w)).max(1));
    for (ky, cells) in lines.enumerate() {
        let line = vertical.at(y0, ky).and_then(|y| row(image, y, line_len));
        let Some(line) = line else {
            cells.fill(0);
            continue;
        };
        if p.groups == 1
            && let Some(x) = horizontal.inside(x0)
        {
            widen(cells, line.get(x * in_c..).unwrap_or_default());
            continue;
        }
        for (kx, cell) in cells.chunks_exact_mut(cell_len).enumerate() {
            match horizontal.at(x0, kx) {
                Some(x) => {
                    let from = x * in_c + group * cell_len;
                    widen(cell, line.get(from..).unwrap_or_default());
                }
                None => cell.fill(0),
            }
        }
    }
}

/// Channels whose accumulators are kept at once.
const BLOCK: usize = 32;

/// All outputs of one pixel and group.
#[inline]
fn pixel(patch: &[i16], filters: &[i8], requant: &Requant<'_>, first: usize, out: &mut [i8]) {
    let block = (BLOCK * patch.len()).max(1);
    let blocks = out.chunks_mut(BLOCK).zip(filters.chunks(block));
    for (i, (out, filters)) in blocks.enumerate() {
        let mut acc = [0i32; BLOCK];
        dots(patch, filters, &mut acc);
        requant.apply(first + i * BLOCK, &acc, out);
    }
}

/// `acc[f] = sum of patch * filter f`, four filters at a time so that the patch is loaded once.
#[inline]
fn dots(patch: &[i16], filters: &[i8], acc: &mut [i32; BLOCK]) {
    let n = patch.len().max(1);
    let mut filters = filters.chunks_exact(n);
    for acc in acc.chunks_exact_mut(4) {
        let [a, b, c, d] = [(); 4].map(|()| filters.next().unwrap_or_default());
        if d.len() == n {
            acc.copy_from_slice(&dot4(patch, [a, b, c, d]));
        } else {
            for (acc, filter) in acc.iter_mut().zip([a, b, c]) {
                *acc = dot(patch, filter);
            }
            return;
        }
    }
}

#[inline]
fn dot4(patch: &[i16], [a, b, c, d]: [&[i8]; 4]) -> [i32; 4] {
    let mut sums = [0i32; 4];
    let [sa, sb, sc, sd] = &mut sums;
    for ((((&x, &a), &b), &c), &d) in patch.iter().zip(a).zip(b).zip(c).zip(d) {
        let x = i32::from(x);
        *sa = sa.wrapping_add(x * i32::from(a));
        *sb = sb.wrapping_add(x * i32::from(b));
        *sc = sc.wrapping_add(x * i32::from(c));
        *sd = sd.wrapping_add(x * i32::from(d));
    }
    sums
}

#[inline]
fn dot(patch: &[i16], filter: &[i8]) -> i32 {
    patch.iter().zip(filter).fold(0, |sum: i32, (&x, &w)| {
        sum.wrapping_add(i32::from(x) * i32::from(w))
    })
}
