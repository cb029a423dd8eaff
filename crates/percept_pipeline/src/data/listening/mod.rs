//! Somebody in a scanner who listened to excerpts of music: the layout of OpenNeuro's ds003720, with the audio folder beside it.
//!
//! Drifts are taken out of every run by a running median and each voxel is z-scored within the run, as the data's authors do; what a
//! decoder reads is the mean of the scans that touch a window of an excerpt, some seconds later ([`windows`]).
//!
//! References: Nakai, Koide-Majima & Nishimoto 2021 (doi:10.1002/brb3.1936); Denk et al. 2023, arXiv 2307.11078.

pub mod doctor;
pub mod schedule;
pub mod sounds;
pub mod source;
pub mod windows;

use std::path::{Path, PathBuf};

use ndarray::Array2;
use percept_core::Responses;
use percept_io::{fs, nifti, table};
use percept_signal::{Deviation, Trend, detrend, zscore_per_group};

use super::bids::{self, Chosen};
use super::recording::scans::{TR_TOLERANCE, coordinates_of};
use super::units::{Places, UnitGroup, drop_non_finite};
use crate::error::PipelineError;
use crate::experiment::NonFinite;

pub use schedule::{AudioFolder, Clip, Schedule};
pub use windows::{WindowRows, Windows};

/// What is read, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ListeningFiles {
    /// The folder that holds `sub-…`.
    pub root: PathBuf,
    /// The subject, without `sub-`.
    pub subject: String,
    /// The folder of the tracks.
    pub audio: PathBuf,
    /// Which voxels to read.
    pub mask: Option<PathBuf>,
    /// Labels of regions with a table of their names; without it all voxels are one.
    pub atlas: Option<PathBuf>,
    /// A table of captions: `ID` and the text.
    pub captions: Option<PathBuf>,
    /// A table of tags: `ID` and a column for each kind.
    pub tags: Option<PathBuf>,
    /// Seconds of the running median; 0 leaves drifts in.
    pub detrend_secs: f64,
}

/// A kind of tag, and the tag of every clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    /// What it says: `genre`, `instrument`.
    pub kind: String,
    /// The different words, sorted.
    pub words: Vec<String>,
    /// Which word each clip has.
    pub of_clip: Vec<usize>,
}

