//! MGH and MGZ: FreeSurfer's volumes, which also hold one value (or a series) per vertex of a surface.
//!
//! Data come as (x, y, z, frame); a map on a surface is (n_vertices, 1, 1, n_frames). A file that is compressed is recognised by
//! its bytes, whatever its name. The footer (acquisition parameters, tags) is not read, but for the repetition time.
//!
//! # Units
//! Millimetres and seconds; the file stores the repetition time in milliseconds.
//!
//! # Numerics
//! Values equal those of nibabel bit for bit, affines to 1e-6 relative (the file stores single precision).
//!
//! # References
//! <https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat>

use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use ndarray::{Array4, ArrayView4, ShapeBuilder};

use crate::big_endian::Bytes;
use crate::fs::{self, Source};
use crate::number::{ByteOrder, Element, Number, decode};
use crate::{Error, Result, limits};

/// Where data begin.
const DATA_AT: usize = 284;

/// An open MGH file.
#[derive(Clone, Debug, PartialEq)]
pub struct Mgh {
    /// Lengths along x, y, z and the frames.
    pub dims: [usize; 4],
    /// The number type as stored.
    pub number: Number,
    /// Voxel coordinates (x, y, z, 1) to scanner RAS in millimetres, row by row.
    pub affine: [[f64; 4]; 4],
    /// Time from one frame to the next, where the file has it.
    pub tr_secs: Option<f64>,
    bytes: Vec<u8>,
}

/// Opens the file at `path`, compressed or not.
///
/// # Errors
/// If it cannot be read, is not MGH, or is too short for what it claims.
pub fn open(path: impl AsRef<Path>) -> Result<Mgh> {
    let source = fs::open(path)?;
    Mgh::from_source(&source)
}

/// Whether these are the first bytes of an (uncompressed) MGH file: version 1, four lengths, a type that exists.
pub fn is_mgh(start: &[u8]) -> bool {
    let word = |at: usize| start.get(at..at + 4).map(|w| i32::from_be_bytes([w[0], w[1], w[2], w[3]]));
    word(0) == Some(1)
        && (4..20).step_by(4).all(|at| word(at).is_some_and(|length| length > 0))
        && word(20).is_some_and(|code| number(code).is_some())
}

fn number(code: i32) -> Option<Number> {
    Some(match code {
        0 => Number::U8,
        1 => Number::I32,
        3 => Number::F32,
        4 => Number::I16,
        10 => Number::U16,
        _ => return None,
    })
}

impl Mgh {
    /// As [`open`], for bytes that are at hand.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: &Source) -> Result<Self> {
        let attempt = || Self::parse(&crate::inflated::read(source)?);
        attempt().map_err(|error| source.locate(error))
    }

    fn parse(all: &[u8]) -> Result<Self> {
        let mut head = Bytes::new(all);
        let version = head.i32("the version")?;
        if version != 1 {
            return Err(Error::malformed("the version", 1, version).at(0));
        }
        let mut dims = [0usize; 4];
        for (axis, length) in dims.iter_mut().enumerate() {
            *length = head.count("a dimension")?;
            if *length == 0 {
                return Err(
                    Error::malformed(format!("dimension {}", axis + 1), "at least 1", 0).at(4 + 4 * axis as u64)
                );
            }
        }
        let code = head.i32("the type")?;
        let number = number(code).ok_or_else(|| {
            Error::unsupported("the data type", code, "convert it to float by `mri_convert -odt float`").at(20)
        })?;
        head.i32("the degrees of freedom")?;
        let has_ras = head.i16("the RAS flag")? > 0;
        let mut floats = [0.0f64; 15];
        for value in &mut floats {
            *value = f64::from(head.f32("the geometry")?);
        }
        let affine = affine(dims, has_ras.then_some(floats));
        let count = limits::element_count("data", &dims)?;
        let n_bytes = limits::byte_count("data", count, number.width(), i64::MAX as u64)?;
        let mut data = Bytes::new(all);
        data.take("the header", DATA_AT)?;
        let bytes = data.take("the data", n_bytes)?.to_vec();
        let tr = data.f32("the footer").ok().map(|tr| f64::from(tr) / 1000.0);
        Ok(Self { dims, number, affine, tr_secs: tr.filter(|tr| *tr > 0.0 && tr.is_finite()), bytes })
    }

    /// All values.
    ///
    /// # Shapes
    /// (x, y, z, frame), x varying fastest in memory as on disk.
    ///
    /// # Errors
    /// If a value is such as `T` cannot hold.
    pub fn read<T: Element>(&self) -> Result<Array4<T>> {
        let mut values = Vec::new();
        decode(&self.bytes, self.number, ByteOrder::Big, &mut values)?;
        let [x, y, z, t] = self.dims;
        Array4::from_shape_vec((x, y, z, t).f(), values).map_err(|error| Error::codec("the data", error))
    }

    /// The frames, each with one value per vertex.
    ///
    /// # Errors
    /// As [`Mgh::read`].
    pub fn frames(&self) -> Result<Vec<Vec<f32>>> {
        let mut values: Vec<f32> = Vec::new();
        decode(&self.bytes, self.number, ByteOrder::Big, &mut values)?;
        let n = self.dims[..3].iter().product::<usize>().max(1);
        Ok(values.chunks_exact(n).map(<[f32]>::to_vec).collect())
    }
}

