//! The RAM of the reference networks, against lower bounds and TFLite Micro.
//!
//! For each int8 model of `models` in the shared folder: the arena of its plan; the largest sum of
//! state and activations that are alive at one step, an output that may lie over its input counted
//! once; the same with the scratch of the steps' kernels, below which no layout of these steps can
//! be; and TFLite Micro's arena for the same model. `OTOLITH_UPDATE=1 cargo xtask arena` writes the
//! table to `benches/snapshots/arena.txt`.

use otolith_classifier::ALL;
use otolith_dsp_core::deploy::Kernels;
use otolith_dsp_core::lower::network::{network_arena, network_plan_for};
use otolith_dsp_core::plan_builder::{ArenaUse, PlanNotes};
use otolith_dsp_nostd::format::{ARENA_ALIGN, Place};
use otolith_dsp_nostd::{InitError, Plan, PlanInfo, Runner};
use otolith_tflite::Model;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arenas of TFLite Micro: on a Cortex-M4F with CMSIS-NN, or where nobody measured that, on x86-64
/// as its Python wheel prints it.
const MODELS: [(&str, usize, &str); 8] = [
    ("kws_ref_model", 22_820, "M4F"),
    ("ad01_int8", 2_580, "M4F"),
    ("pretrainedResnet_quant", 54_996, "M4F"),
    ("vww_96_int8", 100_708, "M4F"),
    ("str_ww_ref_model", 16_596, "M4F"),
    ("micro_speech_quantized", 6_836, "M4F"),
    ("hello_world_int8", 772, "M4F"),
    ("trained_lstm_int8", 4_208, "x86-64"),
];

fn model(name: &str) -> Model {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("OTOLITH_SHARED").map_or(beside, PathBuf::from);
    let path = shared.join("models").join(name).with_extension("tflite");
    let bytes = std::fs::read(&path);
    let bytes = bytes.unwrap_or_else(|e| panic!("{}: {e}; set OTOLITH_SHARED", path.display()));
    Model::from_bytes(&bytes).expect("a reference model")
}

fn arena(model: &Model, kernels: Kernels) -> ArenaUse {
    network_arena("network", model, kernels).expect("an int8 model")
}

#[test]
fn arenas_are_within_2_percent_of_the_bound_and_below_tflite_micros() {
    let mut table = String::from(
        "bytes; bounds: without and with the scratch of kernels; ratio: arena over the bound with scratch\n\n\
         network                 weights  arena  activations  with scratch  ratio   TFLM  on      fullest step\n",
    );
    let mut wrong = Vec::new();
    for (name, tflm, core) in MODELS {
        let model = model(name);
        for kernels in [Kernels::Packed, Kernels::Plain] {
            let found = arena(&model, kernels);
            let ratio = found.arena as f64 / found.live as f64;
            let form = match kernels {
                Kernels::Packed => "packed",
                Kernels::Plain => "plain",
            };
            writeln!(
                table,
                "{name:<22}  {form:<7}  {:>5}  {:>11}  {:>12}  {ratio:>5.3}  {tflm:>5}  {core:<6}  {}",
                found.arena, found.activations, found.live, found.step
            )
            .expect("a string");
            // The arena ends at a multiple of its alignment.
            let bound = found.live + found.live / 50;
            if found.arena > bound.next_multiple_of(ARENA_ALIGN) {
                wrong.push(format!("{name} {form}: {found:?} is 2 % beyond the bound"));
            }
            if found.arena > tflm {
                wrong.push(format!("{name} {form}: {found:?} is beyond TFLM's {tflm}"));
            }
            assert!(found.activations <= found.live && found.live <= found.arena);
        }
    }
    println!("{table}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/snapshots/arena.txt");
    if std::env::var_os("OTOLITH_UPDATE").is_some() {
        std::fs::write(&path, &table).expect("the snapshot");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        table, committed,
        "benches/snapshots/arena.txt differs: if that is meant, OTOLITH_UPDATE=1 cargo xtask arena"
    );
}

/// A byte less than the arena is refused with the arena's size, and weights stay in the plan.
#[test]
fn arenas_are_exact_and_hold_no_weights() {
    for (name, _, _) in MODELS {
        let model = model(name);
        for kernels in [Kernels::Packed, Kernels::Plain] {
            let bytes = network_plan_for("network", &model, kernels).expect("a plan");
            let plan = Plan::from_bytes(&bytes, ALL).expect("a valid plan");
            let need = plan.arena_len();
            assert_eq!(need, arena(&model, kernels).arena, "{name}");
            let mut memory = vec![0u64; need / 8];
            let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
            let got = need - 1;
            let refused = Runner::new(plan, &mut memory[..got]).err();
            assert_eq!(refused, Some(InitError::ArenaTooSmall { need, got }));
            Runner::new(plan, memory).expect("the whole arena");

            let info = PlanInfo::from_bytes(&bytes).expect("a valid plan");
            let notes: PlanNotes = serde_json::from_slice(info.info()).expect("names");
            let tables = notes.tensors.iter().zip(info.tensors());
            let is_table = |name: &str| {
                [".weights", ".channels", ".bias"]
                    .iter()
                    .any(|end| name.ends_with(end))
            };
            let mut tables: Vec<_> = tables.filter(|((name, _), _)| is_table(name)).collect();
            assert!(!tables.is_empty(), "{name}");
            tables.retain(|(_, record)| record.place != Place::Data as u8);
            assert!(tables.is_empty(), "{name}: {tables:?} lie in the arena");
        }
    }
}
