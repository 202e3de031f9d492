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
/// four; activations u32, a word for each tap of two windows' pairs (for one output pixel half of
/// that is enough); border i8, scratch: twice `kernel_h * row_bytes` bytes for windows that do not lie inside the
/// input, or, when longer, the padded input; output i8 `[batch, out_h, out_w, out_c]`.
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
            && [self.batch, self.out_h, self.out_w] == [1, self.in_h, self.in_w]
    }

    /// Bytes of the input with its padding and of what a row may run over its end.
    fn padded_len(&self) -> Option<usize> {
        let [h, w] = self.padded();
        let len = h.checked_mul(w)?.checked_mul(size(self.in_c))?;
        len.checked_add(size(self.row_bytes))
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
    let border = step.count_of_output::<i8>(4)?;
    let patches = 2 * size(p.kernel_h) * size(p.row_bytes);
    if border != patches && Some(border) != p.padded_len() {
        return Err(Fault::WrongLength { operand: 4 });
    }
    let output = [p.batch, p.out_h, p.out_w, p.out_c];
    expect_count(step.count_of_output::<i8>(5)?, &output, 5)?;
    for (a, b) in [(0, 3), (0, 4), (3, 4), (3, 5), (4, 5)] {
        step.expect_disjoint(a, b)?;
    }
    if !(p.is_pointwise() && step.starts_together(0, 5)?) {
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
    let layer = Layer {
        p: &p,
        packed,
        out_c: size(p.out_c),
        rows: size(p.kernel_h),
        row_bytes: size(p.row_bytes),
        taps: p.taps(),
    };
    for image in 0..size(p.batch) {
        if layer::conv(&layer.whole(), image, &mut memory).is_none() {
            let done = layer.image(&mut memory, image, acts, border);
            done.ok_or(MISFIT)?;
        }
    }
    clamp(memory.output(), p.min, p.max);
    Ok(())
}

struct Layer<'a> {
    p: &'a Params,
    packed: Packed<'a>,
    out_c: usize,
    rows: usize,
    row_bytes: usize,
    taps: usize,
}

/// What windows are cut from.
#[derive(Clone, Copy)]
struct Frame {
    h: usize,
    w: usize,
    pad_top: usize,
    pad_left: usize,
}

