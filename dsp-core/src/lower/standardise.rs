//! Normalisation over rows: which stages one operator computes.

use crate::graph::{Chain, Mode, Span, Stage, StageKind};
use otolith_dsp_nostd::ops::recursion::Restart;
use otolith_dsp_nostd::ops::sliding::Deviation;

/// Removal of the mean and division by a deviation over the same rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standardisation {
    pub(super) span: Span,
    pub(super) deviation: Deviation,
    pub(super) epsilon: f64,
}

impl Standardisation {
    /// The normalisation that `stages` start with, and how many of them it is.
    ///
    /// A division behind the removal of the mean over the same rows belongs to it.
    pub(super) fn of(stages: &[Stage]) -> Option<(Self, usize)> {
        let StageKind::Standardise {
            span,
            variance,
            epsilon,
        } = stages.first()?.kind
        else {
            return None;
        };
        let alone = Self {
            span,
            deviation: if variance {
                Deviation::Rows
            } else {
                Deviation::None
            },
            epsilon,
        };
        Some(match stages.get(1).map(|next| &next.kind) {
            Some(&StageKind::DivideByDeviation {
                span: over,
                epsilon,
            }) if over == span && !variance => {
                let deviation = Deviation::Centred;
                let both = Self {
                    deviation,
                    epsilon,
                    ..alone
                };
                (both, 2)
            }
            _ => (alone, 1),
        })
    }
}

/// When recursions of the frame section start anew.
pub(super) fn restart(chain: &Chain) -> Restart {
    match chain.source.mode {
        Mode::Stream => Restart::Reset,
        Mode::Window { .. } | Mode::Clip => Restart::Window,
    }
}
