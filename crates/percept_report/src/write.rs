//! The report file of a run: from the outcome in its folder, with the pictures in its folder.

use std::path::{Path, PathBuf};

use crate::error::ReportError;
use crate::page::render;
use percept_core::Outcome;
use percept_io::fs;

/// The report's name inside a run's folder.
pub const REPORT_FILE: &str = "report.html";
/// The outcome's name inside a run's folder.
pub const OUTCOME_FILE: &str = "outcome.json";

/// No embedded picture is larger; whatever is, is something else.
const MAX_PICTURE_BYTES: u64 = 64 << 20;

/// Writes `report.html` into the folder of a run that ended in `outcome`, and returns its path.
///
/// # Errors
/// [`ReportError`] when a picture cannot be read or the file cannot be written.
pub fn write(folder: &Path, outcome: &Outcome) -> Result<PathBuf, ReportError> {
    let html =
        render(outcome, |path| fs::read_to_limit(folder.join(path), MAX_PICTURE_BYTES).map_err(std::io::Error::other))?;
    let path = folder.join(REPORT_FILE);
    fs::write_bytes(&path, html.as_bytes())?;
    Ok(path)
}

/// Writes the report of a finished run again, from the `outcome.json` in its folder.
///
/// # Errors
/// As [`write()`], and when the folder holds no outcome of this version of percept.
pub fn write_again(folder: &Path) -> Result<PathBuf, ReportError> {
    let path = folder.join(OUTCOME_FILE);
    let text = fs::read_text(&path, u64::MAX)?;
    let outcome: Outcome = serde_json::from_str(&text)
        .map_err(|error| ReportError::Outcome { path: path.display().to_string(), reason: error.to_string() })?;
    write(folder, &outcome)
}
