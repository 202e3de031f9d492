//! Pre-emphasis of a frame by samples that lie further back, or in a circle; scale by content.

use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::ops::frame::{Padding, Sample};
use crate::ops::{finite, larger};
use crate::q;

/// Subtracts earlier samples from a frame that was cut without pre-emphasis.
///
/// Operands: source window (`f32`), frame (`f32`, in place), optionally a gain (`f32[1]`).
/// Parameters: those of [`Past`], gain and `c` (float bits). Where sample `n` of the frame is the
/// sample `x[t]` of the window, it becomes `x[n] - c (g x[t - shift])`; what stands before the
/// window is 0 or, in a circle, its end.
pub const EMPHASISE_F32: Op = Op {
    code: 0x0157,
    name: "EMPHASISE_F32",
    check: check_float::<f32>,
    run: run_float::<f32>,
};

/// [`EMPHASISE_F32`] for a window of `i16` samples, which stand for `sample / 32768`.
pub const EMPHASISE_I16_F32: Op = Op {
    code: 0x0158,
    name: "EMPHASISE_I16_F32",
    check: check_float::<i16>,
    run: run_float::<i16>,
};

/// [`EMPHASISE_F32`] in integers: `x[n] - round(c x[t - shift] 2^-18)`, saturating.
///
/// Operands: source window (`i16`), frame (`i32` in Q28, in place). Parameters: those of [`Past`]
/// and `c` in Q31, above -1.
pub const EMPHASISE_I16_I32: Op = Op {
    code: 0x0359,
    name: "EMPHASISE_I16_I32",
    check: |step| {
        step.expect_operands(2)?;
        step.count_of_output::<i32>(1)?;
        let &[.., c] = step.params::<7>()?;
        if c as i32 == i32::MIN {
            return Err(Fault::BadParam { param: 6 });
        }
        check_past(step, step.count_of::<i16>(0)?)
    },
    run: |io| {
        let &[.., c] = io.step.params::<7>()?;
        let (past, start) = Past::of(io)?;
        let c = i64::from(c as i32);
        let (window, frame) = io.read_write::<i16, i32>(0, 1)?;
        past.each(window, frame, start, |x, before| {
            let before = q::shr(c * i64::from(before), 18);
            q::narrow_i32(i64::from(x) - before)
        });
        Ok(())
    },
};

/// Gain that brings integers to full scale 1 and leaves floats alone.
///
/// Operands: source window (`f32`), gain (`f32[1]`, written). Parameters: g (float bits).
/// `gain = g / 32768` if any `|g x|` is above 1, else g. Belongs in the window section.
pub const UNIT_GAIN_F32: Op = Op {
    code: 0x0159,
    name: "UNIT_GAIN_F32",
    check: check_unit::<f32>,
    run: run_unit::<f32>,
};

/// [`UNIT_GAIN_F32`] for a window of `i16` samples, which stand for `sample / 32768`.
pub const UNIT_GAIN_I16_F32: Op = Op {
    code: 0x015a,
    name: "UNIT_GAIN_I16_F32",
    check: check_unit::<i16>,
    run: run_unit::<i16>,
};

/// Which earlier sample belongs to a sample of a frame: six words, the first of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Start of frame 0 in the signal; negative: in the padding.
    pub start: i32,
    /// Samples between the starts of two frames.
    pub hop: u32,
    /// Leading samples of the window that only serve as the past of the signal.
    pub history: u32,
    /// What stands outside the signal.
    pub padding: Padding,
    /// Distance of the earlier sample, at least 1 and at most the window.
    pub shift: u32,
    /// Whether the window's end stands before its start.
    pub circular: bool,
}

impl Past {
    /// The parameter words.
    pub fn encode(self) -> [u32; 6] {
        [
            self.start as u32,
            self.hop,
            self.history,
            self.padding as u32,
            self.shift,
            u32::from(self.circular),
        ]
    }

    fn decode(words: &[u32]) -> Result<Self, Fault> {
        let &[start, hop, history, padding, shift, circular, ..] = words else {
            return Err(Fault::BadParam { param: 6 });
        };
        if circular > 1 {
            return Err(Fault::BadParam { param: 5 });
        }
        Ok(Self {
            start: start as i32,
            hop,
            history,
            padding: Padding::from_code(padding).ok_or(Fault::BadParam { param: 3 })?,
            shift,
            circular: circular == 1,
        })
    }

    /// Those of the step that runs, and where its frame starts.
    fn of(io: &Io<'_, '_>) -> Result<(Self, i64), Fault> {
        let past = Self::decode(io.step.all_params())?;
        let start = i64::from(past.start) + i64::from(io.frame()) * i64::from(past.hop);
        Ok((past, start))
    }

    /// Replaces each sample of a frame that is one of the window's by `of(it, the earlier one)`.
    fn each<T: Copy + Default, Y: Copy>(
        &self,
        window: &[T],
        frame: &mut [Y],
        start: i64,
        of: impl Fn(Y, T) -> Y,
    ) {
        let (history, shift) = (self.history as usize, self.shift as usize);
        let n = window.len().saturating_sub(history);
        for (x, at) in frame.iter_mut().zip(start..) {
            let Some(t) = self.padding.index(at, n) else {
                continue;
            };
            let t = t.wrapping_add(history);
            let before = match t.checked_sub(shift) {
                None if self.circular => t.wrapping_add(window.len()).checked_sub(shift),
                before => before,
            };
            let before = before.and_then(|t| window.get(t));
            *x = of(*x, before.copied().unwrap_or_default());
        }
    }
}

