//! Work that looks at all rows together, in integers.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::q;

/// `x = max(x, max(all x) - range)`. Exact.
///
/// Operands: x (`i32`, in place). Parameters: range (`i32` in the Q format of x, not negative).
pub const TOP_RANGE_I32: Op = Op {
    code: 0x0330,
    name: "TOP_RANGE_I32",
    check: |step| {
        step.expect_operands(1)?;
        step.count_of_output::<i32>(0)?;
        match step.params()? {
            &[range] if range as i32 >= 0 => Ok(()),
            _ => Err(Fault::BadParam { param: 0 }),
        }
    },
    run: |io| {
        let &[range] = io.step.params()?;
        top_range(io.write(0)?, range as i32);
        Ok(())
    },
};

/// Per column, subtracts the mean over the rows and, with `variance`, divides by
/// `std + epsilon` (population standard deviation).
///
/// Operands: x (`i16[rows * cols]`, in place; at most [`MAX_ROWS`] rows), and with `variance`
/// epsilon (`u32[cols]` table). Parameters: [`StandardiseParams`].
///
/// Columns may have different Q formats. Without `variance` a column keeps its own:
/// `x = x - round(mean)`, saturating, at most 1/2 from the exact value. With `variance` the result
/// has no unit and all columns get the Q format of the parameters:
/// `x = round((x - mean) / (std + epsilon) 2^q)`, saturating; a constant column becomes 0. Epsilon
/// is in units of `2^-16` of the column's integers, `round(epsilon 2^(column q + 16))`. Mean and
/// variance are exact; root and reciprocal have 31 bits, so the result is at most 0.501 from the
/// exact value.
pub const STANDARDISE_I16: Op = Op {
    code: 0x0331,
    name: "STANDARDISE_I16",
    check: check_standardise,
    run: |io| {
        let params = StandardiseParams::decode(io.step.params()?)?;
        let cols = params.cols as usize;
        match params.variance_q {
            None => remove_means(io.write(0)?, cols),
            Some(out_q) => {
                let epsilon = io.step.table(1)?;
                standardise(io.write(0)?, cols, epsilon, out_q);
            }
        }
        Ok(())
    },
};

/// Appends derivatives over time to each row.
///
/// Operands: x (`i16[rows * cols]`), y (`i16[rows * cols * (1 + order)]`, written). Parameters:
/// [`DeltasParams`]. A row of y is the row of x, its deltas and, with order 2, their deltas:
/// `d[t] = sum_i i (x[t + i] - x[t - i]) / (2 sum_i i^2)`, `i = 1..=reach`, where rows beyond the
/// first and the last are copies of them. Each derivative is taken from the rounded values before
/// it, has `shift` more fractional bits than those, and is rounded once and saturated: a delta is
/// at most 1/2 from the exact one of its inputs.
pub const DELTAS_I16: Op = Op {
    code: 0x0332,
    name: "DELTAS_I16",
    check: check_deltas,
    run: |io| {
        let params = DeltasParams::decode(io.step.params()?)?;
        let (x, y) = io.read_write::<i16, i16>(0, 1)?;
        append_deltas(x, y, &params);
        Ok(())
    },
};

/// Most rows that [`STANDARDISE_I16`] takes.
pub const MAX_ROWS: usize = 1 << 15;

/// Parameters of [`STANDARDISE_I16`]: two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardiseParams {
    /// Values of a row.
    pub cols: u32,
    /// Divides by the standard deviation too; the result's Q, at most 15.
    pub variance_q: Option<u32>,
}

impl StandardiseParams {
    /// No division.
    const MEAN_ONLY: u32 = u32::MAX;

    /// The parameter words.
    pub fn encode(self) -> [u32; 2] {
        [self.cols, self.variance_q.unwrap_or(Self::MEAN_ONLY)]
    }

    fn decode(&[cols, q]: &[u32; 2]) -> Result<Self, Fault> {
        if cols == 0 {
            return Err(Fault::BadParam { param: 0 });
        }
        let variance_q = match q {
            Self::MEAN_ONLY => None,
            0..=15 => Some(q),
            _ => return Err(Fault::BadParam { param: 1 }),
        };
        Ok(Self { cols, variance_q })
    }
}

/// Parameters of [`DELTAS_I16`]: four words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltasParams {
    /// Values of a row of x.
    pub cols: u32,
    /// 1 appends deltas, 2 deltas and delta-deltas.
    pub order: u32,
    /// Rows on each side that a delta is fitted to, 1 to 32.
    pub reach: u32,
    /// Fractional bits that each derivative has more than what it is taken from, at most 5.
    pub shift: u32,
}

impl DeltasParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 4] {
        [self.cols, self.order, self.reach, self.shift]
    }

    fn decode(&[cols, order, reach, shift]: &[u32; 4]) -> Result<Self, Fault> {
        for (param, (word, allowed)) in [
            (cols, 1..=u32::from(u16::MAX)),
            (order, 1..=2),
            (reach, 1..=32),
            (shift, 0..=5),
        ]
        .into_iter()
        .enumerate()
        {
            if !allowed.contains(&word) {
                return Err(Fault::BadParam { param: param as u8 });
            }
        }
        Ok(Self {
            cols,
            order,
            reach,
            shift,
        })
    }
}

