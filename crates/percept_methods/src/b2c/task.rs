//! The training of one variant: which images train and validate, what a batch is, and what is kept.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, Axis};
use percept_core::{Progress, Provenance, Seed};
use percept_models::ModelError;
use percept_models::train::{
    AdamW, ContextBatch, ContextLosses, ContextTask, Denoiser, Schedule, Task, UNET, context_parameters, run_watched,
};
use percept_models::weights::Tensors;
use rand::Rng;

use super::folder::{self, VariantFacts};
use super::inputs::GroupFacts;
use super::settings::{B2cTraining, B2cVariant};
use super::shared::{Shared, config_of, n_images};
use super::validate::Validator;
use super::validation;
use percept_pipeline::PipelineError;
use percept_pipeline::run::StageName;

/// Of the training; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// What the images of a variant are used for.
struct Images {
    /// Samples that train.
    samples: Vec<usize>,
    n_train: usize,
    /// Stimuli that validate.
    validation: Vec<usize>,
}

/// Trains `variant`, or finds it finished.
pub(super) fn train(
    shared: &Shared<'_>,
    variant: &B2cVariant,
    record: &Provenance,
) -> Result<VariantFacts, PipelineError> {
    let facts_path = format!("{}/facts.json", variant.name);
    let record = Provenance { settings: BTreeMap::new(), ..record.clone() }
        .setting("training", &variant.training)
        .setting("normalise", &shared.experiment.decode.normalise)
        .setting("split", &shared.experiment.split);
    let name = format!("b2c.{}", variant.name);
    shared.run.stage(StageName { name: &name, revision: REVISION }, record, || {
        let facts = fit(shared, variant)?;
        shared.run.write_json(&facts_path, &facts)?;
        let mut files = vec![facts_path.clone()];
        files.extend(folder::files().map(|file| format!("{}/{file}", variant.name)));
        Ok(files)
    })?;
    shared.run.read_json(&facts_path, "the facts of a training")
}

fn fit(shared: &Shared<'_>, variant: &B2cVariant) -> Result<VariantFacts, PipelineError> {
    let training = &variant.training;
    let seed = Seed::new(training.seed).named("b2c");
    let config = config_of(shared, variant)?;
    let images = divide(shared, variant);
    let pack = shared.model.pack();
    let stimulus_of_sample = &shared.dataset.responses.stimulus_of_sample;
    let train_stimuli: Vec<usize> = images.samples.iter().map(|&sample| stimulus_of_sample[sample]).collect();

    let latents = shared.latents.values.select(Axis(0), &train_stimuli);
    let losses = losses(training, &latents);
    let latent_scale = root_mean_square(&latents);
    drop(latents);
    let denoiser = Denoiser {
        config: pack.unet()?.config().clone(),
        schedule: pack.schedule().clone(),
        latent_shape: pack.latent_shape(),
        empty_context: pack.embed_text(&[String::new()])?.into_raw_vec_and_offset().0,
    };
    let trains_unet = training.train_unet && training.losses.uses_unet();
    let unet = shared.model.unet_tensors()?;
    let origin = format!("the U-Net of {}", shared.model.files().origin());
    let params = context_parameters(seed.named("init"), &config, unet, &origin, trains_unet)?;
    let batch = |_: usize, seed: Seed| Ok::<_, ModelError>(draw(shared, training, &images, seed));
    let kv_rate = if training.learning_rate > 0.0 { training.kv_learning_rate / training.learning_rate } else { 1.0 };
    let task = ContextTask::new(params, config.clone(), denoiser.clone(), losses, (training.shards, kv_rate), batch)?
        .with_checkpoints(training.checkpoints);
    let vars = task.params().vars();
    let n_changed =
        vars.iter().filter(|(name, _)| name.starts_with(UNET)).map(|(_, var)| var.as_tensor().elem_count()).sum();
    let frozen: Tensors = task.params().tensors().into_iter().filter(|(name, _)| !vars.contains_key(name)).collect();
    drop(vars);

    let folder = shared.run.file(&format!("{}/training", variant.name));
    let samples_of = |stimulus: usize| -> Vec<usize> {
        shared.plan.train[0].iter().copied().filter(|&sample| stimulus_of_sample[sample] == stimulus).collect()
    };
    let repeats: Vec<Vec<usize>> = images.validation.iter().map(|&stimulus| samples_of(stimulus)).collect();
    let warn = |failure: &str| shared.progress.warn(&format!("{}: {failure}", variant.name));
    let validator = Validator {
        folder: &folder,
        pack,
        config: &config,
        denoiser: &denoiser,
        losses,
        frozen,
        inputs: shared.inputs.averaged(repeats.iter()),
        latents: shared.latents.values.select(Axis(0), &images.validation),
        contexts: shared.contexts.values.select(Axis(0), &images.validation),
        latent_scale,
        seed: seed.named("validation"),
        patience: training.patience,
        on_failure: training.on_failure,
        n_steps: training.steps,
        warn: &warn,
    };
    let named = Named { inner: shared.progress, name: variant.name.as_str() };
    run_watched(&task, &schedule(training), seed, &folder, &named, &mut |step, weights| validator.look(step, weights))?;
    let weights = validator.best_weights()?;
    folder::save(&shared.run.file(variant.name.as_str()), &config, &weights)?;
    let validations = validator.past()?;
    let best = validation::best(&validations).cloned().unwrap_or_default();
    // The state of the optimiser is of no use any more, and large.
    percept_io::fs::remove_file(folder.join(format!("{}.checkpoint.safetensors", task.name())))?;
    percept_io::fs::remove_file(validator.best_path())?;
    Ok(VariantFacts {
        name: variant.name.to_string(),
        n_parameters: config.n_parameters(),
        n_changed,
        n_train_images: images.n_train,
        n_train_samples: images.samples.len(),
        n_validation_images: images.validation.len(),
        tokens: config.groups.iter().map(|group| group.tokens).collect(),
        n_steps: validations.last().map_or(0, |last| last.step),
        warnings: warnings(&validations, &best, training, &shared.inputs.groups),
        best,
        validations,
    })
}

