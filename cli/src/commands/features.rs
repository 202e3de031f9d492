//! `otolith features`: features of recordings, as CSV or NumPy arrays.

use super::print_json;
use crate::args::Features;
use crate::batch::each_file;
use crate::failure::{Failure, Status};
use crate::feature_files::{CsvRows, Entry, Layout, Stack, write_npy, write_npz};
use crate::labels::Labels;
use crate::output::write_whole;
use crate::project::Project;
use crate::report::{Console, SCHEMA};
use otolith_dsp_core::engine::{Numeric, Values};
use serde_json::json;
use std::io::{self, stdout};
use std::path::Path;

/// Form of the output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// CSV or, with `--json`, JSON on stdout.
    Stdout,
    Csv,
    Npy,
    Npz,
}

impl Form {
    fn of(output: &Path) -> Result<Self, Failure> {
        if output == Path::new("-") {
            return Ok(Self::Stdout);
        }
        match output.extension().and_then(|e| e.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("npy") => Ok(Self::Npy),
            Some("npz") => Ok(Self::Npz),
            _ => Err(Failure::usage(format!(
                "{}: the ending of the output says its form",
                output.display()
            ))
            .help("Expected .npy, .npz or .csv, or `-` for CSV on stdout")),
        }
    }
}

pub(crate) fn run(args: &Features, console: &Console) -> Result<Status, Failure> {
    let form = Form::of(&args.output)?;
    if args.ragged && form != Form::Npz {
        return Err(Failure::usage("--ragged has a meaning for .npz only")
            .help("CSV takes recordings of any length anyway; .npy has no place for `starts`"));
    }
    let project = Project::load(&args.pipeline)?;
    let numeric = match args.engine.numeric {
        Some(numeric) => numeric.numeric(project.deploy()),
        None => Numeric::Host,
    };
    let labels = args.labels.as_deref().map(Labels::read).transpose()?;
    let graph = project.pipeline.without_head();
    let layout = Layout::new(&graph);
    let files = project.files(&args.files)?;
    console.detail(&format!("numeric {}", numeric.name()));

    let csv_failure = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => Failure::stdout(&error),
        _ => Failure::usage("a row of features has no CSV form"),
    };
    let mut rows = match form == Form::Stdout && !console.json {
        true => {
            Some(CsvRows::new(stdout().lock(), &layout, labels.is_some()).map_err(csv_failure)?)
        }
        false => None,
    };
    let mut entries = Vec::new();
    let bar = console.progress(files.len(), form == Form::Stdout);
    let status = each_file(
        &files,
        &args.engine,
        console,
        &bar,
        || project.engine(&graph, numeric),
        |engine, path| {
            let file = path.display().to_string();
            let label = labels.as_ref().map(|labels| labels.of(path)).transpose()?;
            let recording = project.recordings(path)?;
            let features = engine
                .features_of(&recording.samples())
                .map_err(|error| project.engine_failure(&file, error))?;
            let entry = Entry {
                file,
                label,
                features,
            };
            Ok((entry, recording.notes))
        },
        |_, (entry, notes)| {
            for note in &notes {
                bar.suspend(|| console.note(&format!("{}: {note}", entry.file)));
            }
            match &mut rows {
                Some(rows) => rows.write(&layout, &entry).map_err(csv_failure)?,
                None if form == Form::Stdout => print_json(&object(&entry, &layout))?,
                None => entries.push(entry),
            }
            Ok(())
        },
    )?;
    if let Some(mut rows) = rows {
        rows.flush().map_err(|error| Failure::stdout(&error))?;
    }
    if form == Form::Stdout {
        return Ok(status);
    }
    if entries.is_empty() {
        return Err(Failure::input(
            &args.output.display().to_string(),
            "not written: no recording gave features",
        ));
    }
    let shape = match form {
        Form::Stdout | Form::Csv => {
            write_whole(&args.output, |out| {
                let mut rows =
                    CsvRows::new(out, &layout, labels.is_some()).map_err(io::Error::other)?;
                for entry in &entries {
                    rows.write(&layout, entry).map_err(io::Error::other)?;
                }
                rows.flush()
            })?;
            let rows = entries.iter().map(|e| e.features.windows * e.features.rows);
            vec![rows.sum::<usize>() as u64, graph.row_len() as u64]
        }
        Form::Npy => {
            let stack = Stack::new(&entries, false)?;
            write_whole(&args.output, |out| write_npy(out, &entries, &stack))?;
            stack.shape
        }
        Form::Npz => {
            let stack = Stack::new(&entries, args.ragged)?;
            write_whole(&args.output, |out| {
                write_npz(out, &entries, &layout, &stack)
            })?;
            stack.shape
        }
    };
    let output = args.output.display().to_string();
    if console.json {
        print_json(&json!({
            "version": SCHEMA,
            "output": output,
            "numeric": numeric.name(),
            "shape": shape,
            "files": entries.len(),
            "left_out": files.len() - entries.len(),
        }))?;
    } else {
        console.note(&format!(
            "{output}: {} recordings, shape {shape:?}, numeric {}",
            entries.len(),
            numeric.name()
        ));
    }
    Ok(status)
}

/// One recording as JSON.
fn object(entry: &Entry, layout: &Layout) -> serde_json::Value {
    let features = &entry.features;
    let mut object = json!({
        "file": entry.file,
        "windows": features.windows,
        "rows": features.rows,
        "row_len": features.row_len,
        "names": layout.names,
        "values": match &features.values {
            Values::F32(values) => json!(values),
            values => json!(values.to_f64()),
        },
    });
    if let Some(label) = &entry.label {
        object["label"] = json!(label);
    }
    object
}
