//! `percept train b2c`: every variant of `[b2c]`, one after the other, and how well its contexts tell the test images apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use percept_core::{DifferenceRow, Outcome, Progress, Provenance, ScoreRow};
use percept_pipeline::experiment::Experiment;
use percept_pipeline::packs::{PackModel, PictureModel};
use percept_pipeline::plan::summary;
use percept_pipeline::spaces::{Context, Latent, Materials, Space};
use percept_pipeline::{Dataset, PipelineError, Plan, RunFolder, data};

use super::folder::{self, TrainedRun};
use super::inputs::Inputs;
use super::reference::{self, Scorer};
use super::settings::{B2cSettings, B2cVariant, SECTION};
use super::shared::{Shared, config_of, n_images, training_order};
use super::{compare, figures, task};
use crate::reconstruct::{RunOptions, record_of};

/// Trains all variants of `experiment` in the folder `out`. What an earlier call left there is used again, and a training that
/// was killed goes on from its last checkpoint, to the same weights. The outcome has no pictures: its scores are
/// `context_cosine` and `context_pairwise` of the test images, of every variant and of ridge regression on the same images
/// (`ridge`, or `ridge@N` where a variant sees N images), and the shares of `black` and `exploding` validation pictures.
///
/// # Errors
/// Any [`PipelineError`]; a loss that is no number names the step, the term and the last checkpoint.
pub fn train(
    experiment: &Experiment,
    out: &Path,
    options: RunOptions,
    progress: &dyn Progress,
) -> Result<Outcome, PipelineError> {
    let Some(settings) = experiment.section::<B2cSettings>(SECTION.name) else {
        return Err(PipelineError::data(
            "the experiment has no section `[b2c]`",
            "add one; an empty one has every default",
        ));
    };
    let run =
        RunFolder::open_when_free(out, options.stop_after, || crate::reconstruct::say_that_it_waits(out, progress))?;
    run.claim("training", &experiment.name)?;
    let model = PackModel::open(&experiment.model.pack)?.within(options.memory)?;
    let dataset = data::open(experiment, &run, progress)?;
    percept_io::fs::write_bytes(run.file("experiment.toml"), experiment.resolved().as_bytes())?;
    let plan = Plan::new(&dataset, &experiment.split, &experiment.decode)?;
    if plan.train.len() != 1 {
        return Err(PipelineError::data(
            format!("`b2c` trains one encoder, but the split has {} folds", plan.train.len()),
            "set `split.kind` to `given` or `shared`",
        ));
    }
    for warning in &dataset.warnings {
        progress.warn(warning);
    }
    let record = record_of(experiment, &dataset, &model)?;
    let materials = Materials { run: &run, data: &dataset, model: &model, record: &record, progress };
    // Captions are looked for first: without them nothing can be learnt.
    let contexts = Context.features(&materials)?;
    let latents = Latent.features(&materials)?;
    let shared = Shared {
        inputs: Inputs::of(&dataset, &plan, experiment.decode.normalise)?,
        order: training_order(&dataset, &plan, experiment.seed),
        experiment,
        dataset: &dataset,
        plan: &plan,
        model: &model,
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
        pack: model.name().to_owned(),
        pack_content: model.content().to_owned(),
        design: compare::design_of(&dataset)?,
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
    let outcome = Outcome {
        name: experiment.name.clone(),
        warnings,
        lead: lead(&dataset, &plan),
        data: summary::data(&dataset, &plan, experiment.split.kind),
        decoders: Vec::new(),
        arms: figures::arms(&facts, &scores),
        main: facts.variants.last().map(|variant| variant.name.clone()),
        metrics: reference::metrics(),
        sections: figures::Summary { run: &facts, scores: &scores }.sections(),
        scores,
        differences,
        items: Vec::new(),
        experiment: experiment.resolved(),
        provenance: record,
    };
    run.write_json("outcome.json", &outcome)?;
    Ok(outcome)
}

/// Says what a variant costs before it starts, and refuses what the experiment does not allow.
fn announce(shared: &Shared<'_>, variant: &B2cVariant) -> Result<(), PipelineError> {
    let config = config_of(shared, variant)?;
    let gb = |bytes: usize| bytes as f64 / 1e9;
    let encoder = config.training_bytes();
    let unet: usize = shared.model.unet_tensors()?.values().map(|tensor| 4 * tensor.elem_count()).sum();
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
        return Err(PipelineError::data(
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
        return Err(PipelineError::data("`b2c.train_images = 1` leaves nothing to validate on", "allow two at least"));
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
) -> Result<(Vec<ScoreRow>, Vec<DifferenceRow>), PipelineError> {
    let scorer = Scorer::new(shared);
    let samples: Vec<&Vec<usize>> = shared.plan.items.iter().map(|item| &item.samples).collect();
    let items = shared.inputs.averaged(samples.into_iter());
    let sizes: BTreeSet<usize> = variants.iter().map(|variant| n_images(shared, variant)).collect();
    let mut ridges = BTreeMap::new();
    for size in sizes {
        let name = if size == shared.order.len() { figures::RIDGE.to_owned() } else { figures::ridge_on(size) };
        let predicted = reference::ridge_contexts(shared, size, &items, record)?;
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

fn lead(dataset: &Dataset, plan: &Plan) -> String {
    let tested: BTreeSet<usize> = plan.stimuli().into_iter().collect();
    format!("Encoders trained on the responses of {}, tested on {} other pictures.", dataset.subject, tested.len())
}
