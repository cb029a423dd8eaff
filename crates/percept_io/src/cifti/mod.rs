//! CIFTI-2: maps, labels and series on the cortex without its medial wall, together with subcortical voxels.
//!
//! `.dscalar.nii`, `.dlabel.nii` and `.dtseries.nii` are NIfTI-2 files whose extension 32 says, in XML, what rows and columns
//! are. [`open`] reads both; [`Cifti::on_surface`] gives a map with one value for each vertex of a hemisphere, NaN in the medial
//! wall. Files of parcels (`.pscalar.nii`) and connectivity (`.dconn.nii`) are refused by name. [`write_series`] writes series on surfaces.
//!
//! # Numerics
//! Values equal those of nibabel bit for bit (`tests/data/surfaces`).
//!
//! # References
//! <https://www.nitrc.org/projects/cifti>, CIFTI-2 Connectivity File Format.

mod axes;
mod write;

use std::path::Path;

use ndarray::Array2;

pub use axes::{BrainModel, Label, Map, Maps};
pub use write::write_series;

use crate::fs::{self, Source};
use crate::nifti::Nifti;
use crate::number::ByteOrder;
use crate::{Error, Result};

/// The extension that holds the XML.
const EXTENSION: i32 = 32;
const EXTENSIONS_AT: usize = 544;

/// An open file.
#[derive(Clone, Debug, PartialEq)]
pub struct Cifti {
    /// What the rows are.
    pub maps: Maps,
    /// Which columns lie where.
    pub models: Vec<BrainModel>,
    /// The values.
    ///
    /// # Shapes
    /// n_maps × n_places (vertices and voxels).
    pub data: Array2<f32>,
}

/// Opens the CIFTI-2 file at `path`.
///
/// # Errors
/// If it cannot be read, is not CIFTI-2, or holds parcels or connectivity.
pub fn open(path: impl AsRef<Path>) -> Result<Cifti> {
    Cifti::from_source(&fs::open(path)?)
}

/// Whether these bytes begin a NIfTI-2 file with an extension 32.
pub fn is_cifti(start: &[u8]) -> bool {
    let extended = start.get(540).is_some_and(|&flag| flag != 0);
    let code = start.get(548..552).and_then(|word| word.first_chunk::<4>());
    let is_two = start.get(4..8).is_some_and(|magic| magic == b"n+2\0");
    is_two
        && extended
        && code.is_some_and(|&code| i32::from_le_bytes(code) == EXTENSION || i32::from_be_bytes(code) == EXTENSION)
}

impl Cifti {
    /// As [`open`], for bytes that are at hand.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: &Source) -> Result<Self> {
        let attempt = || Self::parse(crate::inflated::read(source)?);
        attempt().map_err(|error| source.locate(error))
    }

    fn parse(all: Vec<u8>) -> Result<Self> {
        let bytes: std::sync::Arc<[u8]> = all.into();
        let nifti = Nifti::from_source(Source::from_bytes(bytes.clone()))?;
        let header = nifti.header();
        let (maps, models) = axes::parse(extension(&bytes, header.order, header.data_offset)?)?;
        let dims = &header.dims;
        let [n_maps, n_places] = match dims.as_slice() {
            [1, 1, 1, 1, n_maps, n_places] => [*n_maps, *n_places],
            _ => return Err(Error::malformed("the dimensions", "1, 1, 1, 1, maps, places", format!("{dims:?}")).at(16)),
        };
        if maps.len() != n_maps {
            return Err(Error::malformed("the number of maps in the XML", n_maps, maps.len()));
        }
        let n_listed = models.iter().map(|model| model.range().end).max().unwrap_or(0);
        if n_listed > n_places {
            return Err(Error::malformed("the number of places in the XML", n_places, n_listed));
        }
        // The first of the two dimensions varies fastest.
        let values: Vec<f32> = nifti.read()?.into_raw_vec_and_offset().0;
        let data =
            Array2::from_shape_vec((n_places, n_maps), values).map_err(|error| Error::codec("the data", error))?;
        Ok(Self { maps, models, data: data.reversed_axes() })
    }

    /// Map number `map` on the surface of `structure`, such as `CORTEX_LEFT`: one value per vertex, NaN where the file has none.
    ///
    /// # Errors
    /// If there is no such map or structure.
    pub fn on_surface(&self, structure: &str, map: usize) -> Result<Vec<f32>> {
        let model = self.surface(structure)?;
        let BrainModel::Surface { offset, n_vertices, vertices, .. } = model else {
            return Err(Error::missing("surface", structure, self.surfaces()));
        };
        if map >= self.data.nrows() {
            return Err(Error::missing("map", map.to_string(), (0..self.data.nrows()).map(|map| map.to_string())));
        }
        let mut out = vec![f32::NAN; *n_vertices];
        for (i, &vertex) in vertices.iter().enumerate() {
            out[vertex as usize] = self.data[(map, offset + i)];
        }
        Ok(out)
    }

    /// The structures that are surfaces, without their prefix `CIFTI_STRUCTURE_`.
    pub fn surfaces(&self) -> Vec<String> {
        let is_surface = |model: &&BrainModel| matches!(model, BrainModel::Surface { .. });
        self.models.iter().filter(is_surface).map(|model| model.structure().to_owned()).collect()
    }

    fn surface(&self, structure: &str) -> Result<&BrainModel> {
        let is_it = |model: &&BrainModel| matches!(model, BrainModel::Surface { .. }) && model.structure() == structure;
        self.models.iter().find(is_it).ok_or_else(|| Error::missing("surface", structure, self.surfaces()))
    }
}

/// The XML in the extensions before the data.
fn extension(bytes: &[u8], order: ByteOrder, data_offset: u64) -> Result<&[u8]> {
    let word = |at: usize| -> Option<i32> {
        let word = bytes.get(at..at + 4)?.first_chunk::<4>()?;
        Some(if order == ByteOrder::Little { i32::from_le_bytes(*word) } else { i32::from_be_bytes(*word) })
    };
    let end = usize::try_from(data_offset).unwrap_or(usize::MAX).min(bytes.len());
    let mut at = EXTENSIONS_AT;
    while at + 8 <= end {
        let (Some(size), Some(code)) = (word(at), word(at + 4)) else { break };
        let size = usize::try_from(size).unwrap_or(0);
        if size < 8 || size > end - at {
            let expected = format!("8 to {} bytes", end - at);
            return Err(Error::malformed("the size of an extension", expected, size).at(at as u64));
        }
        if code == EXTENSION {
            let text = &bytes[at + 8..at + size];
            let used = text.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            return Ok(&text[..used]);
        }
        at += size;
    }
    Err(Error::malformed("the NIfTI-2 file", "CIFTI-2, with an extension 32", "without one"))
}
