//! The blocks that a pipeline is made of: one file each holds everything the project knows about
//! a block, from its fields to its stages.
//!
//! | file | what |
//! |---|---|
//! | `mel` | log-mel energies |
//! | `mfcc` | cepstral coefficients |
//! | `classifier` | a network |
//! | `decide` | when scores become a decision |
//! | `front_end`, `rows` | fields that `mel` and `mfcc` share |

pub(crate) mod classifier;
pub(crate) mod decide;
pub(crate) mod front_end;
pub(crate) mod mel;
pub(crate) mod mfcc;
pub(crate) mod rows;

use crate::ConfigError;
use crate::config::{Field, Section, Table, choices};
use crate::graph::{Framing, Stage};
use crate::input::Input;
use crate::presets::Preset;
use mel::{Mel, MelSpec};
use mfcc::{Mfcc, MfccSpec};

choices! {
    /// Type of a block.
    pub(crate) enum BlockType {
        /// Log-mel energies.
        Mel = "mel",
        /// Mel-frequency cepstral coefficients.
        Mfcc = "mfcc",
        /// A network that sees rows of features.
        Classifier = "classifier",
        /// When scores become a decision.
        Decide = "decide",
    }
}

/// Fields that every block has.
pub(crate) const BLOCK_FIELDS: &[Field] = &[
    Field {
        name: "id",
        doc: "Name of the block in messages and overrides: lower-case letters, digits and `_`, \
              starting with a letter.",
        derived: "the block's type",
        ..Field::PLAIN
    },
    Field {
        name: "type",
        doc: "Type of the block.",
        kind: <BlockType as crate::config::FieldValue>::KIND,
        ..Field::PLAIN
    },
];

/// The field that blocks of features have besides their own.
pub(crate) const PRESET_FIELD: Field = Field {
    name: "preset",
    doc: "Software whose features the block gives. It only fills fields; a field in the pipeline \
          file wins.",
    kind: <Preset as crate::config::FieldValue>::KIND,
    derived: "no preset: the defaults of the fields",
    ..Field::PLAIN
};

impl BlockType {
    /// Meaning of the block.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Mel => mel::ABOUT,
            Self::Mfcc => mfcc::ABOUT,
            Self::Classifier => classifier::ABOUT,
            Self::Decide => decide::ABOUT,
        }
    }

    /// Whether the block makes features from samples.
    pub(crate) fn makes_features(self) -> bool {
        matches!(self, Self::Mel | Self::Mfcc)
    }

    /// The block's own fields, with the meaning of each group.
    pub(crate) fn sections(self) -> Vec<(&'static str, &'static [Field])> {
        use classifier::Classifier;
        use decide::Decide;
        use front_end::FrontEnd;
        use mfcc::Cepstral;
        use rows::Rows;
        match self {
            Self::Mel => vec![
                (FrontEnd::ABOUT, FrontEnd::FIELDS),
                (Rows::ABOUT, Rows::FIELDS),
            ],
            Self::Mfcc => vec![
                (FrontEnd::ABOUT, FrontEnd::FIELDS),
                (Cepstral::ABOUT, Cepstral::FIELDS),
                (Rows::ABOUT, Rows::FIELDS),
            ],
            Self::Classifier => vec![(Classifier::ABOUT, Classifier::FIELDS)],
            Self::Decide => vec![(Decide::ABOUT, Decide::FIELDS)],
        }
    }

    /// Every field that the block can have.
    pub(crate) fn fields(self) -> Vec<&'static Field> {
        let preset = self.makes_features().then_some(&PRESET_FIELD);
        BLOCK_FIELDS
            .iter()
            .chain(preset)
            .chain(self.sections().into_iter().flat_map(|(_, fields)| fields))
            .collect()
    }
}

/// A block of features that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FeatureSpec {
    Mel(MelSpec),
    Mfcc(MfccSpec),
}

impl FeatureSpec {
    /// Reads and checks a block of features. The path of an error starts with `id`.
    pub(crate) fn read(
        block_type: BlockType,
        table: &Table,
        id: &str,
        input: &Input,
    ) -> Result<Self, ConfigError> {
        let under_id = |mut error: ConfigError| {
            error.path = format!("{id}.{}", error.path);
            error
        };
        if block_type == BlockType::Mfcc {
            Mfcc::read(table, id)?
                .validate(input)
                .map(Self::Mfcc)
                .map_err(under_id)
        } else {
            Mel::read(table, id)?
                .validate(input)
                .map(Self::Mel)
                .map_err(under_id)
        }
    }

    fn front(&self) -> &front_end::FrontEndSpec {
        match self {
            Self::Mel(spec) => &spec.front,
            Self::Mfcc(spec) => &spec.front,
        }
    }

    /// How samples become frames.
    pub(crate) fn framing(&self, input: &Input) -> Framing {
        self.front().framing(input)
    }

    /// The stages in order.
    pub(crate) fn expand(&self, id: &str) -> Vec<Stage> {
        match self {
            Self::Mel(spec) => spec.expand(id),
            Self::Mfcc(spec) => spec.expand(id),
        }
    }

    /// What is allowed but should be known.
    pub(crate) fn warning(&self) -> Option<String> {
        self.front().empty_filters()
    }

    /// Every field with its value, as TOML.
    pub(crate) fn write(&self) -> Vec<(&'static str, String)> {
        let (mut fields, cepstral, rows) = match self {
            Self::Mel(spec) => (spec.front.config.write(), None, &spec.rows),
            Self::Mfcc(spec) => (spec.front.config.write(), Some(&spec.cepstral), &spec.rows),
        };
        fields.extend(cepstral.map(Section::write).unwrap_or_default());
        fields.extend(rows.config.write());
        fields
    }
}
