//! Kernels that are written for one processor, each with a portable twin.
//!
//! Every function here is safe to call: it checks the lengths of its slices once, then calls the
//! routine of the target, or the twin where there is none. Twins take the same packed tables and
//! give the same bits; a device program compares the two on random shapes.
//!
//! | module | what |
//! |---|---|
//! | [`dsp`] | integer features: transform, filter bank, logarithm, matrix |
//! | [`int8`] | network layers on packed weights |
//! | `x86` | their kernels for AVX2 |
//!
//! This is the second crate, beside the C interface, where `unsafe` may live: only to call
//! routines, never to keep or to make a pointer that outlives the call.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

pub mod dsp;
pub mod int8;
#[cfg(target_arch = "x86_64")]
mod x86;
