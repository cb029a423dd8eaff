//! Opening values and bringing them onto the vertices: one value per vertex, volumes, tables of voxels, maps on the cortex.
//!
//! | file | what it may hold |
//! |---|---|
//! | npy, npz, MAT, HDF5, safetensors (`FILE` or `FILE:NAME`) | values of both hemispheres one after the other, or of one; several maps along the other axis |
//! | GIFTI, MGH/MGZ, FreeSurfer curv | one hemisphere, told by the name (`lh`, `left`, `L`); the other half is taken from beside it |
//! | CIFTI-2 | maps or labels on both hemispheres |
//! | NIfTI, MGZ | volumes, sampled between white matter and pia; several frames are several maps |
//! | Parquet, CSV, TSV | one row per voxel: `index` (x fastest, from 0), or `i`, `j`, `k`; each other column of numbers or words is a map |
//!
//! Volumes lie where their header says, in millimetres of the surfaces; on an NSD tree its own transforms are used where they fit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percept_core::Side;
use percept_io::array::Reference;
use percept_io::nsd::surface::LAYERS;
use percept_io::open::{Format, sniff_path};
use percept_io::parquet::read::{self as parquet, Values};
use percept_io::{cifti, fs, gifti, mgh, nifti, table};

use crate::surfaces::{Hemisphere, Shape, Surfaces, per_vertex, side_of, twin_of};
use crate::volume::{self, Grid, Sampling};
use crate::weights::Weights;
use crate::{Error, Result};

/// One map on all hemispheres of a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Its name.
    pub name: String,
    /// The values, one list for each hemisphere in their order; NaN where there is none.
    pub values: Vec<Vec<f32>>,
    /// What whole numbers stand for, where the map holds categories.
    pub keys: Option<BTreeMap<i32, String>>,
}

/// How volumes are brought onto the surface.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Depths between white matter (0) and pia (1).
    pub depths: Vec<f32>,
    /// How a volume is read between voxels; categories always by the nearest.
    pub sampling: Sampling,
    /// A volume whose header says where voxels of a table lie.
    pub reference: Option<PathBuf>,
    /// The transform of a pycortex store.
    pub transform: Option<String>,
    /// Whether all values are keys of categories.
    pub categories: bool,
}

impl Default for Options {
    fn default() -> Self {
        let depths = volume::DEPTHS.to_vec();
        Self { depths, sampling: Sampling::Linear, reference: None, transform: None, categories: false }
    }
}

/// The maps that `reference` names, `FILE` or `FILE:NAME`.
///
/// # Errors
/// If the file cannot be read, or holds another number of values than the surfaces have.
pub fn open(reference: &str, surfaces: &Surfaces, options: &Options) -> Result<Vec<Map>> {
    let parsed: Reference = reference.parse()?;
    let path = parsed.path.as_path();
    let maps = match sniff_path(path)? {
        Format::Cifti => of_cifti(path, surfaces)?,
        Format::Gifti => of_gifti(path, surfaces)?,
        Format::FreeSurferCurv => of_halves(path, surfaces, &|file| Ok(vec![(stem(file), per_vertex(file)?)]))?,
        Format::Mgh => of_mgh(path, surfaces, options)?,
        Format::Nifti => {
            let file = nifti::open(path)?;
            let header = file.header();
            let grid = Grid { shape: header.shape, affine: header.affine };
            let n_voxels = header.n_voxels();
            let values: Vec<f32> = file.read::<f32>()?.into_raw_vec_and_offset().0;
            let names = numbered(&stem(path), header.n_frames);
            let columns = names.into_iter().zip(values.chunks_exact(n_voxels).map(<[f32]>::to_vec)).collect();
            of_volumes(&grid, columns, surfaces, options)?
        }
        Format::Parquet => of_voxels(parquet::columns(path)?, path, surfaces, options)?,
        Format::Text => of_voxels(text_columns(path)?, path, surfaces, options)?,
        _ => of_array(&parsed, surfaces)?,
    };
    let Some(name) = &parsed.name else { return Ok(keyed(maps, options)) };
    if maps.len() == 1 {
        return Ok(keyed(maps, options));
    }
    let names: Vec<String> = maps.iter().map(|map| map.name.clone()).collect();
    let chosen: Vec<Map> = maps.into_iter().filter(|map| map.name == *name).collect();
    if chosen.is_empty() {
        return Err(percept_io::Error::missing("map", name, names).in_file(path).into());
    }
    Ok(keyed(chosen, options))
}

