//! The experiment of films: one TOML file that says which films were seen in a scanner, how they are decoded, and what films are made of
//! that. `percept reconstruct` takes it where `[data]` is of the kind `cc2017`, `watching` or `spectator`.
//!
//! It shares its words, limits and messages with the experiment of pictures ([`super::Experiment`]). Reading opens no data.

use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::{Table, Value};

use super::encoding::kinds::{kind_key, read_rest, word_of};
use super::error::ExperimentError;
use super::key::Section;
use super::origin::{self, Origin};
use super::vocabulary::KeyTable;
use super::{MAX_BYTES, Pack, defaults, reader};

words! {
    /// Where the data come from.
    pub enum VideoKind {
        /// Films seen in a scanner, in the published layout of cc2017 (Wen et al. 2018).
        Cc2017 = "cc2017",
        /// Films in a folder, with tables of when they were shown.
        Watching = "watching",
        /// A simulated subject who watches moving drawings, written in the layout of cc2017 below the output folder.
        Spectator = "spectator",
    }
}

section! {
    /// Films seen in a scanner, in the published layout of cc2017: `stimuli/seg1.mp4`, `subject1/fmri/seg1/…`.
    pub struct Cc2017Data
    requires {
        /// The folder that holds `stimuli` and `subject1`.
        root: PathBuf, such as "/data/cc2017";
    }
    defaults {
        /// The subject.
        subject: usize = 1, in 1..=99;
        /// Regions that are decoded one by one: a NIfTI volume of labels with a table of names beside it, or a CIFTI file of labels.
        #[serde(skip_serializing_if = "Option::is_none")]
        atlas: Option<PathBuf> = None;
        /// Which voxels to read: a NIfTI volume, those above zero are taken. Without it those that vary.
        #[serde(skip_serializing_if = "Option::is_none")]
        mask: Option<PathBuf> = None;
        /// A table of captions with the columns `segment`, `start_secs`, `end_secs` and `caption`. Without it no context is decoded.
        #[serde(skip_serializing_if = "Option::is_none")]
        captions: Option<PathBuf> = None;
        /// The folder of the films, where it is not `stimuli` below the root.
        #[serde(skip_serializing_if = "Option::is_none")]
        films: Option<PathBuf> = None;
        /// Frames a second of films that are folders of pictures.
        #[serde(skip_serializing_if = "Option::is_none")]
        frames_per_sec: Option<f64> = None, in 0.1..=1_000.0;
        /// Order of the polynomial that is taken out of every showing; only the mean at 0.
        trend_order: usize = 4, in 0..=20;
    }
}

section! {
    /// Runs of scans, each with a table of what was shown when, and a folder of films.
    pub struct WatchingData
    requires {
        /// The folder of the runs: `NAME_events.tsv` (`onset`, `duration`, `film`, `start_secs`) beside `NAME_bold.nii.gz`.
        root: PathBuf, such as "/data/watched";
        /// The folder of the films: files, or folders of numbered pictures.
        films: PathBuf, such as "/data/watched/films";
    }
    defaults {
        /// Seconds from one scan to the next, where the files do not say it.
        #[serde(skip_serializing_if = "Option::is_none")]
        tr_secs: Option<f64> = None, in 0.1..=20.0;
        /// Frames a second of films that are folders of pictures.
        #[serde(skip_serializing_if = "Option::is_none")]
        frames_per_sec: Option<f64> = None, in 0.1..=1_000.0;
        /// As for cc2017.
        #[serde(skip_serializing_if = "Option::is_none")]
        atlas: Option<PathBuf> = None;
        /// As for cc2017.
        #[serde(skip_serializing_if = "Option::is_none")]
        mask: Option<PathBuf> = None;
        /// As for cc2017.
        #[serde(skip_serializing_if = "Option::is_none")]
        captions: Option<PathBuf> = None;
        /// As for cc2017.
        trend_order: usize = 4, in 0..=20;
    }
}

