//! The keyword spotter of MLPerf Tiny on real recordings answers as TensorFlow's own pipeline.

use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_dsp_core::{Override, Pipeline};
use otolith_fixtures::{root, shared_dir};

/// Clips on which the label may differ from TensorFlow's, out of 495.
const MAY_DIFFER: usize = 2;

#[test]
fn labels_equal_those_of_tensorflow_on_real_recordings() {
    let Some(shared) = shared_dir() else {
        return;
    };
    let pipeline_file = root().join("examples/kws-mlperf/kws.toml");
    let text = std::fs::read_to_string(&pipeline_file).expect("pipeline");
    let model = shared.join("models/kws_ref_model.tflite");
    let overrides = [Override::new("keyword.model", model.to_string_lossy())];
    let folder = pipeline_file.parent().expect("folder");
    let pipeline = Pipeline::from_toml(&text, folder, &overrides).expect("valid");
    let labels = &pipeline.graph().head.as_ref().expect("classifier").labels;

    let answers = shared.join("golden/kws-tf/audio-keywords.csv");
    let answers = std::fs::read_to_string(answers).expect("TensorFlow's answers");
    let clips: Vec<Vec<&str>> = answers
        .lines()
        .skip(1)
        .map(|l| l.split(',').collect())
        .collect();
    assert_eq!(clips.len(), 495);

    for numeric in [Numeric::Reference, Numeric::Host, Numeric::F32] {
        let mut engine = Engine::new(pipeline.graph(), numeric, true).expect("lowers");
        let (mut differ, mut right) = (Vec::new(), 0);
        for clip in &clips {
            let (file, truth, predicted) = (clip[0], clip[1], clip[2]);
            let path = shared.join("data/audio-keywords").join(file);
            let mut wav = hound::WavReader::open(path).expect("clip");
            let samples: Vec<i16> = wav.samples().map(|s| s.expect("sample")).collect();
            let said = engine.classify(&samples).expect("one decision");
            assert_eq!(said.len(), 1, "{file}");
            let (label, _) = said[0].decision.expect("the best label is decided for");
            let label = labels[label].as_str();
            if label != predicted {
                differ.push(format!("{file}: {label} instead of {predicted}"));
            }
            right += usize::from(label == truth);
        }
        println!(
            "{}: {} of 495 labels differ, {right} are right (TensorFlow: 452) {differ:?}",
            numeric.name(),
            differ.len()
        );
        assert!(differ.len() <= MAY_DIFFER, "{differ:#?}");
    }
}
