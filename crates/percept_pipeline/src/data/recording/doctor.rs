//! Is a download of films in BIDS whole? Every run of every subject: images, sidecar, TR, texts, and whether they end together.
//!
//! Files that git-annex has not fetched are links to nothing; they count as missing.

use std::collections::BTreeSet;
use std::path::Path;

use percept_io::{fs, nifti};
use serde::Serialize;

use super::super::bids;
use super::films::{self, Run};
use crate::error::PipelineError;
use crate::experiment::NonFinite;
use crate::experiment::encoding::{AnnotationForm, FilmsData};

/// What was found of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunFinding {
    /// The subject, without `sub-`.
    pub subject: String,
    /// The run, as `TITLE_run-NN`.
    pub run: String,
    /// Scans, where the images are there.
    pub n_scans: Option<usize>,
    /// Seconds from one to the next.
    pub tr_secs: Option<f64>,
    /// Levels of description with a text for every second.
    pub levels: Vec<String>,
    /// What is missing or does not fit.
    pub problems: Vec<String>,
}

/// Looks at every run of `subjects` (all of them where none is named) below `root`.
///
/// # Errors
/// When the folder cannot be read or holds no subject.
pub fn examine(root: &Path, subjects: &[String]) -> Result<Vec<RunFinding>, PipelineError> {
    let mut findings = Vec::new();
    for subject in bids::subjects(root, subjects)? {
        let folder = root.join(format!("sub-{subject}")).join("func");
        let beginning = format!("sub-{subject}_task-");
        let mut stems = BTreeSet::new();
        for path in fs::list(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let stem = ["_bold.nii.gz", "_bold.nii", "_bold.json"].iter().find_map(|end| name.strip_suffix(end));
            if let Some(rest) = stem.and_then(|stem| stem.strip_prefix(&beginning)) {
                stems.insert(rest.to_owned());
            }
        }
        for stem in stems {
            findings.push(of_run(root, &folder, &subject, &stem));
        }
    }
    Ok(findings)
}

fn of_run(root: &Path, folder: &Path, subject: &str, stem: &str) -> RunFinding {
    let mut finding = RunFinding {
        subject: subject.to_owned(),
        run: stem.to_owned(),
        n_scans: None,
        tr_secs: None,
        levels: Vec::new(),
        problems: Vec::new(),
    };
    let Some((title, number)) = stem.split_once("_run-") else {
        finding.problems.push(format!("`{stem}` is not named `TITLE_run-NN`"));
        return finding;
    };
    let file = |end: &str| folder.join(format!("sub-{subject}_task-{stem}_bold{end}"));
    let Some(bold) = [".nii.gz", ".nii"].iter().map(|end| file(end)).find(|path| fs::is_file(path)) else {
        finding.problems.push("the images are missing (fetch them: `datalad get`, or from OpenNeuro)".to_owned());
        return finding;
    };
    if !fs::is_file(file(".json")) {
        finding.problems.push("the sidecar is missing".to_owned());
    }
    let header = match nifti::open(&bold) {
        Ok(file) => file.header().clone(),
        Err(error) => {
            finding.problems.push(error.to_string());
            return finding;
        }
    };
    finding.n_scans = Some(header.n_frames);
    match bids::tr_of(stem, &file(".json"), header.tr_secs) {
        Ok(tr_secs) => finding.tr_secs = Some(tr_secs),
        Err(error) => finding.problems.push(error.to_string()),
    }
    let Some(tr_secs) = finding.tr_secs else { return finding };
    let run = Run { title: title.to_owned(), number: number.to_owned(), bold, tr_secs, n_scans: header.n_frames };
    let settings = FilmsData {
        root: root.to_owned(),
        subject: subject.to_owned(),
        titles: Vec::new(),
        annotations: AnnotationForm::Seconds,
        drop_secs: 0.0,
        mask: None,
        regions: None,
        non_finite: NonFinite::Error,
    };
    match films::seconds(&settings, &run) {
        Ok(spans) => {
            let levels: BTreeSet<String> = spans.into_iter().map(|span| span.level).collect();
            finding.levels = levels.into_iter().collect();
        }
        Err(error) => finding.problems.push(error.to_string()),
    }
    finding
}
