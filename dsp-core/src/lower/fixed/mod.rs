//! Lowering to integer operators.
//!
//! The chain is that of `docs/NUMERICS.md`: 16-bit samples, a block exponent for each frame, an
//! FFT in 32 bits, powers and mel energies in 64, logarithms, where exponent and gain are undone,
//! then matrices and constants that end in 16-bit features or in int8 at the model's own scale.
//! Every step is a choice of constants over known bounds: where a bound cannot be kept, lowering
//! fails and names the stage.

mod bank;
mod columns;
mod front;
mod heads;
mod matrix;
mod micro;
mod motion;
mod rows;
mod segments;
mod slice_stages;
mod slices;
mod transform;

use super::standardise::{Standardisation, restart};
use super::{Layout, conditioning, lanes, micro_frontend, network};
use crate::deploy::Precision;
use crate::error::LowerError;
use crate::graph::{Chain, DeltaEdges, DeltaMethod, Graph, Head, HeadModel, Stage, StageKind};
use crate::plan_builder::{Format, PlanBuilder, PlanBytes, TensorId};
use columns::{Column, Scaling, UNCLAMPED};
use front::Front;
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Numeric, Section};
use otolith_dsp_nostd::ops::fixed::{matrix as matrix_op, rows as row_op, scale, vector, window};
use otolith_dsp_nostd::ops::recursion::Restart;
use otolith_dsp_nostd::ops::sliding::Deviation;
use slices::Slices;

pub(super) fn lower(
    graph: &Graph,
    clip_len: Option<usize>,
    precision: Precision,
) -> Result<PlanBytes, LowerError> {
    let mut plan = PlanBuilder::new(&graph.name, Numeric::Fixed);
    let head = graph.head.as_ref();
    // Estimators take the features as they are.
    let network = head.filter(|head| head.model.network().is_some());
    let values = match graph.chains.as_slice() {
        [chain] => {
            let layout = Layout::new(chain, head, clip_len)?;
            let values = lower_chain(&mut plan, chain, &layout, precision, network, None)?;
            plan.features(values.tensor, &[layout.rows, chain.row_len]);
            values
        }
        _ => joined(&mut plan, graph, network, precision)?,
    };
    match head.map(|head| (head, &head.model)) {
        None => {}
        Some((head, HeadModel::Network(_))) => {
            network::add_head(&mut plan, head, values.tensor)?;
        }
        Some((head, HeadModel::Estimator(estimator))) => {
            heads::add(&mut plan, head, estimator, values)?;
        }
    }
    plan.finish()
}

/// All chains, and their features one behind the other: in 32 bits, or int8 for a classifier.
fn joined(
    plan: &mut PlanBuilder,
    graph: &Graph,
    network: Option<&Head>,
    precision: Precision,
) -> Result<Values, LowerError> {
    let mut parts = Vec::new();
    for (i, (chain, start)) in lanes(graph).into_iter().enumerate() {
        let shared = (i > 0).then(|| plan.lane(chain.input)).flatten();
        let layout = Layout::new(chain, None, None)?;
        let values = lower_chain(plan, chain, &layout, precision, None, shared)?;
        parts.push((values, start, layout.rows));
    }
    let row_len = graph.row_len();
    let elem = network.map_or(Elem::I32, |_| Elem::I8);
    let all = plan.tensor("joined", elem, &[1, row_len]);
    let mut columns = vec![Column::plain(1.0, 0.0, 0.0); row_len];
    for (mut values, start, rows) in parts {
        let part: Vec<Column> = (0..rows).flat_map(|_| values.columns.clone()).collect();
        let len = part.len();
        let x = plan.view("joined.from", values.tensor, 0, values.elem, &[len]);
        let to = plan.view("joined.to", all, start * elem.size(), elem, &[len]);
        values.tensor = x;
        values.columns = part;
        let values = match network {
            Some(head) => RowStages::joined(plan).quantise(head, values, Some(to))?,
            None => {
                let mut slices = Slices::new(plan, Section::Decision);
                slices.wide("joined", values, Some(to))?
            }
        };
        columns[start..start + len].copy_from_slice(&values.columns);
    }
    let values = Values {
        tensor: all,
        elem,
        columns,
        energy: None,
    };
    plan.format(Section::Decision, "joined", all, values.format());
    plan.features(all, &[1, row_len]);
    Ok(values)
}

