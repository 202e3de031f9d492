//! The pipelines on the pages of `docs/match`: all of them are built, and one that bears the name
//! of a golden file gives it.

use std::path::{Path, PathBuf};

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::executor::Executor;
use otolith_dsp_core::graph::Mode;
use otolith_fixtures::Array;

/// Blocks of TOML on a page.
fn pipelines(page: &str) -> Vec<String> {
    page.split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("an end").to_owned())
        .collect()
}

/// A pipeline with a name, without the blocks behind the features, whose models are the reader's own.
fn features_only(text: &str) -> String {
    let named = if text.contains("[pipeline]") {
        text.to_owned()
    } else {
        format!("[pipeline]\nname = \"page\"\n\n{text}")
    };
    let mut tables = named.split("\n[");
    let mut out = tables.next().unwrap_or_default().to_owned();
    for table in tables {
        let head = ["type = \"classifier\"", "type = \"decide\""];
        if !head.iter().any(|line| table.contains(line)) {
            out.push_str("\n[");
            out.push_str(table);
        }
    }
    out
}

fn golden(name: &str) -> Option<Array> {
    let dir = otolith_fixtures::root().join("fixtures/golden");
    let files = [
        dir.join(format!("dialects/{name}.npy")),
        dir.join(format!("{name}.npy")),
    ];
    let found: Option<PathBuf> = files.into_iter().find(|file| file.is_file());
    found.map(|file| Array::read(&file))
}

/// The error of the pipeline's features of the project's own signal.
fn error(pipeline: &Pipeline, golden: &Array) -> f64 {
    let dir = otolith_fixtures::root().join("fixtures/golden");
    let signal = Array::read(&dir.join("signal.npy"));
    let samples: Vec<i16> = signal.values.iter().map(|&x| x as i16).collect();
    let features = Executor::<f64>::new(pipeline.graph().first())
        .expect("a graph that fits together")
        .features(&samples);
    assert_eq!([features.rows, features.row_len], golden.shape[..]);
    golden.relative_error(&features.values)
}

fn check_page(path: &Path) -> usize {
    let page = std::fs::read_to_string(path).expect("a page");
    let mut compared = 0;
    for text in pipelines(&page) {
        let pipeline = Pipeline::from_toml(&features_only(&text), ".".as_ref(), &[])
            .unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()));
        let graph = pipeline.graph();
        let Some(golden) = golden(&graph.name) else {
            continue;
        };
        assert_eq!(graph.first().source.mode, Mode::Clip, "{}", graph.name);
        let error = error(&pipeline, &golden);
        println!("{} {error:.1e}", graph.name);
        assert!(error < 1e-4, "{}: {} {error:e}", path.display(), graph.name);
        compared += 1;
    }
    compared
}

#[test]
fn every_pipeline_is_built_and_gives_the_golden_of_its_name() {
    let dir = otolith_fixtures::root().join("docs/match");
    let mut compared = Vec::new();
    for entry in std::fs::read_dir(&dir).expect("docs/match") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            compared.push((name, check_page(&path)));
        }
    }
    for page in [
        "librosa",
        "torchaudio",
        "kaldi",
        "tf_signal",
        "python_speech_features",
        "whisper",
        "htk",
    ] {
        let found = compared.iter().find(|(name, _)| name == page);
        assert!(found.is_some_and(|(_, n)| *n > 0), "{page}: {compared:?}");
    }
}
