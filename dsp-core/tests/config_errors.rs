//! What bad pipeline files get to read, as a reviewed snapshot; and no text makes the reader
//! panic.
//!
//! `OTOLITH_UPDATE=1 cargo test -p otolith-dsp-core --test config_errors` writes the snapshot
//! anew.

use otolith_dsp_core::{ConfigError, Override, Pipeline};
use proptest::prelude::*;

const GOOD: &str = r#"[pipeline]
name = "kws"

[input]
rate_hz = 16000
mode = "window"
window_ms = 1000

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
cmvn = "mean"

[deploy]
numeric = "f32"
budget = { flash_kib = 96, ram_kib = 24 }
"#;

const CLASSIFIER: &str = r#"
[[block]]
id = "keyword"
type = "classifier"
model = "nowhere.tflite"
labels = ["yes", "no"]
"#;

fn read(text: &str, overrides: &[Override]) -> Result<Pipeline, ConfigError> {
    Pipeline::from_toml(text, "no such folder".as_ref(), overrides)
}

/// Bad files: what is wrong, and the good file with one text replaced by another.
const BAD: &[(&str, &str, &str)] = &[
    ("not TOML", "n_mels = 40", "n_mels = = 40"),
    ("a text that never ends", "\"mean\"", "\"mean"),
    ("the same key twice", "hop_ms = 20", "frame_ms = 20"),
    ("an unknown field", "n_mels", "n_mel"),
    (
        "a field of another block",
        "cmvn = \"mean\"",
        "threshold = 0.5",
    ),
    ("an unknown table", "[deploy]", "[deployment]"),
    (
        "a missing table",
        "[input]\nrate_hz = 16000\nmode = \"window\"\nwindow_ms = 1000\n",
        "",
    ),
    ("a missing field", "rate_hz = 16000\n", ""),
    ("a missing type", "type = \"mfcc\"\n", ""),
    ("an unknown type", "\"mfcc\"", "\"mfc\""),
    ("a bad id", "\"features\"", "\"My Features\""),
    ("a bad name", "name = \"kws\"", "name = \"9 lives\""),
    ("a text for a number", "n_mels = 40", "n_mels = \"forty\""),
    (
        "a number for a text",
        "preset = \"tf_signal\"",
        "preset = 3",
    ),
    ("a fraction for a count", "n_mels = 40", "n_mels = 40.5"),
    ("nonsense", "n_mels = 40", "n_mels = -3"),
    ("out of range", "n_coeffs = 10", "n_coeffs = 0"),
    (
        "more coefficients than filters",
        "n_coeffs = 10",
        "n_coeffs = 41",
    ),
    ("a misspelt choice", "\"mean\"", "\"meam\""),
    ("an unknown preset", "\"tf_signal\"", "\"librossa\""),
    (
        "frames of no whole number of samples",
        "frame_ms = 30",
        "frame_ms = 30.03",
    ),
    (
        "both lengths of a frame",
        "frame_ms = 30",
        "frame_ms = 30\nframe_samples = 480",
    ),
    ("no length of a frame", "frame_ms = 30\n", ""),
    (
        "an FFT shorter than a frame",
        "frame_ms = 30",
        "frame_ms = 30\nn_fft = 256",
    ),
    (
        "frequencies above half the rate",
        "f_max_hz = 4000",
        "f_max_hz = 9000",
    ),
    (
        "frequencies in the wrong order",
        "f_min_hz = 20",
        "f_min_hz = 4000",
    ),
    (
        "too many filters",
        "n_mels = 40",
        "n_mels = 120\nempty_filters = \"refuse\"\nn_fft = 480",
    ),
    (
        "a window shorter than a frame",
        "window_ms = 1000",
        "window_ms = 20",
    ),
    ("a window without length", "window_ms = 1000\n", ""),
    (
        "window length in a stream",
        "mode = \"window\"",
        "mode = \"stream\"",
    ),
    (
        "peak in a stream",
        "mode = \"window\"\nwindow_ms = 1000",
        "normalise = \"peak\"",
    ),
    (
        "CMVN in a stream",
        "mode = \"window\"\nwindow_ms = 1000\n",
        "",
    ),
    (
        "mirrored padding in a stream",
        "mode = \"window\"\nwindow_ms = 1000\n\n[[block]]\nid = \"features\"\ntype = \"mfcc\"\npreset = \"tf_signal\"",
        "[[block]]\ntype = \"mfcc\"\nframing = \"centred\"\npadding = \"reflect\"\nid = \"features\"",
    ),
    (
        "librosa's top_db in a stream",
        "mode = \"window\"\nwindow_ms = 1000\n\n[[block]]\nid = \"features\"\ntype = \"mfcc\"\npreset = \"tf_signal\"",
        "[[block]]\ntype = \"mfcc\"\npreset = \"librosa\"\nn_fft = 512\nid = \"features\"",
    ),
    (
        "an even sliding window",
        "cmvn = \"mean\"",
        "cmvn = \"mean\"\ncmvn_span = 100",
    ),
    ("no block", "[[block]]", "[notes]"),
    ("blocks as one table", "[[block]]", "[block]"),
    (
        "a budget that is a number",
        "budget = { flash_kib = 96, ram_kib = 24 }",
        "budget = 96",
    ),
    ("a misspelt budget", "ram_kib", "ram_kb"),
    ("an infinite number", "f_min_hz = 20", "f_min_hz = inf"),
    (
        "a huge integer",
        "n_mels = 40",
        "n_mels = 99999999999999999999",
    ),
    (
        "a field of sensors in audio",
        "rate_hz = 16000",
        "rate_hz = 16000\nnan = \"drop\"",
    ),
    (
        "fewer columns than axes",
        "rate_hz = 16000",
        "rate_hz = 16000\nkind = \"sensor\"\naxes = [\"ax\", \"ay\"]\ncolumns = [\"ax\"]",
    ),
    (
        "a unit of time that is none",
        "rate_hz = 16000",
        "rate_hz = 16000\nkind = \"sensor\"\ntime_unit = \"min\"",
    ),
];

