//! Element-wise work on one frame or row of integers, and its energy.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::q;

/// `x = x - round(mean(x))`, saturating.
///
/// Operands: x (`i32`, in place). No parameters. The sum is exact and the mean rounded once, ties
/// up: at most 1/2 from the exact value. `|x|` at most doubles.
pub const REMOVE_MEAN_I32: Op = Op {
    code: 0x0303,
    name: "REMOVE_MEAN_I32",
    check: |step| check_in_place::<0>(step).map(|_| ()),
    run: |io| {
        remove_mean(io.write(0)?);
        Ok(())
    },
};

/// Pre-emphasis inside the frame: `x[n] = x[n] - round(c x[n-1] 2^-31)`,
/// `x[0] = x[0] - round(c x[0] 2^-31)`, saturating.
///
/// Operands: x (`i32`, in place). Parameters: c (`i32` in Q31, of a magnitude below 1: not
/// `i32::MIN`). At most 1/2 from the exact value; `|x|` at most doubles.
pub const PRE_EMPHASIS_I32: Op = Op {
    code: 0x0304,
    name: "PRE_EMPHASIS_I32",
    check: |step| match check_in_place::<1>(step)? {
        &[c] if c as i32 == i32::MIN => Err(Fault::BadParam { param: 0 }),
        _ => Ok(()),
    },
    run: |io| {
        let &[c] = io.step.params()?;
        pre_emphasis(io.write(0)?, c as i32);
        Ok(())
    },
};

/// Energy of a frame that lies in the source window: `e = sum x^2`. Exact.
///
/// Operands: source window (`i16`), e (`u64[1]`, written). Parameters: [`EnergyParams`].
pub const ENERGY_I16: Op = Op {
    code: 0x0308,
    name: "ENERGY_I16",
    check: check_energy_i16,
    run: |io| {
        let params = EnergyParams::decode(io.step.params()?)?;
        let frame = params.range(io.frame());
        let (window, e) = io.read_write::<i16, u64>(0, 1)?;
        let outside = Fault::WrongLength { operand: 0 };
        let x = frame.and_then(|f| window.get(f)).ok_or(outside)?;
        e.fill(energy_i16(x));
        Ok(())
    },
};

/// `e = round(sum x^2 2^-shift)`, saturating.
///
/// Operands: x (`i32`), e (`u64[1]`, written). Parameters: shift (0 to 32). The sum is exact and
/// rounded once, ties up; whoever makes the plan chooses the shift by which the largest energy
/// fits. With `|x| <= 2^b` and `n` values, `shift = max(0, 2 b + ceil(log2 n) - 63)` does.
pub const ENERGY_I32: Op = Op {
    code: 0x0309,
    name: "ENERGY_I32",
    check: |step| {
        step.expect_operands(2)?;
        step.count_of::<i32>(0)?;
        expect_scalar::<u64>(step, 1)?;
        step.count_of_output::<u64>(1)?;
        step.expect_disjoint(0, 1)?;
        let &[shift] = step.params()?;
        check_shift(shift, 0)
    },
    run: |io| {
        let &[shift] = io.step.params()?;
        let (x, e) = io.read_write::<i32, u64>(0, 1)?;
        e.fill(energy_i32(x, shift));
        Ok(())
    },
};

/// Sum of a spectrum: `e = round(s 2^-shift)`, saturating, with `s = sum x` or, two-sided,
/// `s = x[0] + 2 (x[1] + ... + x[n-2]) + x[n-1]`.
///
/// Operands: x (`u64`), e (`u64[1]`, written). Parameters: [`SumParams`]. The sum is exact and
/// rounded once, ties up. Two-sided, the sum over the `n = N/2 + 1` bins of a real spectrum is the
/// sum over all `N`.
pub const SUM_U64: Op = Op {
    code: 0x030a,
    name: "SUM_U64",
    check: check_sum,
    run: |io| {
        let params = SumParams::decode(io.step.params()?)?;
        let (x, e) = io.read_write::<u64, u64>(0, 1)?;
        e.fill(sum_u64(x, params));
        Ok(())
    },
};

