//! The 3 x 3 depthwise convolution of cores that load and multiply one number at a time.

use super::{Channel, DEPTHWISE_3X3_RECORD, Lines, March, Sign};

/// The halves of words, the lower one first.
#[inline(always)]
pub(super) fn halves(words: &[u32]) -> &[i16] {
    const { assert!(cfg!(target_endian = "little")) };
    // SAFETY: every pattern of bits is a number, and words are aligned for their halves.
    unsafe { words.align_to().1 }
}

/// Keeps the compiler from putting off what makes these sums: with all of a loop's loads brought forward, they
/// would go through the stack. No instruction comes of it.
#[inline(always)]
pub(super) fn settle<const N: usize>(sums: [&mut i32; N]) {
    #[cfg(not(any(target_arch = "arm", target_arch = "riscv32")))]
    let _ = sums;
    #[cfg(any(target_arch = "arm", target_arch = "riscv32"))]
    for sum in sums {
        // SAFETY: there is no instruction; the number stays in its register.
        unsafe {
            core::arch::asm!(
                "/* {0} */",
                inout(reg) * sum,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
    }
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
    let halves_of = |plane: usize| plane * lines.plane + at;
    let mut from = input;
    for i in 0..count {
        let len = 2 * lines.words;
        let mut cells: [&mut [i16]; 4] = Default::default();
        // The four planes' parts of this line, taken off one behind the other.
        let mut rest = &mut *planes;
        let mut taken = 0;
        for (plane, cells) in cells.iter_mut().enumerate() {
            let start = halves_of(plane) + i * lines.words;
            let Some((_, behind)) = rest.split_at_mut_checked(start - taken) else {
                return;
            };
            let Some((own, behind)) = behind.split_at_mut_checked(lines.words) else {
                return;
            };
            *cells = halves_mut(own);
            rest = behind;
            taken = start + lines.words;
        }
        let [a, b, c, d] = cells;
        let lead = usize::from(lines.lead).min(len);
        let used = lines.pixels.saturating_add(lead).min(len);
        for line in [&mut *a, &mut *b, &mut *c, &mut *d] {
            line.get_mut(..lead).unwrap_or_default().fill(padding);
            line.get_mut(used..).unwrap_or_default().fill(padding);
        }
        let [a, b, c, d] = [a, b, c, d].map(|line| line.get_mut(lead..used).unwrap_or_default());
        let mut pixel = from;
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let Some(&[w, x, y, z]) = pixel.first_chunk() else {
                break;
            };
            (*a, *b, *c, *d) = (w.into(), x.into(), y.into(), z.into());
            pixel = pixel.get(lines.pixel..).unwrap_or_default();
        }
        from = from.get(lines.line..).unwrap_or_default();
    }
}

/// What two outputs see of a line, for stride 1: four values.
#[inline(always)]
fn by_one(line: &[[i16; 2]]) -> impl Iterator<Item = [i16; 5]> {
    let next = line.get(1..).unwrap_or_default();
    line.iter()
        .zip(next)
        .map(|(&[a, b], &[c, d])| [a, b, c, d, 0])
}

/// What two outputs see of a line, for stride 2: five values.
#[inline(always)]
fn by_two(line: &[[i16; 2]]) -> impl Iterator<Item = [i16; 5]> {
    let next = line.get(1..).unwrap_or_default();
    let (pairs, _) = line.as_chunks::<2>();
    pairs
        .iter()
        .zip(next.as_chunks::<2>().0)
        .map(|(&[[a, b], _], &[[c, d], [e, _]])| [a, b, c, d, e])
}

/// The march with the target's own requantisation. Two outputs share what they load of a line.
#[inline(always)]
pub(super) fn march_by(
    march: &March,
    planes: &[u32],
    record: &[u32; DEPTHWISE_3X3_RECORD],
    output: &mut [i8],
    requantise: impl Fn(i32, &Channel, Sign) -> i8,
) {
    let (records, _) = record.as_chunks::<10>();
    for (c, record) in records.iter().enumerate() {
        let plane = planes.get(c * march.plane..).unwrap_or_default();
        for i in 0..march.count {
            let down = i * march.stride * march.words;
            let line = |start: usize| {
                let words = plane.get(start + down..).unwrap_or_default();
                let words = words.get(..march.words).unwrap_or_default();
                halves(words).as_chunks::<2>().0
            };
            let [x, y, z] = march.lines.map(line);
            let to = output.get_mut(i * march.line + c..).unwrap_or_default();
            if march.stride == 1 {
                let values = by_one(x).zip(by_one(y)).zip(by_one(z));
                line_by::<1>(march, record, values, to, &requantise);
            } else {
                let values = by_two(x).zip(by_two(y)).zip(by_two(z));
                line_by::<2>(march, record, values, to, &requantise);
            }
        }
    }
}

/// A line of outputs of one channel.
#[inline(always)]
fn line_by<const STRIDE: usize>(
    march: &March,
    record: &[u32; 10],
    values: impl Iterator<Item = (([i16; 5], [i16; 5]), [i16; 5])>,
    mut to: &mut [i8],
    requantise: &impl Fn(i32, &Channel, Sign) -> i8,
) {
    let &[w00, w01, w10, w11, w20, w21, bias2, m, constant, shift] = record;
    let channel = [bias2, m, constant, shift].map(|word| word as i32);
    let mut left = march.outputs;
    for ((x, y), z) in values {
        let (mut even, mut odd) = (bias2 as i32, bias2 as i32);
        for (x, low, high) in [(x, w00, w01), (y, w10, w11), (z, w20, w21)] {
            let (w0, w1) = (i32::from(low as i16), (low as i32) >> 16);
            let w2 = (high as i32) >> 16;
            let [x0, x1, x2, x3, x4] = x.map(i32::from);
            let [y0, y1, y2] = if STRIDE == 1 {
                [x1, x2, x3]
            } else {
                [x2, x3, x4]
            };
            even = even
                .wrapping_add(x0 * w0)
                .wrapping_add(x1 * w1)
                .wrapping_add(x2 * w2);
            odd = odd
                .wrapping_add(y0 * w0)
                .wrapping_add(y1 * w1)
                .wrapping_add(y2 * w2);
            settle([&mut even, &mut odd]);
        }
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
