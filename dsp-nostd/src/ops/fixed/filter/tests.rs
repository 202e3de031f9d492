//! Filters against f64, scipy and CMSIS-DSP, and their checks.

use super::super::probe::Probe;
use super::*;
use biquad::{Coefficients, ToHertz, Type};
use otolith_fixtures::DspGoldens;
use proptest::prelude::*;
extern crate std;
use std::vec::Vec;

type Section = [i32; SECTION];

fn quantised(c: f64) -> i32 {
    // A cast saturates.
    (c * f64::from(1 << COEFFICIENT_Q)).round() as i32
}

/// A Butterworth section.
fn butterworth(kind: Type<f64>, cutoff: f64) -> Section {
    let c = Coefficients::<f64>::from_params(
        kind,
        48_000.0.hz(),
        (cutoff * 48_000.0).hz(),
        biquad::Q_BUTTERWORTH_F64,
    )
    .unwrap();
    [c.b0, c.b1, c.b2, c.a1, c.a2].map(quantised)
}

/// The cascade in f64, with the same coefficients.
fn textbook(x: &[f64], sections: &[Section]) -> Vec<f64> {
    let mut y = x.to_vec();
    for section in sections {
        let [b0, b1, b2, a1, a2] = section.map(|c| f64::from(c) / 2f64.powi(30));
        let [mut x1, mut x2, mut y1, mut y2] = [0.0; 4];
        for x in &mut y {
            let y0 = b0 * *x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2;
            (x2, x1) = (x1, *x);
            (y2, y1) = (y1, y0);
            *x = y0;
        }
    }
    y
}

/// One section with plain rounding, to compare the noise with.
fn plainly_rounded(x: &mut [i32], section: &Section) {
    let [b0, b1, b2, a1, a2] = section.map(i64::from);
    let [mut x1, mut x2, mut y1, mut y2] = [0i64; 4];
    for x in x {
        let x0 = i64::from(*x);
        let y0 = q::shr(b0 * x0 + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2, 30);
        (x2, x1) = (x1, x0);
        (y2, y1) = (y1, y0);
        *x = y0 as i32;
    }
}

fn filtered(x: &[i32], sections: &[Section]) -> Vec<i32> {
    let mut y = x.to_vec();
    for section in sections {
        run_section(&mut y, section, &mut [0; SECTION]);
    }
    y
}

fn floats(x: &[i32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// Root mean square of the difference.
fn noise(y: &[i32], exact: &[f64]) -> f64 {
    let sum: f64 = y
        .iter()
        .zip(exact)
        .map(|(&y, exact)| (f64::from(y) - exact).powi(2))
        .sum();
    (sum / y.len() as f64).sqrt()
}

fn white(n: usize, amplitude: i32) -> Vec<i32> {
    let mut state = 1u64;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            ((state >> 33) as i64 % i64::from(2 * amplitude + 1)) as i32 - amplitude
        })
        .collect()
}

/// Most that the roundings can add up to: each is below 1 and passes `(1 - z^-1) / A(z)` and
/// the sections behind.
fn worst_case(sections: &[Section]) -> f64 {
    let one = 1 << COEFFICIENT_Q;
    let each = (0..sections.len()).map(|k| {
        let [_, _, _, a1, a2] = sections[k];
        let mut path = std::vec![[one, -one, 0, a1, a2]];
        path.extend(&sections[k + 1..]);
        let mut impulse = std::vec![0.0; 200_000];
        impulse[0] = 1.0;
        textbook(&impulse, &path)
            .into_iter()
            .map(f64::abs)
            .sum::<f64>()
    });
    each.sum()
}

#[test]
fn sections_follow_f64_within_their_rounding() {
    let band = |c| butterworth(Type::BandPass, c);
    let low = |c| butterworth(Type::LowPass, c);
    let high = |c| butterworth(Type::HighPass, c);
    let mut impulse = std::vec![0; 20_000];
    impulse[3] = 1 << 28;
    let signals = [white(20_000, 1 << 28), impulse, std::vec![1 << 28; 20_000]];
    for (name, sections) in [
        ("low 0.001", std::vec![low(0.001)]),
        ("low 0.01", std::vec![low(0.01)]),
        ("low 0.25", std::vec![low(0.25)]),
        ("low 0.45", std::vec![low(0.45)]),
        ("high 0.001", std::vec![high(0.001)]),
        ("high 0.1", std::vec![high(0.1)]),
        ("high 0.45", std::vec![high(0.45)]),
        ("band 0.01", std::vec![band(0.01)]),
        ("band 0.3", std::vec![band(0.3)]),
        ("cascade", std::vec![high(0.005), low(0.1), band(0.05)]),
    ] {
        assert!(sections.iter().all(is_safe), "{name}");
        let bound = worst_case(&sections);
        for signal in &signals {
            let exact = textbook(&floats(signal), &sections);
            for (y, exact) in filtered(signal, &sections).into_iter().zip(exact) {
                let error = (f64::from(y) - exact).abs();
                assert!(error <= bound + 0.01, "{name}: {error} {bound}");
            }
        }
    }
}

