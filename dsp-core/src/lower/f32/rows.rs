//! Stages on all rows together, and recursions from row to row.

use super::{Lowering, bits};
use crate::error::LowerError;
use crate::graph::{Chain, DeltaEdges, DeltaMethod, Span, Stage, StageKind};
use crate::lower::standardise::Standardisation;
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::recursion::Restart;
use otolith_dsp_nostd::ops::sliding::{Deviation, STANDARDISE_SLIDING_F32, SlidingParams};
use otolith_dsp_nostd::ops::{noise, pcen, rows, running, vector};

impl Lowering {
    /// The decision section's row stages; returns the tensor with the features.
    pub(super) fn rows(
        &mut self,
        chain: &Chain,
        n_rows: usize,
        mut cols: usize,
        rows: TensorId,
    ) -> Result<TensorId, LowerError> {
        let mut x = rows;
        let mut stages = chain.rows.as_slice();
        while let Some(stage) = stages.first() {
            let name = &stage.name;
            let mut used = 1;
            match &stage.kind {
                StageKind::TopRange { range } => {
                    self.step(&rows::TOP_RANGE_F32, name, &[x], &[bits(*range)]);
                }
                StageKind::SubtractTop => self.step(&rows::SUBTRACT_TOP_F32, name, &[x], &[]),
                StageKind::MinMax => self.step(&rows::MIN_MAX_F32, name, &[x], &[]),
                StageKind::Deltas {
                    order,
                    reach,
                    method: DeltaMethod::Repeated,
                    edges: DeltaEdges::Nearest,
                } => {
                    let y = self.plan.tensor(name, Elem::F32, &[n_rows, stage.len]);
                    let params = [cols as u32, u32::from(*order), *reach as u32];
                    self.step(&rows::DELTAS_F32, name, &[x, y], &params);
                    x = y;
                }
                _ => match Standardisation::of(stages) {
                    Some((standardisation, n)) => {
                        used = n;
                        // The step has the name of the stage whose output it leaves.
                        let name = &stages[n - 1].name;
                        self.standardise(name, x, n_rows, cols, standardisation);
                    }
                    None => x = self.vectors(stage, x, n_rows, None)?,
                },
            }
            cols = stage.len;
            stages = &stages[used..];
        }
        debug_assert_eq!(cols, chain.row_len);
        Ok(x)
    }

    fn standardise(
        &mut self,
        name: &str,
        x: TensorId,
        n_rows: usize,
        cols: usize,
        of: Standardisation,
    ) {
        match of.span {
            Span::Window => {
                // Over all rows, the deviation of centred rows is that of the rows.
                let variance = u32::from(of.deviation != Deviation::None);
                let params = [cols as u32, variance, bits(of.epsilon)];
                self.step(&rows::STANDARDISE_F32, name, &[x], &params);
            }
            Span::Sliding(span) => {
                let column = self
                    .plan
                    .tensor(&format!("{name}.column"), Elem::F32, &[n_rows]);
                let params = SlidingParams {
                    cols: cols as u32,
                    span: span as u32,
                    deviation: of.deviation,
                    epsilon: of.epsilon as f32,
                };
                let op = &STANDARDISE_SLIDING_F32;
                self.step(op, name, &[x, column], &params.encode());
            }
        }
    }

    /// Adds the step of a recursion on `x`, in place; whether the stage is one.
    pub(super) fn recursion(&mut self, stage: &Stage, x: TensorId) -> bool {
        let name = &stage.name;
        let restart = match self.section {
            Section::Decision => Restart::Step,
            _ => self.restart,
        };
        let cols = stage.len;
        let mut state = |len: usize| self.plan.state(&format!("{name}.state"), Elem::F32, &[len]);
        match &stage.kind {
            StageKind::Pcen(p) => {
                let state = state(cols + 1);
                let params = pcen::PcenParams {
                    smoothing: p.smoothing as f32,
                    gain: p.gain as f32,
                    bias: p.bias as f32,
                    power: p.power as f32,
                    epsilon: p.epsilon as f32,
                    start: p.start.map(|start| start as f32),
                    restart,
                };
                self.step(&pcen::PCEN_F32, name, &[x, state], &params.encode());
            }
            StageKind::SubtractNoise(n) => {
                let state = state(cols);
                let params = noise::NoiseParams {
                    smoothing: n.smoothing as f32,
                    factor: n.factor as f32,
                    remaining: n.remaining as f32,
                    restart,
                };
                let op = &noise::SUBTRACT_NOISE_F32;
                self.step(op, name, &[x, state], &params.encode());
            }
            StageKind::StandardiseRunning(r) => {
                let state = state(2 * cols + 1);
                let params = running::RunningParams {
                    cols: cols as u32,
                    variance: r.variance,
                    alpha: r.alpha as f32,
                    epsilon: r.epsilon as f32,
                    restart,
                };
                let op = &running::STANDARDISE_RUNNING_F32;
                self.step(op, name, &[x, state], &params.encode());
            }
            _ => return false,
        }
        true
    }

    /// Copies `x` and the energy that a stage kept side by side.
    pub(super) fn insert_energy(
        &mut self,
        stage: &Stage,
        x: TensorId,
        last: bool,
        y: TensorId,
    ) -> Result<(), LowerError> {
        let name = &stage.name;
        let energy = self.energy.ok_or_else(|| {
            LowerError::new(name.clone(), "no stage before it keeps the log energy")
        })?;
        let n = stage.len - 1;
        let (values, column) = if last { (0, n) } else { (1, 0) };
        let mut view = |what: &str, first: usize, len: usize| {
            let name = format!("{name}.{what}");
            self.plan.view(&name, y, 4 * first, Elem::F32, &[len])
        };
        let (values, column) = (view("values", values, n), view("column", column, 1));
        self.step(&vector::COPY_F32, name, &[x, values], &[]);
        self.step(&vector::COPY_F32, name, &[energy, column], &[]);
        Ok(())
    }
}
