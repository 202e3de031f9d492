//! Runs of windows: neighbouring outputs of a convolution.

#[cfg(otolith_arm_dsp)]
use super::arm as runs;
#[cfg(not(otolith_arm_dsp))]
use super::each as runs;
use super::{Packed, TAPS_27, reach};

/// Windows of a convolution that lie behind each other in memory, line by line; their outputs follow each other
/// without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Byte of the input at which the first window starts.
    pub from: usize,
    /// Byte of the output at which the first window's channels go.
    pub to: usize,
    /// Windows in a line.
    pub count: usize,
    /// Lines of windows, at least 1; only 1 without an input of its own.
    pub lines: usize,
    /// Bytes from the first window of a line to the first one of the next.
    pub line_step: usize,
    /// Bytes from a window to the next.
    pub step: usize,
    /// Rows of a window.
    pub rows: usize,
    /// Bytes of a row with those that weights of 0 meet: a multiple of four.
    pub row_bytes: usize,
    /// Bytes from the start of a row to the start of the next.
    pub stride: usize,
    /// Output channels.
    pub channels: usize,
    /// The window has three rows of nine bytes: the first eight bytes of each row come first, then pairs of the
    /// ninth bytes of rows 0 and 1, and of row 2 beside a value without meaning, which a weight of 0 must meet.
    pub nine: bool,
}

impl Windows {
    /// Taps with those that weights of 0 meet.
    #[inline]
    fn taps(&self) -> Option<usize> {
        if self.nine {
            return ([self.rows, self.row_bytes] == [3, 9]).then_some(TAPS_27);
        }
        let whole = self.row_bytes.is_multiple_of(4);
        self.rows.checked_mul(self.row_bytes).filter(|_| whole)
    }

    /// Whether outputs over the inputs must be made from the last to the first.
    #[inline]
    pub(super) fn grows(&self) -> bool {
        self.channels > self.step
    }
}

/// Computes all channels of a run of windows into `output`. Without an `input` the windows lie in `output`: their
/// outputs may then start where they start.
///
/// `acts` is scratch of a word for each tap; for one window half of that is enough. `None` when something
/// does not fit, or a window has fewer than eight taps.
#[inline(never)]
pub fn conv(
    packed: &Packed<'_>,
    windows: &Windows,
    input: Option<&[i8]>,
    acts: &mut [u32],
    output: &mut [i8],
) -> Option<()> {
    let taps = windows.taps()?;
    let slots = packed.channels.len();
    let part = slots.wrapping_sub(windows.channels);
    let count = windows.count.checked_mul(windows.lines)?;
    let single = count == 1 && !windows.nine && acts.len() == taps / 2;
    let window = reach(windows.rows, windows.stride, windows.row_bytes);
    let line = reach(windows.count, windows.step, window);
    let read = reach(windows.lines, windows.line_step, line).saturating_add(windows.from);
    let written = reach(count, windows.channels, windows.channels);
    let fits = taps >= 8
        && slots.is_multiple_of(4)
        && part < 4
        && windows.channels > 0
        && (windows.lines == 1 || input.is_some())
        && (slots / 4).checked_mul(taps) == Some(packed.weights.len())
        && (single || acts.len() == taps)
        && read <= input.map_or(output.len(), <[i8]>::len)
        && written.saturating_add(windows.to) <= output.len();
    if !fits {
        return None;
    }
    if single {
        runs::single(packed, windows, input, acts, output)
    } else {
        runs::pairs(packed, windows, input, acts, output)
    }
}
