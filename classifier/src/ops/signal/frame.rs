//! `SIGNAL_WINDOW_I16` and `SIGNAL_AUTO_SCALE_I16`.

use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// A frame times a window: `y[i] = floor(x[i] window[i] 2^-shift)`.
///
/// Operands: x `i16[n]`; window `i16[n]` table, from 0 to `2^shift`; y `i16[n]`, which may lie exactly
/// over x. Parameters: shift, 0 to 14.
pub const SIGNAL_WINDOW_I16: Op = Op {
    code: 0x02e0,
    name: "SIGNAL_WINDOW_I16",
    check: check_window,
    run: run_window,
};

/// A frame shifted to the left as far as 16 bits allow: `y[i] = x[i] 2^s` with
/// `s = 15 - bits(max |x|)`, where -32768 counts as 32767.
///
/// Operands: x `i16[n]`; y `i16[n]`, which may lie exactly over x; s `i32[1]`, written: from 0 to 15. No
/// parameters.
pub const SIGNAL_AUTO_SCALE_I16: Op = Op {
    code: 0x02e1,
    name: "SIGNAL_AUTO_SCALE_I16",
    check: check_scale,
    run: run_scale,
};

/// Most fraction bits of a window: 1 must fit 16 bits.
pub const MAX_WINDOW_SHIFT: u32 = 14;

fn check_window(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let n = step.count_of::<i16>(0)?;
    let &[shift] = step.params()?;
    if shift > MAX_WINDOW_SHIFT {
        return Err(Fault::BadParam { param: 0 });
    }
    let window = step.table::<i16>(1)?;
    if window.len() != n {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if window.iter().any(|w| !(0..=1 << shift).contains(w)) {
        return Err(Fault::BadTable { operand: 1 });
    }
    if step.count_of_output::<i16>(2)? != n {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_in_place_or_disjoint(0, 2)
}

fn run_window(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[shift] = io.step.params()?;
    let window = io.step.table::<i16>(1)?;
    // The window is at most 1, so that the product fits 16 bits again.
    let weigh = |x: i16, w: i16| ((i32::from(x) * i32::from(w)) >> (shift & 15)) as i16;
    if io.step.starts_together(0, 2)? {
        for (y, &w) in io.write::<i16>(2)?.iter_mut().zip(window) {
            *y = weigh(*y, w);
        }
    } else {
        let (x, y) = io.read_write::<i16, i16>(0, 2)?;
        for ((y, &x), &w) in y.iter_mut().zip(x).zip(window) {
            *y = weigh(x, w);
        }
    }
    Ok(())
}

fn check_scale(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    if step.count_of_output::<i16>(1)? != step.count_of::<i16>(0)? {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if step.count_of_output::<i32>(2)? != 1 {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_in_place_or_disjoint(0, 1)?;
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(1, 2)?;
    step.params::<0>().map(|_| ())
}

fn run_scale(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    if !io.step.starts_together(0, 1)? {
        let (x, y) = io.read_write::<i16, i16>(0, 1)?;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x;
        }
    }
    let (y, s) = io.write2::<i16, i32>(1, 2)?;
    // The bits of all magnitudes together are as many as those of the largest.
    let bits = y.iter().fold(0, |bits, &x| match x {
        i16::MIN => bits | i16::MAX as u16,
        x => bits | x.unsigned_abs(),
    });
    // 15 bits at most, so that there is one zero at least.
    let shift = bits.leading_zeros().saturating_sub(1) & 15;
    for y in y {
        *y = y.wrapping_shl(shift);
    }
    s.fill(shift as i32);
    Ok(())
}
