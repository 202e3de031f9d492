//! Runs of windows by routines that know one or two windows and whole groups of four channels.

use super::{Packed, TAPS_27, Window, Windows, target};

/// One window, with half of the scratch.
pub(super) fn single(
    packed: &Packed<'_>,
    windows: &Windows,
    input: Option<&[i8]>,
    acts: &mut [u32],
    output: &mut [i8],
) -> Option<()> {
    one(packed, windows, 0, input, acts, output)
}

/// Windows two by two, in the order in which outputs may lie over inputs.
pub(super) fn pairs(
    packed: &Packed<'_>,
    windows: &Windows,
    input: Option<&[i8]>,
    acts: &mut [u32],
    output: &mut [i8],
) -> Option<()> {
    let count = windows.count * windows.lines;
    let steps = count.div_ceil(2);
    let backwards = input.is_none() && windows.grows();
    for step in 0..steps {
        let at = 2 * if backwards { steps - 1 - step } else { step };
        if at + 1 == count {
            one(
                packed,
                windows,
                at,
                input,
                acts.get_mut(..acts.len() / 2)?,
                output,
            )?;
        } else {
            two(packed, windows, at, input, acts, output)?;
        }
    }
    Some(())
}

/// Window number `at` of a run.
fn window<'a>(windows: &Windows, at: usize, bytes: &'a [i8]) -> Option<Window<'a>> {
    let (line, column) = match windows.lines {
        1 => (0, at),
        _ => (
            at.checked_div(windows.count)?,
            at.checked_rem(windows.count)?,
        ),
    };
    let from = windows.from + line * windows.line_step + column * windows.step;
    Some(Window {
        bytes: bytes.get(from..)?,
        stride: windows.stride,
    })
}

/// The groups of four channels that are all there, and the one that is not.
fn split<'a>(packed: &Packed<'a>, windows: &Windows, taps: usize) -> Option<[Packed<'a>; 2]> {
    let groups = windows.channels / 4;
    let (channels, last_channels) = packed.channels.split_at_checked(4 * groups)?;
    let (weights, last_weights) = packed.weights.split_at_checked(groups * taps)?;
    let sign = packed.sign;
    let whole = Packed {
        weights,
        channels,
        sign,
    };
    let last = Packed {
        weights: last_weights,
        channels: last_channels,
        sign,
    };
    Some([whole, last])
}

fn one(
    packed: &Packed<'_>,
    windows: &Windows,
    at: usize,
    input: Option<&[i8]>,
    acts: &mut [u32],
    output: &mut [i8],
) -> Option<()> {
    let window = window(windows, at, input.unwrap_or(output))?;
    if windows.nine {
        target::gather1_27(window, acts.first_chunk_mut()?);
    } else {
        target::gather1(window, windows.rows, windows.row_bytes / 4, acts);
    }
    let [whole, last] = split(packed, windows, 2 * acts.len())?;
    let n = windows.channels;
    let output = output.get_mut(windows.to + at * n..)?.get_mut(..n)?;
    if !whole.channels.is_empty() {
        target::gemv(&whole, acts, output);
    }
    if !last.channels.is_empty() {
        let mut end = [0; 4];
        target::gemv(&last, acts, &mut end);
        copy(output, whole.channels.len(), &end)?;
    }
    Some(())
}

fn two(
    packed: &Packed<'_>,
    windows: &Windows,
    at: usize,
    input: Option<&[i8]>,
    acts: &mut [u32],
    output: &mut [i8],
) -> Option<()> {
    let bytes = input.unwrap_or(output);
    let both = [window(windows, at, bytes)?, window(windows, at + 1, bytes)?];
    if windows.nine {
        target::gather2_27(both, acts.first_chunk_mut::<TAPS_27>()?);
    } else {
        target::gather2(both, windows.rows, windows.row_bytes / 4, acts);
    }
    let [whole, last] = split(packed, windows, acts.len())?;
    let n = windows.channels;
    let output = output.get_mut(windows.to + at * n..)?.get_mut(..2 * n)?;
    let (a, b) = output.split_at_mut_checked(n)?;
    if !whole.channels.is_empty() {
        target::gemm2(&whole, acts, [&mut *a, &mut *b]);
    }
    if !last.channels.is_empty() {
        let mut ends = [[0; 4]; 2];
        let [end_a, end_b] = &mut ends;
        target::gemm2(&last, acts, [end_a, &mut *end_b]);
        copy(a, whole.channels.len(), end_a)?;
        copy(b, whole.channels.len(), end_b)?;
    }
    Some(())
}

/// As many values as there are from `at` on.
fn copy(to: &mut [i8], at: usize, from: &[i8; 4]) -> Option<()> {
    for (to, &from) in to.get_mut(at..)?.iter_mut().zip(from) {
        *to = from;
    }
    Some(())
}
