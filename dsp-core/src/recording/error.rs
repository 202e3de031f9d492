//! Why a recording of a sensor does not fit.

use thiserror::Error;

/// A recording of a sensor that does not fit the pipeline.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum RecordingError {
    /// Nothing but, perhaps, a header.
    #[error("no values: the file is empty, or has only a header")]
    Empty,
    /// Values that do not divide into moments.
    #[error("{values} values do not divide into moments of {axes} axes")]
    Ragged {
        /// Values given.
        values: usize,
        /// Axes of the pipeline.
        axes: usize,
    },
    /// Another number of stamps than of moments.
    #[error("{stamps} time stamps for {moments} moments")]
    Stamps {
        /// Stamps given.
        stamps: usize,
        /// Moments given.
        moments: usize,
    },
    /// A value that is infinite, or too large for a number of 64 bits.
    #[error("{place}: an infinite value; expected finite numbers")]
    Infinite {
        /// Where it stands.
        place: String,
    },
    /// A column that is not there.
    #[error(
        "no column {wanted:?}, which `{field}` in [input] names; the file's columns are: {found}"
    )]
    NoColumn {
        /// The field that names it.
        field: &'static str,
        /// The name.
        wanted: String,
        /// Names of the file's columns, in quotes.
        found: String,
    },
    /// Two columns with the same name.
    #[error("two columns are named {wanted:?}: rename one of them in the file's header")]
    TwoColumns {
        /// The name.
        wanted: String,
    },
    /// Columns that cannot be matched to the axes.
    #[error("{found}, which does not match the axes {axes} of the pipeline: {hint}")]
    Columns {
        /// What the file has.
        found: String,
        /// Names of the axes, in quotes.
        axes: String,
        /// What to do.
        hint: String,
    },
    /// A moment without a time stamp.
    #[error("{place}: no time stamp; expected a finite number at every moment")]
    NoStamp {
        /// Where it stands.
        place: String,
    },
    /// A missing value.
    #[error(
        "{place}: no value of axis {axis:?}: repair the file, or set `nan = \"interpolate\"` or \
         `nan = \"drop\"` in [input]"
    )]
    Missing {
        /// Where it stands.
        place: String,
        /// Name of the axis.
        axis: String,
    },
    /// An axis that has no value at all.
    #[error("axis {axis:?} has no value in the whole recording")]
    EmptyAxis {
        /// Name of the axis.
        axis: String,
    },
    /// A stamp before the one of the line before.
    #[error(
        "{place}: time goes back from {before} to {stamp}: sort the file by time, cut it where the \
         clock was set, or set `time_column = \"none\"` in [input] if its moments are even"
    )]
    Backward {
        /// Where it stands.
        place: String,
        /// The stamp.
        stamp: f64,
        /// The stamp before.
        before: f64,
    },
    /// Stamps that are all the same.
    #[error(
        "all {stamps} time stamps are the same: set `time_column = \"none\"` in [input] if its \
         moments are even, or name the right column"
    )]
    NoTime {
        /// Stamps given.
        stamps: usize,
    },
    /// A gap that is too long.
    #[error(
        "{place}: {gap_ms} ms since the moment before, where {max_gap_ms} ms are allowed: cut the \
         recording there, raise `max_gap_ms`, or set `gaps = \"fill\"` in [input]"
    )]
    Gap {
        /// Where it ends.
        place: String,
        /// Its length in ms.
        gap_ms: f64,
        /// What is allowed, in ms.
        max_gap_ms: f64,
    },
    /// Another rate.
    #[error(
        "the recording has {found_hz} moments per second and the pipeline {wanted_hz}: set \
         `rate_hz = {found_hz}` (or its nominal value), or `resample = \"convert\"` in [input]"
    )]
    Rate {
        /// Rate of the recording.
        found_hz: f64,
        /// Rate of the pipeline.
        wanted_hz: f64,
    },
    /// A rate that cannot be converted.
    #[error("cannot convert {found_hz} to {wanted_hz} moments per second: {why}")]
    Convert {
        /// Rate of the recording.
        found_hz: f64,
        /// Rate of the pipeline.
        wanted_hz: f64,
        /// The reason.
        why: String,
    },
    /// A recording that resampling would make far longer.
    #[error(
        "{moments} moments over {seconds} s would become {samples} samples of each axis: is the \
         unit of the time stamps right? Set `time_unit` in [input]"
    )]
    TooLong {
        /// Moments of the recording.
        moments: usize,
        /// Its length.
        seconds: f64,
        /// Samples after resampling.
        samples: f64,
    },
}
