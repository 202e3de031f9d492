//! Models with more than one subgraph: what is read, and what is refused.

use otolith_tflite::{BuiltinOp, DType, Model, ModelError, OpCode, Options};

/// A model that adds its input to a variable; subgraph 1 gives the variable its first value.
fn file() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../fixtures/golden/variables/sum.tflite"
    );
    std::fs::read(path).unwrap()
}

#[test]
fn all_subgraphs_are_read() {
    let model = Model::from_bytes(&file()).unwrap();
    let codes: Vec<_> = model.operators.iter().map(|op| op.code.clone()).collect();
    let expected = [
        BuiltinOp::CALL_ONCE,
        BuiltinOp::VAR_HANDLE,
        BuiltinOp::READ_VARIABLE,
        BuiltinOp::ADD,
        BuiltinOp::ASSIGN_VARIABLE,
    ];
    assert_eq!(codes, expected.map(OpCode::Builtin));
    assert_eq!(
        model.operators[0].options,
        Options::CallOnce { subgraph: 1 }
    );
    let [start] = model.subgraphs.as_slice() else {
        panic!("{} subgraphs", model.subgraphs.len());
    };
    let name = |options: &Options| match options {
        Options::VarHandle { name } => name.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(name(&start.operators[0].options), "/sum");
    assert_eq!(name(&model.operators[1].options), "/sum");
    let value = start.operators[1].inputs[1].unwrap();
    let value = &start.tensors[value];
    assert_eq!(value.dtype, DType::I8);
    let bytes: Vec<i8> = value
        .data
        .as_ref()
        .unwrap()
        .iter()
        .map(|&b| b as i8)
        .collect();
    assert_eq!(bytes, [-12, 0, 5, 127, -128, 40]);
}

/// Every field that holds a 1 becomes a 7: one of them is the index of the called subgraph, one
/// a tensor index of subgraph 1.
#[test]
fn subgraphs_that_do_not_exist_are_refused() {
    let file = file();
    let (mut calls, mut others) = (0, 0);
    for at in 0..file.len() - 4 {
        if file[at..at + 4] != 1u32.to_le_bytes() {
            continue;
        }
        let mut bytes = file.clone();
        bytes[at] = 7;
        match Model::from_bytes(&bytes) {
            Err(ModelError::Operator { why, .. }) if why == "calls subgraph 7 of 2" => calls += 1,
            Err(ModelError::Subgraph { index: 1, .. }) => others += 1,
            _ => {}
        }
    }
    assert_eq!(calls, 1);
    assert!(others >= 1);
}
