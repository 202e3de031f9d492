//! The arguments, as clap reads them. Doc comments here are the texts of `--help`.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use otolith_dsp_core::deploy::{Deploy, Target};
use otolith_dsp_core::engine::Numeric;
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  all went well
  1  a check failed (over budget, damaged plan, unsupported operator)
  2  wrong usage, or a pipeline file that cannot be built
  3  an input file cannot be used; the other files were processed

Results go to stdout, messages to stderr. `otolith explain` lists every field of a pipeline file.";

/// Sensor samples in; features, decisions and plans for microcontrollers out.
#[derive(Debug, Parser)]
#[command(name = "otolith", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Arguments of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Global {
    /// Write results as JSON to stdout and errors as JSON to stderr (docs/cli.md has the schemas)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Only results and errors, no messages
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more about what is done
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// When to use colour; `auto` is on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Validate a pipeline; print the resolved spec, flash, RAM and modelled load
    Check(Check),
    /// Run a pipeline over recordings: one line per decision
    ///
    /// Each line has four columns, divided by tabs: file, seconds from the start of the recording,
    /// label, score (0 to 1).
    Run(Run),
    /// Compute the features of recordings
    Features(Features),
    /// Write the plan and its C source for the firmware
    Compile(Compile),
    /// Show what is in a plan (.oto), a model (.tflite) or a pipeline (.toml)
    Inspect(Inspect),
    /// Compare every stage with the f64 reference
    Diff(Diff),
    /// Compare a model's plan with the reference interpreter, layer by layer
    Verify(Verify),
    /// Explain a field of pipeline files, such as `mfcc.n_mels`
    Explain(Explain),
    /// Print the completion script of a shell
    Completions(Completions),
}

/// The pipeline file and changes to it.
#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// The pipeline file (TOML)
    #[arg(value_name = "PIPELINE", value_hint = ValueHint::FilePath)]
    pub(crate) pipeline: PathBuf,
    /// Override a field, such as `features.n_mels=32` or `keyword.model=other.tflite`; repeatable
    #[arg(long, value_name = "FIELD=VALUE", action = ArgAction::Append)]
    pub(crate) set: Vec<String>,
}

/// Arithmetic, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NumericArg {
    /// f64 on the host: the truth
    Reference,
    /// f32 on the host: fast
    Host,
    /// The device's f32 plan, bit for bit
    F32,
    /// The device's integer plan, bit for bit, at the precision of `[deploy]`
    Fixed,
}

impl NumericArg {
    /// The numeric, `fixed` at the precision that `deploy` states.
    pub(crate) fn numeric(self, deploy: &Deploy) -> Numeric {
        match self {
            Self::Reference => Numeric::Reference,
            Self::Host => Numeric::Host,
            Self::F32 => Numeric::F32,
            Self::Fixed => Numeric::Fixed(deploy.precision),
        }
    }
}

/// Arithmetic of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceArg {
    /// 32-bit floats
    F32,
    /// Integers
    Fixed,
}

/// The plan to make of a pipeline.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Arithmetic of the plan, short for `--set deploy.numeric=..` [default: that of `[deploy]`]
    #[arg(long, value_enum)]
    pub(crate) numeric: Option<DeviceArg>,
}

/// In what arithmetic, and on how many threads.
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// Arithmetic of the features [default: `run` takes the device's, as `[deploy]` says; `features`
    /// takes host]
    #[arg(long, value_enum)]
    pub(crate) numeric: Option<NumericArg>,
    /// Threads [default: one per processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Recordings (WAV, CSV, Edge Impulse's JSON and CBOR), folders or globs; `-` is stdin
    #[arg(required = true, value_name = "FILES", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<String>,
    /// Also print classifications without a decision (label `-`), and in a fifth column the best
    /// label
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Features {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Recordings (WAV, CSV, Edge Impulse's JSON and CBOR), folders or globs; `-` is stdin
    #[arg(required = true, value_name = "FILES", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<String>,
    /// File to write: .npy, .npz or .csv; `-` is CSV on stdout
    #[arg(short, long, default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Labels: `folders` (the name of each file's folder), or a CSV file with the columns file
    /// (relative to that CSV) and label
    #[arg(long, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    pub(crate) labels: Option<String>,
    /// Allow recordings with different numbers of rows: X becomes 2-D and `starts` says where each
    /// recording begins (.npz only)
    #[arg(long)]
    pub(crate) ragged: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Compile {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    /// Folder to write to; made if it is not there
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) output: PathBuf,
    /// What to write: the plan (NAME.oto), C source (NAME.h, NAME.c)
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Emit::Plan, Emit::C])]
    pub(crate) emit: Vec<Emit>,
    /// Only list the files that would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emit {
    Plan,
    C,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A .oto plan, a .tflite model or a pipeline file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Override a field of a pipeline; repeatable
    #[arg(long, value_name = "FIELD=VALUE", action = ArgAction::Append)]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The recording to compare on
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: String,
    /// Arithmetic to compare with `reference`
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) numeric: NumericArg,
}

/// A processor, as `[deploy]` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetArg {
    Generic,
    #[value(name = "cortex-m0plus")]
    CortexM0Plus,
    CortexM3,
    #[value(name = "cortex-m4f")]
    CortexM4f,
    CortexM7,
    CortexM33,
    Riscv32imac,
}

impl TargetArg {
    /// The processor.
    pub(crate) fn target(self) -> Target {
        match self {
            Self::Generic => Target::Generic,
            Self::CortexM0Plus => Target::CortexM0Plus,
            Self::CortexM3 => Target::CortexM3,
            Self::CortexM4f => Target::CortexM4f,
            Self::CortexM7 => Target::CortexM7,
            Self::CortexM33 => Target::CortexM33,
            Self::Riscv32imac => Target::Riscv32imac,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The model (.tflite)
    #[arg(value_name = "MODEL", value_hint = ValueHint::FilePath)]
    pub(crate) model: PathBuf,
    /// Inputs, one or several: raw bytes (.bin), or an array of the input's type (.npy)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) input: Option<PathBuf>,
    /// Number of random inputs [default: 10 without `--input`, else 0]
    #[arg(long, value_name = "N")]
    pub(crate) random: Option<usize>,
    /// Seed of the random inputs
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The processor whose plan is compared
    #[arg(long, value_enum, default_value = "generic")]
    pub(crate) target: TargetArg,
    /// Show each layer's ratio of signal to quantisation error, against real arithmetic
    #[arg(long)]
    pub(crate) loss: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A section or field, such as `input`, `mfcc` or `mfcc.n_mels`; all of them when left out
    pub(crate) path: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}
