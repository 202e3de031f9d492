//! Latency of int8 models on one thread, through the plan and runner that a device uses.
//!
//! Models come from `examples/keywords` and from the shared `models` folder, where it is present.
#![forbid(unsafe_code)]

use otolith_benches::timing::{Contender, compare};
use otolith_classifier::ALL;
use otolith_dsp_core::lower::network::network_plan;
use otolith_dsp_core::plan_builder::PlanBytes;
use otolith_dsp_nostd::{Plan, Runner};
use otolith_tflite::{DType, Model};
use std::path::{Path, PathBuf};

const SHARED: [&str; 6] = [
    "kws_ref_model",
    "ad01_int8",
    "pretrainedResnet_quant",
    "vww_96_int8",
    "str_ww_ref_model",
    "micro_speech_quantized",
];

fn models() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = std::env::var_os("OTOLITH_SHARED").map_or(root.join("../shared"), PathBuf::from);
    let mut paths = vec![root.join("examples/keywords/keywords.tflite")];
    paths.extend(SHARED.map(|name| shared.join("models").join(name).with_extension("tflite")));
    paths.retain(|path| {
        let found = path.is_file();
        if !found {
            println!("absent: {}", path.display());
        }
        found
    });
    paths
}

fn main() {
    let plans: Vec<(String, PlanBytes, usize)> = models()
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let bytes = std::fs::read(path).expect("the model can be read");
            let model = Model::from_bytes(&bytes).expect("the model is valid");
            let inputs = model.inputs.iter().map(|&i| &model.tensors[i]);
            assert!(inputs.clone().all(|t| t.dtype == DType::I8));
            let n_in = inputs.map(|t| t.n_elements()).sum();
            let plan = network_plan(&name, &model).expect("the model can run");
            (name.into_owned(), plan, n_in)
        })
        .collect();
    let mut contenders: Vec<Contender<'_>> = plans
        .iter()
        .map(|(name, plan, n_in)| Contender::new(name, inference(plan, *n_in)))
        .collect();
    println!(
        "{:26} {:>12} {:>12}",
        "int8 model, one inference", "us", "arena bytes"
    );
    for (timing, (_, plan, _)) in compare(&mut contenders).iter().zip(&plans) {
        let arena = Plan::from_bytes(plan, ALL)
            .expect("the plan is valid")
            .arena_len();
        println!(
            "{:26} {:>12.1} {arena:>12}",
            timing.name,
            timing.seconds * 1e6
        );
    }
}

fn inference(plan: &PlanBytes, n_in: usize) -> impl FnMut() -> i8 {
    let plan = Plan::from_bytes(plan, ALL).expect("the plan is valid");
    let mut arena = vec![0u64; plan.arena_len().div_ceil(8)];
    // All values of int8, so that no branch is always right.
    let input: Vec<i8> = (0..n_in).map(|i| (i * 37) as i8).collect();
    move || {
        let arena = bytemuck::cast_slice_mut(&mut arena);
        let mut runner = Runner::new(plan, arena).expect("the arena has its length");
        let pushed = runner.push_i8(&input).expect("the plan takes int8");
        assert!(pushed.event.is_some());
        runner.features::<i8>().expect("int8 scores")[0]
    }
}
