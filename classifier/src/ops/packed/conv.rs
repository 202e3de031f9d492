//! `CONV_2D_PACKED_I8`.

use super::{MISFIT, Memory, channels, check_channels, clamp, memory, sign};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, size};
use otolith_dsp_arch::int8::layer::{self, Memory as _};
use otolith_dsp_arch::int8::{self, Packed, TAPS_27, Window};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// 2-D convolution and fully connected layer on packed weights: the numbers of `CONV_2D_I8`.
///
/// A window is `kernel_h` rows of `row_bytes` bytes, of which the first `kernel_w * in_c` count;
/// the others meet weights of 0. With `nine = 1` the kernel is 3 x 3 of three channels and its 27
/// taps lie as [`int8::gather2_27`] leaves them. A fully connected layer has one pixel a row.
///
/// Operands: input i8 `[batch, in_h, in_w, in_c]`; weights u32, two words for each pair of taps and each
/// four channels; channels i32, four for each output channel, which are filled up to a multiple of
/// four; activations u32, scratch of a word for each tap (for one output pixel half of that is enough);
/// border i8, scratch of [`border_len`] bytes; output i8 `[batch, out_h, out_w, out_c]`.
///
/// The output may start where the input starts when the kernel is one pixel, the stride 1 and the
/// batch 1.
///
/// Source: as for `CONV_2D_I8`.
pub const CONV_2D_PACKED_I8: Op = Op {
    code: 0x0230,
    name: "CONV_2D_PACKED_I8",
    check,
    run,
};

params! {
    /// Parameters of [`CONV_2D_PACKED_I8`].
    Params {
        /// Images.
        batch in 1, MAX_DIM;
        /// Input height.
        in_h in 1, MAX_DIM;
        /// Input width.
        in_w in 1, MAX_DIM;
        /// Input channels.
        in_c in 1, MAX_DIM;
        /// Output height.
        out_h in 1, MAX_DIM;
        /// Output width.
        out_w in 1, MAX_DIM;
        /// Output channels.
        out_c in 1, MAX_DIM;
        /// Kernel height.
        kernel_h in 1, MAX_DIM;
        /// Kernel width.
        kernel_w in 1, MAX_DIM;
        /// Vertical step.
        stride_h in 1, MAX_DIM;
        /// Horizontal step.
        stride_w in 1, MAX_DIM;
        /// Rows of padding above.
        pad_top in 0, MAX_DIM;
        /// Columns of padding at the left.
        pad_left in 0, MAX_DIM;
        /// Bytes of a window's row, at least its taps: a multiple of four (9 with `nine`).
        row_bytes in 4, MAX_DIM;
        /// 1 for a kernel of 3 x 3 pixels of three channels in its own order.
        nine in 0, 1;
        /// 1 when the border operand holds the padded input, 0 when it holds two windows.
        padded in 0, 1;
        /// Zero point of the input, which padding holds.
        input_zero_point in I8_MIN, I8_MAX;
        /// 1 when every negative sum becomes -128.
        saturates in 0, 1;
        /// Smallest output.
        min in I8_MIN, I8_MAX;
        /// Largest output.
        max in I8_MIN, I8_MAX;
    }
}

impl Params {
    /// Taps of a window with those that weights of 0 meet.
    fn taps(&self) -> usize {
        if self.nine == 1 {
            TAPS_27
        } else {
            size(self.kernel_h).saturating_mul(size(self.row_bytes))
        }
    }

    /// Whether windows are single pixels, each read once and in order.
    fn is_pointwise(&self) -> bool {
        [self.kernel_h, self.kernel_w, self.stride_h, self.stride_w] == [1; 4]
            && [self.pad_top, self.pad_left] == [0; 2]
            && [self.out_h, self.out_w] == [self.in_h, self.in_w]
    }

    /// Whether every window lies in the input, to the last word of its rows: none is ever copied.
    fn stays_inside(&self) -> bool {
        let [h, w] = self.padded().map(|side| side as u64);
        let whole = i64::from(self.kernel_w) * i64::from(self.in_c) == i64::from(self.row_bytes);
        let inside = h <= self.in_h as u64 && w <= self.in_w as u64;
        whole && inside && [self.pad_top, self.pad_left] == [0; 2]
    }

