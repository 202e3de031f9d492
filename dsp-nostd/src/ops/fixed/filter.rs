//! Filters of a time series: state runs on from block to block.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::filter::{check_wavelet_lengths, reflected};
use crate::q;

/// A cascade of second-order sections, in place:
/// `y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]`.
///
/// Operands: x (`i32`, in place), coefficients (`i32[5 * sections]` table: b0, b1, b2, a1, a2 of
/// each section in Q30, 2 being stored as `2^31 - 1`), state (`i32[5 * sections]`, in place, 0 at
/// first). No parameters. The Q format of x is free.
///
/// Direct form I. What enters and leaves a section is limited to `|x| <= 2^30`, and a section is
/// refused unless `|b0| + |b1| + |b2| + |a1| + |a2| < 8` and its poles lie inside the unit circle:
/// then a sum of products always fits 64 bits and nothing wraps. Each output is rounded down and
/// what that leaves is added to the next sum, so that the rounding noise passes
/// `(1 - z^-1) / A(z)` instead of `1 / A(z)`: it vanishes at zero frequency, where low cutoffs
/// would amplify it, and a constant input has no bias.
pub const BIQUAD_I32: Op = Op {
    code: 0x0340,
    name: "BIQUAD_I32",
    check: check_biquad,
    run: |io| {
        let (coefficients, x, state) = io.read_write2::<i32, i32, i32>(1, 0, 2)?;
        let (coefficients, _) = coefficients.as_chunks::<SECTION>();
        let (state, _) = state.as_chunks_mut::<SECTION>();
        for (coefficients, state) in coefficients.iter().zip(state) {
            run_section(x, coefficients, state);
        }
        Ok(())
    },
};

/// Filters with `h` and keeps one output of `factor`:
/// `y[m] = round(sum_k h[k] x[m factor - k] 2^-31)`, saturating.
///
/// Operands: x (`i32[n * factor]`), h (`i32[taps]` table in Q31; `sum |h| < 2`), history
/// (`i32[taps - 1]`, in place, 0 at first), y (`i32[n]`, written). Parameters: factor (positive).
/// The history keeps the samples before x, the oldest first, so that any cut of a signal into
/// blocks of whole outputs gives the same values. The sum is exact and rounded once, ties up: at
/// most 1/2 from the exact value. Only the outputs that are kept are computed, which is what a
/// polyphase form does.
pub const DECIMATE_I32: Op = Op {
    code: 0x0341,
    name: "DECIMATE_I32",
    check: check_decimate,
    run: |io| {
        let &[factor] = io.step.params()?;
        let taps = io.step.table::<i32>(1)?;
        let (x, history, y) = io.read_write2::<i32, i32, i32>(0, 2, 3)?;
        decimate(x, taps, history, y, factor as usize);
        Ok(())
    },
};

/// A cascade of second-order sections over a whole window, in place, as [`BIQUAD_I32`] but with a
/// start of its own in every window.
///
/// Operands: x (`i32`, in place), coefficients (`i32[6 * sections]` table: b0, b1, b2, a1, a2 and
/// what a constant 1 settles to, of each section in Q30). Parameters: start, 0 for rest, or 1 for
/// the steady state of a constant input equal to the first value; shift, from 0 to 30: the values
/// enter as `round(x 2^-shift)`.
pub const SOS_I32: Op = Op {
    code: 0x03e0,
    name: "SOS_I32",
    check: check_sos,
    run: |io| {
        let &[start, shift] = io.step.params()?;
        let (sections, _) = io.step.table::<i32>(1)?.as_chunks::<{ SECTION + 1 }>();
        let x = io.write::<i32>(0)?;
        for x in x.iter_mut() {
            *x = q::shr_i32(i64::from(*x), shift);
        }
        let mut constant = match (start, x.first()) {
            (1, Some(&first)) => q::limit_i32(i64::from(first), LIMIT),
            _ => 0,
        };
        for &[b0, b1, b2, a1, a2, gain] in sections {
            let settled = q::shr(i64::from(constant) * i64::from(gain), COEFFICIENT_Q);
            let settled = q::limit_i32(settled, LIMIT);
            let mut state = [constant, constant, settled, settled, 0];
            run_section(x, &[b0, b1, b2, a1, a2], &mut state);
            constant = settled;
        }
        Ok(())
    },
};

