//! Samples in, events out.

use crate::error::{Fault, InitError};
use crate::format::{ARENA_ALIGN, Elem, Element, Lane, MAX_LANES, NONE, Place};
use crate::op::{Io, byte_range};
use crate::plan::Plan;
use crate::q;
use core::cell::Cell;

/// Executes a [`Plan`] in the caller's memory.
///
/// All state is in the runner and its arena: any number of runners can live side by side. Only
/// streaming exists; a whole recording is pushed as one slice. Cutting the samples into other
/// chunks gives the same events and the same bits.
///
/// Work happens when the last sample of a window arrives; [`push_i16`](Self::push_i16) returns
/// at each event, so call it until everything is consumed:
///
/// ```
/// # use otolith_dsp_nostd::{Event, Fault, Runner};
/// fn feed(runner: &mut Runner<'_>, mut samples: &[i16]) -> Result<(), Fault> {
///     loop {
///         let pushed = runner.push_i16(samples)?;
///         samples = samples.get(pushed.consumed..).unwrap_or(&[]);
///         match pushed.event {
///             Some(Event::Decision(decision)) => { /* switch the light on */ }
///             Some(_) => {}
///             None => return Ok(()), // all samples are consumed
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Runner<'a> {
    plan: Plan<'a>,
    arena: &'a mut [u8],
    lanes: [Progress; MAX_LANES],
    /// Rows were handed out as an event and are dropped at the next call.
    drop_rows: bool,
    /// Samples of input 0 taken since the start or the last reset.
    clock: u64,
}

/// How far a lane is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Samples in the source window. Lanes of the same input have the same.
    filled: u32,
    /// Samples still to be thrown away, when the hop is longer than the window.
    skip: u32,
    /// Frames of the full window that are done; `frames` when the next window is being filled.
    frame: u32,
    /// Rows that hold data.
    rows: u32,
}

/// What one call of `push` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Samples taken from the front of the slice.
    pub consumed: usize,
    /// What is ready, if anything. `None` means that all samples are consumed, or, for a plan of
    /// several inputs, that this one must wait for the others.
    pub event: Option<Event>,
}

/// Something that a push made ready. The data behind it ([`Runner::features`],
/// [`Runner::scores`]) stays until the next push or reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Features are ready; the plan has no classifier.
    Features,
    /// The classifier ran and no decision was made.
    Scores,
    /// A decision was made.
    Decision(Decision),
}

/// A label that was decided for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Index of the label.
    pub label: u16,
    /// Its score in Q15: 32768 is 1.0.
    pub score_q15: u16,
}

impl<'a> Runner<'a> {
    /// Makes a runner for `plan` in `arena`, which must have at least [`Plan::arena_len`] bytes
    /// and start at a multiple of [`ARENA_ALIGN`].
    ///
    /// # Errors
    /// [`InitError`] says what is wrong with the arena.
    pub fn new(plan: Plan<'a>, arena: &'a mut [u8]) -> Result<Self, InitError> {
        if !(arena.as_ptr() as usize).is_multiple_of(ARENA_ALIGN) {
            return Err(InitError::Misaligned);
        }
        let got = arena.len();
        let need = plan.arena_len();
        let arena = arena
            .get_mut(..need)
            .ok_or(InitError::ArenaTooSmall { need, got })?;
        let mut runner = Self {
            plan,
            arena,
            lanes: [Progress::default(); MAX_LANES],
            drop_rows: false,
            clock: 0,
        };
        runner.reset();
        Ok(runner)
    }

    /// Forgets all samples, rows and decisions: the runner is as after [`Runner::new`].
    pub fn reset(&mut self) {
        let state_len = self.plan.header.state_len as usize;
        if let Some(state) = self.arena.get_mut(..state_len) {
            state.fill(0);
        }
        for (index, progress) in self.lanes.iter_mut().enumerate() {
            let lane = self.plan.lane(index);
            *progress = Progress {
                filled: lane.source_prime,
                frame: lane.frames,
                ..Progress::default()
            };
        }
        self.drop_rows = false;
        self.clock = 0;
    }

    /// Takes 16-bit samples, in `[-1, 1)` as `sample / 32768`, until something is ready or all
    /// are consumed.
    ///
    /// # Errors
    /// [`Fault::WrongSampleType`] when the plan takes neither `i16` nor `f32` samples.
    pub fn push_i16(&mut self, samples: &[i16]) -> Result<Pushed, Fault> {
        self.push_i16_to(0, samples)
    }

