//! The signal operators of TensorFlow Lite Micro, which turn audio into features in front of a
//! network: those of its `audio_preprocessor_int8.tflite`.
//!
//! They compute the integers of [`otolith_dsp_nostd::ops::fixed::micro`]. The FFT, the noise
//! estimate, PCAN and the logarithm are that module's operators; the ones here are what it has only in
//! one piece: window and scaling, energies, filters and square root.

pub mod bank;
pub mod frame;
