//! What made a result: program version, settings, seeds and content hashes of the inputs. Written beside every result.
//!
//! It holds no clock time and no host name, so that two runs of the same experiment write the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The origin of an artefact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Program and version, such as `percept 0.1.0`.
    pub program: String,
    /// The root seed of the run.
    pub seed: u64,
    /// Content hash (BLAKE3, hex) of each input by its name.
    pub inputs: BTreeMap<String, String>,
    /// The settings in effect, resolved, by dotted name.
    pub settings: BTreeMap<String, String>,
}

impl Provenance {
    /// An empty record for this version of percept.
    pub fn new(seed: u64) -> Self {
        Self {
            program: concat!("percept ", env!("CARGO_PKG_VERSION")).to_owned(),
            seed,
            inputs: BTreeMap::new(),
            settings: BTreeMap::new(),
        }
    }

    /// Records the input `name` by its content hash.
    #[must_use]
    pub fn input(mut self, name: &str, content: impl Into<String>) -> Self {
        self.inputs.insert(name.to_owned(), content.into());
        self
    }

    /// Records the setting `name` in its serialised form, which, unlike a debug form, is part of the interface.
    #[must_use]
    pub fn setting<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        let text = serde_json::to_string(value).unwrap_or_else(|error| format!("not serialisable: {error}"));
        self.settings.insert(name.to_owned(), text);
        self
    }

    /// The inputs `names` of this record in a record of the same program and seed, without settings.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let inputs = self.inputs.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Self { inputs: inputs.map(|(name, hash)| (name.clone(), hash.clone())).collect(), ..Self::new(self.seed) }
    }

    /// A hash of the whole record: two artefacts with the same fingerprint were made by the same computation.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut field = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        field(&self.program);
        field(&self.seed.to_string());
        for (name, value) in self.inputs.iter().chain(&self.settings) {
            field(name);
            field(value);
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// The content hash used in [`Provenance::inputs`]: BLAKE3 of `bytes`, in hex.
pub fn content_hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
