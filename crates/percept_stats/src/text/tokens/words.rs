//! Words: hyphens, slashes and full stops inside, abbreviations, contractions.

use super::form::{continues, is_digit, is_inside, run, starts_with};

/// What may follow an apostrophe that ends a word.
const ENDINGS: [&str; 6] = ["s", "m", "d", "ll", "re", "ve"];
/// Two words written as one, and the length of the first.
const FUSED: [(&str, usize); 6] = [("cannot", 3), ("gonna", 3), ("gotta", 3), ("lemme", 3), ("gimme", 3), ("wanna", 3)];
/// Words that have an apostrophe inside or at an end.
const WITH_APOSTROPHE: [&str; 12] =
    ["ma'am", "c'mon", "c'est", "qu'il", "d'ye", "'em", "'cause", "'til", "'till", "'n", "ol'", "somethin'"];
/// Words with a full stop at their end wherever they stand.
const ABBREVIATIONS: &str = "adj adm adv al apr aug ave asst assn atty ariz ala bldg blvd bros brig calif capt cf cie cmdr co col \
    colo comdr conn corp cpl ct dec dept det dr drs esq est etc ext feb fla fri ft ga gen gov hon inc ind insp intl jan jr jul \
    jun kan kans ky lt ltd lieut maj mar md messrs mfg mich minn mme mlle mo mon mont mr mrs ms mt natl neb nev nov oct okla \
    ph ph.d plc pres prof pvt rd rep reps rev sen sens sept sep sgt sq sr st ste supt tel tenn thu thurs tue tues univ va vs vt \
    wed wis wisc wm wyo msgr cos bancorp bhd alex jos";
/// Words with a full stop at their end before a number.
const BEFORE_NUMBERS: [&str; 9] = ["art", "ca", "fig", "figs", "no", "nos", "op", "pp", "prop"];
/// Words with a full stop at their end before a name.
const BEFORE_NAMES: [&str; 10] = ["ark", "del", "ill", "la", "mass", "miss", "ore", "pa", "tex", "wash"];

/// The length of an address of the web or of mail at the start of `rest`.
pub(super) fn address(rest: &[char]) -> Option<usize> {
    let n = run(rest, |c| !c.is_whitespace() && !matches!(c, '<' | '>' | '"' | '|' | '(' | ')' | '{' | '}' | ','));
    let word = &rest[..n];
    let mut end = n;
    while end > 0 && matches!(word[end - 1], '.' | '?' | '!' | ':' | ';' | '\'' | '-') {
        end -= 1;
    }
    let is_web = ["http://", "https://", "ftp://", "www."].iter().any(|start| starts_with(word, start));
    let at = word[..end].iter().position(|c| *c == '@');
    let is_mail = at.is_some_and(|at| {
        at > 0
            && at + 1 < end
            && word[..at].iter().all(|c| is_inside(*c) || matches!(c, '.' | '_' | '-' | '+'))
            && word[at + 1..end].iter().all(|c| is_inside(*c) || matches!(c, '.' | '_' | '-'))
    });
    ((is_web && end > 4) || is_mail).then_some(end)
}

/// The length of the first part of a contraction, or of its second part.
pub(super) fn split(rest: &[char]) -> Option<usize> {
    if let Some((_, first)) = FUSED.iter().find(|(word, _)| starts_with(rest, word) && !continues(rest, word.len())) {
        return Some(*first);
    }
    if starts_with(rest, "'tis") || starts_with(rest, "'twas") {
        let end = if starts_with(rest, "'tis") { 4 } else { 5 };
        return (!continues(rest, end)).then_some(2);
    }
    if starts_with(rest, "'n'") {
        return Some(3);
    }
    if let Some(word) = WITH_APOSTROPHE.iter().find(|word| starts_with(rest, word) && !continues(rest, word.len())) {
        return Some(word.len());
    }
    if starts_with(rest, "n't") && !continues(rest, 3) {
        return Some(3);
    }
    if rest[0] == '\'' {
        return ENDINGS
            .iter()
            .find(|ending| starts_with(&rest[1..], ending) && !continues(rest, 1 + ending.len()))
            .map(|ending| 1 + ending.len());
    }
    // `y'all` is `y'` and `all`, `j'ai` is `j'` and `ai`.
    let is_prefix = matches!(rest[0], 'y' | 'Y' | 'j' | 'J') && rest.get(1) == Some(&'\'');
    let ending = || ENDINGS.iter().any(|ending| starts_with(&rest[2..], ending) && !continues(rest, 2 + ending.len()));
    if is_prefix && continues(rest, 2) && !ending() {
        return Some(2);
    }
    negated(rest)
}

/// The length of the letters before `n't`: 2 of `isn't`.
fn negated(rest: &[char]) -> Option<usize> {
    let n = run(rest, char::is_alphabetic);
    let is_negated = n >= 2
        && rest[n - 1].eq_ignore_ascii_case(&'n')
        && rest.get(n) == Some(&'\'')
        && rest.get(n + 1).is_some_and(|c| c.eq_ignore_ascii_case(&'t'))
        && !continues(rest, n + 2);
    is_negated.then_some(n - 1)
}

/// The length of the longest word at the start of `rest`; 0 if there is none.
pub(super) fn word(rest: &[char]) -> usize {
    let forms = [compound(rest), slashed(rest), stopped(rest), abbreviation(rest), lettered(rest), tag(rest)];
    forms.into_iter().max().unwrap_or(0)
}

