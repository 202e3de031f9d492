//! Which recordings are meant: files, folders and globs, in a stable order.

use crate::failure::{Failure, Status};
use std::fs;
use std::path::{Path, PathBuf};

/// The recordings that `arguments` name. Files of a folder or glob are sorted by name; the order
/// of the arguments is kept.
pub(crate) fn expand(arguments: &[String]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for argument in arguments {
        let path = Path::new(argument);
        let before = files.len();
        if path.is_dir() {
            search(path, &mut files)?;
            if files.len() == before {
                return Err(Failure::input(
                    argument,
                    "the folder has no .wav or .csv file",
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
                    search(&found, &mut files)?;
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
fn search(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
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
            search(&path, files)?;
        } else if is_recording(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file found in a folder is a recording. Tables are not: beside recordings they are
/// lists of labels. Nor are files whose name starts with a dot: some systems leave such files with
/// the ending of the file that they describe.
fn is_recording(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("wav"))
        && !name.starts_with('.')
        && path.is_file()
}
