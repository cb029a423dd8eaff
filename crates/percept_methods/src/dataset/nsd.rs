//! The Natural Scenes Dataset: betas of two regions over all sessions, the pictures, the captions, the shared images as test.
//!
//! Only the voxels of the two regions are held; pictures stay in their file. What was not measured in a session (NSD writes
//! zeros there) is said in a warning and becomes the mean when sessions are normalised.

use percept_core::{Progress, Responses};
use percept_io::nsd::{BetaFile, BetaKind, NsdTree};

use super::units::{RegionUnits, drop_non_finite, expect_units};
use super::{Dataset, Stimuli};
use crate::error::MethodError;
use crate::experiment::{BetaForm, NsdData, Region};

/// Reads what `settings` name; captions only if `with_captions`.
pub(super) fn open(settings: &NsdData, with_captions: bool, progress: &dyn Progress) -> Result<Dataset, MethodError> {
    let tree = NsdTree::open(&settings.root)?;
    let subject = tree.subject(settings.subject)?;
    let design = tree.design()?;
    let kind: BetaKind = settings.betas.parse().map_err(|error: percept_io::Error| error.in_object("data.betas"))?;
    let file = match settings.form {
        BetaForm::Auto => BetaFile::Either,
        BetaForm::Hdf5 => BetaFile::Hdf5,
        BetaForm::Nifti => BetaFile::Nifti,
    };
    let betas = subject.betas_in(kind, file)?;
    let early = subject.mask(&settings.early)?;
    let ventral = subject.mask(&settings.ventral)?;
    let both = subject.mask(&format!("({}) | ({})", settings.early, settings.ventral))?;

    progress.begin("reading betas", 1);
    let extracted = betas.read(&both, &settings.sessions, &design)?;
    progress.advance(1);
    let n_invalid = extracted.invalid.iter().filter(|&&invalid| invalid).count();
    let n_voxel_sessions = extracted.invalid.len();
    let mut warnings = Vec::new();
    if n_invalid > 0 {
        warnings.push(format!(
            "{n_invalid} of {n_voxel_sessions} voxel-sessions hold no data (zeros in every trial) and count as the mean"
        ));
    }

    let n_sessions = extracted.invalid.nrows();
    let is_test: Vec<bool> = extracted.trial_of_sample.iter().map(|&trial| design.is_shared(trial)).collect();
    let mut images = extracted.responses.stimulus_of_sample.clone();
    images.sort_unstable();
    images.dedup();
    let dense = |image: &usize| images.binary_search(image).expect("every image shown is listed");
    let stimulus_of_sample = extracted.responses.stimulus_of_sample.iter().map(dense).collect();
    let responses =
        Responses::new(extracted.responses.data, stimulus_of_sample, extracted.responses.session_of_sample)?;

    let regions = [(Region::Early, &settings.early, early), (Region::Ventral, &settings.ventral, ventral)]
        .into_iter()
        .map(|(region, selector, mask)| {
            let units = mask.units_in(&both)?;
            Ok(RegionUnits { region, selector: selector.clone(), units, n_dropped: 0 })
        })
        .collect::<Result<Vec<_>, percept_io::Error>>()?;
    expect_units(&regions)?;
    let n_units = responses.n_units();
    progress.end(&format!("{} trials × {n_units} voxels", responses.n_samples()));
    let (responses, regions, warning) = drop_non_finite(responses, regions, settings.non_finite)?;
    warnings.extend(warning);

    let captions = if with_captions {
        let all = tree.captions(&tree.stimulus_table()?)?;
        Some(images.iter().map(|&image| all.of(image).to_vec()).collect())
    } else {
        None
    };
    let source =
        format!("NSD tree, {kind}, {n_sessions} sessions, {} trials of {} images", responses.n_samples(), images.len());
    Ok(Dataset {
        subject: subject.name(),
        source,
        is_test,
        stimuli: Stimuli::in_tree(tree.stimuli()?, images),
        responses,
        regions,
        captions,
        warnings,
    })
}
