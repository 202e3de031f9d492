//! Stages of motion windows.

use super::{Lowering, bits};
use crate::graph::{Stage, StageKind};
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::motion;

impl Lowering {
    /// A stage that writes its output for `x` to `to`, or to a tensor of its own; `None` for a
    /// stage of another kind.
    pub(super) fn motion(
        &mut self,
        stage: &Stage,
        x: TensorId,
        to: Option<TensorId>,
    ) -> Option<TensorId> {
        let (op, params) = match &stage.kind {
            StageKind::Norm { parts } => (&motion::NORM_F32, vec![*parts as u32]),
            StageKind::Difference { scale } => (&motion::DIFFERENCE_F32, vec![bits(*scale)]),
            StageKind::LowPass { k, rest } => {
                (&motion::LOW_PASS_F32, vec![bits(*k), u32::from(*rest)])
            }
            StageKind::Group { parts, list } => {
                let words = list.iter().map(|statistic| statistic.encode());
                let params = std::iter::once(*parts as u32).chain(words).collect();
                (&motion::GROUP_F32, params)
            }
            StageKind::Autocorrelation {
                first,
                last,
                seconds,
            } => {
                let params = vec![*first as u32, *last as u32, bits(*seconds)];
                (&motion::AUTOCORRELATION_F32, params)
            }
            _ => return None,
        };
        let name = &stage.name;
        let y = to.unwrap_or_else(|| self.plan.tensor(name, Elem::F32, &[stage.len]));
        self.step(op, name, &[x, y], &params);
        Some(y)
    }
}
