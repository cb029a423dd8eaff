//! A form that the scanner found, and how its characters are looked at.

/// A form that was found: how many characters it takes, and the word it is, unless it is punctuation.
pub(super) struct Found {
    pub(super) n_chars: usize,
    pub(super) word: Option<String>,
}

impl Found {
    /// The characters themselves, in lower case.
    pub(super) fn word(chars: &[char]) -> Self {
        Self { n_chars: chars.len(), word: Some(chars.iter().collect::<String>().to_lowercase()) }
    }

    /// Another word in place of `n_chars` characters.
    pub(super) fn instead(n_chars: usize, word: &str) -> Self {
        Self { n_chars, word: Some(word.to_owned()) }
    }

    /// Punctuation that is removed.
    pub(super) fn removed(n_chars: usize) -> Self {
        Self { n_chars, word: None }
    }
}

/// The length of the longest start of `rest` whose characters are all `wanted`.
pub(super) fn run(rest: &[char], wanted: impl Fn(char) -> bool) -> usize {
    rest.iter().take_while(|c| wanted(**c)).count()
}

/// Letters and digits.
pub(super) fn is_inside(c: char) -> bool {
    c.is_alphabetic() || is_digit(c)
}

pub(super) fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// Whether `rest` goes on with a letter or digit at `at`.
pub(super) fn continues(rest: &[char], at: usize) -> bool {
    rest.get(at).is_some_and(|c| is_inside(*c))
}

/// Whether `rest` starts with the lower-case `word`, in any case.
pub(super) fn starts_with(rest: &[char], word: &str) -> bool {
    let mut n = 0;
    word.chars().all(|c| {
        n += 1;
        rest.get(n - 1).is_some_and(|found| found.eq_ignore_ascii_case(&c))
    })
}
