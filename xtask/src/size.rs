//! Flash, RAM and stack of firmware images.

use crate::elf::{self, Contents};
use crate::images::{self, Core, M0, M4F};
use crate::measured::{Measured, PLANS};
use crate::run::Report;
use crate::snapshot::{self, Table};
use otolith_dsp_nostd::PlanInfo;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const CORES: [Core; 2] = [M4F, M0];

/// A firmware image of a plan.
pub(crate) struct Firmware {
    pub(crate) plan: &'static Measured,
    pub(crate) core: Core,
    pub(crate) path: PathBuf,
    pub(crate) contents: Contents,
}

/// Builds and reads the firmware images of all measured plans.
pub(crate) fn firmwares(report: &mut Report) -> Vec<Firmware> {
    let mut firmwares = Vec::new();
    for plan in &PLANS {
        let Some(files) = plan.make(report) else {
            continue;
        };
        for core in CORES {
            let Some(path) = plan.image(report, &files, "firmware", core, "firmware") else {
                continue;
            };
            match elf::read(&path) {
                Ok(contents) => firmwares.push(Firmware {
                    plan,
                    core,
                    path,
                    contents,
                }),
                Err(error) => report.count(&format!("{}: {error}", path.display()), false),
            }
        }
    }
    firmwares
}

/// `cargo xtask size`.
pub(crate) fn all(report: &mut Report, firmwares: &[Firmware]) {
    let stacks = images::parallel(firmwares, |firmware| {
        images::emulate(firmware.core.machine, &firmware.path, false)
    });
    let mut whole = Table::new(&[
        "plan",
        "core",
        "ops",
        "runner",
        "builtins",
        "libraries",
        "constants",
        "board",
        "plan_bytes",
        "plan_tables",
        "flash",
        "arena",
        "runner_ram",
        "stack_load",
        "stack_new",
        "stack_push",
        "ram",
    ]);
    let mut sections = Table::new(&["plan", "core", "section", "bytes"]);
    let mut owners = Table::new(&["plan", "core", "owner", "bytes"]);
    for (firmware, emulated) in firmwares.iter().zip(&stacks) {
        let (plan, core) = (firmware.plan.name, firmware.core.name);
        let name = format!("size: {plan} on {core} runs");
        let numbers = numbers(&emulated.printed);
        let row = numbers.and_then(|numbers| row(firmware, numbers));
        if let Some(why) = &emulated.failure {
            eprintln!("{name}: {why}");
        }
        report.count(&name, row.is_some() && emulated.failure.is_none());
        whole.rows.extend(row);
        let cells =
            |what: &str, bytes: u64| vec![json!(plan), json!(core), json!(what), json!(bytes)];
        for (section, bytes, _) in &firmware.contents.sections {
            sections.rows.push(cells(section, *bytes));
        }
        for (owner, bytes) in &firmware.contents.owners {
            owners.rows.push(cells(owner, *bytes));
        }
    }
    let tables = [
        ("images", &whole),
        ("flash by owner", &owners),
        ("sections", &sections),
    ];
    snapshot::show(report, "size", &tables, &tables);
}

/// What the image prints: events, bytes of the runner, stack of load, new and push. `None` when
/// it made no event.
fn numbers(printed: &str) -> Option<[u64; 5]> {
    let numbers: Vec<u64> = printed
        .lines()
        .map(|line| u64::from_str_radix(line, 16))
        .collect::<Result<_, _>>()
        .ok()?;
    let numbers: [u64; 5] = numbers.try_into().ok()?;
    (numbers[0] > 0).then_some(numbers)
}

fn row(firmware: &Firmware, [_, runner, load, new, push]: [u64; 5]) -> Option<Vec<Value>> {
    let Firmware {
        plan,
        core,
        contents,
        ..
    } = firmware;
    let sum = |wanted: &dyn Fn(&str) -> bool| -> u64 {
        let owners = contents.owners.iter().filter(|(name, _)| wanted(name));
        owners.map(|(_, bytes)| bytes).sum()
    };
    let of = |name: &str| sum(&|owner| owner == name);
    let (bytes, tables, arena) =
        plan_numbers(&images::folder().join(format!("{}.oto", plan.name)))?;
    let flash: u64 = contents
        .sections
        .iter()
        .filter(|(.., in_flash)| *in_flash)
        .map(|(_, bytes, _)| bytes)
        .sum();
    Some(vec![
        json!(plan.name),
        json!(core.name),
        json!(sum(&|owner| owner.starts_with("op "))),
        json!(of("runner")),
        json!(of("compiler builtins")),
        json!(of("microfft") + of("libm") + of("core")),
        json!(of("unnamed, padding")),
        json!(of("board")),
        json!(bytes),
        json!(tables),
        json!(flash),
        json!(arena),
        json!(runner),
        json!(load),
        json!(new),
        json!(push),
        json!(arena + runner + load.max(new).max(push)),
    ])
}

/// Bytes of a plan, of its tables, and of its arena.
fn plan_numbers(path: &Path) -> Option<(u64, u64, u64)> {
    let bytes = std::fs::read(path).ok()?;
    let mut words = vec![0u64; bytes.len().div_ceil(8)];
    let aligned: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    aligned.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    let info = PlanInfo::from_bytes(aligned).ok()?;
    let header = info.header();
    Some((
        bytes.len() as u64,
        header.data_len.into(),
        header.arena_len.into(),
    ))
}
