//! What carries something from row to row, and normalisation over rows: against librosa, and the
//! device's numerics against the reference.

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_fixtures::{Array, root};

fn golden(name: &str) -> Array {
    Array::read(&root().join("fixtures/golden").join(name))
}

/// The project's own sweep and noise, 16 kHz.
fn signal() -> Vec<i16> {
    let signal = golden("signal.npy");
    signal.values.iter().map(|&x| x as i16).collect()
}

fn pipeline(block: &str, input: &str, fields: &str) -> Pipeline {
    let text = format!(
        "[pipeline]\nname = \"rows\"\n[input]\nrate_hz = 16000\nsample_type = \"i16\"\n{input}\n\
         [[block]]\nid = \"features\"\ntype = \"{block}\"\n{fields}\n"
    );
    Pipeline::from_toml(&text, ".".as_ref(), &[]).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn features(pipeline: &Pipeline, numeric: Numeric, samples: &[i16]) -> Vec<f64> {
    let mut engine = Engine::new(pipeline.graph(), numeric, false)
        .unwrap_or_else(|error| panic!("{}: {error}", numeric.name()));
    let features = engine.features(samples).expect("features");
    features.values.to_f64()
}

fn decibels(truth: &[f64], found: &[f64]) -> f64 {
    assert_eq!(truth.len(), found.len());
    let signal: f64 = truth.iter().map(|x| x * x).sum();
    let error: f64 = truth
        .iter()
        .zip(found)
        .map(|(t, f)| (t - f) * (t - f))
        .sum();
    10.0 * libm::log10(signal / error)
}

/// The device's numerics are near the reference, in dB.
fn check(name: &str, pipeline: &Pipeline, f32_bar: f64, fixed_bar: f64) {
    let samples = signal();
    let truth = features(pipeline, Numeric::Reference, &samples);
    assert!(truth.iter().any(|&x| x != 0.0) && truth.iter().all(|x| x.is_finite()));
    for (numeric, bar) in [
        (Numeric::Host, f32_bar),
        (Numeric::F32, f32_bar),
        (Numeric::Fixed(Precision::Full), fixed_bar),
    ] {
        let found = decibels(&truth, &features(pipeline, numeric, &samples));
        println!("{name}, {}: {found:.1} dB", numeric.name());
        assert!(found >= bar, "{name}, {}: {found:.1} dB", numeric.name());
    }
}

const LIBROSA: &str = "preset = \"librosa\"\nframe_samples = 400\nhop_samples = 160\nn_fft = 512\n\
                       n_mels = 40\ntop_range = \"none\"\nlog = \"pcen\"\n";
const MEL: &str = "frame_samples = 400\nhop_samples = 160\nn_fft = 512\nn_mels = 40\n\
                   empty_filters = \"allow\"\n";
const WINDOW: &str = "mode = \"window\"\nwindow_ms = 500\nwindow_hop_ms = 250";
const STREAM: &str = "mode = \"stream\"";

#[test]
fn pcen_is_librosa_s() {
    let cases = [
        (
            "normalise = \"int16_scale\"",
            "pcen_start = 1.0",
            "pcen/integers.npy",
        ),
        (
            "",
            "pcen_gain = 0.8\npcen_bias = 10.0\npcen_power = 0.25\npcen_time_s = 0.06",
            "pcen/first.npy",
        ),
    ];
    for (input, fields, file) in cases {
        let golden = golden(file);
        let input = format!("mode = \"clip\"\n{input}");
        let pipeline = pipeline("mel", &input, &format!("{LIBROSA}{fields}"));
        for (numeric, bar) in [
            (Numeric::Reference, 1e-6),
            (Numeric::Host, 1e-4),
            (Numeric::F32, 1e-4),
            (Numeric::Fixed(Precision::Full), 1e-3),
        ] {
            let error = golden.relative_error(&features(&pipeline, numeric, &signal()));
            println!("{file} {}: {error:.1e}", numeric.name());
            assert!(error < bar, "{file} {}: {error:e}", numeric.name());
        }
    }
}

#[test]
fn pcen_starts_anew_with_each_window_and_goes_on_in_a_stream() {
    let fields = "log = \"pcen\"\npcen_time_s = 0.1";
    for (input, start) in [
        (WINDOW, "pcen_start = \"first\""),
        (WINDOW, "pcen_start = 0.5"),
        (STREAM, "pcen_start = \"first\""),
        (STREAM, "pcen_start = 0.0"),
    ] {
        let pipeline = pipeline("mel", input, &format!("{MEL}{fields}\n{start}"));
        check(&format!("pcen {start}"), &pipeline, 100.0, 60.0);
    }
}

#[test]
fn noise_is_subtracted_from_spectra_and_mel_energies() {
    for place in ["spectrum", "mel"] {
        for input in [WINDOW, STREAM] {
            let fields = format!("{MEL}spectral_subtraction = \"{place}\"\nnoise_smoothing = 0.05");
            let pipeline = pipeline("mel", input, &fields);
            check(place, &pipeline, 100.0, 60.0);
        }
    }
}

#[test]
fn running_normalisation_follows_the_reference() {
    for cmvn in ["mean", "mean_variance"] {
        for input in [WINDOW, STREAM] {
            let fields = format!(
                "{MEL}n_coeffs = 13\ncmvn = \"{cmvn}\"\ncmvn_span = \"running\"\n\
                 cmvn_time_ms = 200\n"
            );
            let pipeline = pipeline("mfcc", input, &fields);
            check(cmvn, &pipeline, 90.0, 50.0);
        }
    }
}

#[test]
fn sliding_normalisation_follows_the_reference() {
    for cmvn in ["mean", "mean_variance", "mean_then_variance"] {
        for span in [11, 101] {
            let fields = format!("{MEL}n_coeffs = 13\ncmvn = \"{cmvn}\"\ncmvn_span = {span}\n");
            let pipeline = pipeline("mfcc", WINDOW, &fields);
            check(&format!("{cmvn} over {span}"), &pipeline, 90.0, 50.0);
        }
    }
}

#[test]
fn energies_need_no_logarithm() {
    for (block, fields) in [
        ("mel", ""),
        ("mel", "filter_norm = \"slaney\""),
        ("mel", "spectrum = \"magnitude\""),
        (
            "mel",
            "cmvn = \"mean\"\ncmvn_span = 21\nwindow_scale = \"min_max\"",
        ),
        ("mel", "window_scale = \"min_max\"\ndeltas = 1"),
        ("mel", "spectral_subtraction = \"mel\""),
    ] {
        let fields = format!("{MEL}log = \"none\"\n{fields}\n");
        let pipeline = pipeline(block, WINDOW, &fields);
        check(&fields, &pipeline, 90.0, 50.0);
    }
}

#[test]
fn what_energies_without_a_logarithm_cannot_do_is_said() {
    for (block, fields, stage) in [
        ("mfcc", "n_coeffs = 13", "features.dct"),
        ("mel", "cmvn = \"mean_variance\"", "features.cmvn"),
        (
            "mel",
            "cmvn = \"mean\"\ncmvn_span = \"running\"",
            "features.cmvn",
        ),
    ] {
        let fields = format!("{MEL}log = \"none\"\n{fields}\n");
        let pipeline = pipeline(block, WINDOW, &fields);
        let fixed = Numeric::Fixed(Precision::Full);
        let error = Engine::new(pipeline.graph(), fixed, false)
            .err()
            .expect("refused");
        assert_eq!(error.stage, stage);
        assert!(error.why.contains("without a logarithm"), "{}", error.why);
    }
}

#[test]
fn spectrograms_have_device_forms() {
    let frames = "frame_samples = 400\nhop_samples = 160\nn_fft = 512\n";
    for fields in [
        "log = \"none\"",
        "log = \"none\"\nspectrum = \"magnitude\"",
        "log = \"db_power\"",
        "log = \"db_power\"\nlog_reference = \"top\"\nlog_floor = \"max\"\nlog_epsilon = 1e-10",
        "log = \"none\"\nwindow_scale = \"min_max\"",
        "log = \"db_power\"\ncmvn = \"mean\"\nwindow_scale = \"min_max\"",
        "log = \"db_power\"\nrescale = \"clamp\"\nrescale_low = -80.0",
        "log = \"pcen\"",
    ] {
        let pipeline = pipeline("spectrogram", WINDOW, &format!("{frames}{fields}\n"));
        check(fields, &pipeline, 90.0, 50.0);
    }
}

#[test]
fn pre_emphasis_reaches_back_or_around() {
    for (input, fields) in [
        (WINDOW, "pre_emphasis = \"circular\""),
        (
            WINDOW,
            "pre_emphasis = \"circular\"\npre_emphasis_shift = 5",
        ),
        (WINDOW, "pre_emphasis = \"signal\"\npre_emphasis_shift = 3"),
        (STREAM, "pre_emphasis = \"signal\"\npre_emphasis_shift = 3"),
    ] {
        let pipeline = pipeline("mel", input, &format!("{MEL}{fields}\n"));
        check(fields, &pipeline, 100.0, 60.0);
    }
}

#[test]
fn windows_of_integers_come_to_full_scale_1() {
    for normalise in ["", "normalise = \"int16_scale\""] {
        let fields = format!("{MEL}sample_scale = \"from_int16_if_beyond_1\"\n");
        let pipeline = pipeline("mel", &format!("{WINDOW}\n{normalise}"), &fields);
        let truth = features(&pipeline, Numeric::Reference, &signal());
        let found = decibels(&truth, &features(&pipeline, Numeric::F32, &signal()));
        assert!(found > 100.0, "{found:.1} dB");
        let fixed = Numeric::Fixed(Precision::Full);
        let error = Engine::new(pipeline.graph(), fixed, false)
            .err()
            .expect("refused");
        assert!(error.why.contains("sample_scale"), "{}", error.why);
    }
}

#[test]
fn energy_can_be_a_column() {
    for fields in [
        "energy = \"raw\"",
        "energy = \"spectrum\"\nenergy_position = \"last\"",
        "energy = \"windowed\"\ncmvn = \"mean\"",
    ] {
        let pipeline = pipeline("mel", WINDOW, &format!("{MEL}{fields}\n"));
        check(fields, &pipeline, 100.0, 60.0);
    }
}

#[test]
fn levels_are_those_of_the_reference_but_for_ties() {
    let fields = format!(
        "{MEL}log = \"db_power\"\nrescale = \"clamp\"\nrescale_low = -60.0\nrescale_high = 10.0\n\
         rescale_steps = 256"
    );
    let pipeline = pipeline("mel", WINDOW, &fields);
    let samples = signal();
    let truth = features(&pipeline, Numeric::Reference, &samples);
    for numeric in [Numeric::F32, Numeric::Fixed(Precision::Full)] {
        let found = features(&pipeline, numeric, &samples);
        let steps = |(t, f): (&f64, &f64)| (t - f).abs() * 256.0;
        let most = truth.iter().zip(&found).map(steps).fold(0.0, f64::max);
        let off = truth.iter().zip(&found).filter(|&pair| steps(pair) > 0.5);
        let share = off.count() as f64 / truth.len() as f64;
        println!("{}: {share:.4} of the values are off", numeric.name());
        assert!(most <= 1.0 && share < 0.01, "{most} {share}");
    }
}
