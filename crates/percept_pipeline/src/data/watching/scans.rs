//! Volumes of a recording, whatever it is stored in: NIfTI, CIFTI series, or a matrix of volumes × units (`.npy` and others).

use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView1, Axis, s};
use percept_io::array::Reference;
use percept_io::cifti::{BrainModel, Cifti, Maps};
use percept_io::matrix::Matrix;
use percept_io::open::{Format, sniff_path};
use percept_io::{cifti, nifti};
use percept_signal::{Deviation, SignalError, Trend, detrend, zscore_per_group};

use super::files::WatchingFiles;
use crate::data::bids;
use crate::data::recording::scans::{coordinates_of, mask_of};
use crate::data::units::{Places, UnitGroup};
use crate::error::PipelineError;

/// What is read of every recording.
pub(super) struct Chosen {
    units: Units,
    /// Volumes of each recording.
    pub(super) n_volumes: Vec<usize>,
    pub(super) regions: Vec<UnitGroup>,
    pub(super) places: Places,
}

/// Which values of a volume are units.
enum Units {
    /// Voxels by flat indices, x fastest.
    Nifti(Vec<usize>),
    /// Columns, of so many.
    Cifti(Vec<usize>, usize),
    /// All columns of a matrix.
    Matrix(usize),
}

/// How a recording is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Nifti,
    Cifti,
    Matrix,
}

fn stored(path: &Path) -> Result<Stored, PipelineError> {
    match sniff_path(path)? {
        Format::Nifti => Ok(Stored::Nifti),
        Format::Cifti => Ok(Stored::Cifti),
        Format::Npy | Format::Zip | Format::Mat | Format::Hdf5 | Format::SafeTensors => Ok(Stored::Matrix),
        other => {
            let what = format!("`{}` is {other}, which holds no volumes", path.display());
            Err(PipelineError::data(what, "download it again, or name NIfTI, CIFTI or a matrix of volumes × units"))
        }
    }
}

fn reference(path: &Path) -> Reference {
    Reference { path: path.to_owned(), name: None }
}

/// Volumes of a recording, and seconds from one to the next where the file says it. Values are not read.
pub(super) fn facts(path: &Path) -> Result<(usize, Option<f64>), PipelineError> {
    match stored(path)? {
        Stored::Nifti => {
            let file = nifti::open(path)?;
            Ok((file.header().n_frames, file.header().tr_secs.filter(|secs| *secs > 0.0)))
        }
        // Rows lie along the fifth dimension.
        Stored::Cifti => {
            let file = nifti::open(path)?;
            Ok((file.header().dims.get(4).copied().unwrap_or(0), None))
        }
        Stored::Matrix => Ok((Matrix::<f32>::open(&reference(path))?.dim().0, None)),
    }
}

/// Seconds from one volume to the next: as asked for, or as the first recording says it.
pub(super) fn tr_of(asked: Option<f64>, recordings: &[(String, PathBuf)]) -> Result<f64, PipelineError> {
    let Some((name, path)) = recordings.first() else {
        return Err(PipelineError::data("there are no images", "fetch them, or name another folder"));
    };
    let said = match (asked, stored(path)?) {
        (Some(asked), _) => Some(asked),
        (None, Stored::Cifti) => match cifti::open(path)?.maps {
            Maps::Series { step, unit, .. } if unit == "SECOND" => Some(step),
            _ => None,
        },
        (None, _) => facts(path)?.1,
    };
    match said {
        Some(secs) if secs.is_finite() && (0.05..=60.0).contains(&secs) => Ok(secs),
        found => Err(PipelineError::data(
            format!(
                "run `{name}` has a volume every {} s",
                found.map_or("unknown".to_owned(), |secs| secs.to_string())
            ),
            "set the time between volumes (`tr_secs`); cc2017 has 2 s",
        )),
    }
}