/// `x[0] = e[0]`.
///
/// Operands: e (`i32[1]`), x (`i32`, in place). No parameters. Column 0 then has the
/// format of e: what it stands for is the plan's affair.
pub const REPLACE_FIRST_I32: Op = Op {
    code: 0x032c,
    name: "REPLACE_FIRST_I32",
    check: |step| {
        step.expect_operands(2)?;
        expect_scalar::<i32>(step, 0)?;
        step.count_of_output::<i32>(1)?;
        step.expect_disjoint(0, 1)?;
        step.params::<0>().map(|_| ())
    },
    run: |io| {
        let (e, x) = io.read_write::<i32, i32>(0, 1)?;
        if let (Some(to), Some(&from)) = (x.first_mut(), e.first()) {
            *to = from;
        }
        Ok(())
    },
};

/// Parameters of [`ENERGY_I16`]: three words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnergyParams {
    /// Index in the window of the first sample of frame 0.
    pub start: u32,
    /// Samples between the starts of two frames.
    pub hop: u32,
    /// Samples of a frame.
    pub len: u32,
}

impl EnergyParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 3] {
        [self.start, self.hop, self.len]
    }

    fn decode(&[start, hop, len]: &[u32; 3]) -> Result<Self, Fault> {
        Ok(Self { start, hop, len })
    }

    /// Where in the window frame number `frame` lies.
    fn range(&self, frame: u32) -> Option<core::ops::Range<usize>> {
        let start = self.start.checked_add(self.hop.checked_mul(frame)?)?;
        Some(start as usize..start.checked_add(self.len)? as usize)
    }
}

/// Parameters of [`SUM_U64`]: two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumParams {
    /// Counts every value but the first and the last twice.
    pub two_sided: bool,
    /// Bits that the sum is shifted right, at most 32.
    pub shift: u32,
}

impl SumParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 2] {
        [u32::from(self.two_sided), self.shift]
    }

    fn decode(&[two_sided, shift]: &[u32; 2]) -> Result<Self, Fault> {
        if two_sided > 1 {
            return Err(Fault::BadParam { param: 0 });
        }
        check_shift(shift, 1)?;
        Ok(Self {
            two_sided: two_sided == 1,
            shift,
        })
    }
}

fn check_in_place<'p, const N: usize>(step: &Step<'p>) -> Result<&'p [u32; N], Fault> {
    step.expect_operands(1)?;
    step.count_of_output::<i32>(0)?;
    step.params()
}

fn check_energy_i16(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let window = step.count_of::<i16>(0)?;
    expect_scalar::<u64>(step, 1)?;
    step.count_of_output::<u64>(1)?;
    step.expect_disjoint(0, 1)?;
    // Later frames are checked as they come: a step does not know how many there are.
    let first = EnergyParams::decode(step.params()?)?.range(0);
    match first {
        Some(range) if range.end <= window => Ok(()),
        _ => Err(Fault::BadParam { param: 2 }),
    }
}

fn check_sum(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let n = step.count_of::<u64>(0)?;
    expect_scalar::<u64>(step, 1)?;
    step.count_of_output::<u64>(1)?;
    step.expect_disjoint(0, 1)?;
    let params = SumParams::decode(step.params()?)?;
    if params.two_sided && n < 2 {
        return Err(Fault::WrongLength { operand: 0 });
    }
    Ok(())
}

fn check_shift(shift: u32, param: u8) -> Result<(), Fault> {
    if shift > 32 {
        return Err(Fault::BadParam { param });
    }
    Ok(())
}

fn expect_scalar<T: crate::format::Element>(step: &Step<'_>, i: usize) -> Result<(), Fault> {
    if step.count_of::<T>(i)? == 1 {
        Ok(())
    } else {
        Err(Fault::WrongLength { operand: i as u8 })
    }
}

