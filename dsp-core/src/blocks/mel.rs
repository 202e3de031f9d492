//! Block `mel`: log-mel energies, and the stages that `mfcc` starts with.

use std::f64::consts::LN_10;

use super::FeatureSpec;
use super::front_end::{
    DcRemoval, FftPosition, FramingRule, FrontEnd, FrontEndSpec, Limit, LogFloorRule, LogKind,
    PreEmphasis, Rescale, Spectrum, SpectrumNorm,
};
use super::mfcc::Energy;
use super::rows::{Rows, RowsSpec};
use crate::ConfigError;
use crate::config::{Section, Table};
use crate::graph::{FilterBank, FrameCount, Framing, Log, LogFloor, Padding, Stage, StageKind};
use crate::input::Input;
use crate::tables::mel::MelBank;
use crate::tables::window::{WindowKind, window};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Log-mel energies: each frame's spectrum, summed by triangular \
                                filters that are equally spaced in mel, and its logarithm.";

/// Fields of a `mel` block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mel {
    pub(crate) front: FrontEnd,
    pub(crate) rows: Rows,
}

/// A [`Mel`] that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MelSpec {
    pub(crate) front: FrontEndSpec,
    pub(crate) rows: RowsSpec,
}

impl Mel {
    pub(crate) fn read(table: &Table, path: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            front: FrontEnd::read(table, path)?,
            rows: Rows::read(table, path)?,
        })
    }

    pub(crate) fn validate(&self, input: &Input) -> Result<MelSpec, ConfigError> {
        Ok(MelSpec {
            front: self.front.validate(input)?,
            rows: self.rows.validate(input)?,
        })
    }
}

impl FeatureSpec for MelSpec {
    fn framing(&self, input: &Input) -> Framing {
        self.front.framing(input)
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        let mut stages = self.front.expand(id, None);
        self.rows.expand(id, &mut stages);
        stages
    }

    fn warning(&self) -> Option<String> {
        self.front.empty_filters()
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        let mut fields = self.front.config.write();
        fields.extend(self.rows.config.write());
        fields
    }
}

/// Reads and checks a block.
pub(crate) fn read(
    table: &Table,
    id: &str,
    input: &Input,
) -> Result<Box<dyn FeatureSpec>, ConfigError> {
    Ok(Box::new(Mel::read(table, id)?.validate(input)?))
}

