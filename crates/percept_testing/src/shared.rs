//! Real recordings beside the repository, for checks only.
//!
//! They lie in `../shared/data`, seen from the root of the repository, and are never part of it. A test that needs them
//! asks [`shared_data`] and returns early on `None`; the reason is printed past the capture of the test harness, so that a
//! skipped check is visible in every log.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The path of `../shared/data/<name>`, or `None` after printing `skipped: …` when it is absent.
pub fn shared_data(name: &str) -> Option<PathBuf> {
    // Two folders up from this crate is the root of the repository.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let path = root.parent()?.join("shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    // The macros `print!` and `eprint!` are captured by the harness when a test passes; the handle itself is not.
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "skipped: {test} needs ../shared/data/{name}, which is absent");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_data_are_none() {
        assert_eq!(shared_data("there-is-no-such-data-set"), None);
    }
}