#[test]
fn the_fed_back_rest_beats_plain_rounding_at_low_cutoffs() {
    let signal = white(20_000, 1 << 28);
    for (cutoff, gain) in [(0.001, 50.0), (0.01, 10.0)] {
        let section = butterworth(Type::LowPass, cutoff);
        let exact = textbook(&floats(&signal), &[section]);
        let mut plain = signal.clone();
        plainly_rounded(&mut plain, &section);
        let ours = noise(&filtered(&signal, &[section]), &exact);
        let plain = noise(&plain, &exact);
        assert!(ours * gain < plain, "{cutoff}: {ours} {plain}");
    }
}

/// `|b(z) / a(z)|` of a row of scipy's sections at `z = exp(i w)`.
fn response(s: &[f64], w: f64) -> f64 {
    let magnitude = |c: &[f64]| {
        let (re, im) = c.iter().enumerate().fold((0.0, 0.0), |(re, im), (k, c)| {
            (re + c * (k as f64 * w).cos(), im + c * (k as f64 * w).sin())
        });
        re.hypot(im)
    };
    magnitude(&s[..3]) / magnitude(&s[3..])
}

/// scipy's sections with their gain in equal parts, in an order in which no frequency becomes
/// louder on the way than the headroom of 4 allows: as they are, or the first half and the
/// second by turns, since a band-pass begins with its low-passes.
fn sections_of(sos: &otolith_fixtures::Array) -> Vec<Section> {
    let sections: Vec<&[f64]> = sos.values.chunks(6).collect();
    let n = sections.len();
    let (front, back) = sections.split_at(n / 2);
    let turns = front.iter().zip(back).flat_map(|(&a, &b)| [b, a]).collect();
    let part = sections
        .iter()
        .map(|s| s[0])
        .product::<f64>()
        .powf(1.0 / n as f64);
    let level = |order: &[&[f64]], w| -> f64 {
        order.iter().map(|s| response(s, w) * part / s[0]).product()
    };
    let fits = |order: &Vec<&[f64]>| {
        let frequencies = (0..=4096).map(|i| f64::from(i) / 4096.0 * core::f64::consts::PI);
        (1..=n).all(|k| frequencies.clone().all(|w| level(&order[..k], w) < 4.0))
    };
    let order = [sections.clone(), turns]
        .into_iter()
        .find(fits)
        .expect("headroom");
    let quantise = |s: &&[f64]| {
        let gain = part / s[0];
        [gain * s[0], gain * s[1], gain * s[2], s[4], s[5]].map(quantised)
    };
    order.iter().map(quantise).collect()
}

fn db(signal: f64, noise: f64) -> f64 {
    20.0 * (signal / noise).log10()
}

#[test]
fn filters_of_scipy() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("butter_sos") {
        let sections = sections_of(&case.output("sos"));
        assert!(sections.iter().all(is_safe), "{}", case.id());
        let golden = case.output("y");
        let channels = golden.values.len() / golden.shape[0];
        let x: Vec<f64> = case
            .input()
            .iter()
            .step_by(channels)
            .map(|&x| f64::from(x))
            .collect();
        let peak = x.iter().fold(0.0f64, |peak, x| peak.max(x.abs()));
        let scale = f64::from(1 << 28) / peak;
        let x: Vec<i32> = x.iter().map(|x| (x * scale).round() as i32).collect();
        let exact: Vec<f64> = golden
            .values
            .iter()
            .step_by(channels)
            .map(|y| y * scale)
            .collect();
        let ratio = db(
            noise(&std::vec![0; x.len()], &exact),
            noise(&filtered(&x, &sections), &exact),
        );
        std::println!("{} {} {ratio:.1} dB", case.id(), case.params());
        assert!(ratio > 110.0, "{}: {ratio:.1} dB", case.id());
    }
}

