//! The fields of `[input]` that are about sensors.

use super::{InputConfig, InputKind, MAX_AXES, Normalise, both};
use crate::ConfigError;
use crate::config::Section;
use crate::recording::{Gaps, Nan, Quantity, Sensor, TimeColumn};

/// Fields that audio has no use for.
const FIELDS: [&str; 11] = [
    "axes",
    "full_scale",
    "unit_per_lsb",
    "unit",
    "values",
    "columns",
    "time_column",
    "time_unit",
    "nan",
    "gaps",
    "max_gap_ms",
];

impl InputConfig {
    /// How recordings of a sensor are read; `None` for audio.
    pub(super) fn sensor(&self) -> Result<Option<Sensor>, ConfigError> {
        if self.kind == InputKind::Audio {
            let mut given = self.write().into_iter();
            return match given.find(|(name, _)| FIELDS.contains(name)) {
                None => Ok(None),
                Some((name, value)) => Err(ConfigError::new(
                    name,
                    value,
                    "audio has one channel of samples in [-1, 1): remove it, or set `kind = \
                     \"sensor\"`",
                )),
            };
        }
        let axes = self.axes.clone().unwrap_or_else(|| vec!["x".to_owned()]);
        if axes.is_empty() || axes.len() > MAX_AXES || !are_names(&axes) {
            return Err(ConfigError::new(
                "axes",
                format!("{axes:?}"),
                format!(
                    "expected from 1 to {MAX_AXES} different names, such as [\"ax\", \"ay\", \"az\"]"
                ),
            ));
        }
        if self.normalise != Normalise::None && self.normalise != Normalise::Int16Scale {
            return Err(ConfigError::new(
                "normalise",
                format!("{:?}", self.normalise.name()),
                "the axes of a sensor keep their proportions: expected \"none\" or \"int16_scale\"",
            ));
        }
        let full_scale = match (self.full_scale, self.unit_per_lsb) {
            (Some(full), None) => full,
            (None, Some(unit)) => unit * 32768.0,
            (None, None) => 1.0,
            (Some(full), Some(_)) => return Err(both("full_scale", full, "unit_per_lsb")),
        };
        let columns = self.columns.clone().unwrap_or_default();
        if self.columns.is_some() && (columns.len() != axes.len() || !are_names(&columns)) {
            return Err(ConfigError::new(
                "columns",
                format!("{columns:?}"),
                format!(
                    "expected {} different names of columns, one for each of the axes {axes:?}",
                    axes.len()
                ),
            ));
        }
        Ok(Some(Sensor {
            columns,
            time_column: match self.time_column.as_deref() {
                None | Some("auto") => TimeColumn::Auto,
                Some("none") => TimeColumn::None,
                Some(name) => TimeColumn::Named(name.to_owned()),
            },
            time_unit: self.time_unit,
            quantity: self.values.unwrap_or(Quantity::Physical),
            unit: self.unit.clone(),
            nan: self.nan.unwrap_or(Nan::Error),
            gaps: self.gaps.unwrap_or(Gaps::Error),
            max_gap_s: self.max_gap_ms.map(|ms| ms / 1e3),
            resample: self.resample,
            ..Sensor::new(self.rate_hz, axes, full_scale)
        }))
    }
}

/// Whether no name is empty or there twice.
fn are_names(names: &[String]) -> bool {
    let twice = |(i, name): (usize, &String)| name.is_empty() || names[..i].contains(name);
    !names.iter().enumerate().any(twice)
}
