use super::*;
use crate::ops::fixed::probe::Probe;
use proptest::prelude::*;
extern crate std;
use std::vec::Vec;

/// The definitions, in f64. `x` has the parts one behind the other.
pub(crate) mod textbook {
    use super::GroupStatistic;
    extern crate std;
    use std::vec::Vec;

    pub(crate) fn mean(x: &[f64]) -> f64 {
        x.iter().sum::<f64>() / x.len() as f64
    }

    fn deviations(x: &[f64]) -> Vec<f64> {
        x.iter().map(|v| v - mean(x)).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    pub(crate) fn norm(x: &[f64], parts: usize) -> Vec<f64> {
        let n = x.len() / parts;
        let square = |i: usize| (0..parts).map(|p| x[p * n + i].powi(2)).sum::<f64>();
        (0..n).map(|i| square(i).sqrt()).collect()
    }

    pub(crate) fn low_pass(x: &[f64], k: f64) -> Vec<f64> {
        let (mut low, mut before) = (mean(x), mean(x));
        let step = |&x: &f64| {
            low = (1.0 - 2.0 * k) * low + k * (x + before);
            before = x;
            low
        };
        x.iter().map(step).collect()
    }

    pub(crate) fn group(x: &[f64], parts: usize, statistic: GroupStatistic) -> f64 {
        let n = x.len() / parts;
        let part = |p: u8| &x[usize::from(p) * n..][..n];
        let means: Vec<f64> = x.chunks(n).map(mean).collect();
        let norm = dot(&means, &means).sqrt();
        match statistic {
            GroupStatistic::MagnitudeArea => x.iter().map(|x| x.abs()).sum::<f64>() / n as f64,
            GroupStatistic::Correlation(a, b) => {
                let (a, b) = (deviations(part(a)), deviations(part(b)));
                dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
            }
            GroupStatistic::Direction(p) => means[usize::from(p)] / norm,
            GroupStatistic::Tilt => (means[parts - 1] / norm).acos(),
        }
    }

    pub(crate) fn autocorrelation(x: &[f64], k: usize) -> f64 {
        let d = deviations(x);
        dot(&d, &d[k..]) / dot(&d, &d)
    }
}

const LIST: [GroupStatistic; 8] = [
    GroupStatistic::MagnitudeArea,
    GroupStatistic::Correlation(0, 1),
    GroupStatistic::Correlation(0, 2),
    GroupStatistic::Correlation(2, 1),
    GroupStatistic::Direction(0),
    GroupStatistic::Direction(1),
    GroupStatistic::Direction(2),
    GroupStatistic::Tilt,
];

fn run(op: &Op, x: &[f32], outputs: usize, params: &[u32]) -> Vec<f32> {
    let mut probe = Probe::default();
    let operands = [probe.tensor(x), probe.tensor(&std::vec![9f32; outputs])];
    probe.run(op, &operands, params).unwrap();
    probe.get(operands[1])
}

proptest! {
    #[test]
    fn operators_follow_their_formulas(
        x in prop::collection::vec(-1000i32..1000, 30..300), k in 0.001f32..0.5, offset in 0f32..1e3,
    ) {
        let n = x.len() / 3;
        let x: Vec<f32> = x.iter().take(3 * n).map(|&x| x as f32 + offset).collect();
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let close = |got: &[f32], exact: &[f64], bound: f64| {
            for (got, exact) in got.iter().zip(exact) {
                assert!((f64::from(*got) - exact).abs() <= bound, "{got} {exact}");
            }
        };
        close(&run(&NORM_F32, &x, n, &[3]), &textbook::norm(&wide, 3), 1e-3);
        let steps: Vec<f64> = wide.windows(2).map(|w| 0.5 * (w[1] - w[0])).collect();
        close(&run(&DIFFERENCE_F32, &x, x.len() - 1, &[0.5f32.to_bits()]), &steps, 1e-3);
        let low = textbook::low_pass(&wide, f64::from(k));
        close(&run(&LOW_PASS_F32, &x, x.len(), &[k.to_bits(), 0]), &low, 5e-2);
        let rest: Vec<f64> = wide.iter().zip(&low).map(|(x, l)| x - l).collect();
        close(&run(&LOW_PASS_F32, &x, x.len(), &[k.to_bits(), 1]), &rest, 5e-2);

        let mut words = std::vec![3u32];
        words.extend(LIST.map(GroupStatistic::encode));
        let found = run(&GROUP_F32, &x, LIST.len(), &words);
        let exact = LIST.map(|statistic| textbook::group(&wide, 3, statistic));
        // A hundred additions of up to 6000, each off by at most 2^-24 of the sum so far.
        close(&found[..1], &exact[..1], 5e-2);
        close(&found[1..4], &exact[1..4], 1e-3);
        // A short mean vector has an uncertain direction.
        let mean = |p: usize| textbook::mean(&wide[p * n..][..n]);
        let length = (0..3).map(|p| mean(p).powi(2)).sum::<f64>().sqrt();
        close(&found[4..], &exact[4..], 1e-3 + 1.0 / length);

        let found = run(&AUTOCORRELATION_F32, &x, 2, &[2, 9, 0.5f32.to_bits()]);
        let r: Vec<f64> = (2..=9).map(|k| textbook::autocorrelation(&wide, k)).collect();
        let most = r.iter().copied().fold(f64::MIN, f64::max);
        prop_assert!((f64::from(found[1]) - most).abs() < 1e-4);
        // Where two lags are as good as each other, either.
        let lag = (found[0] * 2.0) as usize;
        prop_assert!(r[lag - 2] > most - 1e-4);
    }
}

#[test]
fn nothing_has_no_direction_and_no_peak() {
    let mut words = std::vec![3u32];
    words.extend(LIST.map(GroupStatistic::encode));
    assert_eq!(run(&GROUP_F32, &[0.0; 30], LIST.len(), &words), [0.0; 8]);
    assert_eq!(
        run(&AUTOCORRELATION_F32, &[9.81; 30], 2, &[1, 9, 0]),
        [0.0; 2]
    );
}

#[test]
fn checks_refuse_what_cannot_run() {
    let mut probe = Probe::default();
    let x = probe.tensor(&[0f32; 12]);
    let (y, two, eleven) = (
        probe.tensor(&[0f32; 4]),
        probe.tensor(&[0f32; 2]),
        probe.tensor(&[0f32; 11]),
    );
    let refused = |op: &Op, operands: &[u32], params: &[u32], fault| {
        assert_eq!(probe.check(op, operands, params), Err(fault), "{}", op.name);
    };
    let (param, length) = (
        |param| Fault::BadParam { param },
        |operand| Fault::WrongLength { operand },
    );
    let infinite = f32::INFINITY.to_bits();
    refused(&NORM_F32, &[x, y], &[4], param(0));
    refused(&NORM_F32, &[x, y], &[2], length(1));
    refused(&NORM_F32, &[x, x], &[1], Fault::WrongPlace { operand: 1 });
    refused(&DIFFERENCE_F32, &[x, eleven], &[infinite], param(0));
    refused(&DIFFERENCE_F32, &[x, y], &[0], length(1));
    refused(&LOW_PASS_F32, &[x, y], &[0, 0], length(1));
    refused(&LOW_PASS_F32, &[x, x], &[0.6f32.to_bits(), 0], param(0));
    refused(&LOW_PASS_F32, &[x, x], &[0, 2], param(1));
    refused(&GROUP_F32, &[x, two], &[3, 0, 99], param(2));
    refused(&GROUP_F32, &[x, two], &[3, 0], length(1));
    refused(&GROUP_F32, &[eleven, two], &[3, 0, 0], length(0));
    refused(&AUTOCORRELATION_F32, &[x, y], &[1, 5, 0], length(1));
    refused(&AUTOCORRELATION_F32, &[x, two], &[0, 5, 0], param(0));
    refused(&AUTOCORRELATION_F32, &[x, two], &[1, 12, 0], param(1));
    assert_eq!(
        probe.check(&AUTOCORRELATION_F32, &[x, two], &[1, 11, 0]),
        Ok(())
    );
}
