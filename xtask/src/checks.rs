//! The checks themselves.

use crate::c;
use crate::images::M4F;
use crate::measured::PLANS;
use crate::run::{Report, cargo, command};
use crate::setup::{TARGETS, venv_program};

pub(crate) fn lint(report: &mut Report) {
    report.check("format", &mut cargo(&["fmt", "--all", "--check"]));
    report.check(
        "clippy",
        &mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]),
    );
    device_images(report);
    report.check(
        "documentation",
        cargo(&["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"),
    );
}

/// On the host the programs for devices are next to empty; their plans do not matter here.
fn device_images(report: &mut Report) {
    let Some(plan) = PLANS[0].make(report) else {
        return;
    };
    let mut words = vec!["clippy", "--quiet", "-p", "otolith-conformance-device"];
    words.extend(["--target", M4F.target, "--", "-D", "warnings"]);
    report.check(
        "clippy of the device images",
        cargo(&words)
            .env("OTOLITH_PLAN", &plan)
            .env("OTOLITH_PACK", plan.with_extension("oto")),
    );
}

pub(crate) fn rust(report: &mut Report) {
    // With the feature, integer operators count what saturates; one of the tests asks for it.
    let words = "test --workspace --features otolith-dsp-core/checked";
    report.check(
        "Rust tests",
        &mut cargo(&words.split(' ').collect::<Vec<_>>()),
    );
}

pub(crate) fn device(report: &mut Report) {
    for target in TARGETS {
        report.check(
            &format!("device crates for {target}"),
            &mut cargo(&[
                "build",
                "--quiet",
                "--profile",
                "firmware",
                "--target",
                target,
                "-p",
                "otolith-dsp-nostd",
                "-p",
                "otolith-classifier",
                "-p",
                "otolith-ffi-c",
            ]),
        );
    }
}

pub(crate) fn python(report: &mut Report) {
    let pip = venv_program("python");
    let installed = report.check(
        "pip install ./python-bindings",
        &mut command(&[
            &pip,
            "-m",
            "pip",
            "install",
            "-q",
            "--force-reinstall",
            "--no-deps",
            "./python-bindings",
        ]),
    );
    // The tests compare with the command line tool.
    let built = c::build(report);
    if installed && built {
        report.check(
            "Python tests",
            &mut command(&[&pip, "-m", "pytest", "-q", "python-bindings/tests"]),
        );
    }
}