impl Layer<'_> {
    /// What a processor needs that does the layer at once.
    fn whole(&self) -> layer::Conv<'_> {
        let p = self.p;
        layer::Conv {
            packed: self.packed,
            input: [p.in_h, p.in_w, p.in_c].map(size),
            output: [p.out_h, p.out_w, p.out_c].map(size),
            kernel: [p.kernel_h, p.kernel_w].map(size),
            stride: [p.stride_h, p.stride_w].map(size),
            pad: [p.pad_top, p.pad_left].map(size),
            row_bytes: self.row_bytes,
            nine: p.nine == 1,
            padding: p.input_zero_point as i8,
        }
    }

    /// One image of the batch, two pixels at a time.
    fn image(
        &self,
        memory: &mut Memory<'_>,
        image: usize,
        acts: &mut [u32],
        border: &mut [i8],
    ) -> Option<()> {
        let p = self.p;
        let [in_h, in_w, in_c] = [p.in_h, p.in_w, p.in_c].map(size);
        let input_len = in_h * in_w * in_c;
        let inputs = image * input_len..(image + 1) * input_len;
        let pixels = size(p.out_h) * size(p.out_w);
        let padded = border.len() == p.padded_len()?;
        let frame = if padded {
            self.pad(memory.input().get(inputs.clone())?, border)?;
            let [h, w] = p.padded();
            Frame {
                h,
                w,
                pad_top: 0,
                pad_left: 0,
            }
        } else {
            let [pad_top, pad_left] = [p.pad_top, p.pad_left].map(size);
            Frame {
                h: in_h,
                w: in_w,
                pad_top,
                pad_left,
            }
        };
        // What grows in place is done from the last pixel to the first.
        let growing = matches!(memory, Memory::Together { .. }) && self.out_c > in_c;
        let steps = pixels.div_ceil(2);
        for step in 0..steps {
            let pixel = 2 * if growing { steps - 1 - step } else { step };
            let n = (pixels - pixel).min(2);
            if padded {
                self.gather(border, frame, [pixel, n], &mut [], acts)?;
            } else {
                let input = memory.input().get(inputs.clone())?;
                self.gather(input, frame, [pixel, n], border, acts)?;
            }
            let at = (image * pixels + pixel) * self.out_c;
            self.product(n, acts, memory.output().get_mut(at..)?)?;
        }
        Some(())
    }

    /// Copies the input into the middle of its padding.
    fn pad(&self, input: &[i8], padded: &mut [i8]) -> Option<()> {
        let p = self.p;
        let [in_w, in_c, top, left] = [p.in_w, p.in_c, p.pad_top, p.pad_left].map(size);
        let [_, w] = p.padded();
        padded.fill(p.input_zero_point as i8);
        let mut from = input;
        for y in 0..size(p.in_h) {
            let (line, rest) = from.split_at_checked(in_w * in_c)?;
            from = rest;
            // The last rows and columns may be out of every window's reach.
            let at = ((top + y) * w + left) * in_c;
            let reach = w.saturating_sub(left).min(in_w) * in_c;
            if let Some(to) = padded.get_mut(at..at + reach) {
                to.copy_from_slice(line.get(..reach)?);
            }
        }
        Some(())
    }

    /// Widens the windows of `n` pixels from `pixel` on.
    #[inline]
    fn gather(
        &self,
        image: &[i8],
        frame: Frame,
        [pixel, n]: [usize; 2],
        patches: &mut [i8],
        acts: &mut [u32],
    ) -> Option<()> {
        let (first, second) = patches.split_at_mut_checked(patches.len() / 2)?;
        let a = self.window(image, frame, pixel, first)?;
        let words = self.row_bytes / 4;
        if n == 1 {
            let acts = acts.get_mut(..self.taps / 2)?;
            return match self.p.nine {
                0 => int8::gather1(a, self.rows, words, acts),
                _ => int8::gather1_27(a, acts.first_chunk_mut()?),
            };
        }
        let b = self.window(image, frame, pixel + 1, second)?;
        if self.p.nine == 0 {
            return int8::gather2([a, b], self.rows, words, acts);
        }
        int8::gather2_27([a, b], acts.first_chunk_mut()?)
    }

    /// The window of output `pixel`: in the image, or a copy with padding in `patch`.
    #[inline]
    fn window<'w>(
        &self,
        image: &'w [i8],
        frame: Frame,
        pixel: usize,
        patch: &'w mut [i8],
    ) -> Option<Window<'w>> {
        let p = self.p;
        let [in_c, out_w, kernel_w] = [p.in_c, p.out_w, p.kernel_w].map(size);
        let oy = pixel.checked_div(out_w)?;
        let ox = pixel - oy * out_w;
        let (y, x) = (oy * size(p.stride_h), ox * size(p.stride_w));
        let line = frame.w * in_c;
        let stride = if self.rows == 1 { self.row_bytes } else { line };
        let inside = y >= frame.pad_top
            && x >= frame.pad_left
            && y + self.rows <= frame.h + frame.pad_top
            && x + kernel_w <= frame.w + frame.pad_left
            && stride >= self.row_bytes;
        if inside {
            let start = (y - frame.pad_top) * line + (x - frame.pad_left) * in_c;
            let bytes = image.get(start..)?;
            // The last row may end before its last word does.
            if bytes.len() >= (self.rows - 1) * line + self.row_bytes {
                return Some(Window { bytes, stride });
            }
        }
        self.patch(image, frame, [y, x], patch)?;
        Some(Window {
            bytes: patch,
            stride: self.row_bytes,
        })
    }

    /// Copies the window at `(y, x)` of the padded image.
    #[inline(never)]
    fn patch(
        &self,
        image: &[i8],
        frame: Frame,
        [y, x]: [usize; 2],
        patch: &mut [i8],
    ) -> Option<()> {
        let p = self.p;
        let [in_c, kernel_w] = [p.in_c, p.kernel_w].map(size);
        patch.fill(p.input_zero_point as i8);
        // Columns of the kernel that are left of the image, and behind its right end.
        let left = frame.pad_left.saturating_sub(x).min(kernel_w);
        let right = (frame.w + frame.pad_left).saturating_sub(x).min(kernel_w);
        let len = right.saturating_sub(left) * in_c;
        for row in 0..self.rows {
            let Some(iy) = (y + row)
                .checked_sub(frame.pad_top)
                .filter(|&iy| iy < frame.h)
            else {
                continue;
            };
            let from = (iy * frame.w + x + left - frame.pad_left) * in_c;
            let to = row * self.row_bytes + left * in_c;
            let (from, to) = (image.get(from..from + len)?, patch.get_mut(to..to + len)?);
            for (to, &from) in to.iter_mut().zip(from) {
                *to = from;
            }
        }
        Some(())
    }

    /// Outputs of the `n` windows in `acts`, to the front of `out`.
    #[inline]
    fn product(&self, n: usize, acts: &[u32], out: &mut [i8]) -> Option<()> {
        let Packed {
            weights,
            channels,
            sign,
        } = self.packed;
        let whole = self.out_c / 4;
        let words = whole * self.taps;
        let (weights, last_weights) = weights.split_at_checked(words)?;
        let (channels, last_channels) = channels.split_at_checked(4 * whole)?;
        let all = Packed {
            weights,
            channels,
            sign,
        };
        let last = Packed {
            weights: last_weights,
            channels: last_channels,
            sign,
        };
        let (a, rest) = out.split_at_mut_checked(self.out_c)?;
        let behind = 4 * whole..self.out_c;
        let mut ends = [[0; 4]; 2];
        let [end_a, end_b] = &mut ends;
        if n == 1 {
            let acts = acts.get(..self.taps / 2)?;
            if whole > 0 {
                int8::gemv(&all, acts, a)?;
            }
            if !behind.is_empty() {
                int8::gemv(&last, acts, end_a)?;
                copy(a.get_mut(behind)?, end_a);
            }
            return Some(());
        }
        let (b, _) = rest.split_at_mut_checked(self.out_c)?;
        if whole > 0 {
            int8::gemm2(&all, acts, [a, b])?;
        }
        if !behind.is_empty() {
            int8::gemm2(&last, acts, [end_a, end_b])?;
            copy(a.get_mut(behind.clone())?, end_a);
            copy(b.get_mut(behind)?, end_b);
        }
        Some(())
    }
}

/// As many values as `to` takes.
fn copy(to: &mut [i8], from: &[i8]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}
