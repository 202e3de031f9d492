//! Running commands and counting what came of them.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// What passed and what failed so far. Messages go to the standard error, so that `--json` has
/// the standard output to itself.
#[derive(Default)]
pub(crate) struct Report {
    /// Tables are printed as JSON.
    pub(crate) json: bool,
    passed: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    /// Nothing ran yet.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            ..Self::default()
        }
    }

    /// Runs `command`, shows its output, and counts it as a check called `name`.
    pub(crate) fn check(&mut self, name: &str, command: &mut Command) -> bool {
        self.start(name, command);
        let started = Instant::now();
        let ok = match command.current_dir(root()).status() {
            Ok(status) => status.success(),
            Err(error) => {
                eprintln!("   cannot start: {error}");
                false
            }
        };
        self.count(&format!("{name} ({:.0?})", started.elapsed()), ok);
        ok
    }

    /// Runs `command`, shows its errors, and gives its standard output. Only a failure is
    /// counted.
    pub(crate) fn ask(&mut self, name: &str, command: &mut Command) -> Option<String> {
        self.start(name, command);
        let output = output(command);
        if output.is_none() {
            self.count(name, false);
        }
        output
    }

    fn start(&self, name: &str, command: &Command) {
        eprintln!("\n── {name}");
        eprintln!("   {}", shown(command));
    }

    /// Counts something that is not a command.
    pub(crate) fn count(&mut self, name: &str, ok: bool) {
        let list = if ok {
            &mut self.passed
        } else {
            &mut self.failed
        };
        list.push(name.into());
    }

    /// Counts what another report has counted.
    pub(crate) fn join(&mut self, other: Report) {
        self.passed.extend(other.passed);
        self.failed.extend(other.failed);
    }

    /// Prints the summary; failure when anything failed or nothing ran.
    pub(crate) fn finish(self) -> ExitCode {
        eprintln!("\n── summary");
        for name in &self.passed {
            eprintln!("   ok      {name}");
        }
        for name in &self.failed {
            eprintln!("   FAILED  {name}");
        }
        eprintln!("{} passed, {} failed", self.passed.len(), self.failed.len());
        if self.failed.is_empty() && !self.passed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    let dir = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    root().join(dir)
}

/// A command of the given words.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// `cargo` with these arguments.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// The standard output of `command` if it succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of this name answers `--version`.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
