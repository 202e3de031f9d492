//! Plans as source code of other languages.
//!
//! A generated file depends on nothing but the plan: the same plan gives the same bytes.

mod identifier;

use crate::engine::feature_scale;
use crate::plan_builder::{PlanBytes, PlanNotes, strip_info};
use identifier::{Identifiers, lower_identifier};
use otolith_dsp_nostd::format::{ARENA_ALIGN, Elem, Numeric, PART_ALIGN, VERSION};
use otolith_dsp_nostd::{PlanError, PlanInfo};
use std::fmt::Write;
use thiserror::Error;

/// Why a plan cannot be written as source code.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The bytes are not a sound plan.
    #[error("the plan cannot be read: {0}")]
    Plan(PlanError),
    /// The info part is not what the plan builder writes.
    #[error("the plan's info part cannot be read: {0}")]
    Notes(#[from] serde_json::Error),
    /// The labels do not belong to the scores.
    #[error("the plan names {labels} labels and has {scores} scores: compile it again")]
    Labels {
        /// Number of labels.
        labels: usize,
        /// Number of scores.
        scores: usize,
    },
    /// The plan uses an operator that this version does not know.
    #[error("operator {0:#06x} is not known to this version: compile the plan again with it")]
    UnknownOp(u16),
}

/// A plan as C source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CFiles {
    /// Name of the files without their endings, and the prefix of every symbol in lower case.
    pub name: String,
    /// Contents of `NAME.h`.
    pub header: String,
    /// Contents of `NAME.c`.
    pub source: String,
}

/// Writes `plan` as a C header and source, to be compiled with `otolith.h` and linked with the
/// C library.
///
/// `name` becomes the prefix of all symbols, upper case, with `_` for what C does not allow in an
/// identifier: `kws` gives `KWS_PLAN`. Labels become `KWS_LABEL_*` in the same way; where two
/// would be the same, the later one gets a number.
///
/// The info part is left out of the emitted bytes, so their hash, `NAME_PLAN_HASH`, is that of
/// the stripped plan ([`strip_info`]).
///
/// # Errors
/// [`EmitError`] when the plan is not one that this version has written.
pub fn emit_c(plan: &[u8], name: &str) -> Result<CFiles, EmitError> {
    let aligned = PlanBytes::copy_from(plan);
    let whole = PlanInfo::from_bytes(&aligned).map_err(EmitError::Plan)?;
    let notes: PlanNotes = match whole.info() {
        [] => PlanNotes::default(),
        info => serde_json::from_slice(info)?,
    };
    let bytes = strip_info(&aligned).map_err(EmitError::Plan)?;
    let plan = PlanInfo::from_bytes(&bytes).map_err(EmitError::Plan)?;
    let n_scores = tensor_count(&plan, plan.header().scores);
    if !notes.labels.is_empty() && notes.labels.len() != n_scores {
        return Err(EmitError::Labels {
            labels: notes.labels.len(),
            scores: n_scores,
        });
    }
    let name = lower_identifier(name);
    // Known for features of `i16` only; a plan without notes does not say it.
    let feature_q = feature_scale(&aligned)
        .ok()
        .and_then(|scale| scale.into_iter().map(fraction_bits).collect());
    let c = C {
        prefix: name.to_uppercase(),
        ops: op_names(&plan)?,
        n_scores,
        feature_q,
        name,
        plan,
        bytes: &bytes,
        notes: &notes,
    };
    Ok(CFiles {
        header: c.header(),
        source: c.source(),
        name: c.name,
    })
}

/// `q` of a scale `2^-q`.
fn fraction_bits(scale: f64) -> Option<i32> {
    (-64..=64).find(|&q| scale == libm::exp2(f64::from(-q)))
}

fn tensor_count(plan: &PlanInfo<'_>, id: u16) -> usize {
    let record = plan.tensors().get(usize::from(id));
    record.map_or(0, |record| record.count as usize)
}

/// Names of the operators that the plan needs, in its order.
fn op_names(plan: &PlanInfo<'_>) -> Result<Vec<&'static str>, EmitError> {
    let known = || {
        otolith_dsp_nostd::ops::ALL
            .iter()
            .chain(otolith_classifier::ALL)
    };
    plan.op_codes()
        .iter()
        .map(|&code| {
            known()
                .find(|op| op.code == code)
                .map(|op| op.name)
                .ok_or(EmitError::UnknownOp(code))
        })
        .collect()
}

struct C<'a> {
    name: String,
    prefix: String,
    plan: PlanInfo<'a>,
    bytes: &'a [u8],
    notes: &'a PlanNotes,
    ops: Vec<&'static str>,
    n_scores: usize,
    /// Fraction bits of each column of integer features.
    feature_q: Option<Vec<i32>>,
}

