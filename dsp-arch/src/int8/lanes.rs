//! The routines for ARMv6-M (Cortex-M0, M0+), in plain Rust: the core has no multiply-and-add, no
//! 64-bit products, and no sign-extending load with an offset.
//!
//! Two windows share one multiplication. Their values `x` and `y` stand in one word as
//! `x + (y << 16)`, so that `w` times the word is `w * x + (w * y << 16)`. Two such products add up
//! before the halves are taken apart: with `|w * x| <= 2^14` no half overflows its 16 bits.

use super::planes::{march_by, settle};
use super::portable;
use super::{Channel, DEPTHWISE_3X3_RECORD, March, Packed, Sign, TAPS_27, Window};

pub(super) use super::planes::depthwise_3x3_lines;
#[cfg_attr(test, allow(unused_imports))]
pub(super) use portable::{
    add, add_to, depthwise_3x3_weights, depthwise_taps, gather1, gather1_27, gemv_sums, sums,
};

/// Values of two windows in one word.
#[inline(always)]
fn join(x: i8, y: i8) -> u32 {
    (i32::from(x) + (i32::from(y) << 16)) as u32
}

/// See [`super::portable::gather2`]. The words are `x + (y << 16)` for bytes 0, 2, 1 and 3 of each four.
#[inline(never)]
pub(super) fn gather2(windows: [Window<'_>; 2], rows: usize, words: usize, acts: &mut [u32]) {
    let (mut acts, _) = acts.as_chunks_mut::<4>();
    let [a, b] = windows;
    for i in 0..rows {
        let Some((to, rest)) = acts.split_at_mut_checked(words) else {
            return;
        };
        acts = rest;
        let [a, b] = [a, b].map(|window| {
            let from = window.bytes.get(i * window.stride..).unwrap_or_default();
            from.as_chunks::<4>().0
        });
        for ((to, &[x0, x1, x2, x3]), &[y0, y1, y2, y3]) in to.iter_mut().zip(a).zip(b) {
            *to = [join(x0, y0), join(x2, y2), join(x1, y1), join(x3, y3)];
        }
    }
}

/// See [`super::portable::gather2_27`].
pub(super) fn gather2_27(windows: [Window<'_>; 2], acts: &mut [u32; TAPS_27]) {
    let (fours, tail) = acts.split_at_mut(24);
    gather2(windows, 3, 2, fours);
    let [a, b] = windows;
    let ninth = |window: &Window<'_>, row: usize| {
        let byte = window.bytes.get(row * window.stride + 8);
        byte.copied().unwrap_or(0)
    };
    for (row, to) in tail.iter_mut().enumerate() {
        *to = match row {
            0..3 => join(ninth(&a, row), ninth(&b, row)),
            _ => 0,
        };
    }
}

/// Added to a sum of two products: makes both halves positive, whatever they are.
const OFFSET: u32 = 0x7fff_7fff;

/// Sums of one channel for two windows, in parts.
#[derive(Default)]
struct Lanes {
    /// Of the words.
    total: i32,
    /// Of their upper halves.
    upper: i32,
}

impl Lanes {
    /// Adds two taps of the even channel whose weights are in `weights`, or with `ODD` of the odd one.
    #[inline(always)]
    fn add<const ODD: bool>(&mut self, weights: &u32, [x, y]: &[u32; 2]) {
        let weights = *weights;
        let (w, v) = if ODD {
            (weights as i8 as i32, (weights >> 16) as i8 as i32)
        } else {
            // What the odd weight borrowed comes back before the shift.
            let (w, v) = (i32::from(weights as i16), weights as i32 >> 16);
            ((w + 0x80) >> 8, (v + 0x80) >> 8)
        };
        let sum = (w as u32)
            .wrapping_mul(*x)
            .wrapping_add((v as u32).wrapping_mul(*y))
            .wrapping_add(OFFSET);
        self.total = self.total.wrapping_add(sum as i32);
        self.upper = self.upper.wrapping_add((sum >> 16) as i32);
        settle(&mut self.total, &mut self.upper);
    }

    /// Adds four taps of channels 0 and 1 of a group, or with `SECOND` of 2 and 3.
    #[inline(always)]
    fn add_two<const SECOND: bool, const ODD: bool>(
        &mut self,
        [[a, b], [c, d]]: &[[u32; 2]; 2],
        [x, y]: &[[u32; 2]; 2],
    ) {
        self.add::<ODD>(if SECOND { b } else { a }, x);
        self.add::<ODD>(if SECOND { d } else { c }, y);
    }

    /// The sums after `n` words.
    #[inline(always)]
    fn sums(self, n: usize) -> [i32; 2] {
        let n = n as u32;
        let upper = (self.upper as u32).wrapping_sub(n.wrapping_mul(OFFSET >> 16));
        let lower = (self.total as u32)
            .wrapping_sub(n.wrapping_mul(OFFSET))
            .wrapping_sub(upper << 16);
        [lower as i32, upper as i32]
    }
}

/// Doubled sums of one channel of a group for both windows: of channels 0 and 1, or with `SECOND` 2 and 3, the
/// first one or with `ODD` the second. By itself, the loop has the few registers of the core for its own. The
/// sums of the second window are in the upper half: so they go through registers.
#[inline(never)]
fn dots<const SECOND: bool, const ODD: bool>(
    weights: &[[[u32; 2]; 2]],
    acts: &[[[u32; 2]; 2]],
) -> i64 {
    let (mut lanes, n) = (Lanes::default(), 2 * acts.len());
    let (mut weights, last_weights) = weights.as_chunks::<4>();
    let (acts, last_acts) = acts.as_chunks::<4>();
    // Of the same length for the compiler too: it counts once.
    let Some(mut acts) = acts.get(..weights.len()) else {
        return 0;
    };
    while let (Some(([s, t, u, v], later_weights)), Some(([a, b, c, d], later_acts))) =
        (weights.split_first(), acts.split_first())
    {
        lanes.add_two::<SECOND, ODD>(s, a);
        lanes.add_two::<SECOND, ODD>(t, b);
        lanes.add_two::<SECOND, ODD>(u, c);
        lanes.add_two::<SECOND, ODD>(v, d);
        (weights, acts) = (later_weights, later_acts);
    }
    for (w, x) in last_weights.iter().zip(last_acts) {
        lanes.add_two::<SECOND, ODD>(w, x);
    }
    let [x, y] = lanes.sums(n);
    let [x, y] = if ODD {
        [x << 1, y << 1]
    } else {
        // The shifts give an even sum the 24 bits that other cores have for it.
        [(x << 8) >> 7, (y << 8) >> 7]
    };
    i64::from(y) << 32 | i64::from(x as u32)
}

/// Outputs of one channel for both windows, see [`dots`].
#[inline(always)]
fn two<const SECOND: bool, const ODD: bool>(
    weights: &[[[u32; 2]; 2]],
    acts: &[[[u32; 2]; 2]],
    channel: &Channel,
    sign: Sign,
    [to_x, to_y]: [&mut i8; 2],
) {
    let [bias, ..] = channel;
    let sums = dots::<SECOND, ODD>(weights, acts);
    let (x, y) = (sums as i32, (sums >> 32) as i32);
    let (x, y) = (bias.wrapping_add(x), bias.wrapping_add(y));
    [*to_x, *to_y] = requantise2(x, y, channel, sign);
}

/// See [`super::portable::gemm2`].
#[inline(never)]
pub(super) fn gemm2(packed: &Packed<'_>, acts: &[u32], outputs: [&mut [i8]; 2]) {
    let acts = acts.as_chunks::<2>().0.as_chunks::<2>().0;
    let mut weights = packed.weights.as_chunks::<2>().0.as_chunks::<2>().0;
    let [xs, ys] = outputs;
    let (xs, ys) = (xs.as_chunks_mut::<4>().0, ys.as_chunks_mut::<4>().0);
    let (groups, _) = packed.channels.as_chunks::<4>();
    for (([c0, c1, c2, c3], x), y) in groups.iter().zip(xs).zip(ys) {
        let Some((group, rest)) = weights.split_at_checked(acts.len()) else {
            return;
        };
        weights = rest;
        let ([x0, x1, x2, x3], [y0, y1, y2, y3]) = (x, y);
        two::<false, false>(group, acts, c0, packed.sign, [x0, y0]);
        two::<false, true>(group, acts, c1, packed.sign, [x1, y1]);
        two::<true, false>(group, acts, c2, packed.sign, [x2, y2]);
        two::<true, true>(group, acts, c3, packed.sign, [x3, y3]);
    }
}

/// `256 * S_even + S_odd` and `S_odd` of a pair of channels and one window.
#[derive(Default)]
struct Sums {
    both: i32,
    odd: i32,
}

impl Sums {
    /// Adds two taps.
    #[inline(always)]
    fn add(&mut self, weights: &u32, values: &u32) {
        let (weights, values) = (*weights as i32, *values as i32);
        let x = i32::from(values as i16);
        self.odd = self.odd.wrapping_add(i32::from(weights as i8) * x);
        self.both = self.both.wrapping_add(i32::from(weights as i16) * x);
        settle(&mut self.both, &mut self.odd);
        let (w, y) = (weights >> 16, values >> 16);
        self.odd = self.odd.wrapping_add(i32::from(w as i8) * y);
        self.both = self.both.wrapping_add(w * y);
        settle(&mut self.both, &mut self.odd);
    }
}

/// Doubled sums of channels 0 and 1 of a group, or with `SECOND` 2 and 3, for one window: the odd channel's in
/// the upper half.
#[inline(never)]
fn dot<const SECOND: bool>(mut weights: &[[[u32; 2]; 2]], acts: &[[u32; 2]]) -> i64 {
    let mut sums = Sums::default();
    let Some(mut acts) = acts.get(..weights.len()) else {
        return 0;
    };
    while let (Some(([[a, b], [c, d]], later_weights)), Some(([x, y], later_acts))) =
        (weights.split_first(), acts.split_first())
    {
        sums.add(if SECOND { b } else { a }, x);
        sums.add(if SECOND { d } else { c }, y);
        (weights, acts) = (later_weights, later_acts);
    }
    let even = sums.both.wrapping_sub(sums.odd) >> 7;
    i64::from(sums.odd << 1) << 32 | i64::from(even as u32)
}

/// See [`super::gemv`].
#[inline(never)]
pub(super) fn gemv(packed: &Packed<'_>, acts: &[u32], to: &mut [i8]) {
    let (acts, _) = acts.as_chunks::<2>();
    let mut weights = packed.weights.as_chunks::<2>().0.as_chunks::<2>().0;
    let (groups, _) = packed.channels.as_chunks::<4>();
    for ([c0, c1, c2, c3], to) in groups.iter().zip(to.as_chunks_mut::<4>().0) {
        let Some((group, rest)) = weights.split_at_checked(acts.len()) else {
            return;
        };
        weights = rest;
        let [t0, t1, t2, t3] = to;
        let sums = dot::<false>(group, acts);
        *t0 = output(sums as i32, c0);
        *t1 = output((sums >> 32) as i32, c1);
        let sums = dot::<true>(group, acts);
        *t2 = output(sums as i32, c2);
        *t3 = output((sums >> 32) as i32, c3);
    }
}

/// The output of a channel with the doubled sum `sum`.
#[inline(never)]
fn output(sum: i32, channel: &Channel) -> i8 {
    let &[bias, _, constant, shift] = channel;
    let sum = bias.wrapping_add(sum);
    if sum < 0 && is_lowest(constant, shift) {
        return i8::MIN;
    }
    requantise(sum, channel, Sign::Matters)
}

/// Whether each negative sum gives the lowest output: it does not raise the constant, and with shifts up to 22
/// nothing wraps.
#[inline(always)]
fn is_lowest(constant: i32, shift: i32) -> bool {
    constant.wrapping_shr(shift as u32) == i32::from(i8::MIN)
}

/// Outputs of a channel with the doubled sums `x` and `y`, biases added: [`portable::requantise`].
#[inline(never)]
fn requantise2(x: i32, y: i32, channel: &Channel, sign: Sign) -> [i8; 2] {
    let &[_, _, constant, shift] = channel;
    let lowest = is_lowest(constant, shift);
    let output = |sum: i32| {
        if lowest && sum < 0 {
            i8::MIN
        } else {
            requantise(sum, channel, sign)
        }
    };
    [output(x), output(y)]
}

/// [`portable::requantise`] from 32-bit products where the sum allows it: the multiplier is taken
/// apart into `m2 * 2^20 + m1 * 2^10 + m0`, and each part's floor is exact.
#[inline(never)]
fn requantise(sum: i32, channel: &Channel, sign: Sign) -> i8 {
    /// Sums from `-SMALL` to below `SMALL` are multiplied in parts.
    const SMALL: u32 = 1 << 19;
    if (sum as u32).wrapping_add(SMALL) >= 2 * SMALL {
        return requantise_large(sum, channel, sign);
    }
    let &[_, multiplier, constant, shift] = channel;
    let m0 = multiplier & 0x3ff;
    let m1 = (multiplier >> 10) & 0x3ff;
    let m2 = multiplier >> 20;
    let high = (sum * m2 + ((sum * m1 + ((sum * m0) >> 10)) >> 10) + (1 << 11)) >> 12;
    let t = match sign {
        Sign::Matters => constant.wrapping_add(sum >> 31),
        Sign::Saturates => constant,
    };
    saturate(high.wrapping_add(t).wrapping_shr(shift as u32))
}

/// [`portable::requantise`] by a 64-bit product, which such cores need a call for.
#[cold]
#[inline(never)]
fn requantise_large(sum: i32, channel: &Channel, sign: Sign) -> i8 {
    portable::requantise(sum, channel, sign)
}

/// `y` or the nearest value of 8 bits.
#[inline(always)]
fn saturate(y: i32) -> i8 {
    if y == i32::from(y as i8) {
        return y as i8;
    }
    (y >> 31) as i8 ^ i8::MAX
}

/// See [`super::depthwise_3x3_march`].
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
        |[even, odd], channel, sign| requantise2(even, odd, channel, sign),
    );
}
