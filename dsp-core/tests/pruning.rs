//! Exact pruning: models with channels that are made constant give the same bytes without them, for the
//! reference interpreter, which knows nothing of pruning, is the oracle.

use otolith_classifier::ALL;
use otolith_dsp_core::deploy::Kernels;
use otolith_dsp_core::lower::network::network_plan_for;
use otolith_dsp_core::lower::network::prune::{Pruned, Reason, prune};
use otolith_dsp_core::network::{Arithmetic, Interpreter, macs};
use otolith_dsp_nostd::{Plan, Runner};
use otolith_tflite::{BuiltinOp, DType, Model, OpCode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const EXAMPLE: &[u8] = include_bytes!("../../examples/keywords/keywords.tflite");

/// Convolutions of the model, with the tensors of their weights and biases.
fn layers(model: &Model) -> Vec<(bool, usize, usize)> {
    let layers = model.operators.iter().filter_map(|op| {
        let depthwise = match op.code {
            OpCode::Builtin(BuiltinOp::CONV_2D) => false,
            OpCode::Builtin(BuiltinOp::DEPTHWISE_CONV_2D) => true,
            _ => return None,
        };
        Some((depthwise, op.inputs[1]?, op.inputs[2]?))
    });
    layers.collect()
}

/// Zeros the weights of channels of a layer and gives them a bias, where `kill` says so.
fn kill(model: &mut Model, layer: (bool, usize, usize), kill: impl Fn(usize) -> Option<i32>) {
    let (depthwise, weights, bias) = layer;
    let channels = model.tensors[bias].n_elements();
    let mut values = model.tensors[weights].data.as_ref().unwrap().to_vec();
    let mut biases = model.tensors[bias].data.as_ref().unwrap().to_vec();
    let taps = values.len() / channels;
    for c in 0..channels {
        let Some(bias) = kill(c) else { continue };
        for t in 0..taps {
            values[if depthwise {
                t * channels + c
            } else {
                c * taps + t
            }] = 0;
        }
        biases[4 * c..4 * c + 4].copy_from_slice(&bias.to_le_bytes());
    }
    model.tensors[weights].data = Some(values.into());
    model.tensors[bias].data = Some(biases.into());
}

fn on_the_device(model: &Model, kernels: Kernels, input: &[i8]) -> Vec<u8> {
    let bytes = network_plan_for("m", model, kernels).unwrap();
    let plan = Plan::from_bytes(&bytes, ALL).unwrap();
    let mut arena = vec![0xA5A5_A5A5_A5A5_A5A5_u64; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    runner.push_i8(input).unwrap();
    runner.features_bytes().unwrap().1.to_vec()
}

fn by_the_reference(model: &Model, input: &[i8]) -> Vec<u8> {
    let mut interpreter = Interpreter::<f64>::new(model, Arithmetic::Exact);
    interpreter.run(&[bytemuck::cast_slice(input)]).unwrap();
    let output = model.tensors[model.outputs[0]].dtype;
    interpreter.output().unwrap().to_bytes(output)
}

#[test]
fn what_is_removed_is_not_missed() {
    let original = Model::from_bytes(EXAMPLE).unwrap();
    let layers = layers(&original);
    assert!(layers.len() > 3);
    let n_in = original.tensors[original.inputs[0]].n_elements();
    let mut runner = TestRunner::new(Config::with_cases(24));
    let strategy = (
        proptest::collection::vec(any::<(u8, i32)>(), 64 * layers.len()),
        proptest::collection::vec(any::<i8>(), n_in),
        0u8..255,
    );
    let mut pruned = 0;
    let outcome = runner.run(&strategy, |(dice, input, share)| {
        let mut model = original.clone();
        for (i, &layer) in layers.iter().enumerate() {
            kill(&mut model, layer, |c| {
                let (die, bias) = dice[(64 * i + c) % dice.len()];
                (die < share).then_some(bias >> 14)
            });
        }
        let want = by_the_reference(&model, &input);
        for kernels in [Kernels::Plain, Kernels::Packed] {
            prop_assert_eq!(&on_the_device(&model, kernels, &input), &want);
        }
        Ok(())
    });
    outcome.unwrap();
    // The property above holds for models that lose nothing too: most must lose something.
    for share in [40, 120, 200] {
        let mut model = original.clone();
        for &layer in &layers {
            kill(&mut model, layer, |c| {
                (c * 37 % 255 < share).then_some(1000)
            });
        }
        let (smaller, found) = prune(&model);
        let less = found.iter().filter(|layer| !layer.removed.is_empty());
        pruned += less.count();
        for layer in &found {
            check_report(&model, &smaller, layer);
        }
    }
    assert!(pruned >= 3 * (layers.len() - 2), "{pruned}");
}

/// The report says what the two models show.
fn check_report(before: &Model, after: &Model, layer: &Pruned) {
    let op = &before.operators[layer.index];
    let channels = |model: &Model| *model.tensors[op.outputs[0]].shape.last().unwrap();
    assert_eq!(layer.channels, channels(before));
    assert_eq!(layer.channels - layer.removed.len(), channels(after));
    assert_eq!(layer.macs, [before, after].map(|model| macs(model, op)));
    let bytes = |model: &Model| -> usize {
        let constants = op.inputs[1..].iter().flatten().map(|&t| &model.tensors[t]);
        constants.map(|t| t.data.as_ref().unwrap().len()).sum()
    };
    assert_eq!(layer.weight_bytes, [before, after].map(bytes));
    assert!(layer.macs[1] < layer.macs[0], "{layer:?}");
    let zero = before.tensors[op.outputs[0]]
        .quant
        .as_ref()
        .unwrap()
        .zero_points[0];
    for channel in &layer.removed {
        let value = channel.value.map(i64::from);
        match channel.reason {
            Reason::ZeroPoint => assert_eq!(value, Some(zero)),
            Reason::Folded => assert!(value.is_some() && value != Some(zero)),
            Reason::Behind => {
                let readers = before.operators.iter();
                let mut readers =
                    readers.filter(|op| op.inputs.contains(&Some(layer_output(before, layer))));
                let depthwise = OpCode::Builtin(BuiltinOp::DEPTHWISE_CONV_2D);
                assert!(readers.all(|reader| reader.code == depthwise));
            }
        }
    }
}

fn layer_output(model: &Model, layer: &Pruned) -> usize {
    model.operators[layer.index].outputs[0]
}

/// A channel that is reported as constant has that value in the reference's run of the whole model.
#[test]
fn constant_channels_have_the_value_that_is_reported() {
    let mut model = Model::from_bytes(EXAMPLE).unwrap();
    for layer in layers(&model) {
        kill(&mut model, layer, |c| {
            (c % 3 == 0).then_some(900 * c as i32)
        });
    }
    let (_, found) = prune(&model);
    let n_in = model.tensors[model.inputs[0]].n_elements();
    let mut checked = 0;
    for seed in 0..4usize {
        let input: Vec<i8> = (0..n_in)
            .map(|i| (i * 89 + seed * 57) as u8 as i8)
            .collect();
        let mut interpreter = Interpreter::<f64>::new(&model, Arithmetic::Exact);
        interpreter.run(&[bytemuck::cast_slice(&input)]).unwrap();
        for layer in &found {
            let output = layer_output(&model, layer);
            let bytes = interpreter.tensor(output).unwrap().to_bytes(DType::I8);
            for channel in &layer.removed {
                let Some(value) = channel.value else { continue };
                let mut own = bytes.iter().skip(channel.channel).step_by(layer.channels);
                assert!(own.all(|&byte| byte as i8 == value), "{layer:?}");
                checked += 1;
            }
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn a_model_without_constant_channels_stays_as_it_is() {
    let model = Model::from_bytes(EXAMPLE).unwrap();
    let (same, removed) = prune(&model);
    assert!(removed.is_empty());
    assert_eq!(same, model);
}
