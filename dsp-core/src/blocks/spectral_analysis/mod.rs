//! Block `spectral_analysis`: filters, statistics and spectra or wavelets of each axis of a window.

mod expand;

use super::flatten::Switch;
use super::statistic_names::{self, statistics};
use super::{FeatureSpec, window};
use crate::ConfigError;
use crate::config::{Section, Table, choices, section};
use crate::graph::{Framing, SpectralShape, Stage, Statistic};
use crate::input::Input;
use crate::tables::filter_design::{Band, Prototype, Section as Sos, design};
use crate::tables::wavelet::Wavelet;
use crate::tables::window::{WindowKind, WindowSymmetry};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Decimation, a filter, then statistics and the spectrum or a wavelet \
                                decomposition of each axis of a window: for vibration and motion.";

choices! {
    /// How many samples become one. 30, 100 and 1000 are steps of 3 and 10.
    pub(crate) enum Decimation {
        /// All samples stay.
        None = "1",
        /// Every third.
        By3 = "3",
        /// Every tenth.
        By10 = "10",
        /// By 3, then by 10.
        By30 = "30",
        /// Twice by 10.
        By100 = "100",
        /// Three times by 10.
        By1000 = "1000",
    }
}

choices! {
    /// What the filter lets pass.
    pub(crate) enum Filter {
        /// No filter.
        None = "none",
        /// Frequencies below `cutoff_hz`.
        Low = "low",
        /// Frequencies above `cutoff_hz`.
        High = "high",
        /// Frequencies from `cutoff_hz` to `cutoff_high_hz`.
        Band = "band",
    }
}

choices! {
    /// What follows the filter.
    pub(crate) enum Analysis {
        /// A spectrum.
        Fft = "fft",
        /// A wavelet decomposition.
        Wavelet = "wavelet",
    }
}

choices! {
    /// How far segments of the window overlap.
    pub(crate) enum Overlap {
        /// Not at all.
        None = "none",
        /// By half.
        Half = "half",
    }
}

choices! {
    /// Which segments of the window are taken.
    pub(crate) enum SegmentRule {
        /// All that begin inside the window; zeros follow where it ends.
        Covering = "covering",
        /// All that lie inside the window; one, filled up with zeros, if none does. scipy's rule.
        Inside = "inside",
        /// The first one alone.
        First = "first",
    }
}

choices! {
    /// How the spectra of segments become one.
    pub(crate) enum CombineRule {
        /// The largest power of each bin.
        MaxHold = "max_hold",
        /// The mean power of each bin: Welch's method.
        Mean = "mean",
    }
}

choices! {
    /// Scale of the powers `|DFT|^2`.
    pub(crate) enum PowerNorm {
        /// As they are.
        None = "none",
        /// Divided by `n_fft`.
        NFft = "n_fft",
        /// One-sided density in squared units per Hz: divided by the rate and the window's energy,
        /// doubled but for 0 Hz and half the rate. scipy's `welch`.
        Density = "density",
    }
}

choices! {
    /// Logarithm of the powers.
    pub(crate) enum PowerLog {
        /// None.
        None = "none",
        /// Natural.
        Ln = "ln",
        /// To base 10.
        Log10 = "log10",
        /// Decibels, `10 log10`.
        Db = "db",
    }
}

choices! {
    /// How powers are kept away from 0 before their logarithm.
    pub(crate) enum PowerFloor {
        /// `max(x, log_epsilon)`.
        Max = "max",
        /// `log_epsilon` where x is 0.
        ReplaceZero = "replace_zero",
    }
}

choices! {
    /// Frequencies of peaks.
    pub(crate) enum PeakAxis {
        /// Those of the bins, `k rate / n_fft`.
        Bins = "bins",
        /// `n_fft / 2` values from 0 to half the rate, both included, as Edge Impulse's first
        /// version has it: too high by one part in `n_fft / 2 - 1`.
        Stretched = "stretched",
    }
}

