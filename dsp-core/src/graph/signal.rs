//! What happens to the running stream of samples before windows and frames are cut from it.

use super::{Chain, Mode, SampleType, Section, Source};

/// Filters and decimations of the running stream of samples, each axis on its own.
///
/// They start at rest with a recording's first sample, and their memory runs on from window to
/// window. [`Chain::source`] describes what they give; this says what they take.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditioning {
    /// Sample rate of the recording, in hertz.
    pub rate_hz: f64,
    /// Sample type of the recording. With [`SampleType::I16`], float samples are rounded to 16
    /// bits before the first stage.
    pub sample_type: SampleType,
    /// Samples of the recording for one that the chain sees: the product of all decimations.
    pub factor: usize,
    /// The stages in their order.
    pub stages: Vec<SignalStage>,
}

/// One step of a [`Conditioning`].
#[derive(Clone, Debug, PartialEq)]
pub struct SignalStage {
    /// Id of the block.
    pub name: String,
    /// What it does.
    pub kind: SignalKind,
}

/// What a [`SignalStage`] does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SignalKind {
    /// A cascade of second-order sections, the first one first.
    Filter(Vec<Section>),
    /// A cascade of second-order sections, of whose outputs those at `0, factor, 2 factor, ...`
    /// are kept.
    Decimate {
        /// The filter against aliases.
        sections: Vec<Section>,
        /// Samples for one that is kept, at least 2.
        factor: usize,
    },
}

/// Sections that run at one rate, and the decimation behind them: 1 for none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cascade {
    pub(crate) sections: Vec<Section>,
    pub(crate) factor: usize,
}

impl Conditioning {
    /// The stages as cascades: filters that follow one another are one.
    pub(crate) fn cascades(&self) -> Vec<Cascade> {
        let mut cascades = Vec::new();
        let mut open = Vec::new();
        for stage in &self.stages {
            match &stage.kind {
                SignalKind::Filter(sections) => open.extend(sections),
                SignalKind::Decimate { sections, factor } => {
                    open.extend(sections);
                    cascades.push(Cascade {
                        sections: std::mem::take(&mut open),
                        factor: *factor,
                    });
                }
            }
        }
        if !open.is_empty() {
            cascades.push(Cascade {
                sections: open,
                factor: 1,
            });
        }
        cascades
    }
}

impl Chain {
    /// Samples of the recording for one of [`Chain::source`].
    pub fn decimation(&self) -> usize {
        self.signal.as_ref().map_or(1, |signal| signal.factor)
    }

    /// The samples of the recording, before they are filtered and decimated: the same as
    /// [`Chain::source`] where there is no [`Chain::signal`].
    pub fn recording(&self) -> Source {
        let Some(signal) = &self.signal else {
            return self.source.clone();
        };
        Source {
            rate_hz: signal.rate_hz,
            sample_type: signal.sample_type,
            mode: match self.source.mode {
                Mode::Window { len, hop } => Mode::Window {
                    len: len * signal.factor,
                    hop: hop * signal.factor,
                },
                mode => mode,
            },
            ..self.source.clone()
        }
    }
}