section! {
    /// A simulated subject who watches moving drawings, written in the layout of cc2017 below the output folder and then read as that is.
    pub struct SpectatorData {
        /// Which subject, from 1; subjects of one seed see the same films with other brains.
        subject: usize = 1, in 1..=99;
        /// Films to learn from.
        training: usize = 5, in 2..=1_000;
        /// Seconds of each; a multiple of `tr_secs`.
        training_secs: f64 = 240.0, in 20.0..=7_200.0;
        /// Films to be tested on.
        test: usize = 2, in 1..=1_000;
        /// Seconds of each; likewise.
        test_secs: f64 = 120.0, in 20.0..=7_200.0;
        /// How often each training film is shown.
        training_repeats: usize = 2, in 1..=99;
        /// How often each test film is shown.
        test_repeats: usize = 4, in 1..=99;
        /// Seconds from one scan to the next.
        tr_secs: f64 = 2.0, in 0.5..=20.0;
        /// The shortest and the longest shot in seconds; cuts fall on scans.
        shot_secs: Vec<f64> = vec![4.0, 8.0], in 0.5..=600.0;
        /// Visual voxels.
        voxels: usize = 900, in 20..=1_000_000;
        /// The median over voxels of the share of variance of one showing that is signal, drift aside.
        ceiling: f64 = 0.4, in 0.0..=0.85;
        /// Correlation of the noise of one scan with that of the next.
        noise_memory: f64 = 0.3, in 0.0..=0.99;
        /// Standard deviation of slow drifts, in units of signal and noise together.
        drift: f64 = 1.0, in 0.0..=10.0;
        /// Order of the polynomial that is taken out of every showing; only the mean at 0.
        trend_order: usize = 4, in 0..=20;
        /// The seed of films, voxels and noise, apart from the experiment's.
        seed: u64 = 1, in 0..=u64::MAX;
    }
}

/// Where the data come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum VideoData {
    /// The layout of cc2017.
    Cc2017(Box<Cc2017Data>),
    /// A folder of films and a table.
    Watching(Box<WatchingData>),
    /// A simulated subject.
    Spectator(SpectatorData),
}

section! {
    /// How scans are decoded: ridge regression on a few scans behind each clip, from every region, the best averaged.
    pub struct VideoDecode {
        /// Penalties to choose from, for each dimension of a space.
        alphas: Vec<f64> = (0..8).map(|exponent| 10f64.powi(exponent)).collect(), in 0.0..=1e300;
        /// Folds by which penalties and regions are chosen: whole films where there are enough, else stretches of them.
        folds: usize = 5, in 2..=100;
        /// How many regions are averaged; all units together count as one.
        best_regions: usize = 1, in 1..=10_000;
        /// Seconds from a clip to the first scan from which it is decoded: blood answers late.
        delay_secs: f64 = 2.0, in 0.0..=30.0;
        /// How many scans from there on it is decoded from, side by side: blood answers slowly, and several scans undo some of that.
        scans: usize = 4, in 1..=100;
        /// Directions of each space that are decoded: the first principal components over training clips.
        components: usize = 200, in 1..=100_000;
        /// Cells along each side of the picture, in each of which motion is decoded.
        motion_cells: usize = 4, in 1..=32;
    }
}

words! {
    /// Where the contexts that guide the generator come from.
    pub enum ContextWay {
        /// Decoded as they are; the data need captions to learn from.
        Decoded = "decoded",
        /// The tokens of a captioner's vision encoder are decoded, put into words, and these are read: the data need no captions.
        Captions = "captions",
    }
}

section! {
    /// What films are made of what was decoded.
    pub struct FilmSettings {
        /// The models: `pocket`, a folder, or `hf:ORG/NAME`.
        pack: Pack = Pack::Pocket;
        /// The folder of a motion adapter, where the pack has none; the pocket pack has its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        adapter: Option<PathBuf> = None;
        /// Where the contexts come from that guide the generator.
        context: ContextWay = ContextWay::Decoded;
        /// With `context = "captions"`, the captioner: `pocket`, the folder of a BLIP model, or `hf:ORG/NAME`.
        captioner: Pack = Pack::Pocket;
        /// Frames per second; a clip (one scan) has a whole number of frames.
        rate: f64 = 4.0, in 0.1..=60.0;
        /// Steps of the denoising schedule.
        steps: usize = 12, in 1..=1_000;
        /// How far decoded pictures are noised before they are made sharp: 0 leaves them, 1 begins with noise.
        strength: f64 = 0.5, in 0.0..=1.0;
        /// Whether the picture of each clip is made sharp before it is moved. Without it the blurred film is made sharp as it is.
        keyframes: bool = true;
        /// How far the moved keyframes are noised before the film is finished.
        finish: f64 = 0.25, in 0.0..=1.0;
        /// Classifier-free guidance.
        guidance: f64 = 3.0, in 1.0..=100.0;
        /// Frames that are denoised together.
        window: usize = 16, in 2..=1_024;
        /// Frames that neighbouring windows share.
        overlap: usize = 4, in 0..=1_023;
        /// Share of the noise that all frames of a film have in common; the rest is interpolated from clip to clip.
        shared_noise: f64 = 0.5, in 0.0..=1.0;
        /// Whether decoded motion moves the blurred film.
        guide: bool = true;
    }
}

