//! A checked view of a plan's bytes.

mod info;
mod parts;

use crate::error::PlanError;
use crate::format::{
    HASHED_FROM, Header, Lane, MAX_LANES, MAX_OPERANDS, MAX_OPS, Numeric, Place, TensorRecord,
    content_hash,
};
use crate::op::{Op, Step, byte_range};
use core::mem::offset_of;
use core::ops::Range;
use parts::{Parts, head, row_len};

pub use info::PlanInfo;

/// A plan that can run: its structure checked, every operator found and content with its steps.
///
/// Its hash is not: see [`verify`].
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p> {
    pub(crate) header: &'p Header,
    /// The header's lane.
    first_lane: Lane,
    /// Lanes beside the header's.
    pub(crate) more_lanes: &'p [Lane],
    pub(crate) tensors: &'p [TensorRecord],
    pub(crate) steps: &'p [u32],
    pub(crate) data: &'p [u8],
    pub(crate) ops: &'p [&'p Op],
    /// For each op code of the plan, its position in `ops`.
    op_map: OpMap,
    /// Where the words of each section end in `steps`: window and frame section of every lane,
    /// then the decision section.
    pub(crate) section_ends: [u32; SECTIONS],
}

/// Sections of a plan with all lanes.
const SECTIONS: usize = 2 * MAX_LANES + 1;

/// For each op code of a plan, its position in the list of operators.
type OpMap = [u16; MAX_OPS];

impl<'p> Plan<'p> {
    /// Checks `bytes` and finds the operators that they need among `ops`, in any order; a list in
    /// the order of the codes is searched fastest.
    ///
    /// What is checked is all that memory safety and running without a panic rest on: structure,
    /// records, steps, operands and parameters. The bytes of tables and weights are not read; whether
    /// they are those that were written is what [`verify`] finds.
    ///
    /// `bytes` may be longer than the plan; they must start at a multiple of
    /// [`PLAN_ALIGN`](crate::format::PLAN_ALIGN). Nothing is copied: tables are used where they
    /// lie.
    ///
    /// # Errors
    /// [`PlanError`], for everything that would keep the plan from running.
    pub fn from_bytes(bytes: &'p [u8], ops: &'p [&'p Op]) -> Result<Self, PlanError> {
        let parts = Parts::parse(bytes)?;
        let mut op_map = [0; MAX_OPS];
        for (slot, &code) in op_map.iter_mut().zip(parts.codes) {
            let position = position(ops, code).and_then(|position| position.try_into().ok());
            *slot = position.ok_or(PlanError::MissingOp { code })?;
        }
        let section_ends = check_steps(&parts, ops, &op_map)?;
        Ok(Self {
            header: parts.header,
            first_lane: parts.header.lane(),
            more_lanes: parts.more_lanes,
            tensors: parts.tensors,
            steps: parts.steps,
            data: parts.data,
            ops,
            op_map,
            section_ends,
        })
    }

    /// Arena bytes that a runner of this plan needs.
    pub fn arena_len(&self) -> usize {
        self.header.arena_len as usize
    }

    /// The number format of the features.
    pub fn numeric(&self) -> Numeric {
        // The code was checked when the header was parsed.
        Numeric::from_code(self.header.numeric).unwrap_or(Numeric::F32)
    }

    /// Sample rate in hertz, 0 when the input has no rate.
    pub fn rate_hz(&self) -> f32 {
        self.header.rate_mhz as f32 / 1000.0
    }

    /// Samples between two decisions (or feature events), once the first has come.
    pub fn samples_per_decision(&self) -> u64 {
        self.header.samples_per_decision()
    }

    /// Lanes of the plan, at least one.
    pub(crate) fn lane_count(&self) -> usize {
        1 + self.more_lanes.len()
    }

    /// A lane, the header's being number 0.
    #[inline]
    pub(crate) fn lane(&self, index: usize) -> &Lane {
        let more = index.checked_sub(1).and_then(|i| self.more_lanes.get(i));
        more.unwrap_or(&self.first_lane)
    }

    /// The first lane of an input: the others follow it.
    pub(crate) fn leader(&self, input: usize) -> Option<usize> {
        (0..self.lane_count()).find(|&i| usize::from(self.lane(i).input) == input)
    }

    /// Samples of a lane's source window.
    pub(crate) fn window_len(&self, lane: &Lane) -> u32 {
        let source = self.tensors.get(usize::from(lane.source));
        source.map_or(0, |t| t.count)
    }

    /// Bytes of one row of a lane.
    pub(crate) fn row_len(&self, lane: &Lane) -> usize {
        row_len(self.tensors, lane)
    }

    #[inline]
    pub(crate) fn op(&self, op_index: usize) -> Option<&'p Op> {
        // What a checked plan's steps name is in the map.
        let &position = self.op_map.get(op_index)?;
        self.ops.get(usize::from(position)).copied()
    }

