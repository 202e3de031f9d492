//! Anomaly scores: `SQUARED_DISTANCES_I32`, `SQUARED_DISTANCES_F32`, `NEAREST_I64`, `MIXTURE_I64`.

use super::linear::{check_shifts, exp_q16};
use crate::params::{MAX_DIM, expect_count, size};
use otolith_dsp_nostd::ops::fixed::log::log2;
use otolith_dsp_nostd::{Fault, Io, Op, Step, q};

/// Squared Mahalanobis distances to the centres of components, in Q32.
///
/// With `d = x - centre[c]`, saturated to 32 bits: `z[j] = sum_i shr(d[i] mul[c][j][i],
/// shift[c][j][i])`, a number of standard deviations in Q16, saturated to 32 bits, and `y[c] =
/// sum_j z[j]^2`, saturating. `shr` rounds to nearest, ties up. Without `full`, `j = i` only: one
/// weight for each feature. With `full`, `i` runs from 0 to `j`: the columns of the upper
/// triangular Cholesky factor of the inverse covariance.
///
/// Operands: x i32 `[features]`; centre i32 table `[components * features]`; mul i32 table
/// `[components * weights]`, where weights is `features`, or `features (features + 1) / 2` with
/// `full`; shift i8 table of the same length, each 0 to 62; y i64 `[components]`.
pub const SQUARED_DISTANCES_I32: Op = Op {
    code: 0x02c6,
    name: "SQUARED_DISTANCES_I32",
    check: check_i32,
    run: run_i32,
};

/// [`SQUARED_DISTANCES_I32`] in `f32`: `y[c] = round(2^32 sum_j z[j]^2)`, saturating; distances
/// that are not a number are the largest there are. Sums run upwards.
///
/// Operands: x f32 `[features]`; centre f32 table `[components * features]`; weights f32 table
/// `[components * weights]`; y i64 `[components]`.
pub const SQUARED_DISTANCES_F32: Op = Op {
    code: 0x02c7,
    name: "SQUARED_DISTANCES_F32",
    check: check_f32,
    run: run_f32,
};

params! {
    /// Parameters of [`SQUARED_DISTANCES_I32`] and [`SQUARED_DISTANCES_F32`].
    DistanceParams {
        /// 1 for full covariances, 0 for diagonal ones.
        full in 0, 1;
    }
}

/// Checks centres against features and components; gives the number of weights of all components.
fn weights(full: i32, features: usize, components: usize, centre: usize) -> Result<i64, Fault> {
    expect_count(features, &[features.min(size(MAX_DIM)) as i32], 0)?;
    expect_count(centre, &[components as i32, features as i32], 1)?;
    let n = features as i64;
    let each = if full != 0 { n * (n + 1) / 2 } else { n };
    each.checked_mul(components as i64)
        .ok_or(Fault::WrongLength { operand: 2 })
}

fn check_i32(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(5)?;
    let DistanceParams { full } = DistanceParams::checked(step)?;
    let (n, components) = (step.count_of::<i32>(0)?, step.count_of_output::<i64>(4)?);
    let weights = weights(full, n, components, step.table::<i32>(1)?.len())?;
    if i64::try_from(step.table::<i32>(2)?.len()) != Ok(weights) {
        return Err(Fault::WrongLength { operand: 2 });
    }
    check_shifts(step, 3, weights)?;
    step.expect_disjoint(0, 4)
}

fn run_i32(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let DistanceParams { full } = DistanceParams::decode(io.step.params()?);
    let mut centre = io.step.table::<i32>(1)?;
    let mut weights = io.step.table::<i32>(2)?.iter().zip(io.step.table::<i8>(3)?);
    let (x, y) = io.read_write::<i32, i64>(0, 4)?;
    for y in y {
        let (at, behind) = centre.split_at_checked(x.len()).unwrap_or_default();
        centre = behind;
        let deviation = |i: usize| match (x.get(i), at.get(i)) {
            (Some(&x), Some(&c)) => i64::from(narrow(i64::from(x) - i64::from(c))),
            _ => 0,
        };
        let mut sum = 0u64;
        for j in 0..x.len() {
            let first = if full != 0 { 0 } else { j };
            let mut z = 0i64;
            for i in first..=j {
                let Some((&mul, &shift)) = weights.next() else {
                    break;
                };
                let product = deviation(i) * i64::from(mul);
                z = z.saturating_add(q::shr(product, shift as u32));
            }
            let z = i64::from(narrow(z));
            sum = sum.saturating_add((z * z) as u64);
        }
        *y = sum.min(i64::MAX as u64) as i64;
    }
    Ok(())
}