/// Training samples and validation images of a variant: the last of its images validate.
fn divide(shared: &Shared<'_>, variant: &B2cVariant) -> Images {
    let seen = &shared.order[..n_images(shared, variant)];
    let n_validation = ((seen.len() as f64 * variant.training.validation).round() as usize)
        .clamp(1, seen.len().saturating_sub(1).max(1));
    let (train, validation) = seen.split_at(seen.len() - n_validation);
    let train: BTreeSet<usize> = train.iter().copied().collect();
    let of = &shared.dataset.responses.stimulus_of_sample;
    let samples = shared.plan.train[0].iter().copied().filter(|&sample| train.contains(&of[sample])).collect();
    Images { samples, n_train: train.len(), validation: validation.to_vec() }
}

/// One shard of a batch: single trials drawn with replacement.
fn draw(shared: &Shared<'_>, training: &B2cTraining, images: &Images, seed: Seed) -> ContextBatch {
    let rows = (training.batch / training.shards).max(1);
    let mut stream = seed.stream();
    let mut pick = || images.samples[stream.random_range(0..images.samples.len() as u64) as usize];
    let samples: Vec<usize> = (0..rows).map(|_| pick()).collect();
    let others: Vec<usize> = if training.mixup > 0.0 { (0..rows).map(|_| pick()).collect() } else { Vec::new() };
    let stimuli = |samples: &[usize]| -> Vec<usize> {
        samples.iter().map(|&sample| shared.dataset.responses.stimulus_of_sample[sample]).collect()
    };
    let mut inputs = shared.inputs.rows.select(Axis(0), &samples);
    let mut contexts = shared.contexts.values.select(Axis(0), &stimuli(&samples));
    for (row, &other) in others.iter().enumerate() {
        let share = training.mixup as f32 * stream.random::<f32>();
        let stimulus = shared.dataset.responses.stimulus_of_sample[other];
        let mix = |mut into: ndarray::ArrayViewMut1<'_, f32>, from: ndarray::ArrayView1<'_, f32>| {
            into.zip_mut_with(&from, |value, &second| *value += share * (second - *value));
        };
        mix(inputs.row_mut(row), shared.inputs.rows.row(other));
        mix(contexts.row_mut(row), shared.contexts.values.row(stimulus));
    }
    ContextBatch {
        latents: shared.latents.values.select(Axis(0), &stimuli(&samples)),
        unconditional: (0..rows).map(|_| stream.random::<f64>() < training.unconditional).collect(),
        inputs,
        contexts,
    }
}

fn schedule(training: &B2cTraining) -> Schedule {
    Schedule {
        steps: training.steps,
        warmup: training.warmup,
        learning_rate: training.learning_rate,
        floor: 0.02,
        optimiser: AdamW { weight_decay: training.weight_decay as f32, ema: training.ema as f32, ..AdamW::default() },
        log_every: training.validate_every.clamp(1, 25),
        save_every: training.validate_every,
    }
}

/// The losses of an experiment; the span of latents is that of the training images.
fn losses(training: &B2cTraining, latents: &Array2<f32>) -> ContextLosses {
    let (low, high) = latents.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let of = &training.losses;
    ContextLosses {
        epsilon: of.epsilon,
        velocity: of.velocity,
        x0_mse: of.x0_mse,
        x0_cosine: of.x0_cosine,
        x0_ssim: of.x0_ssim,
        latent_range: f64::from(high - low),
        clip_mse: of.clip_mse,
        clip_cosine: of.clip_cosine,
        contrastive: of.contrastive,
        temperature: of.temperature,
        min_snr: training.min_snr,
    }
}

fn root_mean_square(rows: &Array2<f32>) -> f64 {
    (rows.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / rows.len() as f64).sqrt()
}

/// What the user must know about a training that ended.
fn warnings(
    all: &[validation::Validation],
    best: &validation::Validation,
    training: &B2cTraining,
    groups: &[GroupFacts],
) -> Vec<String> {
    let mut warnings: Vec<String> =
        best.failure().into_iter().map(|failure| format!("weights kept: {failure}")).collect();
    let failed = all.iter().filter(|validation| validation.failure().is_some()).count();
    if failed > 0 {
        warnings.push(format!("{failed} of {} validations found failing pictures", all.len()));
    }
    if training.patched && groups.len() == 1 {
        warnings.push("patched, but the data have a single group".to_owned());
    }
    warnings
}

/// Progress under the name of a variant.
struct Named<'a> {
    inner: &'a dyn Progress,
    name: &'a str,
}

impl Progress for Named<'_> {
    fn begin(&self, stage: &str, total: u64) {
        self.inner.begin(&format!("{stage}: {}", self.name), total);
    }

    fn resume(&self, steps: u64) {
        self.inner.resume(steps);
    }

    fn advance(&self, steps: u64) {
        self.inner.advance(steps);
    }

    fn end(&self, note: &str) {
        self.inner.end(note);
    }

    fn warn(&self, message: &str) {
        self.inner.warn(message);
    }
}
