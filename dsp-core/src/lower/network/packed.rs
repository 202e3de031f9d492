//! Weights and channels packed for processors that multiply pairs of 16-bit numbers.
//!
//! The forms are those of `otolith_dsp_arch::int8`. A layer is packed only where it is proven that the
//! short requantisation gives the bits of the general one and that no sum overflows; otherwise the
//! operators on plain weights run it.

use super::weighted::{Requantisation, Weighted};
use crate::plan_builder::TensorId;
use otolith_classifier::ops::packed::{conv, depthwise, split, taps};
use otolith_classifier::requant::mbqm;
use otolith_dsp_arch::int8::{Channel, TAPS_27};
use otolith_dsp_nostd::format::Elem;

/// Largest right shift of a packed channel.
const MAX_SHIFT: i32 = 22;
/// Bound of sums with their bias: doubled they must fit 32 bits.
const MAX_SUM: i64 = 1 << 30;
/// Bound of the sums of a group's even channels, which are kept 256 times as large.
const MAX_EVEN: i64 = 1 << 23;
/// Largest input with its padding, in bytes, that is copied by lines: of larger ones windows at the border are
/// copied one by one.
const MAX_PADDED: usize = 4096;
/// Output lines whose padded input is copied at once: with more, fewer rows are moved, but more are held.
const LINES: i32 = 2;
/// Bytes of planes up to which all lines are kept; beyond it three of them.
const MAX_PLANES: usize = 2048;
/// Inputs of a part of a long fully connected layer.
const PART: usize = 512;

/// A layer's channels in packed form, and those whose output does not depend on the input.
pub(super) struct Channels {
    /// Filled up to a multiple of four.
    records: Vec<Channel>,
    /// The weights count as zeros.
    constant: Vec<bool>,
    saturates: bool,
}

/// The smallest and the largest sum of weights times int8 values.
fn reach(weights: impl Iterator<Item = i8>) -> (i64, i64) {
    weights.fold((0, 0), |(low, high), w| {
        let (a, b) = (-128 * i64::from(w), 127 * i64::from(w));
        (low + a.min(b), high + a.max(b))
    })
}

impl Channels {
    /// Packs the channels of a layer, `weights(c)` being those of channel `c`; `None` when one of them does not
    /// fit.
    pub(super) fn new<W: Iterator<Item = i8> + Clone>(
        layer: &Weighted<'_>,
        requant: &Requantisation,
        weights: impl Fn(usize) -> W,
    ) -> Option<Self> {
        let n = layer.channels;
        let mut records = Vec::with_capacity(n.next_multiple_of(4));
        let mut constant = vec![false; n.next_multiple_of(4)];
        for (c, constant) in constant.iter_mut().enumerate().take(n) {
            let sum: i64 = weights(c).map(i64::from).sum();
            let (low, high) = reach(weights(c));
            let bias = i64::from(requant.bias[c]) - i64::from(requant.input_zero_point) * sum;
            let (q, shift) = requant.multiplier(c);
            let output = |acc: i64| {
                let scaled = mbqm(acc as i32, q, shift);
                scaled
                    .saturating_add(requant.output_zero_point)
                    .clamp(-128, 127)
            };
            let (low, high) = (bias + low, bias + high);
            // The reference's sums fit 32 bits, which was proven before.
            if output(low) == output(high) {
                *constant = true;
                records.push([0, 1 << 30, 2 * output(low) + 1, 1]);
                continue;
            }
            let right = -shift;
            let largest = low.abs().max(high.abs()).max(bias.abs());
            if !(1..=MAX_SHIFT).contains(&right) || largest >= MAX_SUM || q < 1 << 30 {
                return None;
            }
            let rounding = (1 << (right - 1)) + (requant.output_zero_point << right);
            records.push([2 * bias as i32, q, rounding, right]);
        }
        // What fills the last group up: its outputs are dropped.
        records.resize(records.len().next_multiple_of(4), [0, 1 << 30, 1, 1]);
        Some(Self {
            records,
            constant,
            saturates: requant.output_zero_point == -128 && requant.min == -128,
        })
    }
}

