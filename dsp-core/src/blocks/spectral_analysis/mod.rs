//! Block `spectral_analysis`: filters, statistics and spectra or wavelets of each axis of a window.

mod expand;
mod fields;

use fields::{Analysis, Filter};
pub(crate) use fields::{Decimation, SpectralAnalysis};

use super::flatten::Switch;
use super::statistic_names::{self, statistics};
use super::{FeatureSpec, window};
use crate::ConfigError;
use crate::config::{Section, Table};
use crate::graph::{Framing, SpectralShape, Stage, Statistic};
use crate::input::Input;
use crate::tables::filter_design::{Band, Prototype, Section as Sos, design};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Decimation, a filter, then statistics and the spectrum or a wavelet \
                                decomposition of each axis of a window: for vibration and motion.";

/// A statistic of the spectrum's bins, or their shape.
#[derive(Clone, Copy, Debug)]
enum OfSpectrum {
    Statistic(Statistic),
    Shape(SpectralShape),
}

/// A [`SpectralAnalysis`] that has been checked.
#[derive(Debug)]
pub(crate) struct SpectralSpec {
    config: SpectralAnalysis,
    input: Input,
    framing: Framing,
    /// Rate behind the decimation.
    rate_hz: f64,
    /// Values of an axis behind the decimation.
    len: usize,
    /// The filter; none where it only selects bins.
    sections: Vec<Sos>,
}

/// Distance from instability that coefficients need to be stable as 32-bit floats.
const STABLE: f64 = 1.0 / 4_194_304.0;

impl Decimation {
    /// The steps.
    fn factors(self) -> &'static [usize] {
        match self {
            Self::None => &[],
            Self::By3 => &[3],
            Self::By10 => &[10],
            Self::By30 => &[3, 10],
            Self::By100 => &[10, 10],
            Self::By1000 => &[10, 10, 10],
        }
    }
}

impl SpectralAnalysis {
    pub(crate) fn validate(&self, input: &Input) -> Result<SpectralSpec, ConfigError> {
        let framing = window::framing(input);
        if self.decimation != Decimation::None && self.allow_decimation == Switch::Off {
            return Err(ConfigError::new(
                "decimation",
                self.decimation.name(),
                "`allow_decimation = \"off\"` refuses it: expected 1. Of Edge Impulse's versions \
                 only 4 decimates",
            ));
        }
        let (mut len, mut rate_hz) = (framing.frame_len, input.rate_hz);
        for &factor in self.decimation.factors() {
            len = len.div_ceil(factor);
            rate_hz /= factor as f64;
        }
        let sections = self.filter(rate_hz)?;
        let spec = SpectralSpec {
            config: self.clone(),
            input: input.clone(),
            framing,
            rate_hz,
            len,
            sections,
        };
        statistics("statistics", &self.statistics, len)?;
        match self.analysis {
            Analysis::Fft => spec.check_spectrum()?,
            Analysis::Wavelet => spec.check_wavelet()?,
        }
        Ok(spec)
    }

