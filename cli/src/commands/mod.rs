//! The commands, one file each.

mod check;
mod compile;
mod completions;
mod diff;
mod explain;
mod features;
mod inspect;
mod run;
mod verify;

use crate::args::Command;
use crate::failure::{Failure, Status};
use crate::report::Console;

/// Runs one command.
pub(crate) fn run(command: Command, console: &Console) -> Result<Status, Failure> {
    match command {
        Command::Check(args) => check::run(&args, console),
        Command::Run(args) => run::run(&args, console),
        Command::Features(args) => features::run(&args, console),
        Command::Compile(args) => compile::run(&args, console),
        Command::Inspect(args) => inspect::run(&args, console),
        Command::Diff(args) => diff::run(&args, console),
        Command::Verify(args) => verify::run(&args, console),
        Command::Explain(args) => explain::run(&args, console),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Writes a whole result to stdout.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::stdout(&error))
}

/// Writes one JSON object on one line to stdout.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::usage(format!("a result has no JSON form: {error}")))?;
    print(&(text + "\n"))
}
