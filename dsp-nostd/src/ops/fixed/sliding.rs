//! Normalisation of each column over the rows around each row, in integers.

use super::rows::Scale;
use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::ops::sliding::{Deviation, Mirrored, check_span};
use crate::q;

/// Per column, subtracts the mean over the rows around each row and, with a [`Deviation`], divides
/// by `std + epsilon` (population standard deviation).
///
/// Operands: x (`i16[rows * cols]`, in place), scratch (`i32[rows]`, written), and with a deviation
/// epsilon (`u32[cols]` table). Parameters: [`SlidingParams`]. Rows beyond the first and the last
/// are mirrored, those two repeated, as often as the span needs.
///
/// Formats, epsilon and errors are those of
/// [`STANDARDISE_I16`](super::rows::STANDARDISE_I16): without a deviation a column keeps its Q and
/// `x = x - round(mean)`; with one all columns get the Q format of the parameters, and a constant
/// column becomes 0. With [`Deviation::Centred`] the centred rows are rounded to `2^-bits` of x's
/// unit, `bits = 14 - ceil(log2 span)`, before their deviation is taken.
pub const STANDARDISE_SLIDING_I16: Op = Op {
    code: 0x0350,
    name: "STANDARDISE_SLIDING_I16",
    check,
    run: |io| {
        let params = SlidingParams::decode(io.step.params()?)?;
        for column in 0..params.cols as usize {
            standardise(io, column, &params)?;
        }
        Ok(())
    },
};

/// `x = x - round(mean)` per column, over the rows around each row; saturates.
///
/// Operands: x (`i32[rows * cols]`, in place), scratch (`i32[rows]`, written). Parameters: cols,
/// span (odd). At the edges as [`STANDARDISE_SLIDING_I16`]. At most 1/2 from the exact value.
pub const SLIDING_MEAN_I32: Op = Op {
    code: 0x0351,
    name: "SLIDING_MEAN_I32",
    check: |step| {
        step.expect_operands(2)?;
        let &[cols, span] = step.params()?;
        check_span(cols, span)?;
        check_rows::<i32>(step, cols)
    },
    run: |io| {
        let &[cols, span] = io.step.params()?;
        let (cols, n) = (cols as usize, i64::from(span));
        for first in 0..cols {
            let (x, column) = io.read_write::<i32, i32>(0, 1)?;
            for (to, &x) in column.iter_mut().zip(x.iter().skip(first).step_by(cols)) {
                *to = x;
            }
            let (column, x) = io.read_write::<i32, i32>(1, 0)?;
            let mut sums = Sums::new(column.len(), span, |row| value(column, row));
            for x in x.iter_mut().skip(first).step_by(cols) {
                let (sum, _) = sums.next(|row| value(column, row));
                *x = q::narrow_i32(i64::from(*x) - q::div(sum, n));
            }
        }
        Ok(())
    },
};

/// Parameters of [`STANDARDISE_SLIDING_I16`]: four words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingParams {
    /// Values of a row.
    pub cols: u32,
    /// Rows in a span, odd, at most [`MAX_SPAN`](crate::ops::sliding::MAX_SPAN).
    pub span: u32,
    /// What a row is divided by.
    pub deviation: Deviation,
    /// With a deviation: the result's Q, at most 15.
    pub out_q: u32,
}

impl SlidingParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 4] {
        [self.cols, self.span, self.deviation as u32, self.out_q]
    }

    fn decode(&[cols, span, deviation, out_q]: &[u32; 4]) -> Result<Self, Fault> {
        check_span(cols, span)?;
        let deviation = Deviation::decode(deviation, 2)?;
        if out_q > 15 {
            return Err(Fault::BadParam { param: 3 });
        }
        Ok(Self {
            cols,
            span,
            deviation,
            out_q,
        })
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    let params = SlidingParams::decode(step.params()?)?;
    match params.deviation {
        Deviation::None => step.expect_operands(2)?,
        _ => {
            step.expect_operands(3)?;
            if step.table::<u32>(2)?.len() != params.cols as usize {
                return Err(Fault::WrongLength { operand: 2 });
            }
        }
    }
    check_rows::<i16>(step, params.cols)
}

