//! The words that systems add to the experiment file: methods, metrics, controls and sections of their own.
//!
//! The stages know no system. Whoever assembles the program hands the words down, so that a new method, metric or control
//! is one file and one line where the vocabulary is put together.

use toml::{Table, Value};

use super::arms::Reserved;
use super::error::ExperimentError;
use super::key::{Key, Section};
use super::nearest::{hint, quoted};
use super::origin::{Origin, dotted};
use super::reader;
use percept_core::ArmName;

/// All words that an experiment may use beyond those of the stages.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Ways to reconstruct, in the order of their arms.
    pub methods: Vec<MethodWord>,
    /// Measures, in the order of the tables.
    pub metrics: Vec<MetricWord>,
    /// Controls, in the order of their arms.
    pub controls: Vec<ControlWord>,
    /// Sections that belong to systems.
    pub sections: Vec<SectionWord>,
}

/// What is needed of the data beside responses and pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Captions of the stimuli.
    pub captions: bool,
    /// Parts of the units under names.
    pub groups: bool,
}

impl Needs {
    /// What one of the two needs.
    pub fn or(self, other: Self) -> Self {
        Self { captions: self.captions || other.captions, groups: self.groups || other.groups }
    }

    /// Whether all that `other` needs is needed here, too.
    pub fn covers(self, other: Self) -> bool {
        self.or(other) == self
    }
}

/// A way to reconstruct.
#[derive(Clone, Copy, Debug)]
pub struct MethodWord {
    /// The word in `methods`, in tables and in scores.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// Whether it is asked for where the file has no `methods`.
    pub by_default: bool,
    /// Whether a comparison with it gets every metric and control.
    pub thorough: bool,
    /// What it reads.
    pub needs: Needs,
}

/// A measure of how near a reconstruction comes.
#[derive(Clone, Copy, Debug)]
pub struct MetricWord {
    /// The word in `evaluate.metrics`.
    pub name: &'static str,
    /// What it measures, in one sentence.
    pub doc: &'static str,
    /// Whether it is measured where the file does not say; otherwise only in thorough comparisons.
    pub by_default: bool,
}

/// What a sceptic wants to see beside the methods.
#[derive(Clone, Copy, Debug)]
pub struct ControlWord {
    /// The key in `[controls]`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// Whether it is on where the file does not say; otherwise only in comparisons with a thorough method.
    pub by_default: bool,
    /// What it reads; it is refused where no method reads that.
    pub needs: Needs,
}

/// A section that belongs to a system.
#[derive(Clone, Copy, Debug)]
pub struct SectionWord {
    /// Its key at the top of the file.
    pub name: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Its tables, for the reference.
    pub tables: fn() -> Vec<KeyTable>,
    /// Whether a comparison with it gets every metric.
    pub thorough: bool,
    /// What it reads.
    pub needs: Needs,
    /// The method with which it is there even where the file does not write it.
    pub of: Option<&'static str>,
    /// Checks it and fills in every default.
    pub read: fn(&SectionText<'_>) -> Result<Table, ExperimentError>,
}

/// A table of keys in the reference.
#[derive(Clone, Debug)]
pub struct KeyTable {
    /// How the section is written, in Markdown.
    pub heading: String,
    /// What it is about.
    pub doc: String,
    /// Its keys.
    pub keys: Vec<Key>,
}

impl KeyTable {
    /// The table of `T`, which stands at the dotted path `path`, and after it those of the sections inside.
    pub fn of<T: Section>(path: &str) -> Vec<Self> {
        let mut tables = vec![Self { heading: format!("`[{path}]`"), doc: T::DOC.to_owned(), keys: T::KEYS.to_vec() }];
        for key in T::KEYS.iter().filter(|key| !key.kind.keys.is_empty()) {
            let heading = format!("`[{path}.{}]`", key.name);
            tables.push(Self { heading, doc: key.doc.to_owned(), keys: key.kind.keys.to_vec() });
        }
        tables
    }
}

/// The section of a system as it was written.
pub struct SectionText<'a> {
    pub(super) name: &'a str,
    pub(super) table: &'a Table,
    pub(super) seed: u64,
    pub(super) reserved: &'a Reserved,
    pub(super) origin: &'a Origin<'a>,
}

