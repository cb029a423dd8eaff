//! The words of a captioner: prompts to tokens, tokens to captions. A `tokenizer.json`, or BERT's plain `vocab.txt`.

use tokenizers::{
    AddedToken, Tokenizer, decoders::wordpiece::WordPiece as Joined, models::wordpiece::WordPiece,
    normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer,
};

use crate::{
    error::{ModelError, Result},
    weights::PackFiles,
};

/// Tokens that are no part of a text.
const SPECIAL: [&str; 7] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]"];

/// A vocabulary of word pieces.
pub struct CaptionWords {
    inner: Tokenizer,
}

fn wrong(path: &str, detail: impl std::fmt::Display) -> ModelError {
    ModelError::Corrupt { path: path.into(), format: "tokenizer", detail: detail.to_string() }
}

impl CaptionWords {
    /// Reads `tokenizer.json`, or `vocab.txt` where there is none, of a pack or its `tokenizer/`; the text of the file too.
    ///
    /// # Errors
    /// When there is neither, or it is no vocabulary of word pieces.
    pub fn load(files: &PackFiles) -> Result<(Self, String)> {
        let whole = ["tokenizer.json", "tokenizer/tokenizer.json"].into_iter().find(|name| files.holds(name));
        let plain = ["vocab.txt", "tokenizer/vocab.txt"].into_iter().find(|name| files.holds(name));
        let Some(name) = whole.or(plain) else {
            return Err(ModelError::File {
                path: format!("vocab.txt of {}", files.origin()).into(),
                source: crate::error::no_such_file(),
            });
        };
        let text = files.read_text(name)?;
        let words = if whole.is_some() { Self::of_json(&text, name)? } else { Self::of_vocabulary(&text)? };
        Ok((words, text))
    }

    fn of_json(text: &str, name: &str) -> Result<Self> {
        crate::tokenizer::check_model(text)?;
        let mut inner: Tokenizer = text.parse().map_err(|source| wrong(name, source))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|source| wrong(name, source))?;
        Ok(Self { inner })
    }

    /// From the text of a `vocab.txt`: a piece per line, those that go on with a word begin with `##`; lower case, as BERT's
    /// uncased models have it.
    ///
    /// # Errors
    /// [`ModelError::Corrupt`] when the piece for unknown words is missing.
    pub fn of_vocabulary(text: &str) -> Result<Self> {
        let fail = |detail: &str| wrong("vocab.txt", detail);
        let mut vocabulary = ahash::AHashMap::new();
        for (id, line) in text.lines().enumerate() {
            vocabulary.insert(line.trim_end_matches('\r').to_owned(), id as u32);
        }
        if !vocabulary.contains_key("[UNK]") {
            return Err(fail("it has no piece `[UNK]`"));
        }
        let special: Vec<AddedToken> = SPECIAL
            .iter()
            .filter(|token| vocabulary.contains_key(**token))
            .map(|token| AddedToken::from(*token, true))
            .collect();
        let model = WordPiece::builder()
            .vocab(vocabulary)
            .unk_token("[UNK]".into())
            .build()
            .map_err(|source| wrong("vocab.txt", source))?;
        let mut inner = Tokenizer::new(model);
        inner.with_normalizer(Some(BertNormalizer::new(true, true, None, true))).map_err(|s| wrong("vocab.txt", s))?;
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        inner.with_decoder(Some(Joined::new("##".into(), true)));
        inner.add_special_tokens(special).map_err(|source| wrong("vocab.txt", source))?;
        Ok(Self { inner })
    }

    /// Token ids of a text, without special tokens.
    ///
    /// # Errors
    /// [`ModelError::Corrupt`] when the vocabulary cannot express the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.inner.encode(text, false).map_err(|source| wrong("tokenizer", source))?.get_ids().to_vec())
    }

    /// The text of tokens, without special ones.
    ///
    /// # Errors
    /// [`ModelError::Corrupt`] when the vocabulary has no words for them.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        let text = self.inner.decode(tokens, true).map_err(|source| wrong("tokenizer", source))?;
        Ok(text.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_words_again() {
        let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\ndog\n##s\npicture\nof\n";
        let words = CaptionWords::of_vocabulary(vocabulary).expect("a vocabulary");
        assert_eq!(words.encode("A picture of ").expect("known words"), [4, 7, 8]);
        assert_eq!(words.encode("dogs zebra").expect("known pieces"), [5, 6, 1]);
        assert_eq!(words.decode(&[2, 4, 5, 6, 3, 900]).expect("known ids"), "a dogs");
        assert!(CaptionWords::of_vocabulary("a\nb\n").is_err());
    }
}
