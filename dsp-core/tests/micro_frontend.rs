//! The micro-frontend against its three implementations, byte for byte, in every numeric.
//!
//! The goldens are made by `fixtures/gen/micro_frontend_golden.py`.

use std::path::Path;

use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Features, Numeric, Values};
use otolith_dsp_core::{Override, Pipeline};
use otolith_fixtures::Array;

const NUMERICS: [Numeric; 4] = [
    Numeric::Reference,
    Numeric::Host,
    Numeric::F32,
    Numeric::Fixed(Precision::Full),
];

fn golden(name: &str) -> Array {
    let file = format!("fixtures/golden/micro_frontend/{name}");
    Array::read(&otolith_fixtures::root().join(file))
}

fn signal() -> Vec<i16> {
    let signal = golden("signal.npy").values;
    signal.into_iter().map(|x| x as i16).collect()
}

/// A pipeline of one micro-frontend on a stream.
fn pipeline(rate_hz: u32, fields: &str, overrides: &[Override]) -> Pipeline {
    let text = format!(
        "[pipeline]\nname = \"micro\"\n[input]\nrate_hz = {rate_hz}\nsample_type = \"i16\"\n\
         [[block]]\nid = \"features\"\ntype = \"micro_frontend\"\n{fields}"
    );
    Pipeline::from_toml(&text, ".".as_ref(), overrides).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn features(pipeline: &Pipeline, numeric: Numeric, samples: &[i16]) -> Features {
    let mut engine = Engine::new(pipeline.graph(), numeric, false).expect("a plan");
    engine.features(samples).expect("features")
}

/// Asserts that all numerics give the values of `golden` times `unit`.
fn check(pipeline: &Pipeline, samples: &[i16], name: &str, unit: f64) {
    let golden = golden(name);
    for numeric in NUMERICS {
        let found = features(pipeline, numeric, samples);
        assert_eq!([found.rows, found.row_len], golden.shape[..], "{name}");
        for (i, (x, y)) in found.values.to_f64().iter().zip(&golden.values).enumerate() {
            let (row, channel) = (i / found.row_len, i % found.row_len);
            assert_eq!(
                *x,
                y * unit,
                "{name} {numeric:?} row {row} channel {channel}"
            );
        }
    }
}

#[test]
fn tensorflow_gives_the_same_integers() {
    let x = signal();
    let check = |rate, fields, name| check(&pipeline(rate, fields, &[]), &x, name, 1.0);
    check(16000, "", "tensorflow_micro_speech.npy");
    check(16000, "hop_ms = 10\n", "tensorflow_micro_wake_word.npy");
    let no_pcan =
        "frame_ms = 25\nhop_ms = 10\nn_channels = 32\npcan = \"off\"\neven_smoothing = 0.1\n";
    check(16000, no_pcan, "tensorflow_no_pcan.npy");
    check(16000, "log = \"off\"\n", "tensorflow_no_log.npy");
    let long = "frame_ms = 32\nhop_ms = 16\nn_channels = 20\nf_min_hz = 20\nf_max_hz = 15000\n\
                smoothing_bits = 8\nodd_smoothing = 0.01\npcan_strength = 0.5\npcan_offset = 10\n\
                pcan_gain_bits = 20\nlog_scale_shift = 9\n";
    check(32000, long, "tensorflow_long_frames.npy");
    let short = "frame_ms = 25\nhop_ms = 5\nn_channels = 24\nf_min_hz = 100\nf_max_hz = 3800\n\
                 min_signal_remaining = 0.5\nlog_scale_shift = 3\n";
    check(8000, short, "tensorflow_short_frames.npy");
}

#[test]
fn the_library_of_microwakeword_gives_the_same_integers() {
    let fields = "library = \"esphome\"\nhop_ms = 10\n";
    check(&pipeline(16000, fields, &[]), &signal(), "esphome.npy", 1.0);
    let fields = "library = \"esphome\"\nhop_ms = 10\noutput = \"float\"\n";
    let unit = 10.0 / 256.0;
    check(
        &pipeline(16000, fields, &[]),
        &signal(),
        "esphome.npy",
        unit,
    );
}

#[test]
fn the_signal_operators_of_tflm_give_the_same_bytes() {
    let fields = "library = \"tflm\"\noutput = \"int8\"\n";
    check(&pipeline(16000, fields, &[]), &signal(), "tflm.npy", 1.0);
}

#[test]
fn each_window_starts_without_noise() {
    let x = signal();
    let stream = pipeline(16000, "", &[]);
    let windows = [
        Override::new("input.mode", "window"),
        Override::new("input.window_ms", "350"),
        Override::new("input.window_hop_ms", "200"),
    ];
    let windows = pipeline(16000, "", &windows);
    for numeric in NUMERICS {
        let found = features(&windows, numeric, &x);
        assert_eq!([found.windows, found.rows], [9, 17]);
        let alone = |start: usize| features(&stream, numeric, &x[start..start + 5600]);
        let expected = (0..9).flat_map(|i| alone(i * 3200).values.to_f64());
        assert!(expected.eq(found.values.to_f64()), "{numeric:?}");
    }
}

#[test]
fn float_samples_are_rounded_to_16_bits_everywhere() {
    let x = signal();
    let floats: Vec<f32> = x.iter().map(|&x| f32::from(x) / 32768.0).collect();
    let near: Vec<f32> = floats.iter().map(|x| x + 0.3 / 32768.0).collect();
    let ints = pipeline(16000, "", &[]);
    let given = [Override::new("input.sample_type", "f32")];
    let given = pipeline(16000, "", &given);
    for numeric in NUMERICS {
        let expected = features(&ints, numeric, &x).values;
        let mut engine = Engine::new(given.graph(), numeric, false).expect("a plan");
        let [exact, near] = [&floats, &near].map(|x| engine.features(x.as_slice()));
        assert_eq!(exact.expect("features").values, expected, "{numeric:?}");
        assert_eq!(near.expect("features").values, expected, "{numeric:?}");
    }
}

#[test]
fn a_second_block_hears_the_same_samples() {
    let x = signal();
    let mel = "[[block]]\nid = \"mel\"\ntype = \"mel\"\nframe_ms = 32\nhop_ms = 16\nn_mels = 20\n";
    let windows = [
        Override::new("input.mode", "window"),
        Override::new("input.window_ms", "350"),
    ];
    let alone = pipeline(16000, "", &windows);
    let joined = pipeline(16000, mel, &windows);
    let micro = 17 * 40;
    for numeric in NUMERICS {
        let expected = features(&alone, numeric, &x).values.to_f64();
        let found = features(&joined, numeric, &x);
        let rows = found.values.to_f64();
        assert!(found.row_len > micro, "{}", found.row_len);
        let rows = rows.chunks(found.row_len).flat_map(|row| &row[..micro]);
        assert!(rows.eq(&expected), "{numeric:?}");
    }
}

#[test]
fn what_the_arithmetic_cannot_do_is_refused() {
    let refused = |fields: &str, overrides: &[(&str, &str)], words: &[&str]| {
        let overrides: Vec<Override> = overrides
            .iter()
            .map(|(path, value)| Override::new(*path, *value))
            .collect();
        let text = format!(
            "[pipeline]\nname = \"micro\"\n[input]\nrate_hz = 16000\n[[block]]\n\
             id = \"features\"\ntype = \"micro_frontend\"\n{fields}"
        );
        let error = Pipeline::from_toml(&text, ".".as_ref(), &overrides).expect_err(fields);
        let error = error.to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    };
    refused(
        "f_max_hz = 8000\n",
        &[],
        &["features.f_max_hz", "less than 8000 Hz"],
    );
    refused("f_min_hz = 7500\n", &[], &["features.f_min_hz", "7500"]);
    refused("frame_ms = 400\n", &[], &["features.frame_ms", "256 ms"]);
    refused(
        "smoothing_bits = 2\n",
        &[],
        &["features.smoothing_bits", "3"],
    );
    refused(
        "pcan_gain_bits = 14\n",
        &[],
        &["features.pcan_gain_bits", "15"],
    );
    let scaled = [("input.normalise", "int16_scale")];
    refused("", &scaled, &["input.normalise", "expected \"none\""]);
    let sensor = [("input.kind", "sensor"), ("input.axes", "[\"x\"]")];
    refused("", &sensor, &["input.kind", "expected \"audio\""]);
    let windows = [("input.mode", "window"), ("input.window_ms", "1000")];
    let windows = [&windows[..], &[("input.sample_type", "f32")]].concat();
    let joined = "[[block]]\nid = \"mel\"\ntype = \"mel\"\nframe_ms = 32\nhop_ms = 16\n";
    refused(joined, &windows, &["input.sample_type", "expected \"i16\""]);
}

fn shared_table() -> String {
    let file = otolith_fixtures::root().join("fixtures/golden/micro_frontend/shared.csv");
    std::fs::read_to_string(file).expect("shared.csv")
}

fn recording(file: &Path) -> Vec<i16> {
    let mut reader = hound::WavReader::open(file).expect("a recording");
    let samples = reader.samples().map(|x| x.expect("a sample"));
    samples.collect()
}

/// The CRC-32 of zip files.
fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

/// Little-endian bytes of the features as 16-bit integers, or as codes of 8.
fn bytes(features: &Features, codes: bool) -> Vec<u8> {
    let integers: Vec<i32> = match &features.values {
        Values::I16 { values, .. } => values.iter().map(|&x| x.into()).collect(),
        other => other.to_f64().iter().map(|&x| x as i32).collect(),
    };
    let width = if codes { 1 } else { 2 };
    let wide = integers.iter().map(|x| x.to_le_bytes());
    wide.flat_map(|bytes| bytes.into_iter().take(width))
        .collect()
}

#[test]
fn shared_recordings_give_the_same_bytes() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    let data = shared.join("data");
    let table = shared_table();
    let columns = ["", "hop_ms = 10\n", "library = \"esphome\"\nhop_ms = 10\n"];
    let codes = "library = \"tflm\"\noutput = \"int8\"\n";
    let engines = |rate, fields| {
        NUMERICS.map(|numeric| {
            let pipeline = pipeline(rate, fields, &[]);
            Engine::new(pipeline.graph(), numeric, false).expect("a plan")
        })
    };
    let mut wide = [columns[0], columns[1], columns[2], codes].map(|f| engines(16000, f));
    let mut narrow = engines(8000, "f_max_hz = 3800\n");
    let mut compared = 0;
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let samples = recording(&data.join(cells[0]));
        let digits = cells[2].is_empty();
        for (i, cell) in cells[1..5]
            .iter()
            .filter(|cell| !cell.is_empty())
            .enumerate()
        {
            let engines = if digits { &mut narrow } else { &mut wide[i] };
            for engine in engines {
                let features = engine.features(samples.as_slice()).expect("features");
                let found = crc32(bytes(&features, i == 3).into_iter());
                let numeric = engine.numeric();
                assert_eq!(
                    format!("{found:08x}"),
                    *cell,
                    "{} {numeric:?} {i}",
                    cells[0]
                );
            }
            compared += 1;
        }
    }
    println!(
        "{compared} recordings, {} numerics: all bytes equal",
        NUMERICS.len()
    );
    assert!(compared > 3000, "{compared}");
}

