//! `[data]` of `percept encode`: stimuli that were shown one by one, or series in time.

use std::path::PathBuf;

use percept_synth::watcher::WatcherParams;
use serde::Serialize;
use toml::Value;

use super::kinds::{kind_key, read_rest, word_of};
use crate::experiment::data::{ArraysData, NsdData, PhantomData, shortest, three_lengths};
use crate::experiment::error::ExperimentError;
use crate::experiment::key::Section;
use crate::experiment::music::MusicData;
use crate::experiment::origin::Origin;
use crate::experiment::vocabulary::KeyTable;
use crate::experiment::{ArrayRef, Groups, NonFinite};

words! {
    /// Where the data come from.
    pub enum EncodingKind {
        /// One subject of the Natural Scenes Dataset.
        Nsd = "nsd",
        /// Arrays that any lab has: samples by units, and the pictures that were seen.
        Arrays = "arrays",
        /// A simulated subject, written as an NSD tree below the output folder.
        Phantom = "phantom",
        /// A series of scans with a table that names run and label of each.
        Scans = "scans",
        /// Texts with one row of responses each, in titles.
        Titles = "titles",
        /// Films watched in a scanner, in BIDS, with texts about every second.
        Films = "films",
        /// A simulated subject who watches films that nobody shot, written as BIDS below the output folder.
        Watcher = "watcher",
        /// Excerpts of music heard in a scanner, in BIDS with the columns of ds003720.
        Ds003720 = "ds003720",
        /// A simulated subject who hears tunes that nobody wrote, written as BIDS below the output folder.
        Listener = "listener",
    }
}

section! {
    /// A series of scans: NIfTI with a mask, or any matrix of scans by units, and a table with one line per scan that says what
    /// was shown and in which run, such as PyMVPA's `attributes.txt`.
    pub struct ScansData
    requires {
        /// A NIfTI file (x × y × z × scans), or scans × units in a MAT, npy, npz or HDF5 file.
        responses: ArrayRef, such as "bold.nii.gz";
        /// One line per scan with a label and a run, parted by spaces, tabs or commas; without a head of names these are the
        /// columns.
        attributes: PathBuf, such as "attributes.txt";
        /// Seconds from one scan to the next. It must agree with the header of a NIfTI file that has one.
        tr_secs: f64, in 0.001..=1000.0, such as "2.0";
    }
    defaults {
        /// Which voxels to read: a NIfTI volume, those above zero are taken. Without it voxels that ever vary.
        #[serde(skip_serializing_if = "Option::is_none")]
        mask: Option<PathBuf> = None;
        /// The label of scans at rest: it belongs to no category.
        rest: String = "rest".to_owned();
        /// Scans dropped from the start of every run. What was shown during them still reaches the scans behind.
        drop_scans: usize = 0, in 0..=100_000;
        /// Parts of the units whose averages are reported: NIfTI volumes, or arrays of n_units values; those above zero are taken.
        #[serde(default, skip_serializing_if = "Groups::is_empty")]
        groups: Groups<ArrayRef> = Groups::none();
        /// Units with values that are not finite.
        non_finite: NonFinite = NonFinite::Error;
    }
}

section! {
    /// Texts in titles (stories, films), each text with one row of responses, as in the files of Huth's lab: a matrix
    /// `PREFIXtitle.npy` (texts × units) and a list `PREFIXtitle.texts.json` for every title.
    pub struct TitlesData
    requires {
        /// The folder of the files.
        root: PathBuf, such as "/data/stories";
    }
    defaults {
        /// What the names of the files begin with, such as `train__` and `test__`; together they are all titles.
        prefixes: Vec<String> = vec!["train__".to_owned(), "test__".to_owned()];
        /// What the names of files with yes or no answers about each text begin with, in the order of `prefixes`; empty for none.
        label_prefixes: Vec<String> = Vec::new();
        /// A JSON list with the question behind each column of the answers.
        #[serde(skip_serializing_if = "Option::is_none")]
        label_names: Option<PathBuf> = None;
        /// Read so many of the units, from the first; 0 means all.
        units: usize = 0, in 0..=100_000_000;
        /// Units with values that are not finite.
        non_finite: NonFinite = NonFinite::Error;
    }
}

