//! Instructions of one frame on emulated cores, in all and by operator, and the cycles that they
//! would take.

use crate::cycles::{self, Cycles};
use crate::images::{self, Core, Emulated, M0, M4F};
use crate::measured::{Measured, PLANS};
use crate::run::Report;
use crate::snapshot::{self, Table};
use serde_json::json;
use std::path::Path;

const CORES: [Core; 2] = [M4F, M0];

/// Small, and fast.
const PROFILES: [&str; 2] = ["firmware", "firmware-fast"];

/// `cargo xtask count`.
pub(crate) fn all(report: &mut Report) {
    let mut jobs = Vec::new();
    for plan in PLANS.iter().filter(|plan| plan.counted) {
        let Some(files) = plan.make(report) else {
            continue;
        };
        for core in CORES {
            let images = PROFILES.map(|p| plan.image(report, &files, "count", core, p));
            if let [Some(small), Some(fast)] = images {
                jobs.extend([small, fast].map(|image| (plan, core, image)));
            }
        }
    }
    eprintln!("\n── {} emulations", jobs.len());
    let done = images::parallel(&jobs, |(_, core, image)| {
        images::emulate(core.machine, image, true)
    });
    let mut table = Table::new(&["plan", "core", "part", "calls", "opt_s", "opt_3"]);
    for (jobs, done) in jobs.chunks(2).zip(done.chunks(2)) {
        if let ([(plan, core, _), _], [small, fast]) = (jobs, done) {
            let rows = rows(plan, *core, small, fast);
            let name = format!("count: {} on {}", plan.name, core.name);
            report.count(&name, rows.is_some());
            table.rows.extend(rows.unwrap_or_default());
        }
    }
    let mut cycles = Table::new(&["plan", "code", "cycles_per_instruction", "cycles"]);
    for ((plan, core, image), done) in jobs.iter().zip(&done).step_by(PROFILES.len()) {
        if *core == M4F {
            let rows = modelled(plan, *core, image, done);
            let name = format!("count: modelled cycles of {}", plan.name);
            report.count(&name, rows.is_ok());
            match rows {
                Ok(rows) => cycles.rows.extend(rows),
                Err(why) => eprintln!("{}: {why}", plan.name),
            }
        }
    }
    let tables = [
        ("executed instructions per frame", &table),
        ("modelled cycles per frame, M4F, opt-level s", &cycles),
    ];
    snapshot::show(report, "count", &tables, &tables);
}

/// Modelled cycles of a plan's code: for each owner those of an instruction, then those of a frame.
fn modelled(
    plan: &Measured,
    core: Core,
    image: &Path,
    counted: &Emulated,
) -> Result<Vec<Vec<serde_json::Value>>, String> {
    let counts = parse(&counted.printed).ok_or("it was not counted")?;
    let &(_, instructions, frames) = counts.first().ok_or("it was not counted")?;
    let mut all = Cycles::default();
    let mut rows = Vec::new();
    let row = |code: &str, cpi: f64, cycles: Option<u64>| {
        let cpi = (cpi * 1000.0).round() / 1000.0;
        vec![json!(plan.name), json!(code), json!(cpi), json!(cycles)]
    };
    let owners = cycles::model(core.machine, image)?;
    let kinds = ["op ", "runner", "microfft", "libm", "compiler builtins"];
    for (owner, cycles) in owners {
        if cycles.instructions > 0 && kinds.iter().any(|kind| owner.starts_with(kind)) {
            all.add(cycles);
            rows.push(row(&owner, cycles.per_instruction(), None));
        }
    }
    let frame = all.per_instruction() * instructions as f64 / frames as f64;
    rows.insert(
        0,
        row("frame", all.per_instruction(), Some(frame.round() as u64)),
    );
    Ok(rows)
}

/// Rows of one plan on one core, from its two images.
fn rows(
    plan: &Measured,
    core: Core,
    small: &Emulated,
    fast: &Emulated,
) -> Option<Vec<Vec<serde_json::Value>>> {
    for failure in [small, fast].into_iter().filter_map(|e| e.failure.as_ref()) {
        eprintln!("{} on {}: {failure}", plan.name, core.name);
    }
    let (small, fast) = (parse(&small.printed)?, parse(&fast.printed)?);
    let ((_, small_frame, frames), small) = small.split_first()?;
    let ((_, fast_frame, _), fast) = fast.split_first()?;
    let ((_, small_init, _), small) = small.split_first()?;
    let ((_, fast_init, _), fast) = fast.split_first()?;
    let mean = |sum: u64| (sum + frames / 2) / frames;
    let row = |part: &str, calls: Option<u64>, small: u64, fast: u64| {
        let calls = calls.map(|calls| calls as f64 / *frames as f64);
        vec![
            json!(plan.name),
            json!(core.name),
            json!(part),
            json!(calls),
            json!(mean(small)),
            json!(mean(fast)),
        ]
    };
    let mut rows = vec![row("frame", None, *small_frame, *fast_frame)];
    let mut rest = (*small_frame, *fast_frame);
    for ((op, small, calls), (_, fast, _)) in small.iter().zip(fast) {
        rest = (rest.0.saturating_sub(*small), rest.1.saturating_sub(*fast));
        rows.push(row(op, Some(*calls), *small, *fast));
    }
    rows.push(row("runner and samples", None, rest.0, rest.1));
    // Once, not at each frame.
    rows.push(row("init", None, small_init * frames, fast_init * frames));
    Some(rows)
}

/// Names with two numbers: instructions, and frames or calls.
fn parse(printed: &str) -> Option<Vec<(&str, u64, u64)>> {
    let line = |line| {
        let mut words = str::split(line, ' ');
        let name = words.next()?;
        let mut number = || words.next()?.parse().ok();
        Some((name, number()?, number()?))
    };
    printed.lines().map(line).collect()
}
