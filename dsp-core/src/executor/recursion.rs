//! Stages that carry something from row to row.

use super::GraphError;
use super::real::{Real, max};
use super::vector::{Lanes, VectorOp, check_len};
use crate::graph::{NoiseSubtraction, Pcen, RunningNormalisation, Stage, StageKind};

/// A stage on one vector after the other.
#[derive(Clone, Debug)]
pub(super) enum ChainOp<F> {
    Vector(VectorOp<F>),
    Recursion(Recursion<F>),
}

impl<F: Real> ChainOp<F> {
    /// The operation of `stage` on vectors of `input` values; `None` for a stage of another kind.
    pub(super) fn new(stage: &Stage, input: usize) -> Result<Option<Self>, GraphError> {
        if let Some(recursion) = Recursion::new(&stage.kind, input) {
            check_len(stage, input)?;
            return Ok(Some(Self::Recursion(recursion)));
        }
        Ok(VectorOp::new(stage, input)?.map(Self::Vector))
    }

    /// Forgets all vectors before.
    pub(super) fn restart(&mut self) {
        if let Self::Recursion(recursion) = self {
            recursion.restart();
        }
    }

    /// Inputs that the output depends on, when it is not all of them.
    pub(super) fn inputs(&self) -> Option<std::ops::Range<usize>> {
        match self {
            Self::Vector(op) => op.inputs(),
            Self::Recursion(_) => None,
        }
    }

    /// [`VectorOp::apply`] to the next `L` vectors.
    #[inline(always)]
    pub(super) fn apply<const L: usize>(&mut self, lanes: &mut Lanes<F, L>, energy: &mut [F; L]) {
        match self {
            Self::Vector(op) => op.apply(lanes, energy),
            Self::Recursion(recursion) => recursion.apply(&mut lanes.x),
        }
    }
}

/// A recursion over rows, with what it keeps.
#[derive(Clone, Debug)]
pub(super) struct Recursion<F> {
    kind: Kind,
    /// Rows so far.
    rows: u64,
    /// Smoothed energies, noise or means.
    level: Vec<F>,
    variance: Vec<F>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Pcen(Pcen),
    Noise(NoiseSubtraction),
    Running(RunningNormalisation),
}

impl<F: Real> Recursion<F> {
    /// The recursion of a stage on rows of `len` values; `None` for a stage of another kind.
    fn new(stage: &StageKind, len: usize) -> Option<Self> {
        let kind = match *stage {
            StageKind::Pcen(pcen) => Kind::Pcen(pcen),
            StageKind::SubtractNoise(noise) => Kind::Noise(noise),
            StageKind::StandardiseRunning(running) => Kind::Running(running),
            _ => return None,
        };
        Some(Self {
            kind,
            rows: 0,
            level: vec![F::zero(); len],
            variance: vec![F::zero(); len],
        })
    }

    /// Forgets all rows.
    fn restart(&mut self) {
        self.rows = 0;
        self.level.fill(F::zero());
        self.variance.fill(F::zero());
    }

    /// Applies the recursion to `L` rows, one after the other, that lie side by side.
    fn apply<const L: usize>(&mut self, x: &mut [[F; L]]) {
        for lane in 0..L {
            let row = x.iter_mut().map(|x| &mut x[lane]);
            match self.kind {
                Kind::Pcen(pcen) => {
                    let first = self.rows == 0;
                    for (x, m) in row.zip(&mut self.level) {
                        if first {
                            *m = pcen.start.map_or(*x, F::of);
                        }
                        let s = F::of(pcen.smoothing);
                        *m = (F::one() - s) * *m + s * *x;
                        *x = normalised(*x, *m, &pcen);
                    }
                }
                Kind::Noise(noise) => {
                    for (x, n) in row.zip(&mut self.level) {
                        *n = *n + F::of(noise.smoothing) * (*x - *n);
                        *x = max(*x - F::of(noise.factor) * *n, F::of(noise.remaining) * *x);
                    }
                }
                Kind::Running(running) => {
                    let a = F::of(running.alpha.max(1.0 / (self.rows + 1) as f64));
                    let columns = row.zip(&mut self.level).zip(&mut self.variance);
                    for ((x, m), v) in columns {
                        let d = *x - *m;
                        *m = *m + a * d;
                        *v = (F::one() - a) * (*v + a * d * d);
                        *x = *x - *m;
                        if running.variance {
                            let deviation = v.sqrt() + F::of(running.epsilon);
                            if deviation > F::zero() {
                                *x = *x / deviation;
                            }
                        }
                    }
                }
            }
            self.rows += 1;
        }
    }
}

/// `(x / (epsilon + m)^gain + bias)^power - bias^power`, in f64 in every numeric, so that small
/// values beside the bias keep their digits.
fn normalised<F: Real>(x: F, m: F, pcen: &Pcen) -> F {
    let (x, m) = (x.to_f64(), m.to_f64());
    let level = x / libm::pow(pcen.epsilon + m, pcen.gain);
    if pcen.bias == 0.0 {
        return F::of(libm::pow(level, pcen.power));
    }
    let root = libm::pow(pcen.bias, pcen.power);
    F::of(root * libm::expm1(pcen.power * libm::log1p(level / pcen.bias)))
}
