//! What a pipeline takes, and how recordings are made to fit it.

use crate::ConfigError;
use crate::blocks::front_end::{both, whole_samples};
use crate::config::{
    Choice, ChoiceOr, Field, FieldValue, Kind, Mismatch, Node, choices, read_choice_or, section,
};
use crate::graph::{Gain, Mode, SampleType, Source};
use crate::recording::{Gaps, Nan, Quantity, Sensor, TimeUnit};

mod prepare;
mod sensor;

pub use prepare::{InputError, Prepared};

/// Most axes of a sensor.
const MAX_AXES: usize = 64;

choices! {
    /// What a pipeline listens to.
    pub(crate) enum InputKind {
        /// Audio samples at a fixed rate.
        Audio = "audio",
        /// A sensor of one or more axes at a fixed rate, such as an accelerometer.
        Sensor = "sensor",
    }
}

choices! {
    /// What happens to recordings with another sample rate.
    pub enum Resample {
        /// They are refused, so that nobody measures a converter by accident.
        Refuse = "refuse",
        /// They are converted with a steep linear-phase filter, and a message says so.
        Convert = "convert",
    }
}

choices! {
    /// How a recording is divided.
    pub(crate) enum ModeKind {
        /// Frames come straight from an endless stream.
        Stream = "stream",
        /// A window of `window_ms` every `window_hop_ms`; each is framed on its own, as training
        /// pipelines do.
        Window = "window",
        /// Each recording is one window.
        Clip = "clip",
    }
}

choices! {
    /// Scale of the samples, which are read as numbers in [-1, 1).
    pub enum Normalise {
        /// As they are.
        None = "none",
        /// Times 32768, for pipelines that work on 16-bit integers.
        Int16Scale = "int16_scale",
        /// Divided by the largest `|x|` of the window.
        Peak = "peak",
        /// Divided by the largest `x` of the window (not its magnitude).
        Max = "max",
    }
}

choices! {
    /// What happens to samples at a recording's end that no window has covered.
    pub enum Tail {
        /// One last window, padded with zeros at its end.
        Pad = "pad",
        /// They are dropped.
        Drop = "drop",
    }
}

/// What happens to recordings with several channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// They are refused.
    Mono,
    /// The mean of all channels.
    Mix,
    /// One channel, counted from 0.
    Index(usize),
}

impl FieldValue for Channels {
    const KIND: Kind = Kind::IntegerOr(&[
        Choice {
            name: "mono",
            doc: " Recordings with several channels are refused.",
        },
        Choice {
            name: "mix",
            doc: " The mean of all channels.",
        },
    ]);

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        Ok(match read_choice_or(node, field)? {
            ChoiceOr::Choice(0) => Self::Mono,
            ChoiceOr::Choice(_) => Self::Mix,
            ChoiceOr::Value(index) => Self::Index(index),
        })
    }

    fn write(&self) -> Option<String> {
        match self {
            Self::Mono => Some("\"mono\"".to_owned()),
            Self::Mix => Some("\"mix\"".to_owned()),
            Self::Index(index) => index.write(),
        }
    }
}

impl FieldValue for SampleType {
    const KIND: Kind = Kind::Choice(&[
        Choice {
            name: "f32",
            doc: " Floats, full scale 1.",
        },
        Choice {
            name: "i16",
            doc: " 16-bit integers: floats are rounded to 16 bits first, in every numeric.",
        },
    ]);

    fn read(node: &Node, _field: &Field) -> Result<Self, Mismatch> {
        let Kind::Choice(choices) = Self::KIND else {
            unreachable!("declared above")
        };
        Ok(match crate::config::read_choice(node, choices)? {
            0 => Self::F32,
            _ => Self::I16,
        })
    }

    fn write(&self) -> Option<String> {
        Some(
            match self {
                Self::F32 => "\"f32\"",
                Self::I16 => "\"i16\"",
            }
            .to_owned(),
        )
    }
}

