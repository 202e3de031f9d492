//! The fields of a pipeline file, each described once.
//!
//! `section!` declares a struct of fields: from the one declaration come the Rust struct, the
//! reader with its errors, the writer, the reference documentation, the JSON schema and the texts
//! of `otolith explain`. `choices!` does the same for the enums that fields choose from.

mod document;
mod field;
mod suggest;

pub(crate) use document::{Entry, Node, Origin, Table, Value};
pub(crate) use field::{
    Choice, ChoiceOr, Field, FieldValue, Kind, Mismatch, Section, choices, read_choice,
    read_choice_or, read_field, section, write_number, write_text,
};
pub(crate) use suggest::nearest;
