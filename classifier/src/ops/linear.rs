//! Linear models and their probabilities: `LINEAR_I32`, `TO_FIXED_F32_I32`, `SOFTMAX_I32`,
//! `LOGISTIC_I32`.

use crate::functions::{exp_of_negative, one_over_one_plus};
use crate::params::{MAX_DIM, expect_count, size};
use crate::requant::srdhm;
use otolith_dsp_nostd::{Fault, Io, Op, Step, q};

/// `y[r] = bias[r] + sum_k shr(x[k] mul[r][k], shift[r][k])`, saturating to 32 bits. `shr` rounds to
/// nearest, ties up; the sum has 64 bits and saturates.
///
/// Operands: x i32 `[n]`; mul i32 table `[rows * n]`; shift i8 table `[rows * n]`, each 0 to 62;
/// bias i64 table `[rows]`; y i32 `[rows]`.
pub const LINEAR_I32: Op = Op {
    code: 0x02c2,
    name: "LINEAR_I32",
    check: check_linear,
    run: run_linear,
};

fn check_linear(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(5)?;
    let &[] = step.params()?;
    let n = step.count_of::<i32>(0)?;
    let rows = step.count_of_output::<i32>(4)?;
    expect_count(step.table::<i32>(1)?.len(), &[rows as i32, n as i32], 1)?;
    check_shifts(step, 2, (rows as i64).saturating_mul(n as i64))?;
    expect_count(step.table::<i64>(3)?.len(), &[rows as i32], 3)?;
    step.expect_disjoint(0, 4)
}

/// Checks the table of `n` shifts of weights.
pub(super) fn check_shifts(step: &Step<'_>, operand: u8, n: i64) -> Result<(), Fault> {
    let shifts = step.table::<i8>(operand.into())?;
    if i64::try_from(shifts.len()) != Ok(n) {
        return Err(Fault::WrongLength { operand });
    }
    if shifts.iter().any(|s| !(0..=62).contains(s)) {
        return Err(Fault::BadTable { operand });
    }
    Ok(())
}

fn run_linear(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let mut weights = io.step.table::<i32>(1)?.iter().zip(io.step.table::<i8>(2)?);
    let bias = io.step.table::<i64>(3)?;
    let (x, y) = io.read_write::<i32, i32>(0, 4)?;
    for (y, &bias) in y.iter_mut().zip(bias) {
        let terms = x.iter().zip(&mut weights);
        let sum = terms.fold(bias, |sum, (&x, (&mul, &shift))| {
            let product = i64::from(x) * i64::from(mul);
            sum.saturating_add(q::shr(product, shift as u32))
        });
        *y = q::narrow_i32(sum);
    }
    Ok(())
}

/// `y[i] = round((x[i] + add[i]) * scale)`, ties away from zero, saturating; NaN gives 0.
///
/// Operands: x f32 `[n]`; add f32 table `[n]`; y i32 `[n]`. Parameters: the bits of scale, an f32
/// above 0.
pub const TO_FIXED_F32_I32: Op = Op {
    code: 0x02c3,
    name: "TO_FIXED_F32_I32",
    check: check_to_fixed,
    run: run_to_fixed,
};

fn check_to_fixed(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let &[scale] = step.params()?;
    let scale = f32::from_bits(scale);
    if !(scale.is_finite() && scale > 0.0) {
        return Err(Fault::BadParam { param: 0 });
    }
    let n = step.count_of::<f32>(0)? as i32;
    expect_count(step.table::<f32>(1)?.len(), &[n], 1)?;
    expect_count(step.count_of_output::<i32>(2)?, &[n], 2)?;
    step.expect_disjoint(0, 2)
}

fn run_to_fixed(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[scale] = io.step.params()?;
    let scale = f32::from_bits(scale);
    let add = io.step.table::<f32>(1)?;
    let (x, y) = io.read_write::<f32, i32>(0, 2)?;
    for ((y, x), add) in y.iter_mut().zip(x).zip(add) {
        // A cast saturates.
        *y = libm::roundf((x + add) * scale) as i32;
    }
    Ok(())
}

