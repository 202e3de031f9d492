#![allow(
    clippy::disallowed_methods,
    reason = "test signals need not be the same bits everywhere"
)]

use std::f64::consts::{PI, TAU};

use proptest::prelude::*;

use super::*;

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// One axis, full scale 1.
fn mono(rate_hz: f64) -> Sensor {
    Sensor::new(rate_hz, texts(&["x"]), 1.0)
}

/// One axis with stamps in seconds.
fn stamped(times: &[f64], values: &[f64]) -> Recording {
    Recording {
        values: values.to_vec(),
        times: Some(times.to_vec()),
        time_unit: Some(TimeUnit::Seconds),
        ..Recording::default()
    }
}

/// `n` stamps at `rate_hz`, each late by a part of an interval below `jitter`.
fn jittered(rate_hz: f64, n: usize, jitter: f64) -> Vec<f64> {
    let mut state = 1u64;
    (0..n)
        .map(|k| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let late = (state >> 33) as f64 / (1u64 << 31) as f64;
            let first = if k == 0 { 0.0 } else { jitter };
            (k as f64 + first * late) / rate_hz
        })
        .collect()
}

fn sine(hz: f64, t: f64) -> f64 {
    0.5 * (TAU * hz * t).sin()
}

#[test]
fn names_of_time_columns_say_their_unit() {
    use TimeUnit::*;
    for (name, expected) in [
        ("time", Some(None)),
        ("Timestamp", Some(None)),
        ("time_ms", Some(Some(Milliseconds))),
        ("Time (s)", Some(Some(Seconds))),
        ("timestamp [us]", Some(Some(Microseconds))),
        ("t_µs", Some(Some(Microseconds))),
        ("seconds_elapsed", Some(Some(Seconds))),
        ("millis", Some(Some(Milliseconds))),
        ("time ns", Some(Some(Nanoseconds))),
        ("ms", None),
        ("ax", None),
        ("time of day", None),
        ("temperature", None),
        ("", None),
    ] {
        let sensor = Sensor::new(100.0, texts(&["value"]), 1.0);
        let chosen = sensor.choose(&texts(&["value", name]), 2).unwrap();
        let found = chosen.time.map(|_| chosen.time_unit);
        assert_eq!(found, expected, "{name:?}");
    }
}

#[test]
fn columns_are_found_by_name_then_by_order() {
    let sensor = Sensor::new(100.0, texts(&["ax", "ay", "az"]), 1.0);
    let axes = |sensor: &Sensor, names: &[&str]| {
        let chosen = sensor.choose(&texts(names), names.len()).unwrap();
        (chosen.time, chosen.axes)
    };
    let full = ["time_ms", "gx", "az", "ay", "AX", "label"];
    assert_eq!(axes(&sensor, &full), (Some(0), vec![4, 3, 2]));
    assert_eq!(axes(&sensor, &["x", "y", "z"]), (None, vec![0, 1, 2]));
    assert_eq!(
        axes(&sensor, &["x", "time", "y", "z"]),
        (Some(1), vec![0, 2, 3])
    );
    let numbered = sensor.choose(&[], 3).unwrap();
    assert_eq!((numbered.time, numbered.axes), (None, vec![0, 1, 2]));

    let picked = Sensor {
        columns: texts(&["3", "2", "1"]),
        time_column: TimeColumn::Named("0".into()),
        ..sensor.clone()
    };
    let numbered = picked.choose(&[], 4).unwrap();
    assert_eq!((numbered.time, numbered.axes), (Some(0), vec![3, 2, 1]));

    // An axis that is called like a time is an axis.
    let timer = Sensor::new(1.0, texts(&["t", "rh"]), 1.0);
    assert_eq!(axes(&timer, &["t", "rh"]), (None, vec![0, 1]));
}

