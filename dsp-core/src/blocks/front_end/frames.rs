//! From samples to windowed frames.

use super::Stages;
use super::lengths::LengthRounding;
use crate::ConfigError;
use crate::config::{
    Choice, ChoiceOr, Field, FieldValue, Kind, Mismatch, Node, choices, read_choice_or, section,
};
use crate::graph::{FrameCount, Framing, Gain, Padding, SignalPreEmphasis, Source, StageKind};
use crate::input::Input;
use crate::tables::window::{WindowKind, WindowSymmetry, window};

/// Longest frame and FFT, so that no pipeline file asks for unbounded tables.
const LONGEST: f64 = 65536.0;

/// Frames in a window that Edge Impulse's blocks refuse to exceed.
const EDGE_IMPULSE_MAX_FRAMES: usize = 500;

choices! {
    /// Where frames lie, and how many there are in `n` samples.
    pub(crate) enum FramingRule {
        /// Wholly inside: frame `i` starts at `i * hop`; `1 + (n - frame) / hop` frames.
        Inside = "inside",
        /// As `inside`, but only frames that a whole hop follows; `(n - frame) / hop` frames.
        /// Edge Impulse version 1.
        InsideHops = "inside_hops",
        /// Frame `i` is centred on sample `i * hop`; `1 + n / hop` frames. librosa's
        /// `center=True`.
        Centred = "centred",
        /// As `centred`, without the last one; `n / hop` frames. Whisper.
        CentredHops = "centred_hops",
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
    /// What happens to frames that are longer than the FFT.
    pub(crate) enum LongFrames {
        /// The pipeline is refused.
        Refuse = "refuse",
        /// Samples behind the FFT's length are not used. Edge Impulse and python_speech_features,
        /// which do so silently.
        Truncate = "truncate",
    }
}

choices! {
    /// Scale of the samples before everything else.
    pub(crate) enum SampleScale {
        /// As `input.normalise` makes them.
        None = "none",
        /// Divided by 32768: the block takes 16-bit integers and works on numbers in [-1, 1).
        /// Edge Impulse's MFE, versions 3 and 4.
        FromInt16 = "from_int16",
        /// Divided by 32768 if any sample of the window is beyond 1 in magnitude. Edge Impulse's
        /// spectrogram, version 3.
        FromInt16IfBeyond1 = "from_int16_if_beyond_1",
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
        /// On the window before framing, in a circle: what comes before the first sample is the
        /// window's last one. Edge Impulse.
        Circular = "circular",
        /// Inside each frame, with `y[0] = x[0] - c x[0]`. Kaldi, HTK.
        Frame = "frame",
    }
}

choices! {
    /// Limits beyond those that the arithmetic needs.
    pub(crate) enum Limits {
        /// None.
        None = "none",
        /// What Edge Impulse's blocks refuse: an FFT length that is no power of two, more than
        /// 500 frames in a window, fewer than 2 filters, and frames or hops of a `spectrogram`
        /// shorter than 4 samples.
        EdgeImpulse = "edge_impulse",
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

section! {
    /// From samples to windowed frames.
    ///
    /// Order: scale, pre-emphasis on the signal, framing, DC removal, pre-emphasis in the frame,
    /// window.
    pub(crate) struct Frames {
        /// Length of a frame. Give this or `frame_samples`.
        frame_ms: Option<f64> { unit: "ms", range: Some((0.01, 60000.0)), instead_of: "frame_samples" },
        /// Length of a frame in samples. Give this or `frame_ms`.
        frame_samples: Option<FrameSamples> { unit: "samples", range: Some((1.0, LONGEST)), instead_of: "frame_ms" },
        /// What happens to a `frame_ms` that is no whole number of samples.
        frame_rounding: LengthRounding { default: "\"exact\"" },
        /// Time between the starts of two frames. Give this or `hop_samples`.
        hop_ms: Option<f64> { unit: "ms", range: Some((0.01, 60000.0)), instead_of: "hop_samples" },
        /// Samples between the starts of two frames. Give this or `hop_ms`.
        hop_samples: Option<usize> { unit: "samples", range: Some((1.0, LONGEST)), instead_of: "hop_ms" },
        /// What happens to a `hop_ms` that is no whole number of samples.
        hop_rounding: LengthRounding { default: "\"exact\"" },
        /// Where frames lie, and how many there are.
        framing: FramingRule { default: "\"inside\"" },
        /// What stands before the first and after the last sample of a recording or window, for
        /// frames that reach there.
        padding: Padding { default: "\"zero\"" },
        /// FFT length. Shorter frames are filled with zeros. Devices need a power of two.
        n_fft: Option<usize> { range: Some((2.0, LONGEST)), derived: "the smallest power of two that holds a frame" },
        /// What happens to frames that are longer than the FFT.
        long_frames: LongFrames { default: "\"refuse\"" },
        /// Where a frame lies inside a longer FFT.
        fft_position: FftPosition { default: "\"start\"" },
        /// Scale of the samples before everything else, on top of `input.normalise`.
        sample_scale: SampleScale { default: "\"none\"" },
        /// Noise that is added to samples.
        dither: Dither { default: "\"none\"" },
        /// Removal of the mean.
        dc_removal: DcRemoval { default: "\"none\"" },
        /// Where pre-emphasis works.
        pre_emphasis: PreEmphasis { default: "\"none\"" },
        /// The `c` of pre-emphasis `y[n] = x[n] - c x[n - pre_emphasis_shift]`.
        pre_emphasis_coefficient: f64 { range: Some((0.0, 1.0)), default: "0.97" },
        /// How far back pre-emphasis looks. Inside frames only 1.
        pre_emphasis_shift: usize { unit: "samples", range: Some((1.0, 4096.0)), default: "1" },
        /// Window that each frame is multiplied with.
        window: WindowKind { default: "\"hann\"" },
        /// Where the window's phase reaches 1.
        window_symmetry: WindowSymmetry { default: "\"periodic\"" },
        /// Limits beyond those that the arithmetic needs.
        limits: Limits { default: "\"none\"" },
    }
}

/// [`Frames`] that have been checked: lengths in samples, nothing left to derive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FramesSpec {
    /// The fields with every derived value filled in.
    pub(crate) config: Frames,
    pub(crate) rate_hz: f64,
    /// Samples in a frame, also those that a shorter FFT does not see.
    pub(crate) frame: usize,
    pub(crate) hop: usize,
    pub(crate) n_fft: usize,
}

impl Frames {
    /// Checks the fields together, and fills in what follows from others. Paths of errors are
    /// names of fields.
    pub(crate) fn validate(&self, input: &Input) -> Result<FramesSpec, ConfigError> {
        let rate_hz = input.rate_hz;
        let (frame, hop) = self.lengths(rate_hz)?;
        let n_fft = self
            .n_fft
            .unwrap_or_else(|| frame.next_power_of_two().max(2));
        if n_fft < frame && self.long_frames == LongFrames::Refuse {
            return Err(ConfigError::new(
                "n_fft",
                n_fft,
                format!(
                    "a frame has {frame} samples and must fit: expected at least {frame}, best {} \
                     (a power of two), or `long_frames = \"truncate\"` to leave samples unused",
                    frame.next_power_of_two()
                ),
            ));
        }
        if n_fft < frame && self.fft_position == FftPosition::Centre {
            return Err(ConfigError::new(
                "long_frames",
                "\"truncate\"",
                "a frame in the middle of the FFT has no part that could be left out: expected \
                 `fft_position = \"start\"`",
            ));
        }
        if self.limits == Limits::EdgeImpulse && !n_fft.is_power_of_two() {
            return Err(ConfigError::new(
                "n_fft",
                n_fft,
                format!(
                    "`limits = \"edge_impulse\"` expects a power of two: {} or {}",
                    n_fft.next_power_of_two() / 2,
                    n_fft.next_power_of_two()
                ),
            ));
        }
        if self.pre_emphasis == PreEmphasis::Frame && self.pre_emphasis_shift != 1 {
            return Err(ConfigError::new(
                "pre_emphasis_shift",
                self.pre_emphasis_shift,
                "pre-emphasis inside frames looks one sample back: expected 1, or \
                 `pre_emphasis = \"signal\"`",
            ));
        }
        self.refuse_scale_of_peaks(input)?;
        if input.is_stream() {
            self.refuse_what_streams_cannot()?;
        }
        Ok(FramesSpec {
            config: Self {
                frame_ms: None,
                frame_samples: Some(FrameSamples::Count(frame)),
                hop_ms: None,
                hop_samples: Some(hop),
                n_fft: Some(n_fft),
                ..self.clone()
            },
            rate_hz,
            frame,
            hop,
            n_fft,
        })
    }

    /// Frame and hop in samples.
    fn lengths(&self, rate_hz: f64) -> Result<(usize, usize), ConfigError> {
        let frame = match (self.frame_ms, self.frame_samples) {
            (Some(ms), Some(_)) => return Err(both("frame_ms", ms, "frame_samples")),
            (None, None) => return Err(neither("frame_ms", "frame_samples")),
            (Some(ms), None) => self.frame_rounding.samples("frame_ms", ms, rate_hz)?,
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
            (Some(ms), None) => self.hop_rounding.samples("hop_ms", ms, rate_hz)?,
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
        Ok((frame, hop))
    }

    fn refuse_scale_of_peaks(&self, input: &Input) -> Result<(), ConfigError> {
        let constant = matches!(input.source().gain, Gain::Constant(_));
        if self.sample_scale == SampleScale::None || constant {
            return Ok(());
        }
        Err(ConfigError::new(
            "sample_scale",
            format!("{:?}", self.sample_scale.name()),
            "`input.normalise` scales by the window's peak already: expected \"none\", or \
             `normalise = \"int16_scale\"` in `[input]`",
        ))
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
            FramingRule::Centred | FramingRule::CentredHops if self.padding != Padding::Zero => {
                return Err(ConfigError::new(
                    "padding",
                    self.padding.write().unwrap_or_default(),
                    format!(
                        "a stream's first frames come before the samples that this padding \
                         repeats, and its end never comes: expected \"zero\", or {INSTEAD}"
                    ),
                ));
            }
            _ => {}
        }
        if self.pre_emphasis == PreEmphasis::Circular {
            return Err(ConfigError::new(
                "pre_emphasis",
                "\"circular\"",
                format!(
                    "a stream has no end whose samples could come before the first one: expected \
                     \"signal\", or {INSTEAD}"
                ),
            ));
        }
        if self.sample_scale == SampleScale::FromInt16IfBeyond1 {
            return Err(ConfigError::new(
                "sample_scale",
                "\"from_int16_if_beyond_1\"",
                format!(
                    "it looks at all samples of a window, which a stream does not have: expected \
                     \"none\" or \"from_int16\", or {INSTEAD}"
                ),
            ));
        }
        Ok(())
    }
}

impl FramesSpec {
    /// The input's part of the graph, with the block's own scale.
    pub(crate) fn source(&self, input: &Input) -> Source {
        let source = input.source();
        let gain = match (source.gain, self.config.sample_scale) {
            (Gain::Constant(gain), SampleScale::FromInt16) => Gain::Constant(gain / 32768.0),
            (Gain::Constant(gain), SampleScale::FromInt16IfBeyond1) => Gain::IntegersToUnit(gain),
            (gain, _) => gain,
        };
        Source { gain, ..source }
    }

    /// Samples of a frame that the FFT sees.
    pub(super) fn seen(&self) -> usize {
        self.frame.min(self.n_fft)
    }

    /// The window of the samples that the FFT sees.
    pub(super) fn window(&self) -> Vec<f64> {
        let config = &self.config;
        let mut values = window(config.window, config.window_symmetry, self.frame);
        values.truncate(self.seen());
        values
    }

    /// How samples become frames.
    pub(crate) fn framing(&self, input: &Input) -> Framing {
        let config = &self.config;
        let extent = match config.fft_position {
            FftPosition::Start => self.frame,
            FftPosition::Centre => self.n_fft,
        };
        let lead = ((extent - self.frame) / 2) as isize;
        let half = (extent / 2) as isize;
        let start = lead
            + match config.framing {
                FramingRule::Inside | FramingRule::InsideHops | FramingRule::Covering => 0,
                FramingRule::Centred | FramingRule::CentredHops => -half,
                FramingRule::Rounded => (self.hop / 2) as isize - half,
            };
        let count = match config.framing {
            FramingRule::Inside => FrameCount::Inside,
            FramingRule::InsideHops => FrameCount::InsideHops,
            FramingRule::Centred => FrameCount::Centred,
            FramingRule::CentredHops => FrameCount::CentredHops,
            FramingRule::Covering => FrameCount::Covering,
            FramingRule::Rounded => FrameCount::Rounded,
        };
        let signal = matches!(
            config.pre_emphasis,
            PreEmphasis::Signal | PreEmphasis::Circular
        );
        Framing {
            frame_len: self.seen(),
            hop: self.hop,
            start,
            extent,
            count,
            padding: if input.is_stream() {
                Padding::Zero
            } else {
                config.padding
            },
            pre_emphasis: signal.then_some(SignalPreEmphasis {
                coefficient: config.pre_emphasis_coefficient,
                shift: config.pre_emphasis_shift,
                circular: config.pre_emphasis == PreEmphasis::Circular,
            }),
        }
    }

    /// Checks the number of frames in a window.
    pub(crate) fn check_frames(&self, frames: usize) -> Result<(), ConfigError> {
        if self.config.limits == Limits::EdgeImpulse && frames > EDGE_IMPULSE_MAX_FRAMES {
            return Err(ConfigError::new(
                "hop_samples",
                format!("{} samples, which make {frames} frames", self.hop),
                format!(
                    "`limits = \"edge_impulse\"` allows {EDGE_IMPULSE_MAX_FRAMES} frames in a \
                     window: use a longer hop or a shorter window"
                ),
            ));
        }
        Ok(())
    }

    /// Appends the stages of a frame up to its window; `energy` is kept aside on the way.
    pub(crate) fn expand(&self, stages: &mut Stages, energy: Option<super::KeptEnergy>) {
        use super::KeptEnergy::{Raw, Windowed};
        let config = &self.config;
        let len = self.seen();
        if config.dc_removal == DcRemoval::Frame {
            stages.push("dc_removal", len, StageKind::RemoveMean);
        }
        if let Some(Raw { floor }) = energy {
            stages.push("energy", len, StageKind::LogEnergy { floor });
        }
        if config.pre_emphasis == PreEmphasis::Frame {
            let coefficient = config.pre_emphasis_coefficient;
            stages.push("pre_emphasis", len, StageKind::PreEmphasis(coefficient));
        }
        if config.window != WindowKind::Rectangular {
            stages.push("window", len, StageKind::Window(self.window()));
        }
        if let Some(Windowed { floor }) = energy {
            stages.push("energy", len, StageKind::LogEnergy { floor });
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
