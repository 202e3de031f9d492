//! All presets side by side.

use std::fmt::Write as _;

use super::{fallback, preset_value};
use crate::blocks::{BLOCK_FIELDS, BlockType, PRESET_FIELD};
use crate::config::Field;
use crate::presets::{self, Preset, SPECTRA};

/// The tables of presets and fields, as they stand in `docs/dialects.md`.
pub fn dialects_markdown() -> String {
    let mut out = String::from(
        "# Dialects\n\nThis file is made from the presets in `dsp-core`; a test keeps it up to \
         date. [match/](match/README.md) has a page for each of them: the Python call, the \
         pipeline file that gives the same numbers, and what differs.\n\nA preset only fills \
         fields; what the pipeline file says wins. An empty cell means that the preset leaves the \
         field open: it has the default, or it is yours to give. Where a preset says different \
         things to different blocks, the cell names the block. Fields that no preset fills are not \
         listed; [blocks.md](blocks.md) has them all, with their meanings.\n",
    );
    table(&mut out, "`mel`, `mfcc`, `spectrogram`", &SPECTRA);
    for &block in BlockType::ALL {
        let filled = presets::ALL
            .iter()
            .any(|preset| preset.blocks().contains(&block));
        if filled && !SPECTRA.contains(&block) {
            table(&mut out, &format!("`{}`", block.name()), &[block]);
        }
    }
    out
}

/// The table of blocks that share their fields.
fn table(out: &mut String, title: &str, blocks: &[BlockType]) {
    let columns: Vec<&Preset> = presets::ALL
        .iter()
        .filter(|preset| blocks.iter().any(|block| preset.blocks().contains(block)))
        .collect();
    let _ = write!(out, "\n## {title}\n\n| field | default |");
    for preset in &columns {
        let _ = write!(out, " `{}` |", preset.name);
    }
    let _ = writeln!(out, "\n|---|---|{}", "---|".repeat(columns.len()));
    for field in fields(blocks) {
        let cells: Vec<String> = columns.iter().map(|p| cell(p, blocks, field)).collect();
        if cells.iter().all(String::is_empty) {
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
}

/// The fields of some blocks, each once, but for those that every block has.
fn fields(blocks: &[BlockType]) -> Vec<&'static Field> {
    let mut fields: Vec<&'static Field> = Vec::new();
    for block in blocks {
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

fn cell(preset: &Preset, blocks: &[BlockType], field: &Field) -> String {
    let has = |block: &&BlockType| block.fields().iter().any(|own| own.name == field.name);
    let values: Vec<(BlockType, Option<String>)> = blocks
        .iter()
        .filter(has)
        .map(|&block| (block, preset_value(preset, block, field.name)))
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
