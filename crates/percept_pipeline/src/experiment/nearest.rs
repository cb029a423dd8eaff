//! The known word that a misspelt one was most likely meant to be.

/// The words between back-ticks, with commas.
pub(super) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// `, perhaps` and the word that `text` was most likely meant to be, or nothing.
pub(super) fn hint(text: &str, known: &[&str]) -> String {
    nearest(text, known).map(|near| format!(", perhaps `{near}`")).unwrap_or_default()
}

/// The word of `known` that `key` was most likely meant to be, if one is near enough to be worth saying.
pub(super) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = key.to_lowercase();
    known
        .iter()
        .map(|&word| (edit_distance(&lower, &word.to_lowercase()), word))
        .filter(|&(distance, word)| distance <= 1 + word.len().max(lower.len()) / 3)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, word)| word)
}

/// Levenshtein's distance between two words, by characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_levenshteins() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn only_a_near_word_is_proposed() {
        assert_eq!(nearest("responces", &["responses", "stimuli"]), Some("responses"));
        assert_eq!(nearest("voxels", &["responses", "stimuli"]), None);
    }
}
