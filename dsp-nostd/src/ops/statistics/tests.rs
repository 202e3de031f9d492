use super::*;
use crate::ops::fixed::probe::Probe;
use proptest::prelude::*;
extern crate std;
use std::vec::Vec;

/// The definitions, in f64.
pub(crate) fn textbook(x: &[f64], statistic: Statistic) -> f64 {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let moment = |p: i32| x.iter().map(|x| (x - mean).powi(p)).sum::<f64>() / n;
    let mut sorted = x.to_vec();
    sorted.sort_by(f64::total_cmp);
    let quantile = |sorted: &[f64], place: u32| {
        let place = f64::from(place) / 256.0;
        let (low, high) = (
            sorted[place.floor() as usize],
            sorted[place.ceil() as usize],
        );
        low + (high - low) * place.fract()
    };
    let place = |part| Statistic::place(x.len(), part);
    let (min, max) = (sorted[0], sorted[x.len() - 1]);
    let crossings = |level: f64| {
        let crossed = x.windows(2).filter(|w| (w[0] > level) != (w[1] > level));
        crossed.count() as f64 / n
    };
    let squares = x.iter().map(|x| x * x).sum::<f64>() / n;
    match statistic {
        Statistic::Mean => mean,
        Statistic::RootMeanSquare => squares.sqrt(),
        Statistic::Deviation => moment(2).sqrt(),
        Statistic::Variance => moment(2),
        Statistic::SampleVariance => moment(2) * n / (n - 1.0).max(1.0),
        Statistic::Skew if min == max => 0.0,
        Statistic::Skew => moment(3) / moment(2).powf(1.5),
        Statistic::KurtosisOrZero if squares == 0.0 => 0.0,
        Statistic::Kurtosis | Statistic::KurtosisOrZero if min == max => -3.0,
        Statistic::Kurtosis | Statistic::KurtosisOrZero => moment(4) / moment(2).powi(2) - 3.0,
        Statistic::Minimum => min,
        Statistic::Maximum => max,
        Statistic::Range => max - min,
        Statistic::MeanMagnitude => x.iter().map(|x| x.abs()).sum::<f64>() / n,
        Statistic::MeanSquare => squares,
        Statistic::ZeroCrossings => crossings(0.0),
        Statistic::MeanCrossings => crossings(mean),
        Statistic::Quantile(at) => quantile(&sorted, at),
        Statistic::QuartileRange => quantile(&sorted, place(192)) - quantile(&sorted, place(64)),
        Statistic::MedianDeviation => {
            let median = quantile(&sorted, place(128));
            let mut apart: Vec<f64> = x.iter().map(|x| (x - median).abs()).collect();
            apart.sort_by(f64::total_cmp);
            quantile(&apart, place(128))
        }
        Statistic::Entropy(_) if min == max => 0.0,
        Statistic::Entropy(bins) => {
            let mut counts = std::vec![0.0; bins as usize];
            for x in x {
                let bin = ((x - min) / (max - min) * f64::from(bins)) as usize;
                counts[bin.min(bins as usize - 1)] += 1.0;
            }
            let shares = counts.iter().filter(|&&c| c > 0.0).map(|c| c / n);
            -shares.map(|p| p * p.ln()).sum::<f64>()
        }
    }
}

pub(crate) fn all(n: usize) -> Vec<Statistic> {
    use Statistic::*;
    std::vec![
        Mean,
        RootMeanSquare,
        Deviation,
        Variance,
        SampleVariance,
        Skew,
        Kurtosis,
        KurtosisOrZero,
        Minimum,
        Maximum,
        Range,
        MeanMagnitude,
        MeanSquare,
        ZeroCrossings,
        MeanCrossings,
        Quantile(0),
        Quantile(Statistic::place(n, 128)),
        Quantile(Statistic::place(n, 243)),
        MedianDeviation,
        QuartileRange,
        Entropy(100),
    ]
}

fn run(x: &[f32], list: &[Statistic]) -> Vec<f32> {
    let mut probe = Probe::default();
    let words: Vec<u32> = list.iter().map(|s| s.encode()).collect();
    let operands = [
        probe.tensor(x),
        probe.tensor(&std::vec![0f32; x.len()]),
        probe.tensor(&std::vec![7f32; list.len()]),
    ];
    probe.run(&STATISTICS_F32, &operands, &words).unwrap();
    probe.get::<f32>(operands[2])
}