fn check_past(step: &Step<'_>, window: usize) -> Result<(), Fault> {
    let past = Past::decode(step.all_params())?;
    if past.history as usize >= window {
        return Err(Fault::BadParam { param: 2 });
    }
    if past.shift == 0 || past.shift as usize > window {
        return Err(Fault::BadParam { param: 4 });
    }
    step.expect_disjoint(0, 1)
}

fn check_float<T: Sample>(step: &Step<'_>) -> Result<(), Fault> {
    step.count_of_output::<f32>(1)?;
    match step.operand_count() {
        2 => {}
        3 if step.count_of::<f32>(2)? == 1 => step.expect_disjoint(2, 1)?,
        3 => return Err(Fault::WrongLength { operand: 2 }),
        _ => return Err(Fault::NoOperand { operand: 3 }),
    }
    let &[.., gain, c] = step.params::<8>()?;
    finite(gain, 6)?;
    finite(c, 7)?;
    check_past(step, step.count_of::<T>(0)?)
}

fn run_float<T: Sample + Default>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[.., gain, c] = io.step.params::<8>()?;
    let gain = match io.step.operand_count() {
        3 => *io
            .read::<f32>(2)?
            .first()
            .ok_or(Fault::WrongLength { operand: 2 })?,
        _ => f32::from_bits(gain),
    };
    let c = f32::from_bits(c);
    let (past, start) = Past::of(io)?;
    let (window, frame) = io.read_write::<T, f32>(0, 1)?;
    past.each(window, frame, start, |x, before: T| {
        x - c * (gain * before.to_f32())
    });
    Ok(())
}

fn check_unit<T: Sample>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.count_of::<T>(0)?;
    if step.count_of_output::<f32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    let &[gain] = step.params()?;
    finite(gain, 0)?;
    step.expect_disjoint(0, 1)
}

fn run_unit<T: Sample>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[gain] = io.step.params()?;
    let gain = f32::from_bits(gain);
    let (window, out) = io.read_write::<T, f32>(0, 1)?;
    let samples = window.iter().map(|x| (gain * x.to_f32()).abs());
    let integers = samples.fold(0.0, larger) > 1.0;
    out.fill(if integers { gain / 32768.0 } else { gain });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn earlier_samples_are_subtracted(
            x in prop::collection::vec(any::<i16>(), 8..40),
            start in -9i32..20,
            len in 1usize..20,
            shift in 1u32..8,
            circular: bool,
            symmetric: bool,
            c in 0u32..i32::MAX as u32,
        ) {
            let padding = if symmetric { Padding::Symmetric } else { Padding::Zero };
            let past = Past { start, hop: 0, history: 0, padding, shift, circular };
            let real = f64::from(c) * 2f64.powi(-31);
            let n = x.len() as i64;
            let exact: Vec<f64> = (0..len as i64)
                .map(|i| {
                    let at = i64::from(start) + i;
                    let t = match at {
                        _ if (0..n).contains(&at) => at,
                        _ if !symmetric => return 0.0,
                        ..0 => (-1 - at).rem_euclid(2 * n).min(2 * n - 1 - (-1 - at).rem_euclid(2 * n)),
                        _ => {
                            let folded = at.rem_euclid(2 * n);
                            folded.min(2 * n - 1 - folded)
                        }
                    };
                    let before = t - i64::from(shift);
                    let earlier = match before {
                        ..0 if circular => f64::from(x[(before + n) as usize]),
                        ..0 => 0.0,
                        _ => f64::from(x[before as usize]),
                    };
                    1000.0 - real * earlier
                })
                .collect();
            let mut probe = Probe::default();
            let outside: Vec<bool> = exact.iter().map(|&y| y == 0.0).collect();
            let window = probe.tensor(&x);
            let frame = probe.tensor(&std::vec![1000i32 << 13; len]);
            let floats = probe.tensor(&std::vec![1000.0f32 / 32768.0; len]);
            let mut params = past.encode().to_vec();
            params.push(c);
            probe.run(&EMPHASISE_I16_I32, &[window, frame], &params).expect("runs");
            params.pop();
            params.extend([1.0f32.to_bits(), (real as f32).to_bits()]);
            probe.run(&EMPHASISE_I16_F32, &[window, floats], &params).expect("runs");
            let frames = probe.get::<i32>(frame).into_iter().zip(probe.get::<f32>(floats));
            for (((y, z), exact), outside) in frames.zip(exact).zip(outside) {
                if outside {
                    prop_assert_eq!((y, z), (1000 << 13, 1000.0 / 32768.0));
                } else {
                    prop_assert!((f64::from(y) / 8192.0 - exact).abs() <= 0.5 / 8192.0);
                    prop_assert!((f64::from(z) - exact / 32768.0).abs() < 1e-6);
                }
            }
        }

        #[test]
        fn integers_come_to_full_scale_1(x in prop::collection::vec(-1.5f32..1.5, 1..9)) {
            let mut probe = Probe::default();
            let (window, gain) = (probe.tensor(&x), probe.tensor(&[0.0f32]));
            probe.run(&UNIT_GAIN_F32, &[window, gain], &[1.0f32.to_bits()]).expect("runs");
            let beyond = x.iter().any(|x| x.abs() > 1.0);
            let exact = if beyond { 1.0 / 32768.0 } else { 1.0 };
            prop_assert_eq!(probe.get::<f32>(gain), [exact]);
        }
    }
}
