//! Energies as plain integers, and their range.

use super::log::scaled;
use super::noise::Level;
use crate::error::Fault;
use crate::op::{Op, Step};
use crate::q;

/// `y = round(e 2^(p d + lift) mul 2^-63)`: block exponents are undone without a logarithm;
/// saturates.
///
/// Operands: e (`u64[n]`), exponent (`i32[1]`, the block exponent `d`), mul (`u32[1]` or `u32[n]`
/// table), y (`i32[n]`, written). Parameters: `p` and `lift`, those of [`Level`]. The energy at the
/// common scale is rounded and at most `2^62`, so y is within 1/2 and `2^-31` of the exact value.
pub const LEVEL_U64_I32: Op = Op {
    code: 0x0355,
    name: "LEVEL_U64_I32",
    check: check_level,
    run: |io| {
        let &params = io.step.params()?;
        let shift = Level::decode(params, 0)?.shift(io.read::<i32>(1)?);
        let mul = io.step.table::<u32>(2)?;
        let (e, y) = io.read_write::<u64, i32>(0, 3)?;
        let bands = e.iter().zip(y).zip(mul.iter().cycle());
        for ((&e, y), &mul) in bands {
            let level = q::mul_u64_q32(scaled(e, shift), mul);
            *y = q::narrow_i32(q::shr_u64(level, 31) as i64);
        }
        Ok(())
    },
};

/// `x = round((x - min) 2^q / (max - min))` over all values; 0 where they are all the same.
///
/// Operands: x (`i32`, in place). Parameters: `q`, at most 30.
pub const MIN_MAX_I32: Op = Op {
    code: 0x0356,
    name: "MIN_MAX_I32",
    check: |step| {
        step.expect_operands(1)?;
        step.count_of_output::<i32>(0)?;
        match step.params()? {
            &[0..=30] => Ok(()),
            _ => Err(Fault::BadParam { param: 0 }),
        }
    },
    run: |io| {
        let &[q] = io.step.params()?;
        min_max(io.write(0)?, q);
        Ok(())
    },
};

fn check_level(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let n = step.count_of::<u64>(0)?;
    if step.count_of::<i32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if ![1, n].contains(&step.table::<u32>(2)?.len()) {
        return Err(Fault::WrongLength { operand: 2 });
    }
    if step.count_of_output::<i32>(3)? != n {
        return Err(Fault::WrongLength { operand: 3 });
    }
    step.expect_disjoint(0, 3)?;
    step.expect_disjoint(1, 3)?;
    Level::decode(*step.params()?, 0).map(|_| ())
}

fn min_max(x: &mut [i32], q: u32) {
    let (low, high) = x.iter().fold((i32::MAX, i32::MIN), |(low, high), &x| {
        (low.min(x), high.max(x))
    });
    let range = i64::from(high) - i64::from(low);
    for x in x {
        // Below 2^32, so that 30 more bits fit.
        *x = q::div((i64::from(*x) - i64::from(low)) << q, range) as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn block_exponents_are_undone(
            e in 0u64..1 << 60,
            quiet in 0u32..60,
            d in -12i32..1,
            power in 0u32..3,
            mul: u32,
        ) {
            let mut probe = Probe::default();
            let level = Level { exponent_power: power, lift: 2 };
            let operands = [
                probe.tensor(&[e >> quiet]),
                probe.tensor(&[d]),
                probe.table(&[mul]),
                probe.tensor(&[0i32]),
            ];
            probe.run(&LEVEL_U64_I32, &operands, &level.encode()).expect("runs");
            let exact = (e >> quiet) as f64
                * 2f64.powi(power as i32 * d + 2 - 63)
                * f64::from(mul);
            let found = f64::from(probe.get::<i32>(operands[3])[0]);
            let exact = exact.min(f64::from(i32::MAX));
            prop_assert!((found - exact).abs() <= 0.500_001, "{found} {exact}");
        }

        #[test]
        fn ranges_become_0_to_1(mut x in prop::collection::vec(any::<i32>(), 1..40), q in 0u32..31) {
            let (low, high) = (x.iter().min().copied(), x.iter().max().copied());
            let low = f64::from(low.expect("values"));
            let range = f64::from(high.expect("values")) - low;
            let before = x.clone();
            min_max(&mut x, q);
            for (y, x) in x.iter().zip(before) {
                let exact = if range == 0.0 {
                    0.0
                } else {
                    (f64::from(x) - low) / range * 2f64.powi(q as i32)
                };
                prop_assert!((f64::from(*y) - exact).abs() <= 0.500_001, "{y} {exact}");
            }
        }
    }
    extern crate std;
}
