//! One value per vertex: `lh.curv`, `lh.sulc`, `lh.thickness`.

use std::path::Path;

use crate::big_endian::Bytes;
use crate::fs::{self, Source};
use crate::{Error, Result};

/// The first three bytes of the present version. The older one begins with the number of vertices.
pub const MAGIC: [u8; 3] = [0xff, 0xff, 0xff];

/// The values of the file at `path`.
///
/// # Errors
/// If it cannot be read, or holds several values per vertex.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<f32>> {
    let source = fs::open(path)?;
    parse(&source).map_err(|error| source.locate(error))
}

/// As [`read`], for bytes that are at hand.
///
/// # Errors
/// As [`read`].
pub fn parse(source: &Source) -> Result<Vec<f32>> {
    let all = crate::inflated::read(source)?;
    let mut bytes = Bytes::new(&all);
    let first = bytes.u24("the magic number")?;
    let values = if first == 0x00ff_ffff {
        let n_vertices = bytes.count("the number of vertices")?;
        bytes.count("the number of triangles")?;
        let n_values = bytes.count("the number of values per vertex")?;
        if n_values != 1 {
            return Err(Error::unsupported("the number of values per vertex", n_values, "split the file").at(11));
        }
        bytes.words("the values", n_vertices)?.map(f32::from_be_bytes).collect()
    } else {
        // The older version: hundredths as 16-bit numbers.
        bytes.u24("the number of triangles")?;
        let words = bytes.take("the values", 2 * first as usize)?.as_chunks::<2>().0;
        words.iter().map(|&word| (f64::from(i16::from_be_bytes(word)) / 100.0) as f32).collect()
    };
    if !bytes.rest().is_empty() {
        let got = format!("{} bytes more", bytes.rest().len());
        return Err(Error::malformed("the file", "at its end", got).at(bytes.position()));
    }
    Ok(values)
}

/// Writes `values` to `path`, for a surface of `n_triangles`.
///
/// # Errors
/// If the disk refuses.
pub fn write(path: impl AsRef<Path>, values: &[f32], n_triangles: usize) -> Result<()> {
    let mut out = MAGIC.to_vec();
    for word in [values.len() as i32, n_triangles as i32, 1] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    for value in values {
        out.extend_from_slice(&value.to_be_bytes());
    }
    fs::write_bytes(path, &out)
}