fn check_standardise(step: &Step<'_>) -> Result<(), Fault> {
    let params = StandardiseParams::decode(step.params()?)?;
    let cols = params.cols as usize;
    let x = step.count_of_output::<i16>(0)?;
    match params.variance_q {
        None => step.expect_operands(1)?,
        Some(_) => {
            step.expect_operands(2)?;
            if step.table::<u32>(1)?.len() != cols {
                return Err(Fault::WrongLength { operand: 1 });
            }
        }
    }
    if !x.is_multiple_of(cols) {
        return Err(Fault::BadParam { param: 0 });
    }
    if x.checked_div(cols).is_none_or(|rows| rows > MAX_ROWS) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    Ok(())
}

fn check_deltas(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let x = step.count_of::<i16>(0)?;
    let y = step.count_of_output::<i16>(1)?;
    step.expect_disjoint(0, 1)?;
    let params = DeltasParams::decode(step.params()?)?;
    if !x.is_multiple_of(params.cols as usize) {
        return Err(Fault::BadParam { param: 0 });
    }
    // A tensor has less than 2^28 values.
    if y != x * (1 + params.order as usize) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    Ok(())
}

fn top_range(x: &mut [i32], range: i32) {
    let top = x.iter().fold(i32::MIN, |top, &x| top.max(x));
    let floor = q::sub_i32(top, range);
    for x in x {
        *x = (*x).max(floor);
    }
}

/// Sum of a column, and its number of rows.
fn column_sum(x: &[i16], column: usize, cols: usize) -> (i64, i64) {
    let values = x.iter().skip(column).step_by(cols);
    values.fold((0, 0), |(sum, n), &x| (sum + i64::from(x), n + 1))
}

fn remove_means(x: &mut [i16], cols: usize) {
    for column in 0..cols {
        let (sum, n) = column_sum(x, column, cols);
        let mean = q::div(sum, n);
        for x in x.iter_mut().skip(column).step_by(cols) {
            *x = q::narrow_i16(i64::from(*x) - mean);
        }
    }
}

fn standardise(x: &mut [i16], cols: usize, epsilon: &[u32], out_q: u32) {
    for (column, &epsilon) in (0..cols).zip(epsilon) {
        let (sum, n) = column_sum(x, column, cols);
        let values = x.iter().skip(column).step_by(cols);
        let squares = values.fold(0i64, |sum, &x| sum + i64::from(x) * i64::from(x));
        // At most 2^15 rows of squares up to 2^30: each product stays within 2^60.
        let Scale { factor, shift } = match (n * squares - sum * sum) as u64 {
            0 => Scale::default(),
            n2_variance => Scale::new(n2_variance, n as u64 * u64::from(epsilon), out_q),
        };
        for x in x.iter_mut().skip(column).step_by(cols) {
            // n (x - mean), exact, within 32 bits.
            let centred = n * i64::from(*x) - sum;
            *x = q::narrow_i16(q::shr(centred * factor, shift));
        }
    }
}

/// A factor `factor 2^-shift`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scale {
    /// At most 2^31.
    pub(super) factor: i64,
    pub(super) shift: u32,
}

impl Scale {
    /// `2^out_q / (sqrt(n2_variance) + n_epsilon 2^-16)` to 30 bits, for
    /// `0 < n2_variance <= 2^60` and `n_epsilon < 2^47`.
    pub(super) fn new(n2_variance: u64, n_epsilon: u64, out_q: u32) -> Self {
        // The root in Q(half) has all of its 32 bits.
        let half = n2_variance.leading_zeros() / 2;
        let root = u64::from(q::sqrt(n2_variance << (2 * half)));
        // Q31; at least 2^31, below 2^63.
        let divisor = (root << (31 - half)) + (n_epsilon << 15);
        // The divisor is mantissa * 2^(bits - 32), with a mantissa of 32 bits.
        let bits = 64 - divisor.leading_zeros();
        let mantissa = q::shr_floor(divisor, bits.saturating_sub(32));
        // 2^31 / divisor = factor 2^-62 2^31 2^(32 - bits)
        Self {
            factor: q::div(1 << 62, mantissa as i64),
            shift: (bits - 1).wrapping_sub(out_q),
        }
    }
}

fn append_deltas(x: &[i16], y: &mut [i16], params: &DeltasParams) {
    let cols = params.cols as usize;
    let stride = cols * (1 + params.order as usize);
    let rows = x.len().checked_div(cols).unwrap_or(0);
    for row in 0..rows {
        for column in 0..cols {
            if let (Some(to), Some(&from)) =
                (y.get_mut(row * stride + column), x.get(row * cols + column))
            {
                *to = from;
            }
        }
    }
    for from in (0..params.order as usize).map(|k| k * cols) {
        for row in 0..rows {
            for column in from..from + cols {
                let delta = delta(y, row, rows, column, stride, params);
                if let Some(to) = y.get_mut(row * stride + column + cols) {
                    *to = delta;
                }
            }
        }
    }
}

/// The delta of one column at one row.
fn delta(
    y: &[i16],
    row: usize,
    rows: usize,
    column: usize,
    stride: usize,
    params: &DeltasParams,
) -> i16 {
    let at = |row: usize| i32::from(y.get(row * stride + column).copied().unwrap_or(0));
    let (mut sum, mut squares) = (0, 0);
    for i in 1..=params.reach {
        let after = row.saturating_add(i as usize).min(rows.saturating_sub(1));
        let before = row.saturating_sub(i as usize);
        let i = i as i32;
        // With a reach of 32 and a shift of 5: below 65536 * 528 * 32 < 2^31.
        sum += i * (at(after) - at(before));
        squares += i * i;
    }
    q::narrow_i16(i64::from(q::div_i32(sum << params.shift, 2 * squares)))
}

#[cfg(test)]
mod tests;
