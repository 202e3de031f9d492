//! The host half of Otolith: definitions of blocks, their f64 tables, the executor, lowering.
#![forbid(unsafe_code)]

pub mod engine;
mod error;
pub mod executor;
pub mod graph;
pub mod lower;
pub mod plan_builder;

pub use error::{ConfigError, EngineError, LowerError};
