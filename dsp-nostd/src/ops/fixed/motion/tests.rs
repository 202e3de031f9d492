use super::*;
use crate::ops::fixed::probe::Probe;
use crate::ops::motion::tests::textbook;
use proptest::prelude::*;
extern crate std;
use std::vec::Vec;

const Q30: f64 = 1073741824.0;

fn run(op: &Op, x: &[i32], outputs: usize, params: &[u32]) -> Vec<f64> {
    let mut probe = Probe::default();
    let operands = [probe.tensor(x), probe.tensor(&std::vec![9i32; outputs])];
    probe.run(op, &operands, params).unwrap();
    let y = probe.get::<i32>(operands[1]);
    y.into_iter().map(f64::from).collect()
}

fn close(got: &[f64], exact: &[f64], bound: f64) {
    for (i, (got, exact)) in got.iter().zip(exact).enumerate() {
        assert!((got - exact).abs() <= bound, "{i}: {got} {exact} {bound}");
    }
}

fn pairs() -> [GroupStatistic; 3] {
    [(0, 1), (0, 2), (2, 1)].map(|(a, b)| GroupStatistic::Correlation(a, b))
}

fn directions() -> [GroupStatistic; 3] {
    [0, 1, 2].map(GroupStatistic::Direction)
}

fn words(list: &[GroupStatistic]) -> Vec<u32> {
    let words = list.iter().map(|statistic| statistic.encode());
    core::iter::once(3).chain(words).collect()
}

proptest! {
    #[test]
    fn operators_follow_their_formulas(
        x in prop::collection::vec(-(1i32 << 28)..1 << 28, 30..300), small in 0u32..20,
        offset in -(1i32 << 28)..1 << 28, k in 0.001f64..0.499,
    ) {
        let n = x.len() / 3;
        let x: Vec<i32> = x.iter().take(3 * n).map(|&x| (x + offset) >> small).collect();
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let spread = |p: usize| {
            let part = &x[p * n..][..n];
            f64::from(part.iter().max().unwrap() - part.iter().min().unwrap())
        };
        let least = (0..3).map(spread).fold(f64::MAX, f64::min);
        let sum = |p: usize| wide[p * n..][..n].iter().sum::<f64>();
        prop_assume!(least > 0.0 && (0..3).any(|p| sum(p) != 0.0));
        close(&run(&NORM_I32, &x, n, &[3]), &textbook::norm(&wide, 3), 1.0);
        let steps: Vec<f64> = wide.windows(2).map(|w| w[1] - w[0]).collect();
        close(&run(&DIFFERENCE_I32, &x, x.len() - 1, &[]), &steps, 0.0);

        // k as 20 to 21 bits and a shift.
        let s = (21.0 - k.log2()).ceil() as u32 - 1;
        let m = (k * 2f64.powi(s as i32)).round();
        prop_assert!((1e6..2097152.0).contains(&m));
        let low = textbook::low_pass(&wide, m / 2f64.powi(s as i32));
        let bound = 1.0 + 0.01 / k;
        close(&run(&LOW_PASS_I32, &x, x.len(), &[m as u32, s, 0]), &low, bound);
        let rest: Vec<f64> = wide.iter().zip(&low).map(|(x, l)| x - l).collect();
        close(&run(&LOW_PASS_I32, &x, x.len(), &[m as u32, s, 1]), &rest, bound);

        let exact = |list: &[GroupStatistic]| -> Vec<f64> {
            list.iter().map(|&s| textbook::group(&wide, 3, s)).collect()
        };
        let found = |list: &[GroupStatistic], unit: f64| -> Vec<f64> {
            run(&GROUP_I32, &x, list.len(), &words(list)).iter().map(|y| y / unit).collect()
        };
        let area = [GroupStatistic::MagnitudeArea];
        close(&found(&area, 1.0), &exact(&area), 0.51);
        close(&found(&pairs(), Q30), &exact(&pairs()), 1e-6 + 4.0 / least);
        close(&found(&directions(), Q30), &exact(&directions()), 1e-8);
        let tilt = [GroupStatistic::Tilt];
        close(&found(&tilt, Q30 / 2.0), &exact(&tilt), 1e-7);

        let found = run(&AUTOCORRELATION_I32, &x, 2, &[2, 9]);
        let r: Vec<f64> = (2..=9).map(|k| textbook::autocorrelation(&wide, k)).collect();
        let most = r.iter().copied().fold(f64::MIN, f64::max);
        let error = 1e-5 + 8.0 / least;
        prop_assert!((found[1] / Q30 - most).abs() < error);
        prop_assert!(r[found[0] as usize - 2] > most - error);
    }
}

