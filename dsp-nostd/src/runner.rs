//! Samples in, events out.

use crate::error::{Fault, InitError};
use crate::format::{ARENA_ALIGN, Elem, Element, Lane, MAX_LANES, NONE, Place, size_of_elem};
use crate::op::{Io, Step, byte_range};
use crate::plan::Plan;
use crate::q;
use otolith_dsp_arch::dsp::memory;

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
    work: Work<'a>,
}

/// What changes while a plan runs.
#[derive(Debug)]
struct Work<'a> {
    arena: &'a mut [u8],
    lanes: [Progress; MAX_LANES],
    /// Rows were handed out as an event and are dropped at the next call.
    drop_rows: bool,
    /// Samples of input 0 taken since the start or the last reset.
    clock: u64,
}

/// How far a lane is, and where its memory lies.
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
    /// Samples of a full window.
    window: u32,
    /// Where the window starts in the arena.
    window_at: u32,
    /// Bytes of a row.
    row_len: u32,
    /// Where the rows start in the arena.
    rows_at: u32,
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
            work: Work {
                arena,
                lanes: [Progress::default(); MAX_LANES],
                drop_rows: false,
                clock: 0,
            },
        };
        runner.reset();
        Ok(runner)
    }

    /// Forgets all samples, rows and decisions: the runner is as after [`Runner::new`].
    pub fn reset(&mut self) {
        let Self { plan, work } = self;
        let state_len = plan.header.state_len as usize;
        if let Some(state) = work.arena.get_mut(..state_len) {
            state.fill(0);
        }
        for (index, progress) in work.lanes.iter_mut().enumerate() {
            let lane = plan.lane(index);
            *progress = Progress {
                filled: lane.source_prime,
                frame: lane.frames,
                window: plan.window_len(lane),
                window_at: plan.arena_range(lane.source).start as u32,
                row_len: plan.row_len(lane) as u32,
                rows_at: plan.arena_range(lane.rows).start as u32,
                ..Progress::default()
            };
        }
        work.drop_rows = false;
        work.clock = 0;
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
        self.push(input, samples, &mut Unobserved)
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
        self.push(0, samples, &mut Observed(observe))
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
        self.push(input, samples, &mut Unobserved)
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
        self.push(0, samples, &mut Observed(observe))
    }

    /// Takes int8 values for a plan whose input is `i8`, such as a bare network.
    ///
    /// # Errors
    /// [`Fault::WrongSampleType`] when the plan's input is not `i8`.
    pub fn push_i8(&mut self, values: &[i8]) -> Result<Pushed, Fault> {
        self.push(0, values, &mut Unobserved)
    }

    /// [`push_i8`](Self::push_i8) that shows every step's tensors to `observe`, as
    /// [`push_i16_observed`](Self::push_i16_observed) does.
    ///
    /// # Errors
    /// Those of [`push_i8`](Self::push_i8).
    pub fn push_i8_observed(
        &mut self,
        values: &[i8],
        observe: &mut impl FnMut(usize, &Tensors<'_>),
    ) -> Result<Pushed, Fault> {
        self.push(0, values, &mut Observed(observe))
    }

    /// Takes int32 values for a plan whose input is `i32`, such as a bare network.
    ///
    /// # Errors
    /// [`Fault::WrongSampleType`] when the plan's input is not `i32`.
    pub fn push_i32(&mut self, values: &[i32]) -> Result<Pushed, Fault> {
        self.push(0, values, &mut Unobserved)
    }

    /// The features of the last event, as elements of type `T`.
    ///
    /// For a plan that ends with features they are what the event announced. `None` when the
    /// plan has no features output or it holds another type.
    pub fn features<T: Element>(&self) -> Option<&[T]> {
        self.work.output(&self.plan, self.plan.header.features)
    }

    /// The features of the last event as bytes, with the type of their elements. `None` when the
    /// plan has no features output.
    pub fn features_bytes(&self) -> Option<(Elem, &[u8])> {
        let id = self.plan.header.features;
        let record = self.plan.tensors.get(usize::from(id))?;
        let bytes = self.work.arena.get(byte_range(record))?;
        Some((Elem::from_code(record.elem)?, bytes))
    }

    /// The scores of the last [`Event::Scores`] or [`Event::Decision`], one per label, in Q15:
    /// 32767 stands for 1.0. Empty when the plan has no classifier.
    pub fn scores(&self) -> &[i16] {
        let scores = self.work.output(&self.plan, self.plan.header.scores);
        scores.unwrap_or(&[])
    }

    /// Samples of input 0 consumed since the start or the last [`Runner::reset`].
    pub fn clock(&self) -> u64 {
        self.work.clock
    }

    /// The plan that runs.
    pub fn plan(&self) -> &Plan<'a> {
        &self.plan
    }

    fn push<S: Sample>(
        &mut self,
        input: usize,
        samples: &[S],
        observer: &mut impl Observe,
    ) -> Result<Pushed, Fault> {
        let Self { plan, work } = self;
        let leader = plan.leader(input).ok_or(Fault::NoInput)?;
        let store = S::store(plan.lane(leader).source_elem).ok_or(Fault::WrongSampleType)?;
        let mut rest = samples;
        loop {
            let event = work.run_ready(plan, observer)?;
            let n = if event.is_none() { rest.len() } else { 0 };
            let (skipped, taken) = work.take(leader, n);
            if skipped + taken == 0 {
                return Ok(Pushed {
                    consumed: samples.len() - rest.len(),
                    event,
                });
            }
            let (_, behind) = rest.split_at_checked(skipped).unwrap_or_default();
            let (now, later) = behind.split_at_checked(taken).unwrap_or_default();
            store(now, work.free(plan, leader, taken));
            work.filled(plan, leader, [skipped, taken], observer)?;
            rest = later;
        }
    }
}

