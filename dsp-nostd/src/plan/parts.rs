//! The parts of a plan's bytes, and the checks of its records.

use crate::error::PlanError;
use crate::format::{
    ARENA_ALIGN, Elem, Header, Lane, MAGIC, MAX_BYTES, MAX_FRAMES, MAX_LANES, MAX_OPS, NONE,
    Numeric, PART_ALIGN, PLAN_ALIGN, Place, TensorRecord, VERSION, align_up, size_of_elem,
};
use crate::op::byte_range;
use bytemuck::AnyBitPattern;

/// The parts of a plan whose structure and records were checked, but not its steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'p> {
    pub(super) header: &'p Header,
    pub(super) more_lanes: &'p [Lane],
    pub(super) codes: &'p [u16],
    pub(super) tensors: &'p [TensorRecord],
    pub(super) steps: &'p [u32],
    pub(super) data: &'p [u8],
    pub(super) info: &'p [u8],
}

/// Byte offset of a field in the header, which says what is wrong.
type Offset = u8;

macro_rules! field {
    ($field:ident) => {
        core::mem::offset_of!(Header, $field) as Offset
    };
}

fn bad_header(offset: Offset) -> PlanError {
    PlanError::BadHeader { offset }
}

/// The header, and the bytes that it says are the plan.
pub(super) fn head(bytes: &[u8]) -> Result<(&Header, &[u8]), PlanError> {
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
        return Err(bad_header(field!(total_len)));
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
    /// The next `count` values; `field` is the header's field with their number.
    #[inline]
    fn cut<T: AnyBitPattern>(&mut self, count: u32, field: Offset) -> Result<&'p [T], PlanError> {
        let bytes = self.bytes(count, size_of::<T>());
        // Aligned because the plan and every part are: the cast cannot fail.
        let values = bytes.and_then(|bytes| bytemuck::try_cast_slice(bytes).ok());
        values.ok_or(bad_header(field))
    }

    fn bytes(&mut self, count: u32, size: usize) -> Option<&'p [u8]> {
        // What is longer than this is longer than any plan; nothing wraps.
        let count = count.min(MAX_BYTES) as usize;
        let end = self.at.wrapping_add(count.checked_mul(size)?);
        let part = self.bytes.get(self.at..end)?;
        self.at = align_up(end, PART_ALIGN);
        Some(part)
    }
}

impl<'p> Parts<'p> {
    /// The parts of a plan; checks everything but the hash and what only operators can find.
    pub(super) fn parse(bytes: &'p [u8]) -> Result<Self, PlanError> {
        let (header, bytes) = head(bytes)?;
        let mut cutter = Cutter {
            bytes,
            at: size_of::<Header>(),
        };
        cutter.at = align_up(cutter.at, PART_ALIGN);
        let parts = Self {
            header,
            more_lanes: cutter.cut(header.more_lanes, field!(more_lanes))?,
            codes: cutter.cut(header.n_ops.into(), field!(n_ops))?,
            tensors: cutter.cut(header.n_tensors.into(), field!(n_tensors))?,
            steps: cutter.cut(header.step_words, field!(step_words))?,
            data: cutter.cut(header.data_len, field!(data_len))?,
            info: cutter.cut(header.info_len, field!(info_len))?,
        };
        if align_up(bytes.len(), PART_ALIGN) != cutter.at {
            return Err(bad_header(field!(total_len)));
        }
        parts.check_header().map_err(bad_header)?;
        parts.check_tensors()?;
        parts.check_ends().map_err(bad_header)?;
        Ok(parts)
    }

    /// Checks the header and the lanes, but for what they say of tensors' contents.
    #[inline(always)]
    fn check_header(&self) -> Result<(), Offset> {
        let h = self.header;
        if Numeric::from_code(h.numeric).is_none() {
            return Err(field!(numeric));
        }
        if self.more_lanes.len() >= MAX_LANES {
            return Err(field!(more_lanes));
        }
        if self.codes.len() > MAX_OPS {
            return Err(field!(n_ops));
        }
        if h.arena_len > MAX_BYTES || !(h.arena_len as usize).is_multiple_of(ARENA_ALIGN) {
            return Err(field!(arena_len));
        }
        if h.state_len > h.arena_len {
            return Err(field!(state_len));
        }
        let first = h.lane();
        self.check_rows(&first)?;
        for lane in self.more_lanes {
            if !self.is_lane(&first, lane) {
                return Err(field!(more_lanes));
            }
        }
        Ok(())
    }

