//! What a plan costs on a processor: code in flash, instructions for each second of signal.
//!
//! Both are models. Code is the sum over the operators that the plan links, load the sum over its
//! steps of `per_call + per_unit * work`, at the rate at which the section of the step runs. The
//! figures are measurements, in `costs.toml`; what was not measured is listed, not guessed.
//!
//! | operators | unit of work |
//! |---|---|
//! | `RFFT_*_N`, with powers or without | `N log2 N` |
//! | matrices, convolutions, fully connected | a multiplication |
//! | mel and other filter banks | a weight |
//! | all others | an element of their largest tensor in the arena |

use super::Target;
use crate::engine::all_ops;
use otolith_dsp_nostd::format::{Place, TensorRecord, parse_step_word};
use otolith_dsp_nostd::{PlanError, PlanInfo};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Figures of a processor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Processor {
    source: String,
    clock_mhz: f64,
    cycles_per_instruction: f64,
    #[serde(default)]
    runner: OpCost,
    ops: BTreeMap<String, OpCost>,
}

/// Figures of an operator, absent where it was not measured.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpCost {
    code_bytes: Option<usize>,
    #[serde(default)]
    per_call: f64,
    per_unit: Option<f64>,
}

static COSTS: LazyLock<BTreeMap<String, Processor>> =
    LazyLock::new(|| toml::from_str(include_str!("costs.toml")).unwrap_or_default());

/// A sum, and what is not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured<T> {
    /// The sum of what was measured.
    pub sum: T,
    /// What was measured, by name.
    pub known: BTreeSet<String>,
    /// What was not, by name: an operator, or `runner`.
    pub not_measured: BTreeSet<String>,
}

/// What a plan costs on a processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Bytes of code that the plan links.
    pub code_bytes: Measured<usize>,
    /// Instructions for each second of signal. All of it is unmeasured where the plan states no
    /// sample rate.
    pub instructions_per_s: Measured<f64>,
    /// Where the figures come from; none where the processor has none.
    pub source: Option<&'static str>,
    /// The clock in hertz for which a load in percent is stated.
    pub clock_hz: Option<f64>,
    /// Clock cycles of an instruction.
    pub cycles_per_instruction: Option<f64>,
}

impl Cost {
    /// Models what `plan` costs on `target`.
    ///
    /// # Errors
    /// [`PlanError`] when the bytes are not a plan.
    pub fn of(plan: &[u8], target: Target) -> Result<Self, PlanError> {
        Ok(model(
            &PlanInfo::from_bytes(plan)?,
            COSTS.get(target.name()),
        ))
    }

    /// Part of the processor's time at [`clock_hz`](Self::clock_hz) that the measured load takes,
    /// 1 being all of it.
    pub fn load(&self) -> Option<f64> {
        let cycles = self.instructions_per_s.sum * self.cycles_per_instruction?;
        (!self.instructions_per_s.known.is_empty()).then_some(cycles / self.clock_hz?)
    }
}

/// One step of a plan.
struct Step<'a> {
    op: &'a str,
    operands: Vec<&'a TensorRecord>,
    params: &'a [u32],
    runs_per_s: f64,
}

fn model(plan: &PlanInfo<'_>, processor: Option<&'static Processor>) -> Cost {
    let find = |name: &str| {
        let ops = &processor?.ops;
        ops.get(name).or_else(|| ops.get(family(name))).copied()
    };
    let runner = processor.map_or_else(OpCost::default, |p| p.runner);
    let mut code = Measured::default();
    add(&mut code, "runner", runner.code_bytes);
    for &op in plan.op_codes() {
        let name = op_name(op);
        add(&mut code, name, find(name).and_then(|cost| cost.code_bytes));
    }
    let mut load = Measured::default();
    let runner_step = (runner.per_call > 0.0).then_some(runner.per_call);
    for step in steps(plan) {
        add(
            &mut load,
            "runner",
            runner_step.map(|n| n * step.runs_per_s),
        );
        let cost = find(step.op).filter(|_| step.runs_per_s > 0.0);
        let instructions = cost.and_then(|c| Some(c.per_call + c.per_unit? * work(&step)));
        add(
            &mut load,
            step.op,
            instructions.map(|n| n * step.runs_per_s),
        );
    }
    Cost {
        code_bytes: code,
        instructions_per_s: load,
        source: processor.map(|p| p.source.as_str()),
        clock_hz: processor.map(|p| p.clock_mhz * 1e6),
        cycles_per_instruction: processor.map(|p| p.cycles_per_instruction),
    }
}

