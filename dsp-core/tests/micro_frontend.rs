//! The micro-frontend against its three implementations, byte for byte, in every numeric.
//!
//! The goldens are made by `fixtures/gen/micro_frontend_golden.py`.

use std::path::PathBuf;

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
    let data: PathBuf = shared.join("data");
    let root = otolith_fixtures::root().join("fixtures/golden/micro_frontend/shared.csv");
    let table = std::fs::read_to_string(root).expect("shared.csv");
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
        let file = data.join(cells[0]);
        let mut reader = hound::WavReader::open(&file).expect("a recording");
        let samples: Vec<i16> = reader.samples().map(|x| x.expect("a sample")).collect();
        let digits = cells[2].is_empty();
        for (i, cell) in cells[1..]
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
