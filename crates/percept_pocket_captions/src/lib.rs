//! The pocket captioner: a tiny BLIP that is part of the program.
//!
//! The same classes as the released captioners with small numbers, trained on percept's own drawings by `percept train pocket`
//! and stored in half precision. It knows nothing of photographs. How it was trained and what it scores is in `pack/README.md`.
//! A crate beside `percept_pocket`, so that each stays small.

use percept_models::{ModelError, caption::Captioner, weights::PackFiles};

macro_rules! pack {
    ($($name:literal),+ $(,)?) => {
        /// Every file of the pack by its name in the layout of transformers.
        pub const FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../pack/", $name)))),+];
    };
}

pack! {
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "vocab.txt",
}

/// Loads the captioner.
///
/// # Errors
/// None in practice: the files are part of the program and tested with it.
pub fn load() -> Result<Captioner, ModelError> {
    Captioner::load(&PackFiles::Embedded(FILES))
}