/// Weights as dot products: two words for each pair of taps and each four channels. `order` are the taps as
/// they are gathered, `None` for one that no weight meets; `weight(c, tap)`. `None` when the even channel of a
/// lane could overflow: `part` taps at a time are summed.
fn dot_words(
    channels: &Channels,
    order: &[[Option<usize>; 2]],
    n: usize,
    part: usize,
    weight: impl Fn(usize, usize) -> i8,
) -> Option<Vec<u32>> {
    let value = |c: usize, tap: Option<usize>| match tap {
        Some(tap) if c < n && !channels.constant[c] => i32::from(weight(c, tap)),
        _ => 0,
    };
    let mut words = Vec::new();
    for group in 0..channels.records.len() / 4 {
        for half in [0, 2] {
            let even = 4 * group + half;
            for taps in order.chunks(part / 2) {
                let taps = taps.iter().flatten();
                let sum: i64 = taps.map(|&tap| i64::from(value(even, tap)).abs()).sum();
                if 128 * sum >= MAX_EVEN {
                    return None;
                }
            }
        }
        for &pair in order {
            for half in [0, 2] {
                let even = 4 * group + half;
                let lane = pair.map(|tap| 256 * value(even, tap) + value(even + 1, tap));
                let [low, high] = lane.map(i16::try_from);
                words.push(u32::from(low.ok()? as u16) | u32::from(high.ok()? as u16) << 16);
            }
        }
    }
    Some(words)
}

/// Taps of `rows` rows of `row_bytes` bytes, `len` of which count, in the order in which they are gathered.
fn row_order(rows: usize, row_bytes: usize, len: usize) -> Vec<[Option<usize>; 2]> {
    let tap = |row: usize, byte: usize| (byte < len).then_some(row * len + byte);
    let fours = (0..rows).flat_map(|row| (0..row_bytes / 4).map(move |four| (row, 4 * four)));
    fours
        .flat_map(|(row, at)| {
            [
                [tap(row, at), tap(row, at + 2)],
                [tap(row, at + 1), tap(row, at + 3)],
            ]
        })
        .collect()
}

/// Taps of a 3 x 3 window of three channels in their own order.
fn order_27() -> Vec<[Option<usize>; 2]> {
    let mut order = Vec::new();
    for row in 0..3 {
        for at in [0, 4] {
            let tap = |byte: usize| Some(9 * row + at + byte);
            order.extend([[tap(0), tap(2)], [tap(1), tap(3)]]);
        }
    }
    order.extend([[Some(8), Some(17)], [Some(26), None]]);
    order
}

/// A convolution's sizes and its weights, output channels outermost.
pub(super) struct Conv<'t> {
    pub(super) p: conv::Params,
    pub(super) weights: &'t [i8],
}

impl super::Lowering<'_, '_> {
    /// The tables of a packed layer: weights and channels.
    fn packed_tables(&mut self, name: &str, words: &[u32], channels: &Channels) -> [TensorId; 2] {
        let records = channels.records.concat();
        let plan = &mut self.plan;
        [
            plan.table(&format!("{name}.weights"), &[words.len()], words),
            plan.table(&format!("{name}.channels"), &[records.len()], &records),
        ]
    }

    /// Appends a packed convolution; `false` when it cannot be packed.
    pub(super) fn packed_conv(
        &mut self,
        name: &str,
        [x, y]: [TensorId; 2],
        layer: &Weighted<'_>,
        requant: &Requantisation,
        conv: Conv<'_>,
    ) -> bool {
        let Conv { mut p, weights } = conv;
        let [kernel_h, kernel_w, in_c, n] =
            [p.kernel_h, p.kernel_w, p.in_c, p.out_c].map(|d| d as usize);
        let len = kernel_w * in_c;
        let taps = kernel_h * len;
        let of = |c: usize| weights[c * taps..(c + 1) * taps].iter().copied();
        let Some(channels) = Channels::new(layer, requant, of) else {
            return false;
        };
        let nine = [kernel_h, kernel_w, in_c] == [3, 3, 3];
        let row_bytes = match nine {
            true => 9,
            false if kernel_h == 1 => len.next_multiple_of(4).max(8),
            false => len.next_multiple_of(4),
        };
        let order = match nine {
            true => order_27(),
            false => row_order(kernel_h, row_bytes, len),
        };
        let packed_taps = 2 * order.len();
        let weight = |c: usize, tap: usize| weights[c * taps + tap];
        let Some(words) = dot_words(&channels, &order, n, packed_taps, weight) else {
            return false;
        };
        debug_assert!(!nine || packed_taps == TAPS_27);
        p.row_bytes = row_bytes as i32;
        p.nine = i32::from(nine);
        p.saturates = i32::from(channels.saturates);
        let single = [p.out_h, p.out_w] == [1; 2] && !nine;
        let [w, c] = self.packed_tables(name, &words, &channels);
        let acts_len = if single { packed_taps / 2 } else { packed_taps };
        let acts = self
            .plan
            .tensor(&format!("{name}.activations"), Elem::U32, &[acts_len]);
        p.padded = if is_padded(&p) { p.out_h.min(LINES) } else { 0 };
        let border = conv::border_len(&p).unwrap_or(usize::MAX);
        let border = self
            .plan
            .tensor(&format!("{name}.border"), Elem::I8, &[border]);
        let operands = [x, w, c, acts, border, y];
        let op = &conv::CONV_2D_PACKED_I8;
        let pointwise = [p.kernel_h, p.kernel_w, p.stride_h, p.stride_w, p.batch] == [1; 5];
        match pointwise {
            true => self.step_in_place(op, name, &operands, &p.encode()),
            false => self.step(op, name, &operands, &p.encode()),
        }
        true
    }

