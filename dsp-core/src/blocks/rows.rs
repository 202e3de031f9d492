//! What `spectrogram`, `mel` and `mfcc` do to their rows at the end: normalisation over time and derivatives.

use super::front_end::frames::FramesSpec;
use crate::ConfigError;
use crate::config::{
    Choice, ChoiceOr, Field, FieldValue, Kind, Mismatch, Node, choices, read_choice_or, section,
};
use crate::graph::{DeltaEdges, DeltaMethod, RunningNormalisation, Span, Stage, StageKind};
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
        /// The mean is subtracted, then divided by the standard deviation that the *centred*
        /// rows have over the span, plus `cmvn_epsilon`. With a sliding span that is not the
        /// deviation of the original rows. Edge Impulse, SpeechPy.
        MeanThenVariance = "mean_then_variance",
    }
}

choices! {
    /// Mapping of all values of a window together.
    pub(crate) enum WindowScale {
        /// None.
        None = "none",
        /// `(x - min) / (max - min)` over all rows and columns; 0 where they are equal.
        MinMax = "min_max",
    }
}

choices! {
    /// How derivatives over time are formed.
    pub(crate) enum Method {
        /// Deltas of deltas. HTK, python_speech_features, torchaudio.
        Repeated = "repeated",
        /// Derivatives of the polynomial of degree 1 and 2 of least squares (Savitzky-Golay).
        /// librosa.
        Polynomial = "polynomial",
    }
}

choices! {
    /// What stands before the first and after the last row for derivatives.
    pub(crate) enum Edges {
        /// Copies of the first and the last row. HTK, python_speech_features, torchaudio.
        Nearest = "nearest",
        /// Nothing: rows at the edges take the derivative of the nearest row that has all
        /// neighbours. librosa's `interp`.
        Interp = "interp",
        /// Rows mirrored about the first and last, which are not repeated. librosa's `mirror`.
        Mirror = "mirror",
        /// Zeros. librosa's `constant`.
        Constant = "constant",
        /// The rows of the other end. librosa's `wrap`.
        Wrap = "wrap",
    }
}

impl Method {
    fn graph(self) -> DeltaMethod {
        match self {
            Self::Repeated => DeltaMethod::Repeated,
            Self::Polynomial => DeltaMethod::Polynomial,
        }
    }
}

impl Edges {
    fn graph(self) -> DeltaEdges {
        match self {
            Self::Nearest => DeltaEdges::Nearest,
            Self::Interp => DeltaEdges::Interp,
            Self::Mirror => DeltaEdges::Mirror,
            Self::Constant => DeltaEdges::Constant,
            Self::Wrap => DeltaEdges::Wrap,
        }
    }
}

/// Rows over which `cmvn` takes its statistics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum CmvnSpan {
    Window,
    Running,
    Sliding(usize),
}

impl FieldValue for CmvnSpan {
    const KIND: Kind = Kind::IntegerOr(&[
        Choice {
            name: "window",
            doc: " All rows of the window.",
        },
        Choice {
            name: "running",
            doc: " The rows so far: the first `1 / a` of them count alike, and older rows fade \
                  from then on, each row having the weight `a = 1 - exp(-hop / cmvn_time_ms)`. \
                  For streams; it starts anew with each window.",
        },
    ]);

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        Ok(match read_choice_or(node, field)? {
            ChoiceOr::Choice(0) => Self::Window,
            ChoiceOr::Choice(_) => Self::Running,
            ChoiceOr::Value(rows) => Self::Sliding(rows),
        })
    }

    fn write(&self) -> Option<String> {
        match self {
            Self::Window => Some("\"window\"".to_owned()),
            Self::Running => Some("\"running\"".to_owned()),
            Self::Sliding(rows) => rows.write(),
        }
    }
}

