//! The arena layout: which tensors may share bytes.
//!
//! Tensors with state come first, one behind the other. The others have a life, from the first
//! step that names them to the last, and two whose lives meet must not overlap. Several greedy
//! orders are tried (largest first is the classic one: Pisarchyk and Lee, "Efficient Memory
//! Management for Deep Neural Net Inference", 2020) and the smallest layout is kept.

use super::{Kind, PlanBuilder, TensorId};
use otolith_dsp_nostd::format::{ARENA_ALIGN, align_up};
use std::cmp::Reverse;
use std::ops::RangeInclusive;

/// Where everything lies.
pub(super) struct Layout {
    /// Arena offset of each tensor; meaningless for those that are elsewhere.
    pub(super) offsets: Vec<u32>,
    /// Leading bytes that hold state.
    pub(super) state_len: usize,
    /// Bytes in all.
    pub(super) arena_len: usize,
}

#[derive(Clone)]
struct Block {
    tensor: usize,
    bytes: usize,
    align: usize,
    life: RangeInclusive<usize>,
}

pub(super) fn lay_out(plan: &PlanBuilder) -> Layout {
    let lives = lives(plan);
    let mut offsets = vec![0u32; plan.tensors.len()];
    let mut state_len = 0;
    let mut blocks = Vec::new();
    for (index, tensor) in plan.tensors.iter().enumerate() {
        // Whole words: word-wise kernels may then run over a tensor's end without harm.
        let align = tensor.elem.size().max(4);
        match (&tensor.kind, &lives[index]) {
            (Kind::State, _) | (Kind::Temporary, Life::Forever) => {
                state_len = align_up(state_len, align);
                offsets[index] = state_len as u32;
                state_len += align_up(tensor.bytes(), 4);
            }
            (Kind::Temporary, Life::Steps(life)) => blocks.push(Block {
                tensor: index,
                bytes: align_up(tensor.bytes(), 4),
                align,
                life: life.clone(),
            }),
            _ => {}
        }
    }
    let state_len = align_up(state_len, ARENA_ALIGN);
    let (places, temporary_len) = orders(&blocks)
        .into_iter()
        .map(|order| place(&order))
        .min_by_key(|(_, len)| *len)
        .unwrap_or_default();
    for (tensor, offset) in places {
        offsets[tensor] = (state_len + offset) as u32;
    }
    Layout {
        offsets,
        state_len,
        arena_len: state_len + temporary_len,
    }
}

#[derive(Clone)]
enum Life {
    Unused,
    Steps(RangeInclusive<usize>),
    Forever,
}

/// Lives of all tensors, views counted for what they look at.
fn lives(plan: &PlanBuilder) -> Vec<Life> {
    let mut lives = vec![Life::Unused; plan.tensors.len()];
    let mut sections = vec![None; plan.tensors.len()];
    let mut touch = |id: TensorId, section: usize, at: usize| {
        let root = usize::from(plan.root(id).0);
        let life = match &lives[root] {
            Life::Unused => Life::Steps(at..=at),
            Life::Steps(life) if sections[root] == Some(section) => {
                Life::Steps(*life.start().min(&at)..=*life.end().max(&at))
            }
            _ => Life::Forever,
        };
        sections[root] = Some(section);
        lives[root] = life;
    };
    let mut at = 0;
    let mut last = 0;
    for (section, steps) in plan.sections().enumerate() {
        last = section;
        for step in steps {
            for &tensor in &step.tensors {
                touch(tensor, section, at);
            }
            at += 1;
        }
    }
    // Outputs are read after the last step of the decision section.
    for id in [plan.features, plan.scores, plan.decision]
        .into_iter()
        .flatten()
    {
        touch(id, last, at);
    }
    lives
}

fn orders(blocks: &[Block]) -> Vec<Vec<Block>> {
    // Largest first by each measure in turn; then in the order of the steps.
    let sorted = |measure: &dyn Fn(&Block) -> (usize, usize)| {
        let mut order = blocks.to_vec();
        order.sort_by_key(|b| (Reverse(measure(b)), *b.life.start(), b.tensor));
        order
    };
    let length = |b: &Block| b.life.end() - b.life.start();
    // The step at which most bytes are alive.
    let crowd = |at: usize| -> usize {
        let alive = blocks.iter().filter(|b| b.life.contains(&at));
        alive.map(|b| b.bytes).sum()
    };
    let crowded = |b: &Block| b.life.clone().map(crowd).max().unwrap_or(0);
    vec![
        sorted(&|b| (b.bytes, length(b))),
        sorted(&|b| (crowded(b), b.bytes)),
        sorted(&|b| (length(b), b.bytes)),
        sorted(&|_| (0, 0)),
    ]
}

/// Puts each block at the lowest offset that is free for its whole life.
fn place(order: &[Block]) -> (Vec<(usize, usize)>, usize) {
    let mut placed: Vec<(&Block, usize)> = Vec::new();
    let mut len = 0;
    for block in order {
        let mut rivals: Vec<_> = placed
            .iter()
            .filter(|(b, _)| {
                b.life.start() <= block.life.end() && block.life.start() <= b.life.end()
            })
            .map(|(b, offset)| (*offset, offset + b.bytes))
            .collect();
        rivals.sort_unstable();
        let mut offset = 0;
        for (start, end) in rivals {
            if offset + block.bytes <= start {
                break;
            }
            offset = offset.max(align_up(end, block.align));
        }
        len = len.max(offset + block.bytes);
        placed.push((block, offset));
    }
    let places = placed.iter().map(|(b, offset)| (b.tensor, *offset));
    (places.collect(), len)
}
