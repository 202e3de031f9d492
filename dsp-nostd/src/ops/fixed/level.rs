//! Energies as plain integers; ranges and levels of values.

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

/// `x = x - max(all x)`, saturating. Operands: x (`i32`, in place). No parameters.
pub const SUBTRACT_TOP_I32: Op = Op {
    code: 0x0357,
    name: "SUBTRACT_TOP_I32",
    check: |step| {
        step.expect_operands(1)?;
        step.count_of_output::<i32>(0)?;
        step.params::<0>().map(|_| ())
    },
    run: |io| {
        let x = io.write::<i32>(0)?;
        let top = x.iter().fold(i32::MIN, |top, &x| top.max(x));
        for x in x {
            *x = q::sub_i32(*x, top);
        }
        Ok(())
    },
};

/// `x = level(round(steps x 2^-q))`, ties up, for `x 2^-q` from 0 to 1: `steps` itself, one level
/// too many, becomes 0 with `wraps`, else `steps - 1`.
///
/// Operands: x (`i32`, in place). Parameters: q (1 to 30), steps (2 to 65536), wraps (0 or 1).
pub const LEVELS_I32: Op = Op {
    code: 0x0358,
    name: "LEVELS_I32",
    check: |step| {
        step.expect_operands(1)?;
        step.count_of_output::<i32>(0)?;
        let &[q, steps, wraps] = step.params()?;
        let allowed = [
            (1..=30).contains(&q),
            (2..=0x1_0000).contains(&steps),
            wraps <= 1,
        ];
        match allowed.iter().position(|&allowed| !allowed) {
            Some(param) => Err(Fault::BadParam { param: param as u8 }),
            None => Ok(()),
        }
    },
    run: |io| {
        let &[q, steps, wraps] = io.step.params()?;
        let steps = i64::from(steps);
        let top = if wraps == 1 { 0 } else { steps - 1 };
        for x in io.write::<i32>(0)? {
            let level = q::shr(i64::from(*x) * steps, q);
            *x = q::narrow_i32(if level < steps { level } else { top });
        }
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
        fn values_become_levels(x in 0i32..=1 << 20, steps in 2u32..300, wraps in 0u32..2) {
            let mut probe = Probe::default();
            let operands = [probe.tensor(&[x, 1 << 20])];
            probe.run(&LEVELS_I32, &operands, &[20, steps, wraps]).expect("runs");
            let top = if wraps == 1 { 0.0 } else { f64::from(steps) - 1.0 };
            let exact = (f64::from(x) / f64::from(1 << 20) * f64::from(steps) + 0.5).floor();
            let exact = if exact < f64::from(steps) { exact } else { top };
            let y = probe.get::<i32>(operands[0]);
            prop_assert_eq!((f64::from(y[0]), f64::from(y[1])), (exact, top));
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
    #[test]
    fn the_top_becomes_0() {
        let mut probe = Probe::default();
        let operands = [probe.tensor(&[3, -4, i32::MAX, i32::MIN])];
        probe.run(&SUBTRACT_TOP_I32, &operands, &[]).expect("runs");
        let least = i32::MIN;
        assert_eq!(
            probe.get::<i32>(operands[0]),
            [3 - i32::MAX, least, 0, least]
        );
    }
    extern crate std;
}