/// micro_speech, with its own network behind the features that it was trained on.
#[test]
fn micro_speech_scores_as_in_tensorflow_lite_micro() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    let model = shared.join("models/micro_speech_quantized.tflite");
    let text = format!(
        "[pipeline]\nname = \"micro_speech\"\n[input]\nrate_hz = 16000\nmode = \"window\"\n\
         window_ms = 1000\nsample_type = \"i16\"\n[[block]]\ntype = \"micro_frontend\"\n\
         preset = \"micro_speech\"\n[[block]]\ntype = \"classifier\"\nmodel = {model:?}\n\
         labels = [\"silence\", \"unknown\", \"yes\", \"no\"]\n[[block]]\ntype = \"decide\"\n\
         average = 1\nrefractory_ms = 0\n"
    );
    let pipeline = Pipeline::from_toml(&text, ".".as_ref(), &[]).expect("valid");
    let mut engines =
        NUMERICS.map(|numeric| Engine::new(pipeline.graph(), numeric, false).expect("a plan"));
    let (mut clips, mut right, mut words) = (0, 0, 0);
    for line in shared_table().lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        if cells[5].is_empty() {
            continue;
        }
        let samples = recording(&shared.join("data").join(cells[0]));
        for engine in &mut engines {
            let said = engine.classify(samples.as_slice()).expect("scores");
            let [said] = said.as_slice() else {
                panic!("{} classifications", said.len());
            };
            // Scores of the network are multiples of 1/256 from 0.
            let codes = said.scores.iter().map(|s| (s * 256.0).round() as i32 - 128);
            let found: String = codes.map(|c| format!("{:02x}", c as i8)).collect();
            assert_eq!(found, cells[5], "{} {:?}", cells[0], engine.numeric());
        }
        clips += 1;
        let best = |word: &str| {
            let bytes: Vec<i8> = (0..4)
                .map(|i| u8::from_str_radix(&cells[5][2 * i..][..2], 16).expect("hex") as i8)
                .collect();
            let most = bytes.iter().max();
            (word == "yes" && bytes.get(2) == most) || (word == "no" && bytes.get(3) == most)
        };
        let word = cells[0].split('/').nth(2).unwrap_or("");
        if word == "yes" || word == "no" {
            words += 1;
            right += usize::from(best(word));
        }
    }
    println!("{clips} clips: all scores equal; {right} of {words} words heard");
    assert!(clips > 400, "{clips}");
}
