//! Thousands of random single-operator models against TFLite Micro's reference kernels: every
//! output byte must be equal, through plan and runner and through the reference interpreter.
//!
//! `fixtures/gen/random_models.py` made models, inputs and outputs; a record's number is its seed.

use otolith_classifier::ALL;
use otolith_dsp_core::deploy::Kernels;
use otolith_dsp_core::lower::network::network_plan_for;
use otolith_dsp_core::network::{Arithmetic, Interpreter};
use otolith_dsp_nostd::format::{Elem, Element};
use otolith_dsp_nostd::{Event, Plan, PlanInfo, Runner};
use otolith_tflite::Model;
use std::collections::BTreeMap;

/// A model, its inputs and the outputs of the reference kernels, tensors one behind the other.
struct Record {
    model: Vec<u8>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
}

fn records() -> Vec<Record> {
    let path = otolith_fixtures::root().join("fixtures/golden/random_models.bin");
    let packed = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let bytes = miniz_oxide::inflate::decompress_to_vec_zlib(&packed).unwrap();
    let (count, mut rest) = bytes.split_at(4);
    let mut part = || {
        let (len, tail) = rest.split_at(2);
        let len = usize::from(u16::from_le_bytes(len.try_into().unwrap()));
        let (part, tail) = tail.split_at(len);
        rest = tail;
        part.to_vec()
    };
    let count = u32::from_le_bytes(count.try_into().unwrap());
    let records = (0..count).map(|_| Record {
        model: part(),
        inputs: part(),
        outputs: part(),
    });
    records.collect()
}

fn values<T: Element>(bytes: &[u8]) -> Vec<T> {
    let elements = bytes.chunks_exact(size_of::<T>());
    elements.map(bytemuck::pod_read_unaligned).collect()
}

/// The output of the device's plan.
fn on_the_device(model: &Model, kernels: Kernels, inputs: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = network_plan_for("m", model, kernels).map_err(|e| e.to_string())?;
    let plan = Plan::from_bytes(&bytes, ALL).map_err(|e| e.to_string())?;
    let source = PlanInfo::from_bytes(&bytes).unwrap().header().source_elem;
    // An arena full of garbage: nothing may depend on what was there.
    let mut arena = vec![0xA5A5_A5A5_A5A5_A5A5_u64; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let pushed = match Elem::from_code(source).unwrap() {
        Elem::I8 => runner.push_i8(&values(inputs)),
        Elem::I16 => runner.push_i16(&values(inputs)),
        Elem::I32 => runner.push_i32(&values(inputs)),
        Elem::F32 => runner.push_f32(&values(inputs)),
        other => panic!("no push for {other:?}"),
    };
    let event = pushed.map_err(|e| e.to_string())?.event;
    if event != Some(Event::Features) {
        return Err(format!("no output, but {event:?}"));
    }
    Ok(runner.features_bytes().unwrap().1.to_vec())
}

/// The output of the reference interpreter.
fn in_the_interpreter(model: &Model, inputs: &[u8]) -> Result<Vec<u8>, String> {
    let mut rest = inputs;
    let parts = model.inputs.iter().map(|&index| {
        let tensor = &model.tensors[index];
        let (part, tail) = rest.split_at(tensor.n_elements() * tensor.dtype.size().unwrap());
        rest = tail;
        part
    });
    let parts: Vec<&[u8]> = parts.collect();
    let mut interpreter = Interpreter::<f32>::new(model, Arithmetic::Exact);
    interpreter.run(&parts).map_err(|e| e.to_string())?;
    let output = model.tensors[model.outputs[0]].dtype;
    Ok(interpreter.output().unwrap().to_bytes(output))
}

fn compare(found: &[u8], want: &[u8]) -> Result<(), String> {
    if found == want {
        return Ok(());
    }
    let mut pairs = found.iter().zip(want);
    let n = pairs.clone().filter(|(a, b)| a != b).count();
    let first = pairs.position(|(a, b)| a != b);
    let (len, need) = (found.len(), want.len());
    Err(format!(
        "{n} bytes differ, the first at {first:?}; {len} bytes of {need}"
    ))
}

/// Runs and compares every record.
fn every_record(run: impl Fn(&Model, &[u8]) -> Result<Vec<u8>, String>) {
    let records = records();
    assert!(records.len() >= 5000, "only {} records", records.len());
    let mut equal: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (seed, record) in records.iter().enumerate() {
        let model = Model::from_bytes(&record.model).unwrap_or_else(|e| panic!("{seed}: {e}"));
        let codes = model.operators.iter().map(|op| op.code.to_string());
        let name = codes.collect::<Vec<_>>().join("+");
        let result = run(&model, &record.inputs).and_then(|found| compare(&found, &record.outputs));
        match result {
            Ok(()) => *equal.entry(name).or_default() += 1,
            Err(why) => {
                let shapes: Vec<_> = model.tensors.iter().map(|t| &t.shape).collect();
                let line = format!("seed {seed}: {why}; shapes {shapes:?}");
                failures.entry(name).or_default().push(line);
            }
        }
    }
    println!("equal: {equal:?}");
    for (name, lines) in &failures {
        println!(
            "{name}: {} failed\n{}",
            lines.len(),
            lines[..lines.len().min(5)].join("\n")
        );
    }
    let failed: usize = failures.values().map(Vec::len).sum();
    assert_eq!(failed, 0, "of {} models", records.len());
}

#[test]
fn plans_equal_the_reference_kernels() {
    for kernels in [Kernels::Plain, Kernels::Packed] {
        println!("{kernels:?}");
        let run = |model: &Model, inputs: &[u8]| on_the_device(model, kernels, inputs);
        every_record(run);
    }
}

#[test]
fn the_interpreter_equals_the_reference_kernels() {
    every_record(in_the_interpreter);
}
