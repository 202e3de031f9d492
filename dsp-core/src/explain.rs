//! Reference texts of every field, made from the fields' own declarations.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};
use thiserror::Error;

use crate::blocks::{BLOCK_FIELDS, BlockType};
use crate::config::{Choice, Field, Kind, Section, Table, Value, nearest};
use crate::deploy::{Budget, DeployConfig};
use crate::input::InputConfig;
use crate::pipeline::{INPUT_ID_FIELD, PIPELINE_FIELDS};
use crate::presets;

/// A path that names nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownPath {
    /// What was asked for.
    pub path: String,
    /// The nearest path that exists.
    pub suggestion: Option<String>,
}

impl std::fmt::Display for UnknownPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` names no block or field", self.path)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        let topics: Vec<&str> = topics().iter().map(|topic| topic.name).collect();
        write!(
            f,
            " Ask for one of {}, for a preset ({}), or for a field such as mfcc.n_mels",
            topics.join(", "),
            preset_names().join(", ")
        )
    }
}

/// A table of the pipeline file, or a type of block.
struct Topic {
    name: &'static str,
    /// How it starts in the file.
    header: String,
    about: String,
    groups: Vec<Group>,
}

/// Fields with a common meaning.
struct Group {
    about: String,
    fields: Vec<&'static Field>,
}

fn group(about: &str, fields: &'static [Field]) -> Group {
    Group {
        about: paragraphs(about),
        fields: fields.iter().collect(),
    }
}

fn table_topic(name: &'static str, about: &str, fields: &'static [Field]) -> Topic {
    Topic {
        name,
        header: format!("[{name}]"),
        about: paragraphs(about),
        groups: vec![group("", fields)],
    }
}

fn topics() -> Vec<Topic> {
    let mut topics = vec![
        table_topic("pipeline", "The pipeline as a whole.", PIPELINE_FIELDS),
        Topic {
            groups: vec![
                group("", InputConfig::FIELDS),
                Group {
                    about: "Of several inputs.".to_owned(),
                    fields: vec![&INPUT_ID_FIELD],
                },
            ],
            ..table_topic("input", InputConfig::ABOUT, InputConfig::FIELDS)
        },
    ];
    for &block in BlockType::ALL {
        let common = Group {
            about: "Every block has these.".to_owned(),
            fields: BLOCK_FIELDS.iter().chain(block.common_fields()).collect(),
        };
        let own = block
            .sections()
            .into_iter()
            .map(|(about, fields)| group(about, fields));
        topics.push(Topic {
            name: block.name(),
            header: format!("[[block]] with type = \"{}\"", block.name()),
            about: block.about().to_owned(),
            groups: std::iter::once(common).chain(own).collect(),
        });
    }
    topics.push(table_topic(
        "deploy",
        DeployConfig::ABOUT,
        DeployConfig::FIELDS,
    ));
    topics.push(table_topic("deploy.budget", Budget::ABOUT, Budget::FIELDS));
    topics
}

impl Topic {
    fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.groups.iter().flat_map(|group| group.fields.clone())
    }
}

fn preset_names() -> Vec<&'static str> {
    presets::ALL.iter().map(|preset| preset.name).collect()
}

/// Everything that [`explain`] knows: tables, types of blocks, their fields, and presets.
pub fn paths() -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for topic in topics() {
        paths.push(topic.name.to_owned());
        paths.extend(
            topic
                .fields()
                .map(|field| format!("{}.{}", topic.name, field.name)),
        );
    }
    paths.extend(preset_names().into_iter().map(str::to_owned));
    paths
}

/// Explains a table (`input`), a type of block (`mfcc`), a field (`mfcc.n_mels`) or a preset
/// (`librosa`).
///
/// # Errors
///
/// [`UnknownPath`] when `path` names none of them, with the nearest that exists.
///
/// ```
/// let text = otolith_dsp_core::explain::explain("mfcc.n_mels")?;
/// assert!(text.contains("Number of mel filters."));
/// # Ok::<(), otolith_dsp_core::explain::UnknownPath>(())
/// ```
pub fn explain(path: &str) -> Result<String, UnknownPath> {
    let path = path.trim();
    for topic in topics() {
        if topic.name == path {
            return Ok(explain_topic(&topic));
        }
        let field = path
            .strip_prefix(topic.name)
            .and_then(|rest| rest.strip_prefix('.'))
            .and_then(|name| topic.fields().find(|field| field.name == name));
        if let Some(field) = field {
            return Ok(explain_field(path, topic.name, field));
        }
    }
    if let Some(preset) = presets::ALL.iter().find(|preset| preset.name == path) {
        return Ok(format!(
            "preset = \"{}\"\n\n  {}\n\nIt fills:\n{}",
            preset.name,
            paragraphs(preset.about),
            indented(preset.fields.trim())
        ));
    }
    Err(UnknownPath {
        path: path.to_owned(),
        suggestion: suggestion(path),
    })
}