fn remove_mean(x: &mut [i32]) {
    // A tensor has less than 2^27 values.
    let sum: i64 = x.iter().map(|&x| i64::from(x)).sum();
    let mean = q::narrow_i32(q::div(sum, x.len() as i64));
    for x in x {
        *x = q::sub_i32(*x, mean);
    }
}

fn pre_emphasis(x: &mut [i32], c: i32) {
    let c = i64::from(c);
    let mut before = x.first().copied().unwrap_or(0);
    for x in x {
        let now = *x;
        // |c| < 2^31, so the product is a value of x again.
        *x = q::sub_i32(now, q::shr(c * i64::from(before), 31) as i32);
        before = now;
    }
}

fn energy_i16(x: &[i16]) -> u64 {
    x.iter()
        .map(|&x| i32::from(x))
        .fold(0u64, |sum, x| sum.wrapping_add((x * x) as u64))
}

fn energy_i32(x: &[i32], shift: u32) -> u64 {
    let squares = x.iter().map(|&x| (i64::from(x) * i64::from(x)) as u64);
    let (high, low) = squares.fold((0u64, 0u64), |(high, low), square| {
        (high + q::shr_floor(square, 32), low + (square & LOW))
    });
    q::shr_wide(high, low, shift)
}

/// The lower half of 64 bits.
const LOW: u64 = u32::MAX as u64;

fn sum_u64(x: &[u64], params: SumParams) -> u64 {
    // Fewer than 2^26 values: no half of the sum passes 2^60.
    let (mut high, mut low) = x.iter().fold((0u64, 0u64), |(high, low), x| {
        (high + q::shr_floor(*x, 32), low + (x & LOW))
    });
    if params.two_sided {
        let (first, last) = (x.first().unwrap_or(&0), x.last().unwrap_or(&0));
        high = (2 * high).wrapping_sub(q::shr_floor(*first, 32) + q::shr_floor(*last, 32));
        low = (2 * low).wrapping_sub((first & LOW) + (last & LOW));
    }
    q::shr_wide(high, low, params.shift)
}

#[cfg(test)]
mod tests {
    use super::super::probe::Probe;
    use super::*;
    use proptest::prelude::*;
    extern crate std;

