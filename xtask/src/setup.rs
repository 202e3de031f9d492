//! Installs what the tests need and says plainly what it could not.

use crate::run::{Report, command, exists, output, root};
use std::path::PathBuf;

/// Targets that the device crates are built for.
pub(crate) const TARGETS: [&str; 5] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "riscv32imac-unknown-none-elf",
];

/// Debian packages, each with a program that it brings.
const PACKAGES: [(&str, &str); 5] = [
    ("gcc", "cc"),
    ("g++", "c++"),
    ("gcc-arm-none-eabi", "arm-none-eabi-gcc"),
    ("qemu-system-arm", "qemu-system-arm"),
    ("qemu-system-misc", "qemu-system-riscv32"),
];

/// Python packages of the Python tests.
const PYTHON_PACKAGES: [&str; 3] = ["numpy>=1.24", "pytest>=8", "maturin>=1.7,<2"];

pub(crate) fn all(report: &mut Report) {
    rustup(report);
    debian(report);
    venv(report);
}

fn rustup(report: &mut Report) {
    let mut words = vec!["rustup", "target", "add"];
    words.extend(TARGETS);
    report.check("rustup targets", &mut command(&words));
}

fn debian(report: &mut Report) {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, program)| !exists(program))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        report.count("Debian packages: all there", true);
        return;
    }
    let root_user = output(&mut command(&["id", "-u"])).is_some_and(|id| id.trim() == "0");
    if !root_user || !exists("apt-get") {
        eprintln!("   cannot install {missing:?}: please install them and run this again");
        report.count(&format!("Debian packages {missing:?}"), false);
        return;
    }
    report.check("apt-get update", &mut command(&["apt-get", "update", "-q"]));
    let mut install = vec!["apt-get", "install", "-y", "-q", "--no-install-recommends"];
    install.extend(missing);
    report.check(
        "Debian packages",
        command(&install).env("DEBIAN_FRONTEND", "noninteractive"),
    );
}

/// Where the tests' Python environment lives.
pub(crate) fn venv_dir() -> PathBuf {
    root().join("target/venv")
}

/// A program of the tests' Python environment.
pub(crate) fn venv_program(name: &str) -> String {
    let path = venv_dir().join("bin").join(name);
    path.to_string_lossy().into_owned()
}

fn venv(report: &mut Report) {
    let dir = venv_dir();
    let dir = dir.to_string_lossy();
    if !report.check(
        "Python venv",
        &mut command(&["python3", "-m", "venv", &dir]),
    ) {
        return;
    }
    let python = venv_program("python");
    let mut words = vec![&*python, "-m", "pip", "install", "-q", "--upgrade"];
    words.extend(PYTHON_PACKAGES);
    report.check("Python packages", &mut command(&words));
}
