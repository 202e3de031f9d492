//! What changes while a plan runs.

use super::observe::{Observe, Tensors};
use super::{Decision, Event};
use crate::error::Fault;
use crate::format::{Element, Lane, MAX_LANES, NONE, size_of_elem};
use crate::op::{Io, Step, byte_range};
use crate::plan::Plan;
use otolith_dsp_arch::dsp::memory;

/// The memory of a plan that runs, and how far it is.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) arena: &'a mut [u8],
    lanes: [Progress; MAX_LANES],
    /// Rows were handed out as an event and are dropped at the next call.
    drop_rows: bool,
    /// Samples of input 0 taken since the start or the last reset.
    pub(super) clock: u64,
}

/// How far a lane is, and where its memory lies.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// Samples in the source window. Lanes of the same input have the same.
    filled: u32,
    /// Samples still to be thrown away, when the hop is longer than the window.
    skip: u32,
    /// Frames of the full window that are done; `frames` when the next window is being filled.
    frame: u32,
    /// Rows that hold data.
    rows: u32,
    /// Samples of a full window.
    window: u32,
    /// Where the window starts in the arena.
    window_at: u32,
    /// Bytes of a row.
    row_len: u32,
    /// Where the rows start in the arena.
    rows_at: u32,
}

impl Progress {
    /// A lane before the first sample.
    fn start(plan: &Plan<'_>, lane: &Lane) -> Self {
        Self {
            filled: lane.source_prime,
            skip: 0,
            frame: lane.frames,
            rows: 0,
            window: plan.window_len(lane),
            window_at: plan.arena_range(lane.source).start as u32,
            row_len: plan.row_len(lane) as u32,
            rows_at: plan.arena_range(lane.rows).start as u32,
        }
    }

    /// All lanes before the first sample. Those that the plan does not have are not looked at.
    fn all(plan: &Plan<'_>) -> [Self; MAX_LANES] {
        core::array::from_fn(|index| Self::start(plan, plan.lane(index)))
    }
}

impl<'a> Work<'a> {
    /// A plan before the first sample, in an arena of its length.
    pub(super) fn new(plan: &Plan<'_>, arena: &'a mut [u8]) -> Self {
        clear_state(plan, arena);
        Self {
            arena,
            lanes: Progress::all(plan),
            drop_rows: false,
            clock: 0,
        }
    }

    /// Goes back to what [`Work::new`] made.
    pub(super) fn reset(&mut self, plan: &Plan<'_>) {
        clear_state(plan, self.arena);
        self.lanes = Progress::all(plan);
        self.drop_rows = false;
        self.clock = 0;
    }

    /// The elements of an output, which a plan may not have.
    pub(super) fn output<T: Element>(&self, plan: &Plan<'_>, id: u16) -> Option<&[T]> {
        let record = plan.tensors.get(usize::from(id))?;
        if record.elem != T::ELEM as u8 {
            return None;
        }
        let bytes = self.arena.get(byte_range(record))?;
        bytemuck::try_cast_slice(bytes).ok()
    }

    /// How many of `n` samples are thrown away, and how many then fit into the source window.
    pub(super) fn room(&mut self, leader: usize, n: usize) -> (usize, usize) {
        let progress = self.progress(leader);
        let skipped = n.min(progress.skip as usize);
        let free = progress.window.saturating_sub(progress.filled) as usize;
        (skipped, free.min(n.wrapping_sub(skipped)))
    }

    /// Where the next `n` samples go.
    pub(super) fn free(&mut self, plan: &Plan<'_>, leader: usize, n: usize) -> &mut [u8] {
        let size = size_of_elem(plan.lane(leader).source_elem);
        let progress = self.progress(leader);
        let filled = size.wrapping_mul(progress.filled as usize);
        let from = filled.wrapping_add(progress.window_at as usize);
        let to = from.wrapping_add(n.wrapping_mul(size));
        self.arena.get_mut(from..to).unwrap_or_default()
    }

    /// Counts samples that were thrown away and samples that were taken; does the work of a window
    /// that became full.
    pub(super) fn filled(
        &mut self,
        plan: &Plan<'_>,
        leader: usize,
        [skipped, taken]: [usize; 2],
        observer: &mut impl Observe,
    ) -> Result<(), Fault> {
        let input = plan.lane(leader).input;
        if input == 0 {
            self.clock = self.clock.wrapping_add((skipped + taken) as u64);
        }
        let progress = self.progress(leader);
        let filled = progress.filled.wrapping_add(taken as u32);
        let skip = progress.skip.wrapping_sub(skipped as u32);
        let full = filled == progress.window && taken > 0;
        for index in 0..plan.lane_count() {
            if plan.lane(index).input == input {
                let progress = self.progress(index);
                (progress.filled, progress.skip) = (filled, skip);
                if full {
                    let frame = progress.frame;
                    progress.frame = 0;
                    self.run_section(plan, 2 * index, [0, frame], observer)?;
                }
            }
        }
        Ok(())
    }

    /// How far a lane is; that of lane 0 for one that does not exist.
    #[inline]
    fn progress(&mut self, lane: usize) -> &mut Progress {
        let [first, more @ ..] = &mut self.lanes;
        match lane.checked_sub(1).and_then(|i| more.get_mut(i)) {
            Some(progress) => progress,
            None => first,
        }
    }

