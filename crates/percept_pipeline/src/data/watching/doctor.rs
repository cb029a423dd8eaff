//! Is a download of cc2017 whole? Which images and films are there, how large they are, whether their lengths fit, and which reader each
//! film needs. Values are not read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percept_io::fs;
use serde::Serialize;

use super::cc2017::{self, Images, N_SEGMENTS, N_SHOWINGS, NAMES};
use super::files::{Form, film};
use super::scans;
use super::timing::Fit;
use crate::error::PipelineError;

/// A film, as it says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilmFinding {
    /// The segment.
    pub segment: String,
    /// The file or folder.
    pub path: PathBuf,
    /// Bytes; those of all pictures of a folder.
    pub n_bytes: u64,
    /// What reads it, where something does.
    pub how: Option<String>,
    /// Seconds.
    pub secs: Option<f64>,
    /// Width and height.
    pub size: Option<[usize; 2]>,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

/// Images of one segment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegmentFinding {
    /// The segment.
    pub segment: String,
    /// How often it was shown, by the images there are.
    pub n_showings: usize,
    /// How often it was shown in the published data.
    pub n_expected: usize,
    /// Volumes of each showing.
    pub n_volumes: Vec<usize>,
    /// Seconds of the film at which the first recording begins, where lengths fit.
    pub begins_secs: Option<f64>,
    /// Bytes of all images.
    pub n_bytes: u64,
    /// What does not fit.
    pub problems: Vec<String>,
}

/// Images of one form of one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FormFinding {
    /// `cifti`, `mni` or `raw`.
    pub form: &'static str,
    /// Seconds from one volume to the next, where the images say it.
    pub tr_secs: Option<f64>,
    /// Segment by segment.
    pub segments: Vec<SegmentFinding>,
    /// Segments of the published data that are not there.
    pub missing: Vec<String>,
}

/// What was found of one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubjectFinding {
    /// `subject1`.
    pub subject: String,
    /// Form by form, those that are there.
    pub forms: Vec<FormFinding>,
    /// What is wrong with the subject as a whole.
    pub problems: Vec<String>,
}

/// What was found in all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Subject by subject.
    pub subjects: Vec<SubjectFinding>,
    /// Film by film.
    pub films: Vec<FilmFinding>,
    /// Segments with images but without a film.
    pub without_film: Vec<String>,
    /// Programs that films need: `ffmpeg`, where some do.
    pub needs: Vec<String>,
    /// Bytes of everything.
    pub n_bytes: u64,
}

impl Finding {
    /// How many things are wrong: missing films and images that do not fit. Segments that were not downloaded are no fault.
    pub fn n_problems(&self) -> usize {
        let of_subject = |subject: &SubjectFinding| {
            let segments = subject.forms.iter().flat_map(|form| &form.segments);
            subject.problems.len() + segments.map(|segment| segment.problems.len()).sum::<usize>()
        };
        self.subjects.iter().map(of_subject).sum::<usize>()
            + self.films.iter().map(|film| film.problems.len()).sum::<usize>()
            + self.without_film.len()
    }
}

/// Looks at `subjects` (`1` or `subject1`; all of them where none is named) below `root`, and at the films in `stimuli` or `films`.
///
/// # Errors
/// When the folder cannot be read or holds no subject.
pub fn examine(
    root: &Path,
    subjects: &[String],
    films: Option<&Path>,
    frames_per_sec: Option<f64>,
) -> Result<Finding, PipelineError> {
    let folder = films.map_or_else(|| root.join("stimuli"), Path::to_owned);
    let known = if fs::is_dir(&folder) { cc2017::films(&folder)? } else { BTreeMap::new() };
    let films: Vec<FilmFinding> = known.into_iter().map(|(name, path)| of_film(name, path, frames_per_sec)).collect();
    let found = subjects_of(root, subjects)?;
    let subjects: Vec<SubjectFinding> =
        found.iter().map(|subject| of_subject(root, subject, &films)).collect::<Result<_, _>>()?;
    let of_segments = |subject: &SubjectFinding| -> Vec<String> {
        subject.forms.iter().flat_map(|form| form.segments.iter().map(|own| own.segment.clone())).collect()
    };
    let mut without_film: Vec<String> = subjects.iter().flat_map(of_segments).collect();
    without_film.retain(|name| films.iter().all(|film| film.segment != *name));
    without_film.sort();
    without_film.dedup();
    let needs_ffmpeg = |film: &FilmFinding| {
        film.how
            .as_ref()
            .map_or_else(|| film.problems.iter().any(|words| words.contains("ffmpeg")), |how| how.starts_with("ffmpeg"))
    };
    let needs = if films.iter().any(needs_ffmpeg) { vec!["ffmpeg".to_owned()] } else { Vec::new() };
    let images = subjects.iter().flat_map(|subject| subject.forms.iter().flat_map(|form| &form.segments));
    let n_bytes = images.map(|own| own.n_bytes).sum::<u64>() + films.iter().map(|film| film.n_bytes).sum::<u64>();
    Ok(Finding { subjects, films, without_film, needs, n_bytes })
}

