//! What all variants of one training share.

use percept_core::{Progress, Seed};
use percept_models::context_encoder::ContextEncoderConfig;
use percept_pipeline::experiment::Experiment;
use percept_pipeline::packs::PackModel;
use percept_pipeline::{Dataset, FeatureTable, PipelineError, Plan, RunFolder};

use super::inputs::{self, Inputs};
use super::settings::B2cVariant;

/// Everything that the variants share.
pub(super) struct Shared<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) dataset: &'a Dataset,
    pub(super) plan: &'a Plan,
    pub(super) model: &'a PackModel,
    pub(super) run: &'a RunFolder,
    pub(super) inputs: Inputs,
    pub(super) latents: FeatureTable,
    pub(super) contexts: FeatureTable,
    /// Training stimuli in a fixed random order: variants on fewer images take the first ones.
    pub(super) order: Vec<usize>,
    pub(super) progress: &'a dyn Progress,
}

/// Training stimuli in an order that depends on the seed alone.
pub(super) fn training_order(dataset: &Dataset, plan: &Plan, seed: u64) -> Vec<usize> {
    let mut stimuli: Vec<usize> =
        plan.train[0].iter().map(|&sample| dataset.responses.stimulus_of_sample[sample]).collect();
    stimuli.sort_unstable();
    stimuli.dedup();
    let order = percept_core::seed::permutation(Seed::new(seed).named("b2c.images"), stimuli.len());
    order.into_iter().map(|position| stimuli[position]).collect()
}

/// Images that a variant sees, validation included.
pub(super) fn n_images(shared: &Shared<'_>, variant: &B2cVariant) -> usize {
    match variant.training.train_images {
        0 => shared.order.len(),
        n => n.min(shared.order.len()),
    }
}

pub(super) fn config_of(shared: &Shared<'_>, variant: &B2cVariant) -> Result<ContextEncoderConfig, PipelineError> {
    inputs::encoder_config(&variant.training, &shared.inputs.groups, shared.model.pack().context_shape())
}
