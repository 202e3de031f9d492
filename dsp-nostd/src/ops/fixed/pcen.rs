//! Per-channel energy normalisation, in integers.

use super::log::scaled;
use super::noise::{Level, smoothed};
use super::power::{exp2, log2};
use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::recursion::{Restart, check_state};
use crate::q;

/// Per-channel energy normalisation of one row of energies:
/// [`PCEN_F32`](crate::ops::pcen::PCEN_F32), by logarithms to base 2.
///
/// Operands: e (`u64[n]`), exponent (`i32[1]`, the block exponent `d`), bands (`u64[3 n]` or
/// `u64[3]` table), state (`u64[n + 1]`: the smoothed energies, and whether there are any), y
/// (`i32[n]`, written, with `q` fraction bits). Parameters: [`PcenParams`].
///
/// The smoothed energies are at one scale, `e 2^(p d + lift)`, at most `2^62`. For each band, or
/// for all, the table has epsilon and the start in units of that scale (a start of `u64::MAX`: the
/// first row's energy), and `(1 - gain) log2(unit)` in Q24 as a signed number: `unit` is the real
/// value of 1. Logarithms and exponentials are at most `5e-7` off, so y is within
/// `1e-6 (y + bias^power)` and one unit of the formula for the smoothed energy.
pub const PCEN_U64: Op = Op {
    code: 0x0353,
    name: "PCEN_U64",
    check,
    run: |io| {
        let params = PcenParams::decode(io.step.params()?)?;
        let fresh = params.restart.is_due(io);
        let shift = params.level.shift(io.read::<i32>(1)?);
        let bands = io.step.table::<u64>(2)?;
        let (e, state, y) = io.read_write2::<u64, u64, i32>(0, 3, 4)?;
        let Some((started, smooth)) = state.split_last_mut() else {
            return Ok(());
        };
        let first = fresh || *started == 0;
        *started = 1;
        let root = params.root(params.bias_q24());
        let mut bands = bands.as_chunks::<3>().0.iter().cycle();
        for ((&e, m), y) in e.iter().zip(smooth).zip(y) {
            let Some(&[epsilon, start, unit]) = bands.next() else {
                return Ok(());
            };
            let e = scaled(e, shift);
            if first {
                *m = if start == u64::MAX { e } else { start };
            }
            *m = smoothed(*m, e, params.smoothing);
            let level = params.level_q24(e, q::add_u64(*m, epsilon), unit as i64);
            let x = params.root(q::add_u64(level, params.bias_q24()));
            *y = q::narrow_i32(x as i64 - root as i64);
        }
        Ok(())
    },
};

/// Parameters of [`PCEN_U64`]: eight words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcenParams {
    /// From energies to the scale of the smoothed ones.
    pub level: Level,
    /// Share of a row in the smoothed energy, Q32, not 0; `u32::MAX` stands for 1.
    pub smoothing: u32,
    /// Exponent of the smoothed energy, Q30.
    pub gain: u32,
    /// Added before the root, Q24, at most 128.
    pub bias: u32,
    /// Exponent of the root, Q30, at most 1.
    pub power: u32,
    /// Fraction bits of y, at most 30.
    pub q: u32,
    /// When the rows before are forgotten.
    pub restart: Restart,
}

