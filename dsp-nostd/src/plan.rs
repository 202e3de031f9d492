//! A checked view of a plan's bytes.

use crate::error::PlanError;
use crate::format::{
    ARENA_ALIGN, Elem, HASHED_FROM, Header, Lane, MAGIC, MAX_BYTES, MAX_FRAMES, MAX_LANES,
    MAX_OPERANDS, MAX_OPS, NONE, Numeric, PART_ALIGN, PLAN_ALIGN, Place, TensorRecord, VERSION,
    align_up, content_hash,
};
use crate::op::{Op, Step, byte_range};
use core::ops::Range;

/// A plan's numbers, read without any operator: for tools, and for sizing an arena at run time.
///
/// Reading checks everything but the operators themselves.
#[derive(Clone, Copy, Debug)]
pub struct PlanInfo<'p> {
    parts: Parts<'p>,
}

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
    pub(crate) op_map: [u16; MAX_OPS],
    /// Where the words of each section end in `steps`: window and frame section of every lane,
    /// then the decision section.
    pub(crate) section_ends: [u32; SECTIONS],
}

/// Sections of a plan with all lanes.
const SECTIONS: usize = 2 * MAX_LANES + 1;

#[derive(Clone, Copy, Debug)]
struct Parts<'p> {
    header: &'p Header,
    more_lanes: &'p [Lane],
    codes: &'p [u16],
    tensors: &'p [TensorRecord],
    steps: &'p [u32],
    data: &'p [u8],
    info: &'p [u8],
}

macro_rules! header_field {
    ($field:ident) => {
        PlanError::BadHeader {
            offset: core::mem::offset_of!(Header, $field) as u8,
        }
    };
}

impl<'p> Plan<'p> {
    /// Checks `bytes` and finds the operators that they need among `ops`, in any order.
    ///
    /// What is checked is all that memory safety and running without a panic rest on: structure,
    /// records, steps, operands and parameters. The bytes of tables and weights are not read; whether
    /// they are those that were written is what [`verify`] finds.
    ///
    /// `bytes` may be longer than the plan; they must start at a multiple of
    /// [`PLAN_ALIGN`]. Nothing is copied: tables are used where they lie.
    ///
    /// # Errors
    /// [`PlanError`], for everything that would keep the plan from running.
    pub fn from_bytes(bytes: &'p [u8], ops: &'p [&'p Op]) -> Result<Self, PlanError> {
        let parts = Parts::parse(bytes)?;
        let mut op_map = [0u16; MAX_OPS];
        for (slot, &code) in op_map.iter_mut().zip(parts.codes) {
            let position = ops
                .iter()
                .take(usize::from(u16::MAX) + 1)
                .position(|op| op.code == code)
                .ok_or(PlanError::MissingOp { code })?;
            *slot = position as u16;
        }
        let mut plan = Self {
            header: parts.header,
            first_lane: parts.header.lane(),
            more_lanes: parts.more_lanes,
            tensors: parts.tensors,
            steps: parts.steps,
            data: parts.data,
            ops,
            op_map,
            section_ends: [0; SECTIONS],
        };
        plan.section_ends = plan.check_steps()?;
        Ok(plan)
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

    /// Checks all steps; gives the ends of the sections.
    fn check_steps(&self) -> Result<[u32; SECTIONS], PlanError> {
        let [.., decision_steps] = self.header.steps;
        let mut words = self.steps;
        let mut step = Step {
            tensors: self.tensors,
            data: self.data,
            operands: &[],
            params: &[],
        };
        let mut index = 0u16;
        let mut ends = [0u32; SECTIONS];
        let decision = 2 * self.lane_count();
        for (section, end) in ends.iter_mut().enumerate().take(decision + 1) {
            let lane = (section < decision).then(|| self.lane(section / 2));
            let [window, frame] = lane.map_or([decision_steps; 2], |lane| lane.steps);
            let row_len = lane.map_or(0, |lane| self.row_len(lane));
            for _ in 0..if section.is_multiple_of(2) {
                window
            } else {
                frame
            } {
                let bad = PlanError::BadStep { step: index };
                let op_index = step.take(&mut words).ok_or(bad)?;
                let op = self.op(op_index).ok_or(bad)?;
                if step.operands.len() > MAX_OPERANDS
                    || step
                        .operands
                        .iter()
                        .any(|&id| id as usize >= self.tensors.len())
                {
                    return Err(bad);
                }
                if !self.more_lanes.is_empty() && !self.rows_hold(&step, row_len) {
                    return Err(bad);
                }
                (op.check)(&step).map_err(|fault| PlanError::Refused {
                    step: index,
                    code: op.code,
                    fault,
                })?;
                index = index.checked_add(1).ok_or(bad)?;
            }
            *end = self.steps.len().wrapping_sub(words.len()) as u32;
        }
        if !words.is_empty() {
            return Err(header_field!(step_words));
        }
        Ok(ends)
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
        let rows = self.arena_range(lane.rows).len();
        rows.checked_div(lane.row_count as usize).unwrap_or(0)
    }

    /// Whether operands in the current row lie inside a row of `row_len` bytes.
    fn rows_hold(&self, step: &Step<'_>, row_len: usize) -> bool {
        step.operands.iter().all(|&id| {
            self.tensors.get(id as usize).is_some_and(|record| {
                record.place != Place::Row as u8 || byte_range(record).end <= row_len
            })
        })
    }

    #[inline]
    pub(crate) fn op(&self, op_index: usize) -> Option<&'p Op> {
        if op_index >= usize::from(self.header.n_ops) {
            return None;
        }
        let position = *self.op_map.get(op_index)?;
        self.ops.get(usize::from(position)).copied()
    }

    /// Byte range of arena tensor `id`, which was checked; empty for [`NONE`].
    #[inline]
    pub(crate) fn arena_range(&self, id: u16) -> Range<usize> {
        self.tensors.get(usize::from(id)).map_or(0..0, byte_range)
    }
}

impl<'p> PlanInfo<'p> {
    /// Checks the bytes' structure and their hash: magic, version, lengths, every record and range.
    ///
    /// # Errors
    /// [`PlanError`], but for what only operators can find.
    pub fn from_bytes(bytes: &'p [u8]) -> Result<Self, PlanError> {
        verify(bytes)?;
        Ok(Self {
            parts: Parts::parse(bytes)?,
        })
    }

