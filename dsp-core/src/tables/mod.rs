//! Tables in f64, made with pure-Rust `libm` only, so that every machine makes the same bits.

pub(crate) mod dct;
pub(crate) mod filter_design;
pub(crate) mod mel;
pub(crate) mod micro_frontend;
pub(crate) mod polynomial;
pub(crate) mod wavelet;
pub(crate) mod window;
