//! Instructions of one frame on emulated cores, in all and by operator.

use crate::images::{self, Core, Emulated, M0, M4F};
use crate::measured::{Measured, PLANS};
use crate::run::Report;
use crate::snapshot::{self, Table};
use serde_json::json;

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
    let tables = [("executed instructions per frame", &table)];
    snapshot::show(report, "count", &tables, &tables);
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
