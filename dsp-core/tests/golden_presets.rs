//! The presets against numbers that their origins made for the project's own signal
//! (`fixtures/golden`, made by `fixtures/gen/features_golden.py`).

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::executor::Executor;
use otolith_fixtures::Array;

fn golden(name: &str) -> Array {
    Array::read(&otolith_fixtures::root().join("fixtures/golden").join(name))
}

/// Asserts that a block gives `golden`: `reference` to 1e-6 and `host` to 1e-4 of its largest
/// value.
fn check(block: &str, golden: &Array) {
    let text = format!(
        "[pipeline]\nname = \"golden\"\n[input]\nrate_hz = 16000\nmode = \"clip\"\n[[block]]\n{block}"
    );
    let pipeline = Pipeline::from_toml(&text, ".".as_ref(), &[])
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let signal = self::golden("signal.npy");
    let samples: Vec<i16> = signal.values.iter().map(|&x| x as i16).collect();

    let reference = Executor::<f64>::new(pipeline.graph().first())
        .expect("a graph that fits together")
        .features(&samples);
    assert_eq!([reference.rows, reference.row_len], golden.shape[..]);
    let error = golden.relative_error(&reference.values);
    println!("reference {error:.1e}: {block}");
    assert!(error < 1e-6, "reference: {error:e}");

    let host = Executor::<f32>::new(pipeline.graph().first())
        .expect("a graph that fits together")
        .features(&samples);
    let host: Vec<f64> = host.values.into_iter().map(f64::from).collect();
    let error = golden.relative_error(&host);
    println!("host {error:.1e}");
    assert!(error < 1e-4, "host: {error:e}");
}

#[test]
fn tf_signal() {
    let fields = "preset = \"tf_signal\"\nframe_ms = 30\nhop_ms = 20\nf_max_hz = 4000\n";
    check(
        &format!("type = \"mel\"\n{fields}"),
        &golden("tf_signal_log_mel.npy"),
    );
    check(
        &format!("type = \"mfcc\"\nn_coeffs = 10\n{fields}"),
        &golden("tf_signal_mfcc.npy"),
    );
}

#[test]
fn librosa() {
    let fields = "preset = \"librosa\"\nframe_samples = 400\nhop_samples = 160\nn_fft = 512\n\
                  n_mels = 40\n";
    check(
        &format!("type = \"mel\"\n{fields}"),
        &golden("librosa_log_mel.npy"),
    );
    check(
        &format!("type = \"mfcc\"\nn_coeffs = 13\n{fields}"),
        &golden("librosa_mfcc.npy"),
    );
}
