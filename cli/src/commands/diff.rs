//! `otolith diff`: the error of every stage against the f64 reference.

use super::{print, print_json};
use crate::args::{Diff, NumericArg};
use crate::audio::Stored;
use crate::failure::{Failure, Status};
use crate::project::Project;
use crate::report::{Console, SCHEMA};
use crate::table::Table;
use otolith_dsp_core::EngineError;
use otolith_dsp_core::engine::{Engine, Numeric, StageTrace};
use otolith_dsp_core::executor::{Executor, Real, Samples, condition};
use otolith_dsp_core::graph::{Chain, Graph, Mode, Source, Stage, StageKind};
use otolith_dsp_core::input::Tail;
use otolith_dsp_nostd::q::f32_to_i16;
use serde::Serialize;
use std::path::Path;

/// How far one stage is from the reference.
#[derive(Serialize)]
struct StageError {
    stage: String,
    values: usize,
    /// Signal to error, absent when there is no error.
    snr_db: Option<f64>,
    max_error: f64,
    /// Largest magnitude of the reference.
    largest: f64,
    /// Bits between the largest integer seen and the largest that may be; only of `fixed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    headroom_bits: Option<f64>,
    /// Where the largest error is.
    worst: Worst,
}

#[derive(Serialize)]
struct Worst {
    row: usize,
    index: usize,
    reference: f64,
    found: f64,
}

