//! Numbers, dates, fractions, years.

use super::form::{continues, is_digit, is_inside, run};

/// The length of the longest number at the start of `rest`; 0 if there is none.
pub(super) fn number(rest: &[char]) -> usize {
    let sign = usize::from(matches!(rest[0], '-' | '+'));
    let plain = digits(&rest[sign..]);
    let mut longest = if plain > 0 { sign + plain } else { 0 };
    if sign == 0 {
        longest = longest.max(compound(rest)).max(dated(rest)).max(decade(rest));
    }
    longest.max(money(rest))
}

/// `1,000.5`, `10:30`, `.5`: digits with single separators between them.
fn digits(rest: &[char]) -> usize {
    let mut end = run(rest, is_digit);
    while matches!(rest.get(end), Some('.' | ',' | ':')) {
        let n = run(&rest[end + 1..], is_digit);
        if n == 0 {
            break;
        }
        end += 1 + n;
    }
    end
}

/// `1.5-inch`.
fn compound(rest: &[char]) -> usize {
    let mut end = digits(rest);
    while end > 0 && rest.get(end) == Some(&'-') && continues(rest, end + 1) {
        end += 1 + run(&rest[end + 1..], is_inside);
    }
    end
}

/// `12/25/2012`, `1/2`.
fn dated(rest: &[char]) -> usize {
    let mut end = run(rest, is_digit);
    for _ in 0..2 {
        if end == 0 || rest.get(end) != Some(&'/') {
            break;
        }
        let n = run(&rest[end + 1..], is_digit);
        if n == 0 {
            break;
        }
        end += 1 + n;
    }
    end
}

/// `'60s`, `'98`.
fn decade(rest: &[char]) -> usize {
    if rest[0] != '\'' || run(&rest[1..], is_digit) != 2 {
        return 0;
    }
    if rest[2] == '0' && matches!(rest.get(3), Some('s' | 'S')) {
        return if continues(rest, 4) { 0 } else { 4 };
    }
    // A year stands alone; `5'10"` is no year.
    if rest.get(3).is_none_or(|c| c.is_whitespace()) { 3 } else { 0 }
}

/// `us$`, before an amount.
fn money(rest: &[char]) -> usize {
    let n = run(rest, |c| c.is_ascii_uppercase());
    if (1..=3).contains(&n) && rest.get(n) == Some(&'$') { n + 1 } else { 0 }
}

/// A fraction that is one character.
pub(super) fn fraction_sign(c: char) -> Option<&'static str> {
    Some(match c {
        '¼' => "1/4",
        '½' => "1/2",
        '¾' => "3/4",
        '⅓' => "1/3",
        '⅔' => "2/3",
        _ => return None,
    })
}
