//! The signals that accuracy is measured on.

use otolith_fixtures::Array;
use serde::Serialize;
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

/// Recordings that are measured together.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Name in tables.
    pub name: String,
    /// What they are.
    pub kind: Kind,
    /// 16-bit samples: sound at 16 kHz, or three axes of an accelerometer side by side.
    pub clips: Vec<Vec<i16>>,
}

/// What a signal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Recorded words.
    Speech,
    /// White or recorded noise.
    Noise,
    /// A sine at a frequency between two bins of the FFT.
    Tone,
    /// A sine at the frequency of a bin: most filters hear nothing but the floor.
    BinTone,
    /// Two quiet sines.
    TwoTones,
    /// Recorded movements.
    Movement,
}

/// Part of full scale that a normalised peak has.
const PEAK: f64 = 0.9999;
/// Clips of each word.
const CLIPS: usize = 6;

/// All signals; `shared` is the folder of shared recordings.
///
/// # Panics
/// When a recording is missing.
pub fn signals(shared: &Path) -> Vec<Signal> {
    let words = words(shared, CLIPS);
    let mut all: Vec<Signal> = [0, -20, -40, -60].map(|db| speech(&words, db)).into();
    let input = |name: &str| Array::read(&shared.join("golden/dsp/in").join(name)).values;
    let mut one = |name: &str, kind, samples: &[f64], gain: f64| {
        all.push(Signal {
            name: name.into(),
            kind,
            clips: vec![quantised(samples, gain)],
        });
    };
    let (spoken, white) = (input("speech.npy"), input("white.npy"));
    let to_peak = |samples: &[f64], part: f64| part * PEAK / peak(samples);
    one(
        "speech 0 dBFS",
        Kind::Speech,
        &spoken,
        to_peak(&spoken, 1.0),
    );
    one(
        "speech -60 dBFS",
        Kind::Speech,
        &spoken,
        to_peak(&spoken, 1e-3),
    );
    one(
        "white noise 0 dBFS",
        Kind::Noise,
        &white,
        to_peak(&white, 1.0),
    );
    one(
        "white noise -40 dBFS",
        Kind::Noise,
        &white,
        to_peak(&white, 1e-2),
    );
    one("recorded noise", Kind::Noise, &input("noise_rec.npy"), 1.0);
    let (low, bin, high) = (tone(440.0), tone(1000.0), tone(2345.0));
    one("440 Hz 0 dBFS", Kind::Tone, &low, PEAK);
    one("1 kHz 0 dBFS (bin centre)", Kind::BinTone, &bin, PEAK);
    let two: Vec<f64> = low.iter().zip(&high).map(|(a, b)| 0.5 * (a + b)).collect();
    one("440 and 2345 Hz -40 dBFS", Kind::TwoTones, &two, 0.01);
    all
}

/// A few signals for definitions that are measured besides: a clip of each word at each level,
/// and the noises.
///
/// # Panics
/// When a recording is missing.
pub fn few(shared: &Path) -> Vec<Signal> {
    let words = words(shared, 1);
    let levels = [0, -20, -40, -60].map(|db| speech(&words, db));
    let noises = signals(shared)
        .into_iter()
        .filter(|signal| signal.kind == Kind::Noise);
    levels.into_iter().chain(noises).collect()
}

/// The first `n` clips of five words, in the order of file names.
fn words(shared: &Path, n: usize) -> Vec<Vec<f64>> {
    let mut clips = Vec::new();
    for word in ["yes", "no", "stop", "go", "unknown"] {
        let folder = shared.join("data/audio-keywords/test").join(word);
        let entries = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry of a folder").path())
            .collect();
        files.sort();
        assert!(
            files.len() >= n,
            "{}: fewer than {n} clips",
            folder.display()
        );
        clips.extend(files.iter().take(n).map(|file| wav(file)));
    }
    clips
}

/// Words, each normalised to a peak of `db` decibels of full scale.
fn speech(words: &[Vec<f64>], db: i32) -> Signal {
    let part = libm::pow(10.0, f64::from(db) / 20.0) * PEAK;
    Signal {
        name: format!("keywords {db} dBFS"),
        kind: Kind::Speech,
        clips: words
            .iter()
            .map(|clip| quantised(clip, part / peak(clip)))
            .collect(),
    }
}

fn wav(file: &Path) -> Vec<f64> {
    let mut wav =
        hound::WavReader::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    wav.samples::<i16>()
        .map(|sample| f64::from(sample.expect("a sample")) / 32768.0)
        .collect()
}

/// Two seconds of a sine at full scale.
fn tone(hz: f64) -> Vec<f64> {
    (0..32_000)
        .map(|n| libm::sin(TAU * hz * f64::from(n) / 16_000.0))
        .collect()
}

fn peak(samples: &[f64]) -> f64 {
    samples.iter().fold(0.0, |peak, x| peak.max(x.abs()))
}

fn quantised(samples: &[f64], gain: f64) -> Vec<i16> {
    // A cast from float to integer saturates.
    samples
        .iter()
        .map(|x| libm::round(x * gain * 32768.0) as i16)
        .collect()
}
