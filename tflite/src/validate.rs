//! What must hold between the tables before a model is handed out.

use crate::{BuiltinOp, ModelError, OpCode, Options, Subgraph, Tensor};

/// Most dimensions that a tensor may have.
pub const MAX_RANK: usize = 8;

/// Most bytes that one tensor may take.
pub const MAX_TENSOR_BYTES: usize = 1 << 28;

/// Most bytes that all activations together may take: an arena larger than
/// this belongs to no device that this project serves, and a wrong shape is
/// the likelier cause.
pub const MAX_TOTAL_BYTES: usize = 1 << 30;

/// Checks subgraph `index` of a file with `n_subgraphs`.
pub(crate) fn validate(
    graph: Subgraph,
    index: usize,
    n_subgraphs: usize,
) -> Result<Subgraph, ModelError> {
    positive_shapes(&graph)?;
    sizes(&graph)?;
    if index == 0 && (graph.inputs.is_empty() || graph.outputs.is_empty()) {
        let (i, o) = (graph.inputs.len(), graph.outputs.len());
        let why = format!("has {i} inputs and {o} outputs, allowed is at least one of each");
        return Err(ModelError::Graph { why });
    }
    order(&graph)?;
    calls(&graph, n_subgraphs)?;
    reshapes(&graph)?;
    Ok(graph)
}

/// An operator names only subgraphs that exist, after the first.
fn calls(model: &Subgraph, n_subgraphs: usize) -> Result<(), ModelError> {
    for (index, op) in model.operators.iter().enumerate() {
        if let Options::CallOnce { subgraph } = op.options
            && subgraph >= n_subgraphs
        {
            return Err(ModelError::Operator {
                index,
                name: op.code.to_string(),
                at: op.at,
                why: format!("calls subgraph {subgraph} of {n_subgraphs}"),
            });
        }
    }
    Ok(())
}

fn tensor_fault(model: &Subgraph, index: usize, why: String) -> ModelError {
    let (name, at) = model
        .tensors
        .get(index)
        .map_or((String::new(), 0), |t| (t.name.clone(), t.at));
    ModelError::Tensor {
        index,
        name,
        at,
        why,
    }
}

/// Size in bytes; a type of unknown width counts one byte per element.
fn n_bytes(tensor: &Tensor) -> Option<usize> {
    tensor
        .shape
        .iter()
        .try_fold(tensor.dtype.size().unwrap_or(1), |n, &d| n.checked_mul(d))
        .filter(|&n| n <= MAX_TENSOR_BYTES)
}

pub(crate) fn not_positive(dims: &dyn core::fmt::Debug) -> String {
    format!(
        "has shape {dims:?}, but every dimension must be at least 1; convert the model with a fixed input shape \
         (batch 1)"
    )
}

/// Tensors of size 0 exist only to carry an LSTM's intermediate scales: no
/// operator names them as an input or output.
fn positive_shapes(model: &Subgraph) -> Result<(), ModelError> {
    let named = model
        .operators
        .iter()
        .flat_map(|op| op.inputs.iter().flatten().chain(&op.outputs));
    for &index in named.chain(&model.inputs).chain(&model.outputs) {
        if let Some(tensor) = model.tensors.get(index)
            && tensor.shape.contains(&0)
        {
            return Err(tensor_fault(model, index, not_positive(&tensor.shape)));
        }
    }
    Ok(())
}

fn sizes(model: &Subgraph) -> Result<(), ModelError> {
    let mut total = 0usize;
    for (index, tensor) in model.tensors.iter().enumerate() {
        let Some(need) = n_bytes(tensor) else {
            let why = format!(
                "shape {:?} takes more than the allowed {MAX_TENSOR_BYTES} bytes",
                tensor.shape
            );
            return Err(tensor_fault(model, index, why));
        };
        match &tensor.data {
            Some(data) if tensor.dtype.size().is_some() && data.len() != need => {
                let (shape, dtype, got) = (&tensor.shape, tensor.dtype, data.len());
                let why = format!(
                    "shape {shape:?} of {dtype} needs {need} bytes of data, the buffer has {got}"
                );
                return Err(tensor_fault(model, index, why));
            }
            Some(_) => {}
            None => total = total.saturating_add(need),
        }
    }
    if total > MAX_TOTAL_BYTES {
        let why = format!("the activations take {total} bytes, allowed are {MAX_TOTAL_BYTES}");
        return Err(ModelError::Graph { why });
    }
    Ok(())
}

