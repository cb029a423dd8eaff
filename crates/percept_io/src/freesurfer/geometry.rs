//! Triangle files: `lh.white` and its like, with the footer that places them in the scanner.

use std::fmt::Write as _;
use std::path::Path;

use percept_core::mesh::Mesh;

use crate::big_endian::Bytes;
use crate::fs::{self, Source};
use crate::{Error, Result};

/// The first three bytes of a triangle file.
pub const MAGIC: [u8; 3] = [0xff, 0xff, 0xfe];

/// A surface and what its file says beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Geometry {
    /// Points in surface RAS and triangles.
    pub mesh: Mesh,
    /// Who made it, the first line of the file.
    pub stamp: String,
    /// The volume that the surface was made from, where the file has it.
    pub volume: Option<VolumeGeometry>,
}

/// The volume that a surface was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeGeometry {
    /// Whether the numbers can be relied on.
    pub valid: bool,
    /// The volume's file.
    pub filename: String,
    /// Voxels along its axes.
    pub volume: [i32; 3],
    /// Edges of a voxel in millimetres.
    pub voxel_size: [f64; 3],
    /// Direction of the first axis.
    pub x_ras: [f64; 3],
    /// Direction of the second axis.
    pub y_ras: [f64; 3],
    /// Direction of the third axis.
    pub z_ras: [f64; 3],
    /// Centre of the volume in scanner RAS: scanner = surface + centre for volumes that are not tilted.
    pub c_ras: [f64; 3],
}

/// Reads the triangle file at `path`.
///
/// # Errors
/// If it cannot be read, is not one, or a triangle names a vertex that does not exist.
pub fn read(path: impl AsRef<Path>) -> Result<Geometry> {
    let source = fs::open(path)?;
    parse(&source).map_err(|error| source.locate(error))
}

/// As [`read`], for bytes that are at hand.
///
/// # Errors
/// As [`read`].
pub fn parse(source: &Source) -> Result<Geometry> {
    let all = crate::inflated::read(source)?;
    let mut bytes = Bytes::new(&all);
    let magic = bytes.take("the magic number", 3)?;
    if magic != MAGIC {
        if magic == [0xff, 0xff, 0xff] || magic == [0xff, 0xff, 0xfd] {
            let remedy = "convert it by `mris_convert`";
            return Err(Error::unsupported("a surface made of", "quadrangles, or another kind of file,", remedy).at(0));
        }
        let got = format!("`{}`", magic.escape_ascii());
        return Err(Error::malformed("the magic number", "FF FF FE of a triangle file", got).at(0));
    }
    // Two lines: the stamp and an empty one.
    let head = bytes.rest();
    let first = head.iter().position(|&byte| byte == b'\n');
    let second = first.and_then(|at| head[at + 1..].iter().position(|&byte| byte == b'\n').map(|more| at + 1 + more));
    let (Some(first), Some(second)) = (first, second) else {
        return Err(Error::malformed("the start of the file", "two lines of text", "none").at(3));
    };
    let stamp = String::from_utf8_lossy(&head[..first]).into_owned();
    bytes.take("the stamp", second + 1)?;
    let n_vertices = bytes.count("the number of vertices")?;
    let n_triangles = bytes.count("the number of triangles")?;
    let coordinates: Vec<f32> =
        bytes.words("the vertices", n_vertices.saturating_mul(3))?.map(f32::from_be_bytes).collect();
    let at = bytes.position();
    let mut triangles = Vec::new();
    let mut corner = [0u32; 3];
    for (i, word) in bytes.words("the triangles", n_triangles.saturating_mul(3))?.enumerate() {
        let vertex = i32::from_be_bytes(word);
        corner[i % 3] =
            u32::try_from(vertex).ok().filter(|&vertex| (vertex as usize) < n_vertices).ok_or_else(|| {
                Error::malformed(format!("triangle {}", i / 3), format!("vertices below {n_vertices}"), vertex)
                    .at(at + 4 * i as u64)
            })?;
        if i % 3 == 2 {
            triangles.push(corner);
        }
    }
    let mesh = Mesh { vertices: coordinates.as_chunks::<3>().0.to_vec(), triangles };
    Ok(Geometry { mesh, stamp, volume: volume_geometry(&mut bytes) })
}

/// The footer, if there is one that can be read; FreeSurfer itself goes on without it.
fn volume_geometry(bytes: &mut Bytes<'_>) -> Option<VolumeGeometry> {
    let head = bytes.i32("the footer").ok()?;
    if head != 20 {
        // Some versions write 2, 0, 20.
        let (second, third) = (bytes.i32("the footer").ok()?, bytes.i32("the footer").ok()?);
        if (head, second, third) != (2, 0, 20) && (second, third) != (0, 20) {
            return None;
        }
    }
    let text = String::from_utf8_lossy(bytes.rest());
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    };
    let triple = |name: &str| -> Option<[f64; 3]> {
        let words: Vec<f64> =
            field(name)?.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
        words.try_into().ok()
    };
    let volume = triple("volume")?.map(|length| length as i32);
    Some(VolumeGeometry {
        valid: field("valid")?.starts_with('1'),
        filename: field("filename")?,
        volume,
        voxel_size: triple("voxelsize")?,
        x_ras: triple("xras")?,
        y_ras: triple("yras")?,
        z_ras: triple("zras")?,
        c_ras: triple("cras")?,
    })
}

/// Writes `geometry` to `path`.
///
/// # Errors
/// If the stamp holds a line break, or the disk refuses.
pub fn write(path: impl AsRef<Path>, geometry: &Geometry) -> Result<()> {
    if geometry.stamp.contains('\n') {
        return Err(Error::mismatch("the stamp", "one line", "several", "leave out the line break"));
    }
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(geometry.stamp.as_bytes());
    out.extend_from_slice(b"\n\n");
    let mesh = &geometry.mesh;
    out.extend_from_slice(&(mesh.vertices.len() as i32).to_be_bytes());
    out.extend_from_slice(&(mesh.triangles.len() as i32).to_be_bytes());
    mesh.vertices.iter().flatten().for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
    mesh.triangles.iter().flatten().for_each(|&corner| out.extend_from_slice(&(corner as i32).to_be_bytes()));
    if let Some(volume) = &geometry.volume {
        for word in &[2i32, 0, 20] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        let mut text = String::new();
        let _ = writeln!(text, "valid = {}  # volume info valid", i32::from(volume.valid));
        let _ = writeln!(text, "filename = {}", volume.filename);
        let [x, y, z] = volume.volume;
        let _ = writeln!(text, "volume = {x} {y} {z}");
        let triples = [
            ("voxelsize", volume.voxel_size),
            ("xras  ", volume.x_ras),
            ("yras  ", volume.y_ras),
            ("zras  ", volume.z_ras),
            ("cras  ", volume.c_ras),
        ];
        for (name, [x, y, z]) in triples {
            let _ = writeln!(text, "{name} = {x:.15e} {y:.15e} {z:.15e}");
        }
        out.extend_from_slice(text.as_bytes());
    }
    fs::write_bytes(path, &out)
}
