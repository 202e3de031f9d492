//! [`Padding`] as a field.

use crate::config::{Choice, Field, FieldValue, Kind, Mismatch, Node};
use crate::graph::Padding;

impl FieldValue for Padding {
    const KIND: Kind = Kind::Choice(&[
        Choice {
            name: "zero",
            doc: " Zeros.",
        },
        Choice {
            name: "reflect",
            doc: " The signal mirrored about its first and last sample, which are not repeated.",
        },
        Choice {
            name: "symmetric",
            doc: " The signal mirrored about its edges, the first and last sample repeated. Kaldi.",
        },
        Choice {
            name: "edge",
            doc: " The first and last sample repeated.",
        },
    ]);

    fn read(node: &Node, _field: &Field) -> Result<Self, Mismatch> {
        let Kind::Choice(choices) = Self::KIND else {
            unreachable!("declared above")
        };
        Ok(match crate::config::read_choice(node, choices)? {
            0 => Self::Zero,
            1 => Self::Reflect,
            2 => Self::Symmetric,
            _ => Self::Edge,
        })
    }

    fn write(&self) -> Option<String> {
        Some(
            match self {
                Self::Zero => "\"zero\"",
                Self::Reflect => "\"reflect\"",
                Self::Symmetric => "\"symmetric\"",
                Self::Edge => "\"edge\"",
            }
            .to_owned(),
        )
    }
}
