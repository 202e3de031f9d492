//! Normalisation of each column over the rows so far.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::recursion::{Restart, check_state};
use crate::ops::{finite, larger};

/// Per column, subtracts a running mean and, with `variance`, divides by the running standard
/// deviation plus epsilon.
///
/// Operands: x (`f32[rows * cols]`, in place), state (`f32[2 * cols + 1]`: means, variances, rows
/// so far). Parameters: [`RunningParams`]. For row `t`, counted from 0 at the start, and
/// `a = max(alpha, 1 / (t + 1))`:
///
/// `d = x - m`, `m = m + a d`, `v = (1 - a) (v + a d^2)`, `y = (x - m) / (sqrt(v) + epsilon)`.
///
/// So the first `1 / alpha` rows count alike, and older rows fade from then on. The first row
/// becomes 0.
pub const STANDARDISE_RUNNING_F32: Op = Op {
    code: 0x0151,
    name: "STANDARDISE_RUNNING_F32",
    check,
    run: |io| {
        let params = RunningParams::decode(io.step.params()?)?;
        let fresh = params.restart.is_due(io);
        let (x, state) = io.write2::<f32, f32>(0, 1)?;
        if fresh {
            state.fill(0.0);
        }
        standardise(x, state, &params);
        Ok(())
    },
};

/// Parameters of [`STANDARDISE_RUNNING_F32`]: five words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunningParams {
    /// Values of a row.
    pub cols: u32,
    /// Divides by the standard deviation too.
    pub variance: bool,
    /// Weight of the newest row, above 0 and at most 1.
    pub alpha: f32,
    /// Added to the standard deviation, not negative.
    pub epsilon: f32,
    /// When the rows before are forgotten.
    pub restart: Restart,
}

impl RunningParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 5] {
        [
            self.cols,
            u32::from(self.variance),
            self.alpha.to_bits(),
            self.epsilon.to_bits(),
            self.restart as u32,
        ]
    }

    fn decode(&[cols, variance, alpha, epsilon, restart]: &[u32; 5]) -> Result<Self, Fault> {
        if !(1..=1 << 24).contains(&cols) {
            return Err(Fault::BadParam { param: 0 });
        }
        if variance > 1 {
            return Err(Fault::BadParam { param: 1 });
        }
        let alpha = finite(alpha, 2)?;
        if !(alpha > 0.0 && alpha <= 1.0) {
            return Err(Fault::BadParam { param: 2 });
        }
        let epsilon = finite(epsilon, 3)?;
        if epsilon < 0.0 {
            return Err(Fault::BadParam { param: 3 });
        }
        Ok(Self {
            cols,
            variance: variance == 1,
            alpha,
            epsilon,
            restart: Restart::decode(restart, 4)?,
        })
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let params = RunningParams::decode(step.params()?)?;
    let cols = params.cols as usize;
    if !step.count_of_output::<f32>(0)?.is_multiple_of(cols) {
        return Err(Fault::BadParam { param: 0 });
    }
    check_state::<f32>(step, 1, 2 * cols + 1, 0)
}

fn standardise(x: &mut [f32], state: &mut [f32], params: &RunningParams) {
    let Some((count, state)) = state.split_last_mut() else {
        return;
    };
    let cols = params.cols as usize;
    let (means, variances) = state.split_at_mut_checked(cols).unwrap_or_default();
    let mut rest = x;
    while let Some((row, behind)) = core::mem::take(&mut rest).split_at_mut_checked(cols) {
        rest = behind;
        *count += 1.0;
        let a = larger(params.alpha, 1.0 / *count);
        if a == params.alpha {
            // The count has served; more would outgrow its digits.
            *count -= 1.0;
        }
        for ((x, m), v) in row.iter_mut().zip(&mut *means).zip(&mut *variances) {
            let d = *x - *m;
            *m += a * d;
            *v = (1.0 - a) * (*v + a * d * d);
            *x -= *m;
            if params.variance {
                let deviation = libm::sqrtf(*v) + params.epsilon;
                if deviation > 0.0 {
                    *x /= deviation;
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    /// One column: mean and variance as weighted sums over all rows so far, not as a recursion.
    /// The values, and what they were divided by.
    pub(crate) fn exact(x: &[f64], alpha: f64, variance: bool, epsilon: f64) -> Vec<(f64, f64)> {
        let mut weights: Vec<f64> = Vec::new();
        x.iter()
            .enumerate()
            .map(|(t, &now)| {
                let a = alpha.max(1.0 / (t + 1) as f64);
                weights.iter_mut().for_each(|w| *w *= 1.0 - a);
                weights.push(a);
                let sum = |of: &dyn Fn(f64) -> f64| -> f64 {
                    weights.iter().zip(x).map(|(w, &x)| w * of(x)).sum()
                };
                let mean = sum(&|x| x);
                let square = sum(&|x| (x - mean) * (x - mean));
                let divisor = if variance {
                    square.sqrt() + epsilon
                } else {
                    1.0
                };
                ((now - mean) / divisor, divisor)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn the_recursion_is_a_weighted_mean_and_variance(
            x in prop::collection::vec(-30.0f32..30.0, 4..120),
            alpha in 0.01f32..0.5,
            variance: bool,
        ) {
            let cols = 2;
            let x = &x[..x.len() / cols * cols];
            let params = RunningParams {
                cols: 2, variance, alpha, epsilon: 1e-2, restart: Restart::Reset,
            };
            let mut probe = Probe::default();
            let row = probe.tensor(&[0.0f32; 2]);
            let all = probe.tensor(x);
            let (a, b) = (probe.tensor(&[0.0f32; 5]), probe.tensor(&[7.0f32; 5]));
            let mut y = Vec::new();
            for values in x.chunks(cols) {
                probe.set(row, values);
                probe.run(&STANDARDISE_RUNNING_F32, &[row, a], &params.encode()).expect("runs");
                y.extend(probe.get::<f32>(row));
            }
            let at_once = RunningParams { restart: Restart::Step, ..params };
            probe.run(&STANDARDISE_RUNNING_F32, &[all, b], &at_once.encode()).expect("runs");
            prop_assert_eq!(&y, &probe.get::<f32>(all));
            for c in 0..cols {
                let column: Vec<f64> =
                    x.iter().skip(c).step_by(cols).map(|&x| f64::from(x)).collect();
                let exact = exact(&column, f64::from(alpha), variance, f64::from(1e-2f32));
                for (t, (exact, _)) in exact.iter().enumerate() {
                    let found = f64::from(y[t * cols + c]);
                    prop_assert!((found - exact).abs() < 2e-3, "{found} {exact}");
                }
            }
        }
    }
}
