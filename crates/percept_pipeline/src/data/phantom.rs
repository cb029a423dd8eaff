//! A phantom subject: simulated and written as an NSD tree below the run directory, then read like any other NSD tree.

use std::path::PathBuf;

use percept_core::{Progress, Provenance, Seed};
use percept_io::fs;
use percept_synth::phantom::{BETA_TYPE, BetaFormat, Phantom, PhantomParams};

use super::{Dataset, nsd};
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
    let provenance = Provenance::new(settings.seed).setting("phantom", settings);
    let root = run.file(TREE);
    run.stage(StageName { name: "phantom", revision: REVISION }, provenance, || {
        // Whatever lies there belongs to another phantom, or is damaged, or was never finished.
        fs::create_dir(&root)?;
        for path in fs::files_below(&root)? {
            fs::remove_file(path)?;
        }
        Phantom::with_progress(params, Seed::new(settings.seed), progress)?.write(&root, progress)?;
        let relative = |path: PathBuf| {
            let below = path.strip_prefix(&root).unwrap_or(&path).components();
            let names: Vec<String> = below.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
            format!("{TREE}/{}", names.join("/"))
        };
        Ok(fs::files_below(&root)?.into_iter().map(relative).collect())
    })?;
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
