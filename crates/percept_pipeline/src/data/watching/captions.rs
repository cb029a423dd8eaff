//! What was said about stretches of film: a table with the columns `segment`, `start_secs`, `end_secs` and `caption`.

use std::path::Path;

use percept_io::table;

use super::plan::Segment;
use crate::error::PipelineError;

/// A sentence about a stretch of a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// The segment, by its number.
    pub segment: usize,
    /// Seconds of the film from which on it holds.
    pub start_secs: f64,
    /// And until when.
    pub end_secs: f64,
    /// The sentence.
    pub text: String,
}

/// Captions of `segments`, by segment and time; those of other segments are left out, and that is said.
pub(super) fn read(
    path: &Path,
    segments: &[Segment],
    warnings: &mut Vec<String>,
) -> Result<Vec<Caption>, PipelineError> {
    let table = table::open(path)?;
    let (names, texts) = (table.texts("segment")?, table.texts("caption")?);
    let (starts, ends) = (table.floats("start_secs")?, table.floats("end_secs")?);
    let mut captions = Vec::with_capacity(names.len());
    let mut strangers: Vec<&str> = Vec::new();
    for row in 0..names.len() {
        if !(starts[row] >= 0.0 && ends[row] > starts[row] && ends[row].is_finite()) {
            let what = format!("`{}`: row {} is from {} to {} s", path.display(), row + 1, starts[row], ends[row]);
            return Err(PipelineError::data(what, "let each caption end after it begins, from second 0 on"));
        }
        let Some(segment) = segments.iter().position(|segment| segment.name == names[row]) else {
            strangers.push(names[row]);
            continue;
        };
        let text = texts[row].trim().to_owned();
        captions.push(Caption { segment, start_secs: starts[row], end_secs: ends[row], text });
    }
    strangers.sort_unstable();
    strangers.dedup();
    if !strangers.is_empty() {
        let n = strangers.len();
        warnings.push(format!(
            "`{}` has captions of {n} segments that are not read, such as `{}`",
            path.display(),
            strangers[0]
        ));
    }
    captions.sort_by(|a, b| a.segment.cmp(&b.segment).then(a.start_secs.total_cmp(&b.start_secs)));
    Ok(captions)
}
