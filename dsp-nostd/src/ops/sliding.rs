//! Normalisation of each column over the rows around each row.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::ops::finite;
use crate::ops::frame::Padding;

/// Per column, subtracts the mean over the rows around each row and, with a [`Deviation`], divides
/// by `std + epsilon` (population standard deviation).
///
/// Operands: x (`f32[rows * cols]`, in place), scratch (`f32[rows]`, written). Parameters:
/// [`SlidingParams`]. Rows beyond the first and the last are mirrored, those two repeated, as often
/// as the span needs. A column whose deviation and epsilon are 0 becomes 0.
pub const STANDARDISE_SLIDING_F32: Op = Op {
    code: 0x0150,
    name: "STANDARDISE_SLIDING_F32",
    check,
    run: |io| {
        let params = SlidingParams::decode(io.step.params()?)?;
        standardise(io, &params)
    },
};

/// Most rows that a span takes.
pub const MAX_SPAN: u32 = (1 << 14) - 1;

/// Rows whose standard deviation a row is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Deviation {
    /// None: only the mean is subtracted.
    None = 0,
    /// Those whose mean is subtracted.
    Rows = 1,
    /// The rows around it after the means of all rows were subtracted, mirrored anew: what Edge
    /// Impulse does.
    Centred = 2,
}

impl Deviation {
    /// The rule with this code, which is parameter `param`.
    pub(crate) fn decode(code: u32, param: u8) -> Result<Self, Fault> {
        [Self::None, Self::Rows, Self::Centred]
            .into_iter()
            .find(|&rule| rule as u32 == code)
            .ok_or(Fault::BadParam { param })
    }
}

/// Parameters of [`STANDARDISE_SLIDING_F32`]: four words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlidingParams {
    /// Values of a row.
    pub cols: u32,
    /// Rows in a span, odd, at most [`MAX_SPAN`].
    pub span: u32,
    /// What a row is divided by.
    pub deviation: Deviation,
    /// Added to the standard deviation, not negative.
    pub epsilon: f32,
}

impl SlidingParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 4] {
        [
            self.cols,
            self.span,
            self.deviation as u32,
            self.epsilon.to_bits(),
        ]
    }

    fn decode(&[cols, span, deviation, epsilon]: &[u32; 4]) -> Result<Self, Fault> {
        check_span(cols, span)?;
        let deviation = Deviation::decode(deviation, 2)?;
        let epsilon = finite(epsilon, 3)?;
        if epsilon < 0.0 {
            return Err(Fault::BadParam { param: 3 });
        }
        Ok(Self {
            cols,
            span,
            deviation,
            epsilon,
        })
    }
}

/// Checks the first two parameters of a sliding normalisation.
pub(crate) fn check_span(cols: u32, span: u32) -> Result<(), Fault> {
    if cols == 0 {
        return Err(Fault::BadParam { param: 0 });
    }
    if span > MAX_SPAN || span.is_multiple_of(2) {
        return Err(Fault::BadParam { param: 1 });
    }
    Ok(())
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let params = SlidingParams::decode(step.params()?)?;
    let x = step.count_of_output::<f32>(0)?;
    if !x.is_multiple_of(params.cols as usize) {
        return Err(Fault::BadParam { param: 0 });
    }
    if x.checked_div(params.cols as usize) != Some(step.count_of_output::<f32>(1)?) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 1)
}

/// Indices of the rows from `first` on, mirrored into `0..n` with the edges repeated; `n` is not
/// 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mirrored {
    at: usize,
    up: bool,
    n: usize,
}

impl Mirrored {
    pub(crate) fn new(first: i64, n: usize) -> Self {
        // Positions 0..n lead up, n..2n down again.
        let folded = first.checked_rem_euclid(2 * n as i64).unwrap_or(0) as usize;
        Self {
            at: Padding::Symmetric.index(first, n).unwrap_or(0),
            up: folded < n,
            n,
        }
    }
}

impl Iterator for Mirrored {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.at;
        match (self.up, at.wrapping_add(1) < self.n, at > 0) {
            (true, true, _) => self.at = at.wrapping_add(1),
            (false, _, true) => self.at = at.wrapping_sub(1),
            // At an edge, which is repeated.
            _ => self.up = !self.up,
        }
        Some(at)
    }
}

fn standardise(io: &mut crate::op::Io<'_, '_>, params: &SlidingParams) -> Result<(), Fault> {
    let cols = params.cols as usize;
    for first in 0..cols {
        gather(io, first, cols)?;
        let (column, x) = io.read_write::<f32, f32>(1, 0)?;
        remove_means(x, column, first, params);
        match params.deviation {
            Deviation::None => {}
            Deviation::Rows => divide(x, column, first, params),
            Deviation::Centred => {
                gather(io, first, cols)?;
                let (column, x) = io.read_write::<f32, f32>(1, 0)?;
                divide(x, column, first, params);
            }
        }
    }
    Ok(())
}

/// Copies a column into the scratch.
fn gather(io: &mut crate::op::Io<'_, '_>, first: usize, cols: usize) -> Result<(), Fault> {
    let (x, column) = io.read_write::<f32, f32>(0, 1)?;
    for (to, &from) in column.iter_mut().zip(x.iter().skip(first).step_by(cols)) {
        *to = from;
    }
    Ok(())
}

