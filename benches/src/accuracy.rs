//! How accurate integer features are: MFCC of `fixed` plans against f64 of the same samples, and
//! the other blocks and stages in one ratio each ([`BLOCKS`]).
//!
//! The truth is [`Numeric::Reference`] on the same 16-bit samples. Frames whose samples are all
//! zero are left out. Ratios are `10 log10(sum truth^2 / sum error^2)` over all frames of a signal.

mod blocks;
mod motion;
mod report;
mod signals;

use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Numeric, Values};
use otolith_dsp_core::{EngineError, Override, Pipeline};
use serde::Serialize;

pub use blocks::{BLOCKS, Block, BlockAccuracy, MOTION_BLOCKS, block_table};
pub use motion::movements;
pub use report::{json, table};
pub use signals::{Kind, Signal, few, signals};

/// Cepstral coefficients.
const COEFFS: usize = 13;

/// Kind of MFCC: its name, and the fields in which it differs from [`BASE`].
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Name in tables.
    pub name: &'static str,
    /// Fields of the `mfcc` block.
    fields: &'static [(&'static str, &'static str)],
}

/// 13 MFCC of 40 triangular filters, 20 to 8000 Hz, straight in mel (HTK scale), of the power
/// spectrum of 512 samples in a periodic Hann window, every 160 samples; `ln(E + 1e-10)`,
/// orthonormal DCT-II.
pub const BASE: Definition = Definition {
    name: "512 FFT, 40 mel",
    fields: &[],
};

const TEXT: &str = r#"[pipeline]
name = "accuracy"
[input]
rate_hz = 16000
sample_type = "i16"
[[block]]
id = "features"
type = "mfcc"
frame_samples = 512
hop_samples = 160
n_fft = 512
n_mels = 40
f_min_hz = 20
f_max_hz = 8000
empty_filters = "allow"
log_epsilon = 1e-10
n_coeffs = 13
"#;

/// Other definitions that blocks allow.
pub const OTHERS: &[Definition] = &[
    // The floor of a power of 1e-10, as a magnitude.
    of("magnitude, ln(x + 1e-10)", &[("spectrum", "magnitude")]),
    of("480-sample frames", &[("frame_samples", "480")]),
    of(
        "128 FFT, 20 mel",
        &[("frame_samples", "128"), ("n_fft", "128"), ("n_mels", "20")],
    ),
    of("256 FFT", &[("frame_samples", "256"), ("n_fft", "256")]),
    of("1024 FFT", &[("frame_samples", "1024"), ("n_fft", "1024")]),
    of("2048 FFT", &[("frame_samples", "2048"), ("n_fft", "2048")]),
    of("20 mel", &[("n_mels", "20")]),
    of("80 mel", &[("n_mels", "80")]),
    of("Slaney norm", &[("filter_norm", "slaney")]),
    of("ln(max(x, 1e-10))", &[("log_floor", "max")]),
    of("ln(x + 1e-6)", &[("log_epsilon", "1e-6")]),
    of("dB", &[("log", "db_power")]),
];

const fn of(name: &'static str, fields: &'static [(&'static str, &'static str)]) -> Definition {
    Definition { name, fields }
}

/// What was measured for one signal.
#[derive(Clone, Debug, Serialize)]
pub struct Accuracy {
    /// Name of the definition.
    pub definition: &'static str,
    /// `full` or `light`.
    pub precision: &'static str,
    /// Name of the signal.
    pub signal: String,
    /// What the signal is.
    pub kind: Kind,
    /// Frames that are not silent.
    pub frames: usize,
    /// Of all coefficients, in dB.
    pub all_db: f64,
    /// Of all but coefficient 0, in dB.
    pub rest_db: f64,
    /// The truth rounded to the features' own format: all coefficients, in dB.
    pub rounded_all_db: f64,
    /// The truth rounded to the features' own format: all but coefficient 0, in dB.
    pub rounded_rest_db: f64,
    /// Of the worst frame, all but coefficient 0, in dB; over frames in which the sum of their
    /// squares is above 1.
    pub worst_frame_db: f64,
    /// Largest error of all coefficients.
    pub max_error_all: f64,
    /// Largest error of all but coefficient 0.
    pub max_error_rest: f64,
}