#[test]
fn filters_of_cmsis() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for family in ["cmsis_biquad_q31", "cmsis_biquad_32x64"] {
        for case in DspGoldens::open(&shared).family(family) {
            let ints =
                |name| -> Vec<i32> { case.output(name).values.iter().map(|&x| x as i32).collect() };
            let sections: Vec<Section> = ints("coefs_q")
                .chunks(5)
                .map(|c| [c[0], c[1], c[2], -c[3], -c[4]])
                .collect();
            let exact: Vec<f64> = case
                .output("truth_f64")
                .values
                .iter()
                .map(|y| y * 2f64.powi(31))
                .collect();
            let signal = noise(&std::vec![0; exact.len()], &exact);
            let theirs = db(signal, noise(&ints("out"), &exact));
            let ours = db(
                signal,
                noise(&filtered(&ints("input_q"), &sections), &exact),
            );
            std::println!("{} ours {ours:.1} dB, CMSIS {theirs:.1} dB", case.id());
            // Beside its 32-bit states that is tens of dB; its 64-bit states cost twice the
            // memory and the multiplications.
            let margin = if family == "cmsis_biquad_q31" {
                8.0
            } else {
                -9.0
            };
            assert!(
                ours > theirs + margin,
                "{}: {ours:.1} {theirs:.1}",
                case.id()
            );
        }
    }
}

