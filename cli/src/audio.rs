//! Recordings of audio: WAV, CSV and acquisition files as samples.

use crate::acquisition::{self, Acquisition, AcquisitionError};
use crate::delimited::{CsvError, Delimited};
use crate::riff::{self, WavError};
use hound::SampleFormat;
use otolith_dsp_core::executor::Samples;
use std::io;
use std::path::Path;
use thiserror::Error;

/// Samples as they stand in a file, channels interleaved.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Samples of each channel per second; `None` for a CSV file, which does not say.
    pub(crate) rate_hz: Option<f64>,
    pub(crate) channels: usize,
    pub(crate) samples: Stored,
}

/// Samples in memory.
#[derive(Debug)]
pub(crate) enum Stored {
    /// 16-bit integers.
    I16(Vec<i16>),
    /// Floats, full scale `[-1, 1)`.
    F32(Vec<f32>),
}

impl Stored {
    pub(crate) fn len(&self) -> usize {
        self.as_samples().len()
    }

    pub(crate) fn as_samples(&self) -> Samples<'_> {
        match self {
            Self::I16(samples) => samples.into(),
            Self::F32(samples) => samples.into(),
        }
    }

    /// Appends zeros up to `len` samples.
    pub(crate) fn pad(&mut self, len: usize) {
        match self {
            Self::I16(samples) => samples.resize(samples.len().max(len), 0),
            Self::F32(samples) => samples.resize(samples.len().max(len), 0.0),
        }
    }

    pub(crate) fn into_f32(self) -> Vec<f32> {
        match self {
            Self::I16(samples) => samples.iter().map(|&x| f32::from(x) / 32768.0).collect(),
            Self::F32(samples) => samples,
        }
    }
}

/// Why a file gives no samples.
#[derive(Debug, Error)]
pub(crate) enum AudioError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Wav(#[from] WavError),
    #[error(
        "sample {at} is {value}; samples are finite numbers, full scale 1: the file is damaged, or another program \
         wrote an overflow"
    )]
    NotFinite { at: usize, value: f32 },
    #[error("{0}")]
    Csv(#[from] CsvError),
    #[error(
        "line {line}: the sample {found} is outside [-1, 1], full scale of audio: divide 16-bit integers by 32768"
    )]
    CsvRange { line: u64, found: f32 },
    #[error("line {line} has {found} columns; samples of audio stand in one column")]
    CsvColumns { line: u64, found: usize },
    #[error("{0}")]
    Acquisition(#[from] AcquisitionError),
    #[error("moment {at} has no value")]
    Missing { at: usize },
    #[error(
        "moment {at} is {value}, outside [-1, 1], and the unit is {units:?}: samples of audio have the unit \"wav\" \
         and are 16-bit integers; is it a recording of a sensor? Then set `kind = \"sensor\"` in [input]"
    )]
    Units {
        at: usize,
        value: f64,
        units: String,
    },
}

/// Reads the samples of a file: CSV by its ending, acquisition files by their beginning,
/// everything else as WAV. `nominal_hz` is the pipeline's rate.
pub(crate) fn read(bytes: &[u8], path: &Path, nominal_hz: f64) -> Result<Recording, AudioError> {
    let is_csv = |ending: &str| {
        ["csv", "tsv"]
            .iter()
            .any(|csv| ending.eq_ignore_ascii_case(csv))
    };
    if path
        .extension()
        .and_then(|e| e.to_str())
        .is_some_and(is_csv)
    {
        read_csv(bytes)
    } else if acquisition::is_acquisition(bytes) {
        read_acquisition(bytes, nominal_hz)
    } else {
        read_wav(bytes)
    }
}

