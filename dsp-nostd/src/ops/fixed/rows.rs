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
struct Scale {
    /// At most 2^31.
    factor: i64,
    shift: u32,
}

impl Scale {
    /// `2^out_q / (sqrt(n2_variance) + n_epsilon 2^-16)` to 30 bits, for
    /// `0 < n2_variance <= 2^60` and `n_epsilon < 2^47`.
    fn new(n2_variance: u64, n_epsilon: u64, out_q: u32) -> Self {
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
mod tests {
    use super::super::probe::Probe;
    use super::*;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    /// Mean and population standard deviation.
    fn moments(x: &[f64]) -> (f64, f64) {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        (mean, variance.sqrt())
    }

    fn column(x: &[i16], column: usize, cols: usize) -> Vec<f64> {
        let values = x.iter().skip(column).step_by(cols);
        values.map(|&x| f64::from(x)).collect()
    }

    fn check_columns(x: &[i16], cols: usize, epsilon: &[u32], out_q: u32) {
        let mut y = x.to_vec();
        standardise(&mut y, cols, epsilon, out_q);
        for (c, &epsilon) in epsilon.iter().enumerate() {
            let values = column(x, c, cols);
            let (mean, deviation) = moments(&values);
            for (got, x) in column(&y, c, cols).into_iter().zip(values) {
                let divisor = deviation + f64::from(epsilon) / 65536.0;
                let exact = if deviation == 0.0 {
                    0.0
                } else {
                    (x - mean) / divisor * f64::from(1 << out_q)
                };
                let exact = exact.clamp(-32768.0, 32767.0);
                assert!((got - exact).abs() <= 0.501, "{got} {exact}");
            }
        }
    }

    /// `deltas` of the host's executor, for one column.
    fn textbook_deltas(x: &[f64], reach: usize) -> Vec<f64> {
        let squares: f64 = (1..=reach).map(|i| (i * i) as f64).sum();
        let last = x.len() - 1;
        (0..x.len())
            .map(|t| {
                let slope = |i: usize| i as f64 * (x[(t + i).min(last)] - x[t.saturating_sub(i)]);
                (1..=reach).map(slope).sum::<f64>() * 0.5 / squares
            })
            .collect()
    }

    proptest! {
        #[test]
        fn top_range_keeps_the_top(x in prop::collection::vec(any::<i32>(), 1..64), range in 0..i32::MAX) {
            let mut y = x.clone();
            top_range(&mut y, range);
            let top = i64::from(*x.iter().max().unwrap());
            for (y, x) in y.into_iter().zip(x) {
                prop_assert_eq!(i64::from(y), i64::from(x).max(top - i64::from(range)));
            }
        }

        #[test]
        fn columns_lose_their_mean(x in prop::collection::vec(any::<i16>(), 1..40), cols in 1usize..4) {
            let x = &x[..x.len() / cols * cols];
            let mut y = x.to_vec();
            remove_means(&mut y, cols);
            for c in 0..cols.min(x.len()) {
                let values = column(x, c, cols);
                let (mean, _) = moments(&values);
                for (got, x) in column(&y, c, cols).into_iter().zip(values) {
                    let exact = (x - mean).clamp(-32768.0, 32767.0);
                    prop_assert!((got - exact).abs() <= 0.5 + 1e-9, "{got} {exact}");
                }
            }
        }

        #[test]
        fn columns_are_standardised(
            x in prop::collection::vec(any::<i16>(), 2..120),
            cols in 1usize..4,
            small in 0u32..16,
            epsilon in prop::collection::vec(prop_oneof![Just(0), 0u32..1 << 17, any::<u32>()], 3),
            out_q in 0u32..=15,
        ) {
            let x: Vec<i16> = x[..x.len() / cols * cols].iter().map(|x| x >> small).collect();
            check_columns(&x, cols, &epsilon[..cols], out_q);
        }

        #[test]
        fn deltas_are_slopes(
            x in prop::collection::vec(any::<i16>(), 1..60),
            cols in 1usize..4,
            order in 1u32..3,
            reach in 1u32..8,
            shift in 0u32..6,
        ) {
            let x = &x[..x.len() / cols * cols];
            prop_assume!(!x.is_empty());
            let params = DeltasParams { cols: cols as u32, order, reach, shift };
            let mut probe = Probe::default();
            let from = probe.tensor(x);
            let to = probe.tensor(&std::vec![7i16; x.len() * (1 + order as usize)]);
            probe.run(&DELTAS_I16, &[from, to], &params.encode()).unwrap();
            let y = probe.get::<i16>(to);
            let stride = cols * (1 + order as usize);
            for c in 0..cols {
                prop_assert_eq!(column(&y, c, stride), column(x, c, cols));
                for k in 1..=order as usize {
                    // From the rounded values before them.
                    let before = column(&y, c + (k - 1) * cols, stride);
                    let exact = textbook_deltas(&before, reach as usize);
                    for (got, exact) in column(&y, c + k * cols, stride).into_iter().zip(exact) {
                        let exact = (exact * f64::from(1 << shift)).clamp(-32768.0, 32767.0);
                        prop_assert!((got - exact).abs() <= 0.5 + 1e-9, "{got} {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn standardising_keeps_its_bound_at_the_extremes() {
        let alternating: Vec<i16> = [i16::MIN, i16::MAX].repeat(MAX_ROWS / 2);
        check_columns(&alternating, 1, &[0], 14);
        check_columns(&alternating, 1, &[u32::MAX], 14);
        // One outlier in many rows: the largest value in deviations, and the least deviation.
        for (quiet, outlier) in [(0, 1), (i16::MIN, i16::MAX), (i16::MAX, i16::MIN)] {
            let mut x = std::vec![quiet; MAX_ROWS];
            x[7] = outlier;
            check_columns(&x, 1, &[0], 7);
            check_columns(&x, 1, &[1 << 16], 15);
        }
        check_columns(&[i16::MIN; 64], 2, &[0, 5], 12);
        check_columns(&[77], 1, &[0], 12);
        standardise(&mut [], 1, &[0], 12);
        remove_means(&mut [], 1);
    }

    #[test]
    fn removed_means_saturate() {
        let mut x = [i16::MIN, i16::MIN, i16::MIN, i16::MAX];
        remove_means(&mut x, 1);
        assert_eq!(x, [-16384, -16384, -16384, i16::MAX]);
        let mut x = [i16::MIN; 6];
        remove_means(&mut x, 2);
        assert_eq!(x, [0; 6]);
    }

    #[test]
    fn deltas_keep_their_headroom_at_the_extremes() {
        // A step over the full range, the widest reach and the largest shift.
        let mut x = std::vec![i16::MIN; 64];
        x[32..].fill(i16::MAX);
        let mut y = std::vec![0; 192];
        let params = DeltasParams {
            cols: 1,
            order: 2,
            reach: 32,
            shift: 5,
        };
        append_deltas(&x, &mut y, &params);
        let exact = textbook_deltas(&column(&x, 0, 1), 32);
        for (got, exact) in column(&y, 1, 3).into_iter().zip(exact) {
            assert!((got - (32.0 * exact).min(32767.0)).abs() <= 0.5);
        }
        let still = DeltasParams { reach: 1, ..params };
        append_deltas(&[i16::MIN; 4], &mut y[..12], &still);
        assert_eq!(y[..12], [i16::MIN, 0, 0].repeat(4));
        append_deltas(&[], &mut [], &params);
    }

    #[test]
    fn top_range_at_the_ends() {
        let mut x = [i32::MIN, i32::MIN];
        top_range(&mut x, i32::MAX);
        assert_eq!(x, [i32::MIN; 2]);
        let mut x = [i32::MIN, i32::MAX];
        top_range(&mut x, 0);
        assert_eq!(x, [i32::MAX; 2]);
        top_range(&mut [], 5);
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let wide = probe.tensor(&[0i32; 8]);
        let x = probe.tensor(&[0i16; 8]);
        let y = probe.tensor(&[0i16; 24]);
        let tall = probe.tensor(&std::vec![0i16; MAX_ROWS + 1]);
        let table = probe.table(&[0i16; 8]);
        let epsilon = probe.table(&[0u32; 4]);
        let refused = |op: &Op, operands: &[u32], params: &[u32], fault| {
            assert_eq!(probe.check(op, operands, params), Err(fault));
        };
        let accepted = |op: &Op, operands: &[u32], params: &[u32]| {
            assert_eq!(probe.check(op, operands, params), Ok(()));
        };
        let bad_param = |param| Fault::BadParam { param };
        accepted(&TOP_RANGE_I32, &[wide], &[80]);
        refused(&TOP_RANGE_I32, &[wide], &[1 << 31], bad_param(0));
        refused(&TOP_RANGE_I32, &[x], &[80], Fault::WrongType { operand: 0 });

        let mean = StandardiseParams {
            cols: 4,
            variance_q: None,
        }
        .encode();
        let both = StandardiseParams {
            cols: 4,
            variance_q: Some(12),
        }
        .encode();
        accepted(&STANDARDISE_I16, &[x], &mean);
        accepted(&STANDARDISE_I16, &[x, epsilon], &both);
        refused(
            &STANDARDISE_I16,
            &[x, epsilon],
            &mean,
            Fault::NoOperand { operand: 1 },
        );
        refused(
            &STANDARDISE_I16,
            &[x],
            &both,
            Fault::NoOperand { operand: 2 },
        );
        refused(
            &STANDARDISE_I16,
            &[x, x],
            &both,
            Fault::WrongPlace { operand: 1 },
        );
        refused(
            &STANDARDISE_I16,
            &[table, epsilon],
            &both,
            Fault::WrongPlace { operand: 0 },
        );
        refused(
            &STANDARDISE_I16,
            &[x, epsilon],
            &[8, 12],
            Fault::WrongLength { operand: 1 },
        );
        refused(&STANDARDISE_I16, &[x], &[0, u32::MAX], bad_param(0));
        refused(&STANDARDISE_I16, &[x], &[3, u32::MAX], bad_param(0));
        refused(&STANDARDISE_I16, &[x, epsilon], &[4, 16], bad_param(1));
        refused(
            &STANDARDISE_I16,
            &[tall],
            &[1, u32::MAX],
            Fault::WrongLength { operand: 0 },
        );

        let params = DeltasParams {
            cols: 4,
            order: 2,
            reach: 2,
            shift: 1,
        };
        accepted(&DELTAS_I16, &[x, y], &params.encode());
        refused(
            &DELTAS_I16,
            &[x, table],
            &params.encode(),
            Fault::WrongPlace { operand: 1 },
        );
        refused(
            &DELTAS_I16,
            &[x, x],
            &params.encode(),
            Fault::WrongPlace { operand: 1 },
        );
        for (params, fault) in [
            (DeltasParams { cols: 3, ..params }, bad_param(0)),
            (DeltasParams { cols: 0, ..params }, bad_param(0)),
            (DeltasParams { order: 3, ..params }, bad_param(1)),
            (
                DeltasParams { order: 1, ..params },
                Fault::WrongLength { operand: 1 },
            ),
            (DeltasParams { reach: 0, ..params }, bad_param(2)),
            (
                DeltasParams {
                    reach: 33,
                    ..params
                },
                bad_param(2),
            ),
            (DeltasParams { shift: 6, ..params }, bad_param(3)),
        ] {
            refused(&DELTAS_I16, &[x, y], &params.encode(), fault);
        }
    }
}
