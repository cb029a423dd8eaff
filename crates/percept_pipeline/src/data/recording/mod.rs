//! What `percept encode` predicts: responses to stimuli shown one by one, or series in time, in one form.
//!
//! Every sample belongs to a *group* that is held out as a whole: its stimulus, its run or its title. Samples of a series stand
//! in the order of time, those of a group together. Values are as recorded; what is taken out of them belongs to
//! [`crate::encoding`].

pub mod doctor;
pub(crate) mod films;
mod heard;
pub(super) mod scans;
mod series;
mod timeline;
mod titles;

use percept_core::Progress;

use super::listening::source;
use super::{arrays, nsd, phantom};
use crate::error::PipelineError;
use crate::experiment::encoding::{AnnotationForm, EncodingData, EncodingExperiment, FilmsData, WatcherData};
use crate::experiment::{Needs, NonFinite, PhantomData};
use crate::run::RunFolder;

pub use series::{Annotations, Heard, Labels, Recording, Timing};
pub use timeline::Timeline;

/// Opens the data of `experiment`. A phantom is written below the run directory first, unless it is there; one whose regions follow
/// features must have been written before ([`crate::encoding::planted`]), since data know no features.
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
        EncodingData::Phantom(settings) if experiment.planted.is_empty() => {
            phantom::open(settings, needs(true, !settings.groups.is_empty()), run, progress)?
        }
        EncodingData::Phantom(settings) => return phantom_of_regions(settings, experiment, run, progress),
        EncodingData::Arrays(settings) => {
            arrays::open(settings, needs(settings.captions.is_some(), !settings.groups.is_empty()))?
        }
        EncodingData::Scans(settings) => return scans::open(settings),
        EncodingData::Titles(settings) => return titles::open(settings),
        EncodingData::Films(settings) => return films::open(settings),
        EncodingData::Music(settings) => return heard::series(source::open(settings, run, progress)?),
        EncodingData::Watcher(settings) => return films::open(&watched(settings, run)),
    };
    Ok(Recording::of_trials(trials))
}

/// Where the films of a simulated subject are, in words of the reader of films.
pub(crate) fn watched(settings: &WatcherData, run: &RunFolder) -> FilmsData {
    let root = phantom::tree_of(run);
    let subject = format!("S{:02}", settings.subject);
    let regions = format!("derivatives/regions/sub-{subject}/sub-{subject}_regions.nii.gz");
    FilmsData {
        regions: Some(root.join(regions)),
        root,
        subject,
        titles: Vec::new(),
        annotations: AnnotationForm::Seconds,
        drop_secs: settings.drop_secs,
        mask: None,
        non_finite: NonFinite::Error,
    }
}

/// A phantom of trials with the planted regions as its groups, unless others are named.
fn phantom_of_regions(
    settings: &PhantomData,
    experiment: &EncodingExperiment,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<Recording, PipelineError> {
    let mut settings = settings.clone();
    if settings.groups.is_empty() {
        settings.groups = experiment.planted.iter().map(|(region, _)| (region, selector_of(region))).collect();
    }
    let trials = phantom::read(&settings, Needs { captions: true, groups: true }, run, progress)?;
    let groups = trials.groups.clone();
    Ok(Recording { regions: groups, ..Recording::of_trials(trials) })
}

/// A region of the phantom as a selector of its NSD tree.
fn selector_of(region: &str) -> String {
    match region {
        "V1" | "V2" | "V3" | "hV4" => format!("prf-visualrois.{region}"),
        "anterior" => "!nsdgeneral".to_owned(),
        stream => format!("streams.{stream} & !prf-visualrois"),
    }
}
