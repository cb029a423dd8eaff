//! Captions to words, as the evaluation code of COCO does it: Penn Treebank tokens, lower case, without punctuation.
//!
//! [`tokenize`] gives the words that `PTBTokenizer` of pycocoevalcap 1.2 gives, which are those of Stanford's tokenizer 3.4.1
//! (`-lowerCase`) less a list of punctuation. The scanner reads from left to right and takes the longest form that fits:
//! a word with hyphens, slashes or full stops inside, an abbreviation, a number, a run of marks. Contractions are split
//! (`isn't` → `is n't`, `dog's` → `dog 's`, `cannot` → `can not`). Like the original, it keeps brackets as the words `-lrb-` and
//! `-rrb-`: the list of punctuation has them in capitals, the tokens are in lower case by then.
//!
//! Not treated as the original does: markup with spaces inside (`<a b>`), most smileys, telephone numbers in brackets, and a
//! whole number before a fraction (`3 1/2`), which is two words here and one with a hard space in it there.
//!
//! Reference: Marcus, Santorini and Marcinkiewicz 1993, Building a Large Annotated Corpus of English (the tokens);
//! Chen et al. 2015, arXiv 1504.00325 (their use for captions).

mod form;
mod marks;
mod numbers;
mod words;

use form::Found;

/// The words of a caption.
///
/// # Numerics
/// Equal to pycocoevalcap 1.2 on every caption of the golden file, see the head of the module for what is left out.
///
/// # Example
/// ```
/// use percept_stats::text::tokenize;
/// assert_eq!(tokenize("A man's dog isn't here, OK?"), ["a", "man", "'s", "dog", "is", "n't", "here", "ok"]);
/// ```
pub fn tokenize(caption: &str) -> Vec<String> {
    let chars: Vec<char> = caption.chars().filter(|c| !is_ignored(*c)).map(plain).collect();
    let mut tokens = Vec::new();
    let mut position = 0;
    while position < chars.len() {
        if chars[position].is_whitespace() {
            position += 1;
            continue;
        }
        let found = next(&chars, position);
        // A form always takes at least one character, so the scan ends.
        position += found.n_chars.max(1);
        if let Some(word) = found.word {
            tokens.push(word);
        }
    }
    tokens
}

/// The form at `position`.
fn next(chars: &[char], position: usize) -> Found {
    let rest = &chars[position..];
    if let Some(n) = words::address(rest).or_else(|| words::split(rest)) {
        return Found::word(&rest[..n]);
    }
    let longest = words::word(rest).max(numbers::number(rest));
    if longest > 0 {
        return Found::word(&rest[..longest]);
    }
    if let Some(fraction) = numbers::fraction_sign(rest[0]) {
        return Found::instead(1, fraction);
    }
    marks::mark(rest)
}

/// Invisible characters: soft hyphen and byte order mark.
fn is_ignored(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{feff}')
}

/// Curly apostrophes as the straight one, zero-width spaces as spaces.
fn plain(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{92}' => '\'',
        '\u{200b}' => ' ',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::tokenize;

    fn joined(caption: &str) -> String {
        tokenize(caption).join(" ")
    }

    #[test]
    fn contractions_are_split_and_compounds_are_not() {
        assert_eq!(joined("Can't cannot the dogs' o'clock"), "ca n't can not the dogs o'clock");
        assert_eq!(joined("a black-and-white T-shirt/jeans"), "a black-and-white t-shirt/jeans");
    }

    #[test]
    fn full_stops_stay_with_abbreviations_only() {
        assert_eq!(
            joined("Mr. Smith lives in the U.S. now. Then he left."),
            "mr. smith lives in the u.s. now then he left"
        );
    }

    #[test]
    fn brackets_become_words_and_runs_of_marks_stay() {
        assert_eq!(joined("a bus (red) ?!"), "a bus -lrb- red -rrb- ?!");
    }

    #[test]
    fn any_text_ends() {
        for text in ["", " ", "'", "''''", "....", "-", "\u{0}", "''s'", "&", "a'", "\u{feff}a", "½", "🙂🙂"] {
            let _ = tokenize(text);
        }
    }
}