    proptest! {
        #[test]
        fn the_mean_is_gone(x in prop::collection::vec(-(1i32 << 29)..=1 << 29, 1..600)) {
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
            let mut y = x.clone();
            remove_mean(&mut y);
            for (y, x) in y.into_iter().zip(x) {
                prop_assert!((f64::from(y) - (f64::from(x) - mean)).abs() <= 0.5 + 1e-6);
            }
        }

        #[test]
        fn pre_emphasis_is_the_difference_equation(
            x in prop::collection::vec(-(1i32 << 29)..=1 << 29, 1..99),
            c in -i32::MAX..=i32::MAX,
        ) {
            let mut y = x.clone();
            pre_emphasis(&mut y, c);
            for n in 0..x.len() {
                let before = f64::from(x[n.saturating_sub(1)]);
                let exact = f64::from(x[n]) - f64::from(c) / 2f64.powi(31) * before;
                prop_assert!((f64::from(y[n]) - exact).abs() <= 0.5 + 1e-6);
            }
        }

        #[test]
        fn energies_of_samples_are_exact(
            x in prop::collection::vec(any::<i16>(), 12..99),
            start in 0u32..4, hop in 0u32..4, frame in 0u32..2, len in 0u32..6,
        ) {
            let mut probe = Probe::at_frame(frame);
            let (window, e) = (probe.tensor(&x), probe.tensor(&[7u64]));
            let params = EnergyParams { start, hop, len };
            probe.run(&ENERGY_I16, &[window, e], &params.encode()).unwrap();
            let from = (start + frame * hop) as usize;
            let exact: f64 = x[from..from + len as usize]
                .iter()
                .map(|&x| f64::from(x) * f64::from(x))
                .sum();
            prop_assert_eq!(probe.get::<u64>(e)[0] as f64, exact);
        }

        #[test]
        fn energies_are_rounded_once(
            x in prop::collection::vec(any::<i32>(), 0..99), shift in 0u32..=32, small in 0u32..31,
        ) {
            let x: std::vec::Vec<i32> = x.into_iter().map(|x| x >> small).collect();
            let sum: u128 = x.iter().map(|&x| u128::from(x.unsigned_abs()).pow(2)).sum();
            let exact = (sum + ((1u128 << shift) >> 1)) >> shift;
            let mut probe = Probe::default();
            let (x, e) = (probe.tensor(&x), probe.tensor(&[7u64]));
            probe.run(&ENERGY_I32, &[x, e], &[shift]).unwrap();
            let saturated = exact.min(u128::from(u64::MAX)) as u64;
            prop_assert_eq!(probe.get::<u64>(e), [saturated]);
        }

        #[test]
        fn sums_are_rounded_once(
            x in prop::collection::vec(any::<u64>(), 2..99),
            shift in 0u32..=32, small in 0u32..64, two_sided: bool,
        ) {
            let x: std::vec::Vec<u64> = x.into_iter().map(|x| x >> small).collect();
            let mut sum: u128 = x.iter().map(|&x| u128::from(x)).sum();
            if two_sided {
                sum = 2 * sum - u128::from(x[0]) - u128::from(x[x.len() - 1]);
            }
            let exact = (sum + ((1u128 << shift) >> 1)) >> shift;
            let mut probe = Probe::default();
            let (x, e) = (probe.tensor(&x), probe.tensor(&[7u64]));
            let params = SumParams { two_sided, shift };
            probe.run(&SUM_U64, &[x, e], &params.encode()).unwrap();
            let saturated = exact.min(u128::from(u64::MAX)) as u64;
            prop_assert_eq!(probe.get::<u64>(e), [saturated]);
        }
    }

    #[test]
    fn extremes_saturate_and_nothing_stays_nothing() {
        let mut x = [i32::MAX, i32::MIN, i32::MIN, i32::MIN];
        remove_mean(&mut x);
        assert_eq!(x, [i32::MAX, -(1 << 30), -(1 << 30), -(1 << 30)]);
        let mut constant = [i32::MIN; 7];
        remove_mean(&mut constant);
        assert_eq!(constant, [0; 7]);
        let mut one = [i32::MAX];
        remove_mean(&mut one);
        assert_eq!(one, [0]);
        remove_mean(&mut []);
        // Ties go up: the mean 1/2 becomes 1.
        let mut tie = [0, 1];
        remove_mean(&mut tie);
        assert_eq!(tie, [-1, 0]);

        let mut x = [i32::MIN, i32::MAX, i32::MIN];
        pre_emphasis(&mut x, i32::MAX);
        assert_eq!(x, [-1, i32::MAX, i32::MIN]);
        pre_emphasis(&mut [], 5);

        assert_eq!(energy_i16(&[i16::MIN; 65536]), 1 << 46);
        assert_eq!(energy_i16(&[]), 0);
        assert_eq!(energy_i32(&[i32::MIN; 3], 0), 3 << 62);
        assert_eq!(energy_i32(&[i32::MIN; 4], 0), u64::MAX);
        assert_eq!(energy_i32(&[i32::MIN; 4], 1), 1 << 63);
        assert_eq!(energy_i32(&[1 << 30; 1 << 10], 7), 1 << 63);
    }

