use super::bank::{Bank, MICRO_FILTER_BANK_U32};
use super::fft::{MICRO_RFFT_I16, rfft};
use super::gain::{GAINS, MICRO_PCAN_U32, normalise};
use super::log::{CORRECTIONS, MICRO_LOG_U32, logs};
use super::noise::{MICRO_NOISE_REDUCTION_U32, NoiseParams};
use super::output::{MICRO_OUTPUT_F32, MICRO_OUTPUT_I8, MICRO_OUTPUT_I16, MICRO_OUTPUT_I32, code};
use super::window::{MICRO_WINDOW_I16, Peak, weigh};
use crate::Fault;
use crate::ops::fixed::probe::Probe;
use proptest::prelude::*;
extern crate std;
use std::f64::consts::PI;
use std::vec;
use std::vec::Vec;

/// Twiddle and split factors of `n` points.
fn factors(n: usize) -> (Vec<i16>, Vec<i16>) {
    let q15 = |x: f64| (x * 32767.0 + 0.5).floor() as i16;
    let turn = |k: usize| 2.0 * PI * k as f64 / n as f64;
    let twiddles = (0..n / 2)
        .flat_map(|k| [q15(turn(2 * k).cos()), q15(-turn(2 * k).sin())])
        .collect();
    let split = (1..=n / 4)
        .flat_map(|k| [q15(-turn(k).sin()), q15(-turn(k).cos())])
        .collect();
    (twiddles, split)
}

fn spectrum(x: &[i16]) -> Vec<i16> {
    let (twiddles, split) = factors(x.len());
    let mut y = vec![0; x.len() + 2];
    rfft(x, &twiddles, &split, &mut y);
    y
}

/// Largest distance from the f64 spectrum, divided by n.
fn spectrum_error(x: &[i16], y: &[i16]) -> f64 {
    let n = x.len() as f64;
    let mut worst = 0f64;
    for (k, bin) in y.chunks(2).enumerate() {
        let sum = |part: fn(f64) -> f64| -> f64 {
            let terms = x.iter().enumerate().map(|(t, &x)| {
                let turn = (k * t) as f64 * 2.0 * PI / n;
                f64::from(x) * part(turn)
            });
            terms.sum::<f64>() / n
        };
        worst = worst.max((f64::from(bin[0]) - sum(f64::cos)).abs());
        worst = worst.max((f64::from(bin[1]) + sum(f64::sin)).abs());
    }
    worst
}

