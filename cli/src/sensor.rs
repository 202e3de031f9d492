//! Recordings of sensors: delimited text, acquisition files and WAV, made to fit a pipeline.

use crate::acquisition::{self, AcquisitionError};
use crate::audio::{self, AudioError};
use crate::delimited::{CsvError, Delimited};
use otolith_dsp_core::input::Prepared;
use otolith_dsp_core::recording::{Chosen, Recording, RecordingError, Sensor};
use thiserror::Error;

/// Why a file gives no samples.
#[derive(Debug, Error)]
pub(crate) enum SensorError {
    #[error("{0}")]
    Csv(#[from] CsvError),
    #[error("{0}")]
    Acquisition(#[from] AcquisitionError),
    #[error("{0}")]
    Wav(#[from] AudioError),
    #[error("{0}")]
    Recording(#[from] RecordingError),
}

/// Reads a recording. What it is shows in how it begins: acquisition files and WAV do so by their
/// formats, anything else is delimited text.
pub(crate) fn read(bytes: &[u8], sensor: &Sensor) -> Result<Prepared, SensorError> {
    let recording = if bytes.starts_with(b"RIFF") {
        read_wav(bytes, sensor)?
    } else if acquisition::is_acquisition(bytes) {
        read_acquisition(bytes, sensor)?
    } else {
        read_text(bytes, sensor)?
    };
    Ok(sensor.fit(recording)?)
}

fn read_text(bytes: &[u8], sensor: &Sensor) -> Result<Recording, SensorError> {
    let mut table = Delimited::open(bytes)?;
    let chosen = sensor.choose(&table.names, table.columns)?;
    let mut recording = Recording {
        times: chosen.time.map(|_| Vec::new()),
        time_unit: chosen.time_unit,
        ..Recording::default()
    };
    while let Some(line) = table.next_line()? {
        recording.lines.push(line);
        if let (Some(times), Some(column)) = (&mut recording.times, chosen.time) {
            times.push(table.stamp(column)?);
        }
        for &column in &chosen.axes {
            recording.values.push(table.number(column)?);
        }
    }
    Ok(recording)
}

fn read_acquisition(bytes: &[u8], sensor: &Sensor) -> Result<Recording, SensorError> {
    let file = acquisition::read(bytes)?;
    let chosen = sensor.choose(&file.names, file.names.len())?;
    let units = chosen.axes.iter().map(|&axis| file.units[axis].clone());
    Ok(Recording {
        units: units.collect(),
        rate_hz: Some(file.rate_hz),
        ..of_columns(&file.values, file.names.len(), &chosen)
    })
}

fn read_wav(bytes: &[u8], sensor: &Sensor) -> Result<Recording, SensorError> {
    let file = audio::read_wav(bytes)?;
    let chosen = sensor.choose(&[], file.channels)?;
    let values: Vec<f64> = file.samples.into_f32().into_iter().map(f64::from).collect();
    Ok(Recording {
        rate_hz: file.rate_hz,
        full_scale: Some(1.0),
        ..of_columns(&values, file.channels, &chosen)
    })
}

/// The chosen ones of values that stand side by side.
fn of_columns(values: &[f64], columns: usize, chosen: &Chosen) -> Recording {
    let moments = values.chunks_exact(columns);
    Recording {
        times: chosen
            .time
            .map(|time| moments.clone().map(|moment| moment[time]).collect()),
        time_unit: chosen.time_unit,
        values: moments
            .flat_map(|moment| chosen.axes.iter().map(|&axis| moment[axis]))
            .collect(),
        ..Recording::default()
    }
}
