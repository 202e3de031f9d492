//! From samples to log-mel energies: what `mel` and `mfcc` share.

use crate::ConfigError;
use crate::config::{
    Choice, ChoiceOr, Field, FieldValue, Kind, Mismatch, Node, choices, read_choice_or, section,
    write_number,
};
use crate::graph::Padding;
use crate::input::Input;
use crate::tables::mel::{FilterNorm, FilterShape, MelScale};
use crate::tables::window::{WindowKind, WindowSymmetry};

/// Longest frame and FFT, so that no pipeline file asks for unbounded tables.
const LONGEST: f64 = 65536.0;

choices! {
    /// Where frames lie, and how many there are in `n` samples.
    pub(crate) enum FramingRule {
        /// Wholly inside: frame `i` starts at `i * hop`; `1 + (n - frame) / hop` frames.
        Inside = "inside",
        /// Frame `i` is centred on sample `i * hop`; `1 + n / hop` frames. librosa's
        /// `center=True`.
        Centred = "centred",
        /// As `inside`, and one more frame, padded at its end, when samples are left over.
        /// python_speech_features.
        Covering = "covering",
        /// Frame `i` is centred on `(i + 1/2) * hop`; `(n + hop / 2) / hop` frames. Kaldi's
        /// `snip_edges=false`.
        Rounded = "rounded",
    }
}

choices! {
    /// Where a frame lies inside a longer FFT.
    pub(crate) enum FftPosition {
        /// At its start, zeros after it. TensorFlow, Kaldi, python_speech_features.
        Start = "start",
        /// In its middle, and frames are counted by FFT length. librosa.
        Centre = "centre",
    }
}

choices! {
    /// Noise that is added to samples.
    pub(crate) enum Dither {
        /// None. Features are the same every time.
        None = "none",
    }
}

choices! {
    /// Removal of the mean.
    pub(crate) enum DcRemoval {
        /// None.
        None = "none",
        /// The mean of each frame is subtracted, before pre-emphasis in the frame. Kaldi.
        Frame = "frame",
    }
}

choices! {
    /// Where pre-emphasis `y[n] = x[n] - c x[n-1]` works.
    pub(crate) enum PreEmphasis {
        /// Nowhere.
        None = "none",
        /// On the signal or window before framing, with `y[0] = x[0]`. python_speech_features.
        Signal = "signal",
        /// Inside each frame, with `y[0] = x[0] - c x[0]`. Kaldi.
        Frame = "frame",
    }
}

choices! {
    /// What is taken from each FFT bin.
    pub(crate) enum Spectrum {
        /// `|X|^2`.
        Power = "power",
        /// `|X|`.
        Magnitude = "magnitude",
    }
}

choices! {
    /// What the spectrum is divided by.
    pub(crate) enum SpectrumNorm {
        /// Nothing.
        None = "none",
        /// The FFT length. python_speech_features.
        NFft = "n_fft",
    }
}

choices! {
    /// What happens when a filter contains no FFT bin.
    pub(crate) enum EmptyFilters {
        /// The pipeline is refused.
        Refuse = "refuse",
        /// The filter's output is 0, as librosa and TensorFlow do; `check` warns.
        Allow = "allow",
    }
}

choices! {
    /// Logarithm of the mel energies.
    pub(crate) enum LogKind {
        /// None: the energies themselves.
        None = "none",
        /// Natural logarithm.
        Ln = "ln",
        /// Decimal logarithm.
        Log10 = "log10",
        /// Decibels of a power: `10 log10(x)`.
        DbPower = "db_power",
        /// Decibels of a magnitude: `20 log10(x)`.
        DbMagnitude = "db_magnitude",
    }
}

choices! {
    /// How the logarithm is kept from minus infinity.
    pub(crate) enum LogFloorRule {
        /// `log(x + epsilon)`. TensorFlow's examples.
        Add = "add",
        /// `log(max(x, epsilon))`. librosa, Kaldi.
        Max = "max",
        /// `log(epsilon)` where `x` is 0. python_speech_features.
        ReplaceZero = "replace_zero",
    }
}

choices! {
    /// Mapping of the log-mel values to 0..1: `y = (x - low) / (high - low)`.
    pub(crate) enum Rescale {
        /// None.
        None = "none",
        /// Mapped, not limited.
        Affine = "affine",
        /// Mapped, at least 0.
        Floor = "floor",
        /// Mapped, at least 0 and at most 1.
        Clamp = "clamp",
    }
}

/// `"none"`, or a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    None,
    At(f64),
}

