//! Opening an experiment file with the words of all systems, and the experiment that `percept demo` runs.

use std::path::Path;

pub use percept_pipeline::experiment::{Experiment, ExperimentError};

use crate::registry::Registry;

/// Reads the experiment in the file `path`, with `overrides` such as `generate.steps=50`.
///
/// # Errors
/// Any [`ExperimentError`]; each names the key, the line and the remedy.
pub fn open(path: &Path, overrides: &[String]) -> Result<Experiment, ExperimentError> {
    Experiment::open(path, overrides, &Registry::default().vocabulary())
}

/// Reads the experiment in `text`, which stands in the file `path` (for messages and relative paths).
///
/// # Errors
/// As [`open`], but those of reading the file.
pub fn parse(text: &str, path: &Path, overrides: &[String]) -> Result<Experiment, ExperimentError> {
    Experiment::parse(text, path, overrides, &Registry::default().vocabulary())
}

/// The experiment that `percept demo` runs: a phantom subject and the pocket pack, with every default.
///
/// # Errors
/// Those of [`parse`] for `overrides`.
pub fn demo(overrides: &[String]) -> Result<Experiment, ExperimentError> {
    Experiment::demo(overrides, &Registry::default().vocabulary())
}
