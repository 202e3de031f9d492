//! The way of a C programmer: the command line compiles a pipeline, the system's C compiler links
//! it with the static library, and the program decides as the command line does.

use crate::run::{Report, cargo, command, output, root, target_dir};
use std::path::{Path, PathBuf};

/// The example whose decisions are compared.
const EXAMPLE: &str = "examples/keywords";

/// Builds the command line tool and the C library, together: alone each has other features of what both need.
pub(crate) fn build(report: &mut Report) -> bool {
    let words = "build --quiet --release -p otolith-cli -p otolith-ffi-c";
    report.check(
        "otolith and the C library",
        &mut cargo(&words.split(' ').collect::<Vec<_>>()),
    )
}

pub(crate) fn decisions(report: &mut Report) {
    let built = build(report);
    let out = target_dir().join("xtask-c");
    let program = out.join("run_plan");
    if !built || !compile(report, &out) || !link(report, &out, &program) {
        return;
    }
    let mut recordings: Vec<PathBuf> = std::fs::read_dir(root().join(EXAMPLE))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    recordings.retain(|path| path.extension().is_some_and(|ending| ending == "wav"));
    recordings.sort();
    let mut decided = 0;
    for path in &recordings {
        let wav = path.to_string_lossy();
        let pipeline = format!("{EXAMPLE}/keywords.toml");
        let expected = output(
            command(&[&otolith(), "run", &pipeline])
                .arg(path)
                .arg("--quiet"),
        );
        let found = output(command(&[&program.to_string_lossy()]).arg(path));
        let (Some(expected), Some(found)) = (expected, found) else {
            report.count(&format!("decisions in C: {wav}"), false);
            continue;
        };
        // The command line names the file first.
        let expected: Vec<&str> = expected
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(_, decision)| decision)
            .collect();
        let found: Vec<&str> = found.lines().collect();
        decided += found.len();
        if expected != found {
            eprintln!("{wav}: the command line decides {expected:?}, C decides {found:?}");
            report.count(&format!("decisions in C: {wav}"), false);
        }
    }
    report.count(
        &format!(
            "decisions in C equal the command line's: {decided} in {} recordings",
            recordings.len()
        ),
        decided > 0,
    );
}

fn otolith() -> String {
    target_dir()
        .join("release/otolith")
        .to_string_lossy()
        .into_owned()
}

fn compile(report: &mut Report, out: &Path) -> bool {
    let pipeline = format!("{EXAMPLE}/keywords.toml");
    report.check(
        "otolith compile",
        command(&[&otolith(), "compile", &pipeline, "-o"]).arg(out),
    )
}

fn link(report: &mut Report, out: &Path, program: &Path) -> bool {
    let flags = "-std=c99 -O1 -Wall -Wextra -Wconversion -Wshadow -Werror -pedantic -Iffi-c/include \
                 -DPLAN=KEYWORDS -DPLAN_HEADER=\"keywords.h\"";
    let mut cc = command(&["cc"]);
    cc.args(flags.split_whitespace())
        .arg("-I")
        .arg(out)
        .arg("ffi-c/tests/c/run_plan.c")
        .arg(out.join("keywords.c"))
        .arg(target_dir().join("release/libotolith.a"))
        .args(["-lpthread", "-ldl", "-lm"])
        .arg("-o")
        .arg(program);
    report.check("cc", &mut cc)
}