#[test]
fn extremes_stay_in_range() {
    let (least, most) = (i32::MIN, i32::MAX);
    let x: Vec<i32> = (0..300)
        .map(|i| if i % 2 == 0 { least } else { most })
        .collect();
    assert_eq!(run(&NORM_I32, &x, 100, &[3]), [f64::from(most); 100]);
    let steps = run(&DIFFERENCE_I32, &x, 299, &[]);
    assert!(
        steps
            .iter()
            .all(|&y| y == f64::from(most) || y == f64::from(least))
    );
    run(&LOW_PASS_I32, &x, 300, &[(1 << 21) - 1, 22, 1]);
    let found = run(&GROUP_I32, &x, 3, &words(&pairs()));
    close(&found, &[Q30; 3], 8.0);
    let found = run(&AUTOCORRELATION_I32, &x, 2, &[1, 299]);
    assert_eq!(found[0], 2.0);
}

#[test]
fn nothing_has_no_direction_and_no_peak() {
    let mut list = std::vec![GroupStatistic::Tilt, GroupStatistic::MagnitudeArea];
    list.extend(pairs());
    list.extend(directions());
    assert_eq!(run(&GROUP_I32, &[0; 30], 8, &words(&list)), [0.0; 8]);
    assert_eq!(run(&AUTOCORRELATION_I32, &[981; 30], 2, &[1, 9]), [0.0; 2]);
}

#[test]
fn the_table_of_turns_is_its_formula() {
    for (i, &turn) in ATAN.iter().enumerate() {
        let exact = 2f64.powi(-(i as i32)).atan() * Q30 / 2.0;
        assert_eq!(f64::from(turn), exact.round(), "{i}");
    }
}

#[test]
fn checks_refuse_what_cannot_run() {
    let mut probe = Probe::default();
    let x = probe.tensor(&[0i32; 12]);
    let (y, two, float) = (
        probe.tensor(&[0i32; 4]),
        probe.tensor(&[0i32; 2]),
        probe.tensor(&[0f32; 4]),
    );
    let refused = |op: &Op, operands: &[u32], params: &[u32], fault| {
        assert_eq!(probe.check(op, operands, params), Err(fault), "{}", op.name);
    };
    let param = |param| Fault::BadParam { param };
    refused(&NORM_I32, &[x, y], &[0], param(0));
    refused(
        &NORM_I32,
        &[x, float],
        &[3],
        Fault::WrongType { operand: 1 },
    );
    refused(
        &DIFFERENCE_I32,
        &[x, y],
        &[],
        Fault::WrongLength { operand: 1 },
    );
    refused(&LOW_PASS_I32, &[x, x], &[1 << 21, 22, 0], param(0));
    refused(&LOW_PASS_I32, &[x, x], &[1, 21, 0], param(1));
    refused(&LOW_PASS_I32, &[x, x], &[1, 22, 2], param(2));
    refused(&GROUP_I32, &[x, two], &[3, 0x0301, 0], param(1));
    refused(&AUTOCORRELATION_I32, &[x, two], &[5, 4], param(0));
    refused(&AUTOCORRELATION_I32, &[x, two], &[5, 12], param(1));
}