/// Measures `definition` on every signal.
///
/// # Errors
/// [`EngineError`] when the definition has no `fixed` plan.
///
/// # Panics
/// When a definition's fields are not those of a pipeline.
pub fn measure(
    definition: &Definition,
    precision: Precision,
    signals: &[Signal],
) -> Result<Vec<Accuracy>, EngineError> {
    let overrides: Vec<_> = definition
        .fields
        .iter()
        .map(|(field, value)| Override::new(format!("features.{field}"), *value))
        .collect();
    let pipeline = Pipeline::from_toml(TEXT, ".".as_ref(), &overrides).expect("a pipeline");
    let framing = &pipeline.graph().first().framing;
    let engine = |numeric| Engine::new(pipeline.graph(), numeric, false);
    let mut reference = engine(Numeric::Reference)?;
    let mut fixed = engine(Numeric::Fixed(precision))?;
    let mut measured = Vec::new();
    for signal in signals {
        let mut errors = Errors::default();
        for clip in &signal.clips {
            let truth = reference.features(clip)?.values.to_f64();
            let found = fixed.features(clip)?.values;
            let Values::I16 { scale, .. } = &found else {
                unreachable!("fixed features are integers");
            };
            let rows = found.to_f64();
            assert_eq!(truth.len(), rows.len(), "{}", signal.name);
            let rows = truth.chunks(COEFFS).zip(rows.chunks(COEFFS));
            for (row, (truth, found)) in rows.enumerate() {
                let start = row * framing.hop;
                if clip[start..start + framing.frame_len]
                    .iter()
                    .any(|&x| x != 0)
                {
                    errors.add(truth, found, scale);
                }
            }
        }
        measured.push(errors.accuracy(definition, precision, signal));
    }
    Ok(measured)
}

/// Sums over frames; `[0]` for coefficient 0, `[1]` for the others.
#[derive(Default)]
struct Errors {
    frames: usize,
    signal: [f64; 2],
    error: [f64; 2],
    rounding: [f64; 2],
    largest: [f64; 2],
    worst_frame: Option<f64>,
}

impl Errors {
    fn add(&mut self, truth: &[f64], found: &[f64], scale: &[f64]) {
        self.frames += 1;
        let (mut signal, mut error) = (0.0, 0.0);
        for (i, (&t, &f)) in truth.iter().zip(found).enumerate() {
            let part = usize::from(i > 0);
            let unit = scale[i];
            let rounded = libm::round(t / unit).clamp(-32768.0, 32767.0) * unit;
            self.signal[part] += t * t;
            self.error[part] += (f - t) * (f - t);
            self.rounding[part] += (rounded - t) * (rounded - t);
            self.largest[part] = self.largest[part].max((f - t).abs());
            if part == 1 {
                signal += t * t;
                error += (f - t) * (f - t);
            }
        }
        if signal > 1.0 {
            let db = decibels(signal, error);
            self.worst_frame = Some(self.worst_frame.map_or(db, |worst| worst.min(db)));
        }
    }

    fn accuracy(&self, definition: &Definition, precision: Precision, signal: &Signal) -> Accuracy {
        let all = |parts: [f64; 2]| parts[0] + parts[1];
        Accuracy {
            definition: definition.name,
            precision: precision.name(),
            signal: signal.name.clone(),
            kind: signal.kind,
            frames: self.frames,
            all_db: decibels(all(self.signal), all(self.error)),
            rest_db: decibels(self.signal[1], self.error[1]),
            rounded_all_db: decibels(all(self.signal), all(self.rounding)),
            rounded_rest_db: decibels(self.signal[1], self.rounding[1]),
            worst_frame_db: self.worst_frame.unwrap_or(f64::NAN),
            max_error_all: self.largest[0].max(self.largest[1]),
            max_error_rest: self.largest[1],
        }
    }
}

fn decibels(signal: f64, error: f64) -> f64 {
    10.0 * libm::log10(signal / error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_summed_over_frames_and_apart_for_coefficient_0() {
        let mut errors = Errors::default();
        let scale = [1.0, 0.25, 0.25];
        errors.add(&[10.0, 3.0, 4.1], &[11.0, 3.0, 4.0], &scale);
        errors.add(&[10.0, 0.5, 0.0], &[10.0, 0.0, 0.0], &scale);
        let signal = Signal {
            name: "two frames".into(),
            kind: Kind::Tone,
            clips: vec![],
        };
        let found = errors.accuracy(&BASE, Precision::Full, &signal);
        let near = |x: f64, y: f64| (x - y).abs() < 1e-9;
        let rest = 9.0 + 4.1 * 4.1 + 0.25;
        assert!(near(found.rest_db, 10.0 * libm::log10(rest / 0.26)));
        assert!(near(
            found.all_db,
            10.0 * libm::log10((200.0 + rest) / 1.26)
        ));
        // 4.1 is nearest to 4.0, everything else has no rounding error.
        assert!(near(found.rounded_rest_db, 10.0 * libm::log10(rest / 0.01)));
        // The second frame is too quiet to have a ratio.
        let worst = 10.0 * libm::log10((9.0 + 4.1 * 4.1) / 0.01);
        assert!(near(found.worst_frame_db, worst));
        assert!(near(found.max_error_all, 1.0) && near(found.max_error_rest, 0.5));
    }
}
