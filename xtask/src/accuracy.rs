//! `cargo xtask accuracy`: how accurate integer features are, beside the committed table.

use crate::run::{Report, cargo, root};
use std::fs;
use std::process::{Command, ExitCode};

/// The files of `benches/snapshots` that hold the accuracy.
const FILES: [&str; 2] = ["accuracy.txt", "accuracy.json"];

/// Measures, and compares with the committed files; `OTOLITH_UPDATE=1` writes them anew.
pub(crate) fn check(report: &mut Report) {
    let committed = root().join("benches/snapshots");
    let found = match std::env::var_os("OTOLITH_UPDATE") {
        Some(_) => committed.clone(),
        None => root().join("target/snapshots"),
    };
    if !report.check("accuracy", program().arg("--write").arg(&found)) {
        return;
    }
    for file in FILES {
        let read = |folder: &std::path::Path| fs::read_to_string(folder.join(file)).ok();
        let same = read(&found).is_some() && read(&found) == read(&committed);
        report.count(
            &format!("accuracy: equal to benches/snapshots/{file}"),
            same,
        );
    }
}

/// Prints the measurements as JSON and nothing else.
pub(crate) fn print_json() -> ExitCode {
    match program().arg("--json").current_dir(root()).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn program() -> Command {
    let words = "run --quiet --release -p otolith-benches --bin accuracy --";
    cargo(&words.split(' ').collect::<Vec<_>>())
}
