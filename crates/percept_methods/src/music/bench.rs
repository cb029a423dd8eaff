//! What all parts of a run of music know.

use percept_core::{Progress, Provenance, Seed};
use percept_pipeline::RunFolder;
use percept_pipeline::data::listening::Listening;
use percept_pipeline::experiment::music::MusicExperiment;

/// What all parts of a run know.
pub(super) struct Bench<'a> {
    pub experiment: &'a MusicExperiment,
    pub data: &'a Listening,
    pub run: &'a RunFolder,
    pub record: &'a Provenance,
    pub seed: Seed,
    pub progress: &'a dyn Progress,
}
