//! Names of statistics in the lists of pipeline files.

use crate::ConfigError;
use crate::graph::Statistic;

/// What a list of statistics may have in it, for errors and documentation.
pub(crate) const NAMES: &str = "mean, std, variance, sample_variance (divided by n - 1), rms, \
    skewness, kurtosis (excess, -3 for a constant), kurtosis_or_zero (0 for zeros), minimum, \
    maximum, range, mean_magnitude, mean_square, zero_crossings and mean_crossings (per value), \
    median, p0 to p100 (percentiles, linear between neighbours), n0 to n100 (percentiles, the \
    nearest value), iqr, mad (median of the distances from the median), entropy (of a histogram \
    with 100 bins)";

/// The statistic of `n` values with this name.
pub(crate) fn statistic(name: &str, n: usize) -> Option<Statistic> {
    Some(match name {
        "mean" => Statistic::Mean,
        "std" => Statistic::Deviation,
        "variance" => Statistic::Variance,
        "sample_variance" => Statistic::SampleVariance,
        "rms" => Statistic::RootMeanSquare,
        "skewness" => Statistic::Skew,
        "kurtosis" => Statistic::Kurtosis,
        "kurtosis_or_zero" => Statistic::KurtosisOrZero,
        "minimum" => Statistic::Minimum,
        "maximum" => Statistic::Maximum,
        "range" => Statistic::Range,
        "mean_magnitude" => Statistic::MeanMagnitude,
        "mean_square" => Statistic::MeanSquare,
        "zero_crossings" => Statistic::ZeroCrossings,
        "mean_crossings" => Statistic::MeanCrossings,
        "median" => Statistic::Quantile(Statistic::place(n, 128)),
        "iqr" => Statistic::QuartileRange,
        "mad" => Statistic::MedianDeviation,
        "entropy" => Statistic::Entropy(100),
        _ => {
            let percent: f64 = name
                .get(1..)?
                .parse::<u32>()
                .ok()
                .filter(|&p| p <= 100)?
                .into();
            let place = n.saturating_sub(1) as f64 * percent / 100.0;
            match name.as_bytes().first()? {
                b'p' => Statistic::Quantile(libm::round(place * 256.0) as u32),
                b'n' => Statistic::Quantile(256 * libm::floor(place + 0.5) as u32),
                _ => return None,
            }
        }
    })
}

/// The statistics of a list; `field` is its name.
pub(crate) fn statistics(
    field: &str,
    names: &[String],
    n: usize,
) -> Result<Vec<Statistic>, ConfigError> {
    names
        .iter()
        .map(|name| {
            statistic(name, n).ok_or_else(|| {
                ConfigError::new(field, format!("{name:?}"), format!("expected {NAMES}"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_linear_or_nearest() {
        assert_eq!(statistic("p50", 4), Some(Statistic::Quantile(384)));
        assert_eq!(statistic("median", 4), Some(Statistic::Quantile(384)));
        assert_eq!(statistic("n50", 4), Some(Statistic::Quantile(512)));
        assert_eq!(statistic("n95", 125), Some(Statistic::Quantile(118 << 8)));
        for name in ["p101", "p-1", "n", "", "mode", "x5"] {
            assert_eq!(statistic(name, 4), None, "{name}");
        }
    }
}
