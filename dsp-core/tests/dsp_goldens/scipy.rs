//! scipy's `signal.spectrogram`.

use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_dsp_core::graph::Graph;
use otolith_fixtures::{Array, DspGoldens};

use crate::support::{EXACT, Fields, check, reference};

/// The features that a device computes.
fn device(graph: &Graph, numeric: Numeric, input: &[f32]) -> Vec<f64> {
    let mut engine = Engine::new(graph, numeric, false).expect("a plan");
    let features = engine.features(input).expect("frames");
    features.values.to_f64()
}

#[test]
fn spectrogram() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in DspGoldens::open(&shared).family("spectrogram") {
        let params = case.params();
        // Removal of a straight line from each frame is no field of `spectrogram`.
        if params["detrend"] == "linear" {
            continue;
        }
        let frame = params["nperseg"].as_u64().expect("a length");
        let overlap = params["noverlap"].as_u64().unwrap_or(frame / 8);
        let window = match params["window"].as_str() {
            Some("boxcar") => "rectangular",
            Some(name) => name,
            None => "tukey",
        };
        let detrended = params.get("detrend").is_none();
        let mut fields = Fields::default();
        fields
            .set("frame_samples", frame)
            .set("hop_samples", frame - overlap)
            .set("n_fft", params["nfft"].as_u64().unwrap_or(frame))
            .text("window", window)
            .text("dc_removal", if detrended { "frame" } else { "none" })
            .text("spectrum_norm", "density")
            .text("log", "none");
        let pipeline = fields.pipeline("spectrogram", "none");
        let golden = case.output("sxx").transposed();
        let graph = pipeline.graph();
        check(case.id(), graph, &case.input(), &golden, EXACT);

        let input = case.input();
        let n_fft = params["nfft"].as_u64().unwrap_or(frame);
        if n_fft.is_power_of_two() {
            let device = device(graph, Numeric::F32, &input);
            let error = golden.relative_error(&device);
            println!("{} f32 {error:.1e}", case.id());
            assert!(error < EXACT[1], "{} f32: {error:e}", case.id());

            // In decibels, so that integers can hold it; samples beyond full scale they cannot.
            if input.iter().any(|x| x.abs() > 1.0) {
                continue;
            }
            fields.text("log", "db_power").text("log_floor", "max");
            let decibels = fields.pipeline("spectrogram", "none");
            let expected = Array {
                shape: golden.shape.clone(),
                values: reference(decibels.graph(), &input),
            };
            let device = self::device(decibels.graph(), Numeric::Fixed(Precision::Full), &input);
            let error = expected.absolute_error(&device);
            println!("{} fixed {error:.1e} dB", case.id());
            assert!(error < 0.1, "{} fixed: {error} dB", case.id());
        }
    }
}
