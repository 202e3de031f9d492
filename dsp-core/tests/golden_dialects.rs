//! Presets against what the software they are named after makes of the project's own signal
//! (`fixtures/golden/dialects`, made by `fixtures/gen/dialects_golden.py`).

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::executor::Executor;
use otolith_fixtures::Array;

fn golden(name: &str) -> Array {
    Array::read(&otolith_fixtures::root().join("fixtures/golden").join(name))
}

/// Asserts that a block gives the golden within 1e-4 of its largest value. Origins that compute
/// in f32 are that far from `reference` themselves.
fn check(name: &str, normalise: &str, block: &str) {
    let golden = golden(&format!("dialects/{name}.npy"));
    let text = format!(
        "[pipeline]\nname = \"golden\"\n[input]\nrate_hz = 16000\nmode = \"clip\"\nnormalise = \
         \"{normalise}\"\n[[block]]\n{block}"
    );
    let pipeline = Pipeline::from_toml(&text, ".".as_ref(), &[])
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let signal = self::golden("signal.npy");
    let samples: Vec<i16> = signal.values.iter().map(|&x| x as i16).collect();

    let reference = Executor::<f64>::new(pipeline.graph().first())
        .expect("a graph that fits together")
        .features(&samples);
    assert_eq!(
        [reference.rows, reference.row_len],
        golden.shape[..],
        "{name}"
    );
    let host = Executor::<f32>::new(pipeline.graph().first())
        .expect("a graph that fits together")
        .features(&samples);
    let host: Vec<f64> = host.values.into_iter().map(f64::from).collect();
    for (numeric, values) in [("reference", reference.values), ("host", host)] {
        let error = golden.relative_error(&values);
        println!("{name} {numeric} {error:.1e}");
        assert!(error < 1e-4, "{name} {numeric}: {error:e}");
    }
}

/// The pipeline takes integers, as it does with these origins.
const INTEGERS: &str = "int16_scale";

#[test]
fn whisper() {
    check(
        "whisper_80",
        "none",
        "type = \"mel\"\npreset = \"whisper\"\n",
    );
    check(
        "whisper_128",
        "none",
        "type = \"mel\"\npreset = \"whisper\"\nn_mels = 128\n",
    );
}

#[test]
fn torchaudio() {
    let fields = "preset = \"torchaudio\"\nn_fft = 512\nhop_samples = 160\nframe_samples = 400\n\
                  n_mels = 40\n";
    check(
        "torchaudio_mel",
        "none",
        &format!("type = \"mel\"\n{fields}"),
    );
    check(
        "torchaudio_mel_slaney",
        "none",
        &format!(
            "type = \"mel\"\n{fields}mel_scale = \"slaney\"\nfilter_norm = \"slaney\"\nlog = \
             \"none\"\n"
        ),
    );
    let mfcc = format!("type = \"mfcc\"\nn_coeffs = 13\n{fields}");
    check("torchaudio_mfcc", "none", &mfcc);
    check(
        "torchaudio_mfcc_deltas",
        "none",
        &format!("{mfcc}deltas = 2\n"),
    );
    check(
        "torchaudio_spectrogram",
        "none",
        "type = \"spectrogram\"\npreset = \"torchaudio\"\nn_fft = 128\nhop_samples = 256\n\
         top_range = 80\n",
    );
}

#[test]
fn kaldi() {
    check(
        "kaldi_fbank",
        INTEGERS,
        "type = \"mel\"\npreset = \"kaldi\"\nframing = \"rounded\"\n",
    );
    check(
        "kaldi_fbank_energy_last",
        INTEGERS,
        "type = \"mel\"\npreset = \"kaldi\"\nenergy = \"raw\"\nenergy_position = \"last\"\n",
    );
    check(
        "kaldi_mfcc",
        INTEGERS,
        "type = \"mfcc\"\npreset = \"kaldi\"\nframing = \"rounded\"\n",
    );
}

#[test]
fn torchaudio_compliance_kaldi() {
    check(
        "torchaudio_kaldi_fbank",
        INTEGERS,
        "type = \"mel\"\npreset = \"kaldi\"\nframing = \"rounded\"\nn_mels = 40\nenergy = \
         \"raw\"\nenergy_floor = 1.0\n",
    );
    check(
        "torchaudio_kaldi_mfcc",
        INTEGERS,
        "type = \"mfcc\"\npreset = \"kaldi\"\nenergy = \"none\"\n",
    );
}

#[test]
fn python_speech_features() {
    let preset = "preset = \"python_speech_features\"\n";
    check("psf_mfcc", INTEGERS, &format!("type = \"mfcc\"\n{preset}"));
    // Frames of 640 samples, of which an FFT of 512 sees the first 512.
    check(
        "psf_logfbank",
        INTEGERS,
        &format!("type = \"mel\"\n{preset}frame_ms = 40\n"),
    );
}

#[test]
fn librosa() {
    let fields = "preset = \"librosa\"\nn_fft = 512\nhop_samples = 256\nn_mels = 40\n";
    check(
        "librosa_mel_top",
        "none",
        &format!("type = \"mel\"\n{fields}log_reference = \"top\"\ntop_range = 60\n"),
    );
    let mfcc = format!("type = \"mfcc\"\nn_coeffs = 13\ndeltas = 2\n{fields}");
    check("librosa_mfcc_deltas_interp", "none", &mfcc);
    check(
        "librosa_mfcc_deltas_mirror",
        "none",
        &format!("{mfcc}delta_edges = \"mirror\"\n"),
    );
    check(
        "librosa_spectrogram",
        "none",
        "type = \"spectrogram\"\npreset = \"librosa\"\nn_fft = 128\nhop_samples = 256\n",
    );
}

#[test]
fn htk() {
    check(
        "htk_fbank",
        INTEGERS,
        "type = \"mel\"\npreset = \"htk\"\nn_mels = 26\n",
    );
    check("htk_mfcc", INTEGERS, "type = \"mfcc\"\npreset = \"htk\"\n");
}
