//! Whole networks through a plan and the runner, against the TFLite reference kernels: every
//! byte of every case must be equal.
//!
//! The oracle is `golden/tflite` in the shared folder: models, inputs and the outputs that
//! TensorFlow Lite's and TFLite Micro's reference kernels gave. Every model is run but those of
//! [`NOT_YET`], and those must be refused.

use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::lower::network::{network_plan, source_inputs, unsupported};
use otolith_dsp_nostd::format::{Elem, Element};
use otolith_dsp_nostd::{Event, Plan, PlanInfo, Runner};
use otolith_tflite::Model;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Models that do not run, by what they need: each must be refused with a reason.
const NOT_YET: &[(&str, &str)] = &[
    ("ad01_dynrange", "float networks"),
    ("ad01_fp32", "float networks"),
    ("hello_world_float", "float networks"),
    ("kws_ref_model_float32", "float networks"),
    ("pretrainedResnet_float", "float networks"),
    ("trained_lstm", "float networks"),
    ("vww_96_float", "float networks"),
    ("audio_preprocessor_float", "float networks"),
];

/// What the golden folder held when this test was written.
const EXPECTED_MODELS: usize = 221;
const EXPECTED_CASES: usize = 2233;

fn golden() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("OTOLITH_SHARED").map_or(beside, PathBuf::from);
    let folder = shared.join("golden/tflite");
    folder.join("manifest.json").is_file().then_some(folder)
}

/// Bytes that start at a multiple of 8.
struct Aligned(Vec<u64>);

impl Aligned {
    fn zeros(len: usize) -> Self {
        Self(vec![0; len.div_ceil(8)])
    }

