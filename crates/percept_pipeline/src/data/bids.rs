//! What all scans in BIDS have in common: subjects, the time between scans, voxels, and regions by labels.

use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use percept_io::{fs, nifti, table};
use serde::Deserialize;

use super::recording::scans::{TR_TOLERANCE, mask_of};
use super::units::UnitGroup;
use crate::error::PipelineError;

/// The longest sidecar.
const MAX_SIDECAR_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sidecar {
    repetition_time: Option<f64>,
}

/// Subjects without `sub-`: those asked for, or all below `root`.
pub(super) fn subjects(root: &Path, asked: &[String]) -> Result<Vec<String>, PipelineError> {
    let mut chosen = asked.to_vec();
    if chosen.is_empty() {
        let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().strip_prefix("sub-")?.to_owned());
        chosen = fs::list(root)?.iter().filter(|path| fs::is_dir(path)).filter_map(name).collect();
        chosen.sort();
    }
    if chosen.is_empty() {
        let what = format!("`{}` holds no folder `sub-…`", root.display());
        return Err(PipelineError::data(what, "name the root of the data set"));
    }
    Ok(chosen)
}

/// Seconds from one scan of `run` to the next, by its sidecar and its header.
pub(super) fn tr_of(run: &str, sidecar: &Path, header: Option<f64>) -> Result<f64, PipelineError> {
    let said = if fs::is_file(sidecar) {
        let text = fs::read_text(sidecar, MAX_SIDECAR_BYTES)?;
        let sidecar: Sidecar = serde_json::from_str(&text).map_err(|error| {
            PipelineError::data(format!("`{}` is no sidecar: {error}", sidecar.display()), "download it again")
        })?;
        sidecar.repetition_time
    } else {
        None
    };
    match (said, header) {
        (Some(said), Some(header)) if (said - header).abs() > TR_TOLERANCE * said => Err(PipelineError::data(
            format!(
                "run `{run}`: the sidecar says a scan every {said} s, the header every {header} s, so that they part at \
                 second {}",
                said.min(header)
            ),
            "correct the one that is wrong",
        )),
        (Some(tr), _) | (None, Some(tr)) => Ok(tr),
        (None, None) => Err(PipelineError::data(
            format!("run `{run}` says neither in its header nor in a sidecar how far apart its scans are"),
            format!("write `{}` with `RepetitionTime`", sidecar.display()),
        )),
    }
}

/// Which voxels are read.
pub(super) struct Chosen {
    /// Flat indices, x fastest.
    pub voxels: Vec<usize>,
    pub shape: [usize; 3],
    pub affine: [[f64; 4]; 4],
}

/// The voxels of the mask, or those that vary in the first of `runs` (names and files), which must all have volumes of one shape.
pub(super) fn voxels(mask: Option<&Path>, runs: &[(String, &Path)]) -> Result<Chosen, PipelineError> {
    let Some((first_name, first)) = runs.first() else {
        return Err(PipelineError::data("there is no run", "name the root of the data set and a subject in it"));
    };
    let first = nifti::open(first)?;
    let (shape, affine) = (first.header().shape, first.header().affine);
    for (name, bold) in runs {
        let own = nifti::open(bold)?.header().shape;
        if own != shape {
            let what = format!("run `{name}` has volumes of {own:?}, run `{first_name}` of {shape:?}");
            return Err(PipelineError::data(what, "bring all runs to one space first"));
        }
    }
    let voxels = if let Some(mask) = mask {
        mask_of(mask, shape)?
    } else {
        let all: Vec<usize> = (0..first.header().n_voxels()).collect();
        let values = first.select::<f32>(&all)?;
        all.into_iter().filter(|&voxel| values.column(voxel).iter().any(|value| *value != values[(0, voxel)])).collect()
    };
    if voxels.is_empty() {
        return Err(PipelineError::data(format!("no voxel of run `{first_name}` varies"), "check the mask"));
    }
    Ok(Chosen { voxels, shape, affine })
}

/// The scans of several runs below one another, scans × voxels: of each file the frames of its range. Runs are read one at a time, so that
/// those of a brain fill the memory once.
pub(super) fn stacked(runs: &[(&Path, Range<usize>)], voxels: &[usize]) -> Result<Array2<f32>, PipelineError> {
    let (mut values, mut n_scans) = (Vec::new(), 0);
    for (path, frames) in runs {
        let run = nifti::open(path)?.select_frames::<f32>(voxels, frames.clone())?;
        n_scans += run.nrows();
        values.reserve_exact(run.len());
        values.extend(run);
    }
    Array2::from_shape_vec((n_scans, voxels.len()), values)
        .map_err(|error| PipelineError::data(format!("runs have different voxels: {error}"), "leave one out"))
}

/// Regions from a volume of labels and a table of their names: the same name with `.tsv`, columns `index` and `name`.
pub(super) fn regions(path: &Path, voxels: &[usize], shape: [usize; 3]) -> Result<Vec<UnitGroup>, PipelineError> {
    let volume = nifti::open(path)?.read_volume::<f32>()?;
    let (x, y, z) = volume.dim();
    if [x, y, z] != shape {
        let what = format!("the regions `{}` are {x} × {y} × {z}, the responses {shape:?}", path.display());
        return Err(PipelineError::data(what, "name regions in the space of the responses"));
    }
    let label: Vec<i64> = volume.t().iter().map(|value| *value as i64).collect();
    let text = path.to_string_lossy();
    let names = text.trim_end_matches(".gz").trim_end_matches(".nii").to_owned() + ".tsv";
    let names = table::open(Path::new(&names))?;
    let (index, name) = (names.integers("index")?, names.texts("name")?);
    let mut groups = Vec::new();
    for (index, name) in index.into_iter().zip(name) {
        let units: Vec<usize> = (0..voxels.len()).filter(|&unit| label[voxels[unit]] == index).collect();
        if !units.is_empty() {
            groups.push(UnitGroup { name: name.to_owned(), selector: format!("label {index}"), units, n_dropped: 0 });
        }
    }
    Ok(groups)
}
