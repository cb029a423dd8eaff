//! The pocket language model: Llama's class with small numbers, part of the program.
//!
//! Trained by `percept train pocket --part language` on the annotations of films that nobody shot and on captions of drawings, stored in
//! half precision beside its own tokenizer. It is read, layer by layer; it knows a few hundred words and writes nothing worth reading.
//! How it was trained and what it scores is in `pack/README.md`.

use percept_models::language::LanguageModel;
use percept_models::tokenizer::TextTokenizer;
use percept_models::{ModelError, weights::PackFiles};

/// Every file of the model by its name in transformers' layout.
pub const FILES: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../pack/config.json")),
    ("model.safetensors", include_bytes!("../pack/model.safetensors")),
    ("tokenizer.json", include_bytes!("../pack/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../pack/tokenizer_config.json")),
];

/// Where the files are, for whoever opens packs.
pub fn files() -> PackFiles {
    PackFiles::Embedded(FILES)
}

/// Loads the model and its tokenizer.
///
/// # Errors
/// None in practice: the files are part of the program and tested with it.
pub fn load() -> Result<(LanguageModel, TextTokenizer), ModelError> {
    let files = files();
    let model = LanguageModel::new(files.tensors("")?, &files.read_text("config.json")?, &files.origin())?;
    let tokenizer = TextTokenizer::new(&files.read_text("tokenizer.json")?, model.longest())?;
    Ok((model, tokenizer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_models::train::bits_per_token;

    #[test]
    fn the_model_is_small_and_has_learnt_its_sentences() {
        let weights = FILES.iter().find(|(name, _)| *name == "model.safetensors").expect("weights").1;
        assert!(weights.len() <= 2_000_000, "{}", weights.len());
        let (model, tokenizer) = load().expect("loads");
        let bits = |text: &str| bits_per_token(&model, &[tokenizer.encode(text).expect("encodes")]).expect("reads");
        let sentence = bits("mia tries to find the letter with ben but gets help");
        let shuffled = bits("letter ben tries gets the with find mia but to help");
        assert!(sentence + 2.0 < shuffled, "{sentence} {shuffled}");
    }
}
