//! Rows of the micro-frontend.

use super::columns::Column;
use super::{RowForm, Values};
use crate::graph::{Head, MicroFrontend, MicroOutput};
use crate::plan_builder::{PlanBuilder, TensorId};
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::fixed::micro::output;

/// What the frame section leaves in its row: 16 bits hold a logarithm and a model's input.
pub(super) fn row_form(front: &MicroFrontend, head: Option<&Head>) -> RowForm {
    match (head, front.output, &front.log) {
        (Some(_), ..) => RowForm::Int8,
        (None, MicroOutput::Scaled(_), None) => RowForm::Wide,
        _ => RowForm::Features,
    }
}

/// Writes the features `x`, in the row where its form allows it.
pub(super) fn output(
    plan: &mut PlanBuilder,
    name: &str,
    front: &MicroFrontend,
    x: TensorId,
    row: TensorId,
    form: RowForm,
) -> Values {
    let n = front.channels();
    let codes = front.output == MicroOutput::Codes;
    let elem = match (form, &front.log) {
        (RowForm::Int8, _) if codes => Elem::I8,
        (_, None) if !codes => Elem::I32,
        _ => Elem::I16,
    };
    let tensor = if elem == form.elem() {
        row
    } else {
        plan.tensor(&format!("{name}.features"), elem, &[n])
    };
    let params: &[u32] = match elem {
        Elem::I16 => &[codes as u32],
        _ => &[],
    };
    let op = match elem {
        Elem::I8 => &output::MICRO_OUTPUT_I8,
        Elem::I16 => &output::MICRO_OUTPUT_I16,
        _ => &output::MICRO_OUTPUT_I32,
    };
    plan.step(Section::Frame, op, name, &[x, tensor], params);
    let column = match front.output {
        MicroOutput::Scaled(scale) => Column::plain(scale, 0.0, 65535.0 * scale),
        MicroOutput::Codes => Column::plain(1.0, -128.0, 127.0),
    };
    let values = Values {
        tensor,
        elem,
        columns: vec![column; n],
        energy: None,
    };
    plan.format(Section::Frame, name, tensor, values.format());
    values
}
