//! `[data]`: where responses, stimuli and captions come from. Its keys depend on its `kind`.

mod arrays;
mod nsd;
mod phantom;

use serde::Serialize;
use toml::Value;

pub use arrays::ArraysData;
pub use nsd::{BetaForm, NsdData};
pub use phantom::PhantomData;
pub(crate) use phantom::{shortest, three_lengths};

use super::error::ExperimentError;
use super::key::{Key, KeyType, Section};
use super::nearest::{hint, quoted};
use super::origin::Origin;
use super::reader;
use super::vocabulary::KeyTable;

const PATH: &str = "data";
const KIND: &str = "kind";

words! {
    /// Where the data come from.
    pub enum DataKind {
        /// One subject of the Natural Scenes Dataset.
        Nsd = "nsd",
        /// Arrays that any lab has.
        Arrays = "arrays",
        /// A simulated subject.
        Phantom = "phantom",
    }
}

words! {
    /// What to do with units whose values are not all finite.
    pub enum NonFinite {
        /// Stop and name them.
        Error = "error",
        /// Leave them out and say how many.
        Mask = "mask",
    }
}

/// Where the data come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Data {
    /// The Natural Scenes Dataset's tree.
    Nsd(NsdData),
    /// Arrays inside MAT, npy, npz or HDF5 files.
    Arrays(Box<ArraysData>),
    /// A simulated subject, written as an NSD tree below the output folder.
    Phantom(PhantomData),
}

impl Data {
    /// Reads `[data]` by its kind.
    pub(super) fn read(value: Option<Value>, origin: &Origin<'_>) -> Result<Self, ExperimentError> {
        let mut table = match value {
            Some(Value::Table(table)) => table,
            Some(other) => return Err(origin.wrong_type(PATH, "a section", &other, "[data]")),
            None => return Err(origin.missing(PATH, "[data]\nkind = \"phantom\"")),
        };
        let kind = table.remove(KIND);
        let rest = |keys: &[Key], table: toml::Table| {
            // `kind` is gone from the table, but it is known here.
            let known: Vec<&str> = [KIND].into_iter().chain(keys.iter().map(|key| key.name)).collect();
            origin.refuse_unknown(PATH, &table, &known)?;
            Ok::<_, ExperimentError>(Value::Table(table))
        };
        let known = kind.as_ref().and_then(|kind| kind.clone().try_into().ok());
        match known {
            Some(DataKind::Nsd) => reader::read(PATH, rest(NsdData::KEYS, table)?, origin).map(Self::Nsd),
            Some(DataKind::Arrays) => {
                let arrays: ArraysData = reader::read(PATH, rest(ArraysData::KEYS, table)?, origin)?;
                arrays.both_sides(origin)?;
                Ok(Self::Arrays(Box::new(arrays)))
            }
            Some(DataKind::Phantom) => reader::read(PATH, rest(PhantomData::KEYS, table)?, origin).map(Self::Phantom),
            None => {
                // Nobody knows yet which keys are meant, but one that no kind has is misspelt.
                let mut keys: Vec<Key> = [NsdData::KEYS, ArraysData::KEYS, PhantomData::KEYS].concat();
                keys.sort_unstable_by_key(|key| key.name);
                keys.dedup_by_key(|key| key.name);
                rest(&keys, table)?;
                Err(match kind {
                    None => origin.missing("data.kind", "kind = \"nsd\""),
                    Some(Value::String(word)) => {
                        let kinds: Vec<&str> = DataKind::KIND.words.iter().map(|word| word.name).collect();
                        let expected = format!("one of {}{}", quoted(&kinds), hint(&word, &kinds));
                        origin.value("data.kind", expected, format!("`{word}`"))
                    }
                    Some(other) => origin.wrong_type("data.kind", "text", &other, "kind = \"...\""),
                })
            }
        }
    }

    /// The tables of the reference.
    pub(super) fn tables() -> Vec<KeyTable> {
        let kind = Key {
            name: KIND,
            doc: "Where the data come from; it decides which keys the section has.",
            kind: DataKind::KIND,
            default: None,
            default_words: None,
            limits: None,
            example: Some("phantom"),
        };
        let table = |kind: DataKind, doc: &str, keys: &[Key]| KeyTable {
            heading: format!("`[data]` with `kind = \"{}\"`", kind.name()),
            doc: doc.to_owned(),
            keys: keys.to_vec(),
        };
        vec![
            KeyTable {
                heading: "`[data]`".to_owned(),
                doc: "Where responses, stimuli and captions come from.".to_owned(),
                keys: vec![kind],
            },
            table(DataKind::Nsd, NsdData::DOC, NsdData::KEYS),
            table(DataKind::Arrays, ArraysData::DOC, ArraysData::KEYS),
            table(DataKind::Phantom, PhantomData::DOC, PhantomData::KEYS),
        ]
    }
}
