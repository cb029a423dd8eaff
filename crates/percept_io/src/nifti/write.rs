//! Writing NIfTI-1 as one file, `.nii` or `.nii.gz`: little-endian, the affine as sform, the same bytes for the same input.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use ndarray::{ArrayView3, ArrayView4, Axis};

use super::header::{DATA_1, LEN_1};
use crate::number::Element;
use crate::{Error, Result, fs};

/// What a file says beside its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Voxel coordinates (x, y, z, 1) to millimetres, row by row.
    pub affine: [[f64; 4]; 4],
    /// Time from one frame to the next.
    pub tr_secs: Option<f64>,
    /// The factor that readers apply to the stored values.
    pub slope: f64,
    /// The summand that readers apply after it.
    pub intercept: f64,
    /// Free text, cut after 79 bytes.
    pub description: String,
}

impl Default for Spec {
    /// Voxels of 1 mm with the first one at the origin, no scaling.
    fn default() -> Self {
        let mut affine = [[0.0; 4]; 4];
        for (axis, row) in affine.iter_mut().enumerate() {
            row[axis] = 1.0;
        }
        Self { affine, tr_secs: None, slope: 1.0, intercept: 0.0, description: String::new() }
    }
}

/// A type that NIfTI can store.
pub trait Voxel: Element {
    /// The format's code of the type.
    const CODE: i16;
}

macro_rules! voxel {
    ($($type:ty = $code:literal),*) => {
        $(impl Voxel for $type { const CODE: i16 = $code; })*
    };
}

voxel!(u8 = 2, i16 = 4, i32 = 8, f32 = 16, f64 = 64, i8 = 256, u16 = 512, u32 = 768, i64 = 1024, u64 = 1280);

/// Writes `data` to `path`, compressed if the name ends in `.gz`.
///
/// # Shapes
/// `data` is (x, y, z, t); one volume has t = 1 and is written with three dimensions.
///
/// # Errors
/// If a dimension exceeds NIfTI-1's 32767 or is 0, or the file cannot be written.
pub fn write<T: Voxel>(path: impl AsRef<Path>, data: ArrayView4<'_, T>, spec: &Spec) -> Result<()> {
    let (x, y, z, n_frames) = data.dim();
    write_with::<T>(path.as_ref(), [x, y, z], n_frames, spec, |frame_idx, bytes| {
        put_frame(data.index_axis(Axis(3), frame_idx), bytes);
        Ok(())
    })
}

/// As [`write()`], with frames made one at a time by `frame`, so that only one is in memory.
///
/// # Shapes
/// Each frame has the shape given, (x, y, z).
///
/// # Errors
/// As [`write()`], if `frame` fails, or if a frame has another shape.
pub fn write_frames<T: Voxel>(
    path: impl AsRef<Path>,
    shape: [usize; 3],
    n_frames: usize,
    spec: &Spec,
    mut frame: impl FnMut(usize) -> Result<ndarray::Array3<T>>,
) -> Result<()> {
    write_with::<T>(path.as_ref(), shape, n_frames, spec, |frame_idx, bytes| {
        let volume = frame(frame_idx)?;
        if volume.shape() != shape {
            let expected = format!("{shape:?}");
            let got = format!("{:?}", volume.shape());
            let what = format!("the shape of frame {frame_idx}");
            return Err(Error::mismatch(what, expected, got, "give all frames the same shape"));
        }
        put_frame(volume.view(), bytes);
        Ok(())
    })
}

fn write_with<T: Voxel>(
    path: &Path,
    shape: [usize; 3],
    n_frames: usize,
    spec: &Spec,
    mut frame: impl FnMut(usize, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let compressed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    fs::write_atomic(path, |sink| {
        let header = header_bytes::<T>(shape, n_frames, spec)?;
        let mut bytes = Vec::new();
        let mut fill = |out: &mut dyn Write| {
            fs::put(&mut *out, &header)?;
            for frame_idx in 0..n_frames {
                bytes.clear();
                frame(frame_idx, &mut bytes)?;
                fs::put(&mut *out, &bytes)?;
            }
            Ok(())
        };
        if !compressed {
            return fill(sink);
        }
        // No time and no system in the header, so that the bytes depend on the data only. The fastest level: measured
        // values hardly compress further, and masks compress well at any level.
        let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(sink, Compression::fast());
        fill(&mut gzip)?;
        gzip.finish().map_err(|error| Error::io("write", error))?;
        Ok(())
    })
}

/// Appends the values of `frame`, x varying fastest.
fn put_frame<T: Voxel>(frame: ArrayView3<'_, T>, bytes: &mut Vec<u8>) {
    bytes.reserve(frame.len() * T::NUMBER.width());
    // Reversed axes: (z, y, x) in logical order.
    for &value in frame.reversed_axes() {
        value.put_le(bytes);
    }
}

fn header_bytes<T: Voxel>(shape: [usize; 3], n_frames: usize, spec: &Spec) -> Result<Vec<u8>> {
    let mut header = vec![0u8; DATA_1 as usize];
    let mut put = |position: usize, bytes: &[u8]| header[position..position + bytes.len()].copy_from_slice(bytes);
    put(0, &(LEN_1 as i32).to_le_bytes());
    put(38, b"r");
    let n_dims: i16 = if n_frames == 1 { 3 } else { 4 };
    put(40, &n_dims.to_le_bytes());
    for (index, length) in [shape[0], shape[1], shape[2], n_frames, 1, 1, 1].into_iter().enumerate() {
        let length = i16::try_from(length).ok().filter(|&length| length > 0).ok_or_else(|| {
            let remedy = "split the data into several files";
            Error::mismatch(format!("dimension {}", index + 1), "1 to 32767", length, remedy)
        })?;
        put(42 + 2 * index, &length.to_le_bytes());
    }
    put(70, &T::CODE.to_le_bytes());
    put(72, &(8 * T::NUMBER.width() as i16).to_le_bytes());
    let size = |axis: usize| (0..3).map(|row| spec.affine[row][axis].powi(2)).sum::<f64>().sqrt();
    for (index, value) in [1.0, size(0), size(1), size(2), spec.tr_secs.unwrap_or(0.0)].into_iter().enumerate() {
        put(76 + 4 * index, &(value as f32).to_le_bytes());
    }
    put(108, &(DATA_1 as f32).to_le_bytes());
    put(112, &(spec.slope as f32).to_le_bytes());
    put(116, &(spec.intercept as f32).to_le_bytes());
    // Millimetres and seconds.
    put(123, &[2 | 8]);
    let text = spec.description.as_bytes();
    put(148, &text[..text.len().min(79)]);
    // Scanner coordinates.
    put(254, &1i16.to_le_bytes());
    for (row, values) in spec.affine.iter().take(3).enumerate() {
        for (column, &value) in values.iter().enumerate() {
            put(280 + 16 * row + 4 * column, &(value as f32).to_le_bytes());
        }
    }
    put(344, b"n+1\0");
    Ok(header)
}
