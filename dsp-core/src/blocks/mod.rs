//! The blocks that a pipeline is made of: one file each holds everything the project knows about
//! a block, from its fields to its stages.
//!
//! | file | what |
//! |---|---|
//! | `spectrogram` | spectra over time |
//! | `mel` | log-mel energies |
//! | `mfcc` | cepstral coefficients |
//! | `micro_frontend` | TensorFlow's micro-frontend |
//! | `filter` | each axis behind a recursive filter |
//! | `flatten` | statistics of each axis |
//! | `raw` | the samples themselves |
//! | `imu_window` | features of motion: statistics, spectra, tilt |
//! | `spectral_analysis` | filters, statistics, spectra and wavelets of each axis |
//! | `filter` | a filter over the running samples |
//! | `decimate` | a lower sample rate |
//! | `statistic_names` | names of statistics in lists |
//! | `normalise` | features at a common scale |
//! | `classifier` | a network, trees or a linear model |
//! | `anomaly` | how strange features are |
//! | `model` | the model's file, which `classifier` and `anomaly` share |
//! | `decide` | when scores become a decision |
//! | `front_end`, `rows` | fields and stages that `spectrogram`, `mel` and `mfcc` share |
//! | `window` | what blocks of whole windows share |

pub(crate) mod anomaly;
pub(crate) mod classifier;
pub(crate) mod decide;
pub(crate) mod decimate;
pub(crate) mod filter;
pub(crate) mod flatten;
pub(crate) mod front_end;
pub(crate) mod imu_window;
pub(crate) mod mel;
pub(crate) mod mfcc;
pub(crate) mod micro_frontend;
pub(crate) mod model;
pub(crate) mod normalise;
pub(crate) mod raw;
pub(crate) mod rows;
pub(crate) mod spectral_analysis;
pub(crate) mod spectrogram;
pub(crate) mod statistic_names;
pub(crate) mod window;

use crate::ConfigError;
use crate::config::{Field, Section, Table, choices};
use crate::graph::{Framing, SignalKind, Source, Stage};
use crate::input::Input;
use crate::presets::Preset;

choices! {
    /// Type of a block.
    pub(crate) enum BlockType {
        /// Log-mel energies.
        Mel = "mel",
        /// Mel-frequency cepstral coefficients.
        Mfcc = "mfcc",
        /// Spectra over time.
        Spectrogram = "spectrogram",
        /// TensorFlow's micro-frontend, bit for bit.
        MicroFrontend = "micro_frontend",
        /// Statistics of each axis of a window.
        Flatten = "flatten",
        /// The samples of a window themselves.
        Raw = "raw",
        /// Features of a window of motion.
        ImuWindow = "imu_window",
        /// Filters, statistics and spectra or wavelets of each axis of a window.
        SpectralAnalysis = "spectral_analysis",
        /// A filter over the running samples.
        Filter = "filter",
        /// A lower sample rate.
        Decimate = "decimate",
        /// Features at a common scale, with constants from a training set.
        Normalise = "normalise",
        /// A model that sees rows of features.
        Classifier = "classifier",
        /// How strange rows of features are.
        Anomaly = "anomaly",
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

/// Where blocks of features, filters and decimations take their samples from.
const INPUT_FIELD: Field = Field {
    name: "input",
    doc: "Id of the input that the block takes its samples from.",
    derived: "the first input",
    ..Field::PLAIN
};

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
            Self::MicroFrontend => micro_frontend::ABOUT,
            Self::Flatten => flatten::ABOUT,
            Self::Raw => raw::ABOUT,
            Self::ImuWindow => imu_window::ABOUT,
            Self::SpectralAnalysis => spectral_analysis::ABOUT,
            Self::Normalise => normalise::ABOUT,
            Self::Filter => filter::ABOUT,
            Self::Decimate => decimate::ABOUT,
            Self::Classifier => classifier::ABOUT,
            Self::Anomaly => anomaly::ABOUT,
            Self::Decide => decide::ABOUT,
        }
    }

    /// Whether the block makes features from samples.
    pub(crate) fn makes_features(self) -> bool {
        let follows = matches!(
            self,
            Self::Normalise | Self::Classifier | Self::Anomaly | Self::Decide
        );
        !self.conditions() && !follows
    }

    /// Whether the block works on the running samples, before blocks of features.
    pub(crate) fn conditions(self) -> bool {
        matches!(self, Self::Filter | Self::Decimate)
    }

    /// Whether the block turns a whole window, of any number of axes, into one row.
    fn takes_windows(self) -> bool {
        matches!(
            self,
            Self::Flatten | Self::Raw | Self::SpectralAnalysis | Self::ImuWindow
        )
    }

    /// The block's own fields, with the meaning of each group.
    pub(crate) fn sections(self) -> Vec<(&'static str, &'static [Field])> {
        use anomaly::Anomaly;
        use classifier::Classifier;
        use decide::Decide;
        use decimate::Decimate;
        use filter::Filter;
        use flatten::Flatten;
        use front_end::energy::Energy;
        use front_end::filters::MelFilters;
        use front_end::frames::Frames;
        use front_end::log::LogRange;
        use front_end::noise::Noise;
        use front_end::pcen::Pcen;
        use front_end::spectrum::Spectrum;
        use imu_window::ImuWindow;
        use mfcc::Cepstral;
        use micro_frontend::MicroConfig;
        use normalise::Normalise;
        use raw::Raw;
        use rows::Rows;
        use spectral_analysis::SpectralAnalysis;
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
            Self::MicroFrontend => vec![(MicroConfig::ABOUT, MicroConfig::FIELDS)],
            Self::Flatten => vec![(Flatten::ABOUT, Flatten::FIELDS)],
            Self::Raw => vec![(Raw::ABOUT, Raw::FIELDS)],
            Self::ImuWindow => vec![(ImuWindow::ABOUT, ImuWindow::FIELDS)],
            Self::SpectralAnalysis => {
                vec![(SpectralAnalysis::ABOUT, SpectralAnalysis::FIELDS)]
            }
            Self::Normalise => vec![(Normalise::ABOUT, Normalise::FIELDS)],
            Self::Filter => vec![(Filter::ABOUT, Filter::FIELDS)],
            Self::Decimate => vec![(Decimate::ABOUT, Decimate::FIELDS)],
            Self::Classifier => vec![(Classifier::ABOUT, Classifier::FIELDS)],
            Self::Anomaly => vec![(Anomaly::ABOUT, Anomaly::FIELDS)],
            Self::Decide => vec![(Decide::ABOUT, Decide::FIELDS)],
        }
    }

    /// The fields that the block has besides its own and [`BLOCK_FIELDS`].
    pub(crate) fn common_fields(self) -> impl Iterator<Item = &'static Field> {
        let hears = self.makes_features() || self.conditions();
        let input = hears.then_some(&INPUT_FIELD);
        let preset = self.makes_features().then_some(&PRESET_FIELD);
        input.into_iter().chain(preset)
    }

    /// Every field that the block can have.
    pub(crate) fn fields(self) -> Vec<&'static Field> {
        BLOCK_FIELDS
            .iter()
            .chain(self.common_fields())
            .chain(self.sections().into_iter().flat_map(|(_, fields)| fields))
            .collect()
    }
}

