//! Models that crashed or corrupted other runtimes, or could: each is built
//! here and must be refused with an error that names the fault.

mod build;

use build::*;
use otolith_tflite::{BuiltinOp, Model, ModelError, OpCode, Options, hint};

#[track_caller]
fn refused(bytes: &[u8], expected: &str) -> ModelError {
    match Model::from_bytes(bytes) {
        Ok(_) => panic!("accepted, expected an error with \"{expected}\""),
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.contains(expected),
                "\"{text}\" does not contain \"{expected}\""
            );
            error
        }
    }
}

#[test]
fn the_honest_model_is_read() {
    let bytes = small().file();
    let model = Model::from_bytes(&bytes).unwrap();
    assert_eq!(model.tensors.len(), 8);
    assert_eq!(model.description, "built by a test");
    assert_eq!(
        (model.inputs.as_slice(), model.outputs.as_slice()),
        (&[0][..], &[7][..])
    );
    assert_eq!(model.tensors[1].quant.as_ref().unwrap().scales, [0.1, 0.2]);
    assert_eq!(
        model.tensors[1].data.as_deref().unwrap(),
        (0..18u8).collect::<Vec<_>>()
    );
    assert_eq!(model.operators[2].inputs, [Some(4), Some(5), None]);
    assert_eq!(model.operators[3].options, Options::Softmax { beta: 1.0 });
    assert_eq!(model.operators[0].code, OpCode::Builtin(BuiltinOp::CONV_2D));
}

/// tensorflow#115308: the root offset points past the end.
#[test]
fn root_offset_past_the_end() {
    refused(b"\x18\0\0\0TFL3", "root offset");
    refused(b"\xff\xff\xff\xffTFL3", "root offset");
    refused(b"\0\0\0\0TFL3", "root offset");
}

#[test]
fn not_a_model() {
    refused(b"", "TFL3");
    refused(b"TFL", "TFL3");
    refused(b"RIFF\0\0\0\0WAVE", "TFL3");
}

/// LiteRT#10080: every truncation is refused, none is read past its end.
#[test]
fn truncated_anywhere() {
    let bytes = small().file();
    for len in 0..bytes.len() {
        assert!(
            Model::from_bytes(&bytes[..len]).is_err(),
            "accepted {len} of {} bytes",
            bytes.len()
        );
    }
}

/// tensorflow#121217: vectors at odd offsets. This reader takes bytes, so the
/// same model must be read at any alignment within the file and in memory.
#[test]
fn vectors_at_odd_offsets_are_read() {
    let mut parts = small();
    // A name of odd length moves everything that is written after it.
    parts.tensors[0] = tensor("odd", &[1, 4, 4, 1], I8, 0, quant(&[0.5], &[3], 0));
    let bytes = parts.file();
    for shift in 0..16 {
        let mut moved = vec![0xAA; shift];
        moved.extend_from_slice(&bytes);
        assert_eq!(Model::from_bytes(&moved[shift..]).unwrap().tensors.len(), 8);
    }
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
        refused(&parts.file(), "allowed");
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

/// esp-tflite-micro#87, mace#293: scales of zero, NaN, infinity, below zero.
#[test]
fn scales_that_are_no_scales() {
    for bad in [0.0, -0.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for i in [0, 3, 7] {
            let mut parts = small();
            let shape: &[i32] = if i == 0 { &[1, 4, 4, 1] } else { &[2, 3] };
            parts.tensors[i] = tensor("t", shape, I8, 0, quant(&[bad], &[3], 0));
            refused(&parts.file(), "scale");
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
    refused(&parts.file(), "quantized dimension 7");
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

#[test]
fn shapes_that_are_not_positive() {
    for bad in [0, -1, i32::MIN] {
        let mut parts = small();
        parts.tensors[0] = tensor("input", &[bad, 4, 4, 1], I8, 0, quant(&[0.5], &[3], 0));
        refused(&parts.file(), "at least 1");
    }
}

#[test]
fn constants_whose_buffer_has_another_size() {
    for n in [1, 17, 19, 4000] {
        let mut parts = small();
        parts.buffers[1] = buffer(&vec![0; n]);
        refused(&parts.file(), "needs 18 bytes");
    }
}

#[test]
fn strides_of_zero() {
    let mut parts = small();
    parts.operators[0] = operator(0, &[0, 1, 2], &[3], 1, vec![(1, V::I32(0)), (2, V::I32(1))]);
    refused(&parts.file(), "stride_w");
    parts.operators[0] = operator(
        0,
        &[0, 1, 2],
        &[3],
        1,
        vec![(1, V::I32(1)), (2, V::I32(1)), (4, V::I32(-3))],
    );
    refused(&parts.file(), "dilation_w_factor");
}

#[test]
fn options_of_another_operator() {
    let mut parts = small();
    parts.operators[0] = operator(0, &[0, 1, 2], &[3], 9, vec![(0, V::F32(1.0))]);
    refused(&parts.file(), "builtin options");
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

/// Many tables that share one long vector: memory must stay bounded.
#[test]
fn one_vector_named_by_many_tables() {
    let mut parts = small();
    parts.tensors.push(tensor(
        &"n".repeat(20_000),
        &[1],
        I8,
        0,
        quant(&[0.5], &[3], 0),
    ));
    let shared = tensor("x", &[1], I8, 0, quant(&[0.5], &[3], 0));
    parts.tensors.extend(std::iter::repeat_n(shared, 5_000));
    let mut bytes = parts.file();
    // Let the offsets of all later tensors lead to the tensor with the long name.
    let model = Model::from_bytes(&bytes).unwrap();
    let target = model.tensors[8].at;
    drop(model);
    let vector = tensors_vector(&bytes);
    for i in 9..5_009 {
        let place = vector + 4 + 4 * i;
        let offset = (target as u32).wrapping_sub(place as u32);
        if (target as u64) > place as u64 {
            bytes[place..place + 4].copy_from_slice(&offset.to_le_bytes());
        }
    }
    refused(&bytes, "repeats data");
}

/// Position of the vector of tensors, found the way the format defines it.
fn tensors_vector(bytes: &[u8]) -> usize {
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let field = |table: usize, i: usize| {
        let vtable = table - u32_at(table);
        let slot = vtable + 4 + 2 * i;
        table + u16::from_le_bytes(bytes[slot..slot + 2].try_into().unwrap()) as usize
    };
    let root = u32_at(0);
    let graphs = field(root, 2);
    let graphs = graphs + u32_at(graphs);
    let graph = graphs + 4 + u32_at(graphs + 4);
    let tensors = field(graph, 0);
    tensors + u32_at(tensors)
}

#[test]
fn every_operator_has_a_name_and_a_hint() {
    assert_eq!(BuiltinOp(44).to_string(), "UNIDIRECTIONAL_SEQUENCE_LSTM");
    assert_eq!(BuiltinOp(114), BuiltinOp::QUANTIZE);
    assert_eq!(BuiltinOp::QUANTIZE.to_string(), "QUANTIZE");
    assert_eq!(BuiltinOp(207).to_string(), "COMPLEX");
    assert_eq!(BuiltinOp(208).to_string(), "BUILTIN_208");
    assert_eq!(BuiltinOp(-5).to_string(), "BUILTIN_-5");
    assert!(hint(&OpCode::Builtin(BuiltinOp(16))).contains("recurrent"));
    assert!(hint(&OpCode::Custom("FlexErf".into())).contains("TFLITE_BUILTINS_INT8"));
    for code in -1..300 {
        assert!(hint(&OpCode::Builtin(BuiltinOp(code))).len() > 20);
    }
}
