//! The layout in which cc2017 was published.
//!
//! Below the root: `stimuli/seg1.mp4` to `seg18.mp4` and `test1.mp4` to `test5.mp4`, 8 minutes each; for each subject and segment
//! `subject1/fmri/seg1/cifti/seg1_1_Atlas.dtseries.nii` (the cortex on the mesh of 32k vertices a hemisphere, and voxels below it),
//! `mni/seg1_1_mni.nii.gz` (volumes in the space of the MNI template) and `raw/seg1_1.nii.gz`, the number being that of the showing:
//! training segments were shown twice, test segments ten times. Nothing else is read, and files of one form suffice.
//!
//! When a recording begins follows from its number of volumes ([`super::timing`]). Recording `test2_9` of subject 3 began about 10 s late, as the
//! description of the data says; it is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percept_io::film::ENDINGS;
use percept_io::fs;

use super::files::{Form, WatchingFiles, film};
use super::plan::{Plan, Planned};
use super::scans;
use super::timing::{Fit, Showing};
use crate::error::PipelineError;

/// Showings of a training and of a test segment in the published data.
pub(super) const N_SHOWINGS: [usize; 2] = [2, 10];
/// Training and test segments in the published data.
pub(super) const N_SEGMENTS: [usize; 2] = [18, 5];
/// How segments are called.
pub(super) const NAMES: [&str; 2] = ["seg", "test"];
/// The recording that began late.
const LATE: [&str; 2] = ["subject3", "test2_9"];

/// The images of one segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Images {
    /// By the number of the showing.
    pub(super) showings: BTreeMap<usize, PathBuf>,
}

/// The folder of a subject.
pub(super) fn subject_folder(root: &Path, subject: &str) -> (String, PathBuf) {
    let name = if subject.starts_with("subject") { subject.to_owned() } else { format!("subject{subject}") };
    let folder = root.join(&name);
    (name, folder)
}

/// Whether the segment is one to be tested on, and its number.
fn number_of(segment: &str) -> Option<(bool, usize)> {
    let [training, test] = NAMES.map(|name| segment.strip_prefix(name)?.parse().ok());
    training.map(|number| (false, number)).or(test.map(|number| (true, number)))
}

/// Segments of which there are images of `form`, in the order of their numbers, training first.
pub(super) fn images(fmri: &Path, form: Form) -> Result<Vec<(String, Images)>, PipelineError> {
    let mut found = Vec::new();
    for folder in fs::list(fmri)?.into_iter().filter(|path| fs::is_dir(path)) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (Some(order), own) = (number_of(&name), folder.join(form.name())) else { continue };
        let mut images = Images::default();
        for file in if fs::is_dir(&own) { fs::list(&own)? } else { Vec::new() } {
            let file_name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let rest = file_name.strip_prefix(&format!("{name}_"));
            let number = rest.and_then(|rest| form.endings().iter().find_map(|end| rest.strip_suffix(end)));
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                images.showings.entry(number).or_insert(file);
            }
        }
        if !images.showings.is_empty() {
            found.push((order, name, images));
        }
    }
    found.sort_by_key(|(order, ..)| *order);
    Ok(found.into_iter().map(|(_, name, images)| (name, images)).collect())
}

/// The film of each name in a folder of films: a file, those that need no other program first, or a folder of pictures.
pub(super) fn films(folder: &Path) -> Result<BTreeMap<String, PathBuf>, PipelineError> {
    let mut found: BTreeMap<String, (usize, PathBuf)> = BTreeMap::new();
    for path in fs::list(folder)? {
        let ending = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
        let place = ending.and_then(|end| ENDINGS.iter().position(|known| *known == end));
        let place = if fs::is_dir(&path) { Some(ENDINGS.len()) } else { place };
        let (Some(place), Some(stem)) = (place, path.file_stem()) else { continue };
        let name = stem.to_string_lossy().into_owned();
        if !name.starts_with('.') && found.get(&name).is_none_or(|(other, _)| place < *other) {
            found.insert(name, (place, path));
        }
    }
    Ok(found.into_iter().map(|(name, (_, path))| (name, path)).collect())
}

