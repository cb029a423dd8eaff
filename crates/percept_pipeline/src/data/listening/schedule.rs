//! What was played when, from the events of ds003720.
//!
//! `sub-ID/func/sub-ID_task-{Training,Test}_run-NN_events.tsv` with `onset`, `duration`, `genre` (in quotes), `track`, `start` and `end`
//! (seconds in the track). Every run begins with a dummy: of a training run the excerpt that ended the run before (of the first: the
//! last), of a test run its own last. Tracks are those of GTZAN, `blues.00012`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percept_io::{fs, table};
use serde::Serialize;

use crate::error::PipelineError;

/// The tasks of the data set, with what each is for.
pub const TASKS: [(&str, bool); 2] = [("Training", false), ("Test", true)];
/// Endings of files of sound, in the order in which they are looked for.
const SOUNDS: [&str; 5] = ["wav", "flac", "mp3", "ogg", "au"];

/// A part of a track that was played: what a decoder is asked about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clip {
    /// The track's genre.
    pub genre: String,
    /// The track's number within its genre.
    pub track: u32,
    /// Where the part begins in the track, seconds.
    pub start_secs: f64,
    /// How long it was played, seconds.
    pub secs: f64,
    /// Whether it belongs to the test.
    pub is_test: bool,
}

impl Clip {
    /// The name of the track: `blues.00012`.
    pub fn name(&self) -> String {
        format!("{}.{:05}", self.genre, self.track)
    }
}

/// One showing of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Playing {
    /// Which clip.
    pub clip: usize,
    /// When in the run, seconds.
    pub onset_secs: f64,
    /// Whether it is the dummy at the beginning.
    pub is_dummy: bool,
}

/// A run of one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduledRun {
    /// The run as in its files: `Training_run-01`.
    pub name: String,
    /// Whether it belongs to the test.
    pub is_test: bool,
    /// What was played, in order.
    pub playings: Vec<Playing>,
}

/// What one subject heard.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Schedule {
    /// Different clips, those of the training first, in the order in which they were first played.
    pub clips: Vec<Clip>,
    /// Runs, those of the training first.
    pub runs: Vec<ScheduledRun>,
    /// What is not as the description of the data set has it.
    pub oddities: Vec<String>,
}

impl Schedule {
    /// Reads the events of the subject (without `sub-`) below `root`.
    ///
    /// # Errors
    /// Without events, or with events that cannot be read, overlap, or stand on both sides of the split.
    pub fn read(root: &Path, subject: &str) -> Result<Self, PipelineError> {
        let folder = root.join(format!("sub-{subject}")).join("func");
        let mut files = fs::list(&folder)?;
        files.sort();
        let mut schedule = Self::default();
        for (task, is_test) in TASKS {
            let beginning = format!("sub-{subject}_task-{task}_run-");
            for file in &files {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                let number = name.strip_prefix(&beginning).and_then(|rest| rest.strip_suffix("_events.tsv"));
                if let Some(number) = number {
                    schedule.add(file, format!("{task}_run-{number}"), is_test)?;
                }
            }
        }
        if schedule.runs.is_empty() {
            let what = format!("`{}` holds no `sub-{subject}_task-Training_run-NN_events.tsv`", folder.display());
            return Err(PipelineError::data(what, "name the root of ds003720 and a subject in it"));
        }
        schedule.look();
        Ok(schedule)
    }

    /// The runs of one side.
    pub fn runs_of(&self, is_test: bool) -> impl Iterator<Item = &ScheduledRun> {
        self.runs.iter().filter(move |run| run.is_test == is_test)
    }

    /// How many different clips one side has.
    pub fn n_clips(&self, is_test: bool) -> usize {
        self.clips.iter().filter(|clip| clip.is_test == is_test).count()
    }

