//! Samples in, events out.

use crate::error::{Fault, InitError};
use crate::format::{ARENA_ALIGN, Elem, Element, NONE, Place, Section};
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
    /// Samples in the source window.
    filled: u32,
    /// Samples still to be thrown away, when the hop is longer than the window.
    skip: u32,
    /// Frames of the full window that are done; `frames` when the next window is being filled.
    frame: u32,
    /// Rows that hold data.
    rows: u32,
    /// Rows were handed out as an event and are dropped at the next call.
    drop_rows: bool,
    /// Samples taken since the start or the last reset.
    clock: u64,
}

/// What one call of `push` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Samples taken from the front of the slice.
    pub consumed: usize,
    /// What is ready, if anything. `None` means that all samples are consumed.
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
            filled: 0,
            skip: 0,
            frame: 0,
            rows: 0,
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
        self.filled = self.plan.header.source_prime;
        self.skip = 0;
        self.frame = self.plan.header.frames;
        self.rows = 0;
        self.drop_rows = false;
        self.clock = 0;
    }

    /// Takes 16-bit samples, in `[-1, 1)` as `sample / 32768`, until something is ready or all
    /// are consumed.
    ///
    /// # Errors
    /// [`Fault::WrongSampleType`] when the plan takes neither `i16` nor `f32` samples.
    pub fn push_i16(&mut self, samples: &[i16]) -> Result<Pushed, Fault> {
        match self.source_elem() {
            Elem::F32 => self.push(samples, each(q::i16_to_f32_bits), &mut Unobserved),
            Elem::I16 => self.push(samples, copy, &mut Unobserved),
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
        match self.source_elem() {
            Elem::F32 => self.push(samples, each(q::i16_to_f32_bits), &mut Observed(observe)),
            Elem::I16 => self.push(samples, copy, &mut Observed(observe)),
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
        match self.source_elem() {
            Elem::F32 => self.push(samples, each(|x| x), &mut Unobserved),
            Elem::I16 => self.push(samples, each(q::f32_to_i16), &mut Unobserved),
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
        match self.source_elem() {
            Elem::F32 => self.push(samples, each(|x| x), &mut Observed(observe)),
            Elem::I16 => self.push(samples, each(q::f32_to_i16), &mut Observed(observe)),
            _ => Err(Fault::WrongSampleType),
        }
    }

    /// Takes int8 values for a plan whose input is `i8`, such as a bare network.
    ///
    /// # Errors
    /// [`Fault::WrongSampleType`] when the plan's input is not `i8`.
    pub fn push_i8(&mut self, values: &[i8]) -> Result<Pushed, Fault> {
        match self.source_elem() {
            Elem::I8 => self.push(values, each(|x| x), &mut Unobserved),
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

    /// Samples consumed since the start or the last [`Runner::reset`].
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

    fn source_elem(&self) -> Elem {
        // The code was checked when the plan was parsed.
        Elem::from_code(self.plan.header.source_elem).unwrap_or(Elem::I64)
    }

    fn push<S: Copy, T: Element>(
        &mut self,
        samples: &[S],
        store: impl Fn(&[S], &mut [T]),
        observer: &mut impl Observe,
    ) -> Result<Pushed, Fault> {
        let mut rest = samples;
        loop {
            if let Some(event) = self.run_ready(observer)? {
                return Ok(Pushed {
                    consumed: samples.len() - rest.len(),
                    event: Some(event),
                });
            }
            if rest.is_empty() {
                return Ok(Pushed {
                    consumed: samples.len(),
                    event: None,
                });
            }
            rest = self.take(rest, &store, observer)?;
        }
    }

    /// Moves samples into the source window until it is full; returns what is left.
    fn take<'s, S: Copy, T: Element>(
        &mut self,
        samples: &'s [S],
        store: &impl Fn(&[S], &mut [T]),
        observer: &mut impl Observe,
    ) -> Result<&'s [S], Fault> {
        let skipped = samples.len().min(self.skip as usize);
        let (_, samples) = samples.split_at_checked(skipped).unwrap_or_default();
        self.skip -= skipped as u32;
        self.clock += skipped as u64;

        let range = self.plan.arena_range(self.plan.header.source);
        let bytes = self.arena.get_mut(range).unwrap_or_default();
        let window: &mut [T] =
            bytemuck::try_cast_slice_mut(bytes).map_err(|_| Fault::WrongSampleType)?;
        let free = window.get_mut(self.filled as usize..).unwrap_or_default();
        let (now, later) = samples
            .split_at_checked(free.len())
            .unwrap_or((samples, &[]));
        store(now, free);
        self.filled += now.len() as u32;
        self.clock += now.len() as u64;
        if self.filled as usize == self.window_len() {
            self.run_section(Section::Window, 0, observer)?;
            self.frame = 0;
        }
        Ok(later)
    }

    fn window_len(&self) -> usize {
        self.plan
            .tensors
            .get(usize::from(self.plan.header.source))
            .map_or(0, |t| t.count as usize)
    }

    /// Does the work of a full window, up to the next event.
    fn run_ready(&mut self, observer: &mut impl Observe) -> Result<Option<Event>, Fault> {
        let header = self.plan.header;
        self.drop_old_rows();
        if self.filled as usize != self.window_len() {
            return Ok(None);
        }
        if header.rows == NONE {
            self.run_section(Section::Decision, 0, observer)?;
            self.advance_window();
            return Ok(Some(self.event()));
        }
        while self.frame < header.frames {
            let rows = self.plan.arena_range(header.rows);
            let row_len = rows.len() / header.row_count.max(1) as usize;
            let row_offset = rows.start + self.rows as usize * row_len;
            self.run_section(Section::Frame, row_offset as u32, observer)?;
            self.frame += 1;
            self.rows += 1;
            if self.frame == header.frames {
                self.advance_window();
            }
            if self.rows >= header.row_count {
                self.run_section(Section::Decision, 0, observer)?;
                self.drop_rows = true;
                return Ok(Some(self.event()));
            }
        }
        Ok(None)
    }

    fn drop_old_rows(&mut self) {
        let header = self.plan.header;
        if !self.drop_rows {
            return;
        }
        self.drop_rows = false;
        let range = self.plan.arena_range(header.rows);
        let row_len = range.len() / header.row_count.max(1) as usize;
        let dropped = header.row_hop as usize * row_len;
        drop_front(self.arena.get_mut(range).unwrap_or_default(), dropped);
        self.rows = self.rows.saturating_sub(header.row_hop);
    }

    /// Drops the oldest samples of the window.
    fn advance_window(&mut self) {
        let header = self.plan.header;
        let window = self.window_len();
        let hop = header.source_hop as usize;
        let range = self.plan.arena_range(header.source);
        let elem_size = self.source_elem().size();
        if hop < window {
            let bytes = self.arena.get_mut(range).unwrap_or_default();
            drop_front(bytes, hop * elem_size);
            self.filled = (window - hop) as u32;
        } else {
            self.filled = 0;
            self.skip = (hop - window) as u32;
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

    fn run_section(
        &mut self,
        section: Section,
        row_offset: u32,
        observer: &mut impl Observe,
    ) -> Result<(), Fault> {
        let ends = self.plan.section_ends;
        let [window_end, frame_end, decision_end] = ends;
        let (mut at, end) = match section {
            Section::Window => (0, window_end),
            Section::Frame => (window_end, frame_end),
            Section::Decision => (frame_end, decision_end),
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
                frame: self.frame,
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
    fn ran<'r>(&mut self, section: Section, step: usize, tensors: impl FnOnce() -> Tensors<'r>);
}

struct Unobserved;

impl Observe for Unobserved {
    #[inline(always)]
    fn ran<'r>(&mut self, _: Section, _: usize, _: impl FnOnce() -> Tensors<'r>) {}
}

struct Observed<'f, F>(&'f mut F);

impl<F: FnMut(usize, &Tensors<'_>)> Observe for Observed<'_, F> {
    fn ran<'r>(&mut self, section: Section, step: usize, tensors: impl FnOnce() -> Tensors<'r>) {
        let tensors = tensors();
        let [window, frame, _] = tensors.plan.header.steps.map(usize::from);
        let before = match section {
            Section::Window => 0,
            Section::Frame => window,
            Section::Decision => window + frame,
        };
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

fn move_down<T: Copy>(values: &mut [T], n: usize) {
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
