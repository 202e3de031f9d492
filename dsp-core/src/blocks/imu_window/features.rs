//! The features by their names.

use crate::ConfigError;
use crate::config::nearest;
use crate::graph::{SpectralShape, Statistic};

/// A feature of one channel, or of a group of axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Feature {
    /// Of the values of a channel.
    Statistic(Statistic),
    /// The value at `percent (n - 1) / 100` among the sorted ones of a channel.
    Percentile(u8),
    /// Of a channel's power spectrum.
    Spectral(SpectralShape),
    /// Power of a channel in each band.
    BandEnergy,
    /// Lag and value of a channel's autocorrelation peak.
    Autocorrelation,
    /// Of the axes of a triad.
    Group(Group),
}

/// What the axes of a triad give together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Group {
    MagnitudeArea,
    Correlation,
    Direction,
    Tilt,
}

/// Every name but the percentiles, which are `p0` to `p100`.
const NAMES: &[(&str, Feature)] = &[
    ("mean", Feature::Statistic(Statistic::Mean)),
    ("std", Feature::Statistic(Statistic::Deviation)),
    ("rms", Feature::Statistic(Statistic::RootMeanSquare)),
    ("min", Feature::Statistic(Statistic::Minimum)),
    ("max", Feature::Statistic(Statistic::Maximum)),
    ("peak_to_peak", Feature::Statistic(Statistic::Range)),
    ("median", Feature::Percentile(50)),
    ("iqr", Feature::Statistic(Statistic::QuartileRange)),
    ("mad", Feature::Statistic(Statistic::MedianDeviation)),
    (
        "zero_crossings",
        Feature::Statistic(Statistic::ZeroCrossings),
    ),
    (
        "mean_crossings",
        Feature::Statistic(Statistic::MeanCrossings),
    ),
    ("skewness", Feature::Statistic(Statistic::Skew)),
    ("kurtosis", Feature::Statistic(Statistic::Kurtosis)),
    ("energy", Feature::Statistic(Statistic::MeanSquare)),
    (
        "mean_magnitude",
        Feature::Statistic(Statistic::MeanMagnitude),
    ),
    (
        "dominant_frequency",
        Feature::Spectral(SpectralShape::DominantFrequency),
    ),
    (
        "dominant_power",
        Feature::Spectral(SpectralShape::DominantPower),
    ),
    (
        "spectral_entropy",
        Feature::Spectral(SpectralShape::Entropy),
    ),
    ("band_energy", Feature::BandEnergy),
    ("autocorrelation", Feature::Autocorrelation),
    ("sma", Feature::Group(Group::MagnitudeArea)),
    ("correlation", Feature::Group(Group::Correlation)),
    ("direction", Feature::Group(Group::Direction)),
    ("tilt", Feature::Group(Group::Tilt)),
];

impl Feature {
    /// The feature of this name.
    fn named(name: &str) -> Option<Self> {
        if let Some((_, feature)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Some(*feature);
        }
        let percent: u8 = name.strip_prefix('p')?.parse().ok()?;
        let plain = format!("p{percent}") == name && percent <= 100;
        plain.then_some(Self::Percentile(percent))
    }

    /// The features that `names` ask for, each once.
    pub(super) fn read(names: &[String]) -> Result<Vec<(String, Self)>, ConfigError> {
        let mut features: Vec<(String, Self)> = Vec::with_capacity(names.len());
        for name in names {
            let allowed = || {
                let all: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                let all = format!("expected some of {}, p0 to p100", all.join(", "));
                match nearest(name, NAMES.iter().map(|(name, _)| *name)) {
                    Some(near) => format!("did you mean \"{near}\"? {all}"),
                    None => all,
                }
            };
            let feature = Self::named(name)
                .ok_or_else(|| ConfigError::new("features", format!("{name:?}"), allowed()))?;
            if features.iter().any(|(_, known)| *known == feature) {
                return Err(ConfigError::new(
                    "features",
                    format!("{name:?} twice"),
                    "each feature is taken once: remove one of them",
                ));
            }
            features.push((name.clone(), feature));
        }
        if features.is_empty() {
            return Err(ConfigError::new(
                "features",
                "an empty list",
                "expected at least one feature, such as [\"mean\", \"std\"]",
            ));
        }
        Ok(features)
    }
}