/// With keys for all values, if categories were asked for and the file has no names.
fn keyed(mut maps: Vec<Map>, options: &Options) -> Vec<Map> {
    if options.categories {
        for map in maps.iter_mut().filter(|map| map.keys.is_none()) {
            let whole = map.values.iter().flatten().filter(|value| value.is_finite()).map(|value| value.round() as i32);
            map.keys = Some(whole.map(|key| (key, key.to_string())).collect());
            map.values.iter_mut().flatten().for_each(|value| *value = value.round());
        }
    }
    maps
}

fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let endings = [
        ".gz",
        ".nii",
        ".gii",
        ".func",
        ".shape",
        ".label",
        ".dscalar",
        ".dlabel",
        ".dtseries",
        ".mgz",
        ".mgh",
        ".npy",
    ];
    endings.iter().fold(name.as_str(), |name, ending| name.strip_suffix(ending).unwrap_or(name)).to_owned()
}

fn numbered(name: &str, n: usize) -> Vec<String> {
    if n == 1 { vec![name.to_owned()] } else { (1..=n).map(|i| format!("{name} {i}")).collect() }
}

/// An array whose last or first axis is as long as the surfaces have vertices.
fn of_array(reference: &Reference, surfaces: &Surfaces) -> Result<Vec<Map>> {
    let loaded = reference.read::<f32>()?;
    let shape: Vec<usize> = loaded.data.shape().iter().copied().filter(|&length| length != 1).collect();
    let values: Vec<f32> = loaded.data.iter().copied().collect();
    let side = side_of(&reference.path);
    let lengths: Vec<usize> = surfaces.hemispheres.iter().map(Hemisphere::n_vertices).collect();
    let total: usize = lengths.iter().sum();
    let own = side.and_then(|side| surfaces.hemispheres.iter().position(|hemisphere| hemisphere.side == side));
    let fits = |n: usize| n == total || own.is_some_and(|own| n == lengths[own]);
    let (n_maps, n, by_row) = match shape.as_slice() {
        [n] if fits(*n) => (1, *n, true),
        [n_maps, n] if fits(*n) => (*n_maps, *n, true),
        [n, n_maps] if fits(*n) => (*n_maps, *n, false),
        _ => {
            let expected = format!("{total} vertices ({lengths:?}) along one axis");
            let remedy = "give values per vertex; a half of the brain alone is told by `lh` or `rh` in the name, voxels by a table or NIfTI";
            return Err(Error::mismatch(format!("the shape of `{reference}`"), expected, format!("{shape:?}"), remedy));
        }
    };
    let one = |map: usize| -> Vec<f32> {
        (0..n).map(|i| if by_row { values[map * n + i] } else { values[i * n_maps + map] }).collect()
    };
    let maps = numbered(&loaded.name, n_maps).into_iter().enumerate().map(|(i, name)| {
        let all = one(i);
        let mut at = 0;
        let values = lengths.iter().enumerate().map(|(h, &length)| {
            if n == total {
                at += length;
                all[at - length..at].to_vec()
            } else if own == Some(h) {
                all.clone()
            } else {
                vec![f32::NAN; length]
            }
        });
        Map { name, values: values.collect(), keys: None }
    });
    Ok(maps.collect())
}