impl Work<'_> {
    fn output<T: Element>(&self, plan: &Plan<'_>, id: u16) -> Option<&[T]> {
        let record = plan.tensors.get(usize::from(id))?;
        if record.elem != T::ELEM as u8 {
            return None;
        }
        let bytes = self.arena.get(byte_range(record))?;
        bytemuck::try_cast_slice(bytes).ok()
    }

    /// How many of `n` samples are thrown away, and how many then fit into the source window.
    fn take(&mut self, leader: usize, n: usize) -> (usize, usize) {
        let progress = self.progress(leader);
        let skipped = n.min(progress.skip as usize);
        let free = progress.window.saturating_sub(progress.filled) as usize;
        (skipped, free.min(n.wrapping_sub(skipped)))
    }

    /// Where the next `n` samples go.
    fn free(&mut self, plan: &Plan<'_>, leader: usize, n: usize) -> &mut [u8] {
        let size = size_of_elem(plan.lane(leader).source_elem);
        let progress = self.progress(leader);
        let filled = size.wrapping_mul(progress.filled as usize);
        let from = filled.wrapping_add(progress.window_at as usize);
        let to = from.wrapping_add(n.wrapping_mul(size));
        self.arena.get_mut(from..to).unwrap_or_default()
    }

    /// Counts samples that were thrown away and samples that were taken; does the work of a window
    /// that became full.
    fn filled(
        &mut self,
        plan: &Plan<'_>,
        leader: usize,
        [skipped, taken]: [usize; 2],
        observer: &mut impl Observe,
    ) -> Result<(), Fault> {
        let lane = plan.lane(leader);
        if lane.input == 0 {
            self.clock = self.clock.wrapping_add((skipped + taken) as u64);
        }
        let progress = self.progress(leader);
        let filled = progress.filled.wrapping_add(taken as u32);
        let full = filled == progress.window && taken > 0;
        for index in 0..plan.lane_count() {
            if plan.lane(index).input == lane.input {
                let progress = self.progress(index);
                progress.filled = filled;
                progress.skip = progress.skip.wrapping_sub(skipped as u32);
                if full {
                    self.run_section(plan, 2 * index, 0, observer)?;
                    self.progress(index).frame = 0;
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
    fn run_ready(
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
                self.run_section(plan, 2 * index + 1, row_offset, observer)?;
                let progress = self.progress(index);
                (progress.frame, progress.rows) = (frame + 1, rows + 1);
                if self.all(plan, |other, progress| {
                    other.input != lane.input || progress.frame == other.frames
                }) {
                    self.advance_window(plan, index);
                }
                done = self.all(plan, |other, progress| progress.rows >= other.row_count);
                self.drop_rows = done;
            }
            if done {
                self.run_section(plan, 2 * plan.lane_count(), 0, observer)?;
                if lane.rows == NONE {
                    self.advance_window(plan, index);
                }
                return Ok(Some(self.event(plan)));
            }
        }
        Ok(None)
    }

    /// Whether something holds for all lanes.
    #[inline]
    fn all(&self, plan: &Plan<'_>, holds: impl Fn(&Lane, &Progress) -> bool) -> bool {
        (0..plan.lane_count()).all(|index| {
            let progress = self.lanes.get(index);
            progress.is_some_and(|progress| holds(plan.lane(index), progress))
        })
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
        row_offset: u32,
        observer: &mut impl Observe,
    ) -> Result<(), Fault> {
        let end_of = |section: usize| plan.section_ends.get(section).copied().unwrap_or(0);
        let from = section.checked_sub(1).map_or(0, end_of) as usize;
        let frame = match section < 2 * plan.lane_count() {
            true => self.progress(section / 2).frame,
            false => self.progress(0).frame,
        };
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
        if self.elem(index)? != T::ELEM {
            return None;
        }
        bytemuck::try_cast_slice(self.bytes(index)?).ok()
    }

    /// The bytes of tensor `index`, as [`get`](Self::get) its elements.
    pub fn bytes(&self, index: usize) -> Option<&[u8]> {
        let record = self.plan.tensors.get(index)?;
        let range = byte_range(record);
        match Place::from_code(record.place)? {
            Place::Data => self.plan.data.get(range),
            Place::Arena => self.arena.get(range),
            Place::Row => {
                let row = self.arena.get(self.row_offset as usize..)?;
                row.get(range)
            }
        }
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

/// Writes samples to the front of a source window's bytes.
type Store<S> = fn(&[S], &mut [u8]);

/// A type of samples that can be pushed.
trait Sample: Copy + 'static {
    /// How samples get into a source window whose elements have this code; `None` when they cannot.
    fn store(elem: u8) -> Option<Store<Self>>;
}

const I8: u8 = Elem::I8 as u8;
const I16: u8 = Elem::I16 as u8;
const I32: u8 = Elem::I32 as u8;
const F32: u8 = Elem::F32 as u8;

impl Sample for i8 {
    fn store(elem: u8) -> Option<Store<i8>> {
        match elem {
            I8 => Some(|from, to| each(from, to, |x| x)),
            _ => None,
        }
    }
}

impl Sample for i32 {
    fn store(elem: u8) -> Option<Store<i32>> {
        match elem {
            I32 => Some(|from, to| each(from, to, |x| x)),
            _ => None,
        }
    }
}

impl Sample for i16 {
    fn store(elem: u8) -> Option<Store<i16>> {
        match elem {
            I16 => Some(copy),
            F32 => Some(|from, to| each(from, to, q::i16_to_f32_bits)),
            _ => None,
        }
    }
}

impl Sample for f32 {
    fn store(elem: u8) -> Option<Store<f32>> {
        match elem {
            I16 => Some(|from, to| each(from, to, q::f32_to_i16)),
            F32 => Some(|from, to| each(from, to, |x| x)),
            _ => None,
        }
    }
}

/// Converts samples into elements of the source window, one by one.
fn each<S: Copy, T: Element>(from: &[S], to: &mut [u8], convert: impl Fn(S) -> T) {
    let to: &mut [T] = bytemuck::try_cast_slice_mut(to).unwrap_or_default();
    for (to, &from) in to.iter_mut().zip(from) {
        *to = convert(from);
    }
}

/// Copies samples: two at a time where both begin at a whole word.
fn copy(from: &[i16], to: &mut [u8]) {
    let words = bytemuck::try_cast_slice::<i16, u32>(from).ok();
    match (words, bytemuck::try_cast_slice_mut::<u8, u32>(to)) {
        (Some(from), Ok(to)) => memory::copy(from, to),
        _ => each(from, to, |x| x),
    }
}
