//! `otolith compile`: plan and C source for firmware.

use super::check::PlanSize;
use super::{print, print_json};
use crate::args::{Compile, Emit};
use crate::failure::{Failure, Status};
use crate::output::write_whole;
use crate::project::Project;
use crate::report::{Console, SCHEMA};
use otolith_dsp_core::emit::emit_c;
use serde_json::json;
use std::fs;
use std::io::Write;

pub(crate) fn run(args: &Compile, console: &Console) -> Result<Status, Failure> {
    let project = Project::for_plan(&args.pipeline.pipeline, &args.pipeline.set, &args.plan)?;
    let name = &project.pipeline.graph().name;
    let plan = project.plan()?;
    let size = PlanSize::of(&plan)?;
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    if args.emit.contains(&Emit::Plan) {
        files.push((format!("{name}.oto"), plan.to_vec()));
    }
    if args.emit.contains(&Emit::C) {
        let c = emit_c(&plan, name)
            .map_err(|error| Failure::usage(format!("{}: {error}", project.file)))?;
        files.push((format!("{}.h", c.name), c.header.into_bytes()));
        files.push((format!("{}.c", c.name), c.source.into_bytes()));
    }
    let named: Vec<_> = files
        .into_iter()
        .map(|(name, bytes)| (args.output.join(name), bytes))
        .collect();
    if !args.dry_run {
        fs::create_dir_all(&args.output)
            .map_err(|error| Failure::io(Status::Usage, &args.output, &error))?;
        for (path, bytes) in &named {
            write_whole(path, |out| out.write_all(bytes))?;
        }
    }
    if console.json {
        let listed: Vec<_> = named
            .iter()
            .map(
                |(path, bytes)| json!({ "path": path.display().to_string(), "bytes": bytes.len() }),
            )
            .collect();
        print_json(&json!({
            "version": SCHEMA,
            "name": name,
            "written": !args.dry_run,
            "files": listed,
            "plan": size,
        }))?;
        return Ok(Status::Ok);
    }
    let lines: Vec<_> = named
        .iter()
        .map(|(path, bytes)| format!("{}\t{}\n", path.display(), bytes.len()))
        .collect();
    print(&lines.concat())?;
    console.note(&format!(
        "flash {} bytes (plan without names), RAM {} bytes (arena)",
        size.flash_bytes, size.ram_bytes
    ));
    Ok(Status::Ok)
}
