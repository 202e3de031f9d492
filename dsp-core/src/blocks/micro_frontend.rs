//! Block `micro_frontend`: TensorFlow's micro-frontend, bit for bit.

use super::FeatureSpec;
use super::flatten::Switch;
use super::front_end::whole_samples;
use crate::ConfigError;
use crate::config::{Section, Table, choices, section};
use crate::graph::{
    FrameCount, Framing, MicroFrontend, MicroLog, MicroOutput, Padding, Pcan, SampleType, Source,
    Stage, StageKind,
};
use crate::input::{Input, Normalise};
use crate::tables::micro_frontend::{Library, fft_factors, gains, log_corrections, segments};
use otolith_dsp_nostd::ops::fixed::micro::bank::WEIGHT_Q;
use otolith_dsp_nostd::ops::fixed::micro::fft::POINTS;
use otolith_dsp_nostd::ops::fixed::micro::gain::RATIO_Q;
use otolith_dsp_nostd::ops::fixed::micro::window::Peak;

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "TensorFlow's micro-frontend: log-mel amplitudes with noise \
                                reduction and automatic gain (PCAN), in the integers that \
                                micro_speech and microWakeWord models are trained on. Every \
                                numeric gives the same values.";

choices! {
    /// What the features are.
    pub(crate) enum Output {
        /// The integers of the library.
        Raw = "raw",
        /// The integers divided by 25.6: the floats of microWakeWord's training.
        Float = "float",
        /// The input of an int8 model: `floor((256 x + 333) / 666) - 128`, at most 127. A
        /// classifier behind the block takes them as they are, whatever its input's scale.
        Int8 = "int8",
    }
}

section! {
    /// From 16-bit samples to features. The noise estimate of a stream runs on without end; each
    /// window or clip starts without noise.
    pub(crate) struct MicroConfig {
        /// Implementation whose integers the features are.
        library: Library { default: "\"tensorflow\"" },
        /// Length of a frame. It must be a whole number of samples, at most 4096. The FFT has the
        /// smallest power of two that holds it.
        frame_ms: f64 { unit: "ms", range: Some((0.01, 10000.0)), default: "30.0" },
        /// Time between the starts of two frames: 20 for micro_speech, 10 for microWakeWord. It
        /// must be a whole number of samples.
        hop_ms: f64 { unit: "ms", range: Some((0.01, 10000.0)), default: "20.0" },
        /// Number of mel filters.
        n_channels: usize { range: Some((1.0, 256.0)), default: "40" },
        /// Lower corner of the first mel filter.
        f_min_hz: f64 { unit: "Hz", range: Some((0.0, 384000.0)), default: "125.0" },
        /// Upper corner of the last mel filter, less than half the sample rate.
        f_max_hz: f64 { unit: "Hz", range: Some((1.0, 384000.0)), default: "7500.0" },
        /// Fraction bits of the noise estimate.
        smoothing_bits: usize { range: Some((0.0, 16.0)), default: "10" },
        /// Share of a new value in the noise estimate of channels 0, 2, 4 and so on.
        even_smoothing: f64 { range: Some((0.0, 1.0)), default: "0.025" },
        /// Share of a new value in the noise estimate of channels 1, 3, 5 and so on.
        odd_smoothing: f64 { range: Some((0.0, 1.0)), default: "0.06" },
        /// Smallest share of a value that stays when the noise is subtracted.
        min_signal_remaining: f64 { range: Some((0.0, 1.0)), default: "0.05" },
        /// Whether each channel is divided by a power of its noise estimate (per-channel amplitude
        /// normalisation).
        pcan: Switch { default: "\"on\"" },
        /// The power of `pcan`.
        pcan_strength: f64 { range: Some((0.0, 10.0)), default: "0.95" },
        /// Added to the noise estimate before `pcan` takes its power.
        pcan_offset: f64 { range: Some((0.001, 1e9)), default: "80.0" },
        /// Fraction bits of the gain of `pcan`. What is above 32767 is limited.
        pcan_gain_bits: usize { range: Some((0.0, 31.0)), default: "21" },
        /// Whether the logarithm is taken. Without it, values above 65535 are limited.
        log: Switch { default: "\"on\"" },
        /// Fraction bits of the logarithm: features are `2^log_scale_shift ln(x)`.
        log_scale_shift: usize { range: Some((0.0, 10.0)), default: "6" },
        /// What the features are.
        output: Output { default: "\"raw\"" },
    }
}

/// A [`MicroConfig`] that has been checked.
#[derive(Debug)]
pub(crate) struct MicroSpec {
    config: MicroConfig,
    framing: Framing,
    front: MicroFrontend,
}

/// Fails unless the input's samples are the integers themselves. The path of the error is the whole
/// one.
pub(crate) fn needs_integers(input: &Input) -> Result<(), ConfigError> {
    let (field, found, expected) = if !input.axes.is_empty() {
        ("kind", "sensor", "audio")
    } else if input.normalise != Normalise::None {
        ("normalise", input.normalise.name(), Normalise::None.name())
    } else {
        return Ok(());
    };
    Err(ConfigError::new(
        format!("{}.{field}", input.id),
        format!("{found:?}"),
        format!("a micro-frontend works on the 16-bit samples themselves: expected {expected:?}"),
    ))
}

