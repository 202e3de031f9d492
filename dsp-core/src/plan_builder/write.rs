//! From tensors and steps to the bytes of `docs/FORMAT.md`.

use super::notes::{FormatNote, StageFormat};
use super::{Kind, LaneDraft, PlanBuilder, PlanBytes, Tensor, TensorId, planner};
use crate::error::LowerError;
use bytemuck::bytes_of;
use otolith_dsp_nostd::format::{
    ARENA_ALIGN, HASHED_FROM, Header, Lane, MAGIC, MAX_BYTES, MAX_LANES, MAX_OPERANDS, MAX_OPS,
    NONE, PART_ALIGN, Place, Section, TensorRecord, VERSION, align_up, content_hash, step_word,
};

impl PlanBuilder {
    /// Lays out the arena and writes the plan.
    ///
    /// # Errors
    /// [`LowerError`] when the plan would exceed a limit of the format.
    pub fn finish(mut self) -> Result<PlanBytes, LowerError> {
        self.check_limits()?;
        let lanes = self.lane_records()?;
        let [lane, more_lanes @ ..] = lanes.as_slice() else {
            return Err(LowerError::new("plan", "it has no lane"));
        };
        let layout = planner::lay_out(&self);
        let mut codes: Vec<u16> = Vec::new();
        let mut words: Vec<u32> = Vec::new();
        for step in self.all_steps() {
            let index = codes
                .iter()
                .position(|&code| code == step.op.code)
                .unwrap_or_else(|| {
                    codes.push(step.op.code);
                    codes.len() - 1
                });
            words.push(step_word(
                index as u8,
                step.tensors.len() as u8,
                step.params.len() as u16,
            ));
            words.extend(step.tensors.iter().map(|t| u32::from(t.0)));
            words.extend(&step.params);
        }
        if codes.len() > MAX_OPS {
            return Err(LowerError::new(
                "plan",
                format!("{} different operators, at most {MAX_OPS} fit", codes.len()),
            ));
        }
        let records: Vec<TensorRecord> = (0..self.tensors.len())
            .map(|i| self.record(i, &layout.offsets))
            .collect();
        self.notes.tensors = self
            .tensors
            .iter()
            .map(|t| (t.name.clone(), t.shape.clone()))
            .collect();
        self.notes.steps = self.all_steps().map(|s| s.name.clone()).collect();
        self.notes.formats = self.stage_formats();
        let info =
            serde_json::to_vec(&self.notes).map_err(|e| LowerError::new("plan", e.to_string()))?;

        let id = |tensor: Option<TensorId>| tensor.map_or(NONE, |t| t.0);
        let mut header = Header {
            magic: MAGIC,
            version: VERSION,
            numeric: self.numeric as u8,
            source_elem: lane.source_elem,
            total_len: 0,
            more_lanes: more_lanes.len() as u32,
            hash: 0,
            arena_len: align_up(layout.arena_len, ARENA_ALIGN) as u32,
            state_len: layout.state_len as u32,
            n_ops: codes.len() as u16,
            n_tensors: records.len() as u16,
            step_words: words.len() as u32,
            data_len: self.data.len() as u32,
            info_len: info.len() as u32,
            steps: [
                lane.steps[0],
                lane.steps[1],
                self.decision_steps.len() as u16,
            ],
            source: lane.source,
            source_hop: lane.source_hop,
            source_prime: lane.source_prime,
            frames: lane.frames,
            rows: lane.rows,
            features: id(self.features),
            row_count: lane.row_count,
            row_hop: lane.row_hop,
            scores: id(self.scores),
            decision: id(self.decision),
            rate_mhz: lane.rate_mhz,
        };
        let mut bytes = Vec::new();
        for part in [
            bytes_of(&header),
            bytemuck::cast_slice(more_lanes),
            bytemuck::cast_slice(&codes),
            bytemuck::cast_slice(&records),
            bytemuck::cast_slice(&words),
            &self.data,
            &info,
        ] {
            bytes.extend_from_slice(part);
            bytes.resize(align_up(bytes.len(), PART_ALIGN), 0);
        }
        if bytes.len() > MAX_BYTES as usize || layout.arena_len > MAX_BYTES as usize {
            return Err(LowerError::new(
                "plan",
                format!(
                    "{} bytes of plan and {} bytes of arena, at most {MAX_BYTES} each are allowed",
                    bytes.len(),
                    layout.arena_len
                ),
            ));
        }
        header.total_len = bytes.len() as u32;
        bytes[..size_of::<Header>()].copy_from_slice(bytes_of(&header));
        header.hash = content_hash(&bytes[HASHED_FROM..]);
        bytes[..size_of::<Header>()].copy_from_slice(bytes_of(&header));
        Ok(PlanBytes::copy_from(&bytes))
    }