fn remove_means(x: &mut [f32], column: &[f32], first: usize, params: &SlidingParams) {
    let mut around = Mirrored::new(-reach(params), column.len());
    for x in x.iter_mut().skip(first).step_by(params.cols as usize) {
        *x -= mean(column, around, params.span, |x| x);
        around.next();
    }
}

/// Divides a column of x by the standard deviations of `column` around its rows.
fn divide(x: &mut [f32], column: &[f32], first: usize, params: &SlidingParams) {
    let mut around = Mirrored::new(-reach(params), column.len());
    for x in x.iter_mut().skip(first).step_by(params.cols as usize) {
        let centre = mean(column, around, params.span, |x| x);
        let variance = mean(column, around, params.span, |x| {
            let x = x - centre;
            x * x
        });
        let deviation = libm::sqrtf(variance) + params.epsilon;
        if deviation > 0.0 {
            *x /= deviation;
        }
        around.next();
    }
}

fn reach(params: &SlidingParams) -> i64 {
    i64::from(params.span / 2)
}

fn mean(column: &[f32], around: Mirrored, span: u32, of: impl Fn(f32) -> f32) -> f32 {
    let values = around
        .take(span as usize)
        .map(|row| of(column.get(row).copied().unwrap_or(0.0)));
    values.fold(0.0f32, |sum, x| sum + x) / span as f32
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    /// numpy's `pad(mode="symmetric")`, by its definition: walk and turn at the edges.
    fn padded(x: &[f64], reach: usize) -> Vec<f64> {
        let n = x.len() as i64;
        (-(reach as i64)..n + reach as i64)
            .map(|mut at| {
                while !(0..n).contains(&at) {
                    at = if at < 0 { -1 - at } else { 2 * n - 1 - at };
                }
                x[at as usize]
            })
            .collect()
    }

    /// Sliding normalisation of one column in f64: the values, and what they were divided by.
    pub(crate) fn exact(
        x: &[f64],
        span: usize,
        deviation: Deviation,
        epsilon: f64,
    ) -> Vec<(f64, f64)> {
        let windows = |x: &[f64]| -> Vec<Vec<f64>> {
            padded(x, span / 2)
                .windows(span)
                .map(<[f64]>::to_vec)
                .collect()
        };
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let std = |x: &Vec<f64>| {
            let m = mean(x);
            mean(&x.iter().map(|x| (x - m) * (x - m)).collect::<Vec<_>>()).sqrt()
        };
        let around = windows(x);
        let centred: Vec<f64> = x.iter().zip(&around).map(|(x, w)| x - mean(w)).collect();
        let divisors: Vec<f64> = match deviation {
            Deviation::None => std::vec![1.0 - epsilon; x.len()],
            Deviation::Rows => around.iter().map(std).collect(),
            Deviation::Centred => windows(&centred).iter().map(std).collect(),
        };
        centred
            .iter()
            .zip(divisors)
            .map(|(y, s)| (y / (s + epsilon), s + epsilon))
            .collect()
    }

    proptest! {
        #[test]
        fn rows_are_normalised_by_their_neighbours(
            x in prop::collection::vec(-30.0f32..30.0, 4..90),
            span in 1u32..40,
            code in 0u32..3,
        ) {
            let (cols, span) = (2, 2 * span + 1);
            let x = &x[..x.len() / cols * cols];
            let deviation = Deviation::decode(code, 2).expect("a rule");
            let params = SlidingParams { cols: 2, span, deviation, epsilon: 1e-2 };
            let mut probe = Probe::default();
            let operands = [probe.tensor(x), probe.tensor(&std::vec![0.0f32; x.len() / cols])];
            probe.run(&STANDARDISE_SLIDING_F32, &operands, &params.encode()).expect("runs");
            let y = probe.get::<f32>(operands[0]);
            for c in 0..cols {
                let column: Vec<f64> =
                    x.iter().skip(c).step_by(cols).map(|&x| f64::from(x)).collect();
                let exact = exact(&column, span as usize, deviation, f64::from(1e-2f32));
                for (t, (exact, divisor)) in exact.iter().enumerate() {
                    let found = f64::from(y[t * cols + c]);
                    let room = (3e-5 + 1e-4 * exact.abs()) / divisor.min(1.0);
                    prop_assert!((found - exact).abs() < room, "{found} {exact}");
                }
            }
        }
    }

    #[test]
    fn even_spans_and_wrong_scratch_are_refused() {
        let mut probe = Probe::default();
        let operands = [probe.tensor(&[0.0f32; 6]), probe.tensor(&[0.0f32; 3])];
        let check = |params: &[u32; 4]| probe.check(&STANDARDISE_SLIDING_F32, &operands, params);
        assert_eq!(check(&[2, 5, 0, 0]), Ok(()));
        assert_eq!(check(&[2, 4, 0, 0]), Err(Fault::BadParam { param: 1 }));
        assert_eq!(check(&[3, 5, 0, 0]), Err(Fault::WrongLength { operand: 1 }));
        assert_eq!(check(&[2, 5, 3, 0]), Err(Fault::BadParam { param: 2 }));
    }
}
