//! Linear and logistic regression.

/// `y[r] = bias[r] + sum_k weights[r][k] x[k]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// One row for each output.
    pub weights: Vec<Vec<f64>>,
    /// One for each output.
    pub bias: Vec<f64>,
    /// Smallest and largest value that a device can say; beyond them it saturates.
    pub range: (f64, f64),
}

/// Probabilities of the outputs of a [`Linear`] model.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    /// The logits.
    pub linear: Linear,
    /// From logits to probabilities.
    pub link: Link,
}

/// From logits to probabilities. `s(z) = 1 / (1 + exp(-z))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// One logit and two labels: `[s(-z), s(z)]`.
    Binary,
    /// `exp(z[i]) / sum_j exp(z[j])`.
    Softmax,
    /// `s(z[i]) / sum_j s(z[j])`.
    OneVsRest,
}

impl Linear {
    pub(super) fn values(&self, x: &[f64]) -> Vec<f64> {
        self.weights
            .iter()
            .zip(&self.bias)
            .map(|(row, bias)| bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>())
            .collect()
    }

    /// The smallest power of two with which 16 bits hold the range.
    pub(crate) fn unit(&self) -> f64 {
        let most = self.range.0.abs().max(self.range.1.abs()).max(1e-6);
        libm::exp2(libm::ceil(libm::log2(most / 32767.0)))
    }
}

impl Logistic {
    pub(super) fn probabilities(&self, x: &[f64]) -> Vec<f64> {
        let logits = self.linear.values(x);
        let sigmoid = |z: f64| 1.0 / (1.0 + libm::exp(-z));
        let (scores, sum): (Vec<f64>, f64) = match (self.link, logits.as_slice()) {
            (Link::Binary, &[z, ..]) => (vec![sigmoid(-z), sigmoid(z)], 1.0),
            (Link::Softmax, _) => {
                let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let exp: Vec<f64> = logits.iter().map(|z| libm::exp(z - most)).collect();
                let sum = exp.iter().sum();
                (exp, sum)
            }
            _ => {
                let each: Vec<f64> = logits.iter().map(|&z| sigmoid(z)).collect();
                let sum = each.iter().sum();
                (each, sum)
            }
        };
        let share = |p: f64| if sum > 0.0 { p / sum } else { 0.0 };
        scores.into_iter().map(share).collect()
    }
}
