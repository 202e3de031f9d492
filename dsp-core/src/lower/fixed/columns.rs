//! What the integers of a row stand for, and the constants that take them to another format.

use crate::error::LowerError;
use otolith_dsp_nostd::ops::fixed::scale::ScaleParams;

/// One column of values: `real = integer * scale + offset`, later clamped, within known bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Column {
    /// Real value of one unit, above 0.
    pub(super) scale: f64,
    /// Real value of the integer 0.
    pub(super) offset: f64,
    /// Smallest real value.
    pub(super) low: f64,
    /// Largest real value.
    pub(super) high: f64,
    /// Range that the value is still to be clamped to.
    pub(super) clamp: (f64, f64),
    /// The bounds are those of a sum of differences: they are only met when half of the bands are
    /// as loud as can be while the other half is silent.
    pub(super) differences: bool,
}

/// No clamp.
pub(super) const UNCLAMPED: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// Share of the bounds of [`Column::differences`] that a 16-bit format covers: what lies outside
/// saturates. Speech reaches 0.4 of the bounds.
const COVERED: f64 = 0.6;

impl Column {
    /// Values without an offset, from `low` to `high`.
    pub(super) fn plain(scale: f64, low: f64, high: f64) -> Self {
        Self {
            scale,
            offset: 0.0,
            low,
            high,
            clamp: UNCLAMPED,
            differences: false,
        }
    }

    /// The column of `clamp((x + add) * mul, min, max)`.
    pub(super) fn affine(self, add: f64, mul: f64, min: f64, max: f64) -> Self {
        let map = |x: f64| (x + add) * mul;
        let clamp = |x: f64| x.clamp(min, max);
        let (low, high) = (map(self.low), map(self.high));
        let (from, to) = (map(self.clamp.0), map(self.clamp.1));
        Self {
            scale: self.scale * mul,
            offset: map(self.offset),
            low: clamp(low.min(high)),
            high: clamp(low.max(high)),
            clamp: (clamp(from), clamp(to)),
            differences: self.differences,
        }
    }

    /// Largest magnitude of the integers.
    pub(super) fn most(&self) -> f64 {
        let integer = |x: f64| ((x - self.offset) / self.scale).abs();
        integer(self.low).max(integer(self.high))
    }

    /// Fraction bits with which an integer of at most `most` holds the value.
    pub(super) fn q(&self, most: f64) -> i32 {
        let largest = self.low.abs().max(self.high.abs()).max(1e-30);
        let covered = if self.differences { COVERED } else { 1.0 };
        libm::floor(libm::log2(most / (largest * covered))) as i32
    }

    /// The column once its integers are at `scale` without an offset.
    pub(super) fn at(self, scale: f64) -> Self {
        Self {
            scale,
            offset: 0.0,
            clamp: UNCLAMPED,
            ..self
        }
    }
}

/// Tables and parameters of a `SCALE_*` operator.
pub(super) struct Scaling {
    pub(super) mul: Vec<i32>,
    pub(super) add: Vec<i64>,
    pub(super) params: ScaleParams,
}

impl Scaling {
    /// From `columns` to integers of `scale` (of each column, or one for all) plus `zero`.
    pub(super) fn new(
        stage: &str,
        columns: &[Column],
        scales: &[f64],
        zero: i32,
    ) -> Result<Self, LowerError> {
        let pairs = || columns.iter().zip(scales.iter().cycle());
        // The factors of all columns get the same shift: the largest has 30 bits, and neither
        // product nor constant comes near 63.
        let most = |of: &dyn Fn(&Column, f64) -> f64| {
            pairs().map(|(c, &s)| of(c, s).abs()).fold(0.0, f64::max)
        };
        let bits = |x: f64| libm::ceil(libm::log2(x.max(1e-300)));
        let factor = most(&|c, s| c.scale / s);
        let reach = most(&|c, s| c.most() * c.scale / s);
        let constant = most(&|c, s| c.offset / s + f64::from(zero));
        let shift = (30.0 - bits(factor))
            .min(61.0 - bits(reach))
            .min(61.0 - bits(constant))
            .min(62.0);
        if shift < 1.0 {
            return Err(LowerError::new(
                stage,
                "its values do not fit the format of the next stage: scale them down",
            ));
        }
        let unit = libm::exp2(shift);
        let clamp = columns.first().map_or(UNCLAMPED, |c| c.clamp);
        let scale = scales.first().copied().unwrap_or(1.0);
        if columns.iter().any(|c| c.clamp != clamp)
            || clamp != UNCLAMPED && scales.iter().any(|&s| s != scale)
        {
            return Err(LowerError::new(
                stage,
                "its columns are clamped to different ranges, which one operator cannot do",
            ));
        }
        let limit = |x: f64| {
            let x = libm::round(x / scale) + f64::from(zero);
            // A cast saturates, so that infinity is no limit.
            x as i32
        };
        let mut mul: Vec<i32> = pairs()
            .map(|(c, &s)| libm::round(c.scale / s * unit) as i32)
            .collect();
        let mut add: Vec<i64> = pairs()
            .map(|(c, &s)| libm::round((c.offset / s + f64::from(zero)) * unit) as i64)
            .collect();
        if mul.iter().all(|m| *m == mul[0]) && add.iter().all(|a| *a == add[0]) {
            mul.truncate(1);
            add.truncate(1);
        }
        Ok(Self {
            mul,
            add,
            params: ScaleParams {
                shift: shift as u32,
                min: limit(clamp.0),
                max: limit(clamp.1),
            },
        })
    }
}