    /// [`push_i16`](Self::push_i16) for one of several inputs, counted from 0.
    ///
    /// A decision waits for a window of every input. An input that is a whole window ahead of the
    /// others takes no more: `consumed` is then less than the samples, without an event. Keep the
    /// rest until the other inputs have caught up.
    ///
    /// # Errors
    /// Those of [`push_i16`](Self::push_i16), and [`Fault::NoInput`].
    pub fn push_i16_to(&mut self, input: usize, samples: &[i16]) -> Result<Pushed, Fault> {
        match self.source_elem(input)? {
            Elem::F32 => self.push(input, samples, each(q::i16_to_f32_bits), &mut Unobserved),
            Elem::I16 => self.push(input, samples, copy, &mut Unobserved),
            _ => Err(Fault::WrongSampleType),
        }
    }

    /// [`push_i16`](Self::push_i16) that shows every step's tensors to `observe`, with the index
    /// of the step over all sections: for tools that look inside a plan.
    ///
    /// # Errors
    /// Those of [`push_i16`](Self::push_i16).
    pub fn push_i16_observed(
        &mut self,
        samples: &[i16],
        observe: &mut impl FnMut(usize, &Tensors<'_>),
    ) -> Result<Pushed, Fault> {
        match self.source_elem(0)? {
            Elem::F32 => self.push(0, samples, each(q::i16_to_f32_bits), &mut Observed(observe)),
            Elem::I16 => self.push(0, samples, copy, &mut Observed(observe)),
            _ => Err(Fault::WrongSampleType),
        }
    }

    /// Takes float samples, full scale being `[-1, 1)`, until something is ready or all are
    /// consumed. A plan whose input is `i16` rounds and saturates them first
    /// ([`q::f32_to_i16`]).
    ///
    /// # Errors
    /// [`Fault::WrongSampleType`] when the plan takes neither `i16` nor `f32` samples.
    pub fn push_f32(&mut self, samples: &[f32]) -> Result<Pushed, Fault> {
        self.push_f32_to(0, samples)
    }

    /// [`push_f32`](Self::push_f32) for one of several inputs, as
    /// [`push_i16_to`](Self::push_i16_to) does.
    ///
    /// # Errors
    /// Those of [`push_i16_to`](Self::push_i16_to).
    pub fn push_f32_to(&mut self, input: usize, samples: &[f32]) -> Result<Pushed, Fault> {
        match self.source_elem(input)? {
            Elem::F32 => self.push(input, samples, each(|x| x), &mut Unobserved),
            Elem::I16 => self.push(input, samples, each(q::f32_to_i16), &mut Unobserved),
            _ => Err(Fault::WrongSampleType),
        }
    }

    /// [`push_f32`](Self::push_f32) that shows every step's tensors to `observe`, as
    /// [`push_i16_observed`](Self::push_i16_observed) does.
    ///
    /// # Errors
    /// Those of [`push_f32`](Self::push_f32).
    pub fn push_f32_observed(
        &mut self,
        samples: &[f32],
        observe: &mut impl FnMut(usize, &Tensors<'_>),
    ) -> Result<Pushed, Fault> {
        match self.source_elem(0)? {
            Elem::F32 => self.push(0, samples, each(|x| x), &mut Observed(observe)),
            Elem::I16 => self.push(0, samples, each(q::f32_to_i16), &mut Observed(observe)),
            _ => Err(Fault::WrongSampleType),
        }
    }

    /// Takes int8 values for a plan whose input is `i8`, such as a bare network.
    ///
    /// # Errors
    /// [`Fault::WrongSampleType`] when the plan's input is not `i8`.
    pub fn push_i8(&mut self, values: &[i8]) -> Result<Pushed, Fault> {
        match self.source_elem(0)? {
            Elem::I8 => self.push(0, values, each(|x| x), &mut Unobserved),
            _ => Err(Fault::WrongSampleType),
        }
    }

    /// Takes int32 values for a plan whose input is `i32`, such as a bare network.
    ///
    /// # Errors
    /// [`Fault::WrongSampleType`] when the plan's input is not `i32`.
    pub fn push_i32(&mut self, values: &[i32]) -> Result<Pushed, Fault> {
        match self.source_elem(0)? {
            Elem::I32 => self.push(0, values, each(|x| x), &mut Unobserved),
            _ => Err(Fault::WrongSampleType),
        }
    }

    /// The features of the last event, as elements of type `T`.
    ///
    /// For a plan that ends with features they are what the event announced. `None` when the
    /// plan has no features output or it holds another type.
    pub fn features<T: Element>(&self) -> Option<&[T]> {
        self.output(self.plan.header.features)
    }

    /// The features of the last event as bytes, with the type of their elements. `None` when the
    /// plan has no features output.
    pub fn features_bytes(&self) -> Option<(Elem, &[u8])> {
        let id = self.plan.header.features;
        let record = self.plan.tensors.get(usize::from(id))?;
        let bytes = self.arena.get(self.plan.arena_range(id))?;
        Some((Elem::from_code(record.elem)?, bytes))
    }

    /// The scores of the last [`Event::Scores`] or [`Event::Decision`], one per label, in Q15:
    /// 32767 stands for 1.0. Empty when the plan has no classifier.
    pub fn scores(&self) -> &[i16] {
        self.output(self.plan.header.scores).unwrap_or(&[])
    }

    /// Samples of input 0 consumed since the start or the last [`Runner::reset`].
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// The plan that runs.
    pub fn plan(&self) -> &Plan<'a> {
        &self.plan
    }

    fn output<T: Element>(&self, id: u16) -> Option<&[T]> {
        let record = self.plan.tensors.get(usize::from(id))?;
        if record.elem != T::ELEM as u8 {
            return None;
        }
        let bytes = self.arena.get(self.plan.arena_range(id))?;
        bytemuck::try_cast_slice(bytes).ok()
    }

    fn source_elem(&self, input: usize) -> Result<Elem, Fault> {
        let lane = self.leader(input).ok_or(Fault::NoInput)?;
        // The code was checked when the plan was parsed.
        Elem::from_code(self.plan.lane(lane).source_elem).ok_or(Fault::WrongSampleType)
    }

    /// The first lane of an input: the others follow it.
    fn leader(&self, input: usize) -> Option<usize> {
        (0..self.plan.lane_count()).find(|&i| usize::from(self.plan.lane(i).input) == input)
    }

    fn push<S: Copy, T: Element>(
        &mut self,
        input: usize,
        samples: &[S],
        store: impl Fn(&[S], &mut [T]),
        observer: &mut impl Observe,
    ) -> Result<Pushed, Fault> {
        let leader = self.leader(input).ok_or(Fault::NoInput)?;
        let mut rest = samples;
        loop {
            let event = self.run_ready(observer)?;
            let before = rest.len();
            if event.is_none() && before > 0 {
                rest = self.take(leader, rest, &store, observer)?;
                if rest.len() < before {
                    continue;
                }
            }
            return Ok(Pushed {
                consumed: samples.len() - rest.len(),
                event,
            });
        }
    }

    /// Moves samples into the source window until it is full; returns what is left.
    fn take<'s, S: Copy, T: Element>(
        &mut self,
        leader: usize,
        samples: &'s [S],
        store: &impl Fn(&[S], &mut [T]),
        observer: &mut impl Observe,
    ) -> Result<&'s [S], Fault> {
        let lane = self.plan.lane(leader);
        let Progress { filled, skip, .. } = self.lanes.get(leader).copied().unwrap_or_default();
        let skipped = samples.len().min(skip as usize);
        let (_, samples) = samples.split_at_checked(skipped).unwrap_or_default();

