//! Stages on all rows together, and normalisation by the rows so far.

use super::columns::Column;
use super::{RowStages, Values};
use crate::error::LowerError;
use crate::graph::{RunningNormalisation, Span, Stage};
use crate::lower::standardise::Standardisation;
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::fixed::{level, rows as row_op, running, sliding, vector, window};
use otolith_dsp_nostd::ops::recursion::Restart;
use otolith_dsp_nostd::ops::sliding::Deviation;

/// Fraction bits of values from 0 to 1.
const UNIT_Q: u32 = 24;

impl RowStages<'_> {
    pub(super) fn standardise(
        &mut self,
        name: &str,
        values: Values,
        of: Standardisation,
    ) -> Result<Values, LowerError> {
        if self.linear {
            return self.remove_linear_means(name, values, of);
        }
        let mut values = values;
        if of.deviation == Deviation::None && values.elem != Elem::I16 {
            values.columns.iter_mut().for_each(make_room);
        }
        let mut values = self.features(name, values)?;
        let cols = values.columns.len();
        if self.n_rows > row_op::MAX_ROWS {
            return Err(LowerError::new(
                name,
                format!(
                    "{} rows, at most {} can be normalised together: take shorter windows",
                    self.n_rows,
                    row_op::MAX_ROWS
                ),
            ));
        }
        let mut operands = vec![values.tensor];
        let rows = match of.span {
            Span::Window => self.n_rows,
            Span::Sliding(rows) => {
                operands.push(self.column(name));
                rows
            }
        };
        let divides = of.deviation != Deviation::None;
        let mut q = 0.0;
        if divides {
            operands.push(self.epsilons(name, &values, of.epsilon));
            // A value is at most sqrt(rows - 1) standard deviations from the mean. Centred rows
            // have a mean of their own, which only epsilon bounds: what lies beyond four times as
            // far saturates.
            let most = match of.deviation {
                Deviation::Centred if of.span != Span::Window => 4.0,
                _ => 1.0,
            };
            let most = most * libm::sqrt(rows as f64);
            q = libm::floor(libm::log2(f64::from(i16::MAX) / most)).min(15.0);
            values.columns = vec![Column::plain(libm::exp2(-q), -most, most); cols];
        } else {
            let limit = values.format().limit;
            values.columns.iter_mut().for_each(|c| spread(c, limit));
        }
        match of.span {
            Span::Window => {
                let params = row_op::StandardiseParams {
                    cols: cols as u32,
                    variance_q: divides.then_some(q as u32),
                };
                self.step(&row_op::STANDARDISE_I16, name, &operands, &params.encode());
            }
            Span::Sliding(span) => {
                let params = sliding::SlidingParams {
                    cols: cols as u32,
                    span: span as u32,
                    deviation: of.deviation,
                    out_q: q as u32,
                };
                let op = &sliding::STANDARDISE_SLIDING_I16;
                self.step(op, name, &operands, &params.encode());
            }
        }
        Ok(values)
    }

    /// Energies reach over more than 16 bits, so that their rows are wide.
    fn remove_linear_means(
        &mut self,
        name: &str,
        mut values: Values,
        of: Standardisation,
    ) -> Result<Values, LowerError> {
        let (Span::Sliding(span), Deviation::None) = (of.span, of.deviation) else {
            return Err(LowerError::new(
                name,
                "energies without a logarithm span more than 16 bits, and of the normalisations \
                 over rows only cmvn = \"mean\" with a sliding cmvn_span takes them in integers: \
                 set log = \"ln\" or another, or deploy.numeric = \"f32\"",
            ));
        };
        let operands = [values.tensor, self.column(name)];
        let params = [values.columns.len() as u32, span as u32];
        self.step(&sliding::SLIDING_MEAN_I32, name, &operands, &params);
        let limit = values.format().limit;
        values.columns.iter_mut().for_each(|c| spread(c, limit));
        Ok(values)
    }

    /// Room for one column of all rows.
    fn column(&mut self, name: &str) -> TensorId {
        self.plan
            .tensor(&format!("{name}.column"), Elem::I32, &[self.n_rows])
    }

    /// Epsilon in `2^-16` of each column's unit.
    fn epsilons(&mut self, name: &str, values: &Values, epsilon: f64) -> TensorId {
        let units: Vec<u32> = values
            .columns
            .iter()
            .map(|c| libm::round(epsilon / c.scale * 65536.0) as u32)
            .collect();
        self.plan
            .table(&format!("{name}.epsilon"), &[units.len()], &units)
    }

    pub(super) fn standardise_running(
        &mut self,
        name: &str,
        values: Values,
        of: &RunningNormalisation,
    ) -> Result<Values, LowerError> {
        if self.linear {
            return Err(LowerError::new(
                name,
                "energies without a logarithm span more than 16 bits: set log = \"ln\" or another, \
                 or deploy.numeric = \"f32\"",
            ));
        }
        let alpha = libm::round(of.alpha * libm::exp2(30.0));
        if alpha < libm::exp2(14.0) {
            return Err(LowerError::new(
                name,
                format!(
                    "a row counts {:e} of its mean, and in integers at least {:e}: set \
                     cmvn_time_ms lower",
                    of.alpha,
                    libm::exp2(-16.0)
                ),
            ));
        }
        let mut values = values;
        if !of.variance && values.elem != Elem::I16 {
            values.columns.iter_mut().for_each(make_room);
        }
        let mut values = self.features(name, values)?;
        let cols = values.columns.len();
        let means = format!("{name}.means");
        let means = self.plan.state(&means, Elem::I32, &[cols + 1]);
        let mut operands = vec![values.tensor, means];
        let mut out_q = None;
        if of.variance {
            let variances = format!("{name}.variances");
            operands.push(self.plan.state(&variances, Elem::U64, &[cols]));
            operands.push(self.epsilons(name, &values, of.epsilon));
            // x - m = (1 - a) d, and v is at least (1 - a) a d^2; a is at least alpha.
            let most = libm::sqrt((1.0 - of.alpha) / of.alpha).max(1.0);
            let q = libm::floor(libm::log2(f64::from(i16::MAX) / most)).min(15.0);
            out_q = Some(q as u32);
            values.columns = vec![Column::plain(libm::exp2(-q), -most, most); cols];
        } else {
            let limit = values.format().limit;
            values.columns.iter_mut().for_each(|c| spread(c, limit));
        }
        let params = running::RunningParams {
            cols: cols as u32,
            alpha: alpha as u32,
            out_q,
            restart: match self.section {
                Section::Decision => Restart::Step,
                _ => self.restart,
            },
        };
        let op = &running::STANDARDISE_RUNNING_I16;
        self.step(op, name, &operands, &params.encode());
        Ok(values)
    }

    pub(super) fn deltas(
        &mut self,
        stage: &Stage,
        values: Values,
        order: u32,
        reach: usize,
    ) -> Result<Values, LowerError> {
        let mut values = self.features(&stage.name, values)?;
        let params = row_op::DeltasParams {
            cols: values.columns.len() as u32,
            order,
            reach: reach as u32,
            // A delta of values that fill their format fits it too.
            shift: 0,
        };
        let y = self.output(&stage.name, Elem::I16, stage.len);
        self.step(
            &row_op::DELTAS_I16,
            &stage.name,
            &[values.tensor, y],
            &params.encode(),
        );
        let base = values.columns.clone();
        for _ in 0..order {
            values.columns.extend(base.iter().map(|c| {
                let reach = c.high - c.low;
                Column::plain(c.scale, -reach, reach)
            }));
        }
        values.tensor = y;
        Ok(values)
    }

    /// `x - max`.
    pub(super) fn subtract_top(
        &mut self,
        name: &str,
        values: Values,
    ) -> Result<Values, LowerError> {
        let mut values = self.plain(name, values, true)?;
        self.step(&level::SUBTRACT_TOP_I32, name, &[values.tensor], &[]);
        let low = values
            .columns
            .iter()
            .fold(0.0, |low: f64, c| low.min(c.low));
        let high = values.columns.iter().fold(low, |high, c| high.max(c.high));
        for column in &mut values.columns {
            *column = Column::plain(column.scale, low - high, 0.0);
        }
        Ok(values)
    }

    /// `(x - min) / (max - min)`.
    pub(super) fn min_max(&mut self, name: &str, values: Values) -> Result<Values, LowerError> {
        let mut values = self.plain(name, values, true)?;
        self.step(&level::MIN_MAX_I32, name, &[values.tensor], &[UNIT_Q]);
        let column = Column::plain(libm::exp2(-f64::from(UNIT_Q)), 0.0, 1.0);
        values.columns.fill(column);
        // 16 bits hold the range from now on.
        self.linear = false;
        Ok(values)
    }

    /// Levels of values from 0 to 1.
    pub(super) fn levels(
        &mut self,
        name: &str,
        values: Values,
        steps: usize,
        wraps: bool,
    ) -> Result<Values, LowerError> {
        let scale = libm::exp2(-16.0);
        let values = self.widened(name, values);
        let mut values = self.scaled(name, values, Elem::I32, vec![scale], 0, None)?;
        let params = [16, steps as u32, u32::from(wraps)];
        self.step(&level::LEVELS_I32, name, &[values.tensor], &params);
        values
            .columns
            .fill(Column::plain(1.0 / steps as f64, 0.0, 1.0));
        Ok(values)
    }

    /// `x` and the energy that a stage kept, side by side.
    pub(super) fn insert_energy(
        &mut self,
        stage: &Stage,
        mut values: Values,
        last: bool,
    ) -> Result<Values, LowerError> {
        let name = &stage.name;
        let (energy, column) = values.energy.take().ok_or_else(|| {
            LowerError::new(name.clone(), "no stage before it keeps the log energy")
        })?;
        if values.elem != Elem::I32 {
            return Err(LowerError::new(
                name.clone(),
                "16-bit rows cannot take the column: this order of stages has no plan",
            ));
        }
        let y = self.output(name, Elem::I32, stage.len);
        let n = stage.len - 1;
        // Everything is moved by one where the column comes first, and then replaced.
        let first = usize::from(!last);
        let at = if last { n } else { 0 };
        let mut view = |what: &str, first: usize, len: usize| {
            let name = format!("{name}.{what}");
            self.plan.view(&name, y, 4 * first, Elem::I32, &[len])
        };
        let (to, one) = (view("values", first, n), view("column", at, 1));
        self.step(&window::SELECT_I32, name, &[values.tensor, to], &[0, 1]);
        self.step(&vector::REPLACE_FIRST_I32, name, &[energy, one], &[]);
        values.columns.insert(at, column);
        values.tensor = y;
        Ok(values)
    }
}

/// Widens the bounds of a column such that differences from its mean fit its format. Bounds of
/// [`Column::differences`] are far wider than any recording already.
pub(super) fn make_room(column: &mut Column) {
    if !column.differences {
        let reach = column.high - column.low;
        column.low = column.low.min(-reach);
        column.high = column.high.max(reach);
    }
}

/// The column of differences from a mean, which saturate at `limit`.
fn spread(column: &mut Column, limit: f64) {
    let reach = (column.high - column.low).min(limit * column.scale);
    (column.low, column.high) = (-reach, reach);
}
