//! `otolith completions`: completion scripts of shells.

use super::print;
use crate::args::{Cli, Completions};
use crate::failure::{Failure, Status};
use clap::CommandFactory;

pub(crate) fn run(args: &Completions) -> Result<Status, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "otolith", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Status::Ok)
}