impl FieldValue for Limit {
    const KIND: Kind = Kind::NumberOr(&[Choice {
        name: "none",
        doc: " No limit.",
    }]);

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        Ok(match read_choice_or(node, field)? {
            ChoiceOr::Choice(_) => Self::None,
            ChoiceOr::Value(number) => Self::At(number),
        })
    }

    fn write(&self) -> Option<String> {
        Some(match self {
            Self::None => "\"none\"".to_owned(),
            Self::At(number) => write_number(*number),
        })
    }
}

/// `"n_fft"`, or a number of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum FrameSamples {
    NFft,
    Count(usize),
}

impl FieldValue for FrameSamples {
    const KIND: Kind = Kind::IntegerOr(&[Choice {
        name: "n_fft",
        doc: " As long as the FFT.",
    }]);

    fn read(node: &Node, field: &Field) -> Result<Self, Mismatch> {
        Ok(match read_choice_or(node, field)? {
            ChoiceOr::Choice(_) => Self::NFft,
            ChoiceOr::Value(count) => Self::Count(count),
        })
    }

    fn write(&self) -> Option<String> {
        match self {
            Self::NFft => Some("\"n_fft\"".to_owned()),
            Self::Count(count) => count.write(),
        }
    }
}

impl FieldValue for Padding {
    const KIND: Kind = Kind::Choice(&[
        Choice {
            name: "zero",
            doc: " Zeros.",
        },
        Choice {
            name: "reflect",
            doc: " The signal mirrored about its first and last sample, which are not repeated.",
        },
        Choice {
            name: "symmetric",
            doc: " The signal mirrored about its edges, the first and last sample repeated. Kaldi.",
        },
        Choice {
            name: "edge",
            doc: " The first and last sample repeated.",
        },
    ]);

    fn read(node: &Node, _field: &Field) -> Result<Self, Mismatch> {
        let Kind::Choice(choices) = Self::KIND else {
            unreachable!("declared above")
        };
        Ok(match crate::config::read_choice(node, choices)? {
            0 => Self::Zero,
            1 => Self::Reflect,
            2 => Self::Symmetric,
            _ => Self::Edge,
        })
    }

    fn write(&self) -> Option<String> {
        Some(
            match self {
                Self::Zero => "\"zero\"",
                Self::Reflect => "\"reflect\"",
                Self::Symmetric => "\"symmetric\"",
                Self::Edge => "\"edge\"",
            }
            .to_owned(),
        )
    }
}

