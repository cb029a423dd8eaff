//! Trees that are written once: what is there from an earlier, interrupted run is kept, and folders of other phantoms are refused.

use std::path::{Path, PathBuf};

use percept_core::Progress;
use percept_io::{fs, lock};
use serde_json::Value;

use super::params::Error;

/// Waits until no other process writes below `root`, and removes what a killed one left half written. The folder is free again when
/// the result is dropped.
pub(crate) fn hold(root: &Path, progress: &dyn Progress) -> Result<lock::Lock, Error> {
    let held = lock::lock(root, ".phantom.lock", || {
        progress.warn(&format!("another process is working in `{}`: waiting until it is done", root.display()));
        true
    })?;
    fs::remove_abandoned_below(root)?;
    Ok(held)
}

/// Writes what the tree below `root` holds to `phantom/NAME.json`.
///
/// # Errors
/// If another description is there.
pub(crate) fn claim(root: &Path, name: &str, description: &Value) -> Result<(), Error> {
    let path = root.join(format!("phantom/{name}.json"));
    let description = format!("{description:#}\n");
    if fs::is_file(&path) {
        let found = fs::read_text(&path, 1 << 20)?;
        return if found == description { Ok(()) } else { Err(Error::OtherPhantom { path }) };
    }
    Ok(fs::write_bytes(&path, description.as_bytes())?)
}

/// Runs `write` on `path` unless the file is there.
pub(crate) fn keep(path: PathBuf, write: impl FnOnce(&Path) -> Result<(), percept_io::Error>) -> Result<(), Error> {
    if fs::is_file(&path) {
        return Ok(());
    }
    Ok(write(&path)?)
}

/// Writes `text` to `path` unless the file is there.
pub(crate) fn text(path: PathBuf, text: impl FnOnce() -> String) -> Result<(), Error> {
    keep(path, |path| fs::write_bytes(path, text().as_bytes()))
}
