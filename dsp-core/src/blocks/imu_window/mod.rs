//! Block `imu_window`: many features of a window of motion.

mod channels;
mod expand;
mod features;
#[cfg(test)]
mod tests;

use super::{FeatureSpec, window};
use crate::ConfigError;
use crate::config::{Section, Table, section};
use crate::graph::{Framing, SpectralShape, Stage};
use crate::input::Input;
use crate::tables::window::WindowKind;
use channels::{Channel, Triad};
use features::{Feature, Group};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Features of a window of motion: statistics, spectrum and \
                                autocorrelation of each axis and of signals derived from the axes, \
                                and what three axes give together.";

section! {
    /// Signals and features. A row has the features of one signal after the other, in the order of
    /// `channels`; those of one signal are its statistics, then the shape of its spectrum, its
    /// dominant power, its bands and its autocorrelation, each in the order of `features`. What triads give together ends the row.
    pub(crate) struct ImuWindow {
        /// Signals that features are taken of. Of each axis: `axes`, the axis itself; `jerk`, its
        /// first difference times the rate; `gravity`, the axis behind a low-pass; `body`, what the
        /// low-pass leaves. Of each triad: `magnitude`, `sqrt(x^2 + y^2 + z^2)`; `jerk_magnitude`
        /// and `body_magnitude`, the same of jerks and bodies.
        channels: Vec<String> { default: "[\"axes\", \"magnitude\"]" },
        /// Features. Of each signal: `mean`, `std`, `rms`, `min`, `max`, `peak_to_peak`, `median`,
        /// `p0` to `p100` (percentiles), `iqr`, `mad` (median of distances from the median),
        /// `zero_crossings`, `mean_crossings`, `skewness`, `kurtosis`, `energy`, `mean_magnitude`,
        /// `dominant_frequency`, `dominant_power`, `spectral_entropy`, `band_energy`,
        /// `autocorrelation` (lag and value of its peak). Of each triad: `sma` (signal magnitude
        /// area), `correlation` of its axes, `direction` (cosines of the angles between the mean
        /// vector and the axes), `tilt` (angle between the mean vector and the last axis).
        features: Vec<String> { default: "[\"mean\", \"std\", \"min\", \"max\", \"iqr\", \"mean_crossings\", \"skewness\", \"kurtosis\", \"dominant_frequency\", \"spectral_entropy\"]" },
        /// Groups of three axes, each a name and its axes: `["acc: ax ay az", "gyr: gx gy gz"]`.
        triads: Option<Vec<String>> { derived: "axes whose names differ only in a last x, y, z" },
        /// Cut-off of the low-pass of `gravity` and `body`, a first-order Butterworth filter that
        /// is settled at the window's mean when it starts. Below a quarter of the rate.
        gravity_hz: f64 { unit: "Hz", range: Some((0.001, 192000.0)), default: "0.3" },
        /// FFT length for the power spectrum: a power of two from 16 to 4096 on the device, at
        /// least the window's length.
        n_fft: Option<usize> { unit: "samples", range: Some((4.0, 65536.0)), derived: "smallest power of two from 16 on that holds the window" },
        /// Window that a signal, less its mean, is multiplied with before the FFT; periodic.
        spectrum_window: WindowKind { default: "\"hann\"" },
        /// Edges of the bands of `band_energy`, which needs them: a band has the bins from its
        /// lower edge up to, but without, its upper edge.
        band_edges_hz: Option<Vec<f64>> { unit: "Hz", range: Some((0.0, 384000.0)), derived: "no bands" },
        /// Shortest lag of the autocorrelation peak.
        lag_min_ms: f64 { unit: "ms", range: Some((0.001, 3600000.0)), default: "100.0" },
        /// Longest lag of the autocorrelation peak.
        lag_max_ms: Option<f64> { unit: "ms", range: Some((0.001, 3600000.0)), derived: "half the window" },
    }
}

/// Fewest samples of a window.
const LEAST: usize = 8;

/// An [`ImuWindow`] that has been checked.
#[derive(Debug)]
pub(crate) struct ImuWindowSpec {
    config: ImuWindow,
    channels: Vec<Channel>,
    features: Vec<(String, Feature)>,
    triads: Vec<Triad>,
    axes: Vec<String>,
    framing: Framing,
    rate_hz: f64,
    n_fft: usize,
    /// First bin of each band, and the bin after its last.
    bands: Vec<(usize, usize)>,
    /// Shortest and longest lag, in samples.
    lags: (usize, usize),
}

