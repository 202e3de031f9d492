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
