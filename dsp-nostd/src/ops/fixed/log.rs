//! Logarithm of 64-bit energies, where block exponents and gains are undone.

use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::ops::log::Floor;
use crate::q;
use otolith_dsp_arch::dsp::{self, Logs};

/// `l = log2(floored e) + p d - r log2(peak) + base`.
///
/// Operands: e (`u64[n]`), epsilon (`u32[1]` or `u32[n]` table), exponent (`i32[1]`, the block
/// exponent `d`), l (`i32[n]`, written, with `q` fraction bits), optionally peak (`i32[1]`, above
/// 0). Parameters: [`LogParams`]. The floor that keeps e away from 0 is
/// `epsilon peak^r 2^(shift - p d)`, in the units of e (peak is 1 without the operand): rounded
/// where it is added to an e or compared with it, exact where it replaces e. The error of the
/// logarithm itself is at most 1.8e-4, and half a unit of l.
pub const LOG2_U64: Op = Op {
    code: 0x0322,
    name: "LOG2_U64",
    check,
    run,
};

/// Parameters of [`LOG2_U64`]: six words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogParams {
    /// How small values are kept away from 0.
    pub floor: Floor,
    /// Power `p` of the block exponent in e: 2 for powers, 1 for magnitudes, 0 for none.
    pub exponent_power: u32,
    /// Power `r` of the peak in e, in the same way.
    pub peak_power: u32,
    /// Exponent of epsilon's unit, -127 to 127.
    pub shift: i32,
    /// Added to the logarithm, -1024 to 1024.
    pub base: i32,
    /// Fraction bits of l, at most 16.
    pub q: u32,
}

impl LogParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 6] {
        [
            self.floor as u32,
            self.exponent_power,
            self.peak_power,
            self.shift as u32,
            self.base as u32,
            self.q,
        ]
    }

    /// The parameters, if they are in their ranges.
    fn checked(words: &[u32; 6]) -> Result<Self, Fault> {
        let params = Self::decode(words);
        let &[floor, ..] = words;
        let allowed = [
            floor <= Floor::ReplaceZero as u32,
            params.exponent_power <= 2,
            params.peak_power <= 2,
            (-127..=127).contains(&params.shift),
            (-1024..=1024).contains(&params.base),
            params.q <= 16,
        ];
        match allowed.iter().position(|&allowed| !allowed) {
            Some(param) => Err(Fault::BadParam { param: param as u8 }),
            None => Ok(params),
        }
    }

    fn decode(&[floor, exponent_power, peak_power, shift, base, q]: &[u32; 6]) -> Self {
        Self {
            floor: match floor {
                0 => Floor::Add,
                1 => Floor::Max,
                _ => Floor::ReplaceZero,
            },
            exponent_power,
            peak_power,
            shift: shift as i32,
            base: base as i32,
            q,
        }
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    let n = step.count_of::<u64>(0)?;
    if ![1, n].contains(&step.table::<u32>(1)?.len()) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if step.count_of_output::<i32>(3)? != n {
        return Err(Fault::WrongLength { operand: 3 });
    }
    match step.operand_count() {
        4 => {}
        5 if step.count_of::<i32>(4)? != 1 => return Err(Fault::WrongLength { operand: 4 }),
        5 => step.expect_disjoint(4, 3)?,
        _ => return Err(Fault::NoOperand { operand: 4 }),
    }
    if step.count_of::<i32>(2)? != 1 {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 3)?;
    step.expect_disjoint(2, 3)?;
    LogParams::checked(step.params()?).map(|_| ())
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let params = LogParams::decode(io.step.params()?);
    let scalar = |io: &Io<'_, '_>, operand: usize| {
        let short = Fault::WrongLength {
            operand: operand as u8,
        };
        io.read::<i32>(operand)?.first().copied().ok_or(short)
    };
    // A plan that lies about its tensors must not overflow here.
    let d = (scalar(io, 2)? << 16 >> 16).wrapping_mul(params.exponent_power as i32);
    let peak = match io.step.operand_count() {
        5 => scalar(io, 4)?.max(1) as u32 & 0x1_ffff,
        _ => 1,
    };
    let peak_power = match params.peak_power {
        0 => 1,
        1 => u64::from(peak),
        _ => u64::from(peak).wrapping_mul(u64::from(peak)),
    };
    let level = match params.peak_power {
        0 => 0,
        power => power as i32 * one(u64::from(peak), params.q),
    };
    let base = (params.base.wrapping_add(d) << params.q).wrapping_sub(level);
    let shift = params.shift.wrapping_sub(d);
    let epsilon = io.step.table::<u32>(1)?;
    let (mut e, mut l) = io.read_write::<u64, i32>(0, 3)?;
    // One epsilon is for all that is left.
    let all = epsilon.len() == 1;
    for &epsilon in epsilon {
        let n = if all { e.len() } else { 1 };
        let (now, later) = e.split_at_checked(n).unwrap_or_default();
        let (to, behind) = l.split_at_mut_checked(n).unwrap_or_default();
        (e, l) = (later, behind);
        let x = u64::from(epsilon).wrapping_mul(peak_power);
        let (floored, added) = match params.floor {
            Floor::Add => (0, scaled(x, shift)),
            Floor::Max => (scaled(x, shift), 0),
            Floor::ReplaceZero => (0, 0),
        };
        let how = Logs {
            floored,
            added,
            floor: one(x | 1, params.q).wrapping_add(shift << params.q),
            base,
            q: params.q,
        };
        logs(now, to, &how);
    }
    Ok(())
}

