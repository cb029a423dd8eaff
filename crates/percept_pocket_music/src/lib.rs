//! The pocket pack of music: a tiny MusicLDM with its CLAP that is part of the program.
//!
//! The same classes as the released models with small numbers, trained on percept's own tunes by `percept train pocket --music` and stored
//! in half precision. It knows nothing of real music. How it was trained and what it scores is in `pack/README.md`. A crate beside
//! `percept_pocket`, so that each stays small.

use percept_models::{ModelError, sound::music::MusicPack, weights::PackFiles};

macro_rules! pack {
    ($($name:literal),+ $(,)?) => {
        /// Every file of the pack by its name in the diffusers layout.
        pub const FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../pack/", $name)))),+];
    };
}

pack! {
    "feature_extractor/preprocessor_config.json",
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "vocoder/config.json",
    "vocoder/model.safetensors",
}

/// Loads the pack.
///
/// # Errors
/// None in practice: the files are part of the program and tested with it.
pub fn load() -> Result<MusicPack, ModelError> {
    MusicPack::load(&PackFiles::Embedded(FILES))
}
