//! The decision behind a classifier in real numbers: the law of `DECIDE_I8` and `DECIDE_I32` without
//! their rounding.

use super::Classification;
use crate::graph::Head;
use std::collections::VecDeque;

/// Scores on their way to decisions: average, threshold, refractory time.
pub(super) struct Decider<'a> {
    head: &'a Head,
    last: VecDeque<Vec<f64>>,
    /// Classifications for which nothing fires.
    silent: usize,
}

impl<'a> Decider<'a> {
    pub(super) fn new(head: &'a Head) -> Self {
        Self {
            head,
            last: VecDeque::new(),
            silent: 0,
        }
    }

    /// What is said when `scores` come after `samples` samples.
    pub(super) fn decide(&mut self, scores: Vec<f64>, samples: u64) -> Classification {
        let settings = &self.head.decide;
        let labels = scores.len();
        self.last.push_back(scores);
        if self.last.len() > settings.average.max(1) {
            self.last.pop_front();
        }
        let n = self.last.len() as f64;
        let average = |label: usize| self.last.iter().map(|scores| scores[label]).sum::<f64>() / n;
        let scores: Vec<f64> = (0..labels).map(average).collect();
        let best = scores.iter().copied().enumerate();
        let best = best.reduce(|a, b| if b.1 > a.1 { b } else { a });
        let may_fire = |label: usize| settings.fires.get(label).is_some_and(|&fires| fires);
        let decision = best.filter(|&(label, score)| {
            let silent = self.silent > 0 || !self.head.decides();
            may_fire(label) && score >= settings.threshold && !silent
        });
        self.silent = match decision {
            Some(_) => settings.refractory,
            None => self.silent.saturating_sub(1),
        };
        Classification {
            samples,
            decision: decision.map(|(label, score)| (label, score as f32)),
            scores: scores.into_iter().map(|score| score as f32).collect(),
        }
    }
}
