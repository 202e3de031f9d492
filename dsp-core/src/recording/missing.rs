//! Values that are missing.

use super::time::Clock;
use super::{Gaps, Nan, Recording, RecordingError, Sensor, short};

/// Leaves no value missing, or says why that is not allowed.
pub(super) fn resolve(
    sensor: &Sensor,
    recording: &mut Recording,
    clock: &Clock,
    notes: &mut Vec<String>,
) -> Result<(), RecordingError> {
    let axes = sensor.axes.len();
    let missing = recording.values.iter().filter(|x| x.is_nan()).count();
    let Some(first) = recording.values.iter().position(|x| x.is_nan()) else {
        return Ok(());
    };
    match sensor.nan {
        Nan::Error => Err(RecordingError::Missing {
            place: recording.place(first / axes),
            axis: sensor.axes[first % axes].clone(),
        }),
        Nan::Interpolate => {
            for axis in 0..axes {
                interpolate(sensor, recording, clock, axis)?;
            }
            notes.push(format!(
                "interpolated {missing} of {} values, which were missing",
                recording.values.len()
            ));
            Ok(())
        }
        Nan::Drop => {
            let moments = recording.values.len() / axes;
            let kept: Vec<usize> = (0..moments)
                .filter(|&at| !moment(recording, at, axes).iter().any(|x| x.is_nan()))
                .collect();
            if kept.is_empty() {
                return Err(RecordingError::Empty);
            }
            notes.push(format!(
                "left out {} of {moments} moments, where values were missing",
                moments - kept.len()
            ));
            recording.values = kept
                .iter()
                .flat_map(|&at| moment(recording, at, axes).to_vec())
                .collect();
            if let Some(times) = &mut recording.times {
                *times = kept.iter().map(|&at| times[at]).collect();
            }
            if !recording.lines.is_empty() {
                recording.lines = kept.iter().map(|&at| recording.lines[at]).collect();
            }
            Ok(())
        }
    }
}

fn moment(recording: &Recording, at: usize, axes: usize) -> &[f64] {
    &recording.values[at * axes..][..axes]
}

/// Interpolates the missing values of one axis in time.
fn interpolate(
    sensor: &Sensor,
    recording: &mut Recording,
    clock: &Clock,
    axis: usize,
) -> Result<(), RecordingError> {
    let axes = sensor.axes.len();
    let moments = recording.values.len() / axes;
    let rate_hz = recording.rate_hz.unwrap_or(sensor.rate_hz);
    let time = |at: usize| match &clock.times {
        Some(times) => times[at],
        None => at as f64 / rate_hz,
    };
    let there: Vec<usize> = (0..moments)
        .filter(|&at| !recording.values[at * axes + axis].is_nan())
        .collect();
    let (Some(&first), Some(&last)) = (there.first(), there.last()) else {
        return Err(RecordingError::EmptyAxis {
            axis: sensor.axes[axis].clone(),
        });
    };
    let check = |from: usize, to: usize| {
        let seconds = time(to) - time(from);
        if to - from > 1 && sensor.gaps == Gaps::Error && seconds > clock.max_gap_s {
            return Err(RecordingError::Gap {
                place: format!("{} (axis {:?})", recording.place(to), sensor.axes[axis]),
                gap_ms: short(seconds * 1e3),
                max_gap_ms: short(clock.max_gap_s * 1e3),
            });
        }
        Ok(())
    };
    check(0, first)?;
    check(last, moments - 1)?;
    for pair in there.windows(2) {
        check(pair[0], pair[1])?;
    }
    let at = |moment: usize| moment * axes + axis;
    for moment in 0..first {
        recording.values[at(moment)] = recording.values[at(first)];
    }
    for moment in last + 1..moments {
        recording.values[at(moment)] = recording.values[at(last)];
    }
    for pair in there.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let (a, b) = (recording.values[at(from)], recording.values[at(to)]);
        let span = time(to) - time(from);
        for moment in from + 1..to {
            // Stamps may repeat, so that no time passes.
            let part = if span > 0.0 {
                (time(moment) - time(from)) / span
            } else {
                0.5
            };
            recording.values[at(moment)] = a + (b - a) * part;
        }
    }
    Ok(())
}
