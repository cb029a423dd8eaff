//! The experiment: one TOML file that says what is reconstructed, from what, by which method and how it is scored.
//!
//! A file is read into [`Experiment`] with every default filled in and every key checked; overrides (`key=value` by
//! dotted path) are merged in before that, so they obey the same rules. Relative paths are resolved against the folder
//! of the file. [`Experiment::resolved`] gives the form that is written beside every result. Reading an experiment opens
//! no data. Every key is declared once, in its section's file ([`section!`](crate::section)); what systems add to the file
//! comes in as a [`Vocabulary`]. [`reference()`] describes all of it.

#[macro_use]
mod declare;

mod arms;
mod baselines;
mod controls;
mod data;
mod decode;
mod defaults;
pub mod encoding;
mod error;
mod evaluate;
mod generate;
mod groups;
mod key;
mod model;
pub mod music;
mod nearest;
mod origin;
mod paths;
mod reader;
mod reference;
mod split;
pub mod video;
mod vocabulary;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use baselines::BaselineSettings;
pub use controls::Switches;
pub use data::{ArraysData, BetaForm, Data, DataKind, NonFinite, NsdData, PhantomData};
pub use decode::{DecodeSettings, Normalise, Region, Rescale};
pub use error::ExperimentError;
pub use evaluate::EvaluateSettings;
pub use generate::{GenerateSettings, LatentAlone};
pub use groups::Groups;
pub use key::{Key, KeyType, Kind, Limits, Refused, Resolve, Section, Word, default_value};
pub use model::{ModelSettings, Pack};
pub use paths::ArrayRef;
pub use reference::reference;
pub use split::{SplitKind, SplitSettings};
pub use vocabulary::{ControlWord, KeyTable, MethodWord, MetricWord, Needs, SectionText, SectionWord, Vocabulary};

use arms::Reserved;
use origin::Origin;
use vocabulary::Asked;

/// No experiment is longer; whatever is, is another file.
const MAX_BYTES: u64 = 1 << 20;

/// The sections of the stages, in the order of the reference.
const SECTIONS: [&str; 8] = ["data", "split", "model", "decode", "generate", "evaluate", "controls", "baselines"];

section! {
    /// At the top of the file, before the first section.
    pub struct Head {
        /// Title of the report.
        name: String = String::new(), or "the name of the file";
        /// The root of all randomness.
        seed: u64 = defaults::DEFAULT_SEED as u64, in 0..=u64::MAX;
        /// What is reconstructed side by side, see [methods](#methods).
        methods: Vec<String> = Vec::new(), or "see [methods](#methods)";
        /// The folder of trained encoders, for methods that use them.
        decoder: Option<PathBuf> = None;
    }
}

/// A whole experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Experiment {
    /// Title of the report.
    pub name: String,
    /// The root of all randomness.
    pub seed: u64,
    /// What is reconstructed side by side, in the order of the vocabulary.
    pub methods: Vec<String>,
    /// Where responses, stimuli and captions come from.
    pub data: Data,
    /// How training and test sets are made.
    pub split: SplitSettings,
    /// The model pack.
    pub model: ModelSettings,
    /// From responses to features.
    pub decode: DecodeSettings,
    /// From features to pictures.
    pub generate: GenerateSettings,
    /// How the pictures are scored.
    pub evaluate: EvaluateSettings,
    /// What a sceptic wants to see beside them.
    pub controls: Switches,
    /// Simpler ways to the same goal.
    pub baselines: BaselineSettings,
    /// The folder of trained encoders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<PathBuf>,
    /// Sections of systems by name, every default filled in.
    #[serde(flatten)]
    systems: Table,
    #[serde(skip)]
    needs: Needs,
}

impl Experiment {
    /// Reads the experiment in the file `path`, with `overrides` such as `generate.steps=50`.
    ///
    /// # Errors
    /// Any [`ExperimentError`]; each names the key, the line and the remedy.
    pub fn open(path: &Path, overrides: &[String], words: &Vocabulary) -> Result<Self, ExperimentError> {
        let text = percept_io::fs::read_text(path, MAX_BYTES)?;
        Self::parse(&text, path, overrides, words)
    }

    /// Reads the experiment in `text`, which stands in the file `path` (for messages and relative paths).
    ///
    /// # Errors
    /// Any [`ExperimentError`] but those of reading the file.
    pub fn parse(text: &str, path: &Path, overrides: &[String], words: &Vocabulary) -> Result<Self, ExperimentError> {
        origin::parsed(text, path, overrides, |document, origin| Self::read(document, origin, words))
    }

    /// The experiment that `percept demo` runs: a phantom subject and the pocket pack, with every default.
    ///
    /// # Errors
    /// Those of [`Experiment::parse`] for `overrides`.
    pub fn demo(overrides: &[String], words: &Vocabulary) -> Result<Self, ExperimentError> {
        Self::parse(include_str!("demo.toml"), Path::new("demo.toml"), overrides, words)
    }

    /// The whole experiment as TOML, defaults included; reading it gives the same experiment.
    pub fn resolved(&self) -> String {
        origin::resolved(self)
    }

    /// Whether `method` is reconstructed.
    pub fn asks(&self, method: &str) -> bool {
        self.methods.iter().any(|asked| asked == method)
    }

