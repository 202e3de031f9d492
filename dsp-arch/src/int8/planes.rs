//! The 3 x 3 depthwise convolution of cores that load and multiply one number at a time.

use super::{Channel, DEPTHWISE_3X3_RECORD, Lines, March, Sign};

/// The halves of words, the lower one first.
#[inline(always)]
pub(super) fn halves(words: &[u32]) -> &[i16] {
    const { assert!(cfg!(target_endian = "little")) };
    // SAFETY: every pattern of bits is a number, and words are aligned for their halves.
    unsafe { words.align_to().1 }
}

/// As [`halves`].
#[inline(always)]
fn halves_mut(words: &mut [u32]) -> &mut [i16] {
    const { assert!(cfg!(target_endian = "little")) };
    // SAFETY: every pattern of bits is a number, and words are aligned for their halves.
    unsafe { words.align_to_mut().1 }
}

/// See [`super::depthwise_3x3_lines`].
pub(super) fn depthwise_3x3_lines(
    lines: &Lines,
    input: &[i8],
    count: usize,
    planes: &mut [u32],
    at: usize,
) {
    let padding = i16::from(lines.padding);
    let step = lines.pixel.max(1);
    for channel in 0..4 {
        let plane = planes
            .get_mut(channel * lines.plane + at..)
            .unwrap_or_default();
        let mut plane = halves_mut(plane);
        let mut from = input.get(channel..).unwrap_or_default();
        for _ in 0..count {
            let Some((line, rest)) = plane.split_at_mut_checked(2 * lines.words) else {
                return;
            };
            plane = rest;
            let mut to = line.iter_mut();
            if lines.lead
                && let Some(first) = to.next()
            {
                *first = padding;
            }
            let values = from.iter().step_by(step).take(lines.pixels);
            for (&x, to) in values.zip(&mut to) {
                *to = i16::from(x);
            }
            // What the pixels did not reach; the iterator gave one cell more than it took.
            let used = lines.pixels + usize::from(lines.lead);
            line.get_mut(used..).unwrap_or_default().fill(padding);
            from = from.get(lines.line..).unwrap_or_default();
        }
    }
}

/// The march with a stride that is known and with the target's own requantisation. Two outputs share
/// what they load of a line.
#[inline(always)]
pub(super) fn march_by<const STRIDE: usize>(
    march: &March,
    planes: &[u32],
    record: &[u32; DEPTHWISE_3X3_RECORD],
    output: &mut [i8],
    requantise: impl Fn(i32, &Channel, Sign) -> i8,
) {
    let (records, _) = record.as_chunks::<10>();
    for (c, record) in records.iter().enumerate() {
        let &[w00, w01, w10, w11, w20, w21, bias2, m, constant, shift] = record;
        let channel = [bias2, m, constant, shift].map(|word| word as i32);
        let three = |low: u32, high: u32| -> [i32; 3] {
            let w2 = (high as i32) >> 16;
            [i32::from(low as i16), (low as i32) >> 16, w2]
        };
        let [u, v, w] = [three(w00, w01), three(w10, w11), three(w20, w21)];
        let plane = planes.get(c * march.plane..).unwrap_or_default();
        for i in 0..march.count {
            let down = i * STRIDE * march.words;
            let line = |start: usize| {
                let words = plane.get(start + down..).unwrap_or_default();
                let words = words.get(..march.words).unwrap_or_default();
                halves(words).as_chunks::<2>().0
            };
            let [first, second, third] = march.lines.map(line);
            let mut to = output.get_mut(i * march.line + c..).unwrap_or_default();
            let mut left = march.outputs;
            let mut at = 0;
            while left > 0 {
                let (mut even, mut odd) = (bias2 as i32, bias2 as i32);
                for (line, [w0, w1, w2]) in [(first, u), (second, v), (third, w)] {
                    let (Some(&[x0, x1]), Some(&[x2, x3])) = (line.get(at), line.get(at + 1))
                    else {
                        return;
                    };
                    let [x0, x1, x2, x3] = [x0, x1, x2, x3].map(i32::from);
                    even = even
                        .wrapping_add(x0 * w0)
                        .wrapping_add(x1 * w1)
                        .wrapping_add(x2 * w2);
                    if STRIDE == 1 {
                        odd = odd
                            .wrapping_add(x1 * w0)
                            .wrapping_add(x2 * w1)
                            .wrapping_add(x3 * w2);
                    } else {
                        let Some(&[x4, _]) = line.get(at + 2) else {
                            return;
                        };
                        odd = odd
                            .wrapping_add(x2 * w0)
                            .wrapping_add(x3 * w1)
                            .wrapping_add(i32::from(x4) * w2);
                    }
                }
                at += STRIDE;
                if let Some(to) = to.first_mut() {
                    *to = requantise(even, &channel, march.sign);
                }
                if left > 1
                    && let Some(to) = to.get_mut(march.pixel)
                {
                    *to = requantise(odd, &channel, march.sign);
                }
                left = left.saturating_sub(2);
                to = to.get_mut(2 * march.pixel..).unwrap_or_default();
            }
        }
    }
}
