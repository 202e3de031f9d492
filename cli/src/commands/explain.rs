//! `otolith explain`: what a field means.

use super::{print, print_json};
use crate::args::Explain;
use crate::failure::{Failure, Status};
use crate::report::{Console, SCHEMA};
use otolith_dsp_core::explain::{explain, paths};
use serde_json::json;

pub(crate) fn run(args: &Explain, console: &Console) -> Result<Status, Failure> {
    let Some(path) = &args.path else {
        let paths = paths();
        if console.json {
            print_json(&json!({ "version": SCHEMA, "paths": paths }))?;
        } else {
            print(&(paths.join("\n") + "\n"))?;
        }
        return Ok(Status::Ok);
    };
    let text = explain(path).map_err(|error| {
        let failure = Failure::usage(format!("`{path}` names no block, field or preset"));
        match error.suggestion {
            Some(near) => failure.help(format!(
                "Did you mean `{near}`? `otolith explain` lists all"
            )),
            None => failure.help("`otolith explain` lists all"),
        }
    })?;
    if console.json {
        print_json(&json!({ "version": SCHEMA, "path": path, "text": text }))?;
    } else {
        print(&(text.trim_end().to_owned() + "\n"))?;
    }
    Ok(Status::Ok)
}