    #[test]
    fn the_first_value_is_replaced() {
        let mut probe = Probe::default();
        let (e, x) = (probe.tensor(&[7i32]), probe.tensor(&[1i32, 2, 3]));
        probe.run(&REPLACE_FIRST_I32, &[e, x], &[]).unwrap();
        assert_eq!(probe.get::<i32>(x), [7, 2, 3]);
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let x = probe.tensor(&[0i32; 8]);
        let one = probe.tensor(&[0i32]);
        let table = probe.table(&[0i32; 8]);
        let window = probe.tensor(&[0i16; 8]);
        let bins = probe.tensor(&[0u64; 5]);
        let e = probe.tensor(&[0u64]);
        let refused = |op: &Op, operands: &[u32], params: &[u32], fault| {
            assert_eq!(probe.check(op, operands, params), Err(fault));
        };
        let accepted = |op: &Op, operands: &[u32], params: &[u32]| {
            assert_eq!(probe.check(op, operands, params), Ok(()));
        };
        accepted(&REMOVE_MEAN_I32, &[x], &[]);
        refused(
            &REMOVE_MEAN_I32,
            &[table],
            &[],
            Fault::WrongPlace { operand: 0 },
        );
        refused(
            &REMOVE_MEAN_I32,
            &[window],
            &[],
            Fault::WrongType { operand: 0 },
        );
        refused(&REMOVE_MEAN_I32, &[x], &[1], Fault::BadParam { param: 0 });
        accepted(&PRE_EMPHASIS_I32, &[x], &[5]);
        refused(
            &PRE_EMPHASIS_I32,
            &[x],
            &[1 << 31],
            Fault::BadParam { param: 0 },
        );
        refused(
            &PRE_EMPHASIS_I32,
            &[x, x],
            &[5],
            Fault::NoOperand { operand: 1 },
        );

        accepted(&ENERGY_I16, &[window, e], &[2, 1, 6]);
        refused(
            &ENERGY_I16,
            &[window, e],
            &[3, 1, 6],
            Fault::BadParam { param: 2 },
        );
        refused(
            &ENERGY_I16,
            &[window, e],
            &[u32::MAX, 1, 6],
            Fault::BadParam { param: 2 },
        );
        refused(
            &ENERGY_I16,
            &[x, e],
            &[0, 1, 6],
            Fault::WrongType { operand: 0 },
        );
        refused(
            &ENERGY_I16,
            &[window, bins],
            &[0, 1, 6],
            Fault::WrongLength { operand: 1 },
        );

        accepted(&ENERGY_I32, &[x, e], &[32]);
        refused(&ENERGY_I32, &[x, e], &[33], Fault::BadParam { param: 0 });
        refused(
            &ENERGY_I32,
            &[x, bins],
            &[3],
            Fault::WrongLength { operand: 1 },
        );
        accepted(&SUM_U64, &[bins, e], &[1, 32]);
        refused(&SUM_U64, &[bins, e], &[2, 3], Fault::BadParam { param: 0 });
        refused(&SUM_U64, &[bins, e], &[1, 33], Fault::BadParam { param: 1 });
        refused(&SUM_U64, &[e, e], &[0, 1], Fault::WrongPlace { operand: 1 });
        let short = Fault::WrongLength { operand: 0 };
        let mut other = Probe::default();
        let (x1, e1) = (other.tensor(&[1u64]), other.tensor(&[0u64]));
        assert_eq!(other.check(&SUM_U64, &[x1, e1], &[1, 0]), Err(short));
        assert_eq!(other.check(&SUM_U64, &[x1, e1], &[0, 0]), Ok(()));

        accepted(&REPLACE_FIRST_I32, &[one, x], &[]);
        refused(&REPLACE_FIRST_I32, &[x, one], &[], short);
        refused(
            &REPLACE_FIRST_I32,
            &[one, table],
            &[],
            Fault::WrongPlace { operand: 1 },
        );
    }

    #[test]
    fn a_frame_behind_the_window_is_a_fault() {
        let mut probe = Probe::at_frame(2);
        let (window, e) = (probe.tensor(&[1i16; 8]), probe.tensor(&[0u64]));
        let run = probe.run(&ENERGY_I16, &[window, e], &[0, 3, 4]);
        assert_eq!(run, Err(Fault::WrongLength { operand: 0 }));
    }
}
