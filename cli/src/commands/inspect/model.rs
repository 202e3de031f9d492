//! A model: its operators, and which of them cannot run.

use super::Finding;
use super::plan::shape_text;
use super::pruning;
use crate::report::Console;
use crate::table::Table;
use otolith_dsp_core::lower::network::prune::prune;
use otolith_dsp_core::lower::network::{network_plan, unsupported};
use otolith_dsp_core::network::macs;
use otolith_dsp_nostd::PlanInfo;
use otolith_tflite::{Activation, DType, Model, Operator, Options, Padding, Quant, Tensor};
use serde_json::{Value, json};
use std::fmt::Write;

pub(super) fn inspect(model: &Model, console: &Console) -> Finding {
    let refused = unsupported(model);
    // The boundary can be at fault where no operator is.
    let plan = match refused.is_empty() {
        true => Some(network_plan("model", model)),
        false => None,
    };
    let arena = match &plan {
        Some(Ok(plan)) => PlanInfo::from_bytes(plan).ok(),
        _ => None,
    };
    let arena = arena.map(|info| info.header().arena_len);
    let whole = plan.and_then(Result::err);
    let runs = refused.is_empty() && whole.is_none();
    let (smaller, pruned) = prune(model);
    let sizes = [model, &smaller].map(|model| (total_macs(model), weight_bytes(model)));
    let verdict = refused_text(&refused, whole.as_ref(), console);
    let pruning_text = pruning::text(&pruned, sizes, console);
    Finding {
        text: text(model, arena, console) + &pruning_text + &verdict,
        json: json!({
            "description": model.description,
            "weight_bytes": weight_bytes(model),
            "macs": total_macs(model),
            "arena_bytes": arena,
            "runs": runs,
            "pruning": pruning::json(&pruned, sizes),
            "inputs": model.inputs.iter().map(|&i| tensor_json(model, i)).collect::<Vec<_>>(),
            "outputs": model.outputs.iter().map(|&i| tensor_json(model, i)).collect::<Vec<_>>(),
            "operators": model.operators.iter().map(|op| json!({
                "op": op.code.to_string(),
                "op_version": op.version,
                "options": options(&op.options),
                "macs": macs(model, op),
                "weight_bytes": operator_weights(model, op),
                "inputs": op.inputs,
                "outputs": op.outputs,
            })).collect::<Vec<_>>(),
            "tensors": (0..model.tensors.len()).map(|i| tensor_json(model, i)).collect::<Vec<_>>(),
            "unsupported": refused.iter().map(|u| json!({
                "operator": u.index, "op": u.name, "shape": u.shape, "why": u.why,
            })).collect::<Vec<_>>(),
            "fault": whole.map(|error| error.to_string()),
        }),
        runs,
    }
}

fn weight_bytes(model: &Model) -> usize {
    let constant = |t: &Tensor| t.data.as_ref().map_or(0, |data| data.len());
    model.tensors.iter().map(constant).sum()
}

fn total_macs(model: &Model) -> u64 {
    model.operators.iter().map(|op| macs(model, op)).sum()
}

/// Bytes of the constants that an operator names.
fn operator_weights(model: &Model, op: &Operator) -> usize {
    let tensors = op.inputs.iter().flatten().map(|&i| &model.tensors[i]);
    tensors
        .filter_map(|tensor| tensor.data.as_ref())
        .map(|data| data.len())
        .sum()
}

fn tensor_json(model: &Model, index: usize) -> Value {
    let tensor = &model.tensors[index];
    json!({
        "index": index,
        "name": tensor.name,
        "type": tensor.dtype.to_string(),
        "shape": tensor.shape,
        "constant": tensor.data.is_some(),
        "scales": tensor.quant.as_ref().map(|q| &q.scales),
        "zero_points": tensor.quant.as_ref().map(|q| &q.zero_points),
        "dimension": tensor.quant.as_ref().map(|q| q.dimension),
    })
}

fn refused_text(
    refused: &[otolith_dsp_core::lower::network::Unsupported],
    whole: Option<&otolith_dsp_core::LowerError>,
    console: &Console,
) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match (refused, whole) {
        ([], None) => writeln!(
            text,
            "{}",
            console.verdict(true, "every operator runs on the device")
        ),
        ([], Some(error)) => writeln!(text, "{}: {error}", console.verdict(false, "cannot run")),
        (refused, _) => {
            let title = format!("{} operators cannot run", refused.len());
            writeln!(text, "{}", console.verdict(false, &title))
        }
    };
    for u in refused {
        let shape = shape_text(&u.shape);
        let _ = writeln!(
            text,
            "  operator {} {} [{shape}]: {}",
            u.index, u.name, u.why
        );
    }
    text
}

