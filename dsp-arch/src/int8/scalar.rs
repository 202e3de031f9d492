//! The routines for small cores that load and multiply one number at a time, in plain Rust: ARMv7-M
//! (Cortex-M3), ARMv8-M (Cortex-M33) and 32-bit RISC-V.
//!
//! A pair of channels meets two windows, so that each value that is loaded is used twice: three loads,
//! an extension of the odd weight and four multiply-and-adds for four taps. Windows are gathered as
//! the bytes that they are, four of one beside four of the other; a load extends them.

use super::planes::{bytes, halves, march_by, settle};
use super::portable::requantise;
use super::{Channel, DEPTHWISE_3X3_RECORD, March, Packed, Sign, TAPS_27, Window};

pub(super) use super::planes::depthwise_3x3_lines;
#[cfg_attr(test, allow(unused_imports))]
pub(super) use super::portable::{add, add_to, depthwise_3x3_weights, depthwise_taps, sums};

/// The fours of bytes of a window's row.
#[inline(always)]
fn row<'a>(window: &Window<'a>, row: usize, words: usize) -> &'a [[u8; 4]] {
    let from = window.bytes.get(row * window.stride..).unwrap_or_default();
    // SAFETY: a number's bits are any byte.
    let (_, from, _) = unsafe { from.align_to::<u8>() };
    let (fours, _) = from.as_chunks();
    fours.get(..words).unwrap_or_default()
}

