//! Scales and zero points.

use crate::build::*;
use crate::refused;
use otolith_tflite::Model;

/// esp-tflite-micro#87, mace#293: scales of zero, NaN, infinity, below zero.
#[test]
fn scales_that_are_no_scales() {
    for bad in [0.0, -0.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for i in [0, 3, 7] {
            let mut parts = small();
            let shape: &[i32] = if i == 0 { &[1, 4, 4, 1] } else { &[2, 3] };
            parts.tensors[i] = tensor("t", shape, I8, 0, quant(&[bad], &[3], 0));
            refused(
                &parts.file(),
                &format!("has the scale {bad}, allowed is a finite number above 0"),
            );
        }
    }
}

#[test]
fn scales_that_do_not_fit_the_tensor() {
    let mut parts = small();
    parts.tensors[1] = tensor(
        "kernel",
        &[2, 3, 3, 1],
        I8,
        1,
        quant(&[0.1, 0.2], &[0, 0], 7),
    );
    refused(
        &parts.file(),
        "has quantized dimension 7, allowed is 0 to 3",
    );
    parts.tensors[1] = tensor(
        "kernel",
        &[2, 3, 3, 1],
        I8,
        1,
        quant(&[0.1, 0.2], &[0, 0], 1),
    );
    refused(&parts.file(), "2 scales along dimension 1");
    parts.tensors[1] = tensor("kernel", &[2, 3, 3, 1], I8, 1, quant(&[0.1, 0.2], &[0], 0));
    refused(&parts.file(), "1 zero points for 2 scales");
    // One scale, or rank 1: TFLite Micro ignores the dimension and so does this reader.
    let mut parts = small();
    parts.tensors[0] = tensor("input", &[1, 4, 4, 1], I8, 0, quant(&[0.5], &[3], 3));
    parts.tensors[2] = tensor("bias", &[2], I32, 2, quant(&[0.05, 0.1], &[0, 0], 3));
    assert!(Model::from_bytes(&parts.file()).is_ok());
}

/// mace#293: fewer or more scales than channels, and a dimension below 0.
#[test]
fn per_channel_arrays_of_the_wrong_length() {
    for n in [3, 17, 1000] {
        let mut parts = small();
        let scales = vec![0.1; n];
        parts.tensors[1] = tensor(
            "kernel",
            &[2, 3, 3, 1],
            I8,
            1,
            quant(&scales, &vec![0; n], 0),
        );
        refused(&parts.file(), &format!("{n} scales along dimension 0"));
    }
    for dimension in [-1, i32::MIN, 4, i32::MAX] {
        let mut parts = small();
        let quant = quant(&[0.1, 0.2], &[0, 0], dimension);
        parts.tensors[1] = tensor("kernel", &[2, 3, 3, 1], I8, 1, quant);
        refused(
            &parts.file(),
            &format!("has quantized dimension {dimension}, allowed is 0 to 3"),
        );
    }
    for n in [2, 1000] {
        let mut parts = small();
        parts.tensors[0] = tensor("input", &[1, 4, 4, 1], I8, 0, quant(&[0.5], &vec![3; n], 0));
        refused(&parts.file(), &format!("has {n} zero points for 1 scales"));
    }
}