proptest! {
    #[test]
    fn statistics_follow_their_formulas(
        x in prop::collection::vec(-1000i32..1000, 2..400), scale in 1e-3f32..1e3,
    ) {
        // Whole numbers times a scale: crossings and bins have no ties at the limits of rounding.
        let x: Vec<f32> = x.into_iter().map(|x| (x as f32 + 0.3) * scale).collect();
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let list = all(x.len());
        let peak = wide.iter().fold(0.0f64, |peak, x| peak.max(x.abs()));
        let spread = textbook(&wide, Statistic::Deviation) / peak;
        for (got, statistic) in run(&x, &list).into_iter().zip(&list) {
            let exact = textbook(&wide, *statistic);
            let unit = match statistic {
                Statistic::MeanSquare | Statistic::Variance | Statistic::SampleVariance => peak * peak,
                Statistic::Skew | Statistic::Kurtosis | Statistic::KurtosisOrZero => {
                    (exact.abs() + 3.0) / spread.max(1e-3)
                }
                Statistic::Entropy(_) => 0.5,
                Statistic::ZeroCrossings | Statistic::MeanCrossings => 1.0,
                _ => peak,
            };
            let error = (f64::from(got) - exact).abs();
            // Values on the limit of a bin may fall into the next.
            let n = x.len() as f64;
            let bound = match statistic {
                Statistic::Entropy(_) => 0.05 + 8.0 * n.ln() / n,
                _ => 2e-5,
            };
            prop_assert!(error <= bound * unit, "{:?}: {} {}", statistic, got, exact);
        }
    }
}

#[test]
fn a_large_offset_costs_no_digits() {
    let x: Vec<f32> = (0..200)
        .map(|t| 1000.0 + ((t * 37 % 101) as f32 - 50.0) / 512.0)
        .collect();
    let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let list = [Statistic::Deviation, Statistic::Skew, Statistic::Kurtosis];
    for (got, statistic) in run(&x, &list).into_iter().zip(list) {
        let exact = textbook(&wide, statistic);
        assert!(
            (f64::from(got) - exact).abs() < 1e-4,
            "{statistic:?} {got} {exact}"
        );
    }
}

#[test]
fn constant_windows() {
    let list = [
        Statistic::Skew,
        Statistic::Kurtosis,
        Statistic::KurtosisOrZero,
        Statistic::Entropy(100),
    ];
    assert_eq!(run(&[0.0; 9], &list), [0.0, -3.0, 0.0, 0.0]);
    assert_eq!(run(&[9.81; 125], &list), [0.0, -3.0, -3.0, 0.0]);
}

#[test]
fn checks_refuse_what_cannot_run() {
    let mut probe = Probe::default();
    let x = probe.tensor(&[1f32, 2.0, 3.0]);
    let (empty, two) = (probe.tensor::<f32>(&[]), probe.tensor(&[0f32; 2]));
    let (scratch, y) = (probe.tensor(&[0f32; 3]), probe.tensor(&[0f32]));
    let mean = Statistic::Mean.encode();
    let refused = |operands: &[u32], params: &[u32], fault| {
        assert_eq!(probe.check(&STATISTICS_F32, operands, params), Err(fault));
    };
    refused(
        &[empty, scratch, y],
        &[mean],
        Fault::WrongLength { operand: 0 },
    );
    refused(
        &[x, scratch, y],
        &[mean, mean],
        Fault::WrongLength { operand: 2 },
    );
    refused(&[x, scratch, empty], &[], Fault::WrongLength { operand: 2 });
    refused(&[x, scratch, y], &[99], Fault::BadParam { param: 0 });
    refused(
        &[x, two, y],
        &[Statistic::QuartileRange.encode()],
        Fault::WrongLength { operand: 1 },
    );
    refused(&[x, x, y], &[mean], Fault::WrongPlace { operand: 1 });
    assert_eq!(probe.check(&STATISTICS_F32, &[x, two, y], &[mean]), Ok(()));
}
