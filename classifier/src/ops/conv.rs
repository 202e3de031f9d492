//! `CONV_2D_I8`.

use super::{check_requant, requant};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, size};
use crate::requant::{Channel, Requant};
use crate::window::{Axis, pairs, row};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// 2-D convolution, plain or grouped.
///
/// `y[b,oy,ox,o] = requant_o(sum over ky,kx,i of (x[b, oy*stride_h - pad_top + ky*dilation_h,
/// ox*stride_w - pad_left + kx*dilation_w, g*n_i + i] - input_zero_point) * w[o,ky,kx,i])` with
/// `n_i = in_c / groups`, group `g = o / (out_c / groups)`, and taps outside the input left out.
///
/// Operands: input i8 `[batch, in_h, in_w, in_c]`; weights i8 `[out_c, kernel_h, kernel_w, n_i]`;
/// bias i32 `[out_c]`; multipliers i32 and shifts i8, `[out_c]` or `[1]`; scratch i16
/// `[windows, kernel_h * kernel_w * n_i]` with 1 to [`MAX_WINDOWS`] windows, of which more are
/// faster; output i8 `[batch, out_h, out_w, out_c]`. Source: TFLite's
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
    if p.in_c.checked_rem(p.groups) != Some(0) || p.out_c.checked_rem(p.groups) != Some(0) {
        return Err(Fault::BadParam { param: 15 });
    }
    if !p.vertical().fits() || !p.horizontal().fits() {
        return Err(Fault::BadParam { param: 9 });
    }
    let group_c = p.in_c.checked_div(p.groups).unwrap_or(0);
    expect_count(
        step.count_of::<i8>(0)?,
        &[p.batch, p.in_h, p.in_w, p.in_c],
        0,
    )?;
    let weights = [p.out_c, p.kernel_h, p.kernel_w, group_c];
    expect_count(step.table::<i8>(1)?.len(), &weights, 1)?;
    check_requant(step, 2, size(p.out_c))?;
    let scratch = step.count_of_output::<i16>(5)?;
    let fits = |windows: i32| {
        expect_count(scratch, &[windows, p.kernel_h, p.kernel_w, group_c], 5).is_ok()
    };
    if !(1..=MAX_WINDOWS as i32).any(fits) {
        return Err(Fault::WrongLength { operand: 5 });
    }
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
    let (input, scratch, output) = io.read_write2::<i8, i16, i8>(0, 5, 6)?;
    conv_2d(&p, input, weights, &requant, scratch, output);
    Ok(())
}

/// Most output pixels that are computed together.
pub const MAX_WINDOWS: usize = 8;

/// The kernel: gathers the windows of some output pixels into `scratch`, with the zero point
/// taken off and zeros for the padding, then takes their dot products with the filters.
fn conv_2d(
    p: &Params,
    input: &[i8],
    weights: &[i8],
    requant: &Requant<'_>,
    scratch: &mut [i16],
    output: &mut [i8],
) {
    let groups = size(p.groups).max(1);
    let window = (size(p.kernel_h) * size(p.kernel_w) * (size(p.in_c) / groups)).max(1);
    let in_image = (size(p.in_h) * size(p.in_w) * size(p.in_c)).max(1);
    let out_c = size(p.out_c).max(1);
    let out_w = size(p.out_w);
    let out_image = (size(p.out_h) * out_w * out_c).max(1);
    let group_out = size(p.out_c) / groups;
    let group_weights = (group_out * window).max(1);
    let pixels = (scratch.len() / window).clamp(1, MAX_WINDOWS);
    let images = input.chunks_exact(in_image);
    for (image, out) in pairs(images, output.chunks_exact_mut(out_image)) {
        let (mut oy, mut ox) = (0, 0);
        for out in out.chunks_mut((pixels * out_c).max(1)) {
            let start = (oy, ox);
            for (group, filters) in weights.chunks_exact(group_weights).enumerate() {
                (oy, ox) = start;
                let windows = scratch.chunks_exact_mut(window);
                for window in windows.take(out.len() / out_c) {
                    gather(p, image, oy, ox, group, window);
                    ox += 1;
                    if ox == out_w {
                        (oy, ox) = (oy + 1, 0);
                    }
                }
                let tile = Tile {
                    windows: scratch,
                    window,
                    out_c,
                };
                tile.filters(filters, requant, group * group_out, out);
            }
        }
    }
}

