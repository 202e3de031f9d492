//! `otolith check`: is the pipeline sound, and does it fit?

use super::{print, print_json};
use crate::args::{Check, PipelineArgs};
use crate::failure::{Failure, Status};
use crate::project::Project;
use crate::report::{Console, SCHEMA};
use otolith_dsp_core::deploy::{Cost, Measured};
use otolith_dsp_core::graph::Mode;
use otolith_dsp_core::plan_builder::strip_info;
use otolith_dsp_nostd::PlanInfo;
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    name: &'a str,
    ok: bool,
    warnings: &'a [String],
    plan: Option<PlanSize>,
    /// Why there is no plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_plan: Option<String>,
    budget: Budget,
    cost: Option<CostReport<'a>>,
    spec: serde_json::Value,
}

/// Bytes on the device.
#[derive(Clone, Copy, Serialize)]
pub(super) struct PlanSize {
    /// The plan's file, names included.
    pub(super) file_bytes: usize,
    /// The plan in flash, without names.
    pub(super) flash_bytes: usize,
    /// The arena.
    pub(super) ram_bytes: usize,
}

/// What the plan costs on the processor of `[deploy]`.
#[derive(Serialize)]
struct CostReport<'a> {
    target: &'a str,
    /// Where the figures come from.
    source: Option<&'a str>,
    /// Code of runner and operators; null when none was measured.
    code_bytes: Option<usize>,
    code_not_measured: Vec<&'a str>,
    /// Instructions for each second of signal, modelled; null when none was measured.
    instructions_per_s: Option<f64>,
    load_not_measured: Vec<&'a str>,
    clock_hz: Option<f64>,
    /// Part of the processor's time at that clock, modelled.
    load: Option<f64>,
}

impl<'a> CostReport<'a> {
    fn new(cost: &'a Cost, target: &'a str) -> Self {
        Self {
            target,
            source: cost.source,
            code_bytes: known(&cost.code_bytes),
            code_not_measured: missing(&cost.code_bytes),
            instructions_per_s: known(&cost.instructions_per_s),
            load_not_measured: missing(&cost.instructions_per_s),
            clock_hz: cost.clock_hz,
            load: cost.load(),
        }
    }
}

fn known<T: Copy>(measured: &Measured<T>) -> Option<T> {
    (!measured.known.is_empty()).then_some(measured.sum)
}

fn missing<T>(measured: &Measured<T>) -> Vec<&str> {
    measured.not_measured.iter().map(String::as_str).collect()
}

#[derive(Serialize)]
struct Budget {
    flash_bytes: Option<usize>,
    ram_bytes: Option<usize>,
}

impl PlanSize {
    /// The sizes of a sound plan.
    pub(super) fn of(plan: &[u8]) -> Result<Self, Failure> {
        let unsound = |error| Failure::usage(format!("the plan cannot be read: {error}"));
        Ok(Self {
            file_bytes: plan.len(),
            flash_bytes: strip_info(plan).map_err(unsound)?.len(),
            ram_bytes: PlanInfo::from_bytes(plan)
                .map_err(unsound)?
                .header()
                .arena_len as usize,
        })
    }
}

