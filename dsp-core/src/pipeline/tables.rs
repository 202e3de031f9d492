//! The tables of a pipeline file, their ids and types.

use super::read::{BlockTable, INPUT_ID_FIELD, InputTable};
use crate::ConfigError;
use crate::blocks::{BLOCK_FIELDS, BlockType};
use crate::config::{FieldValue, Mismatch, Node, Origin, Table, Value};

/// The table of `[key]`.
pub(super) fn section_table(
    key: &str,
    node: Node,
    places: &mut Vec<(String, Origin)>,
) -> Result<Table, ConfigError> {
    places.push((key.to_owned(), node.origin.clone()));
    match node.value {
        Value::Table(table) => Ok(table),
        other => Err(node.origin.mark(ConfigError::new(
            key,
            other.shown(),
            format!("expected a table: write its fields under [{key}]"),
        ))),
    }
}

/// The table `[input]`, or the tables of `[[input]]` with their ids.
pub(super) fn input_tables(
    node: Node,
    places: &mut Vec<(String, Origin)>,
) -> Result<Vec<InputTable>, ConfigError> {
    let items = match node.value {
        Value::List(items) if !items.is_empty() => items,
        _ => {
            let table = section_table("input", node, places)?;
            return Ok(vec![InputTable {
                id: "input".to_owned(),
                table,
            }]);
        }
    };
    let mut inputs: Vec<InputTable> = Vec::new();
    for (i, item) in items.into_iter().enumerate() {
        let path = format!("input[{i}]");
        let table = section_table(&path, item, places)?;
        let node = table.get("id").ok_or_else(|| {
            ConfigError::new(
                path.clone(),
                "no `id`",
                "several inputs need names: give each [[input]] an `id`",
            )
        })?;
        let id = String::read(node, &INPUT_ID_FIELD).map_err(|mismatch| {
            node.origin.mark(ConfigError::new(
                format!("{path}.id"),
                node.value.shown(),
                mismatch.allowed,
            ))
        })?;
        check_id(&id, node, &format!("{path}.id"))?;
        if inputs.iter().any(|other| other.id == id) {
            return Err(node.origin.mark(ConfigError::new(
                format!("{path}.id"),
                format!("a second input `{id}`"),
                "ids must differ: give this input an `id` of its own",
            )));
        }
        places.push((id.clone(), node.origin.clone()));
        inputs.push(InputTable { id, table });
    }
    Ok(inputs)
}

/// Fails unless `id` can stand in the path of an override.
fn check_id(id: &str, node: &Node, path: &str) -> Result<(), ConfigError> {
    let allowed = id.starts_with(|c: char| c.is_ascii_lowercase())
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let taken = ["input", "deploy", "pipeline", "block"];
    if allowed && !taken.contains(&id) && id.len() <= 32 {
        return Ok(());
    }
    Err(node.origin.mark(ConfigError::new(
        path,
        node.value.shown(),
        format!(
            "expected at most 32 lower-case letters, digits and `_`, starting with a letter, and \
             not {}",
            taken.join(", ")
        ),
    )))
}

/// The tables of `[[block]]`, with their ids and types.
pub(super) fn block_tables(node: Node) -> Result<Vec<BlockTable>, ConfigError> {
    const EXPECTED: &str = "expected tables: start each block with [[block]]";
    let items = match node.value {
        Value::List(items) => items,
        other => {
            return Err(node
                .origin
                .mark(ConfigError::new("block", other.shown(), EXPECTED)));
        }
    };
    let mut blocks: Vec<BlockTable> = Vec::new();
    for (i, item) in items.into_iter().enumerate() {
        let Value::Table(table) = item.value else {
            return Err(item.origin.mark(ConfigError::new(
                format!("block[{i}]"),
                item.value.shown(),
                EXPECTED,
            )));
        };
        let block = block_table(i, table, item.origin)?;
        if blocks.iter().any(|other| other.id == block.id) {
            return Err(key_or_table(&block, "id").mark(ConfigError::new(
                format!("block[{i}].id"),
                format!("a second block `{}`", block.id),
                "ids must differ: give this block an `id` of its own",
            )));
        }
        blocks.push(block);
    }
    Ok(blocks)
}

/// Origin of the value of `key`, or of the whole block.
fn key_or_table<'a>(block: &'a BlockTable, key: &str) -> &'a Origin {
    block
        .table
        .get(key)
        .map_or(&block.origin, |node| &node.origin)
}

fn block_table(i: usize, table: Table, origin: Origin) -> Result<BlockTable, ConfigError> {
    let mismatched = |node: &Node, key: &str, mismatch: Mismatch| {
        node.origin.mark(ConfigError::new(
            format!("block[{i}].{key}"),
            node.value.shown(),
            mismatch.allowed,
        ))
    };
    let type_field = &BLOCK_FIELDS[1];
    let block_type = match table.get("type") {
        Some(node) => BlockType::read(node, type_field)
            .map_err(|mismatch| mismatched(node, "type", mismatch))?,
        None => {
            return Err(origin.mark(ConfigError::new(
                format!("block[{i}].type"),
                "no value",
                format!("give `type`: {}", type_field.expectation()),
            )));
        }
    };
    let id = match table.get("id") {
        Some(node) => {
            let id = String::read(node, &BLOCK_FIELDS[0])
                .map_err(|mismatch| mismatched(node, "id", mismatch))?;
            check_id(&id, node, &format!("block[{i}].id"))?;
            id
        }
        None => block_type.name().to_owned(),
    };
    Ok(BlockTable {
        id,
        block_type,
        table,
        origin,
    })
}

pub(super) fn pipeline_name(pipeline: &Table) -> Result<String, ConfigError> {
    const EXPECTED: &str =
        "expected at most 64 letters, digits, `_` and `-` in quotes, starting with a letter";
    let Some(node) = pipeline.get("name") else {
        return Err(ConfigError::new(
            "pipeline.name",
            "no value",
            format!("give the pipeline a `name`: {EXPECTED}"),
        ));
    };
    match &node.value {
        Value::Text(name)
            if name.len() <= 64
                && name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') =>
        {
            Ok(name.clone())
        }
        other => Err(node
            .origin
            .mark(ConfigError::new("pipeline.name", other.shown(), EXPECTED))),
    }
}