/// A block that works on the running samples, checked.
#[derive(Debug)]
pub(crate) struct SignalSpec {
    /// What it does.
    pub(crate) kind: SignalKind,
    /// Every field with its value, as TOML.
    pub(crate) fields: Vec<(&'static str, String)>,
}

/// A block of features that has been checked.
pub(crate) trait FeatureSpec: std::fmt::Debug {
    /// The samples, as the block scales them.
    fn source(&self, input: &Input) -> Source {
        input.source()
    }

    /// How samples become frames.
    fn framing(&self, input: &Input) -> Framing;

    /// Checks the number of frames in a window. Paths of errors are names of fields.
    fn check_frames(&self, _frames: usize) -> Result<(), ConfigError> {
        Ok(())
    }

    /// The stages in order.
    fn expand(&self, id: &str) -> Vec<Stage>;

    /// Names of the values of a row; empty when their index says it all.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// What is allowed but should be known.
    fn warning(&self) -> Option<String> {
        None
    }

    /// Every field with its value, as TOML.
    fn write(&self) -> Vec<(&'static str, String)>;
}

impl BlockType {
    /// Reads and checks a block of features. The path of an error is the whole one.
    pub(crate) fn features(
        self,
        table: &Table,
        id: &str,
        input: &Input,
    ) -> Result<Box<dyn FeatureSpec>, ConfigError> {
        if self.takes_windows() {
            window::needs_windows(input, id)?;
        } else if input.axes.len() > 1 {
            return Err(ConfigError::new(
                format!("{}.axes", input.id),
                format!("{:?}", input.axes),
                format!("block {id:?} takes one axis: expected one name"),
            ));
        }
        if self == Self::MicroFrontend {
            micro_frontend::needs_integers(input)?;
        }
        let spec = match self {
            Self::Mel => mel::read(table, id, input),
            Self::Mfcc => mfcc::read(table, id, input),
            Self::Spectrogram => spectrogram::read(table, id, input),
            Self::MicroFrontend => micro_frontend::read(table, id, input),
            Self::Flatten => flatten::read(table, id, input),
            Self::Raw => raw::read(table, id, input),
            Self::ImuWindow => imu_window::read(table, id, input),
            Self::SpectralAnalysis => spectral_analysis::read(table, id, input),
            Self::Filter
            | Self::Decimate
            | Self::Normalise
            | Self::Classifier
            | Self::Anomaly
            | Self::Decide => unreachable!("makes no features"),
        };
        spec.map_err(|error| within(id, error))
    }

    /// Reads and checks a block that works on the running samples, which reach it at `rate_hz`.
    /// The path of an error is the whole one.
    pub(crate) fn signal(
        self,
        table: &Table,
        id: &str,
        rate_hz: f64,
    ) -> Result<SignalSpec, ConfigError> {
        let spec = match self {
            Self::Decimate => decimate::read(table, id),
            _ => filter::read(table, id, rate_hz),
        };
        spec.map_err(|error| within(id, error))
    }
}

/// An error of block `id` with its whole path, which those of missing fields have already.
fn within(id: &str, error: ConfigError) -> ConfigError {
    match error.path.starts_with(&format!("{id}.")) {
        true => error,
        false => ConfigError {
            path: format!("{id}.{}", error.path),
            ..error
        },
    }
}
