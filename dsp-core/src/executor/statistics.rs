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
        y.extend(self.0.iter().map(|statistic| {
            F::of(match statistic {
                Statistic::Mean => moments.mean,
                Statistic::Minimum => values().fold(f64::INFINITY, f64::min),
                Statistic::Maximum => values().fold(f64::NEG_INFINITY, f64::max),
                Statistic::Rms => libm::sqrt(values().map(|x| x * x).sum::<f64>() / moments.n),
                Statistic::StandardDeviation => libm::sqrt(moments.second),
                Statistic::Skewness => moments.skewness(),
                Statistic::Kurtosis => moments.kurtosis(),
            })
        }));
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
