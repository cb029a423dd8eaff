//! A phantom subject: simulated and written as an NSD tree below the run directory, then read like any other NSD tree.

use std::path::PathBuf;

use ndarray::{Array4, Axis};
use percept_core::{Progress, Provenance, Seed};
use percept_io::fs;
use percept_synth::drawing::SIDE;
use percept_synth::phantom::{BETA_TYPE, BetaFormat, Phantom, PhantomParams};

use super::{Dataset, Stimuli, nsd};
use crate::error::PipelineError;
use crate::experiment::{BetaForm, Needs, NonFinite, NsdData, PhantomData};
use crate::run::{RunFolder, StageName};

/// The tree, relative to the run directory.
const TREE: &str = "phantom";
/// Of the simulation; see [`crate::run`].
const REVISION: u32 = 2;

/// Writes the tree unless it is there, and opens it.
pub(super) fn open(
    settings: &PhantomData,
    needs: Needs,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<Dataset, PipelineError> {
    let provenance = Provenance::new(settings.seed).setting("phantom", settings);
    written(settings, provenance, run, || Ok((simulated(settings, progress)?, Vec::new())), progress)?;
    read(settings, needs, run, progress)
}

/// The subject that `settings` describe.
pub(crate) fn simulated(settings: &PhantomData, progress: &dyn Progress) -> Result<Phantom, PipelineError> {
    let params = PhantomParams {
        subject: settings.subject,
        shape: settings.shape,
        n_nsdgeneral: settings.voxels,
        n_sessions: settings.sessions,
        trials_per_session: settings.trials_per_session,
        n_shared: settings.test_images,
        median_ncsnr: settings.ncsnr as f32,
        betas: BetaFormat::Hdf5,
        ..PhantomParams::default()
    };
    Ok(Phantom::with_progress(params, Seed::new(settings.seed), progress)?)
}

/// Writes the tree of the phantom that `make` gives, unless the stage with this record is there. `make` also names further files of the
/// run that belong to it.
pub(crate) fn written(
    settings: &PhantomData,
    record: Provenance,
    run: &RunFolder,
    make: impl FnOnce() -> Result<(Phantom, Vec<String>), PipelineError>,
    progress: &dyn Progress,
) -> Result<(), PipelineError> {
    let root = run.file(TREE);
    let record = record.setting("subject", &settings.subject);
    run.stage(StageName { name: "phantom", revision: REVISION }, record, || {
        emptied(run)?;
        let (phantom, mut files) = make()?;
        phantom.write(&root, progress)?;
        files.extend(files_of_tree(run)?);
        Ok(files)
    })?;
    Ok(())
}

/// Makes room for a tree: whatever lies there belongs to another phantom, or is damaged, or was never finished. Its folder.
pub(crate) fn emptied(run: &RunFolder) -> Result<PathBuf, PipelineError> {
    let root = run.file(TREE);
    fs::create_dir(&root)?;
    for path in fs::files_below(&root)? {
        fs::remove_file(path)?;
    }
    Ok(root)
}

/// Folder of the tree below the run.
pub(crate) fn tree_of(run: &RunFolder) -> PathBuf {
    run.file(TREE)
}

/// The files of the tree, relative to the run directory.
pub(crate) fn files_of_tree(run: &RunFolder) -> Result<Vec<String>, PipelineError> {
    let root = run.file(TREE);
    let relative = |path: PathBuf| {
        let below = path.strip_prefix(&root).unwrap_or(&path).components();
        let names: Vec<String> = below.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        format!("{TREE}/{}", names.join("/"))
    };
    Ok(fs::files_below(&root)?.into_iter().map(relative).collect())
}

/// All pictures of the subject's stimulus file under the names that they have in an NSD tree.
pub(crate) fn stimuli_of(phantom: &Phantom) -> Stimuli {
    let n = phantom.drawings().len();
    let mut pictures = Array4::zeros((n, SIDE, SIDE, 3));
    for (stimulus, mut row) in pictures.axis_iter_mut(Axis(0)).enumerate() {
        row.assign(&phantom.picture(stimulus));
    }
    Stimuli::in_memory((0..n).map(super::stimuli::nsd_name).collect(), pictures)
}

/// Reads the tree that was written.
pub(crate) fn read(
    settings: &PhantomData,
    needs: Needs,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<Dataset, PipelineError> {
    let root = run.file(TREE);
    let tree = NsdData {
        root,
        subject: settings.subject,
        betas: BETA_TYPE.to_owned(),
        form: BetaForm::Hdf5,
        sessions: Vec::new(),
        early: "streams.early".to_owned(),
        ventral: "streams.ventral".to_owned(),
        non_finite: NonFinite::Error,
        groups: settings.groups.clone(),
    };
    let mut dataset = nsd::open(&tree, Needs { captions: true, ..needs }, progress)?;
    dataset.subject = format!("phantom subj{:02}", settings.subject);
    dataset.source = format!("a simulated subject, nobody was measured; {}", dataset.source);
    Ok(dataset)
}
