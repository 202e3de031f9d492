//! Files that appear whole or not at all.

use crate::failure::{Failure, Status};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a file beside `path`, then renames it.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |error: &io::Error| Failure::io(Status::Usage, path, error);
    let temporary = tempfile::Builder::new()
        .prefix(".otolith-")
        .permissions_of_new_files()
        .tempfile_in(folder)
        .map_err(|error| failed(&error))?;
    let mut writer = BufWriter::new(temporary.as_file());
    write(&mut writer)
        .and_then(|()| writer.flush())
        .map_err(|error| failed(&error))?;
    drop(writer);
    temporary
        .persist(path)
        .map_err(|error| failed(&error.error))?;
    Ok(())
}

/// `tempfile` makes files that only their owner may read; results are ordinary files.
trait OrdinaryPermissions {
    fn permissions_of_new_files(&mut self) -> &mut Self;
}

impl OrdinaryPermissions for tempfile::Builder<'_, '_> {
    #[cfg(unix)]
    fn permissions_of_new_files(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask still applies.
        self.permissions(std::fs::Permissions::from_mode(0o666))
    }

    #[cfg(not(unix))]
    fn permissions_of_new_files(&mut self) -> &mut Self {
        self
    }
}