impl ImuWindow {
    pub(crate) fn validate(&self, input: &Input) -> Result<ImuWindowSpec, ConfigError> {
        let framing = window::framing(input);
        let (len, rate) = (framing.frame_len, input.rate_hz);
        if len < LEAST {
            return Err(ConfigError::new(
                "input.window_ms",
                format!("{len} samples"),
                format!("expected a window of at least {LEAST} samples"),
            ));
        }
        let mut config = self.clone();
        let axes = input.axis_names();
        let channels = Channel::read(&self.channels)?;
        let features = Feature::read(&self.features)?;
        let triads = match &self.triads {
            Some(texts) => Triad::read(texts, &axes)?,
            None => Triad::guessed(&axes),
        };
        config.triads = Some(triads.iter().map(|triad| triad.write(&axes)).collect());
        let wants = |what: fn(&Feature) -> bool| features.iter().any(|(_, f)| what(f));
        let of_group = wants(|f| matches!(f, Feature::Group(_)));
        let of_channels = wants(|f| !matches!(f, Feature::Group(_)));
        if triads.is_empty() && (of_group || channels.iter().any(|c| c.is_of_triads())) {
            return Err(ConfigError::new(
                "triads",
                format!("none among the axes {}", axes.join(", ")),
                "magnitudes, sma, correlation, direction and tilt need three axes: give `triads = \
                 [\"acc: ax ay az\"]` with names of `input.axes`",
            ));
        }
        if of_channels && channels.is_empty() {
            return Err(ConfigError::new(
                "channels",
                "an empty list",
                "expected at least one, such as [\"axes\"]",
            ));
        }
        if self.gravity_hz >= rate / 4.0 {
            return Err(ConfigError::new(
                "gravity_hz",
                self.gravity_hz,
                format!(
                    "expected less than {} Hz, a quarter of the rate",
                    rate / 4.0
                ),
            ));
        }
        let n_fft = self.n_fft.unwrap_or(len.next_power_of_two().max(16));
        if n_fft < len {
            return Err(ConfigError::new(
                "n_fft",
                n_fft,
                format!("expected at least {len}, the samples of a window"),
            ));
        }
        config.n_fft = Some(n_fft);
        let banded = wants(|f| *f == Feature::BandEnergy);
        let bands = match &self.band_edges_hz {
            Some(edges) => bands(edges, rate, n_fft)?,
            None if banded => {
                return Err(ConfigError::new(
                    "band_edges_hz",
                    "no value",
                    "`band_energy` needs it: give the edges, such as [0.5, 3.0, 8.0, 20.0]",
                ));
            }
            None => Vec::new(),
        };
        let samples = |ms: f64| libm::round(ms * rate / 1000.0) as usize;
        let longest = self.lag_max_ms.map_or(len / 2, samples);
        config.lag_max_ms = Some(longest as f64 * 1000.0 / rate);
        let lags = (samples(self.lag_min_ms).max(1), longest);
        // A jerk has one sample less.
        if lags.0 > lags.1 || lags.1 > len - 2 {
            let (path, ms) = match self.lag_max_ms {
                Some(ms) => ("lag_max_ms", ms),
                None => ("lag_min_ms", self.lag_min_ms),
            };
            if wants(|f| *f == Feature::Autocorrelation) {
                return Err(ConfigError::new(
                    path,
                    ms,
                    format!(
                        "expected lags from 1 to {} samples, the shortest first, which are {} to \
                         {} ms",
                        len - 2,
                        1000.0 / rate,
                        (len - 2) as f64 * 1000.0 / rate
                    ),
                ));
            }
        }
        Ok(ImuWindowSpec {
            config,
            channels: if of_channels { channels } else { Vec::new() },
            features,
            triads,
            axes,
            framing,
            rate_hz: rate,
            n_fft,
            bands: if banded { bands } else { Vec::new() },
            lags,
        })
    }
}