section! {
    /// Which models judge the films, beside pixels, optical flow and the pack's own CLIP.
    pub struct VideoEvaluate {
        /// A classifier of pictures (ViT), a folder; its classes are told apart among `ways`. Without it, the pack's CLIP names `classes`.
        #[serde(skip_serializing_if = "Option::is_none")]
        picture_classifier: Option<PathBuf> = None;
        /// A classifier of videos (VideoMAE), a folder.
        #[serde(skip_serializing_if = "Option::is_none")]
        video_classifier: Option<PathBuf> = None;
        /// Captions that the pack's CLIP tells apart; of simulated data, by default all coloured objects.
        classes: Vec<String> = Vec::new(), or "of simulated data, all coloured objects";
        /// How many classes are told apart.
        ways: Vec<usize> = vec![2, 50], in 2..=1_000_000;
        /// Seconds of each test film that the report plays.
        shown_secs: f64 = 60.0, in 0.0..=100_000.0;
    }
}

words! {
    /// What is made of what was decoded.
    pub enum VideoMethod {
        /// The decoded latents, moved as decoded: the blurred film alone.
        Blurred = "blurred",
        /// Every frame made sharp by itself.
        Frames = "frames",
        /// Made sharp with self-attention over frames, without training.
        Cross = "cross",
        /// Made sharp with motion modules.
        Film = "film",
    }
}

/// All methods.
const METHODS: [VideoMethod; 4] = [VideoMethod::Blurred, VideoMethod::Frames, VideoMethod::Cross, VideoMethod::Film];

section! {
    /// At the top of the file, before the first section.
    pub struct VideoTop {
        /// Title of the report.
        name: String = String::new(), or "the name of the file";
        /// The root of all randomness.
        seed: u64 = defaults::DEFAULT_SEED as u64, in 0..=u64::MAX;
        /// What is made: `blurred`, `frames`, `cross`, `film`.
        methods: Vec<String> = METHODS.iter().map(|method| method.name().to_owned()).collect();
    }
}

/// A whole experiment of films.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VideoExperiment {
    /// Title of the report.
    pub name: String,
    /// The root of all randomness.
    pub seed: u64,
    /// What is made.
    pub methods: Vec<VideoMethod>,
    /// Where the data come from.
    pub data: VideoData,
    /// How scans are decoded.
    pub decode: VideoDecode,
    /// What films are made.
    pub film: FilmSettings,
    /// Who judges them.
    pub evaluate: VideoEvaluate,
}

impl VideoExperiment {
    /// Whether the experiment in `text` is one of films, by the kind of its data.
    pub fn is_one(text: &str) -> bool {
        origin::has_kind(text, &[VideoKind::Cc2017, VideoKind::Watching, VideoKind::Spectator].map(VideoKind::name))
    }

    /// Whether the file `path` holds one of films; a file that cannot be read is none, and whoever reads it next says why.
    pub fn is_one_in(path: &Path) -> bool {
        percept_io::fs::read_text(path, MAX_BYTES).is_ok_and(|text| Self::is_one(&text))
    }

    /// Reads the experiment in the file `path`, with `overrides` such as `film.steps=8`.
    ///
    /// # Errors
    /// Any [`ExperimentError`]; each names the key, the line and the remedy.
    pub fn open(path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        Self::parse(&percept_io::fs::read_text(path, MAX_BYTES)?, path, overrides)
    }

    /// Reads the experiment in `text`, which stands in the file `path` (for messages and relative paths).
    ///
    /// # Errors
    /// As [`VideoExperiment::open`], but those of reading the file.
    pub fn parse(text: &str, path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        origin::parsed(text, path, overrides, Self::read)
    }

