//! Reads a TOML value into settings through serde, with errors that name the dotted key, its place and the remedy.
//!
//! serde's own errors know neither the dotted path nor the neighbours of a misspelt key, and lose the line once overrides
//! are merged in. This deserialiser knows the [`Key`] it stands at: it fills in the default of an absent key, holds numbers
//! to their limits, makes file names absolute, and says in its own words what is wrong. What a type refuses by itself
//! (`invalid_value`, `custom`) is given the key and place on the way out.

use std::fmt;

use serde::de::{self, DeserializeSeed, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::{Table, Value};

use super::error::ExperimentError;
use super::key::{Key, Kind, Limits, Section, as_number, shown};
use super::nearest::{hint, quoted};
use super::origin::{Origin, dotted};

/// Reads the section that stands at `path`.
pub(super) fn read<T: Section>(path: &str, value: Value, origin: &Origin<'_>) -> Result<T, ExperimentError> {
    let reader =
        Reader { path: path.to_owned(), key: None, kind: Kind::section(T::KEYS), in_list: false, value, origin };
    let place = Place::of(&reader);
    T::deserialize(reader).map_err(|fault| place.tell(fault, origin))
}

/// The truth value at `path`.
pub(super) fn truth(path: &str, value: Value, default: bool, origin: &Origin<'_>) -> Result<bool, ExperimentError> {
    match value {
        Value::Boolean(value) => Ok(value),
        other => {
            let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
            Err(origin.wrong_type(path, "true or false", &other, format!("{name} = {default}")))
        }
    }
}

/// What went wrong inside a value.
#[derive(Debug)]
pub(super) enum Fault {
    /// Said completely.
    Told(Box<ExperimentError>),
    /// Refused by the type of the value, which does not know where it stands.
    Refused {
        /// What the type takes.
        expected: String,
        /// What it got; the value as it was written where the type does not say.
        got: Option<String>,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(error) => error.fmt(f),
            Self::Refused { expected, .. } => write!(f, "expected {expected}"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<ExperimentError> for Fault {
    fn from(error: ExperimentError) -> Self {
        Self::Told(Box::new(error))
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Refused { expected: message.to_string(), got: None }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Refused { expected: expected.to_string(), got: None }
    }

    fn invalid_value(got: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let got = match got {
            Unexpected::Str(text) => Some(format!("`{text}`")),
            Unexpected::Other(words) => Some(words.to_owned()),
            _ => None,
        };
        Self::Refused { expected: expected.to_string(), got }
    }

    fn invalid_length(_: usize, expected: &dyn de::Expected) -> Self {
        Self::Refused { expected: expected.to_string(), got: None }
    }
}

/// Where a value stands and how it was written, kept while the value itself is read.
struct Place {
    path: String,
    written: String,
}

impl Place {
    fn of(reader: &Reader<'_>) -> Self {
        let written = match &reader.value {
            Value::String(text) => format!("`{text}`"),
            other => shown(other),
        };
        Self { path: reader.path.clone(), written }
    }

    fn tell(self, fault: Fault, origin: &Origin<'_>) -> ExperimentError {
        match fault {
            Fault::Told(error) => *error,
            Fault::Refused { expected, got } => origin.value(&self.path, expected, got.unwrap_or(self.written)),
        }
    }
}

/// One value of the file.
struct Reader<'a> {
    /// Its dotted path.
    path: String,
    /// The key it belongs to.
    key: Option<&'static Key>,
    /// What it should be.
    kind: Kind,
    /// Whether it is one of a list.
    in_list: bool,
    value: Value,
    origin: &'a Origin<'a>,
}

impl Reader<'_> {
    fn wrong_type(&self, expected: &'static str) -> Fault {
        // In a list it is the list that is of the wrong type.
        let expected = if self.in_list { self.kind.name } else { expected };
        let name = self.path.rsplit_once('.').map_or(self.path.as_str(), |(_, name)| name);
        let example = match self.key {
            Some(key) => key.line(),
            None => format!("{name} = {}", self.kind.example),
        };
        self.origin.wrong_type(&self.path, expected, &self.value, example).into()
    }

    fn refused(&self, expected: impl Into<String>, got: impl Into<String>) -> Fault {
        self.origin.value(&self.path, expected, got).into()
    }

    fn within_limits(&self, otherwise: Option<Limits>) -> Result<(), Fault> {
        let limits = self.key.and_then(|key| key.limits).map(|limits| limits()).or(otherwise);
        match limits.and_then(|limits| limits.refuse(&self.value, self.in_list)) {
            Some(expected) => Err(self.refused(expected, shown(&self.value))),
            None => Ok(()),
        }
    }

    fn whole(&self) -> Result<u64, Fault> {
        let Value::Integer(number) = self.value else { return Err(self.wrong_type("a whole number")) };
        self.within_limits(Some(Limits::COUNT))?;
        u64::try_from(number).map_err(|_| self.refused("at least 0", number.to_string()))
    }

    fn real(&self) -> Result<f64, Fault> {
        let number = as_number(&self.value).ok_or_else(|| self.wrong_type("a number"))?;
        self.within_limits(None)?;
        Ok(number)
    }

    fn text(self) -> Result<String, Fault> {
        let Value::String(text) = &self.value else { return Err(self.wrong_type("text")) };
        match self.kind.resolve {
            Some(resolve) => {
                resolve(text, self.origin.folder).map_err(|refused| self.refused(refused.expected, refused.got))
            }
            None => Ok(text.clone()),
        }
    }

    fn table(&mut self) -> Result<Table, Fault> {
        match std::mem::replace(&mut self.value, Value::Boolean(false)) {
            Value::Table(table) => Ok(table),
            other => Err(self.origin.wrong_type(&self.path, "a section", &other, format!("[{}]", self.path)).into()),
        }
    }

    /// The entries of this section in the order in which they are read: keys of its own as declared, with the defaults of
    /// those that are absent; the user's as written.
    fn entries(mut self) -> Result<Entries<Self>, Fault> {
        let mut table = self.table()?;
        let (path, origin) = (self.path, self.origin);
        if let Some(&kind) = self.kind.entry {
            let entry = |(name, value): (String, Value)| {
                let path = dotted(&path, &name);
                (name, Reader { path, key: None, kind, in_list: false, value, origin })
            };
            return Ok(Entries::new(table.into_iter().map(entry).collect()));
        }
        let known: Vec<&str> = self.kind.keys.iter().map(|key| key.name).collect();
        origin.refuse_unknown(&path, &table, &known)?;
        let mut entries = Vec::with_capacity(known.len());
        for key in self.kind.keys {
            let value = match table.remove(key.name).or_else(|| key.default_value()) {
                Some(value) => value,
                None if key.required() => return Err(origin.missing(&dotted(&path, key.name), key.line()).into()),
                None => continue,
            };
            let path = dotted(&path, key.name);
            entries.push((
                key.name.to_owned(),
                Reader { path, key: Some(key), kind: key.kind, in_list: false, value, origin },
            ));
        }
        Ok(Entries::new(entries))
    }

    fn items(mut self) -> Result<Vec<Self>, Fault> {
        if !self.value.is_array() {
            return Err(self.wrong_type(self.kind.name));
        }
        let items = match std::mem::replace(&mut self.value, Value::Boolean(false)) {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        let item = |value| Self { path: self.path.clone(), in_list: true, value, ..self };
        Ok(items.into_iter().map(item).collect())
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::String(_) | Value::Datetime(_) => self.deserialize_string(visitor),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(_) => self.deserialize_f64(visitor),
            Value::Boolean(_) => self.deserialize_bool(visitor),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Table(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Boolean(value) => visitor.visit_bool(value),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u64(self.whole()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(self.real()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(Items(self.items()?.into_iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self.entries()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Value::String(text) = &self.value else { return Err(self.wrong_type("text")) };
        if !known.contains(&text.as_str()) {
            let expected = format!("one of {}{}", quoted(known), hint(text, known));
            return Err(self.refused(expected, format!("`{text}`")));
        }
        visitor.visit_enum(text.as_str().into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
        ignored_any
    }
}

/// The entries of a section, some of them still to be read.
struct Entries<R> {
    entries: std::vec::IntoIter<(String, R)>,
    next: Option<R>,
}

impl<R> Entries<R> {
    fn new(entries: Vec<(String, R)>) -> Self {
        Self { entries: entries.into_iter(), next: None }
    }
}

impl<'de> de::MapAccess<'de> for Entries<Reader<'_>> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, reader)) = self.entries.next() else { return Ok(None) };
        self.next = Some(reader);
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let reader = self.next.take().ok_or_else(|| <Fault as de::Error>::custom("a key before its value"))?;
        let (place, origin) = (Place::of(&reader), reader.origin);
        seed.deserialize(reader).map_err(|fault| place.tell(fault, origin).into())
    }
}

/// The items of a list, some of them still to be read.
struct Items<I>(I);

impl<'de, 'a, I: Iterator<Item = Reader<'a>>> de::SeqAccess<'de> for Items<I> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(reader) = self.0.next() else { return Ok(None) };
        let (place, origin) = (Place::of(&reader), reader.origin);
        seed.deserialize(reader).map(Some).map_err(|fault| place.tell(fault, origin).into())
    }
}
