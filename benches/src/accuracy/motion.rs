//! Recordings of movements.

use super::{Kind, Signal};
use std::path::Path;

/// Sets of recordings, and their unit: m/s2, and g of which 4 are full scale.
const SETS: [(&str, f64); 2] = [("imu-har", 1.0), ("imu-gestures", 16.0)];
/// Full scale in m/s2.
const FULL_SCALE: f64 = 64.0;
/// Rows of a recording at least: one window.
const LEAST: usize = 128;

/// The accelerations of people and gestures, sample by sample as if they had come at 100 Hz;
/// `shared` is the folder of shared recordings.
///
/// # Panics
/// When a recording is missing.
pub fn movements(shared: &Path) -> Vec<Signal> {
    SETS.map(|(set, unit)| {
        let folder = shared.join("data").join(set);
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let labels = read("labels.csv");
        let files = labels
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').next());
        let clips = files.map(|file| samples(&read(file), unit / FULL_SCALE * 32768.0));
        Signal {
            name: set.into(),
            kind: Kind::Movement,
            clips: clips.filter(|clip| clip.len() >= 3 * LEAST).collect(),
        }
    })
    .into()
}

/// Columns 1 to 3 of a table, in 16-bit steps.
fn samples(table: &str, steps: f64) -> Vec<i16> {
    table
        .lines()
        .skip(1)
        .flat_map(|line| line.split(',').skip(1).take(3))
        .map(|field| libm::round(field.parse::<f64>().expect("a number") * steps) as i16)
        .collect()
}