#[test]
fn columns_that_do_not_match_are_refused_with_a_hint() {
    let sensor = Sensor::new(100.0, texts(&["ax", "ay", "az"]), 1.0);
    let message = |sensor: &Sensor, names: &[&str], count: usize| {
        sensor.choose(&texts(names), count).unwrap_err().to_string()
    };
    for (found, expected) in [
        (message(&sensor, &[], 4), "set `time_column = \"0\"`"),
        (message(&sensor, &[], 7), "7 columns without names"),
        (
            message(&sensor, &["time", "a", "b"], 3),
            "columns \"time\", \"a\", \"b\"",
        ),
        (
            message(&sensor, &["ax", "ax", "ay", "az"], 4),
            "two columns are named \"ax\"",
        ),
    ] {
        assert!(found.contains(expected), "{found}");
    }
    let wrong = Sensor {
        columns: texts(&["a", "b", "q"]),
        ..sensor.clone()
    };
    assert!(message(&wrong, &["a", "b", "c"], 3).contains("no column \"q\", which `columns`"));
    let wrong = Sensor {
        time_column: TimeColumn::Named("stamp".into()),
        ..sensor
    };
    assert!(message(&wrong, &["ax", "ay", "az"], 3).contains("which `time_column`"));
}

#[test]
fn even_stamps_leave_values_alone() {
    // Hundredths of milliseconds at 104 Hz, and a clock that is off by 0.4 %.
    let values: Vec<f64> = (0..1000).map(|k| sine(3.0, f64::from(k) / 104.0)).collect();
    for (rate, step) in [(104.0, 0.01), (104.4, 0.01)] {
        let times: Vec<f64> = (0..1000)
            .map(|k| (f64::from(k) * 1000.0 / rate / step).round() * step)
            .collect();
        let mut recording = stamped(&times, &values);
        recording.time_unit = Some(TimeUnit::Milliseconds);
        let prepared = mono(104.0).fit(recording).unwrap();
        let expected: Vec<f32> = values.iter().map(|&x| x as f32).collect();
        assert_eq!(prepared.samples, expected);
        assert_eq!(prepared.notes, [""; 0]);
    }
}

#[test]
fn uneven_stamps_keep_a_band_limited_signal_within_the_bound() {
    let rate = 100.0;
    for jitter in [0.2, 0.9] {
        let times = jittered(rate, 2000, jitter);
        let interval = times.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max);
        for hz in [0.5, 2.0, 5.0, 10.0] {
            let values: Vec<f64> = times.iter().map(|&t| sine(hz, t)).collect();
            let prepared = mono(rate).fit(stamped(&times, &values)).unwrap();
            assert_eq!(prepared.notes.len(), 1, "{:?}", prepared.notes);
            let worst = prepared
                .samples
                .iter()
                .enumerate()
                .map(|(k, &x)| (f64::from(x) - sine(hz, k as f64 / rate)).abs())
                .fold(0.0, f64::max);
            let bound = 0.5 * (PI * hz * interval).powi(2) / 2.0;
            println!("jitter {jitter}, {hz} Hz: {worst:.5}, bound {bound:.5}");
            assert!(worst <= bound + 1e-6, "{hz} Hz: {worst} over {bound}");
            assert!(worst > 0.1 * bound, "{hz} Hz: the bound says nothing");
        }
    }
}