    /// What its methods and sections need of the data beside responses and pictures.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// The section `name` of a system, every default filled in; `None` where the file has none.
    ///
    /// # Panics
    /// When the system cannot read what it wrote itself.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let section = self.systems.get(name)?.clone();
        Some(section.try_into().unwrap_or_else(|error| panic!("the resolved section `{name}` is read: {error}")))
    }

    fn read(mut document: Table, origin: &Origin<'_>, words: &Vocabulary) -> Result<Self, ExperimentError> {
        let known: Vec<&str> = top_keys(words);
        origin.refuse_unknown("", &document, &known)?;
        let asked = Asked::read(&document, origin, words)?;
        defaults::fill_in(&mut document, &asked, origin);

        let head = Head::KEYS.iter().filter_map(|key| document.remove_entry(key.name)).collect();
        let head: Head = reader::read("", Value::Table(head), origin)?;
        let data = Data::read(document.remove("data"), origin)?;
        let experiment = Self {
            split: section("split", &mut document, origin)?,
            model: section("model", &mut document, origin)?,
            decode: section("decode", &mut document, origin)?,
            generate: section("generate", &mut document, origin)?,
            evaluate: section("evaluate", &mut document, origin)?,
            controls: Switches::read(document.remove("controls"), &asked, words, origin)?,
            baselines: section("baselines", &mut document, origin)?,
            systems: systems(&document, head.seed, &asked, words, origin)?,
            needs: asked.needs,
            name: head.name,
            seed: head.seed,
            methods: head.methods,
            decoder: head.decoder,
            data,
        };
        experiment.no_conflict(&asked, words, origin)?;
        Ok(experiment)
    }

    /// Refuses settings that are each valid but cannot be meant together.
    fn no_conflict(&self, asked: &Asked<'_>, words: &Vocabulary, origin: &Origin<'_>) -> Result<(), ExperimentError> {
        let conflict = |message: &str, remedy: &str| {
            Err(ExperimentError::Conflict {
                file: origin.file.to_owned(),
                message: message.to_owned(),
                remedy: remedy.to_owned(),
            })
        };
        let Data::Arrays(arrays) = &self.data else { return Ok(()) };
        match self.split.kind {
            SplitKind::Shared => {
                return conflict(
                    "`split.kind = \"shared\"` needs an NSD tree, but `data.kind` is `arrays`",
                    "use `given` or `leave-one-stimulus-out`",
                );
            }
            SplitKind::Given if arrays.test_responses.is_none() => {
                return conflict(
                    "`split.kind = \"given\"` needs a test side, but `data.test_responses` is missing",
                    "name it, or use `leave-one-stimulus-out`",
                );
            }
            SplitKind::Given | SplitKind::LeaveOneStimulusOut => {}
        }
        if arrays.captions.is_none()
            && let Some(method) = asked.methods.iter().find(|method| method.needs.captions)
        {
            let without = words.methods.iter().filter(|word| word.by_default && !word.needs.captions);
            let without: Vec<String> = without.map(|word| format!("\"{}\"", word.name)).collect();
            let or = if without.is_empty() {
                String::new()
            } else {
                format!(", or set `methods = [{}]`", without.join(", "))
            };
            return conflict(
                &format!("the method `{}` needs captions, but `data.captions` is missing", method.name),
                &format!("name a JSON file with one list of captions per sample{or}"),
            );
        }
        Ok(())
    }
}

/// The keys and sections at the top of a file, in the order in which messages name them.
fn top_keys(words: &Vocabulary) -> Vec<&'static str> {
    let (before, after) = Head::KEYS.split_at(Head::KEYS.len() - 1);
    let names = |keys: &'static [Key]| keys.iter().map(|key| key.name);
    let sections = words.sections.iter().map(|word| word.name);
    names(before).chain(SECTIONS).chain(names(after)).chain(sections).collect()
}

/// The section `name`, taken out of `document`; an absent one is empty.
fn section<T: Section>(name: &str, document: &mut Table, origin: &Origin<'_>) -> Result<T, ExperimentError> {
    reader::read(name, document.remove(name).unwrap_or_else(|| Value::Table(Table::new())), origin)
}

/// The sections of systems that `document` has or the methods imply, each read by its system.
fn systems(
    document: &Table,
    seed: u64,
    asked: &Asked<'_>,
    words: &Vocabulary,
    origin: &Origin<'_>,
) -> Result<Table, ExperimentError> {
    let methods = words.methods.iter().map(|word| (word.name, "a method"));
    let controls = words.controls.iter().map(|word| (word.name, "a control"));
    let reserved = Reserved::new(methods.chain(controls));
    let mut systems = Table::new();
    for word in &words.sections {
        let absent = Value::Table(Table::new());
        let is_implied = word.of.is_some_and(|method| asked.methods.iter().any(|word| word.name == method));
        let Some(written) = document.get(word.name).or_else(|| is_implied.then_some(&absent)) else { continue };
        let Value::Table(table) = written else {
            return Err(origin.wrong_type(word.name, "a section", written, format!("[{}]", word.name)));
        };
        let text = SectionText { name: word.name, table, seed, reserved: &reserved, origin };
        systems.insert(word.name.to_owned(), Value::Table((word.read)(&text)?));
    }
    Ok(systems)
}
