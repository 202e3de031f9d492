//! Kaldi, by kaldi-native-fbank.

use otolith_fixtures::DspGoldens;
use serde_json::Value;

use crate::support::{Fields, check, count, flag, host, reference};

const KALDI: [f64; 2] = [1e-4, 1e-4];

/// Of cepstra of a chirp: all of them see bands 140 dB below the strongest, which hold the
/// rounding noise of Kaldi's f32 FFT.
const CHIRP: [f64; 2] = [1e-3, 1e-3];

/// Distance below the strongest band of a frame within which f32 has the digits: 80 dB as a
/// natural logarithm of power.
const RANGE: f64 = 18.4;

/// Values further below the largest of their row are raised.
fn within_range(values: &[f64], row_len: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(values.len());
    for row in values.chunks(row_len) {
        let top = row.iter().copied().fold(f64::MIN, f64::max);
        out.extend(row.iter().map(|x| x.max(top - RANGE)));
    }
    out
}

fn kaldi_fields(params: &Value) -> Fields {
    let mut fields = Fields::default();
    fields.text("preset", "kaldi");
    for (name, field) in [
        ("frame_length_ms", "frame_ms"),
        ("frame_shift_ms", "hop_ms"),
        ("preemph_coeff", "pre_emphasis_coefficient"),
        ("num_bins", "n_mels"),
    ] {
        if let Some(value) = params.get(name) {
            fields.set(field, value);
        }
    }
    if !flag(params, "remove_dc_offset", true) {
        fields.text("dc_removal", "none");
    }
    match params["window_type"].as_str() {
        None => {}
        Some("hanning") => {
            fields.text("window", "hann");
        }
        Some(other) => {
            fields.text("window", other);
        }
    }
    if !flag(params, "round_to_power_of_two", true) {
        fields.set("n_fft", 400);
    }
    if !flag(params, "use_log_fbank", true) {
        fields.text("log", "none");
    }
    if flag(params, "htk_compat", false) {
        fields.text("energy_position", "last");
    }
    fields
}

fn kaldi_scale(params: &Value) -> &'static str {
    if flag(params, "int16_scale", false) {
        "int16_scale"
    } else {
        "none"
    }
}

#[test]
fn fbank() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("kaldi_fbank") {
        let params = case.params();
        let mut fields = kaldi_fields(params);
        if flag(params, "use_energy", false) {
            fields.text("energy", "raw");
        }
        let pipeline = fields.pipeline("mel", kaldi_scale(params));
        let graph = pipeline.graph();
        let row_len = graph.row_len();
        let mut golden = case.output("out");
        assert_eq!(golden.shape[1], row_len, "{}", case.id());
        if flag(params, "use_log_fbank", true) {
            golden.values = within_range(&golden.values, row_len);
        }
        let input = case.input();
        for (numeric, found) in [
            ("reference", reference(graph, &input)),
            ("host", host(graph, &input)),
        ] {
            let found = match flag(params, "use_log_fbank", true) {
                true => within_range(&found, row_len),
                false => found,
            };
            let error = golden.relative_error(&found);
            println!("{} {numeric} {error:.1e}", case.id());
            assert!(error < KALDI[0], "{} {numeric}: {error:e}", case.id());
        }
    }
}

#[test]
fn mfcc() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("kaldi_mfcc") {
        let params = case.params();
        let mut fields = kaldi_fields(params);
        fields.set("n_coeffs", count(params, "num_ceps", 13));
        if params["cepstral_lifter"].as_f64() == Some(0.0) {
            fields.text("lifter", "none");
        }
        if !flag(params, "use_energy", true) {
            fields.text("energy", "none");
        }
        let pipeline = fields.pipeline("mfcc", kaldi_scale(params));
        let golden = case.output("out");
        let graph = pipeline.graph();
        let chirp = case.input_name().contains("chirp");
        let tolerances = if chirp { CHIRP } else { KALDI };
        check(case.id(), graph, &case.input(), &golden, tolerances);
    }
}
