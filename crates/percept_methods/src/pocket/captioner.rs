//! The captioner of drawings: BLIP's classes with small numbers, its vocabulary, its training, and what its captions name.
//!
//! Its Vision Transformer begins as the image encoder of the pack's CLIP. A caption that begins with the thing (`a red house …`)
//! is shown behind the prompt of captioning (`a picture of a red house …`); the others as they are.

use std::path::{Path, PathBuf};

use percept_core::{Progress, Seed};
use percept_models::{
    ModelError,
    caption::{BlipConfig, CaptionWords, Captioner, Preparation, Search},
    nn::params::Params,
    train::{AdamW, CaptionTask, Schedule, begun_by_clip, run},
    weights::{PackFiles, write_tensors},
};

use super::configs;
use super::drawings::Drawn;
use super::recipe::{Recipe, SHARDS, work};
use super::score::Attributes;
use crate::disk::write;

/// Drawings in each step.
const BATCH: usize = 32;
/// What captions of BLIP begin with.
const PROMPT: &str = "a picture of ";

/// Where the captioner lies: it is a pack of its own, beside the others.
pub(super) fn folder(out: &Path) -> PathBuf {
    out.join("captioner")
}

/// BERT's special tokens, the words, letters and digits alone and within words, and the token that captions begin with.
pub(super) fn vocabulary(words: &[String]) -> String {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
    let characters = || ('a'..='z').chain('0'..='9');
    let single = characters().map(|c| c.to_string()).filter(|c| !words.contains(c));
    let within = characters().map(|c| format!("##{c}"));
    let pieces = special.into_iter().chain(words.iter().cloned()).chain(single).chain(within);
    let mut text = String::new();
    for piece in pieces.chain(["[DEC]".to_owned()]) {
        text.push_str(&piece);
        text.push('\n');
    }
    text
}

/// Writes configs and vocabulary.
pub(super) fn write_settings(out: &Path) -> Result<(), ModelError> {
    let vocabulary = vocabulary(&percept_synth::drawing::vocabulary());
    let folder = folder(out);
    for (name, content) in [
        ("config.json", configs::captioner(vocabulary.lines().count())),
        ("preprocessor_config.json", configs::CAPTION_PREPROCESSOR.to_owned()),
        ("vocab.txt", vocabulary),
    ] {
        write(&folder.join(name), content.as_bytes())?;
    }
    Ok(())
}

/// A caption as the captioner learns it.
fn behind_prompt(caption: &str) -> String {
    match caption.strip_prefix("a drawing of ").or_else(|| caption.strip_prefix(PROMPT)) {
        Some(rest) => format!("{PROMPT}{rest}"),
        None if caption.starts_with("a ") => format!("{PROMPT}{caption}"),
        None => caption.to_owned(),
    }
}

pub(super) fn train(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let files = PackFiles::Directory(folder(out));
    let config = BlipConfig::parse(&files.read_text("config.json")?)?;
    let (words, _) = CaptionWords::load(&files)?;
    let preparation = Preparation::parse(&files.read_text("preprocessor_config.json")?, config.vision.image_size)?;
    let clip = PackFiles::Directory(out.to_owned()).tensors("image_encoder")?;
    let sample = Drawn::draw(seed.named("captioner.sample"), 64).pictures();
    let begin = begun_by_clip(&config, &clip, sample.view(), preparation, seed.named("captioner.init"))?;
    let params = Params::from_tensors_training(begin, "the beginning of the captioner", |_| true);
    let task = CaptionTask::new(params, config, &words, preparation, SHARDS, |_, seed| {
        let drawn = Drawn::draw(seed, BATCH / SHARDS);
        let captions = drawn.captions(seed).iter().map(|caption| behind_prompt(caption)).collect();
        (drawn.pictures(), captions)
    })?;
    let schedule = Schedule {
        steps: recipe.captioner_steps,
        warmup: 60,
        learning_rate: 1.5e-3,
        floor: 0.02,
        optimiser: AdamW { beta2: 0.98, weight_decay: 0.02, ema: 0.99, ..AdamW::default() },
        log_every: 25,
        save_every: 50,
    };
    let weights = run(&task, &schedule, seed, &work(out), progress)?;
    write(&folder(out).join("model.safetensors"), &write_tensors(&weights, true)?)
}

/// What captions of `n` held-out scenes name, by the captioner at `out`, beam search as the paper's.
///
/// # Errors
/// When the captioner is missing.
pub fn score_captions(out: &Path, n: usize) -> Result<Attributes, ModelError> {
    let captioner = Captioner::open(&folder(out))?;
    let drawn = Drawn::scenes(Seed::new(0).named("held out"), n);
    let features = captioner.features(drawn.pictures().view())?;
    let found = captioner.caption(features.view(), &Search::default())?;
    let captions: Vec<String> = found.iter().map(|beams| beams[0].text.clone()).collect();
    let named = drawn.named_in(&captions);
    Ok(Attributes::of(|heads| {
        named.iter().filter(|named| heads.iter().all(|&head| named[head])).count() as f64 / n.max(1) as f64
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_one_piece_and_any_word_has_pieces() {
        let words = percept_synth::drawing::vocabulary();
        let text = vocabulary(&words);
        let tokens = CaptionWords::of_vocabulary(&text).expect("a vocabulary");
        for word in &words {
            assert_eq!(tokens.encode(word).expect("a word").len(), 1, "{word}");
        }
        let ids = tokens.encode("xylophone").expect("pieces");
        assert!(ids.len() == 9 && !ids.contains(&1), "{ids:?}");
        let config = BlipConfig::parse(&configs::captioner(text.lines().count())).expect("a config");
        assert_eq!(config.text.vocab_size, text.lines().count());
    }

    #[test]
    fn captions_that_begin_with_the_thing_stand_behind_the_prompt() {
        for (caption, shown) in [
            ("a small red house", "a picture of a small red house"),
            ("a drawing of a red house", "a picture of a red house"),
            ("a picture of a red house", "a picture of a red house"),
            ("the house is red", "the house is red"),
            ("at night a red house", "at night a red house"),
        ] {
            assert_eq!(behind_prompt(caption), shown);
        }
    }
}
