//! From the text of a pipeline file to tables whose keys are all known.

use std::sync::Arc;

use super::tables::{block_tables, input_tables, pipeline_name, section_table};
use crate::ConfigError;
use crate::blocks::BlockType;
use crate::config::{Entry, Field, FieldValue, Node, Origin, Section, Table, Value, nearest};
use crate::deploy::{Budget, DeployConfig};
use crate::input::InputConfig;
use crate::presets::Preset;

/// A value for a field that wins over the pipeline file, as from `--set`.
///
/// Fields of blocks are addressed by the block's id (`features.n_mels`), others by their table
/// (`input.rate_hz`, `deploy.numeric`, `pipeline.name`). The value is TOML if it can be, else
/// text, so that `hann` needs no quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The field.
    pub path: String,
    /// Its value.
    pub value: String,
}

impl Override {
    /// An override of the field at `path`.
    pub fn new(path: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            value: value.into(),
        }
    }

    fn shown(&self) -> Arc<str> {
        format!("{}={}", self.path, self.value).into()
    }
}

/// Name of one of several inputs.
pub(crate) const INPUT_ID_FIELD: Field = Field {
    name: "id",
    doc: "Name of the input, where a pipeline has several tables [[input]]: lower-case letters, \
          digits and `_`, starting with a letter.",
    derived: "none for the only input",
    ..Field::PLAIN
};

/// The one field of `[pipeline]`.
pub(crate) const PIPELINE_FIELDS: &[Field] = &[Field {
    name: "name",
    doc: "Name of the pipeline: letters, digits, `_` and `-`, starting with a letter. Names of \
          generated files and C symbols are made of it.",
    ..Field::PLAIN
}];

/// An input of the file.
#[derive(Clone, Debug)]
pub(crate) struct InputTable {
    pub(crate) id: String,
    pub(crate) table: Table,
}

/// A block of the file.
#[derive(Clone, Debug)]
pub(crate) struct BlockTable {
    pub(crate) id: String,
    pub(crate) block_type: BlockType,
    pub(crate) table: Table,
    /// The block's place in the file.
    pub(crate) origin: Origin,
}

/// A pipeline file whose keys are all known and whose overrides and presets have been applied.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    /// At least one. The only one may be the table `[input]`, whose id is `input`.
    pub(crate) inputs: Vec<InputTable>,
    pub(crate) blocks: Vec<BlockTable>,
    pub(crate) deploy: Table,
    places: Vec<(String, Origin)>,
}

impl Document {
    /// Reads `text` and applies `overrides`.
    pub(crate) fn read(text: &str, overrides: &[Override]) -> Result<Self, ConfigError> {
        let root = Table::parse(text)?;
        let mut places = Vec::new();
        let mut pipeline = None;
        let mut inputs = None;
        let mut deploy = None;
        let mut blocks = Vec::new();
        for entry in root.entries {
            let Entry {
                key,
                key_origin,
                node,
            } = entry;
            match key.as_str() {
                "pipeline" => pipeline = Some(section_table(&key, node, &mut places)?),
                "input" => inputs = Some(input_tables(node, &mut places)?),
                "deploy" => deploy = Some(section_table(&key, node, &mut places)?),
                "block" => blocks = block_tables(node)?,
                _ => {
                    let names = ["pipeline", "input", "block", "deploy"];
                    return Err(key_origin.mark(unknown_key(
                        key.clone(),
                        &key,
                        "a pipeline file",
                        "tables",
                        "pipeline",
                        &names,
                    )));
                }
            }
        }
        let mut document = Self {
            name: String::new(),
            inputs: inputs.ok_or_else(|| missing_table("input", "rate_hz = 16000"))?,
            blocks,
            deploy: deploy.unwrap_or_default(),
            places,
        };
        let mut pipeline = pipeline.ok_or_else(|| missing_table("pipeline", "name = \"kws\""))?;
        for change in overrides {
            document.apply(change, &mut pipeline)?;
        }
        if let Some(id) = document
            .inputs
            .iter()
            .map(|input| &input.id)
            .find(|id| document.blocks.iter().any(|block| block.id == **id))
        {
            return Err(ConfigError::new(
                format!("{id}.id"),
                format!("a block and an input `{id}`"),
                "ids must differ: give one of them another `id`",
            ));
        }
        for block in &mut document.blocks {
            let path = block.id.clone();
            document.places.push((path, block.origin.clone()));
        }
        document.check_keys(&pipeline)?;
        document.name = pipeline_name(&pipeline).map_err(|error| document.place(error))?;
        for input in &mut document.inputs {
            settle_alternatives(&mut input.table, InputConfig::FIELDS);
        }
        for block in &mut document.blocks {
            settle_alternatives(&mut block.table, block.block_type.fields());
            fill_preset(block)?;
        }
        Ok(document)
    }