section! {
    /// Each axis is scaled, decimated, filtered and freed of its mean; then come its features. The
    /// filters begin anew in every window: decimation settled for the first sample, `filter` at
    /// rest.
    pub(crate) struct SpectralAnalysis {
        /// Factor that all axes are multiplied with.
        scale_axes: f64 { range: Some((-1e9, 1e9)), default: "1.0" },
        /// How many samples become one, behind a Chebyshev low-pass of order 8 with 0.05 dB of
        /// ripple up to 0.8 of the new half rate.
        decimation: Decimation { default: "1" },
        /// Whether a decimation is allowed: Edge Impulse knows it from version 4 on, and `"off"`
        /// refuses what an older version could not have been trained with.
        allow_decimation: Switch { default: "\"on\"" },
        /// What the Butterworth filter lets pass. It also selects bins of the spectrum.
        filter: Filter { default: "\"none\"" },
        /// Edge of the filter; the lower one of a band.
        cutoff_hz: f64 { unit: "Hz", range: Some((1e-6, 1e6)), default: "3.0" },
        /// Upper edge of a band.
        cutoff_high_hz: Option<f64> { unit: "Hz", range: Some((1e-6, 1e6)), derived: "required with `filter = \"band\"`" },
        /// Order of the filter, even; of a band, that of each edge. 0 only selects bins.
        filter_order: usize { range: Some((0.0, 8.0)), default: "6" },
        /// Statistics of each axis behind the filter, in this order: mean, std, variance,
        /// sample_variance (divided by n - 1), rms, skewness, kurtosis (excess, -3 for a
        /// constant), kurtosis_or_zero (0 for zeros), minimum, maximum, range, mean_magnitude,
        /// mean_square, zero_crossings and mean_crossings (per value), median, p0 to p100
        /// (percentiles, linear between neighbours), n0 to n100 (percentiles, the nearest value),
        /// iqr, mad (median of the distances from the median), entropy (of a histogram with 100
        /// bins).
        statistics: Vec<String> { default: "[\"rms\", \"skewness\", \"kurtosis\"]" },
        /// What else is taken of each axis.
        analysis: Analysis { default: "\"fft\"" },
        /// FFT length, a power of two.
        n_fft: usize { range: Some((16.0, 4096.0)), default: "16" },
        /// Window of each segment.
        window: WindowKind { default: "\"rectangular\"" },
        /// Where the window's phase reaches 1.
        window_symmetry: WindowSymmetry { default: "\"periodic\"" },
        /// How far segments of `n_fft` samples overlap.
        overlap: Overlap { default: "\"half\"" },
        /// Which segments are taken.
        segments: SegmentRule { default: "\"covering\"" },
        /// How their spectra become one.
        combine: CombineRule { default: "\"max_hold\"" },
        /// Whether each segment is freed of its mean.
        segment_mean: SegmentMean { default: "\"keep\"" },
        /// Scale of the powers.
        spectrum_norm: PowerNorm { default: "\"n_fft\"" },
        /// What describes the spectrum: statistics of all bins, or shapes of the bins above 0 Hz
        /// (centroid, roll_off, flatness, spectral_entropy, dominant_frequency, dominant_power).
        spectrum_statistics: Vec<String> { default: "[]" },
        /// Whether the powers of the bins above 0 Hz that the filter leaves are features.
        bins: Switch { default: "\"on\"" },
        /// Logarithm of the powers among the features.
        log: PowerLog { default: "\"log10\"" },
        /// How powers are kept away from 0 before their logarithm.
        log_floor: PowerFloor { default: "\"max\"" },
        /// Smallest power, or what stands for 0.
        log_epsilon: f64 { range: Some((1e-30, 1.0)), default: "1e-10" },
        /// Share of the power that lies at or below the roll-off.
        roll_off: f64 { range: Some((0.004, 1.0)), default: "0.85" },
        /// Peaks of the amplitude spectrum `2 |DFT| / sum w` that are features: frequency and
        /// height of each, the highest first.
        peaks_count: usize { range: Some((0.0, 64.0)), default: "0" },
        /// Smallest height of a peak, in the unit of the samples.
        peaks_threshold: f64 { range: Some((0.0, 1e9)), default: "0.1" },
        /// Frequencies of peaks.
        peaks_axis: PeakAxis { default: "\"bins\"" },
        /// Edges of bands, ascending: the mean density (as `spectrum_norm = "density"`) of the
        /// bins between each two is a feature.
        power_edges_hz: Vec<f64> { unit: "Hz", range: Some((0.0, 1e6)), default: "[]" },
        /// Factor of the powers between edges.
        power_edges_scale: f64 { range: Some((1e-9, 1e9)), default: "1.0" },
        /// Whether all features come a second time for each axis decimated by 10, behind those of
        /// all axes: slow movements need a finer spectrum.
        extra_low_frequency: Switch { default: "\"off\"" },
        /// The wavelet, with `analysis = "wavelet"`.
        wavelet: Wavelet { default: "\"db4\"" },
        /// Levels of the decomposition. Features are those of the last approximation and of all
        /// details, the coarsest first; the window needs `32 * 2^level` samples.
        wavelet_level: usize { range: Some((0.0, 10.0)), default: "1" },
        /// Statistics of the approximation and of each detail.
        wavelet_statistics: Vec<String> { default: "[\"entropy\", \"zero_crossings\", \"mean_crossings\", \"n5\", \"n25\", \"n75\", \"n95\", \"n50\", \"mean\", \"std\", \"sample_variance\", \"rms\", \"skewness\", \"kurtosis_or_zero\"]" },
    }
}

choices! {
    /// What happens to the mean of a segment.
    pub(crate) enum SegmentMean {
        /// It stays.
        Keep = "keep",
        /// It is subtracted.
        Remove = "remove",
    }
}

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
pub(crate) const STABLE: f64 = 1.0 / 4_194_304.0;

impl Decimation {
    /// The steps.
    pub(crate) fn factors(self) -> &'static [usize] {
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
