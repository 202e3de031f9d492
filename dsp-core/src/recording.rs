//! Sensor recordings as they stand in files, and how they are made to fit a pipeline.
//!
//! | module | what |
//! |---|---|
//! | `columns` | which column is an axis, which one is the time |
//! | `missing` | values that are not there |
//! | `time` | units, order, rate and gaps of time stamps |
//! | `grid` | resampling to the pipeline's rate |
//! | `error` | why a recording does not fit |
//!
//! Nothing here reads files: a reader asks [`Sensor::choose`] which columns it has to read, makes
//! a [`Recording`] of them, and [`Sensor::fit`] does the rest. Everything is computed in `f64`, in
//! this order:
//!
//! 1. missing values ([`Nan`]),
//! 2. time stamps: unit, order, repeated ones, rate, gaps ([`Gaps`]),
//! 3. resampling, where stamps are uneven or the rate is another one,
//! 4. division by the full scale.

mod columns;
mod error;
mod grid;
mod missing;
mod time;

use crate::config::choices;
use crate::input::{Prepared, Resample};

pub use columns::{Chosen, TimeColumn};
pub use error::RecordingError;
pub use time::TimeUnit;

choices! {
    /// What happens to values that are missing: empty cells, `nan`, JSON's `null`.
    pub enum Nan {
        /// They are refused.
        Error = "error",
        /// They are interpolated between the axis' neighbours in time; at the ends the nearest
        /// value is held.
        Interpolate = "interpolate",
        /// Moments with a missing value are left out. Without time stamps the rest closes up;
        /// with them it stays where it is.
        Drop = "drop",
    }
}

choices! {
    /// What happens to gaps in time that are longer than `max_gap_ms`.
    pub enum Gaps {
        /// They are refused.
        Error = "error",
        /// They are filled by linear interpolation, and a message says so.
        Fill = "fill",
    }
}

choices! {
    /// What the numbers of a recording are.
    pub enum Quantity {
        /// Physical values, in the unit of `full_scale`.
        Physical = "physical",
        /// Integers of the sensor, 32768 at full scale.
        Counts = "counts",
    }
}

/// Steps of a sensor's signed 16-bit integers up to full scale.
const COUNTS: f64 = 32768.0;

/// A recording as it stands in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Units of the axes as the file gives them; empty where it does not.
    pub units: Vec<String>,
    /// Values of all axes at each moment, one moment after the other. NaN is a missing value.
    pub values: Vec<f64>,
    /// Time stamp of each moment.
    pub times: Option<Vec<f64>>,
    /// Unit of the stamps; `None` where the file does not say.
    pub time_unit: Option<TimeUnit>,
    /// Moments per second, where the file says so instead of giving stamps.
    pub rate_hz: Option<f64>,
    /// Line of each moment in a text file, from 1; empty for other files.
    pub lines: Vec<u64>,
    /// Value that stands for full scale, where the file says so: 1 for the samples of a WAV file.
    pub full_scale: Option<f64>,
}

impl Recording {
    /// Where moment `at` stands: `line 12`, or `moment 11` (from 0) in files without lines.
    pub fn place(&self, at: usize) -> String {
        match self.lines.get(at) {
            Some(line) => format!("line {line}"),
            None => format!("moment {at}"),
        }
    }
}

/// How recordings of sensors are read: the part of `[input]` that is about them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sensor {
    /// Moments per second.
    pub rate_hz: f64,
    /// Names of the axes, at least one.
    pub axes: Vec<String>,
    /// Columns of the axes, as many as there are axes; empty: found by the names of the axes.
    pub columns: Vec<String>,
    /// The column with time stamps.
    pub time_column: TimeColumn,
    /// Unit of time stamps; `None`: from the column's name, else the one that fits the rate best.
    pub time_unit: Option<TimeUnit>,
    /// What the numbers are.
    pub quantity: Quantity,
    /// Physical value of full scale.
    pub full_scale: f64,
    /// Unit of the physical values, for comparison with the file's.
    pub unit: Option<String>,
    /// What happens to missing values.
    pub nan: Nan,
    /// What happens to long gaps.
    pub gaps: Gaps,
    /// Longest time between two moments that is no gap, in seconds; `None`: `time::GAP`
    /// intervals of the recording's or the pipeline's rate, whichever is slower.
    pub max_gap_s: Option<f64>,
    /// What happens to recordings with another rate.
    pub resample: Resample,
}

