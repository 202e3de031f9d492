//! Errors of the host half, one type per phase.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

/// A pipeline file that does not say what can be built.
///
/// Reads as `features.n_mels: found 0; expected an integer from 1 to 1024`.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub struct ConfigError {
    /// The field, such as `features.n_mels`; empty when the file is not TOML.
    pub path: String,
    /// What was found.
    pub value: String,
    /// What is allowed, and what to do.
    pub allowed: String,
    /// Bytes of the pipeline file that the error is about. None when the value did not come from
    /// the file.
    pub span: Option<Range<usize>>,
    /// Where a value that is not in the file comes from, such as
    /// ``the override `features.n_mels=0` ``.
    pub source_of_value: Option<String>,
}

impl ConfigError {
    /// An error at `path` with the `value` found and what is `allowed`.
    pub fn new(
        path: impl Into<String>,
        value: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            value: value.to_string(),
            allowed: allowed.into(),
            span: None,
            source_of_value: None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "found {}", self.value)?;
        if let Some(source) = &self.source_of_value {
            write!(f, " (from {source})")?;
        }
        write!(f, "; {}", self.allowed)
    }
}

/// A pipeline that is sound but cannot become a plan for the device.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{stage}: {why}")]
#[non_exhaustive]
pub struct LowerError {
    /// The stage, such as `features.rfft` or an operator of the model.
    pub stage: String,
    /// The reason, and what to do.
    pub why: String,
}

impl LowerError {
    /// An error of `stage` with the reason.
    pub fn new(stage: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            stage: stage.into(),
            why: why.into(),
        }
    }
}

/// A recording that cannot be run, or a plan that does not run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// The recording has fewer samples than the pipeline needs once.
    #[error(
        "the recording has {samples} samples and {what} takes {need}: use a longer recording, \
         shorter windows, or pad it"
    )]
    TooShort {
        /// Samples found.
        samples: usize,
        /// Samples needed.
        need: usize,
        /// For what.
        what: &'static str,
    },
    /// Not one recording for each input.
    #[error(
        "{found} recordings, but the pipeline has {need} inputs: give one for each, in their order"
    )]
    Inputs {
        /// Recordings given.
        found: usize,
        /// Inputs of the pipeline.
        need: usize,
    },
    /// The pipeline ends with features.
    #[error("the pipeline has no classifier block: add one, or ask for features")]
    NoClassifier,
    /// The pipeline has no plan.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// A float network does not run.
    #[error(transparent)]
    Network(#[from] crate::network::NetworkError),
    /// The plan was refused, which lowering should have excluded.
    #[error("the plan was refused: {0}")]
    Plan(#[from] otolith_dsp_nostd::PlanError),
    /// The runner was refused, which the engine should have excluded.
    #[error("the runner was refused: {0}")]
    Init(#[from] otolith_dsp_nostd::InitError),
    /// A step could not run, which the plan's checks should have excluded.
    #[error("a step could not run: {0}")]
    Fault(#[from] otolith_dsp_nostd::Fault),
}