        let range = self.plan.arena_range(lane.source);
        let bytes = self.arena.get_mut(range).unwrap_or_default();
        let window: &mut [T] =
            bytemuck::try_cast_slice_mut(bytes).map_err(|_| Fault::WrongSampleType)?;
        let len = window.len();
        let free = window.get_mut(filled as usize..).unwrap_or_default();
        let (now, later) = samples
            .split_at_checked(free.len())
            .unwrap_or((samples, &[]));
        store(now, free);
        if lane.input == 0 {
            self.clock += (skipped + now.len()) as u64;
        }
        let filled = filled + now.len() as u32;
        let full = filled as usize == len && !now.is_empty();
        for index in 0..self.plan.lane_count() {
            if self.plan.lane(index).input == lane.input {
                self.progress(index).filled = filled;
                self.progress(index).skip -= skipped as u32;
                if full {
                    self.run_section(2 * index, 0, observer)?;
                    self.progress(index).frame = 0;
                }
            }
        }
        Ok(later)
    }

    /// How far a lane is; that of lane 0 for one that does not exist.
    fn progress(&mut self, lane: usize) -> &mut Progress {
        let [first, more @ ..] = &mut self.lanes;
        match lane.checked_sub(1).and_then(|i| more.get_mut(i)) {
            Some(progress) => progress,
            None => first,
        }
    }

    fn window_len(&self, lane: &Lane) -> usize {
        self.plan
            .tensors
            .get(usize::from(lane.source))
            .map_or(0, |t| t.count as usize)
    }

    /// Does the work of full windows, up to the next event.
    fn run_ready(&mut self, observer: &mut impl Observe) -> Result<Option<Event>, Fault> {
        self.drop_old_rows();
        for index in 0..self.plan.lane_count() {
            let lane = self.plan.lane(index);
            if self.progress(index).filled as usize != self.window_len(&lane) {
                continue;
            }
            if lane.rows == NONE {
                self.run_section(2 * self.plan.lane_count(), 0, observer)?;
                self.advance_window(&lane);
                return Ok(Some(self.event()));
            }
            let rows = self.plan.arena_range(lane.rows);
            let row_len = self.plan.row_len(&lane);
            while self.progress(index).frame < lane.frames
                && self.progress(index).rows < lane.row_count
            {
                let row_offset = rows.start + self.progress(index).rows as usize * row_len;
                self.run_section(2 * index + 1, row_offset as u32, observer)?;
                self.progress(index).frame += 1;
                self.progress(index).rows += 1;
                if self.all(|other, progress| {
                    other.input != lane.input || progress.frame == other.frames
                }) {
                    self.advance_window(&lane);
                }
                if self.all(|other, progress| progress.rows >= other.row_count) {
                    self.run_section(2 * self.plan.lane_count(), 0, observer)?;
                    self.drop_rows = true;
                    return Ok(Some(self.event()));
                }
            }
        }
        Ok(None)
    }

    /// Whether something holds for all lanes.
    fn all(&self, holds: impl Fn(&Lane, &Progress) -> bool) -> bool {
        let lanes = self.lanes.iter().take(self.plan.lane_count());
        lanes
            .enumerate()
            .all(|(index, progress)| holds(&self.plan.lane(index), progress))
    }

    fn drop_old_rows(&mut self) {
        if !self.drop_rows {
            return;
        }
        self.drop_rows = false;
        for index in 0..self.plan.lane_count() {
            let lane = self.plan.lane(index);
            let dropped = lane.row_hop as usize * self.plan.row_len(&lane);
            let range = self.plan.arena_range(lane.rows);
            drop_front(self.arena.get_mut(range).unwrap_or_default(), dropped);
            let progress = self.progress(index);
            progress.rows = progress.rows.saturating_sub(lane.row_hop);
        }
    }

    /// Drops the oldest samples of the window of a lane and of those that share it.
    fn advance_window(&mut self, lane: &Lane) {
        let window = self.window_len(lane);
        let hop = lane.source_hop as usize;
        let range = self.plan.arena_range(lane.source);
        let elem_size = Elem::from_code(lane.source_elem).map_or(0, Elem::size);
        let (filled, skip) = if hop < window {
            let bytes = self.arena.get_mut(range).unwrap_or_default();
            drop_front(bytes, hop * elem_size);
            ((window - hop) as u32, 0)
        } else {
            (0, (hop - window) as u32)
        };
        for index in 0..self.plan.lane_count() {
            if self.plan.lane(index).input == lane.input {
                let progress = self.progress(index);
                (progress.filled, progress.skip) = (filled, skip);
            }
        }
    }

    fn event(&self) -> Event {
        let header = self.plan.header;
        if header.decision == NONE {
            return if header.scores == NONE {
                Event::Features
            } else {
                Event::Scores
            };
        }
        match self.output::<i32>(header.decision) {
            Some(&[label, score]) if label >= 0 => Event::Decision(Decision {
                label: label as u16,
                score_q15: score as u16,
            }),
            _ => Event::Scores,
        }
    }

    /// Runs a section: number `2 lane` is the lane's window section, the next one its frame
    /// section, and the one behind those of all lanes the decision section.
    fn run_section(
        &mut self,
        section: usize,
        row_offset: u32,
        observer: &mut impl Observe,
    ) -> Result<(), Fault> {
        let end_of = |section: usize| self.plan.section_ends.get(section).copied().unwrap_or(0);
        let mut at = section.checked_sub(1).map_or(0, end_of);
        let end = end_of(section);
        let frame = match section < 2 * self.plan.lane_count() {
            true => self.progress(section / 2).frame,
            false => self.progress(0).frame,
        };
        let broken = Fault::NoOperand { operand: u8::MAX };
        let mut done = 0;
        while at < end {
            let (step, next) = self.plan.step_at(at as usize).ok_or(broken)?;
            let op = self.plan.op(step.op_index).ok_or(broken)?;
            (op.run)(&mut Io {
                step,
                arena: self.arena,
                row_offset,
                frame,
            })?;
            observer.ran(section, done, || Tensors {
                plan: &self.plan,
                arena: self.arena,
                row_offset,
            });
            done += 1;
            at = next as u32;
        }
        Ok(())
    }
}

