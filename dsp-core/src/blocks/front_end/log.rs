//! The logarithm of energies, and its range.

use std::f64::consts::LN_10;

use super::Stages;
use crate::ConfigError;
use crate::config::{
    Choice, ChoiceOr, Field, FieldValue, Kind, Mismatch, Node, choices, read_choice_or, section,
    write_number,
};
use crate::graph::{Log, LogFloor, StageKind};
use crate::input::Input;

choices! {
    /// Logarithm of the energies.
    pub(crate) enum LogKind {
        /// None: the energies themselves.
        None = "none",
        /// Natural logarithm.
        Ln = "ln",
        /// Decimal logarithm.
        Log10 = "log10",
        /// Decibels of a power: `10 log10(x)`.
        DbPower = "db_power",
        /// Decibels of a magnitude: `20 log10(x)`.
        DbMagnitude = "db_magnitude",
        /// No logarithm, but per-channel energy normalisation: the fields `pcen_*`.
        Pcen = "pcen",
    }
}

choices! {
    /// How the logarithm is kept from minus infinity.
    pub(crate) enum LogFloorRule {
        /// `log(x + epsilon)`. TensorFlow's examples.
        Add = "add",
        /// `log(max(x, epsilon))`. librosa, Kaldi.
        Max = "max",
        /// `log(epsilon)` where `x` is 0. python_speech_features, Edge Impulse.
        ReplaceZero = "replace_zero",
    }
}

choices! {
    /// What the logarithm is relative to.
    pub(crate) enum LogReference {
        /// 1.
        One = "one",
        /// The largest value of the window, which becomes 0. librosa's `ref=np.max`.
        Top = "top",
    }
}

choices! {
    /// Mapping of the values to 0..1: `y = (x - low) / (high - low)`.
    pub(crate) enum Rescale {
        /// None.
        None = "none",
        /// Mapped, not limited.
        Affine = "affine",
        /// Mapped, at least 0.
        Floor = "floor",
        /// Mapped, at least 0 and at most 1.
        Clamp = "clamp",
    }
}

choices! {
    /// What the level 1.0 becomes when values are rounded to levels.
    pub(crate) enum Saturate {
        /// The highest level, `(steps - 1) / steps`.
        Clamp = "clamp",
        /// 0, as the cast to unsigned bytes in Edge Impulse's Python block makes it.
        Wrap = "wrap",
    }
}

/// `"none"`, or a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    None,
    At(f64),
}

impl FieldValue for Limit {
    const KIND: Kind = Kind::NumberOr(&[Choice {
        name: "none",
        doc: " No limit.",
    }]);

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        Ok(match read_choice_or(node, field)? {
            ChoiceOr::Choice(_) => Self::None,
            ChoiceOr::Value(number) => Self::At(number),
        })
    }

    fn write(&self) -> Option<String> {
        Some(match self {
            Self::None => "\"none\"".to_owned(),
            Self::At(number) => write_number(*number),
        })
    }
}

/// `"none"`, or a number of levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Steps {
    None,
    Count(usize),
}

impl FieldValue for Steps {
    const KIND: Kind = Kind::IntegerOr(&[Choice {
        name: "none",
        doc: " No rounding.",
    }]);

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        Ok(match read_choice_or(node, field)? {
            ChoiceOr::Choice(_) => Self::None,
            ChoiceOr::Value(count) => Self::Count(count),
        })
    }

    fn write(&self) -> Option<String> {
        match self {
            Self::None => Some("\"none\"".to_owned()),
            Self::Count(count) => count.write(),
        }
    }
}

section! {
    /// The logarithm and its range.
    ///
    /// Order: logarithm, `log_reference`, `top_range`, rescale, rounding to levels.
    pub(crate) struct LogRange {
        /// Logarithm of the energies.
        log: LogKind { default: "\"ln\"" },
        /// How the logarithm is kept from minus infinity.
        log_floor: LogFloorRule { default: "\"add\"" },
        /// The epsilon of `log_floor`.
        log_epsilon: f64 { range: Some((1e-30, 1e6)), default: "1e-6" },
        /// What the logarithm is relative to. `"top"` looks at a whole window, so it needs
        /// `mode = "window"` or `"clip"`.
        log_reference: LogReference { default: "\"one\"" },
        /// Largest distance of a value below the largest value of the window, in units of `log`
        /// (librosa's `top_db`). It looks at a whole window, so it needs `mode = "window"` or
        /// `"clip"`.
        top_range: Limit { range: Some((1e-6, 1000.0)), default: "\"none\"" },
        /// Mapping of the values to 0..1, such as Edge Impulse's noise floor.
        rescale: Rescale { default: "\"none\"" },
        /// The value that `rescale` maps to 0, in units of `log`: the noise floor.
        rescale_low: f64 { range: Some((-1000.0, 1000.0)), default: "-52.0" },
        /// The value that `rescale` maps to 1, in units of `log`.
        rescale_high: f64 { range: Some((-1000.0, 1000.0)), default: "12.0" },
        /// Number of levels that values from 0 to 1 are rounded to: `round(steps x) / steps`,
        /// halves to even. It needs `rescale = "clamp"`.
        rescale_steps: Steps { range: Some((2.0, 65536.0)), default: "\"none\"" },
        /// What a value that rounds to 1.0 becomes, with `rescale_steps`.
        mfe_saturate: Saturate { default: "\"clamp\"" },
    }
}