/// From samples to the features of one chain, in a lane of their own. With a head they are int8
/// at the model's scale.
fn lower_chain(
    plan: &mut PlanBuilder,
    chain: &Chain,
    layout: &Layout,
    precision: Precision,
    head: Option<&Head>,
    shared: Option<TensorId>,
) -> Result<Values, LowerError> {
    let source = layout.source(plan, chain, Elem::I16, shared);
    let source = conditioning::fixed(plan, chain, layout, source)?;
    let row_len = chain
        .frame
        .last()
        .map_or(chain.frame_values(), |stage| stage.len);
    let windows = slices::applies(chain);
    let linear = !windows && front::is_linear(chain);
    let front = micro_frontend::of(chain);
    let form = match front {
        Some(front) => micro::row_form(front, head),
        None => RowForm::of(chain, head, windows || linear),
    };
    let (rows, row) = plan.rows(
        form.elem(),
        layout.rows,
        row_len,
        layout.row_hop,
        layout.frames,
    );
    let wide_row = (form == RowForm::Wide).then_some(row);
    let (mut values, after) = if windows {
        let mut slices = Slices::new(plan, Section::Frame);
        (slices.run(chain, source, wide_row)?, chain.frame.len())
    } else if let Some(front) = front {
        let x = micro_frontend::features(plan, chain, front, layout, source.tensor);
        let name = chain.frame.first().map_or("", |stage| &stage.name);
        (micro::output(plan, name, front, x, row, form), 1)
    } else {
        Front::new(chain, layout, precision, source).run(plan, wide_row)?
    };
    let mut stages = RowStages {
        plan,
        section: Section::Frame,
        n_rows: 1,
        bits: 6 + front::log_q(chain),
        restart: restart(chain),
        linear,
    };
    values = stages.run(&chain.frame[after..], values)?;
    let last = chain
        .frame
        .last()
        .map_or("row", |stage| stage.name.as_str());
    if matches!(Standardisation::of(&chain.rows), Some((of, _)) if of.deviation == Deviation::None)
    {
        values.columns.iter_mut().for_each(rows::make_room);
    }
    values = match (form, head) {
        _ if values.tensor == row => values,
        (RowForm::Int8, Some(head)) => stages.quantise(head, values, Some(row))?,
        (RowForm::Wide, _) if windows => values,
        (RowForm::Wide, _) => stages.keep(last, values, row)?,
        _ => stages.narrow(last, values, Some(row))?,
    };

    stages.section = Section::Decision;
    stages.n_rows = layout.rows;
    values.tensor = rows;
    values = stages.run(&chain.rows, values)?;
    let last = chain.rows.last().map_or(last, |stage| stage.name.as_str());
    match head {
        Some(head) if form != RowForm::Int8 => stages.quantise(head, values, None),
        None if windows || stages.linear || front.is_some() => stages.settle(last, values),
        None if values.elem != Elem::I16 => stages.narrow(last, values, None),
        _ => Ok(values),
    }
}

/// What the frame section leaves in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowForm {
    /// int8 at the scale of the model.
    Int8,
    /// 16-bit features.
    Features,
    /// 32-bit values: stages that need them follow.
    Wide,
}

impl RowForm {
    fn of(chain: &Chain, head: Option<&Head>, wide: bool) -> Self {
        match (chain.rows.first().map(|stage| &stage.kind), head) {
            (None, Some(_)) => Self::Int8,
            _ if wide => Self::Wide,
            (None | Some(StageKind::Standardise { .. } | StageKind::Deltas { .. }), _) => {
                Self::Features
            }
            _ => Self::Wide,
        }
    }

    fn elem(self) -> Elem {
        match self {
            Self::Int8 => Elem::I8,
            Self::Features => Elem::I16,
            Self::Wide => Elem::I32,
        }
    }
}