section! {
    /// What the pipeline takes, and how recordings are made to fit it.
    pub(crate) struct InputConfig {
        /// What the pipeline listens to.
        kind: InputKind { default: "\"audio\"" },
        /// Sample rate that the pipeline works at.
        rate_hz: f64 { unit: "Hz", range: Some((0.001, 768000.0)) },
        /// Names of the axes, in the order of their values in a sample, with `kind = "sensor"`.
        axes: Option<Vec<String>> { derived: "one axis" },
        /// Physical value that stands for the sample 32768, such as `4.0` for an accelerometer of
        /// 4 g: samples are divided by it when they are read, and blocks see physical values.
        /// Give this or `unit_per_lsb`, with `kind = "sensor"`.
        full_scale: Option<f64> { range: Some((1e-9, 1e9)), instead_of: "unit_per_lsb", derived: "1.0" },
        /// Physical value of one step of 16-bit samples: `full_scale / 32768`. Give this or
        /// `full_scale`, with `kind = "sensor"`.
        unit_per_lsb: Option<f64> { range: Some((1e-13, 1e5)), instead_of: "full_scale", derived: "`full_scale / 32768`" },
        /// Unit of `full_scale`, such as `"m/s2"`: a note tells when a recording's file names
        /// another one. With `kind = "sensor"`.
        unit: Option<String> { derived: "not compared" },
        /// What the numbers of a recording are: physical values, or the sensor's integers. With
        /// `kind = "sensor"`.
        values: Option<Quantity> { derived: "\"physical\"" },
        /// Columns of the axes in a recording, in the order of `axes`; of a file without header
        /// their numbers from 0, as texts. With `kind = "sensor"`.
        columns: Option<Vec<String>> { derived: "those named as the axes; else all but the time, in their order, if there are as many" },
        /// Column with time stamps; `"none"`: samples follow one another at `rate_hz`. With
        /// `kind = "sensor"`.
        time_column: Option<String> { derived: "\"auto\": the first that is named so, as `time`, `timestamp_ms` or `Time (s)`" },
        /// Unit of time stamps. With `kind = "sensor"`.
        time_unit: Option<TimeUnit> { derived: "from the column's name, else the one that fits `rate_hz` best" },
        /// What happens to missing values. With `kind = "sensor"`.
        nan: Option<Nan> { derived: "\"error\"" },
        /// What happens to gaps in time. With `kind = "sensor"`.
        gaps: Option<Gaps> { derived: "\"error\"" },
        /// Longest time between two samples of a recording that is not a gap, with `kind =
        /// "sensor"`.
        max_gap_ms: Option<f64> { unit: "ms", range: Some((0.001, 1e9)), derived: "20 samples, of the recording's or the pipeline's rate, whichever is slower" },
        /// What happens to recordings with several channels: `"mono"` refuses them, `"mix"` takes
        /// the mean, a number takes that channel, counted from 0.
        channels: Channels { range: Some((0.0, 255.0)), default: "\"mono\"" },
        /// What happens to recordings with another sample rate.
        resample: Resample { default: "\"refuse\"" },
        /// How a recording is divided.
        mode: ModeKind { default: "\"stream\"" },
        /// Length of a window, with `mode = "window"`. It must be a whole number of samples. Give
        /// this or `window_samples`.
        window_ms: Option<f64> { unit: "ms", range: Some((0.01, 3600000.0)), instead_of: "window_samples", derived: "required with `mode = \"window\"`" },
        /// Length of a window in samples. Give this or `window_ms`.
        window_samples: Option<usize> { unit: "samples", range: Some((1.0, 1e6)), instead_of: "window_ms", derived: "of `window_ms`" },
        /// Time between the starts of two windows, with `mode = "window"`. It must be a whole
        /// number of samples.
        window_hop_ms: Option<f64> { unit: "ms", range: Some((0.01, 3600000.0)), instead_of: "window_hop_samples", derived: "the length of a window: windows side by side" },
        /// Samples between the starts of two windows. Give this or `window_hop_ms`.
        window_hop_samples: Option<usize> { unit: "samples", range: Some((1.0, 1e6)), instead_of: "window_hop_ms", derived: "of `window_hop_ms`" },
        /// Type of the samples.
        sample_type: SampleType { default: "\"f32\"" },
        /// Scale of the samples. `peak` and `max` look at a whole window.
        normalise: Normalise { default: "\"none\"" },
        /// What happens to samples at a recording's end that no window has covered, with
        /// `mode = "window"`. A stream drops samples that do not fill a frame.
        tail: Tail { default: "\"pad\"" },
    }
}

/// What a pipeline takes. Made by [`Pipeline`](crate::Pipeline).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Input {
    /// Its id: `input` for the only one.
    pub id: String,
    /// Sample rate in hertz.
    pub rate_hz: f64,
    /// Names of a sensor's axes; empty for audio.
    pub axes: Vec<String>,
    /// Physical value of the sample 32768; 1 for audio.
    pub full_scale: f64,
    /// How recordings of a sensor are read; `None` for audio.
    pub sensor: Option<Sensor>,
    /// What happens to recordings with several channels.
    pub channels: Channels,
    /// What happens to recordings with another sample rate.
    pub resample: Resample,
    /// How a recording is divided, in samples.
    pub mode: Mode,
    /// Type of the samples.
    pub sample_type: SampleType,
    /// Scale of the samples.
    pub normalise: Normalise,
    /// What happens to samples that no window has covered.
    pub tail: Tail,
    /// The fields with every derived value filled in.
    pub(crate) config: InputConfig,
}

