//! Feature spaces: from stimuli to one row of features each. A space is one file behind [`Space`].
//!
//! - [`latent`]: `z`, the autoencoder's latent of the picture; [`context`]: `c`, the text encoder's states of the captions
//! - [`pixels`]: the picture itself, averaged down
//! - [`mod@vision_tokens`]: what a captioner sees, on disk
//! - [`store`]: any space that a model's places offer, as a folder of arrays (`percept features`)

mod blocks;
pub mod context;
pub mod latent;
pub mod pixels;
pub mod store;
pub mod vision_tokens;

use percept_core::{Progress, Provenance};

use crate::data::{Dataset, FeatureTable};
use crate::error::PipelineError;
use crate::packs::PictureModel;
use crate::run::RunFolder;

pub use context::Context;
pub use latent::Latent;
pub use pixels::Pixels;
pub use vision_tokens::vision_tokens;

/// What spaces are made from.
#[derive(Clone, Copy)]
pub struct Materials<'a> {
    /// Where artefacts are kept.
    pub run: &'a RunFolder,
    /// The stimuli and their captions.
    pub data: &'a Dataset,
    /// The model.
    pub model: &'a dyn PictureModel,
    /// The record of the run: hashes of all inputs.
    pub record: &'a Provenance,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

/// A named representation of stimuli.
pub trait Space {
    /// Its name, such as `z`; names artefacts and inputs of generators.
    fn name(&self) -> &str;

    /// Features of every stimulus, made or found in the run's folder.
    ///
    /// # Errors
    /// When the data lack what the space reads, or a model refuses it.
    fn features(&self, from: &Materials<'_>) -> Result<FeatureTable, PipelineError>;
}