impl LogRange {
    /// Checks the fields together. Paths of errors are names of fields.
    pub(crate) fn validate(&self, input: &Input) -> Result<(), ConfigError> {
        if self.rescale != Rescale::None && self.rescale_high <= self.rescale_low {
            return Err(ConfigError::new(
                "rescale_high",
                self.rescale_high,
                format!("expected more than `rescale_low` = {}", self.rescale_low),
            ));
        }
        if let Steps::Count(steps) = self.rescale_steps
            && self.rescale != Rescale::Clamp
        {
            return Err(ConfigError::new(
                "rescale_steps",
                steps,
                "levels need values from 0 to 1: expected `rescale = \"clamp\"`, or \"none\"",
            ));
        }
        if matches!(self.log, LogKind::None | LogKind::Pcen)
            && self.log_reference == LogReference::Top
        {
            return Err(ConfigError::new(
                "log_reference",
                "\"top\"",
                "there is no logarithm that could be relative to something: expected \"one\", or \
                 a `log`",
            ));
        }
        let whole_window = |field, value: String, instead| {
            ConfigError::new(
                field,
                value,
                format!(
                    "it measures from the largest value of a whole window, which a stream does \
                     not have: expected {instead}, or use it with `mode = \"window\"` or \
                     `mode = \"clip\"` in `[input]`"
                ),
            )
        };
        match self.top_range {
            Limit::At(range) if input.is_stream() => {
                return Err(whole_window("top_range", range.to_string(), "\"none\""));
            }
            _ => {}
        }
        if self.log_reference == LogReference::Top && input.is_stream() {
            let top = "\"top\"".to_owned();
            return Err(whole_window("log_reference", top, "\"one\""));
        }
        Ok(())
    }

    /// Whether per-channel energy normalisation stands in for the logarithm.
    pub(crate) fn is_pcen(&self) -> bool {
        self.log == LogKind::Pcen
    }

    /// Whether a stage looks at all rows.
    pub(crate) fn looks_at_all_rows(&self) -> bool {
        self.log_reference == LogReference::Top || self.top_range != Limit::None
    }

    /// Appends the stages on rows of `len` values.
    pub(crate) fn expand(&self, stages: &mut Stages, len: usize) {
        if let Some(log) = self.log() {
            stages.push("log", len, StageKind::Log(log));
        }
        if self.log_reference == LogReference::Top {
            stages.push("log_reference", len, StageKind::SubtractTop);
        }
        if let Limit::At(range) = self.top_range {
            stages.push("top_range", len, StageKind::TopRange { range });
        }
        if let Some(kind) = self.affine() {
            stages.push("rescale", len, kind);
        }
        if let Steps::Count(steps) = self.rescale_steps {
            let wraps = self.mfe_saturate == Saturate::Wrap;
            stages.push("levels", len, StageKind::Quantise { steps, wraps });
        }
    }

    fn log(&self) -> Option<Log> {
        let epsilon = self.log_epsilon;
        let scale = match self.log {
            LogKind::None | LogKind::Pcen => return None,
            LogKind::Ln => 1.0,
            LogKind::Log10 => 1.0 / LN_10,
            LogKind::DbPower => 10.0 / LN_10,
            LogKind::DbMagnitude => 20.0 / LN_10,
        };
        let floor = match self.log_floor {
            LogFloorRule::Add => LogFloor::Add(epsilon),
            LogFloorRule::Max => LogFloor::Max(epsilon),
            LogFloorRule::ReplaceZero => LogFloor::ReplaceZero(epsilon),
        };
        Some(Log { floor, scale })
    }

    fn affine(&self) -> Option<StageKind> {
        let (min, max) = match self.rescale {
            Rescale::None => return None,
            Rescale::Affine => (f64::NEG_INFINITY, f64::INFINITY),
            Rescale::Floor => (0.0, f64::INFINITY),
            Rescale::Clamp => (0.0, 1.0),
        };
        Some(StageKind::Affine {
            add: -self.rescale_low,
            mul: 1.0 / (self.rescale_high - self.rescale_low),
            min,
            max,
        })
    }
}
