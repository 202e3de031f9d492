//! Names of operators, and what is said about those that are not run.

use otolith_tflite::{BuiltinOp, OpCode, hint};

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
