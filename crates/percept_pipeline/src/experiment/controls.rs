//! `[controls]`: what a sceptic wants to see beside the methods, each on or off.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use toml::{Table, Value};

use super::error::ExperimentError;
use super::origin::{Origin, dotted};
use super::reader;
use super::vocabulary::{Asked, ControlWord, Needs, Vocabulary};

/// Controls by name, in the order of the vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches(Vec<(String, bool)>);

impl Switches {
    /// Whether the control `name` is on; one that nobody knows is off.
    pub fn is_on(&self, name: &str) -> bool {
        self.0.iter().any(|(known, on)| known == name && *on)
    }

    /// Each control and whether it is on.
    pub fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().map(|(name, on)| (name.as_str(), *on))
    }

    pub(super) fn read(
        value: Option<Value>,
        asked: &Asked<'_>,
        words: &Vocabulary,
        origin: &Origin<'_>,
    ) -> Result<Self, ExperimentError> {
        const PATH: &str = "controls";
        let mut table = match value {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => return Err(origin.wrong_type(PATH, "a section", &other, format!("[{PATH}]"))),
        };
        let known: Vec<&str> = words.controls.iter().map(|word| word.name).collect();
        origin.refuse_unknown(PATH, &table, &known)?;
        let thorough = asked.methods.iter().any(|method| method.thorough);
        let needs = asked.methods.iter().map(|method| method.needs).fold(Needs::default(), Needs::or);
        let mut switches = Vec::with_capacity(known.len());
        for word in &words.controls {
            let path = dotted(PATH, word.name);
            let default = (word.by_default || thorough) && needs.covers(word.needs);
            let on = match table.remove(word.name) {
                Some(value) => reader::truth(&path, value, default, origin)?,
                None => default,
            };
            if on && !needs.covers(word.needs) {
                return Err(origin.value(
                    &path,
                    format!("false unless `methods` has {}", methods_for(word, words)),
                    "true",
                ));
            }
            switches.push((word.name.to_owned(), on));
        }
        Ok(Self(switches))
    }
}

/// The methods that read what `control` reads, in words.
fn methods_for(control: &ControlWord, words: &Vocabulary) -> String {
    let names: Vec<String> = words
        .methods
        .iter()
        .filter(|method| method.needs.covers(control.needs))
        .map(|method| format!("`{}`", method.name))
        .collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

impl Serialize for Switches {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, on) in &self.0 {
            map.serialize_entry(name, on)?;
        }
        map.end()
    }
}