impl C<'_> {
    fn header(&self) -> String {
        let (p, h) = (&self.prefix, self.plan.header());
        let mut lines = vec![
            format!(
                "/* The plan of the pipeline \"{}\" for Otolith's C library. Generated: change the\n   \
                 pipeline and compile it again. */",
                comment_text(&self.notes.name)
            ),
            format!("#ifndef {p}_H\n#define {p}_H\n"),
            "#include \"otolith.h\"\n".into(),
            format!(
                "#if OTO_PLAN_VERSION != {VERSION}\n#error \"this file holds a plan of format \
                 {VERSION}: compile the pipeline with the tool of the same version as otolith.h\"\n\
                 #endif\n"
            ),
            "#ifdef __cplusplus\nextern \"C\" {\n#endif\n".into(),
            "/* The plan's bytes, constant. */".into(),
            format!("#define {p}_PLAN_LEN {}u", self.bytes.len()),
            format!("#define {p}_PLAN_HASH 0x{:016x}ull", h.hash),
            format!("extern const uint8_t {p}_PLAN[{p}_PLAN_LEN];\n"),
            "/* The operators that it needs. */".into(),
            format!("#define {p}_N_OPS {}u", self.ops.len()),
            format!("extern const oto_op *const {p}_OPS[{p}_N_OPS];\n"),
            "/* The memory that a runner needs, in bytes. */".into(),
            format!("#define {p}_ARENA_LEN {}u", h.arena_len),
            format!("#define {p}_ARENA_ALIGN {ARENA_ALIGN}u\n"),
        ];
        lines.extend(self.input_and_features());
        lines.extend(self.labels_declared());
        lines.push("#ifdef __cplusplus\n}\n#endif\n\n#endif".into());
        lines.join("\n") + "\n"
    }

    fn input_and_features(&self) -> Vec<String> {
        let (p, h) = (&self.prefix, self.plan.header());
        let numeric = match self.plan.numeric() {
            Some(Numeric::Fixed) => "OTO_NUMERIC_FIXED",
            _ => "OTO_NUMERIC_F32",
        };
        let mut lines = vec![
            "/* Input, output and number format. */".into(),
            format!("#define {p}_NUMERIC {numeric}"),
            format!("#define {p}_RATE_MILLIHERTZ {}u", h.rate_mhz),
        ];
        if h.rate_mhz != 0 && h.rate_mhz.is_multiple_of(1000) {
            lines.push(format!("#define {p}_RATE_HZ {}u", h.rate_mhz / 1000));
        }
        lines.push(format!(
            "#define {p}_SAMPLES_PER_DECISION {}u",
            h.samples_per_decision()
        ));
        let n_features = tensor_count(&self.plan, h.features);
        lines.push(format!("#define {p}_N_FEATURES {n_features}u"));
        if let [rows, cols] = *self.notes.feature_shape
            && rows * cols == n_features
        {
            lines.push(format!("#define {p}_FEATURE_ROWS {rows}u"));
            lines.push(format!("#define {p}_FEATURE_COLS {cols}u"));
        }
        let elem = self.plan.tensors().get(usize::from(h.features));
        let feature_type = match elem.and_then(|record| Elem::from_code(record.elem)) {
            Some(Elem::F32) => Some("float"),
            Some(Elem::I16) => Some("int16_t"),
            Some(Elem::I8) => Some("int8_t"),
            _ => None,
        };
        lines.extend(feature_type.map(|ty| format!("#define {p}_FEATURE_TYPE {ty}")));
        if let Some(q) = &self.feature_q {
            lines
                .push("/* Fraction bits of each column: a feature is its integer / 2^Q. */".into());
            let list: Vec<String> = q.iter().map(i32::to_string).collect();
            lines.push(format!("#define {p}_FEATURES_Q {{ {} }}", list.join(", ")));
            if let [first, rest @ ..] = q.as_slice()
                && rest.iter().all(|q| q == first)
            {
                lines.push(format!("#define {p}_FEATURE_Q {first}"));
            }
        }
        lines.push(String::new());
        lines
    }

    fn labels_declared(&self) -> Vec<String> {
        let p = &self.prefix;
        let mut lines = vec![
            "/* Labels, in the order of the scores. */".into(),
            format!("#define {p}_N_LABELS {}u", self.n_scores),
        ];
        if let Some(scale) = self.notes.score_scale {
            lines.push("/* Real value of one unit of a score, which is no probability. */".into());
            lines.push(format!("#define {p}_SCORE_SCALE {scale:e}"));
        }
        if !self.notes.labels.is_empty() {
            lines.push(format!("enum {}_label {{", self.name));
            let mut used = Identifiers::default();
            let values: Vec<String> = self
                .notes
                .labels
                .iter()
                .enumerate()
                .map(|(i, label)| format!("    {p}_LABEL_{} = {i}", used.upper(label, i)))
                .collect();
            lines.push(values.join(",\n"));
            lines.push("};".into());
            lines.push(format!(
                "extern const char *const {p}_LABELS[{p}_N_LABELS];"
            ));
        }
        lines.push(String::new());
        lines
    }

    fn source(&self) -> String {
        let p = &self.prefix;
        let mut text = format!("#include \"{}.h\"\n\n", self.name);
        // Infallible: the target is a String.
        let _ = writeln!(
            text,
            "OTO_ALIGNED({PART_ALIGN}) const uint8_t {p}_PLAN[{p}_PLAN_LEN] = {{"
        );
        for line in self.bytes.chunks(16) {
            let bytes: Vec<String> = line.iter().map(|byte| format!("0x{byte:02x}")).collect();
            let _ = writeln!(text, "    {},", bytes.join(", "));
        }
        text.push_str("};\n\n");
        let _ = writeln!(text, "const oto_op *const {p}_OPS[{p}_N_OPS] = {{");
        for op in &self.ops {
            let _ = writeln!(text, "    &OTO_OP_{op},");
        }
        text.push_str("};\n");
        if !self.notes.labels.is_empty() {
            let _ = writeln!(text, "\nconst char *const {p}_LABELS[{p}_N_LABELS] = {{");
            for label in &self.notes.labels {
                let _ = writeln!(text, "    {},", c_string(label));
            }
            text.push_str("};\n");
        }
        text
    }
}

/// `text` as it can stand in a C comment.
fn comment_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-.".contains(c);
    text.chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect()
}

/// `text` as a C string literal of its UTF-8 bytes. Octal escapes end after three digits, where
/// hexadecimal ones would go on; an escaped `?` makes no trigraph.
fn c_string(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | b'?' => literal.extend(['\\', char::from(byte)]),
            b' '..=b'~' => literal.push(char::from(byte)),
            _ => {
                let _ = write!(literal, "\\{byte:03o}");
            }
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests;
