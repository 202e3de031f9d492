//! Stages of whole windows: one slice in, one slice out.

use super::{Lowering, bits, works_in_place};
use crate::error::LowerError;
use crate::graph::{Stage, StageKind};
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::{filter, segments, shape, statistics, vector, window};

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
            StageKind::Sos { sections, steady } => {
                let table: Vec<f64> = sections
                    .iter()
                    .flat_map(|section| section.b.into_iter().chain(section.a))
                    .collect();
                let shape = [sections.len(), 5];
                let table = self.table(&format!("{name}.sections"), &shape, &table);
                self.step(&filter::SOS_F32, name, &[x, table], &[u32::from(*steady)]);
                Ok(Some(x))
            }
            StageKind::Wavelet(taps) => {
                let table = self.table(&format!("{name}.taps"), &[taps.len()], taps);
                let y = y(self);
                self.step(&filter::WAVELET_F32, name, &[x, table, y], &[]);
                Ok(Some(y))
            }
            StageKind::Statistics(list) => {
                let n = if list.iter().any(|statistic| statistic.is_ordered()) {
                    self.plan.shape(x).iter().product()
                } else {
                    1
                };
                let scratch = self.plan.tensor(&format!("{name}.sorted"), Elem::F32, &[n]);
                let y = y(self);
                let params: Vec<u32> = list.iter().map(|statistic| statistic.encode()).collect();
                self.step(&statistics::STATISTICS_F32, name, &[x, scratch, y], &params);
                Ok(Some(y))
            }
            StageKind::SegmentPower {
                n_fft,
                segments,
                window,
                scale,
            } => {
                let op = segments::segment_power_f32(*n_fft).ok_or_else(|| {
                    LowerError::new(
                        name.clone(),
                        format!("n_fft = {n_fft}: the device has powers of two from 16 to 4096"),
                    )
                })?;
                let table = self.table(&format!("{name}.window"), &[window.len()], window);
                let scratch = self
                    .plan
                    .tensor(&format!("{name}.fft"), Elem::F32, &[*n_fft]);
                let y = y(self);
                let mut params = segments.encode().to_vec();
                params.push(bits(*scale));
                self.step(op, name, &[x, table, scratch, y], &params);
                Ok(Some(y))
            }
            StageKind::SpectralShape {
                first_hz,
                step_hz,
                shapes,
            } => {
                let y = y(self);
                let mut params = vec![bits(*first_hz), bits(*step_hz)];
                params.extend(shapes.iter().map(|shape| shape.encode()));
                self.step(&shape::SPECTRAL_SHAPE_F32, name, &[x, y], &params);
                Ok(Some(y))
            }
            StageKind::Peaks {
                first_hz,
                step_hz,
                threshold,
            } => {
                let y = y(self);
                let params = [*first_hz, *step_hz, *threshold].map(bits);
                self.step(&shape::PEAKS_F32, name, &[x, y], &params);
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
            _ => Ok(self.motion(stage, x, to)),
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