    /// Byte range of arena tensor `id`, which was checked; empty for none.
    #[inline]
    pub(crate) fn arena_range(&self, id: u16) -> Range<usize> {
        self.tensors.get(usize::from(id)).map_or(0..0, byte_range)
    }
}

/// Position of an operator in a list.
fn position(ops: &[&Op], code: u16) -> Option<usize> {
    let found = ops.binary_search_by_key(&code, |op| op.code).ok();
    // The list may be in another order.
    found.or_else(|| ops.iter().position(|op| op.code == code))
}

/// Checks all steps; gives the ends of the sections.
fn check_steps(
    parts: &Parts<'_>,
    ops: &[&Op],
    op_map: &OpMap,
) -> Result<[u32; SECTIONS], PlanError> {
    let [window, frame, decision] = parts.header.steps;
    let op_map = op_map.get(..parts.codes.len()).unwrap_or_default();
    let mut words = parts.steps;
    let mut step = Step {
        tensors: parts.tensors,
        data: parts.data,
        operands: &[],
        params: &[],
    };
    let mut index = 0u16;
    let mut ends = [0u32; SECTIONS];
    let decision_section = 2 * (1 + parts.more_lanes.len());
    for (section, end) in ends.iter_mut().enumerate().take(decision_section + 1) {
        let lane = (section / 2).checked_sub(1);
        let lane = lane.and_then(|i| parts.more_lanes.get(i));
        let [window, frame] = lane.map_or([window, frame], |lane| lane.steps);
        let steps = match section {
            _ if section == decision_section => decision,
            _ if section.is_multiple_of(2) => window,
            _ => frame,
        };
        for _ in 0..steps {
            let bad = PlanError::BadStep { step: index };
            let op_index = step.take(&mut words).ok_or(bad)?;
            let op = op_map.get(op_index);
            let op = op.and_then(|&i| ops.get(usize::from(i))).ok_or(bad)?;
            let exists = |&id: &u32| (id as usize) < parts.tensors.len();
            if step.operands.len() > MAX_OPERANDS || !step.operands.iter().all(exists) {
                return Err(bad);
            }
            if !parts.more_lanes.is_empty() && !rows_hold(parts, &step, section) {
                return Err(bad);
            }
            (op.check)(&step).map_err(|fault| PlanError::Refused {
                step: index,
                code: op.code,
                fault,
            })?;
            index = index.checked_add(1).ok_or(bad)?;
        }
        *end = parts.steps.len().wrapping_sub(words.len()) as u32;
    }
    if !words.is_empty() {
        let offset = offset_of!(Header, step_words) as u8;
        return Err(PlanError::BadHeader { offset });
    }
    Ok(ends)
}

/// Whether operands in the current row lie inside a row of the lane whose section this is. The
/// decision section has no rows.
#[inline]
fn rows_hold(parts: &Parts<'_>, step: &Step<'_>, section: usize) -> bool {
    let mut lanes = core::iter::once(parts.header.lane()).chain(parts.more_lanes.iter().copied());
    let lane = lanes.nth(section / 2);
    let row_len = lane.map_or(0, |lane| row_len(parts.tensors, &lane));
    step.operands.iter().all(|&id| {
        let record = parts.tensors.get(id as usize);
        record.is_some_and(|record| {
            record.place != Place::Row as u8 || byte_range(record).end <= row_len
        })
    })
}

/// Checks that `bytes` are the plan that was written: their hash is the header's.
///
/// Firmware calls it when a plan has arrived or may have changed, not at each start: it reads every
/// byte. Everything that reads plans from files does.
///
/// # Errors
/// [`PlanError::BadHash`] for damaged bytes, and [`PlanError`] for those that are no plan at all.
pub fn verify(bytes: &[u8]) -> Result<(), PlanError> {
    let (header, bytes) = head(bytes)?;
    if content_hash(bytes.get(HASHED_FROM..).unwrap_or(&[])) != header.hash {
        return Err(PlanError::BadHash);
    }
    // The hash does not cover what stands before it.
    Parts::parse(bytes).map(|_| ())
}
