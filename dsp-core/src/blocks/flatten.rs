//! Block `flatten`: a few statistics of each axis.

use super::{FeatureSpec, window};
use crate::ConfigError;
use crate::config::{Section, Table, choices, section};
use crate::graph::{Framing, Stage, StageKind, Statistic};
use crate::input::Input;

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Statistics of each axis of a window, one axis after the other: \
                                few, cheap features for slow signals.";

choices! {
    /// Whether a statistic is among the features.
    pub(crate) enum Switch {
        /// It is.
        On = "on",
        /// It is not.
        Off = "off",
    }
}

section! {
    /// Scale of the axes and the statistics that are taken, in this order.
    pub(crate) struct Flatten {
        /// Factor that all axes are multiplied with.
        scale_axes: f64 { range: Some((-1e9, 1e9)), default: "1.0" },
        /// Mean: `sum x / n`.
        average: Switch { default: "\"on\"" },
        /// Smallest value.
        minimum: Switch { default: "\"on\"" },
        /// Largest value.
        maximum: Switch { default: "\"on\"" },
        /// Root mean square, `sqrt(sum x^2 / n)`.
        rms: Switch { default: "\"on\"" },
        /// Standard deviation of the population, `sqrt(m_2)`.
        stdev: Switch { default: "\"on\"" },
        /// Skewness of the population, `m_3 / m_2^1.5`; 0 for a constant.
        skewness: Switch { default: "\"on\"" },
        /// Excess kurtosis of the population, `m_4 / m_2^2 - 3`; -3 for a constant.
        kurtosis: Switch { default: "\"on\"" },
    }
}

/// A [`Flatten`] that has been checked.
#[derive(Debug)]
pub(crate) struct FlattenSpec {
    config: Flatten,
    statistics: Vec<(Statistic, &'static str)>,
    axes: Vec<String>,
    framing: Framing,
    input: Input,
}

impl Flatten {
    pub(crate) fn validate(&self, input: &Input) -> Result<FlattenSpec, ConfigError> {
        let all = [
            (self.average, Statistic::Mean, "average"),
            (self.minimum, Statistic::Minimum, "minimum"),
            (self.maximum, Statistic::Maximum, "maximum"),
            (self.rms, Statistic::RootMeanSquare, "rms"),
            (self.stdev, Statistic::Deviation, "stdev"),
            (self.skewness, Statistic::Skew, "skewness"),
            (self.kurtosis, Statistic::Kurtosis, "kurtosis"),
        ];
        let statistics: Vec<_> = all
            .into_iter()
            .filter(|(switch, ..)| *switch == Switch::On)
            .map(|(_, statistic, name)| (statistic, name))
            .collect();
        if statistics.is_empty() {
            return Err(ConfigError::new(
                "average",
                "\"off\", as all others",
                "at least one statistic must be \"on\"",
            ));
        }
        Ok(FlattenSpec {
            config: self.clone(),
            statistics,
            axes: input.axis_names(),
            framing: window::framing(input),
            input: input.clone(),
        })
    }
}

impl FeatureSpec for FlattenSpec {
    fn framing(&self, _input: &Input) -> Framing {
        self.framing.clone()
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        let scale = self.config.scale_axes;
        let len = self.framing.frame_len;
        let statistics: Vec<Statistic> = self.statistics.iter().map(|(s, _)| *s).collect();
        vec![window::each_axis(id, &self.input, |_, name| {
            let mut stages = Vec::new();
            if scale != 1.0 {
                stages.push(window::scale(name, len, scale));
            }
            stages.push(Stage {
                name: format!("{name}.statistics"),
                len: statistics.len(),
                kind: StageKind::Statistics(statistics.clone()),
            });
            stages
        })]
    }

    fn names(&self) -> Vec<String> {
        let of_axis = |axis: &String| {
            let axis = axis.clone();
            self.statistics
                .iter()
                .map(move |(_, name)| format!("{axis}_{name}"))
        };
        self.axes.iter().flat_map(of_axis).collect()
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        self.config.write()
    }
}

/// Reads and checks a block.
pub(crate) fn read(
    table: &Table,
    id: &str,
    input: &Input,
) -> Result<Box<dyn FeatureSpec>, ConfigError> {
    Ok(Box::new(Flatten::read(table, id)?.validate(input)?))
}
