//! `CONV_2D_PACKED_I8`.

use super::{MISFIT, Memory, channels, check_channels, clamp, memory, sign};
use crate::params::{I8_MAX, I8_MIN, MAX_DIM, expect_count, expect_i8, expect_i8_output, size};
use otolith_dsp_arch::int8::layer::{self, Memory as _};
use otolith_dsp_arch::int8::{self, Packed, TAPS_27, Windows};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// 2-D convolution and fully connected layer on packed weights: the numbers of `CONV_2D_I8`.
///
/// A window is `kernel_h` rows of `row_bytes` bytes, of which the first `kernel_w * in_c` count;
/// the others meet weights of 0. With `nine = 1` the kernel is 3 x 3 of three channels and its 27
/// taps have the order of [`Windows::nine`]. A fully connected layer has one pixel a row.
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
        /// Output lines whose input the border operand holds at once, with its padding; 0 when it holds two
        /// windows.
        padded in 0, MAX_DIM;
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
    pub(super) fn is_pointwise(&self) -> bool {
        // None is below 1.
        (self.kernel_h | self.kernel_w | self.stride_h | self.stride_w) == 1
            && (self.pad_top | self.pad_left) == 0
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
    fn padded(&self) -> [i32; 2] {
        // The check bounds them.
        let axis = |out: i32, stride: i32, kernel: i32| {
            let last = (out - 1).wrapping_mul(stride);
            last.wrapping_add(kernel)
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
    let lines = size(p.padded - 1).checked_mul(size(p.stride_h))?;
    let rows = lines.checked_add(size(p.kernel_h))?;
    let [_, columns] = p.padded().map(size);
    let len = rows.checked_mul(columns)?.checked_mul(size(p.in_c))?;
    // The last window's last row may run over the end.
    let taps = size(p.kernel_w).saturating_mul(size(p.in_c));
    len.checked_add(row.saturating_sub(taps))
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let p = Params::checked(step)?;
    let row = size(p.kernel_w).saturating_mul(size(p.in_c));
    let fits = if p.nine == 1 {
        p.kernel_h == 3 && p.kernel_w == 3 && p.in_c == 3 && p.row_bytes == 9
    } else {
        p.row_bytes % 4 == 0 && row <= size(p.row_bytes)
    };
    let taps = p.taps();
    if !fits || !(8..=1 << 20).contains(&taps) {
        return Err(Fault::BadParam { param: 13 });
    }
    // Each window has some of the input, or of the padding in front of it.
    let reaches = |out: i32, stride, end| (out - 1).saturating_mul(stride) < end;
    if p.pad_top >= p.kernel_h
        || p.pad_left >= p.kernel_w
        || !reaches(p.out_h, p.stride_h, p.in_h + p.pad_top)
        || !reaches(p.out_w, p.stride_w, p.in_w + p.pad_left)
    {
        return Err(Fault::BadParam { param: 11 });
    }
    expect_i8(step, 0, &[p.batch, p.in_h, p.in_w, p.in_c])?;
    let slots = size(p.out_c).next_multiple_of(4);
    let words = [slots as i32 / 2, taps as i32 / 2];
    expect_count(step.table::<u32>(1)?.len(), &words, 1)?;
    check_channels(step, 2, slots)?;
    let acts = step.count_of_output::<u32>(3)?;
    let one = [p.out_h, p.out_w] == [1; 2];
    if acts != taps && !(one && p.nine == 0 && acts == taps / 2) {
        return Err(Fault::WrongLength { operand: 3 });
    }
    if Some(step.count_of_output::<i8>(4)?) != border_len(&p) {
        return Err(Fault::WrongLength { operand: 4 });
    }
    expect_i8_output(step, 5, &[p.batch, p.out_h, p.out_w, p.out_c])?;
    let alone = p.is_pointwise() && p.batch == 1 && p.padded == 0;
    if alone && step.starts_together(0, 5)? {
        // Input and output have as many pixels: the one with more channels covers the other.
        let larger = if p.in_c > p.out_c { 0 } else { 5 };
        return step.expect_apart(&[larger, 3, 4]);
    }
    step.expect_apart(&[0, 3, 4, 5])
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
    for number in 0..size(p.batch) {
        if layer::conv(&at_once, number, &mut memory).is_none() {
            image(&p, &packed, number, &mut memory, acts, border).ok_or(MISFIT)?;
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

/// Image number `number` of the batch: runs of windows that lie inside the input, and between them windows that
/// leave it, copied with their padding, two at a time.
#[inline(never)]
pub(super) fn image(
    p: &Params,
    packed: &Packed<'_>,
    number: usize,
    memory: &mut Memory<'_>,
    acts: &mut [u32],
    border: &mut [i8],
) -> Option<()> {
    let (input, output) = memory.parts();
    let [out_h, out_w, out_c] = [p.out_h, p.out_w, p.out_c].map(size);
    let [row_bytes, rows] = [p.row_bytes, p.kernel_h].map(size);
    let mut area = Area {
        first: number * size(p.in_h) * size(p.in_w) * size(p.in_c),
        h: p.in_h,
        w: p.in_w,
        c: size(p.in_c),
        padding: p.input_zero_point as i8,
    };
    let mut todo = out_h * out_w;
    let mut windows = Windows {
        from: 0,
        to: number * todo * out_c,
        count: 0,
        lines: 1,
        line_step: 0,
        step: 0,
        rows,
        row_bytes,
        stride: row_bytes,
        channels: out_c,
        nine: p.nine == 1,
    };
    let mut cursor = Cursor {
        y: -p.pad_top,
        x: -p.pad_left,
        left: out_w,
        line: out_w,
        start: -p.pad_left,
        stride: [p.stride_h, p.stride_w],
    };
    if p.padded > 0 {
        let [_, columns] = p.padded();
        let line = size(columns) * area.c;
        // Rows that the border operand holds, and those by which it goes on.
        let down = p.padded * p.stride_h;
        let held = down - p.stride_h + p.kernel_h;
        (windows.step, windows.stride, windows.count) = (size(p.stride_w) * area.c, line, out_w);
        windows.line_step = size(p.stride_h) * line;
        let (mut kept, mut lines) = (0, out_h);
        while lines > 0 {
            let new = border.get_mut(size(kept) * line..)?;
            let at = [cursor.y + kept, cursor.x];
            area.cut(input?, at, [held - kept, columns], line, new)?;
            windows.lines = lines.min(size(p.padded));
            int8::conv(packed, &windows, Some(border), acts, output)?;
            windows.to += windows.lines * out_w * out_c;
            lines -= windows.lines;
            cursor.y += down;
            kept = (held - down).max(0);
            to_front(border, size(down) * line)?;
        }
        return Some(());
    }
    let copies = border;
    if p.is_pointwise() {
        // All pixels are one long line.
        (area.h, area.w) = (1, todo as i32);
        (cursor.left, cursor.line) = (todo, todo);
    }
    let half = copies.len() / 2;
    while todo > 0 {
        let from = input.unwrap_or(output);
        let mut count = cursor.inside(area.h - p.kernel_h, area.w - p.kernel_w);
        windows.step = size(p.stride_w) * area.c;
        windows.stride = size(area.w) * area.c;
        windows.from = area.byte(cursor.y, cursor.x);
        // Behind the last rows there may be less than a row's last word.
        let end = windows
            .from
            .wrapping_add((rows - 1) * windows.stride + row_bytes);
        while count > 0 && end + (count - 1) * windows.step > from.len() {
            count -= 1;
        }
        // A last one finds its neighbour in the next line.
        if half > 0 && count < todo {
            count &= !1;
        }
        windows.count = count;
        cursor.advance(count);
        if count > 0 {
            int8::conv(packed, &windows, input, acts, output)?;
        } else {
            count = todo.min(2);
            for copy in copies.chunks_mut(half.max(1)).take(count) {
                let at = [cursor.y, cursor.x];
                area.cut(from, at, [p.kernel_h, p.kernel_w], row_bytes, copy)?;
                cursor.advance(1);
            }
            (windows.from, windows.count) = (0, count);
            (windows.step, windows.stride) = (half, row_bytes);
            int8::conv(packed, &windows, Some(copies), acts, output)?;
        }
        windows.to += count * out_c;
        todo -= count;
    }
    Some(())
}

/// Moves what begins at byte `by` to the front.
fn to_front(bytes: &mut [i8], by: usize) -> Option<()> {
    let mut rest = bytes;
    while rest.len() > by.max(1) {
        let (to, from) = rest.split_at_mut_checked(by)?;
        let len = by.min(from.len());
        to.get_mut(..len)?.copy_from_slice(from.get(..len)?);
        rest = from;
    }
    Some(())
}

/// The image that windows are cut from.
struct Area {
    /// Its first byte.
    first: usize,
    h: i32,
    w: i32,
    c: usize,
    padding: i8,
}

impl Area {
    /// Byte of the pixel `(y, x)`, of use where it lies inside.
    fn byte(&self, y: i32, x: i32) -> usize {
        let pixel = y.wrapping_mul(self.w).wrapping_add(x) as usize;
        pixel.wrapping_mul(self.c).wrapping_add(self.first)
    }

    /// Copies a window of `rows x columns` pixels that starts at `(y, x)`, with what padding it has, into rows of
    /// `row_bytes`.
    #[inline(never)]
    fn cut(
        &self,
        image: &[i8],
        [y, x]: [i32; 2],
        [rows, columns]: [i32; 2],
        row_bytes: usize,
        to: &mut [i8],
    ) -> Option<()> {
        to.fill(self.padding);
        let left = (-x).max(0);
        let len = size(columns.min(self.w - x) - left) * self.c;
        let mut at = size(left) * self.c;
        for y in y..y + rows {
            if (0..self.h).contains(&y) {
                let from = image.get(self.byte(y, x + left)..)?.get(..len)?;
                to.get_mut(at..)?.get_mut(..len)?.copy_from_slice(from);
            }
            at += row_bytes;
        }
        Some(())
    }
}

/// Goes from window to window, line by line.
struct Cursor {
    /// Where the window starts; in the padding in front numbers are negative.
    y: i32,
    x: i32,
    /// Windows left in the line, and windows of a line.
    left: usize,
    line: usize,
    /// Where a line's first window starts.
    start: i32,
    stride: [i32; 2],
}

impl Cursor {
    /// Windows from here on in the line that lie inside, when windows inside start at most at `(last_y, last_x)`.
    fn inside(&self, last_y: i32, last_x: i32) -> usize {
        let [_, stride] = self.stride;
        if self.y < 0 || self.y > last_y || self.x < 0 || self.x > last_x {
            return 0;
        }
        let further = (last_x - self.x).checked_div(stride).unwrap_or(0);
        (size(further) + 1).min(self.left)
    }

    fn advance(&mut self, count: usize) {
        let [down, right] = self.stride;
        self.x += count as i32 * right;
        self.left -= count;
        if self.left == 0 {
            (self.y, self.x, self.left) = (self.y + down, self.start, self.line);
        }
    }
}
