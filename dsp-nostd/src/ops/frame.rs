//! From the source window to one frame.

use crate::error::Fault;
use crate::format::Element;
use crate::op::{Io, Op, Step};
use crate::ops::{finite, larger};
use crate::q;

/// Gain that brings a window's peak to 1.
///
/// Operands: source window (`f32`), gain (`f32[1]`, written). Parameters: [`PeakParams`].
/// `gain = 1 / peak`, where the peak is `max |x|` or `max x`; 1 where the peak is not positive.
/// Belongs in the window section.
pub const PEAK_F32: Op = Op {
    code: 0x0101,
    name: "PEAK_F32",
    check: check_peak::<f32>,
    run: run_peak::<f32>,
};

/// [`PEAK_F32`] for a window of `i16` samples, which stand for `sample / 32768`.
pub const PEAK_I16_F32: Op = Op {
    code: 0x0102,
    name: "PEAK_I16_F32",
    check: check_peak::<i16>,
    run: run_peak::<i16>,
};

/// Cuts the current frame out of the source window.
///
/// Operands: source window (`f32`), frame (`f32`, written), optionally a gain (`f32[1]`).
/// Parameters: [`FrameParams`]. Sample `n` of frame `i` is `y[start + i hop + n]` of the signal
/// `y[t] = g x[t] - c (g x[t-1])`, where `g` is the gain operand or parameter, `c` the
/// pre-emphasis coefficient, and `x[t]` the sample `history + t` of the window (0 before its
/// start); outside the window `y` is continued by the padding rule.
pub const FRAME_F32: Op = Op {
    code: 0x0103,
    name: "FRAME_F32",
    check: check_frame::<f32>,
    run: run_frame::<f32>,
};

/// [`FRAME_F32`] for a window of `i16` samples, which stand for `sample / 32768`.
pub const FRAME_I16_F32: Op = Op {
    code: 0x0104,
    name: "FRAME_I16_F32",
    check: check_frame::<i16>,
    run: run_frame::<i16>,
};

/// A sample type that floats are made of.
pub(crate) trait Sample: Element {
    /// The sample, full scale being 1.
    fn to_f32(self) -> f32;
}

impl Sample for f32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

impl Sample for i16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        q::i16_to_f32(self)
    }
}

/// Parameters of [`PEAK_F32`]: one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeakParams {
    /// Whether the peak is `max |x|` instead of `max x`.
    pub magnitude: bool,
}

impl PeakParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 1] {
        [u32::from(self.magnitude)]
    }

    pub(crate) fn decode(&[word]: &[u32; 1]) -> Result<Self, Fault> {
        if word > 1 {
            return Err(Fault::BadParam { param: 0 });
        }
        Ok(Self {
            magnitude: word == 1,
        })
    }
}

/// What stands outside a source window; the rules of `Padding` in the host's graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Padding {
    /// Zeros.
    Zero = 0,
    /// Mirrored, the edge samples not repeated.
    Reflect = 1,
    /// Mirrored, the edge samples repeated.
    Symmetric = 2,
    /// The edge samples repeated.
    Edge = 3,
}

/// Parameters of [`FRAME_F32`]: six words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameParams {
    /// Start of frame 0 in the signal; negative: in the padding.
    pub start: i32,
    /// Samples between the starts of two frames.
    pub hop: u32,
    /// Leading samples of the window that only serve as the past of the signal.
    pub history: u32,
    /// What stands outside the signal.
    pub padding: Padding,
    /// Gain, when there is no gain operand.
    pub gain: f32,
    /// Pre-emphasis coefficient, 0 for none.
    pub pre_emphasis: f32,
}

impl FrameParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 6] {
        [
            self.start as u32,
            self.hop,
            self.history,
            self.padding as u32,
            self.gain.to_bits(),
            self.pre_emphasis.to_bits(),
        ]
    }

    fn decode(&[start, hop, history, padding, gain, pre]: &[u32; 6]) -> Result<Self, Fault> {
        Ok(Self {
            start: start as i32,
            hop,
            history,
            padding: Padding::from_code(padding).ok_or(Fault::BadParam { param: 3 })?,
            gain: finite(gain, 4)?,
            pre_emphasis: finite(pre, 5)?,
        })
    }
}

impl Padding {
    /// The padding with this code.
    pub(crate) const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::Zero,
            1 => Self::Reflect,
            2 => Self::Symmetric,
            3 => Self::Edge,
            _ => return None,
        })
    }

    /// Index of the sample that stands at position `at` of a signal of `n` samples.
    #[inline]
    pub(crate) fn index(self, at: i64, n: usize) -> Option<usize> {
        let len = n as i64;
        if (0..len).contains(&at) {
            return Some(at as usize);
        }
        let mirrored = |period: i64, twin: i64| {
            let folded = at.checked_rem_euclid(period)?;
            Some(folded.min(twin - folded) as usize)
        };
        match self {
            Self::Zero => None,
            Self::Edge => Some(at.clamp(0, (len - 1).max(0)) as usize),
            Self::Reflect if n == 1 => Some(0),
            Self::Reflect => mirrored(2 * (len - 1), 2 * (len - 1)),
            Self::Symmetric => mirrored(2 * len, 2 * len - 1),
        }
    }
}

fn check_peak<T: Sample>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.count_of::<T>(0)?;
    if step.count_of_output::<f32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)?;
    PeakParams::decode(step.params()?).map(|_| ())
}

