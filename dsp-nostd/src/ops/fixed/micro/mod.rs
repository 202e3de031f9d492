//! TensorFlow's micro-frontend, in its own integer arithmetic.
//!
//! Models for micro_speech and microWakeWord are trained on the integers that the micro-frontend
//! library makes from 16-bit samples: window, 16-bit FFT, mel filters, square root, noise
//! reduction, PCAN gain and logarithm. Those integers are the definition of the features, so these
//! operators round, wrap and truncate where that library does. It is a law of its own beside
//! [`crate::q`], and this module is its only home.
//!
//! | codes | what |
//! |---|---|
//! | `0x03d0` | [`window`]: window and auto-scaling |
//! | `0x03d1` | [`fft`]: 16-bit real FFT |
//! | `0x03d2` | [`bank`]: energies, filters, square root |
//! | `0x03d3` | [`noise`]: noise estimate and spectral subtraction |
//! | `0x03d4` | [`gain`]: per-channel amplitude normalisation (PCAN) |
//! | `0x03d5` | [`log`]: logarithm |
//! | `0x03d6..=0x03d9` | [`output`]: features in the types that plans use |
//!
//! The kernels are plain functions on slices. Host programs that compute in floating point call the
//! same functions, so every numeric has the same features.

pub mod bank;
pub mod fft;
pub mod gain;
pub mod log;
pub mod noise;
pub mod output;
pub mod window;

#[cfg(test)]
mod tests;
