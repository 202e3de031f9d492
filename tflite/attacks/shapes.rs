//! Shapes that are negative, huge, or at odds with the data or with each other.

use crate::build::*;
use crate::refused;
use otolith_tflite::Model;

#[test]
fn shapes_that_are_not_positive() {
    for bad in [0, -1, i32::MIN] {
        for (i, shape) in [(0, &[bad, 4, 4, 1][..]), (3, &[1, 4, bad, 2]), (7, &[bad])] {
            let mut parts = small();
            parts.tensors[i] = tensor("t", shape, I8, 0, quant(&[0.5], &[3], 0));
            refused(&parts.file(), "every dimension must be at least 1");
        }
    }
}

/// tflite-micro#438: shapes whose size is near or beyond 2^32.
#[test]
fn arena_requests_near_two_to_the_32() {
    for shape in [
        &[1, 65536, 65535, 1][..],
        &[i32::MAX, i32::MAX, i32::MAX, i32::MAX],
        &[65536, 65536, 65536, 65536, 65536],
        &[1 << 28, 2],
    ] {
        let mut parts = small();
        parts.tensors[3] = tensor("conv", shape, I8, 0, quant(&[0.25], &[3], 0));
        refused(&parts.file(), "more than the allowed 268435456 bytes");
    }
    // Each allowed, together too much.
    let mut parts = small();
    for i in 0..8 {
        parts.tensors.push(tensor(
            &format!("extra{i}"),
            &[1 << 28],
            I8,
            0,
            quant(&[0.25], &[3], 0),
        ));
    }
    refused(&parts.file(), "activations take");
}

#[test]
fn constants_whose_buffer_has_another_size() {
    for n in [1, 17, 19, 4000] {
        let mut parts = small();
        parts.buffers[1] = buffer(&vec![0; n]);
        refused(&parts.file(), "needs 18 bytes");
    }
}

/// tensorflow PR#123123: offset + size of an external buffer overflows u64.
#[test]
fn external_buffers() {
    let external = |offset, size| {
        let mut parts = small();
        parts.buffers[1] = V::Table(vec![(1, V::U64(offset)), (2, V::U64(size))]);
        parts.file()
    };
    for (offset, size) in [
        (u64::MAX, 18),
        (u64::MAX - 8, u64::MAX),
        (16, u64::MAX),
        (1 << 40, 18),
        (16, 1 << 32),
    ] {
        refused(&external(offset, size), "external buffer");
    }
    let bytes = external(8, 18);
    assert_eq!(
        Model::from_bytes(&bytes).unwrap().tensors[1]
            .data
            .as_deref()
            .unwrap(),
        &bytes[8..26]
    );
}

/// tensorflow#124982: RESHAPE to a rank that no tensor has.
#[test]
fn reshape_to_a_higher_rank() {
    let mut parts = small();
    parts.operators[1] = operator(1, &[3], &[4], 17, vec![(0, V::I32s(vec![1; 100]))]);
    refused(&parts.file(), "100 dimensions");
    let mut parts = small();
    parts.tensors[4] = tensor("flat", &[1; 100], I8, 0, quant(&[0.25], &[3], 0));
    refused(&parts.file(), "100 dimensions");
}

#[test]
fn reshape_that_changes_the_number_of_elements() {
    let mut parts = small();
    parts.tensors[4] = tensor("flat", &[1, 4096], I8, 0, quant(&[0.25], &[3], 0));
    refused(&parts.file(), "same number");
}