    /// Height and width that the windows cover.
    fn padded(&self) -> [usize; 2] {
        let axis = |out: i32, stride: i32, kernel: i32| {
            let last = size(out).saturating_sub(1).saturating_mul(size(stride));
            last.saturating_add(size(kernel))
        };
        [
            axis(self.out_h, self.stride_h, self.kernel_h),
            axis(self.out_w, self.stride_w, self.kernel_w),
        ]
    }
}

/// Bytes that the border operand has with these parameters, `None` when no memory has them. Where no window
/// leaves the input it is a single byte.
pub fn border_len(p: &Params) -> Option<usize> {
    let row = size(p.row_bytes);
    if p.padded == 0 {
        // Operands are never empty.
        return match p.stays_inside() {
            true => Some(1),
            false => size(p.kernel_h).checked_mul(row)?.checked_mul(2),
        };
    }
    let [h, w] = p.padded();
    let len = h.checked_mul(w)?.checked_mul(size(p.in_c))?;
    // A row may run over the end of the image.
    len.checked_add(row)
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let p = Params::checked(step)?;
    let row = size(p.kernel_w).saturating_mul(size(p.in_c));
    let fits = if p.nine == 1 {
        [p.kernel_h, p.kernel_w, p.in_c, p.row_bytes] == [3, 3, 3, 9]
    } else {
        p.row_bytes % 4 == 0 && row <= size(p.row_bytes)
    };
    let taps = p.taps();
    if !fits || !(8..=1 << 20).contains(&taps) {
        return Err(Fault::BadParam { param: 13 });
    }
    if p.pad_top >= p.kernel_h || p.pad_left >= p.kernel_w {
        return Err(Fault::BadParam { param: 11 });
    }
    let image = [p.batch, p.in_h, p.in_w, p.in_c];
    expect_count(step.count_of::<i8>(0)?, &image, 0)?;
    let slots = size(p.out_c).next_multiple_of(4);
    let words = (slots / 2).checked_mul(taps / 2);
    if Some(step.table::<u32>(1)?.len()) != words {
        return Err(Fault::WrongLength { operand: 1 });
    }
    check_channels(step, 2, slots)?;
    let acts = step.count_of_output::<u32>(3)?;
    let one = [p.out_h, p.out_w] == [1; 2];
    if acts != taps && !(one && p.nine == 0 && acts == taps / 2) {
        return Err(Fault::WrongLength { operand: 3 });
    }
    // Rows of a window may run into the next row of the padded input, not beyond it.
    let [_, padded_w] = p.padded();
    let short = padded_w.saturating_mul(size(p.in_c)) < size(p.row_bytes);
    if p.padded == 1 && p.kernel_h > 1 && short {
        return Err(Fault::BadParam { param: 15 });
    }
    if Some(step.count_of_output::<i8>(4)?) != border_len(&p) {
        return Err(Fault::WrongLength { operand: 4 });
    }
    let output = [p.batch, p.out_h, p.out_w, p.out_c];
    expect_count(step.count_of_output::<i8>(5)?, &output, 5)?;
    for (a, b) in [(0, 3), (0, 4), (3, 4), (3, 5), (4, 5)] {
        step.expect_disjoint(a, b)?;
    }
    if !(p.is_pointwise() && p.batch == 1 && step.starts_together(0, 5)?) {
        step.expect_disjoint(0, 5)?;
    }
    Ok(())
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let packed = Packed {
        weights: io.step.table(1)?,
        channels: channels(&io.step, 2)?,
        sign: sign(p.saturates),
    };
    let (mut memory, acts, border) = memory::<u32, i8>(io, [0, 5], [3, 4])?;
    let at_once = at_once(&p, packed);
    let layer = Layer::new(&p, packed).ok_or(MISFIT)?;
    for image in 0..size(p.batch) {
        if layer::conv(&at_once, image, &mut memory).is_none() {
            let done = layer.image(&mut memory, image, acts, border);
            done.ok_or(MISFIT)?;
        }
    }
    clamp(memory.output(), p.min, p.max);
    Ok(())
}

/// What a processor needs that does a whole layer at once.
fn at_once<'a>(p: &Params, packed: Packed<'a>) -> layer::Conv<'a> {
    layer::Conv {
        packed,
        input: [p.in_h, p.in_w, p.in_c].map(size),
        output: [p.out_h, p.out_w, p.out_c].map(size),
        kernel: [p.kernel_h, p.kernel_w].map(size),
        stride: [p.stride_h, p.stride_w].map(size),
        pad: [p.pad_top, p.pad_left].map(size),
        row_bytes: size(p.row_bytes),
        nine: p.nine == 1,
        padding: p.input_zero_point as i8,
    }
}

