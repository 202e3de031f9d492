//! The C library: the runner of `otolith-dsp-nostd` behind the contract of `include/otolith.h`.
//!
//! | module | what |
//! |---|---|
//! | [`abi`] | the types that cross the border, with their layouts pinned for 32 and 64 bits |
//! | [`status`] | the codes that functions answer with, and their texts |
//! | [`plan_info`] | `oto_plan_info_get`, `oto_plan_verify` |
//! | [`runner`] | `oto_runner_*` |
//! | [`ops`] | `OTO_OP_*`, one static per operator, so that a linker drops those that no plan needs |
//!
//! Invariants: no heap, no global state, no unwinding out of a function. Pointers are checked for
//! NULL, alignment and overlap before they become references; outputs are written only on
//! success. `unsafe` is here because the border needs it, and nowhere else in the project's device
//! code.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

// On a host the shared library takes its panic machinery from std; a firmware has none.
#[cfg(not(target_os = "none"))]
extern crate std;

pub mod abi;
mod memory;
pub mod ops;
pub mod plan_info;
pub mod runner;
pub mod status;

/// The library's version, such as `"0.1.0"`.
#[unsafe(no_mangle)]
pub extern "C" fn oto_version() -> *const core::ffi::c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

// The device crates do not panic; a bare target asks for a handler all the same.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