fn text(model: &Model, arena: Option<u32>, console: &Console) -> String {
    let mut text = String::new();
    let title = format!("model ({})", model.description);
    let _ = writeln!(text, "{}", console.heading(title.trim_end_matches(" ()")));
    let _ = writeln!(text, "  weights   {} bytes", weight_bytes(model));
    let _ = writeln!(text, "  macs      {}", total_macs(model));
    if let Some(arena) = arena {
        let _ = writeln!(
            text,
            "  arena     {arena} bytes, inputs and outputs included"
        );
    }
    for (what, list) in [("input", &model.inputs), ("output", &model.outputs)] {
        for &index in list {
            let tensor = &model.tensors[index];
            let _ = writeln!(text, "  {what:<9} {} {}", typed(tensor), quant(tensor));
        }
    }
    if !model.subgraphs.is_empty() {
        let _ = writeln!(text, "  subgraphs {}", model.subgraphs.len() + 1);
    }
    let _ = writeln!(text, "\n{}", console.heading("operators"));
    let columns = [
        ">#",
        "operator",
        ">version",
        "inputs",
        "output",
        "scale",
        ">MACs",
        ">weight bytes",
        "weight scales",
        "options",
    ];
    let mut table = Table::new(&columns);
    for (index, op) in model.operators.iter().enumerate() {
        let inputs = op.inputs.iter().map(|input| match input {
            Some(index) => typed(&model.tensors[*index]),
            None => "-".into(),
        });
        let output = op.outputs.first().map(|&index| &model.tensors[index]);
        table.row([
            index.to_string(),
            op.code.to_string(),
            op.version.to_string(),
            inputs.collect::<Vec<_>>().join(" "),
            output.map(typed).unwrap_or_default(),
            output.map(quant).unwrap_or_default(),
            macs(model, op).to_string(),
            operator_weights(model, op).to_string(),
            weight_scales(model, op),
            options(&op.options),
        ]);
    }
    let _ = writeln!(text, "{table}");
    text
}

fn typed(tensor: &Tensor) -> String {
    let dtype = match tensor.dtype {
        DType::I8 => "i8".into(),
        DType::U8 => "u8".into(),
        DType::I16 => "i16".into(),
        DType::I32 => "i32".into(),
        DType::I64 => "i64".into(),
        DType::F32 => "f32".into(),
        other => other.to_string(),
    };
    format!("{dtype}[{}]", shape_text(&tensor.shape))
}

/// Scale and zero point of an activation.
fn quant(tensor: &Tensor) -> String {
    match &tensor.quant {
        Some(Quant {
            scales,
            zero_points,
            ..
        }) if scales.len() == 1 => {
            format!("{:.6e}{:+}", scales[0], zero_points[0])
        }
        Some(Quant { scales, .. }) => format!("{} scales", scales.len()),
        None => String::new(),
    }
}

/// Range of the scales of an operator's weights.
fn weight_scales(model: &Model, op: &Operator) -> String {
    let weights = op
        .inputs
        .get(1)
        .copied()
        .flatten()
        .map(|i| &model.tensors[i]);
    match weights.and_then(|w| w.data.as_ref().and(w.quant.as_ref())) {
        Some(Quant { scales, .. }) => {
            let least = scales.iter().copied().fold(f32::INFINITY, f32::min);
            let most = scales.iter().copied().fold(0.0, f32::max);
            match scales.len() {
                1 => format!("{least:.3e}"),
                n => format!("{n}: {least:.3e}..{most:.3e}"),
            }
        }
        None => String::new(),
    }
}

fn options(options: &Options) -> String {
    let padded = |padding: &Padding| match padding {
        Padding::Same => "same",
        Padding::Valid => "valid",
    };
    let fused = |activation: &Activation| match activation {
        Activation::None => String::new(),
        Activation::Relu => " relu".into(),
        Activation::ReluN1To1 => " relu_n1_to_1".into(),
        Activation::Relu6 => " relu6".into(),
        Activation::Other(code) => format!(" activation {code}"),
    };
    let step = |h: &usize, w: &usize| format!("stride {h}x{w}");
    let apart = |h: &usize, w: &usize| match (h, w) {
        (1, 1) => String::new(),
        (h, w) => format!(" dilation {h}x{w}"),
    };
    match options {
        Options::Conv2D {
            padding,
            stride_h,
            stride_w,
            dilation_h,
            dilation_w,
            activation,
        }
        | Options::DepthwiseConv2D {
            padding,
            stride_h,
            stride_w,
            dilation_h,
            dilation_w,
            activation,
            ..
        } => format!(
            "{} {}{}{}",
            padded(padding),
            step(stride_h, stride_w),
            apart(dilation_h, dilation_w),
            fused(activation)
        ),
        Options::Pool2D {
            padding,
            stride_h,
            stride_w,
            filter_h,
            filter_w,
            activation,
        } => format!(
            "{filter_h}x{filter_w} {} {}{}",
            padded(padding),
            step(stride_h, stride_w),
            fused(activation)
        ),
        Options::FullyConnected { activation, .. }
        | Options::Add { activation }
        | Options::Sub { activation }
        | Options::Mul { activation } => fused(activation).trim_start().to_owned(),
        Options::LeakyRelu { alpha } => format!("alpha {alpha}"),
        Options::Softmax { beta } => format!("beta {beta}"),
        Options::Reshape { new_shape } if !new_shape.is_empty() => format!("to {new_shape:?}"),
        Options::Reducer { keep_dims: true } => "keep dimensions".into(),
        _ => String::new(),
    }
}
