//! The twins: plain Rust on the same packed tables, same bits.

use super::{
    Channel, DEPTHWISE_3X3_RECORD, Linear, Lines, March, Packed, Sign, TAPS_27, Taps, Weights3x3,
    Window,
};

/// Two values as the halves of a word.
#[inline(always)]
fn pair(low: i8, high: i8) -> u32 {
    u32::from(i16::from(low) as u16) | u32::from(i16::from(high) as u16) << 16
}

/// The halves of a word as numbers.
#[inline(always)]
fn halves(word: u32) -> [i32; 2] {
    [i32::from(word as u16 as i16), (word as i32) >> 16]
}

/// The sum of the products of the halves.
#[inline(always)]
fn dual(a: u32, b: u32) -> i32 {
    let ([a0, a1], [b0, b1]) = (halves(a), halves(b));
    (a0 * b0).wrapping_add(a1 * b1)
}

/// Channels 1 and 3 alone: the lower bytes of both halves, as numbers.
#[inline(always)]
fn odd(word: u32) -> u32 {
    pair(word as i8, (word >> 16) as i8)
}

/// What a doubled sum with its bias becomes.
#[inline(always)]
pub(crate) fn requantise(acc: i32, &[_, multiplier, constant, shift]: &Channel, sign: Sign) -> i8 {
    let t = match sign {
        Sign::Matters => constant.wrapping_add(acc >> 31),
        Sign::Saturates => constant,
    };
    let product = i64::from(acc) * i64::from(multiplier);
    let sum = product
        .wrapping_add(i64::from(t) << 32)
        .wrapping_add(1 << 31);
    let y = ((sum >> 32) as i32).wrapping_shr(shift as u32);
    y.clamp(-128, 127) as i8
}

fn row(window: &Window<'_>, row: usize, words: usize) -> impl Iterator<Item = [i8; 4]> {
    let from = window.bytes.get(row * window.stride..).unwrap_or_default();
    let (fours, _) = from.as_chunks::<4>();
    fours.iter().copied().take(words)
}

