#![allow(
    clippy::disallowed_methods,
    reason = "test signals need not be the same bits everywhere"
)]

use std::f64::consts::TAU;

use super::*;
use crate::config::{Section, Table};

fn input(fields: &str) -> Input {
    let table = Table::parse(fields).unwrap();
    InputConfig::read(&table, "input")
        .unwrap()
        .validate("input")
        .unwrap()
}

fn sine(hz: f64, rate: u32, n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (0.5 * (TAU * hz * i as f64 / f64::from(rate)).sin()) as f32)
        .collect()
}

/// Amplitude of `samples` relative to `0.5 sin(TAU hz t)`, and the power of their difference
/// relative to it, in dB.
fn against_sine(samples: &[f32], hz: f64, rate: u32) -> (f64, f64) {
    let (mut dot, mut energy, mut residue) = (0.0, 0.0, 0.0);
    for (i, &x) in samples.iter().enumerate() {
        let reference = 0.5 * (TAU * hz * i as f64 / f64::from(rate)).sin();
        dot += reference * f64::from(x);
        energy += reference * reference;
        residue += (f64::from(x) - reference).powi(2);
    }
    (dot / energy, 10.0 * (residue / energy).log10())
}

#[test]
fn conversion_keeps_amplitude_frequency_and_position() {
    for (from, to) in [
        (48000, 16000),
        (44100, 16000),
        (8000, 16000),
        (22050, 16000),
    ] {
        for hz in [100.0, 1000.0, 3000.0] {
            let pipeline = input(&format!("rate_hz = {to}\nresample = \"convert\""));
            let n = from as usize;
            let prepared = pipeline
                .prepare(&sine(hz, from, n), 1, f64::from(from))
                .unwrap();
            assert_eq!(prepared.samples.len(), to as usize);
            assert_eq!(
                prepared.notes,
                [format!("converted from {from} Hz to {to} Hz")]
            );
            // The recording's edges are steps, which ring; whole periods in between.
            let period = to as usize / 100;
            let cut = 20 * period..80 * period;
            let (gain, residue_db) = against_sine(&prepared.samples[cut], hz, to);
            println!("{from} {to} {hz}: gain {gain}, {residue_db:.1} dB");
            assert!((gain - 1.0).abs() < 1e-3, "{from} {to} {hz}: gain {gain}");
            assert!(residue_db < -70.0, "{from} {to} {hz}: {residue_db} dB");
        }
    }
}

#[test]
fn conversion_leaves_no_alias() {
    // They would fold into the band: to 6, 1 and 7 kHz.
    for hz in [10000.0, 15000.0, 23000.0] {
        let pipeline = input("rate_hz = 16000\nresample = \"convert\"");
        let out = pipeline
            .prepare(&sine(hz, 48000, 48000), 1, 48000.0)
            .unwrap();
        let inner = &out.samples[2000..14000];
        let power: f64 = inner.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let db = 10.0 * (power / inner.len() as f64 / 0.125).log10();
        println!("{hz} Hz: {db:.1} dB");
        assert!(db < -60.0, "{hz} Hz: {db} dB");
    }
}

#[test]
fn converted_lengths_are_rounded() {
    let pipeline = input("rate_hz = 16000\nresample = \"convert\"");
    for (n, expected) in [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 1),
        (4, 1),
        (5, 2),
        (441, 160),
        (1000, 363),
    ] {
        let rate = if n < 100 { 48000 } else { 44100 };
        let out = pipeline.prepare(&vec![0.1; n], 1, f64::from(rate)).unwrap();
        assert_eq!(out.samples.len(), expected, "{n}");
    }
}

#[test]
fn another_rate_is_refused_by_default() {
    let error = input("rate_hz = 16000")
        .prepare(&[0.0; 8], 1, 8000.0)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the recording has 8000 Hz and the pipeline works at 16000 Hz: convert the file, or set \
         `resample = \"convert\"` in [input]"
    );
}

#[test]
fn channels_are_refused_mixed_or_picked() {
    let stereo = [0.5, -0.25, 1.0, 0.0];
    let take = |channels: &str| {
        input(&format!("rate_hz = 16000\nchannels = {channels}")).prepare(&stereo, 2, 16000.0)
    };
    assert_eq!(
        take("\"mono\"").unwrap_err(),
        InputError::Channels { found: 2 }
    );
    let mixed = take("\"mix\"").unwrap();
    assert_eq!(mixed.samples, [0.125, 0.5]);
    assert_eq!(mixed.notes, ["mixed 2 channels into one"]);
    assert_eq!(take("1").unwrap().samples, [-0.25, 0.0]);
    assert_eq!(
        take("2").unwrap_err(),
        InputError::NoSuchChannel {
            found: 2,
            wanted: 2
        }
    );
}

#[test]
fn damaged_recordings_are_refused() {
    let pipeline = input("rate_hz = 16000");
    assert_eq!(
        pipeline
            .prepare(&[0.0, f32::INFINITY], 1, 16000.0)
            .unwrap_err(),
        InputError::NotFinite {
            at: 1,
            value: f32::INFINITY
        }
    );
    for (samples, channels) in [(3, 2), (3, 0)] {
        assert_eq!(
            pipeline
                .prepare(&vec![0.0; samples], channels, 16000.0)
                .unwrap_err(),
            InputError::Ragged { samples, channels }
        );
    }
    assert!(matches!(
        input("rate_hz = 16000\nresample = \"convert\"").prepare(&[0.0], 1, 0.0),
        Err(InputError::Convert { .. })
    ));
}
