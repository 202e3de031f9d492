//! The running filters against their formulas in f64, and their checks.

use super::*;
use crate::ops::fixed::probe::Probe;
use proptest::prelude::*;
extern crate std;
use std::vec::Vec;

/// A cascade's sections: b0, b1, b2, a1, a2.
pub(crate) type Sections = Vec<[f64; 5]>;

/// Stable sections of moderate gain.
pub(crate) fn section() -> impl Strategy<Value = [f64; 5]> {
    let b = prop::array::uniform3(-0.5f64..0.5);
    (b, 0.05f64..0.9, 0.0f64..3.1).prop_map(|([b0, b1, b2], radius, angle)| {
        let (a1, a2) = (-2.0 * radius * libm::cos(angle), radius * radius);
        [b0, b1, b2, a1, a2]
    })
}

/// Cascades, each with the factor behind it.
pub(crate) fn cascades() -> impl Strategy<Value = Vec<(Sections, u32)>> {
    prop::collection::vec((prop::collection::vec(section(), 1..3), 1u32..4), 1..3)
}

/// The whole signal of one axis, by the difference equation.
pub(crate) fn textbook(cascades: &[(Sections, u32)], x: &[f64]) -> Vec<f64> {
    let mut x = x.to_vec();
    for (sections, factor) in cascades {
        for &[b0, b1, b2, a1, a2] in sections {
            let [mut x1, mut x2, mut y1, mut y2] = [0.0; 4];
            for x in &mut x {
                let y = b0 * *x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2;
                (x2, x1, y2, y1) = (x1, *x, y1, y);
                *x = y;
            }
        }
        x = x.into_iter().step_by(*factor as usize).collect();
    }
    x
}

/// The words of [`Params`].
pub(crate) fn words(cascades: &[(Sections, u32)], axes: u32, hop: u32) -> Vec<u32> {
    let of = |(sections, factor): &(Sections, u32)| [sections.len() as u32, *factor];
    [axes, hop]
        .into_iter()
        .chain(cascades.iter().flat_map(of))
        .collect()
}

proptest! {
    #[test]
    fn windows_are_those_of_the_filtered_signal(
        cascades in cascades(),
        axes in 1usize..4,
        len in 1usize..12,
        hop in 1usize..12,
        seed in any::<u32>(),
    ) {
        let hop = hop.min(len);
        let factor: usize = cascades.iter().map(|(_, factor)| *factor as usize).product();
        let (windows, total) = (4, len + 3 * hop);
        let signal: Vec<i16> = (0..total * factor * axes)
            .map(|i| (seed.wrapping_mul(i as u32 + 1).wrapping_mul(2654435761) >> 16) as i16)
            .collect();
        let table: Vec<f32> = cascades.iter().flat_map(|(sections, _)| sections.concat())
            .map(|c| c as f32)
            .collect();
        // The formula has the coefficients that the operator has.
        let rounded: Vec<(Sections, u32)> = cascades.iter()
            .map(|(sections, factor)| {
                let round = |section: &[f64; 5]| section.map(|c| f64::from(c as f32));
                (sections.iter().map(round).collect(), *factor)
            })
            .collect();
        let expected: Vec<Vec<f64>> = (0..axes)
            .map(|axis| {
                let x: Vec<f64> = signal.iter().skip(axis).step_by(axes)
                    .map(|&x| f64::from(x) / 32768.0)
                    .collect();
                textbook(&rounded, &x)
            })
            .collect();
        let floats: Vec<f32> = signal.iter().map(|&x| f32::from(x) / 32768.0).collect();
        let params = words(&cascades, axes as u32, hop as u32);
        let mut probe = Probe::default();
        let sections = probe.table(&table);
        let memory = vec_of(table.len() / 5 * 2 * axes + 1);
        let (memory_i, window_i) = (probe.tensor(&memory), probe.tensor(&vec_of(len * axes)));
        let (memory_f, window_f) = (probe.tensor(&memory), probe.tensor(&vec_of(len * axes)));
        for i in 0..windows {
            let from = i * hop * factor * axes;
            let range = from..from + len * factor * axes;
            let source = probe.tensor(&signal[range.clone()]);
            let operands = [source, sections, memory_i, window_i];
            prop_assert_eq!(probe.check(&CONDITION_I16_F32, &operands, &params), Ok(()));
            probe.run(&CONDITION_I16_F32, &operands, &params).unwrap();
            let source = probe.tensor(&floats[range]);
            let operands = [source, sections, memory_f, window_f];
            prop_assert_eq!(probe.check(&CONDITION_F32, &operands, &params), Ok(()));
            probe.run(&CONDITION_F32, &operands, &params).unwrap();
            let found: Vec<f32> = probe.get(window_i);
            prop_assert_eq!(&found, &probe.get::<f32>(window_f));
            for (at, x) in found.iter().enumerate() {
                let exact = expected[at % axes][i * hop + at / axes];
                prop_assert!((f64::from(*x) - exact).abs() < 1e-4, "{} {}", x, exact);
            }
        }
    }
}