/// A layer whose pixels are computed in pairs.
struct Layer<'a> {
    p: &'a Params,
    /// Whole groups of four channels, and the group that is not whole.
    whole: Packed<'a>,
    last: Packed<'a>,
    image_len: usize,
    in_c: usize,
    out_c: usize,
    pixels: usize,
    out_w: usize,
    rows: usize,
    row_bytes: usize,
    kernel_w: usize,
    taps: usize,
    frame: Frame,
}

/// What windows are cut from.
#[derive(Clone, Copy)]
struct Frame {
    h: usize,
    w: usize,
    pad_top: usize,
    pad_left: usize,
}

impl<'a> Layer<'a> {
    fn new(p: &'a Params, packed: Packed<'a>) -> Option<Self> {
        let [in_h, in_w, in_c] = [p.in_h, p.in_w, p.in_c].map(size);
        let [out_c, out_h, out_w] = [p.out_c, p.out_h, p.out_w].map(size);
        let groups = out_c / 4;
        let taps = p.taps();
        let Packed {
            weights,
            channels,
            sign,
        } = packed;
        let (weights, last_weights) = weights.split_at_checked(groups * taps)?;
        let (channels, last_channels) = channels.split_at_checked(4 * groups)?;
        let pixels = out_h * out_w;
        let [pad_top, pad_left] = [p.pad_top, p.pad_left].map(size);
        // Single pixels are one long line, padding is part of a copy.
        let (frame, out_w) = if p.is_pointwise() {
            let [h, w] = [1, pixels];
            (
                Frame {
                    h,
                    w,
                    pad_top,
                    pad_left,
                },
                pixels,
            )
        } else if p.padded == 1 {
            let [h, w] = p.padded();
            let [pad_top, pad_left] = [0; 2];
            (
                Frame {
                    h,
                    w,
                    pad_top,
                    pad_left,
                },
                out_w,
            )
        } else {
            let [h, w] = [in_h, in_w];
            (
                Frame {
                    h,
                    w,
                    pad_top,
                    pad_left,
                },
                out_w,
            )
        };
        Some(Self {
            p,
            whole: Packed {
                weights,
                channels,
                sign,
            },
            last: Packed {
                weights: last_weights,
                channels: last_channels,
                sign,
            },
            image_len: in_h * in_w * in_c,
            in_c,
            out_c,
            pixels,
            out_w,
            rows: size(p.kernel_h),
            row_bytes: size(p.row_bytes),
            kernel_w: size(p.kernel_w),
            taps,
            frame,
        })
    }

    /// One image of the batch, two pixels at a time.
    fn image(
        &self,
        memory: &mut Memory<'_>,
        image: usize,
        acts: &mut [u32],
        border: &mut [i8],
    ) -> Option<()> {
        let (input, output) = match memory {
            Memory::Apart(input, output) => (input, output),
            Memory::Together { bytes, .. } => return self.in_place(bytes, acts, border),
        };
        let start = image * self.image_len;
        let input = input.get(start..start + self.image_len)?;
        let output_len = self.pixels * self.out_c;
        let output = output.get_mut(image * output_len..(image + 1) * output_len)?;
        if self.p.padded == 1 {
            self.pad(input, border)?;
            self.pixels(border, output, &mut [], acts)
        } else {
            self.pixels(input, output, border, acts)
        }
    }

    /// All pixels, from windows in `image` or copied to `patches`.
    fn pixels(
        &self,
        image: &[i8],
        output: &mut [i8],
        patches: &mut [i8],
        acts: &mut [u32],
    ) -> Option<()> {
        let (first, second) = patches.split_at_mut_checked(patches.len() / 2)?;
        let mut cursor = Cursor::new(self);
        let mut rest = output;
        for _ in 0..self.pixels / 2 {
            let a = cursor.window(self, image, first)?;
            let b = cursor.window(self, image, second)?;
            let (out, later) = rest.split_at_mut_checked(2 * self.out_c)?;
            rest = later;
            self.two([a, b], acts, out)?;
        }
        if rest.is_empty() {
            return Some(());
        }
        let window = cursor.window(self, image, first)?;
        self.one(window, acts, rest)
    }

