//! Defaults that hang on other keys, filled into the document before its sections are read.

use toml::{Table, Value};

use super::decode::Normalise;
use super::groups::Groups;
use super::origin::Origin;
use super::split::SplitKind;
use super::vocabulary::Asked;

pub(super) const DEFAULT_SEED: i64 = 1;

/// Fills in what `document` leaves open and another of its keys, or the vocabulary, decides.
///
/// Whatever is of the wrong type is left alone: it is refused when its own section is read.
pub(super) fn fill_in(document: &mut Table, asked: &Asked<'_>, origin: &Origin<'_>) {
    let stem = origin.file.file_stem().map_or_else(|| "experiment".into(), |stem| stem.to_string_lossy().into_owned());
    document.entry("name").or_insert(Value::String(stem));
    document.insert("methods".to_owned(), list(asked.methods.iter().map(|word| word.name)));
    let seed = document.get("seed").cloned().unwrap_or(Value::Integer(DEFAULT_SEED));
    default(document, "generate", "seed", seed);

    let data = document.get("data").and_then(Value::as_table).cloned().unwrap_or_default();
    let arrays = data.get("kind").and_then(Value::as_str) == Some("arrays");
    let split = match (arrays, data.contains_key("test_responses")) {
        (true, false) => SplitKind::LeaveOneStimulusOut,
        (true, true) => SplitKind::Given,
        (false, _) => SplitKind::Shared,
    };
    default(document, "split", "kind", word(split.name()));
    let normalise = if arrays && !data.contains_key("sessions") { Normalise::None } else { Normalise::Session };
    default(document, "decode", "normalise", word(normalise.name()));
    if asked.needs.groups && !arrays && document.contains_key("data") {
        let four = Groups::four().iter().map(|(name, selector)| (name.to_owned(), word(selector))).collect();
        default(document, "data", "groups", Value::Table(four));
    }
    // Metrics that were asked for are put in the order of the tables, each once.
    if let Some(Value::Table(evaluate)) = document.get_mut("evaluate") {
        evaluate.remove("metrics");
    }
    default(document, "evaluate", "metrics", list(asked.metrics.iter().copied()));
}

fn default(document: &mut Table, section: &str, key: &str, value: Value) {
    if let Value::Table(table) = document.entry(section).or_insert_with(|| Value::Table(Table::new())) {
        table.entry(key).or_insert(value);
    }
}

fn word(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn list<'w>(words: impl Iterator<Item = &'w str>) -> Value {
    Value::Array(words.map(word).collect())
}
