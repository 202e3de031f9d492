//! How much a network computes.

use otolith_tflite::{Model, OpCode, Operator};

/// Multiplications with a weight, or of two matrices, that `op` needs once: those of convolutions
/// and fully connected layers with the taps that lie on padding counted, 0 of other operators.
pub fn macs(model: &Model, op: &Operator) -> u64 {
    let shape = |i: usize| -> &[usize] {
        let index = op.inputs.get(i).copied().flatten();
        index.map_or(&[], |index| &model.tensors[index].shape)
    };
    let product = |shape: &[usize]| shape.iter().map(|&d| d as u64).product::<u64>();
    let output = op.outputs.first();
    let outputs = output.map_or(0, |&index| product(&model.tensors[index].shape));
    let OpCode::Builtin(code) = &op.code else {
        return 0;
    };
    let per_output = match (code.name().unwrap_or_default(), shape(1)) {
        ("CONV_2D", &[_, height, width, depth]) => product(&[height, width, depth]),
        ("DEPTHWISE_CONV_2D", &[_, height, width, _]) => product(&[height, width]),
        ("FULLY_CONNECTED", &[_, inputs]) => inputs as u64,
        // Every input place meets every weight.
        ("TRANSPOSE_CONV", weights) => {
            let places = shape(2)
                .split_last()
                .map_or(0, |(_, places)| product(places));
            return places * product(weights);
        }
        ("BATCH_MATMUL", _) => shape(0).last().map_or(0, |&inner| inner as u64),
        _ => 0,
    };
    outputs * per_output
}
