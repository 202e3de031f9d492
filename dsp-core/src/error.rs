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
