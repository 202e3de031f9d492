//! A pipeline file, read and ready to run.

use crate::args::{DeviceArg, PipelineArgs, PlanArgs};
use crate::audio::{self, Recording, Stored};
use crate::failure::{Failure, Status};
use crate::{inputs, sensor};
use otolith_dsp_core::deploy::Deploy;
use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_dsp_core::executor::Samples;
use otolith_dsp_core::graph::Graph;
use otolith_dsp_core::input::{Input, Tail};
use otolith_dsp_core::lower::{lower_f32, lower_fixed};
use otolith_dsp_core::plan_builder::PlanBytes;
use otolith_dsp_core::{EngineError, Override, Pipeline};
use std::fs;
use std::path::{Path, PathBuf};

/// A pipeline and the file that it came from.
pub(crate) struct Project {
    /// Name of the file, as it was given.
    pub(crate) file: String,
    pub(crate) pipeline: Pipeline,
}

/// The value of `--set`, where a file that is named relative to the current directory gets its
/// whole path: shells complete such names. Other relative names stay relative to the pipeline's
/// folder, as in the file.
fn from_here(field: &str, value: &str) -> String {
    let names_a_file = field.ends_with(".model") || field.ends_with(".labels");
    let path = Path::new(value);
    if names_a_file
        && path.is_relative()
        && path.is_file()
        && let Ok(path) = std::path::absolute(path)
    {
        return path.to_string_lossy().into_owned();
    }
    value.to_owned()
}

/// A recording that fits the pipeline.
pub(crate) struct Prepared {
    pub(crate) samples: Stored,
    /// What was done to it that its owner should know.
    pub(crate) notes: Vec<String>,
}

/// A recording for each input of the pipeline.
pub(crate) struct Recordings {
    pub(crate) inputs: Vec<Stored>,
    /// What was done to them that their owner should know.
    pub(crate) notes: Vec<String>,
}

impl Recordings {
    pub(crate) fn samples(&self) -> Vec<Samples<'_>> {
        self.inputs.iter().map(Stored::as_samples).collect()
    }
}

/// Rates in hertz that audio is converted from. Others are more likely damage than audio, and
/// converting from a few hertz makes gigabytes of kilobytes.
const CONVERTIBLE_HZ: std::ops::RangeInclusive<f64> = 1_000.0..=768_000.0;

impl Project {
    pub(crate) fn load(args: &PipelineArgs) -> Result<Self, Failure> {
        Self::read(&args.pipeline, &args.set)
    }

    /// The pipeline for which `plan` chooses the device's arithmetic.
    pub(crate) fn for_plan(path: &Path, set: &[String], plan: &PlanArgs) -> Result<Self, Failure> {
        let mut set = set.to_vec();
        set.extend(plan.numeric.map(|numeric| {
            let name = match numeric {
                DeviceArg::F32 => "f32",
                DeviceArg::Fixed => "fixed",
            };
            format!("deploy.numeric={name}")
        }));
        Self::read(path, &set)
    }

