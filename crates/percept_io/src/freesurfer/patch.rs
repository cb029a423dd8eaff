//! Flat patches: `lh.full.flat.patch.3d`, a part of a surface that was cut out and laid flat.
//!
//! A patch names vertices of its surface and new places for them; it has no triangles. Its triangles are those of the surface
//! whose three vertices are all in the patch ([`Patch::mesh`]).

use std::path::Path;

use percept_core::mesh::Mesh;

use crate::big_endian::Bytes;
use crate::fs::{self, Source};
use crate::{Error, Result};

/// A part of a surface.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    /// Its vertices in the order of the file.
    pub points: Vec<Point>,
}

/// A vertex of a patch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Its number in the surface, from 0 on.
    pub vertex: u32,
    /// Whether it lies on the border of the patch.
    pub is_border: bool,
    /// Where it lies; z is 0 once the patch is flat.
    pub place: [f32; 3],
}

impl Patch {
    /// The patch as a mesh with as many vertices as its surface: places of vertices outside are NaN, and no triangle uses them.
    ///
    /// # Errors
    /// If the patch names a vertex that the surface does not have.
    pub fn mesh(&self, surface: &Mesh) -> Result<Mesh> {
        let mut vertices = vec![[f32::NAN; 3]; surface.n_vertices()];
        for point in &self.points {
            let n = vertices.len();
            *vertices.get_mut(point.vertex as usize).ok_or_else(|| {
                let remedy = "use the patch with the surface it was cut from";
                Error::mismatch("a vertex of the patch", format!("below {n}"), point.vertex, remedy)
            })? = point.place;
        }
        let inside = |corner: &u32| !vertices[*corner as usize][0].is_nan();
        let triangles = surface.triangles.iter().filter(|corners| corners.iter().all(inside)).copied().collect();
        Ok(Mesh { vertices, triangles })
    }
}

/// The patch in the file at `path`.
///
/// # Errors
/// If it cannot be read or is not a patch.
pub fn read(path: impl AsRef<Path>) -> Result<Patch> {
    let source = fs::open(path)?;
    parse(&source).map_err(|error| source.locate(error))
}

/// As [`read`], for bytes that are at hand.
///
/// # Errors
/// As [`read`].
pub fn parse(source: &Source) -> Result<Patch> {
    let all = crate::inflated::read(source)?;
    let mut bytes = Bytes::new(&all);
    let mark = bytes.i32("the mark of a patch")?;
    if mark != -1 {
        return Err(Error::malformed("the first number", "-1 of a patch", mark).at(0));
    }
    let n = bytes.count("the number of vertices")?;
    let words: Vec<[u8; 4]> = bytes.words("the vertices", n.saturating_mul(4))?.collect();
    let points = words
        .as_chunks::<4>()
        .0
        .iter()
        .enumerate()
        .map(|(i, [number, x, y, z])| {
            let number = i32::from_be_bytes(*number);
            if number == 0 {
                return Err(Error::malformed("a vertex", "not 0", 0).at(8 + 16 * i as u64));
            }
            let place = [x, y, z].map(|word| f32::from_be_bytes(*word));
            if place.iter().any(|value| !value.is_finite()) {
                return Err(Error::malformed("a place", "finite", format!("{place:?}")).at(8 + 16 * i as u64));
            }
            Ok(Point { vertex: number.unsigned_abs() - 1, is_border: number < 0, place })
        })
        .collect::<Result<Vec<_>>>()?;
    if !bytes.rest().is_empty() {
        let got = format!("{} bytes more", bytes.rest().len());
        return Err(Error::malformed("the file", "at its end", got).at(bytes.position()));
    }
    Ok(Patch { points })
}

/// Writes `patch` to `path`.
///
/// # Errors
/// If the disk refuses.
pub fn write(path: impl AsRef<Path>, patch: &Patch) -> Result<()> {
    let mut out = Vec::with_capacity(8 + 16 * patch.points.len());
    out.extend_from_slice(&(-1i32).to_be_bytes());
    out.extend_from_slice(&(patch.points.len() as i32).to_be_bytes());
    for point in &patch.points {
        let number = point.vertex as i32 + 1;
        out.extend_from_slice(&(if point.is_border { -number } else { number }).to_be_bytes());
        point.place.iter().for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
    }
    fs::write_bytes(path, &out)
}