impl MicroConfig {
    /// Checks the fields together, and makes the tables. Paths of errors are names of fields.
    pub(crate) fn validate(&self, input: &Input) -> Result<MicroSpec, ConfigError> {
        let rate_hz = input.rate_hz;
        let frame = whole_samples("frame_ms", self.frame_ms, rate_hz)?;
        let hop = whole_samples("hop_ms", self.hop_ms, rate_hz)?;
        let n_fft = frame.next_power_of_two().max(*POINTS.start());
        if n_fft > *POINTS.end() {
            return Err(ConfigError::new(
                "frame_ms",
                self.frame_ms,
                format!(
                    "{frame} samples are more than the FFT takes: expected at most {} ms",
                    *POINTS.end() as f64 * 1000.0 / rate_hz
                ),
            ));
        }
        Ok(MicroSpec {
            front: self.front(rate_hz, frame, n_fft)?,
            framing: Framing {
                frame_len: frame,
                hop,
                start: 0,
                extent: frame,
                count: FrameCount::Inside,
                padding: Padding::Zero,
                pre_emphasis: None,
            },
            config: self.clone(),
        })
    }

    fn front(
        &self,
        rate_hz: f64,
        frame: usize,
        n_fft: usize,
    ) -> Result<MicroFrontend, ConfigError> {
        let library = self.library;
        let (twiddles, split) = fft_factors(n_fft);
        if self.f_min_hz >= self.f_max_hz {
            return Err(ConfigError::new(
                "f_min_hz",
                self.f_min_hz,
                format!("expected less than `f_max_hz` = {}", self.f_max_hz),
            ));
        }
        let corners = (self.f_min_hz, self.f_max_hz);
        let bank = segments(library, self.n_channels, corners, rate_hz, n_fft);
        if bank.first_bin + bank.falling.len() > n_fft / 2 {
            return Err(ConfigError::new(
                "f_max_hz",
                self.f_max_hz,
                format!(
                    "the last mel filter must end below half of `input.rate_hz`: expected less \
                     than {} Hz",
                    rate_hz / 2.0
                ),
            ));
        }
        // An FFT divides by its length, weights of the filters have Q12, and there is a root.
        let correction_bits = n_fft.ilog2() as i32 - WEIGHT_Q as i32 / 2;
        let pcan = match self.pcan {
            Switch::On => Some(self.pcan(correction_bits)?),
            Switch::Off => None,
        };
        let smoothing = [self.even_smoothing, self.odd_smoothing].map(|s| library.share(s));
        Ok(MicroFrontend {
            window: library.window(frame),
            peak: match library {
                Library::TensorFlow | Library::EspHome => Peak::Library,
                Library::Tflm => Peak::Signal,
            },
            n_fft,
            twiddles,
            split,
            first_bin: bank.first_bin,
            segments: bank.lengths,
            rising: bank.rising,
            falling: bank.falling,
            smoothing: smoothing
                .into_iter()
                .cycle()
                .take(self.n_channels)
                .collect(),
            smoothing_bits: self.smoothing_bits as u32,
            min_signal_remaining: library.share(self.min_signal_remaining).into(),
            pcan,
            log: (self.log == Switch::On).then(|| MicroLog {
                corrections: log_corrections(),
                correction_bits,
                scale_shift: self.log_scale_shift as u32,
            }),
            output: match self.output {
                Output::Raw => MicroOutput::Scaled(1.0),
                Output::Float => MicroOutput::Scaled(10.0 / 256.0),
                Output::Int8 => MicroOutput::Codes,
            },
        })
    }

    fn pcan(&self, correction_bits: i32) -> Result<Pcan, ConfigError> {
        let input_bits = self.smoothing_bits as i32 - correction_bits;
        let input_bits = u32::try_from(input_bits).map_err(|_| {
            ConfigError::new(
                "smoothing_bits",
                self.smoothing_bits,
                format!("`pcan` with this frame takes at least {correction_bits}"),
            )
        })?;
        let gain_bits = self.pcan_gain_bits as i32;
        let shift = match self.library {
            // Its shift does not depend on the settings.
            Library::Tflm => 6,
            _ => gain_bits - correction_bits - RATIO_Q as i32,
        };
        let shift = u32::try_from(shift).map_err(|_| {
            let least = correction_bits + RATIO_Q as i32;
            ConfigError::new(
                "pcan_gain_bits",
                self.pcan_gain_bits,
                format!("`pcan` with this frame takes at least {least}"),
            )
        })?;
        Ok(Pcan {
            gains: gains(
                self.pcan_strength,
                self.pcan_offset,
                gain_bits as u32,
                input_bits,
            ),
            shift,
        })
    }
}

impl FeatureSpec for MicroSpec {
    fn framing(&self, _input: &Input) -> Framing {
        self.framing.clone()
    }

    fn source(&self, input: &Input) -> Source {
        Source {
            sample_type: SampleType::I16,
            ..input.source()
        }
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        vec![Stage {
            name: id.to_owned(),
            len: self.config.n_channels,
            kind: StageKind::MicroFrontend(Box::new(self.front.clone())),
        }]
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        self.config.write()
    }
}

/// Reads and checks a block.
pub(crate) fn read(
    table: &Table,
    id: &str,
    input: &Input,
) -> Result<Box<dyn FeatureSpec>, ConfigError> {
    Ok(Box::new(MicroConfig::read(table, id)?.validate(input)?))
}
