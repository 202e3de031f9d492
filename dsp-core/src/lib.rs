//! The host half of Otolith: definitions of blocks, their f64 tables, the executor, lowering.
//!
//! | module | what |
//! |---|---|
//! | `pipeline` | [`Pipeline`]: a TOML file, read, checked and expanded |
//! | `blocks` | the blocks: fields, checks, stages |
//! | `presets` | values for fields, named after their origin |
//! | [`input`] | what a pipeline takes, and how recordings are made to fit |
//! | [`recording`] | recordings of sensors: time stamps, missing values, resampling |
//! | [`deploy`] | what a pipeline is to run on |
//! | [`explain`] | reference texts and JSON schema of every field |
//! | `config` | how fields are declared, read and reported |
//! | `tables` | windows, mel filters, DCT in f64 |
//! | [`graph`] | what a pipeline computes, over real numbers |
//! | [`engine`] | one way to run a graph over recordings in any numeric |
//! | [`executor`] | runs a graph on the host |
//! | [`estimator`] | trees, linear models and anomaly scores, from JSON |
//! | [`lower`], [`plan_builder`] | turn a graph into a plan for the device |
//! | [`emit`] | plans as C source |
#![forbid(unsafe_code)]

mod blocks;
mod config;
pub mod deploy;
pub mod emit;
pub mod engine;
mod error;
pub mod estimator;
pub mod executor;
pub mod explain;
pub mod graph;
pub mod input;
pub mod lower;
mod pipeline;
pub mod plan_builder;
mod presets;
pub mod recording;
mod tables;

pub use error::{ConfigError, EngineError, LowerError};
pub use pipeline::{Override, Pipeline};
