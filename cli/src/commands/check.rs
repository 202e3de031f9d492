//! `otolith check`: is the pipeline sound, and does it fit?

use super::{print, print_json};
use crate::args::Check;
use crate::failure::{Failure, Status};
use crate::project::Project;
use crate::report::{Console, SCHEMA};
use otolith_dsp_core::deploy::DeviceNumeric;
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
    let project = Project::load(&args.pipeline)?;
    let pipeline = &project.pipeline;
    let deploy = pipeline.deploy();
    let kib = |kib: Option<usize>| kib.map(|kib| kib.saturating_mul(1024));
    let budget = Budget {
        flash_bytes: kib(deploy.budget.flash_kib),
        ram_bytes: kib(deploy.budget.ram_kib),
    };
    let (plan, no_plan) = if deploy.numeric == DeviceNumeric::Fixed {
        let why = "deploy.numeric = \"fixed\" is not in this version of otolith: its plan cannot be sized";
        (None, Some(why.to_owned()))
    } else if pipeline.graph().source.mode == Mode::Clip {
        let why = "input.mode = \"clip\" has no fixed length, so there is no plan for a device: it runs on the host";
        (None, Some(why.to_owned()))
    } else {
        (Some(PlanSize::of(&project.plan()?)?), None)
    };
    let within = |size: usize, limit: Option<usize>| limit.is_none_or(|limit| size <= limit);
    let has_budget = budget.flash_bytes.is_some() || budget.ram_bytes.is_some();
    let ok = match plan {
        Some(plan) => {
            within(plan.flash_bytes, budget.flash_bytes) && within(plan.ram_bytes, budget.ram_bytes)
        }
        // A budget that nothing can be held against is not kept.
        None => !has_budget,
    };
    let status = match ok {
        true => Status::Ok,
        false => Status::CheckFailed,
    };
    if console.json {
        let spec = toml::from_str(pipeline.resolved_toml())
            .map_err(|error| Failure::usage(format!("the resolved spec is no TOML: {error}")))?;
        print_json(&Report {
            version: SCHEMA,
            name: &pipeline.graph().name,
            ok,
            warnings: pipeline.warnings(),
            plan,
            no_plan,
            budget,
            spec,
        })?;
        return Ok(status);
    }
    for warning in pipeline.warnings() {
        console.note(warning);
    }
    let mut text = pipeline.resolved_toml().trim_end().to_owned() + "\n\n";
    if let Some(plan) = plan {
        let mut line = |what: &str, size: usize, limit: Option<usize>| {
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
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# {what:<6} {size:>8} bytes{verdict}");
        };
        line("plan", plan.file_bytes, None);
        line("flash", plan.flash_bytes, budget.flash_bytes);
        line("RAM", plan.ram_bytes, budget.ram_bytes);
    }
    if let Some(why) = no_plan {
        let _ = writeln!(text, "# no plan: {why}");
    }
    print(&text)?;
    Ok(status)
}
