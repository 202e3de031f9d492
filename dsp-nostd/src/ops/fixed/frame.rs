//! From the source window to one frame of integers.

use crate::error::Fault;
use crate::format::Element;
use crate::op::{Io, Op, Step};
use crate::ops::frame::{Padding, PeakParams};
use crate::q;

/// Cuts the current frame out of the source window.
///
/// Operands: source window (`i16`), frame (`i16`, written). Parameters: [`FrameParams`]. Sample
/// `n` of frame `i` is `x[start + i hop + n]`, where `x[t]` is the sample `history + t` of the
/// window; outside the window `x` is continued by the padding rule. Exact.
pub const FRAME_I16: Op = Op {
    code: 0x0300,
    name: "FRAME_I16",
    check: |step| {
        step.expect_operands(2)?;
        step.count_of_output::<i16>(1)?;
        FrameParams::decode(step.params()?)?.check::<i16>(step)
    },
    run: |io| {
        let params = FrameParams::decode(io.step.params()?)?;
        let start = params.start_of(io);
        let (window, frame) = io.read_write::<i16, i16>(0, 1)?;
        cut_frame(window, frame, start, &params);
        Ok(())
    },
};

/// Cuts the current frame out of the source window, as Q28.
///
/// Operands: source window (`i16`), frame (`i32`, written). Parameters: [`EmphasisParams`]. Sample
/// `n` of frame `i` is `y[start + i hop + n]` of the signal
/// `y[t] = x[t] 2^13 - round(c x[t-1] 2^-18)`, where `c` is the pre-emphasis coefficient in Q31
/// and `x[t]` the sample `history + t` of the window (0 before its start); outside the window `y`
/// is continued by the padding rule. `|y| <= 2^29`. One rounding: at most 1/2 from the exact value,
/// none without pre-emphasis.
pub const FRAME_I16_I32: Op = Op {
    code: 0x0301,
    name: "FRAME_I16_I32",
    check: |step| {
        step.expect_operands(2)?;
        step.count_of_output::<i32>(1)?;
        EmphasisParams::decode(step.params()?)?
            .frame
            .check::<i16>(step)
    },
    run: |io| {
        let params = EmphasisParams::decode(io.step.params()?)?;
        let start = params.frame.start_of(io);
        let (window, frame) = io.read_write::<i16, i32>(0, 1)?;
        cut_emphasised(window, frame, start, &params);
        Ok(())
    },
};

/// Cuts the current frame out of a window of 32-bit values, such as that of
/// [`CONDITION_I16_I32`](super::conditioning::CONDITION_I16_I32).
///
/// Operands: window (`i32`), frame (`i32`, written). Parameters: [`EmphasisParams`]. As
/// [`FRAME_I16_I32`], of the signal `y[t] = x[t] - round(c x[t-1] 2^-31)`, in the format of the
/// window; saturates. At most 1/2 from the exact value, exact without pre-emphasis.
pub const FRAME_I32: Op = Op {
    code: 0x0346,
    name: "FRAME_I32",
    check: |step| {
        step.expect_operands(2)?;
        step.count_of_output::<i32>(1)?;
        EmphasisParams::decode(step.params()?)?
            .frame
            .check::<i32>(step)
    },
    run: |io| {
        let params = EmphasisParams::decode(io.step.params()?)?;
        let start = params.frame.start_of(io);
        let (window, frame) = io.read_write::<i32, i32>(0, 1)?;
        cut_emphasised(window, frame, start, &params);
        Ok(())
    },
};

/// Peak of a window, for features that look as if its peak were full scale.
///
/// Operands: source window (`i16`), peak (`i32[1]`, written). Parameters: [`PeakParams`]. The peak
/// is `max |x|` or `max x`, from 1 to 32768; 32768 where it is not positive, so that such a window
/// stays as it is. Belongs in the window section. Exact.
pub const PEAK_I16: Op = Op {
    code: 0x0302,
    name: "PEAK_I16",
    check: check_peak,
    run: |io| {
        let params = PeakParams::decode(io.step.params()?)?;
        let (window, out) = io.read_write::<i16, i32>(0, 1)?;
        out.fill(peak(window, params.magnitude));
        Ok(())
    },
};

/// Parameters of [`FRAME_I16`]: four words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameParams {
    /// Start of frame 0 in the signal; negative: in the padding.
    pub start: i32,
    /// Samples between the starts of two frames.
    pub hop: u32,
    /// Leading samples of the window that only serve as the past of the signal.
    pub history: u32,
    /// What stands outside the signal.
    pub padding: Padding,
}

