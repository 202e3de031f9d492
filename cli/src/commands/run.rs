//! `otolith run`: decisions over recordings.

use super::{print, print_json};
use crate::args::Run;
use crate::audio::Stored;
use crate::batch::each_file;
use crate::failure::{Failure, Status};
use crate::project::Project;
use crate::report::Console;
use clap::builder::styling::{AnsiColor, Style};
use otolith_dsp_core::engine::{Classification, Numeric};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::time::Instant;

struct Heard {
    said: Vec<Classification>,
    notes: Vec<String>,
    seconds: f64,
}

pub(crate) fn run(args: &Run, console: &Console) -> Result<Status, Failure> {
    let project = Project::load(&args.pipeline)?;
    let graph = project.pipeline.graph();
    let Some(head) = &graph.head else {
        return Err(Failure::usage(format!(
            "{}: the pipeline has no classifier or anomaly block",
            project.file
        ))
        .help("Add a block of type \"classifier\", or compute features with `otolith features`"));
    };
    let labels = &head.labels;
    // Values of a regression are never decided for: all are shown.
    let all = args.all || !head.decides();
    let numeric = match args.engine.numeric {
        Some(numeric) => numeric.numeric(project.deploy()),
        None => Numeric::of_device(project.deploy()),
    };
    let files = project.files(&args.files)?;
    console.detail(&format!("numeric {}", numeric.name()));
    let (rate_hz, axes) = (graph.first().recording().rate_hz, graph.first().source.axes);
    let widths = Widths {
        file: longest(files.iter().map(|file| file.display().to_string().len())),
        label: longest(labels.iter().map(String::len)),
    };
    let bar = console.progress(files.len(), true);
    let (mut decisions, mut seconds) = (0, 0.0);
    let started = Instant::now();
    let status = each_file(
        &files,
        &args.engine,
        console,
        &bar,
        || project.engine(graph, numeric),
        |engine, path| {
            let recording = project.recordings(path)?;
            let file = path.display().to_string();
            let said = engine
                .classify_of(&recording.samples())
                .map_err(|error| project.engine_failure(&file, error))?;
            Ok(Heard {
                said,
                notes: recording.notes,
                seconds: (recording.inputs.first().map_or(0, Stored::len) / axes) as f64 / rate_hz,
            })
        },
        |path, heard| {
            let file = path.display().to_string();
            for note in &heard.notes {
                bar.suspend(|| console.note(&format!("{file}: {note}")));
            }
            seconds += heard.seconds;
            let mut text = String::new();
            let mut decided = 0;
            for said in &heard.said {
                decided += usize::from(said.decision.is_some());
                if said.decision.is_none() && !all {
                    continue;
                }
                let line = Line::new(&file, rate_hz, labels, said, all);
                if console.json {
                    print_json(&line)?;
                } else if console.pretty() {
                    text += &line.pretty(&widths, console);
                } else {
                    text += &line.tabs();
                }
            }
            decisions += decided;
            print(&text)?;
            if decided == 0 && !all {
                bar.suspend(|| console.note(&format!("{file}: {}", undecided(labels, &heard))));
            }
            Ok(())
        },
    )?;
    if console.interactive() {
        let took = started.elapsed().as_secs_f64();
        console.note(&format!(
            "{decisions} decisions in {} files, {seconds:.1} s of recordings in {took:.2} s ({:.0} times real time)",
            files.len(),
            seconds / took.max(1e-9)
        ));
    }
    Ok(status)
}

fn longest(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.max().unwrap_or(0)
}

/// Index and value of the largest score, the first one of equals.
fn best(scores: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, &score) in scores.iter().enumerate() {
        if score > best.1 {
            best = (index, score);
        }
    }
    best
}

fn name(labels: &[String], index: usize) -> &str {
    labels.get(index).map_or("?", String::as_str)
}

fn undecided(labels: &[String], heard: &Heard) -> String {
    let top = heard
        .said
        .iter()
        .map(|said| best(&said.scores))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    match top {
        Some((label, score)) => format!(
            "no decision; highest score {score:.3} for {}",
            name(labels, label)
        ),
        None => "no decision".into(),
    }
}

struct Widths {
    file: usize,
    label: usize,
}

/// One line of output.
struct Line<'a> {
    file: &'a str,
    time_s: f64,
    /// `None` where nothing was decided.
    label: Option<&'a str>,
    score: f32,
    /// With `--all`.
    best: Option<&'a str>,
    scores: Scores<'a>,
}

struct Scores<'a> {
    labels: &'a [String],
    values: &'a [f32],
}

impl<'a> Line<'a> {
    fn new(
        file: &'a str,
        rate_hz: f64,
        labels: &'a [String],
        said: &'a Classification,
        all: bool,
    ) -> Self {
        let (top, top_score) = best(&said.scores);
        Self {
            file,
            time_s: said.samples as f64 / rate_hz,
            label: said.decision.map(|(label, _)| name(labels, label)),
            score: said.decision.map_or(top_score, |(_, score)| score),
            best: all.then(|| name(labels, top)),
            scores: Scores {
                labels,
                values: &said.scores,
            },
        }
    }

    fn tabs(&self) -> String {
        let Self {
            file,
            time_s,
            score,
            ..
        } = self;
        let label = self.label.unwrap_or("-");
        let best = self
            .best
            .map(|best| format!("\t{best}"))
            .unwrap_or_default();
        format!("{file}\t{time_s:.3}\t{label}\t{score:.3}{best}\n")
    }

    fn pretty(&self, widths: &Widths, console: &Console) -> String {
        let style = console.style(match self.label {
            Some(_) => Style::new().bold().fg_color(Some(AnsiColor::Green.into())),
            None => Style::new().dimmed(),
        });
        let best = self
            .best
            .map(|best| format!("  {best}"))
            .unwrap_or_default();
        format!(
            "{:<file$}  {:>9.3} s  {style}{:<label$}{style:#}  {:.3}{best}\n",
            self.file,
            self.time_s,
            self.label.unwrap_or("-"),
            self.score,
            file = widths.file,
            label = widths.label,
        )
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("file", self.file)?;
        map.serialize_entry("time_s", &self.time_s)?;
        map.serialize_entry("label", &self.label)?;
        map.serialize_entry("score", &self.score)?;
        if let Some(best) = self.best {
            map.serialize_entry("best", best)?;
        }
        map.serialize_entry("scores", &self.scores)?;
        map.end()
    }
}

impl Serialize for Scores<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.labels.iter().zip(self.values))
    }
}
