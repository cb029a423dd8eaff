//! `[data.groups]`: parts of the units under names, in the order of the file.
//!
//! A decoder that treats parts of the brain apart reads them: `V1 = "nsdgeneral & prf-visualrois.V1"` in an NSD tree,
//! `V1 = "masks.npz:v1"` beside arrays. That they are disjoint can only be seen in the data ([`crate::dataset`]).

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::error::ExperimentError;
use super::section::Section;

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
    pub(super) fn none() -> Self {
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

    /// Reads `groups` of `section`, each value by `read`; `None` when it is absent.
    pub(super) fn read<'a>(
        section: &mut Section<'a>,
        read: impl Fn(&mut Section<'a>, &str) -> Result<Option<T>, ExperimentError>,
    ) -> Result<Option<Self>, ExperimentError> {
        const KEY: &str = "groups";
        if !section.has(KEY) {
            return Ok(None);
        }
        let table = section.table(KEY)?;
        if table.is_empty() {
            return Err(section.value(KEY, "at least one named group", "an empty section"));
        }
        let names: Vec<String> = table.keys().cloned().collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut inner = section.open_table(KEY, table, &known)?;
        let mut groups = Vec::with_capacity(names.len());
        for name in &names {
            let of = read(&mut inner, name)?.ok_or_else(|| inner.missing(name, &format!("{name} = \"...\"")))?;
            groups.push((name.clone(), of));
        }
        Ok(Some(Self(groups)))
    }
}

impl Groups<String> {
    /// V1, V2 to V4, higher visual cortex and the rest of `nsdgeneral`, as selectors of an NSD tree.
    pub(super) fn four() -> Self {
        Self(FOUR.iter().map(|&(name, selector)| (name.to_owned(), selector.to_owned())).collect())
    }
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
