//! How accurate the other blocks and stages are in integers: the ratio of all values to their
//! errors, against f64 of the same samples.

use super::{Kind, Signal, decibels};
use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_dsp_core::{EngineError, Pipeline};
use serde::Serialize;
use std::fmt::Write;

/// A block with its fields.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Name in tables.
    pub name: &'static str,
    /// Type of the block.
    kind: &'static str,
    /// Fields of `[input]`.
    input: &'static str,
    /// Fields of the block.
    fields: &'static str,
    /// Least decibels on recordings.
    pub least_db: f64,
}

const CLIP: &str = "mode = \"clip\"";
const STREAM: &str = "mode = \"stream\"";
const INTEGERS: &str = "mode = \"clip\"\nnormalise = \"int16_scale\"";
const FRAMES: &str = "frame_samples = 400\nhop_samples = 160\nn_fft = 512\n";
const MEL: &str = "n_mels = 40\nempty_filters = \"allow\"\nlog_epsilon = 1e-10\n";

/// Three axes at 100 Hz, full scale 64 m/s2.
const SENSOR: &str = "kind = \"sensor\"\nrate_hz = 100\naxes = [\"ax\", \"ay\", \"az\"]\n\
                      full_scale = 64.0\nmode = \"window\"\nwindow_samples = 128\n\
                      window_hop_samples = 64\ntail = \"drop\"";

/// Every spectral block and stage that is measured, beside the MFCC of
/// [`BASE`](super::BASE).
pub const BLOCKS: &[Block] = &[
    mel("log-mel", CLIP, ""),
    mel("log-mel, column of energy", CLIP, "energy = \"raw\""),
    mel("mel energies", CLIP, "log = \"none\""),
    mel(
        "mel magnitudes",
        CLIP,
        "log = \"none\"\nspectrum = \"magnitude\"",
    ),
    mel("mel PCEN", CLIP, "log = \"pcen\""),
    mel(
        "mel PCEN of integers",
        INTEGERS,
        "log = \"pcen\"\npcen_start = 1.0",
    ),
    mel(
        "mel PCEN, stream",
        STREAM,
        "log = \"pcen\"\npcen_start = 0.0",
    ),
    mel(
        "spectral subtraction, mel",
        CLIP,
        "spectral_subtraction = \"mel\"",
    ),
    mel(
        "spectral subtraction, bins",
        STREAM,
        "spectral_subtraction = \"spectrum\"",
    ),
    mel(
        "mel, sliding mean, min-max",
        CLIP,
        "log = \"none\"\ncmvn = \"mean\"\ncmvn_span = 51\nwindow_scale = \"min_max\"",
    ),
    spectrogram("spectrogram, power", "log = \"none\""),
    spectrogram(
        "spectrogram, magnitude",
        "log = \"none\"\nspectrum = \"magnitude\"",
    ),
    spectrogram("spectrogram, dB", "log = \"db_power\""),
    spectrogram(
        "spectrogram, dB below top",
        "log = \"db_power\"\nlog_reference = \"top\"\ntop_range = 80.0",
    ),
    spectrogram(
        "spectrogram, noise floor",
        "log = \"db_power\"\nrescale = \"clamp\"\nrescale_low = -100.0\nrescale_high = 40.0",
    ),
    spectrogram(
        "spectrogram, min-max",
        "log = \"none\"\nwindow_scale = \"min_max\"",
    ),
    mfcc("MFCC, deltas", CLIP, "deltas = 2"),
    mfcc("MFCC, CMN", CLIP, "cmvn = \"mean\""),
    mfcc("MFCC, CMVN", CLIP, "cmvn = \"mean_variance\""),
    mfcc(
        "MFCC, CMVN, deltas",
        CLIP,
        "cmvn = \"mean_variance\"\ndeltas = 2",
    ),
    mfcc(
        "MFCC, sliding CMN",
        CLIP,
        "cmvn = \"mean\"\ncmvn_span = 101",
    ),
    mfcc(
        "MFCC, sliding CMVN",
        CLIP,
        "cmvn = \"mean_variance\"\ncmvn_span = 101",
    ),
    mfcc(
        "MFCC, sliding CMN then CVN",
        CLIP,
        "cmvn = \"mean_then_variance\"\ncmvn_span = 101",
    ),
    mfcc(
        "MFCC, running CMN",
        STREAM,
        "cmvn = \"mean\"\ncmvn_span = \"running\"",
    ),
    mfcc(
        "MFCC, running CMVN",
        STREAM,
        "cmvn = \"mean_variance\"\ncmvn_span = \"running\"",
    ),
];

/// Features of `imu_window`, those of one kind together.
pub const MOTION_BLOCKS: &[Block] = &[
    imu_window(
        "imu_window, moments",
        "\"mean\", \"std\", \"rms\", \"mean_magnitude\"",
        STATISTICS,
    ),
    imu_window("imu_window, energy", "\"energy\"", STATISTICS),
    imu_window(
        "imu_window, shape",
        "\"skewness\", \"kurtosis\"",
        STATISTICS,
    ),
    imu_window(
        "imu_window, order",
        "\"min\", \"max\", \"peak_to_peak\", \"median\", \"p10\", \"p90\", \"iqr\", \"mad\"",
        STATISTICS,
    ),
    imu_window(
        "imu_window, crossings",
        "\"zero_crossings\", \"mean_crossings\"",
        STATISTICS,
    ),
    imu_window(
        "imu_window, triads",
        "\"sma\", \"correlation\", \"direction\", \"tilt\"",
        STATISTICS,
    ),
    imu_window(
        "imu_window, autocorrelation",
        "\"autocorrelation\"",
        STATISTICS,
    ),
    imu_window(
        "imu_window, dominant frequency",
        "\"dominant_frequency\"",
        LARGEST_BIN,
    ),
    imu_window("imu_window, dominant power", "\"dominant_power\"", SPECTRA),
    imu_window(
        "imu_window, spectral entropy",
        "\"spectral_entropy\"",
        SPECTRA,
    ),
    imu_window("imu_window, bands", "\"band_energy\"", SPECTRA),
];

