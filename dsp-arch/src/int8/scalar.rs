//! The routines for small cores that load and multiply one number at a time, in plain Rust: ARMv7-M
//! (Cortex-M3), ARMv8-M (Cortex-M33) and 32-bit RISC-V.
//!
//! A pair of channels meets two windows, so that each value that is loaded is used twice: four
//! loads and four multiply-and-adds for four taps.

use super::planes::{halves, march_by, settle};
use super::portable::requantise;
use super::{Channel, DEPTHWISE_3X3_RECORD, March, Packed, Sign};

pub(super) use super::planes::depthwise_3x3_lines;
#[cfg_attr(test, allow(unused_imports))]
pub(super) use super::portable::{
    add, add_to, depthwise_3x3_weights, depthwise_taps, gather1, gather2, gather2_27, sums,
};

/// The doubled sums of both channels from `256 * S_even + S_odd` and `S_odd`.
#[inline(always)]
fn doubled(both: i32, odd: i32) -> [i32; 2] {
    [both.wrapping_sub(odd) >> 7, odd.wrapping_shl(1)]
}

/// The output of a channel with the doubled sum `sum`.
#[inline(always)]
fn output(sum: i32, channel: &Channel, sign: Sign) -> i8 {
    let [bias, ..] = channel;
    requantise(bias.wrapping_add(sum), channel, sign)
}

/// Doubled sums of channels 0 and 1 of a group, or with `SECOND` 2 and 3, for both windows.
#[inline(always)]
fn tile<const SECOND: bool>(weights: &[[u32; 2]], acts: &[[u32; 2]]) -> [[i32; 2]; 2] {
    let (mut x_both, mut x_odd, mut y_both, mut y_odd) = (0i32, 0i32, 0i32, 0i32);
    for (&[first, second], &[x, y]) in weights.iter().zip(acts) {
        let w = if SECOND { second } else { first };
        let lower = [
            w as i16 as i32,
            w as i8 as i32,
            x as i16 as i32,
            y as i16 as i32,
        ];
        let upper = [
            (w as i32) >> 16,
            (w >> 16) as i8 as i32,
            (x as i32) >> 16,
            (y as i32) >> 16,
        ];
        for [both, odd, x, y] in [lower, upper] {
            x_both = x_both.wrapping_add(both * x);
            y_both = y_both.wrapping_add(both * y);
            x_odd = x_odd.wrapping_add(odd * x);
            y_odd = y_odd.wrapping_add(odd * y);
            settle([&mut x_both, &mut x_odd, &mut y_both, &mut y_odd]);
        }
    }
    [doubled(x_both, x_odd), doubled(y_both, y_odd)]
}

/// See [`super::portable::gemm2`].
pub(super) fn gemm2(packed: &Packed<'_>, acts: &[u32], outputs: [&mut [i8]; 2]) {
    let (acts, _) = acts.as_chunks::<2>();
    let (mut weights, _) = packed.weights.as_chunks::<2>();
    let [xs, ys] = outputs.map(|output| output.as_chunks_mut::<4>().0);
    let (groups, _) = packed.channels.as_chunks::<4>();
    for ((channels, x), y) in groups.iter().zip(xs).zip(ys) {
        let Some((group, rest)) = weights.split_at_checked(acts.len()) else {
            return;
        };
        weights = rest;
        let [c0, c1, c2, c3] = channels;
        let [x01, y01] = tile::<false>(group, acts);
        let quantise = |[even, odd]: [i32; 2], c: &Channel, d: &Channel| {
            [output(even, c, packed.sign), output(odd, d, packed.sign)]
        };
        let ([x0, x1], [y0, y1]) = (quantise(x01, c0, c1), quantise(y01, c0, c1));
        let [x23, y23] = tile::<true>(group, acts);
        let ([x2, x3], [y2, y3]) = (quantise(x23, c2, c3), quantise(y23, c2, c3));
        *x = [x0, x1, x2, x3];
        *y = [y0, y1, y2, y3];
    }
}

/// `256 * S_even + S_odd` and `S_odd` of channels 0 and 1 of a group, then of 2 and 3.
#[inline(always)]
fn dots(weights: &[[i16; 4]], acts: &[[i16; 2]]) -> [i32; 4] {
    let (mut first, mut first_odd, mut second, mut second_odd) = (0i32, 0i32, 0i32, 0i32);
    for (&[a, b, c, d], &[x, y]) in weights.iter().zip(acts) {
        for (w, v, x) in [(a, c, x), (b, d, y)] {
            let x = i32::from(x);
            first = first.wrapping_add(i32::from(w) * x);
            first_odd = first_odd.wrapping_add(i32::from(w as i8) * x);
            second = second.wrapping_add(i32::from(v) * x);
            second_odd = second_odd.wrapping_add(i32::from(v as i8) * x);
        }
    }
    [first, first_odd, second, second_odd]
}

/// See [`super::portable::gemv`].
pub(super) fn gemv(packed: &Packed<'_>, acts: &[u32], to: &mut [i8]) {
    let (acts, _) = halves(acts).as_chunks::<2>();
    let (mut weights, _) = halves(packed.weights).as_chunks::<4>();
    let (groups, _) = packed.channels.as_chunks::<4>();
    for (channels, to) in groups.iter().zip(to.as_chunks_mut::<4>().0) {
        let Some((group, rest)) = weights.split_at_checked(acts.len()) else {
            return;
        };
        weights = rest;
        let [a, b, c, d] = dots(group, acts);
        let ([s0, s1], [s2, s3]) = (doubled(a, b), doubled(c, d));
        let [c0, c1, c2, c3] = channels;
        *to = [(s0, c0), (s1, c1), (s2, c2), (s3, c3)].map(|(s, c)| output(s, c, Sign::Matters));
    }
}

/// See [`super::gemv_sums`].
pub(super) fn gemv_sums(weights: &[u32], acts: &[u32], sums: &mut [i32; 4]) {
    let [a, b, c, d] = dots(halves(weights).as_chunks().0, halves(acts).as_chunks().0);
    let found = [a.wrapping_sub(b) >> 8, b, c.wrapping_sub(d) >> 8, d];
    for (sum, found) in sums.iter_mut().zip(found) {
        *sum = sum.wrapping_add(found);
    }
}

/// See [`super::depthwise_3x3_march`].
pub(super) fn depthwise_3x3_march(
    march: &March,
    planes: &[u32],
    record: &[u32; DEPTHWISE_3X3_RECORD],
    output: &mut [i8],
) {
    march_by(march, planes, record, output, requantise);
}
