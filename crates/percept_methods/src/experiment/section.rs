//! One table of an experiment file: typed access by key, with errors that name the dotted key and the line it stands on.
//!
//! Unknown keys are refused when a section is opened, before any value is read, so that a misspelt key is reported as
//! such and not as the absence of the right one. serde's own errors know neither the dotted path nor the neighbours of
//! a misspelt key, and lose the line once overrides are merged in; hence this reader.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::ExperimentError;

/// The text an experiment came from, for finding the line of a key.
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
}

/// The line, from 1, on which byte `offset` of `text` stands.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}

/// An opened table whose keys are all known.
pub(super) struct Section<'a> {
    name: String,
    table: Table,
    origin: &'a Origin<'a>,
}

impl<'a> Section<'a> {
    /// Opens `table`, which stands at the dotted path `name` (empty for the document), refusing keys outside `known`.
    pub(super) fn open(
        name: &str,
        table: Table,
        known: &[&str],
        origin: &'a Origin<'a>,
    ) -> Result<Self, ExperimentError> {
        let section = Self { name: name.to_owned(), table, origin };
        for key in section.table.keys() {
            if !known.contains(&key.as_str()) {
                let path = section.path(key);
                let remedy = match nearest(key, known) {
                    Some(near) => format!("did you mean `{}`?", section.path(near)),
                    None => format!("known here are {}", quoted(known)),
                };
                return Err(ExperimentError::UnknownKey { at: origin.place(&path), key: path, remedy });
            }
        }
        Ok(section)
    }

