//! Block `spectrogram`: spectra over time.

use super::FeatureSpec;
use super::front_end::Stages;
use super::front_end::frames::{Frames, FramesSpec, Limits};
use super::front_end::log::LogRange;
use super::front_end::noise::{Noise, SpectralSubtraction};
use super::front_end::pcen::Pcen;
use super::front_end::spectrum::Spectrum;
use super::rows::{Rows, RowsSpec};
use crate::ConfigError;
use crate::config::{Section, Table};
use crate::graph::{Framing, Source, Stage};
use crate::input::Input;

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Spectra over time: power, magnitude or decibels of each FFT bin \
                                from 0 to half the sample rate.";

/// Fewest samples in a frame or hop that Edge Impulse's block takes.
const EDGE_IMPULSE_MIN_SAMPLES: usize = 4;

/// Fields of a `spectrogram` block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spectrogram {
    frames: Frames,
    spectrum: Spectrum,
    noise: Noise,
    log: LogRange,
    pcen: Pcen,
    rows: Rows,
}

/// A [`Spectrogram`] that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SpectrogramSpec {
    pub(crate) frames: FramesSpec,
    pub(crate) spectrum: Spectrum,
    pub(crate) noise: Noise,
    pub(crate) log: LogRange,
    pub(crate) pcen: Pcen,
    pub(crate) rows: RowsSpec,
}

impl Spectrogram {
    pub(crate) fn read(table: &Table, path: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            frames: Frames::read(table, path)?,
            spectrum: Spectrum::read(table, path)?,
            noise: Noise::read(table, path)?,
            log: LogRange::read(table, path)?,
            pcen: Pcen::read(table, path)?,
            rows: Rows::read(table, path)?,
        })
    }

    pub(crate) fn validate(&self, input: &Input) -> Result<SpectrogramSpec, ConfigError> {
        let frames = self.frames.validate(input)?;
        let lengths = [("frame_samples", frames.frame), ("hop_samples", frames.hop)];
        for (name, samples) in lengths {
            if frames.config.limits == Limits::EdgeImpulse && samples < EDGE_IMPULSE_MIN_SAMPLES {
                return Err(ConfigError::new(
                    name,
                    samples,
                    format!(
                        "`limits = \"edge_impulse\"` expects at least {EDGE_IMPULSE_MIN_SAMPLES} \
                         samples"
                    ),
                ));
            }
        }
        self.spectrum.validate()?;
        self.log.validate(input)?;
        if self.noise.spectral_subtraction == SpectralSubtraction::Mel {
            return Err(ConfigError::new(
                "spectral_subtraction",
                "\"mel\"",
                "a spectrogram has no mel filters: expected \"none\" or \"spectrum\"",
            ));
        }
        let rows = self.rows.validate(input, &frames)?;
        Ok(SpectrogramSpec {
            frames,
            spectrum: self.spectrum.clone(),
            noise: self.noise.clone(),
            log: self.log.clone(),
            pcen: self.pcen.clone(),
            rows,
        })
    }
}

impl FeatureSpec for SpectrogramSpec {
    fn source(&self, input: &Input) -> Source {
        self.frames.source(input)
    }

    fn framing(&self, input: &Input) -> Framing {
        self.frames.framing(input)
    }

    fn check_frames(&self, frames: usize) -> Result<(), ConfigError> {
        self.frames.check_frames(frames)
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        [
            self.frames.config.write(),
            self.spectrum.write(),
            self.noise.write(),
            self.log.write(),
            self.pcen.write(),
            self.rows.config.write(),
        ]
        .concat()
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        let n_fft = self.frames.n_fft;
        let mut stages = Stages::new(id);
        self.frames.expand(&mut stages, None);
        self.spectrum.expand(&mut stages, &self.frames, None);
        let bins = n_fft / 2 + 1;
        self.noise
            .expand(&mut stages, SpectralSubtraction::Spectrum, bins);
        if self.log.is_pcen() {
            self.pcen.expand(&mut stages, &self.frames, bins);
        }
        self.log.expand(&mut stages, bins);
        let mut stages = stages.list;
        self.rows.expand(id, &mut stages);
        stages
    }
}

/// Reads and checks a block.
pub(crate) fn read(
    table: &Table,
    id: &str,
    input: &Input,
) -> Result<Box<dyn FeatureSpec>, ConfigError> {
    Ok(Box::new(Spectrogram::read(table, id)?.validate(input)?))
}