    /// Checks that every tensor lies in its place.
    #[inline(always)]
    fn check_tensors(&self) -> Result<(), PlanError> {
        let mut row = row_len(self.tensors, &self.header.lane());
        for lane in self.more_lanes {
            row = row.max(row_len(self.tensors, lane));
        }
        // In the order of their codes. None is above `MAX_BYTES`.
        let places = [self.data.len() as u32, self.header.arena_len, row as u32];
        let mut tensor = 0;
        for record in self.tensors {
            let size = size_of_elem(record.elem) as u32;
            // Does not wrap for a count that is allowed.
            let len = record.count.wrapping_mul(size);
            let place = places.get(usize::from(record.place));
            let behind = place.and_then(|place| place.checked_sub(record.offset));
            if behind.is_none_or(|behind| len > behind)
                || !(1..=Elem::U64 as u8).contains(&record.elem)
                || record.reserved != 0
                || !(1..=MAX_BYTES).contains(&record.count)
                || record.offset & size.wrapping_sub(1) != 0
            {
                return Err(PlanError::BadTensor { tensor });
            }
            tensor = tensor.wrapping_add(1);
        }
        Ok(())
    }

    /// Checks where the samples come in, and where the results are.
    #[inline(always)]
    fn check_ends(&self) -> Result<(), Offset> {
        let h = self.header;
        self.check_source(&h.lane())?;
        let holds = |id: u16, elem: Elem| self.arena_tensor(id).filter(|t| t.elem == elem as u8);
        let decision = holds(h.decision, Elem::I32).filter(|t| t.count == 2);
        if h.decision != NONE && (decision.is_none() || h.scores == NONE) {
            return Err(field!(decision));
        }
        if h.scores != NONE && holds(h.scores, Elem::I16).is_none() {
            return Err(field!(scores));
        }
        let lost = h.features != NONE && self.arena_tensor(h.features).is_none();
        if lost || h.features == NONE && h.decision == NONE {
            return Err(field!(features));
        }
        Ok(())
    }

    #[inline]
    fn check_source(&self, lane: &Lane) -> Result<(), Offset> {
        let source = self.arena_tensor(lane.source).ok_or(field!(source))?;
        if source.elem != lane.source_elem {
            return Err(field!(source_elem));
        }
        if lane.source_hop == 0 || lane.source_hop > MAX_BYTES {
            return Err(field!(source_hop));
        }
        if lane.source_prime >= source.count {
            return Err(field!(source_prime));
        }
        Ok(())
    }

    /// Whether a lane may stand beside the header's.
    ///
    /// Several lanes meet in one decision: each has rows, and drops all of them after it. Those of
    /// one input share source and hop, so that they are full at the same time.
    fn is_lane(&self, first: &Lane, lane: &Lane) -> bool {
        let whole = |lane: &Lane| lane.rows != NONE && lane.row_hop == lane.row_count;
        let mut earlier = core::iter::once(first).chain(self.more_lanes);
        let leader = earlier.find(|it| it.input == lane.input || it.source == lane.source);
        let shared = leader.is_some_and(|leader| {
            leader.input == lane.input
                && leader.source == lane.source
                && leader.source_hop == lane.source_hop
                && leader.source_prime == lane.source_prime
        });
        whole(lane)
            && whole(first)
            && lane.reserved == 0
            && shared
            && usize::from(lane.input) < MAX_LANES
            && self.check_source(lane).is_ok()
            && self.check_rows(lane).is_ok()
    }

    /// Checks what a lane says of its rows. Their record is checked with all others.
    #[inline]
    fn check_rows(&self, lane: &Lane) -> Result<(), Offset> {
        let [_, frame_steps] = lane.steps;
        if lane.rows == NONE {
            let none = u32::from(frame_steps) | lane.frames | lane.row_count | lane.row_hop;
            return if none == 0 { Ok(()) } else { Err(field!(rows)) };
        }
        let record = self.arena_tensor(lane.rows).ok_or(field!(rows))?;
        if lane.frames == 0 || lane.frames > MAX_FRAMES {
            return Err(field!(frames));
        }
        if lane.row_count == 0 || !record.count.is_multiple_of(lane.row_count) {
            return Err(field!(row_count));
        }
        if lane.row_hop == 0 || lane.row_hop > lane.row_count {
            return Err(field!(row_hop));
        }
        Ok(())
    }

    #[inline]
    fn arena_tensor(&self, id: u16) -> Option<&'p TensorRecord> {
        self.tensors
            .get(usize::from(id))
            .filter(|t| t.place == Place::Arena as u8)
    }
}

/// Bytes of one row of a lane, 0 when it has none.
pub(super) fn row_len(tensors: &[TensorRecord], lane: &Lane) -> usize {
    let rows = tensors.get(usize::from(lane.rows));
    let bytes = rows.map_or(0, |rows| byte_range(rows).len());
    bytes.checked_div(lane.row_count as usize).unwrap_or(0)
}
