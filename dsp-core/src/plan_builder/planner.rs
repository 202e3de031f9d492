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

/// Bytes that are alive for some steps: a tensor, or several that start at the same byte.
#[derive(Clone)]
struct Block {
    tensors: Vec<usize>,
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
            (Kind::Temporary, Life::Steps(life)) => blocks.push(Block {
                tensors: vec![index],
                bytes: align_up(tensor.bytes(), 4),
                align,
                life: life.clone(),
            }),
            (Kind::State, Life::Steps(life)) if is_spent(plan, index) => blocks.push(Block {
                tensors: vec![index],
                bytes: align_up(tensor.bytes(), 4),
                align,
                // Samples arrive before the first step.
                life: 0..=*life.end(),
            }),
            (Kind::State, _) | (Kind::Temporary, Life::Forever) => {
                state_len = align_up(state_len, align);
                offsets[index] = state_len as u32;
                state_len += align_up(tensor.bytes(), 4);
            }
            _ => {}
        }
    }
    let state_len = align_up(state_len, ARENA_ALIGN);
    let (places, temporary_len) = best(&blocks, &shares(plan, &lives));
    for (tensor, offset) in places {
        offsets[tensor] = (state_len + offset) as u32;
    }
    Layout {
        offsets,
        state_len,
        arena_len: state_len + temporary_len,
    }
}

/// Whether `index` is a source window that only the decision section reads and that is filled anew for every
/// decision: behind its last step its bytes are free.
fn is_spent(plan: &PlanBuilder, index: usize) -> bool {
    let [lane] = plan.lanes.as_slice() else {
        return false;
    };
    lane.source
        .is_some_and(|source| usize::from(source.0) == index)
        && lane.rows.is_none()
        && lane.steps.iter().all(Vec::is_empty)
        && lane.source_prime == 0
        && lane.source_hop as usize >= plan.tensors[index].count()
}

/// Pairs of tensors that may start at the same byte: the first one ends with the step that writes the
/// second.
fn shares(plan: &PlanBuilder, lives: &[Life]) -> Vec<[usize; 2]> {
    // A view that starts where its tensor starts stands for the tensor, through any number of views.
    let start = |mut id: TensorId| {
        while let Kind::View { of, byte_offset: 0 } = plan.tensors[usize::from(id.0)].kind {
            id = of;
        }
        id
    };
    let mut pairs = Vec::new();
    for &(x, y) in &plan.shares {
        let [x, y] = [start(x), start(y)].map(|id| usize::from(id.0));
        // An output can lie over one input only.
        let free = pairs.iter().all(|pair: &[usize; 2]| pair[1] != y);
        if let (Life::Steps(a), Life::Steps(b)) = (&lives[x], &lives[y])
            && a.end() == b.start()
            && free
        {
            pairs.push([x, y]);
        }
    }
    pairs
}

type Places = (Vec<(usize, usize)>, usize);

/// The smallest layout found: with all shares, then without those whose loss makes it smaller. A share
/// that joins a small tensor with a large one keeps the large one's bytes for longer.
fn best(blocks: &[Block], shares: &[[usize; 2]]) -> Places {
    let layout = |taken: &[bool]| {
        let joined = join(blocks, shares, taken);
        let layouts = orders(&joined).into_iter().map(|order| place(&order));
        layouts.min_by_key(|(_, len)| *len).unwrap_or_default()
    };
    let mut taken = vec![true; shares.len()];
    let mut best = layout(&taken);
    loop {
        let before = best.1;
        for i in 0..shares.len() {
            taken[i] = !taken[i];
            let other = layout(&taken);
            if other.1 < best.1 {
                best = other;
            } else {
                taken[i] = !taken[i];
            }
        }
        if best.1 == before {
            return best;
        }
    }
}

/// The blocks, with those joined whose pair is taken.
fn join(blocks: &[Block], shares: &[[usize; 2]], taken: &[bool]) -> Vec<Block> {
    let mut joined = blocks.to_vec();
    for (pair, _) in shares.iter().zip(taken).filter(|(_, taken)| **taken) {
        let at = |tensor: usize| joined.iter().position(|b| b.tensors.contains(&tensor));
        let (Some(a), Some(b)) = (at(pair[0]), at(pair[1])) else {
            continue;
        };
        if a == b {
            continue;
        }
        let other = joined[b].clone();
        let block = &mut joined[a];
        block.tensors.extend(other.tensors);
        block.bytes = block.bytes.max(other.bytes);
        block.align = block.align.max(other.align);
        let start = *block.life.start().min(other.life.start());
        block.life = start..=*block.life.end().max(other.life.end());
        joined.remove(b);
    }
    joined
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
        order.sort_by_key(|b| (Reverse(measure(b)), *b.life.start(), b.tensors[0]));
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
fn place(order: &[Block]) -> Places {
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
    let places = placed
        .iter()
        .flat_map(|(b, offset)| b.tensors.iter().map(move |&tensor| (tensor, *offset)));
    (places.collect(), len)
}
