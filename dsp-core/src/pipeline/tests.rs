use std::path::Path;

use super::*;
use crate::graph::StageKind;

const MFCC: &str = r#"
[pipeline]
name = "kws"
[input]
kind = "audio"
rate_hz = 16000
[[block]]
id = "features"
type = "mfcc"
preset = "tf_signal"
frame_ms = 30
hop_ms = 20
n_mels = 40
f_min_hz = 20
f_max_hz = 4000
n_coeffs = 10
"#;

fn read(text: &str) -> Pipeline {
    Pipeline::from_toml(text, Path::new("."), &[]).unwrap()
}

fn with(text: &str, path: &str, value: &str) -> Result<Pipeline, ConfigError> {
    Pipeline::from_toml(text, Path::new("."), &[Override::new(path, value)])
}

#[test]
fn a_pipeline_expands_to_its_stages_in_order() {
    let pipeline = read(MFCC);
    let graph = pipeline.graph();
    let names: Vec<&str> = graph
        .frame
        .iter()
        .map(|stage| stage.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "features.window",
            "features.rfft",
            "features.magnitude",
            "features.mel",
            "features.log",
            "features.dct"
        ]
    );
    assert!(graph.rows.is_empty());
    assert_eq!((graph.framing.frame_len, graph.framing.hop), (480, 320));
    assert_eq!(graph.row_len, 10);
    assert!(matches!(
        graph.frame[1].kind,
        StageKind::Rfft { n_fft: 512 }
    ));
}

#[test]
fn stages_from_the_first_that_needs_all_rows_on_are_row_stages() {
    let pipeline = with(MFCC, "features.preset", "librosa").unwrap_err();
    assert_eq!(pipeline.path, "features.top_range");
    let text = MFCC.replace("rate_hz = 16000", "rate_hz = 16000\nmode = \"clip\"");
    let pipeline = with(&text, "features.preset", "librosa").unwrap();
    let names = |stages: &[crate::graph::Stage]| {
        stages
            .iter()
            .map(|stage| stage.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&pipeline.graph().frame).last().unwrap(),
        "features.log"
    );
    assert_eq!(
        names(&pipeline.graph().rows),
        ["features.top_range", "features.dct"]
    );
}

#[test]
fn an_override_pushes_out_the_field_that_says_the_same() {
    let pipeline = with(MFCC, "features.frame_samples", "400").unwrap();
    assert_eq!(pipeline.graph().framing.frame_len, 400);
}

#[test]
fn values_of_overrides_need_no_quotes() {
    let pipeline = with(MFCC, "features.window", "hamming").unwrap();
    assert_ne!(pipeline, read(MFCC));
    let error = with(MFCC, "features.window", "haming").unwrap_err();
    assert_eq!(
        error.to_string(),
        "features.window: found \"haming\" (from the override `features.window=haming`); did you \
         mean \"hamming\"? Expected one of \"rectangular\", \"hann\", \"hamming\", \"blackman\", \
         \"povey\""
    );
    assert_eq!(error.span, None);
}

#[test]
fn librosa_frames_are_centred_inside_the_fft() {
    let text = MFCC
        .replace("rate_hz = 16000", "rate_hz = 16000\nmode = \"clip\"")
        .replace("tf_signal", "librosa")
        .replace("frame_ms = 30", "frame_samples = 400\nn_fft = 512");
    let centred = read(&text);
    assert_eq!(centred.graph().framing.start, -200);
    assert_eq!(centred.graph().framing.frames(16000), 1 + 16000 / 320);
    let inside = with(&text, "features.framing", "inside").unwrap();
    assert_eq!(inside.graph().framing.start, 56);
    assert_eq!(
        inside.graph().framing.frames(16000),
        1 + (16000 - 512) / 320
    );
}

#[test]
fn the_resolved_file_reads_back_to_an_equal_pipeline() {
    for text in [
        MFCC.to_owned(),
        MFCC.replace("rate_hz = 16000", "rate_hz = 16000\nmode = \"clip\"")
            .replace("tf_signal", "librosa"),
    ] {
        let pipeline = read(&text);
        let again = read(pipeline.resolved_toml());
        assert_eq!(again, pipeline);
        assert_eq!(again.resolved_toml(), pipeline.resolved_toml());
    }
}