    /// The header.
    pub fn header(&self) -> &'p Header {
        self.parts.header
    }

    /// The lanes, at least one.
    pub fn lanes(&self) -> impl Iterator<Item = Lane> + use<'p> {
        core::iter::once(self.parts.header.lane()).chain(self.parts.more_lanes.iter().copied())
    }

    /// Op codes that the plan needs.
    pub fn op_codes(&self) -> &'p [u16] {
        self.parts.codes
    }

    /// Tensor records.
    pub fn tensors(&self) -> &'p [TensorRecord] {
        self.parts.tensors
    }

    /// The step list's words.
    pub fn step_words(&self) -> &'p [u32] {
        self.parts.steps
    }

    /// Tables and weights.
    pub fn data(&self) -> &'p [u8] {
        self.parts.data
    }

    /// Names and labels for people: a JSON text, empty when the plan was stripped.
    pub fn info(&self) -> &'p [u8] {
        self.parts.info
    }

    /// The number format of the features.
    pub fn numeric(&self) -> Option<Numeric> {
        Numeric::from_code(self.parts.header.numeric)
    }
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

/// The header, and the bytes that it says are the plan.
fn head(bytes: &[u8]) -> Result<(&Header, &[u8]), PlanError> {
    if !(bytes.as_ptr() as usize).is_multiple_of(PLAN_ALIGN) {
        return Err(PlanError::Misaligned);
    }
    let header_len = size_of::<Header>();
    let truncated = |need| PlanError::Truncated {
        need,
        got: bytes.len(),
    };
    let header: &Header = bytes
        .get(..header_len)
        .and_then(|head| bytemuck::try_from_bytes(head).ok())
        .ok_or(truncated(header_len))?;
    if header.magic != MAGIC {
        return Err(PlanError::BadMagic);
    }
    if header.version != VERSION {
        return Err(PlanError::BadVersion {
            found: header.version,
        });
    }
    if header.total_len > MAX_BYTES || header.total_len < header_len as u32 {
        return Err(header_field!(total_len));
    }
    let total = header.total_len as usize;
    let bytes = bytes.get(..total).ok_or(truncated(total))?;
    Ok((header, bytes))
}