/// Every input is defined before it is used, and nothing is written twice.
fn order(model: &Subgraph) -> Result<(), ModelError> {
    let graph = |why: String| Err(ModelError::Graph { why });
    let mut defined: Vec<bool> = model
        .tensors
        .iter()
        .map(|t| t.data.is_some() || t.is_variable)
        .collect();
    let mut define = |index: usize| match defined.get_mut(index) {
        Some(seen @ false) => {
            *seen = true;
            true
        }
        _ => false,
    };
    for &index in &model.inputs {
        if !define(index) {
            return Err(tensor_fault(
                model,
                index,
                "is listed as a graph input, but is a constant, a variable or listed twice".into(),
            ));
        }
    }
    for (index, op) in model.operators.iter().enumerate() {
        let fault = |why: String| {
            Err(ModelError::Operator {
                index,
                name: op.code.to_string(),
                at: op.at,
                why,
            })
        };
        let only_acts = [BuiltinOp::ASSIGN_VARIABLE, BuiltinOp::CALL_ONCE];
        let only_acts = only_acts.map(OpCode::Builtin).contains(&op.code);
        if op.outputs.is_empty() && !only_acts {
            return fault("has no output, allowed is at least one".into());
        }
        if let Some(&input) = op
            .inputs
            .iter()
            .flatten()
            .find(|&&i| defined.get(i) != Some(&true))
        {
            return fault(format!(
                "uses tensor {input} before any operator has written it"
            ));
        }
        for &output in &op.outputs {
            match defined.get_mut(output) {
                Some(seen @ false) => *seen = true,
                _ => {
                    return fault(format!(
                        "writes tensor {output}, which is a constant, a graph input or already written"
                    ));
                }
            }
        }
    }
    if let Some(&output) = model
        .outputs
        .iter()
        .find(|&&i| defined.get(i) != Some(&true))
    {
        return graph(format!(
            "tensor {output} is a graph output, but nothing writes it"
        ));
    }
    Ok(())
}

/// An operator that only renames dimensions must keep the number of elements.
fn reshapes(model: &Subgraph) -> Result<(), ModelError> {
    for (index, op) in model.operators.iter().enumerate() {
        let fault = |why: String| ModelError::Operator {
            index,
            name: op.code.to_string(),
            at: op.at,
            why,
        };
        if !matches!(
            op.code,
            OpCode::Builtin(BuiltinOp::RESHAPE | BuiltinOp::SQUEEZE | BuiltinOp::EXPAND_DIMS)
        ) {
            continue;
        }
        let input = op
            .inputs
            .first()
            .copied()
            .flatten()
            .and_then(|i| model.tensors.get(i));
        let output = op.outputs.first().and_then(|&i| model.tensors.get(i));
        let (Some(input), Some(output)) = (input, output) else {
            return Err(fault("needs one input and one output".into()));
        };
        if input.n_elements() != output.n_elements() || input.dtype != output.dtype {
            return Err(fault(format!(
                "turns shape {:?} of {} into {:?} of {}, but both must hold the same number of the same elements",
                input.shape, input.dtype, output.shape, output.dtype
            )));
        }
        if let Options::Reshape { new_shape } = &op.options
            && new_shape.len() > MAX_RANK
        {
            let found = new_shape.len();
            return Err(fault(format!(
                "asks for {found} dimensions, allowed are at most {MAX_RANK}"
            )));
        }
    }
    Ok(())
}
