//! What all parts of a run of films know.

use percept_core::{Progress, Provenance, Seed};
use percept_models::DiffusionPack;
use percept_models::weights::PackFiles;
use percept_pipeline::data::watching::Watching;
use percept_pipeline::experiment::Pack;
use percept_pipeline::experiment::video::{ContextWay, VideoExperiment};
use percept_pipeline::packs::{PackCaptioner, content_of};
use percept_pipeline::{PipelineError, RunFolder};

use super::clips::Clips;

/// What all parts of a run know.
pub(super) struct Bench<'a> {
    pub experiment: &'a VideoExperiment,
    pub data: &'a Watching,
    pub clips: &'a Clips,
    pub pack: &'a FilmPack,
    pub run: &'a RunFolder,
    pub record: &'a Provenance,
    pub seed: Seed,
    pub progress: &'a dyn Progress,
}

/// The models, with their motion modules where there are some.
pub(super) struct FilmPack {
    pub pack: DiffusionPack,
    /// A hash of configuration and weights of the pictures' models.
    pub content: String,
    /// The same of the motion modules.
    pub motion: String,
    /// Where contexts go through captions.
    pub captioner: Option<PackCaptioner>,
}

/// Opens the models that an experiment names.
pub(super) fn pack(experiment: &VideoExperiment) -> Result<FilmPack, PipelineError> {
    let (files, built_in) = match &experiment.film.pack {
        Pack::Pocket => (PackFiles::Embedded(percept_pocket::FILES), true),
        Pack::Folder(folder) => (PackFiles::Directory(folder.clone()), false),
    };
    let content = content_of(&files)?;
    let mut pack = DiffusionPack::load(&files)?;
    let adapter = match &experiment.film.adapter {
        Some(folder) => Some(PackFiles::Directory(folder.clone())),
        None => built_in.then_some(PackFiles::Embedded(percept_pocket_motion::FILES)),
    };
    let mut motion = String::new();
    if let Some(files) = adapter {
        motion = percept_core::provenance::content_hash(&files.read("diffusion_pytorch_model.safetensors")?);
        pack = pack.with_motion_files(&files)?;
    }
    let goes_through_captions = experiment.film.context == ContextWay::Captions;
    let captioner =
        goes_through_captions.then(|| PackCaptioner::open(&experiment.film.captioner, |own| own)).transpose()?;
    Ok(FilmPack { pack, content, motion, captioner })
}