/// The tensors of a plan as a step left them.
#[derive(Debug)]
pub struct Tensors<'r> {
    plan: &'r Plan<'r>,
    arena: &'r [u8],
    row_offset: u32,
}

impl Tensors<'_> {
    /// Element type of tensor `index`.
    pub fn elem(&self, index: usize) -> Option<Elem> {
        Elem::from_code(self.plan.tensors.get(index)?.elem)
    }

    /// The elements of tensor `index`, a table's too. `None` when there is no such tensor or it
    /// holds another type. Memory that later steps use again shows what they wrote.
    pub fn get<T: Element>(&self, index: usize) -> Option<&[T]> {
        let record = self.plan.tensors.get(index)?;
        if record.elem != T::ELEM as u8 {
            return None;
        }
        let range = byte_range(record).ok()?;
        let bytes = match Place::from_code(record.place)? {
            Place::Data => self.plan.data.get(range)?,
            Place::Arena => self.arena.get(range)?,
            Place::Row => {
                let row = self.arena.get(self.row_offset as usize..)?;
                row.get(range)?
            }
        };
        bytemuck::try_cast_slice(bytes).ok()
    }
}

/// Is told of every step that ran. [`Unobserved`] costs nothing.
trait Observe {
    fn ran<'r>(&mut self, section: usize, step: usize, tensors: impl FnOnce() -> Tensors<'r>);
}