    fn read(path: &Path, set: &[String]) -> Result<Self, Failure> {
        let file = path.display().to_string();
        let bytes = fs::read(path).map_err(|error| Failure::io(Status::Usage, path, &error))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Failure::usage(format!("{file}: not a text in UTF-8 (byte {at})"))
                .help("A pipeline is a TOML file; `otolith inspect` also reads .oto and .tflite")
        })?;
        let overrides = set
            .iter()
            .map(|argument| match argument.split_once('=') {
                Some((path, value)) if !path.is_empty() => {
                    Ok(Override::new(path, from_here(path, value)))
                }
                _ => Err(Failure::usage(format!("--set {argument}: no FIELD=VALUE"))
                    .help("For example `--set features.n_mels=32`")),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let base = path.parent().unwrap_or(Path::new(""));
        match Pipeline::from_toml(&text, base, &overrides) {
            Ok(pipeline) => Ok(Self { file, pipeline }),
            Err(error) => Err(Failure::config(&error, &file, &text)),
        }
    }

    /// Prepares `graph`, this pipeline's or a part of it.
    pub(crate) fn engine(&self, graph: &Graph, numeric: Numeric) -> Result<Engine, Failure> {
        let pad_tail = self.pipeline.input().tail == Tail::Pad;
        Engine::new(graph, numeric, pad_tail).map_err(|error| Failure::lower(&error, &self.file))
    }

    /// What the pipeline is to run on.
    pub(crate) fn deploy(&self) -> &Deploy {
        self.pipeline.deploy()
    }

    /// The device's plan, as `[deploy]` says. A clip has none, since its length is not fixed.
    pub(crate) fn plan(&self) -> Result<PlanBytes, Failure> {
        let graph = self.pipeline.graph();
        match Numeric::of_device(self.deploy()) {
            Numeric::Fixed(precision) => lower_fixed(graph, None, precision),
            _ => lower_f32(graph, None),
        }
        .map_err(|error| Failure::lower(&error, &self.file))
    }

    /// A failure to run the recording `file`.
    pub(crate) fn engine_failure(&self, file: &str, error: EngineError) -> Failure {
        match error {
            EngineError::TooShort { .. } => Failure::input(file, error),
            EngineError::Lower(error) => Failure::lower(&error, &self.file),
            EngineError::NoClassifier => Failure::usage(format!("{}: {error}", self.file)),
            error => Failure::usage(format!("{file}: {error}"))
                .help("This is a defect of otolith: please report it with the pipeline file"),
        }
    }

    /// The recordings that `arguments` name.
    pub(crate) fn files(&self, arguments: &[String]) -> Result<Vec<PathBuf>, Failure> {
        inputs::expand(arguments, self.pipeline.input().sensor.is_some())
    }

    /// Reads the recordings that `path` names, one for each input of the pipeline: several stand
    /// behind each other with `+` between them.
    pub(crate) fn recordings(&self, path: &Path) -> Result<Recordings, Failure> {
        let inputs = self.pipeline.inputs();
        let text = path.display().to_string();
        let paths: Vec<&str> = match inputs.len() {
            1 => vec![&text],
            _ => text.split('+').collect(),
        };
        if paths.len() != inputs.len() {
            let ids: Vec<&str> = inputs.iter().map(|input| input.id.as_str()).collect();
            return Err(Failure::usage(format!(
                "{text}: one recording, but the pipeline has the inputs {}",
                ids.join(", ")
            ))
            .help("Name one file for each input with `+` between them, such as a.wav+b.csv"));
        }
        let mut all = Recordings {
            inputs: Vec::with_capacity(inputs.len()),
            notes: Vec::new(),
        };
        for (path, input) in paths.into_iter().zip(inputs) {
            let prepared = self.recording_of(Path::new(path), input)?;
            all.inputs.push(prepared.samples);
            all.notes.extend(prepared.notes);
        }
        Ok(all)
    }

    /// Reads a recording and makes it fit: the pipeline's axes or one channel, the pipeline's
    /// rate. 16-bit samples of audio that fit already stay as they are.
    pub(crate) fn recording(&self, path: &Path) -> Result<Prepared, Failure> {
        self.recording_of(path, self.pipeline.input())
    }

    fn recording_of(&self, path: &Path, input: &Input) -> Result<Prepared, Failure> {
        let file = path.display().to_string();
        let bytes = inputs::read(path).map_err(|error| Failure::input(&file, error))?;
        if let Some(sensor) = &input.sensor {
            let prepared =
                sensor::read(&bytes, sensor).map_err(|error| Failure::input(&file, error))?;
            return Ok(Prepared {
                samples: Stored::F32(prepared.samples),
                notes: prepared.notes,
            });
        }
        let Recording {
            rate_hz,
            channels,
            samples,
        } = audio::read(&bytes, path, input.rate_hz)
            .map_err(|error| Failure::input(&file, error))?;
        let rate_hz = rate_hz.unwrap_or(input.rate_hz);
        if channels == 1 && rate_hz == input.rate_hz {
            return Ok(Prepared {
                samples,
                notes: Vec::new(),
            });
        }
        if rate_hz != input.rate_hz && !CONVERTIBLE_HZ.contains(&rate_hz) {
            return Err(Failure::input(
                &file,
                format!(
                    "its sample rate is {rate_hz} Hz, the pipeline's is {} Hz; only {} to {} Hz are converted",
                    input.rate_hz,
                    CONVERTIBLE_HZ.start(),
                    CONVERTIBLE_HZ.end()
                ),
            ));
        }
        let prepared = input
            .prepare(&samples.into_f32(), channels, rate_hz)
            .map_err(|error| Failure::input(&file, error))?;
        Ok(Prepared {
            samples: Stored::F32(prepared.samples),
            notes: prepared.notes,
        })
    }
}
