//! `DECIDE_I8`, `DECIDE_I32`.

use crate::params::{I8_MAX, I8_MIN, MAX_DIM, SHIFT_MIN, expect_count, size};
use crate::requant::mbqm;
use otolith_dsp_nostd::format::Element;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// From the scores of each classification to decisions: average, threshold, refractory time.
///
/// The law, at every call (a *tick*):
///
/// 1. The scores of this tick replace the oldest of the last `average` ones; `k` of them are
///    there, `k` growing from 1 to `average`.
/// 2. `p[i] = clamp(round(mbqm(sum over the k of (q[i] - zero_point), multiplier, shift) / k), 0,
///    32768)`, ties away from zero: the average probability of label `i` in Q15, 32768 for 1.
/// 3. `scores[i] = min(p[i], 32767)`.
/// 4. The best label is the one with the largest `p`, the lowest index among equals.
/// 5. It fires when its entry in the table `fires` is not 0, its `p` is at least `threshold`, and
///    no label fired in the last `refractory` ticks. `decision = [label, p[label]]` when it
///    fires, else `[-1, p[label]]`.
///
/// A reset (all state zero) is the state before the first tick.
///
/// Operands: input i8 `[labels]`; fires i8 table `[labels]`, each 0 or 1; ring i8 state
/// `[average * labels]`; counters i32 state `[4]` = score vectors in the ring, the slot of the
/// next one, ticks to stay silent, unused; scores i16 `[labels]`; decision i32 `[2]`.
pub const DECIDE_I8: Op = Op {
    code: 0x0220,
    name: "DECIDE_I8",
    check,
    run,
};

params! {
    /// Parameters of [`DECIDE_I8`].
    Params {
        /// Number of labels.
        labels in 1, MAX_DIM;
        /// Score vectors that are averaged.
        average in 1, 64;
        /// Zero point of the scores.
        zero_point in I8_MIN, I8_MAX;
        /// Multiplier for `scale * 32768`.
        multiplier in 0, i32::MAX;
        /// Its shift. 16 keeps `64 * 255 << shift` within 31 bits.
        shift in SHIFT_MIN, 16;
        /// Smallest average that fires, in Q15.
        threshold in 0, 32768;
        /// Ticks after a decision in which nothing fires.
        refractory in 0, i32::MAX - 1;
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let p = Params::checked(step)?;
    expect_count(step.count_of::<i8>(0)?, &[p.labels], 0)?;
    expect_count(step.count_of_output::<i8>(2)?, &[p.average, p.labels], 2)?;
    check_decision(step, p.labels)
}

/// Checks what both operators have: everything but input and ring.
fn check_decision(step: &Step<'_>, labels: i32) -> Result<(), Fault> {
    let fires = step.table::<i8>(1)?;
    expect_count(fires.len(), &[labels], 1)?;
    if fires.iter().any(|&f| f != 0 && f != 1) {
        return Err(Fault::BadTable { operand: 1 });
    }
    expect_count(step.count_of_output::<i32>(3)?, &[4], 3)?;
    expect_count(step.count_of_output::<i16>(4)?, &[labels], 4)?;
    expect_count(step.count_of_output::<i32>(5)?, &[2], 5)?;
    step.expect_apart(&[0, 2, 3, 4, 5])
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let rule = Rule {
        labels: p.labels,
        average: p.average,
        threshold: p.threshold,
        refractory: p.refractory,
    };
    decide::<i8>(
        io,
        &rule,
        |&q| i32::from(q) - p.zero_point,
        |sum, k| quotient(mbqm(sum, p.multiplier, p.shift), k).clamp(0, 32768),
    )
}

/// [`DECIDE_I8`] for scores in `i32`, whatever their unit: no zero point and no multiplier.
///
/// `p[i] = clamp(round(sum over the k of x[i] / k), 0, 65535)`, where each `x[i]` is first clamped
/// to that range; everything else is the law of [`DECIDE_I8`].
///
/// Operands: input i32 `[labels]`; fires i8 table `[labels]`, each 0 or 1; ring i32 state
/// `[average * labels]`; counters i32 state `[4]`; scores i16 `[labels]`; decision i32 `[2]`.
pub const DECIDE_I32: Op = Op {
    code: 0x02ca,
    name: "DECIDE_I32",
    check: check_i32,
    run: run_i32,
};

/// Largest score of [`DECIDE_I32`].
const MOST: i32 = 65535;

params! {
    /// Parameters of [`DECIDE_I32`].
    Rule {
        /// Number of labels.
        labels in 1, MAX_DIM;
        /// Score vectors that are averaged.
        average in 1, 64;
        /// Smallest average that fires, in the unit of the scores.
        threshold in 0, MOST;
        /// Ticks after a decision in which nothing fires.
        refractory in 0, i32::MAX - 1;
    }
}

fn check_i32(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(6)?;
    let p = Rule::checked(step)?;
    expect_count(step.count_of::<i32>(0)?, &[p.labels], 0)?;
    expect_count(step.count_of_output::<i32>(2)?, &[p.average, p.labels], 2)?;
    check_decision(step, p.labels)
}

fn run_i32(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let rule = Rule::decode(io.step.params()?);
    decide::<i32>(io, &rule, |&x| x.clamp(0, MOST), quotient)
}

/// The law of both operators: `value` is what a score in the ring adds, `average` makes the
/// average of a sum over so many ticks.
#[inline(always)]
fn decide<T: Element>(
    io: &mut Io<'_, '_>,
    p: &Rule,
    value: impl Fn(&T) -> i32,
    average: impl Fn(i32, i32) -> i32,
) -> Result<(), Fault> {
    let n = size(p.labels).max(1);
    let fires = io.step.table::<i8>(1)?;
    let broken = Fault::WrongLength { operand: 3 };

    let &[filled, slot, silent, _] = io.read::<i32>(3)? else {
        return Err(broken);
    };
    let (input, ring) = io.read_write::<T, T>(0, 2)?;
    let from = size(slot).wrapping_mul(n);
    for (to, &from) in ring.iter_mut().skip(from).zip(input) {
        *to = from;
    }
    let filled = filled.saturating_add(1).max(1).min(p.average);
    let slot = if slot + 1 >= p.average { 0 } else { slot + 1 };

    let (ring, counters, scores, decision) = io.read_write3::<T, i32, i16, i32>(2, 3, 4, 5)?;
    let (mut best, mut best_score) = (0, -1);
    for (label, score) in scores.iter_mut().enumerate() {
        let mut sum = 0i32;
        let mut at = label;
        for _ in 0..filled {
            sum = sum.wrapping_add(ring.get(at).map_or(0, &value));
            at = at.wrapping_add(n);
        }
        let average = average(sum, filled);
        *score = average.min(32767) as i16;
        if average > best_score {
            (best, best_score) = (label, average);
        }
    }

    let may_fire = fires.get(best).is_some_and(|&f| f != 0);
    let fired = may_fire && best_score >= p.threshold && silent <= 0;
    let (label, silent) = match fired {
        true => (best as i32, p.refractory),
        false => (-1, (silent - 1).max(0)),
    };
    let ([n, next, rest, unused], [decided, its_score]) = (counters, decision) else {
        return Err(broken);
    };
    (*n, *next, *rest, *unused) = (filled, slot, silent, 0);
    (*decided, *its_score) = (label, best_score);
    Ok(())
}

/// `total / k`, rounded to nearest, ties away from zero.
fn quotient(total: i32, k: i32) -> i32 {
    let k = k.max(1);
    let half = if total > 0 { k / 2 } else { -(k / 2) };
    total.wrapping_add(half) / k
}