fn subjects_of(root: &Path, asked: &[String]) -> Result<Vec<String>, PipelineError> {
    if !asked.is_empty() {
        return Ok(asked.iter().map(|subject| cc2017::subject_folder(root, subject).0).collect());
    }
    let mut found: Vec<String> = fs::list(root)?
        .into_iter()
        .filter(|path| fs::is_dir(path.join("fmri")))
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    found.sort();
    if found.is_empty() {
        let what = format!("`{}` holds no `subject1/fmri`", root.display());
        return Err(PipelineError::data(what, "name the folder `video_fmri_dataset` of the data"));
    }
    Ok(found)
}

fn n_bytes_of(path: &Path) -> u64 {
    if !fs::is_dir(path) {
        return fs::open(path).map_or(0, |source| source.len());
    }
    let files = fs::files_below(path).unwrap_or_default();
    files.iter().map(|file| fs::open(file).map_or(0, |source| source.len())).sum()
}

fn of_film(segment: String, path: PathBuf, frames_per_sec: Option<f64>) -> FilmFinding {
    let n_bytes = n_bytes_of(&path);
    let mut finding = FilmFinding { segment, path, n_bytes, how: None, secs: None, size: None, problems: Vec::new() };
    match film(&finding.path, frames_per_sec) {
        Ok(film) => {
            let info = film.info();
            (finding.how, finding.secs) = (Some(info.how.clone()), Some(info.secs));
            finding.size = Some([info.width, info.height]);
            finding.problems.extend(info.notes.iter().cloned());
        }
        Err(error) => finding.problems.push(error.to_string()),
    }
    finding
}

fn of_subject(root: &Path, subject: &str, films: &[FilmFinding]) -> Result<SubjectFinding, PipelineError> {
    let (name, folder) = cc2017::subject_folder(root, subject);
    let fmri = folder.join("fmri");
    let mut finding = SubjectFinding { subject: name, forms: Vec::new(), problems: Vec::new() };
    if !fs::is_dir(&fmri) {
        finding.problems.push(format!("there is no folder `{}`", fmri.display()));
        return Ok(finding);
    }
    for form in Form::ALL {
        let images = cc2017::images(&fmri, form)?;
        if !images.is_empty() {
            finding.forms.push(of_form(form, &images, films));
        }
    }
    if finding.forms.is_empty() {
        finding.problems.push(format!("`{}` holds no images such as `seg1/mni/seg1_1_mni.nii.gz`", fmri.display()));
    }
    Ok(finding)
}

fn of_form(form: Form, images: &[(String, Images)], films: &[FilmFinding]) -> FormFinding {
    let first = images.iter().flat_map(|(name, images)| images.showings.values().map(move |path| (name, path))).next();
    let named: Vec<(String, PathBuf)> = first.into_iter().map(|(name, path)| (name.clone(), path.clone())).collect();
    let (tr_secs, mut said) = match scans::tr_of(None, &named) {
        Ok(secs) => (Some(secs), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let mut segments = Vec::with_capacity(images.len());
    for (name, images) in images {
        let secs = films.iter().find(|film| film.segment == *name).and_then(|film| film.secs);
        let mut own = of_segment(name, images, tr_secs, secs);
        own.problems.extend(said.take());
        segments.push(own);
    }
    let all = NAMES.iter().zip(N_SEGMENTS).flat_map(|(name, n)| (1..=n).map(move |number| format!("{name}{number}")));
    let missing = all.filter(|name| images.iter().all(|(own, _)| own != name)).collect();
    FormFinding { form: form.name(), tr_secs, segments, missing }
}

fn of_segment(name: &str, images: &Images, tr_secs: Option<f64>, film_secs: Option<f64>) -> SegmentFinding {
    let mut finding = SegmentFinding {
        segment: name.to_owned(),
        n_showings: images.showings.len(),
        n_expected: N_SHOWINGS[usize::from(name.starts_with(NAMES[1]))],
        n_volumes: Vec::new(),
        begins_secs: None,
        n_bytes: 0,
        problems: Vec::new(),
    };
    let last = images.showings.keys().max().copied().unwrap_or(0);
    let absent: Vec<String> =
        (1..=last).filter(|number| !images.showings.contains_key(number)).map(|number| number.to_string()).collect();
    if !absent.is_empty() {
        finding.problems.push(format!("showings {} are missing", absent.join(", ")));
    }
    for (number, path) in &images.showings {
        finding.n_bytes += n_bytes_of(path);
        let run = format!("{name}_{number}");
        let n_volumes = match scans::facts(path) {
            Ok((n_volumes, _)) => n_volumes,
            Err(error) => {
                finding.problems.push(error.to_string());
                continue;
            }
        };
        finding.n_volumes.push(n_volumes);
        let (Some(tr_secs), Some(secs)) = (tr_secs, film_secs) else { continue };
        match Fit::of(n_volumes, tr_secs, secs).onset_secs() {
            Some(onset) => finding.begins_secs = finding.begins_secs.or(Some(-onset)),
            None => finding.problems.push(cc2017::misfit(&run, n_volumes, tr_secs, secs)),
        }
    }
    finding
}
