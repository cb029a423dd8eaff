//! The run directory: every stage leaves its artefacts there, and a stage that is already there is not made again.
//!
//! A stage is a name and a revision, the [`Provenance`] of its result and some files. When the files are complete, `stages/<name>.json` is
//! written last: it holds the provenance, its fingerprint and the content hash of every file. A later run skips the stage
//! when the fingerprint is the same and every file still has its hash; so a run killed at any moment goes on after its last
//! complete stage, and damaged or edited files are made again. Nothing here holds a clock time or an absolute path, so two
//! runs of one experiment write the same bytes.
//!
//! The revision of a stage is raised whenever the same inputs and settings give other bytes than before. Artefacts of an
//! earlier revision are then made again, although the program's version is the same.

pub mod artefact;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use percept_core::Provenance;
use percept_core::provenance::content_hash;
use percept_io::fs;
use percept_io::lock::{self, Lock};
use serde::{Deserialize, Serialize};

use crate::error::PipelineError;

/// The marker files are small; whatever is larger is something else.
const MAX_MARKER_BYTES: u64 = 16 << 20;

/// What a stage is called, and which revision of its computation this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageName<'a> {
    /// The name: unique within a run.
    pub name: &'a str,
    /// Raised when the same inputs and settings give other bytes than before.
    pub revision: u32,
}

/// A run directory.
pub struct RunFolder {
    folder: PathBuf,
    stop_after: Option<usize>,
    made: AtomicUsize,
    /// Stages that this run made or found whole.
    visited: Mutex<BTreeSet<String>>,
    _lock: Lock,
}

/// What a run directory says of itself, so that nothing else is taken for one.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    kind: String,
    name: String,
}

const OWNER: &str = "run.json";
/// What may lie in a directory that percept has not claimed yet.
const OWN_NAMES: [&str; 2] = ["stages", lock::NAME];

/// What a finished stage left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// What made it.
    pub provenance: Provenance,
    /// [`Provenance::fingerprint`].
    pub fingerprint: String,
    /// Content hash of each file by its path relative to the run directory.
    pub files: BTreeMap<String, String>,
}

impl Stage {
    /// One hash for all of its files: what the next stage names as its input.
    pub fn content(&self) -> String {
        let mut text = String::new();
        for (path, hash) in &self.files {
            text.push_str(path);
            text.push('\n');
            text.push_str(hash);
            text.push('\n');
        }
        content_hash(text.as_bytes())
    }
}

impl RunFolder {
    /// Opens `folder`, creating it if need be, and keeps other processes out of it. With `stop_after` the run ends with
    /// [`PipelineError::Stopped`] instead of making one more stage than that: a budget for queues, and the way tests interrupt a
    /// run.
    ///
    /// # Errors
    /// When the folder cannot be created, or another process works in it.
    pub fn open(folder: &Path, stop_after: Option<usize>) -> Result<Self, PipelineError> {
        Self::open_when_free(folder, stop_after, || false)
    }

    /// The same, but where another process works in the folder, `wait` is asked whether to wait for its end.
    ///
    /// # Errors
    /// As [`RunFolder::open`].
    pub fn open_when_free(
        folder: &Path,
        stop_after: Option<usize>,
        wait: impl FnOnce() -> bool,
    ) -> Result<Self, PipelineError> {
        let lock = lock::lock(folder, lock::NAME, wait)?;
        let (made, visited) = (AtomicUsize::new(0), Mutex::default());
        Ok(Self { folder: folder.to_owned(), stop_after, made, visited, _lock: lock })
    }

    /// Makes the folder that of the `kind` of run called `name`, such as the `comparison` of an experiment.
    ///
    /// # Errors
    /// When it belongs to another run, or holds what percept did not write.
    pub fn claim(&self, kind: &str, name: &str) -> Result<(), PipelineError> {
        let ours = Owner { kind: kind.to_owned(), name: name.to_owned() };
        let remedy = "name another folder with `--out`, or remove this one";
        if fs::is_file(self.file(OWNER)) {
            let theirs: Owner = self.read_json(OWNER, "what this folder belongs to")?;
            if theirs != ours {
                let what = format!("`{}` holds the {} `{}`", self.folder.display(), theirs.kind, theirs.name);
                return Err(PipelineError::data(format!("{what}, not the {kind} `{name}`"), remedy));
            }
            fs::remove_abandoned_below(&self.folder)?;
            return Ok(());
        }
        let is_foreign = |path: &PathBuf| {
            path.file_name().is_none_or(|name| OWN_NAMES.iter().all(|own| name != *own) && !fs::is_scratch(path))
        };
        if let Some(foreign) = fs::list(&self.folder)?.into_iter().find(is_foreign) {
            let name = foreign.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(PipelineError::data(
                format!("`{}` holds files that are not of a run, such as `{name}`", self.folder.display()),
                "name an empty or new folder with `--out`",
            ));
        }
        self.write_json(OWNER, &ours)
    }

