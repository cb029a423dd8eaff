//! Sections whose `kind` decides which keys they have.

use toml::{Table, Value};

use crate::experiment::error::ExperimentError;
use crate::experiment::key::{Key, KeyType, Section};
use crate::experiment::nearest::{hint, quoted};
use crate::experiment::origin::Origin;
use crate::experiment::reader;

/// The key that decides which keys a section has, for the reference.
pub(in crate::experiment) fn kind_key<W: KeyType>(doc: &'static str, example: &'static str) -> Key {
    Key { name: KIND, doc, kind: W::KIND, default: None, default_words: None, limits: None, example: Some(example) }
}

const KIND: &str = "kind";

/// Takes `kind` out of the section at `path` and refuses keys that the kind does not have.
pub(in crate::experiment) fn word_of<W: KeyType + serde::de::DeserializeOwned>(
    path: &str,
    table: &mut Table,
    example: &str,
    origin: &Origin<'_>,
) -> Result<W, ExperimentError> {
    let full = format!("{path}.{KIND}");
    let words: Vec<&str> = W::KIND.words.iter().map(|word| word.name).collect();
    match table.remove(KIND) {
        None => Err(origin.missing(&full, format!("{KIND} = \"{example}\""))),
        Some(Value::String(word)) => Value::String(word.clone()).try_into().map_err(|_| {
            let expected = format!("one of {}{}", quoted(&words), hint(&word, &words));
            origin.value(&full, expected, format!("`{word}`"))
        }),
        Some(other) => Err(origin.wrong_type(&full, "text", &other, format!("{KIND} = \"{example}\""))),
    }
}

/// Reads `table` at `path`, from which `kind` has been taken, as `T`.
pub(in crate::experiment) fn read_rest<T: Section>(
    path: &str,
    table: Table,
    origin: &Origin<'_>,
) -> Result<T, ExperimentError> {
    let known: Vec<&str> = [KIND].into_iter().chain(T::KEYS.iter().map(|key| key.name)).collect();
    origin.refuse_unknown(path, &table, &known)?;
    reader::read(path, Value::Table(table), origin)
}
