//! Captions word by word: which words people used too, and which of a list of words are named.

use std::collections::BTreeSet;

use percept_core::outcome::SaidWord;

/// Words that say nothing about a picture by themselves.
const EMPTY: [&str; 40] = [
    "a", "an", "the", "of", "in", "on", "at", "to", "with", "and", "or", "is", "are", "it", "its", "by", "for", "from",
    "as", "that", "this", "there", "some", "one", "two", "picture", "image", "photo", "drawing", "has", "have", "be",
    "up", "over", "under", "into", "out", "off", "near", "next",
];

/// The words of `text`, lower case, without punctuation.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '\'' || c == '-';
    text.split(move |c: char| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The words of the caption `said`, each with whether any of `references` uses it; no marks without references.
pub fn marked(said: &str, references: Option<&[String]>) -> Vec<SaidWord> {
    let known: Option<BTreeSet<String>> = references
        .filter(|references| !references.is_empty())
        .map(|references| references.iter().flat_map(|text| words(text)).collect());
    let mark = |word: &str| {
        let bare: String = words(word).collect::<Vec<_>>().join(" ");
        let speaks = !bare.is_empty() && !EMPTY.contains(&bare.as_str());
        known.as_ref().filter(|_| speaks).map(|known| known.contains(&bare))
    };
    said.split_whitespace().map(|word| SaidWord { word: word.to_owned(), is_right: mark(word) }).collect()
}

/// Whether the caption `said` names the right ones of `list`: at least one, and none that no reference names. `None` where the
/// references name none of the list. An entry `!green field` is a phrase that is not looked at.
pub fn names(said: &str, references: &[String], list: &[String]) -> Option<bool> {
    let ignored: Vec<String> = list.iter().filter_map(|entry| Some(phrase(entry.strip_prefix('!')?))).collect();
    let of = |texts: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> {
        let found: BTreeSet<String> = texts
            .flat_map(|text| {
                let text = ignored.iter().fold(phrase(text), |text, ignored| text.replace(ignored, " "));
                words(&text).collect::<Vec<_>>()
            })
            .collect();
        list.iter().map(|word| word.to_lowercase()).filter(|word| found.contains(word)).collect()
    };
    let truth = of(&mut references.iter().map(String::as_str));
    if truth.is_empty() {
        return None;
    }
    let named = of(&mut std::iter::once(said));
    Some(!named.is_empty() && named.is_subset(&truth))
}

/// The words of `text` with one space before, between and behind them.
fn phrase(text: &str) -> String {
    words(text).fold(String::from(" "), |text, word| text + &word + " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_people_used_are_right_and_empty_words_have_no_mark() {
        let references = ["A red house at night.".to_owned(), "the house is red".to_owned()];
        let marks: Vec<Option<bool>> =
            marked("a red tree at night", Some(&references)).into_iter().map(|word| word.is_right).collect();
        assert_eq!(marks, [None, Some(true), Some(false), None, Some(true)]);
        assert!(marked("a red tree", None).iter().all(|word| word.is_right.is_none()));
    }

    #[test]
    fn naming_needs_the_right_word_and_no_wrong_one() {
        let list = ["house", "tree", "boat"].map(str::to_owned);
        let references = ["a red house".to_owned()];
        assert_eq!(names("a House!", &references, &list), Some(true));
        assert_eq!(names("a house or a tree", &references, &list), Some(false), "it names everything");
        assert_eq!(names("something", &references, &list), Some(false));
        assert_eq!(names("a house", &["a letter".to_owned()], &list), None);
        let colours = ["red", "green", "!green field"].map(str::to_owned);
        assert_eq!(names("a red house in a green field", &references, &colours), Some(true));
        assert_eq!(names("a house in a green field", &references, &colours), Some(false), "only the field is green");
    }
}
