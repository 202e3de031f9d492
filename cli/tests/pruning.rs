//! What `otolith inspect` says about exact pruning.

mod support;

use otolith_tflite::{BuiltinOp, Model, OpCode};
use serde_json::{Value, json};
use support::{Place, root};

/// Channels of a convolution that get weights and biases of 0.
const DEAD: [usize; 5] = [0, 3, 7, 11, 12];

/// The example's model, in whose second convolution the channels of [`DEAD`] have weights and biases of 0; the
/// index of that operator, and its channels.
fn with_dead_channels() -> (Vec<u8>, usize, usize) {
    let mut bytes = std::fs::read(root().join("examples/keywords/keywords.tflite")).expect("it");
    let model = Model::from_bytes(&bytes).expect("a model");
    let convolution = OpCode::Builtin(BuiltinOp::CONV_2D);
    let operators = model.operators.iter().enumerate();
    let mut convolutions = operators.filter(|(_, op)| op.code == convolution);
    let (index, op) = convolutions.nth(1).expect("two convolutions");
    let channels = model.tensors[op.outputs[0]].shape[3];
    for input in [1, 2] {
        let tensor = &model.tensors[op.inputs[input].expect("a constant")];
        let data = tensor.data.as_deref().expect("a constant");
        let at = bytes.windows(data.len()).position(|window| window == data);
        let at = at.expect("constants stand in the file as they are");
        let own = data.len() / channels;
        for c in DEAD {
            bytes[at + c * own..at + (c + 1) * own].fill(0);
        }
    }
    (bytes, index, channels)
}

#[test]
fn inspect_says_what_pruning_removes_and_why_it_is_exact() {
    let place = Place::new();
    let (bytes, index, channels) = with_dead_channels();
    place.write("dead.tflite", bytes);
    let report = json_of(&place.ok(&["inspect", "dead.tflite", "--json"]));
    let pruning = &report["model"]["pruning"];
    let layers = pruning["layers"].as_array().expect("layers");
    let layer = layers.iter().find(|layer| layer["operator"] == index);
    let layer = layer.expect("the layer that lost channels");
    assert_eq!(layer["channels"], channels);
    // As many channels stay as make a multiple of four.
    let stay = (channels - DEAD.len()).next_multiple_of(4);
    let removed = layer["removed"].as_array().expect("channels");
    assert_eq!(removed.len(), channels - stay);
    for channel in removed {
        let found = channel["channel"].as_u64().expect("an index") as usize;
        assert!(DEAD.contains(&found), "{channel}");
        assert!(channel["value"].is_i64(), "{channel}");
    }
    for what in ["macs", "weight_bytes"] {
        let number = |i: usize| layer[what][i].as_u64().expect("a number");
        assert_eq!(number(1) * channels as u64, number(0) * stay as u64);
        let saved: u64 = layers.iter().map(|layer| less(&layer[what])).sum();
        assert_eq!(saved, less(&pruning[what]), "{what}");
    }

    let text = place.ok(&["inspect", "dead.tflite"]);
    for part in [
        "exact pruning",
        "zero point",
        "folded",
        "part of their biases",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_model_that_loses_nothing_has_no_report() {
    let place = Place::new();
    let model = root().join("examples/keywords/keywords.tflite");
    let model = model.to_str().expect("UTF-8");
    let report = json_of(&place.ok(&["inspect", model, "--json"]));
    assert_eq!(report["model"]["pruning"]["layers"], json!([]));
    assert_eq!(less(&report["model"]["pruning"]["macs"]), 0);
    assert!(!place.ok(&["inspect", model]).contains("pruning"));
}

fn less(pair: &Value) -> u64 {
    let number = |i: usize| pair[i].as_u64().expect("a number");
    number(0) - number(1)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}
