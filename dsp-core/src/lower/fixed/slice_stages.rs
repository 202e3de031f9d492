//! Filters and statistics of whole windows in integers.

use super::Values;
use super::columns::{Column, UNCLAMPED};
use super::slices::Slices;
use crate::error::LowerError;
use crate::graph::{Section, Stage, Statistic};
use crate::plan_builder::TensorId;
use crate::tables::filter_design::absolute_gain;
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::fixed::{filter, statistics, vector};

/// Largest integer that enters and leaves a section of a filter.
const SECTION_LIMIT: f64 = (1u64 << 30) as f64;

/// One in the coefficients of filters.
const Q30: f64 = (1u64 << 30) as f64;

/// What all values of a vector stand for: plain multiples of one unit, within bounds.
pub(super) fn uniform(stage: &str, columns: &[Column]) -> Result<Column, LowerError> {
    let first = columns
        .first()
        .copied()
        .unwrap_or(Column::plain(1.0, 0.0, 0.0));
    let alike = columns.iter().all(|c| {
        c.scale == first.scale && c.scale > 0.0 && c.offset == 0.0 && c.clamp == UNCLAMPED
    });
    if !alike {
        return Err(LowerError::new(
            stage,
            "its values have different units, offsets or a negative scale, which its integer \
             operator cannot take",
        ));
    }
    Ok(columns.iter().fold(first, |all, c| Column {
        low: all.low.min(c.low),
        high: all.high.max(c.high),
        ..all
    }))
}

impl Column {
    /// Largest magnitude that it stands for.
    pub(super) fn peak(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }
}

impl Slices<'_> {
    /// A cascade of second-order sections, in place.
    pub(super) fn sos(
        &mut self,
        stage: &Stage,
        x: Values,
        sections: &[Section],
        steady: bool,
    ) -> Result<Values, LowerError> {
        let name = &stage.name;
        let column = uniform(name, &x.columns)?;
        let gains = (1..=sections.len()).map(|n| absolute_gain(&sections[..n]));
        let largest = gains.fold(1.0, f64::max);
        let room = column.most() * largest / SECTION_LIMIT;
        let shift = libm::ceil(libm::log2(room)).max(0.0);
        let mut table = Vec::with_capacity(6 * sections.len());
        for section in sections {
            let coefficients = section.b.into_iter().chain(section.a);
            let sum: f64 = section.b.iter().chain(&section.a).map(|c| c.abs()).sum();
            let all = coefficients.chain([section.gain_of_constants()]);
            for coefficient in all {
                if coefficient.abs() > 2.0 || sum >= 8.0 || section.stability() < 4.0 / Q30 {
                    return Err(LowerError::new(
                        name,
                        "its coefficients leave the range of 30 fraction bits: move its edges away \
                         from 0 Hz and from half the rate, or lower its order",
                    ));
                }
                let most = f64::from(i32::MAX);
                table.push(libm::round(coefficient * Q30).clamp(-most, most) as i32);
            }
        }
        let table = self
            .plan
            .table(&format!("{name}.sections"), &[sections.len(), 6], &table);
        let params = [u32::from(steady), shift as u32];
        self.step(&filter::SOS_I32, name, &[x.tensor, table], &params);
        let gain = absolute_gain(sections) + if steady { 1.0 } else { 0.0 };
        let peak = column.peak() * gain;
        let filtered = Column::plain(column.scale * libm::exp2(shift), -peak, peak);
        Ok(Values {
            columns: vec![filtered; x.columns.len()],
            ..x
        })
    }

    /// Subtracts the mean, in place.
    pub(super) fn remove_mean(&mut self, stage: &Stage, x: Values) -> Result<Values, LowerError> {
        let column = uniform(&stage.name, &x.columns)?;
        self.step(&vector::REMOVE_MEAN_I32, &stage.name, &[x.tensor], &[]);
        let range = column.high - column.low;
        Ok(Values {
            columns: vec![Column::plain(column.scale, -range, range); x.columns.len()],
            ..x
        })
    }

    /// One filter of a wavelet's level.
    pub(super) fn wavelet(
        &mut self,
        stage: &Stage,
        x: &Values,
        taps: &[f64],
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let name = &stage.name;
        let column = uniform(name, &x.columns)?;
        let sum: f64 = taps.iter().map(|h| h.abs()).sum();
        if sum >= 3.99 || taps.iter().any(|h| h.abs() >= 2.0) {
            return Err(LowerError::new(
                name,
                "the taps of this wavelet are too large for its integer operator: choose another \
                 wavelet, such as \"db4\" or \"haar\"",
            ));
        }
        let room = column.most() * sum / (2.0 * SECTION_LIMIT - 2.0);
        let shift = libm::ceil(libm::log2(room)).max(0.0);
        let table: Vec<i32> = taps.iter().map(|h| libm::round(h * Q30) as i32).collect();
        let table = self
            .plan
            .table(&format!("{name}.taps"), &[taps.len()], &table);
        let y = self.output(stage, to);
        let params = [shift as u32];
        self.step(&filter::WAVELET_I32, name, &[x.tensor, table, y], &params);
        let peak = column.peak() * sum;
        Ok(Values {
            tensor: y,
            elem: Elem::I32,
            columns: vec![Column::plain(column.scale * libm::exp2(shift), -peak, peak); stage.len],
            energy: None,
        })
    }

    /// Statistics of all values.
    pub(super) fn statistics(
        &mut self,
        stage: &Stage,
        x: &Values,
        list: &[Statistic],
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let name = &stage.name;
        let column = uniform(name, &x.columns)?;
        let n = x.columns.len();
        let sorted = if list.iter().any(|statistic| statistic.is_ordered()) {
            n
        } else {
            1
        };
        let scratch = self
            .plan
            .tensor(&format!("{name}.sorted"), Elem::I32, &[sorted]);
        let y = self.output(stage, to);
        let params: Vec<u32> = list.iter().map(|statistic| statistic.encode()).collect();
        let op = &statistics::STATISTIC_LIST_I32;
        self.step(op, name, &[x.tensor, scratch, y], &params);
        Ok(Values {
            tensor: y,
            elem: Elem::I32,
            columns: list.iter().map(|s| of_statistic(*s, column, n)).collect(),
            energy: None,
        })
    }
}

/// What a statistic of `n` values of a column stands for.
fn of_statistic(statistic: Statistic, x: Column, n: usize) -> Column {
    let (peak, range, n) = (x.peak(), x.high - x.low, n as f64);
    let ratio = 1.0 / 65536.0;
    match statistic {
        Statistic::RootMeanSquare | Statistic::MeanMagnitude => Column::plain(x.scale, 0.0, peak),
        Statistic::Deviation
        | Statistic::Range
        | Statistic::QuartileRange
        | Statistic::MedianDeviation => Column::plain(x.scale, 0.0, range),
        Statistic::Variance | Statistic::SampleVariance | Statistic::MeanSquare => Column::plain(
            x.scale * x.scale * libm::exp2(31.0),
            0.0,
            range.max(peak) * peak,
        ),
        Statistic::Skew => Column::plain(ratio, -libm::sqrt(n), libm::sqrt(n)),
        Statistic::Kurtosis | Statistic::KurtosisOrZero => Column::plain(ratio, -3.0, n),
        Statistic::ZeroCrossings | Statistic::MeanCrossings => Column::plain(1.0 / n, 0.0, 1.0),
        Statistic::Entropy(bins) => Column::plain(
            ratio * std::f64::consts::LN_2,
            0.0,
            libm::log(f64::from(bins)),
        ),
        _ => Column::plain(x.scale, x.low, x.high),
    }
}
