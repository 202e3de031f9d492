//! Lowering of a model that the reader accepts, a run of its plan, and the same bytes from the
//! reference interpreter.

use otolith_dsp_core::deploy::Kernels;
use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::lower::network::network_plan_for;
use otolith_dsp_core::network::{Arithmetic, Interpreter, macs};
use otolith_dsp_core::plan_builder::PlanBytes;
use otolith_dsp_nostd::format::{Elem, Element};
use otolith_dsp_nostd::{Plan, PlanInfo, Runner};
use otolith_tflite::{DType, Model};

/// Larger networks take too long to be worth a run.
const MOST_ELEMENTS: usize = 1 << 18;
const MOST_MACS: u64 = 1 << 22;

/// Whatever a model file holds, it is refused or runs, and both forms of weights and the
/// interpreter give the same outputs.
pub fn network(bytes: &[u8]) {
    let Ok(model) = Model::from_bytes(bytes) else {
        return;
    };
    let elements: usize = model.tensors.iter().map(|tensor| tensor.n_elements()).sum();
    let products = model.operators.iter().map(|op| macs(&model, op));
    if elements > MOST_ELEMENTS || products.fold(0, u64::saturating_add) > MOST_MACS {
        return;
    }
    let input = inputs(&model);
    let outputs: Vec<Vec<u8>> = [Kernels::Plain, Kernels::Packed]
        .into_iter()
        .filter_map(|kernels| network_plan_for("fuzzed", &model, kernels).ok())
        .map(|plan| run(&plan, &input.concat()))
        .collect();
    let [plain, packed] = outputs.as_slice() else {
        assert!(outputs.is_empty(), "one form of weights is refused");
        return;
    };
    assert_eq!(plain, packed, "plain and packed weights");
    if let Some(expected) = interpreted(&model, &input) {
        assert_eq!(*plain, expected, "plan and interpreter");
    }
}

/// One value after the other for each input: all of int8, and modest ones of float.
fn inputs(model: &Model) -> Vec<Vec<u8>> {
    let inputs = model.inputs.iter().map(|&index| {
        let tensor = &model.tensors[index];
        let n = tensor.n_elements();
        if tensor.dtype == DType::F32 {
            let values = (0..n).map(|i| ((i * 37) as i8 as f32 / 16.0).to_le_bytes());
            values.flatten().collect()
        } else {
            let n = n * tensor.dtype.size().unwrap_or(0);
            (0..n).map(|i| (i * 37) as u8).collect()
        }
    });
    inputs.collect()
}

fn run(bytes: &PlanBytes, input: &[u8]) -> Vec<u8> {
    fn values<T: Element>(bytes: &[u8]) -> Vec<T> {
        let elements = bytes.chunks_exact(size_of::<T>());
        elements.map(bytemuck::pod_read_unaligned).collect()
    }
    let plan = Plan::from_bytes(bytes, all_ops()).expect("lowering makes sound plans");
    let source = PlanInfo::from_bytes(bytes)
        .expect("a sound plan")
        .header()
        .source_elem;
    // Garbage, because nothing may depend on what was in the arena.
    let mut arena = vec![0xA5A5_A5A5_A5A5_A5A5_u64; plan.arena_len().div_ceil(8)];
    let mut runner =
        Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).expect("an arena that is enough");
    match Elem::from_code(source) {
        Some(Elem::I8) => runner.push_i8(&values(input)),
        Some(Elem::I16) => runner.push_i16(&values(input)),
        Some(Elem::F32) => runner.push_f32(&values(input)),
        other => panic!("a plan that takes {other:?}"),
    }
    .expect("a plan that runs");
    runner
        .features_bytes()
        .expect("all inputs were given")
        .1
        .to_vec()
}

/// The outputs of the reference interpreter, one behind the other; `None` when it does not run
/// the model.
fn interpreted(model: &Model, input: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut interpreter = Interpreter::<f32>::new(model, Arithmetic::Exact);
    let parts: Vec<&[u8]> = input.iter().map(Vec::as_slice).collect();
    interpreter.run(&parts).ok()?;
    let mut outputs = Vec::new();
    for &index in &model.outputs {
        outputs.extend(
            interpreter
                .tensor(index)?
                .to_bytes(model.tensors[index].dtype),
        );
    }
    Some(outputs)
}
