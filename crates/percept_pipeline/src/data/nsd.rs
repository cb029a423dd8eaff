//! The Natural Scenes Dataset: betas of two regions and of the groups over all sessions, the pictures, the captions, the shared
//! images as test.
//!
//! Only the voxels of regions and groups are held; pictures stay in their file. What was not measured in a session (NSD writes
//! zeros there) is said in a warning and becomes the mean when sessions are normalised.

use std::fmt::Write;

use percept_core::{Progress, Responses};
use percept_io::nsd::surface::has_surfaces;
use percept_io::nsd::{BetaFile, BetaKind, NsdTree};

use super::units::{RegionUnits, UnitGroup, drop_non_finite, expect_partition, expect_units};
use super::{Alike, Dataset, Places, Stimuli, SurfaceFolder};
use crate::error::PipelineError;
use crate::experiment::{BetaForm, Needs, NsdData, Region};

/// Reads what `settings` name; captions and groups only if they are needs.
pub(super) fn open(settings: &NsdData, needs: Needs, progress: &dyn Progress) -> Result<Dataset, PipelineError> {
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
    let mut groups = Vec::new();
    let mut read = format!("({}) | ({})", settings.early, settings.ventral);
    for (name, selector) in settings.groups.iter().filter(|_| needs.groups) {
        groups.push((name, selector, subject.mask(selector)?));
        let _ = write!(read, " | ({selector})");
    }
    let all = subject.mask(&read)?;

    progress.begin("reading betas", 1);
    let extracted = betas.read(&all, &settings.sessions, &design)?;
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
            let units = all.units_in(&mask)?;
            Ok(RegionUnits { region, selector: selector.clone(), units, n_dropped: 0 })
        })
        .collect::<Result<Vec<_>, percept_io::Error>>()?;
    expect_units(&regions)?;
    let groups = groups
        .into_iter()
        .map(|(name, selector, mask)| {
            let units = all.units_in(&mask)?;
            Ok(UnitGroup { name: name.to_owned(), selector: selector.clone(), units, n_dropped: 0 })
        })
        .collect::<Result<Vec<_>, percept_io::Error>>()?;
    expect_partition(&groups)?;
    let n_units = responses.n_units();
    progress.end(&format!("{} trials × {n_units} voxels", responses.n_samples()));
    let finite = drop_non_finite(responses, regions, groups, settings.non_finite)?;
    let responses = finite.responses;
    let coordinates = all.coordinates();
    let places =
        Places::Voxels { shape: all.shape(), coordinates: finite.kept.iter().map(|&unit| coordinates[unit]).collect() };
    warnings.extend(finite.warning);

    let captions = if needs.captions {
        let captions = tree.captions(&tree.stimulus_table()?)?;
        Some(images.iter().map(|&image| captions.of(image).to_vec()).collect())
    } else {
        None
    };
    let source =
        format!("NSD tree, {kind}, {n_sessions} sessions, {} trials of {} images", responses.n_samples(), images.len());
    // NSD chose its images to differ.
    let alike = Alike::none(images.len());
    Ok(Dataset {
        alike,
        places,
        surfaces: has_surfaces(&tree, &subject.name())
            .then(|| SurfaceFolder { root: settings.root.clone(), subject: subject.name() }),
        subject: subject.name(),
        source,
        is_test,
        stimuli: Stimuli::in_tree(tree.stimuli()?, images),
        responses,
        regions: finite.regions,
        groups: finite.groups,
        captions,
        warnings,
    })
}