impl Sensor {
    /// A sensor with these axes; every other field has the default of the pipeline file.
    pub fn new(rate_hz: f64, axes: Vec<String>, full_scale: f64) -> Self {
        Self {
            rate_hz,
            axes,
            columns: Vec::new(),
            time_column: TimeColumn::Auto,
            time_unit: None,
            quantity: Quantity::Physical,
            full_scale,
            unit: None,
            nan: Nan::Error,
            gaps: Gaps::Error,
            max_gap_s: None,
            resample: Resample::Refuse,
        }
    }

    /// Makes a recording fit: samples in `[-1, 1)` at the pipeline's rate, all axes of a moment
    /// side by side.
    ///
    /// With time stamps, sample `k` is the value at `k / rate_hz` after the first stamp, and the
    /// last sample is the last one that is not after the last stamp.
    ///
    /// # Errors
    ///
    /// [`RecordingError`] when the recording is not sound, or when `[input]` does not allow what
    /// would be needed.
    pub fn fit(&self, mut recording: Recording) -> Result<Prepared, RecordingError> {
        let axes = self.axes.len();
        let mut notes = Vec::new();
        self.compare_units(&recording, &mut notes);
        recording.check(axes)?;
        let clock = time::Clock::of(self, &recording, &mut notes)?;
        if let Some(times) = &clock.times {
            recording.times = Some(times.clone());
        }
        missing::resolve(self, &mut recording, &clock, &mut notes)?;
        let values = match recording.times.take() {
            Some(times) => self.on_grid(&recording, times, clock.max_gap_s, &mut notes)?,
            None => match recording.rate_hz {
                Some(rate) if !time::same_clock(rate, self.rate_hz) => {
                    let moments = recording.values.len() / axes;
                    let times = (0..moments).map(|k| k as f64 / rate).collect();
                    self.on_grid(&recording, times, clock.max_gap_s, &mut notes)?
                }
                _ => recording.values,
            },
        };
        let full_scale = recording.full_scale.unwrap_or(match self.quantity {
            Quantity::Physical => self.full_scale,
            Quantity::Counts => COUNTS,
        });
        let samples = scale(&values, full_scale, &mut notes);
        Ok(Prepared { samples, notes })
    }

    fn compare_units(&self, recording: &Recording, notes: &mut Vec<String>) {
        let Some(unit) = &self.unit else { return };
        let mut others: Vec<_> = recording.units.iter().filter(|u| *u != unit).collect();
        others.dedup();
        if !others.is_empty() {
            notes.push(format!(
                "the file's unit is {}, the pipeline's is {unit:?}; the numbers were taken as they are",
                quoted(others)
            ));
        }
    }
}

impl Recording {
    /// Checks lengths, and that nothing but a value is missing.
    fn check(&self, axes: usize) -> Result<(), RecordingError> {
        let moments = self.values.len() / axes;
        if self.values.is_empty() {
            return Err(RecordingError::Empty);
        }
        if !self.values.len().is_multiple_of(axes) {
            return Err(RecordingError::Ragged {
                values: self.values.len(),
                axes,
            });
        }
        if let Some(at) = self.values.iter().position(|x| x.is_infinite()) {
            return Err(RecordingError::Infinite {
                place: self.place(at / axes),
            });
        }
        let Some(times) = &self.times else {
            return Ok(());
        };
        if times.len() != moments {
            return Err(RecordingError::Stamps {
                stamps: times.len(),
                moments,
            });
        }
        match times.iter().position(|t| !t.is_finite()) {
            Some(at) => Err(RecordingError::NoStamp {
                place: self.place(at),
            }),
            None => Ok(()),
        }
    }
}

/// Values over their full scale, with a note about those that 16-bit samples cannot hold.
fn scale(values: &[f64], full_scale: f64, notes: &mut Vec<String>) -> Vec<f32> {
    let (mut beyond, mut largest) = (0usize, 0.0f64);
    let samples = values
        .iter()
        .map(|&value| {
            let x = value / full_scale;
            if !(-1.0..1.0).contains(&x) {
                beyond += 1;
                if value.abs() > largest.abs() {
                    largest = value;
                }
            }
            x.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
        })
        .collect();
    if beyond > 0 {
        notes.push(format!(
            "{beyond} of {} values reach beyond full scale {full_scale} (the farthest is {largest}); \
             16-bit samples saturate there",
            values.len()
        ));
    }
    samples
}

/// Texts in quotes, with commas between them.
fn quoted<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = texts
        .into_iter()
        .map(|text| format!("{:?}", text.as_ref()))
        .collect();
    texts.join(", ")
}

/// A number for a message, with at most four digits behind the point.
fn short(number: f64) -> f64 {
    let rounded = (number * 1e4).round() / 1e4;
    if rounded.is_finite() { rounded } else { number }
}

#[cfg(test)]
mod tests;
