//! A pipeline file as a tree whose every value knows where it came from.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::ConfigError;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin {
    /// Bytes of the pipeline file.
    File(Range<usize>),
    /// An override such as `features.n_mels=32`.
    Override(Arc<str>),
    /// A preset, chosen by the bytes of the pipeline file (or by an override).
    Preset(&'static str, Option<Range<usize>>),
}

impl Origin {
    /// Completes `error` with what is known about the place of the value.
    pub(crate) fn mark(&self, mut error: ConfigError) -> ConfigError {
        match self {
            Self::File(span) => error.span = Some(span.clone()),
            Self::Override(text) => error.source_of_value = Some(format!("the override `{text}`")),
            Self::Preset(name, span) => {
                error.span.clone_from(span);
                error.source_of_value = Some(format!("preset `{name}`"));
            }
        }
        error
    }
}

/// A value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// A TOML value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Datetime(String),
    List(Vec<Node>),
    Table(Table),
}

/// A table; entries in the order of the file.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_origin: Origin,
    pub(crate) node: Node,
}

impl Table {
    /// Reads a whole TOML text.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let parsed = DeTable::parse(text).map_err(|error| {
            let mut out = ConfigError::new(
                "",
                "a TOML syntax error",
                error.message().trim_end().to_owned(),
            );
            out.span = error.span();
            out
        })?;
        let mut table = Self::from_toml(parsed.get_ref())?;
        table.sort();
        Ok(table)
    }

    fn from_toml(table: &DeTable<'_>) -> Result<Self, ConfigError> {
        let entries = table
            .iter()
            .map(|(key, value)| {
                Ok(Entry {
                    key: key.get_ref().to_string(),
                    key_origin: Origin::File(key.span()),
                    node: Node::from_toml(value)?,
                })
            })
            .collect::<Result<_, ConfigError>>()?;
        Ok(Self { entries })
    }

    /// The parser sorts keys by name; errors are to come in the order of the file.
    fn sort(&mut self) {
        self.entries.sort_by_key(|entry| match &entry.key_origin {
            Origin::File(span) => span.start,
            _ => usize::MAX,
        });
        for entry in &mut self.entries {
            match &mut entry.node.value {
                Value::Table(table) => table.sort(),
                Value::List(nodes) => {
                    for node in nodes {
                        if let Value::Table(table) = &mut node.value {
                            table.sort();
                        }
                    }
                }
                _ => {}
            }
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.entries.retain(|entry| entry.key != key);
    }

    /// Sets a key, replacing its value if it has one.
    pub(crate) fn set(&mut self, key: &str, node: Node) {
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.node = node,
            None => self.entries.push(Entry {
                key: key.to_owned(),
                key_origin: node.origin.clone(),
                node,
            }),
        }
    }
}

impl Node {
    fn from_toml(spanned: &Spanned<DeValue<'_>>) -> Result<Self, ConfigError> {
        let origin = Origin::File(spanned.span());
        let unreadable =
            |text: &str, allowed: &str| origin.mark(ConfigError::new("", text, allowed.to_owned()));
        let value = match spanned.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => Value::Integer(
                i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| {
                    unreadable(integer.as_str(), "expected an integer of at most 64 bits")
                })?,
            ),
            DeValue::Float(float) => Value::Number(
                float
                    .as_str()
                    .parse()
                    .map_err(|_| unreadable(float.as_str(), "expected a number"))?,
            ),
            DeValue::Boolean(boolean) => Value::Boolean(*boolean),
            DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
            DeValue::Array(items) => Value::List(
                items
                    .iter()
                    .map(Self::from_toml)
                    .collect::<Result<_, _>>()?,
            ),
            DeValue::Table(table) => Value::Table(Table::from_toml(table)?),
        };
        Ok(Self { value, origin })
    }

    /// The value of an override: TOML if it is, else text.
    pub(crate) fn from_override(text: &str, shown: Arc<str>) -> Self {
        let parsed = DeValue::parse(text)
            .ok()
            .and_then(|value| Self::from_toml(&value).ok());
        let mut node = parsed.unwrap_or(Self {
            value: Value::Text(text.to_owned()),
            origin: Origin::Override(shown.clone()),
        });
        node.set_origin(&Origin::Override(shown));
        node
    }

    /// Gives the whole tree one origin.
    pub(crate) fn set_origin(&mut self, origin: &Origin) {
        self.origin = origin.clone();
        match &mut self.value {
            Value::List(nodes) => nodes.iter_mut().for_each(|node| node.set_origin(origin)),
            Value::Table(table) => table.entries.iter_mut().for_each(|entry| {
                entry.key_origin = origin.clone();
                entry.node.set_origin(origin);
            }),
            _ => {}
        }
    }
}

impl Value {
    /// The value as an error message shows it.
    pub(crate) fn shown(&self) -> String {
        const LONGEST: usize = 60;
        match self {
            Self::Text(text) if text.chars().count() > LONGEST => {
                let start: String = text.chars().take(LONGEST).collect();
                format!("{:?}...", start)
            }
            Self::Text(text) => format!("{text:?}"),
            Self::Integer(integer) => integer.to_string(),
            Self::Number(number) => super::write_number(*number),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Datetime(datetime) => datetime.clone(),
            Self::List(items) => format!("a list of {} values", items.len()),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}
