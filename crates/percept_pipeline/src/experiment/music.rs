//! The experiment of music: one TOML file that says what was heard in a scanner, which spaces of sound are decoded, and what is made of
//! them. `percept reconstruct` takes it where `[data]` is of the kind `ds003720` or `listener`.
//!
//! It shares its words, limits and messages with the experiment of pictures ([`super::Experiment`]). Reading opens no data.

use std::path::{Path, PathBuf};

use percept_synth::listener::ListenerParams;
use serde::Serialize;
use toml::{Table, Value};

use super::data::shortest;
use super::encoding::kinds::{kind_key, read_rest, word_of};
use super::error::ExperimentError;
use super::key::Section;
use super::origin::{self, Origin};
use super::vocabulary::KeyTable;
use super::{MAX_BYTES, Pack, defaults, reader};

words! {
    /// Where the data come from.
    pub enum MusicKind {
        /// Excerpts of music heard in a scanner, in BIDS: the layout of OpenNeuro's ds003720.
        Ds003720 = "ds003720",
        /// A simulated subject who hears tunes that nobody wrote, written in the same layout below the output folder.
        Listener = "listener",
    }
}

section! {
    /// Excerpts of music heard in a scanner, in BIDS with the columns of ds003720, and the folder of the tracks.
    pub struct Ds003720Data
    requires {
        /// The folder that holds `sub-…`.
        root: PathBuf, such as "/data/ds003720";
        /// The subject, without `sub-`.
        subject: String, such as "001";
        /// The folder of the tracks, `blues/blues.00012.wav` or any other below it.
        audio: PathBuf, such as "/data/gtzan/genres";
    }
    defaults {
        /// Regions that are decoded one by one: a NIfTI volume of labels, with a table of the same name that ends in `.tsv` and has the
        /// columns `index` and `name`. Without it all voxels are one region.
        #[serde(skip_serializing_if = "Option::is_none")]
        atlas: Option<PathBuf> = None;
        /// Which voxels to read: a NIfTI volume, those above zero are taken. Without it voxels that vary in the first run.
        #[serde(skip_serializing_if = "Option::is_none")]
        mask: Option<PathBuf> = None;
        /// A table of captions: `ID` (`blues.00012`) and the text.
        #[serde(skip_serializing_if = "Option::is_none")]
        captions: Option<PathBuf> = None;
        /// A table of tags: `ID` and a column for each kind, such as `instrument`. The genre is known from the events.
        #[serde(skip_serializing_if = "Option::is_none")]
        tags: Option<PathBuf> = None;
        /// Seconds of the running median that is taken for drift; 0 leaves drifts in.
        detrend_secs: f64 = 240.0, in 0.0..=100_000.0;
    }
}

section! {
    /// A simulated subject who hears tunes that nobody wrote, written as BIDS below the output folder and then read as ds003720 is.
    pub struct ListenerData {
        /// Which subject, from 1; subjects of one seed hear the same tunes with other brains.
        subject: usize = 1, in 1..=99;
        /// Excerpts to learn from; as many of each of ten genres.
        training: usize = ListenerParams::default().n_training, in 10..=1_000;
        /// Excerpts to be tested on; likewise.
        test: usize = ListenerParams::default().n_test, in 10..=1_000;
        /// Different excerpts in a training run.
        per_training_run: usize = ListenerParams::default().per_training_run, in 1..=1_000;
        /// Different excerpts in a test run, each of which is played `repeats` times.
        per_test_run: usize = ListenerParams::default().per_test_run, in 1..=1_000;
        /// How often a test run plays each excerpt.
        repeats: usize = ListenerParams::default().n_repeats, in 1..=99;
        /// Seconds of an excerpt, a multiple of `tr_secs`.
        clip_secs: f64 = ListenerParams::default().clip_secs, in 1.0..=600.0;
        /// Seconds of a track.
        track_secs: f64 = ListenerParams::default().track_secs, in 1.0..=1_200.0;
        /// Seconds from one scan to the next.
        tr_secs: f64 = ListenerParams::default().tr_secs, in 0.1..=20.0;
        /// The median over voxels that hear of the share of variance that is signal, drift aside.
        ceiling: f64 = shortest(ListenerParams::default().median_ceiling), in 0.0..=0.85;
        /// Correlation of the noise of one scan with that of the next.
        noise_memory: f64 = shortest(ListenerParams::default().noise_memory), in 0.0..=0.99;
        /// Standard deviation of slow drifts, in units of signal and noise together.
        drift: f64 = shortest(ListenerParams::default().drift), in 0.0..=10.0;
        /// Seconds of the running median that is taken for drift; 0 leaves drifts in.
        detrend_secs: f64 = 240.0, in 0.0..=100_000.0;
        /// The seed of tunes, voxels and noise, apart from the experiment's.
        seed: u64 = 1, in 0..=u64::MAX;
    }
}

