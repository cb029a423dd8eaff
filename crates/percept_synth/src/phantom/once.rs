//! Files that are written once: what is there from an earlier, interrupted run is kept.

use std::path::{Path, PathBuf};

use percept_io::fs;

use super::params::Error;

/// Runs `write` on `path` unless the file is there.
pub(super) fn keep(path: PathBuf, write: impl FnOnce(&Path) -> Result<(), percept_io::Error>) -> Result<(), Error> {
    if fs::is_file(&path) {
        return Ok(());
    }
    Ok(write(&path)?)
}