    /// Single pixels whose outputs lie over the inputs: forwards, or backwards where outputs are longer.
    fn in_place(&self, bytes: &mut [i8], acts: &mut [u32], patch: &mut [i8]) -> Option<()> {
        let growing = self.out_c > self.in_c;
        let steps = self.pixels.div_ceil(2);
        let (first, second) = patch.split_at_mut_checked(patch.len() / 2)?;
        for step in 0..steps {
            let pixel = 2 * if growing { steps - 1 - step } else { step };
            let image = bytes.get(..self.image_len)?;
            let a = self.pixel(image, pixel, first)?;
            let to = pixel * self.out_c;
            if pixel + 1 == self.pixels {
                int8::gather1(a, 1, self.row_bytes / 4, acts.get_mut(..self.taps / 2)?)?;
                self.outputs1(acts, bytes.get_mut(to..to + self.out_c)?)?;
            } else {
                let b = self.pixel(image, pixel + 1, second)?;
                int8::gather2([a, b], 1, self.row_bytes / 4, acts)?;
                self.outputs2(acts, bytes.get_mut(to..to + 2 * self.out_c)?)?;
            }
        }
        Some(())
    }

    /// One pixel as a window; the last ones may end before their last word does.
    fn pixel<'w>(&self, image: &'w [i8], pixel: usize, patch: &'w mut [i8]) -> Option<Window<'w>> {
        let start = pixel * self.in_c;
        let stride = self.row_bytes;
        if let Some(bytes) = image.get(start..start + stride) {
            return Some(Window { bytes, stride });
        }
        self.patch(image, [0, pixel], patch)?;
        Some(Window {
            bytes: patch,
            stride,
        })
    }

    #[inline]
    fn two(&self, windows: [Window<'_>; 2], acts: &mut [u32], out: &mut [i8]) -> Option<()> {
        if self.p.nine == 0 {
            int8::gather2(windows, self.rows, self.row_bytes / 4, acts)?;
        } else {
            int8::gather2_27(windows, acts.first_chunk_mut()?)?;
        }
        self.outputs2(acts, out)
    }

    fn one(&self, window: Window<'_>, acts: &mut [u32], out: &mut [i8]) -> Option<()> {
        let half = acts.get_mut(..self.taps / 2)?;
        if self.p.nine == 0 {
            int8::gather1(window, self.rows, self.row_bytes / 4, half)?;
        } else {
            int8::gather1_27(window, half.first_chunk_mut()?)?;
        }
        self.outputs1(acts, out)
    }

    /// Copies the input into the middle of its padding.
    fn pad(&self, input: &[i8], padded: &mut [i8]) -> Option<()> {
        let p = self.p;
        let [top, left] = [p.pad_top, p.pad_left].map(size);
        let w = self.frame.w;
        padded.fill(p.input_zero_point as i8);
        let mut from = input;
        for y in 0..size(p.in_h) {
            let (line, rest) = from.split_at_checked(size(p.in_w) * self.in_c)?;
            from = rest;
            // The last rows and columns may be out of every window's reach.
            if top + y >= self.frame.h {
                break;
            }
            let at = ((top + y) * w + left) * self.in_c;
            let reach = (w.saturating_sub(left) * self.in_c).min(line.len());
            padded
                .get_mut(at..at + reach)?
                .copy_from_slice(line.get(..reach)?);
        }
        Some(())
    }

    /// Bytes from row to row of a window that lies in the image.
    #[inline]
    fn stride(&self) -> usize {
        if self.rows == 1 {
            self.row_bytes
        } else {
            self.frame.w * self.in_c
        }
    }

    /// Copies the window at `(y, x)` of the image, where numbers that wrapped stand for negative ones.
    #[inline(never)]
    fn patch(&self, image: &[i8], [y, x]: [usize; 2], patch: &mut [i8]) -> Option<()> {
        let Frame { h, w, .. } = self.frame;
        patch.fill(self.p.input_zero_point as i8);
        // Columns of the kernel from the first to behind the last that lie in the image.
        let negative = x > usize::MAX / 2;
        let left = if negative { x.wrapping_neg() } else { 0 };
        let start = if negative { 0 } else { x };
        let columns = self
            .kernel_w
            .checked_sub(left)?
            .min(w.saturating_sub(start));
        let len = columns * self.in_c;
        for row in 0..self.rows {
            let y = y.wrapping_add(row);
            if y >= h {
                continue;
            }
            let from = (y * w + start) * self.in_c;
            let to = row * self.row_bytes + left * self.in_c;
            let (from, to) = (image.get(from..from + len)?, patch.get_mut(to..to + len)?);
            for (to, &from) in to.iter_mut().zip(from) {
                *to = from;
            }
        }
        Some(())
    }

    /// Outputs of the two windows in `acts`.
    #[inline]
    fn outputs2(&self, acts: &[u32], out: &mut [i8]) -> Option<()> {
        let (a, b) = out.split_at_mut_checked(self.out_c)?;
        if !self.whole.channels.is_empty() {
            int8::gemm2(&self.whole, acts, [&mut *a, &mut *b])?;
        }
        if self.last.channels.is_empty() {
            return Some(());
        }
        let mut ends = [[0; 4]; 2];
        let [end_a, end_b] = &mut ends;
        int8::gemm2(&self.last, acts, [end_a, &mut *end_b])?;
        self.ends(a, end_a)?;
        self.ends(b, end_b)
    }

    /// Outputs of the one window in the front half of `acts`.
    fn outputs1(&self, acts: &[u32], out: &mut [i8]) -> Option<()> {
        let acts = acts.get(..self.taps / 2)?;
        if !self.whole.channels.is_empty() {
            int8::gemv(&self.whole, acts, out)?;
        }
        if self.last.channels.is_empty() {
            return Some(());
        }
        let mut end = [0; 4];
        int8::gemv(&self.last, acts, &mut end)?;
        self.ends(out, &end)
    }

    /// The channels of the group that is not whole.
    #[inline(never)]
    fn ends(&self, out: &mut [i8], end: &[i8; 4]) -> Option<()> {
        copy(out.get_mut(self.whole.channels.len()..self.out_c)?, end);
        Some(())
    }
}

/// Goes from window to window. Places in the padding in front wrap to large numbers.
struct Cursor {
    y: usize,
    x: usize,
    /// Of the window's first byte.
    offset: usize,
    /// Outputs left in the line.
    left: usize,
    /// Bytes of a line of the image, of a step, and from a window's first byte to behind its last.
    line: usize,
    step: usize,
    span: usize,
    /// The last column at which a window lies inside.
    last_x: usize,
    /// Whether the window's rows lie inside, and may at all be used where they lie.
    inside: bool,
}

impl Cursor {
    fn new(layer: &Layer<'_>) -> Self {
        let Frame { w, pad_top, .. } = layer.frame;
        let line = w * layer.in_c;
        let stride = layer.stride();
        let mut cursor = Self {
            y: 0usize.wrapping_sub(pad_top),
            x: 0,
            offset: 0,
            left: 0,
            line,
            step: size(layer.p.stride_w) * layer.in_c,
            span: (layer.rows - 1) * stride + layer.row_bytes,
            last_x: w.wrapping_sub(layer.kernel_w),
            inside: false,
        };
        cursor.start(layer);
        cursor
    }