/// The logarithms of energies.
#[inline(never)]
fn logs(e: &[u64], l: &mut [i32], how: &Logs) {
    if !dsp::logs(e, l, how) {
        logs_portable(e, l, how);
    }
}

/// [`dsp::logs`] on any target: what its routines are compared with.
pub fn logs_portable(e: &[u64], l: &mut [i32], how: &Logs) {
    for (l, &e) in l.iter_mut().zip(e) {
        let log = if e <= how.floored {
            how.floor
        } else {
            log2(q::add_u64(e, how.added), how.q)
        };
        *l = log.wrapping_add(how.base);
    }
}

/// [`log2`] of one number, by the code that all energies take.
fn one(x: u64, q: u32) -> i32 {
    let mut log = [0];
    let how = Logs {
        floored: 0,
        added: 0,
        floor: 0,
        base: 0,
        q,
    };
    logs(&[x], &mut log, &how);
    let [log] = log;
    log
}

/// `x 2^shift`, rounded, at most `2^62`.
pub(super) fn scaled(x: u64, shift: i32) -> u64 {
    const MOST: u64 = 1 << 62;
    let y = if shift <= 0 {
        match shift.unsigned_abs() {
            right @ 0..64 => q::shr_u64(x, right),
            _ => 0,
        }
    } else if shift.unsigned_abs() < x.leading_zeros() {
        x << shift
    } else {
        MOST
    };
    if y > MOST { MOST } else { y }
}

/// `log2(1 + i / 32)` in Q15, rounded.
#[rustfmt::skip]
const LOG2: [u16; 33] = [
    0, 1455, 2866, 4236, 5568, 6863, 8124, 9352, 10549, 11716, 12855, 13968, 15055, 16117, 17156,
    18173, 19168, 20143, 21098, 22034, 22952, 23852, 24736, 25604, 26455, 27292, 28114, 28922,
    29717, 30498, 31267, 32024, 32768,
];

