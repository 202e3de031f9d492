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
    /// The first row is constant, the others sum to 0 and are antisymmetric and symmetric in turn.
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
                let (zero, mean) = (largest * 1e-12, mean_of(row));
                let mirrored = row.iter().zip(row.iter().rev());
                (k == 0 || mean == 0.0)
                    && (k > 0 || row.iter().all(|v| (v - mean).abs() < zero))
                    && mirrored
                        .into_iter()
                        .all(|(a, b)| (a - sign * b).abs() < zero)
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
            let mut rounded = zero_sum(&exact, folded);
            if used > 0 {
                spread(&exact, &mut rounded, folded);
            }
            rest.extend(rounded.into_iter().take(used));
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

/// Correlation that neighbouring inputs are taken to have.
const ALIKE: f64 = 0.95;
/// Furthest that a change of one coefficient is paid back.
const NEAR: usize = 8;

/// Chooses anew which values are rounded up and which down, such that their sum stays and inputs
/// that change little from one to the next, as spectra in mel do, hear least of the rounding:
/// lowers `sum_ij e[i] e[j] 0.95^|i - j|`, where `e` is the error, until no change of one value, or
/// of two near each other, lowers it further.
fn spread(exact: &[f64], rounded: &mut [i16], folded: bool) {
    let n = exact.len();
    let used = if folded { n / 2 } else { n };
    // The sign with which a folded row's second half mirrors the first.
    let mirror = match folded {
        true if exact[0] * exact[n - 1] < 0.0 => Some(-1.0),
        true => Some(1.0),
        false => None,
    };
    let powers: Vec<f64> = (0..n).map(|i| libm::pow(ALIKE, i as f64)).collect();
    let alike = |a: usize, b: usize| powers[a.abs_diff(b)];
    let with_twins = |changes: &[(usize, f64)]| {
        let twins = changes
            .iter()
            .filter_map(|&(i, by)| mirror.map(|sign| (n - 1 - i, sign * by)));
        changes.iter().copied().chain(twins).collect::<Vec<_>>()
    };
    let singles = (0..used)
        .filter(|_| mirror == Some(-1.0))
        .map(|i| vec![(i, 1.0)]);
    let pairs = (0..used)
        .flat_map(|a| (a + 1..used.min(a + 1 + NEAR)).map(move |b| vec![(a, 1.0), (b, -1.0)]));
    let moves: Vec<Vec<(usize, f64)>> = singles.chain(pairs).collect();
    let mut error: Vec<f64> = exact
        .iter()
        .zip(rounded.iter())
        .map(|(x, &r)| f64::from(r) - x)
        .collect();
    if let Some(sign) = mirror {
        for i in 0..used {
            error[n - 1 - i] = sign * error[i];
        }
    }
    let mut heard: Vec<f64> = (0..n)
        .map(|i| (0..n).map(|j| alike(i, j) * error[j]).sum())
        .collect();
    loop {
        let mut changed = false;
        for changes in &moves {
            let all = with_twins(changes);
            for direction in [1.0, -1.0] {
                let fits = changes.iter().all(|&(i, by)| {
                    let x = f64::from(rounded[i]) + by * direction;
                    (error[i] + by * direction).abs() < 1.0 && x.abs() < 32767.0
                });
                let gain: f64 = all
                    .iter()
                    .map(|&(i, by)| {
                        let own: f64 = all.iter().map(|&(j, other)| alike(i, j) * other).sum();
                        by * (2.0 * direction * heard[i] + own)
                    })
                    .sum();
                if !fits || gain > -1e-9 {
                    continue;
                }
                for &(i, by) in &all {
                    error[i] += by * direction;
                    for (j, heard) in heard.iter_mut().enumerate() {
                        *heard += alike(i, j) * by * direction;
                    }
                }
                for &(i, by) in changes {
                    rounded[i] += (by * direction) as i16;
                }
                changed = true;
            }
        }
        if !changed {
            return;
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
    fn the_rounding_of_a_cosine_transform_does_not_hear_smooth_spectra() {
        let matrix = dct(DctType::Two, DctNorm::Ortho, 40, 13);
        let unit = libm::exp2(-10.0) * std::f64::consts::LN_2;
        let rows = Rows::new("dct", &matrix, &[Column::plain(unit, -23.0, 11.0); 40]);
        let rows = rows.expect("fits");
        let cosine = |j: usize| matrix.values.chunks(40).nth(j).expect("a row");
        let mut leaks = Vec::new();
        for k in 1..13 {
            // Coefficients as real numbers, the second half mirrored.
            let half = &rows.rest[20 * k..20 * (k + 1)];
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            let real = |i: usize| {
                let m = match i {
                    0..20 => f64::from(half[i]),
                    _ => sign * f64::from(half[39 - i]),
                };
                m * rows.columns[k].scale / unit
            };
            // What a spectrum of the shape of coefficient 1, 2, 3 or 4 leaves in this one.
            leaks.extend((1..5).map(|j| {
                let found: f64 = (0..40).map(|i| real(i) * cosine(j)[i]).sum();
                found - if j == k { 1.0 } else { 0.0 }
            }));
        }
        let mean: f64 = leaks.iter().map(|x| x * x).sum::<f64>() / leaks.len() as f64;
        // Rounding each coefficient by itself leaves sqrt(1 / 12) units.
        let step = rows.columns[1].scale / unit;
        let units = libm::sqrt(mean) / step;
        assert!(units < 0.15, "{units}");
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
