//! Statistics of a vector, summed in f64 in both numerics.

use super::real::Real;
use super::slices::SliceOp;
use crate::graph::Statistic;

/// [`crate::graph::StageKind::Statistics`].
#[derive(Debug)]
pub(super) struct Statistics(pub(super) Vec<Statistic>);

/// A standard deviation of this part of the mean is rounding: the vector counts as constant.
const CONSTANT: f64 = 1e-12;

impl<F: Real> SliceOp<F> for Statistics {
    fn apply(&self, x: &[F], y: &mut Vec<F>) {
        let moments = Moments::of(x);
        let values = || x.iter().map(|x| x.to_f64());
        let sorted = in_order(values().collect());
        y.extend(self.0.iter().map(|statistic| {
            F::of(match statistic {
                Statistic::Mean => moments.mean,
                Statistic::Minimum => values().fold(f64::INFINITY, f64::min),
                Statistic::Maximum => values().fold(f64::NEG_INFINITY, f64::max),
                Statistic::Rms => libm::sqrt(values().map(|x| x * x).sum::<f64>() / moments.n),
                Statistic::StandardDeviation => libm::sqrt(moments.second),
                Statistic::Skewness => moments.skewness(),
                Statistic::Kurtosis => moments.kurtosis(),
                Statistic::Range => sorted[x.len() - 1] - sorted[0],
                Statistic::MeanMagnitude => values().map(f64::abs).sum::<f64>() / moments.n,
                Statistic::MeanSquare => values().map(|x| x * x).sum::<f64>() / moments.n,
                Statistic::ZeroCrossings => crossings(x, 0.0),
                Statistic::MeanCrossings => crossings(x, moments.mean),
                Statistic::Percentile(percent) => percentile(&sorted, f64::from(*percent)),
                Statistic::QuartileRange => percentile(&sorted, 75.0) - percentile(&sorted, 25.0),
                Statistic::MedianDeviation => {
                    let median = percentile(&sorted, 50.0);
                    let apart = sorted.iter().map(|x| (x - median).abs()).collect();
                    percentile(&in_order(apart), 50.0)
                }
            })
        }));
    }
}

fn in_order(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// Neighbours on different sides of `level`, as a part of all values.
fn crossings<F: Real>(x: &[F], level: f64) -> f64 {
    let above = |x: &F| x.to_f64() > level;
    let crossed = x
        .windows(2)
        .filter(|pair| above(&pair[0]) != above(&pair[1]));
    crossed.count() as f64 / x.len() as f64
}

/// The value at a place among sorted ones, linear between neighbours.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let place = percent / 100.0 * (sorted.len() - 1) as f64;
    let below = libm::floor(place);
    let low = sorted[below as usize];
    let high = sorted.get(below as usize + 1).copied().unwrap_or(low);
    low + (high - low) * (place - below)
}

/// Mean and central moments.
struct Moments {
    n: f64,
    mean: f64,
    second: f64,
    third: f64,
    fourth: f64,
}

impl Moments {
    fn of<F: Real>(x: &[F]) -> Self {
        let n = x.len() as f64;
        let mean = x.iter().map(|x| x.to_f64()).sum::<f64>() / n;
        let [mut second, mut third, mut fourth] = [0.0; 3];
        for x in x {
            let d = x.to_f64() - mean;
            second += d * d;
            third += d * d * d;
            fourth += d * d * d * d;
        }
        Self {
            n,
            mean,
            second: second / n,
            third: third / n,
            fourth: fourth / n,
        }
    }

    fn is_constant(&self) -> bool {
        let rounding = CONSTANT * self.mean;
        self.second <= rounding * rounding
    }

    fn skewness(&self) -> f64 {
        if self.is_constant() {
            return 0.0;
        }
        self.third / (self.second * libm::sqrt(self.second))
    }

    fn kurtosis(&self) -> f64 {
        if self.is_constant() {
            return -3.0;
        }
        self.fourth / (self.second * self.second) - 3.0
    }
}
