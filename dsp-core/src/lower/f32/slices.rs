//! Stages of whole windows: one slice in, one slice out.

use super::{Lowering, works_in_place};
use crate::error::LowerError;
use crate::graph::{Stage, StageKind};
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::{vector, window};

impl Lowering {
    /// A stage that writes its output for `x` to `to`, or to a tensor of its own; `None` for a
    /// stage of another kind.
    pub(super) fn slices(
        &mut self,
        stage: &Stage,
        x: TensorId,
        to: Option<TensorId>,
    ) -> Result<Option<TensorId>, LowerError> {
        let name = &stage.name;
        let y = |lowering: &mut Self| {
            to.unwrap_or_else(|| lowering.plan.tensor(name, Elem::F32, &[stage.len]))
        };
        match &stage.kind {
            StageKind::Select { first, step } => {
                let y = y(self);
                let params = [*first as u32, *step as u32];
                self.step(&window::SELECT_F32, name, &[x, y], &params);
                Ok(Some(y))
            }
            StageKind::Fork(branches) => {
                let y = y(self);
                let input = self.plan.shape(x).iter().product();
                let mut at = 0;
                for (i, branch) in branches.iter().enumerate() {
                    let len = branch.last().map_or(input, |stage| stage.len);
                    let part = format!("{name}.{i}");
                    let to = self.plan.view(&part, y, at * 4, Elem::F32, &[len]);
                    self.branch(&part, branch, x, to)?;
                    at += len;
                }
                Ok(Some(y))
            }
            _ => Ok(None),
        }
    }

    /// The stages of one branch, from `x`, which other branches read too, to `to`.
    fn branch(
        &mut self,
        name: &str,
        stages: &[Stage],
        x: TensorId,
        to: TensorId,
    ) -> Result<(), LowerError> {
        let mut at = x;
        for (i, stage) in stages.iter().enumerate() {
            let in_place = |stage: &Stage| works_in_place(&stage.kind);
            let to = stages[i + 1..].iter().all(in_place).then_some(to);
            if in_place(stage) && at == x {
                let copy =
                    to.unwrap_or_else(|| self.plan.tensor(&stage.name, Elem::F32, &[stage.len]));
                self.step(&vector::COPY_F32, &stage.name, &[at, copy], &[]);
                at = copy;
            }
            at = self.vectors(stage, at, 1, to)?;
        }
        if at != to {
            self.step(&vector::COPY_F32, name, &[at, to], &[]);
        }
        Ok(())
    }
}
