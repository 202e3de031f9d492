//! python_speech_features 0.6.

use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_fixtures::DspGoldens;
use serde_json::Value;

use crate::support::{EXACT, Fields, appended, check, count, flag};

fn psf_fields(params: &Value) -> Fields {
    let mut fields = Fields::default();
    fields.text("preset", "python_speech_features");
    for (name, field) in [("winlen", "frame_ms"), ("winstep", "hop_ms")] {
        if let Some(seconds) = params[name].as_f64() {
            fields.set(field, 1000.0 * seconds);
        }
    }
    for (name, field) in [
        ("preemph", "pre_emphasis_coefficient"),
        ("nfft", "n_fft"),
        ("nfilt", "n_mels"),
        ("highfreq", "f_max_hz"),
    ] {
        if let Some(value) = params.get(name) {
            fields.set(field, value);
        }
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
            length => fields.set("lifter_length", length),
        };
        if !flag(params, "appendEnergy", true) {
            fields.text("energy", "none");
        }
        let pipeline = fields.pipeline("mfcc", "int16_scale");
        check(
            case.id(),
            pipeline.graph(),
            &input,
            &case.output("mfcc"),
            EXACT,
        );

        fields.set("deltas", 1);
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
