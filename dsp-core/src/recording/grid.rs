//! Resampling to the pipeline's rate.
//!
//! Sample `k` is the value at `k / rate` after the first stamp, on the straight line between the
//! two moments around it, as `numpy.interp` computes it in a training script. Lines never
//! overshoot and need no more than two moments, so that a gap or a jump of the clock spoils nothing
//! beyond it. For a sine of frequency `f` whose moments are `h` apart the error is at most
//! `(pi f h)^2 / 2` of its amplitude: 1.2 % at a twentieth of the rate, 4.9 % at a tenth.
//!
//! A recording at a higher rate is interpolated to a whole multiple of the pipeline's rate, four times
//! its own where the ratio is not whole, and then decimated with a steep linear-phase low-pass, so that nothing folds into the band.

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::{Gaps, Recording, RecordingError, Sensor, short, time};
use crate::input::Resample;

/// Largest ratio of rates that is converted.
const MAX_RATIO: f64 = 128.0;

/// A recording may become this many times longer, and [`MIN_LIMIT`] samples in any case. More
/// comes from wrong time stamps.
const MAX_GROWTH: f64 = 256.0;
const MIN_LIMIT: f64 = 65536.0;

/// Samples between two moments where the rates' ratio is not whole. What lines between moments add
/// to a signal of frequency `f` lies around multiples of the rate; what folds into the band is then
/// below `(f / (4 rate))^2` of the signal.
const OVERSAMPLING: usize = 4;

/// Output samples that the decimator makes at once: many, so that its filter is steep.
const DECIMATOR_CHUNK: usize = 1024;

impl Sensor {
    /// Values at the pipeline's rate, from values at `times` (seconds after the first, in order).
    pub(super) fn on_grid(
        &self,
        recording: &Recording,
        times: Vec<f64>,
        max_gap_s: f64,
        notes: &mut Vec<String>,
    ) -> Result<Vec<f64>, RecordingError> {
        let axes = self.axes.len();
        let Some(found_hz) = time::rate(&times) else {
            return Ok(recording.values.clone());
        };
        if time::other_rate(found_hz, self.rate_hz) && self.resample == Resample::Refuse {
            return Err(RecordingError::Rate {
                found_hz: short(found_hz),
                wanted_hz: self.rate_hz,
            });
        }
        let gaps = self.gaps(recording, &times, max_gap_s)?;
        if gaps == 0 && time::same_clock(found_hz, self.rate_hz) && time::is_even(&times, found_hz)
        {
            return Ok(recording.values.clone());
        }
        let moments = times.len();
        let (times, values) = merge_repeated(times, &recording.values, axes);
        let length_s = times.last().copied().unwrap_or(0.0) - times[0];
        let convert = |why: String| RecordingError::Convert {
            found_hz: short(found_hz),
            wanted_hz: self.rate_hz,
            why,
        };
        let ratio = found_hz / self.rate_hz;
        if !(1.0 / MAX_RATIO..=MAX_RATIO).contains(&ratio) {
            return Err(convert(format!(
                "rates may differ by a factor of {MAX_RATIO}"
            )));
        }
        let factor = if !time::other_rate(found_hz, self.rate_hz) || ratio < 1.0 {
            1
        } else if time::same_clock(ratio.round(), ratio) {
            ratio.round() as usize
        } else {
            OVERSAMPLING * ratio.ceil() as usize
        };
        let samples = (length_s * self.rate_hz + 1e-6).floor() + 1.0;
        if samples * factor as f64 > (moments as f64 * MAX_GROWTH).max(MIN_LIMIT) {
            return Err(RecordingError::TooLong {
                moments,
                seconds: short(length_s),
                samples,
            });
        }
        let grid_hz = self.rate_hz * factor as f64;
        let n = (length_s * grid_hz + 1e-6).floor() as usize + 1;
        let mut resampled = interpolate(&times, &values, axes, grid_hz, n);
        if factor > 1 {
            resampled = decimate(resampled, axes, factor, samples as usize).map_err(convert)?;
        }
        let mut note = format!(
            "resampled to {} Hz by linear interpolation{}: {}",
            self.rate_hz,
            if factor > 1 { " and decimation" } else { "" },
            time::describe(&times, found_hz, moments - times.len())
        );
        if gaps > 0 {
            note += &format!("; filled {gaps} gaps");
        }
        notes.push(note);
        Ok(resampled)
    }