fn run_peak<T: Sample>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let params = PeakParams::decode(io.step.params()?)?;
    let (window, gain) = io.read_write::<T, f32>(0, 1)?;
    let samples = window.iter().map(|x| x.to_f32());
    let peak = if params.magnitude {
        samples.map(f32::abs).fold(0.0, larger)
    } else {
        samples.fold(0.0, larger)
    };
    gain.fill(if peak > 0.0 { 1.0 / peak } else { 1.0 });
    Ok(())
}

fn check_frame<T: Sample>(step: &Step<'_>) -> Result<(), Fault> {
    let window = step.count_of::<T>(0)?;
    step.count_of_output::<f32>(1)?;
    step.expect_disjoint(0, 1)?;
    match step.operand_count() {
        2 => {}
        3 if step.count_of::<f32>(2)? == 1 => step.expect_disjoint(2, 1)?,
        3 => return Err(Fault::WrongLength { operand: 2 }),
        _ => return Err(Fault::NoOperand { operand: 3 }),
    }
    let params = FrameParams::decode(step.params()?)?;
    if params.history as usize >= window {
        return Err(Fault::BadParam { param: 2 });
    }
    Ok(())
}

fn run_frame<T: Sample>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let params = FrameParams::decode(io.step.params()?)?;
    let gain = match io.step.operand_count() {
        3 => *io
            .read::<f32>(2)?
            .first()
            .ok_or(Fault::WrongLength { operand: 2 })?,
        _ => params.gain,
    };
    let start = i64::from(params.start) + i64::from(io.frame()) * i64::from(params.hop);
    let (window, frame) = io.read_write::<T, f32>(0, 1)?;
    cut_frame(window, frame, start, gain, &params);
    Ok(())
}

/// Fills `frame` from position `start` of the signal in `window`; see [`FRAME_F32`].
fn cut_frame<T: Sample>(
    window: &[T],
    frame: &mut [f32],
    start: i64,
    gain: f32,
    params: &FrameParams,
) {
    let history = params.history as usize;
    let n = window.len().saturating_sub(history);
    let inside = usize::try_from(start)
        .ok()
        .and_then(|s| window.get(history + s..history + s + frame.len()));
    if let (Some(samples), true) = (inside, params.pre_emphasis == 0.0) {
        for (to, from) in frame.iter_mut().zip(samples) {
            *to = gain * from.to_f32();
        }
        return;
    }
    let sample = |t: Option<usize>| {
        let x = t.and_then(|t| window.get(t));
        gain * x.map_or(0.0, |x| x.to_f32())
    };
    for (to, at) in frame.iter_mut().zip(start..) {
        *to = match params.padding.index(at, n) {
            None => 0.0,
            Some(t) => {
                let t = history + t;
                let now = sample(Some(t));
                if params.pre_emphasis == 0.0 {
                    now
                } else {
                    now - params.pre_emphasis * sample(t.checked_sub(1))
                }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    /// The signal written out with its padding, then sliced.
    fn textbook(x: &[f32], start: i64, len: usize, p: &FrameParams) -> Vec<f32> {
        let y: Vec<f32> = (0..x.len())
            .map(|t| {
                let before = if t == 0 { 0.0 } else { p.gain * x[t - 1] };
                p.gain * x[t] - p.pre_emphasis * before
            })
            .collect();
        let n = y.len() as i64;
        (start..start + len as i64)
            .map(|at| {
                let mut at = at;
                loop {
                    if (0..n).contains(&at) {
                        return y[at as usize];
                    }
                    at = match p.padding {
                        Padding::Zero => return 0.0,
                        Padding::Edge => at.clamp(0, n - 1),
                        Padding::Reflect if n == 1 => 0,
                        Padding::Reflect if at < 0 => -at,
                        Padding::Reflect => 2 * (n - 1) - at,
                        Padding::Symmetric if at < 0 => -1 - at,
                        Padding::Symmetric => 2 * n - 1 - at,
                    };
                }
            })
            .collect()
    }

    proptest! {
        #[test]
        fn frames_are_slices_of_the_padded_signal(
            x in prop::collection::vec(-1.0f32..1.0, 1..40),
            start in -50i64..50,
            len in 1usize..30,
            padding in prop::sample::select(std::vec![
                Padding::Zero, Padding::Reflect, Padding::Symmetric, Padding::Edge]),
            gain in 0.5f32..2.0,
            pre_emphasis in prop::sample::select(std::vec![0.0f32, 0.97]),
        ) {
            let p = FrameParams { start: 0, hop: 0, history: 0, padding, gain, pre_emphasis };
            let mut frame = std::vec![f32::NAN; len];
            cut_frame(&x, &mut frame, start, gain, &p);
            prop_assert_eq!(frame, textbook(&x, start, len, &p));
        }

        #[test]
        fn history_is_the_past_of_the_signal(x in prop::collection::vec(any::<i16>(), 3..40)) {
            let p = FrameParams {
                start: 0, hop: 0, history: 1, padding: Padding::Zero, gain: 1.0, pre_emphasis: 0.5,
            };
            let mut frame = std::vec![f32::NAN; x.len() - 1];
            cut_frame(&x, &mut frame, 0, 1.0, &p);
            for (n, y) in frame.iter().enumerate() {
                let exact = (f64::from(x[n + 1]) - 0.5 * f64::from(x[n])) / 32768.0;
                prop_assert_eq!(f64::from(*y), exact);
            }
        }
    }
}
