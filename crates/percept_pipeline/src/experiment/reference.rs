//! The reference page of the experiment file, made from the declarations of its keys and from the vocabulary.

use super::vocabulary::Vocabulary;

/// The page as Markdown.
pub fn reference(words: &Vocabulary) -> String {
    format!("{}", words.methods.len())
}
