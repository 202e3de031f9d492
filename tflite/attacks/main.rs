//! Models that crashed or corrupted other runtimes, or could: each is built here and must be refused
//! with an error that names the fault. `README.md` beside this file lists them.

mod build;
mod graph;
mod offsets;
mod options;
mod scales;
mod shapes;

use build::small;
use otolith_tflite::{BuiltinOp, Model, ModelError, OpCode, Options};

#[track_caller]
pub(crate) fn refused(bytes: &[u8], expected: &str) -> ModelError {
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
