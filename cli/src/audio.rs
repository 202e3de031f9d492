//! WAV and CSV files as samples.

use crate::riff::{self, WavError};
use hound::SampleFormat;
use otolith_dsp_core::executor::Samples;
use std::io::Read;
use std::path::Path;
use std::{fs, io};
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
}

/// Why a CSV file is not one column of samples.
#[derive(Debug, Error)]
pub(crate) enum CsvError {
    #[error("line {line} has {found} columns; samples of audio stand in one column")]
    Columns { line: u64, found: usize },
    #[error("line {line}: {found:?} is not a number; only the first line may be a header")]
    NotANumber { line: u64, found: String },
    #[error(
        "line {line}: the sample {found} is outside [-1, 1], full scale of audio: divide 16-bit integers by 32768"
    )]
    Range { line: u64, found: String },
    #[error("no samples")]
    Empty,
    #[error("{0}")]
    Syntax(#[from] csv::Error),
}

/// Reads a recording: CSV by its ending, everything else as WAV; `-` is stdin.
pub(crate) fn read(path: &Path) -> Result<Recording, AudioError> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes)?;
        bytes
    } else {
        fs::read(path)?
    };
    match path.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("csv") => Ok(read_csv(&bytes)?),
        _ => read_wav(&bytes),
    }
}

fn read_wav(bytes: &[u8]) -> Result<Recording, AudioError> {
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

fn read_csv(bytes: &[u8]) -> Result<Recording, CsvError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let mut samples = Vec::new();
    for (index, record) in reader.byte_records().enumerate() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != 1 {
            let found = record.len();
            return Err(CsvError::Columns { line, found });
        }
        let text = String::from_utf8_lossy(&record[0]).into_owned();
        match text.parse::<f32>() {
            Ok(x) if x.is_finite() && x.abs() <= 1.0 => samples.push(x),
            Ok(x) if x.is_finite() => return Err(CsvError::Range { line, found: text }),
            // `nan` and `inf` are numbers to Rust's parser and a header to nobody.
            Err(_) if index == 0 => {}
            _ => return Err(CsvError::NotANumber { line, found: text }),
        }
    }
    if samples.is_empty() {
        return Err(CsvError::Empty);
    }
    Ok(Recording {
        rate_hz: None,
        channels: 1,
        samples: Stored::F32(samples),
    })
}