/// A tensor of rows, and what its columns stand for.
#[derive(Clone)]
struct Values {
    tensor: TensorId,
    elem: Elem,
    columns: Vec<Column>,
    /// Log energy that is to replace column 0.
    energy: Option<(TensorId, Column)>,
}

impl Values {
    fn format(&self) -> Format {
        let all = |of: fn(&Column) -> f64| self.columns.iter().map(of).collect();
        Format {
            scale: all(|c| c.scale),
            offset: all(|c| c.offset),
            exponent: None,
            peak: None,
            limit: match self.elem {
                Elem::I8 => 127.0,
                Elem::I16 => f64::from(i16::MAX),
                _ => f64::from(i32::MAX),
            },
        }
    }
}

/// The stages behind the logarithm, for one row or for all rows of a decision.
struct RowStages<'b> {
    plan: &'b mut PlanBuilder,
    section: Section,
    n_rows: usize,
    /// Bits that wide values have.
    bits: i32,
    /// When recursions of the frame section start anew.
    restart: Restart,
    /// The values are energies without a logarithm, which 16 bits do not hold.
    linear: bool,
}

impl<'b> RowStages<'b> {
    /// For features that are joined.
    fn joined(plan: &'b mut PlanBuilder) -> Self {
        Self {
            plan,
            section: Section::Decision,
            n_rows: 1,
            bits: 30,
            restart: Restart::Reset,
            linear: false,
        }
    }

    fn step(&mut self, op: &'static Op, name: &str, tensors: &[TensorId], params: &[u32]) {
        self.plan.step(self.section, op, name, tensors, params);
    }

    fn output(&mut self, name: &str, elem: Elem, len: usize) -> TensorId {
        let shape: &[usize] = match self.section {
            Section::Decision => &[self.n_rows, len],
            _ => &[len],
        };
        self.plan.tensor(name, elem, shape)
    }

    fn run(&mut self, stages: &[Stage], mut values: Values) -> Result<Values, LowerError> {
        let mut stages = stages;
        while let Some(stage) = stages.first() {
            let used = match Standardisation::of(stages) {
                Some((standardisation, used)) => {
                    // The step has the name of the stage whose output it leaves.
                    let name = &stages[used - 1].name;
                    values = self.standardise(name, values, standardisation)?;
                    self.state_format(name, &values);
                    used
                }
                None => {
                    values = self.stage(stage, values)?;
                    1
                }
            };
            stages = &stages[used..];
        }
        Ok(values)
    }

    /// States what the values are behind the graph's stage `name`.
    fn state_format(&mut self, name: &str, values: &Values) {
        self.plan
            .format(self.section, name, values.tensor, values.format());
    }

