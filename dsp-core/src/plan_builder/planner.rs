//! The arena layout: which tensors may share bytes.
//!
//! Tensors with state come first, one behind the other. The others have a life, from the first
//! step that names them to the last, and two whose lives meet must not overlap. Several greedy
//! orders are tried (largest first is the classic one: Pisarchyk and Lee, "Efficient Memory
//! Management for Deep Neural Net Inference", 2020) and the smallest layout is kept.

use super::{Kind, PlanBuilder, Tensor, TensorId};
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

/// Tensors that start at the same byte.
#[derive(Clone)]
pub(super) struct Block {
    pub(super) tensors: Vec<usize>,
    align: usize,
    parts: Vec<Part>,
    /// Whether it is filled before the first step or read after the last.
    pub(super) is_boundary: bool,
}

/// Bytes of a block that are alive for some steps.
#[derive(Clone)]
struct Part {
    bytes: usize,
    life: RangeInclusive<usize>,
}

impl Part {
    fn meets(&self, other: &Self) -> bool {
        self.life.start() <= other.life.end() && other.life.start() <= self.life.end()
    }
}

impl Block {
    fn of(index: usize, tensor: &Tensor, life: RangeInclusive<usize>, is_boundary: bool) -> Self {
        let bytes = align_up(tensor.bytes(), 4);
        Self {
            tensors: vec![index],
            align: align_of(tensor),
            parts: vec![Part { bytes, life }],
            is_boundary,
        }
    }

    /// Most bytes that it ever has.
    pub(super) fn bytes(&self) -> usize {
        let bytes = self.parts.iter().map(|part| part.bytes);
        bytes.max().unwrap_or_default()
    }

    pub(super) fn bytes_at(&self, at: usize) -> usize {
        let alive = self.parts.iter().filter(|part| part.life.contains(&at));
        alive.map(|part| part.bytes).max().unwrap_or_default()
    }

    pub(super) fn life(&self) -> RangeInclusive<usize> {
        let starts = self.parts.iter().map(|part| *part.life.start());
        let ends = self.parts.iter().map(|part| *part.life.end());
        starts.min().unwrap_or_default()..=ends.max().unwrap_or_default()
    }
}

/// Whole words: word-wise kernels may then run over a tensor's end without harm.
fn align_of(tensor: &Tensor) -> usize {
    tensor.elem.size().max(4)
}

/// What is to be laid out: state has its place already.
pub(super) struct Drawn {
    /// Places of state by tensor.
    offsets: Vec<u32>,
    pub(super) state_len: usize,
    pub(super) blocks: Vec<Block>,
    pub(super) shares: Vec<[usize; 2]>,
}

impl Drawn {
    pub(super) fn new(plan: &PlanBuilder) -> Self {
        let lives = lives(plan);
        let last = plan.all_steps().count();
        let mut offsets = vec![0u32; plan.tensors.len()];
        let mut state_len = 0;
        let mut blocks = Vec::new();
        for (index, tensor) in plan.tensors.iter().enumerate() {
            match (&tensor.kind, &lives[index]) {
                (Kind::Temporary, Life::Steps(life)) => {
                    let is_boundary = *life.end() == last;
                    blocks.push(Block::of(index, tensor, life.clone(), is_boundary));
                }
                // Samples arrive before the first step.
                (Kind::State, Life::Steps(life)) if is_spent(plan, index) => {
                    blocks.push(Block::of(index, tensor, 0..=*life.end(), true));
                }
                (Kind::State, _) | (Kind::Temporary, Life::Forever) => {
                    state_len = align_up(state_len, align_of(tensor));
                    offsets[index] = state_len as u32;
                    state_len += align_up(tensor.bytes(), 4);
                }
                _ => {}
            }
        }
        let shares = shares(plan, &lives);
        Self {
            offsets,
            state_len: align_up(state_len, ARENA_ALIGN),
            blocks,
            shares,
        }
    }

    pub(super) fn lay_out(&self) -> Layout {
        let (places, temporary_len) = best(&self.blocks, &self.shares);
        let mut offsets = self.offsets.clone();
        for (tensor, offset) in places {
            offsets[tensor] = (self.state_len + offset) as u32;
        }
        Layout {
            offsets,
            state_len: self.state_len,
            arena_len: self.state_len + temporary_len,
        }
    }
}

