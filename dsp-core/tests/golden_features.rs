//! Features and tables against the numbers of librosa, Kaldi, python_speech_features and
//! CMSIS-DSP.

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_dsp_core::executor::Executor;
use otolith_dsp_core::graph::{FilterBank, Graph, StageKind};
use otolith_fixtures::{Array, DspCase, DspGoldens};
use serde_json::Value;

/// Fields of a pipeline file.
#[derive(Clone, Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn set(&mut self, name: &'static str, value: impl ToString) -> &mut Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.to_string()));
        self
    }

    fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.set(name, format!("{value:?}"))
    }

    fn pipeline(&self, block: &str, normalise: &str) -> Pipeline {
        let mut text = format!(
            "[pipeline]\nname = \"golden\"\n[input]\nrate_hz = 16000\nmode = \"clip\"\n\
             normalise = \"{normalise}\"\n[[block]]\nid = \"features\"\ntype = \"{block}\"\n"
        );
        for (name, value) in &self.0 {
            text.push_str(&format!("{name} = {value}\n"));
        }
        Pipeline::from_toml(&text, ".".as_ref(), &[])
            .unwrap_or_else(|error| panic!("{error}\n{text}"))
    }
}

fn reference(graph: &Graph, input: &[f32]) -> Vec<f64> {
    Executor::<f64>::new(graph.first())
        .expect("a graph that fits together")
        .features(input)
        .values
}

fn host(graph: &Graph, input: &[f32]) -> Vec<f64> {
    let values = Executor::<f32>::new(graph.first())
        .expect("a graph that fits together")
        .features(input)
        .values;
    values.into_iter().map(f64::from).collect()
}

fn flag(params: &Value, name: &str, default: bool) -> bool {
    params[name].as_bool().unwrap_or(default)
}

fn count(params: &Value, name: &str, default: u64) -> u64 {
    params[name].as_u64().unwrap_or(default)
}

/// Asserts that `reference` and `host` give `golden`, and prints how far they are from it.
fn check(what: &str, graph: &Graph, input: &[f32], golden: &Array, tolerances: [f64; 2]) {
    let errors = [
        golden.relative_error(&reference(graph, input)),
        golden.relative_error(&host(graph, input)),
    ];
    println!(
        "{what:34} reference {:.1e}  host {:.1e}",
        errors[0], errors[1]
    );
    for (error, tolerance) in errors.into_iter().zip(tolerances) {
        assert!(error <= tolerance, "{what}: {error:e} > {tolerance:e}");
    }
}

/// The tolerances where the origin computes in f64.
const EXACT: [f64; 2] = [1e-6, 1e-4];

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

fn psf_fields(params: &Value) -> Fields {
    let mut fields = Fields::default();
    let ms = |name: &str, default: f64| 1000.0 * params[name].as_f64().unwrap_or(default);
    let coefficient = params["preemph"].as_f64().unwrap_or(0.97);
    fields
        .set("frame_ms", ms("winlen", 0.025))
        .set("hop_ms", ms("winstep", 0.01))
        .text("framing", "covering")
        .text("pre_emphasis", "signal")
        .set("pre_emphasis_coefficient", coefficient)
        .text("window", "rectangular")
        .set("n_fft", count(params, "nfft", 512))
        .text("spectrum_norm", "n_fft")
        .set("n_mels", count(params, "nfilt", 26))
        .set("f_min_hz", 0.0)
        .text("filter_shape", "bins")
        .text("empty_filters", "allow")
        .text("log", "ln")
        .text("log_floor", "replace_zero")
        .set("log_epsilon", format!("{:e}", f64::EPSILON));
    if let Some(hz) = params["highfreq"].as_f64() {
        fields.set("f_max_hz", hz);
    }
    fields
}

#[test]
fn python_speech_features_fbank() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    // Spectral subband centroids (`ssc`) are another feature.
    for case in DspGoldens::open(&shared).family("psf_fbank_ssc") {
        let input = case.input();
        let mut fields = psf_fields(case.params());
        let pipeline = fields.pipeline("mel", "int16_scale");
        let what = format!("{} logfbank", case.id());
        let golden = case.output("logfbank");
        check(&what, pipeline.graph(), &input, &golden, EXACT);

        fields.text("log", "none");
        let pipeline = fields.pipeline("mel", "int16_scale");
        let what = format!("{} fbank", case.id());
        check(
            &what,
            pipeline.graph(),
            &input,
            &case.output("fbank"),
            EXACT,
        );
    }
}

#[test]
fn python_speech_features_mfcc() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("psf_mfcc") {
        let params = case.params();
        let input = case.input();
        let mut fields = psf_fields(params);
        fields.set("n_coeffs", count(params, "numcep", 13));
        match count(params, "ceplifter", 22) {
            0 => fields.text("lifter", "none"),
            length => fields.text("lifter", "htk").set("lifter_length", length),
        };
        if flag(params, "appendEnergy", true) {
            fields
                .text("energy", "spectrum")
                .set("energy_floor", format!("{:e}", f64::EPSILON));
        }
        let pipeline = fields.pipeline("mfcc", "int16_scale");
        check(
            case.id(),
            pipeline.graph(),
            &input,
            &case.output("mfcc"),
            EXACT,
        );

        fields.set("deltas", 1).set("delta_reach", 2);
        let pipeline = fields.pipeline("mfcc", "int16_scale");
        let golden = appended(&case, "mfcc", "delta2");
        let what = format!("{} delta", case.id());
        check(&what, pipeline.graph(), &input, &golden, EXACT);
        if [256, 512, 1024, 2048, 4096].contains(&count(params, "nfft", 512)) {
            let device = Engine::new(pipeline.graph(), Numeric::F32, false)
                .expect("a plan")
                .features(&input[..])
                .expect("a frame");
            let device: Vec<f64> = device.values.to_f32().into_iter().map(f64::from).collect();
            let error = golden.relative_error(&device);
            println!("{what:34} f32 {error:.1e}");
            assert!(error <= EXACT[1], "{what}: {error:e}");
        }
    }
}

