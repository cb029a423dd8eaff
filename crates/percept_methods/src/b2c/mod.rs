//! Brain-to-Context (Ishizaki & Kobayashi 2026): a Transformer turns responses into the context of the U-Net, trained through
//! the U-Net, whose keys and values learn with it.
//!
//! [`train`] trains every variant of `[b2c]` on the training images of the experiment, keeps the weights of the best
//! validation, and says how well the contexts of the test images are told apart, beside ridge regression on the same images.
//! `percept reconstruct` makes pictures with them (method `b2c`, `decoder = "FOLDER"`).
//!
//! Open points of the paper, decided here and settings of the experiment: tokens go to groups in proportion to their units;
//! positions are learnt; training rows are single trials, drawn with replacement; validation images are held out of the
//! training images; the weights of the best validation loss are kept.

mod apply;
mod folder;
mod inputs;
mod insight;
mod reference;
mod summary;
mod task;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use percept_core::{DifferenceRow, Progress, Provenance, ScoreRow, Seed};
use percept_models::context_encoder::ContextEncoderConfig;

pub(crate) use apply::{Applied, apply};
pub use folder::{TrainedRun, VariantFacts};
pub use inputs::GroupFacts;
pub(crate) use insight::Insight;
pub use validate::Validation;

use crate::dataset::{self, Dataset};
use crate::decoding::summary::data as summary_of_data;
use crate::decoding::{Generator, Outcome, PackGenerator, Plan, features};
use crate::error::MethodError;
use crate::experiment::{B2cVariant, Experiment};
use crate::run::RunFolder;
use inputs::Inputs;
use reference::Scorer;

/// Everything that the variants share.
struct Shared<'a> {
    experiment: &'a Experiment,
    dataset: &'a Dataset,
    plan: &'a Plan,
    generator: &'a PackGenerator,
    run: &'a RunFolder,
    inputs: Inputs,
    latents: features::Features,
    contexts: features::Features,
    /// Training stimuli in a fixed random order: variants on fewer images take the first ones.
    order: Vec<usize>,
    progress: &'a dyn Progress,
}

/// Trains all variants of `experiment` in the folder `out`. What an earlier call left there is used again, and a training that
/// was killed goes on from its last checkpoint, to the same weights. The outcome has no pictures: its scores are
/// `context_cosine` and `context_pairwise` of the test images, of every variant and of ridge regression on the same images
/// (`ridge`, or `ridge@N` where a variant sees N images), and the shares of `black` and `exploding` validation pictures.
///
/// # Errors
/// Any [`MethodError`]; a loss that is no number names the step, the term and the last checkpoint.
pub fn train(experiment: &Experiment, out: &Path, progress: &dyn Progress) -> Result<Outcome, MethodError> {
    let Some(settings) = &experiment.b2c else {
        return Err(MethodError::data(
            "the experiment has no section `[b2c]`",
            "add one; an empty one has every default",
        ));
    };
    let run = RunFolder::open(out, None)?;
    let generator = PackGenerator::open(&experiment.model.pack)?;
    let dataset = dataset::open(experiment, &run, progress)?;
    percept_io::fs::write_bytes(run.file("experiment.toml"), experiment.resolved().as_bytes())?;
    let plan = Plan::new(&dataset, &experiment.split, &experiment.decode)?;
    if plan.train.len() != 1 {
        return Err(MethodError::data(
            format!("`b2c` trains one encoder, but the split has {} folds", plan.train.len()),
            "set `split.kind` to `given` or `shared`",
        ));
    }
    for warning in &dataset.warnings {
        progress.warn(warning);
    }
    let captions = dataset.captions.as_ref().ok_or_else(|| {
        MethodError::data("the data have no captions, whose contexts `b2c` learns", "name them under `[data]`")
    })?;
    let mut record = record(experiment, &dataset, &generator)?;
    let only = |inputs: &[&str]| crate::decoding::subset(&record, inputs);
    let latents = features::latents(&run, &dataset, &generator, only(&["stimuli", "pack"]), progress)?;
    let contexts = features::contexts(&run, captions, &generator, only(&["captions", "pack"]), progress)?;
    let shared = Shared {
        inputs: Inputs::of(&dataset, &plan, experiment.decode.normalise)?,
        order: training_order(&dataset, &plan, experiment.seed),
        experiment,
        dataset: &dataset,
        plan: &plan,
        generator: &generator,
        run: &run,
        latents,
        contexts,
        progress,
    };
    for variant in &settings.variants {
        announce(&shared, variant)?;
    }
    let mut variants = Vec::with_capacity(settings.variants.len());
    for variant in &settings.variants {
        variants.push(task::train(&shared, variant, &record)?);
    }
    let most = settings.variants.iter().map(|variant| n_images(&shared, variant)).max().unwrap_or(0);
    let facts = TrainedRun {
        name: experiment.name.clone(),
        pack: generator.name().to_owned(),
        pack_content: generator.content().to_owned(),
        design: apply::design_of(&dataset)?,
        groups: shared.inputs.groups.clone(),
        training_images: shared.order[..most].iter().map(|&stimulus| dataset.stimuli.id(stimulus).to_owned()).collect(),
        variants,
    };
    run.write_json(folder::FACTS, &facts)?;
    let (scores, differences) = scores(&shared, &facts, &settings.variants, &record)?;
    run.write_json("scores.json", &scores)?;
    let mut warnings = dataset.warnings.clone();
    for variant in &facts.variants {
        warnings.extend(variant.warnings.iter().map(|warning| format!("`{}`: {warning}", variant.name)));
    }
    record.settings.insert("experiment".to_owned(), experiment.resolved());
    let outcome = Outcome {
        name: experiment.name.clone(),
        warnings,
        data: summary_of_data(&dataset, &plan, experiment),
        decoders: Vec::new(),
        arms: Vec::new(),
        sections: summary::Summary { run: &facts, scores: &scores }.sections(),
        scores,
        differences,
        items: Vec::new(),
        experiment: experiment.resolved(),
        provenance: record,
    };
    run.write_json("outcome.json", &outcome)?;
    Ok(outcome)
}

