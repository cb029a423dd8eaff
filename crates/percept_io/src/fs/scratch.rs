//! Temporary files beside what they will become.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// A temporary file that is removed unless it becomes the real one. It holds a lock as long as its writer lives.
pub(super) struct Scratch {
    path: PathBuf,
    file: File,
    done: bool,
}

impl Scratch {
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".{name}.{}-{number}.tmp", std::process::id()));
            match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => {
                    // Some network file systems have no locks; then nothing tells this file from an abandoned one, and
                    // `remove_abandoned` leaves both alone.
                    let _ = file.try_lock();
                    return Ok(Self { path, file, done: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", error)),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> Result<File> {
        self.file.try_clone().map_err(|error| Error::io("create", error))
    }

    pub(super) fn become_file(mut self, path: &Path) -> Result<()> {
        std::fs::rename(&self.path, path).map_err(|error| Error::io("rename the finished file to", error))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.done {
            // The error that led here matters more than a left-over file.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether the file at `path` has the name of a temporary file of [`super::write_atomic`].
pub fn is_scratch(path: impl AsRef<Path>) -> bool {
    path.as_ref().file_name().is_some_and(|name| is_scratch_name(&name.to_string_lossy()))
}

/// Whether `name` is `.<file>.<pid>-<n>.tmp`.
pub(super) fn is_scratch_name(name: &str) -> bool {
    let Some(stem) = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".tmp")) else { return false };
    let Some((_, tail)) = stem.rsplit_once('.') else { return false };
    let Some((pid, number)) = tail.split_once('-') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(pid) && digits(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_names_are_told_from_others() {
        assert!(is_scratch_name(".scores.json.123-0.tmp"));
        assert!(!is_scratch_name("scores.json.123-0.tmp"));
        assert!(!is_scratch_name(".scores.json.tmp"));
        assert!(!is_scratch_name(".tmp"));
    }
}
