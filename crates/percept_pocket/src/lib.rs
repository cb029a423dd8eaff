//! The pocket pack: a tiny Stable-Diffusion-shaped model pack that is part of the program.
//!
//! The same classes as Stable Diffusion 1.4 and CLIP with small numbers, trained on percept's own drawings by
//! `percept train pocket` and stored in half precision. It makes everything work without a download; it knows nothing
//! of photographs. How it was trained and what it scores is in `pack/README.md`. Its U-Net is in `percept_pocket_unet`, for its size.

use percept_models::{DiffusionPack, ModelError, weights::PackFiles};

macro_rules! pack {
    ($($name:literal),+ $(,)?) => {
        /// Every file of the pack by its name in the diffusers layout.
        pub const FILES: &[(&str, &[u8])] = &[
            $(($name, include_bytes!(concat!("../pack/", $name))),)+
            ("unet/config.json", percept_pocket_unet::CONFIG),
            ("unet/diffusion_pytorch_model.safetensors", percept_pocket_unet::WEIGHTS),
        ];
    };
}

pack! {
    "model_index.json",
    "feature_extractor/preprocessor_config.json",
    "image_encoder/config.json",
    "image_encoder/model.safetensors",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
}

/// Loads the pack.
///
/// # Errors
/// None in practice: the files are part of the program and tested with it.
pub fn load() -> Result<DiffusionPack, ModelError> {
    DiffusionPack::load(&PackFiles::Embedded(FILES))
}