proptest! {
    #[test]
    fn sections_never_wrap_and_blocks_do_not_matter(
        x in prop::collection::vec(prop_oneof![any::<i32>(), Just(i32::MIN), Just(i32::MAX)], 1..60),
        b in prop::array::uniform3(any::<i32>()),
        a in prop::array::uniform2(-1.0f64..1.0),
        cut in 0usize..60,
    ) {
        // Inside the triangle of stable sections: |a2| < 1, |a1| < 1 + a2.
        let (a2, a1) = (a[1], a[0] * (1.0 + a[1]));
        let section = [b[0], b[1], b[2], quantised(a1), quantised(a2)];
        prop_assume!(is_safe(&section));
        // Debug builds trap what wraps.
        let whole = filtered(&x, &[section]);
        prop_assert!(whole.iter().all(|y| y.unsigned_abs() <= LIMIT as u32));

        let mut probe = Probe::default();
        let (front, back) = x.split_at(cut.min(x.len()));
        let (front, back) = (probe.tensor(front), probe.tensor(back));
        let table = probe.table(&section);
        let state = probe.tensor(&[0i32; SECTION]);
        probe.run(&BIQUAD_I32, &[front, table, state], &[]).unwrap();
        probe.run(&BIQUAD_I32, &[back, table, state], &[]).unwrap();
        let mut parts = probe.get::<i32>(front);
        parts.extend(probe.get::<i32>(back));
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn decimated_blocks_are_the_decimated_signal(
        x in prop::collection::vec(any::<i32>(), 60),
        h in prop::collection::vec(-(1i32 << 27)..1 << 27, 1..20),
        (factor, outputs) in prop::sample::select(
            &[(1usize, 1usize), (3, 1), (3, 2), (4, 5), (5, 12)][..]),
    ) {
        let mut probe = Probe::default();
        let table = probe.table(&h);
        let history = probe.tensor(&std::vec![0i32; h.len() - 1]);
        let mut y = Vec::new();
        for block in x.chunks_exact(factor * outputs) {
            let block = probe.tensor(block);
            let out = probe.tensor(&std::vec![0i32; outputs]);
            probe
                .run(&DECIMATE_I32, &[block, table, history, out], &[factor as u32])
                .unwrap();
            y.extend(probe.get::<i32>(out));
        }
        for (m, y) in y.into_iter().enumerate() {
            let exact: f64 = (0..h.len().min(m * factor + 1))
                .map(|k| f64::from(h[k]) / 2f64.powi(31) * f64::from(x[m * factor - k]))
                .sum();
            let exact = exact.clamp(f64::from(i32::MIN), f64::from(i32::MAX));
            prop_assert!((f64::from(y) - exact).abs() <= 0.5 + 1e-5, "{y} {exact}");
        }
    }
}

#[test]
fn the_largest_signal_and_taps_saturate() {
    let h = [i32::MAX, i32::MIN + 1];
    let x = [i32::MIN, i32::MAX, i32::MIN, i32::MAX];
    let mut y = [0; 4];
    decimate(&x, &h, &mut [i32::MAX], &mut y, 1);
    assert_eq!(y, [i32::MIN, i32::MAX, i32::MIN, i32::MAX]);
    decimate(&[], &h, &mut [5], &mut [], 3);
    decimate(&[9], &[1 << 30], &mut [], &mut y[..1], 1);
    assert_eq!(y[0], 5);
}

#[test]
fn silence_after_a_sound_fades_to_nothing() {
    // No limit cycle worth speaking of: far below a 16-bit sample, which is 2^13 here.
    for cutoff in [0.001, 0.01, 0.1, 0.4] {
        let section = butterworth(Type::LowPass, cutoff);
        let mut x = white(30_000, 1 << 28);
        x[10_000..].fill(0);
        let y = filtered(&x, &[section]);
        let left = y[29_000..].iter().map(|y| y.unsigned_abs()).max();
        assert!(left < Some(64), "{cutoff}: {left:?}");
    }
}

#[test]
fn checks_refuse_what_cannot_run() {
    let mut probe = Probe::default();
    let x = probe.tensor(&[0i32; 12]);
    let state = probe.tensor(&[0i32; 10]);
    let short = probe.tensor(&[0i32; 9]);
    let floats = probe.tensor(&[0f32; 12]);
    let one = 1i32 << COEFFICIENT_Q;
    let good = [one, one, one, 0, 0];
    let tables = [
        // a pole on the unit circle, one outside it, and coefficients that could wrap
        [one, 0, 0, 0, one],
        [one, 0, 0, i32::MIN, one - 1],
        [i32::MIN, i32::MIN, i32::MIN, i32::MIN + 2, one - 1],
    ];
    let table = probe.table(&[good, good].concat());
    let cut = probe.table(&good[..4]);
    let empty = probe.table::<i32>(&[]);
    let bad = tables.map(|section| probe.table(&[good, section].concat()));
    let refused = |operands: &[u32], params: &[u32], fault| {
        assert_eq!(probe.check(&BIQUAD_I32, operands, params), Err(fault));
    };
    assert_eq!(probe.check(&BIQUAD_I32, &[x, table, state], &[]), Ok(()));
    refused(&[x, table, state], &[1], Fault::BadParam { param: 0 });
    refused(&[x, table], &[], Fault::NoOperand { operand: 3 });
    refused(
        &[floats, table, state],
        &[],
        Fault::WrongType { operand: 0 },
    );
    refused(
        &[table, table, state],
        &[],
        Fault::WrongPlace { operand: 0 },
    );
    refused(&[x, state, state], &[], Fault::WrongPlace { operand: 1 });
    refused(&[x, cut, state], &[], Fault::WrongLength { operand: 1 });
    refused(&[x, empty, state], &[], Fault::WrongLength { operand: 1 });
    refused(&[x, table, short], &[], Fault::WrongLength { operand: 2 });
    refused(
        &[state, table, state],
        &[],
        Fault::WrongPlace { operand: 2 },
    );
    for bad in bad {
        refused(&[x, bad, state], &[], Fault::BadTable { operand: 1 });
    }

    let taps = probe.table(&[1i32, 2, 3]);
    let loud = probe.table(&[i32::MIN, 0, i32::MIN]);
    let history = probe.tensor(&[0i32; 2]);
    let y = probe.tensor(&[0i32; 4]);
    let refused = |operands: &[u32], params: &[u32], fault| {
        assert_eq!(probe.check(&DECIMATE_I32, operands, params), Err(fault));
    };
    assert_eq!(
        probe.check(&DECIMATE_I32, &[x, taps, history, y], &[3]),
        Ok(())
    );
    refused(&[x, taps, history, y], &[0], Fault::BadParam { param: 0 });
    refused(&[x, taps, history, y], &[5], Fault::BadParam { param: 0 });
    refused(
        &[x, taps, history, y],
        &[2],
        Fault::WrongLength { operand: 3 },
    );
    refused(&[x, taps, y, y], &[3], Fault::WrongLength { operand: 2 });
    refused(&[x, x, history, y], &[3], Fault::WrongPlace { operand: 1 });
    refused(
        &[x, empty, history, y],
        &[3],
        Fault::WrongLength { operand: 1 },
    );
    refused(&[x, loud, history, y], &[3], Fault::BadTable { operand: 1 });
    refused(
        &[y, taps, history, y],
        &[1],
        Fault::WrongPlace { operand: 3 },
    );
}

/// A low-pass of two sections, and what a constant settles to behind each, in Q30.
fn low_pass() -> [[f64; 6]; 2] {
    [
        [0.2, 0.4, 0.2, -0.37, 0.19, 0.8 / 0.82],
        [0.1, 0.2, 0.1, -0.9, 0.4, 0.8],
    ]
}

#[test]
fn windows_begin_at_rest_or_settled() {
    let x: Vec<i32> = (0..300)
        .map(|t| (1 << 27) + (t * 29 % 67 - 33) * 1_000_003)
        .collect();
    let table: Vec<i32> = low_pass()
        .iter()
        .flatten()
        .map(|c| (c * 2f64.powi(30)).round() as i32)
        .collect();
    for (start, shift) in [(0, 0), (1, 0), (1, 3)] {
        let mut probe = Probe::default();
        let (tensor, coefficients) = (probe.tensor(&x), probe.table(&table));
        for _ in 0..2 {
            // The state is the window's own: a second window is as the first.
            let again = probe.tensor(&x);
            probe
                .run(&SOS_I32, &[again, coefficients], &[start, shift])
                .unwrap();
        }
        probe
            .run(&SOS_I32, &[tensor, coefficients], &[start, shift])
            .unwrap();
        let scale = 2f64.powi(-(shift as i32));
        let mut exact: Vec<f64> = x.iter().map(|&x| f64::from(x) * scale).collect();
        let mut constant = exact[0] * f64::from(start);
        for [b0, b1, b2, a1, a2, gain] in low_pass() {
            let settled = constant * gain;
            let (mut x1, mut x2, mut y1, mut y2) = (constant, constant, settled, settled);
            for x in &mut exact {
                let y = b0 * *x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2;
                (x2, x1, y2, y1) = (x1, *x, y1, y);
                *x = y;
            }
            constant = settled;
        }
        for (got, exact) in probe.get::<i32>(tensor).iter().zip(exact) {
            assert!(
                (f64::from(*got) - exact).abs() < 8.0,
                "{start} {shift}: {got} {exact}"
            );
        }
    }
}

proptest! {
    #[test]
    fn wavelets_follow_their_sum(
        x in prop::collection::vec(any::<i32>(), 1..60),
        taps in prop::collection::vec(-(1i32 << 30)..1 << 30, 1..4),
        shift in 0u32..4,
    ) {
        let n = x.len() as i32;
        let mut probe = Probe::default();
        let len = (x.len() + taps.len() - 1) / 2;
        let operands = [probe.tensor(&x), probe.table(&taps), probe.tensor(&std::vec![7i32; len])];
        probe.run(&WAVELET_I32, &operands, &[shift]).unwrap();
        for (o, got) in probe.get::<i32>(operands[2]).into_iter().enumerate() {
            let sum: i128 = taps
                .iter()
                .enumerate()
                .map(|(j, &h)| {
                    let mut at = 2 * o as i32 + 1 - j as i32;
                    // Mirrored about the edges until it lies inside.
                    while !(0..n).contains(&at) {
                        at = if at < 0 { -1 - at } else { 2 * n - 1 - at };
                    }
                    i128::from(h) * i128::from(x[at as usize])
                })
                .sum();
            let exact = (sum + (1i128 << (29 + shift))) >> (30 + shift);
            let limited = exact.clamp(i128::from(i32::MIN), i128::from(i32::MAX));
            prop_assert_eq!(i128::from(got), limited);
        }
    }
}

#[test]
fn checks_of_windows_refuse_what_cannot_run() {
    let mut probe = Probe::default();
    let (x, y) = (probe.tensor(&[0i32; 8]), probe.tensor(&[0i32; 4]));
    let stable = probe.table(&[1i32 << 30, 0, 0, 0, 0, 1 << 30]);
    let unstable = probe.table(&[1i32 << 30, 0, 0, 0, 1 << 30, 0]);
    let (short, wide) = (probe.table(&[0i32; 5]), probe.table(&[i32::MIN; 2]));
    let refused = |op: &Op, operands: &[u32], params: &[u32], fault| {
        assert_eq!(probe.check(op, operands, params), Err(fault));
    };
    assert_eq!(probe.check(&SOS_I32, &[x, stable], &[1, 30]), Ok(()));
    refused(
        &SOS_I32,
        &[x, unstable],
        &[0, 0],
        Fault::BadTable { operand: 1 },
    );
    refused(
        &SOS_I32,
        &[x, short],
        &[0, 0],
        Fault::WrongLength { operand: 1 },
    );
    refused(
        &SOS_I32,
        &[x, stable],
        &[2, 0],
        Fault::BadParam { param: 0 },
    );
    refused(
        &SOS_I32,
        &[x, stable],
        &[0, 31],
        Fault::BadParam { param: 1 },
    );
    refused(
        &WAVELET_I32,
        &[x, wide, y],
        &[0],
        Fault::BadTable { operand: 1 },
    );
    refused(
        &WAVELET_I32,
        &[x, short, y],
        &[0],
        Fault::WrongLength { operand: 2 },
    );
    refused(
        &WAVELET_I32,
        &[x, short, y],
        &[31],
        Fault::BadParam { param: 0 },
    );
}