/// Takes parts of a plan off its bytes, front to back.
struct Cutter<'p> {
    bytes: &'p [u8],
    at: usize,
}

impl<'p> Cutter<'p> {
    fn cut(&mut self, len: usize) -> Option<&'p [u8]> {
        let end = self.at.checked_add(len)?;
        let part = self.bytes.get(self.at..end)?;
        self.at = align_up(end, PART_ALIGN);
        Some(part)
    }
}

impl<'p> Parts<'p> {
    fn parse(bytes: &'p [u8]) -> Result<Self, PlanError> {
        let (header, bytes) = head(bytes)?;
        let mut cutter = Cutter { bytes, at: 0 };
        let lengths = header_field!(total_len);
        cutter.cut(size_of::<Header>()).ok_or(lengths)?;
        let lanes = (header.more_lanes as usize)
            .checked_mul(size_of::<Lane>())
            .filter(|_| (header.more_lanes as usize) < MAX_LANES)
            .and_then(|len| cutter.cut(len))
            .ok_or(header_field!(more_lanes))?;
        let codes = cutter
            .cut(usize::from(header.n_ops) * 2)
            .ok_or(header_field!(n_ops))?;
        let tensors = cutter
            .cut(usize::from(header.n_tensors) * size_of::<TensorRecord>())
            .ok_or(header_field!(n_tensors))?;
        let steps = (header.step_words as usize)
            .checked_mul(4)
            .and_then(|len| cutter.cut(len))
            .ok_or(header_field!(step_words))?;
        let data = cutter
            .cut(header.data_len as usize)
            .ok_or(header_field!(data_len))?;
        let info = cutter
            .cut(header.info_len as usize)
            .ok_or(header_field!(info_len))?;
        if align_up(bytes.len(), PART_ALIGN) != cutter.at {
            return Err(lengths);
        }
        // Parts are aligned because the plan and every part are; the casts cannot fail.
        let parts = Self {
            header,
            more_lanes: bytemuck::try_cast_slice(lanes).map_err(|_| PlanError::Misaligned)?,
            codes: bytemuck::try_cast_slice(codes).map_err(|_| PlanError::Misaligned)?,
            tensors: bytemuck::try_cast_slice(tensors).map_err(|_| PlanError::Misaligned)?,
            steps: bytemuck::try_cast_slice(steps).map_err(|_| PlanError::Misaligned)?,
            data,
            info,
        };
        parts.check()?;
        Ok(parts)
    }

    fn check(&self) -> Result<(), PlanError> {
        let h = self.header;
        if Numeric::from_code(h.numeric).is_none() {
            return Err(header_field!(numeric));
        }
        if usize::from(h.n_ops) > MAX_OPS {
            return Err(header_field!(n_ops));
        }
        if h.arena_len > MAX_BYTES || !(h.arena_len as usize).is_multiple_of(ARENA_ALIGN) {
            return Err(header_field!(arena_len));
        }
        if h.state_len > h.arena_len {
            return Err(header_field!(state_len));
        }

        // Rows first: row tensors are checked against the length of one row.
        let mut row_bytes = self.check_rows(&h.lane())?;
        for lane in self.more_lanes {
            row_bytes = row_bytes.max(self.check_lane(lane)?);
        }
        for (i, record) in self.tensors.iter().enumerate() {
            let bad = PlanError::BadTensor { tensor: i as u16 };
            let elem = Elem::from_code(record.elem).ok_or(bad)?;
            let place = Place::from_code(record.place).ok_or(bad)?;
            // Within these limits the range does not wrap.
            if record.offset > MAX_BYTES || record.count > MAX_BYTES {
                return Err(bad);
            }
            let range = byte_range(record);
            let limit = match place {
                Place::Data => self.data.len(),
                Place::Arena => h.arena_len as usize,
                Place::Row => row_bytes,
            };
            if record.reserved != 0
                || record.count == 0
                || range.end > limit
                || !range.start.is_multiple_of(elem.size())
            {
                return Err(bad);
            }
        }

        self.check_source(&h.lane())?;
        let is_scalar = |id: u16| {
            self.arena_tensor(id)
                .is_some_and(|t| t.elem == Elem::I32 as u8 && t.count == 2)
        };
        if h.decision != NONE && (!is_scalar(h.decision) || h.scores == NONE) {
            return Err(header_field!(decision));
        }
        let is_q15 = |id: u16| {
            self.arena_tensor(id)
                .is_some_and(|t| t.elem == Elem::I16 as u8)
        };
        if h.scores != NONE && !is_q15(h.scores) {
            return Err(header_field!(scores));
        }
        if h.features != NONE && self.arena_tensor(h.features).is_none() {
            return Err(header_field!(features));
        }
        if h.features == NONE && h.decision == NONE {
            return Err(header_field!(features));
        }
        Ok(())
    }

