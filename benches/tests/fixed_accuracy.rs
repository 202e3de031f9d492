//! The bars that integer features are held to.

use otolith_benches::accuracy::{
    Accuracy, BASE, Definition, Kind, OTHERS, Signal, few, measure, signals,
};
use otolith_dsp_core::deploy::Precision;
use otolith_fixtures::shared_dir;

/// Least decibels, and the largest error in units of the natural logarithm.
struct Bars {
    speech_rest: f64,
    noise_rest: f64,
    all: f64,
    worst_frame: f64,
    /// Furthest below f64 rounded to the same format, all coefficients.
    below_rounded: f64,
    /// The same without coefficient 0.
    rest_below_rounded: f64,
    max_error: f64,
}

const FULL: Bars = Bars {
    speech_rest: 68.0,
    noise_rest: 62.0,
    all: 69.0,
    worst_frame: 45.0,
    below_rounded: 1.0,
    rest_below_rounded: 1.0,
    max_error: 0.005,
};

fn of(definition: &Definition, precision: Precision, signals: &[Signal]) -> Vec<Accuracy> {
    let measured = measure(definition, precision, signals)
        .unwrap_or_else(|error| panic!("{}: {error}", definition.name));
    assert_eq!(measured.len(), signals.len());
    assert!(measured.iter().all(|m| m.frames > 30), "{measured:#?}");
    measured
}

/// What speech and noise miss of the bars.
fn misses(m: &Accuracy, bars: &Bars) -> Vec<String> {
    let rest = match m.kind {
        Kind::Noise => bars.noise_rest,
        _ => bars.speech_rest,
    };
    let mut misses = Vec::new();
    let mut least = |what: &str, found: f64, bar: f64| {
        // What is not a number misses as well.
        if found < bar || found.is_nan() {
            misses.push(format!(
                "{}, {}, {}: {what} {found:.2}, bar {bar:.2}",
                m.definition, m.precision, m.signal
            ));
        }
    };
    least("c1.. dB", m.rest_db, rest);
    least("all dB", m.all_db, bars.all);
    least("worst frame dB", m.worst_frame_db, bars.worst_frame);
    least(
        "c1.. dB",
        m.rest_db,
        m.rounded_rest_db - bars.rest_below_rounded,
    );
    least("all dB", m.all_db, m.rounded_all_db - bars.below_rounded);
    least("negative error", -m.max_error_rest, -bars.max_error);
    misses
}

#[test]
fn speech_noise_and_tones_keep_the_bars() {
    let Some(shared) = shared_dir() else {
        return;
    };
    let measured = of(&BASE, Precision::Full, &signals(&shared));
    let mut missed = Vec::new();
    for m in &measured {
        match m.kind {
            Kind::Speech | Kind::Noise => missed.extend(misses(m, &FULL)),
            Kind::Tone => assert!(m.rest_db >= 70.0, "{m:?}"),
            Kind::BinTone => assert!(m.rest_db >= 60.0, "{m:?}"),
            Kind::TwoTones => assert!(m.rest_db >= 70.0, "{m:?}"),
            Kind::Movement => panic!("movements are no audio: {m:?}"),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn light_plans_keep_62_decibels() {
    let Some(shared) = shared_dir() else {
        return;
    };
    for m in of(&BASE, Precision::Light, &signals(&shared)) {
        if matches!(m.kind, Kind::Speech | Kind::Noise) {
            assert!(m.rest_db >= 62.0 && m.worst_frame_db >= 40.0, "{m:?}");
        }
    }
}

#[test]
fn other_definitions_keep_the_bars_within_3_decibels() {
    let Some(shared) = shared_dir() else {
        return;
    };
    let few = few(&shared);
    let mut missed = Vec::new();
    for definition in OTHERS {
        // Decibels are larger numbers than natural logarithms, and so are their errors.
        let units = match definition.name {
            "dB" => 10.0 / std::f64::consts::LN_10,
            _ => 1.0,
        };
        let bars = Bars {
            speech_rest: FULL.speech_rest - 3.0,
            noise_rest: FULL.noise_rest - 3.0,
            all: FULL.all - 3.0,
            worst_frame: FULL.worst_frame - 3.0,
            below_rounded: FULL.below_rounded + 3.0,
            rest_below_rounded: FULL.rest_below_rounded + 3.0,
            max_error: FULL.max_error * libm::pow(10.0, 3.0 / 20.0) * units,
        };
        for m in of(definition, Precision::Full, &few) {
            // Coefficient 0 may be near 0, where 16 bits that reach from the floor to full scale
            // have no 66 dB.
            let all = bars.all.min(m.rounded_all_db - FULL.below_rounded);
            missed.extend(misses(&m, &Bars { all, ..bars }));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
