//! Trained encoders in a comparison: contexts of the test items, and the U-Net that goes with them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use percept_core::Section;
use percept_core::outcome::Role;
use percept_pipeline::evaluation::StimulusPictures;
use percept_pipeline::generation::{Diffusion, Guide, Start};
use percept_pipeline::packs::OnDemand;
use percept_pipeline::spaces::Context;
use percept_pipeline::{Arm, Dataset, Generator, PictureModel, PipelineError, Plan};

use super::applied::Applied;
use super::folder::{self, TrainedRun, VariantFacts};
use super::inputs::Inputs;
use super::insight::Insight;
use super::sections::sections;
use crate::bench::Bench;
use crate::system::{Candidate, Entry, Oracle};

/// A content hash of which sample saw what, which is tested, and which units belong to which group.
pub(super) fn design_of(dataset: &Dataset) -> Result<String, PipelineError> {
    let inputs = dataset.inputs()?;
    let parts: Vec<&str> = ["design", "groups"].iter().filter_map(|key| inputs.get(*key).map(String::as_str)).collect();
    Ok(percept_core::provenance::content_hash(parts.concat().as_bytes()))
}

/// The encoders of one comparison.
pub(super) struct Encoders {
    facts: TrainedRun,
    applied: Vec<Applied>,
    candidates: Vec<Candidate>,
}

/// The folder that `decoder` names, and what it says of itself.
///
/// # Errors
/// A folder that holds no training, or one on another pack or other groups; test images that it was trained on.
pub(super) fn found<'a>(bench: &Bench<'a>) -> Result<(&'a Path, TrainedRun), PipelineError> {
    let Bench { experiment, data, plan, .. } = *bench;
    let Some(folder) = &experiment.decoder else {
        return Err(PipelineError::data(
            "the method `b2c` needs a trained encoder, but `decoder` is missing",
            "train one by `percept train b2c EXPERIMENT.toml --out FOLDER`, and set `decoder = \"FOLDER\"`",
        ));
    };
    let facts = folder::facts(folder)?;
    check(&facts, folder, data, plan, &*bench.model)?;
    Ok((folder, facts))
}

/// Applies every variant in the folder that `decoder` names to the items of the plan.
///
/// # Errors
/// As [`found`], and encoders that cannot be read.
pub(super) fn join(bench: &Bench<'_>) -> Result<Encoders, PipelineError> {
    let Bench { experiment, data, plan, progress, .. } = *bench;
    let (folder, facts) = found(bench)?;
    let inputs = Inputs::of(data, plan, experiment.decode.normalise)?;
    let samples: Vec<&Vec<usize>> = plan.items.iter().map(|item| &item.samples).collect();
    let items = inputs.averaged(samples.into_iter());
    let mean = inputs.averaged([&plan.train[0]].into_iter());
    progress.begin("contexts of trained encoders", facts.variants.len() as u64);
    let mut applied = Vec::with_capacity(facts.variants.len());
    for variant in &facts.variants {
        applied.push(apply(folder, variant, &inputs, &items, &mean)?);
        for warning in &variant.warnings {
            bench.warn(format!("`{}`: {warning}", variant.name));
        }
        progress.advance(1);
    }
    progress.end("");
    let candidates = applied.iter().map(|one| candidate(bench, one)).collect::<Result<_, _>>()?;
    Ok(Encoders { facts, applied, candidates })
}

/// Contexts of all items by one variant, with and without each group of units.
fn apply(
    folder: &Path,
    variant: &VariantFacts,
    inputs: &Inputs,
    items: &Array2<f32>,
    mean: &Array2<f32>,
) -> Result<Applied, PipelineError> {
    let trained = folder::open(folder, &variant.name)?;
    let mut without = Vec::new();
    for columns in inputs.columns() {
        // Responses are normalised, so zero is a unit's mean.
        let mut silent = items.clone();
        silent.slice_mut(ndarray::s![.., columns]).fill(0.0);
        without.push(trained.encoder.contexts(silent.view())?);
    }
    Ok(Applied {
        facts: variant.clone(),
        items: trained.encoder.contexts(items.view())?,
        mean: trained.encoder.contexts(mean.view())?,
        without,
        changes: trained.changes,
        content: trained.content,
    })
}

fn candidate(bench: &Bench<'_>, applied: &Applied) -> Result<Candidate, PipelineError> {
    let diffusion = |model| -> Arc<dyn Generator> {
        Arc::new(Diffusion::new(model, &bench.experiment.generate, Start::Noise, Guide::Context))
    };
    let context = |rows: &Array2<f32>| percept_pipeline::Inputs::none().with(Context::NAME, rows.clone());
    let generator = diffusion(OnDemand::adapted(bench.model.clone(), applied.changes()));
    let description = applied.facts.description();
    let words = ["trained encoder", &description];
    let mut arm = bench.arm(&applied.facts.name, Role::Method, words, context(&applied.items), generator)?;
    arm.family = Some("b2c");
    Ok(Candidate {
        arm,
        strength: 0,
        mean: Some(context(&applied.mean)),
        oracle: Some(Oracle {
            of: "c".to_owned(),
            generator: diffusion(OnDemand::plain(bench.model.clone())),
            inputs: context(&bench.true_rows(&Context)?),
        }),
    })
}

impl Entry for Encoders {
    fn candidates(&self) -> Vec<Candidate> {
        self.candidates.clone()
    }

    fn sections(&self, bench: &Bench<'_>, stimuli: &StimulusPictures) -> Result<Vec<Section>, PipelineError> {
        let truth = bench.true_rows(&Context)?;
        let arms: Vec<&Arm> = self.candidates.iter().map(|candidate| &candidate.arm).collect();
        sections(&Insight { bench, facts: &self.facts, trained: &self.applied, arms: &arms, truth, stimuli })
    }
}

/// Refuses a training that does not belong to this comparison.
fn check(
    facts: &TrainedRun,
    folder: &Path,
    dataset: &Dataset,
    plan: &Plan,
    model: &dyn PictureModel,
) -> Result<(), PipelineError> {
    let at = folder.display();
    if facts.pack_content != model.content() {
        return Err(PipelineError::data(
            format!(
                "the encoders in `{at}` were trained with the pack `{}`, but this one is `{}`",
                facts.pack,
                model.name()
            ),
            "use the same pack, or train again",
        ));
    }
    let sizes: Vec<(&str, usize)> = facts.groups.iter().map(|group| (group.name.as_str(), group.n_units)).collect();
    let ours: Vec<(&str, usize)> =
        dataset.groups.iter().map(|group| (group.name.as_str(), group.units.len())).collect();
    if sizes != ours {
        return Err(PipelineError::data(
            format!("the encoders in `{at}` read the groups {sizes:?}, but the data have {ours:?}"),
            "use the same data and `[data.groups]`, or train again",
        ));
    }
    let known: BTreeSet<&str> = facts.training_images.iter().map(String::as_str).collect();
    let tested: BTreeSet<&str> = plan.items.iter().map(|item| dataset.stimuli.id(item.stimulus)).collect();
    let leaked = tested.intersection(&known).count();
    if leaked > 0 {
        return Err(PipelineError::data(
            format!("{leaked} of {} test images trained the encoders in `{at}`", tested.len()),
            "test on other images, or train with this split",
        ));
    }
    if facts.design != design_of(dataset)? {
        return Err(PipelineError::data(
            format!("the encoders in `{at}` were trained on other trials or units than this experiment reads"),
            "use the same `[data]` and `[split]`, or train again",
        ));
    }
    Ok(())
}
