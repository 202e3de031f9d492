//! CMSIS-DSP's `arm_mfcc_f32`, and the same formula in f64.

use otolith_fixtures::DspGoldens;

use crate::support::{EXACT, Fields, check, count};

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
            .text("preset", "cmsis")
            .set("n_fft", n_fft)
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
