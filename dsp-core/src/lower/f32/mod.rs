//! Lowering to `f32` operators.

mod motion;
mod rows;
mod slices;

use super::{Layout, add_head, conditioning, lanes, micro_frontend, padding, standardise};
use crate::error::LowerError;
use crate::graph::{
    Chain, Gain, Graph, LogFloor, MicroFrontend, MicroOutput, SampleType, Stage, StageKind,
};
use crate::plan_builder::{PlanBuilder, PlanBytes, TensorId};
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Numeric, Section};
use otolith_dsp_nostd::ops::fixed::micro::output;
use otolith_dsp_nostd::ops::recursion::Restart;
use otolith_dsp_nostd::ops::{emphasis, frame, log, matrix, mel, rfft, spectrum, vector};

pub(super) fn lower(graph: &Graph, clip_len: Option<usize>) -> Result<PlanBytes, LowerError> {
    let mut lowering = Lowering {
        plan: PlanBuilder::new(&graph.name, Numeric::F32),
        section: Section::Frame,
        restart: Restart::Reset,
        energy: None,
    };
    let features = match graph.chains.as_slice() {
        [chain] => {
            let layout = Layout::new(chain, graph.head.as_ref(), clip_len)?;
            let features = lowering.chain(chain, &layout, None)?;
            let shape = [layout.rows, chain.row_len];
            lowering.plan.features(features, &shape);
            features
        }
        _ => lowering.joined(graph)?,
    };
    let mut plan = lowering.plan;
    if let Some(head) = &graph.head {
        add_head(&mut plan, head, features)?;
    }
    plan.finish()
}

struct Lowering {
    plan: PlanBuilder,
    section: Section,
    /// When recursions of the frame section start anew.
    restart: Restart,
    /// The log energy that a stage kept aside.
    energy: Option<TensorId>,
}

impl Lowering {
    /// All chains, and their features one behind the other.
    fn joined(&mut self, graph: &Graph) -> Result<TensorId, LowerError> {
        let mut parts = Vec::new();
        for (i, (chain, start)) in lanes(graph).into_iter().enumerate() {
            let shared = (i > 0).then(|| self.plan.lane(chain.input)).flatten();
            let layout = Layout::new(chain, None, None)?;
            self.section = Section::Frame;
            self.energy = None;
            let features = self.chain(chain, &layout, shared)?;
            parts.push((features, start, layout.rows * chain.row_len));
        }
        let row_len = graph.row_len();
        let all = self.plan.tensor("joined", Elem::F32, &[1, row_len]);
        for (features, start, len) in parts {
            let x = self
                .plan
                .view("joined.from", features, 0, Elem::F32, &[len]);
            let y = self
                .plan
                .view("joined.to", all, start * 4, Elem::F32, &[len]);
            self.step(&vector::COPY_F32, "joined", &[x, y], &[]);
        }
        self.plan.features(all, &[1, row_len]);
        Ok(all)
    }

    /// From samples to the features of one chain, in a lane of their own.
    fn chain(
        &mut self,
        chain: &Chain,
        layout: &Layout,
        shared: Option<TensorId>,
    ) -> Result<TensorId, LowerError> {
        let elem = match chain.recording().sample_type {
            _ if micro_frontend::of(chain).is_some() => Elem::I16,
            SampleType::I16 => Elem::I16,
            SampleType::F32 => Elem::F32,
        };
        let source = layout.source(&mut self.plan, chain, elem, shared);
        let source = conditioning::f32(&mut self.plan, chain, layout, source);
        let frame_row_len = chain
            .frame
            .last()
            .map_or(chain.frame_values(), |stage| stage.len);
        let (rows, row) = self.plan.rows(
            Elem::F32,
            layout.rows,
            frame_row_len,
            layout.row_hop,
            layout.frames,
        );
        self.restart = standardise::restart(chain);
        self.frame(chain, layout, source, row)?;
        self.section = Section::Decision;
        self.rows(chain, layout.rows, frame_row_len, rows)
    }

