use super::*;
use crate::format::Element;
use crate::ops::fixed::probe::Probe;
use proptest::prelude::*;
use std::f64::consts::PI;
use std::vec::Vec;
extern crate std;

#[test]
fn bits_are_those_of_the_longest_sample() {
    let bits = |x: i32| 32 - (x ^ (x >> 31)).leading_zeros() as i32;
    for at in 0..35 {
        for x in [0, 1, -1, -2, 2, 255, -256, 256, -257, i16::MAX, i16::MIN] {
            let mut frame = [0i16; 35];
            frame[at] = x;
            assert_eq!(i16::bits(&frame), bits(x.into()), "{x} at {at}");
        }
    }
    for x in [0, -1, 5, 1 << 30, i32::MIN, i32::MAX] {
        assert_eq!(i32::bits(&[0, x, 0]), bits(x));
    }
}

/// A table type, as a proptest sees it.
trait Quantised: Element {
    /// Full scale.
    const SCALE: f64;
    fn of(x: f64) -> Self;
}

impl Quantised for i32 {
    const SCALE: f64 = 2147483648.0;
    fn of(x: f64) -> i32 {
        (x * Self::SCALE).round().clamp(-2147483647.0, 2147483647.0) as i32
    }
}

impl Quantised for i16 {
    const SCALE: f64 = 32768.0;
    fn of(x: f64) -> i16 {
        (x * Self::SCALE).round().clamp(-32767.0, 32767.0) as i16
    }
}

/// A Hann window of `len` samples, and the bits with which nothing overflows for sure.
fn window(len: usize, periodic: bool) -> Vec<f64> {
    let period = if periodic { len } else { len - 1 };
    (0..len)
        .map(|n| 0.5 - 0.5 * (2.0 * PI * n as f64 / period as f64).cos())
        .collect()
}

/// The largest `bits` for sums of `n / 2` numbers, a Hann window's mean being 1/2.
fn bits(n: usize, wide: bool) -> u32 {
    let log2 = n.trailing_zeros();
    let room = 30 - (log2 - 1) + halvings(n);
    if wide {
        (room + 1).min(30)
    } else {
        (room - 15).min(15)
    }
}

/// Powers by the operator and by the definition, with the exponent.
fn powers<X: Element + Into<f64>, T: Quantised>(
    x: &[X],
    n: usize,
    w: &[f64],
    mirror: usize,
    op: &Op,
) -> (Vec<f64>, Vec<f64>) {
    let wide = X::ELEM == Elem::I32;
    let mut probe = Probe::default();
    let turn = |k: usize, n: usize| {
        let angle = 2.0 * PI * k as f64 / n as f64;
        [T::of(angle.cos()), T::of(angle.sin())]
    };
    let half: Vec<T> = (0..=n / 2)
        .map(|i| T::of(w.get(i).copied().unwrap_or(0.0)))
        .collect();
    let twiddles: Vec<T> = (1..n / 8)
        .flat_map(|j| [j, 2 * j, 3 * j])
        .flat_map(|j| turn(j, n / 2))
        .collect();
    let split: Vec<T> = (1..n / 4).flat_map(|k| turn(k, n)).collect();
    let operands = [
        probe.tensor(x),
        probe.table(&half),
        probe.table(&twiddles),
        probe.table(&split),
        probe.tensor(&std::vec![0u64; n / 2 + 1]),
        probe.tensor(&[0i32]),
    ];
    let params = RfftParams {
        start: 0,
        hop: 0,
        frame_len: w.len() as u32,
        mirror: mirror as u32,
        bits: bits(n, wide),
        left: 12,
    };
    probe.run(op, &operands, &params.encode()).expect("runs");
    let d = probe.get::<i32>(operands[5])[0];
    let gain = if wide { -1 } else { 15 };
    let unit = 2f64.powi(2 * (gain - d - halvings(n) as i32));
    let found = probe.get::<u64>(operands[4]);
    let found = found.iter().map(|&p| p as f64 / unit).collect();
    let exact = (0..=n / 2).map(|k| {
        let (mut re, mut im) = (0.0, 0.0);
        for (t, (&x, &w)) in x.iter().zip(w).enumerate() {
            let x: f64 = x.into();
            let angle = -2.0 * PI * ((k * t) % n) as f64 / n as f64;
            re += w * x * angle.cos();
            im += w * x * angle.sin();
        }
        re * re + im * im
    });
    (found, exact.collect())
}

