//! The sheet on the disk, where NSD has its surfaces: FreeSurfer's files of the subject and of fsaverage, labels and transforms.
//!
//! The phantom's fsaverage has the same vertices on the same sphere, so its registration is the identity. Transforms count from 1 and
//! say 9999 in the medial wall, as NSD's do.

use std::path::Path;

use ndarray::Array4;
use percept_core::Side;
use percept_io::freesurfer::geometry::{Geometry, VolumeGeometry};
use percept_io::freesurfer::label::Entry;
use percept_io::freesurfer::patch::{Patch, Point};
use percept_io::freesurfer::{curv, geometry, label, patch};
use percept_io::nsd::surface::{LAYERS, write_vertex_of_vertex, write_voxel_of_vertex};
use percept_io::{Result, mgh};

use super::cortex::{Area, Hemisphere};
use super::once::keep;
use super::params::Error;
use super::sheet::Sheet;
use super::subject::Phantom;

/// Writes both hemispheres below `root`.
pub(super) fn write(phantom: &Phantom, root: &Path) -> std::result::Result<(), Error> {
    let subject = format!("subj{:02}", phantom.params().subject);
    for (side, hemisphere) in [(Side::Left, Hemisphere::Left), (Side::Right, Hemisphere::Right)] {
        let sheet = Sheet::new(phantom.cortex(), hemisphere);
        let prefix = side.prefix();
        for owner in [subject.as_str(), "fsaverage"] {
            shapes(&root.join("nsddata/freesurfer").join(owner).join("surf"), prefix, phantom, &sheet)?;
        }
        labels(&root.join("nsddata/freesurfer").join(&subject).join("label"), prefix, &sheet)?;
        let transforms = root.join("nsddata/ppdata").join(&subject).join("transforms");
        for (layer, share) in LAYERS {
            let path = transforms.join(format!("{prefix}.func1pt8-to-{layer}.mgz"));
            keep(path, |path| write_voxel_of_vertex(path, &sheet.voxels(phantom.cortex(), share)))?;
        }
        let same: Vec<Option<u32>> = (0..sheet.n_vertices() as u32).map(Some).collect();
        let path = transforms.join(format!("{prefix}.white-to-fsaverage.mgz"));
        keep(path, |path| write_vertex_of_vertex(path, &same))?;
    }
    Ok(())
}

fn shapes(folder: &Path, prefix: &str, phantom: &Phantom, sheet: &Sheet) -> std::result::Result<(), Error> {
    let meshes = [
        ("white", &sheet.white),
        ("pial", &sheet.pial),
        ("inflated", &sheet.inflated),
        ("sphere", &sheet.sphere),
        ("sphere.reg", &sheet.sphere),
    ];
    for (name, mesh) in meshes {
        keep(folder.join(format!("{prefix}.{name}")), |path| {
            geometry::write(
                path,
                &Geometry {
                    mesh: mesh.clone(),
                    stamp: "a simulated cortex by percept".to_owned(),
                    volume: Some(volume(phantom)),
                },
            )
        })?;
    }
    let n_triangles = sheet.white.triangles.len();
    keep(folder.join(format!("{prefix}.curv")), |path| curv::write(path, &sheet.curvature, n_triangles))?;
    keep(folder.join(format!("{prefix}.thickness")), |path| curv::write(path, &sheet.thickness, n_triangles))?;
    keep(folder.join(format!("{prefix}.full.flat.patch.3d")), |path| patch::write(path, &flat(sheet)))
}

/// The functional volume, whose middle is the origin of both coordinates.
fn volume(phantom: &Phantom) -> VolumeGeometry {
    let cortex = phantom.cortex();
    VolumeGeometry {
        valid: true,
        filename: "func1pt8mm".to_owned(),
        volume: cortex.shape.map(|length| length as i32),
        voxel_size: [super::cortex::VOXEL_MM; 3],
        x_ras: [1.0, 0.0, 0.0],
        y_ras: [0.0, 1.0, 0.0],
        z_ras: [0.0, 0.0, 1.0],
        c_ras: [0.0; 3],
    }
}

fn flat(sheet: &Sheet) -> Patch {
    let point = |(vertex, place): (usize, &Option<[f32; 2]>)| {
        place.map(|[x, y]| Point { vertex: vertex as u32, is_border: sheet.is_border[vertex], place: [x, y, 0.0] })
    };
    Patch { points: sheet.flat.iter().enumerate().filter_map(point).collect() }
}

/// NSD's regions as values per vertex, and what is cortex at all.
fn labels(folder: &Path, prefix: &str, sheet: &Sheet) -> std::result::Result<(), Error> {
    type LabelOf = fn(Area) -> i16;
    let atlases: [(&str, LabelOf); 3] =
        [("streams", Area::stream), ("prf-visualrois", Area::visual_roi), ("nsdgeneral", Area::nsdgeneral)];
    for (name, value) in atlases {
        keep(folder.join(format!("{prefix}.{name}.mgz")), |path| per_vertex(path, sheet, value))?;
    }
    let entry = |vertex: usize| Entry { vertex: vertex as u32, place: sheet.white.vertices[vertex], value: 0.0 };
    let cortex: Vec<Entry> =
        (0..sheet.n_vertices()).filter(|&vertex| sheet.area[vertex].is_some()).map(entry).collect();
    keep(folder.join(format!("{prefix}.cortex.label")), |path| label::write(path, &cortex))
}

fn per_vertex(path: &Path, sheet: &Sheet, value: fn(Area) -> i16) -> Result<()> {
    let of = |vertex: usize| sheet.area[vertex].map_or(-1.0, |area| f32::from(value(area)));
    let data = Array4::from_shape_fn((sheet.n_vertices(), 1, 1, 1), |(vertex, ..)| of(vertex));
    let mut affine = [[0.0; 4]; 4];
    (0..4).for_each(|axis| affine[axis][axis] = 1.0);
    mgh::write(path, data.view(), &affine)
}
