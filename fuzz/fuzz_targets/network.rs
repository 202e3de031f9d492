//! Lowering of a model that the reader accepts, then a run of its plan.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::lower::network::network_plan;
use otolith_dsp_nostd::{Plan, Runner};
use otolith_tflite::Model;

/// Larger arenas and inputs take too long to be worth a run.
const MOST_BYTES: usize = 1 << 20;
const MOST_INPUTS: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = Model::from_bytes(bytes) else {
        return;
    };
    let Ok(bytes) = network_plan("fuzzed", &model) else {
        return;
    };
    let plan = Plan::from_bytes(&bytes, all_ops()).expect("lowering makes sound plans");
    let inputs: usize = model.inputs.iter().map(|&i| model.tensors[i].n_elements()).sum();
    if plan.arena_len() > MOST_BYTES || inputs > MOST_INPUTS {
        return;
    }
    let mut arena = vec![0u64; plan.arena_len().div_ceil(8)];
    let mut runner =
        Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).expect("an arena that is enough");
    let input: Vec<i8> = (0..inputs).map(|i| (i * 37) as i8).collect();
    // Models with other inputs refuse int8.
    let _ = runner.push_i8(&input);
});
