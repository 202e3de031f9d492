//! Indices of buffers, tensors and operators, and the order of operators.

use crate::build::*;
use crate::refused;
use otolith_tflite::{Model, ModelError};

/// tflite-micro#3075, #3076, #3077, #3389: a buffer index of 9999.
#[test]
fn buffer_index_out_of_range() {
    for i in [0, 3, 7] {
        let mut parts = small();
        parts.tensors[i] = tensor("t", &[1, 4, 4, 1], I8, 9999, quant(&[0.5], &[3], 0));
        let error = refused(&parts.file(), "9999");
        assert!(matches!(
            error,
            ModelError::Index {
                what: "tensor buffer",
                count: 4,
                ..
            }
        ));
    }
}

#[test]
fn tensor_indices_out_of_range() {
    for bad in [8, 9999, i32::MAX, i32::MIN, -2] {
        let mut parts = small();
        parts.inputs = vec![bad];
        refused(&parts.file(), "graph input");
        let mut parts = small();
        parts.outputs = vec![bad];
        refused(&parts.file(), "graph output");
        let mut parts = small();
        parts.operators[0] = operator(
            0,
            &[bad, 1, 2],
            &[3],
            1,
            vec![(1, V::I32(1)), (2, V::I32(1))],
        );
        refused(&parts.file(), "operator input");
        let mut parts = small();
        parts.operators[0] = operator(
            0,
            &[0, 1, 2],
            &[bad],
            1,
            vec![(1, V::I32(1)), (2, V::I32(1))],
        );
        refused(&parts.file(), "operator output");
    }
    let mut parts = small();
    parts.operators[0] = operator(77, &[0, 1, 2], &[3], 1, vec![]);
    refused(&parts.file(), "operator code index");
}

#[test]
fn operators_out_of_order() {
    let mut parts = small();
    parts.operators.swap(1, 2);
    refused(&parts.file(), "before any operator has written it");
    let mut parts = small();
    parts.operators[3] = operator(3, &[6], &[0], 9, vec![(0, V::F32(1.0))]);
    refused(&parts.file(), "graph input or already written");
    let mut parts = small();
    parts.operators[3] = operator(3, &[6], &[1], 9, vec![(0, V::F32(1.0))]);
    refused(&parts.file(), "constant");
    let mut parts = small();
    parts.operators.pop();
    refused(&parts.file(), "nothing writes it");
}

/// tflite-micro: each of two operators waits for the other, or one for itself.
#[test]
fn cycles() {
    let mut parts = small();
    parts.operators[1] = operator(1, &[6], &[4], 17, vec![]);
    refused(
        &parts.file(),
        "uses tensor 6 before any operator has written it",
    );
    let mut parts = small();
    parts.operators[1] = operator(1, &[4], &[4], 17, vec![]);
    refused(
        &parts.file(),
        "uses tensor 4 before any operator has written it",
    );
}

/// Tensors that are written or fed twice. A list of outputs may name one twice: it is only read.
#[test]
fn duplicate_tensors() {
    let mut parts = small();
    parts.operators[2] = operator(2, &[4, 5, -1], &[3], 8, vec![(0, V::U8(0))]);
    refused(
        &parts.file(),
        "writes tensor 3, which is a constant, a graph input or already written",
    );
    let mut parts = small();
    parts.operators[0] = operator(
        0,
        &[0, 1, 2],
        &[3, 3],
        1,
        vec![(1, V::I32(1)), (2, V::I32(1))],
    );
    refused(&parts.file(), "already written");
    let mut parts = small();
    parts.inputs = vec![0, 0];
    refused(&parts.file(), "a constant, a variable or listed twice");
    for constant in [1, 2, 5] {
        let mut parts = small();
        parts.inputs = vec![constant];
        refused(
            &parts.file(),
            "is listed as a graph input, but is a constant",
        );
    }
    let mut parts = small();
    parts.outputs = vec![7, 7];
    assert_eq!(Model::from_bytes(&parts.file()).unwrap().outputs, [7, 7]);
}

#[test]
fn no_inputs_or_outputs() {
    for (inputs, outputs) in [(vec![], vec![7]), (vec![0], vec![])] {
        let mut parts = small();
        (parts.inputs, parts.outputs) = (inputs, outputs);
        refused(&parts.file(), "allowed is at least one of each");
    }
    let mut parts = small();
    parts.operators[3] = operator(3, &[6], &[], 9, vec![(0, V::F32(1.0))]);
    refused(&parts.file(), "has no output, allowed is at least one");
}