/// Where the data come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MusicData {
    /// The layout of ds003720.
    Ds003720(Box<Ds003720Data>),
    /// A simulated subject.
    Listener(ListenerData),
}

section! {
    /// A space of sound that is decoded, averaged over windows of each excerpt.
    pub struct TargetSettings {
        /// The space, as `percept features` names it: `clap.audio`, `clap.audio.stage2`, `encodec.latent`, `w2v.layer07`, `sound.mel`;
        /// `clap.text` reads captions.
        space: String = "clap.audio".to_owned();
        /// The models: `pocket`, a folder, or `hf:ORG/NAME`.
        pack: Pack = Pack::Pocket;
        /// Instead of a space: one row for each clip, in the order of `clips.json`, made elsewhere (npy).
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<PathBuf> = None;
        /// Seconds of a window; longer ones than an excerpt are the excerpt.
        window_secs: f64 = 10.0, in 0.1..=600.0;
        /// Seconds from one window to the next.
        step_secs: f64 = 1.5, in 0.1..=600.0;
    }
}

section! {
    /// How spaces are decoded: ridge regression from every region, the best averaged (Denk et al. 2023, arXiv 2307.11078).
    pub struct MusicDecode {
        /// Penalties to choose from, for each dimension of a space.
        alphas: Vec<f64> = (0..8).map(|exponent| 10f64.powi(exponent)).collect(), in 0.0..=1e300;
        /// Folds of whole excerpts by which penalties and regions are chosen.
        folds: usize = 5, in 2..=100;
        /// How many regions are averaged.
        best_regions: usize = 6, in 1..=10_000;
        /// Seconds from sound to scans.
        lag_secs: f64 = 4.5, in 0.0..=60.0;
    }
}

section! {
    /// What is made of the decoded vectors.
    pub struct MusicSettings {
        /// The target whose vectors retrieve and generate; empty for the first that is `clap.audio`.
        target: String = String::new();
        /// The models that generate: `pocket`, or a folder in the layout of MusicLDM.
        pack: Pack = Pack::Pocket;
        /// Seconds of each piece that is generated.
        seconds: f64 = 4.096, in 0.5..=120.0;
        /// Steps of the denoising schedule.
        steps: usize = 20, in 1..=1_000;
        /// Classifier-free guidance.
        guidance: f64 = 2.0, in 1.0..=100.0;
        /// Pieces made for each clip, of which the one nearest to the decoded vector is kept.
        candidates: usize = 1, in 1..=64;
        /// A folder that `percept music index` made; without it pieces are looked for among the training tracks.
        #[serde(skip_serializing_if = "Option::is_none")]
        index: Option<PathBuf> = None;
    }
}

words! {
    /// What is made of decoded vectors.
    pub enum MusicMethod {
        /// The nearest piece of a corpus.
        Retrieval = "retrieval",
        /// Newly generated music.
        Music = "music",
    }
}

/// All methods.
const METHODS: [MusicMethod; 2] = [MusicMethod::Retrieval, MusicMethod::Music];

section! {
    /// At the top of the file, before the first section.
    pub struct MusicTop {
        /// Title of the report.
        name: String = String::new(), or "the name of the file";
        /// The root of all randomness.
        seed: u64 = defaults::DEFAULT_SEED as u64, in 0..=u64::MAX;
        /// What is made of decoded vectors: `retrieval`, `music`.
        methods: Vec<String> = METHODS.iter().map(|method| method.name().to_owned()).collect();
    }
}