    fn step(&mut self, op: &'static Op, name: &str, tensors: &[TensorId], params: &[u32]) {
        self.plan.step(self.section, op, name, tensors, params);
    }

    /// The frame section: from the source window to `row`.
    fn frame(
        &mut self,
        chain: &Chain,
        layout: &Layout,
        source: TensorId,
        row: TensorId,
    ) -> Result<(), LowerError> {
        if let Some(front) = micro_frontend::of(chain) {
            return self.micro_frontend(chain, front, layout, source, row);
        }
        let n_fft = chain.frame.iter().find_map(|stage| match stage.kind {
            StageKind::Rfft { n_fft } => Some(n_fft),
            _ => None,
        });
        let frame_len = chain.frame_values();
        let buffer_len = n_fft.unwrap_or(frame_len);
        let buffer = self.plan.tensor("frame", Elem::F32, &[buffer_len]);
        let frame = self
            .plan
            .view("frame.samples", buffer, 0, Elem::F32, &[frame_len]);
        self.cut_frame(chain, layout, source, frame);

        let mut x = frame;
        let mut padded = buffer_len == frame_len;
        for (i, stage) in chain.frame.iter().enumerate() {
            let name = &stage.name;
            match &stage.kind {
                StageKind::Window(window) => {
                    let table = self.table(name, &[window.len()], window);
                    self.step(&vector::WINDOW_F32, name, &[buffer, table], &[]);
                    padded = true;
                }
                StageKind::Rfft { n_fft } => {
                    let op = rfft::rfft_f32(*n_fft).ok_or_else(|| {
                        LowerError::new(
                            name.clone(),
                            format!(
                                "an FFT of {n_fft} points has no f32 operator: set n_fft to a \
                                 power of two from 16 to 4096"
                            ),
                        )
                    })?;
                    if !padded {
                        let ones = vec![1.0; frame_len];
                        let table = self.table(name, &[frame_len], &ones);
                        self.step(&vector::WINDOW_F32, name, &[buffer, table], &[]);
                    }
                    self.step(op, name, &[buffer], &[]);
                }
                StageKind::Power { scale } | StageKind::Magnitude { scale } => {
                    let op = match stage.kind {
                        StageKind::Power { .. } => &spectrum::POWER_F32,
                        _ => &spectrum::MAGNITUDE_F32,
                    };
                    self.step(op, name, &[buffer], &[bits(*scale)]);
                    x = self.plan.view(name, buffer, 0, Elem::F32, &[stage.len]);
                }
                _ => {
                    let rest = &chain.frame[i + 1..];
                    let to_row = rest.iter().all(|stage| works_in_place(&stage.kind));
                    x = self.vectors(stage, x, 1, to_row.then_some(row))?;
                }
            }
        }
        if x != row {
            self.step(&vector::COPY_F32, "row", &[x, row], &[]);
        }
        Ok(())
    }

    /// The micro-frontend and its row of floats, which hold its integers exactly.
    fn micro_frontend(
        &mut self,
        chain: &Chain,
        front: &MicroFrontend,
        layout: &Layout,
        source: TensorId,
        row: TensorId,
    ) -> Result<(), LowerError> {
        let x = micro_frontend::features(&mut self.plan, chain, front, layout, source);
        let params = match front.output {
            MicroOutput::Scaled(scale) => [bits(scale), 0],
            MicroOutput::Codes => [bits(1.0), 1],
        };
        let name = chain.frame.last().map_or("", |stage| &stage.name);
        self.step(&output::MICRO_OUTPUT_F32, name, &[x, row], &params);
        Ok(())
    }