/// The record that all stages start from.
fn record(experiment: &Experiment, dataset: &Dataset, generator: &PackGenerator) -> Result<Provenance, MethodError> {
    let mut record = Provenance::new(experiment.seed);
    record.inputs = dataset.inputs()?;
    record.inputs.insert("pack".to_owned(), generator.content().to_owned());
    Ok(record)
}

/// Training stimuli in an order that depends on the seed alone.
fn training_order(dataset: &Dataset, plan: &Plan, seed: u64) -> Vec<usize> {
    let mut stimuli: Vec<usize> =
        plan.train[0].iter().map(|&sample| dataset.responses.stimulus_of_sample[sample]).collect();
    stimuli.sort_unstable();
    stimuli.dedup();
    let order = percept_core::seed::permutation(Seed::new(seed).named("b2c.images"), stimuli.len());
    order.into_iter().map(|position| stimuli[position]).collect()
}

/// Images that a variant sees, validation included.
fn n_images(shared: &Shared<'_>, variant: &B2cVariant) -> usize {
    match variant.training.train_images {
        0 => shared.order.len(),
        n => n.min(shared.order.len()),
    }
}

fn config_of(shared: &Shared<'_>, variant: &B2cVariant) -> Result<ContextEncoderConfig, MethodError> {
    inputs::encoder_config(&variant.training, &shared.inputs.groups, shared.generator.pack().context_shape())
}

/// Says what a variant costs before it starts, and refuses what the experiment does not allow.
fn announce(shared: &Shared<'_>, variant: &B2cVariant) -> Result<(), MethodError> {
    let config = config_of(shared, variant)?;
    let gb = |bytes: usize| bytes as f64 / 1e9;
    let encoder = config.training_bytes();
    let unet: usize = shared.generator.unet_tensors()?.values().map(|tensor| 4 * tensor.elem_count()).sum();
    let rows = 4 * (shared.inputs.rows.len() + shared.latents.values.len() + shared.contexts.values.len());
    let total = encoder + unet + rows;
    let parts: Vec<String> = config
        .groups
        .iter()
        .map(|group| format!("{} {} units → {} tokens", group.name, group.inputs, group.tokens))
        .collect();
    shared.progress.begin(
        &format!(
            "{}: {:.1} M weights ({}); {:.2} GB for them, their gradients and optimiser, {:.2} GB for the U-Net, {:.2} GB for \
             data, activations on top",
            variant.name,
            config.n_parameters() as f64 / 1e6,
            parts.join(", "),
            gb(encoder),
            gb(unet),
            gb(rows)
        ),
        1,
    );
    shared.progress.advance(1);
    shared.progress.end("");
    if gb(total) > variant.training.memory_gb {
        return Err(MethodError::data(
            format!(
                "`{}` needs {:.1} GB before any activation, but `b2c.memory_gb` allows {:.1}",
                variant.name,
                gb(total),
                variant.training.memory_gb
            ),
            "patch the input, set `b2c.rank` (256 keeps most of what a linear layer does), or allow more",
        ));
    }
    if variant.training.train_images == 1 {
        return Err(MethodError::data("`b2c.train_images = 1` leaves nothing to validate on", "allow two at least"));
    }
    Ok(())
}

/// How well the contexts of the test items are told apart: each variant, and ridge on as many images; and what each variant
/// scores more than that ridge.
fn scores(
    shared: &Shared<'_>,
    facts: &TrainedRun,
    variants: &[B2cVariant],
    record: &Provenance,
) -> Result<(Vec<ScoreRow>, Vec<DifferenceRow>), MethodError> {
    let scorer = Scorer::new(shared);
    let samples: Vec<&Vec<usize>> = shared.plan.items.iter().map(|item| &item.samples).collect();
    let items = shared.inputs.averaged(samples.into_iter());
    let sizes: BTreeSet<usize> = variants.iter().map(|variant| n_images(shared, variant)).collect();
    let mut ridges = BTreeMap::new();
    for size in sizes {
        let name = if size == shared.order.len() { summary::RIDGE.to_owned() } else { summary::ridge_on(size) };
        let predicted = reference::ridge(shared, size, &items, record)?;
        ridges.insert(size, (name, scorer.score(&predicted)?));
    }
    let (mut rows, mut failures, mut differences) = (Vec::new(), Vec::new(), Vec::new());
    for (variant, asked) in facts.variants.iter().zip(variants) {
        let trained = folder::open(shared.run.path(), &variant.name)?;
        let scored = scorer.score(&trained.encoder.contexts(items.view())?)?;
        rows.extend(scorer.rows(&variant.name, &scored)?);
        failures.extend(scorer.failures(variant)?);
        let (ridge, against) = &ridges[&n_images(shared, asked)];
        differences.extend(scorer.differences((&variant.name, &scored), (ridge, against))?);
    }
    for (name, scored) in ridges.values() {
        rows.extend(scorer.rows(name, scored)?);
    }
    let mean = reference::mean_context(shared);
    let same = mean.broadcast((items.nrows(), mean.len())).expect("one row for all").to_owned();
    rows.extend(scorer.rows("mean_context", &scorer.score(&same)?)?);
    rows.extend(failures);
    Ok((rows, differences))
}
