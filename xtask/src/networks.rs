//! Instructions of one inference of the reference networks on emulated cores, whole and by
//! operator. Every inference is compared with the golden output.

use crate::images::{self, Core, Image, M0, M3, M4F};
use crate::run::{Report, root};
use crate::snapshot::{self, Table};
use serde_json::{Value, json};
use std::path::PathBuf;

const CORES: [Core; 3] = [M4F, M3, M0];

/// Small, and fast.
const PROFILES: [&str; 2] = ["firmware", "firmware-fast"];

const NETWORKS: [&str; 7] = [
    "kws_ref_model",
    "ad01_int8",
    "pretrainedResnet_quant",
    "vww_96_int8",
    "str_ww_ref_model",
    "micro_speech_quantized",
    "hello_world_int8",
];

/// Where the image expects the pack.
const LOADED: u32 = 0x0020_0000;

/// `cargo xtask networks`. With names, only the networks and cores among them are counted, and
/// the snapshot is left alone.
pub(crate) fn all(report: &mut Report, names: &[String]) {
    let golden = std::env::var_os("OTOLITH_SHARED")
        .map_or(root().join("../shared"), PathBuf::from)
        .join("golden/tflite");
    let chosen = |name: &str, all: &[&str]| {
        let named = |all: &&str| names.iter().any(|n| n.eq_ignore_ascii_case(all));
        !all.iter().any(named) || named(&name)
    };
    let networks: Vec<&str> = NETWORKS
        .into_iter()
        .filter(|name| chosen(name, &NETWORKS))
        .filter(|name| {
            let found = golden.join(name).with_extension("tflite").is_file();
            if !found {
                eprintln!("absent: {name}.tflite in {}", golden.display());
            }
            found
        })
        .collect();
    if networks.is_empty() {
        eprintln!("no network to count: OTOLITH_SHARED names the folder with the golden models");
        return;
    }
    let core_names = CORES.map(|core| core.name);
    let cores = CORES
        .into_iter()
        .filter(|core| chosen(core.name, &core_names));

    let folder = images::folder();
    let packs: Vec<(&str, PathBuf)> = networks
        .into_iter()
        .filter_map(|name| {
            let pack = folder.join(format!("{name}.network"));
            let (from, to) = (golden.to_string_lossy(), pack.to_string_lossy());
            images::plans(report, &["network", &from, name, &to]).then_some((name, pack))
        })
        .collect();
    let mut jobs = Vec::new();
    for core in cores {
        let built = PROFILES.map(|profile| {
            let image = Image {
                program: "network",
                target: core.target,
                profile,
                // The image does not read it: one serves all networks.
                input: ("OTOLITH_PACK", &folder),
                name: format!("network-{profile}-{}", core.target),
            };
            images::build(report, &image)
        });
        if let [Some(small), Some(fast)] = built {
            for (name, pack) in &packs {
                jobs.extend([&small, &fast].map(|image| (*name, pack, core, image.clone())));
            }
        }
    }
    eprintln!("\n── {} emulations", jobs.len());
    let done = images::parallel(&jobs, |(_, pack, core, image)| {
        images::emulate_with(core.machine, image, true, Some((pack, LOADED)))
    });
    let mut table = Table::new(&["network", "core", "part", "steps", "opt_s", "opt_3"]);
    for (jobs, done) in jobs.chunks(2).zip(done.chunks(2)) {
        if let ([(name, _, core, _), _], [small, fast]) = (jobs, done) {
            for failure in [small, fast].into_iter().filter_map(|e| e.failure.as_ref()) {
                eprintln!("{name} on {}: {failure}", core.name);
            }
            let rows = rows(name, *core, &small.printed, &fast.printed);
            let check = format!("networks: {name} on {} equals the reference", core.name);
            report.count(&check, rows.is_some());
            table.rows.extend(rows.unwrap_or_default());
        }
    }
    let tables = [("executed instructions per inference", &table)];
    if names.is_empty() {
        snapshot::show(report, "networks", &tables, &tables);
    } else {
        snapshot::print(report, "networks", &tables);
    }
}

/// Rows of one network on one core: the push, then the sum over the steps of each operator.
fn rows(network: &str, core: Core, small: &str, fast: &str) -> Option<Vec<Vec<Value>>> {
    let (small, fast) = (parse(small)?, parse(fast)?);
    let (_, small_steps) = small.split_first()?;
    let (_, fast_steps) = fast.split_first()?;
    let row = |part: &str, steps: Option<usize>, small: u64, fast: u64| {
        let (network, core) = (json!(network), json!(core.name));
        let counts = [json!(steps), json!(small), json!(fast)];
        [vec![network, core, json!(part)], counts.to_vec()].concat()
    };
    let mut rows = vec![row("inference", None, small[0].1, fast[0].1)];
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in small_steps {
        if !seen.contains(name) {
            seen.push(name);
            let of = |steps: &[(&str, u64)]| -> (usize, u64) {
                let own = steps.iter().filter(|(n, _)| n == name);
                (own.clone().count(), own.map(|(_, count)| count).sum())
            };
            let ((steps, small), (_, fast)) = (of(small_steps), of(fast_steps));
            rows.push(row(name, Some(steps), small, fast));
        }
    }
    Some(rows)
}

/// Names, each with its instructions.
fn parse(printed: &str) -> Option<Vec<(&str, u64)>> {
    let line = |line| {
        let (name, count) = str::rsplit_once(line, ' ')?;
        Some((name, count.parse().ok()?))
    };
    let lines: Option<Vec<_>> = printed.lines().map(line).collect();
    lines.filter(|lines| lines.len() > 1)
}