    /// Removes what earlier runs left of stages whose name begins with `prefix` and which this run did not need: pictures of arms
    /// that the experiment no longer has.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove_stale(&self, prefix: &str) -> Result<(), PipelineError> {
        let visited = self.visited.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut stale, mut kept) = (Vec::new(), BTreeSet::new());
        for marker in fs::list(self.folder.join("stages"))? {
            let name = marker.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_text(&marker, MAX_MARKER_BYTES).ok();
            let Some(stage) = text.and_then(|text| serde_json::from_str::<Stage>(&text).ok()) else { continue };
            if visited.contains(&name) || !name.starts_with(prefix) {
                kept.extend(stage.files.into_keys());
            } else {
                stale.push((marker, stage.files));
            }
        }
        for (marker, files) in stale {
            for file in files.into_keys().filter(|file| !kept.contains(file)) {
                fs::remove_file(self.file(&file))?;
            }
            fs::remove_file(marker)?;
        }
        Ok(())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The full path of a file of the run.
    pub fn file(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// A folder of the run without what lies in it: that belongs to something else, is damaged, or was never finished.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn emptied(&self, relative: &str) -> Result<PathBuf, PipelineError> {
        let folder = self.file(relative);
        fs::create_dir(&folder)?;
        for path in fs::files_below(&folder)? {
            fs::remove_file(path)?;
        }
        Ok(folder)
    }

    /// The files below a folder of the run, relative to the run, with `/` on every system.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn files_below(&self, relative: &str) -> Result<Vec<String>, PipelineError> {
        let relative_to_run = |path: PathBuf| {
            let below = path.strip_prefix(&self.folder).unwrap_or(&path).components();
            below.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
        };
        Ok(fs::files_below(self.file(relative))?.into_iter().map(relative_to_run).collect())
    }

    /// The stage `name` if it is complete and was made by exactly this computation.
    fn finished(&self, name: &str, provenance: &Provenance) -> Option<Stage> {
        let text = fs::read_text(self.marker(name), MAX_MARKER_BYTES).ok()?;
        let stage: Stage = serde_json::from_str(&text).ok()?;
        let whole = stage.fingerprint == provenance.fingerprint()
            && stage
                .files
                .iter()
                .all(|(path, hash)| fs::content_hash(self.file(path)).is_ok_and(|found| found == *hash));
        whole.then_some(stage)
    }

    /// Whether the stage is complete and was made by exactly this computation.
    pub fn has(&self, StageName { name, revision }: StageName<'_>, provenance: &Provenance) -> bool {
        self.finished(name, &of_stage(name, revision, provenance.clone())).is_some()
    }

    /// Removes all stages whose name begins with `prefix`, with their files.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, prefix: &str) -> Result<(), PipelineError> {
        self.visited.lock().unwrap_or_else(PoisonError::into_inner).retain(|name| !name.starts_with(prefix));
        self.remove_stale(prefix)
    }

    /// Makes the stage `name` unless it is there. `make` writes the files and returns their paths relative to the run.
    ///
    /// # Errors
    /// Whatever `make` returns, failures to write, and [`PipelineError::Stopped`].
    pub fn stage(
        &self,
        StageName { name, revision }: StageName<'_>,
        provenance: Provenance,
        make: impl FnOnce() -> Result<Vec<String>, PipelineError>,
    ) -> Result<Stage, PipelineError> {
        let provenance = of_stage(name, revision, provenance);
        self.visited.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        if let Some(stage) = self.finished(name, &provenance) {
            return Ok(stage);
        }
        let made = self.made.load(Ordering::Relaxed);
        if self.stop_after.is_some_and(|limit| made >= limit) {
            return Err(PipelineError::Stopped { made });
        }
        // From here on the old files are overwritten, so the old marker must not vouch for them.
        fs::remove_file(self.marker(name))?;
        let mut files = BTreeMap::new();
        for path in make()? {
            let hash = fs::content_hash(self.file(&path))?;
            files.insert(path, hash);
        }
        let stage = Stage { fingerprint: provenance.fingerprint(), provenance, files };
        self.write_json(&format!("stages/{name}.json"), &stage)?;
        // A stage that was made of others counts as them.
        if self.made.load(Ordering::Relaxed) == made {
            self.made.fetch_add(1, Ordering::Relaxed);
        }
        Ok(stage)
    }

    /// Writes a file of the run, whole or not at all. It is not flushed to the disk: whatever a power cut spoils has no longer
    /// the hash that its stage recorded, and is made again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, relative: &str, bytes: &[u8]) -> Result<(), PipelineError> {
        Ok(fs::write_unflushed(self.file(relative), bytes)?)
    }

    /// Writes `value` as indented JSON, as by [`RunFolder::write`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_json<T: Serialize>(&self, relative: &str, value: &T) -> Result<(), PipelineError> {
        let mut text = serde_json::to_string_pretty(value).map_err(|error| {
            PipelineError::data(format!("`{relative}` cannot be written as JSON: {error}"), "please report this")
        })?;
        text.push('\n');
        self.write(relative, text.as_bytes())
    }

    /// Reads what [`RunFolder::write_json`] wrote.
    ///
    /// # Errors
    /// When the file is missing or holds something else.
    pub fn read_json<T: for<'de> Deserialize<'de>>(&self, relative: &str, expected: &str) -> Result<T, PipelineError> {
        let text = fs::read_text(self.file(relative), u64::MAX)?;
        serde_json::from_str(&text).map_err(|error| PipelineError::Artefact {
            path: relative.to_owned(),
            expected: format!("{expected}: {error}"),
        })
    }

    fn marker(&self, name: &str) -> PathBuf {
        self.folder.join("stages").join(format!("{name}.json"))
    }
}

