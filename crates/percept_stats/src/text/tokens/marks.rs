//! Everything between words: what is removed, and what stays as a word.

use super::form::{Found, run, starts_with};

/// The mark at the start of `rest`.
pub(super) fn mark(rest: &[char]) -> Found {
    match rest[0] {
        '?' | '!' => {
            let n = run(rest, |c| matches!(c, '?' | '!'));
            // One alone is punctuation; the list does not know several.
            if n == 1 { Found::removed(1) } else { Found::word(&rest[..n]) }
        }
        '-' => dashes(rest),
        '&' => ampersand(rest),
        '(' => Found::instead(1, "-lrb-"),
        ')' => Found::instead(1, "-rrb-"),
        '[' => Found::instead(1, "-lsb-"),
        ']' => Found::instead(1, "-rsb-"),
        '{' => Found::instead(1, "-lcb-"),
        '}' => Found::instead(1, "-rcb-"),
        '£' => Found::instead(1, "#"),
        '€' => Found::instead(1, "$"),
        '¢' => Found::instead(1, "cents"),
        '_' => Found::word(&rest[..run(rest, |c| c == '_')]),
        '*' => Found::word(&rest[..run(rest, |c| c == '*').min(3)]),
        '.' | ',' | ':' | ';' | '\'' | '`' | '"' | '…' | '–' | '—' | '―' | '“' | '”' | '«' | '»' | '‹' | '›' => {
            Found::removed(1)
        }
        _ => Found::word(&rest[..1]),
    }
}

/// Up to four hyphens are a dash; longer runs stay as lines.
fn dashes(rest: &[char]) -> Found {
    let n = run(rest, |c| c == '-');
    if n <= 4 { Found::removed(n) } else { Found::word(&rest[..n]) }
}

/// `&amp;` and its like.
fn ampersand(rest: &[char]) -> Found {
    let entities = [
        ("&amp;", Some("&")),
        ("&lt;", Some("<")),
        ("&gt;", Some(">")),
        ("&quot;", None),
        ("&apos;", None),
        ("&nbsp;", None),
    ];
    let found = entities.iter().find(|(entity, _)| starts_with(rest, entity));
    match found {
        Some((entity, Some(word))) => Found::instead(entity.len(), word),
        Some((entity, None)) => Found::removed(entity.len()),
        None => Found::word(&rest[..1]),
    }
}
