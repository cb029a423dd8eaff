//! One process at a time in a folder: a lock that ends with its process, however that ends.
//!
//! The lock is the system's lock of a small file in the folder. The file is removed when the work ends. A killed process leaves
//! it behind without a lock, so that the next one takes it over. On file systems without locks nothing is locked.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::{Error, Result, fs};

/// The name of the file, unless a folder has several.
pub const NAME: &str = ".percept.lock";

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

/// Locks `folder`, which is created if need be, by its file `name`. Where another process holds it, `wait` is called once and
/// says whether to wait.
///
/// # Errors
/// [`crate::Kind::Busy`] when it is held and nobody wants to wait; if the file cannot be created.
pub fn lock(folder: &Path, name: &str, wait: impl FnOnce() -> bool) -> Result<Lock> {
    fs::create_dir(folder)?;
    let path = folder.join(name);
    let mut wait = Some(wait);
    let mut attempt = || -> Result<Lock> {
        loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(|error| Error::io("create", error))?;
            match file.try_lock() {
                Ok(()) => {}
                // Some network file systems have no locks; then there is nothing to be done.
                Err(TryLockError::Error(_)) => return Ok(Lock { path: path.clone(), _file: file }),
                Err(TryLockError::WouldBlock) => {
                    if !wait.take().is_none_or(|wait| wait()) {
                        return Err(Error::busy(folder));
                    }
                    file.lock().map_err(|error| Error::io("lock", error))?;
                }
            }
            // Who held it before may have removed the file that was waited for.
            if is_same(&file, &path) {
                return Ok(Lock { path: path.clone(), _file: file });
            }
        }
    };
    attempt().map_err(|error| error.in_file(&path))
}

#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(held), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> bool {
    path.exists()
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still held: nobody else can have made a new one by this name.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_at_a_time_and_left_clean() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let held = lock(folder.path(), NAME, || true).expect("free");
        let error = lock(folder.path(), NAME, || false).expect_err("held");
        assert!(error.to_string().contains("another process is working"), "{error}");
        drop(held);
        assert_eq!(fs::list(folder.path()).expect("list"), Vec::<PathBuf>::new());
        drop(lock(folder.path(), NAME, || panic!("free again")).expect("free"));
    }

    #[test]
    fn who_waits_gets_it_next_and_two_never_hold_it() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let folder = tempfile::tempdir().expect("temporary folder");
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let _held = lock(folder.path(), NAME, || true).expect("in the end");
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }

    #[test]
    fn a_file_that_a_killed_process_left_is_taken_over() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join(NAME), "").expect("write");
        drop(lock(folder.path(), NAME, || panic!("nobody holds it")).expect("free"));
        assert!(!folder.path().join(NAME).exists());
    }
}