impl PcenParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 8] {
        let [power, lift] = self.level.encode();
        [
            power,
            lift,
            self.smoothing,
            self.gain,
            self.bias,
            self.power,
            self.q,
            self.restart as u32,
        ]
    }

    fn decode(words: &[u32; 8]) -> Result<Self, Fault> {
        let &[
            exponent_power,
            lift,
            smoothing,
            gain,
            bias,
            power,
            q,
            restart,
        ] = words;
        let bad = |param: u8| Err(Fault::BadParam { param });
        match () {
            () if smoothing == 0 => return bad(2),
            () if bias > 128 << 24 => return bad(4),
            () if power == 0 || power > 1 << 30 => return bad(5),
            () if q > 30 => return bad(6),
            () => {}
        }
        Ok(Self {
            level: Level::decode([exponent_power, lift], 0)?,
            smoothing,
            gain,
            bias,
            power,
            q,
            restart: Restart::decode(restart, 7)?,
        })
    }

    fn bias_q24(&self) -> u64 {
        u64::from(self.bias)
    }

    /// `e / m^gain` in Q24, at most `2^62`; `unit` is `(1 - gain) log2(unit)` in Q24.
    fn level_q24(&self, e: u64, m: u64, unit: i64) -> u64 {
        if e == 0 {
            return 0;
        }
        let slow = i64::from(log2(m)).wrapping_mul(i64::from(self.gain));
        let log = i64::from(log2(e)).wrapping_sub(q::shr(slow, 30));
        exp2(log.wrapping_add(unit), 24)
    }

    /// `x^power` with `q` fraction bits, for x in Q24.
    fn root(&self, x: u64) -> u64 {
        if x == 0 {
            return 0;
        }
        let log = i64::from(log2(x)).wrapping_sub(24 << 24);
        let log = q::shr(log.wrapping_mul(i64::from(self.power)), 30);
        exp2(log, self.q as i32)
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(5)?;
    let n = step.count_of::<u64>(0)?;
    if step.count_of::<i32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    let bands = step.table::<u64>(2)?.len();
    if bands != 3 && bands != 3 * n {
        return Err(Fault::WrongLength { operand: 2 });
    }
    check_state::<u64>(step, 3, n + 1, 0)?;
    if step.count_of_output::<i32>(4)? != n {
        return Err(Fault::WrongLength { operand: 4 });
    }
    step.expect_disjoint(0, 4)?;
    step.expect_disjoint(3, 4)?;
    PcenParams::decode(step.params()?).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use crate::ops::pcen::PcenParams as Float;
    use crate::ops::pcen::tests::exact;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn it_is_the_formula(
            e in prop::collection::vec((0u64..1 << 58, 0u32..30, -12i32..3), 2..60),
            smoothing in 0.01f32..0.9,
            gain in 0.0f32..1.0,
            bias in prop::sample::select(&[0.5f32, 2.0, 10.0][..]),
            power in 0.1f32..1.0,
            first: bool,
        ) {
            // One unit of the scale is 2^-58.
            let q32 = |x: f32, q: i32| (f64::from(x) * 2f64.powi(q)).round() as u32;
            let params = PcenParams {
                level: Level { exponent_power: 2, lift: -4 },
                smoothing: q32(smoothing, 32),
                gain: q32(gain, 30),
                bias: q32(bias, 24),
                power: q32(power, 30),
                q: 20,
                restart: Restart::Reset,
            };
            let unit = 2f64.powi(-50);
            let start = (!first).then_some(0.25f32);
            let reference = Float {
                smoothing, gain, bias, power, epsilon: 1e-6, start, restart: Restart::Reset,
            };
            let offset = ((1.0 - f64::from(gain)) * -50.0 * 2f64.powi(24)).round() as i64;
            let epsilon = (f64::from(1e-6f32) / unit) as u64;
            let begin = if first { u64::MAX } else { (0.25 / unit) as u64 };
            let mut probe = Probe::default();
            let operands = [
                probe.tensor(&[0u64]),
                probe.tensor(&[0i32]),
                probe.table(&[epsilon, begin, offset as u64]),
                probe.tensor(&[0u64; 2]),
                probe.tensor(&[0i32]),
            ];
            let e: Vec<(u64, i32)> = e.iter().map(|&(e, n, d)| (e >> n, d)).collect();
            let real = |&(e, d): &(u64, i32)| e as f64 * 2f64.powi(2 * d - 4) * unit;
            let column: Vec<f64> = e.iter().map(real).collect();
            let exact = exact(&column, &reference);
            let root = f64::from(bias).powf(f64::from(power));
            for (&(e, d), exact) in e.iter().zip(exact) {
                probe.set(operands[0], &[e]);
                probe.set(operands[1], &[d]);
                probe.run(&PCEN_U64, &operands, &params.encode()).expect("runs");
                let found = f64::from(probe.get::<i32>(operands[4])[0]) * 2f64.powi(-20);
                // y of 2048 and more has no room in 32 bits.
                let exact = exact.min(2048.0);
                let room = 2e-6 * (exact + root) + 2.0 * 2f64.powi(-20);
                prop_assert!((found - exact).abs() < room, "{found} {exact}");
            }
        }
    }

    #[test]
    fn silence_is_zero() {
        let params = PcenParams {
            level: Level {
                exponent_power: 2,
                lift: 0,
            },
            smoothing: 1 << 27,
            gain: 1 << 30,
            bias: 0,
            power: 1 << 29,
            q: 16,
            restart: Restart::Window,
        };
        let mut probe = Probe::default();
        let operands = [
            probe.tensor(&[0u64; 3]),
            probe.tensor(&[-12i32]),
            probe.table(&[1u64, u64::MAX, 0]),
            probe.tensor(&[5u64; 4]),
            probe.tensor(&[9i32; 3]),
        ];
        probe
            .run(&PCEN_U64, &operands, &params.encode())
            .expect("runs");
        assert_eq!(probe.get::<i32>(operands[4]), [0; 3]);
        let short = [
            operands[0],
            operands[1],
            operands[2],
            operands[0],
            operands[4],
        ];
        let refused = probe.check(&PCEN_U64, &short, &params.encode());
        assert_eq!(refused, Err(Fault::WrongLength { operand: 3 }));
    }
}