/// A whole experiment of music.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MusicExperiment {
    /// Title of the report.
    pub name: String,
    /// The root of all randomness.
    pub seed: u64,
    /// What is made of decoded vectors.
    pub methods: Vec<MusicMethod>,
    /// Where the data come from.
    pub data: MusicData,
    /// The spaces that are decoded, in the order of the file.
    #[serde(serialize_with = "in_order")]
    pub targets: Vec<(String, TargetSettings)>,
    /// How they are decoded.
    pub decode: MusicDecode,
    /// What is made of them.
    pub music: MusicSettings,
}

fn in_order<S: serde::Serializer>(targets: &[(String, TargetSettings)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(targets.iter().map(|(name, target)| (name, target)))
}

impl MusicExperiment {
    /// Whether the experiment in `text` is one of music, by the kind of its data.
    pub fn is_one(text: &str) -> bool {
        origin::has_kind(text, &[MusicKind::Ds003720, MusicKind::Listener].map(MusicKind::name))
    }

    /// Whether the file `path` holds one of music; a file that cannot be read is none, and whoever reads it next says why.
    pub fn is_one_in(path: &Path) -> bool {
        percept_io::fs::read_text(path, MAX_BYTES).is_ok_and(|text| Self::is_one(&text))
    }

    /// Reads the experiment in the file `path`, with `overrides` such as `decode.best_regions=3`.
    ///
    /// # Errors
    /// Any [`ExperimentError`]; each names the key, the line and the remedy.
    pub fn open(path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        Self::parse(&percept_io::fs::read_text(path, MAX_BYTES)?, path, overrides)
    }

    /// Reads the experiment in `text`, which stands in the file `path` (for messages and relative paths).
    ///
    /// # Errors
    /// As [`MusicExperiment::open`], but those of reading the file.
    pub fn parse(text: &str, path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        origin::parsed(text, path, overrides, Self::read)
    }

    /// The whole experiment as TOML, defaults included; reading it gives the same experiment.
    pub fn resolved(&self) -> String {
        origin::resolved(self)
    }

    /// Whether `method` is asked for.
    pub fn asks(&self, method: MusicMethod) -> bool {
        self.methods.contains(&method)
    }

    fn read(mut document: Table, origin: &Origin<'_>) -> Result<Self, ExperimentError> {
        origin.refuse_unknown("", &document, &["name", "seed", "methods", "data", "targets", "decode", "music"])?;
        let stem = origin.file.file_stem().map_or_else(|| "music".into(), |stem| stem.to_string_lossy().into_owned());
        document.entry("name").or_insert(Value::String(stem));
        let head = MusicTop::KEYS.iter().filter_map(|key| document.remove_entry(key.name)).collect();
        let head: MusicTop = reader::read("", Value::Table(head), origin)?;
        let data = MusicData::read(document.remove("data"), origin)?;
        let mut section = |name: &str| document.remove(name).unwrap_or_else(|| Value::Table(Table::new()));
        let decode: MusicDecode = reader::read("decode", section("decode"), origin)?;
        let music: MusicSettings = reader::read("music", section("music"), origin)?;
        let targets = match section("targets") {
            Value::Table(table) if !table.is_empty() => table,
            Value::Table(_) => return Err(origin.missing("targets", "[targets.clap]\nspace = \"clap.audio\"")),
            other => return Err(origin.wrong_type("targets", "a section", &other, "[targets.clap]")),
        };
        let targets = targets
            .into_iter()
            .map(|(name, value)| {
                let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if name.is_empty() || !name.chars().all(is_word) {
                    return Err(origin.value(&format!("targets.{name}"), "a name of letters and digits", "another"));
                }
                let target: TargetSettings = reader::read(&format!("targets.{name}"), value, origin)?;
                Ok((name, target))
            })
            .collect::<Result<Vec<_>, ExperimentError>>()?;
        let method = |word: &String| {
            METHODS.into_iter().find(|method| method.name() == word).ok_or_else(|| {
                let words = METHODS.map(MusicMethod::name);
                origin.value("methods", format!("words out of {}", super::nearest::quoted(&words)), format!("`{word}`"))
            })
        };
        let methods = head.methods.iter().map(method).collect::<Result<Vec<_>, ExperimentError>>()?;
        let experiment = Self { name: head.name, seed: head.seed, methods, data, targets, decode, music };
        let known: Vec<&str> = experiment.targets.iter().map(|(name, _)| name.as_str()).collect();
        let main = &experiment.music.target;
        if !main.is_empty() && !known.contains(&main.as_str()) {
            let expected = format!("the name of a target out of {}", super::nearest::quoted(&known));
            return Err(origin.value("music.target", expected, format!("`{main}`")));
        }
        if experiment.decode.alphas.is_empty() {
            return Err(origin.value("decode.alphas", "at least one penalty", "none"));
        }
        Ok(experiment)
    }

    /// The target whose vectors retrieve and generate.
    pub fn main_target(&self) -> usize {
        let by_name = self.targets.iter().position(|(name, _)| *name == self.music.target);
        let by_space =
            || self.targets.iter().position(|(_, target)| target.space == "clap.audio" && target.rows.is_none());
        by_name.or_else(by_space).unwrap_or(0)
    }

    /// The tables of the reference.
    pub fn tables() -> Vec<KeyTable> {
        let table = |heading: &str, doc: &str, keys: &[super::Key]| KeyTable {
            heading: heading.to_owned(),
            doc: doc.to_owned(),
            keys: keys.to_vec(),
        };
        vec![
            table("Top of a file of music", MusicTop::DOC, MusicTop::KEYS),
            KeyTable {
                heading: "`[data]` of music".to_owned(),
                doc: "What was heard, and what was measured.".to_owned(),
                keys: vec![kind_key::<MusicKind>(
                    "Where the data come from; it decides which keys the section has.",
                    "listener",
                )],
            },
            table("`[data]` with `kind = \"ds003720\"`", Ds003720Data::DOC, Ds003720Data::KEYS),
            table("`[data]` with `kind = \"listener\"`", ListenerData::DOC, ListenerData::KEYS),
            table("`[targets.NAME]`", TargetSettings::DOC, TargetSettings::KEYS),
            table("`[decode]` of music", MusicDecode::DOC, MusicDecode::KEYS),
            table("`[music]`", MusicSettings::DOC, MusicSettings::KEYS),
        ]
    }
}

impl MusicData {
    fn read(value: Option<Value>, origin: &Origin<'_>) -> Result<Self, ExperimentError> {
        const PATH: &str = "data";
        let mut table = match value {
            Some(Value::Table(table)) => table,
            Some(other) => return Err(origin.wrong_type(PATH, "a section", &other, "[data]")),
            None => return Err(origin.missing(PATH, "[data]\nkind = \"listener\"")),
        };
        Ok(match word_of::<MusicKind>(PATH, &mut table, "listener", origin)? {
            MusicKind::Ds003720 => Self::Ds003720(Box::new(read_rest(PATH, table, origin)?)),
            MusicKind::Listener => Self::Listener(read_rest(PATH, table, origin)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<MusicExperiment, ExperimentError> {
        MusicExperiment::parse(text, Path::new("heard.toml"), &[])
    }

    #[test]
    fn an_experiment_of_music_is_known_by_its_data_and_survives_its_own_words() {
        let text = "methods = [\"music\"]\n[data]\nkind = \"listener\"\ntraining = 100\n[targets.clap]\n[targets.words]\nspace = \"clap.text\"\nwindow_secs = 15\n";
        assert!(MusicExperiment::is_one(text) && !MusicExperiment::is_one("[data]\nkind = \"nsd\"\n"));
        let experiment = parsed(text).expect("an experiment");
        assert_eq!((experiment.name.as_str(), experiment.main_target(), experiment.targets.len()), ("heard", 0, 2));
        assert!(experiment.asks(MusicMethod::Music) && !experiment.asks(MusicMethod::Retrieval));
        assert_eq!(parsed(&experiment.resolved()).expect("its own words"), experiment);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (text, said) in [
            ("[data]\nkind = \"listener\"\n", "targets"),
            ("[data]\nkind = \"ds003720\"\n[targets.clap]\n", "data."),
            ("[data]\nkind = \"listener\"\n[targets.clap]\nwindow_secs = 0\n", "targets.clap.window_secs"),
            ("[data]\nkind = \"listener\"\n[targets.clap]\n[music]\ntarget = \"clop\"\n", "music.target"),
            ("methods = [\"dance\"]\n[data]\nkind = \"listener\"\n[targets.clap]\n", "methods"),
        ] {
            let error = parsed(text).expect_err("refused").to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
