//! Timing of several contenders in one run.
//!
//! What counts is how contenders compare, and a machine's speed drifts by more than they differ
//! (clock frequency, neighbours on a shared host). A harness that times one contender after the
//! other measures that drift too. Here all contenders take turns in short rounds; a contender's
//! time is the median over the rounds, and its ratio to the floor is the median of the ratios
//! *within* each round.

use std::time::{Duration, Instant};

/// How long a contender runs in each round.
const TURN: Duration = Duration::from_millis(4);
/// Rounds.
const ROUNDS: usize = 101;

/// Something that is timed.
pub struct Contender<'a> {
    /// Name in the table.
    pub name: &'a str,
    /// One job.
    pub job: Box<dyn FnMut() + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender whose result goes through [`std::hint::black_box`].
    pub fn new<R>(name: &'a str, mut job: impl FnMut() -> R + 'a) -> Self {
        Self {
            name,
            job: Box::new(move || {
                std::hint::black_box(job());
            }),
        }
    }
}

/// What was measured for a contender.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Name of the contender.
    pub name: String,
    /// Median seconds of one job.
    pub seconds: f64,
    /// Median ratio to the first contender.
    pub ratio: f64,
}

/// Times all contenders in turns; the first is the floor.
pub fn compare(contenders: &mut [Contender<'_>]) -> Vec<Timing> {
    let repeats: Vec<u32> = contenders.iter_mut().map(calibrate).collect();
    let mut seconds = vec![Vec::with_capacity(ROUNDS); contenders.len()];
    for _ in 0..ROUNDS {
        for ((contender, &n), seconds) in contenders.iter_mut().zip(&repeats).zip(&mut seconds) {
            seconds.push(time(contender, n));
        }
    }
    let floor = seconds.first().cloned().unwrap_or_default();
    contenders
        .iter()
        .zip(seconds)
        .map(|(contender, seconds)| Timing {
            name: contender.name.to_owned(),
            ratio: median(seconds.iter().zip(&floor).map(|(s, f)| s / f).collect()),
            seconds: median(seconds),
        })
        .collect()
}

/// Jobs that fill a turn, found while warming up.
fn calibrate(contender: &mut Contender<'_>) -> u32 {
    let mut n = 1;
    loop {
        let seconds = time(contender, n) * f64::from(n);
        if seconds >= TURN.as_secs_f64() || n >= 1 << 24 {
            return n;
        }
        n *= 2;
    }
}

/// Seconds of one job, as the mean of `n`.
fn time(contender: &mut Contender<'_>, n: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..n {
        (contender.job)();
    }
    start.elapsed().as_secs_f64() / f64::from(n)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_outliers() {
        assert_eq!(median(vec![5.0, 1.0, 1000.0]), 5.0);
    }
}
