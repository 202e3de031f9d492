//! A plan: its steps, tables and the map of its arena.

use super::Finding;
use crate::report::Console;
use crate::table::Table;
use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::plan_builder::PlanNotes;
use otolith_dsp_nostd::format::{Elem, Header, NONE, Place, TensorRecord, parse_step_word};
use otolith_dsp_nostd::{Plan, PlanError, PlanInfo};
use serde_json::json;
use std::fmt::Write;

const SECTIONS: [&str; 3] = ["window", "frame", "decision"];

/// A step as it stands in the plan.
struct StepRow {
    section: &'static str,
    code: u16,
    op: String,
    name: String,
    tensors: Vec<usize>,
    params: Vec<u32>,
}

/// A tensor with everything that is known about it.
struct TensorRow {
    name: String,
    elem: &'static str,
    shape: Vec<usize>,
    place: &'static str,
    offset: usize,
    bytes: usize,
    /// First and last step that name it.
    steps: Option<(usize, usize)>,
}

pub(super) fn inspect(bytes: &[u8], console: &Console) -> Result<Finding, PlanError> {
    // The plan must be whole and run here; that every operator accepts its steps is part of that.
    let info = PlanInfo::from_bytes(bytes)?;
    Plan::from_bytes(bytes, all_ops())?;
    let header = info.header();
    // A stripped plan has no names; foreign names do no harm.
    let notes: PlanNotes = serde_json::from_slice(info.info()).unwrap_or_default();
    let steps = steps(&info, &notes);
    let tensors: Vec<_> = info
        .tensors()
        .iter()
        .enumerate()
        .map(|(index, record)| tensor(index, record, &notes, &steps))
        .collect();

    let numeric = info.numeric().map_or("?", |numeric| match numeric {
        otolith_dsp_nostd::format::Numeric::F32 => "f32",
        otolith_dsp_nostd::format::Numeric::Fixed => "fixed",
    });
    Ok(Finding {
        text: text(&info, &notes, numeric, &steps, &tensors, console),
        json: json!({
            "name": notes.name,
            "format": header.version,
            "numeric": numeric,
            "hash": format!("{:016x}", header.hash),
            "bytes": header.total_len,
            "data_bytes": header.data_len,
            "arena_bytes": header.arena_len,
            "state_bytes": header.state_len,
            "rate_hz": f64::from(header.rate_mhz) / 1000.0,
            "feature_shape": notes.feature_shape,
            "labels": notes.labels,
            "steps": steps.iter().map(|s| json!({
                "section": s.section, "code": s.code, "op": s.op, "name": s.name,
                "tensors": s.tensors, "params": s.params,
            })).collect::<Vec<_>>(),
            "tensors": tensors.iter().map(|t| json!({
                "name": t.name, "elem": t.elem, "shape": t.shape, "place": t.place,
                "offset": t.offset, "bytes": t.bytes,
                "first_step": t.steps.map(|s| s.0), "last_step": t.steps.map(|s| s.1),
            })).collect::<Vec<_>>(),
        }),
        runs: true,
    })
}

fn steps(info: &PlanInfo<'_>, notes: &PlanNotes) -> Vec<StepRow> {
    let sections = SECTIONS
        .iter()
        .zip(info.header().steps)
        .flat_map(|(&section, count)| std::iter::repeat_n(section, count.into()));
    let mut words = info.step_words().iter().copied();
    let mut rows = Vec::new();
    for (index, section) in sections.enumerate() {
        let Some(word) = words.next() else { break };
        let (op_index, n_operands, n_params) = parse_step_word(word);
        let code = info.op_codes().get(op_index).copied().unwrap_or(0);
        let known = all_ops().iter().find(|op| op.code == code);
        rows.push(StepRow {
            section,
            code,
            op: known.map_or_else(|| format!("{code:#06x}"), |op| op.name.to_owned()),
            name: notes.steps.get(index).cloned().unwrap_or_default(),
            tensors: words
                .by_ref()
                .take(n_operands)
                .map(|w| w as usize)
                .collect(),
            params: words.by_ref().take(n_params).collect(),
        });
    }
    rows
}

fn tensor(index: usize, record: &TensorRecord, notes: &PlanNotes, steps: &[StepRow]) -> TensorRow {
    let (name, shape) = notes
        .tensors
        .get(index)
        .cloned()
        .unwrap_or_else(|| (format!("#{index}"), vec![record.count as usize]));
    let elem = Elem::from_code(record.elem);
    let uses = |step: &StepRow| step.tensors.contains(&index);
    TensorRow {
        name,
        elem: elem.map_or("?", elem_name),
        shape,
        place: match Place::from_code(record.place) {
            Some(Place::Data) => "data",
            Some(Place::Arena) => "arena",
            Some(Place::Row) => "row",
            None => "?",
        },
        offset: record.offset as usize,
        bytes: record.count as usize * elem.map_or(0, Elem::size),
        steps: steps
            .iter()
            .position(uses)
            .zip(steps.iter().rposition(uses)),
    }
}

fn elem_name(elem: Elem) -> &'static str {
    match elem {
        Elem::I8 => "i8",
        Elem::U8 => "u8",
        Elem::I16 => "i16",
        Elem::U16 => "u16",
        Elem::I32 => "i32",
        Elem::U32 => "u32",
        Elem::F32 => "f32",
        Elem::I64 => "i64",
        Elem::U64 => "u64",
    }
}