struct Unobserved;

impl Observe for Unobserved {
    #[inline(always)]
    fn ran<'r>(&mut self, _: usize, _: usize, _: impl FnOnce() -> Tensors<'r>) {}
}

struct Observed<'f, F>(&'f mut F);

impl<F: FnMut(usize, &Tensors<'_>)> Observe for Observed<'_, F> {
    fn ran<'r>(&mut self, section: usize, step: usize, tensors: impl FnOnce() -> Tensors<'r>) {
        let tensors = tensors();
        let before: usize = (0..section)
            .map(|section| {
                let [window, frame] = tensors.plan.lane(section / 2).steps;
                usize::from(if section % 2 == 0 { window } else { frame })
            })
            .sum();
        (self.0)(before + step, &tensors);
    }
}

/// Converts samples into the front of a slice, one by one.
fn each<S: Copy, T>(convert: impl Fn(S) -> T) -> impl Fn(&[S], &mut [T]) {
    move |from, to| {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = convert(from);
        }
    }
}

/// Copies samples to the front of `to`: two at a time where both begin at a whole word.
fn copy(from: &[i16], to: &mut [i16]) {
    let to = to.get_mut(..from.len()).unwrap_or_default();
    let words = bytemuck::try_cast_slice::<i16, u32>(from).ok();
    match (words, bytemuck::try_cast_slice_mut::<i16, u32>(to)) {
        (Some(from), Ok(to)) => copy_all(from, to),
        _ => copy_all(from, to),
    }
}

fn copy_all<T: Copy>(from: &[T], to: &mut [T]) {
    let (from4, from_rest) = from.as_chunks::<4>();
    let (to4, to_rest) = to.as_chunks_mut::<4>();
    for (to, from) in to4.iter_mut().zip(from4) {
        *to = *from;
    }
    for (to, &from) in to_rest.iter_mut().zip(from_rest) {
        *to = from;
    }
}

/// Moves everything but the first `n` bytes to the front: in words of 32 bits where it can.
fn drop_front(bytes: &mut [u8], n: usize) {
    match bytemuck::try_cast_slice_mut::<u8, u32>(bytes) {
        Ok(words) if n.is_multiple_of(4) => move_down(words, n / 4),
        _ => move_down(bytes, n),
    }
}

/// Moves the values from `n` on to the front; those behind them stay.
pub(crate) fn move_down<T: Copy>(values: &mut [T], n: usize) {
    let to = Cell::from_mut(values).as_slice_of_cells();
    let from = to.get(n..).unwrap_or_default();
    let (from4, from_rest) = from.as_chunks::<4>();
    let (to4, _) = to.as_chunks::<4>();
    for ([a, b, c, d], [e, f, g, h]) in to4.iter().zip(from4) {
        a.set(e.get());
        b.set(f.get());
        c.set(g.get());
        d.set(h.get());
    }
    // What is left starts behind as many whole blocks as `from` has.
    let to_rest = to.get(from4.len() * 4..).unwrap_or_default();
    for (to, from) in to_rest.iter().zip(from_rest) {
        to.set(from.get());
    }
}