pub(crate) fn run(args: &Diff, console: &Console) -> Result<Status, Failure> {
    if args.numeric == NumericArg::Reference {
        return Err(
            Failure::usage("--numeric reference: it would be compared with itself")
                .help("Use `--numeric f32`, `--numeric fixed` or `--numeric host`"),
        );
    }
    let project = Project::load(&args.pipeline)?;
    let numeric = args.numeric.numeric(project.deploy());
    if project.pipeline.graph().chains.len() > 1 {
        return Err(Failure::usage(
            "diff follows the stages of one block of features, and this pipeline joins several",
        )
        .help("Leave the other blocks out, or compare `otolith features` in two numerics"));
    }
    let recording = project.recording(Path::new(&args.file))?;
    for note in &recording.notes {
        console.note(&format!("{}: {note}", args.file));
    }
    let graph = project.pipeline.without_head();
    let mut samples = recording.samples;
    if let (Mode::Window { len, hop }, Tail::Pad) = (
        graph.first().recording().mode,
        project.pipeline.input().tail,
    ) {
        let axes = graph.first().source.axes;
        samples.pad(axes * whole_windows(samples.len() / axes, len, hop));
    }
    if let (Numeric::Fixed(_), Stored::F32(floats)) = (numeric, &samples) {
        console.note(&format!("{}: samples were rounded to 16 bits", args.file));
        samples = Stored::I16(floats.iter().map(|&x| f32_to_i16(x)).collect());
    }
    let samples = &samples;
    let failure = |error| project.engine_failure(&args.file, error);
    // The reference in full shows first whether the recording is long enough.
    let mut engine =
        Engine::new(&graph, Numeric::Reference, false).map_err(|e| failure(e.into()))?;
    engine.features(samples.as_samples()).map_err(failure)?;

    let reference = trace::<f64>(&graph, samples)?;
    let stages = graph.first().frame.iter().chain(&graph.first().rows);
    let mut skipped = Vec::new();
    let mut errors = Vec::new();
    match numeric {
        Numeric::Host => {
            let host = trace::<f32>(&graph, samples)?;
            for ((stage, expected), found) in stages.zip(&reference).zip(&host) {
                let found: Vec<f64> = found.iter().map(|&x| x.into()).collect();
                errors.push(StageError::new(stage, expected, &found)?);
            }
        }
        Numeric::Fixed(_) => {
            let mut engine = Engine::new(&graph, numeric, false).map_err(|e| failure(e.into()))?;
            let traces = engine.trace(samples.as_samples()).map_err(failure)?;
            for (stage, expected) in stages.zip(&reference) {
                let of_stage = || traces.iter().filter(|trace| trace.stage == stage.name);
                match of_stage().next_back() {
                    Some(found) => errors.push(StageError {
                        headroom_bits: of_stage()
                            .filter_map(StageTrace::headroom_bits)
                            .reduce(f64::min),
                        ..StageError::new(stage, expected, &found.values)?
                    }),
                    None => skipped.push(stage.name.clone()),
                }
            }
        }
        _ => {
            for (index, (stage, expected)) in stages.zip(&reference).enumerate() {
                // A plan cannot end with complex bins; power or magnitude follows.
                if matches!(stage.kind, StageKind::Rfft { .. }) {
                    skipped.push(stage.name.clone());
                    continue;
                }
                let part = prefix(&graph, index + 1, stage.len);
                let found = device(&part, samples).map_err(failure)?;
                errors.push(StageError::new(stage, expected, &found)?);
            }
        }
    }
    let scores = match project.pipeline.graph().head {
        Some(_) => Some(scores(project.pipeline.graph(), numeric, samples).map_err(failure)?),
        None => None,
    };

    if console.json {
        print_json(&serde_json::json!({
            "version": SCHEMA,
            "file": args.file,
            "numeric": numeric.name(),
            "against": Numeric::Reference.name(),
            "stages": errors,
            "skipped": skipped,
            "classifier": scores,
        }))?;
        return Ok(Status::Ok);
    }
    let mut table = Table::new(&[
        "stage",
        ">values",
        ">SNR dB",
        ">max error",
        ">largest",
        ">headroom",
        ">worst at",
        ">reference",
        ">found",
    ]);
    for error in &errors {
        table.row([
            error.stage.clone(),
            error.values.to_string(),
            error.snr_db.map_or("exact".into(), |db| format!("{db:.1}")),
            format!("{:.3e}", error.max_error),
            format!("{:.3e}", error.largest),
            error
                .headroom_bits
                .map_or("-".into(), |bits| format!("{bits:.1}")),
            format!("{},{}", error.worst.row, error.worst.index),
            format!("{:.6e}", error.worst.reference),
            format!("{:.6e}", error.worst.found),
        ]);
    }
    let title = format!("{} against reference, {}", numeric.name(), args.file);
    let mut text = format!("{}\n{table}", console.heading(&title));
    if let Some(scores) = scores {
        text += &format!(
            "classifier: {} of {} best labels equal, largest difference of a score {:.4}\n",
            scores.equal_labels, scores.classifications, scores.max_error
        );
    }
    print(&text)?;
    if !skipped.is_empty() {
        console.detail(&format!(
            "not compared: {} (the plan has no such values)",
            skipped.join(", ")
        ));
    }
    Ok(Status::Ok)
}

/// The output of every stage, over all whole windows.
fn trace<F: Real>(graph: &Graph, samples: &Stored) -> Result<Vec<Vec<F>>, Failure> {
    let mut executor = Executor::<F>::new(graph.first())
        .map_err(|error| Failure::usage(format!("the graph contradicts itself: {error}")))?;
    let mut all: Vec<Vec<F>> = Vec::new();
    let samples = samples.as_samples();
    let moments = samples.len() / graph.first().source.axes;
    let conditioned = condition(graph.first(), samples, moments);
    let samples = conditioned.as_ref().map_or(samples, Samples::from);
    for window in windows(&graph.first().source, samples) {
        for (stage, (_, values)) in executor.trace(window).into_iter().enumerate() {
            match all.get_mut(stage) {
                Some(before) => before.extend(values),
                None => all.push(values),
            }
        }
    }
    Ok(all)
}

