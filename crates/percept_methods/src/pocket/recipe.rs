//! What a training of the pocket pack is made of: steps, seeds, sizes, and what the U-Net is shown.

use std::path::{Path, PathBuf};

use percept_models::ModelError;
use percept_synth::drawing::SCENE_SHARE;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::configs;
use crate::disk::file_error;

/// Shards of every batch: fixed, so that results do not depend on the number of threads.
pub(in crate::pocket) const SHARDS: usize = 4;

/// Where the training keeps what it needs to go on; not part of the pack.
pub(in crate::pocket) fn work(out: &Path) -> PathBuf {
    out.join("training")
}

/// How long each part trains, from which seed and on what. A TOML file names what differs from the default, which is the
/// recipe of the built-in pack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// The root of all randomness.
    pub seed: u64,
    /// Steps of the judge.
    pub judge_steps: usize,
    /// Steps of the autoencoder; the first 6/10 see 32×32 crops.
    pub autoencoder_steps: usize,
    /// Steps of its decoder alone, afterwards.
    pub decoder_steps: usize,
    /// Steps of CLIP.
    pub clip_steps: usize,
    /// Steps of the U-Net.
    pub unet_steps: usize,
    /// Steps of the captioner.
    pub captioner_steps: usize,
    /// Steps of the language model.
    pub language_steps: usize,
    /// Drawings in each step of the U-Net; a multiple of 4.
    pub unet_batch: usize,
    /// Drawings whose latents and contexts the U-Net learns from.
    pub unet_drawings: usize,
    /// Share of figures among what the U-Net is shown.
    pub unet_figures: f64,
    /// Share of the U-Net's steps, the first ones, in which every scene's object is large.
    pub unet_large_first: f64,
    /// Entries of the autoencoder's `config.json` that differ from the built-in pack's.
    pub vae: Map<String, Value>,
    /// Entries of the U-Net's `config.json` that differ from the built-in pack's.
    pub unet: Map<String, Value>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            judge_steps: 1_500,
            autoencoder_steps: 6_000,
            decoder_steps: 8_000,
            clip_steps: 1_200,
            unet_steps: 7_500,
            captioner_steps: 4_000,
            language_steps: 1_500,
            unet_batch: 48,
            unet_drawings: 24_000,
            unet_figures: 1.0 - SCENE_SHARE,
            unet_large_first: 0.0,
            vae: Map::new(),
            unet: Map::new(),
        }
    }
}

/// A recipe from the TOML file at `path`: what differs from its default.
///
/// # Errors
/// A file that cannot be read, or an unknown entry.
pub(super) fn opened<R: DeserializeOwned>(path: &Path) -> Result<R, ModelError> {
    let text = percept_io::fs::read_text(path, 1 << 20).map_err(|source| file_error(path, source))?;
    toml::from_str(&text).map_err(|error| ModelError::Corrupt {
        path: path.to_owned(),
        format: "recipe",
        detail: error.to_string(),
    })
}

impl Recipe {
    /// The recipe in the file at `path`.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown entry, or a value out of its range.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let recipe: Self = opened(path)?;
        recipe.check().map(|()| recipe)
    }

    /// The autoencoder's config.
    pub(super) fn vae_config(&self) -> String {
        merged(configs::VAE, &self.vae)
    }

    /// The U-Net's config.
    pub(super) fn unet_config(&self) -> String {
        merged(configs::UNET, &self.unet)
    }

    /// What else decides a training of the U-Net; a checkpoint of others is refused.
    pub(super) fn of_unet(&self) -> String {
        let Self { unet_batch, unet_drawings, unet_figures, unet_large_first, vae, unet, .. } = self;
        // Some entries of configs change no shape, which a checkpoint would show.
        let configs = serde_json::json!([vae, unet]);
        format!("{unet_batch} of {unet_drawings}, figures {unet_figures}, large first {unet_large_first}, {configs}")
    }

    pub(super) fn check(&self) -> Result<(), ModelError> {
        let refuse =
            |what, expected: &str, got: String| Err(ModelError::Input { what, expected: expected.to_owned(), got });
        if self.unet_batch == 0 || !self.unet_batch.is_multiple_of(SHARDS) {
            return refuse("`unet_batch`", &format!("a multiple of {SHARDS}"), self.unet_batch.to_string());
        }
        for (what, share) in [("`unet_figures`", self.unet_figures), ("`unet_large_first`", self.unet_large_first)] {
            if !(0.0..=1.0).contains(&share) {
                return refuse(what, "a share from 0 to 1", share.to_string());
            }
        }
        Ok(())
    }
}

/// `config`, with `changes` in place of its own entries.
fn merged(config: &str, changes: &Map<String, Value>) -> String {
    if changes.is_empty() {
        return config.to_owned();
    }
    let mut entries: Map<String, Value> = serde_json::from_str(config).expect("the built-in configs are JSON objects");
    entries.extend(changes.clone());
    let mut text = serde_json::to_string_pretty(&entries).expect("a map of JSON values is JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Result<Recipe, ModelError> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("recipe.toml");
        std::fs::write(&path, text).expect("writable");
        Recipe::open(&path)
    }

    #[test]
    fn a_recipe_names_what_differs() {
        let recipe = opened("unet_steps = 10\n[unet]\nblock_out_channels = [64, 128]\n").expect("a recipe");
        assert_eq!(Recipe { unet_steps: 10, unet: recipe.unet.clone(), ..Recipe::default() }, recipe);
        let config: Value = serde_json::from_str(&recipe.unet_config()).expect("JSON");
        assert_eq!(config["block_out_channels"], serde_json::json!([64, 128]));
        assert_eq!(config["cross_attention_dim"], 128);
        assert_eq!(recipe.vae_config(), configs::VAE);
    }

    #[test]
    fn the_examples_are_recipes_of_models_that_there_are() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/pocket");
        let mut n = 0;
        for entry in std::fs::read_dir(folder).expect("the examples are there") {
            let recipe = Recipe::open(&entry.expect("readable").path()).expect("a recipe");
            percept_models::unet::UnetConfig::parse(&recipe.unet_config()).expect("a U-Net");
            percept_models::autoencoder::AutoencoderConfig::parse(&recipe.vae_config()).expect("an autoencoder");
            n += 1;
        }
        assert_eq!(n, 5);
    }

    #[test]
    fn entries_that_cannot_be_are_named() {
        for (text, said) in [
            ("unet_batch = 13", "`unet_batch`"),
            ("unet_figures = 1.5", "`unet_figures`"),
            ("unet_large_first = -0.1", "`unet_large_first`"),
            ("unet_stepz = 3", "unet_stepz"),
        ] {
            let error = opened(text).expect_err("out of range").to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