/// The nearest path: a field alone (`n_mels`) is looked up in all blocks.
fn suggestion(path: &str) -> Option<String> {
    let all = paths();
    let field = path.rsplit('.').next().unwrap_or(path);
    let same_field = all
        .iter()
        .find(|known| known.rsplit('.').next() == Some(field) && known.contains('.'));
    nearest(path, all.iter().map(String::as_str))
        .map(str::to_owned)
        .or_else(|| same_field.cloned())
        .or_else(|| {
            let fields = all.iter().filter_map(|known| known.split_once('.'));
            let near = nearest(field, fields.map(|(_, name)| name))?;
            all.iter()
                .find(|known| known.split_once('.').is_some_and(|(_, name)| name == near))
                .cloned()
        })
}

fn explain_topic(topic: &Topic) -> String {
    let mut out = format!("{}\n\n  {}\n", topic.header, topic.about);
    for group in &topic.groups {
        out.push('\n');
        if !group.about.is_empty() {
            let _ = writeln!(out, "{}\n", group.about);
        }
        for field in &group.fields {
            let _ = writeln!(out, "  {} = {}", field.name, fallback(field));
            let _ = writeln!(out, "      {}", first_sentence(field.doc));
        }
    }
    let _ = write!(
        out,
        "\nAsk for {}.{} and so on to read more.",
        topic.name,
        topic.fields().last().map_or("", |field| field.name)
    );
    out
}

fn explain_field(path: &str, topic: &str, field: &Field) -> String {
    let mut out = format!(
        "{path}: {}\n\n  {}\n",
        field.expectation(),
        paragraphs(field.doc)
    );
    for choice in choices(field.kind) {
        let _ = write!(out, "\n  {}: {}", choice.toml(), paragraphs(choice.doc));
    }
    if !choices(field.kind).is_empty() {
        out.push('\n');
    }
    let _ = write!(out, "\n  Default: {}", fallback(field));
    for (preset, value) in preset_values(topic, field.name) {
        let _ = write!(out, "\n  Preset {preset}: {value}");
    }
    out
}

/// The default as TOML, or in words.
fn fallback(field: &Field) -> String {
    if !field.default.is_empty() {
        field.default.to_owned()
    } else if !field.derived.is_empty() {
        format!("({})", field.derived)
    } else if !field.instead_of.is_empty() {
        format!("(required, or {})", field.instead_of)
    } else {
        "(required)".to_owned()
    }
}

fn choices(kind: Kind) -> &'static [Choice] {
    match kind {
        Kind::Choice(choices) | Kind::IntegerOr(choices) | Kind::NumberOr(choices) => choices,
        Kind::Integer
        | Kind::Number
        | Kind::Text
        | Kind::TextList
        | Kind::NumberList
        | Kind::TextListOrPath
        | Kind::Table => &[],
    }
}

/// What each preset says about a field of the block `topic`.
fn preset_values(topic: &str, field: &str) -> Vec<(&'static str, String)> {
    let block = BlockType::ALL.iter().find(|block| block.name() == topic);
    presets::ALL
        .iter()
        .filter_map(|preset| Some((preset.name, preset_value(preset, *block?, field)?)))
        .collect()
}

/// What a preset says about a field of a block, as TOML.
fn preset_value(preset: &presets::Preset, block: BlockType, field: &str) -> Option<String> {
    let values = preset.values(block).ok()?;
    let entry = values.into_iter().find(|entry| entry.key == field)?;
    Some(entry.node.value.shown())
}

