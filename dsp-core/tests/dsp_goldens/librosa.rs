//! librosa 0.11, evaluated in f64.

use otolith_dsp_core::graph::{FilterBank, Graph, StageKind};
use otolith_fixtures::DspGoldens;
use serde_json::Value;

use crate::support::{EXACT, Fields, check, count, flag, reference};

fn librosa_fields(params: &Value) -> Fields {
    let mut fields = Fields::default();
    let n_fft = count(params, "n_fft", 2048);
    fields
        .text("preset", "librosa")
        .set("n_fft", n_fft)
        .set("hop_samples", count(params, "hop_length", 512))
        .set("n_mels", count(params, "n_mels", 128));
    if let Some(frame) = params["win_length"].as_u64() {
        fields.set("frame_samples", frame);
    }
    if !flag(params, "center", true) {
        fields.text("framing", "inside");
    }
    if params["pad_mode"] == "reflect" {
        fields.text("padding", "reflect");
    }
    if flag(params, "htk", false) {
        fields.text("mel_scale", "htk");
    }
    match params.get("norm") {
        Some(Value::Null) => {
            fields.text("filter_norm", "none");
        }
        Some(norm) if *norm == 1 => {
            fields.text("filter_norm", "l1");
        }
        Some(norm) => panic!("norm {norm}"),
        None => {}
    }
    if params["power"] == 1.0 {
        fields.text("spectrum", "magnitude");
    }
    if let Some(window) = params["window"].as_str() {
        fields.text("window", window);
    }
    for (name, field) in [("fmin", "f_min_hz"), ("fmax", "f_max_hz")] {
        if let Some(hz) = params[name].as_f64() {
            fields.set(field, hz);
        }
    }
    fields
}

fn dense(bank: &FilterBank, bins: usize) -> Vec<f64> {
    let mut values = vec![0.0; bank.filters.len() * bins];
    for (filter, row) in bank.filters.iter().zip(values.chunks_mut(bins)) {
        row[filter.first..][..filter.weights.len()].copy_from_slice(&filter.weights);
    }
    values
}

fn filter_bank(graph: &Graph) -> &FilterBank {
    graph
        .first()
        .frame
        .iter()
        .find_map(|stage| match &stage.kind {
            StageKind::Mel(bank) => Some(bank),
            _ => None,
        })
        .expect("a mel stage")
}

#[test]
fn librosa_mel() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("librosa_mel") {
        let input = case.input();
        let mut fields = librosa_fields(case.params());
        // The golden is `power_to_db(mel, top_db=None)`.
        fields.text("top_range", "none");

        let decibels = fields.pipeline("mel", "none");
        let graph = decibels.graph();
        let bank = case.output("filterbank");
        let own = dense(filter_bank(graph), bank.shape[1]);
        let error = bank.relative_error(&own);
        assert!(error < 1e-12, "{} filter bank: {error:e}", case.id());

        let mut golden = case.output("logmel_db").transposed();
        let error = golden.relative_error(&reference(graph, &input));
        println!("{:34} reference {error:.1e}", format!("{} dB", case.id()));
        assert!(error < EXACT[0], "{}: {error:e}", case.id());

        // Without a limit, bands 120 dB below the strongest hold the rounding noise of an f32
        // FFT, so `host` is compared as the preset has it: within 80 dB.
        let top = golden.values.iter().copied().fold(f64::MIN, f64::max);
        for x in &mut golden.values {
            *x = x.max(top - 80.0);
        }
        fields.set("top_range", 80);
        let limited = fields.pipeline("mel", "none");
        let what = format!("{} dB, top_db=80", case.id());
        check(&what, limited.graph(), &input, &golden, EXACT);

        fields.text("log", "none").text("top_range", "none");
        let energies = fields.pipeline("mel", "none");
        let golden = case.output("mel").transposed();
        let what = format!("{} mel", case.id());
        check(&what, energies.graph(), &input, &golden, EXACT);
    }
}

#[test]
fn librosa_mfcc() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("librosa_mfcc") {
        let params = case.params();
        let mut fields = librosa_fields(params);
        let mfcc = &params["mfcc"];
        fields
            .set("n_coeffs", count(mfcc, "n_mfcc", 20))
            .set("dct_type", count(mfcc, "dct_type", 2))
            .text("dct_norm", mfcc["norm"].as_str().unwrap_or("none"));
        match count(mfcc, "lifter", 0) {
            0 => fields.text("lifter", "none"),
            length => fields
                .text("lifter", "librosa")
                .set("lifter_length", length),
        };
        let pipeline = fields.pipeline("mfcc", "none");
        let golden = case.output("out").transposed();
        check(case.id(), pipeline.graph(), &case.input(), &golden, EXACT);
    }
}

#[test]
fn deltas() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("librosa_delta") {
        let params = case.params();
        let order = count(params, "order", 1) as usize;
        let n_coeffs = count(params, "n_mfcc", 13) as usize;
        let mut fields = Fields::default();
        fields
            .text("preset", "librosa")
            .set("n_fft", 512)
            .set("frame_samples", 400)
            .set("hop_samples", 160)
            .set("n_mels", count(params, "n_mels", 40))
            .set("n_coeffs", n_coeffs)
            .set("deltas", order)
            .set("delta_reach", count(params, "width", 9) / 2)
            .text("delta_edges", params["mode"].as_str().expect("a mode"));
        let pipeline = fields.pipeline("mfcc", "none");
        let graph = pipeline.graph();
        let golden = case.output("delta").transposed();
        let mfcc = case.output("mfcc").transposed();
        let rows = reference(graph, &case.input());
        let columns = |from: usize| -> Vec<f64> {
            let rows = rows.chunks(graph.row_len());
            rows.flat_map(|row| &row[from..from + n_coeffs])
                .copied()
                .collect()
        };
        let errors = [
            mfcc.relative_error(&columns(0)),
            golden.relative_error(&columns(order * n_coeffs)),
        ];
        println!(
            "{} mfcc {:.1e} delta {:.1e}",
            case.id(),
            errors[0],
            errors[1]
        );
        assert!(
            errors[1] < EXACT[0] && errors[0] < EXACT[0],
            "{}",
            case.id()
        );
    }
}
