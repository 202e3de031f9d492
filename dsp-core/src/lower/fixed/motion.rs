//! Stages of motion windows: what their integers stand for, and that they fit.

use super::Values;
use super::columns::Column;
use super::slice_stages::uniform;
use super::slices::Slices;
use crate::error::LowerError;
use crate::graph::{GroupStatistic, Stage, StageKind};
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::fixed::motion;
use std::f64::consts::PI;

impl Slices<'_> {
    /// A stage of motion windows, from `x` to `to`, or to a tensor of its own.
    pub(super) fn motion(
        &mut self,
        stage: &Stage,
        x: &Values,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let name = &stage.name;
        let mut column = uniform(name, &x.columns)?;
        let (op, params, columns): (&'static Op, Vec<u32>, Vec<Column>) = match &stage.kind {
            StageKind::Norm { parts } => {
                let longest = column.peak() * libm::sqrt(*parts as f64);
                let norm = Column::plain(column.scale, 0.0, longest);
                let params = vec![*parts as u32];
                (&motion::NORM_I32, params, vec![norm; stage.len])
            }
            StageKind::Difference { scale } => {
                let reach = (column.high - column.low) * scale;
                let difference = Column::plain(column.scale * scale, -reach, reach);
                let columns = vec![difference; stage.len];
                (&motion::DIFFERENCE_I32, Vec::new(), columns)
            }
            StageKind::LowPass { k, rest } => {
                if *rest {
                    let reach = column.high - column.low;
                    column = Column::plain(column.scale, -reach, reach);
                }
                let s = (libm::ceil(21.0 - libm::log2(*k)) - 1.0).clamp(22.0, 40.0);
                let m = libm::round(libm::ldexp(*k, s as i32)).min(2_097_151.0);
                let params = vec![m as u32, s as u32, u32::from(*rest)];
                (&motion::LOW_PASS_I32, params, vec![column; stage.len])
            }
            StageKind::Group { parts, list } => {
                let area = column.peak() * *parts as f64;
                let one = Column::plain(libm::ldexp(1.0, -30), -1.0, 1.0);
                let of = |statistic: &GroupStatistic| match statistic {
                    GroupStatistic::MagnitudeArea => Column::plain(column.scale, 0.0, area),
                    GroupStatistic::Correlation(..) | GroupStatistic::Direction(_) => one,
                    GroupStatistic::Tilt => Column::plain(libm::ldexp(1.0, -29), 0.0, PI),
                };
                let words = list.iter().map(|statistic| statistic.encode());
                let params = std::iter::once(*parts as u32).chain(words).collect();
                (&motion::GROUP_I32, params, list.iter().map(of).collect())
            }
            StageKind::Autocorrelation {
                first,
                last,
                seconds,
            } => {
                let lag = Column::plain(*seconds, 0.0, *last as f64 * seconds);
                let peak = Column::plain(libm::ldexp(1.0, -30), -1.0, 1.0);
                let params = vec![*first as u32, *last as u32];
                (&motion::AUTOCORRELATION_I32, params, vec![lag, peak])
            }
            _ => return Err(LowerError::new(name, "is no stage of motion windows")),
        };
        if columns
            .iter()
            .any(|column| column.most() > f64::from(i32::MAX))
        {
            return Err(LowerError::new(
                name,
                "its values can leave 32 bits: leave out one of the differences or filters before \
                 it",
            ));
        }
        let y = self.output(stage, to);
        self.step(op, name, &[x.tensor, y], &params);
        Ok(Values {
            tensor: y,
            elem: Elem::I32,
            columns,
            energy: None,
        })
    }
}
