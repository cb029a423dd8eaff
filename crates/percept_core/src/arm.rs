//! The name of an arm of a comparison: short, and fit to be a file name, a table cell and a word on a command line.
//!
//! Which names are taken by something else is for the caller to say.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// What a name may hold beside letters and digits.
const SIGNS: &str = "+-_.@";

/// The longest name, in bytes: names become parts of file names, of which most file systems take 255.
const MAX_BYTES: usize = 64;

/// A validated name of an arm: letters and digits of ASCII and `+-_.@`, 1 to 64 of them, no dot in front.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ArmName(String);

/// Why a text is no name of an arm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no name of an arm (use {expected})", expected = self.expected())]
pub struct ArmNameError {
    /// What was given.
    name: String,
    expected: &'static str,
}

impl ArmNameError {
    /// What would have been right.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl ArmName {
    /// `name` as the name of an arm.
    ///
    /// # Errors
    /// When it is empty, too long, begins with a dot or holds other signs.
    pub fn new(name: impl Into<String>) -> Result<Self, ArmNameError> {
        let name = name.into();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || SIGNS.contains(c);
        let expected = if name.is_empty() || !name.chars().all(is_plain) {
            "letters, digits and `+-_.@`"
        } else if name.starts_with('.') {
            "a name that does not start with `.`"
        } else if name.len() > MAX_BYTES {
            "at most 64 letters"
        } else {
            return Ok(Self(name));
        };
        Err(ArmNameError { name, expected })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ArmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for ArmName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ArmName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for ArmName {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for ArmName {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl From<ArmName> for String {
    fn from(name: ArmName) -> Self {
        name.0
    }
}

impl std::str::FromStr for ArmName {
    type Err = ArmNameError;

    fn from_str(text: &str) -> Result<Self, ArmNameError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for ArmName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(text).map_err(|error| de::Error::invalid_value(de::Unexpected::Str(&error.name), &error.expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_methods_variants_and_sizes_are_names() {
        for name in ["z", "z+c", "b2c+patch+clip", "ridge@800", "no-x0", "a.b_c", &"a".repeat(MAX_BYTES)] {
            assert_eq!(ArmName::new(name).expect("a name").as_str(), name);
        }
    }

    #[test]
    fn what_could_not_be_a_file_name_everywhere_is_refused_with_the_reason() {
        for name in ["", "a b", "a/b", "a\\b", "é", "a\n", "a:b", "\0"] {
            assert_eq!(ArmName::new(name).expect_err("no name").expected(), "letters, digits and `+-_.@`", "{name:?}");
        }
        for name in [".", "..", ".hidden"] {
            assert!(ArmName::new(name).expect_err("no name").expected().contains("start with `.`"), "{name}");
        }
        let long = ArmName::new("a".repeat(MAX_BYTES + 1)).expect_err("too long");
        assert_eq!(long.expected(), "at most 64 letters");
        assert!(long.to_string().ends_with("is no name of an arm (use at most 64 letters)"));
    }

    #[test]
    fn reading_checks_what_writing_wrote() {
        let name = ArmName::new("z+c").expect("a name");
        let text = serde_json::to_string(&name).expect("text");
        assert_eq!(text, "\"z+c\"");
        assert_eq!(serde_json::from_str::<ArmName>(&text).expect("a name"), name);
        let error = serde_json::from_str::<ArmName>("\"a/b\"").expect_err("no name").to_string();
        assert!(error.contains("letters, digits"), "{error}");
    }

    #[test]
    fn width_and_order_are_those_of_the_text() {
        let name = ArmName::new("z").expect("a name");
        assert_eq!(format!("{name:>3}|"), "  z|");
        assert!(name < ArmName::new("z+c").expect("a name"));
    }
}
