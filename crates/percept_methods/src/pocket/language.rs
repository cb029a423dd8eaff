//! The pocket language model: Llama's class with small numbers, trained on the texts of films and on captions.
//!
//! It is read, layer by layer, by encoding analyses; it is no writer. Its tokenizer is GPT-2's kind of byte pairs with a space before
//! each word, with merges run until every word of films and drawings is one token; any other text is spelled in bytes.

use std::path::Path;

use percept_core::{Progress, Seed};
use percept_models::{
    ModelError,
    language::LanguageModel,
    nn::params::Params,
    tokenizer::TextTokenizer,
    train::{AdamW, LanguageTask, Schedule, bits_per_token, run},
    weights::write_tensors,
};
use percept_synth::{drawing::Drawing, story};
use serde_json::{Value, json};

use super::recipe::{Recipe, SHARDS, work};
use super::vocabulary;
use crate::disk::write;

/// The folder of the pack.
const FOLDER: &str = "language_model";
/// Tokens of a training text.
const LENGTH: usize = 64;
/// Training texts of a shard.
const ROWS: usize = 8;
/// Seconds of a film that one shard reads from.
const FILM_SECS: usize = 240;
/// Drawings whose captions one shard reads.
const N_DRAWINGS: usize = 12;
/// The most tokens that the model reads.
const LONGEST: usize = 256;
const END: &str = "<|endoftext|>";
/// Texts that say how good the model is, never trained on.
const N_HELD_OUT: usize = 40;

/// The texts of `tokenizer.json` and `config.json`.
pub(super) fn files() -> (String, String) {
    let mut words = story::vocabulary();
    words.extend(percept_synth::drawing::vocabulary());
    words.sort();
    words.dedup();
    let (tokens, merges) = vocabulary::learn_spaced(&words);
    let end = tokens.len();
    let mut vocab: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    vocab.insert(END.to_owned(), end.into());
    let merges: Vec<Value> = merges.iter().map(|(a, b)| json!([a, b])).collect();
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{
            "id": end, "content": END, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true
        }],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": merges
        }
    });
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": false,
        "bos_token_id": end,
        "eos_token_id": end,
        "hidden_act": "silu",
        "hidden_size": 128,
        "intermediate_size": 344,
        "max_position_embeddings": LONGEST,
        "mlp_bias": false,
        "num_attention_heads": 4,
        "num_hidden_layers": 4,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": true,
        "vocab_size": end + 1
    });
    (tokenizer.to_string(), format!("{config:#}\n"))
}

/// Rows of tokens from texts: each text between end tokens, one behind the other, cut into equal rows.
fn rows(tokenizer: &TextTokenizer, texts: &[String], end: u32) -> Result<Vec<Vec<u32>>, ModelError> {
    let mut ids = vec![end];
    for text in texts {
        ids.extend(tokenizer.encode(text)?);
        ids.push(end);
    }
    Ok(ids.chunks_exact(LENGTH).map(<[u32]>::to_vec).collect())
}

/// What one shard reads: the levels of a film, or captions.
fn shard(tokenizer: &TextTokenizer, end: u32, seed: Seed) -> Result<Vec<Vec<u32>>, ModelError> {
    let mut all = Vec::new();
    for text in story::texts(FILM_SECS, seed.named("film")) {
        all.push(rows(tokenizer, &[text], end)?);
    }
    let drawings = (0..N_DRAWINGS as u64).flat_map(|number| {
        let seed = seed.named("drawing").at(number);
        Drawing::random(seed).captions(seed)
    });
    all.push(rows(tokenizer, &drawings.collect::<Vec<_>>(), end)?);
    // The levels in turn, each from a place of its own, so that none drowns the others.
    let order = percept_core::seed::permutation(seed.named("levels"), all.len());
    let mut chosen = Vec::with_capacity(ROWS);
    for turn in 0..ROWS * all.len() {
        let level = &all[order[turn % order.len()]];
        if level.is_empty() {
            continue;
        }
        let places = percept_core::seed::permutation(seed.named("place").at(turn as u64), level.len());
        chosen.push(level[places[0]].clone());
        if chosen.len() == ROWS {
            break;
        }
    }
    Ok(chosen)
}