fn check_rows<T: crate::format::Element>(step: &Step<'_>, cols: u32) -> Result<(), Fault> {
    let x = step.count_of_output::<T>(0)?;
    if !x.is_multiple_of(cols as usize) {
        return Err(Fault::BadParam { param: 0 });
    }
    if x.checked_div(cols as usize) != Some(step.count_of_output::<i32>(1)?) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

/// A row's value, and its square.
fn value(column: &[i32], row: usize) -> (i64, i64) {
    let x = i64::from(column.get(row).copied().unwrap_or(0));
    (x, x.wrapping_mul(x))
}

/// Sums over the rows around row after row, exact: one row enters and one leaves.
struct Sums {
    enters: Mirrored,
    leaves: Mirrored,
    sum: i64,
    squares: i64,
}

impl Sums {
    /// In front of the first row. `at` gives the value of a row and its square.
    fn new(rows: usize, span: u32, at: impl Fn(usize) -> (i64, i64)) -> Self {
        let first = Mirrored::new(-i64::from(span / 2), rows);
        let mut sums = Self {
            enters: first,
            leaves: first,
            sum: 0,
            squares: 0,
        };
        for _ in 1..span {
            sums.enter(&at);
        }
        sums
    }

    fn enter(&mut self, at: impl Fn(usize) -> (i64, i64)) {
        let (x, square) = self.enters.next().map(at).unwrap_or_default();
        self.sum += x;
        self.squares = self.squares.wrapping_add(square);
    }

    /// The sums around the next row: of the values and, where squares of whole columns fit, of
    /// their squares.
    fn next(&mut self, at: impl Fn(usize) -> (i64, i64)) -> (i64, i64) {
        self.enter(&at);
        let sums = (self.sum, self.squares);
        let (x, square) = self.leaves.next().map(at).unwrap_or_default();
        self.sum -= x;
        self.squares = self.squares.wrapping_sub(square);
        sums
    }
}

/// Normalises column `first`.
fn standardise(io: &mut Io<'_, '_>, first: usize, params: &SlidingParams) -> Result<(), Fault> {
    let (cols, span, n) = (params.cols as usize, params.span, i64::from(params.span));
    // The centred rows have `bits` more fraction bits: |y| < 2^(16 + bits) and n < 2^(14 - bits),
    // so that n y has 30 bits and n times a sum of squares 60.
    let bits = match params.deviation {
        Deviation::Centred => span.leading_zeros().saturating_sub(18),
        _ => 0,
    };
    let (x, column) = io.read_write::<i16, i32>(0, 1)?;
    if params.deviation == Deviation::Centred {
        let at = |row: usize| {
            let x = x.get(row * cols + first).copied().unwrap_or(0);
            (i64::from(x), 0)
        };
        let mut sums = Sums::new(column.len(), span, at);
        for (row, y) in column.iter_mut().enumerate() {
            let (sum, _) = sums.next(at);
            *y = q::div((n * at(row).0 - sum) << bits, n) as i32;
        }
    } else {
        for (to, &x) in column.iter_mut().zip(x.iter().skip(first).step_by(cols)) {
            *to = i32::from(x);
        }
    }
    let epsilon = match params.deviation {
        Deviation::None => 0,
        _ => {
            let short = Fault::WrongLength { operand: 2 };
            *io.step.table::<u32>(2)?.get(first).ok_or(short)?
        }
    };
    let n_epsilon = (n as u64 * u64::from(epsilon)) << bits;
    let (column, x) = io.read_write::<i32, i16>(1, 0)?;
    let at = |row: usize| value(column, row);
    let mut sums = Sums::new(column.len(), span, at);
    for (row, x) in x.iter_mut().skip(first).step_by(cols).enumerate() {
        let (sum, squares) = sums.next(at);
        let y = at(row).0;
        if params.deviation == Deviation::None {
            *x = q::narrow_i16(y - q::div(sum, n));
            continue;
        }
        // n (x - mean); centred rows have no mean to subtract.
        let centred = match params.deviation {
            Deviation::Centred => n * y,
            _ => n * y - sum,
        };
        let Scale { factor, shift } = match (n * squares - sum * sum) as u64 {
            // No deviation: all are 0.
            0 => Scale::default(),
            n2_variance => Scale::new(n2_variance, n_epsilon, params.out_q),
        };
        *x = q::narrow_i16(q::shr(centred * factor, shift));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use crate::ops::sliding::tests::exact;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    fn column<T: Copy + Into<f64>>(x: &[T], first: usize, cols: usize) -> Vec<f64> {
        x.iter()
            .skip(first)
            .step_by(cols)
            .map(|&x| x.into())
            .collect()
    }

    proptest! {
        #[test]
        fn rows_are_normalised_by_their_neighbours(
            x in prop::collection::vec(any::<i16>(), 4..90),
            quiet in 0u32..12,
            half in 1u32..40,
            code in 0u32..3,
        ) {
            let (cols, span, out_q) = (2, 2 * half + 1, 11);
            let x: Vec<i16> = x[..x.len() / cols * cols].iter().map(|x| x >> quiet).collect();
            let deviation = Deviation::decode(code, 2).expect("a rule");
            let params = SlidingParams { cols: 2, span, deviation, out_q };
            let epsilon = [3u32 << 16, 40_000];
            let mut probe = Probe::default();
            let mut operands = std::vec![
                probe.tensor(&x),
                probe.tensor(&std::vec![0i32; x.len() / cols]),
            ];
            if deviation != Deviation::None {
                operands.push(probe.table(&epsilon));
            }
            probe.run(&STANDARDISE_SLIDING_I16, &operands, &params.encode()).expect("runs");
            let y = probe.get::<i16>(operands[0]);
            for c in 0..cols {
                let epsilon = f64::from(epsilon[c]) / 65536.0;
                let exact = exact(&column(&x, c, cols), span as usize, deviation, epsilon);
                let unit = match deviation {
                    Deviation::None => 1.0,
                    _ => 2f64.powi(out_q as i32),
                };
                for (t, (exact, divisor)) in exact.iter().enumerate() {
                    let found = f64::from(y[t * cols + c]);
                    let exact = (exact * unit).clamp(-32768.0, 32767.0);
                    // Rows without a deviation are 0 in integers, whatever epsilon is.
                    if deviation == Deviation::Centred && *divisor - epsilon < 1.0 {
                        continue;
                    }
                    // Centred rows are off by up to half of 2^-bits.
                    let bits = 14 - f64::from(span).log2().ceil() as i32;
                    let room = match deviation {
                        Deviation::None => 0.5001,
                        Deviation::Rows => 0.51,
                        Deviation::Centred => {
                            0.51 + 2f64.powi(-bits) / divisor * (unit + exact.abs())
                        }
                    };
                    prop_assert!((found - exact).abs() < room, "{found} {exact} {divisor}");
                }
            }
        }

        #[test]
        fn means_of_wide_rows_are_removed(
            x in prop::collection::vec(-(1i32 << 30)..1 << 30, 1..60),
            half in 1u32..40,
        ) {
            let span = 2 * half + 1;
            let mut probe = Probe::default();
            let operands = [probe.tensor(&x), probe.tensor(&std::vec![0i32; x.len()])];
            probe.run(&SLIDING_MEAN_I32, &operands, &[1, span]).expect("runs");
            let exact = exact(&column(&x, 0, 1), span as usize, Deviation::None, 0.0);
            for (found, (exact, _)) in probe.get::<i32>(operands[0]).iter().zip(exact) {
                let exact = exact.clamp(-2147483648.0, 2147483647.0);
                prop_assert!((f64::from(*found) - exact).abs() < 0.5001, "{found} {exact}");
            }
        }
    }

    #[test]
    fn the_longest_span_of_full_scale_does_not_wrap() {
        let span = crate::ops::sliding::MAX_SPAN;
        for deviation in [Deviation::Rows, Deviation::Centred] {
            let params = SlidingParams {
                cols: 1,
                span,
                deviation,
                out_q: 8,
            };
            let x: Vec<i16> = (0..200)
                .map(|t| if t < 100 { i16::MIN } else { i16::MAX })
                .collect();
            let mut probe = Probe::default();
            let operands = [
                probe.tensor(&x),
                probe.tensor(&[0i32; 200]),
                probe.table(&[u32::MAX]),
            ];
            probe
                .run(&STANDARDISE_SLIDING_I16, &operands, &params.encode())
                .expect("runs");
            let exact = exact(&column(&x, 0, 1), span as usize, deviation, 65536.0);
            for (found, (exact, _)) in probe.get::<i16>(operands[0]).iter().zip(exact) {
                assert!((f64::from(*found) - exact * 256.0).abs() < 1.0);
            }
        }
    }
}
