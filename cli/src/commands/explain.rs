//! `otolith explain`: what a field means.

use super::{print, print_json};
use crate::args::Explain;
use crate::failure::{Failure, Status};
use crate::report::{Console, SCHEMA};
use otolith_dsp_core::explain::explain;
use serde_json::json;

pub(crate) fn run(args: &Explain, console: &Console) -> Result<Status, Failure> {
    let path = args.path.as_deref().unwrap_or("");
    let text = explain(path).map_err(|error| Failure::config(&error, "explain", ""))?;
    if console.json {
        print_json(&json!({ "version": SCHEMA, "path": path, "text": text }))?;
    } else {
        print(&(text.trim_end().to_owned() + "\n"))?;
    }
    Ok(Status::Ok)
}