impl FrontEndSpec {
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
                FramingRule::Inside | FramingRule::Covering => 0,
                FramingRule::Centred => -half,
                FramingRule::Rounded => (self.hop / 2) as isize - half,
            };
        let count = match config.framing {
            FramingRule::Inside => FrameCount::Inside,
            FramingRule::Centred => FrameCount::Centred,
            FramingRule::Covering => FrameCount::Covering,
            FramingRule::Rounded => FrameCount::Rounded,
        };
        Framing {
            frame_len: self.frame,
            hop: self.hop,
            start,
            extent,
            count,
            padding: if input.is_stream() {
                Padding::Zero
            } else {
                config.padding
            },
            pre_emphasis: (config.pre_emphasis == PreEmphasis::Signal)
                .then_some(config.pre_emphasis_coefficient),
        }
    }

    /// The stages from a frame to its log-mel values; `energy` is kept aside on the way.
    pub(crate) fn expand(&self, id: &str, energy: Option<Energy>) -> Vec<Stage> {
        let config = &self.config;
        let mut stages = Vec::new();
        let mut push = |name: &str, len: usize, kind: StageKind| {
            stages.push(Stage {
                name: format!("{id}.{name}"),
                len,
                kind,
            });
        };
        let frame = self.frame;
        if config.dc_removal == DcRemoval::Frame {
            push("dc_removal", frame, StageKind::RemoveMean);
        }
        if let Some(Energy::Raw { floor }) = energy {
            push("energy", frame, StageKind::LogEnergy { floor });
        }
        if config.pre_emphasis == PreEmphasis::Frame {
            let coefficient = config.pre_emphasis_coefficient;
            push("pre_emphasis", frame, StageKind::PreEmphasis(coefficient));
        }
        if config.window != WindowKind::Rectangular {
            let values = window(config.window, config.window_symmetry, frame);
            push("window", frame, StageKind::Window(values));
        }
        if let Some(Energy::Windowed { floor }) = energy {
            push("energy", frame, StageKind::LogEnergy { floor });
        }
        let n_fft = self.n_fft;
        let bins = n_fft / 2 + 1;
        push("rfft", bins, StageKind::Rfft { n_fft });
        let scale = match config.spectrum_norm {
            SpectrumNorm::None => 1.0,
            SpectrumNorm::NFft => 1.0 / n_fft as f64,
        };
        match config.spectrum {
            Spectrum::Power => push("power", bins, StageKind::Power { scale }),
            Spectrum::Magnitude => push("magnitude", bins, StageKind::Magnitude { scale }),
        }
        if let Some(Energy::Spectrum { floor }) = energy {
            push("energy", bins, StageKind::LogSum { floor });
        }
        let n_mels = config.n_mels;
        push("mel", n_mels, StageKind::Mel(self.filters()));
        if let Some(log) = self.log() {
            push("log", n_mels, StageKind::Log(log));
        }
        if let Limit::At(range) = config.top_range {
            push("top_range", n_mels, StageKind::TopRange { range });
        }
        if let Some(kind) = self.rescale() {
            push("rescale", n_mels, kind);
        }
        stages
    }

    /// The mel filter bank.
    pub(crate) fn filters(&self) -> FilterBank {
        MelBank {
            rate_hz: self.rate_hz,
            n_fft: self.n_fft,
            n_mels: self.config.n_mels,
            f_min_hz: self.config.f_min_hz,
            f_max_hz: self.f_max_hz,
            scale: self.config.mel_scale,
            shape: self.config.filter_shape,
            norm: self.config.filter_norm,
        }
        .filters()
    }

    /// Says how many mel filters contain no FFT bin, if any.
    pub(crate) fn empty_filters(&self) -> Option<String> {
        let bank = self.filters();
        let empty: Vec<usize> = (0..bank.filters.len())
            .filter(|&m| bank.filters[m].weights.is_empty())
            .collect();
        let first = empty.first()?;
        Some(format!(
            "{} of {} mel filters contain no FFT bin (the first is number {first}; bins are {} Hz \
             apart)",
            empty.len(),
            bank.filters.len(),
            self.rate_hz / self.n_fft as f64
        ))
    }

    fn log(&self) -> Option<Log> {
        let epsilon = self.config.log_epsilon;
        let scale = match self.config.log {
            LogKind::None => return None,
            LogKind::Ln => 1.0,
            LogKind::Log10 => 1.0 / LN_10,
            LogKind::DbPower => 10.0 / LN_10,
            LogKind::DbMagnitude => 20.0 / LN_10,
        };
        let floor = match self.config.log_floor {
            LogFloorRule::Add => LogFloor::Add(epsilon),
            LogFloorRule::Max => LogFloor::Max(epsilon),
            LogFloorRule::ReplaceZero => LogFloor::ReplaceZero(epsilon),
        };
        Some(Log { floor, scale })
    }

    fn rescale(&self) -> Option<StageKind> {
        let (min, max) = match self.config.rescale {
            Rescale::None => return None,
            Rescale::Affine => (f64::NEG_INFINITY, f64::INFINITY),
            Rescale::Floor => (0.0, f64::INFINITY),
            Rescale::Clamp => (0.0, 1.0),
        };
        Some(StageKind::Affine {
            add: -self.config.rescale_low,
            mul: 1.0 / (self.config.rescale_high - self.config.rescale_low),
            min,
            max,
        })
    }
}
