//! What a training of the pocket pack of music is made of: steps and seeds.

use std::path::Path;

use percept_models::ModelError;
use serde::{Deserialize, Serialize};

use crate::pocket::recipe::opened;

/// How long each part trains, and from which seed. The default is the recipe of the built-in pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MusicRecipe {
    /// The root of all randomness.
    pub seed: u64,
    /// Steps of CLAP.
    pub clap_steps: usize,
    /// Steps of the autoencoder of mel spectrograms.
    pub autoencoder_steps: usize,
    /// Steps of the vocoder.
    pub vocoder_steps: usize,
    /// Steps of the U-Net.
    pub unet_steps: usize,
    /// Pieces whose latents and vectors the U-Net learns from.
    pub unet_pieces: usize,
}

impl Default for MusicRecipe {
    fn default() -> Self {
        Self {
            seed: 1,
            clap_steps: 2_500,
            autoencoder_steps: 1_000,
            vocoder_steps: 6_000,
            unet_steps: 5_000,
            unet_pieces: 6_000,
        }
    }
}

impl MusicRecipe {
    /// The recipe in the file at `path`.
    ///
    /// # Errors
    /// A file that cannot be read, or an unknown entry.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        opened(path)
    }
}
