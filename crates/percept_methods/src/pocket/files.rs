//! The pack's configs and tokenizer on disk, in the diffusers layout.

use std::path::Path;

use percept_models::ModelError;

use super::configs;
use super::recipe::Recipe;
use super::vocabulary::Vocabulary;
use crate::disk::write;

/// Writes every config and the tokenizer of the pack to `out`.
pub(super) fn write_all(out: &Path, recipe: &Recipe, vocabulary: &Vocabulary) -> Result<(), ModelError> {
    let tokenizer = r#"{
  "bos_token": "<|startoftext|>",
  "eos_token": "<|endoftext|>",
  "model_max_length": 77,
  "pad_token": "<|endoftext|>",
  "tokenizer_class": "CLIPTokenizer",
  "unk_token": "<|endoftext|>"
}
"#;
    for (name, content) in [
        ("model_index.json", configs::MODEL_INDEX),
        ("vae/config.json", &recipe.vae_config()),
        ("unet/config.json", &recipe.unet_config()),
        ("scheduler/scheduler_config.json", configs::SCHEDULER),
        ("image_encoder/config.json", configs::VISION),
        ("feature_extractor/preprocessor_config.json", configs::PREPROCESSOR),
        ("text_encoder/config.json", &configs::text(vocabulary.n_tokens)),
        ("tokenizer/vocab.json", &vocabulary.vocab_json),
        ("tokenizer/merges.txt", &vocabulary.merges_txt),
        ("tokenizer/tokenizer_config.json", tokenizer),
    ] {
        write(&out.join(name), content.as_bytes())?;
    }
    Ok(())
}