    fn bytes(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

fn push(runner: &mut Runner<'_>, elem: Elem, bytes: &[u8]) -> (usize, Option<Event>) {
    fn values<T: Element>(bytes: &[u8]) -> Vec<T> {
        let elements = bytes.chunks_exact(size_of::<T>());
        elements.map(bytemuck::pod_read_unaligned).collect()
    }
    let pushed = match elem {
        Elem::I8 => runner.push_i8(&values(bytes)),
        Elem::I16 => runner.push_i16(&values(bytes)),
        Elem::I32 => runner.push_i32(&values(bytes)),
        Elem::F32 => runner.push_f32(&values(bytes)),
        other => panic!("no push for {other:?}"),
    };
    let pushed = pushed.unwrap();
    (pushed.consumed * elem.size(), pushed.event)
}

/// Runs all cases of a model; returns their number, or the first difference.
fn run(folder: &Path, entry: &Value, model: &Model) -> Result<usize, String> {
    let name = entry["name"].as_str().unwrap();
    let plan_bytes = network_plan(name, model).map_err(|e| e.to_string())?;
    let plan = Plan::from_bytes(&plan_bytes, all_ops()).map_err(|e| e.to_string())?;
    let elem = Elem::from_code(
        PlanInfo::from_bytes(&plan_bytes)
            .unwrap()
            .header()
            .source_elem,
    );
    let elem = elem.unwrap();
    // An arena full of garbage: nothing may depend on what was there.
    let mut arena = Aligned::zeros(plan.arena_len());
    arena.bytes().fill(0xA5);
    let mut runner = Runner::new(plan, arena.bytes()).map_err(|e| e.to_string())?;

    let data = std::fs::read(folder.join(entry["data"].as_str().unwrap())).unwrap();
    // TFLite Micro is the contract where its outputs differ from TensorFlow's, but for RELU6,
    // where it forgets the change of scale.
    let truth = entry["tflm_outputs"]
        .as_str()
        .filter(|_| name != "relu6")
        .map(|file| std::fs::read(folder.join(file)).unwrap());
    let bytes_of_one = |t: &Value| -> usize {
        let shape = t["shape"].as_array().unwrap().iter();
        let n: u64 = shape.map(|d| d.as_u64().unwrap()).product();
        let size = match t["dtype"].as_str().unwrap() {
            "int8" | "uint8" => 1,
            "int16" => 2,
            _ => 4,
        };
        n as usize * size
    };
    let bytes_of = |list: &Value| -> usize {
        let tensors = list.as_array().unwrap().iter();
        tensors.map(bytes_of_one).sum()
    };
    // Output shapes among the inputs are not part of the plan.
    let taken = source_inputs(model);
    let (n_in, n_out) = (bytes_of(&entry["inputs"]), bytes_of(&entry["outputs"]));
    let cases = entry["cases"].as_array().unwrap();
    for (i, case) in cases.iter().enumerate() {
        let at = case["offset"].as_u64().unwrap() as usize;
        let mut input = Vec::new();
        let mut from = at;
        let tensors = entry["inputs"].as_array().unwrap();
        for (index, tensor) in model.inputs.iter().zip(tensors) {
            let to = from + bytes_of_one(tensor);
            if taken.contains(index) {
                input.extend_from_slice(&data[from..to]);
            }
            from = to;
        }
        let want = match &truth {
            Some(truth) => &truth[i * n_out..(i + 1) * n_out],
            None => &data[at + n_in..at + n_in + n_out],
        };
        let label = case["case"].as_str().unwrap();
        if case["reset_before"].as_bool().unwrap() {
            runner.reset();
        }
        let (consumed, event) = push(&mut runner, elem, &input);
        let n_in = input.len();
        if consumed != n_in || event != Some(Event::Features) {
            return Err(format!(
                "case {label}: consumed {consumed} of {n_in}, {event:?}"
            ));
        }
        let (_, got) = runner.features_bytes().ok_or("no features tensor")?;
        if got != want {
            let n = got.iter().zip(want).filter(|(a, b)| a != b).count();
            let first = got.iter().zip(want).position(|(a, b)| a != b);
            return Err(format!(
                "case {label}: {n} of {n_out} bytes differ, first at {first:?}"
            ));
        }
    }
    Ok(cases.len())
}

#[test]
fn every_byte_equals_the_reference_kernels() {
    let Some(folder) = golden() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "golden/tflite of the shared folder is needed"
        );
        println!("shared golden folder absent: no network compared with TFLite");
        return;
    };
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let (mut models, mut cases) = (0, 0);
    let mut by_op: BTreeMap<String, usize> = BTreeMap::new();
    let mut skipped: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut failures = Vec::new();
    for entry in manifest["models"].as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        let bytes = std::fs::read(folder.join(entry["model"].as_str().unwrap())).unwrap();
        let model = Model::from_bytes(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        if let Some((_, needs)) = NOT_YET.iter().find(|(listed, _)| *listed == name) {
            // A model that runs must be compared.
            if network_plan(name, &model).is_ok() {
                failures.push(format!(
                    "{name}: lowering accepts it, so take it off NOT_YET"
                ));
            }
            skipped.entry(*needs).or_default().push(name.into());
            continue;
        }
        if !unsupported(&model).is_empty() {
            failures.push(format!("{name}: unsupported {:?}", unsupported(&model)));
        }
        match run(&folder, entry, &model) {
            Ok(n) => {
                models += 1;
                cases += n;
                for op in entry["ops"].as_array().unwrap() {
                    *by_op.entry(op.as_str().unwrap().into()).or_default() += n;
                }
                println!("equal    {name}: {n} cases");
            }
            Err(why) => failures.push(format!("{name}: {why}")),
        }
    }
    for (reason, names) in &skipped {
        println!("skipped  {reason}: {}", names.join(", "));
    }
    let n_skipped: usize = skipped.values().map(Vec::len).sum();
    println!("operator runs compared: {by_op:?}");
    println!("{models} models with {cases} cases equal, {n_skipped} models skipped");
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(
        models >= EXPECTED_MODELS && cases >= EXPECTED_CASES,
        "only {models} models and {cases} cases ran"
    );
}

/// A model that cannot run is refused with every operator at fault, its shape, and what to do.
#[test]
fn all_unsupported_operators_are_named_at_once() {
    let Some(folder) = golden() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "golden/tflite of the shared folder is needed"
        );
        println!("shared golden folder absent: no refusals compared");
        return;
    };
    let refusal = |name: &str| {
        let bytes = std::fs::read(folder.join(name).with_extension("tflite")).unwrap();
        let model = Model::from_bytes(&bytes).unwrap();
        (
            unsupported(&model),
            network_plan(name, &model).unwrap_err().to_string(),
        )
    };
    let (faults, text) = refusal("hello_world_float");
    let names: Vec<&str> = faults.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["FULLY_CONNECTED"; 3]);
    let start = "hello_world_float: 3 operators of the model cannot run:";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("is float32, allowed is int8"), "{text}");
}