words! {
    /// Where the texts about a film stand.
    pub enum AnnotationForm {
        /// In `derivatives/annotation/TITLE_run-NN_LEVEL_each1sec.txt`, a line for every second.
        Seconds = "seconds",
        /// In `…_events.tsv` beside each run, with `onset`, `duration`, `trial_type` (the level) and `text`.
        Events = "events",
    }
}

section! {
    /// Films watched in a scanner, in BIDS with texts about what is said, seen and meant: the layout of OpenNeuro's ds005531. Titles are
    /// held out as a whole; delays and drifts stop at the end of a run.
    pub struct FilmsData
    requires {
        /// The folder that holds `sub-…`.
        root: PathBuf, such as "/data/ds005531";
        /// The subject, without `sub-`.
        subject: String, such as "S01";
    }
    defaults {
        /// Titles to read, as in `task-TITLE`; empty means all.
        titles: Vec<String> = Vec::new();
        /// Where the texts stand.
        annotations: AnnotationForm = AnnotationForm::Seconds;
        /// Seconds dropped from the start of every run. What was said during them still reaches the scans behind.
        drop_secs: f64 = 20.0, in 0.0..=100_000.0;
        /// Which voxels to read: a NIfTI volume, those above zero are taken. Without it voxels that vary in the first run.
        #[serde(skip_serializing_if = "Option::is_none")]
        mask: Option<PathBuf> = None;
        /// Regions whose averages are reported: a NIfTI volume of labels, with a table of the same name that ends in `.tsv` and has
        /// the columns `index` and `name`.
        #[serde(skip_serializing_if = "Option::is_none")]
        regions: Option<PathBuf> = None;
        /// Units with values that are not finite.
        non_finite: NonFinite = NonFinite::Error;
    }
}

section! {
    /// A simulated subject who watches films that nobody shot, written as BIDS below the output folder and then read as `films` are. Its
    /// regions follow spaces of this file, which `[planted]` names.
    pub struct WatcherData {
        /// Which subject, from 1; subjects of one seed watch the same films with other brains.
        subject: usize = 1, in 1..=99;
        /// Titles of the films: words of letters and digits.
        titles: Vec<String> = ["harbour", "winter", "express"].map(str::to_owned).to_vec();
        /// Runs of each title.
        runs: usize = 3, in 1..=99;
        /// Seconds of each run.
        run_secs: usize = 300, in 60..=100_000;
        /// How many people wrote down what is seen and what happens; speech has one transcript.
        annotators: usize = 2, in 1..=20;
        /// Size of the simulated volume in voxels.
        #[serde(deserialize_with = "three_lengths")]
        shape: [usize; 3] = WatcherParams::default().shape, in 1..=1024;
        /// Voxels in regions; cortex in front of them follows nothing unless `anterior` is planted.
        voxels: usize = WatcherParams::default().n_voxels, in 1..=10_000_000;
        /// Seconds from one scan to the next.
        tr_secs: f64 = WatcherParams::default().tr_secs, in 0.1..=20.0;
        /// The median over voxels of the share of variance that is signal, drift aside.
        ceiling: f64 = shortest(WatcherParams::default().median_ceiling), in 0.0..=0.85;
        /// Correlation of the noise of one scan with that of the next.
        noise_memory: f64 = shortest(WatcherParams::default().noise_memory), in 0.0..=0.99;
        /// Standard deviation of slow drifts, in units of signal and noise together.
        drift: f64 = shortest(WatcherParams::default().drift), in 0.0..=10.0;
        /// Seconds dropped from the start of every run. What was said during them still reaches the scans behind.
        drop_secs: f64 = 20.0, in 0.0..=100_000.0;
        /// The seed of films, voxels and noise, apart from the experiment's.
        seed: u64 = 1, in 0..=u64::MAX;
    }
}

/// Where the data come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum EncodingData {
    /// The Natural Scenes Dataset's tree.
    Nsd(NsdData),
    /// Arrays inside MAT, npy, npz or HDF5 files.
    Arrays(Box<ArraysData>),
    /// A simulated subject.
    Phantom(PhantomData),
    /// A series of scans.
    Scans(Box<ScansData>),
    /// Texts in titles.
    Titles(TitlesData),
    /// Films watched in a scanner.
    Films(Box<FilmsData>),
    /// A simulated subject who watches films.
    Watcher(Box<WatcherData>),
    /// Music heard in a scanner, or by a simulated subject: with kinds of their own.
    #[serde(untagged)]
    Music(MusicData),
}