/// Files of one half each; what the halves call alike is one map.
fn of_halves(
    path: &Path,
    surfaces: &Surfaces,
    read: &dyn Fn(&Path) -> Result<Vec<(String, Vec<f32>)>>,
) -> Result<Vec<Map>> {
    let Some(side) = side_of(path) else {
        let remedy = "put `lh`, `left`, `rh` or `right` into its name";
        return Err(Error::missing(format!("half of the brain in the name of `{}`", path.display()), remedy));
    };
    let mut files = vec![(side, path.to_owned())];
    files.extend(twin_of(path).map(|twin| (if side == Side::Left { Side::Right } else { Side::Left }, twin)));
    let mut maps: Vec<Map> = Vec::new();
    for (side, file) in files {
        let Some(h) = surfaces.hemispheres.iter().position(|hemisphere| hemisphere.side == side) else { continue };
        for (i, (name, values)) in read(&file)?.into_iter().enumerate() {
            let n = surfaces.hemispheres[h].n_vertices();
            if values.len() != n {
                let remedy = "draw it on the surface it was made for";
                return Err(Error::mismatch(format!("the values in `{}`", file.display()), n, values.len(), remedy));
            }
            if maps.len() <= i {
                let empty = surfaces.hemispheres.iter().map(|hemisphere| vec![f32::NAN; hemisphere.n_vertices()]);
                maps.push(Map { name, values: empty.collect(), keys: None });
            }
            maps[i].values[h] = values;
        }
    }
    Ok(maps)
}

fn of_gifti(path: &Path, surfaces: &Surfaces) -> Result<Vec<Map>> {
    let mut keys: Option<BTreeMap<i32, String>> = None;
    let first = gifti::open(path)?;
    if first.arrays.iter().any(|array| array.intent == gifti::LABEL) {
        keys = Some(first.labels.iter().map(|label| (label.key, label.name.clone())).collect());
    }
    let mut maps = of_halves(path, surfaces, &|file| {
        let gifti = gifti::open(file)?;
        let n = gifti.arrays.iter().filter(|array| array.dims.len() == 1).count();
        let names = numbered(&stem(file), n);
        let arrays = gifti.arrays.iter().filter(|array| array.dims.iter().filter(|&&length| length != 1).count() <= 1);
        arrays
            .zip(names)
            .map(|(array, name)| {
                let values = array.values::<f32>().map_err(|error| error.in_file(file))?;
                // FreeSurfer's converter writes the path of what it read in place of a name.
                let own = array.name().filter(|own| !own.contains(['/', '\\']));
                Ok((own.map_or(name, str::to_owned), values))
            })
            .collect()
    })?;
    if keys.is_some() {
        for map in &mut maps {
            // Key 0 is the ground of label files.
            map.values.iter_mut().flatten().filter(|value| **value == 0.0).for_each(|value| *value = f32::NAN);
            map.keys.clone_from(&keys);
        }
    }
    Ok(maps)
}

fn of_mgh(path: &Path, surfaces: &Surfaces, options: &Options) -> Result<Vec<Map>> {
    let file = mgh::open(path)?;
    let [x, y, z, n_frames] = file.dims;
    if y * z > 1 {
        let grid = Grid { shape: [x, y, z], affine: file.affine };
        let columns = numbered(&stem(path), n_frames).into_iter().zip(file.frames()?).collect();
        return of_volumes(&grid, columns, surfaces, options);
    }
    of_halves(path, surfaces, &|file| {
        let frames = mgh::open(file)?.frames()?;
        Ok(numbered(&stem(file), frames.len()).into_iter().zip(frames).collect())
    })
}

fn of_cifti(path: &Path, surfaces: &Surfaces) -> Result<Vec<Map>> {
    let file = cifti::open(path)?;
    let structure = |side: Side| if side == Side::Left { "CORTEX_LEFT" } else { "CORTEX_RIGHT" };
    let known = file.surfaces();
    let mut maps = Vec::new();
    for row in 0..file.maps.len() {
        let mut values = Vec::new();
        for hemisphere in &surfaces.hemispheres {
            let (name, n) = (structure(hemisphere.side), hemisphere.n_vertices());
            let own =
                if known.iter().any(|other| other == name) { file.on_surface(name, row)? } else { vec![f32::NAN; n] };
            if own.len() != n {
                let what = format!("the vertices of {name} in `{}`", path.display());
                return Err(Error::mismatch(
                    what,
                    n,
                    own.len(),
                    "draw it on the surface it was made for, such as fs_LR 32k",
                ));
            }
            values.push(own);
        }
        let keys = match &file.maps {
            cifti::Maps::Labels(maps) => {
                values.iter_mut().flatten().filter(|value| **value == 0.0).for_each(|value| *value = f32::NAN);
                Some(maps[row].labels.iter().map(|label| (label.key, label.name.clone())).collect())
            }
            _ => None,
        };
        maps.push(Map { name: file.maps.name(row), values, keys });
    }
    Ok(maps)
}

