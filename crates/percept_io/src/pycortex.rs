//! A subject in pycortex's store: its surfaces, and the transforms from its surfaces to functional volumes.
//!
//! `STORE/SUBJECT/surfaces/NAME_{lh,rh}.gii` and `STORE/SUBJECT/transforms/NAME/{matrices.xfm, reference.nii.gz}`. The matrix
//! `coord` takes surface coordinates in millimetres to voxels of the reference. pycortex indexes volumes (z, y, x); here the axes
//! are (x, y, z) as in the reference, and so are the matrix's rows. Overlays (`overlays.svg`) are not read.

use std::path::{Path, PathBuf};

use percept_core::mesh::{Mesh, Side};

use crate::{Error, Result, fs, gifti, nifti};

/// The most that a file of matrices may hold.
const MAX_MATRICES_BYTES: u64 = 1 << 20;

/// A subject's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    folder: PathBuf,
}

/// From surface coordinates to voxels of a functional volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// Millimetres (x, y, z, 1) to voxel coordinates (x, y, z, 1), row by row.
    pub to_voxel: [[f64; 4]; 4],
    /// Voxels of the reference along x, y and z, where the reference is there.
    pub shape: Option<[usize; 3]>,
}

impl Subject {
    /// The subject in `folder`.
    ///
    /// # Errors
    /// If it has no folder `surfaces`.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref().to_owned();
        if Self::is_one(&folder) {
            return Ok(Self { folder });
        }
        let remedy = "name the folder of one subject inside the store";
        let error = Error::mismatch("the folder", "a subject of a pycortex store", "one without `surfaces/`", remedy);
        Err(error.in_file(folder))
    }

    /// Whether `folder` looks like a subject of a store.
    pub fn is_one(folder: impl AsRef<Path>) -> bool {
        let surfaces = folder.as_ref().join("surfaces");
        fs::is_dir(&surfaces) && fs::list(surfaces).is_ok_and(|files| files.iter().any(|file| is_gifti(file)))
    }

    /// The names of its surfaces that both hemispheres have, such as `fiducial`, `inflated`, `flat`, `pia`, `wm`.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn surfaces(&self) -> Result<Vec<String>> {
        let files = fs::list(self.folder.join("surfaces"))?;
        let stems = files.iter().filter(|file| is_gifti(file)).filter_map(|file| file.file_stem()?.to_str());
        let left = stems.filter_map(|stem| stem.strip_suffix("_lh"));
        Ok(left.filter(|name| fs::is_file(self.surface_path(name, Side::Right))).map(str::to_owned).collect())
    }

    /// One surface.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn surface(&self, name: &str, side: Side) -> Result<Mesh> {
        let path = self.surface_path(name, side);
        if !fs::is_file(&path) {
            return Err(Error::missing("surface", name, self.surfaces()?).in_file(&self.folder));
        }
        gifti::open(&path)?.mesh().map_err(|error| error.in_file(path))
    }

    /// The names of its transforms.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn transforms(&self) -> Result<Vec<String>> {
        let folder = self.folder.join("transforms");
        if !fs::is_dir(&folder) {
            return Ok(Vec::new());
        }
        let folders = fs::list(folder)?;
        let with_matrices = folders.iter().filter(|folder| fs::is_file(folder.join("matrices.xfm")));
        Ok(with_matrices.filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned())).collect())
    }

    /// One transform.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn transform(&self, name: &str) -> Result<Transform> {
        let folder = self.folder.join("transforms").join(name);
        let path = folder.join("matrices.xfm");
        if !fs::is_file(&path) {
            return Err(Error::missing("transform", name, self.transforms()?).in_file(&self.folder));
        }
        let text = fs::read_text(&path, MAX_MATRICES_BYTES)?;
        let to_voxel = matrix(&text).map_err(|error| error.in_file(&path))?;
        let reference = folder.join("reference.nii.gz");
        let shape = if fs::is_file(&reference) { Some(nifti::open(reference)?.header().shape) } else { None };
        Ok(Transform { to_voxel, shape })
    }

    fn surface_path(&self, name: &str, side: Side) -> PathBuf {
        self.folder.join("surfaces").join(format!("{name}_{}.gii", side.prefix()))
    }
}

/// The matrix `coord` in the text of a `matrices.xfm`.
///
/// # Errors
/// If it is not JSON with a 4 × 4 matrix of finite numbers under that name.
pub fn matrix(text: &str) -> Result<[[f64; 4]; 4]> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| Error::codec("the JSON", error))?;
    let coord: Option<[[f64; 4]; 4]> = serde_json::from_value(value["coord"].clone()).ok();
    coord
        .filter(|matrix| matrix.iter().flatten().all(|cell| cell.is_finite()))
        .ok_or_else(|| Error::malformed("`coord`", "a matrix of 4 × 4 numbers", "something else"))
}

fn is_gifti(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "gii")
}
