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
        .first()
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
    assert!(graph.first().rows.is_empty());
    assert_eq!(
        (graph.first().framing.frame_len, graph.first().framing.hop),
        (480, 320)
    );
    assert_eq!(graph.row_len(), 10);
    assert!(matches!(
        graph.first().frame[1].kind,
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
        names(&pipeline.graph().first().frame).last().unwrap(),
        "features.log"
    );
    assert_eq!(
        names(&pipeline.graph().first().rows),
        ["features.top_range", "features.dct"]
    );
}

#[test]
fn an_override_pushes_out_the_field_that_says_the_same() {
    let pipeline = with(MFCC, "features.frame_samples", "400").unwrap();
    assert_eq!(pipeline.graph().first().framing.frame_len, 400);
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
         \"povey\", \"tukey\""
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
    assert_eq!(centred.graph().first().framing.start, -200);
    assert_eq!(
        centred.graph().first().framing.frames(16000),
        1 + 16000 / 320
    );
    let inside = with(&text, "features.framing", "inside").unwrap();
    assert_eq!(inside.graph().first().framing.start, 56);
    assert_eq!(
        inside.graph().first().framing.frames(16000),
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

/// The MLPerf Tiny keyword model with its authors' features.
const KEYWORDS: &str = r#"
[pipeline]
name = "kws"
[input]
rate_hz = 16000
mode = "window"
window_ms = 1000
normalise = "max"
[[block]]
id = "features"
type = "mfcc"
preset = "tf_signal"
frame_ms = 30
hop_ms = 20
f_max_hz = 4000
n_coeffs = 10
[[block]]
id = "keyword"
type = "classifier"
model = "kws_ref_model.tflite"
labels = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"]
[[block]]
id = "trigger"
type = "decide"
average = 4
threshold = 0.8
refractory_ms = 1500
ignore = ["silence", "unknown"]
"#;

fn keywords(text: &str, overrides: &[(&str, &str)]) -> Option<Result<Pipeline, ConfigError>> {
    let models = otolith_fixtures::shared_dir()?.join("models");
    let overrides: Vec<Override> = overrides
        .iter()
        .map(|(path, value)| Override::new(*path, *value))
        .collect();
    Some(Pipeline::from_toml(text, &models, &overrides))
}

#[test]
fn a_classifier_takes_its_rows_from_the_model() {
    let Some(pipeline) = keywords(KEYWORDS, &[]) else {
        return;
    };
    let pipeline = pipeline.unwrap();
    let head = pipeline.graph().head.as_ref().unwrap();
    assert_eq!((head.rows, head.labels.len()), (49, 12));
    // 1500 ms are two windows of 1000 ms.
    assert_eq!(head.decide.refractory, 2);
    assert_eq!(head.decide.fires.iter().filter(|fires| **fires).count(), 10);
    assert!(pipeline.without_head().head.is_none());

    let again = keywords(pipeline.resolved_toml(), &[]).unwrap().unwrap();
    assert_eq!(again, pipeline);

    let stream = KEYWORDS
        .replace("mode = \"window\"\nwindow_ms = 1000\n", "")
        .replace("\"max\"", "\"none\"");
    let pipeline = keywords(&stream, &[]).unwrap().unwrap();
    let head = pipeline.graph().head.as_ref().unwrap();
    assert_eq!((head.rows, head.row_hop), (49, 12));
    // 12 rows of 20 ms.
    assert_eq!(head.decide.refractory, 7);
    let again = keywords(pipeline.resolved_toml(), &[]).unwrap().unwrap();
    assert_eq!(again, pipeline);
}

#[test]
fn a_classifier_that_does_not_fit_says_what_would() {
    let expected = [
        (
            ("features.n_coeffs", "13"),
            "keyword.rows: found no value; the network takes 490 values, which is not a whole \
             number of rows of 13 features: change the features (such as `n_coeffs` or `n_mels`) \
             or the model",
        ),
        (
            ("keyword.rows", "40"),
            "keyword.rows: found 40 (from the override `keyword.rows=40`); the network takes 490 \
             values, which is 49 rows of 10 features: expected 49, or other features",
        ),
        (
            ("input.window_ms", "500"),
            "keyword.rows: found 49; a window gives 24 rows of features and the network sees 49: \
             change `window_ms` in `[input]`, or the features' hop or frame",
        ),
        (
            ("keyword.hop_rows", "4"),
            "keyword.hop_rows: found 4 (from the override `keyword.hop_rows=4`); it has no meaning \
             here, since each window is classified once: remove it, or use `mode = \"stream\"` in \
             `[input]`",
        ),
        (
            ("keyword.labels", "[\"yes\", \"no\"]"),
            "keyword.labels: found 2 labels (from the override `keyword.labels=[\"yes\", \
             \"no\"]`); the network has 12 outputs: expected one label for each",
        ),
        (
            ("trigger.ignore", "[\"silense\"]"),
            "trigger.ignore: found \"silense\" (from the override \
             `trigger.ignore=[\"silense\"]`); did you mean \"silence\"? Expected labels of the \
             classifier: down, go, left, no, off, on, right, stop, up, yes, silence, unknown",
        ),
        (
            ("trigger.average", "65"),
            "trigger.average: found 65 (from the override `trigger.average=65`); expected an \
             integer from 1 to 64",
        ),
    ];
    for (change, message) in expected {
        let Some(pipeline) = keywords(KEYWORDS, &[change]) else {
            return;
        };
        assert_eq!(pipeline.unwrap_err().to_string(), message);
    }
}