fn text_columns(path: &Path) -> Result<Vec<(String, Values)>> {
    let file = table::open(path)?;
    let columns = file.columns().iter().map(|name| {
        let values = match file.floats(name) {
            Ok(numbers) => Values::Numbers(numbers),
            Err(_) => Values::Text(file.texts(name)?.into_iter().map(str::to_owned).collect()),
        };
        Ok((name.clone(), values))
    });
    columns.collect()
}

/// A table with one row per voxel.
fn of_voxels(columns: Vec<(String, Values)>, path: &Path, surfaces: &Surfaces, options: &Options) -> Result<Vec<Map>> {
    let grid = grid_of_table(surfaces, options)?;
    let numbers = |name: &str| {
        columns.iter().find_map(|(other, values)| match values {
            Values::Numbers(values) if other == name => Some(values),
            _ => None,
        })
    };
    let [nx, ny, nz] = grid.shape;
    let places: Vec<f64> = match (numbers("index"), numbers("i"), numbers("j"), numbers("k")) {
        (Some(index), ..) => index.clone(),
        (None, Some(i), Some(j), Some(k)) => {
            let one = |((&i, &j), &k): ((&f64, &f64), &f64)| {
                let inside =
                    (0.0..nx as f64).contains(&i) && (0.0..ny as f64).contains(&j) && (0.0..nz as f64).contains(&k);
                if inside { i + nx as f64 * (j + ny as f64 * k) } else { f64::NAN }
            };
            i.iter().zip(j).zip(k).map(one).collect()
        }
        _ => {
            let what = format!("column `index`, or `i`, `j` and `k`, in `{}`", path.display());
            return Err(Error::missing(what, "say for each row which voxel it is"));
        }
    };
    let n = grid.n_voxels();
    if let Some(bad) = places.iter().find(|&&place| !(place >= 0.0 && place < n as f64 && place.fract() == 0.0)) {
        let remedy = "give the volume that the voxels are from by `--volume`";
        return Err(Error::mismatch(
            format!("a voxel in `{}`", path.display()),
            format!("whole, 0 to {}", n - 1),
            bad,
            remedy,
        ));
    }
    let weights = weights_of(&grid, surfaces, options, options.sampling)?;
    let mut maps = Vec::new();
    for (name, values) in columns.iter().filter(|(name, _)| !["index", "i", "j", "k"].contains(&name.as_str())) {
        let mut whole = vec![f32::NAN; n];
        let keys = match values {
            Values::Numbers(values) => {
                places.iter().zip(values).for_each(|(&place, &value)| whole[place as usize] = value as f32);
                None
            }
            Values::Text(words) => {
                let mut known: Vec<&String> = words.iter().filter(|word| !word.is_empty()).collect();
                known.sort();
                known.dedup();
                for (&place, word) in places.iter().zip(words) {
                    if let Ok(key) = known.binary_search(&word) {
                        whole[place as usize] = key as f32;
                    }
                }
                Some(
                    known
                        .iter()
                        .enumerate()
                        .map(|(key, word)| (key as i32, (*word).clone()))
                        .collect::<BTreeMap<_, _>>(),
                )
            }
        };
        let is_keys = keys.is_some() || options.categories;
        maps.push(Map { name: name.clone(), values: onto(&weights, &whole, is_keys)?, keys });
    }
    if maps.is_empty() {
        let what = format!("column of numbers or words in `{}`", path.display());
        return Err(Error::missing(what, "add one beside the voxels"));
    }
    Ok(maps)
}

/// Where the voxels of a table lie: in the volume that was named, or in that of the NSD subject.
fn grid_of_table(surfaces: &Surfaces, options: &Options) -> Result<Grid> {
    let reference = match (&options.reference, &surfaces.nsd) {
        (Some(path), _) => path.clone(),
        (None, Some((tree, number))) => {
            tree.path(&format!("nsddata/ppdata/subj{number:02}/func1pt8mm/brainmask.nii.gz"))
        }
        (None, None) => {
            return Err(Error::missing(
                "volume that the table's voxels are from",
                "name one by `--volume FILE.nii.gz`",
            ));
        }
    };
    let file = nifti::open(reference)?;
    Ok(Grid { shape: file.header().shape, affine: file.header().affine })
}