impl WatcherData {
    /// Titles name files, and each is held out as a whole.
    fn check_titles(&self, origin: &Origin<'_>) -> Result<(), ExperimentError> {
        let is_word = |title: &String| !title.is_empty() && title.chars().all(|letter| letter.is_ascii_alphanumeric());
        if let Some(title) = self.titles.iter().find(|title| !is_word(title)) {
            return Err(origin.value("data.titles", "words of letters and digits", format!("`{title}`")));
        }
        let mut distinct = self.titles.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() != self.titles.len() || distinct.len() < 2 {
            return Err(origin.value("data.titles", "two or more different titles", format!("{:?}", self.titles)));
        }
        Ok(())
    }
}

impl EncodingData {
    /// Reads `[data]` by its kind.
    pub(super) fn read(value: Option<Value>, origin: &Origin<'_>) -> Result<Self, ExperimentError> {
        const PATH: &str = "data";
        let mut table = match value {
            Some(Value::Table(table)) => table,
            Some(other) => return Err(origin.wrong_type(PATH, "a section", &other, "[data]")),
            None => return Err(origin.missing(PATH, "[data]\nkind = \"phantom\"")),
        };
        Ok(match word_of::<EncodingKind>(PATH, &mut table, "phantom", origin)? {
            EncodingKind::Nsd => Self::Nsd(read_rest(PATH, table, origin)?),
            EncodingKind::Arrays => {
                let arrays: ArraysData = read_rest(PATH, table, origin)?;
                arrays.both_sides(origin)?;
                Self::Arrays(Box::new(arrays))
            }
            EncodingKind::Phantom => Self::Phantom(read_rest(PATH, table, origin)?),
            EncodingKind::Scans => Self::Scans(Box::new(read_rest(PATH, table, origin)?)),
            EncodingKind::Ds003720 => Self::Music(MusicData::Ds003720(Box::new(read_rest(PATH, table, origin)?))),
            EncodingKind::Listener => Self::Music(MusicData::Listener(read_rest(PATH, table, origin)?)),
            EncodingKind::Films => Self::Films(Box::new(read_rest(PATH, table, origin)?)),
            EncodingKind::Watcher => {
                let watcher: WatcherData = read_rest(PATH, table, origin)?;
                watcher.check_titles(origin)?;
                Self::Watcher(Box::new(watcher))
            }
            EncodingKind::Titles => {
                let titles: TitlesData = read_rest(PATH, table, origin)?;
                if titles.prefixes.is_empty() {
                    return Err(origin.value("data.prefixes", "at least one beginning", "an empty list"));
                }
                if !titles.label_prefixes.is_empty() && titles.label_prefixes.len() != titles.prefixes.len() {
                    let expected = format!("as many as `prefixes`, {}", titles.prefixes.len());
                    return Err(origin.value("data.label_prefixes", expected, titles.label_prefixes.len().to_string()));
                }
                Self::Titles(titles)
            }
        })
    }

    /// The tables of the reference that the experiment of a reconstruction does not have.
    pub(super) fn tables() -> Vec<KeyTable> {
        let table = |kind: EncodingKind, doc: &str, keys: &[crate::experiment::Key]| KeyTable {
            heading: format!("`[data]` of `percept encode` with `kind = \"{}\"`", kind.name()),
            doc: doc.to_owned(),
            keys: keys.to_vec(),
        };
        vec![
            KeyTable {
                heading: "`[data]` of `percept encode`".to_owned(),
                doc: "Where responses and stimuli come from. The kinds `nsd`, `arrays` and `phantom` have the keys above; \
                      their `groups` are the regions whose averages are reported. `ds003720` and `listener` have those of music; drifts \
                      are taken out of their runs by `data.detrend_secs`."
                    .to_owned(),
                keys: vec![kind_key::<EncodingKind>(
                    "Where the data come from; it decides which keys the section has.",
                    "phantom",
                )],
            },
            table(EncodingKind::Scans, ScansData::DOC, ScansData::KEYS),
            table(EncodingKind::Titles, TitlesData::DOC, TitlesData::KEYS),
            table(EncodingKind::Films, FilmsData::DOC, FilmsData::KEYS),
            table(EncodingKind::Watcher, WatcherData::DOC, WatcherData::KEYS),
        ]
    }
}