proptest! {
    #[test]
    fn the_spectrum_is_that_of_the_formula(
        log2 in 4u32..10,
        seed in prop::collection::vec(-16000i16..16001, 512),
    ) {
        let x = &seed[..1 << log2];
        let error = spectrum_error(x, &spectrum(x));
        // Each stage rounds legs, products and the quotient once; the split once more.
        prop_assert!(error < 4.0, "{error}");
    }

    #[test]
    fn any_input_gives_a_spectrum(log2 in 4u32..9, seed in prop::collection::vec(any::<i16>(), 256)) {
        let x = &seed[..1 << log2];
        let y = spectrum(x);
        prop_assert_eq!(y.len(), x.len() + 2);
        prop_assert_eq!((y[1], y[x.len() + 1]), (0, 0));
    }

    #[test]
    fn a_window_weighs_and_scales_up(x in prop::collection::vec(-32767i16..=32767, 9), quiet in 0u32..15) {
        let x: Vec<i16> = x.iter().map(|x| x >> quiet).collect();
        let window = [0, 100, 2000, 4000, 4096, 4000, 2000, 100, 0];
        let mut y = [7i16; 16];
        let shift = weigh(&x, &window, Peak::Library, &mut y);
        let weighted: Vec<i16> = x
            .iter()
            .zip(window)
            .map(|(&x, w)| (f64::from(x) * f64::from(w) / 4096.0).floor() as i16)
            .collect();
        for (y, v) in y.iter().zip(&weighted) {
            prop_assert_eq!(i32::from(*y), i32::from(*v) << shift);
        }
        prop_assert_eq!(&y[9..], &[0; 7]);
        let peak = y.iter().map(|y| y.unsigned_abs()).max().unwrap_or(0);
        prop_assert!(peak >= 1 << 14 || peak == 0 && shift == 15);
        let mut again = [0; 16];
        prop_assert_eq!(weigh(&x, &window, Peak::Signal, &mut again), shift);
        prop_assert_eq!(again, y);
    }

    #[test]
    fn amplitudes_are_roots_of_weighted_energies(
        bins in prop::collection::vec(any::<i16>(), 24),
        weights in prop::collection::vec(0u16..4097, 18),
        shift in 0u32..16,
    ) {
        let (rising, falling) = weights.split_at(9);
        let lengths = [3u16, 0, 4, 2];
        let bank = Bank { first: 2, lengths: &lengths, rising, falling };
        let mut y = [0; 3];
        bank.amplitudes(&bins, shift, &mut y);
        let energy = |i: usize| f64::from(bins[4 + 2 * i]).powi(2) + f64::from(bins[5 + 2 * i]).powi(2);
        let sum = |range: std::ops::Range<usize>, w: &[u16]| -> f64 {
            range.map(|i| energy(i) * f64::from(w[i])).sum()
        };
        let exact = [sum(0..3, rising), sum(3..7, falling), sum(3..7, rising) + sum(7..9, falling)];
        for (y, e) in y.iter().zip(exact) {
            // The sums are below 2^53, so f64 has them exactly.
            let root = (e.sqrt().round() as u32) >> shift;
            prop_assert!(y.abs_diff(root) == 0 || e.sqrt().fract() == 0.5, "{y} {root}");
        }
    }

    #[test]
    fn noise_is_followed_and_subtracted(
        signal in prop::collection::vec(0u32..1 << 21, 20),
        even in 0u16..16385,
        odd in 0u16..16385,
        remaining in 0u32..16385,
    ) {
        let params = NoiseParams { min_signal_remaining: remaining, smoothing_bits: 10, fresh: false };
        let mut estimate = [0u32; 2];
        for x in signal.chunks(2) {
            let before = estimate;
            let mut y = [x[0], x[1]];
            params.reduce(&[even, odd], &mut y, &mut estimate);
            for c in 0..2 {
                let a = f64::from([even, odd][c]) / 16384.0;
                let u = f64::from(x[c]) * 1024.0;
                let exact = a * u + (1.0 - a) * f64::from(before[c]);
                prop_assert_eq!(f64::from(estimate[c]), exact.floor());
                let above = ((u - exact.floor()).max(0.0) / 1024.0).floor();
                let least = (f64::from(x[c]) * f64::from(remaining) / 16384.0).floor();
                prop_assert_eq!(f64::from(y[c]), above.max(least));
            }
        }
    }

    #[test]
    fn gains_fall_with_the_noise(estimate in 0u32.., x in 0u32..1 << 21) {
        // gain = 2^15 / (1 + noise / 80)
        let exact = |noise: f64| (32640.0 / (1.0 + noise / 80.0)).round();
        let mut gains = vec![exact(0.0) as i16, exact(1.0) as i16];
        for octave in 1..32 {
            let at = |x: f64| exact(x * 2f64.powi(octave)) as i32;
            let (rise1, rise2) = (at(1.5) - at(1.0), at(2.0) - at(1.0));
            let a1 = 4 * rise1 - rise2;
            gains.extend([at(1.0) as i16, a1 as i16, (rise2 - a1) as i16]);
        }
        prop_assert_eq!(gains.len(), GAINS);
        let mut y = [x];
        normalise(&[estimate], &gains, 6, &mut y);
        let ratio = f64::from(x) * exact(f64::from(estimate)) / 64.0 / 4096.0;
        let exact = if ratio < 2.0 { ratio * ratio / 4.0 } else { ratio - 1.0 };
        // The parabola is off by at most 0.7 % of the gain's largest value in an octave.
        let tolerance = f64::from(x) * 240.0 / 64.0 / 4096.0 + 0.05;
        let found = f64::from(y[0]) / 64.0;
        prop_assert!((found - exact).abs() < tolerance, "{found} {exact}");
    }

    #[test]
    fn logarithms_are_close(x in 2u32..1 << 29, quiet in 0u32..28, shift in 0u32..11) {
        let x = (x >> quiet).max(2);
        let mut y = [x];
        logs(&mut y, &corrections(), 3, shift);
        let exact = f64::from(x << 3).ln() * f64::from(1 << shift);
        // A step of the table is at most 224 / 65536.
        let tolerance = 0.5 + (0.0037 * f64::from(1 << shift));
        prop_assert!((f64::from(y[0]) - exact).abs() < tolerance, "{} {exact}", y[0]);
    }

    #[test]
    fn extremes_stay_in_range(
        x in prop::collection::vec(any::<u32>(), 4),
        estimate in prop::collection::vec(any::<u32>(), 4),
        gains in prop::collection::vec(any::<i16>(), GAINS),
        bits in -31i32..32,
    ) {
        let (mut x, mut estimate) = (x, estimate);
        let params = NoiseParams { min_signal_remaining: 1 << 14, smoothing_bits: 16, fresh: false };
        params.reduce(&[0, 16384, 1, 9000], &mut x, &mut estimate);
        normalise(&estimate, &gains, 0, &mut x);
        logs(&mut x, &corrections(), bits, 10);
        prop_assert!(x.iter().all(|&x| x <= 22714), "{x:?}");
    }

    #[test]
    fn codes_are_the_rounded_quotient(x in 0u32..70000) {
        let exact = (f64::from(x.min(65535)) * 256.0 / 666.0 + 0.5).floor() - 128.0;
        prop_assert_eq!(f64::from(code(x)), exact.min(127.0));
    }
}