/// One filter of a wavelet's level, every other output:
/// `y[o] = round(2^-(30 + shift) sum_j h[j] x[2 o + 1 - j])`, saturating, x continued by reflection
/// that repeats the ends.
///
/// Operands: x (`i32[n]`, n at least 1), h (`i32[taps]` table in Q30; `sum |h| < 4`), y
/// (`i32[(n + taps - 1) / 2]`, written). Parameters: shift, from 0 to 30. The sum is exact.
pub const WAVELET_I32: Op = Op {
    code: 0x03e2,
    name: "WAVELET_I32",
    check: check_wavelet,
    run: |io| {
        let &[shift] = io.step.params()?;
        let taps = io.step.table::<i32>(1)?;
        let (x, y) = io.read_write::<i32, i32>(0, 2)?;
        for (o, y) in y.iter_mut().enumerate() {
            let newest = 2 * o as i32 + 1;
            let mut sum = 0i64;
            for (j, &h) in taps.iter().enumerate() {
                let x = x.get(reflected(newest - j as i32, x.len()));
                // At most 2^32 times 2^31 in all.
                sum += i64::from(h) * i64::from(x.copied().unwrap_or(0));
            }
            *y = q::narrow_i32(q::shr(sum, COEFFICIENT_Q + shift));
        }
        Ok(())
    },
};

/// Coefficients of a section, and words of its state: x[n-1], x[n-2], y[n-1], y[n-2] and the rest
/// of the last rounding.
pub(crate) const SECTION: usize = 5;

/// Q format of the coefficients.
const COEFFICIENT_Q: u32 = 30;

/// Largest magnitude of what enters and leaves a section.
const LIMIT: i32 = 1 << 30;