fn affine(dims: [usize; 4], stored: Option<[f64; 15]>) -> [[f64; 4]; 4] {
    // Without RAS: voxels of 1 mm, coronal, the centre at the origin.
    let stored = stored.unwrap_or([1.0, 1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let mut affine = [[0.0; 4]; 4];
    affine[3][3] = 1.0;
    for row in 0..3 {
        let mut centre = 0.0;
        for axis in 0..3 {
            let step = stored[3 + 3 * axis + row] * stored[axis];
            affine[row][axis] = step;
            centre += step * dims[axis] as f64 / 2.0;
        }
        affine[row][3] = stored[12 + row] - centre;
    }
    affine
}

/// A type that MGH can store.
pub trait Voxel: Element {
    /// The format's code of the type.
    const CODE: i32;
    /// Appends the big-endian bytes of this value.
    fn put_be(self, bytes: &mut Vec<u8>);
}

macro_rules! voxel {
    ($($type:ty = $code:literal),*) => {
        $(impl Voxel for $type {
            const CODE: i32 = $code;
            fn put_be(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_be_bytes());
            }
        })*
    };
}

voxel!(u8 = 0, i32 = 1, f32 = 3, i16 = 4);

/// Writes `data` to `path`, compressed if the name ends in `z`.
///
/// # Shapes
/// `data` is (x, y, z, frame); a map on a surface is (n_vertices, 1, 1, n_frames).
///
/// # Errors
/// If a length is 0 or above 2³¹ − 1, or the disk refuses.
pub fn write<T: Voxel>(path: impl AsRef<Path>, data: ArrayView4<'_, T>, affine: &[[f64; 4]; 4]) -> Result<()> {
    let path = path.as_ref();
    let (x, y, z, t) = data.dim();
    let mut out = Vec::with_capacity(DATA_AT + data.len() * T::NUMBER.width());
    let mut put = |word: i32| out.extend_from_slice(&word.to_be_bytes());
    put(1);
    for length in [x, y, z, t] {
        let length = i32::try_from(length).ok().filter(|&length| length > 0);
        put(length.ok_or_else(|| Error::mismatch("a dimension", "1 to 2147483647", data.len(), "split the data"))?);
    }
    put(T::CODE);
    put(0);
    out.extend_from_slice(&1i16.to_be_bytes());
    let size = |axis: usize| (0..3).map(|row| affine[row][axis].powi(2)).sum::<f64>().sqrt();
    let mut put = |value: f64| out.extend_from_slice(&(value as f32).to_be_bytes());
    (0..3).for_each(|axis| put(size(axis)));
    for axis in 0..3 {
        (0..3).for_each(|row| put(affine[row][axis] / if size(axis) > 0.0 { size(axis) } else { 1.0 }));
    }
    for row in &affine[..3] {
        put(row[3] + row[0] * x as f64 / 2.0 + row[1] * y as f64 / 2.0 + row[2] * z as f64 / 2.0);
    }
    out.resize(DATA_AT, 0);
    // Reversed axes: x fastest.
    data.reversed_axes().iter().for_each(|&value| value.put_be(&mut out));
    if !path.extension().is_some_and(|ending| ending.to_string_lossy().ends_with('z')) {
        return fs::write_bytes(path, &out);
    }
    let failed = |error| Error::io("compress", error);
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::default());
    gzip.write_all(&out).map_err(failed)?;
    fs::write_bytes(path, &gzip.finish().map_err(failed)?)
}