    /// The whole experiment as TOML, defaults included; reading it gives the same experiment.
    pub fn resolved(&self) -> String {
        origin::resolved(self)
    }

    fn read(mut document: Table, origin: &Origin<'_>) -> Result<Self, ExperimentError> {
        origin.refuse_unknown("", &document, &["name", "seed", "methods", "data", "decode", "film", "evaluate"])?;
        let stem = origin.file.file_stem().map_or_else(|| "film".into(), |stem| stem.to_string_lossy().into_owned());
        document.entry("name").or_insert(Value::String(stem));
        let head = VideoTop::KEYS.iter().filter_map(|key| document.remove_entry(key.name)).collect();
        let head: VideoTop = reader::read("", Value::Table(head), origin)?;
        let data = VideoData::read(document.remove("data"), origin)?;
        let mut section = |name: &str| document.remove(name).unwrap_or_else(|| Value::Table(Table::new()));
        let decode: VideoDecode = reader::read("decode", section("decode"), origin)?;
        let film: FilmSettings = reader::read("film", section("film"), origin)?;
        let evaluate: VideoEvaluate = reader::read("evaluate", section("evaluate"), origin)?;
        let method = |word: &String| {
            METHODS.into_iter().find(|method| method.name() == word).ok_or_else(|| {
                let words = METHODS.map(VideoMethod::name);
                origin.value("methods", format!("words out of {}", super::nearest::quoted(&words)), format!("`{word}`"))
            })
        };
        let methods = head.methods.iter().map(method).collect::<Result<Vec<_>, ExperimentError>>()?;
        let experiment = Self { name: head.name, seed: head.seed, methods, data, decode, film, evaluate };
        experiment.check(origin)?;
        Ok(experiment)
    }

    /// Refuses what no single key can be blamed for.
    fn check(&self, origin: &Origin<'_>) -> Result<(), ExperimentError> {
        if self.decode.alphas.is_empty() {
            return Err(origin.value("decode.alphas", "at least one penalty", "none"));
        }
        let FilmSettings { window, overlap, .. } = self.film;
        if overlap >= window {
            let expected = format!("fewer frames than `film.window`, which is {window}");
            return Err(origin.value("film.overlap", expected, overlap.to_string()));
        }
        let FilmSettings { context, captioner, pack, .. } = &self.film;
        if *context == ContextWay::Captions && *captioner == Pack::Pocket && *pack != Pack::Pocket {
            let expected =
                "a captioner that knows such pictures (the folder of a BLIP model): the pocket one knows drawings";
            return Err(origin.value("film.captioner", expected, "`pocket`"));
        }
        let Some(tr_secs) = self.data.tr_secs() else { return Ok(()) };
        if let VideoData::Spectator(settings) = &self.data {
            let [shortest, longest] = settings.shot_secs[..] else {
                let got = format!("{} numbers", settings.shot_secs.len());
                return Err(origin.value("data.shot_secs", "the shortest and the longest shot", got));
            };
            if shortest > longest {
                return Err(origin.value("data.shot_secs", "the shortest first", format!("{shortest}, {longest}")));
            }
            for (key, secs) in [("data.training_secs", settings.training_secs), ("data.test_secs", settings.test_secs)]
            {
                if !is_whole(secs / tr_secs) {
                    let expected = format!("a multiple of `data.tr_secs`, which is {tr_secs}");
                    return Err(origin.value(key, expected, secs.to_string()));
                }
            }
        }
        self.frames_per_clip(tr_secs).map(|_| ()).ok_or_else(|| {
            let expected = format!("a whole number of frames, at least 2, in the {tr_secs} s of a scan");
            origin.value("film.rate", expected, self.film.rate.to_string())
        })
    }

    /// Frames in one clip; none where it is not a whole number of at least two.
    pub fn frames_per_clip(&self, tr_secs: f64) -> Option<usize> {
        let frames = self.film.rate * tr_secs;
        (is_whole(frames) && frames > 1.5).then_some(frames.round() as usize)
    }