fn check_biquad(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    step.count_of_output::<i32>(0)?;
    let table = step.table::<i32>(1)?;
    let (sections, rest) = table.as_chunks::<SECTION>();
    if sections.is_empty() || !rest.is_empty() {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if step.count_of_output::<i32>(2)? != table.len() {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 2)?;
    if !sections.iter().all(is_safe) {
        return Err(Fault::BadTable { operand: 1 });
    }
    step.params::<0>().map(|_| ())
}

/// Whether a section cannot wrap and is stable.
pub(crate) fn is_safe(section: &[i32; SECTION]) -> bool {
    let sum: i64 = section.iter().map(|&c| i64::from(c).abs()).sum();
    let &[_, _, _, a1, a2] = section;
    let (one, a1, a2) = (1i64 << COEFFICIENT_Q, i64::from(a1), i64::from(a2));
    // The rest of a rounding is part of a sum too.
    let fits = sum <= 8 * one - 2;
    fits && a2.abs() < one && a1.abs() < one + a2
}

#[inline]
pub(crate) fn run_section(
    x: &mut [i32],
    coefficients: &[i32; SECTION],
    state: &mut [i32; SECTION],
) {
    let [b0, b1, b2, a1, a2] = coefficients.map(i64::from);
    let [mut x1, mut x2, mut y1, mut y2, mut rest] = state.map(i64::from);
    for x in x {
        let x0 = i64::from(q::limit_i32(i64::from(*x), LIMIT));
        let sum = b0 * x0 + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2 + rest;
        let (y0, left) = q::shr_rest(sum, COEFFICIENT_Q);
        let limited = q::limit_i32(y0, LIMIT);
        (x2, x1) = (x1, x0);
        (y2, y1) = (y1, i64::from(limited));
        rest = left;
        *x = limited;
    }
    for (to, from) in state.iter_mut().zip([x1, x2, y1, y2, rest]) {
        *to = q::narrow_i32(from);
    }
}

fn check_sos(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.count_of_output::<i32>(0)?;
    let (sections, rest) = step.table::<i32>(1)?.as_chunks::<{ SECTION + 1 }>();
    if sections.is_empty() || !rest.is_empty() {
        return Err(Fault::WrongLength { operand: 1 });
    }
    let safe = |&[b0, b1, b2, a1, a2, _]: &[i32; SECTION + 1]| is_safe(&[b0, b1, b2, a1, a2]);
    if !sections.iter().all(safe) {
        return Err(Fault::BadTable { operand: 1 });
    }
    match step.params()? {
        [0 | 1, 0..=30] => Ok(()),
        [0 | 1, _] => Err(Fault::BadParam { param: 1 }),
        _ => Err(Fault::BadParam { param: 0 }),
    }
}

fn check_wavelet(step: &Step<'_>) -> Result<(), Fault> {
    let n = step.count_of::<i32>(0)?;
    let taps = step.table::<i32>(1)?;
    let sum: u64 = taps.iter().map(|&h| u64::from(h.unsigned_abs())).sum();
    if sum >= 4 << COEFFICIENT_Q {
        return Err(Fault::BadTable { operand: 1 });
    }
    let &[shift] = step.params()?;
    if shift > 30 {
        return Err(Fault::BadParam { param: 0 });
    }
    check_wavelet_lengths(step, n, taps.len(), step.count_of_output::<i32>(2)?)
}

fn check_decimate(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let x = step.count_of::<i32>(0)?;
    let taps = step.table::<i32>(1)?;
    if taps.is_empty() {
        return Err(Fault::WrongLength { operand: 1 });
    }
    let sum: u64 = taps.iter().map(|&h| u64::from(h.unsigned_abs())).sum();
    // Two in Q31: a sum of products stays within 64 bits.
    if sum >= 1 << 32 {
        return Err(Fault::BadTable { operand: 1 });
    }
    if step.count_of_output::<i32>(2)? != taps.len() - 1 {
        return Err(Fault::WrongLength { operand: 2 });
    }
    let y = step.count_of_output::<i32>(3)?;
    let &[factor] = step.params()?;
    if !x.is_multiple_of(factor as usize) {
        return Err(Fault::BadParam { param: 0 });
    }
    if x.checked_div(factor as usize) != Some(y) {
        return Err(Fault::WrongLength { operand: 3 });
    }
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(0, 3)?;
    step.expect_disjoint(2, 3)
}

fn decimate(x: &[i32], taps: &[i32], history: &mut [i32], y: &mut [i32], factor: usize) {
    let product = |h: i32, x: i32| i64::from(h) * i64::from(x);
    for (m, y) in y.iter_mut().enumerate() {
        // From the newest sample backwards: first in the block, then in the history.
        let newest = m * factor;
        let inside = x.get(..newest + 1).unwrap_or_default().iter().rev();
        let sum = taps
            .iter()
            .zip(inside)
            .fold(0, |sum, (&h, &x)| sum + product(h, x));
        let before = history.iter().rev();
        let older = taps.get(newest + 1..).unwrap_or_default();
        let sum = older
            .iter()
            .zip(before)
            .fold(sum, |sum, (&h, &x)| sum + product(h, x));
        *y = q::narrow_i32(q::shr(sum, 31));
    }
    // What the next block needs is the end of the history and the block.
    let (n, len) = (x.len(), history.len());
    for i in 0..len {
        let moved = match (i + n).checked_sub(len) {
            Some(inside) => x.get(inside).copied(),
            None => history.get(i + n).copied(),
        };
        if let (Some(to), Some(from)) = (history.get_mut(i), moved) {
            *to = from;
        }
    }
}

#[cfg(test)]
mod tests;