    /// Completes an error about a field with the field's place.
    pub(crate) fn place(&self, error: ConfigError) -> ConfigError {
        if error.span.is_some() || error.source_of_value.is_some() {
            return error;
        }
        let mut rest = error.path.as_str();
        if let Some((table, field)) = rest.split_once('.')
            && let Some(node) = self.table(table).and_then(|table| table.get(field))
        {
            return node.origin.mark(error);
        }
        // Nearest enclosing table that has a place.
        loop {
            if let Some((_, origin)) = self.places.iter().find(|(path, _)| path == rest) {
                return match origin {
                    Origin::File(_) => origin.mark(error),
                    _ => error,
                };
            }
            match rest.rsplit_once('.') {
                Some((parent, _)) => rest = parent,
                None => return error,
            }
        }
    }

    fn table(&self, path: &str) -> Option<&Table> {
        match path {
            "deploy" => Some(&self.deploy),
            id if self.inputs.iter().any(|input| input.id == id) => self
                .inputs
                .iter()
                .find(|input| input.id == id)
                .map(|input| &input.table),
            id => self
                .blocks
                .iter()
                .find(|block| block.id == id)
                .map(|block| &block.table),
        }
    }

    fn apply(&mut self, change: &Override, pipeline: &mut Table) -> Result<(), ConfigError> {
        let shown = change.shown();
        let origin = Origin::Override(shown.clone());
        let Some((target, field)) = change.path.split_once('.') else {
            return Err(ConfigError::new(
                "",
                format!("the override `{shown}`"),
                "expected `block.field=value`, such as `features.n_mels=32`, or `input.`, \
                 `deploy.` or `pipeline.` and a field",
            ));
        };
        let ids: Vec<String> = self.blocks.iter().map(|block| block.id.clone()).collect();
        let table = match target {
            "pipeline" => pipeline,
            "deploy" => &mut self.deploy,
            id if self.inputs.iter().any(|input| input.id == id) => {
                match self.inputs.iter_mut().find(|input| input.id == id) {
                    Some(input) => &mut input.table,
                    None => pipeline,
                }
            }
            id => match self.blocks.iter_mut().find(|block| block.id == id) {
                Some(block) if field == "id" || field == "type" => {
                    return Err(origin.mark(ConfigError::new(
                        change.path.clone(),
                        format!("{:?}", change.value),
                        format!(
                            "the {field} of block `{}` can only be changed in the pipeline file",
                            block.id
                        ),
                    )));
                }
                Some(block) => &mut block.table,
                None => {
                    let names: Vec<&str> = ids
                        .iter()
                        .map(String::as_str)
                        .chain(self.inputs.iter().map(|input| input.id.as_str()))
                        .chain(["deploy", "pipeline"])
                        .collect();
                    let mut error = unknown_key(
                        change.path.clone(),
                        id,
                        "this pipeline",
                        "blocks and tables",
                        "pipeline",
                        &names,
                    );
                    error.source_of_value = Some(format!("the override `{shown}`"));
                    return Err(error);
                }
            },
        };
        let node = Node::from_override(&change.value, shown);
        match field.split_once('.') {
            // The only table inside a table.
            Some(("budget", inner)) if target == "deploy" => {
                if !matches!(table.get("budget").map(|n| &n.value), Some(Value::Table(_))) {
                    table.set(
                        "budget",
                        Node {
                            value: Value::Table(Table::default()),
                            origin,
                        },
                    );
                }
                for entry in &mut table.entries {
                    if let ("budget", Value::Table(budget)) =
                        (entry.key.as_str(), &mut entry.node.value)
                    {
                        budget.set(inner, node.clone());
                    }
                }
            }
            _ => table.set(field, node),
        }
        // A key that only the override has is reported at the override.
        if let Some(entry) = table.entries.iter_mut().find(|entry| entry.key == field)
            && !matches!(entry.key_origin, Origin::File(_))
        {
            entry.key_origin = entry.node.origin.clone();
        }
        Ok(())
    }

    fn check_keys(&self, pipeline: &Table) -> Result<(), ConfigError> {
        let names = |fields: &[Field]| fields.iter().map(|f| f.name).collect::<Vec<_>>();
        check_table(
            pipeline,
            "pipeline",
            "[pipeline]",
            "pipeline",
            &names(PIPELINE_FIELDS),
        )?;
        let mut input_fields = names(InputConfig::FIELDS);
        input_fields.push(INPUT_ID_FIELD.name);
        for input in &self.inputs {
            check_table(&input.table, &input.id, "[input]", "input", &input_fields)?;
        }
        for block in &self.blocks {
            let fields: Vec<&str> = block.block_type.fields().iter().map(|f| f.name).collect();
            let owner = format!("a block of type \"{}\"", block.block_type.name());
            check_table(
                &block.table,
                &block.id,
                &owner,
                block.block_type.name(),
                &fields,
            )?;
        }
        check_table(
            &self.deploy,
            "deploy",
            "[deploy]",
            "deploy",
            &names(DeployConfig::FIELDS),
        )?;
        if let Some(Value::Table(budget)) = self.deploy.get("budget").map(|node| &node.value) {
            check_table(
                budget,
                "deploy.budget",
                "`budget`",
                "deploy.budget",
                &names(Budget::FIELDS),
            )?;
        }
        Ok(())
    }
}