    fn stage(&mut self, stage: &Stage, mut values: Values) -> Result<Values, LowerError> {
        let name = &stage.name;
        match &stage.kind {
            StageKind::Columns { add, mul } => {
                let infinity = f64::INFINITY;
                for (column, (add, mul)) in values.columns.iter_mut().zip(add.iter().zip(mul)) {
                    *column = column.affine(*add, *mul, -infinity, infinity);
                }
                return Ok(values);
            }
            StageKind::Affine { add, mul, min, max } => {
                for column in &mut values.columns {
                    *column = column.affine(*add, *mul, *min, *max);
                }
                return Ok(values);
            }
            StageKind::Matrix(_) if self.linear => {
                return Err(LowerError::new(
                    name.clone(),
                    "energies without a logarithm span too many bits for a matrix of integers: set \
                     log = \"ln\" or another, or deploy.numeric = \"f32\"",
                ));
            }
            StageKind::Matrix(matrix) => {
                values = self.plain(name, values, false)?;
                let table = matrix::Rows::new(name, matrix, &values.columns)?;
                let y = self.output(name, Elem::I32, matrix.rows);
                if table.folded && self.section == Section::Frame {
                    let half = matrix.cols / 2;
                    let shape = [matrix.rows - 1, half];
                    let m = self.plan.table(name, &shape, &table.rest[half..]);
                    let params = [table.mean[0] as u32, table.shift];
                    let op = &matrix_op::MATRIX_FOLDED_I32;
                    self.step(op, name, &[values.tensor, m, y], &params);
                } else {
                    let rest = if table.folded {
                        unfolded(&table.rest, matrix.cols)
                    } else {
                        table.rest
                    };
                    let m = self.plan.table(name, &[matrix.rows, matrix.cols], &rest);
                    let mean =
                        self.plan
                            .table(&format!("{name}.mean"), &[matrix.rows], &table.mean);
                    let params = [matrix.cols as u32, table.shift];
                    let op = &matrix_op::MATRIX_I32;
                    self.step(op, name, &[values.tensor, m, mean, y], &params);
                }
                values = Values {
                    tensor: y,
                    columns: table.columns,
                    ..values
                };
            }
            StageKind::ReplaceFirst => {
                let (energy, column) = values.energy.take().ok_or_else(|| {
                    LowerError::new(name.clone(), "no stage before it keeps the log energy")
                })?;
                let operands = [energy, values.tensor];
                self.step(&vector::REPLACE_FIRST_I32, name, &operands, &[]);
                if let Some(first) = values.columns.first_mut() {
                    *first = column;
                }
            }
            StageKind::TopRange { range } => {
                values = self.plain(name, values, true)?;
                let unit = values.columns.first().map_or(1.0, |c| c.scale);
                let range = libm::round(range / unit).min(f64::from(i32::MAX)) as u32;
                self.step(&row_op::TOP_RANGE_I32, name, &[values.tensor], &[range]);
            }
            StageKind::StandardiseRunning(running) => {
                values = self.standardise_running(name, values, running)?;
            }
            StageKind::SubtractTop => values = self.subtract_top(name, values)?,
            StageKind::MinMax => values = self.min_max(name, values)?,
            StageKind::Quantise { steps, wraps } => {
                values = self.levels(name, values, *steps, *wraps)?;
            }
            StageKind::InsertEnergy { last } => {
                values = self.insert_energy(stage, values, *last)?
            }
            StageKind::Deltas {
                order,
                reach,
                method: DeltaMethod::Repeated,
                edges: DeltaEdges::Nearest,
            } => {
                values = self.deltas(stage, values, u32::from(*order), *reach)?;
            }
            _ => {
                return Err(LowerError::new(
                    name.clone(),
                    "this stage has no integer operator behind a logarithm",
                ));
            }
        }
        self.state_format(name, &values);
        Ok(values)
    }

    /// The values as 16-bit features.
    fn features(&mut self, name: &str, values: Values) -> Result<Values, LowerError> {
        if values.elem == Elem::I16 && values.columns.iter().all(|c| c.clamp == UNCLAMPED) {
            return Ok(values);
        }
        self.narrow(name, values, None)
    }

    /// The values in i32 with one scale, nothing left to clamp, and, with `level`, no offsets.
    fn plain(&mut self, name: &str, values: Values, level: bool) -> Result<Values, LowerError> {
        let values = self.widened(name, values);
        let Some(&first) = values.columns.first() else {
            return Ok(values);
        };
        let same = |c: &Column| {
            c.scale == first.scale && c.clamp == UNCLAMPED && (!level || c.offset == first.offset)
        };
        if values.elem == Elem::I32 && values.columns.iter().all(same) {
            return Ok(values);
        }
        let most = libm::exp2(f64::from(self.bits));
        let q = values.columns.iter().map(|c| c.q(most)).min();
        let scale = libm::exp2(-f64::from(q.unwrap_or(0).min(20)));
        self.scaled(name, values, Elem::I32, vec![scale], 0, None)
    }

    /// 16-bit values with 13 more bits.
    fn widened(&mut self, name: &str, mut values: Values) -> Values {
        if values.elem == Elem::I16 {
            let y = self.output(&format!("{name}.wide"), Elem::I32, values.columns.len());
            let operands = [values.tensor, y];
            self.step(&window::SELECT_I16_I32, name, &operands, &[0, 1]);
            for column in &mut values.columns {
                column.scale *= libm::exp2(-13.0);
            }
            values.tensor = y;
            values.elem = Elem::I32;
        }
        values
    }