/// The bins of each band.
fn bands(edges: &[f64], rate: f64, n_fft: usize) -> Result<Vec<(usize, usize)>, ConfigError> {
    let wrong = |why: String| ConfigError::new("band_edges_hz", format!("{edges:?}"), why);
    let distance = rate / n_fft as f64;
    if edges.len() < 2 || !edges.is_sorted_by(|a, b| a < b) || edges[edges.len() - 1] > rate / 2.0 {
        return Err(wrong(format!(
            "expected at least two rising edges up to {} Hz, half the rate",
            rate / 2.0
        )));
    }
    // An edge that falls on a bin, but for rounding, is that bin. Bin 0 is the mean, which is gone.
    let bin = |hz: f64| (libm::ceil(hz / distance - 1e-6) as usize).max(1);
    let bands: Vec<_> = edges
        .windows(2)
        .map(|pair| (bin(pair[0]), bin(pair[1])))
        .collect();
    match bands.iter().position(|(first, end)| first == end) {
        Some(empty) => Err(wrong(format!(
            "no bin of the spectrum lies from {} to {} Hz, since bins are {distance:.3} Hz apart: \
             take wider bands or a larger `n_fft`",
            edges[empty],
            edges[empty + 1]
        ))),
        None => Ok(bands),
    }
}

impl FeatureSpec for ImuWindowSpec {
    fn framing(&self, _input: &Input) -> Framing {
        self.framing.clone()
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        vec![self.stage(id)]
    }

    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for channel in self.all_channels() {
            names.extend(
                self.channel_features()
                    .map(|f| channels::joined(&channel, &f)),
            );
        }
        for triad in &self.triads {
            let [x, y, z] = triad.axes.map(|axis| self.axes[axis].as_str());
            for group in self.group_features() {
                match group {
                    Group::MagnitudeArea => names.push(channels::joined(&triad.name, "sma")),
                    Group::Tilt => names.push(channels::joined(&triad.name, "tilt")),
                    Group::Direction => {
                        names.extend([x, y, z].map(|axis| format!("{axis}_direction")));
                    }
                    Group::Correlation => names.extend(
                        [(x, y), (x, z), (y, z)].map(|(a, b)| format!("{a}_{b}_correlation")),
                    ),
                }
            }
        }
        names
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        self.config.write()
    }
}

impl ImuWindowSpec {
    /// Names of all signals, in the order of the row.
    fn all_channels(&self) -> Vec<String> {
        let mut names = Vec::new();
        for channel in &self.channels {
            if channel.is_of_triads() {
                names.extend(self.triads.iter().map(|triad| channel.of(&triad.name)));
            } else {
                names.extend(self.axes.iter().map(|axis| channel.of(axis)));
            }
        }
        names
    }

    /// Names of the features of one signal, in the order of the row.
    fn channel_features(&self) -> impl Iterator<Item = String> {
        let of = |what: fn(&Feature) -> bool| {
            let found = self.features.iter().filter(move |(_, f)| what(f));
            found.map(|(name, _)| name.clone())
        };
        let bands = self.config.band_edges_hz.iter().flat_map(|edges| {
            let count = self.bands.len();
            let name = |pair: &[f64]| format!("energy_{}_{}_hz", pair[0], pair[1]);
            edges.windows(2).map(name).take(count)
        });
        let lags = self.wants(Feature::Autocorrelation);
        let lags = lags.then_some(["autocorrelation_lag", "autocorrelation_peak"]);
        of(|f| matches!(f, Feature::Statistic(_) | Feature::Percentile(_)))
            .chain(of(
                |f| matches!(f, Feature::Spectral(shape) if *shape != SpectralShape::DominantPower),
            ))
            .chain(of(|f| {
                *f == Feature::Spectral(SpectralShape::DominantPower)
            }))
            .chain(bands)
            .chain(lags.into_iter().flatten().map(str::to_owned))
    }

    fn wants(&self, feature: Feature) -> bool {
        self.features.iter().any(|(_, f)| *f == feature)
    }

    fn shapes(&self) -> Vec<SpectralShape> {
        let shapes = self.features.iter().filter_map(|(_, f)| match f {
            Feature::Spectral(shape) => Some(*shape),
            _ => None,
        });
        shapes.collect()
    }

    fn group_features(&self) -> impl Iterator<Item = Group> {
        self.features.iter().filter_map(|(_, f)| match f {
            Feature::Group(feature) => Some(*feature),
            _ => None,
        })
    }
}

/// Reads and checks a block.
pub(crate) fn read(
    table: &Table,
    id: &str,
    input: &Input,
) -> Result<Box<dyn FeatureSpec>, ConfigError> {
    Ok(Box::new(ImuWindow::read(table, id)?.validate(input)?))
}
