//! The experiment of `percept encode`: one TOML file that says what was measured, which feature spaces predict it, and how the
//! predictions are judged.
//!
//! It shares its words, limits and messages with the experiment of a reconstruction ([`super::Experiment`]); `[data]`, `[encode]`
//! and `[statistics]` are sections, and every space is a section `[spaces.NAME]` whose `kind` decides its keys. Reading opens no data.

mod data;
pub(super) mod kinds;
mod planted;
mod settings;
mod spaces;

use std::path::Path;

use serde::Serialize;
use toml::{Table, Value};

pub use data::{AnnotationForm, EncodingData, EncodingKind, FilmsData, ScansData, TitlesData, WatcherData};
pub use planted::{PlantedTerm, PlantedText, planted_terms};
pub use settings::{DelayForm, EncodeSettings, HeldOut, ModelForm, NullKind, StatisticsSettings, Trend};
pub use spaces::{
    ArraySpace, BagSpace, GaborSpace, LabelSpace, PixelSpace, RateSpace, SpaceKind, SpaceSettings, TapPool, TapSpace,
    expand,
};

use super::error::ExperimentError;
use super::key::Section;
use super::origin::{self, Origin};
use super::reader;
use super::vocabulary::KeyTable;
use super::{Groups, MAX_BYTES, defaults};

section! {
    /// At the top of the file, before the first section.
    pub struct Top {
        /// Title of the report.
        name: String = String::new(), or "the name of the file";
        /// The root of all randomness.
        seed: u64 = defaults::DEFAULT_SEED as u64, in 0..=u64::MAX;
    }
}

/// A whole experiment of `percept encode`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EncodingExperiment {
    /// Title of the report.
    pub name: String,
    /// The root of all randomness.
    pub seed: u64,
    /// Where responses and stimuli come from.
    pub data: EncodingData,
    /// What the regions of a simulated subject follow, in names of spaces; none where it was not said.
    #[serde(skip_serializing_if = "Groups::is_empty")]
    pub planted: Groups<String>,
    /// The feature spaces by name, in the order of the file.
    pub spaces: Spaces,
    /// How responses are predicted.
    pub encode: EncodeSettings,
    /// How predictions are judged.
    pub statistics: StatisticsSettings,
}

/// Named spaces in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Spaces(Vec<(String, SpaceSettings)>);

impl Spaces {
    /// Each name and its settings.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SpaceSettings)> {
        self.0.iter().map(|(name, space)| (name.as_str(), space))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Spaces {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl EncodingExperiment {
    /// Reads the experiment in the file `path`, with `overrides` such as `encode.pca=100`.
    ///
    /// # Errors
    /// Any [`ExperimentError`]; each names the key, the line and the remedy.
    pub fn open(path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        Self::parse(&percept_io::fs::read_text(path, MAX_BYTES)?, path, overrides)
    }

    /// Reads the experiment in `text`, which stands in the file `path` (for messages and relative paths).
    ///
    /// # Errors
    /// As [`EncodingExperiment::open`], but those of reading the file.
    pub fn parse(text: &str, path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        origin::parsed(text, path, overrides, Self::read)
    }

    /// The whole experiment as TOML, defaults included; reading it gives the same experiment.
    pub fn resolved(&self) -> String {
        origin::resolved(self)
    }

    fn read(mut document: Table, origin: &Origin<'_>) -> Result<Self, ExperimentError> {
        origin.refuse_unknown("", &document, &["name", "seed", "data", "planted", "spaces", "encode", "statistics"])?;
        let stem =
            origin.file.file_stem().map_or_else(|| "encoding".into(), |stem| stem.to_string_lossy().into_owned());
        document.entry("name").or_insert(Value::String(stem));
        let head = Top::KEYS.iter().filter_map(|key| document.remove_entry(key.name)).collect();
        let head: Top = reader::read("", Value::Table(head), origin)?;
        let data = EncodingData::read(document.remove("data"), origin)?;
        let planted = match document.remove("planted") {
            Some(value) => planted::read(value, origin)?,
            None => Groups::none(),
        };
        let section =
            |name: &str, document: &mut Table| document.remove(name).unwrap_or_else(|| Value::Table(Table::new()));
        let encode: EncodeSettings = reader::read("encode", section("encode", &mut document), origin)?;
        let statistics: StatisticsSettings = reader::read("statistics", section("statistics", &mut document), origin)?;
        let spaces = match document.remove("spaces") {
            Some(Value::Table(table)) if !table.is_empty() => table,
            Some(Value::Table(_)) | None => {
                return Err(origin.missing("spaces", "[spaces.pixels]\nkind = \"pixels\""));
            }
            Some(other) => return Err(origin.wrong_type("spaces", "a section", &other, "[spaces.pixels]")),
        };
        let spaces = spaces
            .into_iter()
            .map(|(name, value)| {
                spaces::check_name(&name, origin)?;
                let space = SpaceSettings::read(&name, value, origin)?;
                Ok((name, space))
            })
            .collect::<Result<Vec<_>, ExperimentError>>()?;
        let experiment =
            Self { name: head.name, seed: head.seed, data, planted, spaces: Spaces(spaces), encode, statistics };
        experiment.names_exist(origin)?;
        let names: Vec<&str> = experiment.spaces.iter().map(|(name, _)| name).collect();
        planted::check(&experiment.planted, &experiment.data, &names, origin)?;
        Ok(experiment)
    }

    /// What was planted into a simulated subject, region by region; empty where nothing was.
    pub fn planted_regions(&self) -> Vec<PlantedText> {
        planted::regions(&self.planted)
    }

    /// Refuses names of spaces that there are not.
    fn names_exist(&self, origin: &Origin<'_>) -> Result<(), ExperimentError> {
        let known: Vec<&str> = self.spaces.iter().map(|(name, _)| name).collect();
        for name in &self.encode.together {
            if !known.contains(&name.as_str()) {
                let expected = format!("names of spaces out of {}", super::nearest::quoted(&known));
                return Err(origin.value("encode.together", expected, format!("`{name}`")));
            }
        }
        let mut distinct = self.encode.together.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() != self.encode.together.len() || distinct.len() == 1 {
            return Err(origin.value("encode.together", "two or more different spaces", "fewer"));
        }
        Ok(())
    }

    /// The tables of the reference.
    pub fn tables() -> Vec<KeyTable> {
        let mut tables = vec![KeyTable {
            heading: "Top of the file of `percept encode`".to_owned(),
            doc: Top::DOC.to_owned(),
            keys: Top::KEYS.to_vec(),
        }];
        tables.extend(EncodingData::tables());
        tables.push(planted::table());
        tables.extend(SpaceSettings::tables());
        tables.extend(KeyTable::of::<EncodeSettings>("encode"));
        tables.extend(KeyTable::of::<StatisticsSettings>("statistics"));
        tables
    }
}

#[cfg(test)]
mod tests;
