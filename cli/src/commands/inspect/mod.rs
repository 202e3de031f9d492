//! `otolith inspect`: what is in a plan, a model or a pipeline.

mod model;
mod plan;
mod pruning;

use super::{print, print_json};
use crate::args::Inspect;
use crate::failure::{Failure, Status};
use crate::project::Project;
use crate::report::{Console, SCHEMA};
use otolith_dsp_core::graph::Mode;
use otolith_dsp_core::plan_builder::PlanBytes;
use otolith_tflite::Model;
use serde_json::{Map, Value, json};
use std::fs;

/// What was found out about one thing, as text and as JSON.
struct Finding {
    text: String,
    json: Value,
    /// Whether it can run.
    runs: bool,
}

pub(crate) fn run(args: &Inspect, console: &Console) -> Result<Status, Failure> {
    let bytes =
        fs::read(&args.file).map_err(|error| Failure::io(Status::BadInput, &args.file, &error))?;
    let file = args.file.display().to_string();
    let is = |ending: &str| args.file.extension().is_some_and(|e| e == ending);
    let mut object = Map::new();
    object.insert("version".into(), json!(SCHEMA));
    object.insert("file".into(), json!(file));
    let mut text = String::new();
    let mut runs = true;
    let mut add = |kind: &str, finding: Finding| {
        if !text.is_empty() {
            text += "\n";
        }
        text += &finding.text;
        object.insert(kind.into(), finding.json);
        runs &= finding.runs;
    };
    if is("oto") || bytes.starts_with(&otolith_dsp_nostd::format::MAGIC) {
        let plan = PlanBytes::copy_from(&bytes);
        let finding =
            plan::inspect(&plan, console).map_err(|error| Failure::input(&file, error))?;
        add("plan", finding);
    } else if is("tflite") || bytes.get(4..8) == Some(b"TFL3") {
        let model = Model::from_bytes(&bytes).map_err(|error| Failure::input(&file, error))?;
        add("model", model::inspect(&model, console));
    } else if is("toml") || args.file.extension().is_none() {
        let project = Project::for_plan(&args.file, &args.set, &args.plan)?;
        let graph = project.pipeline.graph();
        if let Some(network) = graph.head.as_ref().and_then(|head| head.model.network()) {
            add("model", model::inspect(network, console));
        }
        if graph.first().source.mode == Mode::Clip {
            console.note("no plan: input.mode = \"clip\" has no fixed length");
        } else {
            let plan = project.plan()?;
            let finding =
                plan::inspect(&plan, console).map_err(|error| Failure::input(&file, error))?;
            add("plan", finding);
        }
    } else {
        return Err(
            Failure::input(&file, "neither a plan, a model nor a pipeline")
                .help("Expected .oto, .tflite or .toml"),
        );
    }
    if console.json {
        print_json(&object)?;
    } else {
        print(&text)?;
    }
    Ok(match runs {
        true => Status::Ok,
        false => Status::CheckFailed,
    })
}