pub(super) fn shape_text(shape: &[usize]) -> String {
    match shape {
        [] => "scalar".into(),
        shape => shape
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join("x"),
    }
}

fn text(
    info: &PlanInfo<'_>,
    notes: &PlanNotes,
    numeric: &str,
    steps: &[StepRow],
    tensors: &[TensorRow],
    console: &Console,
) -> String {
    let header = info.header();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}",
        console.heading(&format!(
            "plan {} (format {}, {numeric})",
            notes.name, header.version
        ))
    );
    let _ = write!(text, "{}", summary(header, notes, tensors));

    let _ = writeln!(text, "\n{}", console.heading("steps"));
    let mut table = Table::new(&[
        ">step",
        "section",
        "operator",
        "name",
        "tensors",
        "parameters",
    ]);
    for (index, step) in steps.iter().enumerate() {
        let operands = step.tensors.iter().map(|&t| match tensors.get(t) {
            Some(t) => {
                let name = t.name.strip_prefix(&step.name).unwrap_or(&t.name);
                format!("{}[{}]", short(name), shape_text(&t.shape))
            }
            None => format!("#{t}"),
        });
        table.row([
            index.to_string(),
            step.section.into(),
            step.op.clone(),
            step.name.clone(),
            operands.collect::<Vec<_>>().join(" "),
            params_text(step),
        ]);
    }
    let _ = write!(text, "{table}");

    let in_place = |place: &'static str| tensors.iter().filter(move |t| t.place == place);
    let mut tables = Table::new(&[">offset", ">bytes", "type", "shape", "name"]);
    for t in in_place("data") {
        tables.row([
            t.offset.to_string(),
            t.bytes.to_string(),
            t.elem.into(),
            shape_text(&t.shape),
            t.name.clone(),
        ]);
    }
    if !tables.is_empty() {
        let _ = write!(
            text,
            "\n{}\n{tables}",
            console.heading("tables and weights")
        );
    }

    let mut arena: Vec<_> = in_place("arena").collect();
    arena.sort_by_key(|t| (t.offset, t.bytes));
    let mut map = Table::new(&[
        ">from", ">to", ">bytes", "lives", "map", "type", "shape", "name",
    ]);
    for t in arena {
        let end = t.offset + t.bytes;
        let state = t.offset < header.state_len as usize;
        map.row([
            t.offset.to_string(),
            end.to_string(),
            t.bytes.to_string(),
            match t.steps {
                _ if state => "always".into(),
                Some((first, last)) => format!("{first}..{last}"),
                None => "-".into(),
            },
            bar(t.offset, end, header.arena_len as usize),
            t.elem.into(),
            shape_text(&t.shape),
            short(&t.name),
        ]);
    }
    let _ = write!(text, "\n{}\n{map}", console.heading("arena"));
    text
}

fn summary(header: &Header, notes: &PlanNotes, tensors: &[TensorRow]) -> String {
    let mut text = String::new();
    let mut line = |what: &str, value: String| {
        let _ = writeln!(text, "  {what:<9} {value}");
    };
    line(
        "size",
        format!(
            "{} bytes: tables and weights {}, names {}",
            header.total_len, header.data_len, header.info_len
        ),
    );
    line(
        "arena",
        format!(
            "{} bytes, of which {} keep their contents between pushes",
            header.arena_len, header.state_len
        ),
    );
    line("hash", format!("{:016x}", header.hash));
    if let Some(source) = tensors.get(usize::from(header.source)) {
        let count = source.shape.iter().product::<usize>();
        line(
            "input",
            format!(
                "{} Hz, {}: windows of {count} samples every {}",
                f64::from(header.rate_mhz) / 1000.0,
                source.elem,
                header.source_hop
            ),
        );
    }
    if header.rows != NONE {
        line(
            "rows",
            format!(
                "{}, {} from each window, {} new ones for a decision",
                header.row_count, header.frames, header.row_hop
            ),
        );
    }
    if !notes.feature_shape.is_empty() {
        line("features", shape_text(&notes.feature_shape));
    }
    if !notes.labels.is_empty() {
        line("labels", notes.labels.join(", "));
    }
    text
}

/// A tensor's name, at most its last few letters: converters join the names of all layers that
/// they fuse.
fn short(name: &str) -> String {
    const LONGEST: usize = 28;
    let last = name.rsplit(';').next().unwrap_or(name);
    match last.char_indices().rev().nth(LONGEST - 1) {
        Some((at, _)) if at > 0 => format!("..{}", &last[at..]),
        _ => last.to_owned(),
    }
}

/// Parameters; those of float operators that are no small integers are floats.
fn params_text(step: &StepRow) -> String {
    let floats = step.op.contains("F32");
    let shown = step.params.iter().map(|&word| match word as i32 {
        large if floats && !(-65_536..=65_536).contains(&large) => {
            format!("{:?}", f32::from_bits(word))
        }
        integer => integer.to_string(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// The part `from..to` of `len` as a bar.
fn bar(from: usize, to: usize, len: usize) -> String {
    const WIDTH: usize = 32;
    let scale = |x: usize| x * WIDTH / len.max(1);
    let start = scale(from).min(WIDTH - 1);
    let end = scale(to).clamp(start + 1, WIDTH);
    ".".repeat(start) + &"#".repeat(end - start) + &".".repeat(WIDTH - end)
}
