//! `[data.groups]`: parts of the units under names, in the order of the file.
//!
//! A decoder that treats parts of the brain apart reads them: `V1 = "nsdgeneral & prf-visualrois.V1"` in an NSD tree,
//! `V1 = "masks.npz:v1"` beside arrays. That they are disjoint can only be seen in the data.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::key::{KeyType, Kind};

/// What the paper's four groups are in an NSD tree. Which voxels are "higher visual" has not been published; here it is the
/// ventral, lateral and parietal streams, and the intermediate ones belong to the rest.
const FOUR: [(&str, &str); 4] = [
    ("V1", "nsdgeneral & prf-visualrois.V1"),
    ("V2-4", "nsdgeneral & prf-visualrois.V2+V3+hV4"),
    ("higher visual", "nsdgeneral & streams.ventral+lateral+parietal & !prf-visualrois"),
    ("other", "nsdgeneral & !streams.ventral+lateral+parietal & !prf-visualrois"),
];

/// Named parts of the units, in the order of the file; perhaps none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups<T>(Vec<(String, T)>);

impl<T> Groups<T> {
    /// No groups.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each name and what it stands for.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, of)| (name.as_str(), of))
    }
}

impl Groups<String> {
    /// V1, V2 to V4, higher visual cortex and the rest of `nsdgeneral`, as selectors of an NSD tree.
    pub fn four() -> Self {
        Self(FOUR.iter().map(|&(name, selector)| (name.to_owned(), selector.to_owned())).collect())
    }
}

impl<'a, T> FromIterator<(&'a str, T)> for Groups<T> {
    fn from_iter<I: IntoIterator<Item = (&'a str, T)>>(named: I) -> Self {
        Self(named.into_iter().map(|(name, of)| (name.to_owned(), of)).collect())
    }
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self::none()
    }
}

impl<T: KeyType> KeyType for Groups<T> {
    type Number = ();
    const KIND: Kind = Kind { entry: Some(&T::KIND), ..Kind::section(&[]) };
}

impl<T: Serialize> Serialize for Groups<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, of) in &self.0 {
            map.serialize_entry(name, of)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Groups<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
            type Value = Groups<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("at least one named group")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Groups<T>, A::Error> {
                let mut groups = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    groups.push(entry);
                }
                if groups.is_empty() {
                    return Err(A::Error::invalid_value(Unexpected::Other("an empty section"), &self));
                }
                Ok(Groups(groups))
            }
        }

        deserializer.deserialize_map(Named(PhantomData))
    }
}