fn vec_of(n: usize) -> Vec<f32> {
    std::vec![0.0; n]
}

#[test]
fn bad_steps_are_refused() {
    let mut probe = Probe::default();
    // Two axes, a cascade of two sections and a factor of 3, windows of 4 samples.
    let source = probe.tensor(&vec_of(24));
    let sections = probe.table(&vec_of(10));
    let memory = probe.tensor(&vec_of(9));
    let window = probe.tensor(&vec_of(8));
    let infinite = probe.table(&[f32::INFINITY; 10]);
    let good = [source, sections, memory, window];
    let check = |operands: &[u32], params: &[u32]| probe.check(&CONDITION_F32, operands, params);
    assert_eq!(check(&good, &[2, 4, 2, 3]), Ok(()));
    assert_eq!(check(&good, &[2, 1, 1, 3, 1, 1]), Ok(()));
    let param = |param| Err(Fault::BadParam { param });
    let length = |operand| Err(Fault::WrongLength { operand });
    for (params, fault) in [
        (&[][..], param(0)),
        (&[2], param(0)),
        (&[2, 4, 2], param(0)),
        (&[0, 4, 2, 3], param(0)),
        (&[3, 2, 2, 3], param(0)),
        (&[2, 0, 2, 3], param(1)),
        (&[2, 5, 2, 3], param(1)),
        (&[2, 4, 2, 0], param(2)),
        (&[2, 4, 0, 3], param(2)),
        (&[2, 4, u32::MAX, 3], param(2)),
        (&[2, 4, 2, 2], length(0)),
        (&[2, 4, 2, u32::MAX], length(0)),
        (&[2, 4, 3, 3], length(1)),
        (&[2, 4], length(0)),
    ] {
        assert_eq!(check(&good, params), fault, "{params:?}");
    }
    let params = &[2, 4, 2, 3];
    for (operands, fault) in [
        ([sections, sections, memory, window], length(0)),
        (
            [source, infinite, memory, window],
            Err(Fault::BadTable { operand: 1 }),
        ),
        ([source, sections, window, window], length(2)),
        ([source, sections, memory, source], length(0)),
        (
            [source, sections, memory, sections],
            Err(Fault::WrongPlace { operand: 3 }),
        ),
    ] {
        assert_eq!(check(&operands, params), fault, "{operands:?}");
    }
    // One axis, one sample: everything may be as small as it gets.
    let one = probe.tensor(&vec_of(1));
    let five = probe.table(&vec_of(5));
    let three = probe.tensor(&vec_of(3));
    let same = probe.check(&CONDITION_F32, &[one, five, three, one], &[1, 1, 1, 1]);
    assert_eq!(same, Err(Fault::WrongPlace { operand: 3 }));
}
