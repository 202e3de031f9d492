//! Sparse filter banks over 64-bit powers or magnitudes.

use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::q;
use otolith_dsp_arch::dsp;

/// A bank of triangles that share their edges: where filter `m` falls from 1 to 0, filter `m + 1`
/// rises from 0 to 1, so one product serves both.
///
/// Operands: x (`u64`), lengths (`u16[n + 1]` table), weights (`u16` table, Q16), y (`u64[n]`,
/// written). Parameters: first. Segment `m` is a run of `lengths[m]` bins from bin `first` on, one
/// behind the other; in it filter `m` rises with the weights `a` and filter `m - 1` falls with
/// `1 - a`:
///
/// `y[m] = r[m] + sum_{segment m + 1} x - r[m + 1]`, `r[m] = floor(sum_{segment m} a x)`.
pub const MEL_U64: Op = Op {
    code: 0x0320,
    name: "MEL_U64",
    check: check_mel,
    run: run_mel,
};

/// Any bank of filters that have runs of consecutive bins.
///
/// Operands: x (`u64`), first (`u16[n]` table), lengths (`u16[n]` table), weights (`u16` table,
/// Q16, all runs one behind the other), y (`u64[n]`, written). No parameters.
/// `y[m] = floor(sum_i w[m][i] x[first[m] + i])`.
pub const FILTER_BANK_U64: Op = Op {
    code: 0x0321,
    name: "FILTER_BANK_U64",
    check: check_bank,
    run: run_bank,
};

fn check_mel(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let bins = step.count_of::<u64>(0)?;
    let lengths = step.table::<u16>(1)?;
    let weights = step.table::<u16>(2)?;
    let filters = step.count_of_output::<u64>(3)?;
    if lengths.len() != filters + 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    step.expect_disjoint(0, 3)?;
    let total: usize = lengths.iter().map(|&n| usize::from(n)).sum();
    if total != weights.len() {
        return Err(Fault::BadTable { operand: 1 });
    }
    let &[first] = step.params()?;
    if (first as usize)
        .checked_add(total)
        .is_none_or(|end| end > bins)
    {
        return Err(Fault::BadParam { param: 0 });
    }
    Ok(())
}

fn run_mel(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[first] = io.step.params()?;
    let lengths = io.step.table(1)?;
    let weights = io.step.table(2)?;
    let (x, y) = io.read_write::<u64, u64>(0, 3)?;
    let x = x
        .get(first as usize..)
        .ok_or(Fault::WrongLength { operand: 0 })?;
    triangles(x, lengths, weights, y);
    Ok(())
}

/// Sums over a run of bins, exact: with the weights by the words of the bins, and without.
#[derive(Clone, Copy, Default)]
struct Sums {
    low: u64,
    high: u64,
    all: u64,
}

impl Sums {
    #[inline(always)]
    fn of(x: &[u64], weights: &[u16]) -> Self {
        let mut sums = Self::default();
        for (&x, &a) in x.iter().zip(weights) {
            sums.all = q::add_u64(sums.all, x);
            sums.low = q::add_u64(sums.low, q::mul_exact(x as u32, a));
            sums.high = q::add_u64(sums.high, q::mul_exact((x >> 32) as u32, a));
        }
        sums
    }

    /// `floor(sum a x)`.
    #[inline(always)]
    fn weighted(self) -> u64 {
        q::add_u64(self.high << 16, self.low >> 16)
    }
}

#[inline(never)]
fn triangles(x: &[u64], lengths: &[u16], weights: &[u16], y: &mut [u64]) {
    if !dsp::triangles(x, lengths, weights, y) {
        triangles_portable(x, lengths, weights, y);
    }
}

