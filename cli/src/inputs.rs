//! Which recordings are meant: files, folders and globs, in a stable order.

use crate::delimited::Delimited;
use crate::failure::{Failure, Status};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The recordings that `arguments` name. Files of a folder or glob are sorted by name; the order
/// of the arguments is kept. A folder is searched for WAV files, and for text and acquisition files
/// too if they are recordings of `sensors`.
pub(crate) fn expand(arguments: &[String], sensors: bool) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for argument in arguments {
        let path = Path::new(argument);
        let before = files.len();
        if path.is_dir() {
            search(path, sensors, &mut files)?;
            if files.len() == before {
                return Err(Failure::input(
                    argument,
                    match sensors {
                        true => "the folder has no .csv, .tsv, .json, .cbor or .wav file",
                        false => "the folder has no .wav file",
                    },
                ));
            }
        } else if argument != "-" && !path.exists() && argument.contains(['*', '?', '[']) {
            let matches = glob::glob(argument).map_err(|error| {
                Failure::usage(format!("`{argument}` is not a glob: {}", error.msg))
            })?;
            for found in matches {
                let found = found
                    .map_err(|error| Failure::io(Status::BadInput, error.path(), error.error()))?;
                if found.is_dir() {
                    search(&found, sensors, &mut files)?;
                } else {
                    files.push(found);
                }
            }
            if files.len() == before {
                return Err(Failure::input(argument, "no file matches"));
            }
        } else {
            files.push(path.to_owned());
        }
    }
    Ok(files)
}

/// Adds the recordings in `folder` and the folders in it.
fn search(folder: &Path, sensors: bool, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::io(Status::BadInput, folder, &error);
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    entries.sort();
    for path in entries {
        // Links to folders are not followed: they can lead in a circle.
        if path.is_dir() && !path.is_symlink() {
            search(&path, sensors, files)?;
        } else if is_recording(&path, sensors) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file found in a folder is a recording. Beside recordings of audio, other files are
/// something else; beside recordings of sensors there may be tables of labels. Nor are files whose
/// name starts with a dot recordings: some systems leave such files with the ending of the file that
/// they describe.
fn is_recording(path: &Path, sensors: bool) -> bool {
    let text =
        |name: Option<&std::ffi::OsStr>| name.and_then(|n| n.to_str()).unwrap_or("").to_owned();
    let ending = text(path.extension()).to_lowercase();
    let is_read = match ending.as_str() {
        "wav" => true,
        "csv" | "tsv" => sensors && !is_table_of_labels(path),
        "json" | "cbor" => sensors,
        _ => false,
    };
    is_read && !text(path.file_name()).starts_with('.') && path.is_file()
}

/// Whether a file has the columns that `--labels` needs.
fn is_table_of_labels(path: &Path) -> bool {
    const LONGEST_HEADER: u64 = 4096;
    let mut start = Vec::new();
    let Ok(file) = fs::File::open(path) else {
        return false;
    };
    if file.take(LONGEST_HEADER).read_to_end(&mut start).is_err() {
        return false;
    }
    let has = |table: &Delimited<'_>, name: &str| table.names.iter().any(|n| n == name);
    Delimited::open(&start).is_ok_and(|table| has(&table, "file") && has(&table, "label"))
}

/// The bytes of a file; `-` is stdin.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    fs::read(path)
}
