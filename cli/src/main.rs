//! The command line: files in; features, decisions, plans and reports out.
//!
//! | module | what |
//! |---|---|
//! | [`args`] | the arguments, as clap reads them |
//! | [`commands`] | one file per command |
//! | [`project`] | a pipeline file, read and ready to run |
//! | [`inputs`] | which files are meant: paths, folders, globs |
//! | [`labels`] | labels of recordings |
//! | [`feature_files`] | features as CSV, .npy and .npz |
//! | [`audio`], [`riff`] | recordings of audio as samples, chunks of WAV files |
//! | [`sensor`] | recordings of sensors as samples |
//! | [`delimited`] | CSV in its dialects |
//! | [`acquisition`] | Edge Impulse's JSON and CBOR |
//! | [`batch`] | many files in parallel, results in order |
//! | [`failure`], [`report`] | what went wrong, and how it is shown |
//! | [`table`] | aligned columns |
//! | [`output`] | files that appear whole or not at all |
//!
//! Results go to stdout, messages to stderr. The exit code is 0 when all went well, 1 when a check
//! failed, 2 for wrong usage or configuration, 3 for a bad input file.
#![forbid(unsafe_code)]

mod acquisition;
mod args;
mod audio;
mod batch;
mod commands;
mod delimited;
mod failure;
mod feature_files;
mod inputs;
mod labels;
mod output;
mod project;
mod report;
mod riff;
mod sensor;
mod table;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let console = report::Console::new(&cli.global);
    match commands::run(cli.command, &console) {
        Ok(status) => ExitCode::from(status as u8),
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            console.failure(&failure);
            ExitCode::from(failure.status as u8)
        }
    }
}
