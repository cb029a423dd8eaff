//! Validation of an encoder on images that it does not train on: losses under fixed noise, how well contexts identify their
//! captions, and whether the pictures fail in one of the ways that were seen before.
//!
//! The paper's unpatched training without the CLIP loss gave black pictures for more than half of its test set. So a few
//! pictures are made at every validation, all from the same noise, and three failures are looked for: black (nothing is
//! brighter than 15 %), collapsed (pictures under different contexts are all alike) and exploding (latents beyond all bounds).

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, s};
use percept_core::Seed;
use percept_io::fs;
use percept_models::nn::params::Params;
use percept_models::train::{ContextBatch, ContextLosses, ContextTask, Denoiser, Noised, UNET, draw_noise};
use percept_models::weights::{Tensors, open_tensors, write_tensors};
use percept_models::{DiffusionPack, Generation, ModelError, context_encoder::ContextEncoderConfig};
use percept_stats::{clusters, correlation};

use super::folder;
use super::settings::OnFailure;
use super::validation::{Validation, best};
use crate::disk::{file_error, write};
use percept_pipeline::PipelineError;

/// Rows whose loss is computed at a time.
const ROWS: usize = 16;
/// Pictures that are looked at.
const PICTURES: usize = 12;
/// Steps in which they are made.
const PICTURE_STEPS: usize = 8;
/// A picture whose brightest value is below this is black.
const BLACK: f32 = 0.15;
/// Latents whose root mean square exceeds that of training latents by this factor explode.
const EXPLODING: f64 = 5.0;
/// Failures count from this share of the steps on: before, nothing has been learnt.
const SETTLED: f64 = 0.25;

/// What validates, and where it keeps its record.
pub(super) struct Validator<'a> {
    pub(super) folder: &'a Path,
    pub(super) pack: &'a DiffusionPack,
    pub(super) config: &'a ContextEncoderConfig,
    pub(super) denoiser: &'a Denoiser,
    pub(super) losses: ContextLosses,
    /// All tensors that do not train, by the names of the training's parameters.
    pub(super) frozen: Tensors,
    /// n × inputs: mean responses to the validation images.
    pub(super) inputs: Array2<f32>,
    /// n × latent.
    pub(super) latents: Array2<f32>,
    /// n × context.
    pub(super) contexts: Array2<f32>,
    /// Root mean square of the training latents.
    pub(super) latent_scale: f64,
    pub(super) seed: Seed,
    pub(super) patience: usize,
    pub(super) on_failure: OnFailure,
    pub(super) n_steps: usize,
    pub(super) warn: &'a dyn Fn(&str),
}

