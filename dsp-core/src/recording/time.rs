//! Units, order, rate and gaps of time stamps.

use super::{Recording, RecordingError, Sensor, short};
use crate::config::choices;

choices! {
    /// Unit of time stamps.
    pub enum TimeUnit {
        /// Seconds.
        Seconds = "s",
        /// Milliseconds.
        Milliseconds = "ms",
        /// Microseconds.
        Microseconds = "us",
        /// Nanoseconds.
        Nanoseconds = "ns",
    }
}

impl TimeUnit {
    /// How many of them are a second.
    pub fn per_second(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e3,
            Self::Microseconds => 1e6,
            Self::Nanoseconds => 1e9,
        }
    }
}

/// Two rates that differ by less are the same: clocks of sensors and computers differ by as much.
const CLOCK_TOLERANCE: f64 = 0.005;

/// A rate that differs by more than this part is another rate, not a clock that runs unevenly.
/// Real recordings of a phone at nominally 100 Hz, of a second or two, have 99.9 to 113.
const RATE_TOLERANCE: f64 = 0.2;

/// Stamps that are all this near to a line, in parts of an interval, are even: moving samples by
/// less changes a signal at a tenth of the rate by less than 7 %, interpolating it by up to 5 %.
const EVEN: f64 = 0.1;

/// Intervals of time without a moment that are no gap.
pub(super) const GAP: f64 = 20.0;

/// An interval this much longer than the median does not count towards the rate.
const OUTLIER: f64 = 10.0;

/// Whether two rates are the same but for the tolerance of clocks.
pub(super) fn same_clock(a_hz: f64, b_hz: f64) -> bool {
    (a_hz / b_hz - 1.0).abs() <= CLOCK_TOLERANCE
}

/// Whether a rate is another one than the pipeline's.
pub(super) fn other_rate(found_hz: f64, wanted_hz: f64) -> bool {
    (found_hz / wanted_hz - 1.0).abs() > RATE_TOLERANCE
}

/// The clock of a recording.
#[derive(Debug)]
pub(super) struct Clock {
    /// Stamps in seconds after the first.
    pub(super) times: Option<Vec<f64>>,
    /// Longest time without a moment that is no gap, in seconds.
    pub(super) max_gap_s: f64,
}

impl Clock {
    /// Reads the clock: stamps in order, in a known unit, at a rate that the pipeline allows.
    pub(super) fn of(
        sensor: &Sensor,
        recording: &Recording,
        notes: &mut Vec<String>,
    ) -> Result<Self, RecordingError> {
        let Some(stamps) = &recording.times else {
            let rate_hz = recording.rate_hz.unwrap_or(sensor.rate_hz);
            return Ok(Self {
                times: None,
                max_gap_s: max_gap_s(sensor, rate_hz),
            });
        };
        if let Some(at) = (1..stamps.len()).find(|&i| stamps[i] < stamps[i - 1]) {
            return Err(RecordingError::Backward {
                place: recording.place(at),
                stamp: stamps[at],
                before: stamps[at - 1],
            });
        }
        let Some(per_unit) = rate(stamps) else {
            if stamps.len() > 1 {
                return Err(RecordingError::NoTime {
                    stamps: stamps.len(),
                });
            }
            return Ok(Self {
                times: Some(vec![0.0]),
                max_gap_s: max_gap_s(sensor, sensor.rate_hz),
            });
        };
        let unit = match sensor.time_unit.or(recording.time_unit) {
            Some(unit) => unit,
            None => {
                let unit = likely_unit(per_unit, sensor.rate_hz);
                notes.push(format!(
                    "took time stamps as {:?}, which fits {} Hz best: the file does not say the \
                     unit (`time_unit` in [input] does)",
                    unit.name(),
                    sensor.rate_hz
                ));
                unit
            }
        };
        let first = stamps[0];
        let second = unit.per_second();
        Ok(Self {
            times: Some(stamps.iter().map(|t| (t - first) / second).collect()),
            max_gap_s: max_gap_s(sensor, per_unit * second),
        })
    }
}

fn max_gap_s(sensor: &Sensor, rate_hz: f64) -> f64 {
    sensor
        .max_gap_s
        .unwrap_or(GAP / rate_hz.min(sensor.rate_hz))
}

/// The unit at which `per_unit` moments are nearest to the pipeline's rate, in proportion.
fn likely_unit(per_unit: f64, rate_hz: f64) -> TimeUnit {
    let distance = |unit: TimeUnit| libm::log(per_unit * unit.per_second() / rate_hz).abs();
    let mut best = TimeUnit::Seconds;
    for &unit in TimeUnit::ALL {
        if distance(unit) < distance(best) {
            best = unit;
        }
    }
    best
}

/// Moments for each unit of time: intervals over the time that they take, those that are far
/// longer than the median left out. `None` when no time passes.
///
/// A mean, since stamps in whole milliseconds have a median that is off by up to half of one.
pub(super) fn rate(stamps: &[f64]) -> Option<f64> {
    let intervals: Vec<f64> = stamps.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let limit = OUTLIER * median(&intervals)?;
    let (mut count, mut sum) = (0usize, 0.0);
    for &interval in intervals.iter().filter(|&&interval| interval <= limit) {
        count += 1;
        sum += interval;
    }
    let rate = count as f64 / sum;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

/// Median of the intervals in which time passes; `None` when there is none.
pub(super) fn median(intervals: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = intervals.iter().copied().filter(|&i| i > 0.0).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Whether stamps in order lie near to a line of one moment each `1 / rate_hz`.
pub(super) fn is_even(times: &[f64], rate_hz: f64) -> bool {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (k, t) in times.iter().enumerate() {
        let off = t * rate_hz - k as f64;
        low = low.min(off);
        high = high.max(off);
    }
    (high - low) / 2.0 <= EVEN
}

/// Numbers about stamps for messages: `102.6 per second on average, …`.
pub(super) fn describe(times: &[f64], rate_hz: f64, repeated: usize) -> String {
    let intervals: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let longest = intervals.iter().copied().fold(0.0, f64::max);
    let median = median(&intervals).unwrap_or(0.0);
    let mut text = format!(
        "{} moments per second on average, intervals of {} ms (median) to {} ms",
        short(rate_hz),
        short(median * 1e3),
        short(longest * 1e3),
    );
    if repeated > 0 {
        text += &format!(", {repeated} repeated stamps (their values were averaged)");
    }
    text
}
