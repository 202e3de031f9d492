//! Tensors that are the same in every run: shapes, and what a model computes from them.
//!
//! Keras with an open batch size writes the sizes of a RESHAPE as SHAPE, STRIDED_SLICE and PACK.
//! A plan has fixed shapes, so these are constants, which the reference interpreter computes once.

use crate::network::constant_result;
use otolith_tflite::{BuiltinOp, DType, Model, OpCode, Operator};

/// Most elements of a tensor that becomes a constant: shapes are short, and a table of more would be
/// larger in a plan than the operator that makes it.
const MOST: usize = 4096;

/// Whether an operator is arithmetic on shapes or moves elements: cheap, and without a state.
fn folds(op: &Operator) -> bool {
    let OpCode::Builtin(code) = op.code else {
        return false;
    };
    matches!(
        code,
        BuiltinOp::SHAPE
            | BuiltinOp::CAST
            | BuiltinOp::ADD
            | BuiltinOp::SUB
            | BuiltinOp::MUL
            | BuiltinOp::DIV
            | BuiltinOp::MAXIMUM
            | BuiltinOp::MINIMUM
            | BuiltinOp::RESHAPE
            | BuiltinOp::SQUEEZE
            | BuiltinOp::EXPAND_DIMS
            | BuiltinOp::CONCATENATION
            | BuiltinOp::PACK
            | BuiltinOp::REDUCE_PROD
            | BuiltinOp::SLICE
            | BuiltinOp::STRIDED_SLICE
            | BuiltinOp::GATHER
            | BuiltinOp::TRANSPOSE
            | BuiltinOp::BROADCAST_TO
            | BuiltinOp::FILL
            | BuiltinOp::ZEROS_LIKE
    )
}

/// `model` with the data of every tensor that does not depend on the inputs.
///
/// Operators that wrote them stay in their places, so that the others keep their numbers.
pub(super) fn constants(model: &Model) -> Model {
    let mut model = model.clone();
    for index in 0..model.operators.len() {
        let op = &model.operators[index];
        let &[output] = op.outputs.as_slice() else {
            continue;
        };
        let tensor = &model.tensors[output];
        let whole = matches!(
            tensor.dtype,
            DType::I8 | DType::I16 | DType::I32 | DType::I64
        );
        let read = !model.outputs.contains(&output);
        if !read || !whole || tensor.n_elements() > MOST || !folds(op) {
            continue;
        }
        let of_shape = matches!(
            op.code,
            OpCode::Builtin(BuiltinOp::SHAPE | BuiltinOp::ZEROS_LIKE)
        );
        let known = |&index: &usize| {
            let tensor = &model.tensors[index];
            tensor.data.is_some() && !tensor.is_variable && tensor.n_elements() <= MOST
        };
        if !of_shape && !op.inputs.iter().flatten().all(known) {
            continue;
        }
        // What the interpreter does not run is left to be refused with a reason.
        if let Some(bytes) = constant_result(&model, op) {
            model.tensors[output].data = Some(bytes.into());
        }
    }
    model
}

#[cfg(test)]
mod tests {
    use super::*;
    use otolith_tflite::{Options, Tensor};

    fn tensor(shape: &[usize], dtype: DType, data: Option<&[i32]>) -> Tensor {
        Tensor {
            name: String::new(),
            shape: shape.to_vec(),
            dtype,
            data: data.map(|values| values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            quant: None,
            is_variable: false,
            at: 0,
        }
    }

    fn operator(code: BuiltinOp, inputs: &[usize], output: usize, options: Options) -> Operator {
        Operator {
            code: OpCode::Builtin(code),
            version: 1,
            inputs: inputs.iter().copied().map(Some).collect(),
            outputs: vec![output],
            options,
            at: 0,
        }
    }

    /// What Keras writes for `Reshape((-1, 8))` behind an open batch size.
    #[test]
    fn sizes_of_a_reshape_are_constants() {
        let slice = Options::StridedSlice {
            begin_mask: 0,
            end_mask: 0,
            ellipsis_mask: 0,
            new_axis_mask: 0,
            shrink_axis_mask: 1,
            offset: false,
        };
        let model = Model {
            description: String::new(),
            tensors: vec![
                tensor(&[1, 4, 6], DType::I8, None),
                tensor(&[3], DType::I32, None),
                tensor(&[1], DType::I32, Some(&[0])),
                tensor(&[1], DType::I32, Some(&[1])),
                tensor(&[1], DType::I32, Some(&[1])),
                tensor(&[], DType::I32, None),
                tensor(&[], DType::I32, Some(&[3])),
                tensor(&[], DType::I32, Some(&[8])),
                tensor(&[3], DType::I32, None),
                tensor(&[1, 3, 8], DType::I8, None),
            ],
            operators: vec![
                operator(BuiltinOp::SHAPE, &[0], 1, Options::None),
                operator(BuiltinOp::STRIDED_SLICE, &[1, 2, 3, 4], 5, slice),
                operator(BuiltinOp::PACK, &[5, 6, 7], 8, Options::Pack { axis: 0 }),
                operator(
                    BuiltinOp::RESHAPE,
                    &[0, 8],
                    9,
                    Options::Reshape { new_shape: vec![] },
                ),
            ],
            inputs: vec![0],
            outputs: vec![9],
            subgraphs: Vec::new(),
        };
        let folded = constants(&model);
        let expected: Vec<u8> = [1i32, 3, 8].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(folded.tensors[8].data.as_deref(), Some(expected.as_slice()));
        assert_eq!(folded.tensors[9].data, None);
        assert_eq!(super::super::unsupported(&model), []);
        let plan = super::super::network_plan("reshape", &model).unwrap();
        let info = otolith_dsp_nostd::PlanInfo::from_bytes(&plan).unwrap();
        // Nothing is left but the copy of the input to the output.
        let (_, operands, params) =
            otolith_dsp_nostd::format::parse_step_word(info.step_words()[0]);
        assert_eq!(info.step_words().len(), 1 + operands + params);
    }
}
