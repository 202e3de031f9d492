//! Descriptions of fields, and the macros that declare them.

use super::{Node, Table, Value, nearest};
use crate::ConfigError;

/// One field of a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Name in the file.
    pub(crate) name: &'static str,
    /// The doc comment.
    pub(crate) doc: &'static str,
    /// What kind of value it takes.
    pub(crate) kind: Kind,
    /// Unit, such as `Hz`; empty for none.
    pub(crate) unit: &'static str,
    /// Smallest and largest number, both allowed.
    pub(crate) range: Option<(f64, f64)>,
    /// Default as TOML; empty when there is none.
    pub(crate) default: &'static str,
    /// How an absent value is worked out, in words; empty when it is not.
    pub(crate) derived: &'static str,
    /// Field that says the same in another way: only one of them can be given.
    pub(crate) instead_of: &'static str,
}

impl Field {
    /// A field without unit, range and default.
    pub(crate) const PLAIN: Self = Self {
        name: "",
        doc: "",
        kind: Kind::Text,
        unit: "",
        range: None,
        default: "",
        derived: "",
        instead_of: "",
    };

    /// What the field expects, as an error says it: `an integer from 1 to 1024`.
    pub(crate) fn expectation(&self) -> String {
        let range = match self.range {
            Some((low, high)) => format!(" from {} to {}", plain(low), plain(high)),
            None => String::new(),
        };
        let unit = match self.unit {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let names = |choices: &[Choice]| {
            choices
                .iter()
                .map(|choice| choice.toml())
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self.kind {
            Kind::Integer => format!("an integer{range}{unit}"),
            Kind::Number => format!("a number{range}{unit}"),
            Kind::Text => "a text in quotes".to_owned(),
            Kind::NumberList => format!("a list of numbers{range}{unit}, such as [0.5, 2.0]"),
            Kind::TextList => "a list of texts, such as [\"a\", \"b\"]".to_owned(),
            Kind::TextListOrPath => {
                "a list of texts, such as [\"a\", \"b\"], or the path of a text file with one per \
                 line"
                    .to_owned()
            }
            Kind::Choice(choices) if choices.len() == 1 => names(choices),
            Kind::Choice(choices) => format!("one of {}", names(choices)),
            Kind::IntegerOr(choices) => format!("{} or an integer{range}{unit}", names(choices)),
            Kind::NumberOr(choices) => format!("{} or a number{range}{unit}", names(choices)),
            Kind::Table => "a table".to_owned(),
        }
    }

    fn holds(&self, number: f64) -> bool {
        number.is_finite()
            && self
                .range
                .is_none_or(|(low, high)| (low..=high).contains(&number))
    }
}

/// A number of a range, without `.0`.
fn plain(number: f64) -> String {
    let written = write_number(number);
    written.strip_suffix(".0").unwrap_or(&written).to_owned()
}

/// What kind of value a field takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Integer,
    Number,
    Text,
    TextList,
    NumberList,
    TextListOrPath,
    Choice(&'static [Choice]),
    IntegerOr(&'static [Choice]),
    NumberOr(&'static [Choice]),
    Table,
}

/// One value of an enum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
}

impl Choice {
    /// The choice as it stands in the file: a number, or a text in quotes.
    pub(crate) fn toml(&self) -> String {
        if self.name.parse::<u8>().is_ok() {
            self.name.to_owned()
        } else {
            format!("{:?}", self.name)
        }
    }
}

/// A value that does not fit its field.
#[derive(Debug)]
pub(crate) struct Mismatch {
    /// What was found instead, when it is not the value itself.
    pub(crate) found: Option<String>,
    /// What to do.
    pub(crate) allowed: String,
}

/// A type that a field can have.
pub(crate) trait FieldValue: Sized {
    const KIND: Kind;

    /// Reads the value; `field` has its range.
    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch>;

    /// The value of an absent field without default, for types that have one.
    fn absent() -> Option<Self> {
        None
    }

    /// The value as TOML; `None` when it is absent.
    fn write(&self) -> Option<String>;
}

fn unexpected(field: &Field) -> Mismatch {
    Mismatch {
        found: None,
        allowed: format!("expected {}", field.expectation()),
    }
}

impl FieldValue for usize {
    const KIND: Kind = Kind::Integer;

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        match node.value {
            Value::Integer(integer) if field.holds(integer as f64) => {
                Self::try_from(integer).map_err(|_| unexpected(field))
            }
            _ => Err(unexpected(field)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl FieldValue for f64 {
    const KIND: Kind = Kind::Number;

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        let number = match node.value {
            Value::Integer(integer) => integer as Self,
            Value::Number(number) => number,
            _ => return Err(unexpected(field)),
        };
        if field.holds(number) {
            Ok(number)
        } else {
            Err(unexpected(field))
        }
    }

    fn write(&self) -> Option<String> {
        Some(write_number(*self))
    }
}

impl FieldValue for String {
    const KIND: Kind = Kind::Text;

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        match &node.value {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(unexpected(field)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(write_text(self))
    }
}

impl FieldValue for Vec<String> {
    const KIND: Kind = Kind::TextList;

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        let Value::List(items) = &node.value else {
            return Err(unexpected(field));
        };
        items
            .iter()
            .map(|item| match &item.value {
                Value::Text(text) => Ok(text.clone()),
                other => Err(Mismatch {
                    found: Some(format!("a list with {} in it", other.shown())),
                    ..unexpected(field)
                }),
            })
            .collect()
    }

    fn write(&self) -> Option<String> {
        let items: Vec<String> = self.iter().map(|item| write_text(item)).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

impl FieldValue for Vec<f64> {
    const KIND: Kind = Kind::NumberList;

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        let Value::List(items) = &node.value else {
            return Err(unexpected(field));
        };
        items
            .iter()
            .map(|item| {
                f64::read(item, field).map_err(|_| Mismatch {
                    found: Some(format!("a list with {} in it", item.value.shown())),
                    ..unexpected(field)
                })
            })
            .collect()
    }

    fn write(&self) -> Option<String> {
        let items: Vec<String> = self.iter().map(|item| write_number(*item)).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

impl<T: FieldValue> FieldValue for Option<T> {
    const KIND: Kind = T::KIND;

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        T::read(node, field).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn write(&self) -> Option<String> {
        self.as_ref().and_then(T::write)
    }
}

/// Index of the choice that `node` names.
pub(crate) fn read_choice(node: &Node, choices: &'static [Choice]) -> Result<usize, Mismatch> {
    let text = match &node.value {
        Value::Text(text) => text.clone(),
        Value::Integer(integer) => integer.to_string(),
        _ => String::new(),
    };
    if let Some(index) = choices.iter().position(|choice| choice.name == text) {
        return Ok(index);
    }
    let expected = Field {
        kind: Kind::Choice(choices),
        ..Field::PLAIN
    }
    .expectation();
    let near = nearest(&text, choices.iter().map(|choice| choice.name));
    Err(Mismatch {
        found: None,
        allowed: match near {
            Some(near) => format!("did you mean \"{near}\"? Expected {expected}"),
            None => format!("expected {expected}"),
        },
    })
}

/// A choice, or a value of another type.
pub(crate) enum ChoiceOr<T> {
    Choice(usize),
    Value(T),
}

/// Reads a choice if `node` is a text, else a value of type `T`.
pub(crate) fn read_choice_or<T: FieldValue>(
    node: &Node,
    field: &Field,
) -> Result<ChoiceOr<T>, Mismatch> {
    let (Value::Text(text), Kind::IntegerOr(choices) | Kind::NumberOr(choices)) =
        (&node.value, field.kind)
    else {
        return T::read(node, field).map(ChoiceOr::Value);
    };
    choices
        .iter()
        .position(|choice| choice.name == text)
        .map(ChoiceOr::Choice)
        .ok_or_else(|| unexpected(field))
}

/// A number as TOML: shortest text that reads back to the same bits, always a float.
pub(crate) fn write_number(number: f64) -> String {
    if number.is_nan() {
        "nan".to_owned()
    } else {
        format!("{number:?}")
    }
}

/// A text as TOML.
pub(crate) fn write_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A struct of fields.
pub(crate) trait Section: Sized {
    /// The doc comment.
    const ABOUT: &'static str;
    /// The fields in order.
    const FIELDS: &'static [Field];

    /// Reads the fields of `table`; keys of other sections are left alone.
    fn read(table: &Table, path: &str) -> Result<Self, ConfigError>;

    /// The fields that have a value, as TOML.
    fn write(&self) -> Vec<(&'static str, String)>;
}

/// Reads one field of `table`, falling back to its default.
pub(crate) fn read_field<T: FieldValue>(
    table: &Table,
    path: &str,
    field: &Field,
) -> Result<T, ConfigError> {
    let path = || format!("{path}.{}", field.name);
    if let Some(node) = table.get(field.name) {
        return T::read(node, field).map_err(|mismatch| {
            let found = mismatch.found.unwrap_or_else(|| node.value.shown());
            node.origin
                .mark(ConfigError::new(path(), found, mismatch.allowed))
        });
    }
    if !field.default.is_empty() {
        let node = Node::from_override(field.default, "default".into());
        return T::read(&node, field)
            .map_err(|mismatch| ConfigError::new(path(), field.default, mismatch.allowed));
    }
    T::absent().ok_or_else(|| {
        ConfigError::new(
            path(),
            "no value",
            format!("give `{}`: {}", field.name, field.expectation()),
        )
    })
}

/// Declares an enum that a field chooses from. Each variant has a doc comment and its name in the
/// file.
macro_rules! choices {
    (
        $(#[doc = $about:literal])*
        $vis:vis enum $name:ident {
            $( $(#[doc = $doc:literal])* $variant:ident = $text:literal, )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        $vis enum $name { $( $(#[doc = $doc])* $variant, )* }

        impl $name {
            /// Every value.
            #[allow(dead_code, reason = "some enums are only read")]
            $vis const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Name in the pipeline file.
            #[allow(dead_code, reason = "some enums are only read")]
            $vis fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl $crate::config::FieldValue for $name {
            const KIND: $crate::config::Kind = $crate::config::Kind::Choice(&[$(
                $crate::config::Choice { name: $text, doc: concat!($($doc, "\n"),*) }
            ),*]);

            fn read(
                node: &$crate::config::Node,
                _field: &$crate::config::Field,
            ) -> Result<Self, $crate::config::Mismatch> {
                let $crate::config::Kind::Choice(choices) = Self::KIND else {
                    unreachable!("declared above")
                };
                $crate::config::read_choice(node, choices).map(|index| Self::ALL[index])
            }

            fn write(&self) -> Option<String> {
                let choice = $crate::config::Choice { name: self.name(), doc: "" };
                Some(choice.toml())
            }
        }
    };
}

/// Declares a struct of fields. Each field has a doc comment, a type, and in braces what is known
/// about it, as fields of [`Field`].
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $field:ident: $type:ty { $($key:ident: $value:expr),* $(,)? },
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        $vis struct $name { $( $(#[doc = $doc])* $vis $field: $type, )* }

        impl $crate::config::Section for $name {
            const ABOUT: &'static str = concat!($($about, "\n"),*);
            const FIELDS: &'static [$crate::config::Field] = &[$(
                $crate::config::Field {
                    name: stringify!($field),
                    doc: concat!($($doc, "\n"),*),
                    kind: <$type as $crate::config::FieldValue>::KIND,
                    $($key: $value,)*
                    ..$crate::config::Field::PLAIN
                }
            ),*];

            fn read(
                table: &$crate::config::Table,
                path: &str,
            ) -> Result<Self, $crate::ConfigError> {
                let mut fields = Self::FIELDS.iter();
                let mut next = || fields.next().unwrap_or(&$crate::config::Field::PLAIN);
                Ok(Self { $(
                    $field: $crate::config::read_field(table, path, next())?,
                )* })
            }

            fn write(&self) -> Vec<(&'static str, String)> {
                let mut out = Vec::new();
                $(
                    if let Some(text) = $crate::config::FieldValue::write(&self.$field) {
                        out.push((stringify!($field), text));
                    }
                )*
                out
            }
        }
    };
}

pub(crate) use {choices, section};