#[test]
fn decimation_keeps_the_band_and_leaves_no_alias() {
    // Gravity and a slow sine stay; 70 Hz would fold to 30 Hz.
    let sensor = Sensor {
        resample: Resample::Convert,
        full_scale: 20.0,
        ..mono(100.0)
    };
    for found_hz in [400.0, 416.0, 250.0] {
        let fit = |wave: &dyn Fn(f64) -> f64| {
            let values = (0..(10.0 * found_hz) as usize)
                .map(|k| wave(k as f64 / found_hz))
                .collect();
            let recording = Recording {
                values,
                rate_hz: Some(found_hz),
                ..Recording::default()
            };
            sensor.fit(recording).unwrap().samples
        };
        let slow = fit(&|t| 9.81 + sine(5.0, t));
        assert_eq!(slow.len(), 1000, "{found_hz}");
        for (k, &x) in slow.iter().enumerate() {
            let t = k as f64 / 100.0;
            let off = (f64::from(x) * 20.0 - 9.81 - sine(5.0, t)).abs();
            // The filter does not know what came before the first moment.
            let edge = !(0.2..9.8).contains(&t);
            let allowed = if edge { 0.02 } else { 1e-3 };
            assert!(off < allowed, "{found_hz} Hz, {t} s: off by {off}");
        }
        let folded = fit(&|t| sine(70.0, t));
        let power: f64 = folded[100..900]
            .iter()
            .map(|&x| (f64::from(x) * 20.0).powi(2))
            .sum();
        let db = 10.0 * (power / 800.0 / 0.125).log10();
        println!("{found_hz} Hz: {db:.1} dB");
        assert!(db < -40.0, "{found_hz} Hz: {db} dB");
    }
}

#[test]
fn repeated_stamps_are_averaged() {
    let times = [0.0, 0.01, 0.01, 0.03, 0.04, 0.05];
    let prepared = mono(100.0)
        .fit(stamped(&times, &[0.0, 0.1, 0.3, 0.4, 0.5, 0.6]))
        .unwrap();
    let expected = [0.0, 0.2, 0.3, 0.4, 0.5, 0.6f32];
    for (found, expected) in prepared.samples.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{:?}", prepared.samples);
    }
    assert!(prepared.notes[0].contains("1 repeated stamps"));
}

#[test]
fn clocks_that_cannot_be_trusted_are_refused_by_line() {
    let steady: Vec<f64> = (0..50).map(|k| f64::from(k) / 100.0).collect();
    let values = vec![0.1; 50];
    let fit = |sensor: &Sensor, times: &[f64]| {
        let lines = (0..times.len() as u64).map(|k| k + 2).collect();
        let recording = Recording {
            lines,
            ..stamped(times, &values[..times.len()])
        };
        sensor.fit(recording)
    };
    let sensor = mono(100.0);
    let with = |change: &dyn Fn(&mut Vec<f64>)| {
        let mut times = steady.clone();
        change(&mut times);
        fit(&sensor, &times).unwrap_err()
    };
    let back = with(&|t| t[20] = 0.05);
    assert!(
        matches!(&back, RecordingError::Backward { place, stamp, .. } if place == "line 22" && *stamp == 0.05)
    );
    let gap = with(&|t| t[30..].iter_mut().for_each(|t| *t += 0.5));
    assert!(
        matches!(&gap, RecordingError::Gap { place, gap_ms, max_gap_ms } if place == "line 32" && *gap_ms == 510.0 && *max_gap_ms == 200.0)
    );
    let nan = with(&|t| t[7] = f64::NAN);
    assert_eq!(
        nan,
        RecordingError::NoStamp {
            place: "line 9".into()
        }
    );
    assert_eq!(
        with(&|t| t.fill(3.0)),
        RecordingError::NoTime { stamps: 50 }
    );
    let fast = with(&|t| t.iter_mut().for_each(|t| *t /= 2.0));
    assert_eq!(
        fast,
        RecordingError::Rate {
            found_hz: 200.0,
            wanted_hz: 100.0
        }
    );

    let filling = Sensor {
        gaps: Gaps::Fill,
        ..mono(100.0)
    };
    let mut times = steady.clone();
    times[30..].iter_mut().for_each(|t| *t += 0.5);
    let filled = fit(&filling, &times).unwrap();
    assert_eq!(filled.samples.len(), 100);
    assert!(
        filled.notes[0].ends_with("filled 1 gaps"),
        "{:?}",
        filled.notes
    );
    let mut times = steady;
    times[49] = 1e12;
    assert!(matches!(
        fit(&filling, &times),
        Err(RecordingError::TooLong { .. })
    ));
}

