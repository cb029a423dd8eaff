//! Files that a training reads and writes, with the errors of models.

use std::path::Path;

use percept_models::ModelError;

/// No file of a training is larger.
const MAX_BYTES: u64 = 1 << 32;

pub(crate) fn file_error(path: &Path, source: percept_io::Error) -> ModelError {
    ModelError::File { path: path.to_owned(), source: std::io::Error::other(source) }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    percept_io::fs::write_bytes(path, bytes).map_err(|source| file_error(path, source))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    percept_io::fs::read_to_limit(path, MAX_BYTES).map_err(|source| file_error(path, source))
}
