//! Labels of recordings: from the names of their folders, or from a table.

use crate::failure::{Failure, Status};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where labels come from.
pub(crate) enum Labels {
    /// The name of each file's folder.
    Folders,
    /// A CSV file.
    Table {
        file: String,
        /// Labels by the real path of the recording.
        by_path: HashMap<PathBuf, String>,
    },
}

impl Labels {
    /// Reads the argument of `--labels`.
    pub(crate) fn read(source: &str) -> Result<Self, Failure> {
        if source == "folders" {
            return Ok(Self::Folders);
        }
        let path = Path::new(source);
        let folder = path.parent().unwrap_or(Path::new(""));
        let text = fs::read(path).map_err(|error| Failure::io(Status::Usage, path, &error))?;
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text);
        let syntax = |error: csv::Error| Failure::usage(format!("{source}: {error}"));
        let header = reader.headers().map_err(syntax)?.clone();
        let column = |name: &str| {
            header.iter().position(|h| h == name).ok_or_else(|| {
                let found: Vec<_> = header.iter().collect();
                Failure::usage(format!(
                    "{source}: no column `{name}`; its columns are: {}",
                    found.join(", ")
                ))
                .help("The first line names the columns; `file` and `label` are needed")
            })
        };
        let (file_column, label_column) = (column("file")?, column("label")?);
        let mut by_path = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(syntax)?;
            let line = record.position().map_or(0, csv::Position::line);
            let (file, label) = (&record[file_column], &record[label_column]);
            if label.is_empty() {
                return Err(Failure::usage(format!(
                    "{source}: line {line} has no label for {file}"
                )));
            }
            // Files that are not there are nobody's recording.
            let Ok(real) = folder.join(file).canonicalize() else {
                continue;
            };
            match by_path.insert(real, label.to_owned()) {
                Some(before) if before != label => {
                    return Err(Failure::usage(format!(
                        "{source}: line {line} labels {file} `{label}`, an earlier line says `{before}`"
                    )));
                }
                _ => {}
            }
        }
        Ok(Self::Table {
            file: source.into(),
            by_path,
        })
    }

    /// The label of a recording.
    pub(crate) fn of(&self, path: &Path) -> Result<String, Failure> {
        let shown = path.display().to_string();
        let real = path.canonicalize().ok();
        match self {
            Self::Folders => real
                .as_deref()
                .and_then(Path::parent)
                .and_then(Path::file_name)
                .map(|name| name.to_string_lossy().into_owned())
                .ok_or_else(|| Failure::input(&shown, "no folder whose name could be its label")),
            Self::Table { file, by_path } => real
                .and_then(|real| by_path.get(&real).cloned())
                .ok_or_else(|| {
                    Failure::input(&shown, format!("no line in {file} gives its label")).help(
                        "The column `file` holds paths relative to the folder of the CSV file",
                    )
                }),
        }
    }
}