/// Error of the powers against their sum, in dB below it.
fn distance((found, exact): (Vec<f64>, Vec<f64>)) -> f64 {
    let sum: f64 = exact.iter().sum();
    let worst = found
        .iter()
        .zip(&exact)
        .map(|(f, e)| (f.sqrt() - e.sqrt()).powi(2))
        .fold(0.0, f64::max);
    10.0 * (sum / worst.max(1e-300)).log10()
}

/// All four operators of one length on one frame; the worst distance with wide and narrow tables.
fn distances(x: &[i16], n: usize, len: usize, periodic: bool) -> (f64, f64) {
    let w = window(len, periodic);
    let mirror = if periodic { len } else { len - 1 };
    let wide: Vec<i32> = x.iter().map(|&x| i32::from(x) << 13).collect();
    let op = |wide, tables| rfft_power(n, wide, tables).expect("there is one");
    let full =
        distance(powers::<i16, i32>(x, n, &w, mirror, op(false, true))).min(distance(powers::<
            i32,
            i32,
        >(
            &wide,
            n,
            &w,
            mirror,
            op(true, true),
        )));
    let light =
        distance(powers::<i16, i16>(x, n, &w, mirror, op(false, false))).min(distance(powers::<
            i32,
            i16,
        >(
            &wide,
            n,
            &w,
            mirror,
            op(true, false),
        )));
    (full, light)
}

fn noise(seed: u32, len: usize, shift: u32) -> Vec<i16> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16 >> shift
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn powers_are_those_of_the_definition(
        log2 in 4u32..10,
        seed: u32,
        shift in 0u32..14,
        short in 0usize..8,
        periodic: bool,
    ) {
        let n = 1usize << log2;
        let len = n - n * short / 16;
        let (full, light) = distances(&noise(seed, len, shift), n, len, periodic);
        prop_assert!(full > 110.0, "{n} {len}: {full}");
        prop_assert!(light > 75.0, "{n} {len}: {light}");
    }
}

#[test]
fn every_length_has_its_operators() {
    for log2 in 4..13 {
        let n = 1 << log2;
        let (full, light) = distances(&noise(log2, n, 0), n, n, true);
        assert!(full > 110.0 && light > 75.0, "{n}: {full} {light}");
    }
    assert!(rfft_power(8, false, true).is_none());
    assert!(rfft_power(500, false, true).is_none());
    assert!(rfft_power(8192, true, false).is_none());
}

#[test]
fn extremes_do_not_overflow() {
    let signals: [fn(usize) -> i16; 5] = [
        |_| i16::MIN,
        |_| i16::MAX,
        |t| if t % 2 == 0 { i16::MAX } else { i16::MIN },
        |t| if t / 4 % 2 == 0 { i16::MAX } else { i16::MIN },
        |t| if t == 100 { i16::MIN } else { 0 },
    ];
    for n in [128, 512, 1024] {
        for (i, signal) in signals.iter().enumerate() {
            let x: Vec<i16> = (0..n).map(signal).collect();
            let (full, light) = distances(&x, n, n, true);
            assert!(full > 110.0 && light > 75.0, "{n}, {i}: {full} {light}");
        }
    }
}

#[test]
fn checks_refuse_what_does_not_fit() {
    let n = 16;
    let op = rfft_power(n, false, true).expect("there is one");
    let tables = || {
        let mut probe = Probe::default();
        let operands = [
            probe.tensor(&[0i16; 16]),
            probe.table(&[0i32; 9]),
            probe.table(&[0i32; 6]),
            probe.table(&[0i32; 6]),
            probe.tensor(&[0u64; 9]),
            probe.tensor(&[0i32]),
        ];
        (probe, operands)
    };
    let params = |change: fn(&mut RfftParams)| {
        let mut params = RfftParams {
            start: 0,
            hop: 0,
            frame_len: 16,
            mirror: 16,
            bits: 10,
            left: 12,
        };
        change(&mut params);
        params.encode()
    };
    let check = |change: fn(&mut RfftParams)| {
        let (probe, operands) = tables();
        probe.check(op, &operands, &params(change))
    };
    let bad = |param| Err(Fault::BadParam { param });
    assert_eq!(check(|_| {}), Ok(()));
    assert_eq!(check(|p| p.start = 1), bad(0));
    assert_eq!(check(|p| p.start = u32::MAX), bad(0));
    assert_eq!(check(|p| p.frame_len = 0), bad(2));
    assert_eq!(check(|p| p.mirror = 14), bad(3));
    assert_eq!(check(|p| p.bits = 2), bad(4));
    assert_eq!(check(|p| p.left = 13), bad(5));
    let (probe, operands) = tables();
    let swapped = [1, 0, 2, 3, 4, 5].map(|i: usize| operands[i]);
    assert!(probe.check(op, &swapped, &params(|_| {})).is_err());
}
