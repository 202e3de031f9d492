//! State that the model itself reads and writes: VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE and
//! CALL_ONCE.
//!
//! Each variable is a state tensor of the plan. Reading gives a view of it; a copy only where the
//! value is still needed after a later assignment. What is assigned is written there at once,
//! where nobody reads the old value any more. The subgraph of CALL_ONCE may only assign
//! constants: they become the values of the start.

use super::movement::run_of;
use super::windows::shapes;
use super::{Lowering, elem};
use crate::plan_builder::TensorId;
use otolith_classifier::ops::{initial, strided_copy};
use otolith_dsp_nostd::format::Elem;
use otolith_tflite::{BuiltinOp, Model, OpCode, Operator, Options, Tensor, hint};
use std::collections::BTreeMap;

/// A variable of the model.
pub(super) struct Variable {
    state: TensorId,
    /// Type and shape, as whoever declared it saw them.
    tensor: Tensor,
}

impl Lowering<'_, '_> {
    /// VAR_HANDLE: remembers which variable a handle stands for.
    pub(super) fn var_handle(&mut self, op: &Operator) -> Result<(), String> {
        let Options::VarHandle { name } = &op.options else {
            return Err("its options are missing".into());
        };
        self.handles.insert(op.outputs[0], name.clone());
        Ok(())
    }

    fn handle(&self, op: &Operator) -> Result<String, String> {
        let handle = self.handles.get(&Self::index(op, 0)?).cloned();
        handle.ok_or_else(|| "its input is not a handle of VAR_HANDLE".into())
    }

    /// The state of a variable, declared by the first who names it.
    fn variable(&mut self, name: &str, tensor: &Tensor) -> Result<TensorId, String> {
        if let Some(variable) = self.variables.get(name) {
            let known = &variable.tensor;
            if known.dtype != tensor.dtype || known.n_elements() != tensor.n_elements() {
                return Err(shapes(&[known, tensor]));
            }
            return Ok(variable.state);
        }
        let Some(elem) = elem(tensor.dtype) else {
            return Err(format!("the variable is {}", tensor.dtype));
        };
        let label = format!("{}.variable.{}", self.name, name.trim_start_matches('/'));
        let state = self.plan.state(&label, elem, &tensor.shape);
        let tensor = tensor.clone();
        self.variables
            .insert(name.into(), Variable { state, tensor });
        Ok(state)
    }

    /// A step that copies all bytes of `from` to `to`.
    pub(super) fn copy_bytes(&mut self, name: &str, from: TensorId, to: TensorId) {
        let len = self.plan.shape(from).iter().product::<usize>() * self.plan.elem(from).size();
        let operands = [from, to].map(|id| self.plan.view(name, id, 0, Elem::I8, &[len]));
        let params = run_of(len).encode();
        self.step(&strided_copy::STRIDED_COPY_8, name, &operands, &params);
    }

    pub(super) fn read_variable(
        &mut self,
        name: &str,
        index: usize,
        op: &Operator,
    ) -> Result<(), String> {
        let variable = self.handle(op)?;
        let output = self.result(op);
        let state = self.variable(&variable, output)?;
        let target = op.outputs[0];
        if self.read_outlives(index, target, &variable) {
            let y = self.new_output(op)?;
            self.copy_bytes(name, state, y);
            return Ok(());
        }
        let elem = self.plan.elem(state);
        let view = self.plan.view(&output.name, state, 0, elem, &output.shape);
        self.tensors[target] = Some(view);
        Ok(())
    }

    /// Whether the value that operator `index` reads into `target` is used after, or by, an
    /// assignment of the same variable.
    fn read_outlives(&self, index: usize, target: usize, variable: &str) -> bool {
        let (last, views) = last_use(self.model, index, target);
        let takes = |op: &Operator| op.inputs.iter().flatten().any(|i| views.contains(i));
        let mut assigns = uses(self.model, BuiltinOp::ASSIGN_VARIABLE, variable);
        assigns.any(|(at, op)| at >= index && (at < last || takes(op)))
    }

    /// Lets the operators whose results are assigned write them into their variables, where
    /// nobody needs the old value any more.
    pub(super) fn place_assigned(&mut self) {
        let model = self.model;
        let names: Vec<&str> = handles(&model.operators).into_values().collect();
        for name in names {
            let mut assigns = uses(model, BuiltinOp::ASSIGN_VARIABLE, name);
            let (Some((_, assign)), None) = (assigns.next(), assigns.next()) else {
                continue;
            };
            let Some(value) = assign.inputs.get(1).copied().flatten() else {
                continue;
            };
            let producer = model
                .operators
                .iter()
                .position(|op| op.outputs.contains(&value) && !is_view(op));
            let Some(producer) = producer else { continue };
            let mut reads = uses(model, BuiltinOp::READ_VARIABLE, name);
            let spent = reads.all(|(at, op)| last_use(model, at, op.outputs[0]).0 < producer);
            if !spent || model.outputs.contains(&value) || self.places[value].is_some() {
                continue;
            }
            if let Ok(state) = self.variable(name, &model.tensors[value]) {
                self.places[value] = Some(state);
            }
        }
    }