section! {
    /// What happens to the rows of a window together. All of it but a running `cmvn` looks at rows
    /// that come later, so it needs `mode = "window"` or `mode = "clip"`.
    pub(crate) struct Rows {
        /// Normalisation of each column over time.
        cmvn: Cmvn { default: "\"none\"" },
        /// Rows over which `cmvn` takes its statistics: the whole window, the rows so far, or an
        /// odd number of rows around each row, mirrored at the ends.
        cmvn_span: CmvnSpan { unit: "rows", range: Some((3.0, 10001.0)), default: "\"window\"" },
        /// Time over which `cmvn_span = "running"` forgets.
        cmvn_time_ms: f64 { unit: "ms", range: Some((1.0, 600000.0)), default: "3000.0" },
        /// Added to the standard deviation, so that constant columns stay finite.
        cmvn_epsilon: f64 { range: Some((1e-12, 1.0)), default: "1e-5" },
        /// Mapping of all values of a window together, after `cmvn` and before deltas.
        window_scale: WindowScale { default: "\"none\"" },
        /// Derivatives over time that are appended to each row: 0 for none, 1 for deltas, 2 for
        /// deltas and their deltas.
        deltas: usize { range: Some((0.0, 2.0)), default: "0" },
        /// Rows on each side that a delta is fitted to.
        delta_reach: usize { unit: "rows", range: Some((1.0, 32.0)), default: "2" },
        /// How derivatives are formed.
        delta_method: Method { default: "\"repeated\"" },
        /// What stands before the first and after the last row for derivatives.
        delta_edges: Edges { default: "\"nearest\"" },
    }
}

/// [`Rows`] that have been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowsSpec {
    pub(crate) config: Rows,
    /// Time between two rows.
    hop_ms: f64,
}

impl Rows {
    /// Checks the fields together. Paths of errors are names of fields.
    pub(crate) fn validate(
        &self,
        input: &Input,
        frames: &FramesSpec,
    ) -> Result<RowsSpec, ConfigError> {
        if let CmvnSpan::Sliding(rows) = self.cmvn_span
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
        let running = self.cmvn_span == CmvnSpan::Running;
        if input.is_stream() && self.cmvn != Cmvn::None && !running {
            return Err(ConfigError::new(
                "cmvn",
                format!("{:?}", self.cmvn.name()),
                format!("{LATER_ROWS}, or `cmvn_span = \"running\"`, or `cmvn = \"none\"`"),
            ));
        }
        if running && self.cmvn == Cmvn::MeanThenVariance {
            return Err(ConfigError::new(
                "cmvn",
                "\"mean_then_variance\"",
                "a running deviation is always that of centred rows: expected \"mean_variance\", \
                 or another `cmvn_span`",
            ));
        }
        if input.is_stream() && self.window_scale != WindowScale::None {
            return Err(ConfigError::new(
                "window_scale",
                format!("{:?}", self.window_scale.name()),
                format!("{LATER_ROWS}, or `window_scale = \"none\"`"),
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
            hop_ms: 1000.0 * frames.hop as f64 / frames.rate_hz,
        })
    }
}

impl RowsSpec {
    /// Appends the stages.
    pub(crate) fn expand(&self, id: &str, stages: &mut Vec<Stage>) {
        let config = &self.config;
        let mut len = stages.last().map_or(0, |stage| stage.len);
        let mut push = |name: &str, len: usize, kind: StageKind| {
            stages.push(Stage {
                name: format!("{id}.{name}"),
                len,
                kind,
            });
        };
        let epsilon = config.cmvn_epsilon;
        let variance = config.cmvn == Cmvn::MeanVariance;
        let span = match config.cmvn_span {
            CmvnSpan::Sliding(rows) => Span::Sliding(rows),
            CmvnSpan::Window | CmvnSpan::Running => Span::Window,
        };
        if config.cmvn != Cmvn::None {
            let kind = match config.cmvn_span {
                CmvnSpan::Running => StageKind::StandardiseRunning(RunningNormalisation {
                    alpha: -libm::expm1(-self.hop_ms / config.cmvn_time_ms),
                    variance,
                    epsilon,
                }),
                _ => StageKind::Standardise {
                    span,
                    variance,
                    epsilon,
                },
            };
            push("cmvn", len, kind);
        }
        if config.cmvn == Cmvn::MeanThenVariance {
            let kind = StageKind::DivideByDeviation { span, epsilon };
            push("deviation", len, kind);
        }
        if config.window_scale == WindowScale::MinMax {
            push("window_scale", len, StageKind::MinMax);
        }
        if config.deltas > 0 {
            len *= 1 + config.deltas;
            let kind = StageKind::Deltas {
                order: config.deltas as u8,
                reach: config.delta_reach,
                method: config.delta_method.graph(),
                edges: config.delta_edges.graph(),
            };
            push("deltas", len, kind);
        }
    }
}
