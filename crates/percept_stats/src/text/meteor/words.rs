//! Words as METEOR 1.5 sees them: parted once more, and which of them are function words.

/// The words that METEOR 1.5 takes for function words of English: those that make up more than a thousandth of its corpus.
/// Punctuation among them never reaches this place, but for brackets.
const FUNCTION_WORDS: &str = "a an the this that it its he his she her i you we they their who which what some one two new first last \
    other more all no not so if but and or than as when there then also about after over into out up on in at by for from with of \
    to is was be are were been has have had will would can could said people time year years us -lrb- -rrb- $ 't 's \" '";

/// A word: its form and its stem by number, and its weight.
#[derive(Clone, Copy)]
pub(super) struct Word {
    pub(super) form: u32,
    pub(super) stem: u32,
    pub(super) weight: f64,
}

/// Whether `word` is a function word.
pub(super) fn is_function_word(word: &str) -> bool {
    FUNCTION_WORDS.split_whitespace().any(|known| known == word)
}

/// Parts tokens as METEOR's `-norm` does: at hyphens (which go), slashes, apostrophes and other marks (which stay as words); `p.m.`
/// becomes `pm`.
pub(super) fn normalise<'a>(tokens: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens {
        if matches!(token, "-lrb-" | "-rrb-" | "-lsb-" | "-rsb-" | "-lcb-" | "-rcb-") {
            words.push(token.to_owned());
        } else if is_initials(token) {
            words.push(token.replace('.', ""));
        } else {
            part(token, &mut words);
        }
    }
    words
}

/// Single letters each with its full stop, two at least.
fn is_initials(token: &str) -> bool {
    let chars: Vec<char> = token.chars().collect();
    chars.len() >= 4
        && chars.len().is_multiple_of(2)
        && chars.chunks(2).all(|pair| pair[0].is_alphabetic() && pair[1] == '.')
}

fn part(token: &str, words: &mut Vec<String>) {
    let chars: Vec<char> = token.chars().collect();
    let mut word = String::new();
    let mut finish = |word: &mut String| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1).copied();
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
        match c {
            _ if c.is_alphanumeric() => word.push(c),
            // Inside of words and numbers.
            '.' if before.is_some() && after.is_some() => word.push(c),
            ',' if is_digit(before) && is_digit(after) => word.push(c),
            '-' if before.is_none() && is_digit(after) => word.push(c),
            '-' => finish(&mut word),
            '\'' if is_letter(before) && is_letter(after) => {
                finish(&mut word);
                word.push(c);
            }
            _ => {
                finish(&mut word);
                finish(&mut c.to_string());
            }
        }
    }
    finish(&mut word);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_parted_as_by_meteor() {
        let parted = |text: &str| normalise(text.split(' ')).join(" ");
        assert_eq!(parted("black-and-white 's n't o.k. p.m. 3,000"), "black and white ' s n 't ok pm 3,000");
        assert_eq!(parted("1/2 r&b 10:30 -5 5-6 -lrb-"), "1 / 2 r & b 10 : 30 -5 5 6 -lrb-");
    }
}
