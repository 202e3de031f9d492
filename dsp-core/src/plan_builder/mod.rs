//! Writes plans: tensors and steps in, bytes out.
//!
//! Lowering describes *what* is computed; the builder decides *where*: it places tables in the
//! data part, lays out the arena from the tensors' lifetimes (`planner`), and writes the bytes
//! of `docs/FORMAT.md`.

mod planner;
mod strip;

use crate::deploy::Kernels;
use crate::error::LowerError;
use bytemuck::{NoUninit, bytes_of};
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{
    ARENA_ALIGN, Elem, Element, HASHED_FROM, Header, Lane, MAGIC, MAX_BYTES, MAX_LANES,
    MAX_OPERANDS, MAX_OPS, NONE, Numeric, PART_ALIGN, Place, Section, TensorRecord, VERSION,
    align_up, content_hash, step_word,
};
use serde::{Deserialize, Serialize};
use std::ops::Deref;

pub use strip::strip_info;

/// A tensor of the plan that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(u16);

/// The bytes of a plan, aligned as a plan must be.
#[derive(Clone, PartialEq, Eq)]
pub struct PlanBytes {
    words: Vec<u64>,
    len: usize,
}

impl PlanBytes {
    /// Copies `bytes` into aligned memory. They are not checked.
    pub fn copy_from(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self {
            words,
            len: bytes.len(),
        }
    }
}

impl Deref for PlanBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}

impl std::fmt::Debug for PlanBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PlanBytes({} bytes)", self.len)
    }
}

/// What people and tools want to know of a plan and the device does not: kept as JSON in the
/// plan's info part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanNotes {
    /// Name of the pipeline.
    pub name: String,
    /// Names of the labels, in the order of the scores.
    pub labels: Vec<String>,
    /// Real value of one unit of the scores and of a decision's score; none for Q15.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_scale: Option<f64>,
    /// Shape of the features of one event: rows, values per row.
    pub feature_shape: Vec<usize>,
    /// Names and shapes of the tensors, in the order of the records.
    pub tensors: Vec<(String, Vec<usize>)>,
    /// Names of the steps, in order.
    pub steps: Vec<String>,
    /// How the integers of a `fixed` plan stand for real numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<StageFormat>,
}

/// How the integers that a stage leaves behind stand for real numbers: value `i` is
/// `(integer[i] * scale[i % scale.len()] + offset[i % offset.len()]) * 2^(e p) * (32768 / k)^r`,
/// where `e` and `p` belong to [`exponent`](Self::exponent), `k` and `r` to
/// [`peak`](Self::peak).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageFormat {
    /// Name of the graph's stage.
    pub stage: String,
    /// Index of the step after which this holds, over all sections.
    pub step: usize,
    /// Index of the tensor.
    pub tensor: usize,
    /// Real value of one unit, for each column or for all.
    pub scale: Vec<f64>,
    /// Real value of the integer 0, for each column or for all.
    pub offset: Vec<f64>,
    /// Tensor that holds the frame's block exponent `e` (`i32[1]`), and the power `p`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponent: Option<(usize, i32)>,
    /// Tensor that holds the window's peak `k` (`i32[1]`), and the power `r`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<(usize, i32)>,
    /// Largest magnitude that the integers may have.
    pub limit: f64,
}

enum Kind {
    Data { offset: u32 },
    Temporary,
    State,
    Row { offset: u32 },
    View { of: TensorId, byte_offset: u32 },
}

struct Tensor {
    name: String,
    elem: Elem,
    shape: Vec<usize>,
    kind: Kind,
}

impl Tensor {
    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    fn bytes(&self) -> usize {
        self.count() * self.elem.size()
    }
}

/// How a tensor's integers stand for real numbers: see [`StageFormat`].
#[derive(Clone, Debug)]
pub struct Format {
    /// Real value of one unit, for each column or for all.
    pub scale: Vec<f64>,
    /// Real value of the integer 0, for each column or for all.
    pub offset: Vec<f64>,
    /// Block exponent and its power.
    pub exponent: Option<(TensorId, i32)>,
    /// Peak and its power.
    pub peak: Option<(TensorId, i32)>,
    /// Largest magnitude that the integers may have.
    pub limit: f64,
}

/// A format, and when it holds.
struct FormatNote {
    stage: String,
    lane: usize,
    section: Section,
    /// Steps in the section so far.
    steps: usize,
    tensor: TensorId,
    format: Format,
}

/// A lane that is being built.
#[derive(Default)]
struct LaneDraft {
    input: usize,
    source: Option<TensorId>,
    source_hop: u32,
    source_prime: u32,
    rate_mhz: u32,
    rows: Option<TensorId>,
    frames: u32,
    row_count: u32,
    row_hop: u32,
    /// Window and frame section.
    steps: [Vec<Step>; 2],
}

