//! Features and tables against the numbers of librosa, Kaldi, python_speech_features, CMSIS-DSP
//! and scipy: presets with the parameters of each case.

mod cmsis;
mod kaldi;
mod librosa;
mod scipy;
mod speech_features;
mod support;