fn corrections() -> Vec<u16> {
    let value = |i: usize| {
        let x = i as f64 / 128.0;
        ((1.0 + x).log2() - x) * 65536.0
    };
    (0..CORRECTIONS).map(|i| value(i).round() as u16).collect()
}

#[test]
fn a_negative_full_scale_has_no_magnitude() {
    let window = [4096; 4];
    let mut y = [0; 4];
    // The library does not see -32768, so the rest decides, and -32768 wraps.
    assert_eq!(
        weigh(&[i16::MIN, 3, 0, 0], &window, Peak::Library, &mut y),
        13
    );
    assert_eq!(y, [0, 3 << 13, 0, 0]);
    // The signal operators take it for the longest there is.
    assert_eq!(
        weigh(&[i16::MIN, 3, 0, 0], &window, Peak::Signal, &mut y),
        0
    );
    assert_eq!(y, [i16::MIN, 3, 0, 0]);
    assert_eq!(weigh(&[0; 4], &window, Peak::Signal, &mut y), 15);
}

#[test]
fn steps_run_as_their_kernels_do() {
    let mut probe = Probe::at_frame(0);
    let x: Vec<i16> = (0..16).map(|t| (t * 977 % 211 - 100) * 7).collect();
    let window = vec![4096i16; 16];
    let (twiddles, split) = factors(16);
    let (frame, table) = (probe.tensor(&x), probe.table(&window));
    let (scaled, shift) = (probe.tensor(&[0i16; 16]), probe.tensor(&[0i32]));
    probe
        .run(&MICRO_WINDOW_I16, &[frame, table, scaled, shift], &[0])
        .expect("runs");
    let (twiddles, split) = (probe.table(&twiddles), probe.table(&split));
    let bins = probe.tensor(&[0i16; 18]);
    probe
        .run(&MICRO_RFFT_I16, &[scaled, twiddles, split, bins], &[])
        .expect("runs");
    let lengths = probe.table(&[2u16, 3, 2]);
    let weights = probe.table(&[2048u16; 7]);
    let y = probe.tensor(&[0u32; 2]);
    let operands = [bins, lengths, weights, weights, shift, y];
    probe
        .run(&MICRO_FILTER_BANK_U32, &operands, &[1])
        .expect("runs");
    let amplitudes = probe.get::<u32>(y);
    assert!(amplitudes.iter().all(|&y| y > 0));

    let (smoothing, estimate) = (probe.table(&[16384u16, 0]), probe.tensor(&[77u32, 77]));
    let params = NoiseParams {
        min_signal_remaining: 0,
        smoothing_bits: 10,
        fresh: true,
    };
    let operands = [smoothing, y, estimate];
    probe
        .run(&MICRO_NOISE_REDUCTION_U32, &operands, &params.encode())
        .expect("runs");
    // The first channel is all noise, the second one's estimate starts at 0 and stays there.
    assert_eq!(probe.get::<u32>(estimate), [amplitudes[0] << 10, 0]);
    assert_eq!(probe.get::<u32>(y), [0, amplitudes[1]]);

    let gains = probe.table(&[16384i16; GAINS]);
    probe
        .run(&MICRO_PCAN_U32, &[estimate, gains, y], &[2])
        .expect("runs");
    // A ratio of amplitude: x - 1, in Q6.
    assert_eq!(probe.get::<u32>(y), [0, (amplitudes[1] - 1) << 6]);
    let corrections = probe.table(&corrections());
    probe
        .run(&MICRO_LOG_U32, &[y, corrections], &[0, 6])
        .expect("runs");
    let feature = probe.get::<u32>(y)[1];
    let exact = (f64::from(amplitudes[1] - 1) * 64.0).ln() * 64.0;
    assert!((f64::from(feature) - exact).abs() < 1.0);

    let [i8s, i16s] = [probe.tensor(&[0i8; 2]), probe.tensor(&[0i16; 2])];
    let [i32s, f32s] = [probe.tensor(&[0i32; 2]), probe.tensor(&[0f32; 2])];
    probe.run(&MICRO_OUTPUT_I8, &[y, i8s], &[]).expect("runs");
    probe
        .run(&MICRO_OUTPUT_I16, &[y, i16s], &[0])
        .expect("runs");
    probe.run(&MICRO_OUTPUT_I32, &[y, i32s], &[]).expect("runs");
    let quarter = 0.25f32.to_bits();
    probe
        .run(&MICRO_OUTPUT_F32, &[y, f32s], &[quarter, 0])
        .expect("runs");
    assert_eq!(probe.get::<i8>(i8s), [-128, code(feature)]);
    assert_eq!(probe.get::<i16>(i16s), [0, feature as i16]);
    assert_eq!(probe.get::<i32>(i32s), [0, feature as i32]);
    assert_eq!(probe.get::<f32>(f32s), [0.0, feature as f32 / 4.0]);
}

