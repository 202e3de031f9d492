//! The running integer filters against their formulas in f64, and their checks.

use super::super::probe::Probe;
use super::*;
use crate::ops::conditioning::tests::{Sections, cascades, textbook, words};
use proptest::prelude::*;
extern crate std;
use std::vec::Vec;

proptest! {
    #[test]
    fn windows_are_those_of_the_filtered_signal(
        cascades in cascades(),
        axes in 1usize..4,
        len in 1usize..12,
        hop in 1usize..12,
        shift in 8u32..14,
        seed in any::<u32>(),
    ) {
        let hop = hop.min(len);
        let factor: usize = cascades.iter().map(|(_, factor)| *factor as usize).product();
        let signal: Vec<i16> = (0..(len + 3 * hop) * factor * axes)
            .map(|i| (seed.wrapping_mul(i as u32 + 1).wrapping_mul(2654435761) >> 18) as i16)
            .collect();
        let quantised = |c: f64| libm::round(c * f64::from(1 << 30)) as i32;
        let table: Vec<i32> = cascades.iter()
            .flat_map(|(sections, _)| sections.concat())
            .map(quantised)
            .collect();
        // The formula has the coefficients that the operator has.
        let rounded: Vec<(Sections, u32)> = cascades.iter()
            .map(|(sections, factor)| {
                let round = |section: &[f64; 5]| {
                    section.map(|c| f64::from(quantised(c)) / f64::from(1 << 30))
                };
                (sections.iter().map(round).collect(), *factor)
            })
            .collect();
        let unit = f64::from(1 << shift);
        let expected: Vec<Vec<f64>> = (0..axes)
            .map(|axis| {
                let x: Vec<f64> = signal.iter().skip(axis).step_by(axes)
                    .map(|&x| f64::from(x) * unit)
                    .collect();
                textbook(&rounded, &x)
            })
            .collect();
        // No value is limited.
        let largest = expected.iter().flatten().fold(0.0f64, |most, x| most.max(x.abs()));
        prop_assume!(largest < 1e8);
        let mut params = std::vec![shift];
        params.extend(words(&cascades, axes as u32, hop as u32));
        let mut probe = Probe::default();
        let sections = probe.table(&table);
        let memory = probe.tensor(&std::vec![0i32; table.len() * axes + 1]);
        let window = probe.tensor(&std::vec![0i32; len * axes]);
        for i in 0..4 {
            let from = i * hop * factor * axes;
            let source = probe.tensor(&signal[from..from + len * factor * axes]);
            let operands = [source, sections, memory, window];
            prop_assert_eq!(probe.check(&CONDITION_I16_I32, &operands, &params), Ok(()));
            probe.run(&CONDITION_I16_I32, &operands, &params).unwrap();
            for (at, &x) in probe.get::<i32>(window).iter().enumerate() {
                let exact = expected[at % axes][i * hop + at / axes];
                // Four sections at most, whose rounding others may amplify.
                prop_assert!((f64::from(x) - exact).abs() < 4000.0, "{} {}", x, exact);
            }
        }
    }
}

#[test]
fn bad_steps_are_refused() {
    let mut probe = Probe::default();
    let source = probe.tensor(&[0i16; 24]);
    let floats = probe.tensor(&[0f32; 24]);
    let sections = probe.table(&[0i32; 10]);
    // A pole on the unit circle.
    let unstable = probe.table(&[0, 0, 0, 0, 1 << 30, 0, 0, 0, 0, 0]);
    let memory = probe.tensor(&[0i32; 21]);
    let window = probe.tensor(&[0i32; 8]);
    let good = [source, sections, memory, window];
    let check =
        |operands: &[u32], params: &[u32]| probe.check(&CONDITION_I16_I32, operands, params);
    assert_eq!(check(&good, &[13, 2, 4, 2, 3]), Ok(()));
    let param = |param| Err(Fault::BadParam { param });
    assert_eq!(check(&good, &[]), param(0));
    assert_eq!(check(&good, &[14, 2, 4, 2, 3]), param(0));
    assert_eq!(check(&good, &[13, 2]), param(1));
    assert_eq!(check(&good, &[13, 2, 5, 2, 3]), param(1));
    let params = &[13, 2, 4, 2, 3];
    for (operands, fault) in [
        (
            [floats, sections, memory, window],
            Fault::WrongType { operand: 0 },
        ),
        (
            [source, unstable, memory, window],
            Fault::BadTable { operand: 1 },
        ),
        (
            [source, sections, window, window],
            Fault::WrongLength { operand: 2 },
        ),
    ] {
        assert_eq!(check(&operands, params), Err(fault), "{operands:?}");
    }
}
