//! The judge: a classifier that names what a drawing shows. It is trained first, is no part of the pack, and scores it.

use std::path::Path;

use percept_core::{Progress, Seed};
use percept_models::ModelError;
use percept_models::nn::params::Params;
use percept_models::train::{AdamW, ClassifierTask, PictureClassifier, Schedule, run};
use percept_models::weights::{read_tensors, write_tensors};

use super::drawings::{self, Drawn, JUDGE_CLASSES};
use super::recipe::{Recipe, SHARDS, work};
use crate::disk::{read, write};

pub(super) fn train(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let task = ClassifierTask::new(Params::random(seed.named("judge.init")), &JUDGE_CLASSES, SHARDS, |_, seed| {
        let drawn = Drawn::draw(seed, 16);
        (drawings::blurred(drawn.pictures(), seed), drawn.labels())
    })?;
    let schedule = Schedule {
        steps: recipe.judge_steps,
        warmup: 100,
        learning_rate: 2e-3,
        floor: 0.01,
        optimiser: AdamW { ema: 0.995, ..AdamW::default() },
        log_every: 50,
        save_every: 250,
    };
    let weights = run(&task, &schedule, seed, &work(out), progress)?;
    write(&work(out).join("judge.safetensors"), &write_tensors(&weights, true)?)
}

/// The trained judge.
///
/// # Errors
/// When it is not there yet.
pub(super) fn load(out: &Path) -> Result<PictureClassifier, ModelError> {
    let path = work(out).join("judge.safetensors");
    let params = Params::from_tensors(read_tensors(&read(&path)?, &path)?, format!("`{}`", path.display()));
    PictureClassifier::new(&params, &JUDGE_CLASSES)
}
