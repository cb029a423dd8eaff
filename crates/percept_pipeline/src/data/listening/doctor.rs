//! Is a download of ds003720 whole, and does it fit the audio folder and the captions? The schedule of every subject is read from its
//! events; what does not match is named.

use std::collections::BTreeSet;
use std::path::Path;

use percept_io::{fs, nifti, table};
use serde::Serialize;

use super::super::bids;
use super::schedule::{AudioFolder, Schedule};
use crate::error::PipelineError;

/// What was found of one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubjectFinding {
    /// The subject, without `sub-`.
    pub subject: String,
    /// Runs of training and test whose events were read.
    pub n_runs: [usize; 2],
    /// Different clips of training and test.
    pub n_clips: [usize; 2],
    /// How many runs have their images.
    pub n_images: usize,
    /// What is missing or does not fit.
    pub problems: Vec<String>,
}

/// What was found in all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Finding {
    /// Subject by subject.
    pub subjects: Vec<SubjectFinding>,
    /// Whether all subjects heard the same clips.
    pub is_one_schedule: bool,
    /// Different clips of all subjects, and how many of them are of each genre at least and at most.
    pub n_clips: usize,
    /// Genres.
    pub genres: Vec<String>,
    /// Clips whose track is in the audio folder; `None` where none was named.
    pub n_sounds: Option<usize>,
    /// Tracks that are not there.
    pub without_sound: Vec<String>,
    /// Clips that have a caption; `None` where no file of captions was named.
    pub n_captions: Option<usize>,
    /// Tracks without a caption.
    pub without_caption: Vec<String>,
    /// Captions of tracks that nobody heard, by their name in the file.
    pub captions_of_nothing: Vec<String>,
}

/// Looks at `subjects` (all of them where none is named) below `root`, the audio folder, and a table of captions with a column `ID`
/// (`blues.00012` or `blues.00012_15s`).
///
/// # Errors
/// When a folder or table cannot be read, or events are damaged.
pub fn examine(
    root: &Path,
    subjects: &[String],
    audio: Option<&Path>,
    captions: Option<&Path>,
) -> Result<Finding, PipelineError> {
    let mut finding = Finding { is_one_schedule: true, ..Finding::default() };
    let mut names = BTreeSet::new();
    let mut genres = BTreeSet::new();
    let mut first: Option<Schedule> = None;
    let sounds = audio.map(AudioFolder::open).transpose()?;
    let mut without_sound = BTreeSet::new();
    for subject in bids::subjects(root, subjects)? {
        let schedule = Schedule::read(root, &subject)?;
        finding.subjects.push(of_subject(root, &subject, &schedule));
        for clip in &schedule.clips {
            names.insert(clip.name());
            genres.insert(clip.genre.clone());
            if sounds.as_ref().is_some_and(|sounds| sounds.of(clip).is_none()) {
                without_sound.insert(clip.name());
            }
        }
        finding.is_one_schedule &= first.get_or_insert_with(|| schedule.clone()) == &schedule;
    }
    finding.n_clips = names.len();
    finding.genres = genres.into_iter().collect();
    finding.n_sounds = sounds.map(|_| names.len() - without_sound.len());
    finding.without_sound = without_sound.into_iter().collect();
    if let Some(path) = captions {
        let table = table::open(path)?;
        let column = table.columns().first().cloned().unwrap_or_default();
        let said: BTreeSet<&str> = table.texts(&column)?.into_iter().map(|id| id.trim_end_matches("_15s")).collect();
        finding.without_caption = names.iter().filter(|name| !said.contains(name.as_str())).cloned().collect();
        finding.captions_of_nothing =
            said.iter().filter(|id| !names.contains(**id)).map(|id| (*id).to_owned()).collect();
        finding.n_captions = Some(names.len() - finding.without_caption.len());
    }
    Ok(finding)
}

fn of_subject(root: &Path, subject: &str, schedule: &Schedule) -> SubjectFinding {
    let mut problems = schedule.oddities.clone();
    let mut n_images = 0;
    for run in &schedule.runs {
        let file = |end: &str| root.join(format!("sub-{subject}/func/sub-{subject}_task-{}_bold{end}", run.name));
        let Some(bold) = [".nii.gz", ".nii"].iter().map(|end| file(end)).find(|path| fs::is_file(path)) else {
            continue;
        };
        let header = match nifti::open(&bold) {
            Ok(file) => file.header().clone(),
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        n_images += 1;
        match bids::tr_of(&run.name, &file(".json"), header.tr_secs) {
            Err(error) => problems.push(error.to_string()),
            Ok(tr_secs) => {
                let scanned = tr_secs * header.n_frames as f64;
                let last = run.playings.last().map_or(0.0, |last| last.onset_secs + schedule.clips[last.clip].secs);
                if scanned + tr_secs < last {
                    problems.push(format!(
                        "run `{}` was scanned for {scanned} s, but its excerpts end at second {last}",
                        run.name
                    ));
                }
            }
        }
    }
    if n_images < schedule.runs.len() {
        problems.push(format!(
            "{} of {} runs have no images (fetch them: `datalad get`, or from OpenNeuro)",
            schedule.runs.len() - n_images,
            schedule.runs.len()
        ));
    }
    SubjectFinding {
        subject: subject.to_owned(),
        n_runs: [false, true].map(|is_test| schedule.runs_of(is_test).count()),
        n_clips: [false, true].map(|is_test| schedule.n_clips(is_test)),
        n_images,
        problems,
    }
}