/// `state-of-the-art`, `foo_bar`, `o'brien`, `u.s.-based`, `3-d`.
fn compound(rest: &[char]) -> usize {
    let mut end = part(rest);
    if end == 0 {
        return 0;
    }
    while matches!(rest.get(end), Some('-' | '_')) {
        let n = part(&rest[end + 1..]);
        if n == 0 {
            break;
        }
        end += 1 + n;
    }
    end
}

/// A part of a compound: letters and digits, a prefix such as `d'` before them, or letters with full stops.
fn part(rest: &[char]) -> usize {
    let n = run(rest, is_inside);
    if n == 1 && matches!(rest[0], 'd' | 'D' | 'o' | 'O' | 'l' | 'L') && rest.get(1) == Some(&'\'') {
        let after = run(&rest[2..], is_inside);
        let ending: String = rest[2..2 + after].iter().collect::<String>().to_lowercase();
        if after > 0 && !ENDINGS.contains(&ending.as_str()) {
            return 2 + after;
        }
    }
    let initials = initials(rest);
    if initials > 2 && rest.get(initials) == Some(&'-') { initials } else { n }
}

/// `and/or`, `t-shirt/jeans`, `one/two/three`.
fn slashed(rest: &[char]) -> usize {
    let hyphenated = |rest: &[char]| {
        let mut end = run(rest, is_inside);
        for _ in 0..2 {
            let n = rest
                .get(end)
                .filter(|c| end > 0 && **c == '-')
                .map_or(0, |_| run(&rest[end + 1..], char::is_alphabetic));
            end += if n > 0 { 1 + n } else { 0 };
        }
        end
    };
    let mut end = hyphenated(rest);
    for _ in 0..2 {
        if end == 0 || rest.get(end) != Some(&'/') {
            break;
        }
        let n = hyphenated(&rest[end + 1..]);
        if n == 0 {
            break;
        }
        end += 1 + n;
    }
    end
}

/// `jazz.next`, where a space was forgotten.
fn stopped(rest: &[char]) -> usize {
    if !rest[0].is_alphabetic() {
        return 0;
    }
    let mut end = run(rest, is_inside);
    while matches!(rest.get(end), Some('.' | '!' | '?')) && rest.get(end + 1).is_some_and(|c| c.is_alphabetic()) {
        end += 1 + run(&rest[end + 1..], is_inside);
    }
    end
}

/// `u.s.`, `mr.`, `c.`: with the full stop, where it is a part of the word.
fn abbreviation(rest: &[char]) -> usize {
    let initials = initials(rest);
    if initials > 2 || (initials == 2 && !matches!(rest[0], 'a' | 'i' | 'I')) {
        return initials;
    }
    let end = stopped(rest);
    if end == 0 || rest.get(end) != Some(&'.') || continues(rest, end + 1) {
        return 0;
    }
    let word: String = rest[..end].iter().collect::<String>().to_lowercase();
    let after = rest[end + 1..].iter().find(|c| !c.is_whitespace());
    let is_spaced = rest.get(end + 1).is_some_and(|c| c.is_whitespace());
    let is_known = ABBREVIATIONS.split_whitespace().any(|known| known == word)
        || (is_spaced && after.is_some_and(|c| is_digit(*c)) && BEFORE_NUMBERS.contains(&word.as_str()))
        || (is_spaced
            && after.is_some_and(|c| c.is_uppercase())
            && rest[0].is_uppercase()
            && BEFORE_NAMES.contains(&word.as_str()));
    if is_known { end + 1 } else { 0 }
}

/// Single letters each with its full stop.
fn initials(rest: &[char]) -> usize {
    let mut end = 0;
    while rest.get(end).is_some_and(char::is_ascii_alphabetic) && rest.get(end + 1) == Some(&'.') {
        end += 2;
    }
    // `u.s.army` is no row of initials.
    if continues(rest, end) { 0 } else { end }
}

/// `r&b`, `at&t` in capitals, `c++`, `c#`.
fn lettered(rest: &[char]) -> usize {
    let mut end = run(rest, |c| c.is_ascii_uppercase());
    while end > 0 && matches!(rest.get(end), Some('&' | '+')) {
        let n = run(&rest[end + 1..], |c| c.is_ascii_uppercase());
        if n == 0 {
            break;
        }
        end += 1 + n;
    }
    let start: String = rest.iter().take(3).collect::<String>().to_lowercase();
    if start == "c++" {
        end = end.max(3);
    } else if start.starts_with("c#") || start.starts_with("f#") {
        end = end.max(2);
    }
    end
}

/// `#word`, `@name`, `<person>`.
fn tag(rest: &[char]) -> usize {
    match rest[0] {
        '#' => tagged(run(&rest[1..], char::is_alphabetic)),
        '@' if rest.get(1).is_some_and(|c| c.is_alphabetic()) => tagged(run(&rest[1..], |c| is_inside(c) || c == '_')),
        '<' => {
            let slash = usize::from(rest.get(1) == Some(&'/'));
            let n = run(&rest[1 + slash..], |c| c.is_ascii_alphanumeric());
            if n > 0 && rest.get(1 + slash + n) == Some(&'>') { 2 + slash + n } else { 0 }
        }
        _ => 0,
    }
}

/// The length of a tag of `n` characters and its sign.
fn tagged(n: usize) -> usize {
    if n > 0 { 1 + n } else { 0 }
}