section! {
    /// From samples to log-mel energies.
    ///
    /// Order: pre-emphasis on the signal, framing, DC removal, pre-emphasis in the frame, window,
    /// FFT, spectrum, mel filters, logarithm, `top_range`, rescale.
    pub(crate) struct FrontEnd {
        /// Length of a frame. It must be a whole number of samples. Give this or
        /// `frame_samples`.
        frame_ms: Option<f64> { unit: "ms", range: Some((0.01, 10000.0)), instead_of: "frame_samples" },
        /// Length of a frame in samples. Give this or `frame_ms`.
        frame_samples: Option<FrameSamples> { unit: "samples", range: Some((1.0, LONGEST)), instead_of: "frame_ms" },
        /// Time between the starts of two frames. It must be a whole number of samples. Give
        /// this or `hop_samples`.
        hop_ms: Option<f64> { unit: "ms", range: Some((0.01, 10000.0)), instead_of: "hop_samples" },
        /// Samples between the starts of two frames. Give this or `hop_ms`.
        hop_samples: Option<usize> { unit: "samples", range: Some((1.0, LONGEST)), instead_of: "hop_ms" },
        /// Where frames lie, and how many there are.
        framing: FramingRule { default: "\"inside\"" },
        /// What stands before the first and after the last sample of a recording or window, for
        /// frames that reach there.
        padding: Padding { default: "\"zero\"" },
        /// Where a frame lies inside a longer FFT.
        fft_position: FftPosition { default: "\"start\"" },
        /// Noise that is added to samples.
        dither: Dither { default: "\"none\"" },
        /// Removal of the mean.
        dc_removal: DcRemoval { default: "\"none\"" },
        /// Where pre-emphasis works.
        pre_emphasis: PreEmphasis { default: "\"none\"" },
        /// The `c` of pre-emphasis `y[n] = x[n] - c x[n-1]`.
        pre_emphasis_coefficient: f64 { range: Some((0.0, 1.0)), default: "0.97" },
        /// Window that each frame is multiplied with.
        window: WindowKind { default: "\"hann\"" },
        /// Where the window's phase reaches 1.
        window_symmetry: WindowSymmetry { default: "\"periodic\"" },
        /// FFT length, at least the frame. Shorter frames are filled with zeros. Devices need a
        /// power of two.
        n_fft: Option<usize> { range: Some((2.0, LONGEST)), derived: "the smallest power of two that holds a frame" },
        /// What is taken from each FFT bin.
        spectrum: Spectrum { default: "\"power\"" },
        /// What the spectrum is divided by.
        spectrum_norm: SpectrumNorm { default: "\"none\"" },
        /// How frequency maps to mel.
        mel_scale: MelScale { default: "\"htk\"" },
        /// Number of mel filters.
        n_mels: usize { range: Some((1.0, 1024.0)), default: "40" },
        /// Lower corner of the first mel filter.
        f_min_hz: f64 { unit: "Hz", range: Some((0.0, 384000.0)), default: "20.0" },
        /// Upper corner of the last mel filter, at most half the sample rate.
        f_max_hz: Option<f64> { unit: "Hz", range: Some((0.0, 384000.0)), derived: "half the sample rate" },
        /// Shape of the mel filters and where their corners lie.
        filter_shape: FilterShape { default: "\"mel\"" },
        /// What each mel filter is divided by.
        filter_norm: FilterNorm { default: "\"none\"" },
        /// What happens when a mel filter contains no FFT bin.
        empty_filters: EmptyFilters { default: "\"refuse\"" },
        /// Logarithm of the mel energies.
        log: LogKind { default: "\"ln\"" },
        /// How the logarithm is kept from minus infinity.
        log_floor: LogFloorRule { default: "\"add\"" },
        /// The epsilon of `log_floor`.
        log_epsilon: f64 { range: Some((1e-30, 1e6)), default: "1e-6" },
        /// Largest distance of a value below the largest value of the window, in units of `log`
        /// (librosa's `top_db`). It looks at a whole window, so it needs `mode = "window"` or
        /// `"clip"`.
        top_range: Limit { range: Some((1e-6, 1000.0)), default: "\"none\"" },
        /// Mapping of the log-mel values to 0..1, such as Edge Impulse's noise floor.
        rescale: Rescale { default: "\"none\"" },
        /// The log-mel value that `rescale` maps to 0, in units of `log`: the noise floor.
        rescale_low: f64 { range: Some((-1000.0, 1000.0)), default: "-52.0" },
        /// The log-mel value that `rescale` maps to 1, in units of `log`.
        rescale_high: f64 { range: Some((-1000.0, 1000.0)), default: "12.0" },
    }
}

/// A [`FrontEnd`] that has been checked: lengths in samples, nothing left to derive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FrontEndSpec {
    /// The fields with every derived value filled in.
    pub(crate) config: FrontEnd,
    pub(crate) rate_hz: f64,
    pub(crate) frame: usize,
    pub(crate) hop: usize,
    pub(crate) n_fft: usize,
    pub(crate) f_max_hz: f64,
}