impl FrameParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 4] {
        let padding = self.padding as u32;
        [self.start as u32, self.hop, self.history, padding]
    }

    fn decode(&[start, hop, history, padding]: &[u32; 4]) -> Result<Self, Fault> {
        Ok(Self {
            start: start as i32,
            hop,
            history,
            padding: Padding::from_code(padding).ok_or(Fault::BadParam { param: 3 })?,
        })
    }

    fn check<T: Element>(&self, step: &Step<'_>) -> Result<(), Fault> {
        if self.history as usize >= step.count_of::<T>(0)? {
            return Err(Fault::BadParam { param: 2 });
        }
        step.expect_disjoint(0, 1)
    }

    /// Position of the current frame in the signal.
    fn start_of(&self, io: &Io<'_, '_>) -> i64 {
        i64::from(self.start) + i64::from(io.frame()) * i64::from(self.hop)
    }

    /// The samples `start..start + len` of the signal, when none of them is padding, and the
    /// sample before them.
    fn inside<'w, T: Copy + Default>(
        &self,
        window: &'w [T],
        start: i64,
        len: usize,
    ) -> Option<(&'w [T], T)> {
        let from = (self.history as usize).checked_add(usize::try_from(start).ok()?)?;
        let samples = window.get(from..from.checked_add(len)?)?;
        let before = from.checked_sub(1).and_then(|t| window.get(t));
        Some((samples, before.copied().unwrap_or_default()))
    }
}

/// Parameters of [`FRAME_I16_I32`] and [`FRAME_I32`]: five words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmphasisParams {
    /// Which samples.
    pub frame: FrameParams,
    /// Pre-emphasis coefficient in Q31, of a magnitude below 1: not `i32::MIN`. 0 for none.
    pub pre_emphasis: i32,
}

impl EmphasisParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 5] {
        let [start, hop, history, padding] = self.frame.encode();
        [start, hop, history, padding, self.pre_emphasis as u32]
    }

    fn decode(&[start, hop, history, padding, c]: &[u32; 5]) -> Result<Self, Fault> {
        let pre_emphasis = c as i32;
        if pre_emphasis == i32::MIN {
            return Err(Fault::BadParam { param: 4 });
        }
        Ok(Self {
            frame: FrameParams::decode(&[start, hop, history, padding])?,
            pre_emphasis,
        })
    }
}

fn check_peak(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.count_of::<i16>(0)?;
    if step.count_of_output::<i32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)?;
    PeakParams::decode(step.params()?).map(|_| ())
}

fn peak(window: &[i16], magnitude: bool) -> i32 {
    let samples = window.iter().map(|&x| i32::from(x));
    let peak = if magnitude {
        samples.fold(0, |peak, x| peak.max(x.wrapping_abs()))
    } else {
        samples.fold(0, i32::max)
    };
    if peak > 0 { peak } else { 32768 }
}

/// Fills `frame` from position `start` of the signal in `window`; see [`FRAME_I16`].
fn cut_frame(window: &[i16], frame: &mut [i16], start: i64, params: &FrameParams) {
    if let Some((samples, _)) = params.inside(window, start, frame.len()) {
        for (to, &from) in frame.iter_mut().zip(samples) {
            *to = from;
        }
        return;
    }
    let signal = window.get(params.history as usize..).unwrap_or_default();
    for (to, at) in frame.iter_mut().zip(start..) {
        let sample = params.padding.index(at, signal.len());
        *to = sample.and_then(|t| signal.get(t)).copied().unwrap_or(0);
    }
}

/// A sample that 32-bit frames are made of.
trait Sample: Copy + Default {
    /// The sample in the format of the frame.
    fn wide(self) -> i32;

    /// `x - c before` in the format of the frame, c in Q31.
    fn emphasised(self, before: Self, c: i64) -> i32;
}

impl Sample for i16 {
    #[inline(always)]
    fn wide(self) -> i32 {
        i32::from(self) << 13
    }

    #[inline(always)]
    fn emphasised(self, before: Self, c: i64) -> i32 {
        let past = q::shr(c * i64::from(before), 18) as i32;
        self.wide() - past
    }
}

impl Sample for i32 {
    #[inline(always)]
    fn wide(self) -> i32 {
        self
    }

    #[inline(always)]
    fn emphasised(self, before: Self, c: i64) -> i32 {
        let past = q::shr(c * i64::from(before), 31);
        q::narrow_i32(i64::from(self) - past)
    }
}