impl InputConfig {
    /// Checks the fields together. Paths of errors are names of fields.
    pub(crate) fn validate(&self, id: &str) -> Result<Input, ConfigError> {
        let rate = self.rate_hz;
        let mut config = self.clone();
        let sensor = self.sensor()?;
        if let Some(sensor) = &sensor {
            config.values = Some(sensor.quantity);
            config.nan = Some(sensor.nan);
            config.gaps = Some(sensor.gaps);
        }
        let mode = match self.mode {
            ModeKind::Window => {
                let given = [self.window_ms.is_some(), self.window_samples.is_some()];
                let len = match (self.window_ms, self.window_samples) {
                    (Some(ms), None) => whole_samples("window_ms", ms, rate)?,
                    (None, Some(samples)) => samples,
                    (Some(ms), Some(_)) => return Err(both("window_ms", ms, "window_samples")),
                    (None, None) => {
                        return Err(ConfigError::new(
                            "window_ms",
                            "no value",
                            "`mode = \"window\"` needs it: give the length of a window in ms, \
                             such as `window_ms = 1000`, or in samples as `window_samples`",
                        ));
                    }
                };
                let hop = match (self.window_hop_ms, self.window_hop_samples) {
                    (Some(ms), None) => whole_samples("window_hop_ms", ms, rate)?,
                    (None, Some(samples)) => samples,
                    (Some(ms), Some(_)) => {
                        return Err(both("window_hop_ms", ms, "window_hop_samples"));
                    }
                    (None, None) => {
                        config.window_hop_ms = self.window_ms;
                        config.window_hop_samples = given[1].then_some(len);
                        len
                    }
                };
                Mode::Window { len, hop }
            }
            ModeKind::Stream | ModeKind::Clip => {
                let as_f64 = |samples: Option<usize>| samples.map(|samples| samples as f64);
                let unused = [
                    ("window_ms", self.window_ms),
                    ("window_samples", as_f64(self.window_samples)),
                    ("window_hop_ms", self.window_hop_ms),
                    ("window_hop_samples", as_f64(self.window_hop_samples)),
                ];
                if let Some((name, Some(value))) = unused.into_iter().find(|(_, v)| v.is_some()) {
                    return Err(ConfigError::new(
                        name,
                        value,
                        format!(
                            "it has no meaning with `mode = \"{}\"`: remove it, or use `mode = \
                             \"window\"`",
                            self.mode.name()
                        ),
                    ));
                }
                if self.mode == ModeKind::Stream {
                    Mode::Stream
                } else {
                    Mode::Clip
                }
            }
        };
        if mode == Mode::Stream && matches!(self.normalise, Normalise::Peak | Normalise::Max) {
            return Err(ConfigError::new(
                "normalise",
                format!("{:?}", self.normalise.name()),
                "a stream has no largest sample, since it never ends: expected \"none\" or \
                 \"int16_scale\", or `mode = \"window\"` or `\"clip\"`",
            ));
        }
        Ok(Input {
            id: id.to_owned(),
            rate_hz: self.rate_hz,
            axes: sensor.as_ref().map_or_else(Vec::new, |s| s.axes.clone()),
            full_scale: sensor.as_ref().map_or(1.0, |s| s.full_scale),
            sensor,
            channels: self.channels,
            resample: self.resample,
            mode,
            sample_type: self.sample_type,
            normalise: self.normalise,
            tail: self.tail,
            config,
        })
    }
}

impl Input {
    /// Whether frames come straight from a stream.
    pub fn is_stream(&self) -> bool {
        self.mode == Mode::Stream
    }

    /// Names of the values of a sample: the axes of a sensor, or `x`.
    pub(crate) fn axis_names(&self) -> Vec<String> {
        match self.axes.as_slice() {
            [] => vec!["x".to_owned()],
            axes => axes.to_vec(),
        }
    }

    /// The input as blocks of features see it behind filters and a decimation by `factor`; `None`
    /// when windows or their hops are no multiples of it.
    pub(crate) fn conditioned(&self, factor: usize) -> Option<Self> {
        let mode = match self.mode {
            Mode::Window { len, hop } => {
                if !len.is_multiple_of(factor) || !hop.is_multiple_of(factor) {
                    return None;
                }
                Mode::Window {
                    len: len / factor,
                    hop: hop / factor,
                }
            }
            mode => mode,
        };
        Some(Self {
            rate_hz: self.rate_hz / factor as f64,
            mode,
            sample_type: SampleType::F32,
            ..self.clone()
        })
    }

    /// The input's part of the graph.
    pub(crate) fn source(&self) -> Source {
        Source {
            rate_hz: self.rate_hz,
            axes: self.axes.len().max(1),
            sample_type: self.sample_type,
            mode: self.mode,
            gain: match self.normalise {
                Normalise::None => Gain::Constant(self.full_scale),
                Normalise::Int16Scale => Gain::Constant(32768.0),
                Normalise::Peak => Gain::PeakMagnitude,
                Normalise::Max => Gain::PeakMaximum,
            },
        }
    }
}

#[cfg(test)]
mod tests;