impl FrontEnd {
    /// Checks the fields together, and fills in what follows from others. Paths of errors are
    /// names of fields.
    pub(crate) fn validate(&self, input: &Input) -> Result<FrontEndSpec, ConfigError> {
        let rate_hz = input.rate_hz;
        let frame = match (self.frame_ms, self.frame_samples) {
            (Some(ms), Some(_)) => return Err(both("frame_ms", ms, "frame_samples")),
            (None, None) => return Err(neither("frame_ms", "frame_samples")),
            (Some(ms), None) => whole_samples("frame_ms", ms, rate_hz)?,
            (None, Some(FrameSamples::Count(count))) => count,
            (None, Some(FrameSamples::NFft)) => self.n_fft.ok_or_else(|| {
                ConfigError::new(
                    "frame_samples",
                    "\"n_fft\"",
                    "`n_fft` has no value: give it, or give `frame_samples` as a number",
                )
            })?,
        };
        let hop = match (self.hop_ms, self.hop_samples) {
            (Some(ms), Some(_)) => return Err(both("hop_ms", ms, "hop_samples")),
            (None, None) => return Err(neither("hop_ms", "hop_samples")),
            (Some(ms), None) => whole_samples("hop_ms", ms, rate_hz)?,
            (None, Some(count)) => count,
        };
        for (name, samples) in [("frame_ms", frame), ("hop_ms", hop)] {
            if samples as f64 > LONGEST {
                return Err(ConfigError::new(
                    name,
                    format!("{samples} samples"),
                    format!("expected at most {LONGEST}"),
                ));
            }
        }
        let n_fft = self
            .n_fft
            .unwrap_or_else(|| frame.next_power_of_two().max(2));
        if n_fft < frame {
            return Err(ConfigError::new(
                "n_fft",
                n_fft,
                format!(
                    "a frame has {frame} samples and must fit: expected at least {frame}, best {} \
                     (a power of two)",
                    frame.next_power_of_two()
                ),
            ));
        }
        let nyquist = rate_hz / 2.0;
        let f_max_hz = self.f_max_hz.unwrap_or(nyquist);
        if f_max_hz > nyquist {
            return Err(ConfigError::new(
                "f_max_hz",
                f_max_hz,
                format!(
                    "expected at most {nyquist} Hz, half of `input.rate_hz` = {}",
                    input.rate_hz
                ),
            ));
        }
        if self.f_min_hz >= f_max_hz {
            return Err(ConfigError::new(
                "f_min_hz",
                self.f_min_hz,
                format!("expected less than `f_max_hz` = {f_max_hz}"),
            ));
        }
        if self.rescale != Rescale::None && self.rescale_high <= self.rescale_low {
            return Err(ConfigError::new(
                "rescale_high",
                self.rescale_high,
                format!("expected more than `rescale_low` = {}", self.rescale_low),
            ));
        }
        if input.is_stream() {
            self.refuse_what_streams_cannot()?;
        }
        let spec = FrontEndSpec {
            config: Self {
                frame_ms: None,
                frame_samples: Some(FrameSamples::Count(frame)),
                hop_ms: None,
                hop_samples: Some(hop),
                n_fft: Some(n_fft),
                f_max_hz: Some(f_max_hz),
                ..self.clone()
            },
            rate_hz,
            frame,
            hop,
            n_fft,
            f_max_hz,
        };
        if self.empty_filters == EmptyFilters::Refuse
            && let Some(warning) = spec.empty_filters()
        {
            return Err(ConfigError::new(
                "n_mels",
                self.n_mels,
                format!(
                    "{warning}: use fewer filters, a larger `n_fft` or `f_min_hz`, or \
                     `empty_filters = \"allow\"`"
                ),
            ));
        }
        Ok(spec)
    }

    fn refuse_what_streams_cannot(&self) -> Result<(), ConfigError> {
        const INSTEAD: &str = "use it with `mode = \"window\"` or `mode = \"clip\"` in `[input]`";
        match self.framing {
            FramingRule::Covering | FramingRule::Rounded => {
                return Err(ConfigError::new(
                    "framing",
                    format!("{:?}", self.framing.name()),
                    format!(
                        "a stream has no end that a last frame could be padded at: expected \
                         \"inside\" or \"centred\", or {INSTEAD}"
                    ),
                ));
            }
            FramingRule::Centred if self.padding != Padding::Zero => {
                return Err(ConfigError::new(
                    "padding",
                    self.padding.write().unwrap_or_default(),
                    format!(
                        "a stream's first frames come before the samples that this padding \
                         repeats, and its end never comes: expected \"zero\", or {INSTEAD}"
                    ),
                ));
            }
            FramingRule::Centred | FramingRule::Inside => {}
        }
        match self.top_range {
            Limit::At(range) => Err(ConfigError::new(
                "top_range",
                range,
                format!(
                    "it measures from the largest value of a whole window, which a stream does \
                     not have: expected \"none\", or {INSTEAD}"
                ),
            )),
            Limit::None => Ok(()),
        }
    }
}

pub(crate) fn both(field: &str, value: f64, other: &str) -> ConfigError {
    ConfigError::new(
        field,
        value,
        format!("`{other}` is given as well: give only one of them"),
    )
}

fn neither(ms: &str, samples: &str) -> ConfigError {
    ConfigError::new(ms, "no value", format!("give `{ms}` or `{samples}`"))
}

/// Samples in `ms`, which must be a whole number of them.
pub(crate) fn whole_samples(field: &str, ms: f64, rate_hz: f64) -> Result<usize, ConfigError> {
    let samples = ms * rate_hz / 1000.0;
    let nearest = samples.round();
    // Milliseconds written with six decimals count as exact.
    if (samples - nearest).abs() <= 1e-3 && nearest >= 1.0 {
        return Ok(nearest as usize);
    }
    let below = samples.floor();
    let as_ms = |count: f64| {
        let written = format!("{:.6}", count * 1000.0 / rate_hz);
        let short = written.trim_end_matches('0').trim_end_matches('.');
        format!("{short} ({count} samples)")
    };
    let nearby = if below < 1.0 {
        as_ms(1.0)
    } else {
        format!("{} or {}", as_ms(below), as_ms(below + 1.0))
    };
    Err(ConfigError::new(
        field,
        ms,
        format!(
            "{samples} samples at {rate_hz} Hz is not a whole number: expected for example \
             {nearby}"
        ),
    ))
}