/// `log2(x)` with `q` fraction bits, at most 16, for `x` above 0: the table, interpolated.
#[inline(always)]
pub fn log2(x: u64, q: u32) -> i32 {
    let (high, low) = ((x >> 32) as u32, x as u32);
    // The 32 bits below the leading one, that one included.
    let (zeros, mantissa) = if high != 0 {
        let zeros = high.leading_zeros() & 31;
        (zeros, high << zeros | (low >> 1) >> (31 - zeros))
    } else {
        let zeros = low.leading_zeros() & 31;
        (zeros + 32, low << zeros)
    };
    let i = (mantissa >> 26) as usize & 31;
    let fraction = (mantissa >> 10) & 0xffff;
    let (Some(&a), Some(&b)) = (LOG2.get(i), LOG2.get(i + 1)) else {
        return 0;
    };
    let y = (u32::from(a) << 16) + u32::from(b - a) * fraction;
    let rounded = (y + (1 << (30 - q))) >> (31 - q);
    ((63 - zeros as i32) << q) + rounded as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;

    #[test]
    fn the_table_is_its_formula() {
        for (i, &entry) in LOG2.iter().enumerate() {
            let exact = (1.0 + i as f64 / 32.0).log2() * 32768.0;
            assert_eq!(f64::from(entry), exact.round(), "{i}");
        }
    }

    proptest! {
        #[test]
        fn logarithms_are_close(x in 1u64.., shift in 0u32..64, bits in 0u32..17) {
            let x = (x >> shift).max(1);
            let unit = 2f64.powi(-(bits as i32));
            let found = f64::from(log2(x, bits)) * unit;
            prop_assert!((found - (x as f64).log2()).abs() < 1.8e-4 + 0.5 * unit, "{x} {bits}");
        }

        #[test]
        fn a_floor_is_scaled(x in 0u64..1 << 62, shift in -127i32..128) {
            let exact = (x as f64 * 2f64.powi(shift)).min(2f64.powi(62));
            let found = scaled(x, shift) as f64;
            prop_assert!((found - exact).abs() <= 0.5 + exact * 1e-15, "{found} {exact}");
        }
    }

    proptest! {
        #[test]
        fn floors_exponents_and_peaks_are_undone(
            e in prop::collection::vec(0u64..1 << 60, 5),
            quiet in 0u32..60,
            d in -12i32..6,
            peak in 1i32..32769,
            rule in 0u32..3,
            power in 1u32..3,
        ) {
            let e: std::vec::Vec<u64> = e.iter().map(|e| e >> quiet).collect();
            let floor_rule = Floor::from_code(rule).expect("a rule");
            let params = LogParams {
                floor: floor_rule,
                exponent_power: power,
                peak_power: power,
                shift: -40,
                base: -30,
                q: 12,
            };
            let epsilon = 3_000_000_000u32;
            let mut probe = Probe::default();
            let operands = [
                probe.tensor(&e),
                probe.table(&[epsilon]),
                probe.tensor(&[d]),
                probe.tensor(&[0i32; 5]),
                probe.tensor(&[peak]),
            ];
            probe.run(&LOG2_U64, &operands, &params.encode()).expect("runs");
            let p = power as i32;
            let peaks = f64::from(peak).powi(p);
            let floor = f64::from(epsilon) * peaks * 2f64.powi(-40 - p * d);
            for (&e, &l) in e.iter().zip(&probe.get::<i32>(operands[3])) {
                let e = e as f64;
                let floored = match floor_rule {
                    Floor::Add => e + floor,
                    Floor::Max => e.max(floor),
                    Floor::ReplaceZero if e == 0.0 => floor,
                    Floor::ReplaceZero => e,
                };
                let exact = floored.log2() + f64::from(p * d) - peaks.log2() - 30.0;
                // The floor is rounded to a whole unit where it is added or compared.
                let rounding = 0.75 / floored.max(1.0) / std::f64::consts::LN_2;
                let found = f64::from(l) / 4096.0;
                // A logarithm of the energy and up to two of the peak, each 1.8e-4 and half a unit.
                let room = 3.0 * (1.8e-4 + 0.5 / 4096.0) + rounding;
                prop_assert!((found - exact).abs() < room, "{found} {exact} {e} {floor}");
            }
        }
    }
}