/// See [`super::portable::gather2`]. The first half of the words holds four bytes of both windows in turn.
#[inline(never)]
pub(super) fn gather2([a, b]: [Window<'_>; 2], rows: usize, words: usize, acts: &mut [u32]) {
    let (mut acts, _) = acts.as_chunks_mut::<2>();
    for i in 0..rows {
        let Some((to, rest)) = acts.split_at_mut_checked(words) else {
            return;
        };
        acts = rest;
        for (([x, y], &from_x), &from_y) in
            to.iter_mut().zip(row(&a, i, words)).zip(row(&b, i, words))
        {
            *x = u32::from_ne_bytes(from_x);
            *y = u32::from_ne_bytes(from_y);
        }
    }
}

/// See [`super::portable::gather1`]. The first half of the words holds the bytes.
#[inline(never)]
pub(super) fn gather1(window: Window<'_>, rows: usize, words: usize, acts: &mut [u32]) {
    let mut acts = acts;
    for i in 0..rows {
        let Some((to, rest)) = acts.split_at_mut_checked(words) else {
            return;
        };
        acts = rest;
        for (to, &from) in to.iter_mut().zip(row(&window, i, words)) {
            *to = u32::from_ne_bytes(from);
        }
    }
}

/// The ninth bytes of three rows, in the order of the taps.
#[inline(always)]
fn ninths(window: &Window<'_>) -> u32 {
    let ninth = |row: usize| {
        let byte = window.bytes.get(row * window.stride + 8);
        u32::from(byte.copied().unwrap_or(0) as u8)
    };
    ninth(0) | ninth(1) << 16 | ninth(2) << 8
}

/// See [`super::portable::gather2_27`].
pub(super) fn gather2_27(windows: [Window<'_>; 2], acts: &mut [u32; TAPS_27]) {
    let (fours, tail) = acts.split_at_mut(12);
    gather2(windows, 3, 2, fours);
    for (to, window) in tail.iter_mut().zip(&windows) {
        *to = ninths(window);
    }
}

/// See [`super::portable::gather1_27`].
pub(super) fn gather1_27(window: Window<'_>, acts: &mut [u32; TAPS_27 / 2]) {
    let (fours, tail) = acts.split_at_mut(6);
    gather1(window, 3, 2, fours);
    if let Some(to) = tail.first_mut() {
        *to = ninths(&window);
    }
}

/// `256 * S_even + S_odd` and `S_odd` of a pair of channels.
#[derive(Clone, Copy, Default)]
struct Sums {
    both: i32,
    odd: i32,
}

impl Sums {
    /// Adds the tap with the weights `weight` of both channels.
    #[inline(always)]
    fn add(&mut self, weight: i16, x: i8) {
        let x = i32::from(x);
        self.both = self.both.wrapping_add(i32::from(weight) * x);
        self.odd = self.odd.wrapping_add(i32::from(weight as i8) * x);
    }

    /// The doubled sum of the even channel.
    #[inline(always)]
    fn even(self) -> i32 {
        self.both.wrapping_sub(self.odd) >> 7
    }

    /// Outputs of both channels.
    #[inline(always)]
    fn outputs(mut self, [c, d]: [&Channel; 2], [to_even, to_odd]: [&mut i8; 2]) {
        *to_even = output(self.even(), c, Sign::Matters);
        settle(&mut self.both, &mut self.odd);
        *to_odd = output(self.odd << 1, d, Sign::Matters);
    }
}

/// The output of a channel with the doubled sum `sum`.
#[inline(always)]
fn output(sum: i32, channel: &Channel, sign: Sign) -> i8 {
    let [bias, ..] = channel;
    requantise(bias.wrapping_add(sum), channel, sign)
}

/// Adds one tap to two sums of pairs.
#[inline(always)]
fn tap(sums: [&mut Sums; 2], weights: [i16; 2], values: [i8; 2]) {
    let ([first, second], [w, v], [x, y]) = (sums, weights, values);
    first.add(w, x);
    second.add(v, y);
    settle(&mut first.both, &mut first.odd);
    settle(&mut second.both, &mut second.odd);
}

/// Adds four taps of channels 0 and 1 of a group, or with `SECOND` 2 and 3, to the sums of both windows.
#[inline(always)]
fn add_four<const SECOND: bool>(x: &mut Sums, y: &mut Sums, weights: &[i16; 8], acts: &[i8; 8]) {
    let [a, b, c, d, e, f, g, h] = weights;
    let [x0, x1, x2, x3, y0, y1, y2, y3] = acts;
    let [w0, w2, w1, w3] = if SECOND { [c, d, g, h] } else { [a, b, e, f] };
    tap([x, y], [*w0, *w0], [*x0, *y0]);
    tap([x, y], [*w2, *w2], [*x2, *y2]);
    tap([x, y], [*w1, *w1], [*x1, *y1]);
    tap([x, y], [*w3, *w3], [*x3, *y3]);
}

/// Outputs of channels 0 and 1 of a group, or with `SECOND` 2 and 3, for both windows.
#[inline(always)]
fn tile<const SECOND: bool>(
    weights: &[[i16; 8]],
    acts: &[[i8; 8]],
    [c, d]: [&Channel; 2],
    sign: Sign,
    [x_even, x_odd, y_even, y_odd]: [&mut i8; 4],
) {
    let (mut x, mut y) = (Sums::default(), Sums::default());
    let (mut weights, last_weights) = weights.as_chunks::<4>();
    let (acts, last_acts) = acts.as_chunks::<4>();
    // Of the same length for the compiler too: it counts once.
    let Some(mut acts) = acts.get(..weights.len()) else {
        return;
    };
    while let (Some(([s, t, u, v], later_weights)), Some(([a, b, c, d], later_acts))) =
        (weights.split_first(), acts.split_first())
    {
        add_four::<SECOND>(&mut x, &mut y, s, a);
        add_four::<SECOND>(&mut x, &mut y, t, b);
        add_four::<SECOND>(&mut x, &mut y, u, c);
        add_four::<SECOND>(&mut x, &mut y, v, d);
        (weights, acts) = (later_weights, later_acts);
    }
    for (w, a) in last_weights.iter().zip(last_acts) {
        add_four::<SECOND>(&mut x, &mut y, w, a);
    }
    *x_even = output(x.even(), c, sign);
    *y_even = output(y.even(), c, sign);
    settle(&mut x.odd, &mut y.odd);
    *x_odd = output(x.odd << 1, d, sign);
    *y_odd = output(y.odd << 1, d, sign);
}

/// See [`super::portable::gemm2`].
#[inline(never)]
pub(super) fn gemm2(packed: &Packed<'_>, acts: &[u32], outputs: [&mut [i8]; 2]) {
    let (mut weights, _) = halves(packed.weights).as_chunks::<8>();
    let (acts, _) = bytes(acts.get(..acts.len() / 2).unwrap_or_default()).as_chunks::<8>();
    let [xs, ys] = outputs;
    let (xs, ys) = (xs.as_chunks_mut::<4>().0, ys.as_chunks_mut::<4>().0);
    let (groups, _) = packed.channels.as_chunks::<4>();
    for (([c0, c1, c2, c3], x), y) in groups.iter().zip(xs).zip(ys) {
        let Some((group, rest)) = weights.split_at_checked(acts.len()) else {
            return;
        };
        weights = rest;
        let ([x0, x1, x2, x3], [y0, y1, y2, y3]) = (x, y);
        tile::<false>(group, acts, [c0, c1], packed.sign, [x0, x1, y0, y1]);
        tile::<true>(group, acts, [c2, c3], packed.sign, [x2, x3, y2, y3]);
    }
}

/// Sums of channels 0 and 1 of a group, and of 2 and 3.
#[inline(always)]
fn dots(weights: &[[i16; 8]], acts: &[[i8; 4]]) -> [Sums; 2] {
    let (mut first, mut second) = (Sums::default(), Sums::default());
    for ([a, b, c, d, e, f, g, h], [x0, x1, x2, x3]) in weights.iter().zip(acts) {
        tap([&mut first, &mut second], [*a, *c], [*x0, *x0]);
        tap([&mut first, &mut second], [*b, *d], [*x2, *x2]);
        tap([&mut first, &mut second], [*e, *g], [*x1, *x1]);
        tap([&mut first, &mut second], [*f, *h], [*x3, *x3]);
    }
    [first, second]
}

/// See [`super::portable::gemv`].
#[inline(never)]
pub(super) fn gemv(packed: &Packed<'_>, acts: &[u32], to: &mut [i8]) {
    let (mut weights, _) = halves(packed.weights).as_chunks::<8>();
    let (acts, _) = bytes(acts.get(..acts.len() / 2).unwrap_or_default()).as_chunks::<4>();
    let (groups, _) = packed.channels.as_chunks::<4>();
    for ([c0, c1, c2, c3], to) in groups.iter().zip(to.as_chunks_mut::<4>().0) {
        let Some((group, rest)) = weights.split_at_checked(acts.len()) else {
            return;
        };
        weights = rest;
        let [first, second] = dots(group, acts);
        let [t0, t1, t2, t3] = to;
        first.outputs([c0, c1], [t0, t1]);
        second.outputs([c2, c3], [t2, t3]);
    }
}

/// See [`super::gemv_sums`].
pub(super) fn gemv_sums(weights: &[u32], acts: &[u32], sums: &mut [i32; 4]) {
    let [first, second] = dots(halves(weights).as_chunks().0, bytes(acts).as_chunks().0);
    let [s0, s1, s2, s3] = sums;
    for (even, odd, found) in [(s0, s1, first), (s2, s3, second)] {
        *even = even.wrapping_add(found.both.wrapping_sub(found.odd) >> 8);
        *odd = odd.wrapping_add(found.odd);
    }
}

/// See [`super::depthwise_3x3_march`].
#[inline(never)]
pub(super) fn depthwise_3x3_march(
    march: &March,
    planes: &[u32],
    record: &[u32; DEPTHWISE_3X3_RECORD],
    output: &mut [i8],
) {
    let _fits = march_by(
        march,
        planes,
        record,
        output,
        |[even, odd], channel, sign| {
            [
                requantise(even, channel, sign),
                requantise(odd, channel, sign),
            ]
        },
    );
}
