//! What `percept encode` predicts: responses to stimuli shown one by one, or series in time, in one form.
//!
//! Every sample belongs to a *group* that is held out as a whole: its stimulus, its run or its title. Samples of a series stand
//! in the order of time, those of a group together. Values are as recorded; what is taken out of them belongs to
//! [`crate::encoding`].

pub mod doctor;
mod films;
mod scans;
mod series;
mod titles;

use percept_core::Progress;

use super::{arrays, nsd, phantom};
use crate::error::PipelineError;
use crate::experiment::Needs;
use crate::experiment::encoding::{EncodingData, EncodingExperiment};
use crate::run::RunFolder;

pub use series::{Annotations, Labels, Recording, Timing};

/// Opens the data of `experiment`. A phantom is written below the run directory first, unless it is there.
///
/// # Errors
/// When files are missing, damaged or do not fit together.
pub fn open(
    experiment: &EncodingExperiment,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<Recording, PipelineError> {
    // Captions are read where there are some: which spaces need them is not known here.
    let needs = |captions: bool, groups: bool| Needs { captions, groups };
    let trials = match &experiment.data {
        EncodingData::Nsd(settings) => nsd::open(settings, needs(true, !settings.groups.is_empty()), progress)?,
        EncodingData::Phantom(settings) => {
            phantom::open(settings, needs(true, !settings.groups.is_empty()), run, progress)?
        }
        EncodingData::Arrays(settings) => {
            arrays::open(settings, needs(settings.captions.is_some(), !settings.groups.is_empty()))?
        }
        EncodingData::Scans(settings) => return scans::open(settings),
        EncodingData::Titles(settings) => return titles::open(settings),
        EncodingData::Films(settings) => return films::open(settings),
    };
    Ok(Recording::of_trials(trials))
}
