//! Recordings in files as rows for a replay.

use std::path::Path;

use ndarray::Array2;
use percept_io::recording::{self, Options, Recording};

use super::replay::{Pace, Replay, Rows};
use crate::source::{ChannelFacts, SourceError, SourceFacts};

/// A recording that is read block by block.
pub struct RecordingRows(Recording);

impl Rows for RecordingRows {
    fn rows(&mut self, first: u64, n: usize) -> Result<Array2<f64>, SourceError> {
        let first = first as usize;
        let end = first.saturating_add(n).min(self.0.n_samples());
        Ok(self.0.read(first.min(end)..end)?.mapv(f64::from))
    }

    fn gap(&self, first: u64, n: usize) -> Option<(u64, Option<u64>)> {
        let range = first as usize..first as usize + n;
        let gap = self.0.facts().gaps.iter().find(|gap| range.contains(&gap.sample_idx))?;
        let missing = (gap.missing_secs * self.0.rate_hz()).round();
        Some((gap.sample_idx as u64, (missing > 0.0).then_some(missing as u64)))
    }
}

/// Opens a recording for a replay.
///
/// # Errors
/// When it cannot be read, or does not say what `options` leave out.
pub fn open(path: &Path, options: &Options, pace: Pace) -> Result<Replay<RecordingRows>, SourceError> {
    let recording = recording::open(path, options)?;
    let facts = recording.facts();
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let channel = |c: &recording::Channel| ChannelFacts { name: c.name.clone(), unit: c.unit.clone() };
    let facts = SourceFacts {
        name: format!("{name} ({})", facts.format),
        channels: facts.channels.iter().map(channel).collect(),
        rate_hz: facts.rate_hz,
        n_samples: Some(facts.n_samples as u64),
    };
    Ok(Replay::new(RecordingRows(recording), facts, pace))
}
