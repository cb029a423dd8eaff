//! A watcher on the disk, in BIDS.
//!
//! Files appear whole or not at all, and each one's bytes follow from parameters, films, features and seed; a file that is there already
//! is kept, so that a run that was killed is finished by running it again. `phantom/sub-S01.json` says what a folder holds; another
//! watcher is refused.

use std::path::Path;

use percept_core::Progress;
use percept_io::{fs, nifti};
use serde_json::json;

use super::Watcher;
use crate::phantom::Error;
use crate::phantom::once::{self, text};
use crate::story::{FilmRun, Level};

/// What each level is called in the names of annotation files.
fn file_label(level: Level) -> &'static str {
    match level {
        Level::Speech => "speechTranscription_EN",
        Level::Object => "objectiveAnnot50chara",
        Level::Story => "story",
        Level::Summary => "summary",
        Level::TimePlace => "timePlace",
    }
}

impl Watcher {
    /// Writes the tree below `dir`; what is there already from an earlier, interrupted run or of another subject is kept.
    ///
    /// # Errors
    /// If the directory holds another watcher, or the disk refuses.
    pub fn write(&self, dir: impl AsRef<Path>, progress: &dyn Progress) -> Result<(), Error> {
        let root = dir.as_ref();
        let _held = once::hold(root, progress)?;
        self.claim(root)?;
        descriptions(root)?;
        write_annotations(root, &self.films)?;
        self.scanner.write_regions(root, &self.name(), &self.regions, -1)?;
        progress.begin("films", self.films.len() as u64);
        for run in 0..self.films.len() {
            self.run_on_disk(root, run)?;
            progress.advance(1);
        }
        progress.end(&format!("{} runs, {} voxels of cortex", self.films.len(), self.scanner.voxels.len()));
        self.scanner.write_truth(root, &self.name())
    }

    fn name(&self) -> String {
        format!("sub-S{:02}", self.params.subject)
    }

    fn claim(&self, root: &Path) -> Result<(), Error> {
        let films: Vec<_> = self.films.iter().map(|film| json!([film.title, film.run, film.n_secs])).collect();
        let description = json!({
            "about": "a simulated subject made by percept; nobody was measured",
            "params": self.params,
            "films": films,
            "regions": self.regions,
            "features": self.drives_hash,
            "seed": self.seed,
            "version": env!("CARGO_PKG_VERSION"),
        });
        once::claim(root, &self.name(), &description)
    }

    fn run_on_disk(&self, root: &Path, run: usize) -> Result<(), Error> {
        let film = &self.films[run];
        let stem = format!("{}_task-{}_run-{:02}", self.name(), film.title, film.run);
        let folder = root.join(self.name()).join("func");
        text(folder.join(format!("{stem}_bold.json")), || {
            format!("{:#}\n", json!({ "RepetitionTime": self.params.tr_secs, "TaskName": film.title }))
        })?;
        text(folder.join(format!("{stem}_events.tsv")), || events(film))?;
        let path = folder.join(format!("{stem}_bold.nii.gz"));
        if fs::is_file(&path) {
            return Ok(());
        }
        let spec = nifti::Spec { tr_secs: Some(self.params.tr_secs), ..self.scanner.spec("a film") };
        Ok(nifti::write(path, self.scanner.volumes(run).view(), &spec)?)
    }
}

fn descriptions(root: &Path) -> Result<(), Error> {
    let description = json!({
        "Name": "Simulated subjects watching films",
        "BIDSVersion": "1.9.0",
        "DatasetType": "raw",
        "License": "CC0",
        "Authors": ["percept"],
        "GeneratedBy": [{ "Name": "percept", "Version": env!("CARGO_PKG_VERSION") }],
    });
    text(root.join("dataset_description.json"), || format!("{description:#}\n"))?;
    text(root.join("README"), || {
        "Simulated subjects watch films that nobody shot; nobody was measured. Made by percept.\n\n\
         sub-*/func: a volume per repetition, with sidecars and events. derivatives/annotation: a line per second of each run,\n\
         by level and annotator. derivatives/regions: labels of voxels. phantom: what drives each voxel.\n"
            .to_owned()
    })
}

/// Writes what was said about `films` alone, below `root`: a line per second for every level and annotator, in
/// `derivatives/annotation`. What is there already is kept. Features of a film can then be made by what reads such files, before
/// anybody has watched it.
///
/// # Errors
/// When the disk refuses.
pub fn write_annotations(root: &Path, films: &[FilmRun]) -> Result<(), Error> {
    films.iter().try_for_each(|film| annotations(root, film))
}

fn annotations(root: &Path, film: &FilmRun) -> Result<(), Error> {
    for level in Level::ALL {
        for annotator in 1..=film.n_annotators(level) {
            // The first annotator has the plain name, as where there is only one.
            let who = if annotator == 1 { String::new() } else { format!("_annotator-{annotator:02}") };
            let name = format!("{}_run-{:02}_{}{who}_each1sec.txt", film.title, film.run, file_label(level));
            text(root.join("derivatives/annotation").join(name), || {
                film.each_second(level, annotator).iter().flat_map(|second| [second.as_str(), "\n"]).collect()
            })?;
        }
    }
    Ok(())
}

fn events(film: &FilmRun) -> String {
    let rows = film.annotations.iter().map(|annotation| {
        let secs = annotation.end_secs - annotation.onset_secs;
        let (onset, level) = (annotation.onset_secs, annotation.level.name());
        format!("{onset:.3}\t{secs:.3}\t{level}\t{}\t{}\n", annotation.annotator, annotation.text)
    });
    std::iter::once("onset\tduration\ttrial_type\tannotator\ttext\n".to_owned()).chain(rows).collect()
}