    fn lane_records(&self) -> Result<Vec<Lane>, LowerError> {
        let record = |lane: &LaneDraft| {
            let source = lane
                .source
                .ok_or_else(|| LowerError::new("plan", "no source was declared"))?;
            Ok(Lane {
                steps: [0, 1].map(|s: usize| lane.steps[s].len() as u16),
                source: source.0,
                rows: lane.rows.map_or(NONE, |t| t.0),
                source_hop: lane.source_hop,
                source_prime: lane.source_prime,
                frames: lane.frames,
                row_count: lane.row_count,
                row_hop: lane.row_hop,
                rate_mhz: lane.rate_mhz,
                input: lane.input as u8,
                source_elem: self.elem(source) as u8,
                reserved: 0,
            })
        };
        self.lanes.iter().map(record).collect()
    }

    fn stage_formats(&self) -> Vec<StageFormat> {
        let index = |(tensor, power): (TensorId, i32)| (usize::from(tensor.0), power);
        self.formats
            .iter()
            .map(|note| {
                let FormatNote {
                    stage,
                    lane,
                    section,
                    steps,
                    tensor,
                    format,
                } = note;
                let section = match section {
                    Section::Window | Section::Frame => 2 * lane + *section as usize,
                    Section::Decision => 2 * self.lanes.len(),
                };
                let before: usize = self.sections().take(section).map(Vec::len).sum();
                StageFormat {
                    stage: stage.clone(),
                    step: (before + steps).saturating_sub(1),
                    tensor: usize::from(tensor.0),
                    scale: format.scale.clone(),
                    offset: format.offset.clone(),
                    exponent: format.exponent.map(index),
                    peak: format.peak.map(index),
                    limit: format.limit,
                }
            })
            .collect()
    }

    fn check_limits(&self) -> Result<(), LowerError> {
        if self.lanes.len() > MAX_LANES {
            return Err(LowerError::new(
                "plan",
                format!(
                    "{} blocks of features, at most {MAX_LANES} fit in a plan",
                    self.lanes.len()
                ),
            ));
        }
        for step in self.all_steps() {
            if step.tensors.len() > MAX_OPERANDS {
                return Err(LowerError::new(
                    step.name.clone(),
                    format!(
                        "{} operands, at most {MAX_OPERANDS} fit in a step",
                        step.tensors.len()
                    ),
                ));
            }
        }
        if self.tensors.len() >= usize::from(NONE) {
            return Err(LowerError::new(
                "plan",
                format!("{} tensors, at most {} fit", self.tensors.len(), NONE - 1),
            ));
        }
        let total: usize = self.tensors.iter().map(Tensor::bytes).sum();
        if total > MAX_BYTES as usize * 4 {
            return Err(LowerError::new(
                "plan",
                format!("its tensors hold {total} bytes, which no device has"),
            ));
        }
        Ok(())
    }

    fn record(&self, index: usize, arena_offsets: &[u32]) -> TensorRecord {
        let tensor = &self.tensors[index];
        let (place, offset) = self.placed(index, arena_offsets);
        TensorRecord {
            elem: tensor.elem as u8,
            place: place as u8,
            reserved: 0,
            offset,
            count: tensor.count() as u32,
        }
    }

    fn placed(&self, index: usize, arena_offsets: &[u32]) -> (Place, u32) {
        match self.tensors[index].kind {
            Kind::Data { offset } => (Place::Data, offset),
            Kind::Row { offset } => (Place::Row, offset),
            Kind::Temporary | Kind::State => (Place::Arena, arena_offsets[index]),
            Kind::View { of, byte_offset } => {
                let (place, offset) = self.placed(usize::from(of.0), arena_offsets);
                (place, offset + byte_offset)
            }
        }
    }
}
