//! Per-channel energy normalisation.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::finite;
use crate::ops::recursion::{Restart, check_state};

/// Per-channel energy normalisation of one row of energies (Wang et al., "Trainable Frontend For
/// Robust and Far-Field Keyword Spotting", 2017).
///
/// Operands: e (`f32[n]`, in place, not negative), state (`f32[n + 1]`: the smoothed energies, and
/// whether there are any). Parameters: [`PcenParams`].
///
/// `m = (1 - s) m + s e`, `y = (e / (epsilon + m)^gain + bias)^power - bias^power`.
pub const PCEN_F32: Op = Op {
    code: 0x0152,
    name: "PCEN_F32",
    check,
    run: |io| {
        let params = PcenParams::decode(io.step.params()?)?;
        let fresh = params.restart.is_due(io);
        let (x, state) = io.write2::<f32, f32>(0, 1)?;
        if let Some((started, smooth)) = state.split_last_mut() {
            if fresh || *started == 0.0 {
                start(smooth, x, params.start);
                *started = 1.0;
            }
            pcen(x, smooth, &params);
        }
        Ok(())
    },
};

/// Parameters of [`PCEN_F32`]: seven words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PcenParams {
    /// `s`, above 0 and at most 1.
    pub smoothing: f32,
    /// Exponent of the smoothed energy, 0 to 4.
    pub gain: f32,
    /// Added before the root, 0 to 128.
    pub bias: f32,
    /// Exponent of the root, above 0 and at most 1.
    pub power: f32,
    /// Smallest smoothed energy, above 0.
    pub epsilon: f32,
    /// Smoothed energy before the first row, not negative; without it the first row's energies.
    pub start: Option<f32>,
    /// When the rows before are forgotten.
    pub restart: Restart,
}

impl PcenParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 7] {
        [
            self.smoothing.to_bits(),
            self.gain.to_bits(),
            self.bias.to_bits(),
            self.power.to_bits(),
            self.epsilon.to_bits(),
            self.start.unwrap_or(-1.0).to_bits(),
            self.restart as u32,
        ]
    }

    fn decode(words: &[u32; 7]) -> Result<Self, Fault> {
        let &[smoothing, gain, bias, power, epsilon, start, restart] = words;
        let within = |word: u32, param: u8, least: f32, most: f32| match finite(word, param)? {
            x if x >= least && x <= most => Ok(x),
            _ => Err(Fault::BadParam { param }),
        };
        let tiny = f32::MIN_POSITIVE;
        let start = finite(start, 5)?;
        Ok(Self {
            smoothing: within(smoothing, 0, tiny, 1.0)?,
            gain: within(gain, 1, 0.0, 4.0)?,
            bias: within(bias, 2, 0.0, 128.0)?,
            power: within(power, 3, tiny, 1.0)?,
            epsilon: within(epsilon, 4, tiny, f32::MAX)?,
            start: (start >= 0.0).then_some(start),
            restart: Restart::decode(restart, 6)?,
        })
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let n = step.count_of_output::<f32>(0)?;
    check_state::<f32>(step, 1, n + 1, 0)?;
    PcenParams::decode(step.params()?).map(|_| ())
}

fn start(smooth: &mut [f32], x: &[f32], value: Option<f32>) {
    for (m, &e) in smooth.iter_mut().zip(x) {
        *m = value.unwrap_or(e);
    }
}

fn pcen(x: &mut [f32], smooth: &mut [f32], params: &PcenParams) {
    let &PcenParams {
        smoothing: s,
        gain,
        bias,
        power,
        epsilon,
        ..
    } = params;
    // In logarithms, where neither a power of epsilon nor a small x beside the bias loses digits.
    let log_epsilon = libm::logf(epsilon);
    let root = if bias > 0.0 {
        libm::expf(power * libm::logf(bias))
    } else {
        0.0
    };
    for (x, m) in x.iter_mut().zip(smooth) {
        *m = (1.0 - s) * *m + s * *x;
        let level = libm::expf(-gain * (log_epsilon + libm::log1pf(*m / epsilon)));
        let level = *x * level;
        *x = if bias > 0.0 {
            root * libm::expm1f(power * libm::log1pf(level / bias))
        } else if level > 0.0 {
            libm::expf(power * libm::logf(level))
        } else {
            0.0
        };
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    /// The formula, for one band.
    pub(crate) fn exact(e: &[f64], p: &PcenParams) -> Vec<f64> {
        let of = |x: f32| f64::from(x);
        let mut m = p.start.map_or(e[0], of);
        e.iter()
            .map(|&e| {
                m = (1.0 - of(p.smoothing)) * m + of(p.smoothing) * e;
                let level = e / (of(p.epsilon) + m).powf(of(p.gain)) + of(p.bias);
                level.powf(of(p.power)) - of(p.bias).powf(of(p.power))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn it_is_the_formula(
            e in prop::collection::vec((0.0f32..1.0, 0u32..30), 2..40),
            smoothing in 0.01f32..1.0,
            gain in 0.0f32..1.0,
            bias in prop::sample::select(&[0.0f32, 0.5, 2.0, 10.0][..]),
            power in 0.1f32..1.0,
            start in prop::option::of(0.0f32..1.0),
        ) {
            let params = PcenParams {
                smoothing, gain, bias, power, epsilon: 1e-6, start, restart: Restart::Reset,
            };
            let e: Vec<f32> = e.iter().map(|(x, n)| x * 0.5f32.powi(*n as i32)).collect();
            let mut probe = Probe::default();
            let (x, state) = (probe.tensor(&[0.0f32]), probe.tensor(&[0.0f32; 2]));
            let exact = exact(&e.iter().map(|&e| f64::from(e)).collect::<Vec<_>>(), &params);
            for (&e, exact) in e.iter().zip(exact) {
                probe.set(x, &[e]);
                probe.run(&PCEN_F32, &[x, state], &params.encode()).expect("runs");
                let found = f64::from(probe.get::<f32>(x)[0]);
                prop_assert!((found - exact).abs() < 1e-6 + 1e-4 * exact, "{found} {exact}");
            }
        }
    }
}