pub(super) fn lay_out(plan: &PlanBuilder) -> Layout {
    Drawn::new(plan).lay_out()
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

/// The smallest layout found: with all shares, then without those whose loss makes it smaller. Joined tensors
/// stay where the first one lies, which may be in another's way.
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
        block.align = block.align.max(other.align);
        block.parts.extend(other.parts);
        block.is_boundary |= other.is_boundary;
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
        order.sort_by_key(|b| (Reverse(measure(b)), *b.life().start(), b.tensors[0]));
        order
    };
    let length = |b: &Block| b.life().end() - b.life().start();
    // The step at which most bytes are alive.
    let crowd = |at: usize| -> usize { blocks.iter().map(|b| b.bytes_at(at)).sum() };
    let crowded = |b: &Block| b.life().map(crowd).max().unwrap_or(0);
    vec![
        sorted(&|b| (b.bytes(), length(b))),
        sorted(&|b| (crowded(b), b.bytes())),
        sorted(&|b| (length(b), b.bytes())),
        sorted(&|_| (0, 0)),
    ]
}

/// Puts each block at the lowest offset at which all its parts are free for their lives.
fn place(order: &[Block]) -> Places {
    let mut placed: Vec<(&Block, usize)> = Vec::new();
    let mut len = 0;
    for block in order {
        // Offsets that some part of a block already placed forbids: from behind the first to before the last.
        let rivals = placed.iter().flat_map(|(other, offset)| {
            let parts = other.parts.iter().map(move |part| (part, *offset));
            parts.flat_map(|(theirs, offset)| {
                let meets = block.parts.iter().filter(|own| own.meets(theirs));
                meets.map(move |own| {
                    (
                        (offset + 1).saturating_sub(own.bytes),
                        offset + theirs.bytes,
                    )
                })
            })
        });
        let mut rivals: Vec<_> = rivals.collect();
        rivals.sort_unstable();
        let mut offset = 0;
        for (start, end) in rivals {
            if offset < start {
                break;
            }
            offset = offset.max(align_up(end, block.align));
        }
        len = len.max(offset + block.bytes());
        placed.push((block, offset));
    }
    let places = placed
        .iter()
        .flat_map(|(b, offset)| b.tensors.iter().map(move |&tensor| (tensor, *offset)));
    (places.collect(), len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(tensor: usize, parts: &[(usize, RangeInclusive<usize>)]) -> Block {
        let part = |(bytes, life): &(usize, RangeInclusive<usize>)| Part {
            bytes: *bytes,
            life: life.clone(),
        };
        Block {
            tensors: vec![tensor],
            align: 4,
            parts: parts.iter().map(part).collect(),
            is_boundary: false,
        }
    }

    #[test]
    fn what_lies_behind_the_shorter_part_is_free_until_the_longer_one_is_written() {
        let joined = block(0, &[(100, 0..=2), (300, 2..=5)]);
        let other = block(1, &[(160, 0..=1)]);
        for order in [[&joined, &other], [&other, &joined]] {
            let (places, len) = place(&order.map(Block::clone));
            let at = |tensor: usize| places.iter().find(|place| place.0 == tensor).unwrap().1;
            assert!(at(1) >= at(0) + 100 || at(0) >= at(1) + 160);
            let best = if order[0].tensors == [0] { 300 } else { 460 };
            assert_eq!(len, best);
        }
        assert_eq!(best(&[joined, other], &[]).1, 300);
    }

    proptest! {
        /// No two parts that are alive together share a byte, and no layout is below what is alive at a step.
        #[test]
        fn layouts_are_disjoint_and_not_below_the_bound(
            dice in proptest::collection::vec((1usize..40, 0usize..8, 0usize..4, 1usize..40, 0usize..4), 1..12),
        ) {
            let mut blocks: Vec<Block> = Vec::new();
            let mut shares = Vec::new();
            for (i, &(bytes, start, len, more, later)) in dice.iter().enumerate() {
                let middle = start + len;
                blocks.push(block(2 * i, &[(4 * bytes, start..=middle)]));
                blocks.push(block(2 * i + 1, &[(4 * more, middle..=middle + later)]));
                shares.push([2 * i, 2 * i + 1]);
            }
            let (places, len) = best(&blocks, &shares);
            let at = |b: &Block| places.iter().find(|place| place.0 == b.tensors[0]).unwrap().1;
            for (i, a) in blocks.iter().enumerate() {
                prop_assert!(at(a) + a.bytes() <= len && at(a) % 4 == 0);
                for b in &blocks[i + 1..] {
                    let pair = a.tensors[0] / 2 == b.tensors[0] / 2 && at(a) == at(b);
                    let apart = at(a) + a.bytes() <= at(b) || at(b) + b.bytes() <= at(a);
                    prop_assert!(pair || apart || !a.parts[0].meets(&b.parts[0]));
                }
            }
            for step in 0..20 {
                let alive: usize = blocks.iter().map(|b| b.bytes_at(step)).sum();
                let shared = shares.iter().filter_map(|pair| {
                    let [x, y] = pair.map(|tensor| &blocks[tensor]);
                    (*y.life().start() == step).then_some(x.bytes().min(y.bytes()))
                });
                prop_assert!(len >= alive - shared.sum::<usize>());
            }
        }
    }
}