    /// The sections of the filter at the decimated rate.
    fn filter(&self, rate_hz: f64) -> Result<Vec<Sos>, ConfigError> {
        if !self.filter_order.is_multiple_of(2) {
            return Err(ConfigError::new(
                "filter_order",
                self.filter_order,
                "expected 0, 2, 4, 6 or 8",
            ));
        }
        if self.filter != Filter::Band
            && let Some(edge) = self.cutoff_high_hz
        {
            return Err(ConfigError::new(
                "cutoff_high_hz",
                edge,
                "only a band has an upper edge: remove it, or set `filter = \"band\"`",
            ));
        }
        let edge = self.cutoff_hz;
        let (field, highest, band) = match (self.filter, self.cutoff_high_hz) {
            (Filter::None, _) => return Ok(Vec::new()),
            (Filter::Low, _) => ("cutoff_hz", edge, Band::Low(edge)),
            (Filter::High, _) => ("cutoff_hz", edge, Band::High(edge)),
            (Filter::Band, Some(high)) if high > edge => {
                ("cutoff_high_hz", high, Band::Pass(edge, high))
            }
            (Filter::Band, Some(high)) => {
                return Err(ConfigError::new(
                    "cutoff_high_hz",
                    high,
                    format!("expected a number above `cutoff_hz` = {edge}"),
                ));
            }
            (Filter::Band, None) => {
                return Err(ConfigError::new(
                    "cutoff_high_hz",
                    "no value",
                    "`filter = \"band\"` needs it: give the upper edge in Hz",
                ));
            }
        };
        if self.filter_order == 0 {
            return Ok(Vec::new());
        }
        // Behind a decimation the upper tenth is where its own filter falls.
        let decimated = self.decimation != Decimation::None;
        let limit = rate_hz / 2.0 * if decimated { 0.9 } else { 1.0 };
        if highest > limit || highest >= rate_hz / 2.0 {
            let after = if decimated { " after decimation" } else { "" };
            return Err(ConfigError::new(
                field,
                highest,
                format!(
                    "expected less than {limit} Hz: the rate{after} is {rate_hz} Hz. Lower the \
                     edge{}",
                    if decimated { " or the decimation" } else { "" }
                ),
            ));
        }
        let sections = design(Prototype::Butterworth, self.filter_order, band, rate_hz);
        if sections.iter().any(|section| section.stability() < STABLE) {
            return Err(ConfigError::new(
                "cutoff_hz",
                edge,
                format!(
                    "a filter of order {} this far from the rate of {rate_hz} Hz is not stable \
                     with 32-bit coefficients: move the edge away from 0 Hz, lower the order, or \
                     decimate first",
                    self.filter_order
                ),
            ));
        }
        Ok(sections)
    }
}

