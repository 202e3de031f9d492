//! A matrix as 16-bit coefficients.

use super::columns::{Column, UNCLAMPED};
use crate::error::LowerError;
use crate::graph::Matrix;

/// Tables of a matrix operator, and what its results stand for.
pub(super) struct Rows {
    /// Coefficients without the mean of their row, row by row; the first half of each row when
    /// `folded`.
    pub(super) rest: Vec<i16>,
    /// Means of the rows.
    pub(super) mean: Vec<i32>,
    /// Shift of the means' products.
    pub(super) shift: u32,
    /// The results.
    pub(super) columns: Vec<Column>,
    /// Rows are symmetric and antisymmetric in turn.
    pub(super) folded: bool,
}

impl Rows {
    /// The matrix for inputs as `columns` says, which have one scale and no clamp.
    pub(super) fn new(stage: &str, m: &Matrix, columns: &[Column]) -> Result<Self, LowerError> {
        let unit = columns.first().map_or(1.0, |c| c.scale);
        let n = m.cols as f64;
        let rows = || m.values.chunks(m.cols.max(1));
        let largest = m.values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        let mean_of = |row: &[f64]| {
            let mean = row.iter().sum::<f64>() / n;
            // What is left of rows that sum to 0.
            if mean.abs() < largest * 1e-12 {
                0.0
            } else {
                mean
            }
        };
        // Inputs as multiples of their unit, without their offsets.
        let (low, high) = columns.iter().fold((f64::MAX, f64::MIN), |(low, high), c| {
            (low.min(c.low - c.offset), high.max(c.high - c.offset))
        });
        let folded = m.cols.is_multiple_of(2)
            && rows().enumerate().all(|(k, row)| {
                let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
                let mirrored = row.iter().zip(row.iter().rev());
                mirrored
                    .into_iter()
                    .all(|(a, b)| (a - sign * b).abs() < largest * 1e-12)
            });
        let mut results = Vec::new();
        let mut exponents = Vec::new();
        for row in rows() {
            let mean = mean_of(row);
            let rest: f64 = row.iter().map(|v| (v - mean).abs()).sum();
            let coefficient = row
                .iter()
                .fold(0.0f64, |most, v| most.max((v - mean).abs()));
            let spread = rest * (high - low) / 2.0;
            let level = mean.abs() * n * low.abs().max(high.abs());
            let most = f64::from(i32::MAX) * 0.999;
            let q = libm::floor(libm::log2(most / (spread + level).max(1e-30)));
            let by_coefficient = libm::floor(libm::log2(32767.0 / (coefficient * unit).max(1e-30)));
            let q = q.min(by_coefficient).min(40.0);
            let offset: f64 = row.iter().zip(columns).map(|(v, c)| v * c.offset).sum();
            let (centre, reach) = (
                offset + mean * n * (low + high) / 2.0,
                spread + mean.abs() * n * (high - low) / 2.0,
            );
            exponents.push(q);
            results.push(Column {
                scale: libm::exp2(-q),
                offset,
                low: centre - reach,
                high: centre + reach,
                clamp: UNCLAMPED,
                differences: mean == 0.0,
            });
        }
        let means: Vec<f64> = rows()
            .zip(&exponents)
            .map(|(row, &q)| mean_of(row) * unit * libm::exp2(q))
            .collect();
        let most = means.iter().fold(0.0f64, |most, m| most.max(m.abs()));
        let shift = if most > 0.0 {
            (30.0 - libm::ceil(libm::log2(most))).clamp(0.0, 62.0)
        } else {
            0.0
        };
        if most * libm::exp2(shift) >= f64::from(i32::MAX) {
            return Err(LowerError::new(stage, "its coefficients are too large"));
        }
        let mut rest = Vec::new();
        for (row, &q) in rows().zip(&exponents) {
            let mean = mean_of(row);
            let exact: Vec<f64> = row
                .iter()
                .map(|v| (v - mean) * unit * libm::exp2(q))
                .collect();
            let used = if folded { m.cols / 2 } else { m.cols };
            rest.extend(zero_sum(&exact, folded).into_iter().take(used));
        }
        Ok(Self {
            rest,
            mean: means
                .iter()
                .map(|m| libm::round(m * libm::exp2(shift)) as i32)
                .collect(),
            shift: shift as u32,
            columns: results,
            folded,
        })
    }
}

/// Values that sum to 0, rounded such that the integers do too; those of a folded row change in
/// mirrored pairs.
fn zero_sum(exact: &[f64], folded: bool) -> Vec<i16> {
    let mut rounded: Vec<i16> = exact.iter().map(|&x| libm::round(x) as i16).collect();
    let step = if folded { 2 } else { 1 };
    let used = exact.len() / step;
    loop {
        let sum: i64 = rounded.iter().map(|&x| i64::from(x)).sum();
        if sum.unsigned_abs() < step as u64 {
            return rounded;
        }
        let direction = if sum > 0 { -1 } else { 1 };
        // The value that has been rounded furthest the other way.
        let best = (0..used)
            .max_by(|&a, &b| {
                let slack = |i: usize| (exact[i] - f64::from(rounded[i])) * f64::from(direction);
                slack(a).total_cmp(&slack(b)).then(b.cmp(&a))
            })
            .unwrap_or(0);
        let Some(value) = rounded[best].checked_add(direction) else {
            return rounded;
        };
        rounded[best] = value;
        if folded {
            let twin = exact.len() - 1 - best;
            rounded[twin] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::dct::{DctNorm, DctType, dct};

    #[test]
    fn a_cosine_transform_folds_and_its_rows_sum_to_zero() {
        let matrix = dct(DctType::Two, DctNorm::Ortho, 40, 13);
        let log = Column::plain(libm::exp2(-10.0) * std::f64::consts::LN_2, -23.0, 11.0);
        let rows = Rows::new("dct", &matrix, &[log; 40]).expect("fits");
        assert!(rows.folded);
        assert_eq!(rows.rest.len(), 13 * 20);
        for (k, row) in rows.rest.chunks(20).enumerate().skip(1) {
            assert_eq!(rows.mean[k], 0, "{k}");
            let sum: i32 = row.iter().map(|&c| i32::from(c)).sum();
            assert!(k % 2 == 1 || sum == 0, "{k}: {sum}");
            // Q24, as the largest result is below 128.
            assert_eq!(rows.columns[k].scale, libm::exp2(-24.0), "{k}");
        }
        assert!(rows.mean[0] > 1 << 28);
        assert!(rows.rest[..20].iter().all(|&c| c == 0));
    }

    #[test]
    fn other_matrices_keep_all_columns() {
        let matrix = Matrix {
            rows: 2,
            cols: 3,
            values: vec![1.0, 2.0, 6.0, -1.0, 0.0, 1.0],
        };
        let rows =
            Rows::new("m", &matrix, &[Column::plain(1.0 / 1024.0, -1.0, 1.0); 3]).expect("fits");
        assert!(!rows.folded);
        let sum = |row: &[i16]| row.iter().map(|&c| i32::from(c)).sum::<i32>();
        assert_eq!((sum(&rows.rest[..3]), sum(&rows.rest[3..])), (0, 0));
        assert!(rows.mean[0] > 0 && rows.mean[1] == 0);
    }
}