    fn add(&mut self, file: &Path, name: String, is_test: bool) -> Result<(), PipelineError> {
        let events = table::open(file)?;
        let wrong = |what: String| PipelineError::data(format!("run `{name}`: {what}"), "download its events again");
        let (onset, secs) = (events.floats("onset")?, events.floats("duration")?);
        let (genre, track) = (events.texts("genre")?, events.integers("track")?);
        let start = events.floats("start")?;
        let mut playings: Vec<Playing> = Vec::with_capacity(onset.len());
        for row in 0..onset.len() {
            let is_time = |value: f64| value.is_finite() && value >= 0.0;
            let number = u32::try_from(track[row]).ok().filter(|&number| number < 100_000);
            let genre = genre[row].trim_matches(['\'', '"', ' ']);
            let is_word = !genre.is_empty() && genre.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            let (Some(track), true) = (number, is_word && is_time(onset[row]) && is_time(start[row])) else {
                return Err(wrong(format!("row {} names no part of a track", row + 1)));
            };
            if !(secs[row] > 0.0 && secs[row] <= 3600.0) {
                return Err(wrong(format!("row {} lasts {} s", row + 1, secs[row])));
            }
            if playings.last().is_some_and(|before| onset[row] < before.onset_secs) {
                return Err(wrong(format!("row {} begins before the one above it", row + 1)));
            }
            let clip = Clip { genre: genre.to_owned(), track, start_secs: start[row], secs: secs[row], is_test };
            playings.push(Playing { clip: self.clip(clip)?, onset_secs: onset[row], is_dummy: row == 0 });
        }
        if playings.len() < 2 {
            return Err(wrong(format!("{} excerpts are too few", playings.len())));
        }
        self.runs.push(ScheduledRun { name, is_test, playings });
        Ok(())
    }

    /// The number of a clip, a new one for what was not played before.
    fn clip(&mut self, clip: Clip) -> Result<usize, PipelineError> {
        let same = |other: &Clip| {
            (&other.genre, other.track) == (&clip.genre, clip.track)
                && (other.start_secs - clip.start_secs).abs() < clip.secs
        };
        if let Some(found) = self.clips.iter().position(same) {
            if self.clips[found].is_test != clip.is_test {
                let what = format!("`{}` was played both for training and for the test", clip.name());
                return Err(PipelineError::data(what, "leave the runs of one side out: a test on it would be no test"));
            }
            return Ok(found);
        }
        self.clips.push(clip);
        Ok(self.clips.len() - 1)
    }

    /// Compares dummies and repeats with the description of the data set.
    fn look(&mut self) {
        let mut found = Vec::new();
        for (_, is_test) in TASKS {
            let runs: Vec<&ScheduledRun> = self.runs_of(is_test).collect();
            for (number, run) in runs.iter().enumerate() {
                let before = if is_test { *run } else { runs[(number + runs.len() - 1) % runs.len()] };
                let [first, last] = [run.playings.first(), before.playings.last()].map(|of| of.map(|of| of.clip));
                if first != last {
                    found.push(format!(
                        "run `{}` does not begin with the excerpt that ends `{}`",
                        run.name, before.name
                    ));
                }
            }
        }
        let mut counts = BTreeMap::new();
        for playing in self.runs.iter().flat_map(|run| &run.playings).filter(|playing| !playing.is_dummy) {
            *counts.entry(playing.clip).or_insert(0usize) += 1;
        }
        for is_test in [false, true] {
            let of: Vec<usize> = (0..self.clips.len())
                .filter(|&clip| self.clips[clip].is_test == is_test)
                .map(|clip| counts.get(&clip).copied().unwrap_or(0))
                .collect();
            let (least, most) = (of.iter().min().copied().unwrap_or(0), of.iter().max().copied().unwrap_or(0));
            if least != most || (!is_test && most > 1) {
                let side = if is_test { "test" } else { "training" };
                found.push(format!("excerpts of the {side} were played {least} to {most} times"));
            }
        }
        self.oddities.extend(found);
    }
}

/// The files of an audio folder by the name of their track.
#[derive(Clone, Debug, Default)]
pub struct AudioFolder {
    by_name: BTreeMap<String, PathBuf>,
}

impl AudioFolder {
    /// Every file of sound below `folder`; of several with one name the first kind of `wav`, `flac`, `mp3`, `ogg`, `au`.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(folder: &Path) -> Result<Self, PipelineError> {
        let mut by_name: BTreeMap<String, (usize, PathBuf)> = BTreeMap::new();
        for path in fs::files_below(folder)? {
            let kind = path.extension().and_then(|end| {
                let end = end.to_string_lossy().to_ascii_lowercase();
                SOUNDS.iter().position(|known| *known == end)
            });
            let (Some(kind), Some(stem)) = (kind, path.file_stem()) else { continue };
            let name = stem.to_string_lossy().into_owned();
            if by_name.get(&name).is_none_or(|(other, _)| kind < *other) {
                by_name.insert(name, (kind, path));
            }
        }
        Ok(Self { by_name: by_name.into_iter().map(|(name, (_, path))| (name, path)).collect() })
    }

    /// The file of the track of `clip`.
    pub fn of(&self, clip: &Clip) -> Option<&Path> {
        self.by_name.get(&clip.name()).map(PathBuf::as_path)
    }

    /// Tracks there are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}
