//! Stages of motion windows: what their integers stand for, and that they fit.

use super::Values;
use super::columns::Column;
use super::slices::{Slices, settled};
use crate::error::LowerError;
use crate::graph::{GroupStatistic, Stage, StageKind};
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::fixed::motion;

fn refused(stage: &Stage, why: impl Into<String>) -> LowerError {
    LowerError::new(stage.name.clone(), why)
}

/// The largest magnitude of the integers, and the scale that all of them have.
fn alike(stage: &Stage, x: &Values) -> Result<(Column, f64), LowerError> {
    let Some(&first) = x.columns.first() else {
        return Err(refused(stage, "has no input"));
    };
    let same = |c: &Column| (c.scale / first.scale - 1.0).abs() < 1e-12;
    if x.elem != Elem::I32 || !settled(&x.columns) || !x.columns.iter().all(same) {
        return Err(refused(
            stage,
            "its inputs have different scales, which its integer operator cannot join",
        ));
    }
    let low = x.columns.iter().map(|c| c.low).fold(f64::MAX, f64::min);
    let high = x.columns.iter().map(|c| c.high).fold(f64::MIN, f64::max);
    let column = Column::plain(first.scale, low, high);
    Ok((column, column.most()))
}

impl Slices<'_> {
    /// A stage from `x` to `to`, or to a tensor of its own; `None` for a stage of another kind.
    pub(super) fn motion(
        &mut self,
        stage: &Stage,
        x: &Values,
        to: Option<TensorId>,
    ) -> Result<Option<Values>, LowerError> {
        let (op, params, columns): (&'static Op, _, _) = match &stage.kind {
            StageKind::Norm { parts } => {
                let (column, most) = alike(stage, x)?;
                let grown = libm::sqrt(*parts as f64);
                fits(stage, most * grown)?;
                let high = most * column.scale * grown;
                let column = Column::plain(column.scale, 0.0, high);
                let params = vec![*parts as u32];
                (&motion::NORM_I32, params, vec![column; stage.len])
            }
            StageKind::Difference { scale } => {
                let (column, most) = alike(stage, x)?;
                fits(stage, 2.0 * most)?;
                let high = (column.high - column.low) * scale.abs();
                let column = Column::plain(column.scale * scale, -high, high);
                (&motion::DIFFERENCE_I32, vec![], vec![column; stage.len])
            }
            StageKind::LowPass { k, rest } => {
                let (mut column, most) = alike(stage, x)?;
                if *rest {
                    fits(stage, 2.0 * most)?;
                    let reach = column.high - column.low;
                    column = Column::plain(column.scale, -reach, reach);
                }
                let s = (libm::ceil(21.0 - libm::log2(*k)) - 1.0).clamp(22.0, 40.0);
                let m = libm::round(k * libm::exp2(s)).min(f64::from((1u32 << 21) - 1));
                let params = vec![m as u32, s as u32, u32::from(*rest)];
                (&motion::LOW_PASS_I32, params, vec![column; stage.len])
            }
            StageKind::Group { parts, list } => {
                let (column, most) = alike(stage, x)?;
                if list.contains(&GroupStatistic::MagnitudeArea) {
                    fits(stage, most * *parts as f64)?;
                }
                let columns = list.iter().map(|statistic| match statistic {
                    GroupStatistic::MagnitudeArea => {
                        let high = most * column.scale * *parts as f64;
                        Column::plain(column.scale, 0.0, high)
                    }
                    GroupStatistic::Correlation(..) | GroupStatistic::Direction(_) => {
                        Column::plain(libm::exp2(-30.0), -1.0, 1.0)
                    }
                    GroupStatistic::Tilt => {
                        Column::plain(libm::exp2(-29.0), 0.0, std::f64::consts::PI)
                    }
                });
                let columns = columns.collect();
                let words = list.iter().map(|statistic| statistic.encode());
                let params = std::iter::once(*parts as u32).chain(words).collect();
                (&motion::GROUP_I32, params, columns)
            }
            StageKind::Autocorrelation {
                first,
                last,
                seconds,
            } => {
                alike(stage, x)?;
                let columns = vec![
                    Column::plain(*seconds, 0.0, *last as f64 * seconds),
                    Column::plain(libm::exp2(-30.0), -1.0, 1.0),
                ];
                let params = vec![*first as u32, *last as u32];
                (&motion::AUTOCORRELATION_I32, params, columns)
            }
            _ => return Ok(None),
        };
        let y = self.output(stage, to);
        self.step(op, &stage.name, &[x.tensor, y], &params);
        Ok(Some(vector_of(y, columns)))
    }
}

fn vector_of(tensor: TensorId, columns: Vec<Column>) -> Values {
    Values {
        tensor,
        elem: Elem::I32,
        columns,
        energy: None,
    }
}

/// Fails where integers as large as `most` do not fit 32 bits.
fn fits(stage: &Stage, most: f64) -> Result<(), LowerError> {
    if most <= f64::from(i32::MAX) {
        return Ok(());
    }
    Err(refused(
        stage,
        "its values can leave 32 bits: leave out one of the differences or filters before it",
    ))
}