#[test]
fn the_unit_of_time_is_the_one_that_fits_the_rate() {
    for (factor, name) in [(1.0, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")] {
        // Stamps since 1970 are as good as others, as far as their digits go.
        let times: Vec<f64> = (0..50)
            .map(|k| 1e6 + f64::from(k) * factor / 62.5)
            .collect();
        let mut recording = stamped(&times, &[0.5; 50]);
        recording.time_unit = None;
        let prepared = mono(62.5).fit(recording).unwrap();
        assert_eq!(prepared.samples, [0.5; 50]);
        assert!(prepared.notes[0].contains(&format!("took time stamps as {name:?}")));
    }
}

#[test]
fn missing_values_follow_the_policy() {
    let nan = f64::NAN;
    let values = [nan, 0.2, nan, nan, 0.5, nan];
    let with = |nan: Nan| {
        let sensor = Sensor { nan, ..mono(100.0) };
        let recording = Recording {
            values: values.to_vec(),
            ..Recording::default()
        };
        sensor.fit(recording)
    };
    assert_eq!(
        with(Nan::Error).unwrap_err(),
        RecordingError::Missing {
            place: "moment 0".into(),
            axis: "x".into()
        }
    );
    let interpolated = with(Nan::Interpolate).unwrap();
    for (found, expected) in interpolated
        .samples
        .iter()
        .zip([0.2, 0.2, 0.3, 0.4, 0.5, 0.5])
    {
        assert!((f64::from(*found) - expected).abs() < 1e-6);
    }
    assert_eq!(
        interpolated.notes,
        ["interpolated 4 of 6 values, which were missing"]
    );
    let dropped = with(Nan::Drop).unwrap();
    assert_eq!(dropped.samples, [0.2, 0.5]);

    // With stamps, what is left stays at its time.
    let sensor = Sensor {
        nan: Nan::Drop,
        ..mono(100.0)
    };
    let times: Vec<f64> = (0..10).map(|k| f64::from(k) / 100.0).collect();
    let mut ramp: Vec<f64> = times.clone();
    ramp[4] = nan;
    let prepared = sensor.fit(stamped(&times, &ramp)).unwrap();
    assert_eq!(prepared.samples.len(), 10);
    assert!((prepared.samples[4] - 0.04).abs() < 1e-7);

    // A long run of missing values is a gap.
    let mut long = vec![0.1; 100];
    long[20..60].fill(nan);
    let recording = Recording {
        values: long,
        ..Recording::default()
    };
    let sensor = Sensor {
        nan: Nan::Interpolate,
        ..mono(100.0)
    };
    assert!(matches!(
        sensor.fit(recording),
        Err(RecordingError::Gap { .. })
    ));
    let recording = Recording {
        values: vec![nan; 9],
        ..Recording::default()
    };
    assert_eq!(
        sensor.fit(recording).unwrap_err(),
        RecordingError::EmptyAxis { axis: "x".into() }
    );
}

#[test]
fn numbers_are_scaled_by_what_they_are() {
    let recording = Recording {
        values: vec![9.81, -19.62, 39.24, 100.0],
        units: texts(&["g"]),
        ..Recording::default()
    };
    let mut sensor = Sensor::new(50.0, texts(&["x"]), 39.24);
    sensor.unit = Some("m/s2".into());
    let prepared = sensor.fit(recording.clone()).unwrap();
    assert_eq!(prepared.samples[..3], [0.25, -0.5, 1.0]);
    assert!(prepared.notes[0].contains("the file's unit is \"g\""));
    assert!(
        prepared.notes[1]
            .starts_with("2 of 4 values reach beyond full scale 39.24 (the farthest is 100)")
    );
    sensor.quantity = Quantity::Counts;
    let counts = Recording {
        values: vec![16384.0, -32768.0],
        ..recording.clone()
    };
    assert_eq!(sensor.fit(counts).unwrap().samples, [0.5, -1.0]);
    let full = Recording {
        values: vec![0.5],
        full_scale: Some(1.0),
        ..recording
    };
    assert_eq!(sensor.fit(full).unwrap().samples, [0.5]);
}

#[test]
fn recordings_that_contradict_themselves_are_refused() {
    let two = Sensor::new(100.0, texts(&["x", "y"]), 1.0);
    let with = |values: &[f64], times: Option<Vec<f64>>| {
        let recording = Recording {
            values: values.to_vec(),
            times,
            ..Recording::default()
        };
        two.fit(recording).unwrap_err()
    };
    assert_eq!(with(&[], None), RecordingError::Empty);
    assert_eq!(
        with(&[0.0; 3], None),
        RecordingError::Ragged { values: 3, axes: 2 }
    );
    assert_eq!(
        with(&[0.0, f64::INFINITY], None),
        RecordingError::Infinite {
            place: "moment 0".into()
        }
    );
    assert_eq!(
        with(&[0.0; 4], Some(vec![0.0])),
        RecordingError::Stamps {
            stamps: 1,
            moments: 2
        }
    );
}

proptest! {
    /// A straight line is what linear interpolation keeps, whatever the stamps.
    #[test]
    fn lines_are_kept(
        intervals in prop::collection::vec(0.2f64..1.8, 20..200),
        (offset, slope) in (-1.0f64..1.0, -1.0f64..1.0),
        rate in 10.0f64..1000.0,
    ) {
        let mean = intervals.iter().sum::<f64>() / intervals.len() as f64;
        let times: Vec<f64> = std::iter::once(0.0)
            .chain(intervals.iter().scan(0.0, |t, i| { *t += i / mean / rate; Some(*t) }))
            .collect();
        let line = |t: f64| (offset + slope * t).clamp(-1e6, 1e6);
        let values: Vec<f64> = times.iter().map(|&t| line(t)).collect();
        let sensor = mono(rate);
        let prepared = sensor.fit(stamped(&times, &values)).unwrap();
        let resampled = !prepared.notes.is_empty();
        let length = times[times.len() - 1];
        prop_assert!((prepared.samples.len() as f64 - (length * rate).floor() - 1.0).abs() <= 1.0);
        for (k, &x) in prepared.samples.iter().enumerate() {
            let expected = line(k as f64 / rate);
            // Even stamps leave samples where they are, at most a tenth of an interval away.
            let tolerance = if resampled { 1e-5 } else { 0.2 / rate + 1e-5 };
            prop_assert!((f64::from(x) - expected).abs() <= tolerance, "{k}: {x} {expected}");
        }
    }

    /// Whatever a recording holds, fitting ends with finite samples or an error.
    #[test]
    fn hostile_recordings_do_no_harm(
        values in prop::collection::vec(prop::num::f64::ANY, 0..60),
        times in prop::option::of(prop::collection::vec(prop::num::f64::ANY, 0..60)),
        sorted in any::<bool>(),
        rate_hz in prop::option::of(prop_oneof![Just(0.0), Just(1e300), Just(1e-300), 1.0..1000.0f64]),
        (nan, gaps, convert) in (0usize..3, 0usize..2, any::<bool>()),
    ) {
        let times = times.map(|mut times| {
            times.resize(values.len(), 0.5);
            if sorted {
                times.sort_by(f64::total_cmp);
            }
            times
        });
        let sensor = Sensor {
            nan: Nan::ALL[nan],
            gaps: Gaps::ALL[gaps],
            resample: if convert { Resample::Convert } else { Resample::Refuse },
            ..mono(100.0)
        };
        let recording = Recording { values, times, rate_hz, ..Recording::default() };
        if let Ok(prepared) = sensor.fit(recording) {
            prop_assert!(prepared.samples.iter().all(|x| x.is_finite()));
        }
    }
}
