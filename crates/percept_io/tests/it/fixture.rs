//! Where the fixtures are: files made by other programs, each folder with the script that made it.

use std::path::{Path, PathBuf};

/// The path of a fixture.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The bytes of a fixture.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("fixture `{name}`: {error}"))
}

/// A fixture in JSON.
pub(crate) fn json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&bytes(name)).unwrap_or_else(|error| panic!("fixture `{name}`: {error}"))
}