    fn cut_frame(&mut self, chain: &Chain, layout: &Layout, source: TensorId, frame: TensorId) {
        let ints = chain.source.sample_type == SampleType::I16;
        let mut operands = vec![source, frame];
        let mut constant = 1.0;
        match chain.source.gain {
            Gain::Constant(gain) => constant = gain,
            Gain::IntegersToUnit(unit) => {
                let gain = self.plan.tensor("gain", Elem::F32, &[1]);
                let op = if ints {
                    &emphasis::UNIT_GAIN_I16_F32
                } else {
                    &emphasis::UNIT_GAIN_F32
                };
                let params = [bits(unit)];
                self.plan
                    .step(Section::Window, op, "input.unit", &[source, gain], &params);
                operands.push(gain);
            }
            Gain::PeakMagnitude | Gain::PeakMaximum => {
                let gain = self.plan.tensor("gain", Elem::F32, &[1]);
                let magnitude = chain.source.gain == Gain::PeakMagnitude;
                let op = if ints {
                    &frame::PEAK_I16_F32
                } else {
                    &frame::PEAK_F32
                };
                let params = frame::PeakParams { magnitude }.encode();
                self.plan
                    .step(Section::Window, op, "input.peak", &[source, gain], &params);
                operands.push(gain);
            }
        }
        let op = if ints {
            &frame::FRAME_I16_F32
        } else {
            &frame::FRAME_F32
        };
        let emphasis = chain.framing.pre_emphasis;
        let past = emphasis.and_then(|of| layout.past(chain, of));
        let params = frame::FrameParams {
            start: layout.start as i32 * chain.source.axes as i32,
            hop: (chain.framing.hop * chain.source.axes) as u32,
            history: layout.history as u32,
            padding: padding(chain.framing.padding),
            gain: constant as f32,
            pre_emphasis: match (past, emphasis) {
                (None, Some(of)) => of.coefficient as f32,
                _ => 0.0,
            },
        };
        self.step(op, "input.frame", &operands, &params.encode());
        if let (Some(past), Some(of)) = (past, emphasis) {
            let op = if ints {
                &emphasis::EMPHASISE_I16_F32
            } else {
                &emphasis::EMPHASISE_F32
            };
            let mut params = past.encode().to_vec();
            params.extend([bits(constant), bits(of.coefficient)]);
            self.step(op, "input.pre_emphasis", &operands, &params);
        }
    }

