//! Filters of a whole window of floats.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::finite;

/// A cascade of second-order sections over a window, in place:
/// `y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]`.
///
/// Operands: x (`f32`, in place), coefficients (`f32[5 * sections]` table: b0, b1, b2, a1, a2 of
/// each section). Parameters: start, 0 for rest, or 1 for the steady state of a constant input
/// equal to `x[0]`. Transposed direct form II, evaluated as `y = b0 x + s0`,
/// `s0 = (b1 x - a1 y) + s1`, `s1 = b2 x - a2 y`.
pub const SOS_F32: Op = Op {
    code: 0x0161,
    name: "SOS_F32",
    check: check_sos,
    run: |io| {
        let &[start] = io.step.params()?;
        let (sections, _) = io.step.table::<f32>(1)?.as_chunks::<5>();
        let x = io.write::<f32>(0)?;
        let mut constant = match (start, x.first()) {
            (1, Some(&first)) => first,
            _ => 0.0,
        };
        for section in sections {
            constant = run_section(x, section, constant);
        }
        Ok(())
    },
};

/// One filter of a wavelet's level, every other output:
/// `y[o] = sum_j h[j] x[2 o + 1 - j]`, x continued by reflection that repeats the ends.
///
/// Operands: x (`f32[n]`, n at least 1), h (`f32[taps]` table), y (`f32[(n + taps - 1) / 2]`,
/// written). No parameters. The sum runs upwards in j.
pub const WAVELET_F32: Op = Op {
    code: 0x0162,
    name: "WAVELET_F32",
    check: |step| {
        let n = step.count_of::<f32>(0)?;
        let taps = step.table::<f32>(1)?;
        if !taps.iter().all(|h| h.is_finite()) {
            return Err(Fault::BadTable { operand: 1 });
        }
        step.params::<0>()?;
        check_wavelet_lengths(step, n, taps.len(), step.count_of_output::<f32>(2)?)
    },
    run: |io| {
        let taps = io.step.table::<f32>(1)?;
        let (x, y) = io.read_write::<f32, f32>(0, 2)?;
        for (o, y) in y.iter_mut().enumerate() {
            let newest = 2 * o as i32 + 1;
            let mut sum = 0.0;
            for (j, h) in taps.iter().enumerate() {
                let x = x.get(reflected(newest - j as i32, x.len()));
                sum += h * x.copied().unwrap_or(0.0);
            }
            *y = sum;
        }
        Ok(())
    },
};

/// What both wavelet operators ask of lengths.
pub(crate) fn check_wavelet_lengths(
    step: &Step<'_>,
    n: usize,
    taps: usize,
    y: usize,
) -> Result<(), Fault> {
    step.expect_operands(3)?;
    if !(1..1 << 24).contains(&n) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    if !(1..=256).contains(&taps) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if y != (n + taps - 1) / 2 {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 2)
}

/// Index into `n` values of position `i` of their reflection, which repeats the ends and has the
/// period `2 n`; `n` at least 1.
pub(crate) fn reflected(i: i32, n: usize) -> usize {
    let n = n as i32;
    let i = i.checked_rem_euclid(2 * n).unwrap_or(0);
    let i = if i >= n { 2 * n - 1 - i } else { i };
    i as usize
}

fn check_sos(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.count_of_output::<f32>(0)?;
    let table = step.table::<f32>(1)?;
    let (sections, rest) = table.as_chunks::<5>();
    if sections.is_empty() || !rest.is_empty() {
        return Err(Fault::WrongLength { operand: 1 });
    }
    for coefficient in table {
        finite(coefficient.to_bits(), 0).map_err(|_| Fault::BadTable { operand: 1 })?;
    }
    match step.params()? {
        [0 | 1] => Ok(()),
        [_] => Err(Fault::BadParam { param: 0 }),
    }
}

