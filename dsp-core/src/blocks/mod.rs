//! The blocks that a pipeline is made of: one file each holds everything the project knows about
//! a block, from its fields to its stages.
//!
//! | file | what |
//! |---|---|
//! | `spectrogram` | spectra over time |
//! | `mel` | log-mel energies |
//! | `mfcc` | cepstral coefficients |
//! | `classifier` | a network |
//! | `decide` | when scores become a decision |
//! | `front_end`, `rows` | fields and stages that `spectrogram`, `mel` and `mfcc` share |

pub(crate) mod classifier;
pub(crate) mod decide;
pub(crate) mod front_end;
pub(crate) mod mel;
pub(crate) mod mfcc;
pub(crate) mod rows;
pub(crate) mod spectrogram;

use crate::ConfigError;
use crate::config::{Field, Section, Table, choices};
use crate::graph::{Framing, Source, Stage};
use crate::input::Input;
use crate::presets::Preset;
use mel::{Mel, MelSpec};
use mfcc::{Mfcc, MfccSpec};
use spectrogram::{Spectrogram, SpectrogramSpec};

choices! {
    /// Type of a block.
    pub(crate) enum BlockType {
        /// Log-mel energies.
        Mel = "mel",
        /// Mel-frequency cepstral coefficients.
        Mfcc = "mfcc",
        /// Spectra over time.
        Spectrogram = "spectrogram",
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
            Self::Spectrogram => spectrogram::ABOUT,
            Self::Classifier => classifier::ABOUT,
            Self::Decide => decide::ABOUT,
        }
    }

    /// Whether the block makes features from samples.
    pub(crate) fn makes_features(self) -> bool {
        matches!(self, Self::Mel | Self::Mfcc | Self::Spectrogram)
    }

    /// The block's own fields, with the meaning of each group.
    pub(crate) fn sections(self) -> Vec<(&'static str, &'static [Field])> {
        use classifier::Classifier;
        use decide::Decide;
        use front_end::energy::Energy;
        use front_end::filters::MelFilters;
        use front_end::frames::Frames;
        use front_end::log::LogRange;
        use front_end::noise::Noise;
        use front_end::pcen::Pcen;
        use front_end::spectrum::Spectrum;
        use mfcc::Cepstral;
        use rows::Rows;
        match self {
            Self::Mel => vec![
                (Frames::ABOUT, Frames::FIELDS),
                (Spectrum::ABOUT, Spectrum::FIELDS),
                (Noise::ABOUT, Noise::FIELDS),
                (MelFilters::ABOUT, MelFilters::FIELDS),
                (LogRange::ABOUT, LogRange::FIELDS),
                (Pcen::ABOUT, Pcen::FIELDS),
                (Energy::ABOUT, Energy::FIELDS),
                (Rows::ABOUT, Rows::FIELDS),
            ],
            Self::Mfcc => vec![
                (Frames::ABOUT, Frames::FIELDS),
                (Spectrum::ABOUT, Spectrum::FIELDS),
                (Noise::ABOUT, Noise::FIELDS),
                (MelFilters::ABOUT, MelFilters::FIELDS),
                (LogRange::ABOUT, LogRange::FIELDS),
                (Pcen::ABOUT, Pcen::FIELDS),
                (Cepstral::ABOUT, Cepstral::FIELDS),
                (Energy::ABOUT, Energy::FIELDS),
                (Rows::ABOUT, Rows::FIELDS),
            ],
            Self::Spectrogram => vec![
                (Frames::ABOUT, Frames::FIELDS),
                (Spectrum::ABOUT, Spectrum::FIELDS),
                (Noise::ABOUT, Noise::FIELDS),
                (LogRange::ABOUT, LogRange::FIELDS),
                (Pcen::ABOUT, Pcen::FIELDS),
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
    Spectrogram(SpectrogramSpec),
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
        match block_type {
            BlockType::Mfcc => Mfcc::read(table, id)?.validate(input).map(Self::Mfcc),
            BlockType::Spectrogram => Spectrogram::read(table, id)?
                .validate(input)
                .map(Self::Spectrogram),
            _ => Mel::read(table, id)?.validate(input).map(Self::Mel),
        }
        .map_err(under_id)
    }

    fn frames(&self) -> &front_end::frames::FramesSpec {
        match self {
            Self::Mel(spec) => &spec.front.frames,
            Self::Mfcc(spec) => &spec.front.frames,
            Self::Spectrogram(spec) => &spec.frames,
        }
    }

    /// The input's part of the graph, as the block scales it.
    pub(crate) fn source(&self, input: &Input) -> Source {
        self.frames().source(input)
    }

    /// Checks the number of frames in a window. Paths of errors are names of fields.
    pub(crate) fn check_frames(&self, frames: usize) -> Result<(), ConfigError> {
        self.frames().check_frames(frames)
    }

    /// How samples become frames.
    pub(crate) fn framing(&self, input: &Input) -> Framing {
        self.frames().framing(input)
    }

    /// The stages in order.
    pub(crate) fn expand(&self, id: &str) -> Vec<Stage> {
        match self {
            Self::Mel(spec) => spec.expand(id),
            Self::Mfcc(spec) => spec.expand(id),
            Self::Spectrogram(spec) => spec.expand(id),
        }
    }

    /// What is allowed but should be known.
    pub(crate) fn warning(&self) -> Option<String> {
        match self {
            Self::Mel(spec) => spec.front.filters.empty(),
            Self::Mfcc(spec) => spec.front.filters.empty(),
            Self::Spectrogram(_) => None,
        }
    }

    /// Every field with its value, as TOML.
    pub(crate) fn write(&self) -> Vec<(&'static str, String)> {
        let (mut fields, rows) = match self {
            Self::Mel(spec) => {
                let fields = [spec.front.write(), spec.energy.write()].concat();
                (fields, &spec.rows)
            }
            Self::Mfcc(spec) => {
                let front = spec.front.write();
                let fields = [front, spec.cepstral.write(), spec.energy.write()].concat();
                (fields, &spec.rows)
            }
            Self::Spectrogram(spec) => (spec.write(), &spec.rows),
        };
        fields.extend(rows.config.write());
        fields
    }
}
