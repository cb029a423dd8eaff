//! What a key of the experiment file is: its name, type, default, limits and meaning, as data.
//!
//! [`section!`](crate::section) makes these from one declaration. The reader asks them what to accept and how to refuse,
//! the reference page what to print; so no key is described in two places.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

/// Whole numbers in TOML end here.
const MOST_WHOLE: u64 = i64::MAX as u64;

/// Makes a text that names a file absolute, given the folder of the experiment; or says what was expected and what was got.
pub type Resolve = fn(text: &str, folder: &Path) -> Result<String, Refused>;

/// Why a value is no good: what the key takes, and what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the key takes.
    pub expected: String,
    /// What was written.
    pub got: String,
}

/// One of a few words that a key takes.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What a value is, as messages and the reference say it: `a whole number`.
    pub name: &'static str,
    /// A value that would be right, in TOML; empty where the default says it.
    pub example: &'static str,
    /// Whether it holds numbers, which all have limits.
    pub number: bool,
    /// The words it takes, where they are few.
    pub words: &'static [Word],
    /// The keys inside, where it is a section of its own.
    pub keys: &'static [Key],
    /// What its entries hold, where it is a section whose keys are the user's.
    pub entry: Option<&'static Kind>,
    /// How a text that names a file is made absolute.
    pub resolve: Option<Resolve>,
}

impl Kind {
    /// Any text.
    pub const TEXT: Self =
        Self { name: "text", example: "\"...\"", number: false, words: &[], keys: &[], entry: None, resolve: None };

    /// A section of the file, whose keys are `keys`.
    pub const fn section(keys: &'static [Key]) -> Self {
        Self { name: "a section", example: "", keys, ..Self::TEXT }
    }
}

/// A Rust type that a key can have.
pub trait KeyType {
    /// What its limits are written in: `u64`, `f64`, or nothing.
    type Number;
    /// How it is read and described.
    const KIND: Kind;
}

macro_rules! key_types {
    ($($type:ty, $number:ty, $name:literal, $example:literal, $is_number:literal;)*) => {$(
        impl KeyType for $type {
            type Number = $number;
            const KIND: Kind = Kind { name: $name, example: $example, number: $is_number, ..Kind::TEXT };
        }
    )*};
}

key_types! {
    bool, (), "true or false", "", false;
    u64, u64, "a whole number", "", true;
    usize, u64, "a whole number", "", true;
    f64, f64, "a number", "", true;
    Vec<usize>, u64, "a list of whole numbers", "[1, 2]", true;
    [usize; 3], u64, "a list of whole numbers", "[1, 2, 3]", true;
    Vec<f64>, f64, "a list of numbers", "[1, 10, 100]", true;
    [f64; 2], f64, "a list of numbers", "[0, 1]", true;
    Vec<String>, (), "a list of words", "[\"...\"]", false;
}

impl KeyType for String {
    type Number = ();
    const KIND: Kind = Kind::TEXT;
}

impl<T: KeyType> KeyType for Option<T> {
    type Number = T::Number;
    const KIND: Kind = T::KIND;
}

/// The numbers that a key takes, ends included; in a list, each of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limits {
    /// Whole numbers.
    Whole {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// Any numbers.
    Real {
        /// The least.
        least: f64,
        /// The most.
        most: f64,
    },
}

impl From<std::ops::RangeInclusive<u64>> for Limits {
    fn from(range: std::ops::RangeInclusive<u64>) -> Self {
        Self::Whole { least: *range.start(), most: (*range.end()).min(MOST_WHOLE) }
    }
}

impl From<std::ops::RangeInclusive<f64>> for Limits {
    fn from(range: std::ops::RangeInclusive<f64>) -> Self {
        Self::Real { least: *range.start(), most: *range.end() }
    }
}

impl Limits {
    /// All whole numbers from 0.
    pub(super) const COUNT: Self = Self::Whole { least: 0, most: MOST_WHOLE };

    /// What was expected instead of `value`, which may stand in a list; `None` where it is within the limits.
    pub(super) fn refuse(self, value: &Value, in_list: bool) -> Option<String> {
        match (self, value) {
            (Self::Whole { least, most }, Value::Integer(number)) => {
                let of = if in_list { "numbers of " } else { "" };
                match u64::try_from(*number) {
                    Ok(number) if number > most => Some(format!("{of}at most {most}")),
                    Ok(number) if number >= least => None,
                    _ => Some(format!("{of}at least {least}")),
                }
            }
            (Self::Real { least, most }, value) => {
                let of = if in_list { "numbers " } else { "" };
                let within = as_number(value).is_some_and(|number| (least..=most).contains(&number));
                (!within).then(|| format!("{of}between {least} and {most}"))
            }
            _ => None,
        }
    }

    /// The limits in words, for the reference.
    pub(super) fn words(self) -> String {
        match self {
            Self::Whole { least, most: MOST_WHOLE } => format!("at least {least}"),
            Self::Whole { least, most } => format!("{} to {}", grouped(least), grouped(most)),
            Self::Real { least, most } => format!("{} to {}", short(least), short(most)),
        }
    }
}

/// A whole number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number without rows of zeros.
fn short(number: f64) -> String {
    if number.abs() >= 1e6 { format!("{number:e}") } else { number.to_string() }
}

/// One key of a section.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Its value where it is absent. A key without one is missed where it is [`Key::required`], and simply absent otherwise.
    pub default: Option<fn() -> Option<Value>>,
    /// Where the default comes from, when it hangs on other keys.
    pub default_words: Option<&'static str>,
    /// The numbers it takes.
    pub limits: Option<fn() -> Limits>,
    /// A value that would be right, for a key without a default.
    pub example: Option<&'static str>,
}

impl Key {
    /// Whether the file must have it.
    pub fn required(&self) -> bool {
        self.default.is_none()
    }

    /// The value it has where the file says nothing.
    pub fn default_value(&self) -> Option<Value> {
        self.default.and_then(|make| make())
    }

    /// A line of the file that would be right.
    pub(super) fn line(&self) -> String {
        let value = match (self.example, self.default_value(), self.kind.example) {
            (Some(example), ..) if self.kind.example == Kind::TEXT.example => format!("\"{example}\""),
            (Some(example), ..) => example.to_owned(),
            (None, _, example) if !example.is_empty() => example.to_owned(),
            (None, Some(value), _) => shown(&value),
            (None, None, _) => "...".to_owned(),
        };
        format!("{} = {value}", self.name)
    }
}

/// A table of the experiment file, declared by [`section!`](crate::section).
pub trait Section: Serialize + DeserializeOwned {
    /// What it is about.
    const DOC: &'static str;
    /// Its keys, in the order of the declaration.
    const KEYS: &'static [Key];
}

/// `value` in TOML, for [`Key::default`]; `None` where nothing is written (an absent option, an empty section).
pub fn default_value<T: Serialize>(value: &T) -> Option<Value> {
    Value::try_from(value).ok().filter(|value| value.as_table().is_none_or(|table| !table.is_empty()))
}

/// `value` as a person would write it: a whole number without `.0`, a short list on one line.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{text}\""),
        Value::Float(number) => number.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let entries: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {}", shown(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// A finite number, whole or not.
pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) if number.is_finite() => Some(*number),
        _ => None,
    }
}
