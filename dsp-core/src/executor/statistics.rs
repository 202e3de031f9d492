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
        let values: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
        let moments = Moments::of(&values);
        let mut sorted = Vec::new();
        if self.0.iter().any(|statistic| statistic.is_ordered()) {
            sorted.clone_from(&values);
            sorted.sort_by(f64::total_cmp);
        }
        let statistic = |statistic: &Statistic| moments.statistic(&values, &sorted, *statistic);
        y.extend(self.0.iter().map(statistic).map(F::of));
    }
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
    fn of(x: &[f64]) -> Self {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let [mut second, mut third, mut fourth] = [0.0; 3];
        for x in x {
            let d = x - mean;
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

    /// A statistic of the vector `x`, whose moments these are; `sorted` if it needs the order.
    fn statistic(&self, x: &[f64], sorted: &[f64], statistic: Statistic) -> f64 {
        let n = self.n;
        let mean_square = || x.iter().map(|x| x * x).sum::<f64>() / n;
        let minimum = || x.iter().copied().fold(f64::INFINITY, f64::min);
        let maximum = || x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let place = |part| Statistic::place(x.len(), part);
        match statistic {
            Statistic::Mean => self.mean,
            Statistic::RootMeanSquare => libm::sqrt(mean_square()),
            Statistic::Deviation => libm::sqrt(self.second),
            Statistic::Variance => self.second,
            Statistic::SampleVariance => self.second * n / (n - 1.0).max(1.0),
            Statistic::Skew => self.skew(),
            Statistic::Kurtosis => self.kurtosis(),
            Statistic::KurtosisOrZero if mean_square() == 0.0 => 0.0,
            Statistic::KurtosisOrZero => self.kurtosis(),
            Statistic::Minimum => minimum(),
            Statistic::Maximum => maximum(),
            Statistic::Range => maximum() - minimum(),
            Statistic::MeanMagnitude => x.iter().map(|x| x.abs()).sum::<f64>() / n,
            Statistic::MeanSquare => mean_square(),
            Statistic::ZeroCrossings => crossings(x, 0.0) / n,
            Statistic::MeanCrossings => crossings(x, self.mean) / n,
            Statistic::Quantile(place) => quantile(sorted, place),
            Statistic::QuartileRange => quantile(sorted, place(192)) - quantile(sorted, place(64)),
            Statistic::MedianDeviation => {
                let median = quantile(sorted, place(128));
                let mut apart: Vec<f64> = x.iter().map(|x| (x - median).abs()).collect();
                apart.sort_by(f64::total_cmp);
                quantile(&apart, place(128))
            }
            Statistic::Entropy(bins) => entropy(sorted, bins),
            _ => f64::NAN,
        }
    }

    fn is_constant(&self) -> bool {
        let rounding = CONSTANT * self.mean;
        self.second <= rounding * rounding
    }

    fn skew(&self) -> f64 {
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

fn crossings(x: &[f64], level: f64) -> f64 {
    let crossed = x
        .windows(2)
        .filter(|pair| (pair[0] > level) != (pair[1] > level));
    crossed.count() as f64
}

/// The value at a place in 1/256 of sorted values.
fn quantile(sorted: &[f64], place: u32) -> f64 {
    let (index, part) = ((place >> 8) as usize, f64::from(place & 0xff) / 256.0);
    let low = sorted[index];
    match sorted.get(index + 1) {
        Some(high) if part > 0.0 => low + (high - low) * part,
        _ => low,
    }
}

/// Entropy of a histogram of sorted values, as numpy counts it.
fn entropy(sorted: &[f64], bins: u32) -> f64 {
    let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
    if min >= max {
        return 0.0;
    }
    let mut counts = vec![0.0f64; bins as usize];
    for x in sorted {
        let bin = (x - min) / (max - min) * f64::from(bins);
        counts[(bin as usize).min(bins as usize - 1)] += 1.0;
    }
    let shares = counts.iter().filter(|&&count| count > 0.0);
    -shares
        .map(|count| count / sorted.len() as f64)
        .map(|p| p * libm::log(p))
        .sum::<f64>()
}