/// The record of a stage: what it is made from, and which computation makes it.
fn of_stage(name: &str, revision: u32, provenance: Provenance) -> Provenance {
    provenance.setting("stage", name).setting("revision", &revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: StageName<'_> = StageName { name: "a", revision: 1 };

    fn write(run: &RunFolder, text: &str) -> Result<Vec<String>, PipelineError> {
        fs::write_bytes(run.file("a/x.txt"), text.as_bytes())?;
        Ok(vec!["a/x.txt".to_owned()])
    }

    #[test]
    fn a_stage_is_made_once_and_again_when_its_settings_or_files_change() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let run = RunFolder::open(folder.path(), None).expect("open");
        let provenance = Provenance::new(1);
        let first = run.stage(A, provenance.clone(), || write(&run, "1")).expect("made");
        let again = run.stage(A, provenance.clone(), || panic!("already there")).expect("found");
        assert_eq!(first, again);

        fs::write_bytes(run.file("a/x.txt"), b"damaged").expect("write");
        run.stage(A, provenance, || write(&run, "1")).expect("made again");
        let stage = run.stage(A, Provenance::new(2), || write(&run, "2")).expect("other seed");
        assert_ne!(stage.content(), first.content());
    }

    #[test]
    fn a_stage_of_an_earlier_revision_is_made_again() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let run = RunFolder::open(folder.path(), None).expect("open");
        let old = run.stage(A, Provenance::new(1), || write(&run, "before the fix")).expect("made");
        let new = StageName { revision: 2, ..A };
        let mended = run.stage(new, Provenance::new(1), || write(&run, "after it")).expect("made again");
        assert_ne!(mended.content(), old.content());
        run.stage(new, Provenance::new(1), || panic!("already there")).expect("found");
    }

    #[test]
    fn a_budget_of_stages_ends_the_run_between_two() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let run = RunFolder::open(folder.path(), Some(1)).expect("open");
        run.stage(A, Provenance::new(1), || write(&run, "1")).expect("within the budget");
        let error = run
            .stage(StageName { name: "b", revision: 1 }, Provenance::new(1), || write(&run, "2"))
            .expect_err("over the budget");
        assert!(matches!(error, PipelineError::Stopped { made: 1 }));
    }

    #[test]
    fn a_folder_belongs_to_one_run_and_never_to_somebody_else() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let open = || RunFolder::open(folder.path(), None).expect("open");
        open().claim("comparison", "bars").expect("empty");
        open().claim("comparison", "bars").expect("its own");
        let error = open().claim("comparison", "faces").expect_err("of another");
        assert!(error.to_string().contains("holds the comparison `bars`"), "{error}");
        let held = open();
        let error = RunFolder::open(folder.path(), None).err().expect("held");
        assert!(error.to_string().contains("another process is working"), "{error}");
        drop(held);

        let users = tempfile::tempdir().expect("temporary folder");
        std::fs::write(users.path().join("experiment.toml"), "name = \"mine\"").expect("write");
        let error =
            RunFolder::open(users.path(), None).expect("open").claim("comparison", "x").expect_err("the user's");
        assert!(error.to_string().contains("`experiment.toml`"), "{error}");
        assert_eq!(fs::list(users.path()).expect("list").len(), 1, "nothing is left there");
    }

    #[test]
    fn stages_that_a_run_no_longer_needs_are_removed_with_their_files() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let stage = |run: &RunFolder, name: &str, file: &str| {
            let make = || {
                run.write(file, b"x")?;
                Ok(vec![file.to_owned()])
            };
            run.stage(StageName { name, revision: 1 }, Provenance::new(1), make).expect("made");
        };
        let run = RunFolder::open(folder.path(), None).expect("open");
        stage(&run, "pictures.z", "images/z.png");
        stage(&run, "pictures.c", "images/c.png");
        stage(&run, "features.c", "features/c");
        drop(run);
        let run = RunFolder::open(folder.path(), None).expect("open");
        stage(&run, "pictures.z", "images/z.png");
        run.remove_stale("pictures.").expect("removed");
        let there = ["images/z.png", "images/c.png", "features/c"].map(|file| fs::is_file(run.file(file)));
        assert_eq!(there, [true, false, true]);
    }

    #[test]
    fn a_failed_stage_leaves_no_marker() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let run = RunFolder::open(folder.path(), None).expect("open");
        run.stage(A, Provenance::new(1), || Err(PipelineError::data("broken", "mend"))).expect_err("fails");
        let mut made = false;
        run.stage(A, Provenance::new(1), || {
            made = true;
            write(&run, "1")
        })
        .expect("made");
        assert!(made);
    }
}