/// Two outputs side by side.
fn appended(case: &DspCase, left: &str, right: &str) -> Array {
    let (left, right) = (case.output(left), case.output(right));
    let (a, b) = (left.shape[1], right.shape[1]);
    let rows = left.values.chunks(a).zip(right.values.chunks(b));
    Array {
        shape: vec![left.shape[0], a + b],
        values: rows.flat_map(|(a, b)| [a, b].concat()).collect(),
    }
}

/// Kaldi computes in f32: bands 140 dB below the strongest, as a chirp has them, hold its FFT's
/// rounding noise.
const KALDI: [f64; 2] = [1e-3, 1e-3];

fn kaldi_fields(params: &Value) -> Fields {
    let mut fields = Fields::default();
    let frame_ms = params["frame_length_ms"].as_f64().unwrap_or(25.0);
    let coefficient = params["preemph_coeff"].as_f64().unwrap_or(0.97);
    let dc_removal = flag(params, "remove_dc_offset", true);
    fields
        .set("frame_ms", frame_ms)
        .set("hop_ms", params["frame_shift_ms"].as_f64().unwrap_or(10.0))
        .text("dc_removal", if dc_removal { "frame" } else { "none" })
        .text("pre_emphasis", "frame")
        .set("pre_emphasis_coefficient", coefficient)
        .text(
            "window",
            match params["window_type"].as_str() {
                None => "povey",
                Some("hanning") => "hann",
                Some(other) => other,
            },
        )
        .text("window_symmetry", "symmetric")
        .set("n_mels", count(params, "num_bins", 23))
        .set("f_min_hz", 20.0)
        .text("empty_filters", "allow")
        .text("log_floor", "max")
        .set("log_epsilon", format!("{:e}", f32::EPSILON));
    if !flag(params, "round_to_power_of_two", true) {
        fields.set("n_fft", (frame_ms * 16.0) as usize);
    }
    if !flag(params, "use_log_fbank", true) {
        fields.text("log", "none");
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

/// `golden` without some of its columns.
fn columns(golden: &Array, keep: std::ops::Range<usize>) -> Array {
    let values: Vec<f64> = golden
        .values
        .chunks(golden.shape[1])
        .flat_map(|row| &row[keep.clone()])
        .copied()
        .collect();
    Array {
        shape: vec![golden.shape[0], keep.len()],
        values,
    }
}

#[test]
fn kaldi_fbank() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("kaldi_fbank") {
        let params = case.params();
        let pipeline = kaldi_fields(params).pipeline("mel", kaldi_scale(params));
        let mut golden = case.output("out");
        // Kaldi adds a column of energy, first or (as HTK) last, which `mel` does not have.
        if flag(params, "use_energy", false) {
            let first = usize::from(!flag(params, "htk_compat", false));
            golden = columns(&golden, first..first + pipeline.graph().row_len());
        }
        check(case.id(), pipeline.graph(), &case.input(), &golden, KALDI);
    }
}

#[test]
fn kaldi_mfcc() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("kaldi_mfcc") {
        let params = case.params();
        let n_coeffs = count(params, "num_ceps", 13) as usize;
        let mut fields = kaldi_fields(params);
        fields.set("n_coeffs", n_coeffs);
        let lifter = params["cepstral_lifter"].as_f64().unwrap_or(22.0);
        if lifter > 0.0 {
            fields.text("lifter", "htk").set("lifter_length", lifter);
        }
        if flag(params, "use_energy", true) {
            fields
                .text("energy", "raw")
                .set("energy_floor", format!("{:e}", f32::EPSILON));
        }
        let pipeline = fields.pipeline("mfcc", kaldi_scale(params));
        let mut golden = case.output("out");
        // As HTK has it, the energy is the last column, which `mfcc` has as the first.
        if flag(params, "htk_compat", false) {
            for row in golden.values.chunks_mut(n_coeffs) {
                row.rotate_right(1);
            }
        }
        check(case.id(), pipeline.graph(), &case.input(), &golden, KALDI);
    }
}

#[test]
fn cmsis_mfcc() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("cmsis_mfcc_f32") {
        let params = case.params();
        let window = params["window"].as_str().expect("a window");
        let n_mels = count(params, "nb_mel", 0);
        let n_fft = count(params, "fft", 0);
        let mut fields = Fields::default();
        fields
            .text("preset", "tf_signal")
            .set("frame_samples", n_fft)
            .set("hop_samples", count(params, "hop", 0))
            .text("window", window.split(' ').next().expect("a name"))
            .set("n_mels", n_mels)
            .set("f_min_hz", count(params, "fmin", 0))
            .set("f_max_hz", count(params, "fmax", 0))
            .set("n_coeffs", count(params, "nb_dct", 0));
        let pipeline = fields.pipeline("mfcc", "none");
        let input: Vec<f32> = case
            .output("input_q")
            .values
            .iter()
            .map(|&x| x as f32)
            .collect();
        let golden = case.output("truth_f64");
        check(case.id(), pipeline.graph(), &input, &golden, EXACT);
    }
}