/// Probabilities of exclusive labels: `y[i] = exp(x[i]) / sum_j exp(x[j])`, from Q16 to Q15
/// (32768 for 1), within one unit.
///
/// `e[i]` is the exponential of `x[i] - max x` in Q0.31 as in `SOFTMAX_I8`, 0 below -20; with `r`
/// such that `sum e / 2^r` has at most 17 bits, `y[i] = round(32768 floor(e[i] / 2^r) /
/// floor(sum e / 2^r))`.
///
/// Operands: x i32 `[labels]`; y i32 `[labels]`.
pub const SOFTMAX_I32: Op = Op {
    code: 0x02c4,
    name: "SOFTMAX_I32",
    check: check_softmax,
    run: run_softmax,
};

fn check_softmax(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let &[] = step.params()?;
    let n = step.count_of::<i32>(0)?;
    expect_count(n, &[n.min(size(MAX_DIM)) as i32], 0)?;
    expect_count(step.count_of_output::<i32>(1)?, &[n as i32], 1)?;
    step.expect_disjoint(0, 1)
}

fn run_softmax(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let (x, y) = io.read_write::<i32, i32>(0, 1)?;
    let max = x.iter().max().map_or(0, |&max| i64::from(max));
    let mut sum = 0u64;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = exp_q16(i64::from(x) - max);
        sum = sum.wrapping_add(*y as u64);
    }
    for y in y {
        *y = share_q15(*y, sum);
    }
    Ok(())
}

/// Probabilities of labels on their own, from logits in Q16 to Q15 (32768 for 1).
///
/// With one logit and two labels, `y[1] = s(x)` and `y[0] = s(-x)`; with as many logits as
/// labels, one against the rest, `y[i] = s(x[i]) / sum_j s(x[j])`, all 0 where the sum is 0. `s(x)
/// = 1 / (1 + exp(-x))` in Q0.31 from the exponential of `-|x|` as in [`SOFTMAX_I32`], and shares
/// as there.
///
/// Operands: x i32 `[1]` or `[labels]`; y i32 `[labels]`.
pub const LOGISTIC_I32: Op = Op {
    code: 0x02c5,
    name: "LOGISTIC_I32",
    check: check_logistic,
    run: run_logistic,
};

fn check_logistic(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let &[] = step.params()?;
    let labels = step.count_of_output::<i32>(1)?;
    expect_count(labels, &[labels.min(size(MAX_DIM)) as i32], 1)?;
    let logits = step.count_of::<i32>(0)?;
    if labels < 2 || logits != labels && (logits, labels) != (1, 2) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    step.expect_disjoint(0, 1)
}

fn run_logistic(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let (x, y) = io.read_write::<i32, i32>(0, 1)?;
    if let (&[x], [no, yes]) = (x, &mut *y) {
        (*no, *yes) = (sigmoid(-i64::from(x)), sigmoid(x.into()));
    } else {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = sigmoid(x.into());
        }
    }
    let sum = y.iter().fold(0u64, |sum, &s| sum.wrapping_add(s as u64));
    for y in y {
        *y = share_q15(*y, sum);
    }
    Ok(())
}

/// `1 / (1 + exp(-x))` in Q0.31 for `x` in Q16.
fn sigmoid(x: i64) -> i32 {
    let e = exp_q16(-x.abs());
    let most = one_over_one_plus(e);
    if x < 0 { srdhm(most, e) } else { most }
}

/// `exp(x)` in Q0.31 for `x <= 0` in Q16; 0 below -20.
pub(super) fn exp_q16(x: i64) -> i32 {
    if x < -20 << 16 {
        return 0;
    }
    // Q5.26
    exp_of_negative::<5>((x << 10) as i32)
}

/// `part / sum` in Q15, rounded, for a `part` of `sum`; 0 where the sum is 0.
fn share_q15(part: i32, sum: u64) -> i32 {
    // 17 bits of the sum and 15 for the quotient are a division of 32 bits.
    let drop = (64 - sum.leading_zeros()).saturating_sub(17);
    let sum = (sum >> drop) as u32;
    let part = ((part as u64) >> drop) as u32;
    let scaled = part << 15;
    let share = scaled.checked_div(sum).unwrap_or(0);
    let rest = scaled.wrapping_sub(share.wrapping_mul(sum));
    (share + u32::from(sum != 0 && rest >= sum - rest)) as i32
}
