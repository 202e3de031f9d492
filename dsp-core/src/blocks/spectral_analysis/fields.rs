//! The fields of `spectral_analysis`.

use crate::blocks::flatten::Switch;
use crate::config::{choices, section};
use crate::tables::wavelet::Wavelet;
use crate::tables::window::{WindowKind, WindowSymmetry};

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