/// What is read of a subject.
pub(super) fn plan(
    files: &WatchingFiles,
    root: &Path,
    subject: &str,
    form: Option<Form>,
) -> Result<Plan, PipelineError> {
    let (subject, folder) = subject_folder(root, subject);
    let fmri = folder.join("fmri");
    let found = found(&fmri, form)?;
    if let Some(name) = files.segments.iter().find(|name| found.iter().all(|(own, _)| own != *name)) {
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        let what = format!("there are no images of segment `{name}` in `{}`", fmri.display());
        return Err(PipelineError::data(what, format!("there are those of {}", names.join(", "))));
    }
    let films_folder = files.films.clone().unwrap_or_else(|| root.join("stimuli"));
    let films = films(&films_folder)?;
    let mut plan = Plan { subject, recordings: Vec::new(), segments: Vec::new(), tr_secs: 0.0, warnings: Vec::new() };
    let mut own: Vec<(String, PathBuf, Vec<usize>)> = Vec::new();
    for (name, images) in
        found.into_iter().filter(|(name, _)| files.segments.is_empty() || files.segments.contains(name))
    {
        let Some(film) = films.get(&name) else {
            let what = format!("`{}` holds no film `{name}`", films_folder.display());
            return Err(PipelineError::data(what, "put it there, as a film or as a folder of frames"));
        };
        let mut recordings = Vec::new();
        for (number, path) in images.showings {
            let run = format!("{name}_{number}");
            if [plan.subject.as_str(), run.as_str()] == LATE {
                plan.warnings.push(format!("`{run}` of {} was recorded about 10 s late and is left out", plan.subject));
                continue;
            }
            recordings.push(plan.recordings.len());
            plan.recordings.push((run, path));
        }
        own.push((name, film.clone(), recordings));
    }
    plan.tr_secs = scans::tr_of(files.tr_secs, &plan.recordings)?;
    for (name, path, recordings) in own {
        let segment = segment(files, &mut plan, name, path, &recordings)?;
        plan.segments.push(segment);
    }
    Ok(plan)
}

/// Segments of the form that is asked for, or of the first that is there.
fn found(fmri: &Path, form: Option<Form>) -> Result<Vec<(String, Images)>, PipelineError> {
    for form in form.map_or(&Form::ALL[..2], |form| match form {
        Form::Cifti => &Form::ALL[..1],
        Form::Mni => &Form::ALL[1..2],
        Form::Raw => &Form::ALL[2..],
    }) {
        let found = images(fmri, *form)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let what = format!("`{}` holds no images such as `seg1/mni/seg1_1_mni.nii.gz`", fmri.display());
    Err(PipelineError::data(
        what,
        "name the folder that holds `subject1` and a subject in it (`percept doctor cc2017`)",
    ))
}

/// A segment with its film and when it was shown in each recording.
fn segment(
    files: &WatchingFiles,
    plan: &mut Plan,
    name: String,
    path: PathBuf,
    recordings: &[usize],
) -> Result<Planned, PipelineError> {
    let film = film(&path, files.frames_per_sec)?;
    let secs = film.info().secs;
    plan.warnings.extend(film.info().notes.iter().map(|note| format!("film `{name}`: {note}")));
    let mut showings = Vec::with_capacity(recordings.len());
    for &recording in recordings {
        let (run, images) = &plan.recordings[recording];
        let (n_volumes, _) = scans::facts(images)?;
        let Some(onset_secs) = Fit::of(n_volumes, plan.tr_secs, secs).onset_secs() else {
            return Err(PipelineError::data(
                misfit(run, n_volumes, plan.tr_secs, secs),
                "look whether film and images are whole",
            ));
        };
        showings.push(Showing { recording, onset_secs });
    }
    let is_test = number_of(&name).is_some_and(|(is_test, _)| is_test);
    Ok(Planned { name, is_test, film: path, film_secs: [0.0, secs], showings })
}

/// What does not fit, in words.
pub(super) fn misfit(run: &str, n_volumes: usize, tr_secs: f64, film_secs: f64) -> String {
    let scanned = n_volumes as f64 * tr_secs;
    format!(
        "run `{run}` has {n_volumes} volumes of {tr_secs} s, {scanned} s in all, which fit no session with a film of {film_secs:.2} s \
         ({:.0} or {:.0} s would)",
        film_secs + 10.0,
        film_secs + 12.0
    )
}