    /// Number of gaps that are to be filled.
    fn gaps(
        &self,
        recording: &Recording,
        times: &[f64],
        max_gap_s: f64,
    ) -> Result<usize, RecordingError> {
        let is_gap = |&at: &usize| times[at] - times[at - 1] > max_gap_s;
        let mut gaps = (1..times.len()).filter(is_gap);
        match self.gaps {
            Gaps::Fill => Ok(gaps.count()),
            Gaps::Error => match gaps.next() {
                None => Ok(0),
                Some(at) => Err(RecordingError::Gap {
                    place: recording.place(at),
                    gap_ms: short((times[at] - times[at - 1]) * 1e3),
                    max_gap_ms: short(max_gap_s * 1e3),
                }),
            },
        }
    }
}

/// One moment for each stamp: the mean of those that have the same.
fn merge_repeated(times: Vec<f64>, values: &[f64], axes: usize) -> (Vec<f64>, Vec<f64>) {
    if times.windows(2).all(|pair| pair[0] < pair[1]) {
        return (times, values.to_vec());
    }
    let (mut stamps, mut means) = (Vec::new(), Vec::new());
    let mut start = 0;
    while start < times.len() {
        let end = (start..times.len())
            .find(|&at| times[at] != times[start])
            .unwrap_or(times.len());
        stamps.push(times[start]);
        for axis in 0..axes {
            let sum: f64 = (start..end).map(|at| values[at * axes + axis]).sum();
            means.push(sum / (end - start) as f64);
        }
        start = end;
    }
    (stamps, means)
}

/// Values at `k / rate_hz` after the first stamp for `k < n`, on lines between moments.
fn interpolate(times: &[f64], values: &[f64], axes: usize, rate_hz: f64, n: usize) -> Vec<f64> {
    let first = times[0];
    let last = times.len() - 1;
    let mut out = Vec::with_capacity(n * axes);
    let mut at = 0;
    for k in 0..n {
        let t = k as f64 / rate_hz;
        while at < last && times[at + 1] - first <= t {
            at += 1;
        }
        let moment = &values[at * axes..][..axes];
        if at == last {
            out.extend_from_slice(moment);
            continue;
        }
        let next = &values[(at + 1) * axes..][..axes];
        let part = (t - (times[at] - first)) / (times[at + 1] - times[at]);
        out.extend(moment.iter().zip(next).map(|(a, b)| a + (b - a) * part));
    }
    out
}

/// Every `factor`-th moment of the band below the new Nyquist frequency, `n` of them.
fn decimate(values: Vec<f64>, axes: usize, factor: usize, n: usize) -> Result<Vec<f64>, String> {
    let moments = values.len() / axes;
    // The filter would ring where values with an offset, such as gravity, begin and end. Without
    // the line through the first and the last moment they begin and end at zero.
    let first = values[..axes].to_vec();
    let last = &values[(moments - 1) * axes..];
    let steps = (moments - 1).max(1) as f64;
    let slope: Vec<f64> = first
        .iter()
        .zip(last)
        .map(|(a, b)| (b - a) / steps)
        .collect();
    let line = |axis: usize, moment: usize| first[axis] + slope[axis] * moment as f64;
    let level: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(i, x)| x - line(i % axes, i / axes))
        .collect();
    let mut resampler = Fft::<f64>::new_custom(
        factor,
        1,
        DECIMATOR_CHUNK * factor,
        1,
        axes,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )
    .map_err(|error| error.to_string())?;
    let input =
        InterleavedOwned::new_from(level, axes, moments).map_err(|error| error.to_string())?;
    let output = resampler
        .process_all(&input, moments, None)
        .map_err(|error| error.to_string())?;
    let mut out = output.take_data();
    out.resize(n * axes, 0.0);
    for (i, x) in out.iter_mut().enumerate() {
        *x += line(i % axes, i / axes * factor);
    }
    Ok(out)
}
