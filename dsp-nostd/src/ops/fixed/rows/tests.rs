//! Row operators against their formulas in f64, and their checks.

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
