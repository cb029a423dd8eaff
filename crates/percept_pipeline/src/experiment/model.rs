//! `[model]`: which model pack generates.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::key::{KeyType, Kind, Refused};
use super::paths::resolve_path;

const POCKET: &str = "pocket";

/// Which model pack generates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pack {
    /// The embedded one.
    Pocket,
    /// A folder in the diffusers layout.
    Folder(PathBuf),
}

impl Pack {
    fn resolve(text: &str, folder: &Path) -> Result<String, Refused> {
        if text == POCKET {
            return Ok(text.to_owned());
        }
        match percept_io::hub::pack(text) {
            Some(Ok(snapshot)) => resolve_path(&snapshot.to_string_lossy(), folder),
            Some(Err(error)) => Err(Refused { expected: "a pack on this machine".to_owned(), got: error.to_string() }),
            None => resolve_path(text, folder),
        }
    }
}

impl KeyType for Pack {
    type Number = ();
    const KIND: Kind = Kind { name: "a word or a path", resolve: Some(Self::resolve), ..Kind::TEXT };
}

impl Serialize for Pack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pocket => serializer.serialize_str(POCKET),
            Self::Folder(folder) => serializer.collect_str(&folder.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Pack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(if text == POCKET { Self::Pocket } else { Self::Folder(PathBuf::from(text)) })
    }
}

section! {
    /// Which model pack generates.
    pub struct ModelSettings {
        /// `pocket` for the pack that is part of the program, a folder in the diffusers layout, or `hf:ORG/NAME` for one in
        /// the cache of the Hugging Face hub.
        pack: Pack = Pack::Pocket;
    }
}