/// Fills `frame` from position `start` of the signal in `window`; see [`FRAME_I16_I32`].
fn cut_emphasised<T: Sample>(window: &[T], frame: &mut [i32], start: i64, params: &EmphasisParams) {
    let c = i64::from(params.pre_emphasis);
    if let Some((samples, mut before)) = params.frame.inside(window, start, frame.len()) {
        if c == 0 {
            for (to, &x) in frame.iter_mut().zip(samples) {
                *to = x.wide();
            }
            return;
        }
        for (to, &x) in frame.iter_mut().zip(samples) {
            *to = x.emphasised(before, c);
            before = x;
        }
        return;
    }
    let history = params.frame.history as usize;
    let n = window.len().saturating_sub(history);
    let sample = |t: Option<usize>| {
        let x = t.and_then(|t| window.get(t));
        x.copied().unwrap_or_default()
    };
    for (to, at) in frame.iter_mut().zip(start..) {
        let t = params.frame.padding.index(at, n).map(|t| history + t);
        *to = match t {
            Some(t) => sample(Some(t)).emphasised(sample(t.checked_sub(1)), c),
            None => 0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::Probe;
    use super::*;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    const PADDINGS: [Padding; 4] = [
        Padding::Zero,
        Padding::Reflect,
        Padding::Symmetric,
        Padding::Edge,
    ];

    /// The signal written out with its padding, then sliced.
    fn textbook(y: &[f64], start: i64, len: usize, padding: Padding) -> Vec<f64> {
        let n = y.len() as i64;
        let value = |mut at: i64| loop {
            if (0..n).contains(&at) {
                return y[at as usize];
            }
            at = match padding {
                Padding::Zero => return 0.0,
                Padding::Edge => at.clamp(0, n - 1),
                Padding::Reflect if n == 1 => 0,
                Padding::Reflect if at < 0 => -at,
                Padding::Reflect => 2 * (n - 1) - at,
                Padding::Symmetric if at < 0 => -1 - at,
                Padding::Symmetric => 2 * n - 1 - at,
            };
        };
        (start..start + len as i64).map(value).collect()
    }

    proptest! {
        #[test]
        fn frames_are_slices_of_the_padded_signal(
            x in prop::collection::vec(any::<i16>(), 3..40),
            start in -50i32..50,
            len in 1usize..30,
            history in 0u32..3,
            frame in 0u32..4,
            hop in 0u32..9,
            padding in prop::sample::select(&PADDINGS[..]),
            c in prop_oneof![Just(0), Just(i32::MAX), Just(-i32::MAX), any::<i32>()],
        ) {
            let c = c.max(-i32::MAX);
            let params = FrameParams { start, hop, history, padding };
            let at = i64::from(start) + i64::from(frame * hop);
            let mut probe = Probe::at_frame(frame);
            let window = probe.tensor(&x);
            let narrow = probe.tensor(&std::vec![7i16; len]);
            let wide = probe.tensor(&std::vec![7i32; len]);

            probe.run(&FRAME_I16, &[window, narrow], &params.encode()).unwrap();
            let signal: Vec<f64> = x[history as usize..].iter().map(|&x| f64::from(x)).collect();
            let exact = textbook(&signal, at, len, padding);
            let got: Vec<f64> = probe.get::<i16>(narrow).into_iter().map(f64::from).collect();
            prop_assert_eq!(got, exact);

            let params = EmphasisParams { frame: params, pre_emphasis: c };
            probe.run(&FRAME_I16_I32, &[window, wide], &params.encode()).unwrap();
            let emphasised: Vec<f64> = (history as usize..x.len())
                .map(|t| {
                    let before = if t == 0 { 0.0 } else { f64::from(x[t - 1]) };
                    (f64::from(x[t]) - f64::from(c) / 2f64.powi(31) * before) * 8192.0
                })
                .collect();
            let exact = textbook(&emphasised, at, len, padding);
            for (got, exact) in probe.get::<i32>(wide).into_iter().zip(exact) {
                prop_assert!((f64::from(got) - exact).abs() <= 0.5, "{got} {exact}");
                prop_assert!(got.unsigned_abs() <= 1 << 29);
                prop_assert!(c != 0 || f64::from(got) == exact);
            }

            let finer: Vec<i32> = x.iter().zip(0..).map(|(&x, t)| i32::from(x) * 8192 - 77 * t).collect();
            let source = probe.tensor(&finer);
            probe.run(&FRAME_I32, &[source, wide], &params.encode()).unwrap();
            let emphasised: Vec<f64> = (history as usize..x.len())
                .map(|t| {
                    let before = if t == 0 { 0.0 } else { f64::from(finer[t - 1]) };
                    f64::from(finer[t]) - f64::from(c) / 2f64.powi(31) * before
                })
                .collect();
            let exact = textbook(&emphasised, at, len, padding);
            for (got, exact) in probe.get::<i32>(wide).into_iter().zip(exact) {
                prop_assert!((f64::from(got) - exact).abs() <= 0.5, "{got} {exact}");
            }
        }

        #[test]
        fn peaks_are_peaks(x in prop::collection::vec(any::<i16>(), 0..40), magnitude: bool) {
            let of = |x: i16| if magnitude { i32::from(x).abs() } else { i32::from(x) };
            let top = x.iter().map(|&x| of(x)).max().unwrap_or(0);
            let expected = if top > 0 { top } else { 32768 };
            let mut probe = Probe::default();
            let (window, out) = (probe.tensor(&x), probe.tensor(&[0i32]));
            let params = PeakParams { magnitude }.encode();
            probe.run(&PEAK_I16, &[window, out], &params).unwrap();
            prop_assert_eq!(probe.get::<i32>(out), [expected]);
        }
    }

    #[test]
    fn extremes_keep_their_headroom() {
        // The largest value of all: the least sample behind the least, and c near -1.
        let x = [i16::MIN, i16::MIN, i16::MAX, i16::MIN];
        let params = EmphasisParams {
            frame: FrameParams {
                start: 0,
                hop: 0,
                history: 0,
                padding: Padding::Zero,
            },
            pre_emphasis: -i32::MAX,
        };
        let mut probe = Probe::default();
        let operands = [probe.tensor(&x), probe.tensor(&[0i32; 4])];
        probe
            .run(&FRAME_I16_I32, &operands, &params.encode())
            .unwrap();
        let y = probe.get::<i32>(operands[1]);
        assert_eq!(y, [-(1 << 28), -(1 << 29), -8192, -8192]);
        assert_eq!(peak(&[i16::MIN], true), 32768);
        assert_eq!(peak(&[i16::MIN], false), 32768);
        assert_eq!(peak(&[-3, 0], false), 32768);
        assert_eq!(peak(&[i16::MIN, 1], false), 1);
        assert_eq!(peak(&[0, 0], true), 32768);
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let window = probe.tensor(&[0i16; 8]);
        let frame = probe.tensor(&[0i16; 4]);
        let wide = probe.tensor(&[0i32; 4]);
        let table = probe.table(&[0i16; 4]);
        let floats = probe.tensor(&[0f32; 8]);
        let params = FrameParams {
            start: -2,
            hop: 4,
            history: 1,
            padding: Padding::Edge,
        };
        let words = params.encode();
        assert_eq!(FrameParams::decode(&words), Ok(params));
        assert_eq!(probe.check(&FRAME_I16, &[window, frame], &words), Ok(()));
        for (operands, fault) in [
            (&[window][..], Fault::NoOperand { operand: 2 }),
            (&[window, frame, wide], Fault::NoOperand { operand: 2 }),
            (&[window, wide], Fault::WrongType { operand: 1 }),
            (&[floats, frame], Fault::WrongType { operand: 0 }),
            (&[window, table], Fault::WrongPlace { operand: 1 }),
            (&[window, window], Fault::WrongPlace { operand: 1 }),
        ] {
            assert_eq!(probe.check(&FRAME_I16, operands, &words), Err(fault));
        }
        let refuse = |words: &[u32], param| {
            let fault = Err(Fault::BadParam { param });
            assert_eq!(probe.check(&FRAME_I16, &[window, frame], words), fault);
        };
        refuse(&words[..3], 4);
        refuse(&[0, 4, 8, 0], 2);
        refuse(&[0, 4, 0, 4], 3);

        let emphasis = EmphasisParams {
            frame: params,
            pre_emphasis: -5,
        };
        let words = emphasis.encode();
        assert_eq!(EmphasisParams::decode(&words), Ok(emphasis));
        assert_eq!(probe.check(&FRAME_I16_I32, &[window, wide], &words), Ok(()));
        assert_eq!(
            probe.check(&FRAME_I16_I32, &[window, frame], &words),
            Err(Fault::WrongType { operand: 1 })
        );
        let one = [0, 4, 0, 0, i32::MIN as u32];
        assert_eq!(
            probe.check(&FRAME_I16_I32, &[window, wide], &one),
            Err(Fault::BadParam { param: 4 })
        );

        let out = probe.tensor(&[0i32]);
        assert_eq!(probe.check(&PEAK_I16, &[window, out], &[1]), Ok(()));
        for (operands, words, fault) in [
            ([window, wide], [1], Fault::WrongLength { operand: 1 }),
            ([floats, out], [1], Fault::WrongType { operand: 0 }),
            ([window, out], [2], Fault::BadParam { param: 0 }),
        ] {
            assert_eq!(probe.check(&PEAK_I16, &operands, &words), Err(fault));
        }
    }
}