    /// The values as 16-bit features, each column with as many fraction bits as its bounds leave.
    fn narrow(
        &mut self,
        name: &str,
        values: Values,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let scales = values
            .columns
            .iter()
            .map(|c| libm::exp2(-f64::from(c.q(f64::from(i16::MAX)).min(15))))
            .collect();
        let values = self.scaled(name, values, Elem::I16, scales, 0, to)?;
        self.plan
            .format(self.section, name, values.tensor, values.format());
        Ok(values)
    }

    /// The values as the model's int8 input.
    fn quantise(
        &mut self,
        head: &Head,
        values: Values,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let (scale, zero) = network::int8_input(head)?;
        let name = format!("{}.input", head.name);
        self.scaled(&name, values, Elem::I8, vec![scale], zero, to)
    }

    /// Writes the wide values to the row.
    fn keep(&mut self, name: &str, values: Values, row: TensorId) -> Result<Values, LowerError> {
        if values.tensor == row {
            return Ok(values);
        }
        let scale = values
            .columns
            .iter()
            .map(|c| c.scale)
            .fold(f64::MAX, f64::min);
        self.scaled(name, values, Elem::I32, vec![scale], 0, Some(row))
    }

    /// The values of windows as 32-bit features, each column with a scale of its own and no
    /// offset.
    fn settle(&mut self, name: &str, mut values: Values) -> Result<Values, LowerError> {
        if !slices::settled(&values.columns) {
            let most = libm::exp2(30.0);
            // Columns without an offset stay as they are, and others get few more bits than they
            // have: all factors share a shift, which the largest limits.
            let scale = |c: &Column| {
                if slices::settled(std::slice::from_ref(c)) {
                    return c.scale;
                }
                let own = libm::floor(libm::log2(c.scale.abs())) - 8.0;
                libm::exp2((-f64::from(c.q(most))).max(own))
            };
            let scales = values.columns.iter().map(scale).collect();
            values = self.scaled(name, values, Elem::I32, scales, 0, None)?;
        }
        self.plan
            .format(self.section, name, values.tensor, values.format());
        Ok(values)
    }

    fn scaled(
        &mut self,
        name: &str,
        mut values: Values,
        elem: Elem,
        scales: Vec<f64>,
        zero: i32,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let scaling = Scaling::new(name, &values.columns, &scales, zero)?;
        let op = match (values.elem, elem) {
            (Elem::I32, Elem::I8) => &scale::SCALE_I32_I8,
            (Elem::I32, Elem::I16) => &scale::SCALE_I32_I16,
            (Elem::I32, _) => &scale::SCALE_I32_I32,
            (_, Elem::I8) => &scale::SCALE_I16_I8,
            (_, Elem::I16) => &scale::SCALE_I16_I16,
            _ => {
                return Err(LowerError::new(
                    name,
                    "16-bit rows cannot become wide again: this order of stages has no plan",
                ));
            }
        };
        let n = [scaling.mul.len()];
        let mul = self.plan.table(&format!("{name}.mul"), &n, &scaling.mul);
        let add = self.plan.table(&format!("{name}.add"), &n, &scaling.add);
        let len = values.columns.len();
        let y = to.unwrap_or_else(|| self.output(&format!("{name}.scaled"), elem, len));
        self.step(
            op,
            name,
            &[values.tensor, mul, add, y],
            &scaling.params.encode(),
        );
        for (column, &scale) in values.columns.iter_mut().zip(scales.iter().cycle()) {
            *column = column.at(scale);
            column.offset = -f64::from(zero) * scale;
        }
        values.tensor = y;
        values.elem = elem;
        Ok(values)
    }
}

/// Whole rows from their first halves: symmetric and antisymmetric in turn.
fn unfolded(halves: &[i16], cols: usize) -> Vec<i16> {
    halves
        .chunks(cols / 2)
        .enumerate()
        .flat_map(|(k, half)| {
            let sign = if k % 2 == 0 { 1 } else { -1 };
            let mirrored = half.iter().rev().map(move |c| sign * c);
            half.iter().copied().chain(mirrored)
        })
        .collect()
}
