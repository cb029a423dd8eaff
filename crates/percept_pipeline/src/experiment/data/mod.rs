//! `[data]`: where responses, stimuli and captions come from. Its keys depend on its `kind`.

mod arrays;
mod nsd;
mod phantom;

use serde::Serialize;
use toml::Value;

pub use arrays::ArraysData;
pub use nsd::{BetaForm, NsdData};
pub use phantom::PhantomData;

use super::error::ExperimentError;
use super::key::{Key, Section};
use super::nearest::{hint, quoted};
use super::origin::Origin;
use super::reader;
use super::vocabulary::KeyTable;

const PATH: &str = "data";
const KIND: &str = "kind";
const KINDS: [&str; 3] = ["nsd", "arrays", "phantom"];

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
        match kind.as_ref().and_then(Value::as_str) {
            Some("nsd") => reader::read(PATH, rest(NsdData::KEYS, table)?, origin).map(Self::Nsd),
            Some("arrays") => {
                let arrays: ArraysData = reader::read(PATH, rest(ArraysData::KEYS, table)?, origin)?;
                arrays.both_sides(origin)?;
                Ok(Self::Arrays(Box::new(arrays)))
            }
            Some("phantom") => reader::read(PATH, rest(PhantomData::KEYS, table)?, origin).map(Self::Phantom),
            _ => {
                // Nobody knows yet which keys are meant, but one that no kind has is misspelt.
                let mut keys: Vec<Key> = [NsdData::KEYS, ArraysData::KEYS, PhantomData::KEYS].concat();
                keys.sort_unstable_by_key(|key| key.name);
                keys.dedup_by_key(|key| key.name);
                rest(&keys, table)?;
                Err(match kind {
                    None => origin.missing("data.kind", "kind = \"nsd\""),
                    Some(Value::String(word)) => {
                        let expected = format!("one of {}{}", quoted(&KINDS), hint(&word, &KINDS));
                        origin.value("data.kind", expected, format!("`{word}`"))
                    }
                    Some(other) => origin.wrong_type("data.kind", "text", &other, "kind = \"...\""),
                })
            }
        }
    }

    /// The tables of the reference.
    pub(super) fn tables() -> Vec<KeyTable> {
        let table = |kind: &str, doc: &str, keys: &[Key]| KeyTable {
            heading: format!("[data] with kind = \"{kind}\""),
            doc: doc.to_owned(),
            keys: keys.to_vec(),
        };
        vec![
            table("nsd", NsdData::DOC, NsdData::KEYS),
            table("arrays", ArraysData::DOC, ArraysData::KEYS),
            table("phantom", PhantomData::DOC, PhantomData::KEYS),
        ]
    }
}
