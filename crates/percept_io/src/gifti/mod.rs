//! GIFTI: surfaces, maps on them and labels, as `.gii`, `.surf.gii`, `.func.gii`, `.shape.gii`, `.label.gii`.
//!
//! [`open`] reads all data arrays of a file: encodings ASCII, Base64, GZipBase64 (which is zlib, not gzip) and external files;
//! both byte orders, row and column major. [`Gifti::write`] writes GZipBase64, little-endian, row major: the same bytes for the
//! same input. A file that is itself compressed (`.gii.gz`) is read too. The XML is tokenised by the crate `quick-xml`, which
//! expands no entities but the five of XML, so no document grows when read.
//!
//! Coordinates and values come as stored; transformations of a `CoordinateSystemTransformMatrix` are returned, not applied.
//!
//! # Numerics
//! Values equal those of nibabel bit for bit (`tests/data/surfaces`).
//!
//! # References
//! GIFTI Surface Data Format, version 1.0, <https://www.nitrc.org/projects/gifti>.

mod content;
mod parse;
mod write;

use std::path::Path;

use percept_core::mesh::Mesh;

pub use content::{DataArray, Gifti, LABEL, Label, NONE, POINTSET, SHAPE, TRIANGLE, Transform};

use crate::fs::{self, Source};
use crate::number::{ByteOrder, Element, decode};
use crate::{Error, Result};

/// Opens the GIFTI file at `path`, plain or compressed by gzip.
///
/// # Errors
/// If it cannot be read, is not GIFTI, or contradicts itself.
pub fn open(path: impl AsRef<Path>) -> Result<Gifti> {
    Gifti::from_source(&fs::open(path)?)
}

impl Gifti {
    /// As [`open`], for bytes that are at hand. External data need a path.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: &Source) -> Result<Self> {
        let folder = source.path().and_then(Path::parent);
        let attempt = crate::inflated::read(source).and_then(|text| parse::document(&text, folder));
        attempt.map_err(|error| source.locate(error))
    }

    /// The mesh of a surface file: its first point set and its first triangles.
    ///
    /// # Errors
    /// If one of them is missing, has another shape than n × 3, or a triangle names a vertex that does not exist.
    pub fn mesh(&self) -> Result<Mesh> {
        let find = |intent: &str| {
            let names = self.arrays.iter().map(|array| array.intent.clone());
            self.arrays
                .iter()
                .find(|array| array.intent == intent)
                .ok_or_else(|| Error::missing("data array of intent", intent, names))
        };
        let mesh = Mesh { vertices: triples(find(POINTSET)?)?, triangles: triples(find(TRIANGLE)?)? };
        match mesh.broken_triangle() {
            None => Ok(mesh),
            Some(triangle) => {
                let got = format!("{:?}", mesh.triangles[triangle]);
                let expected = format!("vertices below {}", mesh.n_vertices());
                Err(Error::malformed(format!("triangle {triangle}"), expected, got))
            }
        }
    }

    /// The surface as a file to be: one point set and its triangles.
    pub fn of_mesh(mesh: &Mesh) -> Self {
        let points: Vec<f32> = mesh.vertices.iter().flatten().copied().collect();
        let corners: Vec<i32> = mesh.triangles.iter().flatten().map(|&corner| corner as i32).collect();
        let arrays = vec![
            DataArray::new(POINTSET, &[mesh.vertices.len(), 3], &points),
            DataArray::new(TRIANGLE, &[mesh.triangles.len(), 3], &corners),
        ];
        Self { arrays, ..Self::default() }
    }

    /// Writes it to `path`: GZipBase64, little-endian, row major.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        fs::write_bytes(path, &self.encode()?)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// If compression fails.
    pub fn encode(&self) -> Result<Vec<u8>> {
        write::document(self)
    }
}

impl DataArray {
    /// An array of `values` with the lengths `dims`.
    ///
    /// # Panics
    /// If `dims` asks for another number of values.
    pub fn new<T: Element>(intent: &str, dims: &[usize], values: &[T]) -> Self {
        assert_eq!(dims.iter().product::<usize>(), values.len(), "as many values as the lengths say");
        let mut bytes = Vec::with_capacity(values.len() * T::NUMBER.width());
        for &value in values {
            value.put_le(&mut bytes);
        }
        Self {
            intent: intent.to_owned(),
            number: T::NUMBER,
            dims: dims.to_vec(),
            metadata: Vec::new(),
            transforms: Vec::new(),
            bytes,
        }
    }

    /// With a name, as viewers show it.
    pub fn named(mut self, name: &str) -> Self {
        self.metadata.push(("Name".to_owned(), name.to_owned()));
        self
    }

    /// The name in its metadata.
    pub fn name(&self) -> Option<&str> {
        self.metadata.iter().find(|(key, _)| key == "Name").map(|(_, name)| name.as_str())
    }

    /// The values, row major.
    ///
    /// # Errors
    /// If one is such as `T` cannot hold.
    pub fn values<T: Element>(&self) -> Result<Vec<T>> {
        let mut out = Vec::new();
        decode(&self.bytes, self.number, ByteOrder::Little, &mut out)?;
        Ok(out)
    }
}

fn triples<T: Element>(array: &DataArray) -> Result<Vec<[T; 3]>> {
    if array.dims.len() != 2 || array.dims[1] != 3 {
        let got = format!("{:?}", array.dims);
        return Err(Error::malformed(format!("the shape of `{}`", array.intent), "n × 3", got));
    }
    let values = array.values::<T>()?;
    Ok(values.as_chunks::<3>().0.to_vec())
}