pub(crate) fn read_wav(bytes: &[u8]) -> Result<Recording, AudioError> {
    let reader = riff::open(bytes)?;
    let spec = reader.spec();
    let bits = spec.bits_per_sample;
    // The length comes from bytes that are there, not from what a header says.
    let n = reader.len() as usize;
    let decoding = |error: hound::Error| {
        AudioError::Wav(match error {
            hound::Error::FormatError(why) => WavError::Header(why.into()),
            hound::Error::IoError(error) => return AudioError::Io(error),
            _ => WavError::Encoding {
                what: format!("integers of {bits} bits"),
            },
        })
    };
    let samples = match spec.sample_format {
        SampleFormat::Int if bits == 16 => {
            let mut samples: Vec<i16> = Vec::with_capacity(n);
            for sample in reader.into_samples() {
                samples.push(sample.map_err(decoding)?);
            }
            Stored::I16(samples)
        }
        SampleFormat::Int => {
            // Full scale of 32-bit integers is exact in f64 and not in f32.
            let full_scale = f64::from(1u32 << (bits.clamp(1, 32) - 1));
            let mut samples = Vec::with_capacity(n);
            for sample in reader.into_samples::<i32>() {
                let sample = sample.map_err(decoding)?;
                samples.push((f64::from(sample) / full_scale) as f32);
            }
            Stored::F32(samples)
        }
        SampleFormat::Float => {
            let mut samples: Vec<f32> = Vec::with_capacity(n);
            for sample in reader.into_samples::<f32>() {
                let value = sample.map_err(decoding)?;
                let at = samples.len();
                if !value.is_finite() {
                    return Err(AudioError::NotFinite { at, value });
                }
                samples.push(value);
            }
            Stored::F32(samples)
        }
    };
    Ok(Recording {
        rate_hz: Some(f64::from(spec.sample_rate)),
        channels: spec.channels.into(),
        samples,
    })
}

fn read_csv(bytes: &[u8]) -> Result<Recording, AudioError> {
    let mut table = Delimited::open(bytes)?;
    let mut samples = Vec::new();
    while let Some(line) = table.next_line()? {
        if table.columns != 1 {
            let found = table.columns;
            return Err(AudioError::CsvColumns { line, found });
        }
        let x = table.present(0)? as f32;
        if x.abs() > 1.0 {
            return Err(AudioError::CsvRange { line, found: x });
        }
        samples.push(x);
    }
    if samples.is_empty() {
        return Err(CsvError::Empty.into());
    }
    Ok(Recording {
        rate_hz: None,
        channels: 1,
        samples: Stored::F32(samples),
    })
}

/// Intervals have few digits: a rate this near to the pipeline's, in parts, is the pipeline's.
const INTERVAL_TOLERANCE: f64 = 1e-3;

fn read_acquisition(bytes: &[u8], nominal_hz: f64) -> Result<Recording, AudioError> {
    let Acquisition {
        rate_hz,
        names,
        units,
        values,
    } = acquisition::read(bytes)?;
    let channels = names.len();
    if let Some(at) = values.iter().position(|x| !x.is_finite()) {
        let at = at / channels;
        return Err(AudioError::Missing { at });
    }
    let is_i16 = |x: &f64| x.fract() == 0.0 && (-32768.0..=32767.0).contains(x);
    let samples = if units.iter().any(|unit| unit != "wav") {
        if let Some(at) = values.iter().position(|x| x.abs() > 1.0) {
            return Err(AudioError::Units {
                at: at / channels,
                value: values[at],
                units: units[at % channels].clone(),
            });
        }
        Stored::F32(values.iter().map(|&x| x as f32).collect())
    } else if values.iter().all(is_i16) {
        Stored::I16(values.iter().map(|&x| x as i16).collect())
    } else {
        Stored::F32(values.iter().map(|&x| (x / 32768.0) as f32).collect())
    };
    let same = (rate_hz / nominal_hz - 1.0).abs() <= INTERVAL_TOLERANCE;
    Ok(Recording {
        rate_hz: Some(if same { nominal_hz } else { rate_hz.round() }),
        channels,
        samples,
    })
}