    /// A stage that maps vectors to vectors, for `n_rows` of them at once; `to` is where its
    /// output should go if it does not work in place.
    fn vectors(
        &mut self,
        stage: &Stage,
        x: TensorId,
        n_rows: usize,
        to: Option<TensorId>,
    ) -> Result<TensorId, LowerError> {
        let name = &stage.name;
        let output = |plan: &mut PlanBuilder| {
            to.unwrap_or_else(|| {
                let shape: &[usize] = if n_rows == 1 {
                    &[stage.len]
                } else {
                    &[n_rows, stage.len]
                };
                plan.tensor(name, Elem::F32, shape)
            })
        };
        match &stage.kind {
            StageKind::RemoveMean => self.step(&vector::REMOVE_MEAN_F32, name, &[x], &[]),
            StageKind::PreEmphasis(c) => {
                self.step(&vector::PRE_EMPHASIS_F32, name, &[x], &[bits(*c)]);
            }
            StageKind::LogEnergy { floor } | StageKind::LogSum { floor } => {
                let op = match stage.kind {
                    StageKind::LogEnergy { .. } => &vector::LOG_ENERGY_F32,
                    _ => &vector::LOG_SUM_F32,
                };
                let energy = self.plan.tensor(name, Elem::F32, &[1]);
                self.step(op, name, &[x, energy], &[bits(*floor)]);
                self.energy = Some(energy);
            }
            StageKind::ReplaceFirst => {
                let energy = self.energy.ok_or_else(|| {
                    LowerError::new(name.clone(), "no stage before it keeps the log energy")
                })?;
                self.step(&vector::REPLACE_FIRST_F32, name, &[energy, x], &[]);
            }
            StageKind::Log(stage) => {
                let (floor, epsilon) = match stage.floor {
                    LogFloor::Add(epsilon) => (log::Floor::Add, epsilon),
                    LogFloor::Max(epsilon) => (log::Floor::Max, epsilon),
                    LogFloor::ReplaceZero(epsilon) => (log::Floor::ReplaceZero, epsilon),
                };
                let params = log::LogParams {
                    floor,
                    epsilon: epsilon as f32,
                    scale: stage.scale as f32,
                };
                self.step(&log::LOG_F32, name, &[x], &params.encode());
            }
            StageKind::Columns { add, mul } => {
                let add = self.table(&format!("{name}.add"), &[add.len()], add);
                let mul = self.table(&format!("{name}.mul"), &[mul.len()], mul);
                self.step(&vector::COLUMNS_F32, name, &[x, add, mul], &[]);
            }
            StageKind::Affine { add, mul, min, max } => {
                let params = [*add, *mul, *min, *max].map(bits);
                self.step(&vector::AFFINE_F32, name, &[x], &params);
            }
            StageKind::Mel(bank) => {
                let filters = &bank.filters;
                let n = [filters.len()];
                let first: Vec<u16> = filters.iter().map(|f| f.first as u16).collect();
                let length: Vec<u16> = filters.iter().map(|f| f.weights.len() as u16).collect();
                let weights: Vec<f64> = filters
                    .iter()
                    .flat_map(|f| f.weights.iter().copied())
                    .collect();
                let first = self.plan.table(&format!("{name}.first"), &n, &first);
                let length = self.plan.table(&format!("{name}.length"), &n, &length);
                let weights = self.table(&format!("{name}.weights"), &[weights.len()], &weights);
                let y = output(&mut self.plan);
                self.step(&mel::MEL_F32, name, &[x, first, length, weights, y], &[]);
                return Ok(y);
            }
            StageKind::Matrix(m) => {
                let table = self.table(name, &[m.rows, m.cols], &m.values);
                let y = output(&mut self.plan);
                self.step(&matrix::MATRIX_F32, name, &[x, table, y], &[m.cols as u32]);
                return Ok(y);
            }
            StageKind::Quantise { steps, wraps } => {
                let params = [*steps as u32, u32::from(*wraps)];
                self.step(&vector::LEVELS_F32, name, &[x], &params);
            }
            StageKind::InsertEnergy { last } => {
                let y = output(&mut self.plan);
                self.insert_energy(stage, x, *last, y)?;
                return Ok(y);
            }
            other => {
                if self.recursion(stage, x) {
                    return Ok(x);
                }
                if let Some(y) = self.slices(stage, x, to)? {
                    return Ok(y);
                }
                return Err(LowerError::new(
                    name.clone(),
                    format!(
                        "{} has no f32 operator yet: it works in the reference and host numerics",
                        describe(other)
                    ),
                ));
            }
        }
        Ok(x)
    }

    fn table(&mut self, name: &str, shape: &[usize], values: &[f64]) -> TensorId {
        let values: Vec<f32> = values.iter().map(|&x| x as f32).collect();
        self.plan.table(name, shape, &values)
    }
}

/// Whether the stage's operator leaves its output where its input was.
fn works_in_place(kind: &StageKind) -> bool {
    matches!(
        kind,
        StageKind::Log(_)
            | StageKind::Affine { .. }
            | StageKind::Columns { .. }
            | StageKind::ReplaceFirst
            | StageKind::Quantise { .. }
            | StageKind::Pcen(_)
            | StageKind::SubtractNoise(_)
            | StageKind::StandardiseRunning(_)
            | StageKind::LogEnergy { .. }
            | StageKind::LogSum { .. }
            | StageKind::RemoveMean
            | StageKind::PreEmphasis(_)
            | StageKind::Sos { .. }
    )
}

/// A stage in words, for errors.
fn describe(kind: &StageKind) -> &'static str {
    match kind {
        StageKind::DivideByDeviation { .. } => "division by a deviation without its mean",
        StageKind::Deltas { .. } => {
            "a derivative with delta_method = \"polynomial\" or delta_edges other than \"nearest\""
        }
        _ => "this stage",
    }
}

fn bits(x: f64) -> u32 {
    (x as f32).to_bits()
}