pub(crate) fn run(args: &Check, console: &Console) -> Result<Status, Failure> {
    let PipelineArgs {
        pipeline: path,
        set,
    } = &args.pipeline;
    let project = Project::for_plan(path, set, &args.plan)?;
    let pipeline = &project.pipeline;
    let deploy = pipeline.deploy();
    let kib = |kib: Option<usize>| kib.map(|kib| kib.saturating_mul(1024));
    let budget = Budget {
        flash_bytes: kib(deploy.budget.flash_kib),
        ram_bytes: kib(deploy.budget.ram_kib),
    };
    let (plan, no_plan) = if pipeline.graph().first().source.mode == Mode::Clip {
        let why = "input.mode = \"clip\" has no fixed length, so there is no plan for a device: it runs on the host";
        (None, Some(why.to_owned()))
    } else {
        let plan = project.plan()?;
        let cost = Cost::of(&plan, deploy.target)
            .map_err(|error| Failure::usage(format!("the plan cannot be read: {error}")))?;
        (Some((PlanSize::of(&plan)?, cost)), None)
    };
    let has_budget = budget.flash_bytes.is_some() || budget.ram_bytes.is_some();
    let ok = match &plan {
        Some((size, cost)) => {
            let within = |size: usize, limit: Option<usize>| limit.is_none_or(|l| size <= l);
            within(size.flash_bytes + cost.code_bytes.sum, budget.flash_bytes)
                && within(size.ram_bytes, budget.ram_bytes)
        }
        // A budget that nothing can be held against is not kept.
        None => !has_budget,
    };
    let status = match ok {
        true => Status::Ok,
        false => Status::CheckFailed,
    };
    let target = deploy.target.name();
    if console.json {
        let spec = toml::from_str(pipeline.resolved_toml())
            .map_err(|error| Failure::usage(format!("the resolved spec is no TOML: {error}")))?;
        print_json(&Report {
            version: SCHEMA,
            name: &pipeline.graph().name,
            ok,
            warnings: pipeline.warnings(),
            plan: plan.as_ref().map(|(size, _)| *size),
            no_plan,
            budget,
            cost: plan.as_ref().map(|(_, cost)| CostReport::new(cost, target)),
            spec,
        })?;
        return Ok(status);
    }
    for warning in pipeline.warnings() {
        console.note(warning);
    }
    let mut text = pipeline.resolved_toml().trim_end().to_owned() + "\n\n";
    if let Some((size, cost)) = &plan {
        text += &sizes(*size, cost, &budget, console);
        text += &load(cost, target);
    }
    if let Some(why) = no_plan {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# no plan: {why}");
    }
    print(&text)?;
    Ok(status)
}

/// Flash and RAM as comments behind the resolved spec.
fn sizes(size: PlanSize, cost: &Cost, budget: &Budget, console: &Console) -> String {
    let mut text = String::new();
    let mut line = |what: &str, size: usize, limit: Option<usize>, remark: &str| {
        let verdict = match limit {
            Some(limit) if size <= limit => {
                console.verdict(true, &format!("  within {} KiB", limit / 1024))
            }
            Some(limit) => console.verdict(
                false,
                &format!(
                    "  over the budget of {} KiB by {} bytes",
                    limit / 1024,
                    size - limit
                ),
            ),
            None => String::new(),
        };
        let _ = writeln!(text, "# {what:<6} {size:>8} bytes{verdict}{remark}");
    };
    line("plan", size.file_bytes, None, "  with names");
    let code = &cost.code_bytes;
    let remark = match (known(code), missing(code)) {
        (None, _) => "  the plan alone: code not measured".into(),
        (Some(code), missing) if missing.is_empty() => format!("  plan and {code} of code"),
        (Some(code), missing) => format!(
            "  plan and {code} of code, not measured: {}",
            missing.join(", ")
        ),
    };
    line(
        "flash",
        size.flash_bytes + code.sum,
        budget.flash_bytes,
        &remark,
    );
    line("RAM", size.ram_bytes, budget.ram_bytes, "");
    text
}

/// The modelled load as comments.
fn load(cost: &Cost, target: &str) -> String {
    let per_s = &cost.instructions_per_s;
    let (Some(instructions), Some(clock), Some(load)) = (known(per_s), cost.clock_hz, cost.load())
    else {
        return format!("# load   not measured for target {target}\n");
    };
    let mut text = format!(
        "# load   {:>8.3} M instructions per second, {:.2} % of {target} at {} MHz (modelled)\n",
        instructions / 1e6,
        load * 100.0,
        clock / 1e6
    );
    let missing = missing(per_s);
    if !missing.is_empty() {
        let _ = writeln!(
            text,
            "#        at least: not measured: {}",
            missing.join(", ")
        );
    }
    if let Some(source) = cost.source {
        let _ = writeln!(text, "#        figures: {source}");
    }
    text
}