fn windows<'a>(source: &Source, samples: Samples<'a>) -> Vec<Samples<'a>> {
    match source.mode {
        Mode::Stream | Mode::Clip => vec![samples],
        Mode::Window { len, hop } => (0..)
            .map(|i| i * hop * source.axes)
            .map(|start| (start, start + len * source.axes))
            .take_while(|&(_, end)| end <= samples.len())
            .map(|(start, end)| samples.slice(start, end))
            .collect(),
    }
}

/// Samples until windows cover all of `n`, as far as a window starts inside.
fn whole_windows(n: usize, len: usize, hop: usize) -> usize {
    match n.checked_sub(len).map(|rest| rest.div_ceil(hop) * hop) {
        None => len,
        Some(last) if last < n => last + len,
        Some(_) => n,
    }
}

/// The graph up to its first `n` stages.
fn prefix(graph: &Graph, n: usize, row_len: usize) -> Graph {
    let chain = graph.first();
    let in_frame = n.min(chain.frame.len());
    Graph {
        chains: vec![Chain {
            frame: chain.frame[..in_frame].to_vec(),
            rows: chain.rows[..n - in_frame].to_vec(),
            row_len,
            ..chain.clone()
        }],
        head: None,
        ..graph.clone()
    }
}

/// Features of the device's plan.
fn device(graph: &Graph, samples: &Stored) -> Result<Vec<f64>, EngineError> {
    let features = Engine::new(graph, Numeric::F32, false)?.features(samples.as_samples())?;
    Ok(features
        .values
        .to_f32()
        .into_iter()
        .map(f64::from)
        .collect())
}

impl StageError {
    fn new(stage: &Stage, reference: &[f64], found: &[f64]) -> Result<Self, Failure> {
        if reference.len() != found.len() {
            return Err(Failure::usage(format!(
                "{}: the reference gives {} values, the other numeric {}",
                stage.name,
                reference.len(),
                found.len()
            ))
            .help("This is a defect of otolith: please report it with the pipeline file"));
        }
        let (mut signal, mut noise, mut largest) = (0.0, 0.0, 0.0f64);
        let (mut max_error, mut worst) = (0.0, 0);
        for (index, (&x, &y)) in reference.iter().zip(found).enumerate() {
            let error = (x - y).abs();
            signal += x * x;
            noise += error * error;
            largest = largest.max(x.abs());
            // What is not a number is as wrong as can be.
            if error > max_error || error.is_nan() {
                (max_error, worst) = (error, index);
            }
        }
        // Bins are complex: two numbers each.
        let row_len = match stage.kind {
            StageKind::Rfft { .. } => 2 * stage.len,
            _ => stage.len,
        };
        let at = |values: &[f64]| values.get(worst).copied().unwrap_or(f64::NAN);
        Ok(Self {
            stage: stage.name.clone(),
            values: reference.len(),
            snr_db: (noise != 0.0).then(|| 10.0 * (signal / noise).log10()),
            max_error,
            largest,
            headroom_bits: None,
            worst: Worst {
                row: worst / row_len.max(1),
                index: worst % row_len.max(1),
                reference: at(reference),
                found: at(found),
            },
        })
    }
}

/// How far the classifier's answers are apart.
#[derive(Serialize)]
struct Scores {
    classifications: usize,
    equal_labels: usize,
    max_error: f32,
}

fn scores(graph: &Graph, numeric: Numeric, samples: &Stored) -> Result<Scores, EngineError> {
    let said = |numeric| Engine::new(graph, numeric, false)?.classify(samples.as_samples());
    let (reference, found): (Vec<_>, Vec<_>) = (said(Numeric::Reference)?, said(numeric)?);
    let best = |scores: &[f32]| {
        (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)))
    };
    let pairs = || reference.iter().zip(&found);
    Ok(Scores {
        classifications: reference.len(),
        equal_labels: pairs()
            .filter(|(a, b)| best(&a.scores) == best(&b.scores))
            .count(),
        max_error: pairs()
            .flat_map(|(a, b)| a.scores.iter().zip(&b.scores))
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max),
    })
}