/// [`dsp::triangles`] on any target: what its routines are compared with.
pub fn triangles_portable(x: &[u64], lengths: &[u16], weights: &[u16], y: &mut [u64]) {
    let (mut x, mut weights) = (x, weights);
    let mut segment = |length: u16| {
        let n = usize::from(length);
        let (bins, x_behind) = x.split_at_checked(n).unwrap_or_default();
        let (rise, w_behind) = weights.split_at_checked(n).unwrap_or_default();
        (x, weights) = (x_behind, w_behind);
        Sums::of(bins, rise)
    };
    let Some((&first, lengths)) = lengths.split_first() else {
        return;
    };
    let mut rising = segment(first).weighted();
    for (y, &length) in y.iter_mut().zip(lengths) {
        let sums = segment(length);
        let next = sums.weighted();
        *y = q::add_u64(rising, sums.all.wrapping_sub(next));
        rising = next;
    }
}

fn check_bank(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(5)?;
    let bins = step.count_of::<u64>(0)?;
    let first = step.table::<u16>(1)?;
    let lengths = step.table::<u16>(2)?;
    let weights = step.table::<u16>(3)?;
    if lengths.len() != first.len() {
        return Err(Fault::WrongLength { operand: 2 });
    }
    if step.count_of_output::<u64>(4)? != first.len() {
        return Err(Fault::WrongLength { operand: 4 });
    }
    step.expect_disjoint(0, 4)?;
    let mut total = 0;
    for (&first, &length) in first.iter().zip(lengths) {
        if usize::from(first) + usize::from(length) > bins {
            return Err(Fault::BadTable { operand: 1 });
        }
        total += usize::from(length);
    }
    if total != weights.len() {
        return Err(Fault::BadTable { operand: 2 });
    }
    step.params::<0>().map(|_| ())
}

fn run_bank(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let first = io.step.table(1)?;
    let lengths = io.step.table(2)?;
    let weights = io.step.table(3)?;
    let (x, y) = io.read_write::<u64, u64>(0, 4)?;
    filter(x, first, lengths, weights, y);
    Ok(())
}

#[inline(never)]
fn filter(x: &[u64], first: &[u16], lengths: &[u16], mut weights: &[u16], y: &mut [u64]) {
    for ((y, &first), &length) in y.iter_mut().zip(first).zip(lengths) {
        let (w, behind) = weights
            .split_at_checked(usize::from(length))
            .unwrap_or_default();
        weights = behind;
        let x = x.get(usize::from(first)..).unwrap_or_default();
        *y = Sums::of(x, w).weighted();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn triangles_are_a_filter_bank_of_rises_and_falls(
            x in prop::collection::vec(0u64..1 << 56, 40),
            weights in prop::collection::vec(any::<u16>(), 30),
            cut in 1u16..20,
        ) {
            let lengths = [cut, 4, 26 - cut];
            let mut y = [0; 2];
            triangles(&x, &lengths, &weights, &mut y);
            let share = |n: usize| f64::from(weights[n]) / 65536.0 * x[n] as f64;
            let rise = |from: usize, to: usize| (from..to).map(share).sum::<f64>();
            let fall = |from: usize, to: usize| {
                (from..to).map(|n| x[n] as f64).sum::<f64>() - rise(from, to)
            };
            let a = usize::from(cut);
            let exact = [rise(0, a) + fall(a, a + 4), rise(a, a + 4) + fall(a + 4, 30)];
            for (y, exact) in y.iter().zip(exact) {
                // Each floor costs less than one unit; f64 has 53 bits.
                prop_assert!((*y as f64 - exact).abs() < 2.0 + exact * 1e-13);
            }
        }
    }

    #[test]
    fn filters_weigh_their_runs() {
        let x = [1 << 20, 2 << 20, 3 << 20, 4 << 20];
        let mut y = [9; 3];
        filter(
            &x,
            &[0, 1, 3],
            &[2, 3, 0],
            &[0x8000, 0x8000, 0x4000, 0x8000, 0x4000],
            &mut y,
        );
        assert_eq!(y, [3 << 19, 3 << 20, 0]);
    }
}
