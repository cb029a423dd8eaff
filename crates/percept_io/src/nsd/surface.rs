//! NSD's surfaces: where a subject's meshes, flat patches, labels and transforms lie, and what the transforms say.
//!
//! `nsddata/freesurfer/subj01/{surf,label}` hold FreeSurfer's files; `nsddata/ppdata/subj01/transforms` holds, for each vertex, where
//! it lies in another space: `lh.func1pt8-to-layerB2.mgz` (V × 3) voxel coordinates at half the depth of cortex (`B1` and `B3`
//! are at a quarter and three quarters), `lh.white-to-fsaverage.mgz` the nearest vertex of the subject for each one of fsaverage. All count from
//! **1**, and **9999** means that there is none; both are resolved here.

use std::path::{Path, PathBuf};

use percept_core::mesh::Side;

use super::NsdTree;
use crate::{Error, Result, fs, mgh};

/// What NSD writes where a vertex has no place.
const INVALID: f64 = 9999.0;

/// Depths between white matter and pia for which NSD has transforms, with their shares of the thickness.
pub const LAYERS: [(&str, f64); 3] = [("layerB1", 0.25), ("layerB2", 0.5), ("layerB3", 0.75)];

impl NsdTree {
    /// The folder of FreeSurfer's files of `name`: `subj01` to `subj08` or `fsaverage`.
    pub fn freesurfer(&self, name: &str) -> PathBuf {
        self.path("nsddata/freesurfer").join(name)
    }

    /// The file of a transform, such as `func1pt8-to-layerB2`, of subject `number`.
    pub fn transform_path(&self, number: usize, side: Side, name: &str) -> PathBuf {
        self.path("nsddata/ppdata").join(format!("subj{number:02}/transforms/{}.{name}.mgz", side.prefix()))
    }
}

/// Voxel coordinates of each vertex, from 0 on, (x, y, z); `None` where the file says 9999.
///
/// # Errors
/// If the file cannot be read, or is not V × 3.
pub fn voxel_of_vertex(path: impl AsRef<Path>) -> Result<Vec<Option<[f64; 3]>>> {
    let path = path.as_ref();
    let frames = columns(path, 3)?;
    Ok((0..frames[0].len())
        .map(|vertex| {
            let place = [0, 1, 2].map(|axis| f64::from(frames[axis][vertex]));
            let is_there = place.iter().all(|&value| value.is_finite() && value != INVALID);
            is_there.then(|| place.map(|value| value - 1.0))
        })
        .collect())
}

/// For each vertex of the target surface the vertex that it takes its value from, from 0 on; `None` where the file says 9999.
///
/// # Errors
/// If the file cannot be read, is not V × 1, or holds a number below 1.
pub fn vertex_of_vertex(path: impl AsRef<Path>) -> Result<Vec<Option<u32>>> {
    let path = path.as_ref();
    let frames = columns(path, 1)?;
    let one = |(vertex, &value): (usize, &f32)| match f64::from(value) {
        value if !value.is_finite() || value == INVALID => Ok(None),
        value if (1.0..2e9).contains(&value) => Ok(Some(value.round() as u32 - 1)),
        value => Err(Error::malformed(format!("vertex {vertex}"), "a number from 1 on, or 9999", value).in_file(path)),
    };
    frames[0].iter().enumerate().map(one).collect()
}

/// The file's columns, `n` of them; NSD's writers put them along the second axis or along the frames.
fn columns(path: &Path, n: usize) -> Result<Vec<Vec<f32>>> {
    let file = mgh::open(path)?;
    let [n_vertices, rest @ ..] = file.dims;
    if rest.iter().product::<usize>() != n {
        let remedy = "name a transform such as `lh.func1pt8-to-layerB2.mgz`";
        let got = format!("{:?}", file.dims);
        return Err(Error::mismatch("the shape", format!("vertices × {n}"), got, remedy).in_file(path));
    }
    let values: Vec<f32> = file.frames().map_err(|error| error.in_file(path))?.concat();
    Ok(values.chunks_exact(n_vertices).map(<[f32]>::to_vec).collect())
}

/// Writes voxel coordinates (from 0 on) in NSD's form.
///
/// # Errors
/// If the disk refuses.
pub fn write_voxel_of_vertex(path: impl AsRef<Path>, places: &[Option<[f64; 3]>]) -> Result<()> {
    let value = |vertex: usize, axis: usize| places[vertex].map_or(INVALID, |place| place[axis] + 1.0) as f32;
    let data = ndarray::Array4::from_shape_fn((places.len(), 3, 1, 1), |(vertex, axis, ..)| value(vertex, axis));
    mgh::write(path, data.view(), &IDENTITY)
}

/// Writes numbers of vertices (from 0 on) in NSD's form.
///
/// # Errors
/// If the disk refuses.
pub fn write_vertex_of_vertex(path: impl AsRef<Path>, vertices: &[Option<u32>]) -> Result<()> {
    let value = |vertex: Option<u32>| vertex.map_or(INVALID as f32, |vertex| vertex as f32 + 1.0);
    let data = ndarray::Array4::from_shape_fn((vertices.len(), 1, 1, 1), |(vertex, ..)| value(vertices[vertex]));
    mgh::write(path, data.view(), &IDENTITY)
}

const IDENTITY: [[f64; 4]; 4] =
    [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];

/// Whether the tree has surfaces of `name`.
pub fn has_surfaces(tree: &NsdTree, name: &str) -> bool {
    fs::is_dir(tree.freesurfer(name).join("surf"))
}
