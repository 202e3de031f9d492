//! The same bits on every executor: the conformance plans on this machine, in a debug and a
//! release build, and on emulated cores, compared with the committed digests.

use crate::images::{self, Core, Emulated, Image, M0, M3, M4F, M7, M33, RISCV32};
use crate::run::{Report, cargo, root};
use crate::snapshot::{self, Table, updating};
use otolith_conformance::digest::{Digest, Outcome};
use otolith_conformance::signal;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A numeric, and the cores that must compute it; the slowest first.
struct Numeric {
    name: &'static str,
    cores: &'static [Core],
}

/// `fixed` runs everywhere; `f32` where the floats are the core's own, and where they are the
/// compiler's.
const NUMERICS: [Numeric; 2] = [
    Numeric {
        name: "f32",
        cores: &[M3, M4F],
    },
    Numeric {
        name: "fixed",
        cores: &[M0, M3, M4F, M7, M33, RISCV32],
    },
];

/// The outcomes of an executor: plan, signal, outcome.
type Lines = Vec<(String, usize, Outcome)>;

/// The builds of this machine; gives the release build's lines of each numeric.
pub(crate) fn host(report: &mut Report, table: &mut Table) -> Vec<Option<Lines>> {
    NUMERICS
        .iter()
        .map(|numeric| host_numeric(report, table, numeric.name))
        .collect()
}

/// `cargo xtask bits`.
pub(crate) fn bits(report: &mut Report) {
    host(report, &mut table());
}

/// `cargo xtask qemu`.
pub(crate) fn all(report: &mut Report) {
    routines(report);
    let mut table = table();
    let hosts = host(report, &mut table);
    let mut jobs: Vec<(&Numeric, Core, PathBuf)> = Vec::new();
    for numeric in NUMERICS.iter().zip(&hosts).filter(|(_, h)| h.is_some()) {
        let (numeric, _) = numeric;
        for &core in numeric.cores {
            let image = Image {
                program: "digests",
                target: core.target,
                profile: "firmware",
                input: ("OTOLITH_PACK", &pack(numeric.name, "release")),
                name: format!("digests-{}-{}", numeric.name, core.target),
            };
            if let Some(image) = images::build(report, &image) {
                jobs.push((numeric, core, image));
            }
        }
    }
    eprintln!("\n── {} emulations", jobs.len());
    let done = images::parallel(&jobs, |(_, core, image)| {
        images::emulate(core.machine, image, false)
    });
    for ((numeric, core, _), emulated) in jobs.iter().zip(done) {
        let index = NUMERICS.iter().position(|n| n.name == numeric.name);
        let host = index.and_then(|i| hosts[i].as_ref());
        compare_core(report, &mut table, numeric.name, *core, &emulated, host);
    }
    let kept = table.without(&["seconds"]);
    snapshot::show(
        report,
        "qemu",
        &[("executors", &table)],
        &[("executors", &kept)],
    );
}

/// Routines that are written for the Cortex-M4, each against its portable twin.
fn routines(report: &mut Report) {
    let folder = images::folder();
    let image = Image {
        program: "kernels",
        target: M4F.target,
        profile: "firmware",
        // The image does not read it.
        input: ("OTOLITH_PACK", &folder),
        name: format!("kernels-{}", M4F.target),
    };
    let Some(image) = images::build(report, &image) else {
        return;
    };
    let emulated = images::emulate(M4F.machine, &image, false);
    if let Some(failure) = &emulated.failure {
        eprintln!("{}\n{failure}", emulated.printed);
    }
    let n = emulated.printed.lines().count();
    let name = format!("routines on M4F equal their twins: {n} compared");
    report.count(&name, emulated.failure.is_none() && n > 0);
}

fn table() -> Table {
    Table::new(&[
        "core",
        "machine",
        "target",
        "numeric",
        "pipelines",
        "signals",
        "values",
        "equal",
        "seconds",
    ])
}

/// Path of a numeric's plans as a build of this machine makes them.
fn pack(numeric: &str, build: &str) -> PathBuf {
    images::folder().join(format!("{numeric}-{build}.pack"))
}

fn host_numeric(report: &mut Report, table: &mut Table, numeric: &str) -> Option<Lines> {
    let release = host_build(report, numeric, "release", &["--release"])?;
    // Tests build these crates optimised; a debug build is one without.
    let unoptimised = ["dsp-core", "dsp-nostd", "classifier"]
        .map(|package| format!("--config=profile.dev.package.otolith-{package}.opt-level=0"));
    let unoptimised: Vec<&str> = unoptimised.iter().map(String::as_str).collect();
    let debug = host_build(report, numeric, "debug", &unoptimised)?;

    let read = |build| std::fs::read(pack(numeric, build)).ok();
    report.count(
        &format!("{numeric} plans: debug equals release"),
        read("debug").is_some_and(|plans| Some(plans) == read("release")),
    );
    let equal = debug.lines == release.lines;
    report.count(&format!("{numeric} bits: debug equals release"), equal);
    let committed = committed(report, numeric, &release.lines);
    for (build, equal) in [(&release, committed), (&debug, committed && equal)] {
        let (pipelines, values) = totals(&build.lines);
        table.rows.push(vec![
            json!("x86-64"),
            json!(build.name),
            json!("host"),
            json!(numeric),
            json!(pipelines),
            json!(signal::COUNT),
            json!(values),
            json!(if equal { "equal" } else { "DIFFERENT" }),
            json!(build.seconds),
        ]);
    }
    Some(release.lines)
}

