//! Measurements of Otolith beside its peers.
//!
//! | module | what |
//! |---|---|
//! | [`accuracy`] | how accurate integer features are |
//! | [`audio`] | synthetic recordings |
//! | [`chain`] | the log-mel and MFCC chains that everyone computes |
//! | [`timing`] | interleaved timing and its table |
//!
//! `cargo bench -p otolith-benches` runs the programs in `benches/`: `features` (log-mel and
//! MFCC beside Rust peers), `memory` (one hour of audio) and `network` (latency of int8 models).
//! `accuracy` is a program of its own: `cargo xtask accuracy`.
//! `peers/` times the Python peers.
#![forbid(unsafe_code)]

pub mod accuracy;
pub mod audio;
pub mod chain;
pub mod timing;