    /// Appends a fully connected layer of one row in parts; `false` when it cannot be packed.
    pub(super) fn packed_split(
        &mut self,
        name: &str,
        [x, y]: [TensorId; 2],
        layer: &Weighted<'_>,
        requant: &Requantisation,
        weights: &[i8],
    ) -> bool {
        let (n_in, n_out) = (layer.inner, layer.channels);
        let of = |c: usize| weights[c * n_in..(c + 1) * n_in].iter().copied();
        let fits = n_in.is_multiple_of(4) && n_in >= PART && !(1..8).contains(&(n_in % PART));
        let Some(channels) = Channels::new(layer, requant, of).filter(|_| fits) else {
            return false;
        };
        let order = row_order(1, n_in, n_in);
        let weight = |c: usize, tap: usize| weights[c * n_in + tap];
        let Some(words) = dot_words(&channels, &order, n_out, PART, weight) else {
            return false;
        };
        let [w, c] = self.packed_tables(name, &words, &channels);
        let acts = self
            .plan
            .tensor(&format!("{name}.activations"), Elem::U32, &[PART / 2]);
        let p = split::Params {
            n_in: n_in as i32,
            n_out: n_out as i32,
            part: PART as i32,
            saturates: i32::from(channels.saturates),
            min: requant.min,
            max: requant.max,
        };
        let op = &split::FULLY_CONNECTED_SPLIT_I8;
        self.step(op, name, &[x, w, c, acts, y], &p.encode());
        true
    }

    /// Appends a packed depthwise convolution with one output for each input channel; `false` when it
    /// cannot be packed. Weights are `[kernel_h, kernel_w, channels]`.
    pub(super) fn packed_depthwise(
        &mut self,
        name: &str,
        [x, y]: [TensorId; 2],
        layer: &Weighted<'_>,
        requant: &Requantisation,
        p: &taps::Params,
        weights: &[i8],
    ) -> bool {
        let n = layer.channels;
        // A column is a row with another name, and runs along a row are longer.
        let column =
            [p.in_w, p.out_w, p.kernel_w, p.stride_w, p.pad_left] == [1, 1, 1, p.stride_w, 0];
        let p = &if column { transposed(p) } else { *p };
        if !n.is_multiple_of(4) || p.kernel_h > 255 || p.kernel_w > 255 {
            return false;
        }
        let of = |c: usize| weights.iter().skip(c).step_by(n).copied();
        let Some(channels) = Channels::new(layer, requant, of) else {
            return false;
        };
        let weight = |c: usize, tap: usize| match channels.constant[c] {
            true => 0,
            false => weights[tap * n + c],
        };
        if let Some(march) = march(p, channels.saturates) {
            let mut words = Vec::new();
            for c in 0..n {
                for line in 0..3 {
                    let tap = |i: usize| match march.along {
                        0 => weight(c, 3 * line + i),
                        _ => weight(c, 3 * i + line),
                    };
                    words.push(u32::from_le_bytes([0, 1, 1, 2].map(|i| tap(i) as u8)));
                }
            }
            let [w, c] = self.packed_tables(name, &words, &channels);
            let scratch = depthwise::scratch_len(&march);
            let scratch = self
                .plan
                .tensor(&format!("{name}.planes"), Elem::U32, &[scratch]);
            let op = &depthwise::DEPTHWISE_3X3_PACKED_I8;
            let operands = [x, w, c, scratch, y];
            match depthwise::may_share(&march) {
                true => self.step_in_place(op, name, &operands, &march.encode()),
                false => self.step(op, name, &operands, &march.encode()),
            }
            return true;
        }
        let taps = (p.kernel_h * p.kernel_w) as usize;
        let pairs = taps.div_ceil(2);
        let mut words = Vec::new();
        for block in 0..n / 4 {
            for pair in 0..pairs {
                for half in [0, 2] {
                    let at = |tap: usize, i: usize| match tap < taps {
                        true => weight(4 * block + half + i, tap) as u8,
                        false => 0,
                    };
                    let (t, u) = (2 * pair, 2 * pair + 1);
                    words.push(u32::from_le_bytes([at(t, 0), at(t, 1), at(u, 0), at(u, 1)]));
                }
            }
        }
        let [w, c] = self.packed_tables(name, &words, &channels);
        let tables = self
            .plan
            .tensor(&format!("{name}.taps"), Elem::U32, &[8, pairs]);
        let window = self
            .plan
            .tensor(&format!("{name}.window"), Elem::I8, &[8, pairs]);
        let op = &taps::DEPTHWISE_TAPS_PACKED_I8;
        self.step(op, name, &[x, w, c, tables, window, y], &p.encode());
        true
    }
}

