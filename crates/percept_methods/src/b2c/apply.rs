//! Trained encoders in a comparison: contexts of the test items, and the U-Net that goes with them.

use std::collections::BTreeSet;
use std::path::Path;

use ndarray::Array2;
use percept_core::Progress;
use percept_models::weights::Tensors;

use super::folder::{self, TrainedRun, VariantFacts};
use super::inputs::Inputs;
use crate::dataset::Dataset;
use crate::decoding::{Changes, Generator, Plan};
use crate::error::MethodError;
use crate::experiment::Experiment;

/// One trained variant, applied to the test items.
pub(crate) struct Applied {
    /// Its facts.
    pub(crate) facts: VariantFacts,
    /// n_items × context.
    pub(crate) items: Array2<f32>,
    /// 1 × context: for the mean training response.
    pub(crate) mean: Array2<f32>,
    /// n_groups of (n_items × context): without the responses of one group each.
    pub(crate) without: Vec<Array2<f32>>,
    /// Tensors of the U-Net that differ from the pack's.
    changes: Tensors,
    /// Hash of encoder and changes.
    pub(crate) content: String,
}

impl Applied {
    /// What it changes in a generator.
    pub(crate) fn changes(&self) -> Changes {
        Changes { tensors: self.changes.clone(), content: self.content.clone() }
    }
}

/// A content hash of which sample saw what, which is tested, and which units belong to which group.
pub(super) fn design_of(dataset: &Dataset) -> Result<String, MethodError> {
    let inputs = dataset.inputs()?;
    let parts: Vec<&str> = ["design", "groups"].iter().filter_map(|key| inputs.get(*key).map(String::as_str)).collect();
    Ok(percept_core::provenance::content_hash(parts.concat().as_bytes()))
}

/// Applies every variant in the folder that `decoder` names to the items of `plan`.
///
/// # Errors
/// A folder that holds no training, or one on another pack or other groups; test images that it was trained on.
pub(crate) fn apply(
    experiment: &Experiment,
    dataset: &Dataset,
    plan: &Plan,
    generator: &dyn Generator,
    progress: &dyn Progress,
) -> Result<(TrainedRun, Vec<Applied>), MethodError> {
    let Some(folder) = &experiment.decoder else {
        return Err(MethodError::data(
            "the method `b2c` needs a trained encoder, but `decoder` is missing",
            "train one by `percept train b2c EXPERIMENT.toml --out FOLDER`, and set `decoder = \"FOLDER\"`",
        ));
    };
    let facts = folder::facts(folder)?;
    check(&facts, folder, dataset, plan, generator)?;
    let inputs = Inputs::of(dataset, plan, experiment.decode.normalise)?;
    let samples: Vec<&Vec<usize>> = plan.items.iter().map(|item| &item.samples).collect();
    let items = inputs.averaged(samples.into_iter());
    let mean = inputs.averaged([&plan.train[0]].into_iter());
    progress.begin("contexts of trained encoders", facts.variants.len() as u64);
    let mut applied = Vec::with_capacity(facts.variants.len());
    for variant in &facts.variants {
        let trained = folder::open(folder, &variant.name)?;
        let without = inputs
            .columns()
            .into_iter()
            .map(|columns| {
                // Responses are normalised, so zero is a unit's mean.
                let mut silent = items.clone();
                silent.slice_mut(ndarray::s![.., columns]).fill(0.0);
                trained.encoder.contexts(silent.view())
            })
            .collect::<Result<_, _>>()?;
        applied.push(Applied {
            facts: variant.clone(),
            items: trained.encoder.contexts(items.view())?,
            mean: trained.encoder.contexts(mean.view())?,
            without,
            changes: trained.changes,
            content: trained.content,
        });
        progress.advance(1);
    }
    progress.end("");
    Ok((facts, applied))
}

/// Refuses a training that does not belong to this comparison.
fn check(
    facts: &TrainedRun,
    folder: &Path,
    dataset: &Dataset,
    plan: &Plan,
    generator: &dyn Generator,
) -> Result<(), MethodError> {
    let at = folder.display();
    if facts.pack_content != generator.content() {
        return Err(MethodError::data(
            format!(
                "the encoders in `{at}` were trained with the pack `{}`, but this one is `{}`",
                facts.pack,
                generator.name()
            ),
            "use the same pack, or train again",
        ));
    }
    let sizes: Vec<(&str, usize)> = facts.groups.iter().map(|group| (group.name.as_str(), group.n_units)).collect();
    let ours: Vec<(&str, usize)> =
        dataset.groups.iter().map(|group| (group.name.as_str(), group.units.len())).collect();
    if sizes != ours {
        return Err(MethodError::data(
            format!("the encoders in `{at}` read the groups {sizes:?}, but the data have {ours:?}"),
            "use the same data and `[data.groups]`, or train again",
        ));
    }
    let known: BTreeSet<&str> = facts.training_images.iter().map(String::as_str).collect();
    let tested: BTreeSet<&str> = plan.items.iter().map(|item| dataset.stimuli.id(item.stimulus)).collect();
    let leaked = tested.intersection(&known).count();
    if leaked > 0 {
        return Err(MethodError::data(
            format!("{leaked} of {} test images trained the encoders in `{at}`", tested.len()),
            "test on other images, or train with this split",
        ));
    }
    if facts.design != design_of(dataset)? {
        return Err(MethodError::data(
            format!("the encoders in `{at}` were trained on other trials or units than this experiment reads"),
            "use the same `[data]` and `[split]`, or train again",
        ));
    }
    Ok(())
}