#[test]
fn checks_refuse_what_kernels_cannot_take() {
    let mut probe = Probe::default();
    let x = probe.tensor(&[0i16; 32]);
    let y = probe.tensor(&[0i16; 34]);
    let short = probe.tensor(&[0i16; 32]);
    let (twiddles, split) = factors(32);
    let w = probe.table(&twiddles);
    let s = probe.table(&split);
    let check = |operands: &[u32]| probe.check(&MICRO_RFFT_I16, operands, &[]);
    assert_eq!(check(&[x, w, s, y]), Ok(()));
    assert_eq!(
        check(&[x, w, s, short]),
        Err(Fault::WrongLength { operand: 3 })
    );
    assert_eq!(check(&[x, s, s, y]), Err(Fault::WrongLength { operand: 1 }));
    let mut low = twiddles;
    low[3] = i16::MIN;
    let low = probe.table(&low);
    let check = |operands: &[u32]| probe.check(&MICRO_RFFT_I16, operands, &[]);
    assert_eq!(check(&[x, low, s, y]), Err(Fault::BadTable { operand: 1 }));

    let window = probe.table(&[4097i16; 32]);
    let shift = probe.tensor(&[0i32]);
    assert_eq!(
        probe.check(&MICRO_WINDOW_I16, &[x, window, y, shift], &[0]),
        Err(Fault::BadTable { operand: 1 })
    );
    let window = probe.table(&[4096i16; 32]);
    assert_eq!(
        probe.check(&MICRO_WINDOW_I16, &[x, window, y, shift], &[2]),
        Err(Fault::BadParam { param: 0 })
    );
    let lengths = probe.table(&[8u16, 9]);
    let weights = probe.table(&[4096u16; 17]);
    let one = probe.tensor(&[0u32]);
    let operands = [y, lengths, weights, weights, shift, one];
    assert_eq!(
        probe.check(&MICRO_FILTER_BANK_U32, &operands, &[1]),
        Err(Fault::BadParam { param: 0 })
    );
    assert_eq!(probe.check(&MICRO_FILTER_BANK_U32, &operands, &[0]), Ok(()));
    assert_eq!(
        probe.check(&MICRO_LOG_U32, &[one, weights], &[0, 0]),
        Err(Fault::WrongLength { operand: 1 })
    );
    let corrections = probe.table(&corrections());
    assert_eq!(
        probe.check(&MICRO_LOG_U32, &[one, corrections], &[32, 0]),
        Err(Fault::BadParam { param: 0 })
    );
    assert_eq!(
        probe.check(&MICRO_LOG_U32, &[one, corrections], &[0, 11]),
        Err(Fault::BadParam { param: 1 })
    );
}