    /// Does the work of full windows, up to the next event.
    pub(super) fn run_ready(
        &mut self,
        plan: &Plan<'_>,
        observer: &mut impl Observe,
    ) -> Result<Option<Event>, Fault> {
        self.drop_old_rows(plan);
        for index in 0..plan.lane_count() {
            let lane = plan.lane(index);
            let &mut Progress { filled, window, .. } = self.progress(index);
            if filled != window {
                continue;
            }
            let mut done = lane.rows == NONE;
            while !done {
                let progress = *self.progress(index);
                let Progress { frame, rows, .. } = progress;
                if frame >= lane.frames || rows >= lane.row_count {
                    break;
                }
                let row_offset = progress.row_len.wrapping_mul(rows);
                let row_offset = row_offset.wrapping_add(progress.rows_at);
                self.run_section(plan, 2 * index + 1, [row_offset, frame], observer)?;
                let progress = self.progress(index);
                (progress.frame, progress.rows) = (frame + 1, rows + 1);
                let all_frames;
                (all_frames, done) = self.all_done(plan, lane.input);
                if all_frames {
                    self.advance_window(plan, index);
                }
                self.drop_rows = done;
            }
            if done {
                let frame = self.progress(0).frame;
                self.run_section(plan, 2 * plan.lane_count(), [0, frame], observer)?;
                if lane.rows == NONE {
                    self.advance_window(plan, index);
                }
                return Ok(Some(self.event(plan)));
            }
        }
        Ok(None)
    }

    /// Whether all lanes of an input have done the frames of their windows, and whether the rows of
    /// all lanes are full.
    fn all_done(&self, plan: &Plan<'_>, input: u8) -> (bool, bool) {
        let (mut frames, mut rows) = (true, true);
        for (index, progress) in self.lanes.iter().enumerate().take(plan.lane_count()) {
            let lane = plan.lane(index);
            frames &= lane.input != input || progress.frame == lane.frames;
            rows &= progress.rows >= lane.row_count;
        }
        (frames, rows)
    }

    fn drop_old_rows(&mut self, plan: &Plan<'_>) {
        if !self.drop_rows {
            return;
        }
        self.drop_rows = false;
        for index in 0..plan.lane_count() {
            let lane = plan.lane(index);
            let progress = self.progress(index);
            progress.rows = progress.rows.saturating_sub(lane.row_hop);
            if lane.row_hop < lane.row_count {
                let Progress {
                    row_len, rows_at, ..
                } = *progress;
                let bytes = |rows: u32| row_len.wrapping_mul(rows) as usize;
                self.drop_front(rows_at, bytes(lane.row_count), bytes(lane.row_hop));
            }
        }
    }

    /// Drops the oldest samples of the window of a lane and of those that share it.
    fn advance_window(&mut self, plan: &Plan<'_>, index: usize) {
        let lane = plan.lane(index);
        let Progress {
            window, window_at, ..
        } = *self.progress(index);
        let hop = lane.source_hop;
        let filled = window.saturating_sub(hop);
        if filled > 0 {
            let size = size_of_elem(lane.source_elem);
            let bytes = |samples: u32| size.wrapping_mul(samples as usize);
            self.drop_front(window_at, bytes(window), bytes(hop));
        }
        for index in 0..plan.lane_count() {
            if plan.lane(index).input == lane.input {
                let progress = self.progress(index);
                progress.filled = filled;
                progress.skip = hop.saturating_sub(window);
            }
        }
    }

    /// Moves everything but the first `n` of the `len` bytes at `from` to the front: in words of 32
    /// bits where it can.
    fn drop_front(&mut self, from: u32, len: usize, n: usize) {
        let from = from as usize;
        let bytes = self.arena.get_mut(from..from.wrapping_add(len));
        match bytemuck::try_cast_slice_mut::<u8, u32>(bytes.unwrap_or_default()) {
            Ok(words) if n.is_multiple_of(4) => memory::move_down(words, n / 4),
            _ => {
                let bytes = self.arena.get_mut(from..from.wrapping_add(len));
                memory::portable::move_down(bytes.unwrap_or_default(), n);
            }
        }
    }

    fn event(&self, plan: &Plan<'_>) -> Event {
        let header = plan.header;
        if header.decision == NONE {
            return if header.scores == NONE {
                Event::Features
            } else {
                Event::Scores
            };
        }
        match self.output::<i32>(plan, header.decision) {
            Some(&[label, score]) if label >= 0 => Event::Decision(Decision {
                label: label as u16,
                score_q15: score as u16,
            }),
            _ => Event::Scores,
        }
    }

    /// Runs a section: number `2 lane` is the lane's window section, the next one its frame
    /// section, and the one behind those of all lanes the decision section.
    #[inline(never)]
    fn run_section(
        &mut self,
        plan: &Plan<'_>,
        section: usize,
        [row_offset, frame]: [u32; 2],
        observer: &mut impl Observe,
    ) -> Result<(), Fault> {
        let end_of = |section: usize| plan.section_ends.get(section).copied().unwrap_or(0);
        let from = section.checked_sub(1).map_or(0, end_of) as usize;
        let broken = Fault::NoOperand { operand: u8::MAX };
        let words = plan.steps.get(from..end_of(section) as usize);
        let mut words = words.ok_or(broken)?;
        let mut io = Io {
            step: Step {
                tensors: plan.tensors,
                data: plan.data,
                operands: &[],
                params: &[],
            },
            arena: self.arena,
            row_offset,
            frame,
        };
        let mut done = 0;
        while !words.is_empty() {
            let op_index = io.step.take(&mut words).ok_or(broken)?;
            let op = plan.op(op_index).ok_or(broken)?;
            (op.run)(&mut io)?;
            observer.ran(section, done, || Tensors {
                plan,
                arena: io.arena,
                row_offset,
            });
            done += 1;
        }
        Ok(())
    }
}

/// Zeroes the state that lives between pushes.
fn clear_state(plan: &Plan<'_>, arena: &mut [u8]) {
    if let Some(state) = arena.get_mut(..plan.header.state_len as usize) {
        state.fill(0);
    }
}