fn of_volumes(
    grid: &Grid,
    columns: Vec<(String, Vec<f32>)>,
    surfaces: &Surfaces,
    options: &Options,
) -> Result<Vec<Map>> {
    let weights = weights_of(grid, surfaces, options, options.sampling)?;
    let map = |(name, volume): (String, Vec<f32>)| {
        Ok(Map { name, values: onto(&weights, &volume, options.categories)?, keys: None })
    };
    columns.into_iter().map(map).collect()
}

fn onto(weights: &[Weights], volume: &[f32], is_keys: bool) -> Result<Vec<Vec<f32>>> {
    let one = |weights: &Weights| if is_keys { weights.apply_most_frequent(volume) } else { weights.apply(volume) };
    weights.iter().map(one).collect()
}

/// Weights from the voxels of `grid` to each hemisphere, the medial wall left empty.
///
/// # Errors
/// If the surfaces lack white and pial, and no transform is there.
pub fn weights_of(grid: &Grid, surfaces: &Surfaces, options: &Options, sampling: Sampling) -> Result<Vec<Weights>> {
    let one = |hemisphere: &Hemisphere| {
        let weights = match nsd_places(grid, surfaces, hemisphere)? {
            Some(places) => volume::weights_of_places(grid.shape, &places, sampling)?,
            None => between(grid, surfaces, hemisphere, options, sampling)?,
        };
        Ok(weights.only(&hemisphere.cortex))
    };
    surfaces.hemispheres.iter().map(one).collect()
}

/// NSD's own transforms, where the volume is the subject's functional one.
fn nsd_places(grid: &Grid, surfaces: &Surfaces, hemisphere: &Hemisphere) -> Result<Option<Vec<Vec<Option<[f64; 3]>>>>> {
    let Some((tree, number)) = &surfaces.nsd else { return Ok(None) };
    for (space, folder) in [("func1pt8", "func1pt8mm"), ("func1pt0", "func1mm")] {
        let mask = tree.path(&format!("nsddata/ppdata/subj{number:02}/{folder}/brainmask.nii.gz"));
        if !fs::is_file(&mask) || nifti::open(&mask)?.header().shape != grid.shape {
            continue;
        }
        let paths =
            LAYERS.map(|(layer, _)| tree.transform_path(*number, hemisphere.side, &format!("{space}-to-{layer}")));
        if paths.iter().all(fs::is_file) {
            let places = paths.iter().map(percept_io::nsd::surface::voxel_of_vertex);
            return Ok(Some(places.collect::<std::result::Result<_, _>>()?));
        }
    }
    Ok(None)
}

fn between(
    grid: &Grid,
    surfaces: &Surfaces,
    hemisphere: &Hemisphere,
    options: &Options,
    sampling: Sampling,
) -> Result<Weights> {
    let mut grid = *grid;
    if let Some(store) = &surfaces.pycortex {
        let names = store.transforms()?;
        let Some(name) = options.transform.as_ref().or(names.first()) else {
            return Err(Error::missing("transform in the pycortex store", "draw values per vertex instead"));
        };
        let transform = store.transform(name)?;
        grid.affine = volume::inverse(&transform.to_voxel).ok_or_else(|| {
            Error::mismatch(format!("the transform `{name}`"), "regular", "singular", "check `matrices.xfm`")
        })?;
    }
    // From the scanner's millimetres to those of the surface.
    for (row, shift) in grid.affine.iter_mut().zip(hemisphere.to_scanner) {
        row[3] -= shift;
    }
    let side = hemisphere.side.word();
    let missing = |what: &str| {
        Error::missing(
            format!("{what} surface of the {side} hemisphere"),
            "volumes are sampled between the white and the pial surface",
        )
    };
    let white = hemisphere.mesh(Shape::White).ok_or_else(|| missing("white"))?;
    let pial = hemisphere.mesh(Shape::Pial).ok_or_else(|| missing("pial"))?;
    volume::weights(&grid, white, pial, &options.depths, sampling)
}