fn missing_table(name: &str, example: &str) -> ConfigError {
    ConfigError::new(
        name,
        "no such table",
        format!("a pipeline file needs the table [{name}] with at least `{example}`"),
    )
}

/// Longest list of names that stands beside a suggestion.
const LISTED: usize = 12;

/// An error about a key that `owner` does not have. `topic` is what `otolith explain` calls the
/// owner.
fn unknown_key(
    path: String,
    key: &str,
    owner: &str,
    what: &str,
    topic: &str,
    allowed: &[&str],
) -> ConfigError {
    let near = nearest(key, allowed.iter().copied());
    let block = BlockType::ALL
        .iter()
        .find(|block| block.fields().iter().any(|field| field.name == key));
    let list = format!("the {what} of {owner} are {}", allowed.join(", "));
    let advice = match (near, block) {
        (Some(near), _) if allowed.len() > LISTED => {
            format!("did you mean `{near}`? `otolith explain {topic}` lists all {what}")
        }
        (Some(near), _) => format!("did you mean `{near}`? T{}", &list[1..]),
        (None, Some(block)) if allowed.len() > LISTED => format!(
            "it is a field of blocks of type \"{}\"; `otolith explain {topic}` lists all {what} of \
             {owner}",
            block.name()
        ),
        (None, Some(block)) => format!(
            "it is a field of blocks of type \"{}\"; {list}",
            block.name()
        ),
        (None, None) => list,
    };
    ConfigError::new(path, format!("the unknown name `{key}`"), advice)
}

fn check_table(
    table: &Table,
    path: &str,
    owner: &str,
    topic: &str,
    allowed: &[&str],
) -> Result<(), ConfigError> {
    match table
        .entries
        .iter()
        .find(|entry| !allowed.contains(&entry.key.as_str()))
    {
        Some(entry) => Err(entry.key_origin.mark(unknown_key(
            format!("{path}.{}", entry.key),
            &entry.key,
            owner,
            "fields",
            topic,
            allowed,
        ))),
        None => Ok(()),
    }
}

/// An override of a field wins over the field of the file that says the same in another way.
fn settle_alternatives<'a>(table: &mut Table, fields: impl IntoIterator<Item = &'a Field>) {
    let is_override =
        |node: Option<&Node>| node.is_some_and(|node| matches!(node.origin, Origin::Override(_)));
    for field in fields {
        let other = field.instead_of;
        if is_override(table.get(field.name)) && !is_override(table.get(other)) {
            table.remove(other);
        }
    }
}

/// Fills the fields that the file leaves open from the block's preset.
fn fill_preset(block: &mut BlockTable) -> Result<(), ConfigError> {
    let Some(node) = block.table.get("preset") else {
        return Ok(());
    };
    let preset = Preset::read(node, &Field::PLAIN).map_err(|mismatch| {
        node.origin.mark(ConfigError::new(
            format!("{}.preset", block.id),
            node.value.shown(),
            mismatch.allowed,
        ))
    })?;
    let blocks = preset.blocks();
    if !blocks.contains(&block.block_type) {
        let names: Vec<&str> = blocks.iter().map(|block| block.name()).collect();
        return Err(node.origin.mark(ConfigError::new(
            format!("{}.preset", block.id),
            node.value.shown(),
            format!(
                "this preset is for blocks of type {}, not \"{}\": remove it, or name another one",
                names.join(", "),
                block.block_type.name()
            ),
        )));
    }
    let span = match &node.origin {
        Origin::File(span) => Some(span.clone()),
        _ => None,
    };
    let origin = Origin::Preset(preset.name, span);
    let values = preset.values(block.block_type)?;
    let fields = block.block_type.fields();
    // All at once, so that a preset's own values do not push each other out.
    let missing: Vec<Entry> = values
        .into_iter()
        .filter(|entry| {
            fields.iter().any(|field| {
                field.name == entry.key
                    && !block.table.contains(field.name)
                    && !block.table.contains(field.instead_of)
            })
        })
        .collect();
    for mut entry in missing {
        entry.node.set_origin(&origin);
        block.table.set(&entry.key, entry.node);
    }
    Ok(())
}
