//! The device half of Otolith: the plan format, the runner that executes plans, and the DSP
//! operators.
//!
//! Host code lowers a pipeline to a *plan*: flat bytes with steps, tables and an arena layout.
//! This crate checks those bytes once ([`Plan::from_bytes`]) and then executes them
//! ([`Runner::push_i16`], [`Runner::push_f32`]) in memory that the caller owns.
//!
//! | module | what |
//! |---|---|
//! | [`format`](mod@format) | the plan's bytes: records, constants, hash (normative text: `docs/FORMAT.md`) |
//! | [`plan`] | [`Plan`]: a checked view of those bytes; [`PlanInfo`]: its numbers without operators |
//! | [`op`] | [`Op`], what an operator is; [`Step`] and [`Io`], what it sees |
//! | [`runner`] | [`Runner`]: samples in, events out |
//! | [`q`] | the rounding law: the only place that shifts right or narrows |
//! | [`ops`] | the DSP operators, one file each |
//! | [`statistic`], [`spectral`], [`motion`] | what windows are made into, as plans name it |
//!
//! Invariants: no heap, no panic, no recursion, no global state, no `unsafe`. An op code is a
//! promise of bits: the same plan and the same samples give the same bytes on every machine.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

#[cfg(target_endian = "big")]
compile_error!("plans are little endian and used in place: big-endian targets are not supported");

mod arena;
mod error;
pub mod format;
pub mod motion;
pub mod op;
pub mod ops;
pub mod plan;
pub mod q;
pub mod runner;
pub mod spectral;
pub mod statistic;

pub use error::{Fault, InitError, PlanError};
pub use op::{Io, Op, Step};
pub use plan::{Plan, PlanInfo, verify};
pub use runner::{Decision, Event, Pushed, Runner, Tensors};
