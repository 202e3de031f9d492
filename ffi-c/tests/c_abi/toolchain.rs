//! Builds the library and C programs with it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

/// The warnings that our C is free of.
pub(crate) const WARNINGS: [&str; 6] = [
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Werror",
    "-pedantic",
];

/// A core that the library is built for, and how gcc names it.
pub(crate) struct Core {
    pub(crate) target: &'static str,
    pub(crate) flags: &'static [&'static str],
}

pub(crate) const CORTEX_M4F: Core = Core {
    target: "thumbv7em-none-eabihf",
    flags: &[
        "-mcpu=cortex-m4",
        "-mthumb",
        "-mfloat-abi=hard",
        "-mfpu=fpv4-sp-d16",
    ],
};

pub(crate) const CORTEX_M0: Core = Core {
    target: "thumbv6m-none-eabi",
    flags: &["-mcpu=cortex-m0plus", "-mthumb", "-mfloat-abi=soft"],
};

/// This crate's folder.
pub(crate) fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The static library for `target`, or for this machine.
pub(crate) fn library(target: Option<&'static str>) -> PathBuf {
    built("staticlib", target).join("libotolith.a")
}

/// The shared library for this machine.
pub(crate) fn shared_library() -> PathBuf {
    built("cdylib", None).join("libotolith.so")
}

/// The folder with a library, built once per run, with the profile with which it is shipped.
fn built(kind: &'static str, target: Option<&'static str>) -> PathBuf {
    type Built = HashMap<(&'static str, Option<&'static str>), PathBuf>;
    static BUILT: Mutex<Option<Built>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(|broken| broken.into_inner());
    built
        .get_or_insert_default()
        .entry((kind, target))
        .or_insert_with(|| build(kind, target))
        .clone()
}

fn build(kind: &str, target: Option<&str>) -> PathBuf {
    // A folder of its own: the workspace's holds libraries of the same name for other uses.
    let mut folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(crate_dir())
        .args(["rustc", "--quiet", "--lib", "--crate-type", kind])
        .args(["--profile", "firmware", "--target-dir"])
        .arg(&folder);
    if let Some(target) = target {
        cargo.args(["--target", target]);
        folder.push(target);
    }
    run(&mut cargo);
    folder.join("firmware")
}

/// Runs a command that must succeed; returns what it wrote to stdout.
pub(crate) fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn output(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}; `cargo xtask setup` installs it"))
}

/// The system's C compiler with our warnings for the standard `std`, such as `c99`.
pub(crate) fn cc(std: &str) -> Command {
    compiler("cc", std)
}

/// The system's C++ compiler.
pub(crate) fn cxx(std: &str) -> Command {
    compiler("c++", std)
}

/// gcc for `core`, without a C library.
pub(crate) fn arm_gcc(core: &Core) -> Command {
    let mut command = compiler("arm-none-eabi-gcc", "c99");
    command.args(core.flags).args([
        "-Os",
        "-ffreestanding",
        "-ffunction-sections",
        "-fdata-sections",
    ]);
    command
}

fn compiler(program: &str, std: &str) -> Command {
    let mut command = Command::new(program);
    command
        .arg(format!("-std={std}"))
        .args(WARNINGS)
        .arg("-I")
        .arg(crate_dir().join("include"));
    command
}

/// Compiles `sources` to a program of this machine, linked with the static library.
pub(crate) fn link(command: &mut Command, sources: &[&Path], program: &Path) {
    command
        .args(sources)
        .arg("-o")
        .arg(program)
        .arg(library(None))
        .arg("-Wl,--gc-sections");
    run(command);
}