impl SpectralSpec {
    fn check_spectrum(&self) -> Result<(), ConfigError> {
        let config = &self.config;
        let n_fft = config.n_fft;
        if !n_fft.is_power_of_two() {
            return Err(ConfigError::new(
                "n_fft",
                n_fft,
                format!(
                    "expected a power of two: {} or {}",
                    n_fft.next_power_of_two() / 2,
                    n_fft.next_power_of_two()
                ),
            ));
        }
        self.of_spectrum()?;
        let edges = &config.power_edges_hz;
        if edges.len() == 1 || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(ConfigError::new(
                "power_edges_hz",
                format!("{edges:?}"),
                "expected no edges, or at least two in ascending order",
            ));
        }
        if config.peaks_count > n_fft / 4 {
            return Err(ConfigError::new(
                "peaks_count",
                config.peaks_count,
                format!(
                    "a spectrum of `n_fft` = {n_fft} has at most {} peaks",
                    n_fft / 4
                ),
            ));
        }
        let low = config.extra_low_frequency == Switch::On;
        if low && self.low_len() < n_fft / 2 {
            return Err(ConfigError::new(
                "extra_low_frequency",
                "\"on\"",
                format!(
                    "decimated by 10, a window of {} samples leaves {}, and `n_fft` = {n_fft} \
                     needs {}: use a longer window or a shorter FFT",
                    self.len,
                    self.low_len(),
                    n_fft / 2
                ),
            ));
        }
        let rates = [Some(self.rate_hz), low.then_some(self.rate_hz / 10.0)];
        let masked = rates
            .into_iter()
            .flatten()
            .any(|rate| self.bins(rate).is_empty());
        if config.bins == Switch::On && masked {
            return Err(ConfigError::new(
                "cutoff_hz",
                config.cutoff_hz,
                format!(
                    "the filter leaves none of the bins, which are {} Hz apart: move the edge or \
                     raise `n_fft`",
                    self.rate_hz / n_fft as f64
                ),
            ));
        }
        if self.values() == 0 {
            return Err(ConfigError::new(
                "statistics",
                "an empty list",
                "the block has no features: expected at least one",
            ));
        }
        Ok(())
    }

    fn check_wavelet(&self) -> Result<(), ConfigError> {
        let config = &self.config;
        let needed = 32 << config.wavelet_level;
        if self.len < needed {
            return Err(ConfigError::new(
                "wavelet_level",
                config.wavelet_level,
                format!(
                    "it needs {needed} samples and a window has {}: use a longer window or fewer \
                     levels",
                    self.len
                ),
            ));
        }
        if config.extra_low_frequency == Switch::On {
            return Err(ConfigError::new(
                "extra_low_frequency",
                "\"on\"",
                "it belongs to `analysis = \"fft\"`; with wavelets raise `wavelet_level`",
            ));
        }
        if config.wavelet_statistics.is_empty() {
            return Err(ConfigError::new(
                "wavelet_statistics",
                "an empty list",
                "expected at least one statistic",
            ));
        }
        statistics("wavelet_statistics", &config.wavelet_statistics, self.len).map(|_| ())
    }

    /// Values of an axis that is decimated for the low frequencies.
    fn low_len(&self) -> usize {
        self.len.div_ceil(10)
    }

    /// Bins whose powers are features, for a rate.
    fn bins(&self, rate_hz: f64) -> std::ops::Range<usize> {
        let (config, half) = (&self.config, self.config.n_fft / 2);
        let place = |hz: f64| hz.min(rate_hz / 2.0) * config.n_fft as f64 / rate_hz;
        let first = |hz: f64| (libm::trunc(place(hz) - 0.5) as usize + 1).max(1);
        let end = |hz: f64| libm::trunc(place(hz) + 0.5) as usize + 1;
        match config.filter {
            Filter::None => 1..half + 1,
            Filter::Low => 1..end(config.cutoff_hz).min(half + 1),
            Filter::High => first(config.cutoff_hz)..half + 1,
            Filter::Band => {
                let high = config.cutoff_high_hz.unwrap_or(config.cutoff_hz);
                first(config.cutoff_hz)..end(high).min(half + 1)
            }
        }
    }

    /// What describes the spectrum.
    fn of_spectrum(&self) -> Result<Vec<OfSpectrum>, ConfigError> {
        let bins = self.config.n_fft / 2 + 1;
        let share = libm::round(self.config.roll_off * 256.0) as u32;
        let entry = |name: &String| {
            Ok(OfSpectrum::Shape(match name.as_str() {
                "centroid" => SpectralShape::Centroid,
                "roll_off" => SpectralShape::RollOff(share),
                "flatness" => SpectralShape::Flatness,
                "spectral_entropy" => SpectralShape::Entropy,
                "dominant_frequency" => SpectralShape::DominantFrequency,
                "dominant_power" => SpectralShape::DominantPower,
                name => {
                    let statistic = statistic_names::statistic(name, bins);
                    return statistic.map(OfSpectrum::Statistic).ok_or_else(|| {
                        ConfigError::new(
                            "spectrum_statistics",
                            format!("{name:?}"),
                            format!(
                                "expected centroid, roll_off, flatness, spectral_entropy, \
                                 dominant_frequency, dominant_power, {}",
                                statistic_names::NAMES
                            ),
                        )
                    });
                }
            }))
        };
        self.config.spectrum_statistics.iter().map(entry).collect()
    }
}

impl FeatureSpec for SpectralSpec {
    fn framing(&self, _input: &Input) -> Framing {
        self.framing.clone()
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        self.stages(id)
    }

    fn names(&self) -> Vec<String> {
        self.feature_names()
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        self.config.write()
    }
}

/// Reads and checks a block.
pub(crate) fn read(
    table: &Table,
    id: &str,
    input: &Input,
) -> Result<Box<dyn FeatureSpec>, ConfigError> {
    Ok(Box::new(
        SpectralAnalysis::read(table, id)?.validate(input)?,
    ))
}