/// Which units are read of all `recordings`, which must be stored alike.
pub(super) fn choose(files: &WatchingFiles, recordings: &[(String, PathBuf)]) -> Result<Chosen, PipelineError> {
    let Some((first_name, first)) = recordings.first() else {
        return Err(PipelineError::data("there are no images", "fetch them, or name another folder"));
    };
    let kind = stored(first)?;
    let mut n_volumes = Vec::with_capacity(recordings.len());
    for (name, path) in recordings {
        if stored(path)? != kind {
            let what = format!("run `{name}` is stored as {:?}, run `{first_name}` as {kind:?}", stored(path)?);
            return Err(PipelineError::data(what, "name images of one kind"));
        }
        n_volumes.push(facts(path)?.0);
    }
    if files.mask.is_some() && kind != Stored::Nifti {
        return Err(PipelineError::data("a mask belongs to volumes", "name an atlas instead, or leave it out"));
    }
    let (units, places, regions) = match kind {
        Stored::Nifti => of_nifti(files, recordings)?,
        Stored::Cifti => of_cifti(files, first)?,
        Stored::Matrix => of_matrix(files, first)?,
    };
    Ok(Chosen { units, n_volumes, regions, places })
}

type Found = (Units, Places, Vec<UnitGroup>);

fn all(n_units: usize) -> Vec<UnitGroup> {
    let (name, selector) = ("all".to_owned(), "every unit".to_owned());
    vec![UnitGroup { name, selector, units: (0..n_units).collect(), n_dropped: 0 }]
}

fn of_nifti(files: &WatchingFiles, recordings: &[(String, PathBuf)]) -> Result<Found, PipelineError> {
    let named: Vec<(String, &Path)> = recordings.iter().map(|(name, path)| (name.clone(), path.as_path())).collect();
    // With an atlas only its voxels are read: a whole brain in the space of a template is a gigabyte per segment.
    let chosen = bids::voxels(files.mask.as_deref().or(files.atlas.as_deref()), &named)?;
    let shape = chosen.shape;
    let (mut voxels, mut regions) = (chosen.voxels, None);
    if let Some(path) = &files.atlas {
        if files.mask.is_some() {
            let labelled = mask_of(path, shape)?;
            voxels.retain(|voxel| labelled.binary_search(voxel).is_ok());
        }
        let groups = wanted(bids::regions(path, &voxels, shape)?, &files.regions, path)?;
        let (kept, groups) = compact(groups);
        voxels = kept.into_iter().map(|unit| voxels[unit]).collect();
        regions = Some(groups);
    }
    let places = Places::Voxels { shape, coordinates: coordinates_of(&voxels, shape) };
    let regions = regions.unwrap_or_else(|| all(voxels.len()));
    Ok((Units::Nifti(voxels), places, regions))
}

/// Only the cortex: vertices of surfaces.
fn of_cifti(files: &WatchingFiles, first: &Path) -> Result<Found, PipelineError> {
    let file = cifti::open(first)?;
    let surfaces = file.models.iter().filter_map(|model| match model {
        BrainModel::Surface { structure, vertices, n_vertices, .. } => {
            Some((structure.as_str(), model.range().start, vertices, *n_vertices))
        }
        BrainModel::Voxels { .. } => None,
    });
    let surfaces: Vec<_> = surfaces.collect();
    let mut columns: Vec<usize> = surfaces.iter().flat_map(|(_, at, own, _)| *at..at + own.len()).collect();
    let mut regions = None;
    if let Some(path) = &files.atlas {
        let atlas = cifti::open(path)?;
        let Maps::Labels(maps) = &atlas.maps else {
            let what = format!("`{}` holds no labels", path.display());
            return Err(PipelineError::data(what, "name a `.dlabel.nii` file"));
        };
        let mut key_of_unit = Vec::with_capacity(columns.len());
        for (structure, _, vertices, n_vertices) in &surfaces {
            let keys = labels_on(&atlas, structure, *n_vertices, path)?;
            key_of_unit.extend(vertices.iter().map(|&vertex| keys[vertex as usize]));
        }
        // Key 0 is what has no label.
        let labels = maps.iter().take(1).flat_map(|map| &map.labels).filter(|label| label.key != 0);
        let groups = labels.map(|label| UnitGroup {
            name: label.name.clone(),
            selector: format!("label {}", label.key),
            units: (0..columns.len()).filter(|&unit| key_of_unit[unit] == label.key as f32).collect(),
            n_dropped: 0,
        });
        let groups = groups.filter(|group| !group.units.is_empty()).collect();
        let (kept, groups) = compact(wanted(groups, &files.regions, path)?);
        columns = kept.into_iter().map(|unit| columns[unit]).collect();
        regions = Some(groups);
    }
    let regions = regions.unwrap_or_else(|| all(columns.len()));
    let places = Places::Columns(columns.clone());
    Ok((Units::Cifti(columns, file.data.ncols()), places, regions))
}

