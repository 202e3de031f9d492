//! Writes plans: tensors and steps in, bytes out.
//!
//! Lowering describes *what* is computed; the builder decides *where*: it places tables in the
//! data part, lays out the arena from the tensors' lifetimes (`planner`), and writes the bytes
//! of `docs/FORMAT.md`.

mod arena;
mod bytes;
mod notes;
mod planner;
mod strip;
mod write;

use crate::deploy::Kernels;
use bytemuck::NoUninit;
use notes::FormatNote;
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Element, NONE, Numeric, Section, align_up};

pub use arena::ArenaUse;
pub use bytes::PlanBytes;
pub use notes::{Format, PlanNotes, StageFormat};
pub use strip::strip_info;

/// A tensor of the plan that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(u16);

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

    fn add(&mut self, name: &str, elem: Elem, shape: &[usize], kind: Kind) -> TensorId {
        self.tensors.push(Tensor {
            name: name.into(),
            elem,
            shape: shape.into(),
            kind,
        });
        TensorId((self.tensors.len() - 1).min(usize::from(NONE)) as u16)
    }

    /// The tensor whose bytes `id` looks at, through any number of views.
    pub(crate) fn root(&self, id: TensorId) -> TensorId {
        match self.tensors[usize::from(id.0)].kind {
            Kind::View { of, .. } => self.root(of),
            _ => id,
        }
    }
}