struct Step {
    op: &'static Op,
    name: String,
    tensors: Vec<TensorId>,
    params: Vec<u32>,
}

/// Collects tensors and steps, then writes a plan.
///
/// A plan has one lane for each chain of a graph. Order of use, for each lane:
/// [`lane`](Self::lane), [`source`](Self::source) first, [`rows`](Self::rows) when there are frames, then
/// tensors and steps in the order of execution, the outputs, and [`finish`](Self::finish).
///
/// A tensor lives from the first step that names it to the last; the builder overlaps tensors
/// whose lives do not. A tensor that steps of several sections name keeps its place for good.
/// An operator that works in place simply names the same tensor once; an output that should lie
/// over an input is a [`view`](Self::view) of it.
pub struct PlanBuilder {
    numeric: Numeric,
    tensors: Vec<Tensor>,
    lanes: Vec<LaneDraft>,
    decision_steps: Vec<Step>,
    data: Vec<u8>,
    features: Option<TensorId>,
    scores: Option<TensorId>,
    decision: Option<TensorId>,
    formats: Vec<FormatNote>,
    /// Tensors that may start at the same byte.
    shares: Vec<(TensorId, TensorId)>,
    kernels: Kernels,
    notes: PlanNotes,
}

impl PlanBuilder {
    /// An empty plan for the pipeline `name`.
    pub fn new(name: &str, numeric: Numeric) -> Self {
        Self {
            numeric,
            tensors: Vec::new(),
            lanes: vec![LaneDraft::default()],
            decision_steps: Vec::new(),
            data: Vec::new(),
            features: None,
            scores: None,
            decision: None,
            formats: Vec::new(),
            shares: Vec::new(),
            kernels: Kernels::default(),
            notes: PlanNotes {
                name: name.into(),
                ..PlanNotes::default()
            },
        }
    }

    /// Declares the source window: `len` samples, a new window every `hop` samples, `prime` zero
    /// samples before the first one. Returns the tensor that holds the window.
    ///
    /// A network with several inputs takes them one behind the other in one window, each as a
    /// [`view`](Self::view) of it.
    pub fn source(&mut self, elem: Elem, len: usize, hop: usize, prime: usize) -> TensorId {
        let id = self.state("source", elem, &[len]);
        let lane = self.last_lane();
        lane.source = Some(id);
        lane.source_hop = hop as u32;
        lane.source_prime = prime as u32;
        id
    }

    /// Begins another lane, which hears `input`. Lanes of the same input share its source window:
    /// the earlier one's, which is then returned, must not be declared again.
    pub fn lane(&mut self, input: usize) -> Option<TensorId> {
        let earlier = self.lanes.iter().find(|lane| lane.input == input);
        let draft = match earlier {
            Some(lane) => LaneDraft {
                input,
                source: lane.source,
                source_hop: lane.source_hop,
                source_prime: lane.source_prime,
                rate_mhz: lane.rate_mhz,
                ..LaneDraft::default()
            },
            None => LaneDraft {
                input,
                ..LaneDraft::default()
            },
        };
        let source = draft.source;
        self.lanes.push(draft);
        source
    }

    fn last_lane(&mut self) -> &mut LaneDraft {
        let last = self.lanes.len() - 1;
        &mut self.lanes[last]
    }

    /// All steps in their order, with the number of their section: two for each lane, then that
    /// of the decision.
    fn sections(&self) -> impl Iterator<Item = &Vec<Step>> {
        let lanes = self.lanes.iter().flat_map(|lane| &lane.steps);
        lanes.chain([&self.decision_steps])
    }

    fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.sections().flatten()
    }

    /// States the sample rate in hertz.
    pub fn rate_hz(&mut self, rate: f64) {
        self.last_lane().rate_mhz = libm::round(rate * 1000.0) as u32;
    }

    /// Declares the rows: `count` rows of `len` elements, of which `hop` are dropped after each
    /// decision, and `frames` frames (so rows) from each source window. Returns the tensor with
    /// all rows and the one with the row that the frame section fills.
    pub fn rows(
        &mut self,
        elem: Elem,
        count: usize,
        len: usize,
        hop: usize,
        frames: usize,
    ) -> (TensorId, TensorId) {
        let rows = self.state("rows", elem, &[count, len]);
        let lane = self.last_lane();
        lane.rows = Some(rows);
        lane.row_count = count as u32;
        lane.row_hop = hop as u32;
        lane.frames = frames as u32;
        let row = self.add("row", elem, &[len], Kind::Row { offset: 0 });
        (rows, row)
    }

    /// A constant table, placed in the plan's data.
    pub fn table<T: Element + NoUninit>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: &[T],
    ) -> TensorId {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        let offset = align_up(self.data.len(), T::ELEM.size().max(4));
        self.data.resize(offset, 0);
        self.data.extend_from_slice(bytemuck::cast_slice(values));
        let offset = offset as u32;
        self.add(name, T::ELEM, shape, Kind::Data { offset })
    }

    /// A tensor in the arena that lives only between the steps that name it.
    pub fn tensor(&mut self, name: &str, elem: Elem, shape: &[usize]) -> TensorId {
        self.add(name, elem, shape, Kind::Temporary)
    }

    /// A tensor in the arena that keeps its contents between pushes; zero after a reset.
    pub fn state(&mut self, name: &str, elem: Elem, shape: &[usize]) -> TensorId {
        self.add(name, elem, shape, Kind::State)
    }

    /// Another look at the bytes of `of` (an arena or row tensor), from `byte_offset` on.
    pub fn view(
        &mut self,
        name: &str,
        of: TensorId,
        byte_offset: usize,
        elem: Elem,
        shape: &[usize],
    ) -> TensorId {
        let byte_offset = byte_offset as u32;
        self.add(name, elem, shape, Kind::View { of, byte_offset })
    }

    /// Appends a step to `section` of the last lane. Operands and parameters are those of the operator's
    /// documentation.
    pub fn step(
        &mut self,
        section: Section,
        op: &'static Op,
        name: &str,
        tensors: &[TensorId],
        params: &[u32],
    ) {
        let step = Step {
            op,
            name: name.into(),
            tensors: tensors.into(),
            params: params.into(),
        };
        match section {
            Section::Window | Section::Frame => self.last_lane().steps[section as usize].push(step),
            Section::Decision => self.decision_steps.push(step),
        }
    }

    /// States the form in which networks keep their weights.
    pub fn set_kernels(&mut self, kernels: Kernels) {
        self.kernels = kernels;
    }

    /// The form in which networks keep their weights.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// States that the last step's operator allows its output `y` to start where its input `x` starts, if
    /// nobody needs `x` later. Whether it does is the planner's choice.
    pub fn may_share(&mut self, x: TensorId, y: TensorId) {
        self.shares.push((x, y));
    }

    /// States that `tensor` holds the output of the graph's stage `stage` once the last step so far
    /// of `section` ran.
    pub fn format(&mut self, section: Section, stage: &str, tensor: TensorId, format: Format) {
        let lane = self.lanes.len() - 1;
        let steps = match section {
            Section::Window | Section::Frame => self.lanes[lane].steps[section as usize].len(),
            Section::Decision => self.decision_steps.len(),
        };
        self.formats.push(FormatNote {
            stage: stage.into(),
            lane,
            section,
            steps,
            tensor,
            format,
        });
    }

    /// The tensor whose contents a features event announces, and the shape to present it in.
    pub fn features(&mut self, id: TensorId, shape: &[usize]) {
        self.features = Some(id);
        self.notes.feature_shape = shape.into();
    }

    /// The classifier's outputs: `scores` (i16, Q15, one per label) and `decision` (i32,
    /// `[label or -1, score Q15]`).
    pub fn decision(&mut self, scores: TensorId, decision: TensorId, labels: &[String]) {
        self.scores = Some(scores);
        self.decision = Some(decision);
        self.notes.labels = labels.into();
    }

    /// The outputs of a plan that decides nothing: `scores` (i16, one for each label).
    pub fn scores(&mut self, scores: TensorId, labels: &[String]) {
        self.scores = Some(scores);
        self.notes.labels = labels.into();
    }

    /// States the real value of one unit of the scores, where they are no probabilities in Q15.
    pub fn score_scale(&mut self, scale: f64) {
        self.notes.score_scale = Some(scale);
    }

    /// Element type of a tensor.
    pub fn elem(&self, id: TensorId) -> Elem {
        self.tensors[usize::from(id.0)].elem
    }

    /// Shape of a tensor.
    pub fn shape(&self, id: TensorId) -> &[usize] {
        &self.tensors[usize::from(id.0)].shape
    }

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

    fn add(&mut self, name: &str, elem: Elem, shape: &[usize], kind: Kind) -> TensorId {
        self.tensors.push(Tensor {
            name: name.into(),
            elem,
            shape: shape.into(),
            kind,
        });
        TensorId((self.tensors.len() - 1).min(usize::from(NONE)) as u16)
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

    /// The tensor whose bytes `id` looks at, through any number of views.
    pub(crate) fn root(&self, id: TensorId) -> TensorId {
        match self.tensors[usize::from(id.0)].kind {
            Kind::View { of, .. } => self.root(of),
            _ => id,
        }
    }
}