    fn check_source(&self, lane: &Lane) -> Result<(), PlanError> {
        let source = self
            .arena_tensor(lane.source)
            .ok_or(header_field!(source))?;
        if source.elem != lane.source_elem {
            return Err(header_field!(source_elem));
        }
        if lane.source_hop == 0 || lane.source_hop > MAX_BYTES {
            return Err(header_field!(source_hop));
        }
        if lane.source_prime >= source.count {
            return Err(header_field!(source_prime));
        }
        Ok(())
    }

    /// Bytes of one row of a lane that is not the header's.
    ///
    /// Several lanes meet in one decision: each has rows, and drops all of them after it. Those of
    /// one input share source and hop, so that they are full at the same time.
    fn check_lane(&self, lane: &Lane) -> Result<usize, PlanError> {
        let bad = header_field!(more_lanes);
        let first = self.header.lane();
        let whole = |lane: &Lane| lane.rows != NONE && lane.row_hop == lane.row_count;
        if !whole(lane) || !whole(&first) || lane.reserved != 0 {
            return Err(bad);
        }
        let mut earlier = core::iter::once(&first).chain(self.more_lanes);
        let leader = earlier
            .find(|other| other.input == lane.input || other.source == lane.source)
            .ok_or(bad)?;
        let same = leader.input == lane.input
            && leader.source == lane.source
            && leader.source_hop == lane.source_hop
            && leader.source_prime == lane.source_prime;
        if !same || usize::from(lane.input) >= MAX_LANES {
            return Err(bad);
        }
        self.check_source(lane).map_err(|_| bad)?;
        self.check_rows(lane).map_err(|_| bad)
    }

    /// Bytes of one row; 0 when the lane has no rows.
    fn check_rows(&self, lane: &Lane) -> Result<usize, PlanError> {
        let [_, frame_steps] = lane.steps;
        if lane.rows == NONE {
            if frame_steps != 0 || lane.frames != 0 || lane.row_count != 0 || lane.row_hop != 0 {
                return Err(header_field!(rows));
            }
            return Ok(0);
        }
        let record = self.arena_tensor(lane.rows).ok_or(header_field!(rows))?;
        if lane.frames == 0 || lane.frames > MAX_FRAMES {
            return Err(header_field!(frames));
        }
        if lane.row_count == 0 || !record.count.is_multiple_of(lane.row_count) {
            return Err(header_field!(row_count));
        }
        if lane.row_hop == 0 || lane.row_hop > lane.row_count {
            return Err(header_field!(row_hop));
        }
        if record.offset > MAX_BYTES || record.count > MAX_BYTES {
            return Err(header_field!(rows));
        }
        let range = byte_range(record);
        if range.end > self.header.arena_len as usize {
            return Err(header_field!(rows));
        }
        range
            .len()
            .checked_div(lane.row_count as usize)
            .ok_or(header_field!(row_count))
    }

    fn arena_tensor(&self, id: u16) -> Option<&'p TensorRecord> {
        self.tensors
            .get(usize::from(id))
            .filter(|t| t.place == Place::Arena as u8)
    }
}
