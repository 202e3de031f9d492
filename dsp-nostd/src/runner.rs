//! Samples in, events out.

mod observe;
mod sample;
mod work;

use crate::error::{Fault, InitError};
use crate::format::{ARENA_ALIGN, Elem, Element};
use crate::op::byte_range;
use crate::plan::Plan;
use observe::{Observe, Observed, Unobserved};
use sample::Sample;
use work::Work;

pub use observe::Tensors;

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
        let work = Work::new(&plan, arena);
        Ok(Self { plan, work })
    }

    /// Forgets all samples, rows and decisions: the runner is as after [`Runner::new`].
    pub fn reset(&mut self) {
        self.work.reset(&self.plan);
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
    /// ([`f32_to_i16`](crate::q::f32_to_i16)).
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
            let (skipped, taken) = work.room(leader, n);
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