/// Least decibels of the frequency of the largest bin: where two bins nearly tie, the smallest
/// rounding makes it the other one, far away.
const LARGEST_BIN: f64 = 30.0;

/// Least decibels of statistics and filters, and of spectra.
const STATISTICS: f64 = 60.0;
const SPECTRA: f64 = 50.0;

/// A list of features of every channel.
const fn imu_window(name: &'static str, features: &'static str, least_db: f64) -> Block {
    Block {
        least_db,
        ..of(name, "imu_window", SENSOR, features)
    }
}

const fn mel(name: &'static str, input: &'static str, fields: &'static str) -> Block {
    of(name, "mel", input, fields)
}

const fn mfcc(name: &'static str, input: &'static str, fields: &'static str) -> Block {
    of(name, "mfcc", input, fields)
}

const fn spectrogram(name: &'static str, fields: &'static str) -> Block {
    of(name, "spectrogram", CLIP, fields)
}

const fn of(
    name: &'static str,
    kind: &'static str,
    input: &'static str,
    fields: &'static str,
) -> Block {
    Block {
        name,
        kind,
        input,
        fields,
        least_db: SPECTRA,
    }
}

/// What was measured for one block and signal.
#[derive(Clone, Debug, Serialize)]
pub struct BlockAccuracy {
    /// Name of the block.
    pub block: &'static str,
    /// Name of the signal.
    pub signal: String,
    /// What the signal is.
    pub kind: Kind,
    /// Values.
    pub values: usize,
    /// `10 log10(sum truth^2 / sum error^2)` over all values.
    pub all_db: f64,
    /// Largest error.
    pub max_error: f64,
}

impl Block {
    fn pipeline(&self) -> Pipeline {
        let fields = match self.kind {
            "mel" | "mfcc" => format!("{FRAMES}{MEL}{}", self.fields),
            "spectrogram" => format!("{FRAMES}{}", self.fields),
            "imu_window" => format!(
                "channels = [\"axes\", \"jerk\", \"gravity\", \"body\", \"magnitude\", \
                 \"jerk_magnitude\", \"body_magnitude\"]\nfeatures = [{}]\n\
                 band_edges_hz = [0.5, 2.0, 5.0, 10.0, 25.0]",
                self.fields
            ),
            _ => self.fields.to_owned(),
        };
        let rate = if self.input == SENSOR {
            ""
        } else {
            "rate_hz = 16000\n"
        };
        let text = format!(
            "[pipeline]\nname = \"accuracy\"\n[input]\n{rate}sample_type = \"i16\"\n{}\n\
             [[block]]\nid = \"features\"\ntype = \"{}\"\n{fields}\n",
            self.input, self.kind
        );
        Pipeline::from_toml(&text, ".".as_ref(), &[])
            .unwrap_or_else(|error| panic!("{}: {error}\n{text}", self.name))
    }

    /// Measures the block on every signal.
    ///
    /// # Errors
    /// [`EngineError`] when the block has no `fixed` plan.
    ///
    /// # Panics
    /// When the fields are not those of the block.
    pub fn measure(&self, signals: &[Signal]) -> Result<Vec<BlockAccuracy>, EngineError> {
        let pipeline = self.pipeline();
        let engine = |numeric| Engine::new(pipeline.graph(), numeric, false);
        let mut reference = engine(Numeric::Reference)?;
        let mut fixed = engine(Numeric::Fixed(Precision::Full))?;
        let mut measured = Vec::new();
        for signal in signals {
            let (mut values, mut power, mut error, mut largest) = (0, 0.0, 0.0, 0.0f64);
            for clip in &signal.clips {
                let truth = reference.features(clip)?.values.to_f64();
                let found = fixed.features(clip)?.values.to_f64();
                assert_eq!(truth.len(), found.len(), "{}", self.name);
                values += truth.len();
                for (t, f) in truth.iter().zip(&found) {
                    power += t * t;
                    error += (t - f) * (t - f);
                    largest = largest.max((t - f).abs());
                }
            }
            measured.push(BlockAccuracy {
                block: self.name,
                signal: signal.name.clone(),
                kind: signal.kind,
                values,
                all_db: decibels(power, error),
                max_error: largest,
            });
        }
        Ok(measured)
    }
}

/// A table with a row for each block and a column for each signal, under a title.
pub fn block_table(title: &str, measured: &[BlockAccuracy]) -> String {
    let mut text = format!("\n{title}: fixed against f64, dB over all values\n");
    let mut block = None;
    for m in measured {
        if block.is_none() {
            let first = measured.iter().take_while(|other| other.block == m.block);
            for (i, other) in first.enumerate() {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{:>3} {}", i + 1, other.signal);
            }
            let count = measured
                .iter()
                .filter(|other| other.block == m.block)
                .count();
            let columns: String = (1..=count).map(|i| format!("{i:>8}")).collect();
            let _ = write!(text, "{:<30}{columns}", "block");
        }
        if block.replace(m.block) != Some(m.block) {
            let _ = write!(text, "\n{:<30}", m.block);
        }
        let _ = write!(text, "{:>8.1}", m.all_db);
    }
    text.push('\n');
    text
}
