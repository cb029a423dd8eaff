//! The pictures of the tested stimuli, for people to look at and for scoring.

use std::collections::BTreeSet;

use ndarray::Array4;
use percept_core::{Progress, Provenance};

use crate::data::{Dataset, pictures};
use crate::error::PipelineError;
use crate::packs::PictureModel;
use crate::plan::Plan;
use crate::run::{RunFolder, StageName};

/// Pictures written at a time.
const PICTURES_PER_BATCH: usize = 64;
/// Of the computation; see [`crate::run`].
const REVISION: u32 = 1;

/// The stimulus pictures of all items, for people to look at and for scoring: path of each item's picture.
pub struct StimulusPictures {
    /// The file of each item's stimulus, relative to the run's folder.
    pub paths: Vec<String>,
    /// Hash of the files.
    pub content: String,
}

/// Writes the picture of every tested stimulus in the model's size.
///
/// # Errors
/// When a picture cannot be read or written.
pub fn stimulus_pictures(
    run: &RunFolder,
    dataset: &Dataset,
    plan: &Plan,
    model: &dyn PictureModel,
    record: &Provenance,
    progress: &dyn Progress,
) -> Result<StimulusPictures, PipelineError> {
    let tested: Vec<usize> = plan.stimuli().into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let path_of = |stimulus: usize| format!("images/stimulus/{}.png", dataset.stimuli.id(stimulus));
    let size = model.image_size();
    let record = record.only(&["stimuli"]).setting("size", &size).setting("tested", &tested);
    progress.begin("pictures: stimuli", tested.len() as u64);
    let stage = run.stage(StageName { name: "pictures.stimuli", revision: REVISION }, record, || {
        let mut files = Vec::with_capacity(tested.len());
        for batch in tested.chunks(PICTURES_PER_BATCH) {
            let shown = pictures::to_values(dataset.stimuli.pictures(batch)?.view());
            let levels = pictures::to_levels(pictures::resize(shown.view(), size, size).view());
            for (&stimulus, picture) in batch.iter().zip(levels.outer_iter()) {
                run.write(&path_of(stimulus), &percept_io::picture::encode_png(picture)?)?;
                files.push(path_of(stimulus));
            }
            progress.advance(batch.len() as u64);
        }
        Ok(files)
    })?;
    progress.end("");
    let paths = plan.items.iter().map(|item| path_of(item.stimulus)).collect();
    Ok(StimulusPictures { paths, content: stage.content() })
}

impl StimulusPictures {
    /// The picture of every item's stimulus, read back: (n_items, side, side, 3) in 0..=1.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another size.
    pub fn read(&self, run: &RunFolder, side: usize) -> Result<Array4<f32>, PipelineError> {
        let mut levels = Array4::zeros((self.paths.len(), side, side, 3));
        for (mut into, path) in levels.outer_iter_mut().zip(&self.paths) {
            let picture = percept_io::picture::read(run.file(path))?;
            if picture.dim() != into.dim() {
                let expected = format!("a picture of {side} × {side}");
                return Err(PipelineError::Artefact { path: path.clone(), expected });
            }
            into.assign(&picture);
        }
        Ok(pictures::to_values(levels.view()))
    }
}
