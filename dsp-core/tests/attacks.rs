//! Models that the reader accepts, because each table is sound, and that lowering must refuse: the
//! second half of `tflite/attacks/README.md`.

#[path = "../../tflite/attacks/build.rs"]
mod build;

use build::*;
use otolith_dsp_core::deploy::Kernels;
use otolith_dsp_core::lower::network::network_plan_for;
use otolith_tflite::Model;

fn lowered(parts: &Parts) -> [Result<(), String>; 2] {
    let model = Model::from_bytes(&parts.file()).expect("a model that the reader accepts");
    [Kernels::Plain, Kernels::Packed].map(|kernels| {
        let plan = network_plan_for("hostile", &model, kernels);
        plan.map(|_| ()).map_err(|error| error.to_string())
    })
}

#[track_caller]
fn refused(parts: &Parts, expected: &str) {
    for result in lowered(parts) {
        let text = result.expect_err("accepted");
        assert!(
            text.contains(expected),
            "\"{text}\" does not contain \"{expected}\""
        );
    }
}

fn convolution(padding: u8, shape: [&[i32]; 2], dilation: i32) -> Parts {
    let mut parts = small();
    let q = || quant(&[0.5], &[3], 0);
    parts.tensors[0] = tensor("input", shape[0], I8, 0, q());
    parts.tensors[3] = tensor("conv", shape[1], I8, 0, q());
    let options = vec![
        (0, V::U8(padding)),
        (1, V::I32(1)),
        (2, V::I32(1)),
        (4, V::I32(dilation)),
        (5, V::I32(dilation)),
    ];
    parts.operators = vec![operator(0, &[0, 1, 2], &[3], 1, options)];
    parts.outputs = vec![3];
    parts
}

const SAME: u8 = 0;
const VALID: u8 = 1;

#[test]
fn the_honest_models_are_lowered() {
    assert_eq!(lowered(&small()), [Ok(()), Ok(())]);
    let honest = convolution(VALID, [&[1, 5, 3, 1], &[1, 3, 1, 2]], 1);
    assert_eq!(lowered(&honest), [Ok(()), Ok(())]);
}

/// A kernel without padding that is larger than its input leaves no output, whatever shape the
/// file gives it; with dilation it need not be large.
#[test]
fn paddings_that_make_empty_outputs() {
    for (input, output) in [
        ([1, 2, 4, 1], [1, 1, 2, 2]),
        ([1, 4, 2, 1], [1, 2, 1, 2]),
        ([1, 1, 1, 1], [1, 1, 1, 2]),
    ] {
        let parts = convolution(VALID, [&input, &output], 1);
        refused(&parts, "does not fit an input of");
    }
    for dilation in [2, 1000, 65535] {
        let parts = convolution(VALID, [&[1, 4, 4, 1], &[1, 1, 1, 2]], dilation);
        refused(&parts, "does not fit an input of");
    }
    let mut parts = small();
    parts.codes[1] = code(17);
    let options = vec![
        (0, V::U8(VALID)),
        (1, V::I32(1)),
        (2, V::I32(1)),
        (3, V::I32(5)),
        (4, V::I32(5)),
    ];
    parts.tensors[4] = tensor("pool", &[1, 1, 1, 2], I8, 0, quant(&[0.25], &[3], 0));
    parts.operators = vec![
        parts.operators[0].clone(),
        operator(1, &[3], &[4], 5, options),
    ];
    parts.outputs = vec![4];
    refused(&parts, "does not fit an input of");
}

#[test]
fn outputs_of_another_shape_than_the_layer_makes() {
    let places = "positions where Same padding gives 4";
    for (shape, expected) in [
        ([1, 4, 4, 3], "do not fit together"),
        ([2, 4, 4, 2], "do not fit together"),
        ([1, 3, 4, 2], places),
        ([1, 64, 64, 2], places),
    ] {
        refused(&convolution(SAME, [&[1, 4, 4, 1], &shape], 1), expected);
    }
}

#[test]
fn missing_scales() {
    for i in [0, 3] {
        let mut parts = small();
        let shape: &[i32] = if i == 0 { &[1, 4, 4, 1] } else { &[1, 4, 4, 2] };
        parts.tensors[i] = tensor("bare", shape, I8, 0, quant(&[], &[], 0));
        refused(&parts, "tensor \"bare\" has no scale");
    }
    let mut parts = small();
    parts.tensors[1] = tensor("kernel", &[2, 3, 3, 1], I8, 1, quant(&[], &[], 0));
    refused(&parts, "the weights have no scale");
}

/// The reader knows no roles: scales along a dimension are sound, but not of an activation, and
/// not along the inputs of a layer.
#[test]
fn per_channel_scales_where_no_layer_takes_them() {
    let mut parts = small();
    let scales = quant(&[0.25, 0.5], &[3, 3], 3);
    parts.tensors[3] = tensor("conv", &[1, 4, 4, 2], I8, 0, scales);
    refused(&parts, "has 2 scales, allowed is one");
    let mut parts = small();
    let scales = quant(&[0.1; 3], &[0; 3], 1);
    parts.tensors[1] = tensor("kernel", &[2, 3, 3, 1], I8, 1, scales);
    refused(&parts, "the weights have 3 scales, allowed is 1 or 2");
}

#[test]
fn zero_points_outside_their_type() {
    for zero_point in [128, -129, i64::MAX, i64::MIN] {
        let mut parts = small();
        parts.tensors[0] = tensor(
            "input",
            &[1, 4, 4, 1],
            I8,
            0,
            quant(&[0.5], &[zero_point], 0),
        );
        refused(&parts, &format!("has the zero point {zero_point}"));
        let mut parts = small();
        let quant = quant(&[0.1], &[zero_point], 0);
        parts.tensors[1] = tensor("kernel", &[2, 3, 3, 1], I8, 1, quant);
        refused(&parts, &format!("the zero point {zero_point}"));
    }
}

/// Ratios of scales that no multiplier holds are refused; ratios that leave nothing are a layer of
/// constants.
#[test]
fn scales_at_the_ends_of_their_type() {
    let tiny = f32::from_bits(1);
    let with = |input, output| {
        let mut parts = small();
        parts.tensors[0] = tensor("input", &[1, 4, 4, 1], I8, 0, quant(&[input], &[3], 0));
        parts.tensors[3] = tensor("conv", &[1, 4, 4, 2], I8, 0, quant(&[output], &[3], 0));
        parts
    };
    refused(&with(f32::MAX, tiny), "scale");
    assert_eq!(lowered(&with(tiny, f32::MAX)), [Ok(()), Ok(())]);
}

/// Each tensor is as large as the reader allows, and so are all together.
#[test]
fn arenas_near_two_to_the_32() {
    let mut parts = small();
    let big = [1, 1 << 14, 1 << 13, 1];
    let q = || quant(&[0.5], &[3], 0);
    parts.codes[0] = code(0);
    parts.tensors = (0..8)
        .map(|i| tensor(&format!("t{i}"), &big, I8, 0, q()))
        .collect();
    parts.operators = (1..8)
        .map(|i| operator(0, &[0, i - 1], &[i], 11, vec![]))
        .collect();
    parts.outputs = vec![7];
    refused(
        &parts,
        "its tensors hold 1207959552 bytes, which no device has",
    );
}
