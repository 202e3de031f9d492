//! The C library as C programs see it: built, compiled against, linked and run.
//!
//! Needs the system's `cc` and `c++`, `arm-none-eabi-gcc`, and the rustup targets of the cores
//! (`cargo xtask setup` installs them). A missing tool is a failure.

mod docs;
mod firmware;
mod header;
mod plans;
mod run;
mod toolchain;
