//! The 3 x 3 depthwise convolution of cores that load and multiply one number at a time.

use super::{Channel, DEPTHWISE_3X3_RECORD, Lines, March, Sign};

/// The halves of words, the lower one first.
#[inline(always)]
pub(super) fn halves(words: &[u32]) -> &[i16] {
    const { assert!(cfg!(target_endian = "little")) };
    // SAFETY: every pattern of bits is a number, and words are aligned for their halves.
    unsafe { words.align_to().1 }
}

/// The bytes of words, as numbers.
#[cfg(any(test, otolith_core = "scalar"))]
#[inline(always)]
pub(super) fn bytes(words: &[u32]) -> &[i8] {
    // SAFETY: every pattern of bits is a number.
    unsafe { words.align_to().1 }
}

/// Makes the compiler finish two sums before it loads what comes behind: with all of a loop's loads brought
/// forward, they would go through the stack. No instruction comes of it.
#[inline(always)]
pub(super) fn settle(first: &mut i32, second: &mut i32) {
    #[cfg(not(any(target_arch = "arm", target_arch = "riscv32")))]
    let _ = (first, second);
    #[cfg(any(target_arch = "arm", target_arch = "riscv32"))]
    // SAFETY: there is no instruction; the numbers stay in their registers.
    unsafe {
        core::arch::asm!(
            "/* {0} {1} */",
            inout(reg) * first,
            inout(reg) * second,
            options(nostack, preserves_flags)
        );
    }
}

/// As [`halves`].
#[inline(always)]
fn halves_mut(words: &mut [u32]) -> &mut [i16] {
    const { assert!(cfg!(target_endian = "little")) };
    // SAFETY: every pattern of bits is a number, and words are aligned for their halves.
    unsafe { words.align_to_mut().1 }
}

/// What is left of a line between its `lead` values of padding and those from `used` on, which are written.
#[inline(always)]
fn inside(line: &mut [i16], lead: usize, used: usize, padding: i16) -> &mut [i16] {
    let (line, behind) = line.split_at_mut_checked(used).unwrap_or_default();
    for value in behind {
        *value = padding;
    }
    let (before, line) = line.split_at_mut_checked(lead).unwrap_or_default();
    for value in before {
        *value = padding;
    }
    line
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
        let inside = |line| inside(line, lead, used, padding);
        let (a, b, c, d) = (inside(a), inside(b), inside(c), inside(d));
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

/// The halves of a word as numbers. The smallest cores cannot extend a half that they load.
#[inline(always)]
fn split(word: &u32) -> [i32; 2] {
    if cfg!(otolith_core = "small") {
        return [i32::from(*word as i16), *word as i32 >> 16];
    }
    match halves(core::slice::from_ref(word)) {
        [low, high] => [i32::from(*low), i32::from(*high)],
        _ => [0; 2],
    }
}

/// Adds a line of the kernel, whose doubled weights are `(w0, w1)` and `(w1, w2)`, to two outputs that see
/// `values` of a line, the second one from value `STRIDE` on.
#[inline(always)]
fn add_line<const STRIDE: usize>(
    even: &mut i32,
    odd: &mut i32,
    [low, high]: &[u32; 2],
    values: &[u32],
) -> Option<()> {
    let ([w0, w1], [_, w2]) = (split(low), split(high));
    let [first, second] = values.first_chunk()?;
    let ([x0, x1], [x2, x3]) = (split(first), split(second));
    let [y0, y1, y2] = match STRIDE {
        1 => [x1, x2, x3],
        _ => [x2, x3, split(values.get(2)?)[0]],
    };
    *even = even.wrapping_add(x0 * w0).wrapping_add(x1 * w1);
    *odd = odd.wrapping_add(y0 * w0).wrapping_add(y1 * w1);
    *even = even.wrapping_add(x2 * w2);
    *odd = odd.wrapping_add(y2 * w2);
    settle(even, odd);
    Some(())
}

/// A line of outputs of one channel, `pixel` bytes apart, which ends with `to`. `None` when a line of the plane is
/// too short.
#[inline(always)]
fn line<const STRIDE: usize>(
    [mut x, mut y, mut z]: [&[u32]; 3],
    record: &[u32; 10],
    mut to: &mut [i8],
    pixel: usize,
    requantise: impl Fn([i32; 2], &Channel) -> [i8; 2],
) -> Option<()> {
    let [weights @ .., bias2, m, constant, shift] = record;
    let channel = [*bias2 as i32, *m as i32, *constant as i32, *shift as i32];
    let [wx, wy, wz] = weights.as_chunks().0 else {
        return None;
    };
    while !to.is_empty() {
        let (mut even, mut odd) = (*bias2 as i32, *bias2 as i32);
        add_line::<STRIDE>(&mut even, &mut odd, wx, x)?;
        add_line::<STRIDE>(&mut even, &mut odd, wy, y)?;
        add_line::<STRIDE>(&mut even, &mut odd, wz, z)?;
        (x, y, z) = (x.get(STRIDE..)?, y.get(STRIDE..)?, z.get(STRIDE..)?);
        let [even, odd] = requantise([even, odd], &channel);
        if let Some(to) = to.first_mut() {
            *to = even;
        }
        if let Some(to) = to.get_mut(pixel) {
            *to = odd;
        }
        to = to.get_mut(2 * pixel..).unwrap_or_default();
    }
    Some(())
}

/// The march with the target's own requantisation. Two outputs share what they load of a line.
#[inline(always)]
pub(super) fn march_by(
    march: &March,
    planes: &[u32],
    record: &[u32; DEPTHWISE_3X3_RECORD],
    output: &mut [i8],
    requantise: impl Fn([i32; 2], &Channel, Sign) -> [i8; 2],
) -> Option<()> {
    let (records, _) = record.as_chunks::<10>();
    let len = (march.outputs - 1) * march.pixel + 1;
    let requantise = |sums: [i32; 2], channel: &Channel| requantise(sums, channel, march.sign);
    for (c, record) in records.iter().enumerate() {
        let plane = planes.get(c * march.plane..)?;
        for i in 0..march.count {
            let down = i * march.stride * march.words;
            let values = |start: usize| plane.get(start + down..)?.get(..march.words);
            let [x, y, z] = march.lines;
            let lines = [values(x)?, values(y)?, values(z)?];
            let to = output.get_mut(i * march.line + c..)?.get_mut(..len)?;
            if march.stride == 1 {
                line::<1>(lines, record, to, march.pixel, requantise)?;
            } else {
                line::<2>(lines, record, to, march.pixel, requantise)?;
            }
        }
    }
    Some(())
}
