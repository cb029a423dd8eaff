//! The tokenizer against transformers on awkward texts: ids must be equal, not close.

use std::{fs::File, io::Read};

use flate2::read::GzDecoder;
use percept_models::tokenizer::ClipTokenizer;
use percept_testing::shared_data;
use serde::Deserialize;

use crate::fixture::text;

#[derive(Deserialize)]
struct Golden {
    pad: u32,
    length: usize,
    cases: Vec<GoldenCase>,
}

#[derive(Deserialize)]
struct GoldenCase {
    text: String,
    ids_without_padding: Vec<u32>,
}

fn check(golden: &str, vocab: &str, merges: &str, pad_token: &str) {
    let golden: Golden = serde_json::from_str(&text(golden)).expect("the golden ids are JSON");
    assert!(golden.cases.len() > 25, "all cases are there");
    let tokenizer = ClipTokenizer::new(vocab, merges, golden.length, pad_token).expect("the vocabulary is valid");
    for case in golden.cases {
        let mut expected = case.ids_without_padding;
        expected.resize(golden.length, golden.pad);
        let ids = tokenizer.encode(&case.text).expect("every text can be expressed");
        assert_eq!(ids, expected, "{:?}", case.text);
    }
}

#[test]
fn ids_equal_those_of_transformers() {
    let (vocab, merges) = (text("tokenizer/vocab.json"), text("tokenizer/merges.txt"));
    check("tokenizer/ids_pad_end.json", &vocab, &merges, "<|endoftext|>");
}

#[test]
fn ids_equal_those_of_transformers_with_another_padding() {
    let (vocab, merges) = (text("tokenizer/vocab.json"), text("tokenizer/merges.txt"));
    check("tokenizer/ids_pad_exclamation.json", &vocab, &merges, "!");
}

#[test]
fn ids_equal_those_of_the_released_vocabulary() {
    let Some(path) = shared_data("clip_bpe/bpe_simple_vocab_16e6.txt.gz") else { return };
    let mut lines = String::new();
    GzDecoder::new(File::open(path).expect("the file is readable"))
        .read_to_string(&mut lines)
        .expect("the file is compressed text");
    // The released list holds more merges than the model uses.
    let merges: Vec<&str> = lines.lines().skip(1).take(49152 - 256 - 2).collect();
    let letters = byte_letters();
    let tokens = letters
        .iter()
        .map(char::to_string)
        .chain(letters.iter().map(|letter| format!("{letter}</w>")))
        .chain(merges.iter().map(|merge| merge.replace(' ', "")))
        .chain(["<|startoftext|>".to_owned(), "<|endoftext|>".to_owned()]);
    let vocab: serde_json::Map<_, _> = tokens.enumerate().map(|(id, token)| (token, id.into())).collect();
    assert_eq!(vocab.len(), 49408);
    let vocab = serde_json::to_string(&vocab).expect("a map of numbers is JSON");
    check("tokenizer/ids_released.json", &vocab, &merges.join("\n"), "<|endoftext|>");
}

/// The letters that stand for bytes, in the order of the vocabulary: printable Latin-1 first, then the other bytes as
/// letters from U+0100 on.
fn byte_letters() -> Vec<char> {
    let own: Vec<u8> = (33..=126).chain(161..=172).chain(174..=255).collect();
    let others = 256 - own.len() as u32;
    let spare = (0..others).map(|i| char::from_u32(256 + i).expect("these are letters"));
    own.iter().map(|&byte| char::from(byte)).chain(spare).collect()
}

#[test]
fn a_vocabulary_without_the_special_tokens_is_refused() {
    let error = ClipTokenizer::new("{\"a\": 0}", "#version: 0.2\n", 77, "<|endoftext|>").err();
    let words = error.expect("there is no start token").to_string();
    assert!(words.contains("<|startoftext|>"), "{words}");
}

#[test]
fn damaged_files_are_refused() {
    let (vocab, merges) = (text("tokenizer/vocab.json"), text("tokenizer/merges.txt"));
    let cut = vocab.char_indices().nth(4000).map_or(0, |(at, _)| at);
    for (vocab, merges) in [(&vocab[..cut], merges.as_str()), (&vocab, "#version: 0.2\nlonely\n"), (&vocab, "q zz\n")] {
        let words =
            ClipTokenizer::new(vocab, merges, 77, "<|endoftext|>").err().expect("damage is noticed").to_string();
        assert!(words.contains("tokenizer"), "{words}");
    }
}
