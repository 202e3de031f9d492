//! The decision behind an estimator in real numbers: the law of `DECIDE_I32`.

use super::Classification;
use crate::estimator::{Estimator, ScoreKind};
use crate::graph::{Decide, Head};
use std::collections::VecDeque;

/// Scores of an estimator on their way to decisions.
pub(super) struct Decider<'a> {
    estimator: &'a Estimator,
    settings: &'a Decide,
    last: VecDeque<Vec<f64>>,
    /// Classifications for which nothing fires.
    silent: usize,
}

impl<'a> Decider<'a> {
    pub(super) fn new(head: &'a Head, estimator: &'a Estimator) -> Self {
        Self {
            estimator,
            settings: &head.decide,
            last: VecDeque::new(),
            silent: 0,
        }
    }

    /// What is said about `features` after `samples` samples.
    pub(super) fn classify(&mut self, features: &[f64], samples: u64) -> Classification {
        self.last.push_back(self.estimator.scores(features));
        if self.last.len() > self.settings.average {
            self.last.pop_front();
        }
        let n = self.last.len() as f64;
        let labels = self.estimator.labels().len();
        let average = |label: usize| self.last.iter().map(|scores| scores[label]).sum::<f64>() / n;
        let scores: Vec<f64> = (0..labels).map(average).collect();
        let mut best = 0;
        for (label, score) in scores.iter().enumerate() {
            if *score > scores[best] {
                best = label;
            }
        }
        let fires = self.estimator.score_kind() != ScoreKind::Value
            && self.settings.fires[best]
            && scores[best] >= self.settings.threshold
            && self.silent == 0;
        self.silent = match fires {
            true => self.settings.refractory,
            false => self.silent.saturating_sub(1),
        };
        Classification {
            samples,
            decision: fires.then_some((best, scores[best] as f32)),
            scores: scores.into_iter().map(|score| score as f32).collect(),
        }
    }
}
