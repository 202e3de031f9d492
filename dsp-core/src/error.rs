//! Errors of the host half, one type per phase.

use thiserror::Error;

/// A pipeline file that does not say what can be built.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{path}: {value} is not allowed: {allowed}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The field, such as `features.n_mels`.
    pub path: String,
    /// What was found.
    pub value: String,
    /// What is allowed, and what to do.
    pub allowed: String,
}

impl ConfigError {
    /// An error at `path` with the `value` found and what is `allowed`.
    pub fn new(
        path: impl Into<String>,
        value: impl std::fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        }
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
    /// The pipeline ends with features.
    #[error("the pipeline has no classifier block: add one, or ask for features")]
    NoClassifier,
    /// The pipeline has no plan.
    #[error(transparent)]
    Lower(#[from] LowerError),
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