/// Widens two windows of `rows` rows of `4 * words` bytes into `acts`, interleaved: four words for each four bytes.
pub fn gather2(windows: [Window<'_>; 2], rows: usize, words: usize, acts: &mut [u32]) {
    let [a, b] = &windows;
    let mut to = acts.iter_mut();
    for i in 0..rows {
        for (x, y) in row(a, i, words).zip(row(b, i, words)) {
            let ([x0, x1, x2, x3], [y0, y1, y2, y3]) = (x, y);
            for word in [pair(x0, x2), pair(y0, y2), pair(x1, x3), pair(y1, y3)] {
                if let Some(to) = to.next() {
                    *to = word;
                }
            }
        }
    }
}

/// See [`super::gather1`].
pub fn gather1(window: Window<'_>, rows: usize, words: usize, acts: &mut [u32]) {
    let mut to = acts.iter_mut();
    for i in 0..rows {
        for [x0, x1, x2, x3] in row(&window, i, words) {
            for word in [pair(x0, x2), pair(x1, x3)] {
                if let Some(to) = to.next() {
                    *to = word;
                }
            }
        }
    }
}

/// Widens two windows of 3 x 3 pixels of three channels, in the order of [`super::Windows::nine`].
pub fn gather2_27(windows: [Window<'_>; 2], acts: &mut [u32; TAPS_27]) {
    let (fours, tail) = acts.split_at_mut(24);
    for (i, to) in fours.chunks_exact_mut(8).enumerate() {
        let rows = windows.map(|w| Window {
            bytes: w.bytes.get(i * w.stride..).unwrap_or_default(),
            stride: 0,
        });
        gather2(rows, 1, 2, to);
    }
    let ninth = |w: &Window<'_>, i: usize| w.bytes.get(i * w.stride + 8).copied().unwrap_or(0);
    let [a, b] = &windows;
    let words = [
        pair(ninth(a, 0), ninth(a, 1)),
        pair(ninth(b, 0), ninth(b, 1)),
        pair(ninth(a, 2), 0),
        pair(ninth(b, 2), 0),
    ];
    for (to, word) in tail.iter_mut().zip(words) {
        *to = word;
    }
}

/// Widens one window of 3 x 3 pixels of three channels, as [`gather2_27`].
pub fn gather1_27(window: Window<'_>, acts: &mut [u32; TAPS_27 / 2]) {
    let mut both = [0; TAPS_27];
    gather2_27([window; 2], &mut both);
    for (to, &[own, _]) in acts.iter_mut().zip(both.as_chunks::<2>().0) {
        *to = own;
    }
}

/// Outputs of four channels from their doubled sums.
#[inline(always)]
pub(super) fn requantise4(doubled: [i32; 4], channels: &[Channel; 4], sign: Sign) -> [i8; 4] {
    let mut out = [0; 4];
    for ((out, acc), channel) in out.iter_mut().zip(doubled).zip(channels) {
        let [bias, ..] = channel;
        *out = requantise(bias.wrapping_add(acc), channel, sign);
    }
    out
}

/// The sums of both multiplications of a group's four channels.
#[inline(always)]
fn dots(weights: &[[u32; 2]], acts: impl Iterator<Item = u32>) -> [i32; 4] {
    let mut sums = [0i32; 4];
    for (&[first, second], x) in weights.iter().zip(acts) {
        let [a, b, c, d] = &mut sums;
        *a = a.wrapping_add(dual(first, x));
        *b = b.wrapping_add(dual(odd(first), x));
        *c = c.wrapping_add(dual(second, x));
        *d = d.wrapping_add(dual(odd(second), x));
    }
    sums
}

/// One group of four channels of a window.
#[inline(always)]
fn group(
    weights: &[[u32; 2]],
    acts: impl Iterator<Item = u32>,
    channels: &[Channel; 4],
    sign: Sign,
) -> [i8; 4] {
    let [a, b, c, d] = dots(weights, acts);
    let doubled = [
        a.wrapping_sub(b) >> 7,
        b.wrapping_shl(1),
        c.wrapping_sub(d) >> 7,
        d.wrapping_shl(1),
    ];
    requantise4(doubled, channels, sign)
}

/// See [`super::gemv_sums`].
#[inline]
pub fn gemv_sums(weights: &[u32], acts: &[u32], sums: &mut [i32; 4]) {
    let [a, b, c, d] = dots(weights.as_chunks::<2>().0, acts.iter().copied());
    let found = [a.wrapping_sub(b) >> 8, b, c.wrapping_sub(d) >> 8, d];
    for (sum, found) in sums.iter_mut().zip(found) {
        *sum = sum.wrapping_add(found);
    }
}

/// All channels of the two windows in `acts`, at least two pairs of taps, into the fronts of `outputs`.
pub fn gemm2(packed: &Packed<'_>, acts: &[u32], outputs: [&mut [i8]; 2]) {
    for (i, output) in outputs.into_iter().enumerate() {
        let acts = acts.iter().skip(i).step_by(2).copied();
        product(packed, acts.len(), acts, output, packed.sign);
    }
}

/// All channels of the window in `acts`, an even number of pairs of taps, into the front of `output`.
pub fn gemv(packed: &Packed<'_>, acts: &[u32], output: &mut [i8]) {
    let pairs = acts.len();
    product(packed, pairs, acts.iter().copied(), output, Sign::Matters);
}

fn product(
    packed: &Packed<'_>,
    pairs: usize,
    acts: impl Iterator<Item = u32> + Clone,
    output: &mut [i8],
    sign: Sign,
) {
    let (words, _) = packed.weights.as_chunks::<2>();
    let groups = words
        .chunks(pairs.max(1))
        .zip(packed.channels.as_chunks::<4>().0);
    for ((weights, channels), out) in groups.zip(output.as_chunks_mut::<4>().0) {
        *out = group(weights, acts.clone(), channels, sign);
    }
}

/// See [`super::depthwise_3x3_lines`].
pub fn depthwise_3x3_lines(
    lines: &Lines,
    input: &[i8],
    count: usize,
    planes: &mut [u32],
    at: usize,
) {
    for (channel, plane) in planes.chunks_mut(lines.plane.max(1)).take(4).enumerate() {
        for i in 0..count {
            let from = input.get(i * lines.line + channel..).unwrap_or_default();
            let value = |position: usize| {
                let pixel = position.wrapping_sub(usize::from(lines.lead));
                let inside = (pixel < lines.pixels).then(|| from.get(pixel * lines.pixel));
                inside.flatten().copied().unwrap_or(lines.padding)
            };
            let to = plane.get_mut(at + i * lines.words..).unwrap_or_default();
            for (j, to) in to.iter_mut().take(lines.words).enumerate() {
                *to = pair(value(2 * j), value(2 * j + 1));
            }
        }
    }
}

/// See [`super::depthwise_3x3_weights`].
pub fn depthwise_3x3_weights(
    weights: &Weights3x3,
    channels: &[Channel; 4],
    record: &mut [u32; DEPTHWISE_3X3_RECORD],
) {
    let (records, _) = record.as_chunks_mut::<10>();
    for ((to, lines), channel) in records.iter_mut().zip(weights).zip(channels) {
        let (words, parameters) = to.split_at_mut(6);
        for (to, word) in words.as_chunks_mut::<2>().0.iter_mut().zip(lines) {
            let [w0, w1, again, w2] = word.to_le_bytes().map(|byte| byte as i8);
            let double = |low: i8, high: i8| {
                let half = |w: i8| u32::from((2 * i16::from(w)) as u16);
                half(low) | half(high) << 16
            };
            *to = [double(w0, again), double(w1, w2)];
        }
        for (to, &from) in parameters.iter_mut().zip(channel) {
            *to = from as u32;
        }
    }
}

/// See [`super::depthwise_3x3_march`].
pub fn depthwise_3x3_march(
    march: &March,
    planes: &[u32],
    record: &[u32; DEPTHWISE_3X3_RECORD],
    output: &mut [i8],
) {
    let planes = planes.chunks(march.plane.max(1)).take(4);
    for (c, (plane, record)) in planes.zip(record.as_chunks::<10>().0).enumerate() {
        let &[w00, w01, w10, w11, w20, w21, bias2, m, constant, shift] = record;
        let weights = [[w00, w01], [w10, w11], [w20, w21]];
        let channel = [bias2, m, constant, shift].map(|word| word as i32);
        for i in 0..march.count {
            for x in 0..march.outputs {
                let first = x * march.stride;
                let mut acc = bias2 as i32;
                for (start, [low, high]) in march.lines.iter().zip(weights) {
                    let line = start + i * march.stride * march.words;
                    let value = |position: usize| {
                        let word = plane.get(line + position / 2).copied().unwrap_or(0);
                        let [even, odd] = halves(word);
                        if position.is_multiple_of(2) {
                            even
                        } else {
                            odd
                        }
                    };
                    let ([w0, even], [odd, w2]) = (halves(low), halves(high));
                    // The middle weight is there twice, as the routine loads it.
                    let w1 = if first.is_multiple_of(2) { even } else { odd };
                    acc = acc
                        .wrapping_add(value(first) * w0)
                        .wrapping_add(value(first + 1) * w1)
                        .wrapping_add(value(first + 2) * w2);
                }
                if let Some(out) = output.get_mut(i * march.line + x * march.pixel + c) {
                    *out = requantise(acc, &channel, march.sign);
                }
            }
        }
    }
}

/// See [`super::depthwise_taps`].
#[inline]
pub fn depthwise_taps(taps: &Taps<'_>, input: &[i8], count: usize, output: &mut [i8]) {
    for i in 0..count {
        let window = input.get(i * taps.step..).unwrap_or_default();
        let four = |offset: u32| -> [i8; 4] {
            let from = window.get(offset as usize..).unwrap_or_default();
            from.first_chunk().copied().unwrap_or_default()
        };
        let mut sums = [0i32; 4];
        let pairs = taps.offsets.as_chunks::<2>().0.iter();
        for (&[t, u], weights) in pairs.zip(taps.weights.as_chunks::<4>().0) {
            let values = four(t).into_iter().zip(four(u));
            for ((sum, (x, y)), &w) in sums.iter_mut().zip(values).zip(weights) {
                *sum = sum.wrapping_add(dual(pair(x, y), w));
            }
        }
        let out = output.get_mut(i * taps.output_step..).unwrap_or_default();
        for ((out, sum), channel) in out.iter_mut().zip(sums).zip(taps.channels) {
            let [bias, ..] = channel;
            let acc = bias.wrapping_add(sum.wrapping_shl(1));
            *out = requantise(acc, channel, Sign::Matters);
        }
    }
}

#[inline(always)]
fn linear(linear: &Linear, a: i8, b: i8) -> i8 {
    let [fa, fb] = linear.factors;
    let sum = i32::from(a)
        .wrapping_mul(fa)
        .wrapping_add(linear.constant)
        .wrapping_add(i32::from(b).wrapping_mul(fb));
    sum.wrapping_shr(linear.shift as u32).clamp(-128, 127) as i8
}

/// See [`super::add`].
#[inline]
pub fn add(factors: &Linear, a: &[i8], b: &[i8], output: &mut [i8]) {
    for ((out, &a), &b) in output.iter_mut().zip(a).zip(b) {
        *out = linear(factors, a, b);
    }
}

/// See [`super::add_to`].
#[inline]
pub fn add_to(factors: &Linear, a: &mut [i8], b: &[i8]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a = linear(factors, *a, b);
    }
}

/// See [`super::sums`].
#[inline]
pub fn sums(input: &[i8], step: usize, pixels: usize) -> [i32; 8] {
    let [a, b, c, d] = four_sums(input, step, pixels);
    let upper = input.get(4..).unwrap_or_default();
    let [e, f, g, h] = four_sums(upper, step, pixels);
    [a, b, c, d, e, f, g, h]
}

/// Sums of four channels, one by one: they stay in registers.
#[inline(always)]
fn four_sums(input: &[i8], step: usize, pixels: usize) -> [i32; 4] {
    let (mut a, mut b, mut c, mut d) = (0, 0, 0, 0);
    let mut rest = input;
    for _ in 0..pixels {
        let Some(&[w, x, y, z]) = rest.first_chunk() else {
            break;
        };
        a += i32::from(w);
        b += i32::from(x);
        c += i32::from(y);
        d += i32::from(z);
        rest = rest.get(step..).unwrap_or_default();
    }
    [a, b, c, d]
}