/// Whether padded copies of lines are better than copies of windows at the border: where the input is small and
/// much of the output lies at the border.
fn is_padded(p: &conv::Params) -> bool {
    let inside = |[input, output, kernel, stride, pad]: [i32; 5]| {
        let whole = (0..output).filter(|o| {
            let start = o * stride - pad;
            start >= 0 && start + kernel <= input
        });
        whole.count()
    };
    let rows = inside([p.in_h, p.out_h, p.kernel_h, p.stride_h, p.pad_top]);
    let columns = inside([p.in_w, p.out_w, p.kernel_w, p.stride_w, p.pad_left]);
    let outputs = (p.out_h * p.out_w) as usize;
    let padded = conv::Params {
        padded: p.out_h,
        ..*p
    };
    let small = conv::border_len(&padded).is_some_and(|len| len <= MAX_PADDED);
    // Rows of a window may run into the next row of the padded input, not beyond it.
    let line = ((p.out_w - 1) * p.stride_w + p.kernel_w) * p.in_c;
    (p.kernel_h == 1 || line >= p.row_bytes) && small && 8 * (outputs - rows * columns) >= outputs
}

/// The same layer with height and width exchanged.
fn transposed(p: &taps::Params) -> taps::Params {
    taps::Params {
        in_h: p.in_w,
        in_w: p.in_h,
        out_h: p.out_w,
        out_w: p.out_h,
        kernel_h: p.kernel_w,
        kernel_w: p.kernel_h,
        stride_h: p.stride_w,
        stride_w: p.stride_h,
        dilation_h: p.dilation_w,
        dilation_w: p.dilation_h,
        pad_top: p.pad_left,
        pad_left: p.pad_top,
        ..*p
    }
}

/// The march of a 3 x 3 depthwise convolution, if it can march.
fn march(p: &taps::Params, saturates: bool) -> Option<depthwise::Params> {
    let plain = [p.kernel_h, p.kernel_w, p.dilation_h, p.dilation_w] == [3, 3, 1, 1];
    let stride = p.stride_h;
    if !plain || p.stride_w != stride || !(1..=2).contains(&stride) {
        return None;
    }
    // Padding behind an axis is at most what a kernel reaches.
    let axis = |input: i32, output: i32, pad: i32| {
        let last = (output - 1) * stride;
        (0..=1).contains(&pad) && last < input + pad
    };
    let fits = axis(p.in_h, p.out_h, p.pad_top) && axis(p.in_w, p.out_w, p.pad_left);
    // Two outputs a step: the way with fewer steps.
    let steps = |march: i32, across: i32| (march + 1) / 2 * across;
    let rows = steps(p.out_w, p.out_h);
    let columns = steps(p.out_h, p.out_w);
    let along = i32::from(p.out_w < 2 || (p.out_h >= 2 && columns < rows));
    let outputs = if along == 0 { p.out_w } else { p.out_h };
    if !fits || outputs < 2 {
        return None;
    }
    let mut march = depthwise::Params {
        in_h: p.in_h,
        in_w: p.in_w,
        channels: p.channels,
        out_h: p.out_h,
        out_w: p.out_w,
        stride,
        pad_top: p.pad_top,
        pad_left: p.pad_left,
        along,
        ring: 0,
        input_zero_point: p.input_zero_point,
        saturates: i32::from(saturates),
        min: p.min,
        max: p.max,
    };
    if 4 * depthwise::scratch_len(&march) > MAX_PLANES {
        march.ring = 1;
    }
    Some(march)
}