fn labels_on(atlas: &Cifti, structure: &str, n_vertices: usize, path: &Path) -> Result<Vec<f32>, PipelineError> {
    let keys = atlas.on_surface(structure, 0).map_err(|error| error.in_file(path))?;
    if keys.len() == n_vertices {
        return Ok(keys);
    }
    let what = format!("`{}` has {} vertices on `{structure}`, the responses {n_vertices}", path.display(), keys.len());
    Err(PipelineError::data(what, "name an atlas on the mesh of the responses"))
}

fn of_matrix(files: &WatchingFiles, first: &Path) -> Result<Found, PipelineError> {
    if let Some(atlas) = &files.atlas {
        let what = format!("the atlas `{}` does not belong to a matrix", atlas.display());
        return Err(PipelineError::data(what, "leave it out, or name NIfTI or CIFTI images"));
    }
    let n_units = Matrix::<f32>::open(&reference(first))?.dim().1;
    Ok((Units::Matrix(n_units), Places::Columns((0..n_units).collect()), all(n_units)))
}

/// The groups that are asked for; all without names.
fn wanted(groups: Vec<UnitGroup>, names: &[String], path: &Path) -> Result<Vec<UnitGroup>, PipelineError> {
    let known: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        let what = format!("`{}` has no region `{name}` with units", path.display());
        return Err(PipelineError::data(what, format!("there are `{}`", known.join("`, `"))));
    }
    if groups.is_empty() {
        let what = format!("no unit of the responses is labelled in `{}`", path.display());
        return Err(PipelineError::data(what, "name an atlas in the space of the responses"));
    }
    Ok(groups.into_iter().filter(|group| names.is_empty() || names.contains(&group.name)).collect())
}

/// The units that belong to some group, and the groups by their places among these.
fn compact(groups: Vec<UnitGroup>) -> (Vec<usize>, Vec<UnitGroup>) {
    let mut kept: Vec<usize> = groups.iter().flat_map(|group| group.units.iter().copied()).collect();
    kept.sort_unstable();
    kept.dedup();
    let place = |unit: &usize| kept.partition_point(|other| other < unit);
    let groups =
        groups.into_iter().map(|group| UnitGroup { units: group.units.iter().map(place).collect(), ..group }).collect();
    (kept, groups)
}

impl Chosen {
    pub(super) fn n_units(&self) -> usize {
        match &self.units {
            Units::Nifti(units) | Units::Cifti(units, _) => units.len(),
            Units::Matrix(n_units) => *n_units,
        }
    }

    /// Volumes × units.
    pub(super) fn read(&self, path: &Path, volumes: Range<usize>) -> Result<Array2<f32>, PipelineError> {
        match &self.units {
            Units::Nifti(voxels) => Ok(nifti::open(path)?.select_frames::<f32>(voxels, volumes)?),
            Units::Cifti(columns, n_columns) => {
                let data = cifti::open(path)?.data;
                same_width(path, data.ncols(), *n_columns)?;
                Ok(data.slice(s![volumes, ..]).select(Axis(1), columns))
            }
            Units::Matrix(n_units) => {
                let matrix = Matrix::<f32>::open(&reference(path))?;
                same_width(path, matrix.dim().1, *n_units)?;
                Ok(matrix.rows(volumes)?)
            }
        }
    }
}

fn same_width(path: &Path, found: usize, expected: usize) -> Result<(), PipelineError> {
    if found == expected {
        return Ok(());
    }
    let what = format!("`{}` has {found} units, the first recording {expected}", path.display());
    Err(PipelineError::data(what, "leave it out, or bring all recordings to one space"))
}

/// Takes the trend out of one recording and z-scores it; gives how many units could not be.
pub(super) fn clean(values: &mut Array2<f32>, trend_order: usize) -> Result<usize, SignalError> {
    let run = vec![0; values.nrows()];
    // After the trend is out, what is left of a unit that stands still is rounding.
    let is_still = |column: &ArrayView1<'_, f32>| column.iter().all(|value| *value == column[0] || !value.is_finite());
    let still: Vec<bool> = values.columns().into_iter().map(|column| is_still(&column)).collect();
    detrend(values.view_mut(), &run, Trend::Polynomial { order: trend_order }, None)?;
    for (mut column, is_still) in values.columns_mut().into_iter().zip(still) {
        if is_still || column.iter().any(|value| !value.is_finite()) {
            column.fill(0.0);
        }
    }
    Ok(zscore_per_group(values.view_mut(), &run, Deviation::Population)?.len())
}
