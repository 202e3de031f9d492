//! The reference interpreter against TensorFlow Lite: float models within a tolerance that only
//! the order of sums explains, integer models byte for byte.

use otolith_dsp_core::network::{Arithmetic, Interpreter};
use otolith_tflite::{DType, Model};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Float models, and the largest error in `f32` and in `f64` relative to the largest magnitude
/// of the golden outputs: a few hundred roundings of 2^-24.
const FLOAT_MODELS: [(&str, f64, f64); 7] = [
    ("hello_world_float", 1e-6, 3e-6),
    ("trained_lstm", 1e-5, 1e-5),
    ("ad01_fp32", 1e-5, 1e-5),
    ("pretrainedResnet_float", 1e-5, 1e-5),
    ("vww_96_float", 1e-5, 1e-5),
    // Their weights are int8. The reference engine also rounds the activations before each layer
    // to 8 bits at a scale of the moment; they stay float in ours.
    ("kws_ref_model_float32", 0.03, 0.03),
    ("ad01_dynrange", 0.05, 0.05),
];

/// Integer models that the interpreter ran when this test was written.
const EXPECTED_INTEGER_MODELS: usize = 202;

fn golden() -> Option<(PathBuf, Vec<Value>)> {
    let folder = otolith_fixtures::shared_dir()?.join("golden/tflite");
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    Some((folder, manifest["models"].as_array().unwrap().clone()))
}

fn model(folder: &Path, entry: &Value) -> Model {
    let bytes = std::fs::read(folder.join(entry["model"].as_str().unwrap())).unwrap();
    Model::from_bytes(&bytes).unwrap_or_else(|e| panic!("{}: {e}", entry["name"]))
}

/// Bytes of each tensor of a list of the manifest.
fn sizes(list: &Value) -> Vec<usize> {
    let tensors = list.as_array().unwrap().iter();
    let size = |tensor: &Value| {
        let shape = tensor["shape"].as_array().unwrap().iter();
        let elements: u64 = shape.map(|d| d.as_u64().unwrap()).product();
        let size = match tensor["dtype"].as_str().unwrap() {
            "int8" | "uint8" | "bool" => 1,
            "int16" => 2,
            "int64" => 8,
            _ => 4,
        };
        elements as usize * size
    };
    tensors.map(size).collect()
}

fn split<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let parts = sizes.iter().map(|&size| {
        let (part, rest) = bytes.split_at(size);
        bytes = rest;
        part
    });
    parts.collect()
}

/// Inputs and expected outputs of every case, and whether state is forgotten before it.
struct Case {
    reset: bool,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
}

fn cases(folder: &Path, entry: &Value) -> Vec<Case> {
    let data = std::fs::read(folder.join(entry["data"].as_str().unwrap())).unwrap();
    // TFLite Micro is the contract where it differs from TensorFlow, except for its RELU6, which
    // ignores a change of scale.
    let truth = entry["tflm_outputs"].as_str();
    let truth = truth.filter(|_| entry["name"] != "relu6");
    let truth = truth.map(|file| std::fs::read(folder.join(file)).unwrap());
    let (inputs, outputs) = (sizes(&entry["inputs"]), sizes(&entry["outputs"]));
    let [n_in, n_out] = [&inputs, &outputs].map(|sizes| sizes.iter().sum::<usize>());
    let own = |parts: Vec<&[u8]>| parts.into_iter().map(<[u8]>::to_vec).collect();
    let list = entry["cases"].as_array().unwrap().iter().enumerate();
    list.map(|(i, case)| {
        let at = case["offset"].as_u64().unwrap() as usize;
        let want = match &truth {
            Some(truth) => &truth[i * n_out..][..n_out],
            None => &data[at + n_in..][..n_out],
        };
        Case {
            reset: case["reset_before"].as_bool().unwrap_or(true),
            inputs: own(split(&data[at..], &inputs)),
            outputs: own(split(want, &outputs)),
        }
    })
    .collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks::<4>();
    elements.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn references(inputs: &[Vec<u8>]) -> Vec<&[u8]> {
    inputs.iter().map(Vec::as_slice).collect()
}

#[test]
fn float_models_follow_the_reference_engine() {
    let Some((folder, entries)) = golden() else {
        return;
    };
    let mut failures = Vec::new();
    for (name, single, double) in FLOAT_MODELS {
        let entry = entries.iter().find(|entry| entry["name"] == name).unwrap();
        let model = model(&folder, entry);
        let mut f32s = Interpreter::<f32>::new(&model, Arithmetic::Exact);
        let mut f64s = Interpreter::<f64>::new(&model, Arithmetic::Exact);
        let (mut errors, mut largest) = ([0.0f64; 2], 0.0f64);
        for case in cases(&folder, entry) {
            if case.reset {
                f32s.reset();
                f64s.reset();
            }
            f32s.run(&references(&case.inputs)).unwrap();
            f64s.run(&references(&case.inputs)).unwrap();
            for (&index, want) in model.outputs.iter().zip(&case.outputs) {
                let tensor = &model.tensors[index];
                let single = f32s.tensor(index).unwrap().to_f64(tensor);
                let double = f64s.tensor(index).unwrap().to_f64(tensor);
                let want = floats(want);
                assert_eq!(single.len(), want.len(), "{name}");
                for ((single, double), want) in single.iter().zip(&double).zip(want) {
                    let want = f64::from(want);
                    largest = largest.max(want.abs());
                    errors[0] = errors[0].max((single - want).abs());
                    errors[1] = errors[1].max((double - want).abs());
                }
            }
        }
        let [a, b] = errors.map(|error| error / largest);
        println!("{name}: relative error {a:.2e} in f32, {b:.2e} in f64");
        // Also false for NaN.
        if !(a <= single && b <= double) {
            failures.push(name);
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn integer_models_are_equal_byte_for_byte() {
    let Some((folder, entries)) = golden() else {
        return;
    };
    let (mut equal, mut refused) = (0, BTreeMap::<String, Vec<String>>::new());
    let mut failures = Vec::new();
    'models: for entry in &entries {
        let name = entry["name"].as_str().unwrap();
        if FLOAT_MODELS.iter().any(|(float, ..)| *float == name) {
            continue;
        }
        let model = model(&folder, entry);
        let mut interpreter = Interpreter::<f32>::new(&model, Arithmetic::Exact);
        for (i, case) in cases(&folder, entry).into_iter().enumerate() {
            if case.reset {
                interpreter.reset();
            }
            if let Err(error) = interpreter.run(&references(&case.inputs)) {
                refused
                    .entry(error.to_string())
                    .or_default()
                    .push(name.to_owned());
                continue 'models;
            }
            for (&index, want) in model.outputs.iter().zip(&case.outputs) {
                let dtype: DType = model.tensors[index].dtype;
                let found = interpreter.tensor(index).unwrap().to_bytes(dtype);
                if found != *want {
                    let n = found.iter().zip(want).filter(|(a, b)| a != b).count();
                    failures.push(format!("{name}, case {i}: {n} of {} bytes", want.len()));
                    continue 'models;
                }
            }
        }
        equal += 1;
    }
    for (why, names) in &refused {
        println!("refused  {why}: {}", names.join(", "));
    }
    println!("{equal} models equal");
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(equal >= EXPECTED_INTEGER_MODELS, "only {equal} models ran");
}