fn add<T: std::ops::AddAssign>(to: &mut Measured<T>, name: &str, amount: Option<T>) {
    match amount {
        Some(amount) => {
            to.sum += amount;
            to.known.insert(name.to_owned());
        }
        None => {
            to.not_measured.insert(name.to_owned());
        }
    }
}

fn op_name(code: u16) -> &'static str {
    all_ops()
        .iter()
        .find(|op| op.code == code)
        .map_or("an unknown operator", |op| op.name)
}

/// A name without the length at its end.
fn family(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((family, number)) if number.bytes().all(|b| b.is_ascii_digit()) => family,
        _ => name,
    }
}

fn steps<'a>(plan: &PlanInfo<'a>) -> Vec<Step<'a>> {
    let header = plan.header();
    let rate_hz = f64::from(header.rate_mhz) / 1000.0;
    let windows = rate_hz / f64::from(header.source_hop.max(1));
    let frames = windows * f64::from(header.frames);
    let decisions = rate_hz / header.samples_per_decision().max(1) as f64;
    let rates = [windows, frames, decisions]
        .into_iter()
        .zip(header.steps)
        .flat_map(|(rate, steps)| std::iter::repeat_n(rate, steps.into()));
    let mut words = plan.step_words();
    let mut all = Vec::new();
    for runs_per_s in rates {
        let Some((&word, rest)) = words.split_first() else {
            break;
        };
        let (op, n_operands, n_params) = parse_step_word(word);
        let (operands, rest) = rest.split_at_checked(n_operands).unwrap_or_default();
        let (params, rest) = rest.split_at_checked(n_params).unwrap_or_default();
        words = rest;
        all.push(Step {
            op: plan.op_codes().get(op).map_or("", |&code| op_name(code)),
            operands: operands
                .iter()
                .filter_map(|&id| plan.tensors().get(id as usize))
                .collect(),
            params,
            runs_per_s,
        });
    }
    all
}

