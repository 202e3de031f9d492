//! Every check that a contributor runs: `cargo xtask <verb>`. Continuous integration calls the
//! same verbs.

mod accuracy;
mod arena;
mod c;
mod checks;
mod count;
mod cycles;
mod elf;
mod gates;
mod images;
mod measured;
mod networks;
mod qemu;
mod run;
mod setup;
mod size;
mod snapshot;

use clap::{Parser, Subcommand};
use run::Report;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Every check that a contributor runs")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// Tables as JSON on the standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Subcommand)]
enum Verb {
    /// Install what the tests need, then run all of them (what continuous integration runs)
    Test,
    /// Install what the tests need: rustup targets, Debian packages (as root), a Python venv
    Setup,
    /// Formatting, clippy without warnings, documentation without warnings
    Lint,
    /// Unit, property, golden and command line tests of the Rust crates
    Rust,
    /// The device crates for every Arm and RISC-V target
    Device,
    /// The same bits from a debug and a release build
    Bits,
    /// The same bits from those builds and from every emulated core
    Qemu,
    /// Flash, RAM and stack of firmware images
    Size,
    /// No panic, heap, formatting and, in integer plans, float code in firmware images
    Gates,
    /// Instructions of a frame and its operators on emulated cores
    Count,
    /// Instructions of an inference of the reference networks on emulated cores
    Networks {
        /// Only networks and cores with these names
        names: Vec<String>,
    },
    /// RAM of the reference networks, against lower bounds and TFLite Micro's
    Arena,
    /// The example's decisions in C, from `otolith compile` and the system's C compiler
    C,
    /// How accurate integer features are, against f64 and the committed table
    Accuracy,
    /// Install the Python module into a fresh virtual environment and run its tests
    Python,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut report = Report::new(cli.json);
    match cli.verb {
        Verb::Test => test(&mut report),
        Verb::Setup => setup::all(&mut report),
        Verb::Lint => checks::lint(&mut report),
        Verb::Rust => checks::rust(&mut report),
        Verb::Device => checks::device(&mut report),
        Verb::Bits => qemu::bits(&mut report),
        Verb::Qemu => qemu::all(&mut report),
        Verb::Size => firmware(&mut report, &[size::all]),
        Verb::Gates => firmware(&mut report, &[gates::all]),
        Verb::Count => count::all(&mut report),
        Verb::Networks { names } => networks::all(&mut report, &names),
        Verb::Arena => arena::check(&mut report),
        Verb::C => c::decisions(&mut report),
        Verb::Accuracy if cli.json => return accuracy::print_json(),
        Verb::Accuracy => accuracy::check(&mut report),
        Verb::Python => checks::python(&mut report),
    }
    report.finish()
}

/// Every check. Those of devices build image after image on one core, so they run beside the others.
fn test(report: &mut Report) {
    setup::all(report);
    checks::lint(report);
    let (mut host, mut devices) = (Report::new(report.json), Report::new(report.json));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            checks::device(&mut devices);
            qemu::all(&mut devices);
            firmware(&mut devices, &[size::all, gates::all]);
            count::all(&mut devices);
            networks::all(&mut devices, &[]);
        });
        checks::rust(&mut host);
        accuracy::check(&mut host);
        c::decisions(&mut host);
        checks::python(&mut host);
    });
    report.join(host);
    report.join(devices);
}

/// Measures of firmware images, which are built once.
fn firmware(report: &mut Report, measures: &[fn(&mut Report, &[size::Firmware])]) {
    let firmwares = size::firmwares(report);
    for measure in measures {
        measure(report, &firmwares);
    }
}