    /// To the first window of the line `y`.
    fn start(&mut self, layer: &Layer<'_>) {
        let Frame { h, w, pad_left, .. } = layer.frame;
        self.x = 0usize.wrapping_sub(pad_left);
        self.offset = self
            .y
            .wrapping_mul(self.line)
            .wrapping_sub(pad_left * layer.in_c);
        self.left = layer.out_w;
        self.inside = self.y < h
            && self.y.wrapping_add(layer.rows) <= h
            && layer.kernel_w <= w
            && layer.stride() >= layer.row_bytes;
    }

    /// The next window: in the image, or a copy with padding in `patch`.
    #[inline]
    fn window<'w>(
        &mut self,
        layer: &Layer<'_>,
        image: &'w [i8],
        patch: &'w mut [i8],
    ) -> Option<Window<'w>> {
        if self.left == 0 {
            self.y = self.y.wrapping_add(size(layer.p.stride_h));
            self.start(layer);
        }
        let (x, offset) = (self.x, self.offset);
        self.x = x.wrapping_add(size(layer.p.stride_w));
        self.offset = offset.wrapping_add(self.step);
        self.left -= 1;
        // The last row may end before its last word does.
        if self.inside
            && x <= self.last_x
            && let Some(bytes) = image.get(offset..offset.wrapping_add(self.span))
        {
            let stride = layer.stride();
            return Some(Window { bytes, stride });
        }
        layer.patch(image, [self.y, x], patch)?;
        Some(Window {
            bytes: patch,
            stride: layer.row_bytes,
        })
    }
}

/// As many values as `to` takes.
fn copy(to: &mut [i8], from: &[i8]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}
