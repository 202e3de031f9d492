//! All plans of a pack over all signals.

use crate::digest::{Outcome, run};
use crate::{pack, signal};
use core::fmt;
use otolith_dsp_nostd::{Fault, InitError, Op, Plan, PlanError, Runner};

/// Arena bytes for all plans of a pack together.
pub const ARENA_LEN: usize = 448 * 1024;

/// What one plan made of one signal. Shown as plan, signal, digest and number of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'p> {
    /// Name of the plan.
    pub plan: &'p str,
    /// Index of the signal.
    pub signal: usize,
    /// What came out.
    pub outcome: Outcome,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plan,
            signal,
            outcome,
        } = self;
        write!(
            f,
            "{plan} {signal} {:016x} {}",
            outcome.digest.0, outcome.values
        )
    }
}

/// Why a plan did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The plan is not accepted.
    Plan(PlanError),
    /// [`ARENA_LEN`] is too small.
    Arena(InitError),
    /// A step failed.
    Run(Fault),
    /// More plans than [`pack::MAX_PLANS`].
    TooManyPlans,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(error) => write!(f, "the plan is refused: {error}"),
            Self::Arena(error) => write!(f, "report::ARENA_LEN: {error}"),
            Self::Run(error) => write!(f, "a push failed: {error}"),
            Self::TooManyPlans => write!(f, "a pack holds at most {} plans", pack::MAX_PLANS),
        }
    }
}

/// Plans that run over every signal: the first of a pack.
pub const THOROUGH: usize = 6;

/// The other plans run over one signal of so many, each over others, so that the emulated cores,
/// which take minutes, are done in a few.
pub const SAMPLED: usize = 8;

/// Runs the plans of `pack` over the signals, in the order of the signals, and gives each outcome
/// to `emit`. The first [`THOROUGH`] plans run over all of them, the others over one in
/// [`SAMPLED`].
///
/// # Errors
/// The name of the plan that did not run, and why.
pub fn all<'p>(
    pack: &'p [u8],
    ops: &'p [&'p Op],
    mut arena: &'p mut [u8],
    buffer: &mut [i16; signal::MAX_LEN],
    mut emit: impl FnMut(Line<'p>),
) -> Result<(), (&'p str, Failure)> {
    let mut runners: [Option<(&str, Runner<'_>)>; pack::MAX_PLANS] = [const { None }; _];
    let mut slots = runners.iter_mut();
    for (name, bytes) in pack::read(pack) {
        let plan = Plan::from_bytes(bytes, ops).map_err(|e| (name, Failure::Plan(e)))?;
        let len = plan
            .arena_len()
            .next_multiple_of(pack::ALIGN)
            .min(arena.len());
        let (own, rest) = arena.split_at_mut(len);
        arena = rest;
        let runner = Runner::new(plan, own).map_err(|e| (name, Failure::Arena(e)))?;
        *slots.next().ok_or((name, Failure::TooManyPlans))? = Some((name, runner));
    }
    for signal in 0..signal::COUNT {
        let samples = signal::write(signal, buffer);
        for (index, (plan, runner)) in runners.iter_mut().flatten().enumerate() {
            if index >= THOROUGH && !(signal + index).is_multiple_of(SAMPLED) {
                continue;
            }
            let outcome = run(runner, samples).map_err(|e| (*plan, Failure::Run(e)))?;
            emit(Line {
                plan,
                signal,
                outcome,
            });
        }
    }
    Ok(())
}
