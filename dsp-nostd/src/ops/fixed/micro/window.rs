//! Window and automatic scaling in front of the 16-bit FFT.

use crate::error::Fault;
use crate::op::{Io, Op, Step};

/// Weighs a frame, shifts it to the left as far as 16 bits allow, and pads it with zeros.
///
/// Operands: x (`i16[n]`), window (`i16[n]` table, Q12, from 0 to 4096), y (`i16[m]`, written,
/// `m >= n`), shift (`i32[1]`, written). Parameters: the [`Peak`] rule.
/// `v[i] = floor(x[i] window[i] 2^-12)`, `y[i] = v[i] 2^shift` modulo 2^16, and 0 from n on, with
/// `shift = 15 - bits(peak(v))`, from 0 to 15.
pub const MICRO_WINDOW_I16: Op = Op {
    code: 0x03d0,
    name: "MICRO_WINDOW_I16",
    check,
    run,
};

/// Fraction bits of the window.
pub const WINDOW_Q: u32 = 12;

/// How the peak of a weighted frame is found. The rules differ only where -32768 occurs, whose
/// magnitude has no 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peak {
    /// -32768 is not counted, so that it may wrap: the micro-frontend library.
    Library = 0,
    /// -32768 is as long as 32767: TensorFlow Lite Micro's signal operators.
    Signal = 1,
}

impl Peak {
    /// The rule with this code.
    pub fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::Library),
            1 => Some(Self::Signal),
            _ => None,
        }
    }

    /// Bits of the largest magnitude, at most 15.
    fn bits(self, x: &[i16]) -> u32 {
        let mut bits = 0;
        for &x in x {
            bits |= match (self, x) {
                (Self::Library, i16::MIN) => 0,
                (Self::Signal, i16::MIN) => i16::MAX as u16,
                _ => x.unsigned_abs(),
            };
        }
        u16::BITS - bits.leading_zeros()
    }
}

/// Weighs `x` into the start of `y`, clears the rest of `y`, scales, and returns the shift.
pub fn weigh(x: &[i16], window: &[i16], rule: Peak, y: &mut [i16]) -> u32 {
    let n = x.len();
    let Some((weighted, rest)) = y.split_at_mut_checked(n) else {
        return 0;
    };
    rest.fill(0);
    for ((y, &x), &w) in weighted.iter_mut().zip(x).zip(window) {
        *y = ((i32::from(x) * i32::from(w)) >> WINDOW_Q) as i16;
    }
    let shift = 15u32.wrapping_sub(rule.bits(weighted)) & 15;
    for y in weighted {
        *y = y.wrapping_shl(shift);
    }
    shift
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let n = step.count_of::<i16>(0)?;
    let window = step.table::<i16>(1)?;
    if window.len() != n {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if !window.iter().all(|w| (0..=1 << WINDOW_Q).contains(w)) {
        return Err(Fault::BadTable { operand: 1 });
    }
    if step.count_of_output::<i16>(2)? < n {
        return Err(Fault::WrongLength { operand: 2 });
    }
    if step.count_of_output::<i32>(3)? != 1 {
        return Err(Fault::WrongLength { operand: 3 });
    }
    for (a, b) in [(0, 2), (0, 3), (2, 3)] {
        step.expect_disjoint(a, b)?;
    }
    let &[rule] = step.params()?;
    Peak::from_code(rule)
        .map(|_| ())
        .ok_or(Fault::BadParam { param: 0 })
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[rule] = io.step.params()?;
    let rule = Peak::from_code(rule).ok_or(Fault::BadParam { param: 0 })?;
    let window = io.step.table(1)?;
    let (x, y, shift) = io.read_write2::<i16, i16, i32>(0, 2, 3)?;
    shift.fill(weigh(x, window, rule, y) as i32);
    Ok(())
}
