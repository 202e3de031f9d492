//! Stages of whole windows: vectors of 32-bit integers with a scale for each value.

use super::Values;
use super::columns::{Column, UNCLAMPED};
use crate::error::LowerError;
use crate::graph::{Chain, Gain, Stage, StageKind};
use crate::lower::conditioning::Window;
use crate::plan_builder::{PlanBuilder, TensorId};
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::fixed::window;

/// Fraction bits that a 16-bit sample gets when it becomes 32 bits wide: three bits stay free
/// for filters and differences.
const WIDENED: i32 = 13;

/// Whether the frames of `chain` are whole windows whose stages work on slices.
pub(super) fn applies(chain: &Chain) -> bool {
    let first = chain.frame.first().map(|stage| &stage.kind);
    first.is_none_or(|kind| {
        matches!(
            kind,
            StageKind::Select { .. } | StageKind::Fork(_) | StageKind::Affine { .. }
        )
    })
}

/// Adds the steps of the stages.
pub(super) struct Slices<'b> {
    pub(super) plan: &'b mut PlanBuilder,
    pub(super) section: Section,
}

impl<'b> Slices<'b> {
    pub(super) fn new(plan: &'b mut PlanBuilder, section: Section) -> Self {
        Self { plan, section }
    }

    /// From the source window to the features, in `row` if it is given. What they stand for may
    /// still have offsets and clamps.
    pub(super) fn run(
        &mut self,
        chain: &Chain,
        source: Window,
        row: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let Gain::Constant(gain) = chain.source.gain else {
            return Err(LowerError::new(
                "input.normalise",
                "a window's peak is not known to its statistics: set normalise = \"none\"",
            ));
        };
        let largest = gain * source.largest;
        let column = Column::plain(gain * source.unit, -largest, largest);
        let x = Values {
            tensor: source.tensor,
            elem: source.elem,
            columns: vec![column; chain.frame_values()],
            energy: None,
        };
        let values = self.stages(&chain.frame, x, row)?;
        let name = chain.frame.last().map_or("row", |stage| &stage.name);
        self.wide(name, values, row)
    }

    /// `stages` one after the other, from `x` to `to`, if the last of them can write there.
    pub(super) fn stages(
        &mut self,
        stages: &[Stage],
        mut x: Values,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        // Whether x is a tensor of these stages' own, which they may write to.
        let mut own = false;
        for (i, stage) in stages.iter().enumerate() {
            let rest = &stages[i + 1..];
            if matches!(stage.kind, StageKind::SegmentPower { .. }) {
                let x = self.wide(&stage.name, x, None)?;
                return self.spectrum(stage, rest, &x, to);
            }
            let stays = |stage: &Stage| folds(stage) || works_in_place(stage);
            let to = to.filter(|_| rest.iter().all(stays));
            if works_in_place(stage) && !own {
                let (name, len) = (&stage.name, x.columns.len());
                let copy = to.unwrap_or_else(|| {
                    self.plan.tensor(&format!("{name}.copy"), Elem::I32, &[len])
                });
                x = self.select(name, &x, (0, 1), len, Some(copy))?;
            }
            x = self.stage(stage, x, to)?;
            own |= !folds(stage);
        }
        Ok(x)
    }

    fn stage(
        &mut self,
        stage: &Stage,
        mut x: Values,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let name = &stage.name;
        if let Some(values) = self.motion(stage, &x, to)? {
            return Ok(values);
        }
        match &stage.kind {
            StageKind::Affine { add, mul, min, max } => {
                for column in &mut x.columns {
                    *column = column.affine(*add, *mul, *min, *max);
                }
                Ok(x)
            }
            StageKind::Select { first, step } => {
                self.select(name, &x, (*first, *step), stage.len, to)
            }
            StageKind::RemoveMean => self.remove_mean(stage, x),
            StageKind::Sos { sections, steady } => self.sos(stage, x, sections, *steady),
            StageKind::Wavelet(taps) => {
                let x = self.wide(name, x, None)?;
                self.wavelet(stage, &x, taps, to)
            }
            StageKind::Statistics(list) => {
                let x = self.wide(name, x, None)?;
                self.statistics(stage, &x, list, to)
            }
            StageKind::Fork(branches) => {
                let y = self.output(stage, to);
                let mut columns = Vec::with_capacity(stage.len);
                for (i, branch) in branches.iter().enumerate() {
                    let len = branch.last().map_or(x.columns.len(), |stage| stage.len);
                    let part = format!("{name}.{i}");
                    let at = columns.len() * 4;
                    let to = self.plan.view(&part, y, at, Elem::I32, &[len]);
                    let values = self.stages(branch, x.clone(), Some(to))?;
                    columns.extend(self.wide(&part, values, Some(to))?.columns);
                }
                Ok(Values {
                    tensor: y,
                    elem: Elem::I32,
                    columns,
                    energy: None,
                })
            }
            _ => Err(LowerError::new(
                name.clone(),
                "this stage has no integer operator on windows: it works in f32, or in the \
                 reference and host numerics",
            )),
        }
    }

    pub(super) fn step(
        &mut self,
        op: &'static Op,
        name: &str,
        operands: &[TensorId],
        params: &[u32],
    ) {
        self.plan.step(self.section, op, name, operands, params);
    }

    pub(super) fn output(&mut self, stage: &Stage, to: Option<TensorId>) -> TensorId {
        to.unwrap_or_else(|| self.plan.tensor(&stage.name, Elem::I32, &[stage.len]))
    }

    /// `x` as 32-bit integers, in `to` if that is given.
    pub(super) fn wide(
        &mut self,
        name: &str,
        x: Values,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        if x.elem == Elem::I32 && to.is_none_or(|to| x.tensor == to) {
            return Ok(x);
        }
        let len = x.columns.len();
        self.select(name, &x, (0, 1), len, to)
    }

    /// Every `step`th value of `x` from `first` on, as 32-bit integers.
    pub(super) fn select(
        &mut self,
        name: &str,
        x: &Values,
        (first, step): (usize, usize),
        len: usize,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let (op, bits): (&'static Op, i32) = match x.elem {
            Elem::I16 => (&window::SELECT_I16_I32, WIDENED),
            _ => (&window::SELECT_I32, 0),
        };
        let y = to.unwrap_or_else(|| self.plan.tensor(name, Elem::I32, &[len]));
        let params = [first as u32, step as u32];
        self.plan
            .step(self.section, op, name, &[x.tensor, y], &params);
        let unit = libm::ldexp(1.0, -bits);
        let columns = x.columns[first..].iter().step_by(step).take(len);
        Ok(Values {
            tensor: y,
            elem: Elem::I32,
            columns: columns
                .map(|&column| Column {
                    scale: column.scale * unit,
                    ..column
                })
                .collect(),
            energy: None,
        })
    }
}

/// Whether a stage only changes what integers stand for.
fn folds(stage: &Stage) -> bool {
    matches!(stage.kind, StageKind::Affine { .. })
}

/// Whether a stage's operator leaves its output where its input was.
fn works_in_place(stage: &Stage) -> bool {
    matches!(stage.kind, StageKind::RemoveMean | StageKind::Sos { .. })
}

/// Whether the columns are plain multiples: nothing left to add or to clamp.
pub(super) fn settled(columns: &[Column]) -> bool {
    columns
        .iter()
        .all(|c| c.offset == 0.0 && c.clamp == UNCLAMPED && c.scale > 0.0)
}