/// Bad overrides of the good file.
const BAD_OVERRIDES: &[(&str, &str)] = &[
    ("features.n_mels", "0"),
    ("features.n_melz", "32"),
    ("feature.n_mels", "32"),
    ("n_mels", "32"),
    ("features.type", "mel"),
    ("features.window", "triangular"),
    ("input.rate_hz", "16 kHz"),
    ("deploy.budget.ram_kib", "0"),
    ("deploy.budget.stack_kib", "1"),
];

/// The error, and the line of the file that it points at.
fn shown(title: &str, text: &str, overrides: &[Override]) -> String {
    let error = match read(text, overrides) {
        Err(error) => error,
        Ok(_) => panic!("{title}: accepted"),
    };
    let mut out = format!("# {title}\n{error}\n");
    if let Some(span) = &error.span {
        let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let line = text[start..].lines().next().unwrap_or("");
        let number = text[..span.start].matches('\n').count() + 1;
        let column = text[start..span.start].chars().count();
        let marked = text[span.clone()]
            .lines()
            .next()
            .unwrap_or("")
            .chars()
            .count();
        out.push_str(&format!("{number:4} | {line}\n"));
        out.push_str(&format!(
            "     | {}{}\n",
            " ".repeat(column),
            "^".repeat(marked.max(1))
        ));
    }
    out
}

#[test]
fn bad_files_get_errors_that_teach() {
    assert!(read(GOOD, &[]).is_ok());
    let mut found = String::new();
    for (title, from, to) in BAD {
        assert!(GOOD.contains(from), "{title}");
        let text = GOOD.replacen(from, to, 1);
        found.push_str(&format!("{}\n", shown(title, &text, &[])));
    }
    let more = [
        ("a model that is not there", format!("{GOOD}{CLASSIFIER}")),
        ("a classifier first", CLASSIFIER.to_owned() + GOOD),
        (
            "decide without classifier",
            format!("{GOOD}\n[[block]]\ntype = \"decide\"\n"),
        ),
        (
            "two blocks of one name",
            format!("{GOOD}\n[[block]]\nid = \"features\"\ntype = \"mel\"\n"),
        ),
        ("an empty file", String::new()),
    ];
    for (title, text) in more {
        found.push_str(&format!("{}\n", shown(title, &text, &[])));
    }
    for (path, value) in BAD_OVERRIDES {
        let title = format!("--set {path}={value}");
        let overrides = [Override::new(*path, *value)];
        found.push_str(&format!("{}\n", shown(&title, GOOD, &overrides)));
    }
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/config_errors/errors.txt"
    );
    if std::env::var_os("OTOLITH_UPDATE").is_some() {
        std::fs::write(path, &found).expect("the snapshot");
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    for (found, expected) in found.split("# ").zip(expected.split("# ")) {
        assert_eq!(found, expected);
    }
    assert!(
        found == expected,
        "the snapshot has other cases: OTOLITH_UPDATE=1 writes it anew"
    );
}

