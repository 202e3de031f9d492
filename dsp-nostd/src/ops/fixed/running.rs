//! Normalisation of each column over the rows so far, in integers.

use super::rows::Scale;
use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::recursion::{Restart, check_state};
use crate::q;

/// Per column, subtracts a running mean and, with a deviation, divides by the running standard
/// deviation plus epsilon: the recursion of
/// [`STANDARDISE_RUNNING_F32`](crate::ops::running::STANDARDISE_RUNNING_F32).
///
/// Operands: x (`i16[rows * cols]`, in place), means (`i32[cols + 1]`, state: Q16 of x's unit, and
/// the rows so far), and with a deviation variances (`u64[cols]`, state: Q16 of the unit's square)
/// and epsilon (`u32[cols]` table, in `2^-16` of the column's unit). Parameters: [`RunningParams`].
///
/// Without a deviation a column keeps its Q: `x = round(x - m)`, saturating. With one all columns
/// get the Q format of the parameters. The mean is rounded to `2^-16` of a unit in each row, which
/// its recursion adds up to at most `2^-17 / alpha`; distances from it are rounded to `2^-8` of a
/// unit before they are squared.
pub const STANDARDISE_RUNNING_I16: Op = Op {
    code: 0x0352,
    name: "STANDARDISE_RUNNING_I16",
    check,
    run: |io| {
        let params = RunningParams::decode(io.step.params()?)?;
        let fresh = params.restart.is_due(io);
        if fresh {
            io.write::<i32>(1)?.fill(0);
        }
        if params.out_q.is_none() {
            let (x, state) = io.write2::<i16, i32>(0, 1)?;
            remove_means(x, state, &params);
            return Ok(());
        }
        if fresh {
            io.write::<u64>(2)?.fill(0);
        }
        let epsilon = io.step.table::<u32>(3)?;
        let (x, means, variances) = io.write3::<i16, i32, u64>(0, 1, 2)?;
        standardise(x, means, variances, epsilon, &params);
        Ok(())
    },
};

/// Parameters of [`STANDARDISE_RUNNING_I16`]: four words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningParams {
    /// Values of a row.
    pub cols: u32,
    /// Weight of the newest row in Q30, from `2^-16` to 1.
    pub alpha: u32,
    /// Divides by the standard deviation too; the result's Q, at most 15.
    pub out_q: Option<u32>,
    /// When the rows before are forgotten.
    pub restart: Restart,
}

impl RunningParams {
    /// No division.
    const MEAN_ONLY: u32 = u32::MAX;

    /// The parameter words.
    pub fn encode(self) -> [u32; 4] {
        let out_q = self.out_q.unwrap_or(Self::MEAN_ONLY);
        [self.cols, self.alpha, out_q, self.restart as u32]
    }