impl Validator<'_> {
    fn record(&self) -> PathBuf {
        self.folder.join("validation.json")
    }

    /// The weights of the best validation so far.
    pub(super) fn best_path(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// All validations so far.
    pub(super) fn past(&self) -> Result<Vec<Validation>, ModelError> {
        let path = self.record();
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let text = fs::read_text(&path, 1 << 26).map_err(|source| file_error(&path, source))?;
        serde_json::from_str(&text).map_err(|source| ModelError::Corrupt {
            path,
            format: "JSON",
            detail: source.to_string(),
        })
    }

    /// Looks at the weights of `step`, writes the record, keeps the best weights, and says whether to go on.
    pub(super) fn look(&self, step: usize, weights: &Tensors) -> Result<ControlFlow<()>, ModelError> {
        let mut all = self.past()?;
        // What lies at or behind this step was written by a run that was killed before its next checkpoint.
        all.retain(|validation| validation.step < step);
        let found = self.measure(step, weights)?;
        let is_best = all.iter().all(|earlier| found.loss < earlier.loss);
        if is_best {
            write(&self.best_path(), &write_tensors(weights, false)?)?;
        }
        let settled = step as f64 >= SETTLED * self.n_steps as f64;
        let failure = found.failure().filter(|_| settled);
        if let Some(failure) = &failure {
            (self.warn)(failure);
        }
        all.push(found);
        let text = serde_json::to_string_pretty(&all).expect("validations are plain JSON");
        write(&self.record(), format!("{text}\n").as_bytes())?;
        let best = best(&all).map_or(0, |best| best.step);
        let since = all.iter().filter(|validation| validation.step > best).count();
        let patient = self.patience == 0 || since < self.patience;
        let stop = !patient || (failure.is_some() && self.on_failure == OnFailure::Stop);
        Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// The weights of the best validation.
    pub(super) fn best_weights(&self) -> Result<Tensors, PipelineError> {
        Ok(open_tensors(&self.best_path())?)
    }

    fn measure(&self, step: usize, weights: &Tensors) -> Result<Validation, ModelError> {
        let mut tensors = self.frozen.clone();
        tensors.extend(weights.iter().map(|(name, tensor)| (name.clone(), tensor.clone())));
        let unet = folder::below(UNET, &tensors);
        let params = Params::from_tensors(tensors, "the training");
        let none = |_, _| unreachable!("a validation asks for no batch");
        let task = ContextTask::new(params, self.config.clone(), self.denoiser.clone(), self.losses, (1, 1.0), none)?;
        let mut result = Validation { step, ..Validation::default() };
        self.add_losses(&task, &mut result)?;
        let predicted = task.encoder().contexts(self.inputs.view())?;
        self.compare(&predicted, &mut result);
        self.look_at_pictures(&self.pack.with_unet(unet, "the training")?, &predicted, &mut result)?;
        Ok(result)
    }

    fn add_losses(&self, task: &ContextTask<'_>, result: &mut Validation) -> Result<(), ModelError> {
        let (n, length) = self.latents.dim();
        let total = self.denoiser.schedule.config().num_train_timesteps;
        // Steps rise with the row; the images are in random order, so every kind meets every noise level.
        let draws = draw_noise(self.seed.named("validation"), n, length, (0, 1), total);
        for start in (0..n).step_by(ROWS) {
            let rows = start..(start + ROWS).min(n);
            let cut = |of: &Array2<f32>| of.slice(s![rows.clone(), ..]).to_owned();
            let batch = ContextBatch {
                inputs: cut(&self.inputs),
                latents: cut(&self.latents),
                contexts: cut(&self.contexts),
                unconditional: vec![false; rows.len()],
            };
            let noised: Vec<Noised> =
                draws[rows.clone()].iter().map(|draw| Noised { noise: draw.noise.clone(), step: draw.step }).collect();
            let share = rows.len() as f64 / n as f64;
            let (loss, terms) = task.loss_value(&batch, &noised)?;
            result.loss += share * loss;
            for (name, value) in terms {
                match result.terms.iter_mut().find(|(known, _)| known == name) {
                    Some((_, sum)) => *sum += share * value,
                    None => result.terms.push((name.to_owned(), share * value)),
                }
            }
        }
        Ok(())
    }

    fn compare(&self, predicted: &Array2<f32>, result: &mut Validation) {
        if let Ok(cosines) = correlation::cosine_rows(predicted.view(), self.contexts.view()) {
            result.context_cosine = cosines.mean().unwrap_or(0.0);
        }
        let labels: Vec<usize> = (0..predicted.nrows()).collect();
        // A single image has nobody to be told apart from.
        if let Ok(won) = clusters::two_way_cosine(predicted.view(), self.contexts.view(), &labels) {
            result.context_pairwise = won.scores.mean().unwrap_or(0.0);
        }
    }

    fn look_at_pictures(
        &self,
        pack: &DiffusionPack,
        predicted: &Array2<f32>,
        result: &mut Validation,
    ) -> Result<(), ModelError> {
        let n = predicted.nrows().min(PICTURES);
        result.n_pictures = n;
        let latents = pack.generate_latents(&Generation {
            context: predicted.slice(s![..n, ..]),
            init: None,
            strength: 1.0,
            steps: PICTURE_STEPS,
            guidance: 1.0,
            seed: self.seed.named("pictures"),
            image_ids: &vec![0; n],
            sample: 0,
        })?;
        let explodes = |row: ndarray::ArrayView1<'_, f32>| {
            let square = row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / row.len() as f64;
            !square.is_finite() || square.sqrt() > EXPLODING * self.latent_scale
        };
        result.exploding = latents.rows().into_iter().filter(|row| explodes(row.view())).count() as f64 / n as f64;
        if latents.iter().any(|value| !value.is_finite()) {
            return Ok(());
        }
        let pictures = pack.decode(latents.view())?;
        let is_black = |picture: ndarray::ArrayView3<'_, f32>| picture.iter().all(|&value| value < BLACK);
        result.black = pictures.outer_iter().filter(|picture| is_black(picture.view())).count() as f64 / n as f64;
        let (mut sum, mut pairs) = (0.0, 0usize);
        for i in 0..n {
            for j in 0..i {
                let (a, b) = (pictures.index_axis(Axis(0), i), pictures.index_axis(Axis(0), j));
                let square: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
                sum += (square / a.len() as f64).sqrt();
                pairs += 1;
            }
        }
        result.spread = if pairs == 0 { 1.0 } else { sum / pairs as f64 };
        Ok(())
    }
}
