//! The keyword spotter of MLPerf Tiny on real recordings answers as TensorFlow's own pipeline.

use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_dsp_core::{Override, Pipeline};
use otolith_fixtures::{root, shared_dir};
use std::path::Path;

/// Clips on which the label may differ from TensorFlow's, out of 495.
const MAY_DIFFER: usize = 2;
/// Clips on which the label of a `fixed` plan may differ from that of `reference`.
const FIXED_MAY_DIFFER: usize = 2;
/// Clips that `fixed` may get wrong where `reference` gets them right, on balance.
const FIXED_MAY_LOSE: usize = 1;

/// A recording, who said what in it, and TensorFlow's answer.
struct Clip {
    file: String,
    truth: String,
    predicted: String,
    samples: Vec<i16>,
}

fn clips(shared: &Path) -> Vec<Clip> {
    let answers = shared.join("golden/kws-tf/audio-keywords.csv");
    let answers = std::fs::read_to_string(answers).expect("TensorFlow's answers");
    let clips: Vec<Clip> = answers
        .lines()
        .skip(1)
        .map(|line| {
            let mut columns = line.split(',').map(str::to_owned);
            let mut column = || columns.next().expect("a column");
            let (file, truth, predicted) = (column(), column(), column());
            let path = shared.join("data/audio-keywords").join(&file);
            let mut wav = hound::WavReader::open(path).expect("clip");
            let samples = wav.samples().map(|s| s.expect("sample")).collect();
            Clip {
                file,
                truth,
                predicted,
                samples,
            }
        })
        .collect();
    assert_eq!(clips.len(), 495);
    clips
}

fn pipeline(shared: &Path) -> Pipeline {
    pipeline_with(&shared.join("models/kws_ref_model.tflite"))
}

fn pipeline_with(model: &Path) -> Pipeline {
    let pipeline_file = root().join("examples/kws-mlperf/kws.toml");
    let text = std::fs::read_to_string(&pipeline_file).expect("pipeline");
    let overrides = [Override::new("keyword.model", model.to_string_lossy())];
    let folder = pipeline_file.parent().expect("folder");
    Pipeline::from_toml(&text, folder, &overrides).expect("valid")
}

/// The label of every clip.
fn said(pipeline: &Pipeline, numeric: Numeric, clips: &[Clip]) -> Vec<String> {
    let labels = &pipeline.graph().head.as_ref().expect("classifier").labels;
    let mut engine = Engine::new(pipeline.graph(), numeric, true).expect("lowers");
    clips
        .iter()
        .map(|clip| {
            let said = engine.classify(&clip.samples).expect("one decision");
            assert_eq!(said.len(), 1, "{}", clip.file);
            let (label, _) = said[0].decision.expect("the best label is decided for");
            labels[label].clone()
        })
        .collect()
}

fn right(said: &[String], clips: &[Clip]) -> usize {
    let pairs = said.iter().zip(clips);
    pairs.filter(|(said, clip)| **said == clip.truth).count()
}

#[test]
fn labels_equal_those_of_tensorflow_on_real_recordings() {
    let Some(shared) = shared_dir() else {
        return;
    };
    let (pipeline, clips) = (pipeline(&shared), clips(&shared));
    for numeric in [Numeric::Reference, Numeric::Host, Numeric::F32] {
        let said = said(&pipeline, numeric, &clips);
        let differ: Vec<_> = said
            .iter()
            .zip(&clips)
            .filter(|(said, clip)| **said != clip.predicted)
            .map(|(said, clip)| format!("{}: {said} instead of {}", clip.file, clip.predicted))
            .collect();
        println!(
            "{}: {} of 495 labels differ, {} are right (TensorFlow: 452) {differ:?}",
            numeric.name(),
            differ.len(),
            right(&said, &clips)
        );
        assert!(differ.len() <= MAY_DIFFER, "{differ:#?}");
    }
}

#[test]
fn integers_answer_as_the_reference_does() {
    let Some(shared) = shared_dir() else {
        return;
    };
    let (pipeline, clips) = (pipeline(&shared), clips(&shared));
    let reference = said(&pipeline, Numeric::Reference, &clips);
    for precision in [Precision::Full, Precision::Light] {
        let fixed = said(&pipeline, Numeric::Fixed(precision), &clips);
        let differ: Vec<_> = fixed
            .iter()
            .zip(&reference)
            .zip(&clips)
            .filter(|((fixed, reference), _)| fixed != reference)
            .map(|((fixed, reference), clip)| {
                format!("{}: {fixed} instead of {reference}", clip.file)
            })
            .collect();
        let (kept, of) = (right(&fixed, &clips), right(&reference, &clips));
        println!(
            "fixed, {}: {} of 495 labels differ, {kept} are right (reference: {of}) {differ:?}",
            precision.name(),
            differ.len()
        );
        assert!(differ.len() <= FIXED_MAY_DIFFER, "{differ:#?}");
        assert!(kept + FIXED_MAY_LOSE >= of, "{kept} {of}");
    }
}

/// The float network before its quantisation: the host runs it, the device refuses it.
#[test]
fn a_float_network_runs_on_the_host_only() {
    let Some(shared) = shared_dir() else {
        return;
    };
    let float = pipeline_with(&shared.join("models/kws_ref_model_float32.tflite"));
    let clips: Vec<Clip> = clips(&shared).into_iter().step_by(5).collect();
    let reference = said(&float, Numeric::Reference, &clips);
    let host = said(&float, Numeric::Host, &clips);
    let quantised = said(&pipeline(&shared), Numeric::Reference, &clips);
    let equal = |a: &[String], b: &[String]| a.iter().zip(b).filter(|(a, b)| a == b).count();
    let (as_host, as_int8) = (equal(&reference, &host), equal(&reference, &quantised));
    let [float_right, int8_right] = [&reference, &quantised].map(|said| right(said, &clips));
    let n = clips.len();
    println!(
        "of {n} labels, host gives {as_host} and the int8 network {as_int8} as reference does; \
         float is right {float_right} times, int8 {int8_right}"
    );
    assert_eq!(as_host, n);
    assert!(as_int8 * 100 >= n * 93, "{as_int8} of {n}");
    assert!(float_right + 3 >= int8_right, "{float_right} {int8_right}");

    for numeric in [Numeric::F32, Numeric::Fixed(Precision::Full)] {
        let Err(error) = Engine::new(float.graph(), numeric, true) else {
            panic!("{} runs a float network", numeric.name());
        };
        assert_eq!(error.stage, "keyword");
        assert!(error.why.contains("full int8 quantisation"), "{error}");
        assert!(error.why.contains("--numeric host"), "{error}");
    }
}