/// A doc comment as running text.
fn paragraphs(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(str::trim).collect();
    lines
        .split(|line| line.is_empty())
        .filter(|paragraph| !paragraph.is_empty())
        .map(|paragraph| paragraph.join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn first_sentence(doc: &str) -> String {
    let text = paragraphs(doc);
    match text.find(". ") {
        Some(end) => text[..=end].to_owned(),
        None => text,
    }
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The reference of all blocks and fields, as it stands in `docs/blocks.md`.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Pipeline files: reference\n\nThis file is made from the fields' declarations in \
         `dsp-core`; a test keeps it up to date. `otolith explain` prints the same texts.\n\nA \
         pipeline file is TOML: `[pipeline]`, `[input]`, then `[[block]]` for each block in the \
         order of the chain, then `[deploy]`. Unknown keys are errors.\n",
    );
    for topic in topics() {
        let _ = write!(out, "\n## `{}`\n\n{}\n", topic.name, topic.about);
        let like_mel = if topic.name == BlockType::Mfcc.name() {
            out.push_str(
                "\nIt starts with the stages of [`mel`](#mel), and has all its fields; these are \
                 its own:\n",
            );
            true
        } else if topic.name == BlockType::Spectrogram.name() {
            out.push_str(
                "\nIt has the stages and fields of [`mel`](#mel) but for those of mel filters and \
                 of energy.\n",
            );
            true
        } else {
            false
        };
        for group in &topic.groups {
            let shared = like_mel
                && BlockType::Mel
                    .fields()
                    .iter()
                    .any(|field| group.fields.iter().any(|own| own.name == field.name));
            if shared {
                continue;
            }
            if !group.about.is_empty() {
                let _ = write!(out, "\n{}\n", group.about);
            }
            for field in &group.fields {
                markdown_field(&mut out, field);
            }
        }
    }
    out.push_str("\n## Presets\n\nA preset only fills fields; what the file says wins. Values under a table such \
         as `[mfcc]` are for blocks of that type. [dialects.md](dialects.md) has all presets side \
         by side.\n");
    for preset in presets::ALL {
        let _ = write!(
            out,
            "\n### `{}`\n\n{}\n\n```toml\n{}\n```\n",
            preset.name,
            paragraphs(preset.about),
            preset.fields.trim()
        );
    }
    out
}

fn markdown_field(out: &mut String, field: &Field) {
    let _ = write!(
        out,
        "\n### `{}`\n\n{}\n\n- Value: {}\n- Default: {}\n",
        field.name,
        paragraphs(field.doc),
        field.expectation(),
        match fallback(field) {
            words if words.starts_with('(') => words.trim_matches(['(', ')']).to_owned(),
            toml => format!("`{toml}`"),
        }
    );
    for choice in choices(field.kind) {
        let _ = writeln!(out, "- `{}`: {}", choice.toml(), paragraphs(choice.doc));
    }
}

/// A JSON schema of pipeline files, for editors.
pub fn json_schema() -> Json {
    let one = |name: &str| {
        topics()
            .into_iter()
            .find(|topic| topic.name == name)
            .map(|topic| object(topic.fields()))
            .unwrap_or_default()
    };
    let mut deploy = one("deploy");
    deploy["properties"]["budget"] = one("deploy.budget");
    let blocks: Vec<Json> = BlockType::ALL
        .iter()
        .map(|block| {
            let mut schema = object(block.fields().into_iter());
            schema["title"] = json!(block.name());
            schema["description"] = json!(block.about());
            schema["properties"]["type"] = json!({ "const": block.name() });
            schema
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Otolith pipeline",
        "type": "object",
        "additionalProperties": false,
        "required": ["pipeline", "input", "block"],
        "properties": {
            "pipeline": one("pipeline"),
            "input": { "oneOf": [one("input"), { "type": "array", "items": one("input") }] },
            "block": { "type": "array", "items": { "oneOf": blocks } },
            "deploy": deploy,
        },
    })
}

fn object(fields: impl Iterator<Item = &'static Field>) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        properties.insert(field.name.to_owned(), property(field));
        if fallback(field) == "(required)" {
            required.push(field.name);
        }
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn property(field: &Field) -> Json {
    let number = |kind: &str| {
        let mut schema = json!({ "type": kind });
        if let Some((low, high)) = field.range {
            schema["minimum"] = json!(low);
            schema["maximum"] = json!(high);
        }
        schema
    };
    let names = |choices: &[Choice]| {
        let names: Vec<Json> = choices
            .iter()
            .map(|choice| {
                choice
                    .name
                    .parse::<u32>()
                    .map_or_else(|_| json!(choice.name), |number| json!(number))
            })
            .collect();
        json!({ "enum": names })
    };
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    let mut schema = match field.kind {
        Kind::Integer => number("integer"),
        Kind::Number => number("number"),
        Kind::Text => json!({ "type": "string" }),
        Kind::TextList => texts,
        Kind::NumberList => json!({ "type": "array", "items": number("number") }),
        Kind::TextListOrPath => json!({ "oneOf": [texts, { "type": "string" }] }),
        Kind::Choice(choices) => names(choices),
        Kind::IntegerOr(choices) => json!({ "oneOf": [names(choices), number("integer")] }),
        Kind::NumberOr(choices) => json!({ "oneOf": [names(choices), number("number")] }),
        Kind::Table => json!({ "type": "object" }),
    };
    schema["description"] = json!(paragraphs(field.doc));
    if let Some(default) = default_json(field) {
        schema["default"] = default;
    }
    schema
}

fn default_json(field: &Field) -> Option<Json> {
    let table = Table::parse(&format!("default = {}", field.default)).ok()?;
    match &table.get("default")?.value {
        Value::Text(text) => Some(json!(text)),
        Value::Integer(integer) => Some(json!(integer)),
        Value::Number(number) => Some(json!(number)),
        Value::List(_) => Some(json!([])),
        Value::Boolean(_) | Value::Datetime(_) | Value::Table(_) => None,
    }
}

mod dialects;
#[cfg(test)]
mod tests;

pub use dialects::dialects_markdown;