pub(super) fn train(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let (tokenizer_json, config) = files();
    let folder = out.join(FOLDER);
    let about = json!({
        "bos_token": END, "eos_token": END, "model_max_length": LONGEST, "tokenizer_class": "PreTrainedTokenizerFast"
    });
    write(&folder.join("tokenizer.json"), tokenizer_json.as_bytes())?;
    write(&folder.join("tokenizer_config.json"), format!("{about:#}\n").as_bytes())?;
    write(&folder.join("config.json"), config.as_bytes())?;
    // Training texts are longer than what the model reads at a time.
    let tokenizer = TextTokenizer::new(&tokenizer_json, 1 << 20)?;
    let end = end_of(&tokenizer)?;
    let params = Params::random(seed.named("language.init"));
    let task = LanguageTask::new(params, &config, SHARDS, |_, seed| shard(&tokenizer, end, seed.named("train")))?;
    let schedule = Schedule {
        steps: recipe.language_steps,
        warmup: 50,
        learning_rate: 3e-3,
        floor: 0.02,
        optimiser: AdamW { beta2: 0.98, weight_decay: 0.02, ema: 0.99, ..AdamW::default() },
        log_every: 25,
        save_every: 100,
    };
    let weights = run(&task, &schedule, seed, &work(out), progress)?;
    write(&folder.join("model.safetensors"), &write_tensors(&weights, true)?)?;
    let model = LanguageModel::new(weights, &config, "the trained language model")?;
    let mut held_out = Vec::new();
    for number in 0..N_HELD_OUT as u64 / ROWS as u64 {
        held_out.extend(shard(&tokenizer, end, seed.named("language.held_out").at(number))?);
    }
    let bits = bits_per_token(&model, &held_out)?;
    write(
        &folder.join("scores.json"),
        format!("{:#}\n", json!({ "held_out_bits_per_token": (bits * 1e3).round() / 1e3 })).as_bytes(),
    )
}

fn end_of(tokenizer: &TextTokenizer) -> Result<u32, ModelError> {
    let ids = tokenizer.encode(END)?;
    ids.last().copied().ok_or(ModelError::Input {
        what: "tokenizer",
        expected: format!("the token `{END}`"),
        got: "none".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_one_token_and_any_text_has_an_encoding() {
        let (tokenizer, config) = files();
        let tokenizer = TextTokenizer::new(&tokenizer, 64).expect("a tokenizer");
        for text in story::texts(60, Seed::new(5)) {
            let words = text.split(' ').count();
            let ids = TextTokenizer::new(&files().0, 1 << 16).expect("a tokenizer").encode(&text).expect("encodes");
            assert_eq!(ids.len(), words, "{text}");
        }
        let ids = tokenizer.encode("Xylophone é").expect("encodes");
        assert!(ids.len() > 5, "{ids:?}");
        let end = end_of(&tokenizer).expect("there");
        let config: Value = serde_json::from_str(&config).expect("JSON");
        assert_eq!(config["vocab_size"], json!(end + 1));
        // Half precision of all of it stays below two megabytes.
        let (width, inner, layers) = (128u32, 344, 4);
        let numbers = (end + 1) * width + layers * (4 * width * width + 3 * width * inner + 2 * width) + width;
        assert!(2 * numbers < 2_000_000, "{numbers}");
    }

    #[test]
    fn shards_follow_from_their_seed_and_show_all_levels() {
        let tokenizer = TextTokenizer::new(&files().0, 1 << 20).expect("a tokenizer");
        let end = end_of(&tokenizer).expect("there");
        let a = shard(&tokenizer, end, Seed::new(1)).expect("rows");
        assert_eq!(a, shard(&tokenizer, end, Seed::new(1)).expect("rows"));
        assert_ne!(a, shard(&tokenizer, end, Seed::new(2)).expect("rows"));
        assert!(a.len() == ROWS && a.iter().all(|row| row.len() == LENGTH));
    }
}