struct HostBuild {
    name: &'static str,
    lines: Lines,
    seconds: f64,
}

fn host_build(
    report: &mut Report,
    numeric: &str,
    name: &'static str,
    flags: &[&str],
) -> Option<HostBuild> {
    let example = |example, args: &[&str]| {
        let mut words = vec!["run", "--quiet", "-p", "otolith-conformance"];
        words.extend(["--example", example]);
        words.extend(flags);
        words.push("--");
        words.extend(args);
        cargo(&words)
    };
    let pack = pack(numeric, name);
    std::fs::create_dir_all(images::folder()).ok()?;
    let file = pack.to_string_lossy();
    let made = format!("{numeric} plans of a {name} build");
    report.ask(&made, &mut example("plans", &["pack", numeric, &file]))?;
    let ran = format!("{numeric} digests of a {name} build");
    report.ask(&ran, &mut cargo_build(flags))?;
    let started = std::time::Instant::now();
    let printed = report.ask(&ran, &mut example("digests", &[&file]))?;
    Some(HostBuild {
        name,
        lines: parse(&printed),
        seconds: tenths(started.elapsed()),
    })
}

/// Builds before the clock starts.
fn cargo_build(flags: &[&str]) -> std::process::Command {
    let mut words = vec!["build", "--quiet", "-p", "otolith-conformance"];
    words.extend(["--example", "digests"]);
    words.extend(flags);
    cargo(&words)
}

fn tenths(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

/// Reads what [`otolith_conformance::report::Line`] shows; other lines are left out.
fn parse(printed: &str) -> Lines {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let &[plan, signal, digest, values] = &words[..] else {
            return None;
        };
        let outcome = Outcome {
            digest: Digest(u64::from_str_radix(digest, 16).ok()?),
            values: values.parse().ok()?,
        };
        Some((plan.to_owned(), signal.parse().ok()?, outcome))
    };
    printed.lines().filter_map(line).collect()
}

/// Names of the plans.
fn plans(lines: &Lines) -> BTreeSet<&str> {
    lines.iter().map(|(plan, ..)| plan.as_str()).collect()
}

/// Number of plans, and of all values.
fn totals(lines: &Lines) -> (usize, u32) {
    let values = lines.iter().map(|(.., o)| o.values).sum();
    (plans(lines).len(), values)
}

/// One line per plan: digest of its signals' digests, values, name.
fn digests(lines: &Lines) -> String {
    plans(lines)
        .into_iter()
        .map(|plan| {
            let mut all = Outcome::default();
            for (.., outcome) in lines.iter().filter(|(of, ..)| of == plan) {
                all.add(*outcome);
            }
            format!("{:016x} {:7} values  {plan}\n", all.digest.0, all.values)
        })
        .collect()
}

/// Compares with `fixtures/digests`.
fn committed(report: &mut Report, numeric: &str, lines: &Lines) -> bool {
    let file = format!("fixtures/digests/{numeric}.txt");
    let found = digests(lines);
    if updating()
        && let Err(error) = std::fs::write(root().join(&file), &found)
    {
        eprintln!("{file}: {error}");
    }
    let expected = std::fs::read_to_string(root().join(&file)).unwrap_or_default();
    for line in found.lines().filter(|l| !expected.contains(*l)) {
        eprintln!("   not in {file}: {line}");
    }
    report.count(
        &format!("{numeric} bits: equal to {file}"),
        expected == found,
    );
    expected == found
}

fn compare_core(
    report: &mut Report,
    table: &mut Table,
    numeric: &str,
    core: Core,
    emulated: &Emulated,
    host: Option<&Lines>,
) {
    let lines = parse(&emulated.printed);
    let name = format!(
        "{numeric} bits: {} ({}) equals x86-64",
        core.name, core.target
    );
    if let Some(why) = &emulated.failure {
        eprintln!("{name}: {why}");
    }
    let equal = emulated.failure.is_none() && host.is_some_and(|host| *host == lines);
    for (found, expected) in lines.iter().zip(host.into_iter().flatten()) {
        if found != expected {
            eprintln!(
                "{name}: plan {} differs first at signal {}",
                found.0, found.1
            );
            break;
        }
    }
    report.count(&name, equal);
    let (pipelines, values) = totals(&lines);
    let signals = lines.iter().map(|(_, signal, _)| signal + 1).max();
    table.rows.push(vec![
        json!(core.name),
        json!(core.machine),
        json!(core.target),
        json!(numeric),
        json!(pipelines),
        json!(signals.unwrap_or(0)),
        json!(values),
        json!(if equal { "equal" } else { "DIFFERENT" }),
        json!(tenths(emulated.time)),
    ]);
}
