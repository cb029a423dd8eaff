//! A latent, decoded by the autoencoder: no noise, no text.

use std::sync::Arc;

use percept_core::Provenance;

use super::media;
use crate::arms::{Generator, Inputs, Medium};
use crate::error::PipelineError;
use crate::packs::PictureModel;
use crate::plan::Item;

/// The space that it reads.
pub(super) const LATENT: &str = "z";

/// Decodes `z`.
pub struct DecodeLatent {
    model: Arc<dyn PictureModel>,
}

impl DecodeLatent {
    /// By the autoencoder of `model`.
    pub fn new(model: Arc<dyn PictureModel>) -> Self {
        Self { model }
    }
}

impl Generator for DecodeLatent {
    fn record(&self, _: &[Item], _: usize, record: Provenance) -> Provenance {
        record.input("pack", self.model.content()).setting("generator", "decoded latent")
    }

    fn make(&self, inputs: &Inputs, _: &[Item], _: usize) -> Result<Vec<Medium>, PipelineError> {
        let latents = inputs.required(LATENT, "decoding a latent")?;
        Ok(media(&self.model.decode(latents)?))
    }

    fn is_random(&self) -> bool {
        false
    }
}