    pub(super) fn assign_variable(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let variable = self.handle(op)?;
        let tensor = self.tensor(op, 1)?;
        let state = self.variable(&variable, tensor)?;
        let value = self.input(op, 1)?;
        if value != state {
            self.copy_bytes(name, value, state);
        }
        Ok(())
    }

    /// CALL_ONCE: the constants that its subgraph assigns are the variables' first values.
    pub(super) fn call_once(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let Options::CallOnce { subgraph } = op.options else {
            return Err("its options are missing".into());
        };
        let model = self.model;
        let graph = subgraph.checked_sub(1).and_then(|i| model.subgraphs.get(i));
        let graph = graph.ok_or("the subgraph that it calls is missing")?;
        let handles = handles(&graph.operators);
        for op in &graph.operators {
            let OpCode::Builtin(code) = op.code else {
                return Err(hint(&op.code).into());
            };
            match (code, &op.options) {
                (BuiltinOp::VAR_HANDLE, _) => {}
                (BuiltinOp::ASSIGN_VARIABLE, _) => {
                    let input = |i: usize| op.inputs.get(i).copied().flatten();
                    let handle = input(0).and_then(|h| handles.get(&h).copied());
                    let value = input(1).map(|v| &graph.tensors[v]);
                    let (Some(handle), Some(value)) = (handle, value) else {
                        return Err("an assignment of the subgraph has no variable".into());
                    };
                    self.initial_value(name, handle, value)?;
                }
                _ => {
                    return Err(format!(
                        "its subgraph {subgraph} computes {}, allowed are only constants: \
                         initialise the variables with constants",
                        op.code
                    ));
                }
            }
        }
        Ok(())
    }

    fn initial_value(&mut self, name: &str, handle: &str, value: &Tensor) -> Result<(), String> {
        let Some(data) = &value.data else {
            return Err(format!(
                "the first value of the variable \"{handle}\" is not constant"
            ));
        };
        let state = self.variable(handle, value)?;
        if data.iter().all(|&b| b == 0) {
            // A reset does it.
            return Ok(());
        }
        let bytes: Vec<i8> = data.iter().map(|&b| b as i8).collect();
        let same = bytes.iter().all(|b| Some(b) == bytes.first());
        let image = if same { &bytes[..1] } else { &bytes[..] };
        let label = format!("{name}.{}", handle.trim_start_matches('/'));
        let image = self.plan.table(&label, &[image.len()], image);
        let flag = self.plan.state(&format!("{label}.set"), Elem::I32, &[1]);
        let state = self.plan.view(&label, state, 0, Elem::I8, &[bytes.len()]);
        self.step(&initial::INITIAL_VALUE, &label, &[image, state, flag], &[]);
        Ok(())
    }
}

/// Names of the variables by the tensors of their handles.
fn handles(operators: &[Operator]) -> BTreeMap<usize, &str> {
    let named = operators.iter().filter_map(|op| match &op.options {
        Options::VarHandle { name } => Some((*op.outputs.first()?, name.as_str())),
        _ => None,
    });
    named.collect()
}

/// The operators with `code` on a variable, with their indices.
fn uses<'m>(
    model: &'m Model,
    code: BuiltinOp,
    variable: &str,
) -> impl Iterator<Item = (usize, &'m Operator)> {
    let mut names = handles(&model.operators);
    names.retain(|_, name| *name == variable);
    let of_variable = move |(_, op): &(usize, &Operator)| {
        let handle = op.inputs.first().copied().flatten();
        op.code == OpCode::Builtin(code) && handle.is_some_and(|h| names.contains_key(&h))
    };
    model.operators.iter().enumerate().filter(of_variable)
}

/// The last operator that uses the bytes of tensor `target`, which operator `index` writes, and
/// all tensors that lie over them; the number of operators for a graph output.
fn last_use(model: &Model, index: usize, target: usize) -> (usize, Vec<usize>) {
    let mut views = vec![target];
    let mut last = index;
    for (at, op) in model.operators.iter().enumerate().skip(index) {
        if op.inputs.iter().flatten().any(|i| views.contains(i)) {
            last = at;
            if is_view(op) {
                views.extend(&op.outputs);
            }
        }
    }
    if model.outputs.iter().any(|o| views.contains(o)) {
        last = model.operators.len();
    }
    (last, views)
}

/// Whether an operator gives the same bytes another shape.
fn is_view(op: &Operator) -> bool {
    let views = [
        BuiltinOp::RESHAPE,
        BuiltinOp::SQUEEZE,
        BuiltinOp::EXPAND_DIMS,
    ];
    views.map(OpCode::Builtin).contains(&op.code)
}
