//! Where each key of an experiment was written: the line of the file, or the override.

use std::path::Path;

use serde::Serialize;
use toml::{Table, Value};

use super::error::ExperimentError;
use super::nearest::{nearest, quoted};
use super::paths;

/// The text an experiment came from.
pub(super) struct Origin<'a> {
    /// The file, as the user named it.
    pub(super) file: &'a Path,
    /// Its text.
    pub(super) text: &'a str,
    /// Dotted keys that an override set.
    pub(super) overridden: &'a [String],
    /// The folder against which relative paths are resolved.
    pub(super) folder: &'a Path,
}

impl Origin<'_> {
    /// Where `key` was written: the override, the line of the file, or the file alone.
    pub(super) fn place(&self, key: &str) -> String {
        if self.overridden.iter().any(|set| set == key || set.starts_with(&format!("{key}."))) {
            return format!("--set {key}");
        }
        let file = self.file.display();
        match self.offset(key) {
            Some(offset) => format!("{file} line {}", line_of(self.text, offset)),
            None => file.to_string(),
        }
    }

    fn offset(&self, key: &str) -> Option<usize> {
        let document = toml::de::DeTable::parse(self.text).ok()?;
        let mut table = document.get_ref();
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            let (name, value) = table.iter().find(|(name, _)| name.get_ref() == part)?;
            if parts.peek().is_none() {
                return Some(name.span().start);
            }
            table = value.get_ref().as_table()?;
        }
        None
    }

    /// Refuses keys of `table`, which stands at the dotted path `path` (empty for the document), that are not `known`.
    pub(super) fn refuse_unknown(&self, path: &str, table: &Table, known: &[&str]) -> Result<(), ExperimentError> {
        let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
        let full = dotted(path, key);
        let remedy = match nearest(key, known) {
            Some(near) => format!("did you mean `{}`?", dotted(path, near)),
            None => format!("known here are {}", quoted(known)),
        };
        Err(ExperimentError::UnknownKey { at: self.place(&full), key: full, remedy })
    }

    /// An error that says the key at `path` holds `got` where `expected` is allowed.
    pub(super) fn value(&self, path: &str, expected: impl Into<String>, got: impl Into<String>) -> ExperimentError {
        ExperimentError::Value {
            at: self.place(path),
            key: path.to_owned(),
            expected: expected.into(),
            got: got.into(),
        }
    }

    /// An error that says the key at `path` is no `expected`.
    pub(super) fn wrong_type(
        &self,
        path: &str,
        expected: &'static str,
        got: &Value,
        example: impl Into<String>,
    ) -> ExperimentError {
        let got = described(got);
        ExperimentError::WrongType {
            at: self.place(path),
            key: path.to_owned(),
            expected,
            got,
            example: example.into(),
        }
    }

    /// An error that says the key at `path` must be written.
    pub(super) fn missing(&self, path: &str, example: impl Into<String>) -> ExperimentError {
        ExperimentError::Missing { at: self.file.display().to_string(), key: path.to_owned(), example: example.into() }
    }
}

/// The dotted path of `key` in the section at `path`.
pub(super) fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The document in `text`, which stands in the file `path`, with `overrides` merged in, and the keys that these set.
///
/// # Errors
/// Text that is no TOML, and overrides that are none.
fn document(text: &str, path: &Path, overrides: &[String]) -> Result<(Table, Vec<String>), ExperimentError> {
    let mut document: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| format!(" line {}", line_of(text, span.start))).unwrap_or_default();
        let message = error.message().replace('\n', " ");
        ExperimentError::Syntax { at: format!("{}{line}", path.display()), message }
    })?;
    let set = overrides.iter().map(|text| set(&mut document, text)).collect::<Result<_, _>>()?;
    Ok((document, set))
}

/// What `read` makes of the document in `text`, which stands in the file `path` (for messages and relative paths), with `overrides`.
///
/// # Errors
/// Those of [`document`] and of `read`.
pub(super) fn parsed<T>(
    text: &str,
    path: &Path,
    overrides: &[String],
    read: impl FnOnce(Table, &Origin<'_>) -> Result<T, ExperimentError>,
) -> Result<T, ExperimentError> {
    let (document, overridden) = document(text, path, overrides)?;
    let folder = paths::absolute_folder(path);
    read(document, &Origin { file: path, text, overridden: &overridden, folder: &folder })
}

/// Whether `data.kind` of the experiment in `text` is one of `kinds`.
pub(super) fn has_kind(text: &str, kinds: &[&str]) -> bool {
    let kind = text.parse::<Table>().ok().and_then(|table| Some(table.get("data")?.get("kind")?.as_str()?.to_owned()));
    kind.is_some_and(|kind| kinds.contains(&kind.as_str()))
}

/// An experiment as TOML, defaults included.
pub(super) fn resolved(experiment: &impl Serialize) -> String {
    toml::to_string_pretty(experiment).expect("settings hold only what TOML can say")
}

/// The line, from 1, on which byte `offset` of `text` stands.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}

/// Merges the override `text` into `document` and returns its dotted key.
fn set(document: &mut Table, text: &str) -> Result<String, ExperimentError> {
    let refused = || ExperimentError::Override { text: text.to_owned() };
    let (key, value) = text.split_once('=').ok_or_else(refused)?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(refused());
    }
    // What is no TOML value is taken as text, so that a shell needs no quotes inside quotes.
    let value = format!("x = {value}")
        .parse::<Table>()
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("x"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    let mut table = document;
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().ok_or_else(refused)?;
    for part in parts {
        let inner = table.entry(part.to_owned()).or_insert_with(|| Value::Table(Table::new()));
        table = inner.as_table_mut().ok_or_else(refused)?;
    }
    table.insert(last.to_owned(), value);
    Ok(key.to_owned())
}

fn described(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text `{text}`"),
        Value::Integer(number) => format!("the whole number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(truth) => format!("`{truth}`"),
        Value::Datetime(date) => format!("the date {date}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a section".to_owned(),
    }
}
