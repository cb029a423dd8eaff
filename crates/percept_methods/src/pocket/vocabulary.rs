//! Vocabularies for the words of drawings and films: byte tokens as CLIP or GPT-2 have them, and merges learnt from the words.
//!
//! The merges are ordinary byte-pair encoding (Sennrich et al. 2016) run until every word is one token; any other text
//! still has an encoding, byte by byte.

use std::collections::BTreeMap;

/// The texts of `vocab.json` and `merges.txt`, and the number of tokens.
pub(super) struct Vocabulary {
    pub(super) vocab_json: String,
    pub(super) merges_txt: String,
    pub(super) n_tokens: usize,
}

/// GPT-2's printable stand-ins for the 256 bytes, in CLIP's order.
fn byte_alphabet() -> Vec<char> {
    let printable = (0x21..=0x7eu32).chain(0xa1..=0xac).chain(0xae..=0xff);
    let mut alphabet: Vec<char> = printable.filter_map(char::from_u32).collect();
    let missing = 256 - alphabet.len();
    alphabet.extend((0..missing as u32).filter_map(|i| char::from_u32(256 + i)));
    alphabet
}

/// The merges of pairs, the most frequent first, that make every word of the symbols `spelled` one symbol.
fn merges(mut spelled: Vec<Vec<String>>) -> Vec<(String, String)> {
    let mut merges = Vec::new();
    loop {
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for symbols in &spelled {
            for pair in symbols.windows(2) {
                *counts.entry((pair[0].clone(), pair[1].clone())).or_default() += 1;
            }
        }
        // The most frequent pair; among equals the alphabetically first.
        let Some((pair, _)) = counts.into_iter().rev().max_by_key(|(_, count)| *count) else { return merges };
        for symbols in &mut spelled {
            let mut i = 0;
            while i + 1 < symbols.len() {
                if symbols[i] == pair.0 && symbols[i + 1] == pair.1 {
                    let second = symbols.remove(i + 1);
                    symbols[i].push_str(&second);
                }
                i += 1;
            }
        }
        merges.push(pair);
    }
}

/// Tokens and merges for byte pairs with a space (`Ġ`) before each of `words` (lower case, ASCII), as GPT-2's tokenizer has them.
pub(super) fn learn_spaced(words: &[String]) -> (Vec<String>, Vec<(String, String)>) {
    let spelled = words.iter().map(|word| std::iter::once('\u{120}').chain(word.chars()).map(String::from).collect());
    let merges = merges(spelled.collect());
    let mut tokens: Vec<String> = byte_alphabet().iter().map(ToString::to_string).collect();
    for (a, b) in &merges {
        // Two ways to the same symbol are one token.
        let token = format!("{a}{b}");
        if !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    (tokens, merges)
}

/// Learns CLIP's kind of vocabulary of `words` (lower case, ASCII).
pub(super) fn learn(words: &[String]) -> Vocabulary {
    let spelled = words
        .iter()
        .map(|word| {
            let mut symbols: Vec<String> = word.chars().map(String::from).collect();
            if let Some(last) = symbols.last_mut() {
                last.push_str("</w>");
            }
            symbols
        })
        .collect();
    let merges = merges(spelled);
    let alphabet = byte_alphabet();
    let bytes = alphabet.iter().map(ToString::to_string);
    let endings = alphabet.iter().map(|c| format!("{c}</w>"));
    let merged = merges.iter().map(|(a, b)| format!("{a}{b}"));
    let special = ["<|startoftext|>".to_owned(), "<|endoftext|>".to_owned()];
    let tokens: Vec<String> = bytes.chain(endings).chain(merged).chain(special).collect();
    let vocab: serde_json::Map<String, serde_json::Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let mut merges_txt = String::from("#version: 0.2\n");
    for (a, b) in &merges {
        merges_txt.extend([a, " ", b, "\n"]);
    }
    Vocabulary { n_tokens: vocab.len(), vocab_json: serde_json::Value::Object(vocab).to_string(), merges_txt }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_models::tokenizer::ClipTokenizer;

    #[test]
    fn every_word_is_one_token_and_any_text_has_an_encoding() {
        let words = percept_synth::drawing::vocabulary();
        let vocabulary = learn(&words);
        let tokenizer =
            ClipTokenizer::new(&vocabulary.vocab_json, &vocabulary.merges_txt, 16, "<|endoftext|>").expect("valid");
        let end = vocabulary.n_tokens as u32 - 1;
        for word in &words {
            let ids = tokenizer.encode(word).expect("encodes");
            assert_eq!(ids[2], end, "`{word}` is one token");
        }
        let ids = tokenizer.encode("xylophone é").expect("encodes");
        assert!(ids[1..10].iter().all(|&id| id != end), "unknown words are spelled: {ids:?}");
    }
}
