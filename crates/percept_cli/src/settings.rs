//! What the arguments mean: checked values with defaults filled in, made before any work begins.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::arguments::Run;

/// A run of an experiment as asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RunSettings {
    /// Folder for the results.
    pub(crate) out: PathBuf,
    /// `key=value` overrides of the experiment.
    pub(crate) overrides: Vec<String>,
    /// Whether scores go to stdout.
    pub(crate) json: bool,
}

impl RunSettings {
    /// Settings of a run whose results go to `default_out` unless the user says otherwise.
    pub(crate) fn new(run: Run, default_out: &Path) -> anyhow::Result<Self> {
        let out = run.out.unwrap_or_else(|| default_out.to_owned());
        if out.exists() && !out.is_dir() {
            bail!("`{}` is a file, but results need a folder (name another with `--out`)", out.display());
        }
        Ok(Self { out, overrides: run.overrides, json: run.json })
    }
}

/// The folder of an experiment's results when none is named: the experiment's name without `.toml`, beside the user.
pub(crate) fn default_out(experiment: &Path) -> anyhow::Result<PathBuf> {
    match experiment.file_stem() {
        Some(stem) if experiment.extension().is_some() => Ok(PathBuf::from(stem)),
        _ => bail!("`{}` is no experiment file (expected a name that ends in `.toml`)", experiment.display()),
    }
}

/// Sets the number of threads for everything that follows.
pub(crate) fn use_threads(n_threads: Option<usize>) -> anyhow::Result<()> {
    let Some(n_threads) = n_threads else { return Ok(()) };
    if n_threads == 0 {
        bail!("`--threads 0` leaves nobody to work (use 1 or more)");
    }
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build_global()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(out: Option<PathBuf>) -> Run {
        Run { out, overrides: vec![], json: false }
    }

    #[test]
    fn results_go_to_a_folder_named_after_the_experiment() {
        assert_eq!(default_out(Path::new("examples/miyawaki.toml")).expect("a name"), PathBuf::from("miyawaki"));
        assert!(default_out(Path::new("examples/..")).is_err());
        assert!(default_out(Path::new("miyawaki")).is_err(), "results would overwrite the file");
    }

    #[test]
    fn a_file_in_the_way_of_the_results_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("results");
        std::fs::write(&file, "x").expect("a file");
        let error = RunSettings::new(run(Some(file)), Path::new("x")).expect_err("a file is in the way");
        assert!(error.to_string().contains("is a file"), "{error}");
        let settings = RunSettings::new(run(None), Path::new("demo")).expect("nothing in the way");
        assert_eq!(settings.out, PathBuf::from("demo"));
    }

    #[test]
    fn no_threads_are_refused() {
        assert!(use_threads(Some(0)).is_err());
    }
}
