//! All presets side by side.

use std::fmt::Write as _;

use super::{fallback, preset_value};
use crate::blocks::{BLOCK_FIELDS, BlockType, PRESET_FIELD};
use crate::config::Field;
use crate::presets::{self, Preset};

/// Blocks that start with samples and give spectra or what is made of them.
const BLOCKS: [BlockType; 3] = [BlockType::Mel, BlockType::Mfcc, BlockType::Spectrogram];

/// The table of presets and fields, as it stands in `docs/dialects.md`.
pub fn dialects_markdown() -> String {
    let mut out = String::from(
        "# Dialects\n\nThis file is made from the presets in `dsp-core`; a test keeps it up to \
         date. `match/` has a page for each of them: the Python call, the pipeline file that gives \
         the same numbers, and what differs.\n\nA preset only fills fields of the blocks `mel`, \
         `mfcc` and `spectrogram`; what the pipeline file says wins. An empty cell means that the \
         preset leaves the field open: it has the default, or it is yours to give. Where a preset \
         says different things to different blocks, the cell names the block. Fields that no \
         preset fills are not listed; [blocks.md](blocks.md) has them all, with their \
         meanings.\n\n| field | default |",
    );
    let fields = fields();
    // Presets of other blocks fill none of these fields.
    let columns: Vec<(&Preset, Vec<String>)> = presets::ALL
        .iter()
        .map(|preset| {
            (
                preset,
                fields.iter().map(|field| cell(preset, field)).collect(),
            )
        })
        .filter(|(_, cells): &(_, Vec<String>)| !cells.iter().all(String::is_empty))
        .collect();
    for (preset, _) in &columns {
        let _ = write!(out, " `{}` |", preset.name);
    }
    out.push_str("\n|---|---|");
    out.push_str(&"---|".repeat(columns.len()));
    out.push('\n');
    for (i, field) in fields.iter().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|(_, cells)| cells[i].as_str()).collect();
        if cells.iter().all(|cell| cell.is_empty()) {
            continue;
        }
        let default = match fallback(field) {
            words if words.starts_with('(') => words.trim_matches(['(', ')']).to_owned(),
            toml => format!("`{toml}`"),
        };
        let _ = writeln!(
            out,
            "| `{}` | {default} | {} |",
            field.name,
            cells.join(" | ")
        );
    }
    out
}

/// The fields of all blocks, each once.
fn fields() -> Vec<&'static Field> {
    let mut fields: Vec<&'static Field> = Vec::new();
    for block in [BlockType::Mfcc, BlockType::Mel, BlockType::Spectrogram] {
        for field in block.fields() {
            let common = BLOCK_FIELDS.iter().chain([&PRESET_FIELD]);
            let mut seen = fields.iter().copied().chain(common);
            if !seen.any(|other| other.name == field.name) {
                fields.push(field);
            }
        }
    }
    fields
}

fn cell(preset: &Preset, field: &Field) -> String {
    let has = |block: &BlockType| block.fields().iter().any(|own| own.name == field.name);
    let values: Vec<(BlockType, Option<String>)> = BLOCKS
        .into_iter()
        .filter(has)
        .map(|block| (block, preset_value(preset, block, field.name)))
        .collect();
    let Some((_, first)) = values.first() else {
        return String::new();
    };
    if values.iter().all(|(_, value)| value == first) {
        return first.as_ref().map_or(String::new(), |v| format!("`{v}`"));
    }
    let named: Vec<String> = values
        .iter()
        .filter_map(|(block, value)| Some(format!("{} `{}`", block.name(), value.as_ref()?)))
        .collect();
    named.join(", ")
}
