//! Block `normalise`: features at a common scale, with constants from a training set.

use crate::ConfigError;
use crate::config::{Section, Table, choices, section};
use crate::graph::{Chain, Stage, StageKind};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Each column of the features, brought to a common scale with \
                                constants from a training set: what a StandardScaler, MinMaxScaler \
                                or RobustScaler has learned.";

choices! {
    /// What the constants are.
    pub(crate) enum Scaler {
        /// `(x - mean) / std`.
        ZScore = "z_score",
        /// `(x - minimum) / (maximum - minimum)`.
        MinMax = "min_max",
        /// `(x - median) / iqr`.
        Robust = "robust",
    }
}

section! {
    /// Constants of each column. A list has one number for each value of a row of features; of
    /// several blocks of features, first those of the first block. A spread of 0 counts as 1.
    pub(crate) struct Normalise {
        /// What the constants are.
        scaler: Scaler { default: "\"z_score\"" },
        /// Mean of each column, with `scaler = "z_score"`.
        mean: Option<Vec<f64>> { range: Some((-1e12, 1e12)), derived: "required with `z_score`" },
        /// Standard deviation of each column, with `scaler = "z_score"`.
        std: Option<Vec<f64>> { range: Some((0.0, 1e12)), derived: "required with `z_score`" },
        /// Smallest value of each column, with `scaler = "min_max"`.
        minimum: Option<Vec<f64>> { range: Some((-1e12, 1e12)), derived: "required with `min_max`" },
        /// Largest value of each column, with `scaler = "min_max"`.
        maximum: Option<Vec<f64>> { range: Some((-1e12, 1e12)), derived: "required with `min_max`" },
        /// Median of each column, with `scaler = "robust"`.
        median: Option<Vec<f64>> { range: Some((-1e12, 1e12)), derived: "required with `robust`" },
        /// Range between the quartiles of each column, with `scaler = "robust"`.
        iqr: Option<Vec<f64>> { range: Some((0.0, 1e12)), derived: "required with `robust`" },
    }
}

/// Reads a block and appends its stage to each of `chains`. Returns the fields.
pub(crate) fn apply(
    table: &Table,
    id: &str,
    chains: &mut [Chain],
) -> Result<Vec<(&'static str, String)>, ConfigError> {
    let config = Normalise::read(table, id)?;
    let columns: usize = chains.iter().map(|chain| chain.row_len).sum();
    let [centre, spread] = config.constants(columns).map_err(|error| ConfigError {
        path: format!("{id}.{}", error.path),
        ..error
    })?;
    let mut at = 0;
    for chain in chains {
        let own = at..at + chain.row_len;
        at = own.end;
        chain.rows.push(Stage {
            name: format!("{id}.columns"),
            len: chain.row_len,
            kind: StageKind::Columns {
                add: centre[own.clone()].iter().map(|x| -x).collect(),
                mul: spread[own].iter().map(|x| 1.0 / x).collect(),
            },
        });
    }
    Ok(config.write())
}

impl Normalise {
    /// What is subtracted from each column, and what it is then divided by.
    fn constants(&self, columns: usize) -> Result<[Vec<f64>; 2], ConfigError> {
        let lists = [
            ("mean", &self.mean, Scaler::ZScore),
            ("std", &self.std, Scaler::ZScore),
            ("minimum", &self.minimum, Scaler::MinMax),
            ("maximum", &self.maximum, Scaler::MinMax),
            ("median", &self.median, Scaler::Robust),
            ("iqr", &self.iqr, Scaler::Robust),
        ];
        let mut own = Vec::new();
        for (name, list, scaler) in lists {
            match (list, scaler == self.scaler) {
                (None, false) => {}
                (Some(list), false) => {
                    return Err(ConfigError::new(
                        name,
                        format!("{} numbers", list.len()),
                        format!("it belongs to `scaler = \"{}\"`: remove it", scaler.name()),
                    ));
                }
                (None, true) => {
                    return Err(ConfigError::new(
                        name,
                        "no value",
                        format!(
                            "`scaler = \"{}\"` needs it: give {columns} numbers",
                            scaler.name()
                        ),
                    ));
                }
                (Some(list), true) if list.len() != columns => {
                    return Err(ConfigError::new(
                        name,
                        format!("{} numbers", list.len()),
                        format!("the features have {columns} columns: expected {columns} numbers"),
                    ));
                }
                (Some(list), true) => own.push(list.clone()),
            }
        }
        let [centre, spread] = own.as_slice() else {
            unreachable!("each scaler has two lists")
        };
        let spread = centre.iter().zip(spread).map(|(low, spread)| {
            let spread = match self.scaler {
                Scaler::MinMax => spread - low,
                Scaler::ZScore | Scaler::Robust => *spread,
            };
            if spread == 0.0 { 1.0 } else { spread }
        });
        let spread: Vec<f64> = spread.collect();
        if let Some(column) = spread.iter().position(|spread| *spread < 0.0) {
            return Err(ConfigError::new(
                "maximum",
                format!("less than `minimum` in column {column}"),
                "expected no less than `minimum`",
            ));
        }
        Ok([centre.clone(), spread])
    }
}
