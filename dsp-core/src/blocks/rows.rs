//! What `mel` and `mfcc` do to their rows at the end: normalisation over time and derivatives.

use crate::ConfigError;
use crate::config::{
    Choice, ChoiceOr, Field, FieldValue, Kind, Mismatch, Node, choices, read_choice_or, section,
};
use crate::graph::{Span, Stage, StageKind};
use crate::input::Input;

choices! {
    /// Normalisation of each column over time.
    pub(crate) enum Cmvn {
        /// None.
        None = "none",
        /// The mean is subtracted (cepstral mean normalisation).
        Mean = "mean",
        /// The mean is subtracted, then divided by the standard deviation plus `cmvn_epsilon`.
        MeanVariance = "mean_variance",
    }
}

impl FieldValue for Span {
    const KIND: Kind = Kind::IntegerOr(&[Choice {
        name: "window",
        doc: " All rows of the window.",
    }]);

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        Ok(match read_choice_or(node, field)? {
            ChoiceOr::Choice(_) => Self::Window,
            ChoiceOr::Value(rows) => Self::Sliding(rows),
        })
    }

    fn write(&self) -> Option<String> {
        match self {
            Self::Window => Some("\"window\"".to_owned()),
            Self::Sliding(rows) => rows.write(),
        }
    }
}

section! {
    /// What happens to the rows of a window together. All of it looks at rows that come later, so
    /// it needs `mode = "window"` or `mode = "clip"`.
    pub(crate) struct Rows {
        /// Normalisation of each column over time.
        cmvn: Cmvn { default: "\"none\"" },
        /// Rows over which `cmvn` takes its statistics: the whole window, or an odd number of
        /// rows around each row, mirrored at the ends.
        cmvn_span: Span { unit: "rows", range: Some((3.0, 10001.0)), default: "\"window\"" },
        /// Added to the standard deviation, so that constant columns stay finite.
        cmvn_epsilon: f64 { range: Some((1e-12, 1.0)), default: "1e-5" },
        /// Derivatives over time that are appended to each row: 0 for none, 1 for deltas, 2 for
        /// deltas and their deltas.
        deltas: usize { range: Some((0.0, 2.0)), default: "0" },
        /// Rows on each side that a delta is fitted to.
        delta_reach: usize { unit: "rows", range: Some((1.0, 32.0)), default: "2" },
    }
}

/// [`Rows`] that have been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowsSpec {
    pub(crate) config: Rows,
}

impl Rows {
    /// Checks the fields together. Paths of errors are names of fields.
    pub(crate) fn validate(&self, input: &Input) -> Result<RowsSpec, ConfigError> {
        if let Span::Sliding(rows) = self.cmvn_span
            && rows % 2 == 0
        {
            return Err(ConfigError::new(
                "cmvn_span",
                rows,
                format!(
                    "expected an odd number, so that as many rows lie before as after: {} or {}",
                    rows - 1,
                    rows + 1
                ),
            ));
        }
        const LATER_ROWS: &str = "it looks at rows that come later, which a stream does not have \
                                  yet: use `mode = \"window\"` or `mode = \"clip\"` in `[input]`";
        if input.is_stream() && self.cmvn != Cmvn::None {
            return Err(ConfigError::new(
                "cmvn",
                format!("{:?}", self.cmvn.name()),
                format!("{LATER_ROWS}, or `cmvn = \"none\"`"),
            ));
        }
        if input.is_stream() && self.deltas > 0 {
            return Err(ConfigError::new(
                "deltas",
                self.deltas,
                format!("{LATER_ROWS}, or `deltas = 0`"),
            ));
        }
        Ok(RowsSpec {
            config: self.clone(),
        })
    }
}

impl RowsSpec {
    /// Appends the stages.
    pub(crate) fn expand(&self, id: &str, stages: &mut Vec<Stage>) {
        let config = &self.config;
        let mut len = stages.last().map_or(0, |stage| stage.len);
        if config.cmvn != Cmvn::None {
            stages.push(Stage {
                name: format!("{id}.cmvn"),
                len,
                kind: StageKind::Standardise {
                    span: config.cmvn_span,
                    variance: config.cmvn == Cmvn::MeanVariance,
                    epsilon: config.cmvn_epsilon,
                },
            });
        }
        if config.deltas > 0 {
            len *= 1 + config.deltas;
            stages.push(Stage {
                name: format!("{id}.deltas"),
                len,
                kind: StageKind::Deltas {
                    order: config.deltas as u8,
                    reach: config.delta_reach,
                },
            });
        }
    }
}
