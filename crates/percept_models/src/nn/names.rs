//! Patterns for the names of parameters: which of them train, which decay, which move faster.

/// A pattern of dotted names: `*` stands for any characters within one part, `**` for any number of whole parts, and a
/// pattern that names a place also matches everything below it: `**.attn2.to_k` matches
/// `down_blocks.0.attentions.1.transformer_blocks.0.attn2.to_k.weight`.
///
/// ```
/// use percept_models::nn::NamePattern;
/// let norms = NamePattern::new("**.norm*");
/// assert!(norms.matches("blocks.3.norm1.weight") && norms.matches("norm.bias"));
/// assert!(!norms.matches("blocks.3.attn1.to_q.weight"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    parts: Vec<String>,
}

impl NamePattern {
    /// The pattern written as `text`.
    pub fn new(text: &str) -> Self {
        Self { parts: text.split('.').map(str::to_owned).collect() }
    }

    /// Whether `name`, or a place that it lies below, fits.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<&str> = name.split('.').collect();
        fits(&self.parts, &name)
    }
}

fn fits(pattern: &[String], name: &[&str]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, _) => true,
        (Some((first, rest)), _) if first == "**" => (0..=name.len()).any(|skipped| fits(rest, &name[skipped..])),
        (Some(_), None) => false,
        (Some((first, rest)), Some((part, below))) => part_fits(first.as_bytes(), part.as_bytes()) && fits(rest, below),
    }
}

fn part_fits(pattern: &[u8], part: &[u8]) -> bool {
    match (pattern.split_first(), part.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=part.len()).any(|skipped| part_fits(rest, &part[skipped..])),
        (Some((a, rest)), Some((b, below))) => a == b && part_fits(rest, below),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_parts_and_places_hold_what_lies_below() {
        for (pattern, name, truth) in [
            ("**.attn2.to_k", "down.0.attn2.to_k.weight", true),
            ("**.attn2.to_k", "attn2.to_k.weight", true),
            ("**.attn2.to_k", "down.0.attn2.to_kv.weight", false),
            ("**.attn2.to_k", "down.0.attn1.to_k.weight", false),
            ("**.bias", "bias", true),
            ("**.bias", "a.b.bias", true),
            ("**.bias", "a.bias_of.weight", false),
            ("*.norm?", "a.norm1", false),
            ("*.norm*", "a.norm_final.weight", true),
            ("*.norm*", "a.b.norm", false),
            ("a.**.w", "a.w", true),
            ("a.**.w", "a.b.c.w", true),
            ("a.**.w", "b.a.w", false),
            ("a", "a", true),
            ("a", "ab", false),
        ] {
            assert_eq!(NamePattern::new(pattern).matches(name), truth, "{pattern} {name}");
        }
    }
}
