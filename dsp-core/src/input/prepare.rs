//! Recordings made to fit: one channel, the pipeline's rate.

use super::{Channels, Input, Resample};
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};
use thiserror::Error;

/// A recording that does not fit the pipeline.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum InputError {
    /// The samples are not whole frames of all channels.
    #[error("{samples} samples do not divide into {channels} channels")]
    Ragged {
        /// Samples given.
        samples: usize,
        /// Channels given.
        channels: usize,
    },
    /// Several channels where one is wanted.
    #[error(
        "the recording has {found} channels and the pipeline takes one: set `channels = \"mix\"` \
         (their mean) or `channels = 0` (the first) in [input]"
    )]
    Channels {
        /// Channels of the recording.
        found: usize,
    },
    /// A channel that the recording does not have.
    #[error("the recording has {found} channels and the pipeline takes channel {wanted} (from 0)")]
    NoSuchChannel {
        /// Channels of the recording.
        found: usize,
        /// Channel that the pipeline takes.
        wanted: usize,
    },
    /// Another sample rate.
    #[error(
        "the recording has {found_hz} Hz and the pipeline works at {wanted_hz} Hz: convert the \
         file, or set `resample = \"convert\"` in [input]"
    )]
    Rate {
        /// Rate of the recording.
        found_hz: f64,
        /// Rate of the pipeline.
        wanted_hz: f64,
    },
    /// A rate that the converter cannot convert from.
    #[error("cannot convert from {found_hz} Hz to {wanted_hz} Hz: {why}")]
    Convert {
        /// Rate of the recording.
        found_hz: f64,
        /// Rate of the pipeline.
        wanted_hz: f64,
        /// The reason.
        why: String,
    },
    /// A sample that is not a finite number.
    #[error("sample {at} is {value}, which is not a finite number")]
    NotFinite {
        /// Index of the sample among all channels.
        at: usize,
        /// The sample.
        value: f32,
    },
}

/// A recording at the pipeline's rate.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Prepared {
    /// Samples in `[-1, 1)`; all axes of a moment side by side.
    pub samples: Vec<f32>,
    /// What was done to the recording that its owner should know, one sentence each.
    pub notes: Vec<String>,
}

impl Input {
    /// Makes a recording fit: one channel, the pipeline's rate. The engine divides it into
    /// windows.
    ///
    /// `interleaved` has samples in `[-1, 1)`, `channels` per moment, at `rate_hz`. A converted
    /// recording of `n` moments has `round(n * pipeline rate / rate_hz)` samples and is not
    /// delayed.
    ///
    /// # Errors
    ///
    /// [`InputError`] when the pipeline's `[input]` does not allow what would be needed.
    pub fn prepare(
        &self,
        interleaved: &[f32],
        channels: usize,
        rate_hz: f64,
    ) -> Result<Prepared, InputError> {
        let mut notes = Vec::new();
        if let Some(at) = interleaved.iter().position(|x| !x.is_finite()) {
            return Err(InputError::NotFinite {
                at,
                value: interleaved[at],
            });
        }
        let mut samples = self.one_channel(interleaved, channels, &mut notes)?;
        if rate_hz != self.rate_hz {
            if self.resample == Resample::Refuse {
                return Err(InputError::Rate {
                    found_hz: rate_hz,
                    wanted_hz: self.rate_hz,
                });
            }
            samples = convert(samples, rate_hz, self.rate_hz)?;
            notes.push(format!(
                "converted from {rate_hz} Hz to {} Hz",
                self.rate_hz
            ));
        }
        Ok(Prepared { samples, notes })
    }

    fn one_channel(
        &self,
        interleaved: &[f32],
        channels: usize,
        notes: &mut Vec<String>,
    ) -> Result<Vec<f32>, InputError> {
        if channels == 0 || !interleaved.len().is_multiple_of(channels) {
            return Err(InputError::Ragged {
                samples: interleaved.len(),
                channels,
            });
        }
        let moments = interleaved.chunks_exact(channels);
        match self.channels {
            Channels::Mono if channels > 1 => Err(InputError::Channels { found: channels }),
            Channels::Mono => Ok(interleaved.to_vec()),
            Channels::Mix => {
                if channels > 1 {
                    notes.push(format!("mixed {channels} channels into one"));
                }
                // In f64, so that the mean of equal channels is that channel.
                let mean = |moment: &[f32]| {
                    let sum: f64 = moment.iter().map(|&x| f64::from(x)).sum();
                    (sum / channels as f64) as f32
                };
                Ok(moments.map(mean).collect())
            }
            Channels::Index(wanted) if wanted >= channels => Err(InputError::NoSuchChannel {
                found: channels,
                wanted,
            }),
            Channels::Index(wanted) => {
                if channels > 1 {
                    notes.push(format!("took channel {wanted} of {channels}"));
                }
                Ok(moments.map(|moment| moment[wanted]).collect())
            }
        }
    }
}

/// Moments that the converter works on at once: large, so that its filter is steep.
const CONVERTER_CHUNK: usize = 4096;

fn convert(samples: Vec<f32>, found_hz: f64, wanted_hz: f64) -> Result<Vec<f32>, InputError> {
    if samples.is_empty() {
        return Ok(samples);
    }
    let failed = |why: String| InputError::Convert {
        found_hz,
        wanted_hz,
        why,
    };
    let whole = |rate: f64| {
        (rate.fract() == 0.0 && (1.0..=768_000.0).contains(&rate))
            .then_some(rate as u32)
            .ok_or_else(|| failed("only whole rates up to 768000 Hz are converted".to_owned()))
    };
    let (from_hz, to_hz) = (whole(found_hz)?, whole(wanted_hz)?);
    let wanted = (samples.len() as u64 * u64::from(to_hz) + u64::from(from_hz) / 2)
        / u64::from(from_hz.max(1));
    let mut resampler = Fft::<f64>::new_custom(
        from_hz as usize,
        to_hz as usize,
        CONVERTER_CHUNK,
        1,
        1,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )
    .map_err(|error| failed(error.to_string()))?;
    let n = samples.len();
    let wide: Vec<f64> = samples.into_iter().map(f64::from).collect();
    let input =
        InterleavedOwned::new_from(wide, 1, n).map_err(|error| failed(error.to_string()))?;
    let output = resampler
        .process_all(&input, n, None)
        .map_err(|error| failed(error.to_string()))?;
    let mut out: Vec<f32> = output.take_data().into_iter().map(|x| x as f32).collect();
    out.resize(wanted as usize, 0.0);
    Ok(out)
}