/// Copies the window of output `(oy, ox)` that `group` sees, widened.
#[inline]
fn gather(p: &Params, image: &[i8], oy: usize, ox: usize, group: usize, window: &mut [i16]) {
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
    let lines = window.chunks_exact_mut((cell_len * size(p.kernel_w)).max(1));
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

/// Filters that are applied together, and the taps that are widened at once.
const ROWS: usize = 4;
const TAPS: usize = 64;

/// Windows of some output pixels.
struct Tile<'a> {
    windows: &'a [i16],
    /// Taps in a window.
    window: usize,
    out_c: usize,
}

impl Tile<'_> {
    /// Output channels `first..` of all pixels, from the filters of these channels.
    ///
    /// Weights are widened to 16 bits once for all windows: a product of 16-bit numbers is what
    /// both x86 and Cortex-M4 multiply two or more of at a time.
    #[inline(always)]
    fn filters(&self, filters: &[i8], requant: &Requant<'_>, first: usize, out: &mut [i8]) {
        let n = self.window.max(1);
        let mut wide = [[0i16; TAPS]; ROWS];
        for (i, filters) in filters.chunks((ROWS * n).max(1)).enumerate() {
            let mut acc = [[0i32; MAX_WINDOWS]; ROWS];
            for start in (0..n).step_by(TAPS) {
                for (wide, filter) in pairs(&mut wide, filters.chunks_exact(n)) {
                    let filter = filter.get(start..).unwrap_or_default();
                    for (wide, &w) in wide.iter_mut().zip(filter) {
                        *wide = i16::from(w);
                    }
                }
                for (i, window) in self.windows.chunks_exact(n).take(MAX_WINDOWS).enumerate() {
                    let window = window.get(start..).unwrap_or_default();
                    // A constant length lets the compiler unroll the loop.
                    let sums = match window.first_chunk::<TAPS>() {
                        Some(window) => dots(window, &wide),
                        None => dots(window, &wide),
                    };
                    for (acc, sum) in acc.iter_mut().zip(sums) {
                        if let Some(acc) = acc.get_mut(i) {
                            *acc = acc.wrapping_add(sum);
                        }
                    }
                }
            }
            let from = first + i * ROWS;
            let rows = filters.len() / n;
            let mut channels = [Channel::default(); ROWS];
            requant.channels(from, &mut channels);
            for (acc, channel) in acc.iter_mut().zip(&channels) {
                requant.column(channel, acc);
            }
            let pixels = out.chunks_exact_mut(self.out_c.max(1));
            for (i, out) in pixels.enumerate() {
                let out = out.get_mut(from..from + rows).unwrap_or_default();
                for (out, acc) in out.iter_mut().zip(&acc) {
                    *out = acc.get(i).map_or(0, |&y| y as i8);
                }
            }
        }
    }
}

/// The sums of `window * wide[r]`, over the taps of the window, at most [`TAPS`].
#[inline(always)]
fn dots(window: &[i16], wide: &[[i16; TAPS]; ROWS]) -> [i32; ROWS] {
    let [a, b, c, d] = wide;
    let [mut sa, mut sb, mut sc, mut sd] = [0i32; ROWS];
    for ((((&x, &a), &b), &c), &d) in window.iter().zip(a).zip(b).zip(c).zip(d) {
        let x = i32::from(x);
        sa = sa.wrapping_add(x * i32::from(a));
        sb = sb.wrapping_add(x * i32::from(b));
        sc = sc.wrapping_add(x * i32::from(c));
        sd = sd.wrapping_add(x * i32::from(d));
    }
    [sa, sb, sc, sd]
}
