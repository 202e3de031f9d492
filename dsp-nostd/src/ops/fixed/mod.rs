//! The integer operators: no float anywhere, the same bytes on every core.
//!
//! | codes | what |
//! |---|---|
//! | `0x0300..=0x030f` | samples and frames |
//! | `0x0310..=0x031f` | spectrum |
//! | `0x0320..=0x032f` | log-mel, cepstrum, scaling |
//! | `0x0330..=0x033f` | all rows together |
//! | `0x0340..=0x034f` | filters and statistics of a time series, frames of them |
//! | `0x03e0..=0x03e6` | filters, statistics and spectra of a window |
//! | `0x03e7 + log2 n` | power spectrum of a window's segments of n points |
//! | `0x0350..=0x035f` | normalisation over rows, recursions from row to row, levels |
//! | `0x0380..=0x03bf` | powers of a frame: 16 for each width of samples and tables, plus log2 n |
//! | `0x03d0..=0x03df` | TensorFlow's micro-frontend: [`micro`] |
//!
//! Number formats are those of `docs/NUMERICS.md`; everything that rounds or saturates is in
//! [`crate::q`], but for [`micro`], which has the rounding of its origin.

pub mod conditioning;
pub mod fft;
pub mod filter;
pub mod frame;
pub mod level;
pub mod log;
pub mod matrix;
pub mod mel;
pub mod micro;
pub mod noise;
pub mod pcen;
mod power;
pub mod rows;
pub mod running;
pub mod scale;
pub mod sliding;
pub mod spectra;
pub mod spectrum;
pub mod statistics;
pub mod vector;
pub mod window;

#[cfg(test)]
pub(crate) mod probe;