    /// The table at `key` opened as a section; an absent one is empty.
    pub(super) fn section(&mut self, key: &str, known: &[&str]) -> Result<Section<'a>, ExperimentError> {
        let table = self.table(key)?;
        self.open_table(key, table, known)
    }

    /// `table`, taken from `key` before, opened as a section.
    pub(super) fn open_table(&self, key: &str, table: Table, known: &[&str]) -> Result<Section<'a>, ExperimentError> {
        Section::open(&self.path(key), table, known, self.origin)
    }

    /// The table at `key`, unopened; an absent one is empty.
    pub(super) fn table(&mut self, key: &str) -> Result<Table, ExperimentError> {
        match self.table.remove(key) {
            None => Ok(Table::new()),
            Some(Value::Table(table)) => Ok(table),
            Some(other) => Err(self.wrong_type(key, "a section", &other, &format!("[{}]", self.path(key)))),
        }
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Whether `key` was written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn wrong_type(&self, key: &str, expected: &'static str, got: &Value, example: &str) -> ExperimentError {
        let path = self.path(key);
        ExperimentError::WrongType {
            at: self.origin.place(&path),
            key: path,
            expected,
            got: described(got),
            example: example.to_owned(),
        }
    }

    /// An error that says `key` holds `got` where `expected` is allowed.
    pub(super) fn value(&self, key: &str, expected: impl Into<String>, got: impl Into<String>) -> ExperimentError {
        let path = self.path(key);
        ExperimentError::Value { at: self.origin.place(&path), key: path, expected: expected.into(), got: got.into() }
    }

    /// An error that says `key` must be written.
    pub(super) fn missing(&self, key: &str, example: &str) -> ExperimentError {
        ExperimentError::Missing {
            at: self.origin.file.display().to_string(),
            key: self.path(key),
            example: example.to_owned(),
        }
    }

    /// The text at `key`.
    pub(super) fn string(&mut self, key: &str) -> Result<Option<String>, ExperimentError> {
        match self.table.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong_type(key, "text", &other, &format!("{key} = \"...\""))),
        }
    }

    /// The text at `key`, which must be written.
    pub(super) fn required(&mut self, key: &str, example: &str) -> Result<String, ExperimentError> {
        self.string(key)?.ok_or_else(|| self.missing(key, example))
    }

    /// One of a few words at `key`.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)], default: T) -> Result<T, ExperimentError> {
        let Some(text) = self.string(key)? else { return Ok(default) };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = nearest(&text, &known).map(|near| format!(", perhaps `{near}`")).unwrap_or_default();
        Err(self.value(key, format!("one of {}{hint}", quoted(&known)), format!("`{text}`")))
    }

    /// The truth value at `key`.
    pub(super) fn boolean(&mut self, key: &str, default: bool) -> Result<bool, ExperimentError> {
        match self.table.remove(key) {
            None => Ok(default),
            Some(Value::Boolean(value)) => Ok(value),
            Some(other) => Err(self.wrong_type(key, "true or false", &other, &format!("{key} = {default}"))),
        }
    }

    /// The whole number at `key`, at least `least`.
    pub(super) fn count(&mut self, key: &str, least: u64, default: u64) -> Result<u64, ExperimentError> {
        match self.table.remove(key) {
            None => Ok(default),
            Some(Value::Integer(number)) => match u64::try_from(number) {
                Ok(number) if number >= least => Ok(number),
                _ => Err(self.value(key, format!("at least {least}"), number.to_string())),
            },
            Some(other) => Err(self.wrong_type(key, "a whole number", &other, &format!("{key} = {default}"))),
        }
    }

    /// [`Section::count`] for sizes in memory.
    pub(super) fn size(&mut self, key: &str, least: usize, default: usize) -> Result<usize, ExperimentError> {
        let number = self.count(key, least as u64, default as u64)?;
        usize::try_from(number)
            .map_err(|_| self.value(key, "a number that fits this machine's memory", number.to_string()))
    }

    /// The number at `key`, within `range`.
    pub(super) fn number(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<f64>,
        default: f64,
    ) -> Result<f64, ExperimentError> {
        match self.table.remove(key) {
            None => Ok(default),
            Some(value) => {
                let Some(number) = as_number(&value) else {
                    return Err(self.wrong_type(key, "a number", &value, &format!("{key} = {default}")));
                };
                if !range.contains(&number) {
                    let expected = match (range.start().is_finite(), range.end().is_finite()) {
                        (true, true) => format!("between {} and {}", range.start(), range.end()),
                        _ => format!("at least {}", range.start()),
                    };
                    return Err(self.value(key, expected, number.to_string()));
                }
                Ok(number)
            }
        }
    }

    /// The numbers at `key`.
    pub(super) fn numbers(&mut self, key: &str) -> Result<Option<Vec<f64>>, ExperimentError> {
        const EXPECTED: &str = "a list of numbers";
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        let example = format!("{key} = [1, 10, 100]");
        let Value::Array(items) = &value else { return Err(self.wrong_type(key, EXPECTED, &value, &example)) };
        items
            .iter()
            .map(|item| as_number(item).ok_or_else(|| self.wrong_type(key, EXPECTED, item, &example)))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The whole numbers at `key`, each at least `least`.
    pub(super) fn counts(&mut self, key: &str, least: usize) -> Result<Option<Vec<usize>>, ExperimentError> {
        const EXPECTED: &str = "a list of whole numbers";
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        let example = format!("{key} = [{least}, {}]", least + 1);
        let Value::Array(items) = &value else { return Err(self.wrong_type(key, EXPECTED, &value, &example)) };
        let mut numbers = Vec::with_capacity(items.len());
        for item in items {
            let Value::Integer(number) = item else { return Err(self.wrong_type(key, EXPECTED, item, &example)) };
            match usize::try_from(*number) {
                Ok(number) if number >= least => numbers.push(number),
                _ => return Err(self.value(key, format!("numbers of at least {least}"), number.to_string())),
            }
        }
        Ok(Some(numbers))
    }

    /// The words at `key`, each one of a few.
    pub(super) fn choices<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<Vec<T>>, ExperimentError> {
        const EXPECTED: &str = "a list of words";
        let Some(value) = self.table.remove(key) else { return Ok(None) };
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let example = format!("{key} = [\"{}\"]", known.join("\", \""));
        let Value::Array(items) = &value else { return Err(self.wrong_type(key, EXPECTED, &value, &example)) };
        let mut chosen = Vec::with_capacity(items.len());
        for item in items {
            let Value::String(text) = item else { return Err(self.wrong_type(key, EXPECTED, item, &example)) };
            let Some((_, value)) = words.iter().find(|(word, _)| word == text) else {
                return Err(self.value(key, format!("words out of {}", quoted(&known)), format!("`{text}`")));
            };
            chosen.push(*value);
        }
        Ok(Some(chosen))
    }

    /// The path at `key`, made absolute against the experiment's folder.
    pub(super) fn file(&mut self, key: &str) -> Result<Option<PathBuf>, ExperimentError> {
        Ok(self.string(key)?.map(|text| self.resolve(&text)))
    }

    /// `text` as a path, made absolute against the experiment's folder.
    pub(super) fn resolve(&self, text: &str) -> PathBuf {
        tidied(&self.origin.folder.join(text))
    }
}

/// `path` without `.` and without `..` that follows a name.
pub(super) fn tidied(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) if number.is_finite() => Some(*number),
        _ => None,
    }
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

pub(super) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
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

    #[test]
    fn parent_folders_are_resolved_without_touching_the_disk() {
        assert_eq!(tidied(Path::new("/a/b/../../c/./d")), PathBuf::from("/c/d"));
        assert_eq!(tidied(Path::new("../x")), PathBuf::from("../x"));
    }
}