#[test]
fn the_resolved_file_of_an_override_is_the_override() {
    let overrides = [
        Override::new("features.n_mels", "32"),
        Override::new("features.frame_samples", "400"),
        Override::new("features.window", "hamming"),
        Override::new("deploy.budget.ram_kib", "12"),
        Override::new("pipeline.name", "other"),
    ];
    let pipeline = read(GOOD, &overrides).unwrap();
    let resolved = pipeline.resolved_toml();
    for line in [
        "name = \"other\"",
        "n_mels = 32",
        "frame_samples = 400",
        "window = \"hamming\"",
        "budget = { flash_kib = 96, ram_kib = 12 }",
    ] {
        assert!(
            resolved.lines().any(|found| found == line),
            "{line}\n{resolved}"
        );
    }
    assert_eq!(read(resolved, &[]).unwrap(), pipeline);
}

/// Values that fit some fields and not others.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        (-5i64..2000).prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (0.0..100.0f64).prop_map(|x| format!("{x:?}")),
        any::<f64>().prop_map(|x| format!("{x:?}")),
        proptest::sample::select(vec![
            "none",
            "hann",
            "povey",
            "signal",
            "frame",
            "zero",
            "reflect",
            "centred",
            "centre",
            "covering",
            "rounded",
            "power",
            "n_fft",
            "slaney",
            "bins",
            "max",
            "db_power",
            "clamp",
            "htk",
            "tf",
            "raw",
            "spectrum",
            "mean_variance",
            "stream",
            "clip",
            "window",
            "librosa",
            "tf_signal",
            "[1, 2]",
            "{ a = 1 }",
            "true",
            "1979-05-27",
            "[",
            "\"",
            "é",
        ])
        .prop_map(str::to_owned),
    ]
}

fn field() -> impl Strategy<Value = String> {
    let mut known: Vec<String> = otolith_dsp_core::explain::paths()
        .into_iter()
        .filter_map(|path| match path.split_once('.') {
            Some(("mfcc", field)) => Some(format!("features.{field}")),
            Some(("input" | "deploy" | "pipeline", _)) => Some(path),
            _ => None,
        })
        .collect();
    known.sort();
    proptest::sample::select(known)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn overrides_give_an_error_or_a_pipeline_that_reads_back(
        fields in proptest::collection::vec((field(), value()), 1..4),
    ) {
        let overrides: Vec<Override> =
            fields.into_iter().map(|(path, value)| Override::new(path, value)).collect();
        if let Ok(pipeline) = read(GOOD, &overrides) {
            let resolved = pipeline.resolved_toml();
            match read(resolved, &[]) {
                Ok(again) => {
                    prop_assert_eq!(again.resolved_toml(), resolved);
                    prop_assert_eq!(again, pipeline);
                }
                Err(error) => prop_assert!(false, "{error}\n{resolved}"),
            }
        }
    }

    #[test]
    fn damaged_files_do_not_panic(
        cuts in proptest::collection::vec(
            (any::<proptest::sample::Index>(), 0..20usize, "[\\PC\n]{0,6}"), 1..4),
    ) {
        let mut text: Vec<char> = format!("{GOOD}{CLASSIFIER}").chars().collect();
        for (at, len, put) in cuts {
            let at = at.index(text.len() + 1);
            let end = (at + len).min(text.len());
            text.splice(at..end, put.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = read(&text, &[]) && let Some(span) = error.span {
            prop_assert!(text.get(span).is_some(), "{text}");
        }
    }

    #[test]
    fn arbitrary_texts_do_not_panic(text in "\\PC{0,200}") {
        let _ = read(&text, &[]);
    }
}
