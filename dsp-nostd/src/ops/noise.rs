//! Subtraction of steady noise from a spectrum.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::recursion::{Restart, check_state};
use crate::ops::{finite, larger};

/// Spectral subtraction of one row: an estimate of each band's noise follows its energy slowly and
/// is subtracted from it.
///
/// Operands: e (`f32[n]`, in place, not negative), state (`f32[n]`: the noise, 0 at the start).
/// Parameters: [`NoiseParams`].
///
/// `noise = noise + smoothing (e - noise)`, `y = max(e - factor noise, remaining e)`.
pub const SUBTRACT_NOISE_F32: Op = Op {
    code: 0x0153,
    name: "SUBTRACT_NOISE_F32",
    check,
    run: |io| {
        let params = NoiseParams::decode(io.step.params()?)?;
        let fresh = params.restart.is_due(io);
        let (x, noise) = io.write2::<f32, f32>(0, 1)?;
        if fresh {
            noise.fill(0.0);
        }
        for (x, noise) in x.iter_mut().zip(noise) {
            let e = *x;
            *noise += params.smoothing * (e - *noise);
            *x = larger(params.remaining * e, e - params.factor * *noise);
        }
        Ok(())
    },
};

/// Parameters of [`SUBTRACT_NOISE_F32`]: four words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseParams {
    /// Share of a row in the noise, above 0 and at most 1.
    pub smoothing: f32,
    /// How often the noise is subtracted, 0 to 16.
    pub factor: f32,
    /// Share of the energy that always remains, 0 to 1.
    pub remaining: f32,
    /// When the rows before are forgotten.
    pub restart: Restart,
}

impl NoiseParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 4] {
        [
            self.smoothing.to_bits(),
            self.factor.to_bits(),
            self.remaining.to_bits(),
            self.restart as u32,
        ]
    }

    fn decode(&[smoothing, factor, remaining, restart]: &[u32; 4]) -> Result<Self, Fault> {
        let within = |word: u32, param: u8, most: f32| match finite(word, param)? {
            x if x >= 0.0 && x <= most => Ok(x),
            _ => Err(Fault::BadParam { param }),
        };
        let params = Self {
            smoothing: within(smoothing, 0, 1.0)?,
            factor: within(factor, 1, 16.0)?,
            remaining: within(remaining, 2, 1.0)?,
            restart: Restart::decode(restart, 3)?,
        };
        if params.smoothing == 0.0 {
            return Err(Fault::BadParam { param: 0 });
        }
        Ok(params)
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let n = step.count_of_output::<f32>(0)?;
    check_state::<f32>(step, 1, n, 0)?;
    NoiseParams::decode(step.params()?).map(|_| ())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    /// The formula, for one band; the noise as a sum over all rows so far.
    pub(crate) fn exact(e: &[f64], smoothing: f64, factor: f64, remaining: f64) -> Vec<f64> {
        (0..e.len())
            .map(|t| {
                let weight = |i: usize| smoothing * (1.0 - smoothing).powi((t - i) as i32);
                let noise: f64 = (0..=t).map(|i| weight(i) * e[i]).sum();
                (e[t] - factor * noise).max(remaining * e[t])
            })
            .collect()
    }

    proptest! {
        #[test]
        fn the_noise_is_subtracted(
            e in prop::collection::vec(0.0f32..1.0, 2..60),
            smoothing in 0.01f32..1.0,
            factor in 0.5f32..2.0,
            remaining in 0.0f32..0.2,
            again in 1usize..50,
        ) {
            let params = NoiseParams { smoothing, factor, remaining, restart: Restart::Window };
            let mut probe = Probe::default();
            let (x, state) = (probe.tensor(&[0.0f32]), probe.tensor(&[0.0f32]));
            let again = again.min(e.len() - 1);
            for window in [&e[..again], &e[again..]] {
                let of = |x: f32| f64::from(x);
                let column: Vec<f64> = window.iter().map(|&e| of(e)).collect();
                let exact = exact(&column, of(smoothing), of(factor), of(remaining));
                for (t, exact) in exact.iter().enumerate() {
                    probe.set(x, &[window[t]]);
                    probe.frame = t as u32;
                    probe.run(&SUBTRACT_NOISE_F32, &[x, state], &params.encode()).expect("runs");
                    let found = of(probe.get::<f32>(x)[0]);
                    prop_assert!((found - exact).abs() < 1e-5, "{found} {exact}");
                }
            }
        }
    }
}