/// Saturates to 32 bits: what is that far away needs no exact distance.
fn narrow(x: i64) -> i32 {
    x.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

fn check_f32(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let DistanceParams { full } = DistanceParams::checked(step)?;
    let (n, components) = (step.count_of::<f32>(0)?, step.count_of_output::<i64>(3)?);
    let weights = weights(full, n, components, step.table::<f32>(1)?.len())?;
    if i64::try_from(step.table::<f32>(2)?.len()) != Ok(weights) {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 3)
}

fn run_f32(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let DistanceParams { full } = DistanceParams::decode(io.step.params()?);
    let mut centre = io.step.table::<f32>(1)?;
    let mut weights = io.step.table::<f32>(2)?.iter();
    let (x, y) = io.read_write::<f32, i64>(0, 3)?;
    for y in y {
        let (at, behind) = centre.split_at_checked(x.len()).unwrap_or_default();
        centre = behind;
        let mut sum = 0.0f32;
        for j in 0..x.len() {
            let first = if full != 0 { 0 } else { j };
            let pairs = x.iter().zip(at).skip(first).take(j + 1 - first);
            let mut z = 0.0f32;
            for ((x, c), w) in pairs.zip(&mut weights) {
                z += (x - c) * w;
            }
            sum += z * z;
        }
        // A cast saturates.
        *y = if sum.is_nan() {
            i64::MAX
        } else {
            (sum * 4_294_967_296.0) as i64
        };
    }
    Ok(())
}

/// Distance to the nearest centre: `y = min(round(sqrt(min_c x[c]) / 256), 32767)`, from squares
/// in Q32 to Q8. The square root is rounded down, the quotient to nearest.
///
/// Operands: x i64 `[components]`, none negative; y i32 `[1]`.
pub const NEAREST_I64: Op = Op {
    code: 0x02c8,
    name: "NEAREST_I64",
    check: check_nearest,
    run: run_nearest,
};

fn check_nearest(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let &[] = step.params()?;
    step.count_of::<i64>(0)?;
    expect_count(step.count_of_output::<i32>(1)?, &[1], 1)?;
    step.expect_disjoint(0, 1)
}

fn run_nearest(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let (x, y) = io.read_write::<i64, i32>(0, 1)?;
    let least = x.iter().min().map_or(0, |&least| least.max(0));
    let distance = i64::from(q::sqrt(least as u64));
    score(y, distance);
    Ok(())
}

/// How far below its highest possible value the logarithm of a mixture's density lies: `y =
/// -ln(sum_c exp(weight[c] - x[c] / 2))`, from squared distances in Q32 and weights in Q16 to Q8,
/// from 0 to 32767.
///
/// The exponentials are relative to the largest, in Q0.31 as in `SOFTMAX_I32`; the logarithm is
/// within 2e-4.
///
/// Operands: x i64 `[components]`, none negative; weight i32 table `[components]`, none positive;
/// y i32 `[1]`.
pub const MIXTURE_I64: Op = Op {
    code: 0x02c9,
    name: "MIXTURE_I64",
    check: check_mixture,
    run: run_mixture,
};

fn check_mixture(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let &[] = step.params()?;
    let n = step.count_of::<i64>(0)?;
    expect_count(n, &[n.min(size(MAX_DIM)) as i32], 0)?;
    let weight = step.table::<i32>(1)?;
    expect_count(weight.len(), &[n as i32], 1)?;
    if weight.iter().any(|&w| w > 0) {
        return Err(Fault::BadTable { operand: 1 });
    }
    expect_count(step.count_of_output::<i32>(2)?, &[1], 2)?;
    step.expect_disjoint(0, 2)
}

fn run_mixture(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let weight = io.step.table::<i32>(1)?;
    let (x, y) = io.read_write::<i64, i32>(0, 2)?;
    let terms = || {
        x.iter()
            .zip(weight)
            .map(|(&x, &w)| i64::from(w) - q::shr(x >> 1, 16))
    };
    let most = terms().max().unwrap_or(0);
    let sum = terms().fold(0u64, |sum, term| {
        sum.wrapping_add(exp_q16(term - most) as u64)
    });
    // ln 2 in Q16. The largest term alone is 2^31 - 1 of the sum.
    const LN_2: i64 = 45426;
    let log = i64::from(log2(sum.max(1), 16)) - (31 << 16);
    score(y, -most - q::shr(log * LN_2, 16));
    Ok(())
}

/// Writes a score in Q16 as Q8, from 0 to 32767.
fn score(y: &mut [i32], q16: i64) {
    if let Some(y) = y.first_mut() {
        *y = q::shr(q16, 8).clamp(0, i16::MAX.into()) as i32;
    }
}
