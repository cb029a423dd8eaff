//! CLIP's byte-pair tokenizer, from `tokenizer/vocab.json` and `tokenizer/merges.txt`.
//!
//! The byte-pair algorithm is the `tokenizers` crate's; here is only how CLIP sets it up: lower case, Unicode
//! normalisation NFC, white space folded, `</w>` behind each word, start and end tokens, a fixed length.

use tokenizers::{
    AddedToken, Tokenizer, TruncationParams,
    models::bpe::BPE,
    normalizers::{Lowercase, NFC, Replace, Sequence, replace::ReplacePattern},
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence::Sequence as PreSequence,
        split::{Split, SplitPattern},
    },
};

use crate::error::{ModelError, Result};

const WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// CLIP's tokenizer.
pub struct ClipTokenizer {
    inner: Tokenizer,
    start: u32,
    end: u32,
    pad: u32,
    length: usize,
}

fn fail(detail: impl std::fmt::Display) -> ModelError {
    ModelError::Corrupt { path: "tokenizer".into(), format: "CLIP tokenizer", detail: detail.to_string() }
}

/// Refuses merges that make a token which the vocabulary lacks: the library takes longer ones for impossible and panics.
fn check_merges<'a>(
    has: impl Fn(&str) -> bool,
    merges: impl Iterator<Item = (&'a str, &'a str)>,
    prefix: &str,
) -> Result<()> {
    for (a, b) in merges {
        let merged = format!("{a}{}", b.strip_prefix(prefix).unwrap_or(b));
        if !has(a) || !has(b) || !has(&merged) {
            return Err(fail(format!("the vocabulary lacks `{a}`, `{b}` or `{merged}`, which the merges make")));
        }
        if b.len() < prefix.len() {
            return Err(fail(format!("the merges have `{b}`, which is shorter than its prefix `{prefix}`")));
        }
    }
    Ok(())
}

/// The same of a `tokenizer.json` whose model is one of merges.
pub(crate) fn check_model(text: &str) -> Result<()> {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return Ok(()) };
    let model = &value["model"];
    let (Some(vocab), Some(merges)) = (model["vocab"].as_object(), model["merges"].as_array()) else { return Ok(()) };
    let pair = |merge: &'_ serde_json::Value| -> Option<(String, String)> {
        if let Some((a, b)) = merge.as_str().and_then(|text| text.split_once(' ')) {
            return Some((a.to_owned(), b.to_owned()));
        }
        Some((merge.get(0)?.as_str()?.to_owned(), merge.get(1)?.as_str()?.to_owned()))
    };
    let merges: Vec<(String, String)> = merges.iter().filter_map(pair).collect();
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or("");
    check_merges(|token| vocab.contains_key(token), merges.iter().map(|(a, b)| (a.as_str(), b.as_str())), prefix)
}

impl ClipTokenizer {
    /// Builds the tokenizer from the texts of `vocab.json` and `merges.txt`. Every encoding has `length` tokens; the
    /// rest is filled with `pad_token` (`<|endoftext|>` for OpenAI's models, `!` for OpenCLIP's).
    ///
    /// # Errors
    /// [`ModelError::Corrupt`] when the files are not a CLIP vocabulary.
    pub fn new(vocab: &str, merges: &str, length: usize, pad_token: &str) -> Result<Self> {
        let vocab: std::collections::BTreeMap<String, u32> = serde_json::from_str(vocab).map_err(fail)?;
        let id =
            |token: &str| vocab.get(token).copied().ok_or_else(|| fail(format!("`vocab.json` has no token `{token}`")));
        let (start, end, pad) = (id("<|startoftext|>")?, id("<|endoftext|>")?, id(pad_token)?);
        let merges: Vec<(String, String)> = merges
            .lines()
            .filter(|line| !line.starts_with("#version") && !line.trim().is_empty())
            .map(|line| {
                line.split_once(' ')
                    .map(|(a, b)| (a.to_owned(), b.trim_end().to_owned()))
                    .ok_or_else(|| fail(format!("`merges.txt` has a line without a pair: `{line}`")))
            })
            .collect::<Result<_>>()?;
        let pairs = merges.iter().map(|(a, b)| (a.as_str(), b.as_str()));
        check_merges(|token| vocab.contains_key(token), pairs, "")?;
        let bpe = BPE::builder()
            .vocab_and_merges(vocab.into_iter().collect::<ahash::AHashMap<_, _>>(), merges)
            .unk_token("<|endoftext|>".into())
            .end_of_word_suffix("</w>".into())
            .continuing_subword_prefix(String::new())
            .build()
            .map_err(fail)?;
        let mut inner = Tokenizer::new(bpe);
        inner
            .with_normalizer(Some(Sequence::new(vec![
                NFC.into(),
                Replace::new(ReplacePattern::Regex(r"\s+".into()), " ").map_err(fail)?.into(),
                Lowercase.into(),
            ])))
            .map_err(fail)?;
        let split = Split::new(SplitPattern::Regex(WORDS.into()), tokenizers::SplitDelimiterBehavior::Removed, true)
            .map_err(fail)?;
        inner.with_pre_tokenizer(Some(PreSequence::new(vec![split.into(), ByteLevel::new(false, true, true).into()])));
        // The padding token is special too, so `!` stands for padding wherever it occurs: so do the reference's models.
        let special: Vec<AddedToken> =
            ["<|startoftext|>", "<|endoftext|>", pad_token].map(|t| AddedToken::from(t, true).normalized(true)).into();
        inner.add_special_tokens(special).map_err(fail)?;
        Ok(Self { inner, start, end, pad, length })
    }

    /// Token ids of `text`: start, at most `length` − 2 tokens, end, padding.
    ///
    /// # Errors
    /// [`ModelError::Corrupt`] when the vocabulary cannot express the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode(text, false).map_err(fail)?;
        let mut ids = vec![self.start];
        ids.extend(encoding.get_ids().iter().take(self.length - 2));
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        Ok(ids)
    }

    /// Tokens in every encoding.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// A tokenizer as one file, `tokenizer.json`: what language models have.
pub struct TextTokenizer {
    inner: Tokenizer,
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`; encodings are cut to `longest` tokens, start and end tokens included.
    ///
    /// # Errors
    /// [`ModelError::Corrupt`] when it is no tokenizer.
    pub fn new(text: &str, longest: usize) -> Result<Self> {
        let wrong = |source: tokenizers::Error| ModelError::Corrupt {
            path: "tokenizer.json".into(),
            format: "tokenizer",
            detail: source.to_string(),
        };
        check_model(text)?;
        let mut inner: Tokenizer = text.parse().map_err(wrong)?;
        inner.with_padding(None);
        let cut = TruncationParams { max_length: longest, ..TruncationParams::default() };
        inner.with_truncation(Some(cut)).map_err(wrong)?;
        Ok(Self { inner })
    }

    /// Token ids of `text` with the special tokens that the model expects, of its own length.
    ///
    /// # Errors
    /// [`ModelError::Corrupt`] when the vocabulary cannot express the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.inner.encode(text, true).map_err(fail)?.get_ids().to_vec())
    }
}