/// Units of work of one run of a step.
fn work(step: &Step<'_>) -> f64 {
    let count = |i: usize| step.operands.get(i).map_or(0.0, |t| f64::from(t.count));
    let largest = |in_data: bool| {
        let of_place = |t: &&&TensorRecord| (t.place == Place::Data as u8) == in_data;
        let counts = step.operands.iter().filter(of_place).map(|t| t.count);
        f64::from(counts.max().unwrap_or(0))
    };
    let last = step.operands.len().saturating_sub(1);
    match family(step.op) {
        family if family.starts_with("RFFT") => {
            let digits = step.op.strip_prefix(family).unwrap_or_default();
            let n: f64 = digits.trim_start_matches('_').parse().unwrap_or(0.0);
            n * libm::log2(n.max(1.0))
        }
        // Input, weights, bias of one for each output channel, .., output.
        "CONV_2D_I8" | "DEPTHWISE_CONV_2D_I8" | "FULLY_CONNECTED_I8" => {
            count(1) * count(last) / count(2).max(1.0)
        }
        // Rows of `cols`, the first parameter.
        "MATRIX_F32" | "MATRIX_I32" => {
            let cols = step.params.first().map_or(1, |&cols| cols.max(1));
            count(1) * count(0) / f64::from(cols)
        }
        "MATRIX_FOLDED_I32" | "MEL_F32" | "MEL_U64" | "FILTER_BANK_U64" => largest(true),
        _ => largest(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan_builder::{PlanBuilder, PlanBytes};
    use otolith_dsp_nostd::format::{Elem, Numeric, Section};
    use otolith_dsp_nostd::ops::frame::{FRAME_F32, FrameParams, Padding};
    use otolith_dsp_nostd::ops::{matrix::MATRIX_F32, rfft};

    /// Windows of 64 every 32 samples at 3200 Hz, each with one frame: an FFT of 64, then a matrix
    /// of 3 x 10 over the first 10 values.
    fn plan() -> PlanBytes {
        let mut plan = PlanBuilder::new("costs", Numeric::F32);
        plan.rate_hz(3200.0);
        let source = plan.source(Elem::F32, 64, 32, 0);
        let (rows, row) = plan.rows(Elem::F32, 1, 3, 1, 1);
        let frame = plan.tensor("frame", Elem::F32, &[64]);
        let cut = FrameParams {
            start: 0,
            hop: 32,
            history: 0,
            padding: Padding::Zero,
            gain: 1.0,
            pre_emphasis: 0.0,
        };
        let section = Section::Frame;
        plan.step(section, &FRAME_F32, "cut", &[source, frame], &cut.encode());
        let fft = rfft::rfft_f32(64).expect("an operator");
        plan.step(section, fft, "fft", &[frame], &[]);
        let first = plan.view("first", frame, 0, Elem::F32, &[10]);
        let table = plan.table("matrix", &[3, 10], &[0.5f32; 30]);
        plan.step(section, &MATRIX_F32, "matrix", &[first, table, row], &[10]);
        plan.features(rows, &[1, 3]);
        plan.finish().expect("sound")
    }

    fn processor(text: &str) -> &'static Processor {
        Box::leak(Box::new(toml::from_str(text).expect("a processor")))
    }

    const HEAD: &str = "source = \"a test\"\nclock_mhz = 1\ncycles_per_instruction = 2.0\n";

    #[test]
    fn the_load_is_the_sum_over_the_steps_at_their_rate() {
        let whole = format!(
            "{HEAD}runner = {{ code_bytes = 1000, per_call = 7.0 }}\n[ops]\n\
             FRAME_F32 = {{ code_bytes = 10, per_unit = 2.0 }}\n\
             RFFT_F32_64 = {{ code_bytes = 200, per_call = 5.0, per_unit = 4.0 }}\n\
             RFFT_F32 = {{ code_bytes = 999, per_unit = 99.0 }}\n\
             MATRIX_F32 = {{ code_bytes = 30, per_unit = 3.0 }}\n"
        );
        let plan = plan();
        let info = PlanInfo::from_bytes(&plan).expect("sound");
        let cost = model(&info, Some(processor(&whole)));
        assert_eq!(cost.code_bytes.sum, 1240);
        assert!(cost.code_bytes.not_measured.is_empty());
        // 100 frames a second: 3 steps, 64 samples cut, 64 * 6 butterflies' worth, 30 products.
        let frame = 3.0 * 7.0 + 64.0 * 2.0 + 5.0 + 4.0 * 64.0 * 6.0 + 30.0 * 3.0;
        assert_eq!(cost.instructions_per_s.sum, 100.0 * frame);
        assert_eq!(cost.load(), Some(100.0 * frame * 2.0 / 1e6));
    }

    #[test]
    fn what_was_not_measured_is_listed() {
        let plan = plan();
        let info = PlanInfo::from_bytes(&plan).expect("sound");
        let partly = format!("{HEAD}[ops]\nRFFT_F32 = {{ per_unit = 1.0 }}\n");
        let cost = model(&info, Some(processor(&partly)));
        assert_eq!(cost.instructions_per_s.sum, 100.0 * 64.0 * 6.0);
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        let missing = names(&cost.instructions_per_s.not_measured);
        assert_eq!(missing, "FRAME_F32 MATRIX_F32 runner");
        assert_eq!(names(&cost.instructions_per_s.known), "RFFT_F32_64");
        assert_eq!((cost.code_bytes.sum, cost.code_bytes.known.len()), (0, 0));

        let none = Cost::of(&plan, Target::Generic).expect("sound");
        assert_eq!((none.load(), none.source), (None, None));
    }

    #[test]
    fn the_committed_figures_are_of_targets_and_operators_that_exist() {
        assert!(!COSTS.is_empty());
        let targets: Vec<_> = Target::ALL.iter().map(|t| t.name()).collect();
        for (target, processor) in COSTS.iter() {
            assert!(targets.contains(&target.as_str()), "{target}");
            for name in processor.ops.keys() {
                let known =
                    |op: &&&otolith_dsp_nostd::Op| op.name == name || family(op.name) == name;
                assert!(all_ops().iter().any(|op| known(&op)), "{target}: {name}");
            }
        }
    }
}