/// What was measured and what was heard.
pub struct Listening {
    /// `sub-001`.
    pub subject: String,
    /// Where the responses came from, in words.
    pub source: String,
    /// What was played when.
    pub schedule: Schedule,
    /// The file of each clip.
    pub sounds: Vec<PathBuf>,
    /// The caption of each clip, where there are some.
    pub captions: Option<Vec<String>>,
    /// Tags, the genre first.
    pub tags: Vec<Tags>,
    /// Seconds from one scan to the next.
    pub tr_secs: f64,
    /// The first scan of each run, and, at the end, how many there are.
    pub starts: Vec<usize>,
    /// Scans × units, without drifts, z-scored in each run.
    pub responses: Array2<f32>,
    /// Where each unit lies.
    pub places: Places,
    /// Millimetres of voxels: rows of the affine.
    pub affine: [[f64; 4]; 4],
    /// Regions; all units where there is no atlas.
    pub regions: Vec<UnitGroup>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Listening {
    /// Reads what `files` name.
    ///
    /// # Errors
    /// When files are missing, damaged or do not fit together.
    pub fn open(files: &ListeningFiles) -> Result<Self, PipelineError> {
        let schedule = Schedule::read(&files.root, &files.subject)?;
        let mut warnings = schedule.oddities.clone();
        let sounds = sounds_of(files, &schedule)?;
        let runs = runs_of(files, &schedule)?;
        let named: Vec<(String, &Path)> = runs.iter().map(|run| (run.name.clone(), run.bold.as_path())).collect();
        let Chosen { voxels, shape, affine } = bids::voxels(files.mask.as_deref(), &named)?;
        let frames: Vec<_> = runs.iter().map(|run| (run.bold.as_path(), 0..run.n_scans)).collect();
        let responses = bids::stacked(&frames, &voxels)?;
        let (mut starts, mut run_of_scan) = (vec![0], Vec::new());
        for (number, run) in runs.iter().enumerate() {
            run_of_scan.extend(vec![number; run.n_scans]);
            starts.push(run_of_scan.len());
        }
        let regions = match &files.atlas {
            Some(path) => bids::regions(path, &voxels, shape)?,
            None => vec![UnitGroup {
                name: "all".to_owned(),
                selector: "every voxel".to_owned(),
                units: (0..voxels.len()).collect(),
                n_dropped: 0,
            }],
        };
        let responses = Responses::new(responses, run_of_scan.clone(), run_of_scan.clone())?;
        let finite = drop_non_finite(responses, Vec::new(), regions, NonFinite::Error)?;
        let mut values = finite.responses.data;
        let tr_secs = runs[0].tr_secs;
        warnings.extend(prepare(&mut values, &run_of_scan, tr_secs, files.detrend_secs)?);
        let coordinates = coordinates_of(&voxels, shape);
        let n_units = values.ncols();
        Ok(Self {
            subject: format!("sub-{}", files.subject),
            source: format!(
                "BIDS, {} scans × {n_units} voxels, {tr_secs} s apart, in {} runs",
                values.nrows(),
                runs.len()
            ),
            captions: files.captions.as_deref().map(|path| captions_of(path, &schedule)).transpose()?,
            tags: tags_of(files.tags.as_deref(), &schedule)?,
            schedule,
            sounds,
            tr_secs,
            starts,
            responses: values,
            places: Places::Voxels { shape, coordinates },
            affine,
            regions: finite.groups,
            warnings,
        })
    }

    /// The excerpt `clip` as it was played, one channel at `rate_hz`.
    ///
    /// # Errors
    /// A file that cannot be read, or one that ends before the excerpt does.
    pub fn excerpt(&self, clip: usize, rate_hz: u32) -> Result<Vec<f32>, PipelineError> {
        sounds::excerpt(&self.schedule.clips[clip], &self.sounds[clip], rate_hz)
    }

    /// Clips of one side, in their order.
    pub fn clips_of(&self, is_test: bool) -> Vec<usize> {
        (0..self.schedule.clips.len()).filter(|&clip| self.schedule.clips[clip].is_test == is_test).collect()
    }
}

/// The file of every clip.
fn sounds_of(files: &ListeningFiles, schedule: &Schedule) -> Result<Vec<PathBuf>, PipelineError> {
    let folder = AudioFolder::open(&files.audio)?;
    let missing: Vec<String> = schedule.clips.iter().filter(|clip| folder.of(clip).is_none()).map(Clip::name).collect();
    if let Some(first) = missing.first() {
        let what = format!(
            "{} of {} tracks are not in `{}`, such as `{first}`",
            missing.len(),
            schedule.clips.len(),
            files.audio.display()
        );
        return Err(PipelineError::data(what, "put them there, `blues/blues.00012.wav` (`percept doctor ds003720`)"));
    }
    Ok(schedule.clips.iter().filter_map(|clip| folder.of(clip).map(Path::to_owned)).collect())
}

/// A run with its images.
struct Scanned {
    name: String,
    bold: PathBuf,
    tr_secs: f64,
    n_scans: usize,
}

fn runs_of(files: &ListeningFiles, schedule: &Schedule) -> Result<Vec<Scanned>, PipelineError> {
    let folder = files.root.join(format!("sub-{}", files.subject)).join("func");
    let mut runs: Vec<Scanned> = Vec::with_capacity(schedule.runs.len());
    for run in &schedule.runs {
        let file = |end: &str| folder.join(format!("sub-{}_task-{}_bold{end}", files.subject, run.name));
        let Some(bold) = [".nii.gz", ".nii"].iter().map(|end| file(end)).find(|path| fs::is_file(path)) else {
            let what = format!("run `{}` has no images `{}`", run.name, file(".nii.gz").display());
            return Err(PipelineError::data(what, "fetch them: `datalad get`, or from OpenNeuro"));
        };
        let header = nifti::open(&bold)?.header().clone();
        let tr_secs = bids::tr_of(&run.name, &file(".json"), header.tr_secs)?;
        if let Some(first) = runs.first().filter(|first| (first.tr_secs - tr_secs).abs() > TR_TOLERANCE * tr_secs) {
            let what = format!(
                "run `{}` has a scan every {tr_secs} s, run `{}` every {} s",
                run.name, first.name, first.tr_secs
            );
            return Err(PipelineError::data(what, "correct the sidecar that is wrong"));
        }
        runs.push(Scanned { name: run.name.clone(), bold, tr_secs, n_scans: header.n_frames });
    }
    Ok(runs)
}

/// Takes drifts out and z-scores, and says what could not be.
fn prepare(
    values: &mut Array2<f32>,
    run_of_scan: &[usize],
    tr_secs: f64,
    detrend_secs: f64,
) -> Result<Option<String>, PipelineError> {
    if detrend_secs > 0.0 {
        let width = (detrend_secs / tr_secs).round().max(1.0) as usize;
        detrend(values.view_mut(), run_of_scan, Trend::Median { width }, None).map_err(|error| {
            PipelineError::data(format!("drifts cannot be removed: {error}"), "set `data.detrend_secs`")
        })?;
    }
    let invalid = zscore_per_group(values.view_mut(), run_of_scan, Deviation::Population)
        .map_err(|error| PipelineError::data(format!("responses cannot be z-scored: {error}"), "look at the images"))?;
    Ok((!invalid.is_empty())
        .then(|| format!("{} times a voxel does not vary within a run; it counts as its mean there", invalid.len())))
}

/// The row of a table for every clip, by its first column.
fn rows_of(table: &table::Table, schedule: &Schedule, path: &Path) -> Result<Vec<usize>, PipelineError> {
    let ids = table.texts(&table.columns().first().cloned().unwrap_or_default())?;
    let row = |clip: &Clip| {
        let name = clip.name();
        ids.iter().position(|id| id.trim_end_matches("_15s") == name).ok_or_else(|| {
            PipelineError::data(
                format!("`{}` says nothing of `{name}`", path.display()),
                "add a row for it, or correct its name",
            )
        })
    };
    schedule.clips.iter().map(row).collect()
}

fn captions_of(path: &Path, schedule: &Schedule) -> Result<Vec<String>, PipelineError> {
    let table = table::open(path)?;
    let rows = rows_of(&table, schedule, path)?;
    let column = table.columns().get(1).cloned().unwrap_or_default();
    let texts = table.texts(&column)?;
    Ok(rows.into_iter().map(|row| texts[row].to_owned()).collect())
}

/// The genre, and what a table says beside it.
fn tags_of(path: Option<&Path>, schedule: &Schedule) -> Result<Vec<Tags>, PipelineError> {
    let of_words = |kind: &str, all: Vec<&str>| {
        let mut words: Vec<String> = all.iter().map(|&word| word.to_owned()).collect();
        words.sort_unstable();
        words.dedup();
        let of_clip = all.iter().map(|word| words.partition_point(|known| known.as_str() < *word)).collect();
        Tags { kind: kind.to_owned(), words, of_clip }
    };
    let mut tags = vec![of_words("genre", schedule.clips.iter().map(|clip| clip.genre.as_str()).collect())];
    let Some(path) = path else { return Ok(tags) };
    let table = table::open(path)?;
    let rows = rows_of(&table, schedule, path)?;
    for column in table.columns().iter().skip(1).filter(|column| *column != "genre") {
        let texts = table.texts(column)?;
        tags.push(of_words(column, rows.iter().map(|&row| texts[row]).collect()));
    }
    Ok(tags)
}