impl SectionText<'_> {
    /// What stands in it, overrides included.
    pub fn table(&self) -> &Table {
        self.table
    }

    /// The seed of the experiment, from which seeds of sections are taken that name none.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Reads `table` as the keys of `T`; `within` is the dotted path inside this section, empty for the section itself.
    ///
    /// # Errors
    /// Any [`ExperimentError`] about keys and values.
    pub fn read<T: Section>(&self, within: &str, table: Table) -> Result<T, ExperimentError> {
        reader::read(&self.path(within), Value::Table(table), self.origin)
    }

    /// An error that says the key `within` holds `got` where `expected` is allowed.
    pub fn value(&self, within: &str, expected: impl Into<String>, got: impl Into<String>) -> ExperimentError {
        self.origin.value(&self.path(within), expected, got)
    }

    /// `name`, given under the key `within`, as the name of an arm.
    ///
    /// # Errors
    /// When it is no name, or stands for something else: another method, a control, a baseline, a file of a run.
    pub fn arm_name(&self, within: &str, name: &str) -> Result<ArmName, ExperimentError> {
        let path = self.path(within);
        let refused = |expected: String| self.origin.value(&path, expected, format!("`{name}`"));
        let arm = ArmName::new(name).map_err(|error| refused(error.expected().to_owned()))?;
        match self.reserved.refuse(&arm, self.name) {
            Some(reason) => Err(refused(format!("another name, since {reason}"))),
            None => Ok(arm),
        }
    }

    fn path(&self, within: &str) -> String {
        if within.is_empty() { self.name.to_owned() } else { dotted(self.name, within) }
    }
}

/// What of the vocabulary an experiment asks for.
pub(super) struct Asked<'a> {
    /// The methods, in the order of the vocabulary.
    pub(super) methods: Vec<&'a MethodWord>,
    /// The metrics, in the order of the vocabulary.
    pub(super) metrics: Vec<&'static str>,
    /// What methods and sections read of the data.
    pub(super) needs: Needs,
}

impl<'a> Asked<'a> {
    pub(super) fn read(document: &Table, origin: &Origin<'_>, words: &'a Vocabulary) -> Result<Self, ExperimentError> {
        let known: Vec<&str> = words.methods.iter().map(|word| word.name).collect();
        let asked = chosen("methods", document.get("methods"), &known, origin)?;
        if asked.as_ref().is_some_and(Vec::is_empty) {
            return Err(origin.value("methods", format!("at least one of {}", quoted(&known)), "an empty list"));
        }
        let methods: Vec<&MethodWord> = words
            .methods
            .iter()
            .filter(|word| asked.as_ref().map_or(word.by_default, |asked| asked.contains(&word.name)))
            .collect();
        let sections = || words.sections.iter().filter(|word| document.contains_key(word.name));
        let thorough = methods.iter().any(|word| word.thorough) || sections().any(|word| word.thorough);
        let known: Vec<&str> = words.metrics.iter().map(|word| word.name).collect();
        let evaluate = document.get("evaluate").and_then(Value::as_table);
        let metrics = chosen("evaluate.metrics", evaluate.and_then(|table| table.get("metrics")), &known, origin)?;
        let metrics = words
            .metrics
            .iter()
            .filter(|word| match &metrics {
                Some(metrics) => metrics.contains(&word.name),
                None => thorough || word.by_default,
            })
            .map(|word| word.name)
            .collect();
        let needs = methods.iter().map(|word| word.needs).chain(sections().map(|word| word.needs));
        Ok(Self { needs: needs.fold(Needs::default(), Needs::or), metrics, methods })
    }
}

/// The words at `path`, each one of `known`.
fn chosen<'k>(
    path: &str,
    value: Option<&Value>,
    known: &[&'k str],
    origin: &Origin<'_>,
) -> Result<Option<Vec<&'k str>>, ExperimentError> {
    const EXPECTED: &str = "a list of words";
    let Some(value) = value else { return Ok(None) };
    let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
    let example = || format!("{name} = [\"{}\"]", known.join("\", \""));
    let Value::Array(items) = value else { return Err(origin.wrong_type(path, EXPECTED, value, example())) };
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        let Value::String(text) = item else { return Err(origin.wrong_type(path, EXPECTED, item, example())) };
        let Some(word) = known.iter().find(|word| *word == text) else {
            let expected = format!("words out of {}{}", quoted(known), hint(text, known));
            return Err(origin.value(path, expected, format!("`{text}`")));
        };
        words.push(*word);
    }
    Ok(Some(words))
}
