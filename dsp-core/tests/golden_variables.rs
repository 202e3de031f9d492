//! Models that keep variables from run to run, through a plan and the runner, against TFLite
//! Micro: every byte of every run must be equal, again after a reset.

use otolith_classifier::ALL;
use otolith_dsp_core::lower::network::network_plan;
use otolith_dsp_core::plan_builder::PlanNotes;
use otolith_dsp_nostd::{Event, Plan, PlanInfo, Runner};
use otolith_fixtures::Array;
use otolith_tflite::Model;

/// The values of an int8 array.
fn golden(name: &str) -> Vec<i8> {
    let path = otolith_fixtures::root().join("fixtures/golden/variables");
    let array = Array::read(&path.join(name));
    array.values.iter().map(|&x| x as i8).collect()
}

/// Runs a model twice over its inputs, with a reset between.
fn run(name: &str) {
    let path = otolith_fixtures::root().join("fixtures/golden/variables");
    let bytes = std::fs::read(path.join(name).with_extension("tflite")).unwrap();
    let model = Model::from_bytes(&bytes).unwrap();
    let plan = network_plan(name, &model).unwrap_or_else(|e| panic!("{e}"));
    let plan = Plan::from_bytes(&plan, ALL).unwrap();
    // Nothing may depend on what was in the arena.
    let mut arena = vec![0xA5A5_A5A5_A5A5_A5A5u64; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let inputs = golden(&format!("{name}_input.npy"));
    let outputs = golden(&format!("{name}_output.npy"));
    let runs = 12;
    for round in 0..2 {
        let pushes = inputs.chunks_exact(inputs.len() / runs);
        let wants = outputs.chunks_exact(outputs.len() / runs);
        assert_eq!((pushes.len(), wants.len()), (runs, runs));
        for (i, (input, want)) in pushes.zip(wants).enumerate() {
            let pushed = runner.push_i8(input).unwrap();
            assert_eq!(pushed.event, Some(Event::Features));
            let got = runner.features::<i8>().unwrap();
            assert_eq!(got, want, "{name}, round {round}, run {i}");
        }
        runner.reset();
    }
}

/// A variable with a first value of its own that is read, changed and assigned.
#[test]
fn a_running_sum() {
    run("sum");
}

/// A window of rows that starts at the zero point, as in streaming models.
#[test]
fn a_ring_of_rows() {
    run("ring");
}

/// A value that is read before the variable is assigned and used after it.
#[test]
fn the_value_from_before_an_assignment() {
    run("old");
}

/// The ring's window is written into its variable at once; `old` needs the value from before, and
/// what it assigns is an input.
#[test]
fn only_values_that_outlive_their_variable_are_copied() {
    let old = ["old.2.READ_VARIABLE", "old.3.ASSIGN_VARIABLE"];
    for (name, copies) in [("ring", &[][..]), ("old", &old)] {
        let path = otolith_fixtures::root().join("fixtures/golden/variables");
        let bytes = std::fs::read(path.join(name).with_extension("tflite")).unwrap();
        let model = Model::from_bytes(&bytes).unwrap();
        let plan = network_plan(name, &model).unwrap();
        let info = PlanInfo::from_bytes(&plan).unwrap().info();
        // The part is filled up with zeros.
        let end = info.iter().rposition(|&b| b != 0).unwrap();
        let notes: PlanNotes = serde_json::from_slice(&info[..=end]).unwrap();
        let steps = notes.steps.iter().filter(|s| s.ends_with("_VARIABLE"));
        assert_eq!(steps.collect::<Vec<_>>(), copies);
    }
}
