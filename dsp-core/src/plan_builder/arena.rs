//! How much RAM a plan takes, and how little it could take.

use super::PlanBuilder;
use super::planner::{Block, Drawn};
use otolith_dsp_nostd::format::{ARENA_ALIGN, align_up};

/// What the arena of a plan holds, and how small any arena of these steps could be.
///
/// A tensor that one step names and no other, such as the scratch of a kernel, belongs to the
/// steps, not to what is computed; the two bounds are without and with it. An output that its
/// operator may write over its input counts once. All sizes are in bytes, rounded up to whole
/// words as tensors are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArenaUse {
    /// The arena.
    pub arena: usize,
    /// What keeps its contents between pushes, which is part of the arena.
    pub state: usize,
    /// Largest sum of state and activations at one step, without scratch.
    pub activations: usize,
    /// Largest sum of state, activations and scratch at one step.
    pub live: usize,
    /// Name of the step with that sum.
    pub step: String,
}

impl PlanBuilder {
    /// What the plan needs of RAM so far.
    pub fn arena_use(&self) -> ArenaUse {
        let drawn = Drawn::new(self);
        let steps: Vec<&str> = self.all_steps().map(|step| step.name.as_str()).collect();
        let alive = |at: usize, scratch: bool| -> usize {
            let counted = |block: &&Block| {
                let life = block.life();
                scratch || block.is_boundary || life.start() != life.end()
            };
            let blocks = drawn.blocks.iter().filter(counted);
            let bytes = blocks.clone().map(|block| block.bytes_at(at));
            // Of a pair that may start together the smaller one lies in the larger one.
            let shared = drawn.shares.iter().filter_map(|pair| {
                let block = |tensor: usize| blocks.clone().find(|b| b.tensors == [tensor]);
                let (x, y) = (block(pair[0])?, block(pair[1])?);
                (*y.life().start() == at).then_some(x.bytes().min(y.bytes()))
            });
            bytes.sum::<usize>() - shared.sum::<usize>()
        };
        let most = |scratch: bool| (0..=steps.len()).map(|at| alive(at, scratch)).max();
        let live = most(true).unwrap_or_default();
        let at = (0..steps.len()).find(|&at| alive(at, true) == live);
        let layout = drawn.lay_out();
        ArenaUse {
            arena: align_up(layout.arena_len, ARENA_ALIGN),
            state: drawn.state_len,
            activations: drawn.state_len + most(false).unwrap_or_default(),
            live: drawn.state_len + live,
            step: at.map_or_else(String::new, |at| steps[at].into()),
        }
    }
}
