//! The signals that features are taken of: axes, and what is derived from them.

use crate::ConfigError;
use crate::config::nearest;

/// Signals of every axis, or of every triad of axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// Each axis itself.
    Axes,
    /// Each axis' first difference times the rate.
    Jerk,
    /// Each axis behind the low-pass.
    Gravity,
    /// What the low-pass leaves of each axis.
    Body,
    /// `sqrt(x^2 + y^2 + z^2)` of each triad.
    Magnitude,
    /// The same of the jerks.
    JerkMagnitude,
    /// The same of the bodies.
    BodyMagnitude,
}

const NAMES: &[(&str, Channel)] = &[
    ("axes", Channel::Axes),
    ("jerk", Channel::Jerk),
    ("gravity", Channel::Gravity),
    ("body", Channel::Body),
    ("magnitude", Channel::Magnitude),
    ("jerk_magnitude", Channel::JerkMagnitude),
    ("body_magnitude", Channel::BodyMagnitude),
];

impl Channel {
    /// The channels that `names` ask for, each once.
    pub(super) fn read(names: &[String]) -> Result<Vec<Self>, ConfigError> {
        let mut channels = Vec::with_capacity(names.len());
        for name in names {
            let Some(&(_, channel)) = NAMES.iter().find(|(known, _)| known == name) else {
                let all: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                let all = format!("expected some of {}", all.join(", "));
                let allowed = match nearest(name, NAMES.iter().map(|(name, _)| *name)) {
                    Some(near) => format!("did you mean \"{near}\"? {all}"),
                    None => all,
                };
                return Err(ConfigError::new("channels", format!("{name:?}"), allowed));
            };
            if channels.contains(&channel) {
                return Err(ConfigError::new(
                    "channels",
                    format!("{name:?} twice"),
                    "each kind of channel is taken once: remove one of them",
                ));
            }
            channels.push(channel);
        }
        Ok(channels)
    }

    /// Whether there is one for each triad, not for each axis.
    pub(super) fn is_of_triads(self) -> bool {
        matches!(
            self,
            Self::Magnitude | Self::JerkMagnitude | Self::BodyMagnitude
        )
    }

    /// Name of the channel of an axis or a triad.
    pub(super) fn of(self, name: &str) -> String {
        let kind = match self {
            Self::Axes => return name.to_owned(),
            Self::Jerk => "jerk",
            Self::Gravity => "gravity",
            Self::Body => "body",
            Self::Magnitude => "magnitude",
            Self::JerkMagnitude => "jerk_magnitude",
            Self::BodyMagnitude => "body_magnitude",
        };
        joined(name, kind)
    }
}

/// `name_what`, or `what` alone for a triad without a name.
pub(super) fn joined(name: &str, what: &str) -> String {
    if name.is_empty() {
        what.to_owned()
    } else {
        format!("{name}_{what}")
    }
}

/// Three axes that belong to one sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Triad {
    /// Its name; empty for axes that are called `x`, `y` and `z`.
    pub(super) name: String,
    /// Indices of the axes.
    pub(super) axes: [usize; 3],
}

impl Triad {
    /// What the field says: `"acc: ax ay az"`.
    pub(super) fn read(texts: &[String], axes: &[String]) -> Result<Vec<Self>, ConfigError> {
        let mut triads: Vec<Self> = Vec::with_capacity(texts.len());
        for text in texts {
            let wrong = |why: String| ConfigError::new("triads", format!("{text:?}"), why);
            let (name, members) = text
                .split_once(':')
                .ok_or_else(|| wrong("expected a name and three axes: \"acc: ax ay az\"".into()))?;
            let (name, members) = (name.trim(), members.split_whitespace());
            let members = members
                .map(|member| {
                    axes.iter().position(|axis| axis == member).ok_or_else(|| {
                        let axes = axes.join(", ");
                        wrong(format!("{member:?} is no axis: `input.axes` has {axes}"))
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            let axes: [usize; 3] = members
                .try_into()
                .map_err(|_| wrong("expected three axes, as in \"acc: ax ay az\"".into()))?;
            let [x, y, z] = axes;
            if x == y || y == z || x == z {
                return Err(wrong("expected three different axes".into()));
            }
            if triads.iter().any(|triad| triad.name == name) {
                return Err(wrong(
                    "expected another name: a triad before it has it".into(),
                ));
            }
            let name = name.to_owned();
            triads.push(Self { name, axes });
        }
        Ok(triads)
    }

    /// Axes whose names differ only in a last `x`, `y` and `z`.
    pub(super) fn guessed(axes: &[String]) -> Vec<Self> {
        let find = |stem: &str, last: &str| {
            let name = format!("{stem}{last}");
            axes.iter().position(|axis| *axis == name)
        };
        let of = |axis: &String| {
            [["x", "y", "z"], ["X", "Y", "Z"]]
                .into_iter()
                .find_map(|last| {
                    let stem = axis.strip_suffix(last[0])?;
                    let [x, y, z] = last.map(|last| find(stem, last));
                    Some(Self {
                        name: stem.trim_end_matches(['_', '.', '-']).to_owned(),
                        axes: [x?, y?, z?],
                    })
                })
        };
        axes.iter().filter_map(of).collect()
    }

    /// As the field says it.
    pub(super) fn write(&self, axes: &[String]) -> String {
        let [x, y, z] = self.axes.map(|axis| axes[axis].as_str());
        format!("{}: {x} {y} {z}", self.name)
    }
}
