//! scipy's `signal.spectrogram`.

use otolith_fixtures::DspGoldens;

use crate::support::{EXACT, Fields, check};

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
    }
}
