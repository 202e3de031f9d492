//! Subtraction of steady noise from a spectrum, in integers.

use super::log::scaled;
use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::recursion::{Restart, check_state};
use crate::q;

/// Spectral subtraction of one row: the recursion of
/// [`SUBTRACT_NOISE_F32`](crate::ops::noise::SUBTRACT_NOISE_F32).
///
/// Operands: e (`u64[n]`, in place), exponent (`i32[1]`, the block exponent `d`), state (`u64[n]`:
/// the noise, 0 at the start). Parameters: [`NoiseParams`]. Energies keep the block exponent of
/// their frame; the noise is at one scale, `e 2^(p d + lift)`, at most `2^62`. Each product is
/// rounded to a unit of that scale or of e, that of the factor to 16 units.
pub const SUBTRACT_NOISE_U64: Op = Op {
    code: 0x0354,
    name: "SUBTRACT_NOISE_U64",
    check,
    run: |io| {
        let params = NoiseParams::decode(io.step.params()?)?;
        let fresh = params.restart.is_due(io);
        let shift = params.level.shift(io.read::<i32>(1)?);
        let (e, state) = io.write2::<u64, u64>(0, 2)?;
        if fresh {
            state.fill(0);
        }
        for (e, noise) in e.iter_mut().zip(state) {
            *noise = smoothed(*noise, scaled(*e, shift), params.smoothing);
            // At most 2^62 16.
            let taken = scaled(times_q28(*noise, params.factor), shift.wrapping_neg());
            let rest = q::mul_u64_q32(*e, params.remaining);
            *e = e.saturating_sub(taken).max(rest);
        }
        Ok(())
    },
};

/// From energies with a block exponent to a scale that all frames share: `e 2^(p d + lift)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Power `p` of the block exponent in e: 2 for powers, 1 for magnitudes, 0 for none.
    pub exponent_power: u32,
    /// -127 to 127.
    pub lift: i32,
}

impl Level {
    /// The parameter words.
    pub fn encode(self) -> [u32; 2] {
        [self.exponent_power, self.lift as u32]
    }

    pub(super) fn decode([exponent_power, lift]: [u32; 2], param: u8) -> Result<Self, Fault> {
        if exponent_power > 2 {
            return Err(Fault::BadParam { param });
        }
        let lift = lift as i32;
        if !(-127..=127).contains(&lift) {
            return Err(Fault::BadParam {
                param: param.wrapping_add(1),
            });
        }
        Ok(Self {
            exponent_power,
            lift,
        })
    }

    /// `p d + lift`.
    pub(super) fn shift(self, exponent: &[i32]) -> i32 {
        // A plan that lies about its exponent must not overflow here.
        let d = exponent.first().copied().unwrap_or(0) << 16 >> 16;
        d.wrapping_mul(self.exponent_power as i32)
            .wrapping_add(self.lift)
    }
}

/// `(1 - s) m + s x`, s in Q32 and not 0; `u32::MAX` stands for 1.
pub(super) fn smoothed(m: u64, x: u64, s: u32) -> u64 {
    if s == u32::MAX {
        return x;
    }
    // Both at most 2^62.
    q::mul_u64_q32(m, s.wrapping_neg()).wrapping_add(q::mul_u64_q32(x, s))
}

/// `x a` for a in Q28, saturating.
fn times_q28(x: u64, a: u32) -> u64 {
    let product = q::mul_u64_q32(x, a);
    if product > u64::MAX >> 4 {
        return u64::MAX;
    }
    product << 4
}

/// Parameters of [`SUBTRACT_NOISE_U64`]: six words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseParams {
    /// From energies to the noise's scale.
    pub level: Level,
    /// Share of a row in the noise, Q32, not 0; `u32::MAX` stands for 1.
    pub smoothing: u32,
    /// How often the noise is subtracted, Q28.
    pub factor: u32,
    /// Share of the energy that always remains, Q32.
    pub remaining: u32,
    /// When the rows before are forgotten.
    pub restart: Restart,
}

impl NoiseParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 6] {
        let [power, lift] = self.level.encode();
        [
            power,
            lift,
            self.smoothing,
            self.factor,
            self.remaining,
            self.restart as u32,
        ]
    }

    fn decode(words: &[u32; 6]) -> Result<Self, Fault> {
        let &[power, lift, smoothing, factor, remaining, restart] = words;
        if smoothing == 0 {
            return Err(Fault::BadParam { param: 2 });
        }
        Ok(Self {
            level: Level::decode([power, lift], 0)?,
            smoothing,
            factor,
            remaining,
            restart: Restart::decode(restart, 5)?,
        })
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let n = step.count_of_output::<u64>(0)?;
    if step.count_of::<i32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    check_state::<u64>(step, 2, n, 0)?;
    NoiseParams::decode(step.params()?).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use crate::ops::noise::tests::exact;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn the_noise_is_subtracted_at_any_block_exponent(
            e in prop::collection::vec((0u64..1 << 50, -12i32..7), 2..60),
            power in 1u32..3,
            smoothing in 1u32 << 22..=u32::MAX,
            factor in 1u32 << 27..1 << 29,
            remaining in 0u32..1 << 30,
        ) {
            let level = Level { exponent_power: power, lift: -2 };
            let params = NoiseParams {
                level, smoothing, factor, remaining, restart: Restart::Window,
            };
            let mut probe = Probe::default();
            let operands = [
                probe.tensor(&[0u64]),
                probe.tensor(&[0i32]),
                probe.tensor(&[9u64]),
            ];
            let at = |d: i32| 2f64.powi(power as i32 * d);
            let real: Vec<f64> = e.iter().map(|&(e, d)| e as f64 * at(d)).collect();
            let share = |x: u32, q: i32| f64::from(x) * 2f64.powi(-q);
            let exact = exact(&real, share(smoothing, 32), share(factor, 28), share(remaining, 32));
            let mut most = 0.0f64;
            for (t, (&(e, d), exact)) in e.iter().zip(exact).enumerate() {
                probe.set(operands[0], &[e]);
                probe.set(operands[1], &[d]);
                probe.frame = t as u32;
                probe.run(&SUBTRACT_NOISE_U64, &operands, &params.encode()).expect("runs");
                let found = probe.get::<u64>(operands[0])[0] as f64 * at(d);
                most = most.max(real[t]);
                // The noise is rounded to 4 units, as often as its memory is long.
                let memory = 4.0 * 4.0 * (1.0 / share(smoothing, 32)).min(t as f64 + 1.0);
                // A unit of the noise is 4, and its product with the factor has 16 of them.
                let room = 2.0 * memory + 32.0 + 2.0 * at(d) + 1e-8 * most;
                prop_assert!((found - exact).abs() <= room, "{t}: {found} {exact}");
            }
        }
    }
}