/// Runs a section that starts settled for `constant`, and gives what that settles to.
fn run_section(x: &mut [f32], &[b0, b1, b2, a1, a2]: &[f32; 5], constant: f32) -> f32 {
    let settled = constant * ((b0 + b1 + b2) / (1.0 + a1 + a2));
    let (mut s0, mut s1) = (0.0, 0.0);
    if constant != 0.0 {
        s0 = settled - b0 * constant;
        s1 = b2 * constant - a2 * settled;
    }
    for x in x {
        let y = b0 * *x + s0;
        s0 = (b1 * *x - a1 * y) + s1;
        s1 = b2 * *x - a2 * y;
        *x = y;
    }
    if constant == 0.0 { 0.0 } else { settled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    const SECTIONS: [f32; 10] = [0.2, 0.4, 0.2, -0.37, 0.19, 0.9, -1.8, 0.9, -1.6, 0.7];

    /// The difference equation in f64, from given values before the window.
    fn direct(x: &[f64], c: &[f32], before: [f64; 2]) -> Vec<f64> {
        let c: Vec<f64> = c.iter().map(|&c| f64::from(c)).collect();
        let [mut x1, mut y1] = before;
        let [mut x2, mut y2] = before;
        x.iter()
            .map(|&x| {
                let y = c[0] * x + c[1] * x1 + c[2] * x2 - c[3] * y1 - c[4] * y2;
                (x2, x1, y2, y1) = (x1, x, y1, y);
                y
            })
            .collect()
    }

    #[test]
    fn sections_follow_the_difference_equation_from_rest_and_steady() {
        let x: Vec<f32> = (0..300)
            .map(|t| 3.0 + ((t * 29 % 67) as f32 - 33.0) / 40.0)
            .collect();
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        for start in [0, 1] {
            let mut probe = Probe::default();
            let (tensor, table) = (probe.tensor(&x), probe.table(&SECTIONS));
            probe.run(&SOS_F32, &[tensor, table], &[start]).unwrap();
            let (mut exact, mut constant) = (wide.clone(), wide[0] * f64::from(start));
            for c in SECTIONS.chunks(5) {
                let c64 = c.iter().map(|&c| f64::from(c)).collect::<Vec<_>>();
                let settled = constant * (c64[0] + c64[1] + c64[2]) / (1.0 + c64[3] + c64[4]);
                exact = direct(&exact, c, [constant, settled]);
                constant = settled;
            }
            for (got, exact) in probe.get::<f32>(tensor).iter().zip(exact) {
                assert!((f64::from(*got) - exact).abs() < 1e-5, "{got} {exact}");
            }
        }
    }

    proptest! {
        #[test]
        fn reflection_repeats_the_ends(i in -5000i32..5000, n in 1usize..50) {
            let index = reflected(i, n);
            prop_assert!(index < n);
            if (0..n as i32).contains(&i) {
                prop_assert_eq!(index, i as usize);
            }
            prop_assert_eq!(index, reflected(-1 - i, n));
            prop_assert_eq!(index, reflected(2 * n as i32 - 1 - i, n));
        }
    }

    #[test]
    fn the_haar_wavelet_halves_sums_and_differences_of_pairs() {
        let mut probe = Probe::default();
        let x = probe.tensor(&[1f32, 3.0, 5.0, 4.0, 7.0]);
        let (low, y) = (probe.table(&[0.5f32, 0.5]), probe.tensor(&[9f32; 3]));
        probe.run(&WAVELET_F32, &[x, low, y], &[]).unwrap();
        // The last pair is 7 and its reflection.
        assert_eq!(probe.get::<f32>(y), [2.0, 4.5, 7.0]);
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let (x, y) = (probe.tensor(&[0f32; 8]), probe.tensor(&[0f32; 4]));
        let (good, short) = (probe.table(&SECTIONS), probe.table(&[0f32; 4]));
        let infinite = probe.table(&[f32::INFINITY; 5]);
        let refused = |op: &Op, operands: &[u32], params: &[u32], fault| {
            assert_eq!(probe.check(op, operands, params), Err(fault));
        };
        refused(
            &SOS_F32,
            &[x, short],
            &[0],
            Fault::WrongLength { operand: 1 },
        );
        refused(
            &SOS_F32,
            &[x, infinite],
            &[0],
            Fault::BadTable { operand: 1 },
        );
        refused(&SOS_F32, &[x, good], &[2], Fault::BadParam { param: 0 });
        refused(
            &SOS_F32,
            &[good, good],
            &[0],
            Fault::WrongPlace { operand: 0 },
        );
        refused(
            &WAVELET_F32,
            &[x, short, y],
            &[],
            Fault::WrongLength { operand: 2 },
        );
        refused(
            &WAVELET_F32,
            &[x, infinite, y],
            &[],
            Fault::BadTable { operand: 1 },
        );
        refused(
            &WAVELET_F32,
            &[x, x, y],
            &[],
            Fault::WrongPlace { operand: 1 },
        );
    }
}