    fn decode(&[cols, alpha, out_q, restart]: &[u32; 4]) -> Result<Self, Fault> {
        if !(1..=1 << 24).contains(&cols) {
            return Err(Fault::BadParam { param: 0 });
        }
        if !(1 << 14..=1 << 30).contains(&alpha) {
            return Err(Fault::BadParam { param: 1 });
        }
        let out_q = match out_q {
            Self::MEAN_ONLY => None,
            0..=15 => Some(out_q),
            _ => return Err(Fault::BadParam { param: 2 }),
        };
        Ok(Self {
            cols,
            alpha,
            out_q,
            restart: Restart::decode(restart, 3)?,
        })
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    let params = RunningParams::decode(step.params()?)?;
    let cols = params.cols as usize;
    if !step.count_of_output::<i16>(0)?.is_multiple_of(cols) {
        return Err(Fault::BadParam { param: 0 });
    }
    check_state::<i32>(step, 1, cols + 1, 0)?;
    if params.out_q.is_none() {
        return step.expect_operands(2);
    }
    step.expect_operands(4)?;
    check_state::<u64>(step, 2, cols, 0)?;
    step.expect_disjoint(1, 2)?;
    if step.table::<u32>(3)?.len() != cols {
        return Err(Fault::WrongLength { operand: 3 });
    }
    Ok(())
}

/// The weight of the next row in Q30: the first rows count alike.
fn weight(count: &mut i32, alpha: u32) -> i64 {
    let rows = count.wrapping_add(1);
    let share = q::div(1 << 30, i64::from(rows));
    if share < i64::from(alpha) {
        i64::from(alpha)
    } else {
        *count = rows;
        share
    }
}

/// Moves a mean towards `x`; returns the distance from the mean before and from the one now, in
/// Q16, below `2^33`.
fn follow(x: i16, mean: &mut i32, a: i64) -> (i64, i64) {
    let x = i64::from(x) << 16;
    let before = x - i64::from(*mean);
    // A mean of values is within their range.
    *mean = q::narrow_i32(i64::from(*mean) + q::shr(before * a, 30));
    (before, x - i64::from(*mean))
}

fn remove_means(x: &mut [i16], state: &mut [i32], params: &RunningParams) {
    let Some((count, means)) = state.split_last_mut() else {
        return;
    };
    let mut rest = x;
    while let Some((row, behind)) =
        core::mem::take(&mut rest).split_at_mut_checked(params.cols as usize)
    {
        rest = behind;
        let a = weight(count, params.alpha);
        for (x, mean) in row.iter_mut().zip(&mut *means) {
            let (_, distance) = follow(*x, mean, a);
            *x = q::narrow_i16(q::shr(distance, 16));
        }
    }
}

fn standardise(
    x: &mut [i16],
    state: &mut [i32],
    variances: &mut [u64],
    epsilon: &[u32],
    params: &RunningParams,
) {
    let Some((count, means)) = state.split_last_mut() else {
        return;
    };
    let out_q = params.out_q.unwrap_or(0);
    let mut rest = x;
    while let Some((row, behind)) =
        core::mem::take(&mut rest).split_at_mut_checked(params.cols as usize)
    {
        rest = behind;
        let a = weight(count, params.alpha);
        // Q32, at most 1.
        let (share, others) = ((a as u64) << 2, (1u64 << 32) - ((a as u64) << 2));
        let columns = row.iter_mut().zip(&mut *means).zip(&mut *variances);
        for (((x, mean), variance), &epsilon) in columns.zip(epsilon) {
            let (before, distance) = follow(*x, mean, a);
            // Q8, below 2^25; squares in Q16.
            let before = q::shr(before, 8).unsigned_abs();
            let sum = variance.wrapping_add(weighted(before.wrapping_mul(before), share));
            *variance = weighted(sum, others);
            let Scale { factor, shift } = match *variance {
                0 => Scale::default(),
                // Root and epsilon in Q8.
                variance => Scale::new(variance, u64::from(epsilon) << 8, out_q),
            };
            let distance = q::shr(distance, 8);
            *x = q::narrow_i16(q::shr(distance.wrapping_mul(factor), shift));
        }
    }
}

/// `x a` for a in Q32, at most 1.
fn weighted(x: u64, a: u64) -> u64 {
    match u32::try_from(a) {
        Ok(a) => q::mul_u64_q32(x, a),
        Err(_) => x,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use crate::ops::running::tests::exact;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn the_recursion_is_a_weighted_mean_and_variance(
            x in prop::collection::vec(any::<i16>(), 4..200),
            quiet in 0u32..8,
            alpha in 1u32 << 23..1 << 28,
            variance: bool,
        ) {
            let cols = 2;
            let x: Vec<i16> = x[..x.len() / cols * cols].iter().map(|x| x >> quiet).collect();
            let params = RunningParams {
                cols: 2, alpha, out_q: variance.then_some(9), restart: Restart::Reset,
            };
            let epsilon = [2u32 << 16, 1 << 14];
            let mut probe = Probe::default();
            let row = probe.tensor(&[0i16; 2]);
            let mut operands = std::vec![row, probe.tensor(&[0i32; 3])];
            if variance {
                operands.push(probe.tensor(&[0u64; 2]));
                operands.push(probe.table(&epsilon));
            }
            let mut y = Vec::new();
            for values in x.chunks(cols) {
                probe.set(row, values);
                probe.run(&STANDARDISE_RUNNING_I16, &operands, &params.encode()).expect("runs");
                y.extend(probe.get::<i16>(row));
            }
            for c in 0..cols {
                let column: Vec<f64> =
                    x.iter().skip(c).step_by(cols).map(|&x| f64::from(x)).collect();
                let alpha = f64::from(alpha) / 2f64.powi(30);
                let epsilon = f64::from(epsilon[c]) / 65536.0;
                let exact = exact(&column, alpha, variance, epsilon);
                let unit = if variance { 512.0 } else { 1.0 };
                for (t, (exact, divisor)) in exact.iter().enumerate() {
                    let found = f64::from(y[t * cols + c]);
                    // Half a unit of the result; distances and deviations are rounded to 2^-8 of
                    // x's, and the mean to what its recursion adds up.
                    let room = if variance {
                        0.51 + unit * (1.0 + exact.abs()) * 2f64.powi(-8) / divisor
                    } else {
                        0.51
                    };
                    let exact = (exact * unit).clamp(-32768.0, 32767.0);
                    prop_assert!((found - exact).abs() < room, "{found} {exact}");
                }
            }
        }
    }

    #[test]
    fn steady_rows_become_zero_and_a_step_decays() {
        let params = RunningParams {
            cols: 1,
            alpha: 1 << 26,
            out_q: None,
            restart: Restart::Step,
        };
        let x: Vec<i16> = (0..300)
            .map(|t| if t < 100 { 1000 } else { 3000 })
            .collect();
        let mut probe = Probe::default();
        let operands = [probe.tensor(&x), probe.tensor(&[7i32; 2])];
        probe
            .run(&STANDARDISE_RUNNING_I16, &operands, &params.encode())
            .expect("runs");
        let y = probe.get::<i16>(operands[0]);
        assert!(y[..100].iter().all(|&y| y == 0));
        for (t, &y) in y.iter().enumerate().skip(100) {
            let exact = 2000.0 * (15.0 / 16.0f64).powi(t as i32 - 99);
            assert!((f64::from(y) - exact).abs() < 0.6, "{t} {y} {exact}");
        }
    }
}