    /// The tables of the reference.
    pub fn tables() -> Vec<KeyTable> {
        let table = |heading: &str, doc: &str, keys: &[super::Key]| KeyTable {
            heading: heading.to_owned(),
            doc: doc.to_owned(),
            keys: keys.to_vec(),
        };
        vec![
            table("Top of a file of films", VideoTop::DOC, VideoTop::KEYS),
            KeyTable {
                heading: "`[data]` of films".to_owned(),
                doc: "What was seen, and what was measured.".to_owned(),
                keys: vec![kind_key::<VideoKind>(
                    "Where the data come from; it decides which keys the section has.",
                    "spectator",
                )],
            },
            table("`[data]` with `kind = \"cc2017\"`", Cc2017Data::DOC, Cc2017Data::KEYS),
            table("`[data]` with `kind = \"watching\"`", WatchingData::DOC, WatchingData::KEYS),
            table("`[data]` with `kind = \"spectator\"`", SpectatorData::DOC, SpectatorData::KEYS),
            table("`[decode]` of films", VideoDecode::DOC, VideoDecode::KEYS),
            table("`[film]`", FilmSettings::DOC, FilmSettings::KEYS),
            table("`[evaluate]` of films", VideoEvaluate::DOC, VideoEvaluate::KEYS),
        ]
    }
}

/// Whether a number is whole but for rounding.
fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-6
}

impl VideoData {
    fn read(value: Option<Value>, origin: &Origin<'_>) -> Result<Self, ExperimentError> {
        const PATH: &str = "data";
        let mut table = match value {
            Some(Value::Table(table)) => table,
            Some(other) => return Err(origin.wrong_type(PATH, "a section", &other, "[data]")),
            None => return Err(origin.missing(PATH, "[data]\nkind = \"spectator\"")),
        };
        Ok(match word_of::<VideoKind>(PATH, &mut table, "spectator", origin)? {
            VideoKind::Cc2017 => Self::Cc2017(Box::new(read_rest(PATH, table, origin)?)),
            VideoKind::Watching => Self::Watching(Box::new(read_rest(PATH, table, origin)?)),
            VideoKind::Spectator => Self::Spectator(read_rest(PATH, table, origin)?),
        })
    }

    /// Frames a second of films that are folders of pictures, where the file says it.
    pub fn frames_per_sec(&self) -> Option<f64> {
        match self {
            Self::Cc2017(settings) => settings.frames_per_sec,
            Self::Watching(settings) => settings.frames_per_sec,
            Self::Spectator(_) => None,
        }
    }

    /// Seconds from one scan to the next, where the file says it: cc2017's are in its data.
    pub fn tr_secs(&self) -> Option<f64> {
        match self {
            Self::Cc2017(_) => None,
            Self::Watching(settings) => settings.tr_secs,
            Self::Spectator(settings) => Some(settings.tr_secs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<VideoExperiment, ExperimentError> {
        VideoExperiment::parse(text, Path::new("seen.toml"), &[])
    }

    #[test]
    fn an_experiment_of_films_is_known_by_its_data_and_survives_its_own_words() {
        let text = "methods = [\"film\"]\n[data]\nkind = \"spectator\"\ntraining = 3\n[film]\nsteps = 8\n";
        assert!(VideoExperiment::is_one(text) && !VideoExperiment::is_one("[data]\nkind = \"listener\"\n"));
        let experiment = parsed(text).expect("an experiment");
        assert_eq!((experiment.name.as_str(), experiment.methods.len(), experiment.film.steps), ("seen", 1, 8));
        assert_eq!(experiment.frames_per_clip(2.0), Some(8));
        assert_eq!(parsed(&experiment.resolved()).expect("its own words"), experiment);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (text, said) in [
            ("[data]\nkind = \"cc2017\"\n", "data."),
            ("[data]\nkind = \"spectator\"\n[film]\nrate = 0.3\n", "film.rate"),
            ("[data]\nkind = \"spectator\"\n[film]\nwindow = 8\noverlap = 8\n", "film.overlap"),
            ("[data]\nkind = \"spectator\"\nshot_secs = [5.0]\n", "data.shot_secs"),
            ("[data]\nkind = \"spectator\"\ntest_secs = 121\n", "data.test_secs"),
            ("[data]\nkind = \"spectator\"\n[decode]\nscans = 0\n", "decode.scans"),
            ("[data]\nkind = \"spectator\"\n[film]\npack = \"/models/sd\"\ncontext = \"captions\"\n", "film.captioner"),
            ("methods = [\"dance\"]\n[data]\nkind = \"spectator\"\n", "methods"),
        ] {
            let error = parsed(text).expect_err("refused").to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
